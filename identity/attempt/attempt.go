// Package attempt owns one login, sign-up or recovery in flight: what was begun, in
// which browser, for whom it is, and what comes next.
//
// It never speaks to a provider (rp/provider does, with the challenge that rides
// in the attempt as opaque bytes), sends nothing itself (identity/outbox keeps what
// is due), and never shows anything (rp/dispatch.go).
package attempt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/password"
	"github.com/dilys-id/dilys/identity/session"
)

// Life is how long an attempt may take: time to find the passport, and to prove
// oneself at the provider for the first time.
const Life = 2 * time.Hour

// Return is where the patient goes when the login is done. Both empty is their
// account page.
type Return struct {
	Request string `json:"request,omitempty"` // a portal's waiting authorization request
	Path    string `json:"path,omitempty"`    // a page of our own host, checked
}

// Door is what the waiting service admits, judged before a session is given.
type Door struct {
	MinimumAge int               `json:"minimum_age"`
	Floor      identity.Proofing `json:"floor"` // lowest level it admits
}

// Attempt is one login in flight.
type Attempt struct {
	ID       string
	Provider string
	Browser  identity.Digest // of the browser cookie it was begun in
	Session  string          // handle of the living session that began it; its answer can only raise that one
	Return   Return
	Door     Door
	Shared   bool // "This is not my device"
	InApp    bool // in the NHS App's web view
	Language string
	Started  time.Time
	Spent    time.Time // when its challenge was answered; zero: not yet
	Opened   string    // handle of the session it gave
	Refused  string    // cause, when it was refused for good
	Followed bool      // it followed its browser to a new value, which another tab's login gave out
	Linking  bool      // it was begun to link the provider to the account of Session

	// Challenge is the provider's own: state, nonce and PKCE verifier, sealed at
	// rest and opaque here.
	Challenge []byte
}

// Step is what comes next for the patient.
type Step struct {
	Kind     StepKind
	Provider string // of StepProvider
	Page     Page   // of StepSignUp
	Return   Return
	Cause    string // of StepRefused

	// Elsewhere says of StepReturn that the session is another tab's: what the
	// portal asked of this login may not be in it.
	Elsewhere bool
}

// StepKind names a next step.
type StepKind uint8

// The steps of a login by provider.
const (
	StepProvider StepKind = iota + 1 // go to the provider and come back
	StepChoose                       // the answer gave nothing: choose how to log in again
	StepReturn                       // done: go to where the login was for
	StepRefused                      // this login can't succeed
	StepCode                         // type the code that was sent
	StepCard                         // type a code of the printed card
	StepApp                          // type the code that the authenticator app shows
	StepSignUp                       // the page of a sign-up that Page names
)

// Next decides what comes next. It is pure, and the only place that decides it.
func Next(a Attempt) Step {
	s := Step{Return: a.Return}
	switch {
	case a.Refused != "":
		s.Kind, s.Cause = StepRefused, a.Refused
	case a.Opened != "":
		s.Kind = StepReturn
	case a.Spent.IsZero():
		s.Kind, s.Provider = StepProvider, a.Provider
	default:
		s.Kind = StepChoose
	}
	return s
}

// Store remembers attempts. Methods join the transaction that ctx carries, but
// for Spend.
type Store interface {
	// Create adds the attempt, to be found by the digest of its state.
	Create(ctx context.Context, state identity.Digest, a Attempt) error
	// Spend takes the attempt of that state for judging an answer, once, if it
	// was begun in that browser, for that provider, and not before `since`. It
	// commits alone, before the answer is looked at. Otherwise it changes
	// nothing and tells why: [identity.ErrNotFound], or with the attempt
	// [identity.ErrForeign] (browser or provider), [identity.ErrExpired] or
	// [identity.ErrSpent], judged in that order.
	Spend(ctx context.Context, state identity.Digest, c Claim, since time.Time) (Attempt, error)
	// SpendNotice remembers a provider's notice, which counts once until that time; the
	// second is [identity.ErrSpent]. It commits alone.
	SpendNotice(ctx context.Context, notice identity.Digest, until time.Time) error
	// Rebind binds every attempt of the one browser value to the other, but for
	// those that were refused: the browser got a new one, and its other tabs are
	// still at their providers.
	Rebind(ctx context.Context, last, next identity.Digest) error
	// Bound returns the browser value that the attempt is bound to now, or
	// [identity.ErrNotFound].
	Bound(ctx context.Context, id string) (identity.Digest, error)
	// Refused reports whether an attempt of that browser value was refused.
	Refused(ctx context.Context, browser identity.Digest) (bool, error)
	// Close keeps how the attempt ended: Opened or Refused.
	Close(ctx context.Context, a Attempt) error
	// Sweep forgets attempts started before that time.
	Sweep(ctx context.Context, before time.Time) error
}

