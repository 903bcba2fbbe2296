package store

import (
	"context"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/outbox"
)

var (
	addJoined  = statement(`INSERT INTO joined (id, portal, session, account, due, parted) VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT DO NOTHING`)
	dueJoined  = statement(`SELECT id, portal, session, account FROM joined WHERE parted = 0 AND due <= $1 ORDER BY due LIMIT $2`)
	rejoin     = statement(`UPDATE joined SET due = $1 WHERE id = $2 AND parted = 0`)
	part       = statement(`UPDATE joined SET parted = $1 WHERE id = $2 AND parted = 0`)
	partings   = statement(`SELECT j.portal, j.parted, o.outcome FROM joined j LEFT JOIN outbox o ON o.id = j.id WHERE j.session = $1 ORDER BY j.portal`)
	sweepParts = statement(`DELETE FROM joined WHERE id IN (SELECT id FROM joined WHERE parted > 0 AND parted < $1 ORDER BY parted LIMIT 500)`)

	// What ends sessions has their portals looked at at once.
	hastenSession = statement(`UPDATE joined SET due = 0 WHERE session = $1 AND parted = 0`)
	hastenAccount = statement(`UPDATE joined SET due = 0 WHERE account = $1 AND parted = 0`)
)

// Join is of [grant.Store].
func (s *Grants) Join(ctx context.Context, j grant.Joined, due time.Time) error {
	_, err := s.db.exec(ctx, addJoined, j.ID, j.Portal, j.Session, j.Account, micros(due))
	return err
}

// Due is of [grant.Store].
func (s *Grants) Due(ctx context.Context, at time.Time, limit int) ([]grant.Joined, error) {
	return list(ctx, s.db, dueJoined, func(r row) (j grant.Joined, err error) {
		return j, r.Scan(&j.ID, &j.Portal, &j.Session, &j.Account)
	}, micros(at), int64(limit))
}

// Rejoin is of [grant.Store].
func (s *Grants) Rejoin(ctx context.Context, id string, due time.Time) error {
	_, err := s.db.exec(ctx, rejoin, micros(due), id)
	return err
}

// Part is of [grant.Store].
func (s *Grants) Part(ctx context.Context, id string, at time.Time) error {
	_, err := s.db.exec(ctx, part, past(at), id)
	return err
}

// Partings is of [grant.Store].
func (s *Grants) Partings(ctx context.Context, session string) ([]grant.Parting, error) {
	return list(ctx, s.db, partings, scanParting, session)
}

func scanParting(r row) (p grant.Parting, err error) {
	var parted int64
	var outcome *string // NULL where no notice was written
	err = r.Scan(&p.Portal, &parted, &outcome)
	p.Parted = parted > 0
	if outcome != nil {
		p.Told = *outcome == string(outbox.WasSent)
		p.Failed = *outcome == string(outbox.WasDead) || *outcome == string(outbox.WasLate)
	}
	return p, err
}

// ending runs a statement that ends sessions, or returns [identity.ErrNotFound], and has
// their portals looked at.
func (db *DB) ending(ctx context.Context, hasten *query, whose string, q *query, args ...any) error {
	return db.whole(ctx, func(ctx context.Context) error {
		if err := db.must(ctx, identity.ErrNotFound, q, args...); err != nil {
			return err
		}
		_, err := db.exec(ctx, hasten, whose)
		return err
	})
}
