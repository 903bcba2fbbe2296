package service_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// flow is a login that a portal asked for, as far as the provider's answer, which
// the browser has not followed yet.
type flow struct {
	browser  *browser
	request  string // the portal's, waiting
	callback *url.URL
}

func (w *world) flow(t *testing.T, patient string) flow {
	t.Helper()
	return w.visitor(t).flow(patient)
}

func (b *browser) flow(patient string, more ...string) flow {
	b.t.Helper()
	request := b.get(authorization(more...)).location(b.t).Query().Get("request")
	at := b.toProvider("nhs-login", url.Values{"request": {request}})
	return flow{b, request, b.answer(at, patient)}
}

// again is where Start again leads: to the page first asked for.
func (f flow) again() string { return "/authorize?request=" + f.request }

// finish follows the callback to the portal's code.
func (f flow) finish(t *testing.T) {
	t.Helper()
	back := f.browser.get(f.callback.String()).location(t)
	if at := f.browser.get(back.String()).location(t); at.Query().Get("code") == "" {
		t.Fatalf("wanted the portal to be answered with a code, got %v", at)
	}
}

func TestB6_CallbackOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// Each row begins with the flow of a patient who did nothing wrong, which must
	// still work afterwards.
	for name, row := range map[string]struct {
		cause  string
		follow func(t *testing.T, f flow) (*browser, page)
	}{
		"a browser without cookies": {"callback-foreign", func(t *testing.T, f flow) (*browser, page) {
			b := w.visitor(t)
			return b, b.get(f.callback.String())
		}},
		"another browser": {"callback-foreign", func(t *testing.T, f flow) (*browser, page) {
			b := w.visitor(t)
			b.toProvider("nhs-login", nil)
			return b, b.get(f.callback.String())
		}},
		"another browser, logged out again": {"callback-foreign", func(t *testing.T, f flow) (*browser, page) {
			b := w.visitor(t)
			b.mustBeIn(b.login("ianto-passkey"))
			b.post("/logout", nil)
			return b, b.get(f.callback.String())
		}},
		"at another provider's callback": {"callback-foreign", func(t *testing.T, f flow) (*browser, page) {
			to := *f.callback
			to.Path = "/login/second/callback"
			return f.browser, f.browser.get(to.String())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := w.flow(t, "mair-prawf")
			for _, each := range w.liars() {
				each.sim.ResetCalls()
			}
			b, p := row.follow(t, f)
			if got := startAgain(p); got != f.again() {
				t.Errorf("Start again: wanted %s, got %s", f.again(), got)
			}
			b.mustNotLogIn(p)
			if e := w.eventOf(t, referenceText.FindString(p.body)); e.Cause != row.cause {
				t.Errorf("audit: wanted %s, got %s", row.cause, e.Cause)
			}
			if code := f.callback.Query().Get("code"); strings.Contains(p.body, code) {
				t.Errorf("wanted the code nowhere on the page, got it")
			}
			if got := w.second.CallsTo(simulator.EndpointToken); got != 0 {
				t.Errorf("the other provider: wanted nothing exchanged, got %d calls", got)
			}
			f.finish(t)
		})
	}
}

// TestB6_LoginCSRF: an attacker's own answer, planted in a patient's browser, must
// not log the patient in as the attacker (ASVS 7.6.2).
func TestB6_LoginCSRF(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attacker := w.flow(t, "ianto-passkey")
	for name, arrive := range map[string]func(t *testing.T) *browser{
		"a browser that was never here": func(t *testing.T) *browser { t.Helper(); return w.visitor(t) },
		"a browser that has a login under way": func(t *testing.T) *browser {
			t.Helper()
			b := w.visitor(t)
			b.toProvider("nhs-login", nil)
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := arrive(t)
			w.sim.ResetCalls()
			b.mustNotLogIn(b.get(attacker.callback.String()))
			w.nhsLogin().mustHaveBeenAsked(t, nowhere)
		})
	}
	t.Run("a browser that is logged in", func(t *testing.T) {
		b := w.visitor(t)
		b.mustBeIn(b.login("mair-prawf"))
		mine := b.subject()
		w.sim.ResetCalls()
		p := b.get(attacker.callback.String())
		if p.StatusCode < http.StatusBadRequest || b.subject() != mine {
			t.Errorf("wanted a refusal and the session as it was, got %d", p.StatusCode)
		}
		w.nhsLogin().mustHaveBeenAsked(t, nowhere)
	})
}

