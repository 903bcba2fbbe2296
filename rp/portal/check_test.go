package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

const publicHost = "login.example.org"

// behindGateway is a gateway with one host, which is Dilys' own.
func behindGateway(o *Options) {
	o.Gateway = &Gateway{Hosts: []Host{{Host: publicHost, MinimumAge: 16, Rules: []Rule{
		{Path: "/", Trust: vectors("P9.Cp.Cd", "P9.Cm")},
		{Path: "/front/", Public: true},
		{Path: "/front/poll", Public: true, NoActivity: true},
		{Path: "/results/", Trust: vectors("P9.Cm", "P9.Cp.Cd"), MaxAge: 10 * time.Minute, HasMaxAge: true},
		{Path: "/keys/", Trust: vectors("P9.Cm")},
		{Path: "/poll/", Trust: vectors("P9.Cp.Cd"), NoActivity: true},
		{Path: "/hello/", Trust: vectors("P0.Cp")},
		{Path: "/questionnaire/", Methods: []string{"POST"}, Trust: vectors("P5.Cp.Cd")},
	}}}}
}

// forwarded is a request as a gateway tells of it.
func forwarded(method, target string) http.Header {
	return http.Header{"X-Forwarded-Host": {publicHost}, "X-Forwarded-Method": {method}, "X-Forwarded-Uri": {target}}
}

// check asks through HTTP headers, as a gateway does.
func (w *world) check(h http.Header, cookie identity.Secret, trusted bool) (CheckAnswer, http.Header) {
	w.t.Helper()
	target := "/check"
	if h.Get("X-Test-Redirect") != "" {
		target += "?redirect"
	}
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header = h
	a, err := w.Check(context.Background(), ReadCheck(r, cookie, "", trusted))
	if err != nil {
		w.t.Fatal(err)
	}
	out := http.Header{}
	a.SetHeader(out)
	return a, out
}

func TestAnApprovalOfALowerProofEnds(t *testing.T) {
	until := time.Time{}
	w := newWorld(t, func(o *Options) {
		until = o.Now().Add(time.Minute)
		o.Gateway = &Gateway{Hosts: []Host{{Host: publicHost, Rules: []Rule{{Path: "/", Trust: vectors("P5.Cp.Cd"), LowerUntil: until}}}}}
		for i := range o.Portals {
			o.Portals[i].Trust, o.Portals[i].LowerUntil = vectors("P5.Cp.Cd"), until
		}
	})
	w.patient("mair", "1980-02-29")
	cookie, s := w.login("mair", "P5.Cp.Cd")
	for _, row := range []struct {
		name    string
		after   time.Duration
		status  int
		outcome string
	}{
		{"on the last day", 0, http.StatusOK, "code"},
		{"when it is over", time.Minute, http.StatusUnauthorized, "login"},
	} {
		w.pass(row.after)
		if a, _ := w.check(forwarded(http.MethodGet, "/x"), cookie, true); a.Status != row.status {
			t.Errorf("%s: check: wanted %d, got %d", row.name, row.status, a.Status)
		}
		d := w.authorize(asks(nil), s)
		if gave := d.Kind == Redirect && strings.Contains(d.URL, "code="); gave != (row.outcome == "code") || !gave && d.Kind != Login {
			t.Errorf("%s: wanted a %s, got %+v", row.name, row.outcome, d)
		}
	}
}

