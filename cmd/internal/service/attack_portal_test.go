package service_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/store/storetest"
)

// Two more portals: one with a secret, one without.
const (
	otherID       = "other-health"
	otherCallback = "http://127.0.0.1:9/other?tenant=a"
	publicID      = "public-app"
	publicURI     = "http://127.0.0.1:9/app"
	optionalID    = "optional-pkce"
	optionalURI   = "http://127.0.0.1:9/optional"
)

var otherSecret, optionalSecret = identity.NewToken().Reveal(), identity.NewToken().Reveal()

// withOtherPortals adds a second portal with a secret of its own, a public one,
// and one that may do without PKCE.
func withOtherPortals(t testing.TB) option {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "other.secret", otherSecret)
	write(t, dir, "optional.secret", optionalSecret)
	return withPortal(fmt.Sprintf(`  - id: other-health
    name: {en: Other Health, cy: Iechyd Arall}
    redirect_uris: ["http://127.0.0.1:9/other", %[1]q]
    post_logout_redirect_uris: ["http://127.0.0.1:9/other-gone"]
    client_secret_file: %[2]s/other.secret
    scopes: [openid]
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm]
  - id: public-app
    name: {en: App, cy: Ap}
    redirect_uris: [%[3]q]
    scopes: [openid]
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm]
  - id: optional-pkce
    name: {en: Optional, cy: Dewisol}
    redirect_uris: [%[4]q]
    client_secret_file: %[2]s/optional.secret
    scopes: [openid]
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm]
    pkce: optional
`, otherCallback, dir, publicURI, optionalURI))
}

// onEachDatabase runs the test on a world of its own for each kind of database.
func onEachDatabase(t *testing.T, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t)) })
	t.Run("postgresql", func(t *testing.T) { test(t, newWorld(t, onDatabase(storetest.Postgres(t)))) })
}

// rebuild starts the service anew over the same database, as a restart does.
func (w *world) rebuild(edit func(*service.Config)) {
	w.t.Helper()
	must(w.t, w.DB.Close())
	changed := *w.Config
	changed.Portals = slices.Clone(w.Config.Portals)
	edit(&changed)
	w.start(&changed)
}

// forOurselves makes the first portal's access tokens good for this host, so that
// the check takes them too.
func forOurselves(c *service.Config) { c.Portals[0].Audience = c.PublicURL }

// at returns the browser for a subtest of its own.
func (b *browser) at(t testing.TB) *browser {
	return &browser{w: b.w, t: t, client: b.client, header: b.header}
}

// bearer asks with that access token and nothing else.
func (w *world) bearer(t testing.TB, method, path, raw string) page {
	t.Helper()
	return w.browser().at(t).send(method, path, nil, http.Header{"Authorization": {"Bearer " + raw}})
}

