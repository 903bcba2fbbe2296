package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// ErrFrozen says that the account speaks for no record until people have looked:
// no proof raises it.
var ErrFrozen = errors.New("the record is frozen")

// SignUp is what a patient gave and proved in signing up.
type SignUp struct {
	Details  identity.Details // Email is proved; Phone is proved where it is given
	Level    identity.Proofing
	Basis    identity.Basis
	Language string
	Helped   bool // somebody sat beside the patient
}

// Open makes an account of a patient who signed up here. It must be called in a
// transaction together with the factors that open it. It returns
// [identity.ErrConflict] when the address has an account, or the proved number has
// one: the database decides between two who race.
func (r *Accounts) Open(ctx context.Context, s SignUp) (Account, error) {
	now := r.now()
	a := Account{ID: identity.NewID(), State: Active, Epoch: 1, Language: s.Language, Created: now, Links: []Link{{
		Provider: Own, Issuer: Own, Subject: s.Details.Email.Canonical(),
		Level: s.Level, Basis: s.Basis, Details: s.Details, First: now, Last: now,
	}}}
	if s.Level >= identity.P5 {
		a.Links[0].Checked = now
		if err := r.dropClaims(ctx, a.ID, s.Details.NHSNumber); err != nil {
			return Account{}, err
		}
	}
	if err := r.store.Create(ctx, a); err != nil {
		return Account{}, fmt.Errorf("create the account: %w", err)
	}
	e := audit.Event{Kind: audit.AccountCreated, Actor: audit.Patient, Account: a.ID, Cause: "signed-up"}
	if s.Helped {
		e.Cause = "signed-up-helped"
	}
	return a, r.ledger.Record(ctx, e)
}

// ByOwnEmail returns the account that logs in with that address, or
// [identity.ErrNotFound].
func (r *Accounts) ByOwnEmail(ctx context.Context, e identity.Email) (Account, error) {
	return r.store.ByLink(ctx, Own, e.Canonical())
}

// Contacts returns where news of the account goes: to the e-mail address and the proved
// number of a patient who signed up here, or the address that a provider verified.
func (a Account) Contacts() []identity.Contact {
	l, own := a.Own()
	if !own {
		if best, _ := a.Best(); best.Details.EmailVerified {
			return []identity.Contact{best.Details.Email.Contact()}
		}
		return nil
	}
	all := []identity.Contact{l.Details.Email.Contact()}
	if l.Details.PhoneVerified && l.Details.Phone.UKMobile() {
		all = append(all, l.Details.Phone.Contact())
	}
	return all
}

// Raise keeps that the patient of an own account proved more: the number, the level
// and what it stands on. It must be called in the transaction of the proof. A level
// never falls by it, and a number that another own account proved is
// [identity.ErrConflict].
func (r *Accounts) Raise(ctx context.Context, id string, d identity.Details, level identity.Proofing, basis identity.Basis) (Account, error) {
	a, err := r.store.Account(ctx, id)
	if err != nil {
		return Account{}, err
	}
	at := slices.IndexFunc(a.Links, func(l Link) bool { return l.Issuer == Own })
	switch {
	case at < 0:
		return Account{}, fmt.Errorf("raise: wanted an account that signed up here: %w", identity.ErrNotFound)
	case a.State != Active:
		return Account{}, identity.ErrDisabled
	}
	l := &a.Links[at]
	if a.Frozen() != "" {
		return Account{}, ErrFrozen
	}
	if level <= l.Level {
		return a, nil
	}
	if err := r.dropClaims(ctx, id, d.NHSNumber); err != nil {
		return Account{}, err
	}
	before := l.Details
	l.Level, l.Basis, l.Details, l.Checked, l.Standing = level, basis, l.Details.Refreshed(d), time.Time{}, identity.Living
	if err := r.store.UpdateLink(ctx, id, *l); err != nil {
		return Account{}, fmt.Errorf("raise the level: %w", err)
	}
	return a, r.ledger.Record(ctx, audit.Event{
		Kind: audit.LevelRaised, Actor: audit.Patient, Account: id, Cause: string(basis),
		Fields: append(before.Changed(l.Details), "identity_proofing_level"),
	})
}

// dropClaims takes a number that is being proved away from the own accounts that
// merely claimed it: a claim reserves nothing.
func (r *Accounts) dropClaims(ctx context.Context, id string, n identity.NHSNumber) error {
	holders, err := r.store.ByNHSNumber(ctx, n)
	if err != nil {
		return fmt.Errorf("look for claims of the number: %w", err)
	}
	for _, a := range holders {
		l, own := a.Own()
		if a.ID == id || !own || l.Level >= identity.P5 || l.Details.NHSNumber != n {
			continue
		}
		l.Details.NHSNumber, l.Before = identity.NHSNumber{}, identity.P0 // of a frozen link too: a thaw has nothing to give back
		if err := r.store.UpdateLink(ctx, a.ID, l); err != nil {
			return fmt.Errorf("drop a claim of the number: %w", err)
		}
		e := audit.Event{Kind: audit.DetailsRefreshed, Actor: audit.System, Account: a.ID, Cause: "claim-fell-away", Fields: []string{"nhs_number"}}
		if err := r.ledger.Record(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Elsewhere reports whether another account than that one has the contact, of
// whatever source: such a contact speaks for nobody alone. id may be empty.
func (r *Accounts) Elsewhere(ctx context.Context, id string, c identity.Contact) (bool, error) {
	found, err := r.store.ByContact(ctx, c)
	if err != nil {
		return false, fmt.Errorf("look for the contact: %w", err)
	}
	return slices.ContainsFunc(found, func(a Account) bool { return a.ID != id && a.State != Deleted }), nil
}

// OwnByPhone returns the active own accounts whose proved phone that is.
func (r *Accounts) OwnByPhone(ctx context.Context, p identity.Phone) ([]Account, error) {
	found, err := r.store.ByContact(ctx, p.Contact())
	return slices.DeleteFunc(found, func(a Account) bool {
		l, own := a.Own()
		return !own || a.State != Active || !l.Details.PhoneVerified || l.Details.Phone.Canonical() != p.Canonical()
	}), err
}

// EndAll ends everything that is older than now: sessions, links, codes, remembered
// browsers. It must be called in the act that asks for it, with the epoch that was
// read; [identity.ErrConflict] says that another act came first.
func (r *Accounts) EndAll(ctx context.Context, id string, epoch int64) error {
	a, err := r.store.Account(ctx, id)
	if err != nil {
		return err
	}
	if a.Epoch != epoch {
		return identity.ErrConflict
	}
	return r.store.RaiseEpoch(ctx, id)
}

// Remember keeps when an account was logged in to last by a factor of its own, and the
// language. A provider's link stays as it is: it was not asked.
func (r *Accounts) Remember(ctx context.Context, a Account, language string) (Account, error) {
	if l, own := a.Own(); own {
		l.Last = r.now()
		if err := r.store.UpdateLink(ctx, a.ID, l); err != nil {
			return a, err
		}
	}
	if language == "" || language == a.Language {
		return a, nil
	}
	a.Language = language
	return a, r.store.SetLanguage(ctx, a.ID, language)
}
