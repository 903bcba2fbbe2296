package portal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

// code gives my-health a code for the session.
func (w *world) code(s *session.Session) string {
	w.t.Helper()
	return said(w.t, w.authorize(asks(nil), s)).Get("code")
}

// tokenForm is a good exchange of my-health, changed as asks does.
func tokenForm(code string, change map[string]string) url.Values {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {healthCB}, "code_verifier": {verifier},
	}
	for name, v := range change {
		if form.Set(name, v); v == "" {
			form.Del(name)
		}
	}
	return form
}

// basic authenticates as RFC 6749 §2.3.1 has it.
func basic(id string, secret identity.Secret) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret.Reveal())) }
}

func none(*http.Request) {}

// post sends a form to a machine face.
func post(face func(http.ResponseWriter, *http.Request) error, form string, with func(*http.Request)) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	with(r)
	w := httptest.NewRecorder()
	err := face(w, r)
	return w, err
}

// body reads a JSON answer.
func body(t testing.TB, r *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.Body.Bytes(), &m); err != nil {
		t.Fatalf("%d %s: %v", r.Code, r.Body, err)
	}
	return m
}

// redeemed redeems a code and returns the whole answer.
func (w *world) redeemed(code string) map[string]any {
	w.t.Helper()
	r, err := post(w.Token, tokenForm(code, nil).Encode(), basic(health, secret))
	if err != nil || r.Code != http.StatusOK {
		w.t.Fatalf("got %d %s, %v", r.Code, r.Body, err)
	}
	return body(w.t, r)
}

func TestTokenAnswersACode(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	w.pass(time.Minute)
	code := w.code(s)
	r, err := post(w.Token, tokenForm(code, nil).Encode(), basic(health, secret))
	if err != nil || r.Code != http.StatusOK {
		t.Fatalf("got %d %s, %v", r.Code, r.Body, err)
	}
	if r.Header().Get("Cache-Control") != "no-store" || r.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers: %v", r.Header())
	}
	answer := body(t, r)
	if answer["token_type"] != "Bearer" || answer["expires_in"] != 180.0 || answer["scope"] != "openid profile email phone nhs_number" {
		t.Errorf("got %v", answer)
	}
	access, err := w.verifier.AccessToken(context.Background(), answer["access_token"].(string), "https://api.portal.example.org")
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.verifier.IDTokenHint(context.Background(), answer["id_token"].(string))
	if err != nil {
		t.Fatal(err)
	}
	touched, err := w.room.ByHandle(context.Background(), s.Handle)
	if err != nil {
		t.Fatal(err)
	}
	want := token.Claims{
		Subject: "mair", SessionID: s.Handle, Trust: vectors("P9.Cp.Cd")[0], Methods: []string{"pwd", "otp", "mfa"}, AuthTime: s.AuthTime,
		Proofing: identity.P9, Provider: "nhs-login", Ends: touched.Ends(), IdleEnds: touched.IdleEnds(),
	}
	if diff := cmp.Diff(want, access.Claims); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, id.Claims); diff != "" || id.Audience != health || id.Nonce != "n" || access.ClientID != health {
		t.Errorf("got %+v %+v %s", id, access, diff)
	}
	if diff := cmp.Diff([]audit.Kind{audit.CodeIssued, audit.TokensIssued}, w.mem.kinds()); diff != "" {
		t.Error(diff)
	}
}

