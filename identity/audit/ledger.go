package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Store remembers events in the same database as the acts they tell of.
type Store interface {
	// Within runs fn in one serializable transaction, carried in the ctx it is
	// given: every Store method of every room called with that ctx joins it.
	// Called with a ctx that already carries one, it joins that one. fn may run
	// again from the start when the database asks for it, so it must do nothing
	// outside the database. The transaction commits when fn returns nil; any
	// error rolls everything back and is returned as it is.
	Within(ctx context.Context, fn func(context.Context) error) error

	// Append adds the event, in the transaction of ctx or in one of its own.
	Append(ctx context.Context, e Event) error
}

// Journal keeps events outside the database while the database refuses them.
type Journal interface {
	// Write makes the event durable before it returns.
	Write(e Event) error
}

// Ledger does acts together with their events.
type Ledger struct {
	store   Store
	journal Journal
	now     func() time.Time
}

// NewLedger returns a ledger over the store; journal takes what the store refuses
// of acts that take access away.
func NewLedger(store Store, journal Journal, now func() time.Time) *Ledger {
	return &Ledger{store, journal, now}
}

// Act runs fn and records the event, in one transaction: both happen or neither.
// fn may fill the event in with what it learns. It may run again (see
// [Store.Within]) and must do nothing outside the database.
//
// An act whose event can't be written does not happen: access is never given
// without a record. An act that takes access away is done with [Ledger.TakeAway].
func (l *Ledger) Act(ctx context.Context, e *Event, fn func(context.Context) error) error {
	return l.store.Within(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		return l.append(ctx, e)
	})
}

// Within runs fn in one transaction without an event of its own: for an act that is
// made of others, each of which records itself.
func (l *Ledger) Within(ctx context.Context, fn func(context.Context) error) error {
	return l.store.Within(ctx, fn)
}

// TakeAway is [Ledger.Act] for what takes access away: logging out, disabling. It
// never fails because its event could not be written. When the transaction fails,
// the event goes to the journal first, and then fn runs alone. The errors of fn
// itself are returned as they are.
func (l *Ledger) TakeAway(ctx context.Context, e *Event, fn func(context.Context) error) error {
	var appendErr error
	err := l.store.Within(ctx, func(ctx context.Context) error {
		appendErr = nil
		if err := fn(ctx); err != nil {
			return err
		}
		appendErr = l.append(ctx, e)
		return appendErr
	})
	if err == nil || appendErr == nil {
		return err
	}
	if err := l.journal.Write(*l.stamp(e)); err != nil {
		return fmt.Errorf("audit: neither the database (%w) nor the journal (%w) took the event", appendErr, err)
	}
	return l.store.Within(ctx, fn)
}

// Record adds an event that has no act: a refusal, or one more fact of an act
// whose ctx it is given.
func (l *Ledger) Record(ctx context.Context, e Event) error { return l.append(ctx, &e) }

func (l *Ledger) append(ctx context.Context, e *Event) error {
	if err := l.store.Append(ctx, *l.stamp(e)); err != nil {
		return errors.Join(ErrNotRecorded, err)
	}
	return nil
}

// ErrNotRecorded says that an act did not happen because its event could not be
// written.
var ErrNotRecorded = errors.New("audit event was not recorded")

// stamp gives the event its identity, once: an act that runs again keeps it.
func (l *Ledger) stamp(e *Event) *Event {
	if e.ID == "" {
		e.ID, e.At = identity.NewID(), l.now().UTC().Truncate(time.Microsecond)
	}
	if e.Result == "" {
		e.Result = OK
	}
	return e
}
