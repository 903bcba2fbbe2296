package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
)

// Factors is [factor.Store].
type Factors struct{ db *DB }

var (
	_ factor.Store   = (*Factors)(nil)
	_ factor.Peppers = (*Keys)(nil)
)

// Factors returns the store of what opens an account beside its password.
func (db *DB) Factors() *Factors { return &Factors{db} }

var (
	totpSeed        = sealedColumn("totps", "seed", "id")
	phoneNumber     = sealedColumn("phones", "number", "id")
	handedNHSNumber = sealedColumn("handed_codes", "nhs_number", "id")
)

var (
	dropCardCodes = statement(`DELETE FROM card_codes WHERE card IN (SELECT id FROM cards WHERE account = $1)`)
	dropCard      = statement(`DELETE FROM cards WHERE account = $1`)
	addCard       = statement(`INSERT INTO cards (id, account, pepper, level, made) VALUES ($1, $2, $3, $4, $5)`)
	addCardCode   = statement(`INSERT INTO card_codes (card, digest, spent) VALUES ($1, $2, 0)`)
	cardOfAccount = statement(`SELECT id, account, pepper, level, made FROM cards WHERE account = $1`)
	spendCardCode = statement(`UPDATE card_codes SET spent = $1 WHERE card = $2 AND digest = $3 AND spent = 0`)
	cardCodeSpent = statement(`SELECT spent FROM card_codes WHERE card = $1 AND digest = $2`)
	stateOfCard   = statement(`SELECT coalesce(c.id, ''), coalesce(c.level, 0), coalesce(c.made, 0), coalesce(r.declined, 0), coalesce(r.logins, 0),
			(SELECT COUNT(*) FROM card_codes k WHERE k.card = c.id AND k.spent = 0)
		FROM accounts a LEFT JOIN cards c ON c.account = a.id LEFT JOIN card_refusals r ON r.account = a.id WHERE a.id = $1`)
	declineCard = statement(`INSERT INTO card_refusals (account, declined, logins) VALUES ($1, $2, 0)
		ON CONFLICT (account) DO UPDATE SET declined = excluded.declined, logins = 0`)
	undeclineCard  = statement(`DELETE FROM card_refusals WHERE account = $1`)
	countCardLogin = statement(`UPDATE card_refusals SET logins = logins + 1 WHERE account = $1`)
	raiseCard      = statement(`UPDATE cards SET level = $1 WHERE account = $2 AND id = $3 AND level < $1`)
)

// PutCard is of [factor.Store].
func (s *Factors) PutCard(ctx context.Context, c factor.Card, codes [][]byte) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		if err := s.DropCard(ctx, c.Account); err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, undeclineCard, c.Account); err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, addCard, c.ID, c.Account, int64(c.Pepper), int64(c.Level), micros(c.Made)); err != nil {
			return err
		}
		for _, digest := range codes {
			if _, err := s.db.exec(ctx, addCardCode, c.ID, digest); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropCard is of [factor.Store].
func (s *Factors) DropCard(ctx context.Context, account string) error {
	return s.all(ctx, account, dropCardCodes, dropCard)
}

// all runs the statements on the account, all or none.
func (s *Factors) all(ctx context.Context, account string, statements ...*query) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		for _, q := range statements {
			if _, err := s.db.exec(ctx, q, account); err != nil {
				return err
			}
		}
		return nil
	})
}

// Card is of [factor.Store].
func (s *Factors) Card(ctx context.Context, account string) (factor.Card, error) {
	return one(ctx, s.db, cardOfAccount, func(r row) (c factor.Card, err error) {
		var pepper, level, made int64
		err = r.Scan(&c.ID, &c.Account, &pepper, &level, &made)
		c.Pepper, c.Level, c.Made = uint32(pepper), identity.Proofing(level), instant(made)
		return c, err
	}, account)
}

// SpendCode is of [factor.Store].
func (s *Factors) SpendCode(ctx context.Context, card string, code []byte, at time.Time) error {
	if err := s.db.alone(ctx); err != nil {
		return err
	}
	n, err := s.db.exec(ctx, spendCardCode, past(at), card, code)
	if err != nil || n > 0 {
		return err
	}
	if _, err := one(ctx, s.db, cardCodeSpent, number, card, code); err != nil {
		return err
	}
	return identity.ErrSpent
}

