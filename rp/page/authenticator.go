package page

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"

	"github.com/dilys-id/dilys/identity"
)

// The pages of the ways in which a patient is asked for a second factor.
const (
	twoStepAt       = accountAt + "/two-step"
	authenticatorAt = accountAt + "/authenticator"
)

// ProofWay is a second factor that a patient can be asked for.
type ProofWay string

// The ways.
const (
	ByApp   ProofWay = "totp"
	ByPhone ProofWay = "phone"
	ByCard  ProofWay = "card"
)

// OtherWay is one beside that which a page asks for.
type OtherWay struct {
	Way  ProofWay
	URL  string
	Send bool // a text is sent by taking it: a button (`resend`), no link
}

// Key names the text of the way.
func (o OtherWay) Key() string {
	if o.Send {
		return "way.send"
	}
	return "way." + string(o.Way)
}

// AppCode asks for the code that the authenticator app shows (`code`).
type AppCode struct {
	LogsIn   bool       // the code logs the patient in
	Remember bool       // the browser may be remembered (`remember`)
	Others   []OtherWay // beside it
	LostURL  string     // what helps without the phone; empty: none
	Action   string     // empty: /login/email/app
	Back     string
	Faults   []Fault
}

func (AppCode) template() string { return "app-code" }

func (AppCode) title(v *voice, _ *site) (string, error) { return v.plain("app-code.title") }

func (p AppCode) form() form {
	return form{action: or(p.Action, loginAt+"/app"), back: p.Back, faults: p.Faults}
}

// TwoStep shows what the patient is asked for beside the password, and lets them
// choose what comes first (`way`).
type TwoStep struct {
	Ways     []ProofWay // in the order in which they are asked for
	Email    bool       // there are none, and a code is mailed instead
	Saved    bool       // the choice was kept just now
	AppSince time.Time  // zero: there is no app
	AppOff   bool       // too many codes of it were wrong
	PhoneURL string     // where a number is given or changed; empty: not offered
	PhoneOff bool
	CardURL  string // where a card is made
	CardLeft int
	Faults   []Fault
}

func (TwoStep) template() string { return "two-step" }

func (TwoStep) title(v *voice, _ *site) (string, error) { return v.plain("two-step.title") }

func (p TwoStep) form() form { return form{action: twoStepAt, back: accountAt, faults: p.Faults} }

// Has reports whether the patient has that way.
func (p TwoStep) Has(w ProofWay) bool {
	for _, has := range p.Ways {
		if has == w {
			return true
		}
	}
	return false
}

// AppURL is where an authenticator app is set up or taken away.
func (TwoStep) AppURL() string { return authenticatorAt }

// AppIntro says what an authenticator app is, offers to set one up (POST), and to take
// away the one there is.
type AppIntro struct {
	Since time.Time // of the app there is; zero: none
	Off   bool      // too many codes of it were wrong
}

func (AppIntro) template() string { return "app-intro" }

func (p AppIntro) title(v *voice, _ *site) (string, error) {
	if p.Since.IsZero() {
		return v.plain("app.set-up-title")
	}
	return v.plain("app.title")
}

func (AppIntro) form() form { return form{action: authenticatorAt, back: twoStepAt} }

// RemoveURL is where the app is taken away.
func (AppIntro) RemoveURL() string { return authenticatorAt + "/remove" }

// AppSetUp shows the seed of an app that is being set up, once, and asks for its
// first code (`code`). When it comes back, for a code that was wrong, the seed is not
// shown again: a new one can be asked for.
type AppSetUp struct {
	Seed   identity.Secret // in Base32; empty: it was shown before
	Email  identity.Email  // names the account in the app, where a family has several
	Again  bool            // there is an app, which works until this one does
	Faults []Fault
}

func (AppSetUp) template() string { return "app-set-up" }

func (AppSetUp) title(v *voice, _ *site) (string, error) { return v.plain("app.set-up-title") }

func (p AppSetUp) form() form {
	return form{action: authenticatorAt + "/code", back: twoStepAt, faults: p.Faults}
}

// StartAgain is where a new seed is asked for.
func (AppSetUp) StartAgain() string { return authenticatorAt }

// Key returns the seed in groups of four, as people type it.
func (p AppSetUp) Key() string {
	const group = 4
	var b strings.Builder
	for i, r := range p.Seed.Reveal() {
		if i > 0 && i%group == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Link returns the address that an app on the same device opens, as apps agreed on
// it. The issuer stands before the account and as a parameter, as some apps read the
// one and some the other. It holds no parameters of the code: those that there are,
// every app does by itself, and more make the QR code harder to scan.
func (p AppSetUp) Link(s scene) template.URL {
	issuer := strings.ReplaceAll(s.OrganisationName(), ":", " ") // which parts issuer and account
	q := url.Values{"secret": {p.Seed.Reveal()}, "issuer": {issuer}}
	label := url.PathEscape(issuer) + ":" + url.PathEscape(p.Email.Reveal())
	// A plus stands for a space in forms alone: apps show it.
	return template.URL("otpauth://totp/" + label + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")) //nolint:gosec // escaped part by part
}

// QR draws the link as a QR code.
func (p AppSetUp) QR(s scene) (QR, error) { return drawQR(string(p.Link(s))) }

// QR is a QR code as a path of squares, with the quiet margin that scanners want.
type QR struct {
	Size int    // of the whole, in modules
	Path string // of the dark modules
}

// quiet is the margin of a QR code, in modules (ISO/IEC 18004 §7.1).
const quiet = 4

// drawQR draws it as an image inside of the page: there is no file of it that could
// be kept or cached, and no address.
func drawQR(content string) (QR, error) {
	code, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		return QR{}, fmt.Errorf("draw the QR code: %w", err)
	}
	side := code.Bounds().Dx()
	var b strings.Builder
	for y := range side {
		for x := 0; x < side; {
			run := 0
			for x+run < side {
				if r, _, _, _ := code.At(x+run, y).RGBA(); r != 0 {
					break
				}
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
			}
			x += run + 1
		}
	}
	return QR{side + 2*quiet, b.String()}, nil
}

// AppDone says that the app works from now on.
type AppDone struct {
	CardURL string // where a card is made, for a patient who has no other way; empty: not offered
}

func (AppDone) template() string { return "app-done" }

func (AppDone) title(v *voice, _ *site) (string, error) { return v.plain("app.done-title") }

// AppRemove asks before the app is taken away, or says why it can't be.
type AppRemove struct {
	Last    bool   // nothing else would be left
	CardURL string // of Last: where a card is made
}

func (AppRemove) template() string { return "app-remove" }

func (AppRemove) title(v *voice, _ *site) (string, error) { return v.plain("app.remove-title") }

func (AppRemove) form() form { return form{action: authenticatorAt + "/remove", back: authenticatorAt} }