func TestNeedsOfAPathThatWaitsForALogin(t *testing.T) {
	w := newWorld(t, behindGateway)
	for path, row := range map[string]struct {
		all   bool
		does  string
		fresh bool
	}{
		"":                {all: true},
		"/front/":         {all: true},
		"/front/%2e%2e/x": {does: "P9.Cm", fresh: false},
		"/letters?a=b":    {does: "P9.Cp.Cd"},
		"/results/1":      {does: "P9.Cm", fresh: true},
		"/keys/":          {does: "P9.Cm"},
		"/hello/":         {does: "P0.Cp"},
		"/%zz":            {all: true},
	} {
		need := w.Needs(path)
		if (need.Enough == nil) != row.all || (need.Met == nil) != row.all || need.Fresh != row.fresh {
			t.Errorf("%s: got any vector %v, fresh %v", path, need.Enough == nil, need.Fresh)
			continue
		}
		if need.Enough == nil {
			continue
		}
		if !need.Enough(vectors(row.does)[0]) || row.does != "P0.Cp" && need.Enough(vectors("P5.Cm")[0]) {
			t.Errorf("%s: wanted %s and nothing at P5 to be enough", path, row.does)
		}
		held := identity.Assessment{Trust: vectors(row.does)[0], AuthTime: w.now()}
		if stale := (identity.Assessment{Trust: held.Trust}); !need.Met(held) || need.Met(stale) == row.fresh {
			t.Errorf("%s: wanted %s, proved now, to do, and of an unknown time only where none is asked", path, row.does)
		}
	}
	if need := newWorld(t).Needs("/results/"); need.Enough != nil || need.Met != nil || need.Fresh {
		t.Error("something is asked without a gateway")
	}
}

func TestCheckAnswersWithTheSession(t *testing.T) {
	w := newWorld(t, behindGateway)
	w.patient("mair", "1980-02-29")
	cookie, s := w.login("mair", "P9.Cp.Cd")
	a, h := w.check(forwarded("GET", "/letters/1"), cookie, true)
	want := http.Header{
		"Dilys-Subject": {"mair"}, "Dilys-Trust": {"P9.Cp.Cd"}, "Dilys-Session": {s.Handle}, "Cache-Control": {"no-store"},
		"Dilys-Session-Ends": {epoch(s.Ends())}, "Dilys-Session-Idle-Ends": {epoch(s.IdleEnds())},
	}
	if diff := cmp.Diff(want, h); diff != "" || a.Status != 200 {
		t.Errorf("%d %s", a.Status, diff)
	}
	if strings.Contains(h.Get("Dilys-Session"), cookie.Reveal()) {
		t.Error("the cookie's id is told")
	}
}

func TestCheckDecides(t *testing.T) {
	for name, row := range map[string]struct {
		method, target string
		vector         string // of the session; empty: none
		ago            time.Duration
		status         int
		challenge      string
	}{
		"enough":                              {"GET", "/letters", "P9.Cp.Cd", 0, 200, ""},
		"stronger":                            {"GET", "/letters", "P9.Cm", 0, 200, ""},
		"nobody":                              {"GET", "/letters", "", 0, 401, `Bearer realm="dilys"`},
		"level too low":                       {"GET", "/letters", "P5.Cp.Cd", 0, 401, `Bearer error="insufficient_user_authentication", acr_values="P9.Cp.Cd P9.Cm"`},
		"a passkey is asked":                  {"GET", "/keys/1", "P9.Cp.Cd", 0, 401, `Bearer error="insufficient_user_authentication", acr_values="P9.Cm"`},
		"fresh":                               {"GET", "/results/1", "P9.Cp.Cd", 10 * time.Minute, 200, ""},
		"stale":                               {"GET", "/results", "P9.Cp.Cd", 10*time.Minute + time.Second, 401, `Bearer error="insufficient_user_authentication", acr_values="P9.Cm P9.Cp.Cd", max_age="600"`},
		"stale, by another way of writing it": {"GET", "/x/..;/results", "P9.Cp.Cd", 11 * time.Minute, 401, `Bearer error="insufficient_user_authentication", acr_values="P9.Cm P9.Cp.Cd", max_age="600"`},
		"A5: HEAD":                            {"HEAD", "/letters", "", 0, 401, `Bearer realm="dilys"`},
		"A5: OPTIONS":                         {"OPTIONS", "/letters", "", 0, 401, `Bearer realm="dilys"`},
		"P5 may hand in":                      {"POST", "/questionnaire/1", "P5.Cp.Cd", 0, 200, ""},
		"P5 may not read":                     {"GET", "/questionnaire/1", "P5.Cp.Cd", 0, 401, `Bearer error="insufficient_user_authentication", acr_values="P9.Cp.Cd P9.Cm"`},
		"P5, and the method is not told":      {"", "/questionnaire/1", "P5.Cp.Cd", 0, 401, `Bearer error="insufficient_user_authentication", acr_values="P9.Cp.Cd P9.Cm"`},
		"public":                              {"GET", "/front/a", "", 0, 200, ""},
		"public, logged in":                   {"GET", "/front/a", "P9.Cm", 0, 200, ""},
		"A4: not to be read":                  {"GET", "/front/%00", "P9.Cm", 0, 403, ""},
		"H2: idle":                            {"GET", "/letters", "P9.Cm", 30 * time.Minute, 401, `Bearer realm="dilys"`},
		"H2: just not idle":                   {"GET", "/letters", "P9.Cm", 30*time.Minute - time.Second, 200, ""},
	} {
		w := newWorld(t, behindGateway)
		w.patient("mair", "1980-02-29")
		var cookie identity.Secret
		if row.vector != "" {
			cookie, _ = w.login("mair", row.vector)
		}
		w.pass(row.ago)
		h := forwarded(row.method, row.target)
		if row.method == "" {
			delete(h, "X-Forwarded-Method")
		}
		a, _ := w.check(h, cookie, true)
		if a.Status != row.status || a.Challenge != row.challenge {
			t.Errorf("%s: wanted %d %s, got %d %s", name, row.status, row.challenge, a.Status, a.Challenge)
		}
		if named := a.Subject != ""; named != (a.Status == 200 && !strings.HasPrefix(row.target, "/front")) {
			t.Errorf("%s: tells subject %q", name, a.Subject)
		}
		if a.Status == 401 && !strings.HasPrefix(a.Location, issuer+"/login") {
			t.Errorf("%s: leads to %q", name, a.Location)
		}
	}
}

