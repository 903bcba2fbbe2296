package service_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// cookie returns the value of a cookie that the browser holds for Dilys.
func (b *browser) cookie(name string) string {
	b.t.Helper()
	u, err := url.Parse(b.w.url)
	must(b.t, err)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// plant puts a cookie into the browser, as whoever used it before could.
func (b *browser) plant(name, value string) {
	b.t.Helper()
	u, err := url.Parse(b.w.url)
	must(b.t, err)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// checks asks for the check with exactly that session cookie.
func (w *world) checks(t testing.TB, cookie string) page {
	t.Helper()
	return w.browser().at(t).send(http.MethodGet, "/check", nil, http.Header{"Cookie": {"dilys=" + cookie}})
}

// holding is what a portal has of a session: a code that it has not spent yet, and
// an access token.
type holding struct{ code, access string }

// hold lets the portal get both without an act of the patient's.
func (b *browser) hold() holding {
	b.t.Helper()
	spent := b.silently().Query().Get("code")
	access := b.exchange(spent).tokens(b.t).AccessToken
	if access == "" {
		b.t.Fatal("the portal got no token")
	}
	return holding{b.silently().Query().Get("code"), access}
}

// face is one place at which a session opens something.
type face struct {
	name string
	open func(*browser, holding) bool
}

// faces are all of them. The first ones renew nothing.
var faces = []face{
	{"userinfo", func(b *browser, h holding) bool {
		return b.w.bearer(b.t, http.MethodGet, "/userinfo", h.access).StatusCode == http.StatusOK
	}},
	{"token endpoint", func(b *browser, h holding) bool { return b.exchange(h.code).StatusCode == http.StatusOK }},
	{"authorization without a page", func(b *browser, _ holding) bool { return b.silently().Query().Has("code") }},
	{"check by Bearer", func(b *browser, h holding) bool {
		return b.w.bearer(b.t, http.MethodGet, "/check", h.access).StatusCode == http.StatusOK
	}},
	{"check by cookie", func(b *browser, _ holding) bool { return b.loggedIn() }},
	{"activity by Bearer", func(b *browser, h holding) bool {
		return b.w.bearer(b.t, http.MethodPost, "/session/active", h.access).StatusCode == http.StatusOK
	}},
	{"activity by cookie", func(b *browser, _ holding) bool {
		return b.post("/session/active", url.Values{"to": {"/help"}}).StatusCode == http.StatusSeeOther
	}},
	{"account page", func(b *browser, _ holding) bool { return b.get("/account").StatusCode == http.StatusOK }},
	{"provider settings", func(b *browser, _ holding) bool {
		return strings.HasPrefix(b.get("/account/provider-settings").location(b.t).String(), b.w.simURL)
	}},
	{"authorization", func(b *browser, _ holding) bool { return b.get(authorization()).location(b.t).Query().Has("code") }},
	{"log-out page", func(b *browser, _ holding) bool { return b.get("/logout").StatusCode == http.StatusOK }},
	{"chooser goes on", func(b *browser, _ holding) bool { return b.get("/login").StatusCode == http.StatusSeeOther }},
}

// mustBe fails unless the session is open at every face, or at none.
func (b *browser) mustBe(open bool, h holding, when string) {
	b.t.Helper()
	for _, f := range faces {
		if got := f.open(b, h); got != open {
			b.t.Errorf("%s, %s: wanted open %t, got %t", when, f.name, open, got)
		}
	}
}

func TestH1Fixation(t *testing.T) {
	w := newWorld(t)
	t.Run("a made-up session id before the login", func(t *testing.T) {
		planted, browserID := identity.NewToken().Reveal(), identity.NewToken().Reveal()
		victim := w.browser().at(t)
		victim.plant("dilys", planted)
		victim.plant("dilys-browser", browserID)
		victim.login("mair-prawf")
		if !victim.loggedIn() || victim.cookie("dilys") == planted || w.checks(t, planted).StatusCode != http.StatusUnauthorized {
			t.Error("wanted a new session id and the planted one worth nothing")
		}
		if victim.cookie("dilys-browser") == browserID {
			t.Error("wanted a new browser id with the login")
		}
	})
	t.Run("the attacker's own living session", func(t *testing.T) {
		attacker, victim := w.browser().at(t), w.browser().at(t)
		attacker.login("emrys-difon")
		before := attacker.get("/check").Header
		victim.plant("dilys", attacker.cookie("dilys"))
		p := victim.login("mair-prawf")
		if p.StatusCode != http.StatusForbidden {
			t.Errorf("wanted 403, got %d", p.StatusCode)
		}
		after := attacker.get("/check").Header
		if after.Get("Dilys-Subject") != before.Get("Dilys-Subject") || after.Get("Dilys-Session") != before.Get("Dilys-Session") {
			t.Errorf("the attacker's session became another: %v", after)
		}
	})
	for name, leave := range map[string]func(*browser){
		"to a patient who is logged in": func(*browser) {}, "to a patient who has logged out": func(b *browser) { b.post("/logout", nil) },
	} {
		t.Run("a planted browser id and the attacker's own login, "+name, func(t *testing.T) {
			planted := identity.NewToken().Reveal()
			attacker, victim := w.browser().at(t), w.browser().at(t)
			attacker.plant("dilys-browser", planted)
			victim.plant("dilys-browser", planted)
			callback := attacker.answer(attacker.toProvider("nhs-login", nil), "emrys-difon")
			victim.login("mair-prawf")
			leave(victim)
			before := victim.get("/check").Header.Get("Dilys-Subject")
			p := victim.get(callback.String())
			if got := victim.get("/check").Header.Get("Dilys-Subject"); got != before {
				t.Errorf("the attacker's login took the patient's place: got %d, and the check tells of %q instead of %q", p.StatusCode, got, before)
			}
		})
	}
	t.Run("a raise", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		session, browserID, sid := b.cookie("dilys"), b.cookie("dilys-browser"), b.get("/check").Header.Get("Dilys-Session")
		w.clock.advance(time.Minute)
		if p := b.login("mair-prawf"); p.StatusCode != http.StatusSeeOther {
			t.Fatalf("the second login: wanted 303, got %d", p.StatusCode)
		}
		if b.cookie("dilys") == session || b.cookie("dilys-browser") == browserID {
			t.Error("wanted a new session secret and a new browser id")
		}
		if got := b.get("/check").Header.Get("Dilys-Session"); got != sid {
			t.Errorf("wanted the sid to stay %s, got %s", sid, got)
		}
		if got := w.checks(t, session); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("the secret from before: wanted 401, got %d", got.StatusCode)
		}
	})
	t.Run("logging out and in again", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		session, sid := b.cookie("dilys"), b.get("/check").Header.Get("Dilys-Session")
		b.post("/logout", nil)
		if b.cookie("dilys") != "" {
			t.Error("the cookie stays after logging out")
		}
		b.plant("dilys", session) // a browser that kept it
		b.login("mair-prawf")
		if b.cookie("dilys") == session || b.get("/check").Header.Get("Dilys-Session") == sid || w.checks(t, session).StatusCode != http.StatusUnauthorized {
			t.Error("wanted a new session, and the one that was ended to stay so")
		}
	})
}

