package e2e

import "testing"

// TestOwnLoginForAPortal is the way of a patient without a provider who comes from a
// portal, by password and code, and by passkey. Chromium holds each redirect after the
// last form against that form's page (form-action), so only a browser can tell that the
// patient gets there.
func TestOwnLoginForAPortal(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	w, browser := startWorld(t), chromium(t) // its own: the clock is turned on
	a := applicants[0]
	b := newTab(t, browser, w, phone)
	b.speak(a.lang)
	b.hasAuthenticator()
	b.signsUp(a)
	byCode := func() {
		b.presses(`a[href^="/login/email"]`)
		b.on("/login/email", a.lang)
		had := len(b.messages(a.e164(), sixDigits))
		b.sends(map[string]string{"email": a.email, "password": passphrase})
		b.on("/login/email/code", a.lang)
		b.sends(map[string]string{"code": b.code(a.e164(), had)})
		b.on(offerPath, a.lang)
	}
	for _, way := range []struct {
		name string
		in   func()
	}{
		{"by password and code, and no passkey now", func() {
			byCode()
			b.presses(notNow)
		}},
		{"by password and code, and a passkey is made", func() {
			byCode()
			b.pressesKey("make")
		}},
		{"by passkey", func() { b.pressesKey("get") }},
	} {
		b.advance("20m")
		b.logsOut(a)
		b.open(w.examplePortal() + "/login?acr_values=P0.Cp.Cd+P0.Cm")
		b.awaits(`location.pathname === "/login" && location.href.startsWith(`+quote(w.dilys())+`)`, "the chooser for the portal")
		way.in()
		b.awaits(`location.href.startsWith(`+quote(w.examplePortal())+`)`, "to be back at the portal "+way.name)
	}
}