// TestB6_PlantedBrowserCookie: who planted the value that binds attempts to a
// browser, and began a login of their own with it, gains nothing after the
// patient's own login there.
func TestB6_PlantedBrowserCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attacker, victim := w.visitor(t), w.visitor(t)
	planted := attacker.flow("ianto-passkey")
	at, err := url.Parse(w.url)
	must(t, err)
	victim.client.Jar.SetCookies(at, []*http.Cookie{{Name: "dilys-browser", Value: attacker.keeps("dilys-browser"), Path: "/"}})
	victim.mustBeIn(victim.login("mair-prawf"))
	mine := victim.subject()
	if victim.keeps("dilys-browser") == attacker.keeps("dilys-browser") {
		t.Errorf("wanted a new value with the login, got the planted one")
	}
	victim.get(planted.callback.String())
	if victim.subject() != mine {
		t.Errorf("wanted the patient to stay logged in as themselves, got the attacker's session")
	}
	attacker.mustNotLogIn(attacker.get(planted.callback.String()))
}

func TestB6_Replay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	t.Run("in the browser that it logged in, it just goes on", func(t *testing.T) {
		f := w.flow(t, "mair-prawf")
		w.sim.ResetCalls()
		first := f.browser.get(f.callback.String()).location(t)
		held := f.browser.keeps("dilys")
		second := f.browser.get(f.callback.String()).location(t)
		if first.String() != second.String() || f.browser.keeps("dilys") != held {
			t.Errorf("wanted the same way on and the same session, got %s and %s", first, second)
		}
		w.nhsLogin().mustHaveBeenAsked(t, atUserinfo)
	})
	t.Run("after logging out", func(t *testing.T) {
		f := w.flow(t, "mair-prawf")
		f.browser.mustBeIn(f.browser.get(f.callback.String()))
		f.browser.post("/logout", nil)
		w.sim.ResetCalls()
		p := f.browser.get(f.callback.String())
		f.browser.mustNotLogIn(p)
		if p.StatusCode != http.StatusBadRequest {
			t.Errorf("wanted a refusal, got %d", p.StatusCode)
		}
		w.nhsLogin().mustHaveBeenAsked(t, nowhere)
	})
	t.Run("after a refusal", func(t *testing.T) {
		must(t, w.sim.SetNextFaults(w.nhsLogin().preset(t, "invalid-sig")))
		f := w.flow(t, "mair-prawf")
		f.browser.mustBeRefused(f.browser.get(f.callback.String()), "nhs-login", "id-token-signature")
		w.sim.ResetCalls()
		p := f.browser.get(f.callback.String())
		f.browser.mustBeRefused(p, "nhs-login", "callback-used")
		if got := startAgain(p); got != f.again() {
			t.Errorf("Start again: wanted %s, got %s", f.again(), got)
		}
		w.nhsLogin().mustHaveBeenAsked(t, nowhere)
	})
	t.Run("in parallel, one exchange", func(t *testing.T) {
		f := w.flow(t, "mair-prawf")
		w.sim.ResetCalls()
		var all []func()
		for range 8 {
			all = append(all, func() { f.browser.get(f.callback.String()) })
		}
		together(all...)
		w.nhsLogin().mustHaveBeenAsked(t, atUserinfo)
		if !f.browser.loggedIn() {
			t.Errorf("wanted the one that was first to log in, got no session")
		}
	})
}

// TestB6_CodeOfAnotherFlow: a code does not fit another login, at either provider:
// the nonce tells at one, PKCE at the other (RFC 9700 §4.5).
func TestB6_CodeOfAnotherFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, row := range []struct {
		from  liar
		cause string
		ends  int
	}{
		{w.nhsLogin(), "nonce-mismatch", atToken},
		{w.otherLogin(), "code-not-accepted", atToken},
	} {
		t.Run(row.from.id, func(t *testing.T) {
			attacker, victim := w.visitor(t), w.visitor(t)
			stolen := attacker.answer(attacker.toProvider(row.from.id, nil), "ianto-passkey").Query().Get("code")
			callback := victim.answer(victim.toProvider(row.from.id, nil), "mair-prawf")
			row.from.sim.ResetCalls()
			p := victim.get(withQuery(callback, "code", stolen))
			victim.mustBeRefused(p, row.from.id, row.cause)
			row.from.mustHaveBeenAsked(t, row.ends)
		})
	}
}