func TestH2LimitsOnEveryFace(t *testing.T) {
	w := newWorld(t)
	w.rebuild(forOurselves)
	mint := 30 * time.Second // credentials are this old when they are tried
	for name, row := range map[string]struct {
		idle  time.Duration
		login func(*browser)
	}{
		"ordinary":      {30 * time.Minute, func(b *browser) { b.login("mair-prawf") }},
		"shared device": {10 * time.Minute, func(b *browser) { b.loginWith(url.Values{"device": {"shared"}}) }},
		"NHS App": {10 * time.Minute, func(b *browser) {
			b.header.Set("User-Agent", "Mozilla/5.0 (iPhone) nhsapp-ios/2.0")
			b.login("mair-prawf")
		}},
	} {
		t.Run("idle, "+name, func(t *testing.T) {
			for _, last := range []struct {
				open  bool
				after time.Duration
			}{{true, row.idle - time.Second}, {false, row.idle}} {
				b := w.browser().at(t)
				row.login(b)
				w.clock.advance(last.after - mint)
				h := b.hold()
				w.clock.advance(mint)
				b.mustBe(last.open, h, last.after.String())
			}
		})
	}
	t.Run("idle, an act within a minute of the last one is not written", func(t *testing.T) {
		for _, last := range []struct {
			open  bool
			after time.Duration
		}{{true, 30*time.Minute - 60*time.Second}, {false, 30 * time.Minute}} {
			b := w.browser().at(t)
			b.login("mair-prawf")
			w.clock.advance(10 * time.Minute)
			b.get("/account")
			w.clock.advance(59 * time.Second)
			b.get("/account")
			w.clock.advance(last.after)
			if got := b.loggedIn(); got != last.open {
				t.Errorf("%s after the last act: wanted open %t, got %t", last.after, last.open, got)
			}
		}
	})
	t.Run("idle is not renewed behind the patient's back", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		for range 3 {
			w.clock.advance(9 * time.Minute)
			w.bearer(t, http.MethodGet, "/userinfo", b.hold().access)
		}
		w.clock.advance(3 * time.Minute)
		if b.loggedIn() {
			t.Error("silent authorizations, token exchanges and userinfo kept the session alive")
		}
	})
	t.Run("overall", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		for range 24 {
			w.clock.advance(29 * time.Minute)
			if !b.loggedIn() {
				t.Fatal("the session of a busy patient ended early")
			}
		}
		w.clock.advance(12*time.Hour - 24*29*time.Minute - time.Second - mint)
		b.loggedIn() // the last act
		h := b.hold()
		w.clock.advance(mint)
		b.mustBe(true, h, "1 s before the overall end")
		h = b.hold()
		w.clock.advance(time.Second)
		b.mustBe(false, h, "the overall end")
	})
	t.Run("a raise does not begin the overall limit anew", func(t *testing.T) {
		b := w.browser().at(t)
		b.login("mair-prawf")
		for range 24 {
			w.clock.advance(29 * time.Minute)
			b.loggedIn()
		}
		b.login("mair-prawf")
		w.clock.advance(12*time.Hour - 24*29*time.Minute)
		if b.loggedIn() {
			t.Error("wanted the end 12 h after the first login")
		}
	})
}

