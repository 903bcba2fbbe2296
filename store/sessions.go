package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/session"
)

// Sessions is [session.Store].
type Sessions struct{ db *DB }

var _ session.Store = (*Sessions)(nil)

// Sessions returns the store of sessions.
func (db *DB) Sessions() *Sessions { return &Sessions{db} }

// sessionsWhere reads a session and what stands of its account at one instant.
const sessionsWhere = `SELECT s.body, s.seen, s.ended, a.state, a.epoch FROM sessions s JOIN accounts a ON a.id = s.account WHERE `

var (
	addSession = statement(`INSERT INTO sessions (handle, secret, account, epoch, browser, created, ends, seen, ended, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`)
	sessionBySecret = statement(sessionsWhere + `s.secret = $1`)
	sessionByHandle = statement(sessionsWhere + `s.handle = $1`)
	sessionByGrant  = statement(`SELECT s.body, s.seen, s.ended, a.state, a.epoch, c.revoked
		FROM codes c JOIN sessions s ON s.handle = c.session JOIN accounts a ON a.id = s.account WHERE c.grant_id = $1`)
	sessionsOfAccount = statement(sessionsWhere + `s.account = $1 AND s.epoch = a.epoch AND s.ended = 0 ORDER BY s.created DESC, s.handle`)
	latestInBrowser   = statement(sessionsWhere + `s.browser = $1 ORDER BY s.created DESC, s.handle LIMIT 1`)
	touchSession      = statement(`UPDATE sessions SET seen = $1 WHERE handle = $2 AND seen < $1 AND ended = 0`)
	raiseSession      = statement(`UPDATE sessions SET secret = $1, account = $2, epoch = $3, browser = $4, created = $5, ends = $6, seen = $7, body = $8
		WHERE handle = $9 AND secret = $10 AND ended = 0`)
	endSession    = statement(`UPDATE sessions SET ended = CASE WHEN ended = 0 THEN $1 ELSE ended END WHERE handle = $2`)
	sweepSessions = statement(`DELETE FROM sessions WHERE handle IN (SELECT handle FROM sessions WHERE ends < $1 ORDER BY ends LIMIT 500)`)
)

// Create is of [session.Store]. A handle or secret that is there already is
// [identity.ErrConflict].
func (s *Sessions) Create(ctx context.Context, secret identity.Digest, v session.Session) error {
	return s.db.must(ctx, fmt.Errorf("session: wanted a new handle and secret: %w", identity.ErrConflict),
		addSession, v.Handle, secret[:], v.Account, v.Epoch, v.Browser[:], micros(v.Created), micros(v.Ends()), micros(v.Seen), micros(v.Ended), packSession(v))
}

// BySecret is of [session.Store].
func (s *Sessions) BySecret(ctx context.Context, secret identity.Digest) (session.State, error) {
	return s.byDigest(ctx, sessionBySecret, secret)
}

// ByHandle is of [session.Store].
func (s *Sessions) ByHandle(ctx context.Context, handle string) (session.State, error) {
	return one(ctx, s.db, sessionByHandle, scanState, handle)
}

// LatestInBrowser is of [session.Store].
func (s *Sessions) LatestInBrowser(ctx context.Context, browser identity.Digest) (session.State, error) {
	return s.byDigest(ctx, latestInBrowser, browser)
}

// byDigest finds nothing by the digest of nothing: no browser is no one's
// browser.
func (s *Sessions) byDigest(ctx context.Context, q *query, d identity.Digest) (session.State, error) {
	if d.IsZero() {
		return session.State{}, identity.ErrNotFound
	}
	return one(ctx, s.db, q, scanState, d[:])
}

// ByAccount is of [session.Store].
func (s *Sessions) ByAccount(ctx context.Context, accountID string) ([]session.State, error) {
	return list(ctx, s.db, sessionsOfAccount, scanState, accountID)
}

// ByGrant is of [session.Store].
func (s *Sessions) ByGrant(ctx context.Context, grant string) (session.State, bool, error) {
	var revoked int64
	v, err := one(ctx, s.db, sessionByGrant, func(r row) (session.State, error) { return scanSession(r, &revoked) }, grant)
	return v, revoked != 0, err
}

func scanState(r row) (session.State, error) { return scanSession(r) }

// scanSession reads a session, and what stands behind it in the row into more.
func scanSession(r row, more ...any) (v session.State, err error) {
	var body sql.RawBytes
	var state account.State
	var seen, ended int64
	if err := r.Scan(append([]any{&body, &seen, &ended, &state, &v.AccountEpoch}, more...)...); err != nil {
		return v, err
	}
	v.Session, err = unpackSession(string(body))
	v.Seen, v.Ended, v.Admitted = instant(seen), instant(ended), state == account.Active
	return v, err
}

// Touch is of [session.Store].
func (s *Sessions) Touch(ctx context.Context, handle string, seen time.Time) error {
	_, err := s.db.exec(ctx, touchSession, micros(seen), handle)
	return err
}

// Raise is of [session.Store].
func (s *Sessions) Raise(ctx context.Context, last, next identity.Digest, v session.Session) error {
	return s.db.must(ctx, fmt.Errorf("session: wanted its last secret: %w", identity.ErrConflict),
		raiseSession, next[:], v.Account, v.Epoch, v.Browser[:], micros(v.Created), micros(v.Ends()), micros(v.Seen), packSession(v), v.Handle, last[:])
}

// End is of [session.Store].
func (s *Sessions) End(ctx context.Context, handle string, at time.Time) error {
	return s.db.ending(ctx, hastenSession, handle, endSession, past(at), handle)
}

// Sweep is of [session.Store].
func (s *Sessions) Sweep(ctx context.Context, before time.Time) error {
	return s.db.drain(ctx, sweepSessions, micros(before))
}
