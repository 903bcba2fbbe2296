package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
)

var passkeyBody = sealedColumn("passkeys", "body", "id")

const passkeyColumns = `id, account, body, counter, backed_up, level, bound, used, off`

// A passkey is looked for by the digest of its credential, which has up to 1023 bytes.
var (
	addPasskey = statement(`INSERT INTO passkeys (id, account, credential, body, counter, backed_up, level, bound, used, off)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`)
	passkeysOf   = statement(`SELECT ` + passkeyColumns + ` FROM passkeys WHERE account = $1 ORDER BY bound, id`)
	passkeyOf    = statement(`SELECT ` + passkeyColumns + ` FROM passkeys WHERE credential = $1`)
	passkeyByID  = statement(`SELECT ` + passkeyColumns + ` FROM passkeys WHERE id = $1`)
	usePasskey   = statement(`UPDATE passkeys SET body = $1, counter = $2, backed_up = $3, used = $4 WHERE id = $5 AND NOT off AND (counter < $2 OR counter = 0 AND $2 = 0)`)
	setPasskey   = statement(`UPDATE passkeys SET body = $1 WHERE account = $2 AND id = $3`)
	switchKeyOff = statement(`UPDATE passkeys SET off = TRUE WHERE account = $1 AND id = $2`)
	dropPasskey  = statement(`DELETE FROM passkeys WHERE account = $1 AND id = $2`)
	dropPasskeys = statement(`DELETE FROM passkeys WHERE account = $1`)
	raisePasskey = statement(`UPDATE passkeys SET level = $1 WHERE account = $2 AND id = $3 AND level < $1`)

	spendChallenge  = statement(`INSERT INTO passkey_challenges (digest, ends) VALUES ($1, $2) ON CONFLICT DO NOTHING`)
	sweepChallenges = statement(`DELETE FROM passkey_challenges WHERE digest IN (SELECT digest FROM passkey_challenges WHERE ends < $1 ORDER BY ends LIMIT 500)`)

	offersOf   = statement(`SELECT times, declined FROM passkey_offers WHERE account = $1`)
	putOffers  = statement(`INSERT INTO passkey_offers (account, times, declined) VALUES ($1, $2, $3) ON CONFLICT (account) DO UPDATE SET times = excluded.times, declined = excluded.declined`)
	dropOffers = statement(`DELETE FROM passkey_offers WHERE account = $1`)
)

// sealedPasskey is what is sealed of a passkey: its account too, so that no row serves
// another account.
type sealedPasskey struct {
	Account    string          `json:"account"`
	Credential []byte          `json:"credential"`
	Handle     string          `json:"handle"`
	Record     json.RawMessage `json:"record"`
	AAGUID     string          `json:"aaguid,omitempty"`
	Name       string          `json:"name,omitempty"`
}

func (k *Keys) sealPasskey(p factor.Passkey) ([]byte, error) {
	plain, err := json.Marshal(sealedPasskey{p.Account, p.Credential, p.Handle, p.Record, p.AAGUID, p.Name})
	if err != nil {
		return nil, fmt.Errorf("passkey: wanted a record in JSON: %w", err)
	}
	return k.seal(passkeyBody, p.ID, plain)
}

func (s *Factors) scanPasskey(r row) (p factor.Passkey, err error) {
	var body []byte
	var level, bound, used, count int64
	if err := r.Scan(&p.ID, &p.Account, &body, &count, &p.BackedUp, &level, &bound, &used, &p.Off); err != nil {
		return p, err
	}
	p.Count, p.Level, p.Bound, p.Used = uint32(count), identity.Proofing(level), instant(bound), instant(used) //nolint:gosec // kept from 32 bits
	plain, err := s.db.keys.open(passkeyBody, p.ID, body)
	if err != nil {
		return p, err
	}
	var sealed sealedPasskey
	if json.Unmarshal(plain, &sealed) != nil || sealed.Account != p.Account {
		return p, errors.New("open passkeys.body: wanted a passkey of its account, got something else")
	}
	p.Credential, p.Handle, p.Record, p.AAGUID, p.Name = sealed.Credential, sealed.Handle, sealed.Record, sealed.AAGUID, sealed.Name
	return p, nil
}

