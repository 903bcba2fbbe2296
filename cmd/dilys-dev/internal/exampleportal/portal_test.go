package exampleportal

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider/simulator"
	"github.com/google/go-cmp/cmp"
)

const (
	patient = "mair-prawf"
	secret  = "a-secret-of-a-portal-that-only-tests-know"
)

// rig is the portal, and a provider that can be told to answer as Dilys would, or
// to lie.
type rig struct {
	t      *testing.T
	portal *httptest.Server
	op     *httptest.Server
	sim    *simulator.Simulator
	down   atomic.Bool // the provider answers nothing
	ahead  atomic.Int64
}

func (g *rig) now() time.Time { return time.Now().Add(time.Duration(g.ahead.Load())) }

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t}
	var handler http.Handler
	g.op = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		g.sim.ServeHTTP(w, r)
	}))
	t.Cleanup(g.op.Close)
	g.portal = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(g.portal.Close)
	var err error
	g.sim, err = simulator.New(simulator.Options{
		Issuer: g.op.URL, Now: g.now, IssParameter: true, AtHash: true, Alg: "ES256",
		Clients: []simulator.Client{{ID: "example", Secret: secret, PKCE: true, RedirectURIs: []string{g.portal.URL + CallbackPath}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err = New(Options{
		Issuer: g.op.URL, ClientID: "example", Secret: secret, BaseURL: g.portal.URL,
		Scopes: []string{"profile", "email", "phone"}, Now: g.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.answer(nil, simulator.Faults{})
	return g
}

// answer makes the provider say what Dilys says, with those claims changed and
// those lies told.
func (g *rig) answer(set map[string]any, f simulator.Faults) {
	g.t.Helper()
	now := g.now()
	says := map[string]any{
		"acr": "P9.Cm", "vot": "P9.Cm", "amr": []string{"hwk", "user"}, "sid": "handle",
		"session_ends": now.Add(12 * time.Hour).Unix(), "session_idle_ends": now.Add(30 * time.Minute).Unix(),
	}
	maps.Copy(says, set)
	if f.IDToken == nil {
		f.IDToken = &simulator.TokenFault{}
	}
	lie := *f.IDToken
	maps.Copy(says, lie.Set)
	lie.Set = says
	f.IDToken = &lie
	if f.UserInfo == nil {
		f.UserInfo = &simulator.DocumentFault{Set: map[string]any{"name": "Mair Prawf"}}
	}
	if f.Discovery == nil {
		f.Discovery = &simulator.DocumentFault{Set: map[string]any{"end_session_endpoint": g.op.URL + "/end-session?kept=1"}}
	}
	if err := g.sim.SetFaults(f); err != nil {
		g.t.Fatal(err)
	}
}

// browser is a browser that stops at each redirect.
type browser struct {
	*rig
	client http.Client
}

func (g *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return &browser{g, http.Client{Jar: jar, CheckRedirect: noRedirect}}
}

type reply struct {
	status int
	header http.Header
	body   string
	to     *url.URL
}

func (b *browser) send(method, address string, header ...string) reply {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.portal.URL + address
	}
	request, err := http.NewRequestWithContext(b.t.Context(), method, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	to, _ := answer.Location()
	return reply{answer.StatusCode, answer.Header, string(body), to}
}

func (b *browser) get(address string) reply { b.t.Helper(); return b.send(http.MethodGet, address) }

// start begins a login and returns where the portal sends the browser.
func (b *browser) start(ask string) *url.URL {
	b.t.Helper()
	got := b.get("/login?ask=" + ask)
	if got.status != http.StatusSeeOther {
		b.t.Fatalf("login: wanted a redirect, got %d %s", got.status, got.body)
	}
	return got.to
}

// answered lets a patient log in and returns the callback's address.
func (b *browser) answered(at *url.URL) string {
	b.t.Helper()
	q := at.Query()
	q.Set("login_hint", patient)
	at.RawQuery = q.Encode()
	got := b.get(at.String())
	if got.to == nil {
		b.t.Fatalf("provider: wanted a redirect, got %d %s", got.status, got.body)
	}
	return got.to.String()
}

// logIn goes all the way and returns the callback's answer.
func (b *browser) logIn(ask string) reply {
	b.t.Helper()
	return b.get(b.answered(b.start(ask)))
}

func (b *browser) loggedIn() bool {
	b.t.Helper()
	return b.get("/learned").status == http.StatusOK
}

func TestEveryWayToAskLogsIn(t *testing.T) {
	wants := map[string]url.Values{
		"login":   {},
		"again":   {"prompt": {"login"}},
		"silent":  {"prompt": {"none"}},
		"passkey": {"acr_values": {"P9.Cm"}},
		"recent":  {"max_age": {"300"}},
		"welsh":   {"ui_locales": {"cy"}},
		"direct":  {"idp_hint": {"nhs-login"}},
	}
	g := newRig(t)
	for _, a := range asks {
		t.Run(a.Name, func(t *testing.T) {
			b := g.browser()
			if a.prompt == "none" { // somebody has to be logged in at the provider
				b.logIn("login")
			}
			at := b.start(a.Name)
			got := at.Query()
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				if len(got.Get(name)) < 43 {
					t.Errorf("%s: wanted 256 bits, got %q", name, got.Get(name))
				}
				got.Del(name)
			}
			for name, want := range map[string]string{
				"client_id": "example", "redirect_uri": g.portal.URL + CallbackPath, "response_type": "code",
				"scope": "openid profile email phone", "code_challenge_method": "S256",
			} {
				if got.Get(name) != want {
					t.Errorf("%s: wanted %q, got %q", name, want, got.Get(name))
				}
				got.Del(name)
			}
			if diff := cmp.Diff(wants[a.Name], got); diff != "" {
				t.Errorf("parameters of its own (-want +got):\n%s", diff)
			}
			if answer := b.get(b.answered(at)); answer.status != http.StatusSeeOther || answer.to.Path != "/learned" {
				t.Fatalf("callback: wanted a redirect to what was learned, got %d %s", answer.status, answer.body)
			}
			page := b.get("/learned").body
			for _, want := range []string{
				"Mair Prawf", "P9.Cm", "session_<wbr>idle_<wbr>ends", "identity proved by photo ID or its like; logged in by a passkey", "mair-prawf@example.com",
			} {
				if !strings.Contains(page, want) {
					t.Errorf("page: wanted %q in it, got\n%s", want, page)
				}
			}
		})
	}
}

func TestCallbackRefuses(t *testing.T) {
	token := func(f simulator.TokenFault) simulator.Faults { return simulator.Faults{IDToken: &f} }
	at := func(claim string, d time.Duration) simulator.Faults {
		return token(simulator.TokenFault{At: map[string]simulator.Duration{claim: simulator.Duration(d)}})
	}
	set := func(claim string, v any) simulator.Faults {
		return token(simulator.TokenFault{Set: map[string]any{claim: v}})
	}
	for name, row := range map[string]struct {
		ask  string
		f    simulator.Faults
		want *fault
	}{
		"nonce of another login":        {"login", set("nonce", "another"), wrongAnswer},
		"nonce left out":                {"login", token(simulator.TokenFault{Drop: []string{"nonce"}}), wrongAnswer},
		"issuer of another provider":    {"login", set("iss", "https://login.example.org"), wrongAnswer},
		"audience of another portal":    {"login", set("aud", "another"), wrongAnswer},
		"audience shared with another":  {"login", set("aud", []string{"example", "another"}), wrongAnswer},
		"expired":                       {"login", at("exp", -time.Hour), wrongAnswer},
		"alg none":                      {"login", token(simulator.TokenFault{SignWith: simulator.SignNone}), wrongAnswer},
		"HS256 with the public key":     {"login", token(simulator.TokenFault{SignWith: simulator.SignHMACPublic}), wrongAnswer},
		"signature flipped":             {"login", token(simulator.TokenFault{SignWith: simulator.SignFlipped}), wrongAnswer},
		"another access token":          {"login", set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), wrongAnswer},
		"no ID token":                   {"login", simulator.Faults{Token: &simulator.DocumentFault{Drop: []string{"id_token"}}}, wrongAnswer},
		"userinfo of somebody else":     {"login", simulator.Faults{UserInfo: &simulator.DocumentFault{Set: map[string]any{"sub": "another"}}}, wrongAnswer},
		"userinfo gone":                 {"login", simulator.Faults{UserInfo: &simulator.DocumentFault{Reply: simulator.Reply{Status: 500}}}, dilysAway},
		"token endpoint gone":           {"login", simulator.Faults{Token: &simulator.DocumentFault{Reply: simulator.Reply{Status: 500, Body: "<html>"}}}, dilysAway},
		"iss of another provider":       {"login", simulator.Faults{Authz: &simulator.AuthzFault{SetIss: "https://login.example.org"}}, wrongAnswer},
		"iss left out":                  {"login", simulator.Faults{Authz: &simulator.AuthzFault{DropIss: true}}, wrongAnswer},
		"state of nobody":               {"login", simulator.Faults{Authz: &simulator.AuthzFault{State: "another"}}, tooLate},
		"state left out":                {"login", simulator.Faults{Authz: &simulator.AuthzFault{DropState: true}}, tooLate},
		"below the portal's floor":      {"login", set("acr", "P5.Cp.Cd"), tooLittle},
		"a password alone":              {"login", set("acr", "P9.Cp"), tooLittle},
		"no acr":                        {"login", token(simulator.TokenFault{Drop: []string{"acr"}}), tooLittle},
		"acr in unknown letters":        {"login", set("acr", "P9.Cx"), tooLittle},
		"no passkey, though asked":      {"passkey", set("acr", "P9.Cp.Cd"), tooLittle},
		"prompt=login passed over":      {"again", at("auth_time", -2*time.Minute), tooLittle},
		"max_age passed over":           {"recent", at("auth_time", -7*time.Minute), tooLittle},
		"no auth_time, though asked":    {"recent", token(simulator.TokenFault{Drop: []string{"auth_time"}}), tooLittle},
		"auth_time in the future":       {"again", at("auth_time", time.Hour), tooLittle},
		"somebody acts for the patient": {"login", set("act", map[string]any{"sub": "the-carer"}), tooLittle},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			b := g.browser()
			at := b.start(row.ask)
			g.answer(nil, row.f)
			got := b.get(b.answered(at))
			if got.status != row.want.Status || !strings.Contains(got.body, "<code>"+row.want.Code+"</code>") {
				t.Errorf("wanted %d %s, got %d %s", row.want.Status, row.want.Code, got.status, got.body)
			}
			if b.loggedIn() {
				t.Error("a session was opened")
			}
		})
	}
}

func TestForeignAndRepeatedCallbacks(t *testing.T) {
	t.Run("another browser brings the answer", func(t *testing.T) {
		g := newRig(t)
		victim, attacker := g.browser(), g.browser()
		victim.start("login")
		callback := attacker.answered(attacker.start("login"))
		g.sim.ResetCalls()
		if got := victim.get(callback); got.status != tooLate.Status || victim.loggedIn() {
			t.Errorf("wanted a refusal and no session, got %d", got.status)
		}
		if n := g.sim.CallsTo(simulator.EndpointToken); n != 0 {
			t.Errorf("wanted no exchange, got %d", n)
		}
	})
	t.Run("the answer comes twice", func(t *testing.T) {
		b := newRig(t).browser()
		callback := b.answered(b.start("login"))
		if got := b.get(callback); got.status != http.StatusSeeOther {
			t.Fatalf("first: wanted a login, got %d", got.status)
		}
		if got := b.get(callback); got.status != tooLate.Status {
			t.Errorf("second: wanted a refusal, got %d", got.status)
		}
	})
	t.Run("the answer comes after two hours", func(t *testing.T) {
		g := newRig(t)
		b := g.browser()
		at := b.start("login")
		g.ahead.Store(int64(waitingLife))
		if got := b.get(b.answered(at)); got.status != tooLate.Status {
			t.Errorf("wanted a refusal, got %d", got.status)
		}
	})
	t.Run("a parameter comes twice", func(t *testing.T) {
		b := newRig(t).browser()
		callback := b.answered(b.start("login"))
		if got := b.get(callback + "&state=another"); got.status != tooLate.Status {
			t.Errorf("wanted a refusal, got %d", got.status)
		}
	})
	t.Run("no cookie and no state are no match", func(t *testing.T) {
		b := newRig(t).browser()
		if got := b.get("/callback?code=abc"); got.status != tooLate.Status {
			t.Errorf("wanted a refusal, got %d", got.status)
		}
	})
	t.Run("two tabs at once both work", func(t *testing.T) {
		b := newRig(t).browser()
		one, two := b.start("login"), b.start("again")
		for _, at := range []*url.URL{two, one} {
			if got := b.get(b.answered(at)); got.status != http.StatusSeeOther {
				t.Errorf("wanted a login, got %d %s", got.status, got.body)
			}
		}
	})
}

func TestErrorsOfDilysAreToldByCode(t *testing.T) {
	g := newRig(t)
	for i := range answers {
		want := answers[i]
		t.Run(want.Code, func(t *testing.T) {
			b := g.browser()
			at := b.start("login")
			g.answer(nil, simulator.Faults{Authz: &simulator.AuthzFault{Error: want.Code, ErrorDescription: "planted words"}})
			got := b.get(b.answered(at))
			if got.status != want.Status || !strings.Contains(got.body, "<code>"+want.Code+"</code>") {
				t.Errorf("wanted %d with the code, got %d %s", want.Status, got.status, got.body)
			}
			if strings.Contains(got.body, "planted") {
				t.Error("the description was echoed")
			}
		})
	}
	t.Run("a code that nobody knows is not echoed", func(t *testing.T) {
		b := g.browser()
		at := b.start("login")
		g.answer(nil, simulator.Faults{Authz: &simulator.AuthzFault{Error: "planted"}})
		if got := b.get(b.answered(at)); got.status != other.Status || strings.Contains(got.body, "planted") {
			t.Errorf("wanted %d without the code, got %d %s", other.Status, got.status, got.body)
		}
	})
	t.Run("the code was refused at the token endpoint", func(t *testing.T) {
		b := g.browser()
		at := b.start("login")
		g.answer(nil, simulator.Faults{Authz: &simulator.AuthzFault{Code: "never-issued"}})
		if got := b.get(b.answered(at)); !strings.Contains(got.body, "<code>invalid_grant</code>") {
			t.Errorf("wanted invalid_grant, got %d %s", got.status, got.body)
		}
	})
}

func TestLoggedOutAtDilysIsLoggedOutHere(t *testing.T) {
	g := newRig(t)
	b := g.browser()
	b.logIn("login")
	at := b.start("silent")
	g.answer(nil, simulator.Faults{Authz: &simulator.AuthzFault{Error: "login_required"}})
	b.get(b.answered(at))
	if b.loggedIn() {
		t.Error("the session here outlived the one at the provider")
	}
}

func TestSession(t *testing.T) {
	t.Run("ends when the one at Dilys would be idle for too long", func(t *testing.T) {
		g := newRig(t)
		b := g.browser()
		b.logIn("login")
		g.ahead.Store(int64(29 * time.Minute))
		if !b.loggedIn() {
			t.Error("29 minutes: wanted the session, got none")
		}
		g.ahead.Store(int64(30 * time.Minute))
		if b.loggedIn() {
			t.Error("30 minutes: wanted no session, got one")
		}
	})
	t.Run("has a new name after each login", func(t *testing.T) {
		g := newRig(t)
		b := g.browser()
		at, _ := url.Parse(g.portal.URL)
		planted := identity.NewToken()
		b.client.Jar.SetCookies(at, []*http.Cookie{{Name: sessionCookie, Value: planted.Reveal(), Path: "/"}})
		b.logIn("login")
		first := cookieOf(b, at)
		b.logIn("again")
		second := cookieOf(b, at)
		if first == planted.Reveal() || second == first {
			t.Error("a session kept a name from before the login")
		}
		b.client.Jar.SetCookies(at, []*http.Cookie{{Name: sessionCookie, Value: first, Path: "/"}})
		if b.loggedIn() {
			t.Error("the session before the second login still lives")
		}
	})
	t.Run("cookies are HttpOnly and Lax, and of https alone where there is https", func(t *testing.T) {
		p, err := New(Options{Issuer: "https://login.example.org", ClientID: "x", Secret: "y", BaseURL: "https://portal.example.org", Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		p.open(w, httptest.NewRequest(http.MethodGet, "/", nil), session{ends: time.Now().Add(time.Hour)})
		if got := w.Header().Get("Set-Cookie"); !regexp.MustCompile(`^__Host-portal_session=[\w-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`).MatchString(got) {
			t.Errorf("got %q", got)
		}
	})
}

func cookieOf(b *browser, at *url.URL) string {
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == sessionCookie {
			return c.Value
		}
	}
	return ""
}

func TestLoggingOut(t *testing.T) {
	t.Run("here", func(t *testing.T) {
		b := newRig(t).browser()
		b.logIn("login")
		if got := b.send(http.MethodPost, "/logout"); got.status != http.StatusOK || b.loggedIn() {
			t.Errorf("wanted a page and no session, got %d", got.status)
		}
	})
	t.Run("everywhere", func(t *testing.T) {
		g := newRig(t)
		b := g.browser()
		b.logIn("login")
		got := b.send(http.MethodPost, "/logout-all")
		if got.status != http.StatusSeeOther || b.loggedIn() {
			t.Fatalf("wanted a redirect and no session, got %d", got.status)
		}
		q := got.to.Query()
		hint := readUnverified(q.Get("id_token_hint"))
		if got.to.Path != "/end-session" || q.Get("kept") != "1" || q.Get("client_id") != "example" ||
			q.Get("post_logout_redirect_uri") != g.portal.URL+LoggedOutPath || text(hint["aud"]) != "example" {
			t.Errorf("got %s", got.to)
		}
		if page := b.get(LoggedOutPath); page.status != http.StatusOK || !strings.Contains(page.body, "You are logged out") {
			t.Errorf("back: got %d", page.status)
		}
	})
	t.Run("everywhere while Dilys is away still logs out here", func(t *testing.T) {
		g := newRig(t)
		b := g.browser()
		b.logIn("login")
		g.down.Store(true)
		b.send(http.MethodPost, "/logout-all")
		if b.loggedIn() {
			t.Error("the session stayed")
		}
	})
	t.Run("everywhere without a session", func(t *testing.T) {
		if got := newRig(t).browser().send(http.MethodPost, "/logout-all"); got.status != http.StatusOK {
			t.Errorf("wanted a page, got %d", got.status)
		}
	})
	t.Run("not by a page elsewhere", func(t *testing.T) {
		b := newRig(t).browser()
		b.logIn("login")
		for _, path := range []string{"/logout", "/logout-all"} {
			for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
				if got := b.send(http.MethodPost, path, header...); got.status != http.StatusForbidden {
					t.Errorf("%s %v: wanted 403, got %d", path, header, got.status)
				}
			}
			if got := b.get(path); got.status == http.StatusOK {
				t.Errorf("GET %s: wanted a refusal, got a page", path)
			}
		}
		if !b.loggedIn() {
			t.Error("the session ended")
		}
	})
	t.Run("the way back says nothing false to who is logged in", func(t *testing.T) {
		b := newRig(t).browser()
		b.logIn("login")
		if got := b.get(LoggedOutPath); got.status != http.StatusSeeOther || got.to.Path != "/" {
			t.Errorf("wanted the first page, got %d", got.status)
		}
	})
}

func TestDilysMayStartLater(t *testing.T) {
	g := newRig(t)
	b := g.browser()
	g.down.Store(true)
	if got := b.get("/login"); got.status != dilysAway.Status || !strings.Contains(got.body, dilysAway.Code) {
		t.Fatalf("down: wanted %d, got %d", dilysAway.Status, got.status)
	}
	g.down.Store(false)
	if got := b.logIn("login"); got.status != http.StatusSeeOther {
		t.Fatalf("up: wanted a login, got %d %s", got.status, got.body)
	}
	g.sim.ResetCalls()
	b.logIn("again")
	if n := g.sim.CallsTo(simulator.EndpointDiscovery); n != 0 {
		t.Errorf("wanted discovery once, got %d more", n)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	for _, endpoint := range []string{"discovery", "token", "userinfo", "jwks"} {
		g := newRig(t)
		b := g.browser()
		away := simulator.Faults{Redirect: map[string]string{endpoint: g.op.URL + "/collector"}}
		if endpoint == "discovery" {
			g.answer(nil, away)
			b.get("/login")
		} else {
			at := b.start("login")
			g.answer(nil, away)
			b.get(b.answered(at))
		}
		if n := g.sim.CallsTo(simulator.EndpointCollector); n != 0 || b.loggedIn() {
			t.Errorf("%s: wanted no call elsewhere and no session, got %d calls", endpoint, n)
		}
	}
}

func TestIssuerThatDiffersByASlash(t *testing.T) {
	g := newRig(t)
	g.answer(nil, simulator.Faults{Discovery: &simulator.DocumentFault{Set: map[string]any{"issuer": g.op.URL + "/"}}})
	if got := g.browser().get("/login"); got.status != dilysAway.Status {
		t.Errorf("wanted %d, got %d", dilysAway.Status, got.status)
	}
}

func TestOptions(t *testing.T) {
	good := Options{Issuer: "https://login.example.org", ClientID: "x", Secret: "y", BaseURL: "http://127.0.0.1:8084", Now: time.Now}
	for name, change := range map[string]func(*Options){
		"no clock":                  func(o *Options) { o.Now = nil },
		"no issuer":                 func(o *Options) { o.Issuer = "" },
		"no client id":              func(o *Options) { o.ClientID = "" },
		"no secret":                 func(o *Options) { o.Secret = "" },
		"base URL without host":     func(o *Options) { o.BaseURL = "portal" },
		"base URL with a slash":     func(o *Options) { o.BaseURL += "/" },
		"base URL that is not read": func(o *Options) { o.BaseURL = "http://%zz" },
	} {
		opt := good
		change(&opt)
		if _, err := New(opt); err == nil {
			t.Errorf("%s: wanted an error, got none", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Errorf("good: wanted no error, got %v", err)
	}
}

// TestPages looks at the markup of every page, in the states it has.
func TestPages(t *testing.T) {
	g := newRig(t)
	out, in := g.browser(), g.browser()
	in.logIn("login")
	pages := map[string]reply{
		"home": out.get("/"), "home, logged in": in.get("/"), "learned": in.get("/learned"),
		"fault": out.get("/callback"), "gone": out.send(http.MethodPost, "/logout"), "logged out": out.get(LoggedOutPath), "not found": out.get("/nowhere"),
	}
	forbidden := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son\w+=|javascript:|(src|action)="http`)
	for name, page := range pages {
		for what, want := range map[string]int{"<h1>": 1, "<title>": 1, `<html lang="en-GB">`: 1, `<main id="main">`: 1} {
			if got := strings.Count(page.body, what); got != want {
				t.Errorf("%s: %s: wanted %d, got %d", name, what, want, got)
			}
		}
		if found := forbidden.FindString(page.body); found != "" {
			t.Errorf("%s: wanted nothing inline or from outside, got %q", name, found)
		}
		policy := page.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "form-action 'self' "+g.op.URL) || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: Content-Security-Policy: got %q", name, policy)
		}
		if page.header.Get("Cache-Control") != "no-store" || page.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers: got %v", name, page.header)
		}
	}
	if css := out.get("/" + styleSheet); css.status != http.StatusOK || !strings.HasPrefix(css.header.Get("Content-Type"), "text/css") || strings.Contains(css.body, "url(") {
		t.Errorf("style: got %d %s", css.status, css.header.Get("Content-Type"))
	}
}

func TestHostileNamesAreEscaped(t *testing.T) {
	g := newRig(t)
	g.answer(nil, simulator.Faults{UserInfo: &simulator.DocumentFault{Set: map[string]any{"name": "<script>alert(1)</script>", "<b>": "<i>"}}})
	b := g.browser()
	b.logIn("login")
	page := b.get("/learned").body
	if strings.Contains(page, "<script") || strings.Contains(page, "<b>") || !strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("got\n%s", page)
	}
}