// loginWith is login with more fields in the chooser's form.
func (b *browser) loginWith(form url.Values) page {
	b.t.Helper()
	return b.get(b.answer(b.toProvider("nhs-login", form), "mair-prawf").String())
}

func TestEndedByAnOperatorOnEveryFace(t *testing.T) {
	w := newWorld(t)
	w.rebuild(forOurselves)
	const operator, reason = "operator:test", "a row"
	for name, row := range map[string]struct {
		patient string
		act     func(id string) error
		again   bool // whether a new login is given
	}{
		"disable":  {"mair-prawf", func(id string) error { return w.Accounts.Disable(t.Context(), id, operator, reason) }, false},
		"sign-out": {"rhys-newid", func(id string) error { return w.Accounts.SignOut(t.Context(), id, operator, reason) }, true},
		"disable and enable": {"nia-dwbl", func(id string) error {
			if err := w.Accounts.Disable(t.Context(), id, operator, reason); err != nil {
				return err
			}
			return w.Accounts.Enable(t.Context(), id, operator, reason)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			phone, desk, stranger := w.browser().at(t), w.browser().at(t), w.browser().at(t)
			phone.login(row.patient)
			desk.login(row.patient)
			stranger.login("emrys-difon")
			onPhone, atDesk, strangers := phone.hold(), desk.hold(), stranger.hold()
			must(t, row.act(phone.get("/check").Header.Get("Dilys-Subject")))
			phone.mustBe(false, onPhone, "phone")
			desk.mustBe(false, atDesk, "desk")
			stranger.mustBe(true, strangers, "another patient")
			again := w.browser().at(t)
			if p := again.login(row.patient); again.loggedIn() != row.again {
				t.Errorf("a new login: wanted it given %t, got %d", row.again, p.StatusCode)
			}
		})
	}
}

// credentials is one of each kind of secret thing that goes around.
type credentials map[string]string