// CardState is of [factor.Store]. An account that is not there is
// [identity.ErrNotFound].
func (s *Factors) CardState(ctx context.Context, account string) (factor.CardState, error) {
	return one(ctx, s.db, stateOfCard, func(r row) (c factor.CardState, err error) {
		var level, made, declined int64
		err = r.Scan(&c.ID, &level, &made, &declined, &c.LoginsSince, &c.Left)
		c.Level, c.Made, c.Declined = identity.Proofing(level), instant(made), instant(declined)
		return c, err
	}, account)
}

// DeclineCard is of [factor.Store].
func (s *Factors) DeclineCard(ctx context.Context, account string, at time.Time) error {
	_, err := s.db.exec(ctx, declineCard, account, past(at))
	return err
}

// CountLogin is of [factor.Store].
func (s *Factors) CountLogin(ctx context.Context, account string) error {
	_, err := s.db.exec(ctx, countCardLogin, account)
	return err
}

const browsersWhere = `SELECT b.id, b.account, b.browser, b.device, b.seen, b.remembered, b.bound, b.level, b.epoch, a.epoch
	FROM browsers b JOIN accounts a ON a.id = b.account WHERE `

var (
	sawBrowser = statement(`INSERT INTO browsers (id, account, browser, device, seen, remembered, bound, level, epoch)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (account, browser) DO UPDATE SET
			id         = CASE WHEN excluded.remembered <> 0 OR browsers.epoch <> excluded.epoch THEN excluded.id ELSE browsers.id END,
			remembered = CASE WHEN excluded.remembered <> 0 OR browsers.epoch <> excluded.epoch THEN excluded.remembered ELSE browsers.remembered END,
			bound      = CASE WHEN excluded.remembered <> 0 OR browsers.epoch <> excluded.epoch THEN excluded.bound ELSE browsers.bound END,
			level      = CASE WHEN excluded.remembered <> 0 OR browsers.epoch <> excluded.epoch THEN excluded.level ELSE browsers.level END,
			device = excluded.device, seen = excluded.seen, epoch = excluded.epoch`)
	rebindBrowsers    = statement(`UPDATE browsers SET browser = $1 WHERE browser = $2`)
	browserOfAccount  = statement(browsersWhere + `b.account = $1 AND b.browser = $2`)
	browsersOfAccount = statement(browsersWhere + `b.account = $1 ORDER BY b.seen DESC, b.id`)
	loggedInBrowser   = statement(`SELECT COUNT(*) FROM browsers b JOIN accounts a ON a.id = b.account WHERE b.browser = $1 AND b.seen >= $2 AND a.state = 'active'`)
	forgetBrowser     = statement(`DELETE FROM browsers WHERE account = $1 AND id = $2`)
	forgetBrowsers    = statement(`DELETE FROM browsers WHERE account = $1`)
	raiseBrowser      = statement(`UPDATE browsers SET level = $1 WHERE account = $2 AND id = $3 AND level < $1`)
	sweepBrowsers     = statement(`DELETE FROM browsers WHERE id IN (SELECT id FROM browsers WHERE seen < $1 ORDER BY seen LIMIT 500)`)
)

// SawBrowser is of [factor.Store].
func (s *Factors) SawBrowser(ctx context.Context, b factor.Browser) error {
	_, err := s.db.exec(ctx, sawBrowser, b.ID, b.Account, b.Browser[:], b.Device, micros(b.Seen), micros(b.Remembered), micros(b.Bound), int64(b.Level), b.Epoch)
	return err
}

// RebindBrowsers is of [factor.Store].
func (s *Factors) RebindBrowsers(ctx context.Context, last, next identity.Digest) error {
	_, err := s.db.exec(ctx, rebindBrowsers, next[:], last[:])
	return err
}

// Browser is of [factor.Store].
func (s *Factors) Browser(ctx context.Context, account string, browser identity.Digest) (factor.Standing, error) {
	if browser.IsZero() {
		return factor.Standing{}, identity.ErrNotFound
	}
	return one(ctx, s.db, browserOfAccount, scanBrowser, account, browser[:])
}