// Claim is who presents an answer, where and when.
type Claim struct {
	Browser  identity.Digest
	Provider string // whose callback it came to
	At       time.Time
}

// Register is who the health service says a patient is. What it can't tell now is
// [identity.ErrUnavailable]. It is asked before a transaction, never inside.
type Register interface {
	// Entry returns what stands under that number. Where the number was
	// superseded, the entry is that of the new number. An unknown one is
	// [identity.ErrNotFound].
	Entry(ctx context.Context, n identity.NHSNumber) (identity.Entry, error)
	// Search returns the one entry with that name, birth date and postcode, or
	// [identity.ErrNotFound] where there is none, or more than one.
	Search(ctx context.Context, d identity.Details, p identity.Postcode) (identity.Entry, error)
	// Holders returns on how many living adults' entries the contact stands; known
	// is false where the register can't be asked that.
	Holders(ctx context.Context, c identity.Contact, at time.Time) (count int, known bool, err error)
}

// Options is what the room stands on.
type Options struct {
	Store    Store
	Journeys JourneyStore
	Accounts *account.Accounts
	Sessions *session.Sessions
	Ledger   *audit.Ledger
	Limits   session.Limits // of an ordinary session
	Now      func() time.Time

	// What each provider allows, by its id; none: nothing.
	Providers map[string]ProviderRules

	// What patients without a provider need; zero where nobody can sign up.
	Own Own
}

// Own is what serves patients whom no provider serves.
type Own struct {
	Passwords *password.Passwords
	Codes     *code.Codes
	Sending   *limit.Limits
	Outbox    *outbox.Outbox
	Factors   *factor.Factors
	Register  Register // nil: nobody is matched, and everybody is P0
	Rules     Rules
}

// Attempts does the acts on attempts.
type Attempts struct {
	store     Store
	journeys  JourneyStore
	accounts  *account.Accounts
	sessions  *session.Sessions
	ledger    *audit.Ledger
	limits    session.Limits
	now       func() time.Time
	providers map[string]ProviderRules
	own       Own
}

// New returns the room over its stores.
func New(o Options) *Attempts {
	return &Attempts{o.Store, o.Journeys, o.Accounts, o.Sessions, o.Ledger, o.Limits, o.Now, o.Providers, o.Own}
}

// Start begins an attempt. state is the secret that the provider gives back, and
// a.Challenge what is needed to judge its answer.
func (r *Attempts) Start(ctx context.Context, state identity.Secret, a Attempt) (Step, error) {
	a.ID, a.Started = identity.NewID(), r.now().UTC().Truncate(time.Microsecond)
	if err := r.store.Create(ctx, state.Digest(), a); err != nil {
		return Step{}, fmt.Errorf("begin the attempt: %w", err)
	}
	return Next(a), nil
}

// Claim takes the attempt that an answer belongs to, once, before the answer is
// judged. The errors are those of [Store.Spend]; with all but
// [identity.ErrNotFound] the attempt is returned too, so that "Start again" can
// lead to the page first asked for. Nothing else of it may be used then.
func (r *Attempts) Claim(ctx context.Context, state, browser identity.Secret, provider string) (Attempt, error) {
	if state == "" {
		return Attempt{}, identity.ErrNotFound
	}
	claim := Claim{Provider: provider, At: r.now().UTC()}
	if browser != "" { // without its cookie a browser is nobody's, and the attempt is foreign to it
		claim.Browser = browser.Digest()
	}
	return r.store.Spend(ctx, state.Digest(), claim, claim.At.Add(-Life))
}

// Seat is the browser that an answer came back to.
type Seat struct {
	Browser identity.Digest  // of the browser cookie it gets with this login
	Device  string           // in general words
	Secret  identity.Secret  // of the session it came with, if any
	Session *session.Session // that session, if it is live
}