// Rows A3 and A5: what tells of the request is believed from the gateway alone,
// once, and from one set of headers.
func TestA3ForwardedHeaders(t *testing.T) {
	full := func(change http.Header) http.Header {
		h := forwarded("GET", "/letters")
		for name, v := range change {
			if h[name] = v; v == nil {
				delete(h, name)
			}
		}
		return h
	}
	nginx := http.Header{"X-Original-Url": {"https://login.example.org/letters"}, "X-Original-Method": {"GET"}}
	for name, row := range map[string]struct {
		h       http.Header
		trusted bool
		status  int
	}{
		"a gateway":                         {full(nil), true, 200},
		"nginx":                             {nginx, true, 200},
		"nginx without the method":          {http.Header{"X-Original-Url": {"https://login.example.org/letters"}}, true, 200},
		"both, of one request":              {full(nginx), true, 200},
		"case of host":                      {full(http.Header{"X-Forwarded-Host": {"LOGIN.example.ORG"}}), true, 200},
		"the scheme's own port":             {full(http.Header{"X-Forwarded-Host": {"login.example.org:443"}}), true, 200},
		"a stranger":                        {full(nil), false, 403},
		"a stranger as nginx":               {nginx, false, 403},
		"a stranger without headers":        {http.Header{}, false, 403},
		"a stranger with one":               {http.Header{"X-Forwarded-Uri": {"/front/"}}, false, 403},
		"a gateway without headers":         {http.Header{}, true, 403},
		"no host":                           {full(http.Header{"X-Forwarded-Host": nil}), true, 403},
		"no path":                           {full(http.Header{"X-Forwarded-Uri": nil}), true, 403},
		"an empty path":                     {full(http.Header{"X-Forwarded-Uri": {""}}), true, 403},
		"two paths":                         {full(http.Header{"X-Forwarded-Uri": {"/letters", "/front/"}}), true, 403},
		"two hosts":                         {full(http.Header{"X-Forwarded-Host": {publicHost, publicHost}}), true, 403},
		"a list of hosts":                   {full(http.Header{"X-Forwarded-Host": {publicHost + ", " + publicHost}}), true, 403},
		"a host without rules":              {full(http.Header{"X-Forwarded-Host": {"evil.example"}}), true, 403},
		"a host with a dot at its end":      {full(http.Header{"X-Forwarded-Host": {publicHost + "."}}), true, 403},
		"another port":                      {full(http.Header{"X-Forwarded-Host": {publicHost + ":8443"}}), true, 403},
		"sets with two paths":               {full(http.Header{"X-Original-Url": {"https://login.example.org/front/"}}), true, 403},
		"sets with two hosts":               {full(http.Header{"X-Original-Url": {"https://evil.example/letters"}}), true, 403},
		"sets with two methods":             {full(http.Header{"X-Original-Method": {"POST"}}), true, 403},
		"a path in the place of an address": {http.Header{"X-Original-Url": {"/letters"}}, true, 403},
		"an address without path":           {http.Header{"X-Original-Url": {"https://login.example.org?/letters"}}, true, 403},
		"userinfo in the address":           {http.Header{"X-Original-Url": {"https://x@login.example.org/letters"}}, true, 403},
		"an absolute path":                  {full(http.Header{"X-Forwarded-Uri": {"http://login.example.org/front/"}}), true, 403},
		"headers that we don't read": {full(http.Header{
			"Forwarded": {"host=evil.example"}, "X-Forwarded-Prefix": {"/front"}, "X-Forwarded-Port": {"1"}, "X-Forwarded-Proto": {"http"},
			"X_Forwarded_Uri": {"/front/"}, "X-Forwarded.Uri": {"/front/"}, "X-Rewrite-Url": {"/front/"}, "User-Agent": {"kube-probe/1.30"},
		}), true, 200},
	} {
		w := newWorld(t, behindGateway)
		w.patient("mair", "1980-02-29")
		cookie, _ := w.login("mair", "P9.Cm")
		if a, _ := w.check(row.h, cookie, row.trusted); a.Status != row.status {
			t.Errorf("%s: wanted %d, got %d (%s)", name, row.status, a.Status, a.Cause)
		}
		if a, _ := w.check(row.h, "", row.trusted); a.Status == 200 {
			t.Errorf("%s: opens without a session", name)
		}
	}
}