// Browsers is of [factor.Store].
func (s *Factors) Browsers(ctx context.Context, account string) ([]factor.Standing, error) {
	return list(ctx, s.db, browsersOfAccount, scanBrowser, account)
}

func scanBrowser(r row) (v factor.Standing, err error) {
	var browser []byte
	var seen, remembered, bound, level int64
	err = r.Scan(&v.ID, &v.Account, &browser, &v.Device, &seen, &remembered, &bound, &level, &v.Epoch, &v.AccountEpoch)
	copy(v.Browser.Browser[:], browser)
	v.Seen, v.Remembered, v.Bound, v.Level = instant(seen), instant(remembered), instant(bound), identity.Proofing(level)
	return v, err
}

// LoggedIn is of [factor.Store].
func (s *Factors) LoggedIn(ctx context.Context, browser identity.Digest, since time.Time) (bool, error) {
	if browser.IsZero() {
		return false, nil
	}
	n, err := one(ctx, s.db, loggedInBrowser, number, browser[:], micros(since))
	return n > 0, err
}

// ForgetBrowser is of [factor.Store].
func (s *Factors) ForgetBrowser(ctx context.Context, account, id string) error {
	return s.db.must(ctx, fmt.Errorf("browser: %w", identity.ErrNotFound), forgetBrowser, account, id)
}

// ForgetBrowsers is of [factor.Store].
func (s *Factors) ForgetBrowsers(ctx context.Context, account string) error {
	_, err := s.db.exec(ctx, forgetBrowsers, account)
	return err
}

var (
	putPhone = statement(`INSERT INTO phones (id, account, number, level, bound, off) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account) DO UPDATE SET id = excluded.id, number = excluded.number, level = excluded.level, bound = excluded.bound, off = excluded.off`)
	phoneOfAccount = statement(`SELECT id, account, number, level, bound, off FROM phones WHERE account = $1`)
	switchPhoneOff = statement(`UPDATE phones SET off = TRUE WHERE account = $1 AND id = $2`)
	dropPhone      = statement(`DELETE FROM phones WHERE account = $1`)
	raisePhone     = statement(`UPDATE phones SET level = $1 WHERE account = $2 AND id = $3 AND level < $1`)
)

// PutPhone is of [factor.Store].
func (s *Factors) PutPhone(ctx context.Context, p factor.Phone) error {
	number, err := s.db.keys.seal(phoneNumber, p.ID, []byte(p.Number.Reveal()))
	if err != nil {
		return err
	}
	_, err = s.db.exec(ctx, putPhone, p.ID, p.Account, number, int64(p.Level), micros(p.Bound), p.Off)
	return err
}

// Phone is of [factor.Store].
func (s *Factors) Phone(ctx context.Context, account string) (factor.Phone, error) {
	return one(ctx, s.db, phoneOfAccount, func(r row) (p factor.Phone, err error) {
		var sealed []byte
		var level, bound int64
		if err := r.Scan(&p.ID, &p.Account, &sealed, &level, &bound, &p.Off); err != nil {
			return p, err
		}
		p.Level, p.Bound = identity.Proofing(level), instant(bound)
		number, err := s.db.keys.open(phoneNumber, p.ID, sealed)
		if err != nil {
			return p, err
		}
		p.Number, err = identity.ParsePhone(string(number))
		return p, err
	}, account)
}

// SwitchPhoneOff is of [factor.Store].
func (s *Factors) SwitchPhoneOff(ctx context.Context, account, id string) error {
	_, err := s.db.exec(ctx, switchPhoneOff, account, id)
	return err
}

// DropPhone is of [factor.Store].
func (s *Factors) DropPhone(ctx context.Context, account string) error {
	_, err := s.db.exec(ctx, dropPhone, account)
	return err
}

