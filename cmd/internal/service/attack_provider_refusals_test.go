package service_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// refusals are what the provider itself says no by: each has a page of its own.
var refusals = map[string]struct{ cause, title string }{
	"consent-not-given":       {"consent-not-given", "We cannot log you in to Example Health Board"},
	"access-denied":           {"access-denied", "You are not logged in"},
	"login-required":          {"login-required", "You need to log in again"},
	"temporarily-unavailable": {"temporarily-unavailable", "NHS login is not working right now"},
	"server-error":            {"provider-error", "We could not log you in"},
	"invalid-scope":           {"request-not-accepted", "We could not log you in"},
	"invalid-request":         {"request-not-accepted", "We could not log you in"},
	"unauthorized-client":     {"request-not-accepted", "We could not log you in"},
	"error-markup":            {"unknown-error", "We could not log you in"},
	"sso-login-required":      {"sso-login-required", ""}, // no page: the chooser's button serves
}

func TestProviderRefusesAndSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range slices.Sorted(maps.Keys(refusals)) {
		t.Run(name, func(t *testing.T) {
			want := refusals[name]
			must(t, w.sim.SetNextFaults(w.nhsLogin().preset(t, name)))
			w.sim.ResetCalls()
			b := w.visitor(t)
			p := b.get(b.answer(b.toProvider("nhs-login", nil), "mair-prawf").String())
			if want.title == "" {
				b.mustChooseAgain(p, "/login")
			} else {
				b.mustBeRefused(p, "nhs-login", want.cause)
				if !strings.HasPrefix(heading(p), want.title) {
					t.Errorf("title: wanted %q, got %q", want.title, heading(p))
				}
			}
			w.nhsLogin().mustHaveBeenAsked(t, nowhere)
		})
	}
	w.checkSilence(t)
}

// mustChooseAgain fails the test unless the browser is led back without a session.
func (b *browser) mustChooseAgain(p page, to string) {
	b.t.Helper()
	if at := p.location(b.t); at.RequestURI() != to {
		b.t.Errorf("wanted to be led to %s, got %s", to, at)
	}
	b.mustNotLogIn(p)
}

// TestConsentPage holds the page against what NHS login asks of it: the service's
// name, the reason, 111 as link and number, 999 as text.
func TestConsentPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.visitor(t)
	to := b.get(authorization()).location(t)
	request := to.Query().Get("request")
	p := b.get(b.answer(b.toProvider("nhs-login", url.Values{"request": {request}}), "huw-gwrthod").String())
	b.mustBeRefused(p, "nhs-login", "consent-not-given")
	for _, wanted := range []string{
		"We cannot log you in to My Health", "You chose not to share your information", "https://111.nhs.uk", "tel:111", "999",
		"Return to My Health",
	} {
		if !strings.Contains(p.body, wanted) {
			t.Errorf("wanted %q on the page", wanted)
		}
	}
	if got, want := startAgain(p), "/authorize?request="+request; got != want {
		t.Errorf("Start again: wanted %s, got %s", want, got)
	}
	t.Run("and the way back to the portal tells it", func(t *testing.T) {
		back := b.get("/authorize?request=" + request + "&decline=1").location(t)
		if got := back.Query(); got.Get("error") != "access_denied" || got.Get("state") != "state-of-the-portal" {
			t.Errorf("wanted access_denied, got %v", got)
		}
	})
}

// TestCallbackIsNeverEchoed sends words of an attacker's by every parameter.
func TestCallbackIsNeverEchoed(t *testing.T) {
	t.Parallel()
	const word = "canary-call-0800-000-000"
	w := newWorld(t)
	for name, edit := range map[string][]string{
		"error":                   {"error", word, "code", ""},
		"description":             {"error", "access_denied", "error_description", word, "code", ""},
		"address of explanation":  {"error", "server_error", "error_uri", "https://" + word, "code", ""},
		"markup":                  {"error", `"><script>` + word, "error_description", "<b>" + word, "code", ""},
		"consent, and more words": {"error", "access_denied", "error_description", "ConsentNotGiven " + word, "code", ""},
		"code":                    {"code", word},
		"code that is none":       {"code", word + "\x00\r\n" + word},
		"issuer":                  {"iss", "https://" + word},
		"session state, unknown":  {"error", word, "session_state", word, "lang", word, "code", ""},
		"state":                   {"state", word},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.visitor(t)
			callback := b.answer(b.toProvider("nhs-login", nil), "mair-prawf")
			p := b.get(withQuery(callback, edit...))
			b.mustNotLogIn(p)
			if p.StatusCode < http.StatusBadRequest {
				t.Errorf("wanted a refusal, got %d", p.StatusCode)
			}
			if strings.Contains(p.body, word) || strings.Contains(strings.Join(slices.Concat(slices.Collect(maps.Values(p.Header))...), "\n"), word) {
				t.Errorf("wanted nothing of the callback in the answer, got it")
			}
		})
	}
	if strings.Contains(w.log.String(), word) {
		t.Errorf("wanted nothing of the callback in the log, got it")
	}
}