// hiddenFrame is how a portal's hidden frame asks: it is no act of the patient's.
var hiddenFrame = http.Header{"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"cross-site"}}

// silently asks for a code without a page, and returns where the portal is
// answered.
func (b *browser) silently(more ...string) *url.URL {
	b.t.Helper()
	return b.send(http.MethodGet, authorization(append([]string{"prompt", "none"}, more...)...), nil, hiddenFrame).location(b.t)
}

// mustBeAnsweredWith fails unless the portal's callback got that error, its own
// state, our name, and no code.
func mustBeAnsweredWith(t testing.TB, to *url.URL, code string) {
	t.Helper()
	q := to.Query()
	if got := to.Scheme + "://" + to.Host + to.Path; got != callbackURL {
		t.Errorf("wanted an answer at %s, got %s", callbackURL, got)
	}
	if q.Get("error") != code || q.Has("code") || q.Get("state") != "state-of-the-portal" || q.Get("iss") == "" {
		t.Errorf("wanted error %s with state and iss and without a code, got %v", code, q)
	}
}

// mustRefuseGrant fails unless the token endpoint gave nothing, in the standard's
// words.
func mustRefuseGrant(t testing.TB, p page, code string) {
	t.Helper()
	got := p.tokens(t)
	if p.StatusCode != http.StatusBadRequest || got.Error != code || got.AccessToken != "" || got.IDToken != "" {
		t.Errorf("wanted 400 %s and no token, got %d %s", code, p.StatusCode, got.Error)
	}
}

// claimsIn reads a token's claims without a look at its signature.
func claimsIn(t testing.TB, raw string) map[string]any {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("wanted a token of three parts, got %d", len(parts))
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var claims map[string]any
	must(t, json.Unmarshal(body, &claims))
	return claims
}

func TestC1RedirectURIIsComparedExactly(t *testing.T) {
	w := newWorld(t, withOtherPortals(t))
	patient := w.browser()
	patient.login("mair-prawf")
	if to := patient.get(authorization()).location(t); to.Query().Get("code") == "" {
		t.Fatalf("the registered address got no code: %v", to)
	}
	for name, uris := range map[string][]string{
		"none":                          nil,
		"empty":                         {""},
		"another host":                  {"https://attacker.example/callback"},
		"https instead of http":         {"https://127.0.0.1:9/callback"},
		"scheme in capitals":            {"HTTP://127.0.0.1:9/callback"},
		"path in capitals":              {"http://127.0.0.1:9/CALLBACK"},
		"a slash more":                  {callbackURL + "/"},
		"two slashes":                   {"http://127.0.0.1:9//callback"},
		"a path below":                  {callbackURL + "/attacker"},
		"a longer word":                 {callbackURL + "s"},
		"a shorter word":                {"http://127.0.0.1:9/callbac"},
		"no path":                       {"http://127.0.0.1:9"},
		"the root":                      {"http://127.0.0.1:9/"},
		"up and elsewhere":              {callbackURL + "/../attacker"},
		"up and back":                   {"http://127.0.0.1:9/x/../callback"},
		"up, encoded":                   {callbackURL + "/%2e%2e/attacker"},
		"slash, encoded":                {callbackURL + "%2fattacker"},
		"a letter, encoded":             {"http://127.0.0.1:9/%63allback"},
		"a query":                       {callbackURL + "?next=https://attacker.example"},
		"a bare question mark":          {callbackURL + "?"},
		"a fragment":                    {callbackURL + "#attacker"},
		"a bare fragment":               {callbackURL + "#"},
		"a path parameter":              {callbackURL + ";attacker"},
		"another port":                  {"http://127.0.0.1:99/callback"},
		"no port":                       {"http://127.0.0.1/callback"},
		"the port with a zero":          {"http://127.0.0.1:09/callback"},
		"localhost":                     {"http://localhost:9/callback"},
		"a short address":               {"http://127.1:9/callback"},
		"the address as a number":       {"http://2130706433:9/callback"},
		"the address in IPv6":           {"http://[::ffff:127.0.0.1]:9/callback"},
		"our host as user":              {"http://127.0.0.1:9@attacker.example/callback"},
		"a user before our host":        {"http://attacker@127.0.0.1:9/callback"},
		"our host as subdomain":         {"http://127.0.0.1.attacker.example:9/callback"},
		"a trailing dot":                {"http://127.0.0.1.:9/callback"},
		"backslashes":                   {`http:\\127.0.0.1:9\callback`},
		"a backslash for the host":      {`http://attacker.example\@127.0.0.1:9/callback`},
		"a relative path":               {"/callback"},
		"no scheme":                     {"//127.0.0.1:9/callback"},
		"a script":                      {"javascript:alert(1)//" + callbackURL},
		"data":                          {"data:text/html,<script>alert(1)</script>"},
		"a leading space":               {" " + callbackURL},
		"a trailing space":              {callbackURL + " "},
		"a line end":                    {callbackURL + "\r\nSet-Cookie: dilys=attacker"},
		"a NUL":                         {callbackURL + "\x00"},
		"a tab inside":                  {"http://127.0.0.1:9/call\tback"},
		"full-width letters":            {"http://127.0.0.1:9/ｃallback"},
		"a pattern":                     {"http://127.0.0.1:9/*"},
		"another portal's":              {otherCallback},
		"the address after logging out": {"http://127.0.0.1:9/"},
		"twice the right one":           {callbackURL, callbackURL},
		"the right one first":           {callbackURL, "https://attacker.example/callback"},
		"the right one last":            {"https://attacker.example/callback", callbackURL},
		"two in one":                    {callbackURL + " https://attacker.example/callback"},
	} {
		t.Run(name, func(t *testing.T) {
			mustNotRedirect(t, patient.at(t), withValues(authorizationValues(), "redirect_uri", uris))
			mustNotRedirect(t, w.browser().at(t), withValues(authorizationValues(), "redirect_uri", uris, "prompt", []string{"none"}))
		})
	}
	for name, ids := range map[string][]string{
		"no portal": nil, "an unknown portal": {"attacker"}, "in capitals": {"MY-HEALTH"}, "with a space": {portalID + " "},
		"twice": {portalID, portalID}, "two portals": {portalID, otherID}, "a portal of another address": {otherID},
	} {
		t.Run(name, func(t *testing.T) {
			mustNotRedirect(t, patient.at(t), withValues(authorizationValues(), "client_id", ids))
		})
	}
	if portals, err := w.DB.Grants().Partings(t.Context(), patient.get("/check").Header.Get("Dilys-Session")); err != nil || len(portals) > 0 {
		t.Errorf("wanted no code spent, got %v %v", portals, err)
	}
}

func authorizationValues() url.Values {
	_, query, _ := strings.Cut(authorization(), "?")
	values, _ := url.ParseQuery(query) // ours
	return values
}

// withValues sets parameters, each a name and its values.
func withValues(values url.Values, more ...any) url.Values {
	for i := 0; i+1 < len(more); i += 2 {
		values[more[i].(string)] = more[i+1].([]string)
	}
	return values
}

// mustNotRedirect fails unless the authorization request is answered with a page
// that leads nowhere, whichever way it came.
func mustNotRedirect(t *testing.T, b *browser, values url.Values) {
	t.Helper()
	crossSite := http.Header{"Origin": {"https://attacker.example"}, "Sec-Fetch-Site": {"cross-site"}}
	asGet := b.send(http.MethodPost, "/authorize", values, crossSite)
	if asGet.StatusCode != http.StatusSeeOther || !strings.HasPrefix(asGet.Header.Get("Location"), "/authorize?") {
		t.Errorf("a cross-site post: wanted 303 to itself, got %d %s", asGet.StatusCode, asGet.Header.Get("Location"))
	}
	for way, p := range map[string]page{
		"get": b.get("/authorize?" + values.Encode()), "post": b.post("/authorize", values), "cross-site post": b.get(asGet.Header.Get("Location")),
	} {
		if p.StatusCode != http.StatusBadRequest || p.Header.Get("Location") != "" || p.Header.Get("Refresh") != "" {
			t.Errorf("%s: wanted 400 and no redirect, got %d %q", way, p.StatusCode, p.Header.Get("Location"))
		}
		if !strings.Contains(p.body, "DIL-") {
			t.Errorf("%s: wanted a page with a reference", way)
		}
		mustBeOurs(t, p)
	}
}

func TestC2CodeIsGoodOnce(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		w.rebuild(forOurselves)
		patient := w.browser()
		code := patient.code("mair-prawf").Query().Get("code")
		if got := w.redeemAtOnce(t, 50, code); got[http.StatusOK] != 1 || got[http.StatusBadRequest] != 49 {
			t.Errorf("50 at once: wanted one success and 49 refusals, got %v", got)
		}

		code = patient.silently().Query().Get("code")
		first := patient.exchange(code).tokens(t)
		faces := map[string]func() int{
			"userinfo":       func() int { return w.bearer(t, http.MethodGet, "/userinfo", first.AccessToken).StatusCode },
			"check":          func() int { return w.bearer(t, http.MethodGet, "/check", first.AccessToken).StatusCode },
			"session active": func() int { return w.bearer(t, http.MethodPost, "/session/active", first.AccessToken).StatusCode },
		}
		for face, status := range faces {
			if got := status(); got != http.StatusOK {
				t.Fatalf("%s before the replay: wanted 200, got %d", face, got)
			}
		}
		w.clock.advance(30 * time.Second)
		mustRefuseGrant(t, patient.exchange(code), "invalid_grant")
		for face, status := range faces {
			if got := status(); got != http.StatusUnauthorized {
				t.Errorf("%s after the replay: wanted 401, got %d", face, got)
			}
		}
		if !patient.loggedIn() {
			t.Error("a replayed code ended the patient's own session")
		}
		if !w.tells(t, patient, audit.CodeReused) {
			t.Error("the audit does not tell of the replay")
		}
	})
}

