// Package approval owns the acts that need two people: one asks, and another
// decides within the hour.
//
// It never does what was asked for: who confirms brings the act along, and both
// happen in one transaction or neither. It knows people by the names that the
// roof gives them, and trusts it to tell one from another.
package approval

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// Life is how long a request waits for its second person.
const Life = time.Hour

// ErrSamePerson says that who confirms is who asked.
var ErrSamePerson = errors.New("wanted another person than the one who asked")

// Outcome is what became of a request.
type Outcome string

// The outcomes. A request that nobody decided in time stays Waiting, and is over.
const (
	Waiting   Outcome = ""
	Confirmed Outcome = "confirmed"
	Refused   Outcome = "refused"
)

// Request is an act that one person asked for.
type Request struct {
	ID        string                     // a reference, such as DIL-7F3K-Q2, that can be said on the telephone and `audit find` explains
	Verb      string                     // what to do, in a word of the roof's
	Account   string                     // whom it touches; empty: none yet
	Args      map[string]identity.Secret // what to do it with; kept sealed
	AskedBy   string
	Reason    string
	Asked     time.Time
	DecidedBy string
	Decided   time.Time
	Outcome   Outcome
}

// Judge says whether that person may confirm the request at that instant: nil,
// [identity.ErrSpent] for one that was decided, [identity.ErrExpired] after its
// hour, or [ErrSamePerson]. Nobody is no other person.
func (r Request) Judge(actor string, now time.Time) error {
	if err := r.open(now); err != nil {
		return err
	}
	if actor == "" || actor == r.AskedBy {
		return ErrSamePerson
	}
	return nil
}

// open says whether the request can still be decided.
func (r Request) open(now time.Time) error {
	switch {
	case r.Outcome != Waiting:
		return identity.ErrSpent
	case now.Sub(r.Asked) >= Life, r.Asked.Sub(now) > identity.Skew:
		return identity.ErrExpired
	}
	return nil
}

// Store remembers requests. Args are sealed in it. Methods join the transaction
// that ctx carries.
type Store interface {
	// Ask adds a request. An id that is there already is [identity.ErrConflict].
	Ask(ctx context.Context, r Request) error
	// Request returns it, decided or not, or [identity.ErrNotFound].
	Request(ctx context.Context, id string) (Request, error)
	// Waiting returns the undecided requests that were asked after since, the
	// oldest first.
	Waiting(ctx context.Context, since time.Time) ([]Request, error)
	// Decide keeps the outcome of a request that has none yet: of many, one alone
	// has no error, and every other [identity.ErrSpent].
	Decide(ctx context.Context, id string, o Outcome, actor string, at time.Time) error
	// Sweep forgets requests that were asked before that time.
	Sweep(ctx context.Context, before time.Time) error
}

// Approvals does the acts on requests.
type Approvals struct {
	store  Store
	ledger *audit.Ledger
	now    func() time.Time
}

// New returns the room over its store.
func New(store Store, ledger *audit.Ledger, now func() time.Time) *Approvals {
	return &Approvals{store, ledger, now}
}

var errUnnamed = errors.New("approval: wanted a verb and who asks, got nothing")

// Ask keeps the request for its second person and returns it with its id: q says
// what is to be done (Verb, Account, Args), by whom it is asked and why. It joins
// the act of ctx, or is one of its own.
func (r *Approvals) Ask(ctx context.Context, q Request) (Request, error) {
	if q.Verb == "" || q.AskedBy == "" {
		return Request{}, errUnnamed
	}
	q.ID, q.Asked = identity.NewReference(), r.moment()
	q.DecidedBy, q.Decided, q.Outcome = "", time.Time{}, Waiting
	e := event(audit.ApprovalAsked, q, q.AskedBy, q.Reason)
	if err := r.ledger.Act(ctx, e, func(ctx context.Context) error { return r.store.Ask(ctx, q) }); err != nil {
		return Request{}, fmt.Errorf("ask for an approval: %w", err)
	}
	return q, nil
}

// Pending returns the requests that wait for a second person, the oldest first. It
// reads, in the act of ctx if there is one.
func (r *Approvals) Pending(ctx context.Context) ([]Request, error) {
	return r.store.Waiting(ctx, r.moment().Add(-Life))
}

// Confirm does what was asked for, by fn, once, and keeps that actor confirmed it,
// in one act: fn may run again and must do nothing outside the database. What fn
// returns undoes all of it, and the request waits on. An unknown request is
// [identity.ErrNotFound], and what [Request.Judge] says stands for the rest.
func (r *Approvals) Confirm(ctx context.Context, id, actor, reason string, fn func(context.Context, Request) error) error {
	return r.decide(ctx, id, func(ctx context.Context, q Request) (*audit.Event, error) {
		if err := q.Judge(actor, r.now()); err != nil {
			return nil, err
		}
		if err := r.store.Decide(ctx, id, Confirmed, actor, r.moment()); err != nil {
			return nil, err
		}
		q.DecidedBy, q.Decided, q.Outcome = actor, r.moment(), Confirmed
		return event(audit.ApprovalConfirmed, q, actor, reason), fn(ctx, q)
	})
}

// Refuse ends the request without doing it. Whoever asked may do so too. An unknown
// request is [identity.ErrNotFound], a decided one [identity.ErrSpent], one past
// its hour [identity.ErrExpired]. It is an act of its own.
func (r *Approvals) Refuse(ctx context.Context, id, actor, reason string) error {
	return r.decide(ctx, id, func(ctx context.Context, q Request) (*audit.Event, error) {
		if err := q.open(r.now()); err != nil {
			return nil, err
		}
		return event(audit.ApprovalRefused, q, actor, reason), r.store.Decide(ctx, id, Refused, actor, r.moment())
	})
}

// decide reads the request and runs fn with it in one act, whose event fn returns.
func (r *Approvals) decide(ctx context.Context, id string, fn func(context.Context, Request) (*audit.Event, error)) error {
	var e audit.Event
	return r.ledger.Act(ctx, &e, func(ctx context.Context) error {
		q, err := r.store.Request(ctx, id)
		if err != nil {
			return fmt.Errorf("approval: %w", err)
		}
		told, err := fn(ctx, q)
		if err != nil {
			return fmt.Errorf("approval: %w", err)
		}
		e = *told
		return nil
	})
}

// event tells of the request, under its id as the reference.
func event(kind audit.Kind, q Request, actor, reason string) *audit.Event {
	return &audit.Event{Kind: kind, Actor: actor, Account: q.Account, Reference: q.ID, Cause: q.Verb, Reason: reason}
}

// moment is now as it is kept, to the microsecond.
func (r *Approvals) moment() time.Time { return r.now().UTC().Truncate(time.Microsecond) }