func TestNHSAppOpensDilys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asserted := func(t *testing.T) url.Values {
		t.Helper()
		jwt, err := w.sim.AssertLogin("ffion-ap", false)
		must(t, err)
		return url.Values{"assertedLoginIdentity": {jwt}}
	}
	// come follows the app's link to the provider and back, and returns the callback's answer.
	come := func(b *browser, values url.Values) page {
		b.t.Helper()
		at := b.get("/login/nhs-login?" + values.Encode()).location(b.t)
		if q := at.Query(); q.Get("asserted_login_identity") != values.Get("assertedLoginIdentity") || q.Get("prompt") != "none" {
			b.t.Errorf("wanted the assertion passed on with prompt=none, got %v", slices.Sorted(maps.Keys(q)))
		}
		return b.get(b.get(at.String()).location(b.t).String())
	}

	t.Run("logs in without a page", func(t *testing.T) {
		b := w.visitor(t)
		b.mustBeIn(come(b, asserted(t)))
		if who := b.subjectAtProvider("nhs-login"); who != w.patient(t, "ffion-ap").Subject {
			t.Errorf("wanted the patient that the app asserted, got another")
		}
	})
	t.Run("with a portal waiting", func(t *testing.T) {
		b := w.visitor(t)
		values := asserted(t)
		values.Set("request", b.get(authorization()).location(t).Query().Get("request"))
		p := come(b, values)
		b.mustBeIn(p)
		if answer := b.get(p.location(t).String()).location(t); answer.Query().Get("code") == "" {
			t.Errorf("wanted the portal to be answered with a code, got %v", answer.Query())
		}
	})
	t.Run("an assertion that was used", func(t *testing.T) {
		values := asserted(t)
		first, second := w.visitor(t), w.visitor(t)
		first.mustBeIn(come(first, values))
		second.mustChooseAgain(come(second, values), "/login")
		if p := second.get("/login"); p.StatusCode != http.StatusOK || !strings.Contains(p.body, "/login/nhs-login") {
			t.Errorf("wanted the chooser with its button, got %d", p.StatusCode)
		}
	})
	t.Run("an assertion that was used, a portal waiting", func(t *testing.T) {
		values := asserted(t)
		first, second := w.visitor(t), w.visitor(t)
		first.mustBeIn(come(first, values))
		values.Set("request", second.get(authorization()).location(t).Query().Get("request"))
		p := come(second, values)
		second.mustChooseAgain(p, "/authorize?request="+values.Get("request"))
		if at := second.get(p.location(t).String()).location(t); at.Path != "/login" {
			t.Errorf("wanted the chooser, got %s", at.Path)
		}
	})
	t.Run("an assertion by nobody", func(t *testing.T) {
		b := w.visitor(t)
		b.mustChooseAgain(come(b, url.Values{"assertedLoginIdentity": {"e30.e30.AAAA"}}), "/login")
	})
	for name, not := range map[string]string{"no JWT": "ffion-ap", "markup": "<script>.a.b", "too long": strings.Repeat("a.", 4096)} {
		t.Run(name+" goes as usual", func(t *testing.T) {
			q := w.visitor(t).get("/login/nhs-login?" + url.Values{"assertedLoginIdentity": {not}}.Encode()).location(t).Query()
			if q.Has("asserted_login_identity") || q.Get("prompt") == "none" {
				t.Errorf("wanted a login with a page, got %v", slices.Sorted(maps.Keys(q)))
			}
		})
	}
	t.Run("another person's session stays theirs", func(t *testing.T) {
		b := w.visitor(t)
		b.mustBeIn(b.login("mair-prawf"))
		before := b.subject()
		p := come(b, asserted(t))
		b.mustSayNo(p, "nhs-login", "other-person")
		if b.subject() != before {
			t.Errorf("wanted the session to stay as it was, got another")
		}
	})
	t.Run("the same person gets a new session secret", func(t *testing.T) {
		b := w.visitor(t)
		b.mustBeIn(b.login("ffion-ap"))
		old := b.keeps("dilys")
		b.mustBeIn(come(b, asserted(t)))
		if now := b.keeps("dilys"); now == old || w.opens(t, old) {
			t.Errorf("wanted a new secret and the old one dead, got the old one alive: %t", w.opens(t, old))
		}
	})
}

// keeps is what the browser holds under that name.
func (b *browser) keeps(name string) string {
	b.t.Helper()
	at, err := url.Parse(b.w.url)
	must(b.t, err)
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// opens reports whether a session cookie's value is good.
func (w *world) opens(t testing.TB, secret string) bool {
	t.Helper()
	return w.visitor(t).send(http.MethodGet, "/check", nil, http.Header{"Cookie": {"dilys=" + secret}}).StatusCode == http.StatusOK
}
