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

// CloseAfter is how long a patient who leaves may change their mind.
const CloseAfter = 14 * 24 * time.Hour

// AskClose keeps that the patient wants the account closed, and ends what is open of
// it. Logging in and [Accounts.KeepOpen] take it back until then.
func (r *Accounts) AskClose(ctx context.Context, id, session, why string) (time.Time, error) {
	at := r.now().UTC().Add(CloseAfter).Truncate(time.Microsecond)
	e := &audit.Event{Kind: audit.CloseAsked, Actor: audit.Patient, Account: id, Session: session, Cause: "left-" + why}
	return at, r.ledger.TakeAway(ctx, e, func(ctx context.Context) error {
		if err := r.open(ctx, id); err != nil {
			return err
		}
		if err := r.store.SetCloses(ctx, id, at); err != nil {
			return err
		}
		return r.store.RaiseEpoch(ctx, id)
	})
}

// KeepOpen takes back that the account closes.
func (r *Accounts) KeepOpen(ctx context.Context, id, session string) error {
	e := &audit.Event{Kind: audit.CloseStopped, Actor: audit.Patient, Account: id, Session: session}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error {
		if err := r.open(ctx, id); err != nil {
			return err
		}
		return r.store.SetCloses(ctx, id, time.Time{})
	})
}

func (r *Accounts) open(ctx context.Context, id string) error {
	a, err := r.store.Account(ctx, id)
	if err == nil && a.State == Deleted {
		err = identity.ErrDisabled
	}
	return err
}

// Close closes the account for good: all that is open of it ends, and all that is
// kept of its patient is erased. What is told of it is told before, in the act of ctx.
// It joins that act, or is one of its own.
func (r *Accounts) Close(ctx context.Context, id, actor, reason string) error {
	e := &audit.Event{Kind: audit.AccountClosed, Actor: actor, Account: id, Reason: reason}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error {
		if err := r.open(ctx, id); err != nil {
			return err
		}
		if err := r.store.SetState(ctx, id, Deleted); err != nil {
			return err
		}
		return r.store.Erase(ctx, id)
	})
}

// CloseDue closes the accounts whose patients asked for it and did not change their
// minds, and returns their ids. tell puts the last word into the outbox, in the act
// that closes.
func (r *Accounts) CloseDue(ctx context.Context, tell func(context.Context, Account) error) (closed []string, err error) {
	due, err := r.store.Closing(ctx, r.now())
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, id := range due {
		did, err := r.closeOne(ctx, id, tell)
		if did {
			closed = append(closed, id)
		}
		faults = append(faults, err)
	}
	return closed, errors.Join(faults...)
}

func (r *Accounts) closeOne(ctx context.Context, id string, tell func(context.Context, Account) error) (did bool, err error) {
	err = r.ledger.Within(ctx, func(ctx context.Context) error {
		a, err := r.store.Account(ctx, id)
		did = err == nil && a.State != Deleted && !a.Closes.IsZero() && !a.Closes.After(r.now())
		if !did { // taken back meanwhile
			return err
		}
		if err := tell(ctx, a); err != nil {
			return err
		}
		return r.Close(ctx, id, audit.Patient, "")
	})
	return did && err == nil, err
}

// ErrProviders says that a provider gave the number: it alone corrects it.
var ErrProviders = errors.New("the number is a provider's to correct")

// Renumber corrects the NHS number of an account that signed up here: the account, its
// id and its level stay; what was opened under the former number ends, and a record
// that was frozen is thawed, as two people have looked at it. The former number is
// kept sealed, and nothing tells it. It must be called in the act of the second
// person. A number that another account proved is [identity.ErrConflict].
func (r *Accounts) Renumber(ctx context.Context, id string, n identity.NHSNumber, actor, reason string) (Account, error) {
	a, err := r.store.Account(ctx, id)
	if err != nil {
		return a, err
	}
	at := slices.IndexFunc(a.Links, func(l Link) bool { return l.Issuer == Own })
	switch {
	case a.State == Deleted:
		return a, identity.ErrDisabled
	case at < 0:
		return a, ErrProviders
	}
	if err := r.dropClaims(ctx, id, n); err != nil {
		return a, err
	}
	l := &a.Links[at]
	former := l.Details.NHSNumber
	l.Details.NHSNumber, l.Checked, l.Standing = n, time.Time{}, identity.Living
	if l.Frozen != "" {
		l.Level, l.Before, l.Frozen = max(l.Level, l.Before), identity.P0, ""
	}
	if err := r.store.UpdateLink(ctx, id, *l); err != nil {
		return a, fmt.Errorf("correct the number: %w", err)
	}
	if !former.IsZero() && former != n {
		if err := r.store.KeepFormer(ctx, id, former, r.now()); err != nil {
			return a, err
		}
	}
	if err := r.store.RaiseEpoch(ctx, id); err != nil {
		return a, err
	}
	return a, r.ledger.Record(ctx, audit.Event{
		Kind: audit.DetailsRefreshed, Actor: actor, Account: id, Cause: "number-corrected", Fields: []string{"nhs_number"}, Reason: reason,
	})
}
