package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// applicant is a made-up patient of dilys-dev's register, who signs up.
type applicant struct {
	lang, email, phone, given, family, day, month, year, number string
}

// applicants is one for each language.
var applicants = []applicant{
	{"en", "gwen.arwydd@example.com", "07700900201", "Gwen", "Arwydd", "17", "5", "1985", "999 100 0003"},
	{"cy", "sion.prawf@example.com", "07700900202", "Siôn", "Tŷ-Prawf", "29", "2", "1952", "999 100 0070"},
}

const passphrase = "wobbly teapot sky"

// TestSignUp is the journey of a patient whom no provider serves: sign-up, log-out,
// log-in with a texted code, and a forgotten password.
func TestSignUp(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	w, browser := startWorld(t), chromium(t) // its own: the clock is turned on
	for _, a := range applicants {
		t.Run(a.lang, func(t *testing.T) {
			b := newTab(t, browser, w, phone)
			b.speak(a.lang)
			b.signsUp(a)
			b.comesBack(a)
		})
	}
}

// offerPath is the page that offers a passkey after a login.
const offerPath = "/account/passkeys/offer"

// on waits for a page by its path, and judges and pictures it. Whoever is offered a
// passkey on the way says "Not now".
func (b *tab) on(path, lang string) {
	b.t.Helper()
	b.awaits(`[`+quote(path)+`, `+quote(offerPath)+`].includes(location.pathname)`, "the page "+path)
	if path != offerPath && evaluate[bool](b, `location.pathname === `+quote(offerPath)) {
		b.presses(notNow)
	}
	b.awaits(`location.pathname === `+quote(path), "the page "+path)
	b.checkAccessible(path)
	b.checkReflow(path)
	b.picture("sign-up", lang, b.size.name, strings.ReplaceAll(strings.Trim(path, "/"), "/", "-"))
}

// What is pressed on many pages.
const (
	send   = `main form button:not([type=button])`
	logOut = `main form[action="/logout"] button`
	notNow = `main [name="choice"][value="later"] ~ button`
)

// sends fills the fields of the page's form in and presses its first button.
func (b *tab) sends(fields map[string]string) {
	b.t.Helper()
	if b.keyboard {
		b.types(fields)
		return
	}
	for name, value := range fields {
		evaluate[bool](b, fmt.Sprintf(`(() => {
			const all = [...document.querySelectorAll('main [name="%[1]s"]')];
			const choice = all.find((e) => (e.type === "radio" || e.type === "checkbox") && e.value === %[2]s);
			if (choice) choice.click(); else all[0].value = %[2]s;
			return true;
		})()`, name, quote(value)))
	}
	b.presses(send)
}

// presses presses the first thing of the page that the selector names.
func (b *tab) presses(selector string) {
	b.t.Helper()
	if b.keyboard {
		b.tabsTo(`e === document.querySelector(` + quote(selector) + `)`)
		b.key(kb.Enter)
		return
	}
	evaluate[bool](b, `(setTimeout(() => document.querySelector(`+quote(selector)+`).click(), 0), true)`)
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// code waits for a code to that address beyond those that were there before.
func (b *tab) code(to string, before int) string {
	b.t.Helper()
	var found []string
	ok := await(func() bool {
		found = b.messages(to, sixDigits)
		return len(found) > before
	})
	if !ok {
		b.t.Fatalf("no code came")
	}
	return found[len(found)-1]
}

// messages returns what of the messages to that address matches.
func (b *tab) messages(to string, what *regexp.Regexp) []string {
	b.t.Helper()
	answer, err := http.Get(b.world.workbench() + "/outbox.json")
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var all []struct{ To, Text string }
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		b.t.Fatal(err)
	}
	var found []string
	for _, m := range all {
		if match := what.FindString(m.Text); m.To == to && match != "" {
			found = append(found, match)
		}
	}
	return found
}

func (a applicant) e164() string { return "+44" + a.phone[1:] }