// redeemAtOnce presents a code n times at the same moment and counts the answers
// by status.
func (w *world) redeemAtOnce(t *testing.T, n int, code string) map[int]int {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callbackURL}, "code_verifier": {verifier}}
	statuses := make([]int, n)
	start, done := make(chan struct{}), new(sync.WaitGroup)
	for i := range n {
		done.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/token", strings.NewReader(form.Encode()))
			if err != nil {
				return
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(portalID, portalSecret)
			<-start
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return
			}
			defer func() { _ = answer.Body.Close() }()
			_, _ = io.Copy(io.Discard, answer.Body)
			statuses[i] = answer.StatusCode
		})
	}
	close(start)
	done.Wait()
	counted := map[int]int{}
	for _, s := range statuses {
		counted[s]++
	}
	return counted
}

// tells reports whether the audit has an event of that kind about the patient who
// is logged in in the browser.
func (w *world) tells(t testing.TB, b *browser, kind audit.Kind) bool {
	t.Helper()
	events, err := w.DB.Audit().EventsOf(t.Context(), b.get("/check").Header.Get("Dilys-Subject"), 1000)
	must(t, err)
	return slices.ContainsFunc(events, func(e audit.Event) bool { return e.Kind == kind })
}

func TestC3CodeIsBound(t *testing.T) {
	w := newWorld(t, withOtherPortals(t))
	patient := w.browser()
	patient.login("mair-prawf")
	for name, row := range map[string]struct {
		change     map[string]string
		id, secret string
		later      time.Duration
	}{
		"another portal":            {id: otherID, secret: otherSecret},
		"a public portal":           {id: publicID},
		"another redirect_uri":      {change: map[string]string{"redirect_uri": otherCallback}},
		"redirect_uri with a slash": {change: map[string]string{"redirect_uri": callbackURL + "/"}},
		"no redirect_uri":           {change: map[string]string{"redirect_uri": ""}},
		"another verifier":          {change: map[string]string{"code_verifier": strings.Repeat("b", 43)}},
		"the challenge as verifier": {change: map[string]string{"code_verifier": challengeOf(verifier)}},
		"a verifier too short":      {change: map[string]string{"code_verifier": verifier[:42]}},
		"a verifier too long":       {change: map[string]string{"code_verifier": verifier + strings.Repeat("a", 129)}},
		"a verifier in capitals":    {change: map[string]string{"code_verifier": strings.ToUpper(verifier)}},
		"no verifier":               {change: map[string]string{"code_verifier": ""}},
		"after 61 s":                {later: 61 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := patient.at(t)
			code := b.silently().Query().Get("code")
			w.clock.advance(row.later)
			form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callbackURL}, "code_verifier": {verifier}}
			for k, v := range row.change {
				if form.Set(k, v); v == "" {
					form.Del(k)
				}
			}
			id, secret := portalID, portalSecret
			if row.id != "" {
				id, secret = row.id, row.secret
			}
			if secret == "" {
				form.Set("client_id", id)
				mustRefuseGrant(t, w.browser().at(t).send(http.MethodPost, "/token", form, nil), "invalid_grant")
			} else {
				mustRefuseGrant(t, b.token(form, id, secret), "invalid_grant")
			}
			mustRefuseGrant(t, b.exchange(code), "invalid_grant") // the wrong try has cost it
		})
	}
	t.Run("after 60 s it is still good", func(t *testing.T) {
		code := patient.at(t).silently().Query().Get("code")
		w.clock.advance(60 * time.Second)
		if p := patient.at(t).exchange(code); p.StatusCode != http.StatusOK {
			t.Errorf("wanted 200, got %d %s", p.StatusCode, p.body)
		}
	})
}

