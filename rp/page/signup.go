package page

import (
	"time"

	"github.com/dilys-id/dilys/identity"
)

// The addresses at which a sign-up stands, each page at its own.
const (
	signUpAt   = "/sign-up"
	tooYoungAt = signUpAt + "/too-young"
	deviceAt   = signUpAt + "/device"
	emailAt    = signUpAt + "/email"
	phoneAt    = signUpAt + "/phone"
	nameAt     = signUpAt + "/name"
	bornAt     = signUpAt + "/birth-date"
	numberAt   = signUpAt + "/nhs-number"
	postcodeAt = signUpAt + "/postcode"
	passwordAt = signUpAt + "/password"
	checkAt    = signUpAt + "/check"
)

// SignUpStart says what signing up is, that nobody has to, and what is needed. It
// asks one question, of which nothing is kept: `old_enough`, yes or no.
type SignUpStart struct {
	MinimumAge int    // in years; 0: everybody may, and nothing is asked
	Portal     Words  // the portal that waits; none: nobody asked
	RequestID  string // the waiting authorization request, posted along as `request`; may be empty
	Return     string // or the page of ours that waits, posted along as `return`; may be empty
	NHSLogin   string // where NHS login is to be had, which is offered first; empty: not offered
	LoginURL   string // for those who have signed up; empty: /login/email
	EmailOff   bool   // no e-mails can be sent: nobody can sign up
	NoTexts    bool   // no texts can be sent: the ways without are told
	Action     string // empty: /sign-up
	Back       string
	Faults     []Fault
}

func (SignUpStart) template() string { return "sign-up" }

func (p SignUpStart) title(v *voice, _ *site) (string, error) {
	if portal := p.Portal.In(v.lang); portal != "" {
		return v.plain("sign-up.title-portal", "portal", portal)
	}
	return v.plain("sign-up.title")
}

func (p SignUpStart) form() form {
	return form{action: or(p.Action, signUpAt), back: p.Back, faults: p.Faults}
}

// Hidden returns what is posted along.
func (p SignUpStart) Hidden() []Field { return waiting(p.RequestID, p.Return, "") }

// TooYoung asks for the birth date and then says from which day the patient can
// sign up, and what helps today. Nothing of it is kept, and nobody else's account
// is suggested.
type TooYoung struct {
	MinimumAge int
	BirthDate  DateTyped // as it was typed
	From       time.Time // the day on which the patient is old enough; zero: it is asked for
	Action     string    // empty: /sign-up/too-young
	Back       string    // empty: /sign-up
	Faults     []Fault
}

func (TooYoung) template() string { return "too-young" }

func (p TooYoung) title(v *voice, _ *site) (string, error) {
	if p.From.IsZero() {
		return v.plain("too-young.ask-title")
	}
	return v.plain("too-young.title")
}

func (p TooYoung) form() form {
	return form{action: or(p.Action, tooYoungAt), back: or(p.Back, signUpAt), faults: p.Faults}
}

// SignUpDevice asks who uses the device (`device`, own or shared) and whether
// somebody helps (`helped`, and then `helper_email` and `helper_phone`, which are
// refused as the patient's own).
type SignUpDevice struct {
	Device      string // what was chosen
	Helped      bool
	HelperEmail string // as typed
	HelperPhone string // as typed
	Action      string // empty: /sign-up/device
	Back        string
	Progress    Progress
	Faults      []Fault
}

func (SignUpDevice) template() string { return "sign-up-device" }

func (SignUpDevice) title(v *voice, _ *site) (string, error) { return v.plain("device.title") }

func (p SignUpDevice) form() form { return form{or(p.Action, deviceAt), p.Back, p.Progress, p.Faults} }

// SignUpEmail asks for the e-mail address (`email`).
type SignUpEmail struct {
	Email    string // as typed
	Action   string // empty: /sign-up/email
	Back     string
	Progress Progress
	Faults   []Fault
}

func (SignUpEmail) template() string { return "sign-up-email" }

func (SignUpEmail) title(v *voice, _ *site) (string, error) { return v.plain("email.title") }