// mintAll makes one of each kind for a patient who is logged in. Only the cookie is
// the patient's own; the rest is what a portal or a provider sees.
func (b *browser) mintAll(t testing.TB) credentials {
	t.Helper()
	c := credentials{"session cookie": b.cookie("dilys"), "browser cookie": b.cookie("dilys-browser"), "sid": b.get("/check").Header.Get("Dilys-Session")}
	got := b.exchange(b.silently().Query().Get("code")).tokens(t)
	c["ID token"], c["access token"] = got.IDToken, got.AccessToken
	c["code"] = b.silently().Query().Get("code")
	c["account id"] = b.get("/check").Header.Get("Dilys-Subject")
	at := b.toProvider("nhs-login", nil)
	c["state of an attempt"], c["provider's code"] = at.Query().Get("state"), b.answer(at, "mair-prawf").Query().Get("code")
	c["waiting request"] = b.get(authorization("prompt", "login")).location(t).Query().Get("request")
	c["portal's secret"] = portalSecret
	c["random"] = identity.NewToken().Reveal()
	return c
}

func TestH3OneKindIsNeverTakenForAnother(t *testing.T) {
	w := newWorld(t)
	w.rebuild(forOurselves)
	optional := map[string]bool{"hint of an authorization": true, "chooser for a request": true} // nothing there is as good as leaving it out
	bearer := func(method, path string) func(*browser, string) bool {
		return func(b *browser, v string) bool { return w.bearer(b.t, method, path, v).StatusCode == http.StatusOK }
	}
	for name, row := range map[string]struct {
		takes string // the one kind that opens it
		open  func(*browser, string) bool
	}{
		"check by cookie": {"session cookie", func(b *browser, v string) bool { return w.checks(b.t, v).StatusCode == http.StatusOK }},
		"account page": {"session cookie", func(b *browser, v string) bool {
			return w.browser().at(b.t).send(http.MethodGet, "/account", nil, http.Header{"Cookie": {"dilys=" + v}}).StatusCode == http.StatusOK
		}},
		"check by Bearer":    {"access token", bearer(http.MethodGet, "/check")},
		"userinfo":           {"access token", bearer(http.MethodGet, "/userinfo")},
		"activity by Bearer": {"access token", bearer(http.MethodPost, "/session/active")},
		"userinfo, in the form": {"access token", func(b *browser, v string) bool {
			return w.browser().at(b.t).send(http.MethodPost, "/userinfo", url.Values{"access_token": {v}}, nil).StatusCode == http.StatusOK
		}},
		"userinfo, in the query": {"", func(b *browser, v string) bool {
			return w.browser().at(b.t).get("/userinfo?access_token="+url.QueryEscape(v)).StatusCode == http.StatusOK
		}},
		"token endpoint": {"code", func(b *browser, v string) bool { return b.exchange(v).StatusCode == http.StatusOK }},
		"portal's password": {"portal's secret", func(b *browser, v string) bool {
			return b.token(url.Values{"grant_type": {"authorization_code"}}, portalID, v).StatusCode == http.StatusBadRequest
		}},
		"hint of an authorization": {"ID token", func(b *browser, v string) bool { return b.silently("id_token_hint", v).Query().Has("code") }},
		"waiting request": {"waiting request", func(b *browser, v string) bool {
			return b.get("/authorize?"+url.Values{"request": {v}}.Encode()).StatusCode == http.StatusSeeOther
		}},
		"chooser for a request": {"waiting request", func(b *browser, v string) bool {
			return w.browser().at(b.t).get("/login?"+url.Values{"request": {v}}.Encode()).StatusCode == http.StatusOK
		}},
		"callback's state": {"state of an attempt", func(b *browser, v string) bool {
			w.sim.ResetCalls()
			b.get("/login/nhs-login/callback?" + url.Values{"state": {v}, "code": {identity.NewID()}}.Encode())
			return w.sim.CallsTo(simulator.EndpointToken) > 0
		}},
		"hint at the end": {"ID token", func(b *browser, v string) bool {
			return b.get("/end-session?"+url.Values{"id_token_hint": {v}, "post_logout_redirect_uri": {"http://127.0.0.1:9/"}}.Encode()).StatusCode == http.StatusSeeOther
		}},
		"sid at the end": {"sid", func(b *browser, v string) bool {
			q := url.Values{"client_id": {portalID}, "logout_hint": {v}, "post_logout_redirect_uri": {"http://127.0.0.1:9/"}}
			return b.get("/end-session?"+q.Encode()).StatusCode == http.StatusSeeOther
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser().at(t)
			b.login("mair-prawf")
			for kind, value := range b.mintAll(t) {
				if kind != row.takes && row.open(b, value) {
					t.Errorf("%s was taken", kind)
				}
			}
			if row.takes == "" {
				return
			}
			fresh := b.mintAll(t)[row.takes]
			for change, value := range mutations(fresh) {
				if (value != "" || !optional[name]) && row.open(b, value) {
					t.Errorf("%s, %s, was taken", row.takes, change)
				}
			}
			if !row.open(b, fresh) {
				t.Errorf("%s was not taken", row.takes)
			}
		})
	}
}