func TestAMethodThatMayBeOverriddenIsAnyMethod(t *testing.T) {
	w := newWorld(t, behindGateway)
	w.patient("mair", "1980-02-29")
	cookie, _ := w.login("mair", "P5.Cp.Cd")
	h := forwarded("POST", "/questionnaire/1")
	h.Set("X-HTTP-Method-Override", "GET")
	if a, _ := w.check(h, cookie, true); a.Status != 401 {
		t.Errorf("got %d", a.Status)
	}
}

// Rows A6 and H3: a cookie that is not a living session's, to the letter, opens
// nothing, and a store that can't say is 503.
func TestA6BadCookiesAndNoStore(t *testing.T) {
	w := newWorld(t, behindGateway)
	w.patient("mair", "1980-02-29")
	cookie, s := w.login("mair", "P9.Cm")
	c := cookie.Reveal()
	for name, bad := range map[string]string{
		"empty": "", "cut short": c[:42], "extended": c + "A", "another letter": c[:42] + string(rune(c[42]^1)), "another case": strings.ToUpper(c),
		"1 MB": strings.Repeat("A", 1<<20), "the handle": s.Handle, "padded": c + "=", "spaced": " " + c,
	} {
		if a, _ := w.check(forwarded("GET", "/letters"), identity.Secret(bad), true); a.Status != 401 || a.Subject != "" {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/check", nil)
	r.Header = forwarded("GET", "/letters")
	w.mem.down.Store(true)
	a, err := w.Check(context.Background(), ReadCheck(r, cookie, "", true))
	h := http.Header{}
	a.SetHeader(h)
	if err == nil || a.Status != http.StatusServiceUnavailable || h.Get("Dilys-Subject") != "" || len(h["Dilys-Subject"]) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
	r.Header = forwarded("GET", "/front/")
	if a, _ := w.Check(context.Background(), ReadCheck(r, cookie, "", true)); a.Status != http.StatusOK {
		t.Errorf("a public page without a store: got %d", a.Status)
	}
}

// Every Dilys header stands in every answer, so that a gateway overwrites what a
// client wrote (row A1, our half).
func TestA1AllHeadersInEveryAnswer(t *testing.T) {
	w := newWorld(t, behindGateway)
	for _, h := range []http.Header{forwarded("GET", "/letters"), forwarded("GET", "/front/"), {}} {
		a, out := w.check(h, "", true)
		for _, name := range checkHeaders {
			if v, there := out[http.CanonicalHeaderKey(name)]; !there || len(v) != 1 || v[0] != "" {
				t.Errorf("%d: %s is %q", a.Status, name, v)
			}
		}
	}
}

// bearerFor signs an access token of that session for an audience, of a grant
// that stands.
func (w *world) bearerFor(client, audience string, s *session.Session) http.Header {
	w.t.Helper()
	w.mem.revoked["g-"+s.Handle] = false
	w.mem.codes[identity.NewToken().Digest()] = spendable{Code: grant.Code{Grant: "g-" + s.Handle, Portal: client, Session: s.Handle, Account: s.Account}}
	raw, _, err := w.tokens.AccessToken("", token.AccessClaims{
		Claims: w.claimsOf(&Portal{ID: client}, *s), Audience: audience, ClientID: client, Scope: "openid", Stamp: token.Stamp{ID: tokenID("g-" + s.Handle)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	h := forwarded("GET", "/letters")
	h.Set("Authorization", "Bearer "+raw)
	return h
}

// Row A8: a token is good for its own audience, and for the trust of its session.
func TestA8BearerAtTheGateway(t *testing.T) {
	atHost := func(o *Options) {
		behindGateway(o)
		o.Portals = append(o.Portals, Portal{
			ID: "native", RedirectURIs: []string{"https://native.example.org/cb"}, Trust: vectors("P0.Cp"), Audience: publicHost,
		})
	}
	w := newWorld(t, atHost)
	w.patient("mair", "1980-02-29")
	w.patient("gwen", "1980-02-29")
	_, mair := w.login("mair", "P9.Cm")
	cookie, _ := w.login("gwen", "P9.Cm")
	good := w.bearerFor("native", publicHost, mair)
	_, lowly := w.login("mair", "P0.Cp")
	twice := good.Clone()
	twice.Add("Authorization", good.Get("Authorization"))
	garbage := forwarded("GET", "/letters")
	garbage.Set("Authorization", "Bearer x.y.z")
	other := forwarded("GET", "/letters")
	other.Set("Authorization", "Basic eDp5")
	for name, row := range map[string]struct {
		h       http.Header
		cookie  identity.Secret
		status  int
		subject string
		error   string
	}{
		"its audience":                   {good, "", 200, "mair", ""},
		"beside a cookie, it decides":    {good, cookie, 200, "mair", ""},
		"bad, beside a good cookie":      {garbage, cookie, 401, "", "invalid_token"},
		"twice":                          {twice, cookie, 401, "", "invalid_token"},
		"another portal's audience":      {w.bearerFor(health, "https://api.portal.example.org", mair), "", 401, "", "invalid_token"},
		"the issuer's":                   {w.bearerFor("native", issuer, mair), "", 401, "", "invalid_token"},
		"a portal without that audience": {w.bearerFor(health, publicHost, mair), "", 401, "", "invalid_token"},
		"of a session with less trust":   {w.bearerFor("native", publicHost, lowly), "", 401, "", "insufficient_user_authentication"},
		"another scheme":                 {other, cookie, 200, "gwen", ""},
	} {
		a, _ := w.check(row.h, row.cookie, true)
		if a.Status != row.status || a.Subject != row.subject || !strings.Contains(a.Challenge, row.error) {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	for id := range w.mem.revoked {
		w.mem.revoked[id] = true
	}
	if a, _ := w.check(good, "", true); a.Status != 401 {
		t.Errorf("its grant revoked: got %d", a.Status)
	}
	clear(w.mem.revoked)
	w.mem.revoked["g-"+mair.Handle] = false
	if err := w.room.End(context.Background(), *mair, "test"); err != nil {
		t.Fatal(err)
	}
	if a, _ := w.check(good, "", true); a.Status != 401 {
		t.Errorf("A7: its session ended: got %d", a.Status)
	}
}

func TestCheckWithoutAGateway(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Portals = append(o.Portals, Portal{
			ID: "api", RedirectURIs: []string{"https://api.example.org/cb"}, Trust: vectors("P0.Cp"), Audience: issuer,
		})
	})
	w.patient("mair", "1980-02-29")
	w.patient("young", "2012-01-01")
	w.patient("ageless", "")
	cookie, s := w.login("mair", "P0.Cp")
	young, _ := w.login("young", "P9.Cm")
	ageless, _ := w.login("ageless", "P9.Cm")
	for name, row := range map[string]struct {
		h       http.Header
		cookie  identity.Secret
		trusted bool
		status  int
	}{
		"any trust":                   {http.Header{}, cookie, false, 200},
		"what a stranger tells":       {forwarded("GET", "/x/%00"), cookie, false, 200},
		"nobody":                      {http.Header{}, "", false, 401},
		"under age":                   {http.Header{}, young, false, 403},
		"no birth date":               {http.Header{}, ageless, false, 200},
		"a token for the issuer":      {w.bearerFor("api", issuer, s), "", false, 200},
		"a token for somebody else":   {w.bearerFor("api", publicHost, s), "", false, 401},
		"an ID token":                 {http.Header{"Authorization": {"Bearer " + w.hint(issuer, s)}}, "", false, 401},
		"a token of another audience": {w.bearerFor(health, issuer, s), "", false, 401},
	} {
		if a, _ := w.check(row.h, row.cookie, row.trusted); a.Status != row.status {
			t.Errorf("%s: wanted %d, got %+v", name, row.status, a)
		}
	}
}

func TestCheckJudgesAge(t *testing.T) {
	w := newWorld(t, behindGateway)
	w.patient("young", "2012-01-01")
	w.patient("ageless", "")
	young, _ := w.login("young", "P9.Cm")
	ageless, _ := w.login("ageless", "P9.Cm")
	for name, row := range map[string]struct {
		cookie identity.Secret
		target string
		status int
	}{
		"under age":                         {young, "/letters", 403},
		"under age, where P0 is enough":     {young, "/hello/", 403},
		"under age, on a public page":       {young, "/front/", 200},
		"no birth date":                     {ageless, "/letters", 403},
		"no birth date, where P0 is enough": {ageless, "/hello/", 200},
	} {
		if a, _ := w.check(forwarded("GET", row.target), row.cookie, true); a.Status != row.status {
			t.Errorf("%s: got %+v", name, a)
		}
	}
}

func TestALevelOutOfReachIsForbidden(t *testing.T) {
	w := newWorld(t, behindGateway, func(o *Options) { o.Reachable = vectors("P9.Cp.Cd") })
	w.patient("mair", "1980-02-29")
	cookie, _ := w.login("mair", "P9.Cp.Cd")
	if a, _ := w.check(forwarded("GET", "/keys/"), cookie, true); a.Status != 403 || a.Location != "" {
		t.Errorf("got %+v", a)
	}
}

// Row A9: the login address is the configured one, and carries the page asked for
// where it is one of our own that can be asked for again.
func TestA9LoginAddress(t *testing.T) {
	navigation := http.Header{"X-Test-Redirect": {"1"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
	with := func(more http.Header, method, target string) http.Header {
		h := forwarded(method, target)
		for name, v := range more {
			h[name] = v
		}
		return h
	}
	for name, row := range map[string]struct {
		h        http.Header
		gateway  bool
		status   int
		location string
	}{
		"a page":                  {forwarded("GET", "/letters?a=1&b=%2F"), true, 401, issuer + "/login?return=%2Fletters%3Fa%3D1%26b%3D%252F"},
		"a form":                  {forwarded("POST", "/letters"), true, 401, issuer + "/login"},
		"a long page":             {forwarded("GET", "/"+strings.Repeat("a", 4000)), true, 401, issuer + "/login"},
		"a navigation":            {with(navigation, "GET", "/letters"), true, 303, issuer + "/login?return=%2Fletters"},
		"a script":                {with(http.Header{"X-Test-Redirect": {"1"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}, "GET", "/letters"), true, 401, issuer + "/login?return=%2Fletters"},
		"a frame":                 {with(http.Header{"X-Test-Redirect": {"1"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}}, "GET", "/letters"), true, 401, issuer + "/login?return=%2Fletters"},
		"an old browser":          {with(http.Header{"X-Test-Redirect": {"1"}, "Accept": {"text/html,*/*"}}, "GET", "/letters"), true, 303, issuer + "/login?return=%2Fletters"},
		"an image in it":          {with(http.Header{"X-Test-Redirect": {"1"}, "Accept": {"image/*"}}, "GET", "/letters"), true, 401, issuer + "/login?return=%2Fletters"},
		"no gateway, no page":     {http.Header{}, false, 401, issuer + "/login"},
		"no gateway, a page":      {forwarded("GET", "/letters"), false, 401, issuer + "/login?return=%2Fletters"},
		"no gateway, evil host":   {with(http.Header{"X-Forwarded-Host": {"evil.example"}}, "GET", "/letters"), false, 401, issuer + "/login"},
		"no gateway, evil scheme": {with(http.Header{"X-Forwarded-Proto": {"javascript"}, "Host": {"evil.example"}}, "GET", "/x"), false, 401, issuer + "/login?return=%2Fx"},
	} {
		w := newWorld(t)
		if row.gateway {
			w = newWorld(t, behindGateway)
		}
		a, out := w.check(row.h, "", true)
		if a.Status != row.status || out.Get("Location") != row.location {
			t.Errorf("%s: got %d %q", name, a.Status, out.Get("Location"))
		}
		if challenged := out.Get("Www-Authenticate") != ""; challenged != (row.status == 401) {
			t.Errorf("%s: challenge %v", name, challenged)
		}
	}
	w := newWorld(t, behindGateway)
	w.patient("mair", "1980-02-29")
	cookie, _ := w.login("mair", "P5.Cp.Cd")
	if a, _ := w.check(with(navigation, "GET", "/letters"), cookie, true); a.Status != 303 || a.Location != issuer+"/login?again=1&return=%2Fletters" {
		t.Errorf("a stronger login: got %+v", a)
	}
}

// Row H2: a check renews idle, unless its rule says that it is no activity.
func TestH2CheckRenewsIdle(t *testing.T) {
	for target, renewed := range map[string]bool{"/letters": true, "/poll/": false, "/front/": true, "/front/poll": false} {
		w := newWorld(t, behindGateway)
		w.patient("mair", "1980-02-29")
		cookie, s := w.login("mair", "P9.Cm")
		w.pass(2 * time.Minute)
		a, _ := w.check(forwarded("GET", target), cookie, true)
		now := w.live(s)
		if got := now.Seen.After(s.Seen); got != renewed || a.Status != 200 {
			t.Errorf("%s: %d, renewed %v", target, a.Status, got)
		}
		if a.Subject != "" && !a.IdleEnds.Equal(now.IdleEnds()) {
			t.Errorf("%s: tells the old end", target)
		}
	}
}

// Row H2: the overall limit holds however busy the session is.
func TestH2OverallLimit(t *testing.T) {
	w := newWorld(t, behindGateway)
	w.patient("mair", "1980-02-29")
	cookie, _ := w.login("mair", "P9.Cm")
	for range 12*6 - 1 {
		w.pass(10 * time.Minute)
		if a, _ := w.check(forwarded("GET", "/letters"), cookie, true); a.Status != 200 {
			t.Fatalf("ended early: %+v", a)
		}
	}
	w.pass(10*time.Minute - time.Second)
	if a, _ := w.check(forwarded("GET", "/letters"), cookie, true); a.Status != 200 {
		t.Error("ended a second early")
	}
	w.pass(time.Second)
	if a, _ := w.check(forwarded("GET", "/letters"), cookie, true); a.Status != 401 {
		t.Error("lives on")
	}
}

func BenchmarkCheck(b *testing.B) {
	w := newWorld(b, behindGateway)
	w.patient("mair", "1980-02-29")
	cookie, _ := w.login("mair", "P9.Cm")
	r := httptest.NewRequest(http.MethodGet, "/check", nil)
	r.Header = forwarded("GET", "/letters/2026/page-1.html")
	out := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		a, err := w.Check(context.Background(), ReadCheck(r, cookie, "", true))
		if err != nil || a.Status != 200 {
			b.Fatal(a, err)
		}
		a.SetHeader(out)
	}
}

// BenchmarkCheckSession is the part of BenchmarkCheck that any check needs: the
// session by its secret.
func BenchmarkCheckSession(b *testing.B) {
	w := newWorld(b, behindGateway)
	w.patient("mair", "1980-02-29")
	cookie, _ := w.login("mair", "P9.Cm")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.room.Read(context.Background(), cookie); err != nil {
			b.Fatal(err)
		}
	}
}
