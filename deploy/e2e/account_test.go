package e2e

import "testing"

// TestAccountAlone is what a patient does on the account page who has two ways in and
// somebody behind them: NHS login is linked and taken away again, messages are turned
// off, and the page is left at once. Nothing is asked of any other origin but the
// provider's.
func TestAccountAlone(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	w, browser := startWorld(t), chromium(t) // its own: the clock is turned on
	for _, a := range []applicant{
		{"en", "mair.prawf@example.com", "07700900301", "Mair", "Prawf", "27", "3", "1984", "999 000 0379"},
		{"cy", "nia.dwbl@example.com", "07700900302", "Nia", "Dwbl", "21", "8", "1979", "999 000 2592"},
	} {
		t.Run(a.lang, func(t *testing.T) {
			b := newTab(t, browser, w, phone)
			b.speak(a.lang)
			b.signsUp(a)
			b.links(a)
			b.unlinks(a)
			b.isQuiet(a)
		})
	}
}

const (
	providersPath = "/account/providers"
	unlinkPath    = providersPath + "/nhs-login/remove"
)

// links links NHS login, at which the same patient logs in.
func (b *tab) links(a applicant) {
	b.t.Helper()
	b.open(b.world.dilys() + "/account")
	b.follow(providersPath)
	b.on(providersPath, a.lang)
	b.sends(nil)
	b.on(providersPath+"/nhs-login", a.lang)
	b.presses(`main a.nhsuk-button`)
	b.awaits(`document.querySelector('input[name="patient"]') !== null`, "the provider")
	mouse.choose(b, a.given+" "+a.family)
	b.press("Continue")
	b.on(providersPath, a.lang)
	b.awaits(`document.querySelector('main a[href="`+unlinkPath+`"]') !== null`, "NHS login among the ways in")
	b.open(b.world.dilys() + "/account")
	b.says(a.number) // what NHS login proved, it shows
}

// unlinks takes it away: everybody is logged out, and what it proved is gone.
func (b *tab) unlinks(a applicant) {
	b.t.Helper()
	b.open(b.world.dilys() + providersPath)
	b.follow(unlinkPath)
	b.on(unlinkPath, a.lang)
	b.sends(nil)
	b.awaits(`document.querySelector('main a[href="/login"]') !== null`, "to be logged out")
	b.checkAccessible("a login that was taken away")
	b.picture("links", a.lang, b.size.name, "unlinked")
	b.advance("20m") // so that no limit of an address decides
	b.logsIn(a.lang, a.email, a.e164())
}

// isQuiet turns messages off, and leaves. Nothing of where that leads may leave the
// machine: the browser finds no such host.
func (b *tab) isQuiet(a applicant) {
	b.t.Helper()
	const path, exit = "/account/quiet", `form[action="/exit"] button`
	b.open(b.world.dilys() + path)
	b.on(path, a.lang)
	b.sends(nil)
	b.awaits(`document.querySelector('`+exit+`') !== null`, "the way out")
	b.on(path, a.lang)
	b.presses(exit)
	b.awaits(`location.protocol === "chrome-error:"`, "to be led away")
	if b.cookies()["dilys"] != nil {
		b.t.Error("the browser still has the session")
	}
	b.open(b.world.dilys() + "/account")
	b.on("/login", a.lang)
}
