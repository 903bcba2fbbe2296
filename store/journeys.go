package store

import (
	"context"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
)

var _ attempt.JourneyStore = (*Attempts)(nil)

var journeyBody = sealedColumn("journeys", "body", "id")

var (
	dropJourneyOf  = statement(`DELETE FROM journeys WHERE kind = $1 AND browser = $2`)
	addJourney     = statement(`INSERT INTO journeys (id, kind, browser, version, started, seen, fades, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`)
	journeyOf      = statement(`SELECT id, kind, browser, version, started, seen, fades, body FROM journeys WHERE kind = $1 AND browser = $2`)
	fadingJourneys = statement(`SELECT id, kind, browser, version, started, seen, fades, body FROM journeys WHERE fades > 0 AND fades <= $1 ORDER BY fades LIMIT 100`)
	setJourney     = statement(`UPDATE journeys SET browser = $1, version = $2, started = $3, seen = $4, fades = $5, body = $6 WHERE id = $7 AND version = $8`)
	endJourney     = statement(`DELETE FROM journeys WHERE id = $1`)
	sweepJourneys  = statement(`DELETE FROM journeys WHERE id IN (SELECT id FROM journeys WHERE started < $1 ORDER BY started LIMIT 500)`)
)

// BeginJourney is of [attempt.JourneyStore].
func (s *Attempts) BeginJourney(ctx context.Context, j attempt.Journey) error {
	body, err := s.db.keys.seal(journeyBody, j.ID, j.Body)
	if err != nil {
		return err
	}
	return s.db.whole(ctx, func(ctx context.Context) error {
		if _, err := s.db.exec(ctx, dropJourneyOf, string(j.Kind), j.Browser[:]); err != nil {
			return err
		}
		return s.db.must(ctx, fmt.Errorf("journey: wanted a new id: %w", identity.ErrConflict),
			addJourney, j.ID, string(j.Kind), j.Browser[:], j.Version, micros(j.Started), micros(j.Seen), micros(j.Fades), body)
	})
}

// Journey is of [attempt.JourneyStore].
func (s *Attempts) Journey(ctx context.Context, kind attempt.JourneyKind, browser identity.Digest) (attempt.Journey, error) {
	return one(ctx, s.db, journeyOf, s.scanJourney, string(kind), browser[:])
}

func (s *Attempts) scanJourney(r row) (j attempt.Journey, err error) {
	var browser, body []byte
	var started, seen, fades int64
	if err := r.Scan(&j.ID, &j.Kind, &browser, &j.Version, &started, &seen, &fades, &body); err != nil {
		return j, err
	}
	copy(j.Browser[:], browser)
	j.Started, j.Seen, j.Fades = instant(started), instant(seen), instant(fades)
	j.Body, err = s.db.keys.open(journeyBody, j.ID, body)
	return j, err
}

// FadingJourneys is of [attempt.JourneyStore].
func (s *Attempts) FadingJourneys(ctx context.Context, at time.Time) ([]attempt.Journey, error) {
	return list(ctx, s.db, fadingJourneys, s.scanJourney, micros(at))
}

// ReplaceJourney is of [attempt.JourneyStore].
func (s *Attempts) ReplaceJourney(ctx context.Context, read, next attempt.Journey) error {
	body, err := s.db.keys.seal(journeyBody, read.ID, next.Body)
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("journey: wanted the one that was read: %w", identity.ErrConflict),
		setJourney, next.Browser[:], next.Version, micros(next.Started), micros(next.Seen), micros(next.Fades), body, read.ID, read.Version)
}

// EndJourney is of [attempt.JourneyStore].
func (s *Attempts) EndJourney(ctx context.Context, id string) error {
	_, err := s.db.exec(ctx, endJourney, id)
	return err
}

// SweepJourneys is of [attempt.JourneyStore].
func (s *Attempts) SweepJourneys(ctx context.Context, before time.Time) error {
	return s.db.drain(ctx, sweepJourneys, micros(before))
}