// Row C2: of fifty who redeem a code at once, one has it; and a later replay takes
// back what it got.
func TestC2ParallelRedemptionsAndReplay(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	code := w.code(s)
	var wait sync.WaitGroup
	statuses := make([]int, 50)
	answers := make([]string, 50)
	for i := range statuses {
		wait.Go(func() {
			r, err := post(w.Token, tokenForm(code, nil).Encode(), basic(health, secret))
			if err != nil {
				t.Error(err)
			}
			statuses[i], answers[i] = r.Code, r.Body.String()
		})
	}
	wait.Wait()
	won := 0
	for i, status := range statuses {
		switch {
		case status == http.StatusOK:
			won++
		case status != http.StatusBadRequest || !strings.Contains(answers[i], `"invalid_grant"`):
			t.Errorf("got %d %s", status, answers[i])
		}
	}
	if won != 1 {
		t.Errorf("%d redemptions succeeded", won)
	}

	code = w.code(s)
	access := w.redeemed(code)["access_token"].(string)
	if r := w.askUserinfo(access); r.Code != http.StatusOK {
		t.Fatalf("before the replay: %d %s", r.Code, r.Body)
	}
	if r, err := post(w.Token, tokenForm(code, nil).Encode(), basic(health, secret)); err != nil || r.Code != http.StatusBadRequest {
		t.Fatalf("the replay: %d %s, %v", r.Code, r.Body, err)
	}
	if r := w.askUserinfo(access); r.Code != http.StatusUnauthorized {
		t.Errorf("after the replay: %d %s", r.Code, r.Body)
	}
	if e := w.mem.events[len(w.mem.events)-1]; e.Kind != audit.CodeReused || e.Session != s.Handle || e.Portal != health {
		t.Errorf("got %+v", e)
	}
	if later := w.redeemed(w.code(s))["access_token"].(string); w.askUserinfo(later).Code != http.StatusOK {
		t.Error("a later code of the same session is dead too")
	}
}

// Row C3, and C4 at the token endpoint: a code is good for who asked for it, once,
// for a minute, while the session lives.
func TestC3CodeBinding(t *testing.T) {
	inAMinute := func(w *world, _ string) { w.pass(time.Minute + time.Second) }
	for name, row := range map[string]struct {
		change map[string]string
		with   func(*http.Request)
		first  func(w *world, handle string)
		cause  string
	}{
		"another portal's":             {nil, basic(open, secret+"2"), nil, "code-of-another-portal"},
		"a public client's":            {map[string]string{"client_id": app}, none, nil, "code-of-another-portal"},
		"another redirect_uri":         {map[string]string{"redirect_uri": healthCB + "/"}, nil, nil, "redirect-uri-differs"},
		"no redirect_uri":              {map[string]string{"redirect_uri": ""}, nil, nil, "redirect-uri-differs"},
		"C4: another verifier":         {map[string]string{"code_verifier": verifier + "x"}, nil, nil, "code-verifier-wrong"},
		"C4: no verifier":              {map[string]string{"code_verifier": ""}, nil, nil, "code-verifier-wrong"},
		"C4: the challenge itself":     {map[string]string{"code_verifier": challengeFor(verifier)}, nil, nil, "code-verifier-wrong"},
		"C4: a verifier of 42":         {map[string]string{"code_verifier": strings.Repeat("v", 42)}, nil, nil, "code-verifier-wrong"},
		"C4: a verifier of 129":        {map[string]string{"code_verifier": strings.Repeat("v", 129)}, nil, nil, "code-verifier-wrong"},
		"after 61 seconds":             {nil, nil, inAMinute, "code-expired"},
		"a code that nobody made":      {map[string]string{"code": identity.NewToken().Reveal()}, nil, nil, "code-unknown"},
		"a code cut short":             {map[string]string{"code": "abc"}, nil, nil, "code-unknown"},
		"H2: the session is past idle": {nil, nil, func(w *world, h string) { w.change(h, func(s *session.Session) { s.Seen = s.Seen.Add(-time.Hour) }) }, "session-over"},
		"H3: the session was ended":    {nil, nil, func(w *world, h string) { w.change(h, func(s *session.Session) { s.Ended = s.Seen }) }, "session-over"},
		"B13: the account is disabled": {nil, nil, func(w *world, _ string) { w.disable("mair") }, "session-over"},
		"the session fell below the floor": {nil, nil, func(w *world, h string) {
			w.change(h, func(s *session.Session) { s.Trust = vectors("P5.Cp")[0] })
		}, "session-over"},
		"younger than was said": {nil, nil, func(w *world, _ string) { w.patient("mair", "2012-01-01") }, "under-age"},
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		_, s := w.login("mair", "P9.Cp.Cd")
		code := w.code(s)
		if row.first != nil {
			row.first(w, s.Handle)
		}
		if row.with == nil {
			row.with = basic(health, secret)
		}
		r, err := post(w.Token, tokenForm(code, row.change).Encode(), row.with)
		if err != nil || r.Code != http.StatusBadRequest || body(t, r)["error"] != "invalid_grant" {
			t.Errorf("%s: got %d %s, %v", name, r.Code, r.Body, err)
		}
		if !slices.Equal(w.causes, []string{row.cause}) {
			t.Errorf("%s: wanted cause %s, got %v", name, row.cause, w.causes)
		}
		if slices.Contains(w.mem.kinds(), audit.TokensIssued) {
			t.Errorf("%s: tokens were issued", name)
		}
	}
}