// mutations are a secret with something wrong: a byte less or more, other bits,
// and, where the text has one, a second spelling of the same bytes.
func mutations(v string) map[string]string {
	out := map[string]string{
		"one less":       v[:len(v)-1],
		"the first gone": v[1:],
		"a half":         v[:len(v)/2],
		"one more":       v + "A",
		"padded":         v + "=",
		"dot at the end": v + ".",
		"twice":          v + v,
		"empty":          "",
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, i := range []int{0, len(v) / 4, len(v) / 2, 3 * len(v) / 4, len(v) - 2, len(v) - 1} {
		at := strings.IndexByte(alphabet, v[i])
		if at < 0 {
			continue
		}
		// The lowest bit of the last character is beyond the last byte: another
		// spelling of the same bytes.
		out[fmt.Sprintf("bit of byte %d", i)] = v[:i] + string(alphabet[at^1]) + v[i+1:]
		out[fmt.Sprintf("high bit of byte %d", i)] = v[:i] + string(alphabet[at^32]) + v[i+1:]
	}
	if head, rest, is := strings.Cut(v, "."); is {
		body, _, _ := strings.Cut(rest, ".")
		out["alg none"] = unsigned(v)
		out["no signature"] = head + "." + body + "."
		out["two parts"] = head + "." + body
		out["body only"] = body
	}
	return out
}

// raw sends those header lines as they are, and returns the status.
func (w *world) raw(t testing.TB, path string, lines ...string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	must(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n\r\n",
		path, strings.TrimPrefix(w.url, "http://"), strings.Join(lines, "\r\n"))
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	_ = answer.Body.Close()
	return answer.StatusCode
}

func TestH4Cookies(t *testing.T) {
	w := newWorld(t)
	mine, theirs := w.browser(), w.browser()
	mine.login("mair-prawf")
	theirs.login("emrys-difon")
	a, b := mine.cookie("dilys"), theirs.cookie("dilys")
	if got := w.raw(t, "/check", "Cookie: dilys="+a); got != http.StatusOK {
		t.Fatalf("the cookie as it should be: wanted 200, got %d", got)
	}
	many := strings.Repeat("x=y; ", 200)
	for name, lines := range map[string][]string{
		"two of one name":                   {"Cookie: dilys=" + a + "; dilys=" + b},
		"two of one name, the same":         {"Cookie: dilys=" + a + "; dilys=" + a},
		"two headers":                       {"Cookie: dilys=" + a, "Cookie: dilys=" + b},
		"an empty one first":                {"Cookie: dilys=; dilys=" + a},
		"an empty one last":                 {"Cookie: dilys=" + a + "; dilys="},
		"without a name":                    {"Cookie: =dilys=" + a},
		"without a name, with the prefix":   {"Cookie: =__Host-dilys=" + a},
		"two of one name, one with a space": {"Cookie: dilys =" + b + "; dilys=" + a},
		"a name after a wide space":         {"Cookie: x=y; \u2000dilys=" + a},
		"a name after a byte of no text":    {"Cookie: x=y; \x85dilys=" + a},
		"a cookie inside a quoted one":      {`Cookie: $Version=1; x="y; dilys=` + a + `"`},
		"in capitals":                       {"Cookie: Dilys=" + a},
		"with the prefix of https":          {"Cookie: __Host-dilys=" + a},
		"with another prefix":               {"Cookie: __Secure-dilys=" + a},
		"a longer name":                     {"Cookie: dilysx=" + a},
		"in the language cookie":            {"Cookie: dilys-lang=" + a},
		"in the browser cookie":             {"Cookie: dilys-browser=" + a},
		"a space inside":                    {"Cookie: dilys=" + a[:20] + " " + a[20:]},
		"a comma for a semicolon":           {"Cookie: dilys=" + a + ",dilys=" + b},
		"a longer value":                    {"Cookie: dilys=" + a + b},
		"percent signs":                     {"Cookie: dilys=%" + fmt.Sprintf("%02x", a[0]) + a[1:]},
		"a folded line":                     {"Cookie: dilys=" + a[:20], " " + a[20:]},
		"a control character":               {"Cookie: dilys=" + a + "\x01"},
		"a bare line feed":                  {"Cookie: x=y\nCookie2: dilys=" + a},
		"200 others and two":                {"Cookie: " + many + "dilys=" + a + "; dilys=" + b},
		"6000 others and it":                {"Cookie: " + strings.Repeat("x=y; ", 6000) + "dilys=" + a + "; dilys=" + b},
		"a name of 100 kB":                  {"Cookie: " + strings.Repeat("n", 100<<10) + "=" + a},
		"a value of 100 kB":                 {"Cookie: dilys=" + strings.Repeat("v", 100<<10)},
		"not a token":                       {"Cookie: dilys=admin"},
		"SQL":                               {"Cookie: dilys=' OR 1=1 --"},
		"in a header of another name":       {"Cookies: dilys=" + a},
		"in Authorization":                  {"Authorization: dilys=" + a},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.raw(t, "/check", lines...); got < 400 || got >= 500 {
				t.Errorf("check: wanted 4xx, got %d", got)
			}
			if got := w.raw(t, "/account", lines...); got != http.StatusSeeOther && (got < 400 || got >= 500) {
				t.Errorf("account: wanted the login or 4xx, got %d", got)
			}
		})
	}
	t.Run("200 others and one", func(t *testing.T) {
		if got := w.raw(t, "/check", "Cookie: "+many+"dilys="+a); got != http.StatusOK {
			t.Errorf("wanted 200, got %d", got)
		}
	})
	t.Run("behind https the bare name is a sibling's", func(t *testing.T) {
		front := w.strictFront()
		for cookie, wanted := range map[string]int{
			"__Host-dilys=" + a: http.StatusOK, "dilys=" + a: http.StatusUnauthorized, "__host-dilys=" + a: http.StatusUnauthorized,
			"__Host-dilys=" + a + "; __Host-dilys=" + b: http.StatusUnauthorized,
			"dilys=" + b + "; __Host-dilys=" + a:        http.StatusOK,
		} {
			v := front.visitor(t)
			v.header.Set("Cookie", cookie)
			if got := v.do(http.MethodGet, "/check", nil); got.StatusCode != wanted {
				t.Errorf("%s: wanted %d, got %d", strings.NewReplacer(a, "A", b, "B").Replace(cookie), wanted, got.StatusCode)
			}
		}
	})
}

