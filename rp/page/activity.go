package page

import (
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity/audit"
)

// activityAt is the page of what happened on an account.
const activityAt = accountAt + "/activity"

// Activity is what happened on an account, the newest first, as far as it concerns
// its patient.
type Activity struct {
	Events []Event
	More   bool // older ones are kept, and not on this page
}

// Event is one thing that happened.
type Event struct {
	ID       string
	Kind     audit.Kind
	At       time.Time
	Provider Words  // of a log-in; none: it was here
	Portal   Words  // that was shown the patient
	Level    string // that it was told: P0, P5 or P9; empty: no service was told anything
	Staff    bool   // somebody at the help desk did it
	Doubt    bool   // "this wasn't me" is offered
	Phone    bool   // of an address: it is the phone number, not the e-mail address
}

// ofAddresses are the kinds that tell of the phone number, or of the e-mail address.
var ofAddresses = []audit.Kind{audit.ContactChangeAsked, audit.ContactChangeStopped, audit.ContactChangeDropped, audit.ContactChanged}

// tellings are the kinds of event that have a sentence for the patient. What is not
// here says nothing to them, or repeats another.
var tellings = slices.Concat(ofAddresses, []audit.Kind{
	audit.LoginSucceeded, audit.SessionRaised, audit.SessionEnded, audit.AccountCreated, audit.LevelRaised, audit.ProofRefused,
	audit.PasswordChanged, audit.DetailsRefreshed, audit.AccountDisabled, audit.AccountEnabled, audit.AccountSignedOut, audit.AccountLookedUp,
	audit.AccountAlarmed, audit.AccountMerged, audit.RecordFrozen, audit.CloseAsked, audit.CloseStopped, audit.AccountExported, audit.AccountRecovered, audit.RecoveryIssued, audit.CodeIssued, audit.HostShown, audit.LevelShown, audit.CardMade, audit.CardSpent, audit.CardDeclined, audit.CardDropped,
	audit.BrowserRemembered, audit.BrowserForgotten, audit.PhoneBound, audit.PhoneDropped, audit.PhoneOff, audit.ActivationSpent,
	audit.PasskeyBound, audit.PasskeyDropped, audit.PasskeyOff, audit.TOTPBound, audit.TOTPDropped, audit.TOTPOff, audit.FactorChosen, audit.ProviderLinked, audit.ProviderUnlinked, audit.QuietOn, audit.QuietOff,
})

// Tells reports whether an event of that kind is told to the patient.
func Tells(k audit.Kind) bool { return slices.Contains(tellings, k) }

func (Activity) template() string { return "activity" }

func (Activity) title(v *voice, _ *site) (string, error) { return v.plain("activity.title") }

func (Activity) form() form { return form{back: accountAt} }

// Key names the sentence of the event.
func (e Event) Key() string {
	if e.Kind == audit.LoginSucceeded && len(e.Provider) > 0 {
		return "activity.login.provider"
	}
	if e.Phone && slices.Contains(ofAddresses, e.Kind) {
		return "activity." + string(e.Kind) + ".phone"
	}
	return "activity." + string(e.Kind)
}

// Linked reports whether it is that a provider's login became a way into the account.
func (e Event) Linked() bool { return e.Kind == audit.ProviderLinked }

// Passkey reports whether it is that a passkey was made.
func (e Event) Passkey() bool { return e.Kind == audit.PasskeyBound }

// LevelKey names the text of what a service was told.
func (e Event) LevelKey() string { return "activity.level." + e.Level }

// DoubtURL is where "this wasn't me" is told.
func (e Event) DoubtURL() string { return withQuery(activityAt+"/not-me", "event", e.ID) }

// NotMe asks before everything of the account is ended that is open, and says
// afterwards that it is.
type NotMe struct {
	Event     Event
	Done      bool
	Reference string
	Own       bool // there is a password here that can be changed
}

func (NotMe) template() string { return "not-me" }

func (p NotMe) title(v *voice, _ *site) (string, error) {
	if p.Done {
		return v.plain("not-me.done-title")
	}
	return v.plain("not-me.title")
}

func (p NotMe) form() form {
	if p.Done {
		return form{}
	}
	return form{action: activityAt + "/not-me", back: activityAt}
}