func (w *world) change(handle string, change func(*session.Session)) {
	w.t.Helper()
	if err := (sessions{w.mem}).change(handle, change); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) disable(id string) {
	w.t.Helper()
	if err := (accounts{memory: w.mem}).SetState(context.Background(), id, account.Disabled); err != nil {
		w.t.Fatal(err)
	}
}

// A verifier outside the bounds of RFC 7636 §4.1 proves nothing, even its own
// challenge: it could be guessed, or be read in two ways.
func TestC4VerifierBounds(t *testing.T) {
	for name, row := range map[string]struct {
		verifier string
		want     bool
	}{
		"43 characters":     {strings.Repeat("v", 43), true},
		"128 characters":    {strings.Repeat("~", 128), true},
		"42 characters":     {strings.Repeat("v", 42), false},
		"129 characters":    {strings.Repeat("v", 129), false},
		"a space":           {strings.Repeat("v", 43) + " v", false},
		"letters of others": {strings.Repeat("ŵ", 43), false},
	} {
		if got := proves(row.verifier, challengeFor(row.verifier)); got != row.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// Row C4: a challenge that was stripped from the request on its way is seen by the
// verifier that still comes (RFC 9700 §4.8.2).
func TestC4VerifierWithoutChallenge(t *testing.T) {
	for name, row := range map[string]struct {
		verifier string
		want     int
	}{
		"with a verifier": {verifier, http.StatusBadRequest}, "without": {"", http.StatusOK},
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		_, s := w.login("mair", "P9.Cp.Cd")
		d := w.authorize(asks(map[string]string{
			"client_id": open, "redirect_uri": openCB, "scope": "openid", "code_challenge": "", "code_challenge_method": "",
		}), s)
		form := tokenForm(said(t, d).Get("code"), map[string]string{"redirect_uri": openCB, "code_verifier": row.verifier})
		if r, err := post(w.Token, form.Encode(), basic(open, secret+"2")); err != nil || r.Code != row.want {
			t.Errorf("%s: got %d %s, %v", name, r.Code, r.Body, err)
		}
	}
}

func TestClientsProveThemselves(t *testing.T) {
	header := func(v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set("Authorization", v) } }
	for name, row := range map[string]struct {
		change map[string]string
		with   func(*http.Request)
		want   string
	}{
		"right":                              {nil, basic(health, secret), ""},
		"right, and named in the form":       {map[string]string{"client_id": health}, basic(health, secret), ""},
		"C6: wrong secret":                   {nil, basic(health, secret+"x"), "invalid_client"},
		"C6: another's secret":               {nil, basic(health, secret+"2"), "invalid_client"},
		"C6: empty secret":                   {nil, basic(health, ""), "invalid_client"},
		"C6: not form-encoded":               {nil, func(r *http.Request) { r.SetBasicAuth(health, secret.Reveal()) }, "invalid_client"},
		"C6: a broken escape":                {nil, func(r *http.Request) { r.SetBasicAuth(health, "%zz") }, "invalid_client"},
		"unknown client":                     {nil, basic("nobody", secret), "invalid_client"},
		"no proof":                           {map[string]string{"client_id": health}, none, "invalid_client"},
		"nobody at all":                      {nil, none, "invalid_client"},
		"secret in the form":                 {map[string]string{"client_id": health, "client_secret": secret.Reveal()}, none, ""},
		"C6: wrong secret in the form":       {map[string]string{"client_id": health, "client_secret": "x"}, none, "invalid_client"},
		"C6: secret of nobody":               {map[string]string{"client_secret": secret.Reveal()}, none, "invalid_client"},
		"C6: no secret where keys prove":     {map[string]string{"client_id": letters, "client_secret": secret.Reveal()}, none, "invalid_client"},
		"secret in the form and the header":  {map[string]string{"client_secret": secret.Reveal()}, basic(health, secret), "invalid_request"},
		"an assertion":                       {map[string]string{"client_assertion": "e30.e30.e30"}, none, "invalid_client"},
		"a public client by Basic":           {nil, basic(app, ""), "invalid_client"},
		"another scheme":                     {nil, header("Bearer x"), "invalid_client"},
		"garbage":                            {nil, header("Basic %%%"), "invalid_client"},
		"two headers":                        {nil, func(r *http.Request) { basic(health, secret)(r); r.Header.Add("Authorization", "Basic x") }, "invalid_client"},
		"one in the header, one in the form": {map[string]string{"client_id": app}, basic(health, secret), "invalid_request"},
		"no grant_type":                      {map[string]string{"grant_type": ""}, basic(health, secret), "invalid_request"},
		"password grant":                     {map[string]string{"grant_type": "password"}, basic(health, secret), "unsupported_grant_type"},
		"refresh":                            {map[string]string{"grant_type": "refresh_token"}, basic(health, secret), "invalid_request"},
		"no code":                            {map[string]string{"code": ""}, basic(health, secret), "invalid_request"},
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		_, s := w.login("mair", "P9.Cp.Cd")
		code := w.code(s)
		r, err := post(w.Token, tokenForm(code, row.change).Encode(), row.with)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := body(t, r)["error"].(string)
		if got != row.want {
			t.Errorf("%s: wanted %q, got %d %s", name, row.want, r.Code, r.Body)
		}
		if challenged := strings.HasPrefix(r.Header().Get("WWW-Authenticate"), "Basic "); challenged != (r.Code == http.StatusUnauthorized) || challenged != (row.want == "invalid_client") {
			t.Errorf("%s: got %d %v", name, r.Code, r.Header())
		}
		if r.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be cached", name)
		}
		if row.want != "" && w.redeemed(code) == nil {
			t.Errorf("%s: the code was spent by who did not prove themselves", name)
		}
	}
}