// TestH5OldTabOnASharedComputer: one browser, two patients after one another. What
// the first one's tabs still hold may never give anything of the second one's, and
// never ends in a login by somebody else. Whoever presses "Log out" ends up logged
// out, whose page it was: that is the safe side.
func TestH5OldTabOnASharedComputer(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.login("mair-prawf")
	mairs := b.exchange(b.silently().Query().Get("code")).tokens(t)
	unspent := b.silently().Query().Get("code")
	pending := b.answer(b.toProvider("nhs-login", nil), "mair-prawf") // a tab that waits at the provider
	old := b.cookie("dilys")
	if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther {
		t.Fatalf("logout: %d", p.StatusCode)
	}
	b.login("emrys-difon")
	emrys := b.get("/check").Header

	stillEmrys := func(t *testing.T) {
		t.Helper()
		if now := b.at(t).get("/check"); now.StatusCode != http.StatusOK || now.Header.Get("Dilys-Session") != emrys.Get("Dilys-Session") {
			t.Errorf("the second patient's session: wanted it as it was, got %d", now.StatusCode)
		}
	}
	nothingOfEmrys := func(t *testing.T, p page) {
		t.Helper()
		if strings.Contains(p.body, "Emrys") || strings.Contains(p.body, emrys.Get("Dilys-Subject")) {
			t.Error("the answer shows the second patient")
		}
	}
	t.Run("the old session", func(t *testing.T) {
		if got := w.checks(t, old).StatusCode; got != http.StatusUnauthorized {
			t.Errorf("wanted 401, got %d", got)
		}
	})
	t.Run("the old tab comes back from the provider", func(t *testing.T) {
		p := b.at(t).get(pending.String())
		if p.StatusCode < 400 || p.StatusCode >= 500 {
			t.Errorf("wanted a refusal, got %d", p.StatusCode)
		}
		nothingOfEmrys(t, p)
		stillEmrys(t)
	})
	t.Run("the old tab's code and token", func(t *testing.T) {
		mustRefuseGrant(t, b.at(t).exchange(unspent), "invalid_grant")
		if got := w.bearer(t, http.MethodGet, "/userinfo", mairs.AccessToken).StatusCode; got != http.StatusUnauthorized {
			t.Errorf("userinfo: wanted 401, got %d", got)
		}
		stillEmrys(t)
	})
	t.Run("the old tab's portal logs out", func(t *testing.T) {
		p := b.at(t).get("/end-session?" + url.Values{"id_token_hint": {mairs.IDToken}, "post_logout_redirect_uri": {"http://127.0.0.1:9/"}}.Encode())
		if p.StatusCode != http.StatusOK || p.Header.Get("Location") != "" {
			t.Errorf("wanted a page that asks, got %d", p.StatusCode)
		}
		nothingOfEmrys(t, p)
		stillEmrys(t)
	})
	t.Run("the old tab stays logged in", func(t *testing.T) {
		p := b.at(t).post("/session/active", url.Values{"to": {"/help"}})
		nothingOfEmrys(t, p)
		stillEmrys(t)
	})
	t.Run("the old tab logs in as its patient", func(t *testing.T) {
		p := b.at(t).login("mair-prawf")
		if p.StatusCode != http.StatusForbidden {
			t.Errorf("wanted 403: a session never changes its patient, got %d", p.StatusCode)
		}
		nothingOfEmrys(t, p)
		stillEmrys(t)
	})
	t.Run("the old tab logs out", func(t *testing.T) {
		now := b.cookie("dilys")
		p := b.at(t).post("/logout", nil)
		nothingOfEmrys(t, p)
		if b.at(t).loggedIn() || w.checks(t, now).StatusCode != http.StatusUnauthorized {
			t.Error("whoever presses the button must end up logged out")
		}
	})
}

