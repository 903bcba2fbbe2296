package store

import (
	"context"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

// Passwords is [password.Store].
type Passwords struct{ db *DB }

var _ password.Store = (*Passwords)(nil)

// Passwords returns the store of passwords.
func (db *DB) Passwords() *Passwords { return &Passwords{db} }

var passwordPHC = sealedColumn("passwords", "phc", "account")

var (
	passwordOf  = statement(`SELECT phc, pepper, level, set_at FROM passwords WHERE account = $1`)
	setPassword = statement(`INSERT INTO passwords (account, phc, pepper, level, set_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account) DO UPDATE SET phc = excluded.phc, pepper = excluded.pepper, level = excluded.level, set_at = excluded.set_at`)
	renewPassword = statement(`UPDATE passwords SET phc = $1, pepper = $2 WHERE account = $3 AND set_at = $4`)
	raisePassword = statement(`UPDATE passwords SET level = $1 WHERE account = $2 AND level < $1`)
)

// Password is of [password.Store].
func (s *Passwords) Password(ctx context.Context, account string) (password.Record, error) {
	return one(ctx, s.db, passwordOf, func(r row) (p password.Record, err error) {
		var phc []byte
		var pepper, level, set int64
		if err := r.Scan(&phc, &pepper, &level, &set); err != nil {
			return p, err
		}
		plain, err := s.db.keys.open(passwordPHC, account, phc)
		p = password.Record{PHC: password.PHC(plain), Pepper: uint32(pepper), Level: identity.Proofing(level), Set: instant(set)}
		return p, err
	}, account)
}

// SetPassword is of [password.Store].
func (s *Passwords) SetPassword(ctx context.Context, account string, p password.Record) error {
	phc, err := s.db.keys.seal(passwordPHC, account, []byte(p.PHC))
	if err != nil {
		return err
	}
	_, err = s.db.exec(ctx, setPassword, account, phc, int64(p.Pepper), int64(p.Level), micros(p.Set))
	return err
}

// RenewPassword is of [password.Store]. The level stays: it may have been raised since.
func (s *Passwords) RenewPassword(ctx context.Context, account string, p password.Record) error {
	phc, err := s.db.keys.seal(passwordPHC, account, []byte(p.PHC))
	if err != nil {
		return err
	}
	_, err = s.db.exec(ctx, renewPassword, phc, int64(p.Pepper), account, micros(p.Set))
	return err
}

// RaisePassword is of [password.Store].
func (s *Passwords) RaisePassword(ctx context.Context, account string, level identity.Proofing) error {
	_, err := s.db.exec(ctx, raisePassword, int64(level), account)
	return err
}