func TestAPublicClientRedeemsByItsVerifier(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	d := w.authorize(asks(map[string]string{"client_id": app, "redirect_uri": appCB, "scope": "openid"}), s)
	form := tokenForm(said(t, d).Get("code"), map[string]string{"client_id": app, "redirect_uri": appCB})
	if r, err := post(w.Token, form.Encode(), none); err != nil || r.Code != http.StatusOK {
		t.Errorf("got %d %s, %v", r.Code, r.Body, err)
	}
}

func TestFormsAreBounded(t *testing.T) {
	w := newWorld(t)
	many := tokenForm("x", nil)
	for i := range maxParams + 1 {
		many.Set(fmt.Sprint("p", i), "x")
	}
	for name, form := range map[string]string{
		"J2: 101 parameters":      many.Encode(),
		"J2: 1 MB":                "code=" + strings.Repeat("x", 1<<20),
		"a broken escape":         "code=%zz",
		"code twice":              tokenForm("x", nil).Encode() + "&code=y",
		"client_id twice":         tokenForm("x", nil).Encode() + "&client_id=a&client_id=a",
		"grant_type twice, empty": tokenForm("x", nil).Encode() + "&grant_type=",
	} {
		r, err := post(w.Token, form, basic(health, secret))
		if err != nil || r.Code != http.StatusBadRequest || body(t, r)["error"] != "invalid_request" {
			t.Errorf("%s: got %d %s, %v", name, r.Code, r.Body, err)
		}
	}
}

// Row A6 at the machine faces: what can't be known is 503, and never a success.
func TestMachineFacesWithoutAStore(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	access := w.redeemed(w.code(s))["access_token"].(string)
	code := w.code(s)
	w.mem.down.Store(true)
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+access) }
	for name, call := range map[string]func() (*httptest.ResponseRecorder, error){
		"token": func() (*httptest.ResponseRecorder, error) {
			return post(w.Token, tokenForm(code, nil).Encode(), basic(health, secret))
		},
		"userinfo": func() (*httptest.ResponseRecorder, error) { return post(w.Userinfo, "", bearer) },
		"active":   func() (*httptest.ResponseRecorder, error) { return post(w.SessionActive, "", bearer) },
	} {
		r, err := call()
		if err == nil || r.Code != http.StatusServiceUnavailable || body(t, r)["error"] != "temporarily_unavailable" {
			t.Errorf("%s: got %d %s, %v", name, r.Code, r.Body, err)
		}
	}
	w.mem.down.Store(false)
	if w.redeemed(code) == nil {
		t.Error("the code was lost with the store")
	}
}