func TestB6_LateCallback(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		after  time.Duration
		values url.Values
		again  string
	}{
		"a page of ours was asked for": {2*time.Hour + time.Minute, url.Values{"return": {"/help?about=login"}}, "/login?return=%2Fhelp%3Fabout%3Dlogin"},
		"nothing was asked for":        {2*time.Hour + time.Minute, nil, "/login"},
		"after a week":                 {7 * 24 * time.Hour, nil, "/login"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.visitor(t)
			callback := b.answer(b.toProvider("nhs-login", row.values), "mair-prawf")
			w.clock.advance(row.after)
			w.sim.ResetCalls()
			p := b.get(callback.String())
			b.mustBeRefused(p, "nhs-login", "callback-late")
			if got := startAgain(p); got != row.again {
				t.Errorf("Start again: wanted %s, got %s", row.again, got)
			}
			w.nhsLogin().mustHaveBeenAsked(t, nowhere)
			if chooser := b.get(startAgain(p)); chooser.StatusCode != http.StatusOK {
				t.Errorf("Start again: wanted the chooser, got %d %s", chooser.StatusCode, heading(chooser))
			}
		})
	}
	t.Run("a portal waits, and Start again leads to a login for it", func(t *testing.T) {
		w := newWorld(t)
		f := w.flow(t, "mair-prawf")
		w.clock.advance(2*time.Hour + time.Minute)
		p := f.browser.get(f.callback.String())
		f.browser.mustBeRefused(p, "nhs-login", "callback-late")
		if at := f.browser.get(startAgain(p)); at.StatusCode != http.StatusSeeOther || at.location(t).Path != "/login" {
			t.Errorf("wanted to be led to the chooser, got %d %s", at.StatusCode, heading(at))
		}
	})
	t.Run("a minute before it is late", func(t *testing.T) {
		w := newWorld(t)
		b := w.visitor(t)
		at := b.toProvider("nhs-login", nil)
		w.clock.advance(2*time.Hour - time.Minute) // time to find the passport
		b.mustBeIn(b.get(b.answer(at, "mair-prawf").String()))
	})
}

// TestB6_TwoTabs: two logins at once in one browser both work, whichever comes
// back first (ASVS 10.1.2).
func TestB6_TwoTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begin := func(t *testing.T) (one, two flow) {
		t.Helper()
		b := w.visitor(t)
		b.get("/login")
		one = b.flow("mair-prawf")
		return one, b.flow("mair-prawf")
	}
	t.Run("in order", func(t *testing.T) {
		one, two := begin(t)
		one.finish(t)
		two.finish(t)
	})
	t.Run("the other way round", func(t *testing.T) {
		one, two := begin(t)
		two.finish(t)
		one.finish(t)
	})
	t.Run("the second asked for more, and is not told that it can't be had", func(t *testing.T) {
		b := w.visitor(t)
		one, two := b.flow("mair-prawf/P9.Cp.Cd"), b.flow("mair-prawf/P9.Cm", "acr_values", "P9.Cm")
		one.finish(t)
		back := b.get(two.callback.String()).location(t)
		// A code, or a login of the session's own: contract, Trust.
		if at := b.get(back.String()).location(t); at.Query().Has("error") {
			t.Errorf("the portal: wanted no error, as the patient did prove it, got %s", at.Query().Get("error"))
		}
	})
	t.Run("the first tab's portal keeps its session", func(t *testing.T) {
		one, two := begin(t)
		back := one.browser.get(one.callback.String()).location(t)
		code := one.browser.get(back.String()).location(t).Query().Get("code")
		two.finish(t)
		if got := one.browser.exchange(code).tokens(t); got.IDToken == "" {
			t.Errorf("wanted the first tab's code to be good still, got %s", got.Error)
		}
	})
	t.Run("at the same instant", func(t *testing.T) {
		one, two := begin(t)
		together(func() { one.browser.get(one.callback.String()) }, func() { two.browser.get(two.callback.String()) })
		for _, f := range []flow{one, two} {
			if at := f.browser.get(f.again()).location(t); at.Query().Get("code") == "" {
				t.Errorf("wanted each tab's portal to be answered, got %v", at)
			}
		}
	})
	t.Run("as two patients, never mixed", func(t *testing.T) {
		b := w.visitor(t)
		one, two := b.flow("mair-prawf"), b.flow("ianto-passkey")
		b.get(one.callback.String())
		b.get(two.callback.String())
		if !b.loggedIn() {
			t.Fatal("wanted one of them to be logged in")
		}
		if who := b.subjectAtProvider("nhs-login"); who != w.patient(t, "ianto-passkey").Subject && who != w.patient(t, "mair-prawf").Subject {
			t.Errorf("wanted one of the two, got another")
		}
		if links := b.account().Links; len(links) != 1 {
			t.Errorf("wanted no account with two people, got %d links", len(links))
		}
	})
}

