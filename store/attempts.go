package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
)

// Attempts is [attempt.Store].
type Attempts struct{ db *DB }

var _ attempt.Store = (*Attempts)(nil)

// Attempts returns the store of logins in flight.
func (db *DB) Attempts() *Attempts { return &Attempts{db} }

const attemptColumns = `id, provider, browser, session, return_request, return_path, minimum_age, floor, shared, in_app, language, started, spent, opened, refused, followed, linking, challenge`

var (
	addAttempt = statement(`INSERT INTO attempts (id, state, provider, browser, session, return_request, return_path, minimum_age, floor, shared, in_app, language, started, spent, opened, refused, followed, linking, challenge)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING`)
	spendAttempt = statement(`UPDATE attempts SET spent = $1 WHERE state = $2 AND browser = $3 AND provider = $4 AND started >= $5 AND spent = 0
		RETURNING ` + attemptColumns)
	attemptByState   = statement(`SELECT ` + attemptColumns + ` FROM attempts WHERE state = $1`)
	rebindAttempts   = statement(`UPDATE attempts SET browser = $1, followed = TRUE WHERE browser = $2 AND refused = ''`)
	boundAttempt     = statement(`SELECT browser FROM attempts WHERE id = $1`)
	refusedInBrowser = statement(`SELECT COUNT(*) FROM attempts WHERE browser = $1 AND refused <> ''`)
	closeAttempt     = statement(`UPDATE attempts SET opened = $1, refused = $2 WHERE id = $3`)
	sweepAttempts    = statement(`DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE started < $1 ORDER BY started LIMIT 500)`)
)

// Create is of [attempt.Store]. An id or state that is there already is
// [identity.ErrConflict].
func (s *Attempts) Create(ctx context.Context, state identity.Digest, a attempt.Attempt) error {
	challenge, err := s.db.keys.seal(attemptChallenge, a.ID, a.Challenge)
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("attempt: wanted a new id and state: %w", identity.ErrConflict),
		addAttempt, a.ID, state[:], a.Provider, a.Browser[:], a.Session, a.Return.Request, a.Return.Path, int64(a.Door.MinimumAge), int64(a.Door.Floor),
		a.Shared, a.InApp, a.Language, micros(a.Started), micros(a.Spent), a.Opened, a.Refused, a.Followed, a.Linking, challenge)
}

// Spend is of [attempt.Store].
func (s *Attempts) Spend(ctx context.Context, state identity.Digest, c attempt.Claim, since time.Time) (attempt.Attempt, error) {
	if err := s.db.alone(ctx); err != nil {
		return attempt.Attempt{}, err
	}
	if !c.Browser.IsZero() {
		a, err := one(ctx, s.db, spendAttempt, s.scan, past(c.At), state[:], c.Browser[:], c.Provider, micros(since))
		if !errors.Is(err, identity.ErrNotFound) {
			return a, err
		}
	}
	a, err := one(ctx, s.db, attemptByState, s.scan, state[:])
	if err != nil {
		return attempt.Attempt{}, err
	}
	return a, whyNot(a, c, since)
}

// whyNot tells why the attempt could not be spent.
func whyNot(a attempt.Attempt, c attempt.Claim, since time.Time) error {
	switch {
	case c.Browser.IsZero(), a.Browser != c.Browser, a.Provider != c.Provider: // no browser is no one's browser
		return identity.ErrForeign
	case a.Started.Before(since):
		return identity.ErrExpired
	}
	return identity.ErrSpent
}

func (s *Attempts) scan(r row) (a attempt.Attempt, err error) {
	var browser, challenge []byte
	var floor, started, spent int64
	err = r.Scan(&a.ID, &a.Provider, &browser, &a.Session, &a.Return.Request, &a.Return.Path, &a.Door.MinimumAge, &floor,
		&a.Shared, &a.InApp, &a.Language, &started, &spent, &a.Opened, &a.Refused, &a.Followed, &a.Linking, &challenge)
	if err != nil {
		return a, err
	}
	copy(a.Browser[:], browser)
	a.Door.Floor, a.Started, a.Spent = identity.Proofing(floor), instant(started), instant(spent)
	a.Challenge, err = s.db.keys.open(attemptChallenge, a.ID, challenge)
	return a, err
}

// Rebind is of [attempt.Store].
func (s *Attempts) Rebind(ctx context.Context, last, next identity.Digest) error {
	_, err := s.db.exec(ctx, rebindAttempts, next[:], last[:])
	return err
}

// Bound is of [attempt.Store].
func (s *Attempts) Bound(ctx context.Context, id string) (d identity.Digest, err error) {
	value, err := one(ctx, s.db, boundAttempt, blob, id)
	copy(d[:], value)
	return d, err
}

// Refused is of [attempt.Store].
func (s *Attempts) Refused(ctx context.Context, browser identity.Digest) (bool, error) {
	n, err := one(ctx, s.db, refusedInBrowser, number, browser[:])
	return n > 0, err
}

// Close is of [attempt.Store]. An attempt that was swept meanwhile is no error:
// its end stands in the audit.
func (s *Attempts) Close(ctx context.Context, a attempt.Attempt) error {
	_, err := s.db.exec(ctx, closeAttempt, a.Opened, a.Refused, a.ID)
	return err
}

// SpendNotice is of [attempt.Store].
func (s *Attempts) SpendNotice(ctx context.Context, notice identity.Digest, until time.Time) error {
	return s.db.Grants().SpendID(ctx, notice, until)
}

// Sweep is of [attempt.Store].
func (s *Attempts) Sweep(ctx context.Context, before time.Time) error {
	return s.db.drain(ctx, sweepAttempts, micros(before))
}