// askUserinfo presents an access token in the header.
func (w *world) askUserinfo(access string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+access)
	rec := httptest.NewRecorder()
	if err := w.Userinfo(rec, r); err != nil {
		w.t.Fatal(err)
	}
	return rec
}

func TestUserinfoByScope(t *testing.T) {
	profile := map[string]any{"name": "Mair Prawf", "given_name": "Mair", "family_name": "Prawf", "birthdate": "1980-02-29", "locale": "cy"}
	email := map[string]any{"email": "mair@example.org", "email_verified": true}
	phone := map[string]any{"phone_number": "07700900123", "phone_number_verified": false}
	number := map[string]any{"nhs_number": "9990000018", "identity_proofing_level": "P9"}
	for name, row := range map[string]struct {
		portal, scope, vector string
		want                  []map[string]any
	}{
		"openid alone":           {health, "openid", "P9.Cp.Cd", nil},
		"profile":                {health, "openid profile", "P9.Cp.Cd", []map[string]any{profile}},
		"email":                  {health, "openid email", "P9.Cp.Cd", []map[string]any{email}},
		"phone":                  {health, "openid phone", "P9.Cp.Cd", []map[string]any{phone}},
		"NHS number at P9":       {health, "openid nhs_number", "P9.Cm", []map[string]any{number}},
		"NHS number at P5":       {open, "openid nhs_number", "P5.Cp.Cd", []map[string]any{number}},
		"NHS number at P0":       {open, "openid nhs_number email", "P0.Cp", []map[string]any{email}},
		"all that a portal may":  {health, "openid profile email phone nhs_number", "P9.Cp.Cd", []map[string]any{profile, email, phone, number}},
		"a scope we do not know": {health, "openid address", "P9.Cp.Cd", nil},
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		_, s := w.login("mair", row.vector)
		uri, pass := healthCB, secret
		if row.portal == open {
			uri, pass = openCB, secret+"2"
		}
		d := w.authorize(asks(map[string]string{"client_id": row.portal, "redirect_uri": uri, "scope": row.scope}), s)
		r, err := post(w.Token, tokenForm(said(t, d).Get("code"), map[string]string{"redirect_uri": uri}).Encode(), basic(row.portal, pass))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"sub": "mair"}
		for _, part := range row.want {
			maps.Copy(want, part)
		}
		info := w.askUserinfo(body(t, r)["access_token"].(string))
		if diff := cmp.Diff(want, body(t, info)); diff != "" || info.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What operators are told of userinfo is what it tells.
func TestUserinfoIsExplainedAsItIs(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	told := body(t, w.askUserinfo(w.redeemed(w.code(s))["access_token"].(string)))
	explained := w.portal(health).Userinfo(identity.P9)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(told)), slices.Sorted(slices.Values(explained))); diff != "" {
		t.Errorf("(-told +explained): %s", diff)
	}
	if slices.Contains(w.portal(health).Userinfo(identity.P0), "nhs_number") {
		t.Error("at P0 no NHS number is told")
	}
}

func TestUserinfoTakesATokenOnce(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	answer := w.redeemed(w.code(s))
	access := answer["access_token"].(string)
	header := func(v ...string) func(*http.Request) { return func(r *http.Request) { r.Header["Authorization"] = v } }
	flipped := access[:len(access)-10] + "AAAA" + access[len(access)-6:]
	for name, row := range map[string]struct {
		form      string
		with      func(*http.Request)
		status    int
		challenge string
	}{
		"in the header":             {"", header("Bearer " + access), 200, ""},
		"scheme in another case":    {"", header("bearer " + access), 200, ""},
		"in the form":               {"access_token=" + access, none, 200, ""},
		"in both":                   {"access_token=" + access, header("Bearer " + access), 400, `error="invalid_request"`},
		"twice in the form":         {"access_token=" + access + "&access_token=" + access, none, 400, `error="invalid_request"`},
		"in two headers":            {"", header("Bearer "+access, "Bearer "+access), 401, `error="invalid_token"`},
		"nowhere":                   {"", none, 401, `realm="dilys"`},
		"by another scheme":         {"", header("Basic " + access), 401, `realm="dilys"`},
		"in the query":              {"", func(r *http.Request) { r.URL.RawQuery = "access_token=" + access }, 401, `realm="dilys"`},
		"B2: altered":               {"", header("Bearer " + flipped), 401, `error="invalid_token"`},
		"an ID token":               {"", header("Bearer " + answer["id_token"].(string)), 401, `error="invalid_token"`},
		"the session's secret":      {"", header("Bearer " + identity.NewToken().Reveal()), 401, `error="invalid_token"`},
		"J2: a thousand dots":       {"", header("Bearer " + strings.Repeat(".", 1000)), 401, `error="invalid_token"`},
		"empty":                     {"", header("Bearer "), 401, `error="invalid_token"`},
		"a token for another house": {"", header("Bearer " + w.foreign(s)), 401, `error="invalid_token"`},
	} {
		r, err := post(w.Userinfo, row.form, row.with)
		if err != nil || r.Code != row.status || !strings.Contains(r.Header().Get("WWW-Authenticate"), row.challenge) {
			t.Errorf("%s: got %d %q, %v", name, r.Code, r.Header().Get("WWW-Authenticate"), err)
		}
	}
}

