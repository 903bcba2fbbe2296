package portal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

const verifier = "a-verifier-of-at-least-43-characters.~_0123456789"

func challengeFor(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// asks is a good request of my-health, changed: an empty value takes the parameter
// out.
func asks(change map[string]string) url.Values {
	values := url.Values{
		"client_id": {health}, "redirect_uri": {healthCB}, "response_type": {"code"}, "scope": {"openid profile email phone nhs_number"},
		"state": {"st"}, "nonce": {"n"}, "code_challenge": {challengeFor(verifier)}, "code_challenge_method": {"S256"},
	}
	for name, v := range change {
		if values.Set(name, v); v == "" {
			values.Del(name)
		}
	}
	return values
}

func (w *world) authorize(params url.Values, s *session.Session) Decision {
	w.t.Helper()
	d, err := w.Authorize(context.Background(), params, Seat{Session: s, Navigation: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) resume(id string, s *session.Session) Decision {
	w.t.Helper()
	d, err := w.Resume(context.Background(), id, Seat{Session: s, Navigation: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// said returns the parameters of a redirect.
func said(t testing.TB, d Decision) url.Values {
	t.Helper()
	u, err := url.Parse(d.URL)
	if err != nil || d.Kind != Redirect {
		t.Fatalf("wanted a redirect, got %+v", d)
	}
	return u.Query()
}

// outcome is a decision in a word: the error, "code", "login" or the refusal.
func outcome(t testing.TB, d Decision) string {
	t.Helper()
	switch d.Kind {
	case Refuse:
		return string(d.Refusal)
	case Login:
		return "login"
	}
	values := said(t, d)
	if values.Get("iss") != issuer {
		t.Errorf("iss: got %q", values.Get("iss"))
	}
	if values.Has("code") == values.Has("error") {
		t.Errorf("wanted code or error, got %v", values)
	}
	if values.Has("code") {
		return "code"
	}
	return values.Get("error")
}

func TestAuthorizeGivesACode(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	long := strings.Repeat("s", 512)
	d := w.authorize(asks(map[string]string{"state": long, "unknown": "ignored", "display": "popup"}), s)
	values := said(t, d)
	if values.Get("state") != long || len(values.Get("code")) != 43 || !strings.HasPrefix(d.URL, healthCB+"?") {
		t.Errorf("got %s", d.URL)
	}
	if diff := cmp.Diff([]audit.Kind{audit.CodeIssued}, w.mem.kinds()); diff != "" {
		t.Error(diff)
	}
	d = w.authorize(asks(map[string]string{"client_id": app, "redirect_uri": appCB, "scope": "openid", "state": ""}), s)
	if values := said(t, d); !strings.HasPrefix(d.URL, appCB+"&") || values.Get("kept") != "1" || values.Has("state") {
		t.Errorf("a registered query was lost or a state made up: %s", d.URL)
	}
}

// Row C1: whatever is not the registered address, to the letter, shows a page and
// never redirects.
func TestC1RedirectURIVariants(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	variants := []string{
		"", " ", healthCB + "/", healthCB + "?", healthCB + "?x=1", healthCB + "#", healthCB + "#f", healthCB + " ", " " + healthCB,
		healthCB + "\x00", healthCB + "%00", healthCB + "\t", healthCB + "\r\n", healthCB + ";a", healthCB + "/..", healthCB + "/../callback",
		"https://portal.example.org/x/../callback", "https://portal.example.org/..;/callback", "https://portal.example.org//callback",
		"https://portal.example.org/%63allback", "https://portal.example.org/%2e/callback", "https://portal.example.org\\callback",
		"https://portal.example.org/Callback", "https://PORTAL.example.org/callback", "HTTPS://portal.example.org/callback",
		"http://portal.example.org/callback", "https://portal.example.org:443/callback", "https://portal.example.org:8443/callback",
		"https://portal.example.org./callback", "https://user@portal.example.org/callback", "https://portal.example.org@evil.example/callback",
		"https://evil.example/callback", "https://portal.example.org.evil.example/callback", "https://evil.example/https://portal.example.org/callback",
		"https://pörtal.example.org/callback", "https://xn--prtal-jua.example.org/callback", "//portal.example.org/callback", "/callback", "callback",
		"javascript:alert(1)//portal.example.org/callback", "data:text/html,x", "https:portal.example.org/callback", appCB,
	}
	if len(variants) < 40 {
		t.Fatalf("only %d variants", len(variants))
	}
	for _, uri := range variants {
		params := asks(nil)
		params.Set("redirect_uri", uri)
		if d := w.authorize(params, s); d.Kind != Refuse || d.Refusal != BadRedirect || d.URL != "" {
			t.Errorf("%q: got %+v", uri, d)
		}
	}
	twice := asks(nil)
	twice.Add("redirect_uri", healthCB)
	if d := w.authorize(twice, s); d.Refusal != BadRedirect {
		t.Errorf("given twice: got %+v", d)
	}
	for name, ids := range map[string][]string{
		"unknown": {"nobody"}, "absent": nil, "empty": {""}, "twice": {health, health}, "another case": {"My-Health"},
	} {
		params := asks(nil)
		params["client_id"] = ids
		if d := w.authorize(params, s); d.Kind != Refuse || d.Refusal != BadClient {
			t.Errorf("client %s: got %+v", name, d)
		}
	}
	if got := len(w.mem.codes); got != 0 {
		t.Errorf("%d codes were made", got)
	}
}

func TestAuthorizeRefusesByTheProtocol(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	for name, row := range map[string]struct {
		change map[string]string
		want   string
	}{
		"no response_type":              {map[string]string{"response_type": ""}, "invalid_request"},
		"implicit flow":                 {map[string]string{"response_type": "token"}, "unsupported_response_type"},
		"hybrid flow":                   {map[string]string{"response_type": "code id_token"}, "unsupported_response_type"},
		"fragment":                      {map[string]string{"response_mode": "fragment"}, "invalid_request"},
		"form_post":                     {map[string]string{"response_mode": "form_post"}, "invalid_request"},
		"query":                         {map[string]string{"response_mode": "query"}, "code"},
		"no scope":                      {map[string]string{"scope": ""}, "invalid_scope"},
		"no openid":                     {map[string]string{"scope": "profile"}, "invalid_scope"},
		"scopes we don't know":          {map[string]string{"scope": "openid address offline_access api:read"}, "code"},
		"C14: a scope of 100 kB":        {map[string]string{"scope": "openid " + strings.Repeat("x", 100_000)}, "invalid_scope"},
		"a request object":              {map[string]string{"request": "e30.e30."}, "request_not_supported"},
		"a request_uri":                 {map[string]string{"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"},
		"C4: no challenge":              {map[string]string{"code_challenge": "", "code_challenge_method": ""}, "invalid_request"},
		"C4: a method alone":            {map[string]string{"code_challenge": ""}, "invalid_request"},
		"C4: plain":                     {map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
		"C4: no method, which is plain": {map[string]string{"code_challenge_method": ""}, "invalid_request"},
		"C4: a short challenge":         {map[string]string{"code_challenge": "abc"}, "invalid_request"},
		"C4: a padded challenge":        {map[string]string{"code_challenge": challengeFor(verifier) + "="}, "invalid_request"},
		"a long state":                  {map[string]string{"state": strings.Repeat("s", maxState+1)}, "invalid_request"},
		"a long nonce":                  {map[string]string{"nonce": strings.Repeat("n", maxNonce+1)}, "invalid_request"},
		"no nonce":                      {map[string]string{"nonce": ""}, "code"},
		"C9: prompt=none":               {map[string]string{"prompt": "none"}, "code"},
		"C9: prompt=none with login":    {map[string]string{"prompt": "none login"}, "invalid_request"},
		"C9: an unknown prompt":         {map[string]string{"prompt": "create"}, "invalid_request"},
		"C9: prompt=consent":            {map[string]string{"prompt": "consent"}, "code"},
		"C9: prompt=login":              {map[string]string{"prompt": "login"}, "login"},
		"C9: prompt=select_account":     {map[string]string{"prompt": "select_account"}, "login"},
		"C9: max_age=10000":             {map[string]string{"max_age": "10000"}, "code"},
		"max_age=-1":                    {map[string]string{"max_age": "-1"}, "invalid_request"},
		"max_age=1.5":                   {map[string]string{"max_age": "1.5"}, "invalid_request"},
		"max_age without end":           {map[string]string{"max_age": "99999999999999999999"}, "invalid_request"},
		"max_age of thirty years":       {map[string]string{"max_age": "999999999"}, "code"},
		"a hint that is no token":       {map[string]string{"id_token_hint": "e30.e30.e30"}, "invalid_request"},
		"login_hint":                    {map[string]string{"login_hint": "mair@example.org"}, "code"},
		"an unknown idp_hint":           {map[string]string{"idp_hint": "evil"}, "code"},
		"acr_values held":               {map[string]string{"acr_values": "P9.Cp.Cd"}, "code"},
		"acr_values for less":           {map[string]string{"acr_values": "P0.Cp"}, "code"},
		"acr_values for more":           {map[string]string{"acr_values": "P9.Cm"}, "login"},
		"acr_values for more or equal":  {map[string]string{"acr_values": "P9.Cm P5.Cp.Cd"}, "code"},
		"acr_values that mean nothing":  {map[string]string{"acr_values": "urn:mace:incommon:iap:silver 1 P9"}, "code"},
		"acr_values of 100 kB":          {map[string]string{"acr_values": strings.Repeat("P9.Cm ", 20_000)}, "invalid_request"},
		"ui_locales of 100 kB":          {map[string]string{"ui_locales": strings.Repeat("cy ", 40_000)}, "code"},
	} {
		if got := outcome(t, w.authorize(asks(row.change), s)); got != row.want {
			t.Errorf("%s: wanted %s, got %s", name, row.want, got)
		}
	}
}

func TestAuthorizeRefusesWhatIsThereTwice(t *testing.T) {
	w := newWorld(t)
	for _, name := range append([]string{"state"}, authorizeParams...) {
		params := asks(nil)
		params[name] = []string{"", ""}
		if name == "request" || name == "request_uri" {
			params[name] = []string{"a", "a"}
		}
		if got := outcome(t, w.authorize(params, nil)); got != "invalid_request" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	params := asks(nil)
	params["tracking"] = []string{"a", "b"}
	if got := outcome(t, w.authorize(params, nil)); got != "login" {
		t.Errorf("a parameter of nobody's: got %s", got)
	}
}

// Row J2: what is too much is refused before it is looked at.
func TestJ2TenThousandParameters(t *testing.T) {
	w := newWorld(t)
	params := asks(nil)
	for i := range 10_000 {
		params.Set(strings.Repeat("p", i%7)+string(rune('a'+i%26))+url.QueryEscape(time.Duration(i).String()), "x")
	}
	for name, judge := range map[string]func(context.Context, url.Values, Seat) (Decision, error){
		"authorize": w.Authorize, "end session": w.EndSession,
	} {
		if d, err := judge(context.Background(), params, Seat{}); err != nil || d.Refusal != BadRequest {
			t.Errorf("%s: got %+v, %v", name, d, err)
		}
	}
}

func TestScopesOfAnotherPortalAreRefused(t *testing.T) {
	w := newWorld(t)
	params := asks(map[string]string{"client_id": app, "redirect_uri": appCB})
	if got := outcome(t, w.authorize(params, nil)); got != "invalid_scope" {
		t.Errorf("got %s", got)
	}
}

func TestPKCEMayBeLeftOutWhereItIsOptional(t *testing.T) {
	w := newWorld(t)
	without := func(id, uri string) url.Values {
		return asks(map[string]string{
			"client_id": id, "redirect_uri": uri, "scope": "openid", "code_challenge": "", "code_challenge_method": "",
		})
	}
	if got := outcome(t, w.authorize(without(open, openCB), nil)); got != "login" {
		t.Errorf("optional: got %s", got)
	}
	if got := outcome(t, w.authorize(without(app, appCB), nil)); got != "invalid_request" {
		t.Errorf("a public client, whatever its configuration says: got %s", got)
	}
}

// Row C9: each way to ask, with each session there may be.
func TestC9PromptsAndSessions(t *testing.T) {
	type act func(*world) *session.Session
	in := func(vector string, ago time.Duration) act {
		return func(w *world) *session.Session {
			_, s := w.login("mair", vector)
			w.pass(ago)
			return s
		}
	}
	out := act(func(*world) *session.Session { return nil })
	noAuthTime := act(func(w *world) *session.Session {
		_, s := w.login("mair", "P9.Cm")
		s.AuthTime = time.Time{}
		return s
	})
	for name, row := range map[string]struct {
		session act
		change  map[string]string
		want    string
	}{
		"none, logged out":                    {out, map[string]string{"prompt": "none"}, "login_required"},
		"none, logged in":                     {in("P9.Cm", 0), map[string]string{"prompt": "none"}, "code"},
		"none, level too low":                 {in("P5.Cp.Cd", 0), map[string]string{"prompt": "none"}, "unmet_authentication_requirements"},
		"none, more is asked":                 {in("P9.Cp.Cd", 0), map[string]string{"prompt": "none", "acr_values": "P9.Cm"}, "unmet_authentication_requirements"},
		"none, max_age over":                  {in("P9.Cm", 2*time.Minute), map[string]string{"prompt": "none", "max_age": "60"}, "login_required"},
		"none, max_age kept":                  {in("P9.Cm", 2*time.Minute), map[string]string{"prompt": "none", "max_age": "120"}, "code"},
		"none, max_age and no auth_time":      {noAuthTime, map[string]string{"prompt": "none", "max_age": "10000"}, "login_required"},
		"logged out":                          {out, nil, "login"},
		"logged in":                           {in("P9.Cp.Ck", 0), nil, "code"},
		"level too low":                       {in("P5.Cp.Cd", 0), nil, "login"},
		"strong without identity":             {in("P0.Cm", 0), nil, "login"},
		"login, in the very second":           {in("P9.Cm", 0), map[string]string{"prompt": "login"}, "login"},
		"max_age=1, logged in just now":       {in("P9.Cm", 0), map[string]string{"max_age": "1"}, "code"},
		"max_age=1, logged in before":         {in("P9.Cm", 2*time.Second), map[string]string{"max_age": "1"}, "login"},
		"max_age=0, logged in before":         {in("P9.Cm", time.Second), map[string]string{"max_age": "0"}, "login"},
		"max_age=10000, logged in before":     {in("P9.Cm", time.Minute), map[string]string{"max_age": "10000"}, "code"},
		"max_age, and no auth_time":           {noAuthTime, map[string]string{"max_age": "10000"}, "login"},
		"a level that no login here can have": {in("P9.Cm", 0), map[string]string{"acr_values": "P9.Cp.Cd.Ck.Cm"}, "code"}, // Cm satisfies every part
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		if got := outcome(t, w.authorize(asks(row.change), row.session(w))); got != row.want {
			t.Errorf("%s: wanted %s, got %s", name, row.want, got)
		}
	}
}

func TestALevelOutOfReachIsToldAtOnce(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Reachable = vectors("P9.Cp.Cd") })
	if got := outcome(t, w.authorize(asks(map[string]string{"acr_values": "P9.Cm"}), nil)); got != unmet {
		t.Errorf("asked: got %s", got)
	}
	w = newWorld(t, func(o *Options) { o.Reachable = vectors("P5.Cp.Cd") })
	if got := outcome(t, w.authorize(asks(nil), nil)); got != unmet {
		t.Errorf("the portal's floor: got %s", got)
	}
}

func TestARequestWaitsForItsLogin(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	d := w.authorize(asks(map[string]string{"ui_locales": "fr cy-GB en", "idp_hint": "other"}), nil)
	want := Waiting{Portal: health, Name: testPortals()[0].Name, Origin: "https://portal.example.org", Provider: "other"}
	want.Door.MinimumAge, want.Door.Floor = 16, identity.P9
	asked := func(w Waiting) string { // which of the vectors would do: a function compares with nothing
		return fmt.Sprint(w.Enough(vectors("P9.Cp.Cd")[0]), w.Enough(vectors("P9.Cm")[0]), w.Enough(vectors("P5.Cm")[0]))
	}
	if got := asked(d.Waiting); got != "true true false" {
		t.Errorf("vectors that would do: got %s", got)
	}
	ignore := cmpopts.IgnoreFields(Need{}, "Enough", "Met")
	if diff := cmp.Diff(want, d.Waiting, ignore); diff != "" || d.Language != "cy" || d.Kind != Login {
		t.Errorf("got %+v\n%s", d, diff)
	}
	if again, err := w.Waiting(context.Background(), d.Request); err != nil || cmp.Diff(want, again, ignore) != "" {
		t.Errorf("got %+v, %v", again, err)
	}
	if back := w.resume(d.Request, nil); back.Kind != Login || back.Request != d.Request {
		t.Errorf("asked for again before the login: got %+v", back)
	}
	w.pass(time.Minute)
	_, s := w.login("mair", "P9.Cp.Cd")
	byAddress := w.authorize(url.Values{"request": {d.Request}}, s)
	if got := outcome(t, byAddress); got != "code" || said(t, byAddress).Get("state") != "st" {
		t.Errorf("got %s", got)
	}
	for name, seat := range map[string]*session.Session{"logged in": s, "logged out": nil} {
		if again := w.resume(d.Request, seat); again.Refusal != TooLate || again.Cause != "request-answered" || again.URL != "https://portal.example.org" {
			t.Errorf("a second answer, %s: got %+v", name, again)
		}
	}
	if len(w.mem.codes) != 1 {
		t.Errorf("%d codes were made", len(w.mem.codes))
	}
}

// Two tabs that both found the request unanswered still get one code: what decides
// is looked at again in the act that gives it.
func TestTwoTabsResumeOneRequestAtOnce(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	id := w.authorize(asks(nil), nil).Request
	_, s := w.login("mair", "P9.Cp.Cd")
	a := asking{Request: w.mem.requests[id], resumed: true}
	var got []string
	for range 2 {
		d, err := w.give(context.Background(), w.portals[health], a, Seat{Session: s})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, outcome(t, d))
	}
	if diff := cmp.Diff([]string{"code", string(TooLate)}, got); diff != "" || len(w.mem.codes) != 1 {
		t.Errorf("%d codes %s", len(w.mem.codes), diff)
	}
}

// A login for the request that is not enough ends in an error, not in another
// login: round and round would not help.
func TestALoginThatIsNotEnoughIsTold(t *testing.T) {
	for name, row := range map[string]struct {
		change map[string]string
		login  func(*world) *session.Session
		want   string
	}{
		"level too low": {nil, func(w *world) *session.Session { _, s := w.login("mair", "P5.Cp.Cd"); return s }, unmet},
		"prompt=login, and the provider's own session answered": {map[string]string{"prompt": "login"}, func(w *world) *session.Session {
			_, s := w.login("mair", "P9.Cm")
			s.AuthTime = s.AuthTime.Add(-time.Hour)
			return s
		}, unmet},
		"prompt=login, and no auth_time": {map[string]string{"prompt": "login"}, func(w *world) *session.Session {
			_, s := w.login("mair", "P9.Cm")
			s.AuthTime = time.Time{}
			return s
		}, unmet},
		"prompt=login": {map[string]string{"prompt": "login"}, func(w *world) *session.Session { _, s := w.login("mair", "P9.Cm"); return s }, "code"},
		"max_age=0, and the way back took a while": {map[string]string{"max_age": "0"}, func(w *world) *session.Session {
			_, s := w.login("mair", "P9.Cm")
			w.pass(20 * time.Second)
			return s
		}, "code"},
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		d := w.authorize(asks(row.change), nil)
		if fresh := d.Waiting.Fresh; fresh != (row.change != nil) {
			t.Errorf("%s: the provider is asked freshly: %v", name, fresh)
		}
		w.pass(time.Minute)
		if got := outcome(t, w.resume(d.Request, row.login(w))); got != row.want {
			t.Errorf("%s: wanted %s, got %s", name, row.want, got)
		}
	}
}

func TestPromptLoginIsNotAnsweredByAnOlderLogin(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cm")
	w.pass(time.Second)
	d := w.authorize(asks(map[string]string{"prompt": "login"}), s)
	if back := w.resume(d.Request, s); back.Kind != Login {
		t.Errorf("resumed without a login: got %+v", back)
	}
}

func TestARequestExpires(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	id := w.authorize(asks(nil), nil).Request
	w.pass(grant.RequestLife + time.Second)
	_, s := w.login("mair", "P9.Cm")
	if d := w.resume(id, s); d.Refusal != TooLate || d.Portal.ID != health || d.URL != "https://portal.example.org" {
		t.Errorf("got %+v", d)
	}
	if waiting, err := w.Waiting(context.Background(), id); !identity.IsOver(err) || waiting.Portal != health {
		t.Errorf("got %+v, %v", waiting, err)
	}
	for name, id := range map[string]string{"unknown": "nothing", "empty": "", "long": strings.Repeat("x", 10_000)} {
		if d := w.resume(id, s); d.Refusal != TooLate || d.Portal != nil || d.URL != "" {
			t.Errorf("%s: got %+v", name, d)
		}
	}
	if d := w.authorize(url.Values{"request": {id, id}}, s); d.Refusal != BadRequest {
		t.Errorf("twice: got %+v", d)
	}
}

// Row C9: what one patient's token names is never answered as another.
func TestC9HintOfAnotherPatient(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	w.patient("gwen", "1981-03-01")
	_, mair := w.login("mair", "P9.Cm")
	_, gwen := w.login("gwen", "P9.Cm")
	hint := w.hint(health, mair)
	with := func(change map[string]string) url.Values {
		params := asks(change)
		params.Set("id_token_hint", hint)
		return params
	}
	if got := outcome(t, w.authorize(with(nil), mair)); got != "code" {
		t.Errorf("the same patient: got %s", got)
	}
	if got := outcome(t, w.authorize(with(map[string]string{"prompt": "none"}), gwen)); got != "login_required" {
		t.Errorf("another, silently: got %s", got)
	}
	d := w.authorize(with(nil), gwen)
	if d.Kind != Login || !d.Waiting.Fresh || strings.Contains(d.Request, "mair") {
		t.Fatalf("another: got %+v", d)
	}
	w.pass(time.Minute)
	_, gwen = w.login("gwen", "P9.Cm")
	if got := outcome(t, w.resume(d.Request, gwen)); got != "login_required" {
		t.Errorf("another, after a login: got %s", got)
	}
	if altered, _, _ := strings.Cut(d.Request, boundMark); w.resume(altered, gwen).Refusal != TooLate {
		t.Error("the request was found without its binding")
	}
	_, mair = w.login("mair", "P9.Cm")
	if got := outcome(t, w.resume(d.Request, mair)); got != "code" {
		t.Errorf("the right one, after a login: got %s", got)
	}
	params := asks(map[string]string{"client_id": app, "redirect_uri": appCB, "scope": "openid", "prompt": "none"})
	params.Set("id_token_hint", hint)
	if got := outcome(t, w.authorize(params, mair)); got != "invalid_request" {
		t.Errorf("a hint made for another portal: got %s", got)
	}
}

// hint signs an ID token for that portal and session.
func (w *world) hint(audience string, s *session.Session) string {
	w.t.Helper()
	raw, err := w.tokens.IDToken("", token.IDClaims{Claims: w.claimsOf(&Portal{ID: audience}, *s), Audience: audience}, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func TestUnderAgeAndClosedAccountsGetNoCode(t *testing.T) {
	for name, row := range map[string]struct {
		born   string
		change map[string]string
		state  account.State
		want   string
	}{
		"fifteen":                          {"2010-11-22", nil, account.Active, "access_denied"},
		"fifteen, silently":                {"2010-11-22", map[string]string{"prompt": "none"}, account.Active, "access_denied"},
		"sixteen today":                    {"2010-11-21", nil, account.Active, "code"},
		"no birth date, where P9 is asked": {"", nil, account.Active, "access_denied"},
		"no birth date, where P0 is enough": {
			"", map[string]string{"client_id": open, "redirect_uri": openCB, "scope": "openid"}, account.Active, "code",
		},
		"disabled": {"1980-02-29", nil, account.Disabled, "access_denied"},
		"deleted":  {"1980-02-29", nil, account.Deleted, "access_denied"},
	} {
		w := newWorld(t)
		a := w.patient("mair", row.born)
		_, s := w.login("mair", "P9.Cm")
		a.State = row.state
		w.mem.accounts["mair"] = a
		if got := outcome(t, w.authorize(asks(row.change), s)); got != row.want {
			t.Errorf("%s: wanted %s, got %s", name, row.want, got)
		}
		denied := slices.Contains(w.mem.kinds(), audit.AuthorizationDenied)
		if silent := row.change["prompt"] == "none"; denied != (row.want == "access_denied" && !silent) {
			t.Errorf("%s: recorded %v", name, w.mem.kinds())
		}
	}
}

func TestNothingIsGivenWithoutItsRecord(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cm")
	before := maps.Clone(w.mem.codes)
	w.mem.down.Store(true)
	d, err := w.Authorize(context.Background(), asks(nil), Seat{Session: s})
	if err == nil || d.Kind != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
	w.mem.down.Store(false)
	if diff := cmp.Diff(len(before), len(w.mem.codes)); diff != "" {
		t.Error(diff)
	}
}

// Idle is renewed by the patient's own window, and by nothing that runs behind it.
func TestH2AuthorizationRenewsIdle(t *testing.T) {
	for name, row := range map[string]struct{ navigation, renewed bool }{
		"the window": {true, true}, "a frame or a script": {false, false},
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		_, s := w.login("mair", "P9.Cm")
		w.pass(10 * time.Minute)
		if _, err := w.Authorize(context.Background(), asks(nil), Seat{Session: s, Navigation: row.navigation}); err != nil {
			t.Fatal(err)
		}
		now, err := w.room.ByHandle(context.Background(), s.Handle)
		if err != nil || now.Seen.After(s.Seen) != row.renewed {
			t.Errorf("%s: renewed %v, %v", name, now.Seen.After(s.Seen), err)
		}
	}
}

func FuzzAuthorize(f *testing.F) {
	f.Add(asks(nil).Encode())
	f.Add(asks(map[string]string{"prompt": "none login", "max_age": "-1"}).Encode())
	f.Add("client_id=my-health&client_id=app&redirect_uri=https%3A%2F%2Fevil.example")
	f.Add("request=abc~def")
	f.Add(asks(map[string]string{"acr_values": "P9.Cm P9.Cp", "id_token_hint": "a.b.c", "ui_locales": "cy"}).Encode())
	w := newWorld(f)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	registered := []string{healthCB, appCB, openCB}
	f.Fuzz(func(t *testing.T, query string) {
		params, err := url.ParseQuery(query)
		if err != nil {
			t.Skip()
		}
		for _, seat := range []Seat{{}, {Session: s, Navigation: true}} {
			d, err := w.Authorize(context.Background(), params, seat)
			if err != nil {
				t.Fatal(err)
			}
			if d.Kind == Redirect && !slices.ContainsFunc(registered, func(uri string) bool { return strings.HasPrefix(d.URL, uri) }) {
				t.Fatalf("redirects to %q", d.URL)
			}
			if d.Kind == Redirect && seat.Session == nil && said(t, d).Has("code") {
				t.Fatal("a code for nobody")
			}
			if d.Kind == 0 || d.Kind > Login {
				t.Fatalf("got %+v", d)
			}
		}
	})
}
