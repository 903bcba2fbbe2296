package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
)

var (
	addPushed = statement(`INSERT INTO pushed (request, digest, portal, params, created) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`)
	pushedBy  = statement(`SELECT request, portal, params, created FROM pushed WHERE digest = $1`)

	addRefresh = statement(`INSERT INTO refreshes (id, digest, grant_id, trust, created, used, next, successor) VALUES ($1, $2, $3, $4, $5, 0, $6, $7) ON CONFLICT DO NOTHING`)
	refreshBy  = statement(`SELECT r.grant_id, c.portal, c.scopes, c.session, c.account, r.trust, c.revoked FROM refreshes r JOIN codes c ON c.grant_id = r.grant_id WHERE r.digest = $1`)
	refreshRow = statement(`SELECT id, grant_id FROM refreshes WHERE digest = $1`)
	// One statement: of many at once, the row itself makes one the first.
	useRefresh = statement(`UPDATE refreshes SET used = $1, next = $2, successor = $3 WHERE id = $4 AND used = 0`)
	successor  = statement(`SELECT r.used, r.successor FROM refreshes r JOIN refreshes n ON n.digest = r.next WHERE r.id = $1 AND n.used = 0`)

	spendID = statement(`INSERT INTO spent_ids (id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING`)

	sweepPushed    = statement(`DELETE FROM pushed WHERE request IN (SELECT request FROM pushed WHERE created < $1 ORDER BY created LIMIT 500)`)
	sweepRefreshes = statement(`DELETE FROM refreshes WHERE id IN (SELECT id FROM refreshes WHERE created < $1 ORDER BY created LIMIT 500)`)
	sweepIDs       = statement(`DELETE FROM spent_ids WHERE id IN (SELECT id FROM spent_ids WHERE until < $1 ORDER BY until LIMIT 500)`)
)

// Push is of [grant.Store]. A request or request_uri that is there already is
// [identity.ErrConflict].
func (s *Grants) Push(ctx context.Context, uri identity.Digest, p grant.Pushed) error {
	params, err := s.db.keys.seal(pushedParams, p.Request, []byte(p.Params))
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("pushed request: wanted a new id: %w", identity.ErrConflict),
		addPushed, p.Request, uri[:], p.Portal, params, micros(p.Created))
}

// Pushed is of [grant.Store].
func (s *Grants) Pushed(ctx context.Context, uri identity.Digest) (grant.Pushed, error) {
	return one(ctx, s.db, pushedBy, s.scanPushed, uri[:])
}

func (s *Grants) scanPushed(r row) (p grant.Pushed, err error) {
	var params []byte
	var created int64
	if err := r.Scan(&p.Request, &p.Portal, &params, &created); err != nil {
		return p, err
	}
	p.Created = instant(created)
	params, err = s.db.keys.open(pushedParams, p.Request, params)
	p.Params = string(params)
	return p, err
}

// CreateRefresh is of [grant.Store]. A token that is there already is
// [identity.ErrConflict].
func (s *Grants) CreateRefresh(ctx context.Context, token identity.Digest, grantID, trust string, at time.Time) error {
	id := identity.NewID()
	none, err := s.db.keys.seal(refreshSuccessor, id, nil)
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("refresh token: wanted a new one: %w", identity.ErrConflict),
		addRefresh, id, token[:], grantID, trust, micros(at), []byte{}, none)
}

// Refresh is of [grant.Store].
func (s *Grants) Refresh(ctx context.Context, token identity.Digest) (grant.Refresh, error) {
	return one(ctx, s.db, refreshBy, func(r row) (v grant.Refresh, err error) {
		var revoked int64
		err = r.Scan(&v.Grant, &v.Portal, (*words[string])(&v.Scopes), &v.Session, &v.Account, &v.Trust, &revoked)
		v.Revoked = revoked != 0
		return v, err
	}, token[:])
}

// Rotate is of [grant.Store].
func (s *Grants) Rotate(ctx context.Context, token identity.Digest, next identity.Secret, trust string, at time.Time) (identity.Secret, error) {
	var given identity.Secret
	err := s.db.whole(ctx, func(ctx context.Context) error {
		used, err := one(ctx, s.db, refreshRow, scanUsed, token[:])
		if err != nil {
			return err
		}
		given, err = s.succeed(ctx, used, next, trust, at)
		return err
	})
	return given, err
}

// usedToken is the row of a refresh token that is being used.
type usedToken struct{ id, grant string }

func scanUsed(r row) (v usedToken, err error) { return v, r.Scan(&v.id, &v.grant) }

// succeed makes next the successor of the token, unless it has one.
func (s *Grants) succeed(ctx context.Context, used usedToken, next identity.Secret, trust string, at time.Time) (identity.Secret, error) {
	sealed, err := s.db.keys.seal(refreshSuccessor, used.id, []byte(next.Reveal()))
	if err != nil {
		return "", err
	}
	digest := next.Digest()
	n, err := s.db.exec(ctx, useRefresh, past(at), digest[:], sealed, used.id)
	switch {
	case err != nil:
		return "", err
	case n == 0:
		return s.sameAgain(ctx, used, at)
	}
	return next, s.CreateRefresh(ctx, digest, used.grant, trust, at)
}

// sameAgain returns the successor that the token has, while it may be asked for again.
func (s *Grants) sameAgain(ctx context.Context, used usedToken, at time.Time) (identity.Secret, error) {
	var since int64
	sealed, err := one(ctx, s.db, successor, func(r row) (b []byte, err error) { return b, r.Scan(&since, &b) }, used.id)
	if errors.Is(err, identity.ErrNotFound) || err == nil && at.Sub(instant(since)) > grant.RefreshGrace {
		return "", identity.ErrSpent
	}
	if err != nil {
		return "", err
	}
	plain, err := s.db.keys.open(refreshSuccessor, used.id, sealed)
	return identity.Secret(plain), err
}

// SpendID is of [grant.Store].
func (s *Grants) SpendID(ctx context.Context, id identity.Digest, until time.Time) error {
	if err := s.db.alone(ctx); err != nil {
		return err
	}
	return s.db.must(ctx, identity.ErrSpent, spendID, id[:], micros(until))
}
