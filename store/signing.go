package store

import (
	"context"
	"fmt"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// SigningKeys is [token.KeyStore].
type SigningKeys struct{ db *DB }

var _ token.KeyStore = (*SigningKeys)(nil)

// SigningKeys returns the store of our own signing keys.
func (db *DB) SigningKeys() *SigningKeys { return &SigningKeys{db} }

var (
	signingKeys    = statement(`SELECT id, alg, seq, pkcs8, published, active FROM signing_keys ORDER BY alg, seq`)
	addSigningKey  = statement(`INSERT INTO signing_keys (id, alg, seq, pkcs8, published, active) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`)
	dropSigningKey = statement(`DELETE FROM signing_keys WHERE id = $1`)
)

// SigningKeys is of [token.KeyStore].
func (s *SigningKeys) SigningKeys(ctx context.Context) ([]token.Key, error) {
	return list(ctx, s.db, signingKeys, s.scan)
}

func (s *SigningKeys) scan(r row) (k token.Key, err error) {
	var pkcs8 []byte
	var published, active int64
	if err := r.Scan(&k.ID, &k.Alg, &k.Seq, &pkcs8, &published, &active); err != nil {
		return k, err
	}
	k.Published, k.Active = instant(published), instant(active)
	plain, err := s.db.keys.open(signingPKCS8, k.ID, pkcs8)
	k.PKCS8 = identity.Secret(plain)
	return k, err
}

// AddSigningKey is of [token.KeyStore].
func (s *SigningKeys) AddSigningKey(ctx context.Context, k token.Key) error {
	pkcs8, err := s.db.keys.seal(signingPKCS8, k.ID, []byte(k.PKCS8.Reveal()))
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("signing key: wanted a free place in the rota: %w", identity.ErrConflict),
		addSigningKey, k.ID, string(k.Alg), int64(k.Seq), pkcs8, micros(k.Published), micros(k.Active))
}

// DropSigningKey is of [token.KeyStore].
func (s *SigningKeys) DropSigningKey(ctx context.Context, id string) error {
	_, err := s.db.exec(ctx, dropSigningKey, id)
	return err
}
