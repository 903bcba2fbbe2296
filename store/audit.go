package store

import (
	"context"
	"fmt"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// Audit is [audit.Store], [audit.ChainStore] and [audit.FeedStore].
type Audit struct{ db *DB }

var (
	_ audit.Store      = (*Audit)(nil)
	_ audit.ChainStore = (*Audit)(nil)
	_ audit.FeedStore  = (*Audit)(nil)
)

// Audit returns the store of events and of their chain.
func (db *DB) Audit() *Audit { return &Audit{db} }

const eventColumns = `id, at, kind, result, actor, reference, account, session, provider, portal, cause, fields, reason`

var (
	addEvent = statement(`INSERT INTO events (id, at, kind, result, actor, reference, account, session, provider, portal, cause, fields, reason, batch, place)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0) ON CONFLICT DO NOTHING`)
	unsealedEvents    = statement(`SELECT ` + eventColumns + ` FROM events WHERE batch = 0 ORDER BY at, id LIMIT $1`)
	eventsOfBatch     = statement(`SELECT ` + eventColumns + ` FROM events WHERE batch = $1 AND batch > 0 ORDER BY place`)
	eventsByReference = statement(`SELECT ` + eventColumns + ` FROM events WHERE reference = $1 AND reference <> '' ORDER BY at, id`)
	eventsOfAccount   = statement(`SELECT ` + eventColumns + ` FROM events WHERE account = $1 AND account <> ''
		UNION ALL SELECT ` + eventColumns + ` FROM events WHERE account IN (SELECT id FROM accounts WHERE merged_into = $1 AND merged_into <> '')
		ORDER BY at DESC, id DESC LIMIT $2`)
	sealEvent = statement(`UPDATE events SET batch = $1, place = $2 WHERE id = $3 AND batch = 0`)

	headBatch = statement(`SELECT number, sealed_at, count, tag FROM batches ORDER BY number DESC LIMIT 1`)
	oneBatch  = statement(`SELECT number, sealed_at, count, tag FROM batches WHERE number = $1`)
	followed  = statement(`SELECT batch FROM feeds WHERE reader = $1`)
	addFeed   = statement(`INSERT INTO feeds (reader, batch) VALUES ($1, $2) ON CONFLICT DO NOTHING`)
	follow    = statement(`UPDATE feeds SET batch = $1 WHERE reader = $2 AND batch = $3`)
	addBatch  = statement(`INSERT INTO batches (number, sealed_at, count, tag) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`)
)

// Within is of [audit.Store].
func (s *Audit) Within(ctx context.Context, fn func(context.Context) error) error {
	return s.db.within(ctx, fn)
}

// Append is of [audit.Store]. An event whose id is there already is
// [identity.ErrConflict].
func (s *Audit) Append(ctx context.Context, e audit.Event) error {
	return s.db.must(ctx, fmt.Errorf("event: wanted a new id: %w", identity.ErrConflict), addEvent, eventValues(e)...)
}

func eventValues(e audit.Event) []any {
	return []any{
		e.ID, micros(e.At), string(e.Kind), string(e.Result), e.Actor, e.Reference, e.Account, e.Session,
		e.Provider, e.Portal, e.Cause, written(e.Fields), e.Reason,
	}
}

func scanEvent(r row) (e audit.Event, err error) {
	var at int64
	err = r.Scan(&e.ID, &at, &e.Kind, &e.Result, &e.Actor, &e.Reference, &e.Account, &e.Session,
		&e.Provider, &e.Portal, &e.Cause, (*words[string])(&e.Fields), &e.Reason)
	e.At = instant(at)
	return e, err
}

// FindByReference returns the events that a person was shown that reference for,
// oldest first; none for an empty one.
func (s *Audit) FindByReference(ctx context.Context, reference string) ([]audit.Event, error) {
	return list(ctx, s.db, eventsByReference, scanEvent, reference)
}

// EventsOf returns the account's last events, and those of accounts that became a part
// of it, newest first, at most limit.
func (s *Audit) EventsOf(ctx context.Context, accountID string, limit int) ([]audit.Event, error) {
	return list(ctx, s.db, eventsOfAccount, scanEvent, accountID, int64(limit))
}

// Unsealed is of [audit.ChainStore].
func (s *Audit) Unsealed(ctx context.Context, limit int) ([]audit.Event, error) {
	return list(ctx, s.db, unsealedEvents, scanEvent, int64(limit))
}

// Head is of [audit.ChainStore].
func (s *Audit) Head(ctx context.Context) (audit.Batch, error) {
	found, err := list(ctx, s.db, headBatch, scanBatch)
	if err != nil || len(found) == 0 {
		return audit.Batch{}, err
	}
	return found[0], nil
}

// Batch is of [audit.ChainStore].
func (s *Audit) Batch(ctx context.Context, number int64) (audit.Batch, []audit.Event, error) {
	b, err := one(ctx, s.db, oneBatch, scanBatch, number)
	if err != nil {
		return audit.Batch{}, nil, err
	}
	events, err := list(ctx, s.db, eventsOfBatch, scanEvent, number)
	return b, events, err
}

// Followed is of [audit.FeedStore].
func (s *Audit) Followed(ctx context.Context, reader string) (int64, error) {
	return one(ctx, s.db, followed, number, reader)
}

// Follow is of [audit.FeedStore].
func (s *Audit) Follow(ctx context.Context, reader string, last, next int64) error {
	other := fmt.Errorf("feed %s: wanted it at batch %d: %w", reader, last, identity.ErrConflict)
	if last < 0 {
		return s.db.must(ctx, other, addFeed, reader, next)
	}
	return s.db.must(ctx, other, follow, next, reader, last)
}

func scanBatch(r row) (b audit.Batch, err error) {
	var sealedAt, count int64
	err = r.Scan(&b.Number, &sealedAt, &count, &b.Tag)
	b.SealedAt, b.Count = instant(sealedAt), int(count)
	return b, err
}

// Seal is of [audit.ChainStore].
func (s *Audit) Seal(ctx context.Context, b audit.Batch, events []audit.Event) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		head, err := s.Head(ctx)
		if err != nil {
			return err
		}
		if b.Number != head.Number+1 {
			return fmt.Errorf("batch: wanted number %d, got %d: %w", head.Number+1, b.Number, identity.ErrConflict)
		}
		taken := fmt.Errorf("batch %d: wanted events and a number that nobody took: %w", b.Number, identity.ErrConflict)
		if err := s.db.must(ctx, taken, addBatch, b.Number, micros(b.SealedAt), int64(b.Count), b.Tag); err != nil {
			return err
		}
		for i, e := range events {
			if err := s.db.must(ctx, taken, sealEvent, b.Number, int64(i), e.ID); err != nil {
				return err
			}
		}
		return nil
	})
}
