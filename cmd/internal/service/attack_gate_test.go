package service_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// gateway is a server of another host, as an operator sets one up: it passes /.dilys/ on,
// asks the check about everything else, and shows what it was told.
type gateway struct {
	*httptest.Server
	w *world
}

// withGateway is a world with two hosts behind a gateway that are not its own: letters,
// and results, which gets tokens and asks for a fresh passkey below /fresh/.
func withGateway(t *testing.T) (w *world, letters, results *gateway) {
	t.Helper()
	w = newWorld(t)
	letters, results = newGateway(t, w), newGateway(t, w)
	strong := []identity.Trust{{P: identity.P9, C: identity.Cp | identity.Cd}, {P: identity.P9, C: identity.Cm}}
	w.rebuild(func(c *service.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Gateway = &service.Gateway{Hosts: []service.Host{
			{Host: letters.Listener.Addr().String(), Rules: []service.Rule{{Path: "/", Trust: strong}, {Path: "/leaflets/", Public: true}}},
			{Host: results.Listener.Addr().String(), Token: true, Rules: []service.Rule{
				{Path: "/", Trust: strong},
				{Path: "/fresh/", Trust: strong, MaxAge: 10 * time.Minute},
			}},
		}}
	})
	return w, letters, results
}

func newGateway(t *testing.T, w *world) *gateway {
	g := &gateway{w: w}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) serve(rw http.ResponseWriter, r *http.Request) {
	to := g.w.url + "/check?redirect"
	if strings.HasPrefix(r.URL.Path, "/.dilys/") {
		to = g.w.url + r.URL.RequestURI()
	}
	ask, err := http.NewRequest(http.MethodGet, to, nil)
	if err != nil {
		panic(err)
	}
	ask.Header = r.Header.Clone()
	ask.Header.Set("X-Forwarded-Host", r.Host)
	ask.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
	ask.Header.Set("X-Forwarded-Method", r.Method)
	answer, err := http.DefaultTransport.RoundTrip(ask)
	if err != nil {
		panic(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		for _, name := range []string{"Location", "Set-Cookie", "Www-Authenticate"} {
			rw.Header()[name] = answer.Header[name]
		}
		rw.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(rw, answer.Body)
		return
	}
	_, _ = fmt.Fprintf(rw, "%s|%s|%s", answer.Header.Get("Dilys-Subject"), answer.Header.Get("Dilys-Trust"), answer.Header.Get("Authorization"))
}

// follow goes where it is led until somebody answers with a page.
func (b *browser) follow(address string) page {
	b.t.Helper()
	const most = 15
	for range most {
		p := b.send(http.MethodGet, address, nil, http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}})
		if p.StatusCode != http.StatusSeeOther {
			return p
		}
		address = p.Request.URL.ResolveReference(p.location(b.t)).String()
	}
	b.t.Fatalf("led on and on, at last to %s", address)
	return page{}
}

// throughGate opens a page of the host and logs in on the way.
func (b *browser) throughGate(g *gateway, path, patient string) page {
	b.t.Helper()
	chooser := b.follow(g.URL + path)
	if chooser.StatusCode != http.StatusOK || chooser.Request.URL.Path != "/login" {
		b.t.Fatalf("wanted the chooser, got %d at %s: %.300s", chooser.StatusCode, chooser.Request.URL, chooser.body)
	}
	if policy := chooser.Header.Get("Content-Security-Policy"); !strings.Contains(policy, g.URL) {
		b.t.Errorf("a form of the login may not lead on to the host: %s", policy)
	}
	form := url.Values{"return": {chooser.Request.URL.Query().Get("return")}}
	return b.follow(b.answer(b.toProvider("nhs-login", form), patient).String())
}

