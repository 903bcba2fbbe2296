// Package account owns who a patient is to us: a random id that is never reused,
// the providers' subjects linked to it, what each of them said, and the epoch
// that ends everything older.
//
// It never decides how sure we are (package identity), and never joins two
// accounts by e-mail, phone or NHS number: those are shared, reassigned and
// mistyped.
package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// State is whether an account opens doors.
type State string

// The states. Anything but Active is refused at every door.
const (
	Active   State = "active"
	Disabled State = "disabled" // by an operator
	Deleted  State = "deleted"  // closed; the id stays, so that it is never given again
)

// Account is a patient as we know them.
type Account struct {
	ID       string // 128 random bits; the public `sub`
	State    State
	Epoch    int64  // raised to end every session, code and attempt made before
	Language string // last chosen: "en", "cy", or nothing
	Created  time.Time
	Links    []Link // in the order they were made

	// Recovered is when people let the patient back in last, who had lost every other
	// way; zero: never.
	Recovered time.Time

	// Paused is until when nothing is changed of how the account is opened, as its
	// patient said that something was not them; zero: never.
	Paused time.Time

	// Quiet says that somebody else may see the patient's messages or screen: only what
	// they ask for is sent, and pages can be left at once.
	Quiet bool

	// Closes is when it closes for good, as its patient asked for; zero: not asked.
	Closes time.Time

	MergedInto string    // id of the account that it became a part of; empty: none
	TookIn     time.Time // when another became a part of it last; zero: never
}

// Link is a provider's subject that is this account, with what the provider said
// of it last. Details stay with their source: another source never overwrites
// them.
type Link struct {
	Provider string // id in the configuration
	Issuer   string
	Subject  string // compared exactly, as the provider wrote it
	Level    identity.Proofing
	Basis    identity.Basis // what the level stands on; empty for a provider's
	Details  identity.Details
	First    time.Time // first login through it
	Last     time.Time // latest login through it

	Frozen   identity.Freeze   // why it stands for no record now; empty: it does
	Before   identity.Proofing // of a frozen link: its level until then, to which a thaw takes it back
	Checked  time.Time         // when the register was read last; zero: never since the proof
	Standing identity.Standing // what the register said of the number then
}

// Own is the provider and issuer of what a patient gave and proved to ourselves: a
// source of details like any other, whose subject is the canonical e-mail address,
// so that the database itself keeps one address to one account. No provider can
// have it: an issuer is an address, and the id is reserved.
const Own = "dilys"

// Own returns what the patient gave and proved to ourselves, if they signed up
// here.
func (a Account) Own() (Link, bool) { return a.Link(Own) }

// Best returns the first of [Account.BySureness], whose details the account goes by. It
// reports false for an account without links.
func (a Account) Best() (Link, bool) {
	if len(a.Links) == 0 {
		return Link{}, false
	}
	return a.BySureness()[0], true
}

// BySureness returns the links, the highest level first, and of equals the one used
// last.
func (a Account) BySureness() []Link {
	return slices.SortedStableFunc(slices.Values(a.Links), func(l, m Link) int {
		return cmp.Or(cmp.Compare(m.Level, l.Level), m.Last.Compare(l.Last))
	})
}

// Frozen returns why the account stands for no record now, if it is so: one frozen
// link is enough.
func (a Account) Frozen() identity.Freeze {
	for _, l := range a.Links {
		if l.Frozen != "" {
			return l.Frozen
		}
	}
	return ""
}

// Details returns what the account goes by; the zero Details if nobody said
// anything.
func (a Account) Details() identity.Details {
	best, _ := a.Best()
	return best.Details
}

// Link returns the link to that provider's issuer.
func (a Account) Link(issuer string) (Link, bool) {
	for _, l := range a.Links {
		if l.Issuer == issuer {
			return l, true
		}
	}
	return Link{}, false
}