func TestC4PKCECannotBeLeftOut(t *testing.T) {
	w := newWorld(t, withOtherPortals(t))
	patient := w.browser()
	patient.login("mair-prawf")
	for name, row := range map[string]map[string][]string{
		"none":                      {"code_challenge": nil, "code_challenge_method": nil},
		"no challenge":              {"code_challenge": nil},
		"an empty challenge":        {"code_challenge": {""}},
		"no method":                 {"code_challenge_method": nil},
		"plain":                     {"code_challenge": {verifier}, "code_challenge_method": {"plain"}},
		"plain, with the right one": {"code_challenge_method": {"plain"}},
		"an unknown method":         {"code_challenge_method": {"S512"}},
		"the method in lower case":  {"code_challenge_method": {"s256"}},
		"a challenge too short":     {"code_challenge": {challengeOf(verifier)[:42]}},
		"a challenge too long":      {"code_challenge": {challengeOf(verifier) + "A"}},
		"a padded challenge":        {"code_challenge": {challengeOf(verifier) + "="}},
		"two challenges":            {"code_challenge": {challengeOf(verifier), challengeOf("another")}},
		"two methods":               {"code_challenge_method": {"S256", "plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			values := authorizationValues()
			for k, v := range row {
				values[k] = v
			}
			mustBeAnsweredWith(t, patient.at(t).get("/authorize?"+values.Encode()).location(t), "invalid_request")
			mustBeAnsweredWith(t, w.browser().at(t).get("/authorize?"+values.Encode()).location(t), "invalid_request")
		})
	}
	for name, row := range map[string]struct {
		challenge, verifier string
		good                bool
	}{
		"a verifier without a challenge": {"", verifier, false},
		"a challenge without a verifier": {challengeOf(verifier), "", false},
		"a challenge and its verifier":   {challengeOf(verifier), verifier, true},
		"neither":                        {"", "", true},
	} {
		t.Run("optional: "+name, func(t *testing.T) {
			method := "S256"
			if row.challenge == "" {
				method = ""
			}
			answer := patient.at(t).silently("client_id", optionalID, "redirect_uri", optionalURI, "scope", "openid",
				"code_challenge", row.challenge, "code_challenge_method", method)
			form := url.Values{"grant_type": {"authorization_code"}, "code": {answer.Query().Get("code")}, "redirect_uri": {optionalURI}}
			if row.verifier != "" {
				form.Set("code_verifier", row.verifier)
			}
			p := patient.at(t).token(form, optionalID, optionalSecret)
			if !row.good {
				mustRefuseGrant(t, p, "invalid_grant")
			} else if p.StatusCode != http.StatusOK {
				t.Errorf("wanted 200, got %d %s", p.StatusCode, p.body)
			}
		})
	}
	t.Run("a public portal proves itself by the verifier alone", func(t *testing.T) {
		code := func() string {
			return patient.at(t).silently("client_id", publicID, "redirect_uri", publicURI, "scope", "openid").Query().Get("code")
		}
		form := func(v string) url.Values {
			return url.Values{
				"grant_type": {"authorization_code"}, "code": {code()}, "redirect_uri": {publicURI}, "client_id": {publicID}, "code_verifier": {v},
			}
		}
		post := func(form url.Values) page { return w.browser().at(t).send(http.MethodPost, "/token", form, nil) }
		if p := post(form(verifier)); p.StatusCode != http.StatusOK {
			t.Errorf("wanted 200, got %d %s", p.StatusCode, p.body)
		}
		mustRefuseGrant(t, post(form(strings.Repeat("c", 43))), "invalid_grant")
		nameless := form(verifier)
		nameless.Del("client_id")
		if p := post(nameless); p.StatusCode != http.StatusUnauthorized || p.tokens(t).Error != "invalid_client" {
			t.Errorf("without a name: wanted 401 invalid_client, got %d %s", p.StatusCode, p.body)
		}
	})
}

