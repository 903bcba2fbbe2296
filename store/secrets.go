package store

import (
	"context"
	"errors"

	"github.com/dilys-id/dilys/identity"
)

var (
	secretByName = statement(`SELECT value FROM secrets WHERE name = $1`)
	addSecret    = statement(`INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`)
)

// Secret returns the secret of that name, 256 random bits that every replica has alike
// and that never change: whoever asks first makes it.
func (db *DB) Secret(ctx context.Context, name string) (identity.Secret, error) {
	sealed, err := one(ctx, db, secretByName, blob, name)
	if errors.Is(err, identity.ErrNotFound) {
		fresh, err := db.keys.seal(secretValue, name, []byte(identity.NewToken().Reveal()))
		if err != nil {
			return "", err
		}
		if _, err := db.exec(ctx, addSecret, name, fresh); err != nil {
			return "", err
		}
		if sealed, err = one(ctx, db, secretByName, blob, name); err != nil { // another replica may have been first
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	plain, err := db.keys.open(secretValue, name, sealed)
	return identity.Secret(plain), err
}