var (
	putTOTP = statement(`INSERT INTO totps (id, account, seed, step, level, bound, off) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (account) DO UPDATE SET id = excluded.id, seed = excluded.seed, step = excluded.step,
			level = excluded.level, bound = excluded.bound, off = excluded.off`)
	totpOfAccount = statement(`SELECT id, account, seed, step, level, bound, off FROM totps WHERE account = $1`)
	spendStep     = statement(`UPDATE totps SET step = $1 WHERE id = $2 AND step < $1 AND NOT off`)
	stepOfTOTP    = statement(`SELECT step FROM totps WHERE id = $1 AND NOT off`)
	switchTOTPOff = statement(`UPDATE totps SET off = TRUE WHERE account = $1 AND id = $2`)
	dropTOTP      = statement(`DELETE FROM totps WHERE account = $1`)
	raiseTOTP     = statement(`UPDATE totps SET level = $1 WHERE account = $2 AND id = $3 AND level < $1`)
	putChoice     = statement(`INSERT INTO factor_choices (account, kind) VALUES ($1, $2) ON CONFLICT (account) DO UPDATE SET kind = excluded.kind`)
	choiceOf      = statement(`SELECT kind FROM factor_choices WHERE account = $1`)
	dropChoice    = statement(`DELETE FROM factor_choices WHERE account = $1`)
)

// seedFor is what is sealed of a seed: one that is moved to another account's row
// opens nothing there.
func seedFor(account string) string { return account + "\x00" }

// PutTOTP is of [factor.Store].
func (s *Factors) PutTOTP(ctx context.Context, t factor.TOTP) error {
	seed, err := s.db.keys.seal(totpSeed, t.ID, []byte(seedFor(t.Account)+t.Seed.Reveal()))
	if err != nil {
		return err
	}
	_, err = s.db.exec(ctx, putTOTP, t.ID, t.Account, seed, t.Step, int64(t.Level), micros(t.Bound), t.Off)
	return err
}

// TOTP is of [factor.Store].
func (s *Factors) TOTP(ctx context.Context, account string) (factor.TOTP, error) {
	return one(ctx, s.db, totpOfAccount, func(r row) (t factor.TOTP, err error) {
		var sealed []byte
		var level, bound int64
		if err := r.Scan(&t.ID, &t.Account, &sealed, &t.Step, &level, &bound, &t.Off); err != nil {
			return t, err
		}
		t.Level, t.Bound = identity.Proofing(level), instant(bound)
		plain, err := s.db.keys.open(totpSeed, t.ID, sealed)
		if err != nil {
			return t, err
		}
		seed, ours := strings.CutPrefix(string(plain), seedFor(t.Account))
		if !ours {
			return t, errors.New("open totps.seed: wanted a seed of its account, got another's")
		}
		t.Seed = identity.Secret(seed)
		return t, nil
	}, account)
}

// SpendStep is of [factor.Store].
func (s *Factors) SpendStep(ctx context.Context, id string, step int64) error {
	if err := s.db.alone(ctx); err != nil {
		return err
	}
	n, err := s.db.exec(ctx, spendStep, step, id)
	if err != nil || n > 0 {
		return err
	}
	if _, err := one(ctx, s.db, stepOfTOTP, number, id); err != nil {
		return err
	}
	return identity.ErrSpent
}

// SwitchTOTPOff is of [factor.Store].
func (s *Factors) SwitchTOTPOff(ctx context.Context, account, id string) error {
	_, err := s.db.exec(ctx, switchTOTPOff, account, id)
	return err
}

// DropTOTP is of [factor.Store].
func (s *Factors) DropTOTP(ctx context.Context, account string) error {
	_, err := s.db.exec(ctx, dropTOTP, account)
	return err
}

// PutChoice is of [factor.Store].
func (s *Factors) PutChoice(ctx context.Context, account string, kind factor.Kind) error {
	_, err := s.db.exec(ctx, putChoice, account, string(kind))
	return err
}

// Choice is of [factor.Store].
func (s *Factors) Choice(ctx context.Context, account string) (factor.Kind, error) {
	return one(ctx, s.db, choiceOf, func(r row) (kind factor.Kind, err error) { return kind, r.Scan(&kind) }, account)
}

const handedColumns = `id, kind, nhs_number, basis, issued_by, confirmed_by, reason, issued, expires, spent, spent_by, revoked`

