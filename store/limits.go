package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	tallyOf     = statement(`SELECT tally FROM limits WHERE key = $1`)
	setTally    = statement(`INSERT INTO limits (key, tally, ends) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET tally = excluded.tally, ends = excluded.ends`)
	sweepTallys = statement(`DELETE FROM limits WHERE key IN (SELECT key FROM limits WHERE ends < $1 ORDER BY ends LIMIT 500)`)
)

// Tallies is of [limit.Store].
func (s *Limits) Tallies(ctx context.Context, keys []string, ends time.Time, change func([]limit.Tally) ([]limit.Tally, error)) error {
	return s.db.within(ctx, func(ctx context.Context) error {
		rows, tallies := make([][]byte, len(keys)), make([]limit.Tally, len(keys))
		for i, key := range keys {
			var err error
			if rows[i], err = s.read(ctx, "tally", key, &tallies[i]); err != nil {
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
	return s.db.within(ctx, func(ctx context.Context) error {
		var g limit.Guesses
		row, err := s.read(ctx, "guesses", key, &g)
		if err != nil {
			return err
		}
		if g, err = change(g); err != nil {
			return err
		}
		return s.write(ctx, row, g, ends)
	})
}

// read finds what is remembered under the key, and the row that it stands in or
// would stand in.
func (s *Limits) read(ctx context.Context, purpose, key string, into any) ([]byte, error) {
	rows, err := s.db.keys.Blind("limit "+purpose, key)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		kept, err := one(ctx, s.db, tallyOf, blob, row)
		if errors.Is(err, identity.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(kept, into); err != nil {
			return nil, fmt.Errorf("limits: wanted a tally of ours, got something else")
		}
		return row, nil
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
