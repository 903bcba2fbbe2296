package page

import "time"

// LetIn asks for the code with which staff let a patient back in (`recovery_code`).
// What was typed never comes back.
type LetIn struct {
	Action string // where it is posted
	Back   string

	Reference string // of a code that was not taken
	Faults    []Fault
}

func (LetIn) template() string { return "let-in" }

func (LetIn) title(v *voice, _ *site) (string, error) { return v.plain("let-in.title") }

func (p LetIn) form() form { return form{action: p.Action, back: p.Back, faults: p.Faults} }

// Paused says that nothing is changed for a while of how the account is opened, as its
// patient said that something was not them.
type Paused struct {
	Opens time.Time // when it can be changed again
}

func (Paused) template() string { return "paused" }

func (Paused) title(v *voice, _ *site) (string, error) { return v.plain("paused.title") }

func (Paused) form() form { return form{back: accountAt} }

// Regained says to a patient who was let back in what works now, what opens when, and
// what to do if results can't wait.
type Regained struct {
	Opens    time.Time // when what is set up now opens what the account holds
	SetUp    bool      // this session may set up a new way in; else the wait has begun
	PhoneURL string    // where a new number is given; empty: not offered
	AppURL   string
	CardURL  string
	To       string // where the login was for
}

func (Regained) template() string { return "regained" }

func (p Regained) title(v *voice, _ *site) (string, error) {
	if p.SetUp {
		return v.plain("regained.title")
	}
	return v.plain("regained.wait-title")
}