func TestAPatientGoesThroughTheGateOfAnotherHost(t *testing.T) {
	w, letters, results := withGateway(t)
	b := w.browser()
	in := b.throughGate(letters, "/inbox?id=1", "mair-prawf")
	if in.StatusCode != http.StatusOK || in.Request.URL.String() != letters.URL+"/inbox?id=1" || !strings.HasSuffix(in.body, "|P9.Cp.Cd|") {
		t.Fatalf("wanted the page asked for, got %d at %s: %.300s", in.StatusCode, in.Request.URL, in.body)
	}
	second := b.follow(results.URL + "/list") // the session is there already: no page is shown
	subject, rest, _ := strings.Cut(second.body, "|P9.Cp.Cd|Bearer ")
	if second.Request.URL.String() != results.URL+"/list" || subject == "" {
		t.Fatalf("wanted the second host without a page, got %s: %.300s", second.Request.URL, second.body)
	}
	host := results.Listener.Addr().String()
	claims, err := token.NewVerifier(w.Config.PublicURL, w.Ring, w.clock.Now).AccessToken(t.Context(), rest, host)
	if err != nil || claims.Subject != subject {
		t.Errorf("the host's token: got %+v, %v", claims, err)
	}
	if again := b.follow(results.URL + "/list"); again.body != second.body {
		t.Error("wanted the same token while it is young")
	}
	w.clock.advance(91 * time.Second)
	if later := b.follow(results.URL + "/list"); later.body == second.body || !strings.Contains(later.body, "Bearer ") {
		t.Error("wanted another token after half its life")
	}
	if p := w.bearer(t, http.MethodGet, "/userinfo", rest); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo with a host's token: wanted 401, got %d", p.StatusCode)
	}
	b.post("/logout", nil)
	for _, g := range []*gateway{letters, results} {
		if p := b.follow(g.URL + "/"); p.Request.URL.Path != "/login" {
			t.Errorf("after a log-out: wanted the login, got %s", p.Request.URL)
		}
	}
}

func TestA8AGatesIdOpensItsHostAlone(t *testing.T) {
	w, letters, results := withGateway(t)
	b := w.browser()
	b.throughGate(letters, "/", "mair-prawf")
	at, err := url.Parse(letters.URL)
	must(t, err)
	var id string
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == "dilys-gate" {
			id = c.Value
		}
	}
	ask := func(host, cookie, value string) int {
		return w.browser().send(http.MethodGet, "/check", nil, http.Header{
			"X-Forwarded-Host": {host}, "X-Forwarded-Uri": {"/"}, "X-Forwarded-Method": {"GET"}, "Cookie": {cookie + "=" + value},
		}).StatusCode
	}
	session := ""
	for _, c := range b.client.Jar.Cookies(urlOf(t, w.url)) {
		if c.Name == "dilys" {
			session = c.Value
		}
	}
	for name, row := range map[string]struct {
		host, cookie, value string
		want                int
	}{
		"its host":                      {letters.Listener.Addr().String(), "dilys-gate", id, 200},
		"another host":                  {results.Listener.Addr().String(), "dilys-gate", id, 401},
		"as our own session":            {letters.Listener.Addr().String(), "dilys", id, 401},
		"our session at its host":       {letters.Listener.Addr().String(), "dilys", session, 401},
		"our session as the host's own": {letters.Listener.Addr().String(), "dilys-gate", session, 401},
		"a host that is none":           {"attacker.example", "dilys-gate", id, 403},
		"cut":                           {letters.Listener.Addr().String(), "dilys-gate", id[1:], 401},
	} {
		if got := ask(row.host, row.cookie, row.value); got != row.want {
			t.Errorf("%s: wanted %d, got %d", name, row.want, got)
		}
	}
}

func urlOf(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	must(t, err)
	return u
}