func TestShelf(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	t.Run("holds no more than its limit, and drops what ends soonest", func(t *testing.T) {
		s := newShelf[int](2)
		s.put("a", 1, now.Add(2*time.Hour), now)
		s.put("b", 2, now.Add(time.Hour), now)
		s.put("c", 3, now.Add(3*time.Hour), now)
		var have []identity.Secret
		for _, key := range []identity.Secret{"a", "b", "c"} {
			if _, ok := s.get(key, now); ok {
				have = append(have, key)
			}
		}
		if !slices.Equal(have, []identity.Secret{"a", "c"}) || len(s.rows) != 2 {
			t.Errorf("got %d rows", len(s.rows))
		}
	})
	t.Run("drops what is over first", func(t *testing.T) {
		s := newShelf[int](2)
		s.put("a", 1, now, now)
		s.put("b", 2, now, now)
		s.put("c", 3, now.Add(time.Hour), now)
		if len(s.rows) != 1 {
			t.Errorf("wanted 1 row, got %d", len(s.rows))
		}
	})
	t.Run("an empty key opens nothing", func(t *testing.T) {
		s := newShelf[int](2)
		s.put("", 1, now.Add(time.Hour), now)
		if _, ok := s.get("", now); ok {
			t.Error("got a value")
		}
	})
	t.Run("of many that take at once, one gets it", func(t *testing.T) {
		s := newShelf[int](2)
		s.put("a", 1, now.Add(time.Hour), now)
		var won atomic.Int32
		done := make(chan struct{})
		for range 20 {
			go func() {
				if _, ok := s.take("a", now); ok {
					won.Add(1)
				}
				done <- struct{}{}
			}()
		}
		for range 20 {
			<-done
		}
		if won.Load() != 1 {
			t.Errorf("wanted 1, got %d", won.Load())
		}
	})
}