var (
	addHanded = statement(`INSERT INTO handed_codes (id, kind, nhs_number, basis, issued_by, confirmed_by, reason, issued, expires, spent, spent_by, revoked, pepper, digest)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`)
	spendHanded = statement(`UPDATE handed_codes SET spent = $1, spent_by = $2
		WHERE pepper = $3 AND digest = $4 AND spent = 0 AND revoked = 0 AND expires > $5 RETURNING ` + handedColumns)
	handedByDigest = statement(`SELECT ` + handedColumns + ` FROM handed_codes WHERE pepper = $1 AND digest = $2`)
	revokeHanded   = statement(`UPDATE handed_codes SET revoked = $1 WHERE id = $2 AND spent = 0 AND revoked = 0 AND expires > $3 RETURNING ` + handedColumns)
	handedByID     = statement(`SELECT ` + handedColumns + ` FROM handed_codes WHERE id = $1`)
	handedSince    = statement(`SELECT ` + handedColumns + ` FROM handed_codes WHERE issued >= $1 ORDER BY issued DESC, id`)
	eraseHanded    = statement(`DELETE FROM handed_codes WHERE spent_by = $1 AND spent_by <> ''`)
	sweepHanded    = statement(`DELETE FROM handed_codes WHERE id IN (SELECT id FROM handed_codes WHERE expires < $1 ORDER BY expires LIMIT 500)`)
)

// AddHanded is of [factor.Store].
func (s *Factors) AddHanded(ctx context.Context, code factor.HandedDigest, h factor.Handed) error {
	number, err := s.db.keys.seal(handedNHSNumber, h.ID, []byte(h.NHSNumber.Reveal()))
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("handed code: wanted a new id and code: %w", identity.ErrConflict),
		addHanded, h.ID, string(h.Kind), number, h.Basis, h.IssuedBy, h.ConfirmedBy, h.Reason, micros(h.Issued), micros(h.Expires),
		micros(h.Spent), h.SpentBy, micros(h.Revoked), int64(code.Pepper), code.Digest)
}

// SpendHanded is of [factor.Store].
func (s *Factors) SpendHanded(ctx context.Context, code factor.HandedDigest, account string, at time.Time) (factor.Handed, error) {
	if err := s.db.alone(ctx); err != nil {
		return factor.Handed{}, err
	}
	h, err := one(ctx, s.db, spendHanded, s.scanHanded, past(at), account, int64(code.Pepper), code.Digest, micros(at))
	if !errors.Is(err, identity.ErrNotFound) {
		return h, err
	}
	h, err = one(ctx, s.db, handedByDigest, s.scanHanded, int64(code.Pepper), code.Digest)
	return whyOver(h, err, at)
}

// whyOver tells why nothing was changed of the code that was read afterwards. One
// that looks good now was taken from under it, and is good no more.
func whyOver(h factor.Handed, err error, at time.Time) (factor.Handed, error) {
	if err == nil {
		if err = h.Over(at); err == nil {
			err = identity.ErrConflict
		}
	}
	return h, err
}

// RevokeHanded is of [factor.Store].
func (s *Factors) RevokeHanded(ctx context.Context, id string, at time.Time) (factor.Handed, error) {
	h, err := one(ctx, s.db, revokeHanded, s.scanHanded, past(at), id, micros(at))
	if !errors.Is(err, identity.ErrNotFound) {
		return h, err
	}
	h, err = one(ctx, s.db, handedByID, s.scanHanded, id)
	return whyOver(h, err, at)
}

// Handed is of [factor.Store].
func (s *Factors) Handed(ctx context.Context, since time.Time) ([]factor.Handed, error) {
	return list(ctx, s.db, handedSince, s.scanHanded, micros(since))
}

func (s *Factors) scanHanded(r row) (h factor.Handed, err error) {
	var sealed []byte
	var issued, expires, spent, revoked int64
	err = r.Scan(&h.ID, &h.Kind, &sealed, &h.Basis, &h.IssuedBy, &h.ConfirmedBy, &h.Reason, &issued, &expires, &spent, &h.SpentBy, &revoked)
	if err != nil {
		return h, err
	}
	h.Issued, h.Expires, h.Spent, h.Revoked = instant(issued), instant(expires), instant(spent), instant(revoked)
	number, err := s.db.keys.open(handedNHSNumber, h.ID, sealed)
	if err != nil {
		return h, err
	}
	h.NHSNumber, err = identity.ParseNHSNumber(string(number))
	return h, err
}

