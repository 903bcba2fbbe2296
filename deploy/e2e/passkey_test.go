package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// TestPasskeys is the journey of a patient who makes a passkey as it is offered, comes
// back with it by the chooser's button and by what the browser offers as the address is
// filled in, steps up with it, names it, and takes it away. The browser's own
// authenticator is a foreign one.
func TestPasskeys(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	w, browser := startWorld(t), chromium(t) // its own: the clock is turned on
	for _, a := range applicants {
		t.Run(a.lang, func(t *testing.T) {
			b := newTab(t, browser, w, phone)
			b.speak(a.lang)
			b.hasAuthenticator()
			b.signsUp(a)
			b.advance("20m")
			b.logsOut(a)
			had := len(b.messages(a.e164(), sixDigits))
			b.open(w.dilys() + "/login/email")
			b.sends(map[string]string{"email": a.email, "password": passphrase})
			b.on("/login/email/code", a.lang)
			b.sends(map[string]string{"code": b.code(a.e164(), had)})
			b.on(offerPath, a.lang)
			b.pressesKey("make")
			b.awaits(`location.pathname !== `+quote(offerPath), "the passkey made")
			b.on("/account", a.lang)

			b.logsOut(a)
			b.open(w.dilys() + "/login")
			b.awaits(`document.querySelector('[data-passkey="get"]:not([hidden]) button') !== null`, "the button")
			b.checkAccessible("the chooser with its passkey")
			b.picture("passkey", a.lang, b.size.name, "login")
			b.pressesKey("get")
			b.on("/account", a.lang)
			if got := len(b.messages(a.e164(), sixDigits)); got != had+1 {
				t.Errorf("%d texts were sent that nobody asked for", got-had-1)
			}

			b.logsOut(a)
			b.open(w.dilys() + "/login/email") // the browser offers it, and the patient takes it
			b.on("/account", a.lang)

			b.advance("20m")
			b.open(w.dilys() + "/account/delete")
			b.on("/step-up", a.lang)
			b.pressesKey("get")
			b.on("/account/delete", a.lang)

			b.open(w.dilys() + "/account/passkeys")
			b.on("/account/passkeys", a.lang)
			evaluate[bool](b, `document.querySelector("main details").open = true`)
			b.sends(map[string]string{"name": "Ffôn Siân"})
			b.awaits(`document.body.innerText.includes("Ffôn Siân")`, "the name")
			b.checkAccessible("a passkey with a name")
			b.presses(`main a[href$="/remove"]`)
			b.awaits(`location.pathname.endsWith("/remove")`, "the question")
			b.checkAccessible("the question")
			b.sends(nil)
			b.awaits(`location.pathname.endsWith("/remove") && !document.body.innerText.includes("Ffôn Siân")`, "it taken away")

			b.pressesKey("make") // on the page that says that there is none
			b.awaits(`document.querySelectorAll("main .nhsuk-card").length === 1`, "another passkey")
			b.answersNothing()
			b.logsOut(a)
			b.open(w.dilys() + "/login")
			b.pressesKey("get")
			b.awaits(`document.querySelector('[data-passkey="get"] [data-part="said"]').textContent.length > 20`, "a sentence for NotAllowedError")
			b.checkAccessible("a sentence for an error")
			b.picture("passkey", a.lang, b.size.name, "not-allowed")
		})
	}
}

// TestTwoPatientsOnOneDevice is a phone that two people share: each has a passkey on it.
// Whoever it logs in steps up with their own; and a device that signs wrongly is told
// another way.
func TestTwoPatientsOnOneDevice(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	w, browser := startWorld(t), chromium(t) // its own: the clock is turned on
	b := newTab(t, browser, w, phone)
	b.speak("en")
	b.hasAuthenticator()
	both := []applicant{applicants[0], {"en", "sion.prawf@example.com", "07700900202", "Sion", "Prawf", "28", "2", "1952", "999 100 0070"}}
	for _, a := range both {
		b.signsUp(a)
		b.open(w.dilys() + "/account/passkeys")
		b.pressesKey("make")
		b.awaits(`document.querySelectorAll("main .nhsuk-card").length === 1`, "a passkey of their own alone")
		b.logsOut(a)
	}
	b.open(w.dilys() + "/login")
	b.pressesKey("get")
	b.on("/account", "en")
	mine, theirs := both[0], both[1]
	if !strings.Contains(b.text(), mine.email) {
		mine, theirs = theirs, mine
	}
	isMine := func() {
		b.open(w.dilys() + "/account")
		b.on("/account", "en")
		b.says(mine.email)
		if strings.Contains(b.text(), theirs.email) {
			t.Error("the page tells of the other patient")
		}
	}
	isMine()
	b.advance("20m")
	b.open(w.dilys() + "/account/delete")
	b.on("/step-up", "en")
	b.pressesKey("get")
	b.on("/account/delete", "en")
	isMine()
	b.logsOut(mine)
	b.signsWrongly()
	b.open(w.dilys() + "/login")
	b.pressesKey("get")
	b.awaits(`document.querySelector("h1").textContent.includes("did not open your account")`, "the wrong signature refused")
	b.checkAccessible("a wrong signature")
	b.picture("passkey", "en", b.size.name, "wrong-signature")
	b.open(w.dilys() + "/account")
	b.on("/login", "en")
}

// signsWrongly makes the device's signatures bad ones.
func (b *tab) signsWrongly() {
	b.t.Helper()
	ctx, done := b.within()
	defer done()
	yes := true
	_, err := chromedp.Call(ctx, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: b.device, IsBogusSignature: &yes})
	if err != nil {
		b.t.Fatal(err)
	}
}

// hasAuthenticator gives the tab a device that has passkeys, and a user who is verified.
func (b *tab) hasAuthenticator() {
	b.t.Helper()
	ctx, done := b.within()
	defer done()
	if _, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		b.t.Fatal(err)
	}
	made, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.device = made.AuthenticatorID
}

// answersNothing lets the device's user be verified no more.
func (b *tab) answersNothing() {
	b.t.Helper()
	ctx, done := b.within()
	defer done()
	if _, err := chromedp.Call(ctx, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: b.device}); err != nil {
		b.t.Fatal(err)
	}
}

// pressesKey presses the button that makes a passkey or asks for one.
func (b *tab) pressesKey(what string) {
	b.t.Helper()
	button := `document.querySelector('[data-passkey="` + what + `"]:not([hidden]) button')`
	b.awaits(button+` !== null`, "a button for the passkey")
	evaluate[bool](b, `(setTimeout(() => `+button+`.click(), 0), true)`)
}

func (b *tab) logsOut(a applicant) {
	b.t.Helper()
	b.open(b.world.dilys() + "/account")
	b.presses(logOut)
	b.on("/logged-out", a.lang)
}