// Login is what an answer gave.
type Login struct {
	Step    Step
	Secret  identity.Secret // the new session secret
	Session session.Session
}

// ErrOtherPerson says that the provider's answer speaks of someone else than the
// session in this browser. Nothing is linked, and nobody is put in the other's
// place, silently.
var ErrOtherPerson = errors.New("the answer is not linked to the account of the session in this browser")

// Answer gives the patient a session on a provider's answer, or raises the one
// that began the attempt, in one act with its audit event. It returns
// [identity.ErrDisabled], [identity.ErrUnderAge] or [ErrOtherPerson] when a rule
// says no, and [identity.ErrForeign] when the attempt followed a session that is
// over; nothing was kept then. [identity.ErrConflict] says that another tab of
// this browser was answered at the same moment, and has the session.
func (r *Attempts) Answer(ctx context.Context, a Attempt, answer identity.Answer, seat Seat) (Login, error) {
	var login Login
	e := &audit.Event{Actor: audit.Patient, Provider: answer.Provider}
	err := r.ledger.Act(ctx, e, func(ctx context.Context) error {
		acc, err := r.admit(ctx, a, answer, seat)
		if err != nil {
			return err
		}
		login, err = r.seat(ctx, a, acc, identity.Evidence{Provider: answer.Proof(r.now().UTC())}, seat, e)
		if err != nil {
			return err
		}
		if err := r.riseWith(ctx, a, seat, login.Session); err != nil {
			return err
		}
		a.Opened = login.Session.Handle
		return r.store.Close(ctx, a)
	})
	if err != nil {
		return Login{}, err
	}
	return login, nil
}

// riseWith lets the factors that opened the session rise with it, where a provider's
// answer raised it.
func (r *Attempts) riseWith(ctx context.Context, a Attempt, seat Seat, raised session.Session) error {
	if !a.raises(seat) || seat.Session.Evidence.Own.IsZero() || raised.Handle != a.Session || raised.Trust.P == identity.P0 {
		return nil
	}
	return r.raiseFactors(ctx, *seat.Session, raised.Trust.P)
}

// seat gives the patient of that account a session on the evidence, or raises the
// one that began the attempt, and fills the event in. Every way in ends here. It
// must be called in the act of the login.
func (r *Attempts) seat(ctx context.Context, a Attempt, acc account.Account, evidence identity.Evidence, seat Seat, e *audit.Event) (Login, error) {
	seat, err := r.present(ctx, seat)
	if err != nil {
		return Login{}, err
	}
	// Judged on all that is known of the patient: this answer may leave the birth
	// date out. A refusal takes back what was written.
	if !identity.OldEnough(acc.Details().Age(r.now()), a.Door.MinimumAge, a.Door.Floor) {
		return Login{}, identity.ErrUnderAge
	}
	if err := r.alone(ctx, a, seat); err != nil {
		return Login{}, err
	}
	login, err := r.give(ctx, a, evidence, acc, seat)
	if err != nil {
		return Login{}, err
	}
	a.Opened = login.Session.Handle
	e.Kind, e.Cause, e.Account, e.Session = kindOf(a, seat), causeOf(a, seat), acc.ID, login.Session.Handle
	login.Step = Next(a)
	login.Step.Elsewhere = seat.Session != nil && !a.raises(seat)
	return login, r.store.Rebind(ctx, a.Browser, seat.Browser)
}

// present reads the session of that seat again, inside the act: an operator may have
// ended it while the provider was asked.
func (r *Attempts) present(ctx context.Context, seat Seat) (Seat, error) {
	if seat.Session == nil {
		return seat, nil
	}
	s, err := r.sessions.ByHandle(ctx, seat.Session.Handle)
	switch {
	case err == nil:
		seat.Session = &s
	case identity.IsOver(err):
		seat.Session = nil
	default:
		return seat, err
	}
	return seat, nil
}

// raises reports whether the answer may raise the session of that seat: only if
// that very session began the attempt.
func (a Attempt) raises(seat Seat) bool {
	return seat.Session != nil && seat.Session.Handle == a.Session
}

func kindOf(a Attempt, seat Seat) audit.Kind {
	if a.raises(seat) {
		return audit.SessionRaised
	}
	return audit.LoginSucceeded
}