// TestH5TabFromBeforeAnybodyLoggedIn: its attempt belongs to no session, and must
// not push out the patient who has logged in meanwhile.
func TestH5TabFromBeforeAnybodyLoggedIn(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	earlier := b.answer(b.toProvider("nhs-login", nil), "mair-prawf")
	b.login("emrys-difon")
	before := b.get("/check").Header.Get("Dilys-Session")
	p := b.get(earlier.String())
	if got := b.get("/check").Header.Get("Dilys-Session"); got != before || p.StatusCode < 400 {
		t.Errorf("wanted a refusal and the session of the patient at the keyboard, got %d and %q instead of %q", p.StatusCode, got, before)
	}
}

// TestH5TheNextPatientIsAskedForEverything: NHS login has no log-out, so its own
// session may still be the last patient's.
func TestH5TheNextPatientIsAskedForEverything(t *testing.T) {
	w := newWorld(t)
	for name, between := range map[string]func(*browser){
		"after a log-out":                         func(b *browser) { b.post("/logout", nil) },
		"after a session that ran out":            func(b *browser) { b.w.clock.advance(31 * time.Minute) },
		"after a raise and a log-out":             func(b *browser) { b.login("mair-prawf"); b.post("/logout", nil) },
		"after somebody else's try and a log-out": func(b *browser) { b.login("emrys-difon"); b.post("/logout", nil) },
		"after an under-age try and a log-out": func(b *browser) {
			b.post("/logout", nil)
			b.login("carys-ifanc")
		},
		"after an operator ended it": func(b *browser) {
			must(b.t, b.w.Accounts.SignOut(b.t.Context(), b.get("/check").Header.Get("Dilys-Subject"), "operator:test", "a row"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser().at(t)
			if at := b.toProvider("nhs-login", nil); at.Query().Get("prompt") == "login" {
				t.Fatal("the first patient in this browser was asked for everything already")
			}
			b.login("mair-prawf")
			between(b)
			if at := b.toProvider("nhs-login", nil); at.Query().Get("prompt") != "login" {
				t.Errorf("wanted prompt=login, got %q", at.Query().Get("prompt"))
			}
		})
	}
}
