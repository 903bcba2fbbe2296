package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
)

// Grants is [grant.Store].
type Grants struct{ db *DB }

var _ grant.Store = (*Grants)(nil)

// Grants returns the store of portals' requests, codes and refresh tokens.
func (db *DB) Grants() *Grants { return &Grants{db} }

var (
	addRequest = statement(`INSERT INTO requests (id, portal, redirect_uri, scopes, state, nonce, code_challenge, asked, login, max_age, has_max_age, provider, languages, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`)
	requestByID = statement(`SELECT id, portal, redirect_uri, scopes, state, nonce, code_challenge, asked, login, max_age, has_max_age, provider, languages, created
		FROM requests WHERE id = $1`)
	addCode = statement(`INSERT INTO codes (grant_id, digest, portal, redirect_uri, scopes, nonce, code_challenge, session, account, created, uses, revoked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0) ON CONFLICT DO NOTHING`)
	// One statement: of many at once, the row itself makes one the first, and each
	// later one a revocation.
	spendCode = statement(`UPDATE codes SET revoked = CASE WHEN uses > 0 AND revoked = 0 THEN $1 ELSE revoked END, uses = uses + 1 WHERE digest = $2
		RETURNING grant_id, portal, redirect_uri, scopes, nonce, code_challenge, session, account, created, uses`)
	revokeGrant   = statement(`UPDATE codes SET revoked = $1 WHERE grant_id = $2 AND revoked = 0`)
	grantRevoked  = statement(`SELECT revoked FROM codes WHERE grant_id = $1`)
	sweepRequests = statement(`DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE created < $1 ORDER BY created LIMIT 500)`)
	sweepCodes    = statement(`DELETE FROM codes WHERE grant_id IN (SELECT grant_id FROM codes WHERE created < $1 ORDER BY created LIMIT 500)`)
)

// CreateRequest is of [grant.Store]. An id that is there already is
// [identity.ErrConflict].
func (s *Grants) CreateRequest(ctx context.Context, v grant.Request) error {
	state, err := s.db.keys.seal(requestState, v.ID, []byte(v.State))
	if err != nil {
		return err
	}
	nonce, err := s.db.keys.seal(requestNonce, v.ID, []byte(v.Nonce))
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("request: wanted a new id: %w", identity.ErrConflict),
		addRequest, v.ID, v.Portal, v.RedirectURI, written(v.Scopes), state, nonce, v.CodeChallenge, written(v.Asked),
		v.Login, int64(v.MaxAge), v.HasMaxAge, v.Provider, written(v.Languages), micros(v.Created))
}

// Request is of [grant.Store].
func (s *Grants) Request(ctx context.Context, id string) (grant.Request, error) {
	return one(ctx, s.db, requestByID, s.scanRequest, id)
}

func (s *Grants) scanRequest(r row) (v grant.Request, err error) {
	var state, nonce []byte
	var created int64
	err = r.Scan(&v.ID, &v.Portal, &v.RedirectURI, (*words[string])(&v.Scopes), &state, &nonce, &v.CodeChallenge, (*words[identity.Trust])(&v.Asked),
		&v.Login, &v.MaxAge, &v.HasMaxAge, &v.Provider, (*words[string])(&v.Languages), &created)
	if err != nil {
		return v, err
	}
	v.Created = instant(created)
	if state, err = s.db.keys.open(requestState, v.ID, state); err != nil {
		return v, err
	}
	nonce, err = s.db.keys.open(requestNonce, v.ID, nonce)
	v.State, v.Nonce = string(state), string(nonce)
	return v, err
}

// CreateCode is of [grant.Store]. A code or grant that is there already is
// [identity.ErrConflict].
func (s *Grants) CreateCode(ctx context.Context, code identity.Digest, v grant.Code) error {
	nonce, err := s.db.keys.seal(codeNonce, v.Grant, []byte(v.Nonce))
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("code: wanted a new code and grant: %w", identity.ErrConflict),
		addCode, v.Grant, code[:], v.Portal, v.RedirectURI, written(v.Scopes), nonce, v.CodeChallenge, v.Session, v.Account, micros(v.Created))
}

// Spend is of [grant.Store].
func (s *Grants) Spend(ctx context.Context, code identity.Digest, at time.Time) (grant.Code, error) {
	if err := s.db.alone(ctx); err != nil {
		return grant.Code{}, err
	}
	spent, err := one(ctx, s.db, spendCode, s.scanSpent, past(at), code[:])
	if err == nil && spent.uses > 1 {
		err = identity.ErrSpent
	}
	return spent.Code, err
}

// spentCode is a code and how often it was presented.
type spentCode struct {
	grant.Code
	uses int64
}

func (s *Grants) scanSpent(r row) (v spentCode, err error) {
	var nonce []byte
	var created int64
	err = r.Scan(&v.Grant, &v.Portal, &v.RedirectURI, (*words[string])(&v.Scopes), &nonce, &v.CodeChallenge, &v.Session, &v.Account, &created, &v.uses)
	if err != nil {
		return v, err
	}
	v.Created = instant(created)
	nonce, err = s.db.keys.open(codeNonce, v.Grant, nonce)
	v.Nonce = string(nonce)
	return v, err
}

// Revoke is of [grant.Store]. An unknown grant, or one that was ended before, is
// no error: no token of it is good.
func (s *Grants) Revoke(ctx context.Context, grantID string, at time.Time) error {
	_, err := s.db.exec(ctx, revokeGrant, past(at), grantID)
	return err
}

// Revoked is of [grant.Store].
func (s *Grants) Revoked(ctx context.Context, grantID string) (bool, error) {
	at, err := one(ctx, s.db, grantRevoked, number, grantID)
	return at != 0, err
}

// Sweep is of [grant.Store].
func (s *Grants) Sweep(ctx context.Context, before time.Time) error {
	for _, q := range []*query{sweepRequests, sweepPushed, sweepRefreshes, sweepCodes, sweepIDs, sweepParts, sweepGates} {
		if err := s.db.drain(ctx, q, micros(before)); err != nil {
			return err
		}
	}
	return nil
}

// words is a list of text in one column, as JSON.
type words[T any] []T

// written returns the list as its column keeps it. Text always marshals.
func written[T any](list []T) string {
	b, _ := json.Marshal(list)
	return string(b)
}

// Scan reads what written wrote ([sql.Scanner]).
func (w *words[T]) Scan(value any) error {
	s, isText := value.(string)
	if !isText {
		return errors.New("list: wanted text, got something else")
	}
	if err := json.Unmarshal([]byte(s), (*[]T)(w)); err != nil {
		return errors.New("list: wanted JSON, got something else")
	}
	return nil
}
