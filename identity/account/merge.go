package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// ErrOtherWay says that two accounts of one patient become one from the other side
// only: that one is opened by a password, which stays with its account.
var ErrOtherWay = errors.New("the other account takes this one in")

// Known is under which subject a service (a portal's id, or a host behind the gateway)
// knows an account, and since when.
type Known struct {
	Service string
	Subject string
	First   time.Time
}

// MergeStore remembers accounts that became one. Methods join the transaction that ctx
// carries.
type MergeStore interface {
	// Shown returns which services were told who the account is, each with the time of
	// the first, under the account's own id.
	Shown(ctx context.Context, id string) ([]Known, error)
	// Known returns the services that know the account by another subject than its id.
	Known(ctx context.Context, id string) ([]Known, error)
	// Merge keeps that the one account went into the other, with all that went into it
	// before, and known in the place of what [MergeStore.Known] returned of the other.
	// It adds one to the other's epoch, in the same UPDATE.
	Merge(ctx context.Context, from, into string, at time.Time, known []Known) error
}

// Merge makes one account of two: all that opens the second opens the first, and the
// second is over. It must be called in the act of a patient who has just logged in
// strongly to both, each at P9, when what is to be kept of the second's factors has
// moved already. Every session of either ends. Each service goes on under the subject
// that it saw first. It returns the account as it is then, or [ErrDiffers],
// [ErrLinked], [ErrOtherWay], [ErrFrozen] or [identity.ErrDisabled], and nothing may be
// kept then.
func (r *Accounts) Merge(ctx context.Context, into, from Account, session string) (Account, error) {
	if err := into.takesIn(from, r.now()); err != nil {
		return into, err
	}
	known, err := r.knownOf(ctx, into, from)
	if err != nil {
		return into, fmt.Errorf("merge the accounts: %w", err)
	}
	if err := r.moveLinks(ctx, into.ID, from); err != nil {
		return into, linkedOtherwise(err)
	}
	for _, act := range []func() error{
		func() error { return r.store.SetState(ctx, from.ID, Deleted) },
		func() error { return r.store.Erase(ctx, from.ID) },
		func() error { return r.store.Merge(ctx, from.ID, into.ID, r.now(), known) },
		func() error { return r.store.SetQuiet(ctx, into.ID, into.Quiet || from.Quiet) },
		func() error { return r.recordMerge(ctx, into.ID, from.ID, session) },
	} {
		if err := act(); err != nil {
			return into, fmt.Errorf("merge the accounts: %w", err)
		}
	}
	return r.store.Account(ctx, into.ID)
}

// recordMerge records it of both: the one that went tells the help desk that it did.
func (r *Accounts) recordMerge(ctx context.Context, into, from, session string) error {
	e := audit.Event{Kind: audit.AccountMerged, Actor: audit.Patient, Account: into, Session: session}
	if err := r.ledger.Record(ctx, e); err != nil {
		return err
	}
	e.Account, e.Session, e.Cause = from, "", audit.IntoAnother
	return r.ledger.Record(ctx, e)
}

func (r *Accounts) moveLinks(ctx context.Context, into string, from Account) error {
	for _, l := range from.Links {
		if err := r.store.DropLink(ctx, from.ID, l); err != nil {
			return err
		}
		if err := r.store.AddLink(ctx, into, l); err != nil {
			return err
		}
	}
	return nil
}

// takesIn judges whether the other account may become part of this one. It is pure. An
// account whose patient wants it closed, or said that something was not them, is left
// as it is.
func (a Account) takesIn(b Account, now time.Time) error {
	_, own := b.Own()
	_, here := a.Own()
	switch {
	case a.State != Active || b.State != Active:
		return identity.ErrDisabled
	case a.Frozen() != "" || b.Frozen() != "":
		return ErrFrozen
	case !b.Closes.IsZero(), b.Paused.After(now), b.Held(now).After(now), a.sharesIssuer(b):
		return ErrLinked
	case own && here:
		return ErrLinked
	case !a.samePerson(b):
		return ErrDiffers
	case own:
		return ErrOtherWay
	}
	return nil
}

func (a Account) sharesIssuer(b Account) bool {
	return slices.ContainsFunc(b.Links, func(l Link) bool {
		_, both := a.Link(l.Issuer)
		return both
	})
}

// samePerson reports whether both are proved by identity (P9), with one NHS number and
// one birth date, and nothing that either was told differs.
func (a Account) samePerson(b Account) bool {
	mine, ok := a.Best()
	theirs, has := b.Best()
	if !ok || !has || mine.Level != identity.P9 || theirs.Level != identity.P9 {
		return false
	}
	d, e := mine.Details, theirs.Details
	if d.NHSNumber.IsZero() || d.BirthDate.IsZero() || d.NHSNumber != e.NHSNumber || d.BirthDate != e.BirthDate {
		return false
	}
	return !slices.ContainsFunc(a.Links, func(l Link) bool {
		return slices.ContainsFunc(b.Links, func(m Link) bool { return l.Details.OfAnother(m.Details) })
	})
}

// knownOf returns which services are to know the one account under another subject
// than its id, once it took the other in.
func (r *Accounts) knownOf(ctx context.Context, into, from Account) ([]Known, error) {
	mine, err := r.services(ctx, into.ID)
	if err != nil {
		return nil, err
	}
	theirs, err := r.services(ctx, from.ID)
	if err != nil {
		return nil, err
	}
	var known []Known
	for service, k := range first(mine, theirs) {
		if k.Subject != into.ID {
			known = append(known, Known{service, k.Subject, k.First})
		}
	}
	return known, nil
}

// services returns how each service knows the account. One that knows it by the subject
// of an account that it took in goes on so, whatever it was shown since.
func (r *Accounts) services(ctx context.Context, id string) (map[string]Known, error) {
	all := map[string]Known{}
	shown, err := r.store.Shown(ctx, id)
	if err != nil {
		return nil, err
	}
	known, err := r.store.Known(ctx, id)
	for _, k := range append(shown, known...) {
		all[k.Service] = k
	}
	return all, err
}

// first chooses of two the subject that a service saw first.
func first(mine, theirs map[string]Known) map[string]Known {
	all := maps.Clone(mine)
	for service, k := range theirs {
		if m, both := all[service]; !both || k.First.Before(m.First) {
			all[service] = k
		}
	}
	return all
}

// Services returns the services that were told who the account is, each with the subject
// under which it knows it.
func (r *Accounts) Services(ctx context.Context, id string) (map[string]string, error) {
	told, err := r.store.Shown(ctx, id)
	if err != nil {
		return nil, err
	}
	known, err := r.store.Known(ctx, id)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, k := range slices.Concat(told, known) { // what a merge brought counts
		all[k.Service] = k.Subject
	}
	return all, nil
}

// Subjects returns under which subject each service knows the account that knows it by
// another than its id; nil where none does.
func (r *Accounts) Subjects(ctx context.Context, a Account) (map[string]string, error) {
	if a.TookIn.IsZero() {
		return nil, nil
	}
	known, err := r.store.Known(ctx, a.ID)
	if err != nil {
		return nil, fmt.Errorf("read the account's subjects: %w", err)
	}
	subjects := map[string]string{}
	for _, k := range known {
		subjects[k.Service] = k.Subject
	}
	return subjects, nil
}
