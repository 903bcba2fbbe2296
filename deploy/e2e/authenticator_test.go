package e2e

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestAuthenticatorApp is the journey of a patient who sets an authenticator app up
// and logs in with it. A foreign scanner reads the QR code off the screen, and a
// foreign program makes the codes.
func TestAuthenticatorApp(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	scanner, maker := program(t, "zbarimg"), program(t, "oathtool")
	w, browser := startWorld(t), chromium(t) // its own: the clock is turned on
	turned := time.Duration(0)
	for _, a := range applicants {
		t.Run(a.lang, func(t *testing.T) {
			b := newTab(t, browser, w, phone)
			b.speak(a.lang)
			b.signsUp(a)
			app := authenticator{maker: maker, turned: &turned}
			next := func() { // each code is good once
				b.advance("31s")
				turned += 31 * time.Second
			}

			b.open(w.dilys() + "/account/two-step")
			b.on("/account/two-step", a.lang)
			b.open(w.dilys() + "/account/authenticator")
			b.on("/account/authenticator", a.lang)
			b.sends(nil)
			b.awaits(`document.querySelector("svg.dilys-qr") !== null`, "the QR code")
			b.checkAccessible("the QR code")
			b.checkReflow("the QR code")
			b.picture("sign-up", a.lang, b.size.name, "account-authenticator-qr")
			app.scan(b, scanner, a)
			b.sends(map[string]string{"code": "000000"})
			b.awaits(`document.title.match(/^(Error|Gwall):/) !== null`, "the fault")
			if evaluate[bool](b, `document.querySelector("svg.dilys-qr") !== null || document.body.innerText.includes(`+quote(app.seed[:4]+" "+app.seed[4:8])+`)`) {
				t.Error("the key was shown twice")
			}
			b.sends(map[string]string{"code": app.code(t)})
			b.awaits(`document.title.match(/^(Error|Gwall):/) === null && document.querySelector("main form") === null`, "the end")
			b.checkAccessible("the app is set up")

			next()
			b.open(w.dilys() + "/account")
			b.presses(logOut)
			b.on("/logged-out", a.lang)
			texts := len(b.messages(a.e164(), sixDigits))
			b.open(w.dilys() + "/login/email")
			b.on("/login/email", a.lang)
			b.sends(map[string]string{"email": a.email, "password": passphrase})
			b.on("/login/email/app", a.lang)
			b.sends(map[string]string{"code": app.code(t)})
			b.on("/account", a.lang)
			if len(b.messages(a.e164(), sixDigits)) != texts {
				t.Error("a text was sent that nobody asked for")
			}
			b.open(w.dilys() + "/account/two-step")
			b.sends(map[string]string{"way": "phone"})
			b.awaits(`document.querySelector(".nhsuk-inset-text") !== null`, "the choice kept")
			b.checkAccessible("the choice kept")
		})
	}
}

// authenticator is an app made of two programs that know nothing of ours.
type authenticator struct {
	maker  string
	turned *time.Duration // by how much the service's clock is ahead
	seed   string
}

// scan photographs the page and reads the QR code that is on it.
func (a *authenticator) scan(b *tab, scanner string, who applicant) {
	b.t.Helper()
	ctx, done := b.within()
	defer done()
	photo, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.t.TempDir(), "photo.png")
	if err := os.WriteFile(file, photo, 0o600); err != nil {
		b.t.Fatal(err)
	}
	text, err := exec.Command(scanner, "--quiet", "--raw", file).Output()
	if err != nil {
		b.t.Fatalf("the scanner sees no QR code: %v", err)
	}
	u, err := url.Parse(string(bytes.TrimSpace(text)))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || !strings.HasSuffix(u.Path, ":"+who.email) || !strings.HasPrefix(u.Path, "/"+u.Query().Get("issuer")+":") {
		b.t.Fatalf("the QR code is no account of an app: %v", err)
	}
	a.seed = u.Query().Get("secret")
	typed := strings.ReplaceAll(evaluate[string](b, `document.querySelector(".dilys-key").innerText`), " ", "")
	link := evaluate[string](b, `document.querySelector('a[href^="otpauth:"]').href`)
	if typed != a.seed || !strings.Contains(link, "secret="+a.seed) {
		b.t.Error("the QR code, the key to type and the link are not of one seed")
	}
}

// code is what the app shows by the service's clock.
func (a authenticator) code(t *testing.T) string {
	t.Helper()
	now := time.Now().Add(*a.turned).UTC().Format("2006-01-02 15:04:05 UTC")
	out, err := exec.Command(a.maker, "--totp", "--base32", "--now="+now, a.seed).Output()
	if err != nil {
		t.Fatalf("oathtool: %v", err)
	}
	return strings.TrimSpace(string(out))
}