func TestC9Prompts(t *testing.T) {
	w := newWorld(t)
	t.Run("none, logged out", func(t *testing.T) {
		mustBeAnsweredWith(t, w.browser().at(t).silently(), "login_required")
	})
	t.Run("none, logged in", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		if to := b.silently(); to.Query().Get("code") == "" {
			t.Errorf("wanted a code, got %v", to)
		}
	})
	t.Run("none beside login", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		mustBeAnsweredWith(t, b.get(authorization("prompt", "none login")).location(t), "invalid_request")
	})
	t.Run("login asks again and proves it", func(t *testing.T) {
		b := w.browser().at(t)
		first := claimsIn(t, b.exchange(b.code("mair-prawf").Query().Get("code")).tokens(t).IDToken)
		w.clock.advance(10 * time.Second)
		if to := b.get(authorization("prompt", "login")).location(t); to.Path != "/step-up" {
			t.Fatalf("wanted to be asked once more, got %v", to)
		}
		again := claimsIn(t, b.exchange(b.code("mair-prawf", "prompt", "login").Query().Get("code")).tokens(t).IDToken)
		if again["auth_time"].(float64) < first["auth_time"].(float64)+10 || again["sid"] != first["sid"] || again["sub"] != first["sub"] {
			t.Errorf("wanted the same patient and session with a newer auth_time, got %v, then %v", first, again)
		}
	})
	t.Run("login is not answered by a login before it", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		w.clock.advance(2 * time.Second)
		to := b.get(authorization("prompt", "login")).location(t)
		resumed := b.get("/authorize?request=" + url.QueryEscape(to.Query().Get("request"))).location(t)
		if resumed.Path != "/step-up" {
			t.Errorf("wanted to be asked once more, got %v", resumed)
		}
	})
	t.Run("login cannot change the patient", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		before := b.get("/check").Header.Get("Dilys-Subject")
		w.clock.advance(2 * time.Second) // the login before is not of the second in which the portal asks
		to := b.get(authorization("prompt", "login")).location(t)
		request := to.Query().Get("request")
		p := b.get(b.answer(b.toProvider("nhs-login", url.Values{"request": {request}}), "emrys-difon").String())
		if p.StatusCode != http.StatusForbidden || b.get("/check").Header.Get("Dilys-Subject") != before {
			t.Errorf("wanted 403 and the first patient still there, got %d", p.StatusCode)
		}
		if resumed := b.get("/authorize?request=" + url.QueryEscape(request)).location(t); resumed.Query().Has("code") {
			t.Errorf("the portal was given a code: %v", resumed)
		}
	})
	t.Run("max_age=1", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		w.clock.advance(5 * time.Second)
		mustBeAnsweredWith(t, b.silently("max_age", "1"), "login_required")
		answer := b.code("mair-prawf", "max_age", "1")
		got := claimsIn(t, b.exchange(answer.Query().Get("code")).tokens(t).IDToken)
		if got["auth_time"].(float64) < float64(w.clock.Now().Unix()-1) {
			t.Errorf("wanted a fresh auth_time, got %v at %d", got["auth_time"], w.clock.Now().Unix())
		}
	})
	t.Run("max_age=10000", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		w.clock.advance(20 * time.Minute)
		got := claimsIn(t, b.exchange(b.silently("max_age", "10000").Query().Get("code")).tokens(t).IDToken)
		if got["auth_time"].(float64) != float64(w.clock.Now().Add(-20*time.Minute).Unix()) {
			t.Errorf("wanted the auth_time of the login, got %v", got["auth_time"])
		}
	})
}