// Store remembers accounts. Personal fields are sealed in it; equality is asked
// of blind indexes. Methods join the transaction that ctx carries.
type Store interface {
	ChangeStore
	MergeStore
	// Create adds a new account with its links. It returns
	// [identity.ErrConflict] when one of the (issuer, subject) pairs is already
	// linked to any account, closed ones included, or when an own link at P5 or
	// above has the number of another such link.
	Create(ctx context.Context, a Account) error
	// Account returns the account of that id with its links, or
	// [identity.ErrNotFound].
	Account(ctx context.Context, id string) (Account, error)
	// ByLink returns the account linked to exactly that issuer and subject, or
	// [identity.ErrNotFound].
	ByLink(ctx context.Context, issuer, subject string) (Account, error)
	// ByNHSNumber returns every account that has a link with that number: one
	// number may stand on several, and finding proves nothing.
	ByNHSNumber(ctx context.Context, n identity.NHSNumber) ([]Account, error)
	// ByContact returns every account that has a link with that contact.
	ByContact(ctx context.Context, c identity.Contact) ([]Account, error)
	// UpdateLink replaces what is kept of the link with that issuer and subject: all
	// but its first login. It returns
	// [identity.ErrNotFound] when the account has no such link, and
	// [identity.ErrConflict] for a number at P5 that another own link proved.
	UpdateLink(ctx context.Context, id string, l Link) error
	// MoveLink is UpdateLink for a link whose subject changes too: from the last one
	// to that of l. A subject that is linked to any account, closed ones included,
	// is [identity.ErrConflict].
	MoveLink(ctx context.Context, id, last string, l Link) error
	// AddLink adds a link after those that the account has. A subject that is linked to
	// any account, closed ones included, is [identity.ErrConflict].
	AddLink(ctx context.Context, id string, l Link) error
	// DropLink forgets the link with that issuer and subject, so that both are free. It
	// returns [identity.ErrNotFound] when the account has no such link.
	DropLink(ctx context.Context, id string, l Link) error
	// SetState sets the state and adds one to the epoch, in one UPDATE, so that
	// nothing made before lives on.
	SetState(ctx context.Context, id string, s State) error
	// Pause keeps until when nothing is changed, and adds one to the epoch, in one
	// UPDATE. The zero time takes it back.
	Pause(ctx context.Context, id string, until time.Time) error
	// Recover keeps that the patient was let back in at that time, takes a pause back,
	// and adds one to the epoch, in one UPDATE.
	Recover(ctx context.Context, id string, at time.Time) error
	// RaiseEpoch adds one to the epoch: every session, code and attempt made
	// before is dead.
	RaiseEpoch(ctx context.Context, id string) error
	// SetCloses keeps when the account closes; the zero time takes it back.
	SetCloses(ctx context.Context, id string, at time.Time) error
	// SetQuiet keeps whether the account is quiet.
	SetQuiet(ctx context.Context, id string, quiet bool) error
	// Closing returns the ids of accounts that close at that time or before and are
	// not deleted yet, a hundred at the most, the earliest first.
	Closing(ctx context.Context, at time.Time) ([]string, error)
	// KeepFormer keeps, sealed, a number that was corrected. Nothing reads it back.
	KeepFormer(ctx context.Context, id string, n identity.NHSNumber, at time.Time) error
	// Erase forgets all that is kept of the account, in every room: links with their
	// indexes, changes that wait, password, factors, sessions, what portals were
	// given. The id stays, so that it is never given again, and so do events, which
	// hold no value of a person.
	Erase(ctx context.Context, id string) error
	// SetLanguage keeps the language last chosen.
	SetLanguage(ctx context.Context, id, language string) error
}

// Accounts does the acts on accounts.
type Accounts struct {
	store  Store
	ledger *audit.Ledger
	now    func() time.Time
}

// New returns the room over its store.
func New(store Store, ledger *audit.Ledger, now func() time.Time) *Accounts {
	return &Accounts{store, ledger, now}
}

// Account returns the account of that id, or [identity.ErrNotFound].
func (r *Accounts) Account(ctx context.Context, id string) (Account, error) {
	return r.store.Account(ctx, id)
}

// ByAnswer returns the account that the answer's issuer and subject open, or
// [identity.ErrNotFound].
func (r *Accounts) ByAnswer(ctx context.Context, answer identity.Answer) (Account, error) {
	return r.store.ByLink(ctx, answer.Issuer, answer.Subject)
}

