package page

import (
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
)

// HelpPage tells how to get help, and how to know the true service.
type HelpPage struct{}

func (HelpPage) template() string { return "help" }

func (HelpPage) title(v *voice, _ *site) (string, error) { return v.plain("help.title") }

// Privacy tells what is kept about a patient.
type Privacy struct{}

func (Privacy) template() string { return "privacy" }

func (Privacy) title(v *voice, _ *site) (string, error) { return v.plain("privacy.title") }

// Cookies tells which cookies there are.
type Cookies struct{ List []Cookie }

// Cookie is one cookie as the cookies page tells it.
type Cookie struct {
	Name  string
	Use   CookieUse
	Lasts time.Duration // zero: until the browser is closed
}

// CookieUse is what a cookie is for.
type CookieUse string

// The uses of cookies.
const (
	SessionCookie  CookieUse = "session"
	BrowserCookie  CookieUse = "browser"
	LanguageCookie CookieUse = "language"
	StartCookie    CookieUse = "start" // at another website behind our gateway
	GateCookie     CookieUse = "gate"  // likewise
)

// Key names the text of the use.
func (u CookieUse) Key() string { return "cookie." + string(u) }

func (Cookies) template() string { return "cookies" }

func (Cookies) title(v *voice, _ *site) (string, error) { return v.plain("cookies.title") }

// AccessibilityStatement says what was done for accessibility, and nothing else.
type AccessibilityStatement struct{}

func (AccessibilityStatement) template() string { return "accessibility" }

func (AccessibilityStatement) title(v *voice, _ *site) (string, error) {
	return v.plain("accessibility.title")
}

// dialled returns a telephone number as a tel: link wants it: without what people
// put between the digits.
func dialled(phone string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, phone)
}

// isEmail reports whether a contact can stand in a mailto: link.
func isEmail(contact string) bool {
	_, err := identity.ParseEmail(contact)
	return err == nil && !strings.ContainsAny(contact, "?&% ")
}

// chosenTexts are the keys that pages put together from values; the others stand
// in templates word for word.
func chosenTexts() []string {
	keys := []string{"provider.unknown", "clock.midday", "clock.midnight", "clock.moment", "lasts.browser"}
	for _, k := range Kinds() {
		for _, part := range []string{"title", "why", "now"} {
			keys = append(keys, Refusal{Kind: k}.key(part))
		}
	}
	for _, r := range knownReasons {
		keys = append(keys, Account{}.ReasonKey(r))
	}
	for _, p := range []identity.Proofing{identity.P0, identity.P5, identity.P9} {
		keys = append(keys, Event{Level: p.String()}.LevelKey())
		keys = append(keys, Account{Trust: identity.Trust{P: p}}.SureKey())
	}
	for _, k := range tellings {
		keys = append(keys, Event{Kind: k}.Key())
	}
	for _, k := range ofAddresses {
		keys = append(keys, Event{Kind: k, Phone: true}.Key())
	}
	for _, kind := range []factor.Kind{factor.KindPhone, factor.KindTOTP, factor.KindCard, factor.KindPasskey} {
		keys = append(keys, Export{}.FactorKey(string(kind)))
	}
	for _, p := range []identity.Proofing{identity.P0, identity.P5, identity.P9} {
		keys = append(keys, Export{}.LevelKey(p.String()))
	}
	for _, why := range leaveReasons {
		keys = append(keys, Leave{}.ReasonKey(why))
	}
	for _, w := range stepUpWays {
		keys = append(keys, StepUp{}.WayKey(w))
	}
	for _, w := range []ProofWay{ByApp, ByPhone, ByCard} {
		keys = append(keys, OtherWay{Way: w}.Key(), OtherWay{Way: w, Send: true}.Key())
	}
	for _, u := range []CookieUse{SessionCookie, BrowserCookie, LanguageCookie, StartCookie, GateCookie} {
		keys = append(keys, u.Key())
	}
	for _, l := range lengths {
		for n := range 3 {
			keys = append(keys, "lasts."+l.name+"."+plural(n+1))
		}
	}
	for k, second := range variants {
		keys = append(keys, Refusal{Kind: k}.key(second.without))
	}
	for _, why := range passkeyFaults {
		keys = append(keys, PasskeyFailed{Why: why}.Key())
	}
	for _, name := range passkeyErrors {
		keys = append(keys, PasskeyAsk{Makes: true}.ErrorKey(name))
	}
	for _, saved := range []PasskeySaved{PasskeyAdded, PasskeyRenamed, PasskeyGone} {
		keys = append(keys, Passkeys{Saved: saved}.SavedKey())
	}
	for _, o := range outcomes {
		for _, part := range []string{"title", "text"} {
			keys = append(keys, SignedUp{Outcome: o}.Key(part))
		}
	}
	keys = append(keys, faultKeys...)
	keys = append(keys, FaultWait+"-until", FaultLocked+"-until", "form.day", "form.month", "form.year")
	return append(keys, "login.title", "login.title-portal", "account.title",
		"logout.title", "logged-out.title", "help.title", "privacy.title", "cookies.title", "accessibility.title",
		"sign-up.title", "sign-up.title-portal", "too-young.ask-title", "too-young.title", "device.title", "email.title",
		"phone.title", "phone.off-title", "name.title", "birth-date.title", "number.title", "postcode.title",
		"password.title", "password.reset-title", "check.title", "interrupted.title", "interrupted.shared-title",
		"code.email-title", "code.text-title", "card-code.title", "lost-phone.title", "card.title", "card-ask.title", "activation.title",
		"app-code.title", "two-step.title", "app.title", "app.set-up-title", "app.done-title", "app.remove-title",
		"login-email.title", "step-up.title", "step-up.none-title", "activity.title", "activity.login.provider", "not-me.title", "linkage.title", "let-in.title", "leave.title", "leave.done-title", "export.title", "regained.title", "regained.wait-title", "not-me.done-title", "recover.title", "recover-sent.title", "recover-link.title", "recover-help.title", "recover-done.title",
		"forgotten-email.title", "forgotten-email-sent.title", "contact.email-title", "contact.phone-title", "contact.first-title",
		"held.email-title", "held.phone-title", "held.first-title", "cancel.title", "cancel.done-title", "cancel.gone-title",
		"not-mine.number-title", "not-mine.record-title", "not-mine.done-title", "link-start.title", "passkeys.title", "passkey-offer.title", "passkey-remove.title", "passkey-failed.title", "reprove.title", "paused.title", "nhs-login-help.title", "quiet.title", "away.title", "unlink.title", "unlink.done-title")
}
