package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/limit"
)

// Limits is [limit.Store].
type Limits struct{ db *DB }

var _ limit.Store = (*Limits)(nil)

// Limits returns the store of what is counted.
func (db *DB) Limits() *Limits { return &Limits{db} }

var (
	// lockTally makes the row if there is none, and keeps it from every other act until
	// this one ends.
	lockTally   = statement(`INSERT INTO limits (key, tally, ends) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET ends = limits.ends RETURNING tally`)
	tallyOf     = statement(`SELECT tally FROM limits WHERE key = $1`)
	setTally    = statement(`INSERT INTO limits (key, tally, ends) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET tally = excluded.tally, ends = excluded.ends`)
	sweepTallys = statement(`DELETE FROM limits WHERE key IN (SELECT key FROM limits WHERE ends < $1 ORDER BY ends LIMIT 500)`)
)

// Tallies is of [limit.Store].
func (s *Limits) Tallies(ctx context.Context, keys []string, ends time.Time, change func([]limit.Tally) ([]limit.Tally, error)) error {
	return s.db.counting(ctx, func(ctx context.Context) error {
		rows, tallies := make([][]byte, len(keys)), make([]limit.Tally, len(keys))
		for _, i := range inOrder(keys) {
			var err error
			if rows[i], err = s.lock(ctx, "tally", keys[i], ends, &tallies[i]); err != nil {
				return err
			}
		}
		next, err := change(tallies)
		if err != nil {
			return err
		}
		for i, t := range next {
			if err := s.write(ctx, rows[i], t, ends); err != nil {
				return err
			}
		}
		return nil
	})
}

// Guesses is of [limit.Store].
func (s *Limits) Guesses(ctx context.Context, key string, ends time.Time, joins bool, change func(limit.Guesses) (limit.Guesses, error)) error {
	if !joins {
		if err := s.db.alone(ctx); err != nil {
			return err
		}
	}
	return s.db.counting(ctx, func(ctx context.Context) error {
		var g limit.Guesses
		row, err := s.lock(ctx, "guesses", key, ends, &g)
		if err != nil {
			return err
		}
		if g, err = change(g); err != nil {
			return err
		}
		return s.write(ctx, row, g, ends)
	})
}

// inOrder returns the places of the keys in one order for everybody: two acts that lock
// the same rows never wait for each other in a ring.
func inOrder(keys []string) []int {
	places := make([]int, len(keys))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	return places
}

// lock reads what is remembered under the key, and keeps its row from every other act
// until this one ends: whoever counts there waits, where they would collide. What an
// earlier index key remembers goes on under the one in use.
func (s *Limits) lock(ctx context.Context, purpose, key string, ends time.Time, into any) ([]byte, error) {
	rows, err := s.db.keys.Blind("limit "+purpose, key)
	if err != nil {
		return nil, err
	}
	var kept []byte
	remembered := rows
	if !s.db.engine.alone() {
		if kept, err = one(ctx, s.db, lockTally, blob, rows[0], []byte{}, micros(ends)); err != nil {
			return nil, err
		}
		remembered = rows[1:]
	}
	for _, row := range remembered {
		if len(kept) > 0 {
			break
		}
		if kept, err = one(ctx, s.db, tallyOf, blob, row); err != nil && !errors.Is(err, identity.ErrNotFound) {
			return nil, err
		}
	}
	if len(kept) > 0 && json.Unmarshal(kept, into) != nil {
		return nil, fmt.Errorf("limits: wanted a tally of ours, got something else")
	}
	return rows[0], nil
}

func (s *Limits) write(ctx context.Context, row []byte, tally any, ends time.Time) error {
	kept, err := json.Marshal(tally)
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	_, err = s.db.exec(ctx, setTally, row, kept, micros(ends))
	return err
}

// SweepLimits is of [limit.Store].
func (s *Limits) SweepLimits(ctx context.Context, now time.Time) error {
	return s.db.drain(ctx, sweepTallys, micros(now))
}
