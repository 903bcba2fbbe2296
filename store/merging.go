package store

import (
	"context"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

var (
	// Nobody is told who a patient is without an event, so that the events know.
	shownTo = statement(`SELECT portal, account, min(at) FROM events WHERE account = $1 AND portal <> '' AND result = 'ok'
		AND kind IN ('portal.tokens-issued', 'portal.host-shown') GROUP BY portal, account ORDER BY portal`)
	knownAs   = statement(`SELECT service, subject, first FROM subjects WHERE account = $1 ORDER BY service`)
	addKnown  = statement(`INSERT INTO subjects (account, service, subject, first) VALUES ($1, $2, $3, $4)`)
	dropKnown = statement(`DELETE FROM subjects WHERE account = $1`)
	wentInto  = statement(`UPDATE accounts SET merged_into = $1 WHERE id = $2`)
	wentWith  = statement(`UPDATE accounts SET merged_into = $1 WHERE merged_into = $2 AND merged_into <> ''`)
	tookIn    = statement(`UPDATE accounts SET took_in = $1, epoch = epoch + 1 WHERE id = $2`)
)

// Shown is of [account.MergeStore].
func (s *Accounts) Shown(ctx context.Context, id string) ([]account.Known, error) {
	return list(ctx, s.db, shownTo, scanKnown, id)
}

// Known is of [account.MergeStore].
func (s *Accounts) Known(ctx context.Context, id string) ([]account.Known, error) {
	return list(ctx, s.db, knownAs, scanKnown, id)
}

func scanKnown(r row) (k account.Known, err error) {
	var first int64
	err = r.Scan(&k.Service, &k.Subject, &first)
	k.First = instant(first)
	return k, err
}

// Merge is of [account.MergeStore]. An unknown account is [identity.ErrNotFound].
func (s *Accounts) Merge(ctx context.Context, from, into string, at time.Time, known []account.Known) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		if err := s.db.must(ctx, identity.ErrNotFound, wentInto, into, from); err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, wentWith, into, from); err != nil {
			return err
		}
		if err := s.db.ending(ctx, hastenAccount, into, tookIn, past(at), into); err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, dropKnown, into); err != nil {
			return err
		}
		for _, k := range known {
			if _, err := s.db.exec(ctx, addKnown, into, k.Service, k.Subject, micros(k.First)); err != nil {
				return err
			}
		}
		return nil
	})
}
