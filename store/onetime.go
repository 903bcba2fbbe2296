package store

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/code"
)

// OneTimeCodes is [code.Store].
type OneTimeCodes struct{ db *DB }

var _ code.Store = (*OneTimeCodes)(nil)

// OneTimeCodes returns the store of one-time codes.
func (db *DB) OneTimeCodes() *OneTimeCodes { return &OneTimeCodes{db} }

var (
	dropOneTime = statement(`DELETE FROM one_time_codes WHERE bond = $1`)
	addOneTime  = statement(`INSERT INTO one_time_codes (id, bond, pepper, digest, made, ends, tries, spent) VALUES ($1, $2, $3, $4, $5, $6, 0, FALSE)
		ON CONFLICT (bond) DO UPDATE SET id = excluded.id, pepper = excluded.pepper, digest = excluded.digest, made = excluded.made, ends = excluded.ends, tries = 0, spent = FALSE`)
	payOneTime = statement(`UPDATE one_time_codes SET tries = tries + 1 WHERE bond = $1 AND tries < $2 AND NOT spent
		RETURNING id, pepper, digest, made, ends, tries, spent`)
	oneTimeOf    = statement(`SELECT id, pepper, digest, made, ends, tries, spent FROM one_time_codes WHERE bond = $1`)
	spendOneTime = statement(`UPDATE one_time_codes SET spent = TRUE WHERE id = $1 AND NOT spent`)
	sweepOneTime = statement(`DELETE FROM one_time_codes WHERE id IN (SELECT id FROM one_time_codes WHERE ends < $1 ORDER BY ends LIMIT 500)`)
)

// PutCode is of [code.Store].
func (s *OneTimeCodes) PutCode(ctx context.Context, bonds [][]byte, c code.Code) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		for _, earlier := range bonds[1:] {
			if _, err := s.db.exec(ctx, dropOneTime, earlier); err != nil {
				return err
			}
		}
		_, err := s.db.exec(ctx, addOneTime, c.ID, bonds[0], int64(c.Pepper), c.Digest, micros(c.Made), micros(c.Ends))
		return err
	})
}

// PayGuess is of [code.Store].
func (s *OneTimeCodes) PayGuess(ctx context.Context, bonds [][]byte, most int) (code.Code, error) {
	if err := s.db.alone(ctx); err != nil {
		return code.Code{}, err
	}
	for _, bond := range bonds {
		c, err := one(ctx, s.db, payOneTime, scanOneTime, bond, int64(most))
		if !errors.Is(err, identity.ErrNotFound) {
			return c, err
		}
	}
	for _, bond := range bonds {
		c, err := one(ctx, s.db, oneTimeOf, scanOneTime, bond)
		if err == nil {
			return c, identity.ErrSpent
		}
		if !errors.Is(err, identity.ErrNotFound) {
			return c, err
		}
	}
	return code.Code{}, identity.ErrNotFound
}

func scanOneTime(r row) (c code.Code, err error) {
	var pepper, made, ends, tries int64
	err = r.Scan(&c.ID, &pepper, &c.Digest, &made, &ends, &tries, &c.Spent)
	c.Pepper, c.Made, c.Ends, c.Tries = uint32(pepper), instant(made), instant(ends), int(tries)
	return c, err
}

// SpendCode is of [code.Store].
func (s *OneTimeCodes) SpendCode(ctx context.Context, id string) error {
	if err := s.db.alone(ctx); err != nil {
		return err
	}
	return s.db.must(ctx, identity.ErrSpent, spendOneTime, id)
}

// SweepCodes is of [code.Store].
func (s *OneTimeCodes) SweepCodes(ctx context.Context, before time.Time) error {
	return s.db.drain(ctx, sweepOneTime, micros(before))
}