func (p SignUpEmail) form() form { return form{or(p.Action, emailAt), p.Back, p.Progress, p.Faults} }

// SignUpPhone asks for the mobile number (`phone`), or takes that there is none
// (`no_phone`).
type SignUpPhone struct {
	Phone    string // as typed
	Off      bool   // no texts can be sent: only the way without is shown
	Action   string // empty: /sign-up/phone
	Back     string
	Progress Progress
	Faults   []Fault
}

func (SignUpPhone) template() string { return "sign-up-phone" }

func (p SignUpPhone) title(v *voice, _ *site) (string, error) {
	if p.Off {
		return v.plain("phone.off-title")
	}
	return v.plain("phone.title")
}

func (p SignUpPhone) form() form { return form{or(p.Action, phoneAt), p.Back, p.Progress, p.Faults} }

// Name asks for `given_name` and `family_name`.
type Name struct {
	Given, Family string // as typed
	Action        string // empty: /sign-up/name
	Back          string
	Progress      Progress
	Faults        []Fault
}

func (Name) template() string { return "sign-up-name" }

func (Name) title(v *voice, _ *site) (string, error) { return v.plain("name.title") }

func (p Name) form() form { return form{or(p.Action, nameAt), p.Back, p.Progress, p.Faults} }

// BirthDate asks for `bday-day`, `bday-month` and `bday-year`.
type BirthDate struct {
	DateTyped        // as typed
	Action    string // empty: /sign-up/birth-date
	Back      string
	Progress  Progress
	Faults    []Fault
}

func (BirthDate) template() string { return "sign-up-birth-date" }

func (BirthDate) title(v *voice, _ *site) (string, error) { return v.plain("birth-date.title") }

func (p BirthDate) form() form { return form{or(p.Action, bornAt), p.Back, p.Progress, p.Faults} }

// NHSNumber asks for `nhs_number`, or takes that it is not known (`unknown`).
type NHSNumber struct {
	Number   string // as typed
	Action   string // empty: /sign-up/nhs-number
	Back     string
	Progress Progress
	Faults   []Fault
}

func (NHSNumber) template() string { return "sign-up-number" }

func (NHSNumber) title(v *voice, _ *site) (string, error) { return v.plain("number.title") }

func (p NHSNumber) form() form { return form{or(p.Action, numberAt), p.Back, p.Progress, p.Faults} }

// Postcode asks who does not know their NHS number for `postcode`, and tells where
// the number is to be found. A number that we find is never shown.
type Postcode struct {
	Postcode  string // as typed
	NumberURL string // where the number can be given after all; empty: /sign-up/nhs-number
	Action    string // empty: /sign-up/postcode
	Back      string
	Progress  Progress
	Faults    []Fault
}

func (Postcode) template() string { return "sign-up-postcode" }

func (Postcode) title(v *voice, _ *site) (string, error) { return v.plain("postcode.title") }

func (p Postcode) form() form { return form{or(p.Action, postcodeAt), p.Back, p.Progress, p.Faults} }

// PasswordPurpose is what a new password is for.
type PasswordPurpose string

// The purposes of a new password.
const (
	PasswordSignUp PasswordPurpose = "sign-up"
	PasswordReset  PasswordPurpose = "reset"
)

// NewPassword asks for `password`. It never comes back in the field.
type NewPassword struct {
	Purpose  PasswordPurpose // empty: [PasswordSignUp]
	Email    identity.Email  // so that a password manager keeps it under the right name; may be none
	Action   string          // empty: /sign-up/password or /recover/password
	Back     string
	Progress Progress
	Faults   []Fault
}

func (NewPassword) template() string { return "new-password" }

// Reset reports whether an account has a password already.
func (p NewPassword) Reset() bool { return p.Purpose == PasswordReset }

func (p NewPassword) title(v *voice, _ *site) (string, error) {
	if p.Reset() {
		return v.plain("password.reset-title")
	}
	return v.plain("password.title")
}

