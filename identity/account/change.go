package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// HoldFor is how long a new address waits before it takes the place of the old one:
// time for whoever reads the old one to stop it.
const HoldFor = 24 * time.Hour

// Opens returns when a change that is asked for at that instant takes place.
func (a Account) Opens(asked time.Time) time.Time {
	opens, held := asked.Add(HoldFor), a.Held(asked)
	if held.After(opens) {
		return held
	}
	return opens
}

// Change is a new address of an account that signed up here, proved by a code, which
// waits to take the place of the old one. Until then it opens nothing.
type Change struct {
	ID      string
	Account string
	Channel identity.Channel
	New     identity.Details  // the e-mail address or the phone alone
	Level   identity.Proofing // of the session that asked: what a phone will carry
	Epoch   int64             // of the account when it was asked for; another one ends it
	Asked   time.Time
	Opens   time.Time // when it takes place
}

// Contact returns the new address.
func (c Change) Contact() identity.Contact {
	if c.Channel == identity.ByEmail {
		return c.New.Email.Contact()
	}
	return c.New.Phone.Contact()
}

// Field returns the name of the field that changes, as events have it.
func (c Change) Field() string {
	if c.Channel == identity.ByEmail {
		return "email"
	}
	return "phone_number"
}

// ErrTaken says that another account has the new address by now.
var ErrTaken = errors.New("the address has an account by now")

// ChangeStore is the part of [Store] that keeps changes that wait.
type ChangeStore interface {
	// PutChange keeps the change, to be stopped by whoever has what digests to
	// cancel, in the place of an earlier one of its account and channel.
	PutChange(ctx context.Context, c Change, cancel identity.Digest) error
	// Change returns the one of that id, or [identity.ErrNotFound].
	Change(ctx context.Context, id string) (Change, error)
	// ChangeToCancel returns the one that this token stops, or
	// [identity.ErrNotFound].
	ChangeToCancel(ctx context.Context, cancel identity.Digest) (Change, error)
	// Changes returns the account's, of whatever epoch, the earliest to open first.
	Changes(ctx context.Context, account string) ([]Change, error)
	// DueChanges returns the ids of those that open at that time or before, and of
	// those whose account is not open any more or of another epoch: a hundred at the
	// most, the earliest first.
	DueChanges(ctx context.Context, at time.Time) ([]string, error)
	// CarryChanges gives what waits in the account's one epoch to its next one.
	CarryChanges(ctx context.Context, account string, from, to int64) error
	// EndChange forgets it. Of many callers one does; the others get
	// [identity.ErrNotFound].
	EndChange(ctx context.Context, id string) error
}

// Hold keeps that a new address was proved, and returns the change with its id and
// times, and the token that stops it. It takes the place of an earlier one of its
// channel, whose token is dead. After a recovery it waits as long as what was bound
// since: whoever talked staff into letting them in moves no address before that. It
// must be called in the act that records it and tells the old addresses.
func (r *Accounts) Hold(ctx context.Context, c Change) (Change, identity.Secret, error) {
	a, _, err := r.ownOf(ctx, c)
	if err != nil {
		return c, "", err
	}
	c.ID, c.Asked = identity.NewID(), r.now().UTC().Truncate(time.Microsecond)
	c.Opens = a.Opens(c.Asked)
	token := identity.NewToken()
	if err := r.store.PutChange(ctx, c, token.Digest()); err != nil {
		return c, "", fmt.Errorf("hold the change: %w", err)
	}
	return c, token, nil
}

// ownOf returns the account of a change with its own link, if the change is alive:
// nothing has ended what the account had open since it was asked for. Otherwise it
// is [identity.ErrSpent].
func (r *Accounts) ownOf(ctx context.Context, c Change) (Account, Link, error) {
	a, err := r.store.Account(ctx, c.Account)
	if err != nil {
		return a, Link{}, err
	}
	l, own := a.Own()
	if !own || a.State != Active || a.Epoch != c.Epoch {
		return a, l, identity.ErrSpent
	}
	return a, l, nil
}

// Waiting returns the account's changes that wait and are alive, the earliest to open
// first.
func (r *Accounts) Waiting(ctx context.Context, a Account) ([]Change, error) {
	all, err := r.store.Changes(ctx, a.ID)
	if err != nil {
		return nil, fmt.Errorf("look for changes that wait: %w", err)
	}
	return slices.DeleteFunc(all, func(c Change) bool { return a.State != Active || c.Epoch != a.Epoch }), nil
}

// Due returns the ids of changes whose time has come, or that something has ended.
func (r *Accounts) Due(ctx context.Context) ([]string, error) {
	return r.store.DueChanges(ctx, r.now())
}

// Take takes the change of that id for the act that applies, stops or drops it, with
// the account as it is; of many, one does. One whose account was ended or opened anew
// since it was asked for is taken too, and told as [identity.ErrSpent].
func (r *Accounts) Take(ctx context.Context, id string) (Change, Account, error) {
	c, err := r.store.Change(ctx, id)
	if err != nil {
		return c, Account{}, err
	}
	if err := r.store.EndChange(ctx, id); err != nil {
		return c, Account{}, err
	}
	a, _, err := r.ownOf(ctx, c)
	return c, a, err
}

// ToStop returns the change that this token stops, if it waits and is alive, or
// [identity.ErrNotFound].
func (r *Accounts) ToStop(ctx context.Context, token identity.Secret) (Change, error) {
	c, err := r.store.ChangeToCancel(ctx, token.Digest())
	if err != nil {
		return c, err
	}
	_, _, err = r.ownOf(ctx, c)
	if errors.Is(err, identity.ErrSpent) {
		err = identity.ErrNotFound
	}
	return c, err
}

// Apply puts the new address in the place of the old one, and ends all that was open
// of the account, but for what else waits to change. It must be called in the act
// that took the change. An address that has an account by now is [ErrTaken]: the act
// must not be kept then.
func (r *Accounts) Apply(ctx context.Context, c Change) error {
	a, l, err := r.ownOf(ctx, c)
	if err != nil {
		return err
	}
	if r.now().Before(c.Opens) {
		return errEarly
	}
	next := l
	next.Details = l.Details.Refreshed(c.New)
	if err := r.move(ctx, a.ID, l, next, c.Channel); err != nil {
		return err
	}
	if err := r.store.RaiseEpoch(ctx, a.ID); err != nil {
		return fmt.Errorf("end what was open: %w", err)
	}
	return r.store.CarryChanges(ctx, a.ID, a.Epoch, a.Epoch+1)
}

// Rebind puts a new number in the place of the old one at once, in the account of a
// patient whom people let back in. What was open was ended by that. It must be called
// in the act that binds the number.
func (r *Accounts) Rebind(ctx context.Context, c Change) error {
	a, l, err := r.ownOf(ctx, c)
	if err != nil {
		return err
	}
	if c.Channel != identity.BySMS || a.Held(r.now()).IsZero() {
		return errEarly
	}
	l.Details = l.Details.Refreshed(c.New)
	return r.store.UpdateLink(ctx, a.ID, l)
}

var errEarly = errors.New("apply a change: wanted it due, got it before its time")

// move writes the link. The subject of an own link is its e-mail address, so that a
// new address is a new subject.
func (r *Accounts) move(ctx context.Context, id string, last, next Link, by identity.Channel) error {
	if by != identity.ByEmail {
		return r.store.UpdateLink(ctx, id, next)
	}
	next.Subject = next.Details.Email.Canonical()
	err := r.store.MoveLink(ctx, id, last.Subject, next)
	if errors.Is(err, identity.ErrConflict) {
		return ErrTaken
	}
	return err
}