func TestC9HintOfAnotherPatient(t *testing.T) {
	w := newWorld(t, withOtherPortals(t))
	mair, emrys := w.browser(), w.browser()
	hint := mair.exchange(mair.code("mair-prawf").Query().Get("code")).tokens(t).IDToken
	emrys.login("emrys-difon")
	w.clock.advance(3 * time.Minute) // a hint outlives its token
	if to := mair.silently("id_token_hint", hint); to.Query().Get("code") == "" {
		t.Errorf("the patient of the hint: wanted a code, got %v", to)
	}
	mustBeAnsweredWith(t, emrys.silently("id_token_hint", hint), "login_required")

	ask := authorization("id_token_hint", hint)
	answerAs := func(b *browser, patient string) *url.URL {
		request := b.get(ask).location(t).Query().Get("request")
		b.get(b.answer(b.toProvider("nhs-login", url.Values{"request": {request}}), patient).String())
		return b.get("/authorize?request=" + url.QueryEscape(request)).location(t)
	}
	mustBeAnsweredWith(t, answerAs(emrys, "emrys-difon"), "login_required")
	if to := answerAs(emrys, "mair-prawf"); to.Query().Has("code") || emrys.get("/check").StatusCode != http.StatusOK {
		t.Errorf("a login as the other patient: wanted no code and the session as it was, got %v", to)
	}
	mustBeAnsweredWith(t, answerAs(w.browser(), "emrys-difon"), "login_required")
	if to := answerAs(w.browser(), "mair-prawf"); to.Query().Get("code") == "" {
		t.Errorf("a fresh browser, the right patient: wanted a code, got %v", to)
	}

	for name, bad := range map[string]string{
		"garbage": "garbage", "alg none": unsigned(hint), "another signer": signedByStranger(t, hint),
		"another portal's": emrys.otherPortalsToken(t), "an access token": emrys.exchange(emrys.silently().Query().Get("code")).tokens(t).AccessToken,
	} {
		t.Run(name, func(t *testing.T) {
			mustBeAnsweredWith(t, emrys.at(t).silently("id_token_hint", bad), "invalid_request")
		})
	}
}

// otherPortalsToken is an ID token of this browser's patient for another portal.
func (b *browser) otherPortalsToken(t testing.TB) string {
	t.Helper()
	code := b.silently("client_id", otherID, "redirect_uri", otherCallback, "scope", "openid").Query().Get("code")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {otherCallback}, "code_verifier": {verifier}}
	return b.token(form, otherID, otherSecret).tokens(t).IDToken
}