func credentialDigest(credential []byte) []byte {
	sum := sha256.Sum256(credential)
	return sum[:]
}

// AddPasskey is of [factor.Store].
func (s *Factors) AddPasskey(ctx context.Context, p factor.Passkey) error {
	body, err := s.db.keys.sealPasskey(p)
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("passkey: wanted one that no account has: %w", identity.ErrConflict),
		addPasskey, p.ID, p.Account, credentialDigest(p.Credential), body, int64(p.Count), p.BackedUp, int64(p.Level), micros(p.Bound), micros(p.Used), p.Off)
}

// Passkeys is of [factor.Store].
func (s *Factors) Passkeys(ctx context.Context, account string) ([]factor.Passkey, error) {
	return list(ctx, s.db, passkeysOf, s.scanPasskey, account)
}

// PasskeyOf is of [factor.Store].
func (s *Factors) PasskeyOf(ctx context.Context, credential []byte) (factor.Passkey, error) {
	return one(ctx, s.db, passkeyOf, s.scanPasskey, credentialDigest(credential))
}

// UsePasskey is of [factor.Store].
func (s *Factors) UsePasskey(ctx context.Context, id string, u factor.PasskeyUse) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		p, err := one(ctx, s.db, passkeyByID, s.scanPasskey, id)
		if err != nil {
			return err
		}
		if p.Off {
			return identity.ErrNotFound
		}
		p.Record = u.Record
		body, err := s.db.keys.sealPasskey(p)
		if err != nil {
			return err
		}
		return s.db.must(ctx, fmt.Errorf("passkey: wanted a counter that rose: %w", identity.ErrConflict),
			usePasskey, body, int64(u.Count), u.BackedUp, micros(u.At), id)
	})
}

// RenamePasskey is of [factor.Store].
func (s *Factors) RenamePasskey(ctx context.Context, account, id, name string) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		p, err := one(ctx, s.db, passkeyByID, s.scanPasskey, id)
		if err != nil {
			return err
		}
		p.Name = name
		body, err := s.db.keys.sealPasskey(p)
		if err != nil {
			return err
		}
		return s.db.must(ctx, identity.ErrNotFound, setPasskey, body, account, id)
	})
}

// SwitchPasskeyOff is of [factor.Store].
func (s *Factors) SwitchPasskeyOff(ctx context.Context, account, id string) error {
	_, err := s.db.exec(ctx, switchKeyOff, account, id)
	return err
}

// DropPasskey is of [factor.Store].
func (s *Factors) DropPasskey(ctx context.Context, account, id string) error {
	return s.db.must(ctx, identity.ErrNotFound, dropPasskey, account, id)
}

// SpendChallenge is of [factor.Store].
func (s *Factors) SpendChallenge(ctx context.Context, challenge identity.Digest, ends time.Time) error {
	if err := s.db.alone(ctx); err != nil {
		return err
	}
	return s.db.must(ctx, identity.ErrSpent, spendChallenge, challenge[:], micros(ends))
}

// SweepChallenges forgets what was answered and is over anyway.
func (s *Factors) SweepChallenges(ctx context.Context, before time.Time) error {
	return s.db.drain(ctx, sweepChallenges, micros(before))
}

// PasskeyOffers is of [factor.Store].
func (s *Factors) PasskeyOffers(ctx context.Context, account string) (factor.PasskeyOffers, error) {
	return one(ctx, s.db, offersOf, func(r row) (factor.PasskeyOffers, error) {
		o := factor.PasskeyOffers{Account: account}
		var times int64
		var declined string
		err := r.Scan(&times, &declined)
		o.Times = int(times)
		if declined != "" {
			o.Declined = strings.Fields(declined)
		}
		return o, err
	}, account)
}

// PutPasskeyOffers is of [factor.Store].
func (s *Factors) PutPasskeyOffers(ctx context.Context, o factor.PasskeyOffers) error {
	_, err := s.db.exec(ctx, putOffers, o.Account, int64(o.Times), strings.Join(o.Declined, " "))
	return err
}