// foreign is a token that we signed for an audience that is no portal's, as for a
// host behind the gateway.
func (w *world) foreign(s *session.Session) string {
	raw, _, err := w.tokens.AccessToken("", token.AccessClaims{
		Claims: w.claimsOf(&Portal{ID: health}, *s), Audience: "letters.example.org", ClientID: health, Scope: "openid", Stamp: token.Stamp{ID: tokenID("g")},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func TestATokenDiesWithItsSession(t *testing.T) {
	for name, kill := range map[string]func(w *world, s *session.Session){
		"logged out": func(w *world, s *session.Session) { _ = w.room.End(context.Background(), *s, "test") },
		"disabled":   func(w *world, _ *session.Session) { w.disable("mair") },
		"expired":    func(w *world, _ *session.Session) { w.pass(3*time.Minute + time.Second) },
		"under age":  func(w *world, _ *session.Session) { w.patient("mair", "2012-01-01") },
		"idle": func(w *world, s *session.Session) {
			w.change(s.Handle, func(s *session.Session) { s.Limits.Idle = time.Second })
			w.pass(time.Second)
		},
		"another's": func(w *world, s *session.Session) {
			w.patient("gwen", "1980-02-29")
			w.change(s.Handle, func(s *session.Session) { s.Account = "gwen" })
		},
		"grant unknown": func(w *world, _ *session.Session) { w.mem.revoked = map[string]bool{} },
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		_, s := w.login("mair", "P9.Cp.Cd")
		access := w.redeemed(w.code(s))["access_token"].(string)
		kill(w, s)
		if r := w.askUserinfo(access); r.Code != http.StatusUnauthorized {
			t.Errorf("%s: got %d %s", name, r.Code, r.Body)
		}
	}
}

// Row H2: userinfo renews nothing, and telling that the patient is active does.
func TestH2ActiveRenewsIdleAndUserinfoDoesNot(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	access := w.redeemed(w.code(s))["access_token"].(string)
	w.pass(2 * time.Minute)
	w.askUserinfo(access)
	if now, _ := w.room.ByHandle(context.Background(), s.Handle); !now.Seen.Equal(s.Seen) {
		t.Error("userinfo renewed the session")
	}
	r, err := post(w.SessionActive, "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+access) })
	if err != nil || r.Code != http.StatusOK {
		t.Fatalf("got %d %s, %v", r.Code, r.Body, err)
	}
	want := map[string]any{
		"session_ends": float64(s.Ends().Unix()), "session_idle_ends": float64(s.Seen.Add(32 * time.Minute).Unix()),
	}
	if diff := cmp.Diff(want, body(t, r)); diff != "" {
		t.Error(diff)
	}
}

// Row K1: what portals send and get is in no log word and no event.
func TestK1CausesAndEventsTellNoSecret(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	code := w.code(s)
	access := w.redeemed(code)["access_token"].(string)
	_, _ = post(w.Token, tokenForm(code, nil).Encode(), basic(health, secret))
	_, _ = post(w.Token, tokenForm(code, nil).Encode(), basic(health, "canary-secret"))
	text := fmt.Sprint(w.causes, w.mem.events)
	for _, leak := range []string{code, access, secret.Reveal(), verifier, "canary", "9990000018", "mair@", "07700"} {
		if strings.Contains(text, leak) {
			t.Errorf("%s was told", leak)
		}
	}
}