func (b *tab) signsUp(a applicant) {
	b.t.Helper()
	b.open(b.world.dilys() + "/sign-up")
	b.on("/sign-up", a.lang)
	b.sends(map[string]string{"old_enough": "yes"})
	b.on("/sign-up/device", a.lang)
	b.sends(map[string]string{"device": "own"})
	b.on("/sign-up/email", a.lang)
	b.sends(map[string]string{"email": a.email})
	b.on("/sign-up/email-code", a.lang)
	b.sends(map[string]string{"code": "12345"})
	b.awaits(`document.title.match(/^(Error|Gwall):/) !== null`, "the fault")
	b.checkAccessible("a fault")
	b.sends(map[string]string{"code": b.code(a.email, 0)})
	b.on("/sign-up/phone", a.lang)
	b.sends(map[string]string{"phone": a.phone})
	b.on("/sign-up/phone-code", a.lang)
	b.sends(map[string]string{"code": b.code(a.e164(), 0)})
	b.on("/sign-up/name", a.lang)
	b.sends(map[string]string{"given_name": a.given, "family_name": a.family})
	b.on("/sign-up/birth-date", a.lang)
	b.sends(map[string]string{"bday-day": a.day, "bday-month": a.month, "bday-year": a.year})
	b.on("/sign-up/nhs-number", a.lang)
	b.sends(map[string]string{"nhs_number": a.number})
	b.on("/sign-up/password", a.lang)
	b.sends(map[string]string{"password": passphrase})
	b.on("/sign-up/check", a.lang)
	b.says(a.email, a.given, a.family)
	b.sends(nil)
	b.on("/account/second-way", a.lang)
	b.sends(nil)
	b.awaits(`document.body.innerText.match(/[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}/) !== null`, "the card")
	b.checkAccessible("the card")
	b.picture("sign-up", a.lang, b.size.name, "card")
	b.sends(nil)
	b.on("/sign-up/done", a.lang)
	b.open(b.world.dilys() + "/account")
	b.on("/account", a.lang)
	b.says(a.given+" "+a.family, a.email)
}

// comesBack logs out and in again, and sets a new password in another browser.
func (b *tab) comesBack(a applicant) {
	b.t.Helper()
	had := len(b.messages(a.e164(), sixDigits))
	b.presses(logOut)
	b.on("/logged-out", a.lang)
	b.open(b.world.dilys() + "/login/email")
	b.on("/login/email", a.lang)
	b.sends(map[string]string{"email": a.email, "password": "not the password"})
	b.awaits(`document.title.match(/^(Error|Gwall):/) !== null`, "the fault")
	b.sends(map[string]string{"email": a.email, "password": passphrase})
	b.on("/login/email/code", a.lang)
	b.sends(map[string]string{"code": b.code(a.e164(), had), "remember": "yes"})
	b.on("/account", a.lang)

	b.advance("20m") // so that no limit of an address decides
	link := regexp.MustCompile(`http\S+/recover/[A-Za-z0-9_-]{43}`)
	b.open(b.world.dilys() + "/recover")
	b.on("/recover", a.lang)
	b.sends(map[string]string{"email": a.email})
	b.on("/recover/sent", a.lang)
	if !await(func() bool { return len(b.messages(a.email, link)) > 0 }) {
		b.t.Fatal("no link came")
	}
	had = len(b.messages(a.e164(), sixDigits))
	b.open(b.messages(a.email, link)[0])
	b.on("/recover/link", a.lang)
	b.sends(nil)
	b.on("/recover/factor", a.lang)
	b.sends(map[string]string{"code": b.code(a.e164(), had)})
	b.on("/recover/password", a.lang)
	b.sends(map[string]string{"password": "an other long phrase"})
	b.on("/recover/done", a.lang)
}

// advance turns dilys-dev's clock on.
func (b *tab) advance(by string) {
	b.t.Helper()
	answer, err := http.Post(b.world.workbench()+"/clock", "application/json", strings.NewReader(`{"advance": "`+by+`"}`))
	if err != nil {
		b.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		b.t.Fatalf("the clock: %s", answer.Status)
	}
}