// raises says by which statement a factor of each kind rises.
var raises = map[factor.Kind]*query{
	factor.KindTOTP: raiseTOTP, factor.KindPasskey: raisePasskey, factor.KindCard: raiseCard, factor.KindBrowser: raiseBrowser, factor.KindPhone: raisePhone,
}

// Raise is of [factor.Store]. A kind that is none of these is an error.
func (s *Factors) Raise(ctx context.Context, account string, kind factor.Kind, id string, level identity.Proofing) (bool, error) {
	q, known := raises[kind]
	if !known {
		return false, fmt.Errorf("factor: wanted a kind that is kept, got %.20q", string(kind))
	}
	n, err := s.db.exec(ctx, q, int64(level), account, id)
	return n > 0, err
}

// Erase is of [factor.Store].
func (s *Factors) Erase(ctx context.Context, account string) error {
	return s.all(ctx, account, dropCardCodes, dropCard, undeclineCard, forgetBrowsers, dropPhone, dropTOTP, dropPasskeys, dropOffers, dropChoice, dropRecovery, eraseHanded)
}

var (
	putRecovery = statement(`INSERT INTO recovery_codes (account, id, pepper, digest, issued_by, confirmed_by, made, expires, spent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)
		ON CONFLICT (account) DO UPDATE SET id = excluded.id, pepper = excluded.pepper, digest = excluded.digest, issued_by = excluded.issued_by,
			confirmed_by = excluded.confirmed_by, made = excluded.made, expires = excluded.expires, spent = 0`)
	recoveryOf    = statement(`SELECT account, id, pepper, digest, issued_by, confirmed_by, made, expires, spent FROM recovery_codes WHERE account = $1`)
	spendRecovery = statement(`UPDATE recovery_codes SET spent = $1 WHERE account = $2 AND pepper = $3 AND digest = $4 AND spent = 0`)
	recoverySpent = statement(`SELECT spent FROM recovery_codes WHERE account = $1 AND pepper = $2 AND digest = $3`)
	dropRecovery  = statement(`DELETE FROM recovery_codes WHERE account = $1`)
	sweepRecovery = statement(`DELETE FROM recovery_codes WHERE account IN (SELECT account FROM recovery_codes WHERE expires < $1 LIMIT 500)`)
)

// PutRecovery is of [factor.Store].
func (s *Factors) PutRecovery(ctx context.Context, code factor.HandedDigest, c factor.Recovery) error {
	_, err := s.db.exec(ctx, putRecovery, c.Account, c.ID, int64(code.Pepper), code.Digest, c.IssuedBy, c.ConfirmedBy, micros(c.Made), micros(c.Expires))
	return err
}

// Recovery is of [factor.Store].
func (s *Factors) Recovery(ctx context.Context, account string) (factor.HandedDigest, factor.Recovery, error) {
	var code factor.HandedDigest
	c, err := one(ctx, s.db, recoveryOf, func(r row) (c factor.Recovery, err error) {
		var pepper, made, expires, spent int64
		err = r.Scan(&c.Account, &c.ID, &pepper, &code.Digest, &c.IssuedBy, &c.ConfirmedBy, &made, &expires, &spent)
		code.Pepper, c.Made, c.Expires, c.Spent = uint32(pepper), instant(made), instant(expires), instant(spent)
		return c, err
	}, account)
	return code, c, err
}

// SpendRecovery is of [factor.Store].
func (s *Factors) SpendRecovery(ctx context.Context, account string, code factor.HandedDigest, at time.Time) error {
	if err := s.db.alone(ctx); err != nil {
		return err
	}
	n, err := s.db.exec(ctx, spendRecovery, past(at), account, int64(code.Pepper), code.Digest)
	if err != nil || n > 0 {
		return err
	}
	if _, err := one(ctx, s.db, recoverySpent, number, account, int64(code.Pepper), code.Digest); err != nil {
		return err
	}
	return identity.ErrSpent
}

// Sweep is of [factor.Store].
func (s *Factors) Sweep(ctx context.Context, seen, ended time.Time) error {
	if err := s.db.drain(ctx, sweepBrowsers, micros(seen)); err != nil {
		return err
	}
	if err := s.db.drain(ctx, sweepHanded, micros(ended)); err != nil {
		return err
	}
	return s.db.drain(ctx, sweepRecovery, micros(ended))
}