func causeOf(a Attempt, seat Seat) string {
	if seat.Session != nil && !a.raises(seat) {
		return "session-goes-on"
	}
	return ""
}

// alone makes sure that the browser ends up with one session. Two tabs answered at
// the same moment do not see each other's cookie; the later act finds the attempt
// bound to the value that the earlier one gave out.
func (r *Attempts) alone(ctx context.Context, a Attempt, seat Seat) error {
	bound, err := r.store.Bound(ctx, a.ID)
	if errors.Is(err, identity.ErrNotFound) { // swept meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	if bound != a.Browser && bound != seat.Browser {
		return identity.ErrConflict
	}
	return nil
}

// give raises the session that began the attempt, or opens a new one. Where the
// same patient has logged in meanwhile in another tab, their session goes on with
// the evidence it has, so that neither tab loses it. A session that ended while
// its patient was at the provider is followed by a new one.
func (r *Attempts) give(ctx context.Context, a Attempt, evidence identity.Evidence, acc account.Account, seat Seat) (Login, error) {
	switch {
	case seat.Session == nil && a.Followed:
		// Whoever knew the old value may have begun it. It comes back to the session
		// that it followed, or to nothing.
		return Login{}, identity.ErrForeign
	case seat.Session == nil:
		return r.open(ctx, a, acc, seat, evidence)
	case seat.Session.Account != acc.ID:
		return Login{}, ErrOtherPerson
	case !a.raises(seat) && seat.Session.Epoch == acc.Epoch:
		evidence = seat.Session.Evidence
	}
	evidence.Frozen = acc.Frozen()
	// An epoch that Admit has raised says that the old evidence is no longer true:
	// the session goes on with the new one alone.
	s := *seat.Session
	s.Age = acc.Details().Age(r.now())
	s.Browser, s.Epoch, s.Shared, s.InApp = seat.Browser, acc.Epoch, s.Shared || a.Shared, s.InApp || a.InApp
	s.Quiet = acc.Quiet
	s.Limits = s.Limits.Tighter(r.limitsOf(a))
	secret, s, err := r.sessions.Raise(ctx, s, seat.Secret, evidence)
	return Login{Secret: secret, Session: s}, err
}

func (r *Attempts) open(ctx context.Context, a Attempt, acc account.Account, seat Seat, e identity.Evidence) (Login, error) {
	e.Frozen = acc.Frozen()
	subjects, err := r.accounts.Subjects(ctx, acc)
	if err != nil {
		return Login{}, err
	}
	secret, s, err := r.sessions.Open(ctx, session.Session{
		Account: acc.ID, Epoch: acc.Epoch, Browser: seat.Browser, Limits: r.limitsOf(a),
		Shared: a.Shared, Quiet: acc.Quiet, InApp: a.InApp, Age: acc.Details().Age(r.now()),
		Language: a.Language, Device: seat.Device, Evidence: e, Subjects: subjects,
	})
	return Login{Secret: secret, Session: s}, err
}

// AskAgain reports whether a provider must ask the patient for everything again:
// someone was logged in in this browser and is so no longer, or someone's login
// there was refused. The provider's own session may still be theirs, and NHS login
// has no logout.
func (r *Attempts) AskAgain(ctx context.Context, browser identity.Secret) (bool, error) {
	if browser == "" {
		return false, nil
	}
	refused, err := r.store.Refused(ctx, browser.Digest())
	if err != nil || refused {
		return refused, err
	}
	return r.sessions.AskAgain(ctx, browser)
}

func (r *Attempts) limitsOf(a Attempt) session.Limits {
	l := r.limits
	if a.Shared {
		l = l.Tighter(session.SharedDevice)
	}
	if a.InApp {
		l = l.Tighter(session.NHSApp)
	}
	return l
}

// Refuse records that an attempt ended without a session, with the reference that
// the patient was shown.
func (r *Attempts) Refuse(ctx context.Context, a Attempt, cause, reference string) error {
	a.Refused = cause
	e := &audit.Event{
		Kind: audit.LoginRefused, Result: audit.Refused, Actor: audit.Patient,
		Provider: a.Provider, Session: a.Session, Cause: cause, Reference: reference,
	}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error { return r.store.Close(ctx, a) })
}