// A code that was seen on its way opens nothing in another browser, nor twice, nor later.
func TestAGatesCodeIsOfItsBrowser(t *testing.T) {
	w, letters, results := withGateway(t)
	victim := w.browser()
	victim.throughGate(letters, "/", "mair-prawf")
	// code begins in that browser and returns where the host is to be entered.
	code := func(b *browser, g *gateway) *url.URL {
		start := b.get(g.URL + "/.dilys/start?to=/inbox").location(t)
		return b.get(start.String()).location(t)
	}
	enter := func(b *browser, address string) string {
		p := b.get(address)
		return p.location(t).String()
	}
	seen := code(victim, letters)
	if got := enter(w.browser(), seen.String()); !strings.Contains(got, "failed=cookie") {
		t.Errorf("a browser that never began: got %s", got)
	}
	thief := w.browser()
	thief.get(letters.URL + "/.dilys/start?to=/")
	if got := enter(thief, seen.String()); !strings.Contains(got, "failed=late") {
		t.Errorf("a browser that began by itself: got %s", got)
	}
	elsewhere := *seen
	elsewhere.Host = results.Listener.Addr().String()
	if got := enter(victim, elsewhere.String()); !strings.Contains(got, "failed=late") {
		t.Errorf("at another host: got %s", got)
	}
	if got := enter(victim, seen.String()); got != letters.URL+"/inbox" {
		t.Errorf("where it belongs: got %s", got)
	}
	if got := enter(victim, seen.String()); !strings.Contains(got, "failed=late") {
		t.Errorf("twice: got %s", got)
	}
	old := code(victim, letters)
	w.clock.advance(61 * time.Second)
	if got := enter(victim, old.String()); !strings.Contains(got, "failed=late") {
		t.Errorf("a minute later: got %s", got)
	}
	if p := victim.follow(letters.URL + "/.dilys/enter?code=x&to=/inbox"); p.StatusCode != http.StatusBadRequest || !strings.Contains(p.body, letters.URL+"/inbox") {
		t.Errorf("wanted a page that leads back to the host, got %d", p.StatusCode)
	}
}

func TestI2AGateLeadsNowhereElse(t *testing.T) {
	w, letters, _ := withGateway(t)
	b := w.browser()
	for _, to := range []string{"//attacker.example/", `/\attacker.example`, "https://attacker.example/", "javascript:alert(1)", "/a\r\nSet-Cookie: x=y", ""} {
		start := b.get(letters.URL + "/.dilys/start?to=" + url.QueryEscape(to)).location(t)
		if start.Host != urlOf(t, w.url).Host || start.Query().Get("to") != "/" {
			t.Errorf("%q: led to %s", to, start)
		}
	}
	for _, host := range []string{"attacker.example", "letters.example.attacker.example", urlOf(t, w.url).Host, ""} {
		p := b.get("/gate?" + url.Values{"host": {host}, "start": {identity.NewToken().Reveal()}, "to": {"/"}}.Encode())
		if p.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: wanted 400, got %d", host, p.StatusCode)
		}
	}
	// Only a proxy of ours is believed which host it is.
	r := w.browser().send(http.MethodGet, "/.dilys/start?to=/", nil, http.Header{"X-Forwarded-Host": {"attacker.example"}})
	if r.StatusCode != http.StatusNotFound {
		t.Errorf("a host that is none: wanted 404, got %d", r.StatusCode)
	}
}

func TestAGateAsksForMoreAndEndsItsCircles(t *testing.T) {
	w, _, results := withGateway(t)
	b := w.browser()
	b.throughGate(results, "/", "mair-prawf")
	w.clock.advance(11 * time.Minute)
	asked := b.follow(results.URL + "/fresh/list")
	if asked.Request.URL.Path != "/authorize" || asked.Request.URL.Query().Get("prompt") != "login" {
		t.Errorf("wanted a fresher login asked for, got %s", asked.Request.URL)
	}
	if p := b.follow(results.URL + "/list"); p.Request.URL.Path != "/list" {
		t.Errorf("what needs none: got %s", p.Request.URL)
	}
	if p := b.follow(b.answer(asked.Request.URL, "mair-prawf").String()); p.Request.URL.String() != results.URL+"/fresh/list" || p.StatusCode != http.StatusOK {
		t.Errorf("after one login: wanted the very page, got %d at %s", p.StatusCode, p.Request.URL)
	}
	stranger := w.browser()
	var last page
	for range 4 {
		last = stranger.get(results.URL + "/.dilys/start?to=/again")
	}
	if end := stranger.follow(last.Request.URL.ResolveReference(last.location(t)).String()); end.StatusCode != http.StatusForbidden || !strings.Contains(end.body, "DIL-") {
		t.Errorf("wanted the circle ended with a reference, got %d at %s", end.StatusCode, end.Request.URL)
	}
	w.clock.advance(2 * time.Minute)
	if p := stranger.follow(results.URL + "/again"); p.Request.URL.Path != "/login" {
		t.Errorf("later: wanted the login, got %s", p.Request.URL)
	}
}