// unsigned is the token with alg none.
func unsigned(raw string) string {
	return rawURL([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + strings.Split(raw, ".")[1] + "."
}

// strangersKey signs nothing of ours.
var strangersKey = sync.OnceValues(func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })

// signedByStranger is the token with the same claims and kid, by another key.
func signedByStranger(t testing.TB, raw string) string {
	t.Helper()
	key, err := strangersKey()
	must(t, err)
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	header := parsed.Signatures[0].Header
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: header.KeyID}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(header.ExtraHeaders[jose.HeaderType].(string))))
	must(t, err)
	signed, err := signer.Sign(parsed.UnsafePayloadWithoutVerification())
	must(t, err)
	out, err := signed.CompactSerialize()
	must(t, err)
	return out
}

func TestC10EndSession(t *testing.T) {
	w := newWorld(t, withOtherPortals(t))
	patient := w.browser()
	patient.login("mair-prawf")
	hint := patient.exchange(patient.silently().Query().Get("code")).tokens(t).IDToken
	stranger := w.browser()
	stranger.login("emrys-difon")
	strangersHint := stranger.exchange(stranger.silently().Query().Get("code")).tokens(t).IDToken
	const home = "http://127.0.0.1:9/"
	image := http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"cross-site"}, "Accept": {"image/*"}}
	for name, row := range map[string]struct {
		values url.Values
		header http.Header
	}{
		"an image on someone's page":    {url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {home}}, image},
		"a hidden frame":                {url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {home}}, hiddenFrame},
		"an unknown address":            {url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://attacker.example/"}}, nil},
		"the address with a query":      {url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {home + "?next=attacker"}}, nil},
		"the address without its slash": {url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {strings.TrimSuffix(home, "/")}}, nil},
		"another portal's address":      {url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://127.0.0.1:9/other-gone"}}, nil},
		"hint with alg none":            {url.Values{"id_token_hint": {unsigned(hint)}, "post_logout_redirect_uri": {home}}, nil},
		"hint of another signer":        {url.Values{"id_token_hint": {signedByStranger(t, hint)}, "post_logout_redirect_uri": {home}}, nil},
		"hint cut short":                {url.Values{"id_token_hint": {hint[:len(hint)-2]}, "post_logout_redirect_uri": {home}}, nil},
		"hint of another patient":       {url.Values{"id_token_hint": {strangersHint}, "post_logout_redirect_uri": {home}}, nil},
		"hint of another portal":        {url.Values{"id_token_hint": {hint}, "client_id": {otherID}, "post_logout_redirect_uri": {home}}, nil},
		"an access token as hint":       {url.Values{"id_token_hint": {patient.exchange(patient.silently().Query().Get("code")).tokens(t).AccessToken}}, nil},
		"a guessed sid":                 {url.Values{"client_id": {portalID}, "logout_hint": {identity.NewID()}, "post_logout_redirect_uri": {home}}, nil},
		"an unknown portal":             {url.Values{"client_id": {"attacker"}, "post_logout_redirect_uri": {home}}, nil},
		"the portal's name alone":       {url.Values{"client_id": {portalID}, "post_logout_redirect_uri": {home}}, nil},
		"an address alone":              {url.Values{"post_logout_redirect_uri": {home}}, nil},
		"a state alone":                 {url.Values{"state": {"attacker"}}, nil},
		"nothing":                       {url.Values{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := patient.at(t).send(http.MethodGet, "/end-session?"+row.values.Encode(), nil, row.header)
			if p.StatusCode != http.StatusOK || p.Header.Get("Location") != "" || !strings.Contains(p.body, `action="/end-session"`) {
				t.Errorf("wanted a page that asks, got %d to %q", p.StatusCode, p.Header.Get("Location"))
			}
			mustBeOurs(t, p, portalURL)
			crossSite := http.Header{"Origin": {"https://attacker.example"}, "Sec-Fetch-Site": {"cross-site"}}
			if p := patient.at(t).send(http.MethodPost, "/end-session", row.values, crossSite); !strings.HasPrefix(p.Header.Get("Location"), "/end-session") {
				t.Errorf("a cross-site post: wanted 303 to itself, got %d %q", p.StatusCode, p.Header.Get("Location"))
			}
			if !patient.at(t).loggedIn() || !stranger.at(t).loggedIn() {
				t.Fatal("a session was ended")
			}
			out := w.browser().at(t).send(http.MethodGet, "/end-session?"+row.values.Encode(), nil, nil) // nobody to end
			if to := out.Header.Get("Location"); to != "" && !strings.HasPrefix(to, home) || strings.Contains(to, "attacker") {
				t.Errorf("without a session: wanted a registered address or none, got %q", to)
			}
		})
	}
	t.Run("a repeated address", func(t *testing.T) {
		p := patient.at(t).get("/end-session?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {home, "https://attacker.example/"}}.Encode())
		if p.StatusCode != http.StatusBadRequest || p.Header.Get("Location") != "" || !patient.at(t).loggedIn() {
			t.Errorf("wanted 400 and the session as it was, got %d %q", p.StatusCode, p.Header.Get("Location"))
		}
	})
	t.Run("confirmed with an unknown address", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("rhys-newid")
		p := b.post("/end-session", url.Values{"post_logout_redirect_uri": {"https://attacker.example/"}})
		if p.Header.Get("Location") != "" || b.loggedIn() {
			t.Errorf("wanted it ended and no redirect, got %d %q", p.StatusCode, p.Header.Get("Location"))
		}
	})
	t.Run("as it should be", func(t *testing.T) {
		to := patient.at(t).get("/end-session?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {home}, "state": {"s t&a"}}.Encode()).location(t)
		if to.String() != home+"?state=s+t%26a" || patient.at(t).loggedIn() {
			t.Errorf("wanted the session ended and the portal with its state, got %v", to)
		}
		mustBeAnsweredWith(t, patient.at(t).silently(), "login_required")
	})
}