func (p NewPassword) form() form {
	at := passwordAt
	if p.Reset() {
		at = recoverAt + "/password"
	}
	return form{or(p.Action, at), p.Back, p.Progress, p.Faults}
}

// CheckAnswers plays back what was given, each with a way to change it, and opens
// the account.
type CheckAnswers struct {
	Details       identity.Details // as given; the NHS number as typed, never one that we found
	NoPhone       bool
	NumberUnknown bool // the postcode stands in its place
	Postcode      identity.Postcode
	Action        string // empty: /sign-up/check
	Back          string
	Progress      Progress
	Faults        []Fault
}

func (CheckAnswers) template() string { return "check-answers" }

func (CheckAnswers) title(v *voice, _ *site) (string, error) { return v.plain("check.title") }

func (p CheckAnswers) form() form { return form{or(p.Action, checkAt), p.Back, p.Progress, p.Faults} }

// FullName returns both names as given.
func (p CheckAnswers) FullName() string { return fullName(p.Details) }

// Phone returns the number as people read it.
func (p CheckAnswers) Phone() string { return readable(p.Details.Phone) }

// Number returns the NHS number as typed, in groups, or nothing.
func (p CheckAnswers) Number() string {
	if p.NumberUnknown || p.Details.NHSNumber.IsZero() {
		return ""
	}
	return p.Details.NHSNumber.Spaced()
}

// Postal returns the postcode with its gap.
func (p CheckAnswers) Postal() string {
	const inward = 3
	code := p.Postcode.Reveal()
	if len(code) <= inward {
		return code
	}
	return code[:len(code)-inward] + " " + code[len(code)-inward:]
}

// Outcome is how sure a sign-up made us.
type Outcome string

// The outcomes. Why details could not be confirmed is nobody's to know: a
// mismatch, no contact that matches and a protected patient are one outcome.
const (
	OutcomeConfirmed    Outcome = "confirmed"     // P5: details and a contact match the register
	OutcomeNotKnown     Outcome = "not-known"     // P0: no NHS number was given, and none was found
	OutcomeNotConfirmed Outcome = "not-confirmed" // P0
	OutcomeRegisterDown Outcome = "register-down" // P0: the register did not answer
)

var outcomes = []Outcome{OutcomeConfirmed, OutcomeNotKnown, OutcomeNotConfirmed, OutcomeRegisterDown}

// SignedUp ends a sign-up: it says how sure we are, what that opens, and how to
// become surer.
type SignedUp struct {
	Outcome       Outcome // empty: [OutcomeNotConfirmed]
	Reference     string  // of what could not be confirmed; may be empty
	NHSLogin      string  // where NHS login is to be had; empty: not offered
	ActivationURL string  // where a code from staff is given; empty: /account/activation
	NextURL       string  // where the sign-up was for; empty: /account
	Portal        Words   // the portal that waits there; may be none
}

func (SignedUp) template() string { return "signed-up" }

// Key names one of the outcome's texts.
func (p SignedUp) Key(part string) string {
	return "signed-up." + or(string(p.Outcome), string(OutcomeNotConfirmed)) + "." + part
}

func (p SignedUp) title(v *voice, _ *site) (string, error) { return v.plain(p.Key("title")) }

// Confirmed reports whether the register confirmed the patient.
func (p SignedUp) Confirmed() bool { return p.Outcome == OutcomeConfirmed }

// Interrupted offers to carry on with a sign-up that was left. On somebody else's
// device nothing was kept but how far it came: the address is asked for again
// (`email`).
type Interrupted struct {
	Shared   bool
	Email    string // as typed, where it is asked for again
	Action   string // the page that is due; on a shared device, where the address is posted; empty: /sign-up/email
	AgainURL string // where to begin anew; empty: /sign-up?again=1
	Faults   []Fault
}

func (Interrupted) template() string { return "interrupted" }

func (p Interrupted) title(v *voice, _ *site) (string, error) {
	if p.Shared {
		return v.plain("interrupted.shared-title")
	}
	return v.plain("interrupted.title")
}

func (p Interrupted) form() form { return form{action: or(p.Action, emailAt), faults: p.Faults} }
