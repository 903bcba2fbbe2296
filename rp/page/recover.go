package page

import (
	"time"

	"github.com/dilys-id/dilys/identity"
)

const (
	recoverAt   = "/recover"
	forgottenAt = recoverAt + "/email"
)

// Recover asks for the address to which a link is mailed (`email`).
type Recover struct {
	Email     string // as typed
	EmailOff  bool   // no e-mails can be sent now
	ForgotURL string // which e-mail it was; empty: /recover/email
	Action    string // empty: /recover
	Back      string // empty: /login/email
	Faults    []Fault
}

func (Recover) template() string { return "recover" }

func (Recover) title(v *voice, _ *site) (string, error) { return v.plain("recover.title") }

func (p Recover) form() form {
	return form{action: or(p.Action, recoverAt), back: or(p.Back, loginAt), faults: p.Faults}
}

// RecoverSent says that a mail is on its way, if there is an account: the page is
// the same for every address, and shows none.
type RecoverSent struct {
	Lasts    time.Duration // how long the link works; zero: not told
	AgainURL string        // empty: /recover
}

func (RecoverSent) template() string { return "recover-sent" }

func (RecoverSent) title(v *voice, _ *site) (string, error) { return v.plain("recover-sent.title") }

// RecoverLink is what a mailed link shows: one button, whose form spends the link.
// A program that follows links in mails spends nothing.
type RecoverLink struct {
	Action string // empty: /recover/link
}

func (RecoverLink) template() string { return "recover-link" }

func (RecoverLink) title(v *voice, _ *site) (string, error) { return v.plain("recover-link.title") }

func (p RecoverLink) form() form { return form{action: or(p.Action, recoverAt+"/link")} }

// RecoverHelp says who helps where no second factor can be given.
type RecoverHelp struct {
	LetInURL string // the way by a code from staff; empty: none
	Back     string
}

func (RecoverHelp) template() string { return "recover-help" }

func (RecoverHelp) title(v *voice, _ *site) (string, error) { return v.plain("recover-help.title") }

func (p RecoverHelp) form() form { return form{back: p.Back} }

// NHSLoginHelp says that an NHS login is reset by NHS login alone, and how.
type NHSLoginHelp struct {
	SignUpURL string // where the patient can sign up meanwhile; empty: not offered
	Back      string
}

func (NHSLoginHelp) template() string { return "nhs-login-help" }

func (NHSLoginHelp) title(v *voice, _ *site) (string, error) { return v.plain("nhs-login-help.title") }

func (p NHSLoginHelp) form() form { return form{back: or(p.Back, "/login")} }

// RecoverDone says that the password is changed.
type RecoverDone struct {
	LoginURL string // empty: /login/email
}

func (RecoverDone) template() string { return "recover-done" }

func (RecoverDone) title(v *voice, _ *site) (string, error) { return v.plain("recover-done.title") }

// ForgottenEmail asks for the proved mobile number (`phone`), to which a reminder
// of the address is texted.
type ForgottenEmail struct {
	Phone    string // as typed
	TextsOff bool   // no texts can be sent now
	Action   string // empty: /recover/email
	Back     string // empty: /login/email
	Faults   []Fault
}

func (ForgottenEmail) template() string { return "forgotten-email" }

func (ForgottenEmail) title(v *voice, _ *site) (string, error) {
	return v.plain("forgotten-email.title")
}

func (p ForgottenEmail) form() form {
	return form{action: or(p.Action, forgottenAt), back: or(p.Back, loginAt), faults: p.Faults}
}

// ForgottenEmailSent says that a reminder is on its way, if the number is known:
// the page is the same for every number.
type ForgottenEmailSent struct {
	LoginURL string // empty: /login/email
}

func (ForgottenEmailSent) template() string { return "forgotten-email-sent" }

func (ForgottenEmailSent) title(v *voice, _ *site) (string, error) {
	return v.plain("forgotten-email-sent.title")
}