// cachedKeys is a portal's copy of the key set, as most libraries keep one: fetched
// anew only when it is old.
type cachedKeys struct {
	set     jose.JSONWebKeySet
	fetched time.Time
}

// verify checks a token by the copy, fetching it when it is 15 minutes old.
func (c *cachedKeys) verify(t testing.TB, w *world, raw string) error {
	t.Helper()
	if now := w.clock.Now(); now.Sub(c.fetched) >= token.JWKSMaxAge {
		p := w.browser().get("/jwks.json")
		c.fetched, c.set = now, jose.JSONWebKeySet{}
		must(t, json.Unmarshal([]byte(p.body), &c.set))
	}
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	keys := c.set.Key(parsed.Signatures[0].Header.KeyID)
	if len(keys) != 1 {
		return fmt.Errorf("kid: wanted it once in a copy of %s, got it %d times", c.fetched.Format(time.TimeOnly), len(keys))
	}
	_, err = parsed.Verify(keys[0])
	return err
}

func TestC12KeysRotateUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.clock.advance(token.KeyLife - 25*time.Minute)
	patients := []*browser{w.browser(), w.browser()}
	for _, b := range patients {
		b.login("mair-prawf")
	}
	hint := patients[0].exchange(patients[0].silently().Query().Get("code")).tokens(t).IDToken
	portals := make([]cachedKeys, 15) // one for each minute at which a copy may have been made
	kids := map[string]bool{}
	for minute := range 45 {
		w.clock.advance(time.Minute)
		for _, raw := range w.tokensWhileRefreshing(t, patients) {
			kids[kidOf(t, raw)] = true
			for i := range portals {
				if portals[i].fetched.IsZero() && i > minute {
					continue // comes later
				}
				if err := portals[i].verify(t, w, raw); err != nil {
					t.Fatalf("minute %d, portal %d: %v", minute, i, err)
				}
			}
		}
	}
	if len(kids) != 2 {
		t.Errorf("wanted two keys to have signed, got %d", len(kids))
	}
	if to := patients[0].silently("id_token_hint", hint); to.Query().Get("code") == "" {
		t.Errorf("a hint signed by the key before: wanted a code, got %v", to)
	}
}

// tokensWhileRefreshing lets every patient's portal get tokens while the service
// looks after its keys.
func (w *world) tokensWhileRefreshing(t *testing.T, patients []*browser) []string {
	t.Helper()
	codes := make([]string, len(patients))
	for i, b := range patients {
		codes[i] = b.get(authorization()).location(t).Query().Get("code")
	}
	var refreshed error
	var busy sync.WaitGroup
	busy.Go(func() { refreshed = w.Ring.Refresh(t.Context()) })
	var all []string
	for _, code := range codes {
		got := patients[0].exchange(code).tokens(t)
		all = append(all, got.IDToken, got.AccessToken)
	}
	busy.Wait()
	must(t, refreshed)
	return all
}

func kidOf(t testing.TB, raw string) string {
	t.Helper()
	head, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
	must(t, err)
	var header struct {
		Kid string `json:"kid"`
	}
	must(t, json.Unmarshal(head, &header))
	return header.Kid
}
