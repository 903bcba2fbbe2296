package page

import (
	"net/url"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// StepUpWay is a way in which a patient proves themselves once more.
type StepUpWay string

// The ways. The zero value is none: no proof that the patient can give now would be
// enough.
const (
	StepUpPasskey  StepUpWay = "passkey"
	StepUpApp      StepUpWay = "totp"
	StepUpPhone    StepUpWay = "phone"
	StepUpCard     StepUpWay = "card"
	StepUpProvider StepUpWay = "provider"
	StepUpPassword StepUpWay = "password"
)

var stepUpWays = []StepUpWay{StepUpPasskey, StepUpApp, StepUpPhone, StepUpCard, StepUpProvider, StepUpPassword}

// StepUp asks a patient who is logged in for one proof more, says why, and offers the
// other ways.
type StepUp struct {
	Portal    Words // the service that asks; none: our own page does
	RequestID string
	Return    string

	Way      StepUpWay
	Others   []StepUpWay // in their order
	Provider Provider    // of StepUpProvider
	SignedBy Words       // who proved the patient in this session, for its reasons; may be empty

	Passkey *PasskeyAsk // of StepUpPasskey

	Stale   bool // strong enough, and too long ago
	Reasons []identity.Reason

	Sent   bool          // of StepUpPhone: a code was texted, and its input is shown
	Anew   bool          // it is a new one
	Lasts  time.Duration // how long it is good
	Leave  string        // back to the service without it; empty: not offered
	Surer  string        // where a code of the practice is given; empty: not offered
	Faults []Fault
}

// stepUpAt is the page's own address.
const stepUpAt = "/step-up"

func (p StepUp) keyed() bool { return p.Passkey != nil }

func (StepUp) template() string { return "step-up" }

func (p StepUp) title(v *voice, _ *site) (string, error) {
	if p.Way == "" {
		return v.plain("step-up.none-title")
	}
	return v.plain("step-up.title")
}

func (p StepUp) form() form { return form{action: stepUpAt, faults: p.Faults} }

// Hidden returns what is posted along.
func (p StepUp) Hidden() []Field { return waiting(p.RequestID, p.Return, "") }

// Own reports whether a page of ours asks.
func (p StepUp) Own() bool { return p.RequestID == "" }

// Link returns where another way is taken.
func (p StepUp) Link(w StepUpWay) string {
	path := stepUpAt
	if w == StepUpPassword {
		path = loginAt
	}
	q := url.Values{}
	for _, f := range p.Hidden() {
		q.Set(f.Name, f.Value)
	}
	if w != StepUpPassword {
		q.Set("way", string(w))
	}
	return path + "?" + q.Encode()
}

// Depart returns where the provider's login begins.
func (p StepUp) Depart() string { return "/login/" + url.PathEscape(p.Provider.ID) }

// WayKey names the text of a way. A code that the patient has is spoken of as at a
// log-in; one that is not sent yet is not.
func (StepUp) WayKey(w StepUpWay) string {
	if w == StepUpApp || w == StepUpCard {
		return OtherWay{Way: ProofWay(w)}.Key()
	}
	return "step-up.way-" + string(w)
}

// ReasonKey names the text of a reason.
func (StepUp) ReasonKey(r identity.Reason) string { return Account{}.ReasonKey(r) }
