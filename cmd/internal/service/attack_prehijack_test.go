package service_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// resets gives the account of that applicant a new password by mailed link and texted
// code, as its owner does.
func (w *town) resets(a applicant, password string) {
	w.t.Helper()
	w.clock.advance(time.Hour)
	b := w.resetting(a)
	b.post("/recover/factor", url.Values{"code": {w.code(a.e164())}})
	b.post("/recover/password", url.Values{"password": {password}}).leads(w.t, "/recover/done")
}

// breaksIn logs somebody in who has the applicant's password and phone for a moment, in a
// browser that is remembered from then on.
func (w *town) breaksIn(thief *browser, a applicant) {
	w.t.Helper()
	w.clock.advance(2 * time.Minute)
	thief.enter(a.email, a.password)
	thief.post("/login/email/code", url.Values{"code": {w.code(a.e164())}, "remember": {"yes"}})
	if !thief.loggedIn() {
		w.t.Fatal("wanted the thief logged in")
	}
}

// Row D2: what somebody prepared before the patient came is over once the patient has
// come (the five ways of Sudhodanan and Paverd, 2022).
func TestD2PreHijacking(t *testing.T) {
	for name, script := range map[string]func(t *testing.T, w *town, thief *browser) (victim *browser){
		"classic and federated: a sign-up waits at her address when she comes by NHS login": func(t *testing.T, w *town, thief *browser) *browser {
			waiting := mair()
			waiting.email = "mair-prawf@example.com"
			w.upTo(thief, waiting, "email-code") // the code went to her
			victim := w.browser()
			victim.login("mair-prawf")
			if p := thief.post("/sign-up/email-code", url.Values{"code": {"000000"}}); p.StatusCode == http.StatusSeeOther {
				t.Error("the sign-up goes on without her code")
			}
			return victim
		},
		"unexpired session: it was opened before she set a new password": func(t *testing.T, w *town, thief *browser) *browser {
			a := gwen()
			w.signUp(a)
			w.breaksIn(thief, a)
			w.resets(a, "an other long phrase")
			thief.enter(a.email, a.password)
			victim := w.browser()
			w.clock.advance(11 * time.Minute)
			victim.enter(a.email, "an other long phrase")
			victim.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
			return victim
		},
		"trojan identifier: a passkey was planted, and she says that it was not her": func(t *testing.T, w *town, thief *browser) *browser {
			a := gwen()
			w.signUp(a)
			w.breaksIn(thief, a)
			device := newAuthenticator(t)
			thief.makesPasskey(device)
			w.clock.advance(time.Hour)
			victim := w.in(a)
			made := w.events(w.accountOf(a.email).ID, audit.PasskeyBound)[0].ID
			if p := victim.get("/account/activity/not-me?event=" + made); !strings.Contains(p.body, "that passkey is removed") {
				t.Error("the page does not say what becomes of it")
			}
			victim.post("/account/activity/not-me", url.Values{"event": {made}})
			thief.givesPasskey(device)
			return w.in(a)
		},
		"unexpired change of address: one waits when she sets a new password": func(t *testing.T, w *town, thief *browser) *browser {
			a := gwen()
			w.signUp(a)
			w.breaksIn(thief, a)
			thief.post("/account/email", url.Values{"email": {"thief@example.com"}})
			thief.post("/account/email-code", url.Values{"code": {w.code("thief@example.com")}})
			w.resets(a, "an other long phrase")
			w.later(25 * time.Hour)
			w.clock.advance(time.Hour)
			thief.post("/recover", url.Values{"email": {"thief@example.com"}})
			if all := allSent(w, "thief@example.com"); resetLink.MatchString(all) {
				t.Error("the new address brings the account back")
			}
			victim := w.browser()
			victim.enter(a.email, "an other long phrase")
			victim.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
			return victim
		},
		"non-verifying provider: it says her address of somebody else": func(t *testing.T, w *town, thief *browser) *browser {
			a := gwen()
			victim := w.signUp(a)
			must(t, w.second.SetNextFaults(simulator.Faults{
				IDToken:  &simulator.TokenFault{Set: map[string]any{"email": a.email, "email_verified": true}},
				UserInfo: &simulator.DocumentFault{Set: map[string]any{"email": a.email, "email_verified": true}},
			}))
			thief.get(thief.answer(thief.toProvider("second", nil), "ianto-passkey").String())
			if body := thief.get("/account").body; strings.Contains(body, "Arwydd") {
				t.Error("the thief sees her name")
			}
			thief.post("/logout", nil)
			return victim
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, onAName)
			thief := w.browser()
			victim := script(t, w, thief)
			if thief.loggedIn() {
				t.Error("the thief is logged in")
			}
			if !victim.loggedIn() {
				t.Error("the patient is not")
			}
		})
	}
}
