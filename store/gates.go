package store

import (
	"context"
	"fmt"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
)

var (
	addGate       = statement(`INSERT INTO gates (code, host, start, session, created, id) VALUES ($1, $2, $3, $4, $5, NULL) ON CONFLICT DO NOTHING`)
	enterGate     = statement(`UPDATE gates SET id = $1 WHERE code = $2 AND host = $3 AND start = $4 AND id IS NULL RETURNING session, created`)
	sessionByGate = statement(`SELECT s.body, s.seen, s.ended, a.state, a.epoch FROM gates g JOIN sessions s ON s.handle = g.session JOIN accounts a ON a.id = s.account
		WHERE g.id = $1 AND g.host = $2`)
	sweepGates = statement(`DELETE FROM gates WHERE code IN (SELECT code FROM gates WHERE created < $1 ORDER BY created LIMIT 500)`)
)

// OpenGate is of [grant.Store]. A code that is there already is [identity.ErrConflict].
func (s *Grants) OpenGate(ctx context.Context, code identity.Digest, g grant.Gate) error {
	return s.db.must(ctx, fmt.Errorf("gate: wanted a new code: %w", identity.ErrConflict),
		addGate, code[:], g.Host, g.Start[:], g.Session, micros(g.Created))
}

// EnterGate is of [grant.Store].
func (s *Grants) EnterGate(ctx context.Context, code identity.Digest, host string, start, id identity.Digest) (grant.Gate, error) {
	g := grant.Gate{Host: host, Start: start}
	if err := s.db.alone(ctx); err != nil {
		return g, err
	}
	return one(ctx, s.db, enterGate, func(r row) (grant.Gate, error) {
		var created int64
		err := r.Scan(&g.Session, &created)
		g.Created = instant(created)
		return g, err
	}, id[:], code[:], host, start[:])
}

// ByGate is of [session.Store].
func (s *Sessions) ByGate(ctx context.Context, id identity.Digest, host string) (session.State, error) {
	if id.IsZero() {
		return session.State{}, identity.ErrNotFound
	}
	return one(ctx, s.db, sessionByGate, scanState, id[:], host)
}
