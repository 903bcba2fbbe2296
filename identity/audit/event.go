// Package audit owns the record of what was done to a patient's access: typed
// events, the one way to do an act together with its event, and the chain that
// shows when a record was altered or taken out.
//
// It never touches a person's values: an event says which field changed, never
// to what. It keeps no time of its own and knows no database.
package audit

import (
	"strings"
	"time"
)

// Kind is what happened. Kinds are words of an interface that operators search
// by: one may be added, none may change its meaning.
type Kind string

// The kinds of event.
const (
	LoginSucceeded      Kind = "login.succeeded"       // a session was created
	LoginRefused        Kind = "login.refused"         // an answer or callback gave no session
	SessionRaised       Kind = "session.raised"        // a session's trust rose, with a new secret
	SessionEnded        Kind = "session.ended"         // the patient logged out, or a limit was met while someone looked
	AccountCreated      Kind = "account.created"       // first login of an (issuer, subject), or a sign-up
	LevelRaised         Kind = "account.raised"        // own evidence rose; Cause is what it stands on
	ProofRefused        Kind = "account.not-proved"    // details did not match, or no contact did; Fields are the classes that failed
	CodeSent            Kind = "code.sent"             // a one-time code was due to be sent; Cause is what for
	LinkSpent           Kind = "link.spent"            // a mailed link was used
	PasswordChanged     Kind = "password.changed"      // by its patient, or after a reset
	DetailsRefreshed    Kind = "account.details"       // a provider's details differed from those kept
	AccountDisabled     Kind = "account.disabled"      // by an operator
	AccountEnabled      Kind = "account.enabled"       // by an operator
	AccountSignedOut    Kind = "account.signed-out"    // every session ended at once
	AccountLookedUp     Kind = "account.looked-up"     // an operator read an account
	AccountAlarmed      Kind = "account.alarmed"       // the patient said of an event that it was not them; Cause is its kind
	CloseAsked          Kind = "account.close-asked"   // the patient wants to leave; Cause is why, in a word of a list
	CloseStopped        Kind = "account.close-kept"    // and changed their mind
	AccountClosed       Kind = "account.closed"        // for good: what was kept of its patient is erased
	AccountExported     Kind = "account.exported"      // everything that is kept of its patient was given out
	AccountRecovered    Kind = "account.recovered"     // people let its patient back in; what is bound now is held
	QuietOn             Kind = "account.quiet-on"      // the patient wants no messages that they don't ask for
	QuietOff            Kind = "account.quiet-off"     // and wants them again
	ProviderLinked      Kind = "provider.linked"       // a provider's login became a way into the account
	ProviderUnlinked    Kind = "provider.unlinked"     // and is so no longer; what was open is ended
	AccountMerged       Kind = "account.merged"        // two accounts of one patient became one; Cause says of which side it is
	RecordFrozen        Kind = "account.frozen"        // it speaks for no record until people have looked; Cause says why
	CodeIssued          Kind = "portal.code-issued"    // a portal was given an authorization code; Cause is the vector that it was shown
	HostShown           Kind = "portal.host-shown"     // a host behind the gateway was told who the patient is, first in that session; Cause is the vector
	TokensIssued        Kind = "portal.tokens-issued"  // a portal exchanged its code
	CodeReused          Kind = "portal.code-reused"    // a second use: what the first got is revoked
	LevelShown          Kind = "portal.level-shown"    // a portal that refreshes its tokens was told another vector, the Cause
	RefreshReused       Kind = "portal.refresh-reused" // a refresh token was used twice: what its grant gave is revoked
	GrantRevoked        Kind = "portal.grant-revoked"  // a portal gave back what it had
	AuthorizationDenied Kind = "portal.denied"         // a portal's request ended without a code
	AccessRefused       Kind = "access.refused"        // a request was refused at a door, with a reference
	KeyRotated          Kind = "key.rotated"           // a signing or sealing key came or went
	RegisterImported    Kind = "register.imported"     // the index of patients was replaced
	EventsMissed        Kind = "audit.missed"          // events arrived from the journal after the database had refused them

	ContactChangeAsked   Kind = "contact.change-asked"   // a new address was proved, and waits; Fields names which
	ContactChangeStopped Kind = "contact.change-stopped" // its patient stopped it; Cause says where
	ContactChangeDropped Kind = "contact.change-dropped" // it fell away; Cause says why
	ContactChanged       Kind = "contact.changed"        // it took the place of the old one, and what was open is ended

	CardMade          Kind = "card.made"          // a card of one-time codes, which ends the one before
	CardSpent         Kind = "card.spent"         // one code of it was used
	CardDeclined      Kind = "card.declined"      // the patient would rather take the risk
	CardDropped       Kind = "card.dropped"       // it was ended with all its codes
	BrowserRemembered Kind = "browser.remembered" // it stands in for a code for 30 days
	BrowserForgotten  Kind = "browser.forgotten"  // one, or all of them
	PhoneBound        Kind = "phone.bound"        // the number that codes are sent to came or changed
	PhoneDropped      Kind = "phone.dropped"      // it was taken from the account
	PhoneOff          Kind = "phone.off"          // too many wrong codes in a row
	TOTPBound         Kind = "totp.bound"         // an authenticator app came, or took the place of another
	TOTPDropped       Kind = "totp.dropped"       // it was taken from the account
	TOTPOff           Kind = "totp.off"           // too many wrong codes in a row
	PasskeyBound      Kind = "passkey.bound"      // a passkey was made
	PasskeyDropped    Kind = "passkey.dropped"    // it was taken from the account
	PasskeyOff        Kind = "passkey.off"        // its counter went back: there are two of it
	FactorChosen      Kind = "factor.chosen"      // the patient said which is asked for first; Fields names it
	FactorRaised      Kind = "factor.raised"      // what opened a session carries its level from now on
	ActivationIssued  Kind = "activation.issued"  // staff were given a code to hand over
	ActivationRevoked Kind = "activation.revoked" // it was ended unused
	ActivationSpent   Kind = "activation.spent"   // a patient used a code that staff had handed over
	ProofRecorded     Kind = "proof.recorded"     // two members of staff saw a person's documents
	RecoveryIssued    Kind = "recovery.issued"    // two of staff made a code that lets a patient back in
	RecoverySpent     Kind = "recovery.spent"     // the patient used it
	ApprovalAsked     Kind = "approval.asked"     // an act that needs a second person
	ApprovalConfirmed Kind = "approval.confirmed" // the second person agreed, and it was done
	ApprovalRefused   Kind = "approval.refused"   // the second person did not agree, or the first withdrew
)

