package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// Alarm is what froze a record, and who said so.
type Alarm struct {
	Cause     identity.Freeze
	Actor     string // the patient, or the system where the register said it
	Session   string // handle; may be empty
	Reference string // that the patient is shown; may be empty
}

// Freeze takes the account's record away: every link that has a number or a level
// stands at P0 from now on, and all that was opened before is dead. Log-in and
// account stay. It must be called in an act, which it adds its own event to. An
// account that is frozen already stays as it is, and its sessions end again.
func (r *Accounts) Freeze(ctx context.Context, id string, al Alarm) (Account, error) {
	a, err := r.store.Account(ctx, id)
	switch {
	case err != nil:
		return Account{}, err
	case a.State != Active:
		return Account{}, identity.ErrDisabled
	}
	for i := range a.Links {
		l := &a.Links[i]
		if l.Frozen != "" || l.Level == identity.P0 && l.Details.NHSNumber.IsZero() && len(a.Links) > 1 {
			continue
		}
		l.Frozen, l.Before, l.Level = al.Cause, l.Level, identity.P0
		if err := r.store.UpdateLink(ctx, id, *l); err != nil {
			return Account{}, fmt.Errorf("freeze the link: %w", err)
		}
	}
	if err := r.store.RaiseEpoch(ctx, id); err != nil {
		return Account{}, err
	}
	a.Epoch++
	return a, r.ledger.Record(ctx, audit.Event{
		Kind: audit.RecordFrozen, Actor: al.Actor, Account: id, Session: al.Session, Reference: al.Reference, Cause: string(al.Cause),
	})
}

// thaw gives every frozen link its level back, inside the act. A number that another
// account has proved meanwhile is [identity.ErrConflict].
func (r *Accounts) thaw(ctx context.Context, a Account) error {
	for _, l := range a.Links {
		if l.Frozen == "" {
			continue
		}
		l.Level, l.Before, l.Frozen, l.Checked = max(l.Level, l.Before), identity.P0, "", r.now()
		if err := r.store.UpdateLink(ctx, a.ID, l); err != nil {
			return fmt.Errorf("thaw the link: %w", err)
		}
	}
	return r.store.RaiseEpoch(ctx, a.ID)
}

// readAgain is how long what the register said is taken for true.
const readAgain = 24 * time.Hour

// Due reports whether the register is to be read again at a login to the account: it
// has a number that was proved to ourselves, and was not read within a day. A clock
// that stepped back asks again.
func (a Account) Due(now time.Time) bool {
	l, own := a.Own()
	age := now.Sub(l.Checked)
	return own && l.Frozen == "" && l.Level >= identity.P5 && !l.Details.NHSNumber.IsZero() && (age >= readAgain || age < 0)
}

// Reading is what the register said of an account's number.
type Reading struct {
	Known bool // it has the number; else it has it no more
	Entry identity.Entry
}

// judge decides what a reading means for the own link: why to freeze it, or the
// number that took the place of its own. It is pure. A name may change; another birth
// date under the number is another person, or an error that people must look at.
func (g Reading) judge(l Link) (identity.Freeze, identity.NHSNumber) {
	born := g.Entry.BirthDate
	switch {
	case !g.Known: // a file that left somebody out must lock nobody out
		return "", identity.NHSNumber{}
	case g.Entry.Standing == identity.Died:
		return identity.FrozenDied, identity.NHSNumber{}
	case g.Entry.Standing == identity.Invalidated, g.Entry.Standing == identity.Superseded: // into what, the register can't say
		return identity.FrozenInvalidated, identity.NHSNumber{}
	case !born.IsZero() && !l.Details.BirthDate.IsZero() && born != l.Details.BirthDate:
		return identity.FrozenOther, identity.NHSNumber{}
	case g.Entry.NHSNumber != l.Details.NHSNumber && !g.Entry.NHSNumber.IsZero():
		return "", g.Entry.NHSNumber
	}
	return "", identity.NHSNumber{}
}

// standing is what is kept of the reading. A number that the register has no more is
// that of a patient who moved: registers forget those.
func (g Reading) standing() identity.Standing {
	if !g.Known {
		return identity.Moved
	}
	return g.Entry.Standing
}

// Read keeps what the register said of the account's number, and acts on it: a record
// is frozen, or its number follows the one that took its place while the account
// stays. It must be called in the act of the login. It returns the account as it is
// then.
func (r *Accounts) Read(ctx context.Context, a Account, g Reading) (Account, error) {
	l, own := a.Own()
	if !own || l.Frozen != "" || l.Level < identity.P5 {
		return a, nil
	}
	cause, next := g.judge(l)
	if cause != "" {
		return r.Freeze(ctx, a.ID, Alarm{Cause: cause, Actor: audit.System})
	}
	if !next.IsZero() {
		if taken, err := r.provedElsewhere(ctx, a.ID, next); err != nil {
			return a, err
		} else if taken {
			return r.Freeze(ctx, a.ID, Alarm{Cause: identity.FrozenTaken, Actor: audit.System})
		}
		if err := r.dropClaims(ctx, a.ID, next); err != nil {
			return a, err
		}
		e := audit.Event{Kind: audit.DetailsRefreshed, Actor: audit.System, Account: a.ID, Cause: "number-superseded", Fields: []string{"nhs_number"}}
		if err := r.ledger.Record(ctx, e); err != nil {
			return a, err
		}
		l.Details.NHSNumber = next
	}
	l.Checked, l.Standing = r.now(), g.standing()
	if err := r.store.UpdateLink(ctx, a.ID, l); err != nil {
		return a, fmt.Errorf("keep what the register said: %w", err)
	}
	return r.store.Account(ctx, a.ID)
}

// provedElsewhere reports whether another own account proved that number.
func (r *Accounts) provedElsewhere(ctx context.Context, id string, n identity.NHSNumber) (bool, error) {
	holders, err := r.store.ByNHSNumber(ctx, n)
	return slices.ContainsFunc(holders, func(a Account) bool {
		l, own := a.Own()
		return own && a.ID != id && l.Level >= identity.P5 && l.Details.NHSNumber == n
	}), err
}
