package e2e

import (
	"regexp"
	"testing"
)

// TestChangeOfPhone is the journey of a patient who signed up here and has a new
// number: once stopped by the link that the old one was sent, and once to its end.
func TestChangeOfPhone(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	w, browser := startWorld(t), chromium(t) // its own: the clock is turned on
	for _, c := range []struct {
		applicant
		next, shown, changed string
	}{
		{
			applicant{"en", "gwen.arwydd@example.com", "07700900201", "Gwen", "Arwydd", "17", "5", "1985", "999 100 0003"},
			"+447700900455", "07700 900455", "was changed",
		},
		{
			applicant{"cy", "sion.prawf@example.com", "07700900202", "Siôn", "Tŷ-Prawf", "29", "2", "1952", "999 100 0070"},
			"+447700900456", "07700 900456", "Newidiwyd",
		},
	} {
		t.Run(c.lang, func(t *testing.T) {
			b := newTab(t, browser, w, phone)
			b.speak(c.lang)
			b.signsUp(c.applicant)
			b.asksForPhone(c.lang, c.next, c.shown)
			b.thinksBetter(c.applicant)
			b.asksForPhone(c.lang, c.next, c.shown)
			b.advance("24h")
			told := regexp.MustCompile(c.changed)
			if !await(func() bool { return len(b.messages(c.next, told)) > 0 }) {
				t.Fatal("the new number was not told that it is the account's")
			}
			b.logsIn(c.lang, c.email, c.next)
			b.says(c.shown)
		})
	}
}

// asksForPhone gives a new number and its code, up to the page that says what waits.
func (b *tab) asksForPhone(lang, e164, shown string) {
	b.t.Helper()
	b.open(b.world.dilys() + "/account")
	b.follow("/account/phone")
	b.on("/account/phone", lang)
	b.sends(map[string]string{"phone": "+33 6 12 34 56 78"})
	b.awaits(`document.title.match(/^(Error|Gwall):/) !== null`, "the fault")
	b.checkAccessible("a fault")
	b.picture("contact", lang, b.size.name, "fault")
	had := len(b.messages(e164, sixDigits))
	b.sends(map[string]string{"phone": shown})
	b.on("/account/phone-code", lang)
	b.says(shown)
	b.sends(map[string]string{"code": b.code(e164, had)})
	b.on("/account/phone-held", lang)
	b.says(shown)
	b.open(b.world.dilys() + "/account")
	b.on("/account", lang)
	b.says(shown)
}

// thinksBetter stops the change by the link that the old number was sent, in a
// browser that nobody is logged in to, and logs in again.
func (b *tab) thinksBetter(a applicant) {
	b.t.Helper()
	link := regexp.MustCompile(`http\S+/stop/[A-Za-z0-9_-]{43}`)
	var links []string
	if !await(func() bool { links = b.messages(a.e164(), link); return len(links) > 0 }) {
		b.t.Fatal("no link came")
	}
	other := newTab(b.t.(*testing.T), b.ctx, b.world, phone)
	other.speak(a.lang)
	other.open(links[len(links)-1])
	other.on("/stop-change", a.lang)
	other.sends(nil)
	other.awaits(`document.querySelector(".dilys-reference") !== null`, "the reference")
	other.checkAccessible("a change that was stopped")
	other.picture("contact", a.lang, b.size.name, "stopped")
	other.open(b.world.dilys() + "/stop-change")
	other.checkAccessible("nothing to stop")
	other.picture("contact", a.lang, b.size.name, "nothing-to-stop")
	b.advance("20m") // so that no limit of an address decides
	b.open(b.world.dilys() + "/account")
	b.on("/login", a.lang)
	b.logsIn(a.lang, a.email, a.e164())
}

// logsIn logs in with a code that is texted to that number.
func (b *tab) logsIn(lang, email, e164 string) {
	b.t.Helper()
	had := len(b.messages(e164, sixDigits))
	b.open(b.world.dilys() + "/login/email")
	b.on("/login/email", lang)
	b.sends(map[string]string{"email": email, "password": passphrase})
	b.on("/login/email/code", lang)
	b.sends(map[string]string{"code": b.code(e164, had)})
	b.on("/account", lang)
}

// follow presses the page's link to that path.
func (b *tab) follow(path string) {
	b.t.Helper()
	b.presses(`main a[href="` + path + `"]`)
}