// ContactChange asks for a new address: `email` or `phone`.
type ContactChange struct {
	Channel identity.Channel // [identity.ByEmail] or [identity.BySMS]
	First   bool             // there is no number yet
	Opens   time.Time        // when it takes place, if that is later than 24 hours after its code; zero: it is not
	AtOnce  bool             // staff let the patient in: the number logs them in at once, and opens their record from Opens on
	Waits   time.Time        // when a change of that channel takes place that is asked for already; zero: none is
	Typed   string           // as typed
	Off     bool             // nothing can be sent now
	Action  string           // empty: /account/email or /account/phone
	Back    string           // empty: /account
	Faults  []Fault
}

func (ContactChange) template() string { return "contact-change" }

// ByEmail reports whether the address is one for e-mail.
func (p ContactChange) ByEmail() bool { return p.Channel == identity.ByEmail }

func (p ContactChange) title(v *voice, _ *site) (string, error) {
	switch {
	case p.ByEmail():
		return v.plain("contact.email-title")
	case p.First:
		return v.plain("contact.first-title")
	}
	return v.plain("contact.phone-title")
}

func (p ContactChange) form() form {
	at := accountAt + "/phone"
	if p.ByEmail() {
		at = accountAt + "/email"
	}
	return form{action: or(p.Action, at), back: or(p.Back, accountAt), faults: p.Faults}
}

// ContactHeld says what a change of address waits for: what works now, and what
// opens when. Its form stops the change.
type ContactHeld struct {
	Channel identity.Channel
	First   bool      // there is no number yet
	New     string    // the new address
	Opens   time.Time // when the new address takes the place of the old one
	Action  string    // empty: /account/email-held or /account/phone-held
}

func (ContactHeld) template() string { return "contact-held" }

// ByEmail reports whether the address is one for e-mail.
func (p ContactHeld) ByEmail() bool { return p.Channel == identity.ByEmail }

// Shown returns the new address as people read it.
func (p ContactHeld) Shown() string { return shownAddress(p.Channel, p.New) }

func (p ContactHeld) title(v *voice, _ *site) (string, error) {
	switch {
	case p.ByEmail():
		return v.plain("held.email-title")
	case p.First:
		return v.plain("held.first-title")
	}
	return v.plain("held.phone-title")
}

func (p ContactHeld) form() form {
	at := accountAt + "/phone-held"
	if p.ByEmail() {
		at = accountAt + "/email-held"
	}
	return form{action: or(p.Action, at), back: accountAt}
}

// ContactCancel is what the link shows that is sent to the old address: one button,
// whose form stops the change.
type ContactCancel struct {
	Done      bool   // it was stopped
	Gone      bool   // there is nothing to stop: it was stopped, or took place, or the link is another's
	Reference string // of what was done, or not
	Action    string // empty: /stop-change
}

func (ContactCancel) template() string { return "contact-cancel" }

func (p ContactCancel) title(v *voice, _ *site) (string, error) {
	switch {
	case p.Done:
		return v.plain("cancel.done-title")
	case p.Gone:
		return v.plain("cancel.gone-title")
	}
	return v.plain("cancel.title")
}

func (p ContactCancel) form() form { return form{action: or(p.Action, "/stop-change")} }

// NotMine asks before the link to a record is frozen, and says afterwards that it
// is.
type NotMine struct {
	Record    bool // what a portal showed is not the patient's; else the number is not
	Done      bool
	Reference string // of what was done
	Action    string // empty: /account/not-my-record or /account/not-my-number
}

func (NotMine) template() string { return "not-mine" }

func (p NotMine) title(v *voice, _ *site) (string, error) {
	switch {
	case p.Done:
		return v.plain("not-mine.done-title")
	case p.Record:
		return v.plain("not-mine.record-title")
	}
	return v.plain("not-mine.number-title")
}

func (p NotMine) form() form {
	at := accountAt + "/not-my-number"
	if p.Record {
		at = accountAt + "/not-my-record"
	}
	back := accountAt
	if p.Done {
		back = ""
	}
	return form{action: or(p.Action, at), back: back}
}
