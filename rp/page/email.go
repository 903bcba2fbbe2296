package page

import "time"

const loginAt = "/login/email"

// LoginEmail asks for address and password (`email`, `password`). Which of the two
// was wrong, it never tells.
type LoginEmail struct {
	Portal      Words  // the portal that waits; none: nobody asked
	RequestID   string // the waiting authorization request, posted along as `request`; may be empty
	Return      string // or the page of ours that waits, posted along as `return`; may be empty
	Shared      bool   // the device is not the patient's, posted along as `device`
	Email       string // as typed
	TextsOff    bool   // no texts can be sent now: a printed code works
	LockedUntil time.Time
	Reference   string // of the lock
	SignUpURL   string // empty: not offered
	RecoverURL  string // empty: /recover
	ForgotURL   string // which e-mail it was; empty: /recover/email
	Action      string // empty: /login/email
	Back        string
	Passkey     *PasskeyAsk // which the browser offers as it fills the address in; nil: none
	Faults      []Fault
}

func (p LoginEmail) keyed() bool { return p.Passkey != nil }

func (LoginEmail) template() string { return "login-email" }

func (p LoginEmail) title(v *voice, _ *site) (string, error) {
	if portal := p.Portal.In(v.lang); portal != "" {
		return v.plain("login.title-portal", "portal", portal)
	}
	return v.plain("login-email.title")
}

func (p LoginEmail) form() form {
	faults := make([]Fault, 0, len(p.Faults))
	for _, f := range p.Faults {
		if f.Key == FaultLocked && f.Until.IsZero() {
			f.Until = p.LockedUntil
		}
		faults = append(faults, f)
	}
	return form{action: or(p.Action, loginAt), back: p.Back, faults: faults}
}

// Hidden returns what is posted along.
func (p LoginEmail) Hidden() []Field {
	return waiting(p.RequestID, p.Return, Login{Shared: p.Shared}.device())
}