// TestB7_MixUp: the answer of one provider is worth nothing at the other, and an
// answer that names another issuer is not exchanged (RFC 9207 §2.4).
func TestB7_MixUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := w.otherLogin()
	honest := func(t *testing.T, from liar) (*browser, *url.URL) {
		t.Helper()
		b := w.visitor(t)
		return b, b.answer(b.toProvider(from.id, nil), "mair-prawf")
	}
	for name, row := range map[string]struct {
		cause string
		edit  func(t *testing.T, callback *url.URL) string
	}{
		"iss of another":         {"callback-issuer-mismatch", func(_ *testing.T, c *url.URL) string { return withQuery(c, "iss", w.simURL) }},
		"iss differs by a slash": {"callback-issuer-mismatch", func(_ *testing.T, c *url.URL) string { return withQuery(c, "iss", w.second.Issuer()+"/") }},
		"iss in other letters":   {"callback-issuer-mismatch", func(_ *testing.T, c *url.URL) string { return withQuery(c, "iss", strings.ToUpper(w.second.Issuer())) }},
		"iss twice":              {"callback-issuer-mismatch", func(_ *testing.T, c *url.URL) string { return c.String() + "&iss=" + url.QueryEscape(w.simURL) }},
		"the right iss twice": {"callback-issuer-mismatch", func(_ *testing.T, c *url.URL) string {
			return c.String() + "&iss=" + url.QueryEscape(w.second.Issuer())
		}},
		"iss empty": {"callback-issuer-mismatch", func(_ *testing.T, c *url.URL) string { return withQuery(c, "iss", "") + "&iss=" }},
		"iss gone":  {"callback-issuer-absent", func(_ *testing.T, c *url.URL) string { return withQuery(c, "iss", "") }},
		"error without iss": {"callback-issuer-absent", func(_ *testing.T, c *url.URL) string {
			return withQuery(c, "iss", "", "code", "", "error", "access_denied")
		}},
		"error with iss of another": {"callback-issuer-mismatch", func(_ *testing.T, c *url.URL) string {
			return withQuery(c, "iss", w.simURL, "code", "", "error", "access_denied")
		}},
		"the other's code and iss under our state": {"callback-issuer-mismatch", func(t *testing.T, c *url.URL) string {
			_, other := honest(t, w.nhsLogin())
			return withQuery(c, "code", other.Query().Get("code"), "iss", w.simURL)
		}},
		"the other's code without iss": {"callback-issuer-absent", func(t *testing.T, c *url.URL) string {
			_, other := honest(t, w.nhsLogin())
			return withQuery(c, "code", other.Query().Get("code"), "iss", "")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b, callback := honest(t, second)
			to := row.edit(t, callback)
			for _, each := range w.liars() {
				each.sim.ResetCalls()
			}
			b.mustBeRefused(b.get(to), second.id, row.cause)
			for _, each := range w.liars() {
				each.mustHaveBeenAsked(t, nowhere)
			}
		})
	}
	for _, way := range []struct{ from, at liar }{{w.nhsLogin(), second}, {second, w.nhsLogin()}} {
		t.Run(way.from.id+"'s answer at "+way.at.id+"'s callback", func(t *testing.T) {
			b, callback := honest(t, way.from)
			for _, each := range w.liars() {
				each.sim.ResetCalls()
			}
			astray := *callback
			astray.Path = "/login/" + way.at.id + "/callback"
			b.mustBeRefused(b.get(astray.String()), way.at.id, "callback-foreign")
			for _, each := range w.liars() {
				each.mustHaveBeenAsked(t, nowhere)
			}
			b.mustBeIn(b.get(callback.String())) // at its own, it is as good as before
		})
	}
	t.Run("iss of another where none is announced", func(t *testing.T) {
		b, callback := honest(t, w.nhsLogin())
		w.sim.ResetCalls()
		b.mustBeRefused(b.get(withQuery(callback, "iss", w.second.Issuer())), "nhs-login", "callback-issuer-mismatch")
		w.nhsLogin().mustHaveBeenAsked(t, nowhere)
	})
}