// IntoAnother is the cause of [AccountMerged] on the account that is no more: on the
// other's record it says the same a second time.
const IntoAnother = "into-another"

// Result is how it ended.
type Result string

// The results.
const (
	OK      Result = "ok"
	Refused Result = "refused" // a rule said no
	Failed  Result = "failed"  // something broke
)

// Event is one fact, told by identifiers and words of ours only.
type Event struct {
	ID        string // unique; given by the [Ledger]
	At        time.Time
	Kind      Kind
	Result    Result
	Actor     string   // "patient", "portal", "system", or "operator:" and the operating-system user
	Reference string   // what the person was shown, for `audit find`; or nothing
	Account   string   // account id
	Session   string   // session handle (sid), never its secret
	Provider  string   // provider id
	Portal    string   // portal id, or the host of a gateway rule
	Cause     string   // the rule that decided, in words of ours: "vot-not-asked", "consent-not-given"
	Fields    []string // names of the fields that changed, or of the classes that failed; see [AtStep]
	Reason    string   // why an operator did it, in their words
}

// Actors that are nobody's user name.
const (
	Patient = "patient"
	Portal  = "portal"
	System  = "system"
)

// stepMark stands before the field that says where on the front door an event was. It
// stands among the fields, which older programs read and seal too: while replicas of
// two versions run, each seals what the other wrote.
const stepMark = "step "

// AtStep returns the fields of an event that was at that step, such as
// "POST /recover/link": those given, behind the step. No step adds nothing.
func AtStep(step string, fields ...string) []string {
	if step == "" {
		return fields
	}
	return append([]string{stepMark + step}, fields...)
}

// Step returns where the event was, by what [AtStep] was given, or nothing.
func (e Event) Step() string {
	if len(e.Fields) == 0 {
		return ""
	}
	step, found := strings.CutPrefix(e.Fields[0], stepMark)
	if !found {
		return ""
	}
	return step
}

// Classes returns the fields without the step.
func (e Event) Classes() []string {
	if e.Step() == "" {
		return e.Fields
	}
	return e.Fields[1:]
}