// Find returns the accounts that a help desk means by what it was told: an
// account id, an NHS number, an e-mail address or a phone number. The look-up is recorded with
// who asked and why, also when it found nothing.
func (r *Accounts) Find(ctx context.Context, what, actor, reason string) ([]Account, error) {
	found, err := r.find(ctx, what)
	if err != nil {
		return nil, err
	}
	looked := audit.Event{Kind: audit.AccountLookedUp, Result: audit.Refused, Actor: actor, Cause: "none-found", Reason: reason}
	if len(found) == 0 {
		return nil, r.ledger.Record(ctx, looked)
	}
	for _, a := range found {
		looked.ID, looked.Result, looked.Cause, looked.Account = "", audit.OK, "", a.ID
		if err := r.ledger.Record(ctx, looked); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (r *Accounts) find(ctx context.Context, what string) ([]Account, error) {
	if n, err := identity.ParseNHSNumber(what); err == nil {
		return r.store.ByNHSNumber(ctx, n)
	}
	if e, err := identity.ParseEmail(what); err == nil {
		return r.store.ByContact(ctx, e.Contact())
	}
	if p, err := identity.ParsePhone(what); err == nil {
		return r.store.ByContact(ctx, p.Contact())
	}
	a, err := r.store.Account(ctx, what)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	return []Account{a}, err
}

// Admit returns the account that a provider's answer belongs to, made at its
// first login and refreshed at each later one. It must be called in a
// transaction ([audit.Ledger.Act]) together with what the login gives. A
// disabled or deleted account is [identity.ErrDisabled]: a provider's login
// never revives one.
func (r *Accounts) Admit(ctx context.Context, answer identity.Answer, language string) (Account, error) {
	a, err := r.store.ByLink(ctx, answer.Issuer, answer.Subject)
	if errors.Is(err, identity.ErrNotFound) {
		return r.create(ctx, answer, language)
	}
	if err != nil {
		return Account{}, fmt.Errorf("find the linked account: %w", err)
	}
	if a.State != Active {
		return a, identity.ErrDisabled
	}
	return r.refresh(ctx, a, answer, language)
}

func (r *Accounts) create(ctx context.Context, answer identity.Answer, language string) (Account, error) {
	now := r.now()
	a := Account{
		ID: identity.NewID(), State: Active, Epoch: 1, Language: language, Created: now,
		Links: []Link{{
			Provider: answer.Provider, Issuer: answer.Issuer, Subject: answer.Subject,
			Level: answer.Level, Details: answer.Details, First: now, Last: now,
		}},
	}
	if err := r.store.Create(ctx, a); err != nil {
		return Account{}, fmt.Errorf("create the account: %w", err)
	}
	return a, r.ledger.Record(ctx, audit.Event{
		Kind: audit.AccountCreated, Actor: audit.Patient, Account: a.ID, Provider: answer.Provider,
	})
}

func (r *Accounts) refresh(ctx context.Context, a Account, answer identity.Answer, language string) (Account, error) {
	for i := range a.Links {
		l := &a.Links[i]
		if l.Issuer != answer.Issuer || l.Subject != answer.Subject {
			continue
		}
		before := l.Level
		changed := l.take(answer, r.now())
		if err := r.store.UpdateLink(ctx, a.ID, *l); err != nil {
			return Account{}, fmt.Errorf("refresh the linked details: %w", err)
		}
		if l.Level < before { // what was opened on more than is true now must end
			if err := r.store.RaiseEpoch(ctx, a.ID); err != nil {
				return Account{}, fmt.Errorf("end what stood on the higher level: %w", err)
			}
			a.Epoch++
		}
		if err := r.recordChange(ctx, a.ID, answer.Provider, changed); err != nil {
			return Account{}, err
		}
	}
	if language == "" || language == a.Language {
		return a, nil
	}
	a.Language = language
	return a, r.store.SetLanguage(ctx, a.ID, language)
}

// take refreshes the link from an answer of its subject and names what changed.
// An answer at P0 says nothing of the level its provider holds, so the level
// known before stays.
func (l *Link) take(answer identity.Answer, at time.Time) []string {
	details := l.Details.Refreshed(answer.Details)
	changed := l.Details.Changed(details)
	level := &l.Level
	if l.Frozen != "" { // what a provider says again thaws nothing
		level = &l.Before
	}
	if answer.Level != *level && answer.Level > identity.P0 {
		*level = answer.Level
		changed = append(changed, "identity_proofing_level")
	}
	l.Provider, l.Details, l.Last = answer.Provider, details, at
	return changed
}

func (r *Accounts) recordChange(ctx context.Context, id, provider string, fields []string) error {
	if len(fields) == 0 {
		return nil
	}
	return r.ledger.Record(ctx, audit.Event{
		Kind: audit.DetailsRefreshed, Actor: audit.Patient, Account: id, Provider: provider, Fields: fields,
	})
}

// Disable refuses the account at every door from now on and ends what is open.
func (r *Accounts) Disable(ctx context.Context, id, actor, reason string) error {
	return r.takeAway(ctx, audit.AccountDisabled, id, actor, reason, func(ctx context.Context) error {
		return r.setState(ctx, id, Active, Disabled)
	})
}

// Enable opens the doors again to an account that an operator disabled, gives a frozen
// one its record back, and lets one be changed that is paused: people have looked. A deleted one stays deleted.
func (r *Accounts) Enable(ctx context.Context, id, actor, reason string) error {
	e := &audit.Event{Kind: audit.AccountEnabled, Actor: actor, Account: id, Reason: reason}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error {
		a, err := r.store.Account(ctx, id)
		switch {
		case err != nil:
			return err
		case a.State == Active && a.Frozen() != "":
			e.Cause = string(a.Frozen())
			return r.thaw(ctx, a)
		case a.State == Active && a.Paused.After(r.now()):
			e.Cause = "changes-paused"
			return r.store.Pause(ctx, id, time.Time{})
		}
		return r.setState(ctx, id, Disabled, Active)
	})
}

// SignOut ends every session of the account at once.
func (r *Accounts) SignOut(ctx context.Context, id, actor, reason string) error {
	return r.takeAway(ctx, audit.AccountSignedOut, id, actor, reason, func(ctx context.Context) error {
		return r.store.RaiseEpoch(ctx, id)
	})
}

func (r *Accounts) takeAway(ctx context.Context, k audit.Kind, id, actor, reason string, fn func(context.Context) error) error {
	e := &audit.Event{Kind: k, Actor: actor, Account: id, Reason: reason}
	return r.ledger.TakeAway(ctx, e, fn)
}

func (r *Accounts) setState(ctx context.Context, id string, from, to State) error {
	a, err := r.store.Account(ctx, id)
	if err != nil {
		return err
	}
	if a.State != from {
		return fmt.Errorf("account: wanted state %s, got %s: %w", from, a.State, identity.ErrConflict)
	}
	return r.store.SetState(ctx, id, to)
}
