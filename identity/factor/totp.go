package factor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// What every app can do (RFC 6238 §1.2, §5.2): HMAC-SHA-1, steps of 30 seconds, six
// digits. Some read other parameters out of the QR code and then ignore them, so
// there are none.
const (
	TOTPDigits = 6
	totpStep   = 30 * time.Second
	seedBytes  = 20 // 160 bits, the length of the hash (RFC 4226 §4, R6)
)

// TOTP is the authenticator app of an account: the seed that it shares with us.
type TOTP struct {
	ID      string // of this binding: the next app has another
	Account string
	Seed    identity.Secret // in Base32
	Step    int64           // the last that a code was taken of: none up to it is taken again
	Level   identity.Proofing
	Bound   time.Time
	Off     bool // too many wrong codes in a row: none opens until an app is bound again
}

// Factor returns the app as what opens the account.
func (t TOTP) Factor() Factor {
	return Factor{Kind: KindTOTP, ID: t.ID, Account: t.Account, Level: t.Level, Bound: t.Bound}
}

// TOTPStore is the part of [Store] that keeps authenticator apps, one an account.
type TOTPStore interface {
	// PutTOTP makes the app the account's, in the place of the one before.
	PutTOTP(ctx context.Context, t TOTP) error
	// TOTP returns the account's app, or [identity.ErrNotFound].
	TOTP(ctx context.Context, account string) (TOTP, error)
	// SpendStep raises the step of the app of that id, once: the first caller has no
	// error, and every one with that step or an earlier one has [identity.ErrSpent].
	// It never goes back. An app that is no more, or off, is [identity.ErrNotFound].
	// It commits alone, before what it opens is looked at.
	SpendStep(ctx context.Context, id string, step int64) error
	// SwitchTOTPOff marks the account's app of that id, if it still is that one.
	SwitchTOTPOff(ctx context.Context, account, id string) error
	// DropTOTP deletes the account's app, if it has one.
	DropTOTP(ctx context.Context, account string) error
}

// NewSeed returns a seed for an app to share, in Base32, which every app takes:
// 32 of A to Z and 2 to 7.
func NewSeed() identity.Secret {
	b := make([]byte, seedBytes)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return identity.Secret(base32.StdEncoding.EncodeToString(b))
}

// stepOf returns the step whose code was typed: the present one, the one before, as
// a code takes a moment to type, or the one after, for a clock that runs ahead
// (RFC 6238 §5.2). Each is compared, whichever is right. Where more are, the latest
// counts, so that nothing is left to use again.
func stepOf(seed, code identity.Secret, now time.Time) (step int64, right bool, err error) {
	present := now.Unix() / int64(totpStep/time.Second)
	for at := present - 1; at <= present+1; at++ {
		want, err := hotp.GenerateCode(seed.Reveal(), uint64(at)) // six digits of HMAC-SHA-1
		if err != nil {
			return 0, false, fmt.Errorf("wanted a seed in Base32: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code.Reveal())) == 1 {
			step, right = at, true
		}
	}
	return step, right, nil
}

// TOTP returns the account's app, one that is off included, or
// [identity.ErrNotFound]. It reads, in the act of ctx if there is one.
func (r *Factors) TOTP(ctx context.Context, account string) (TOTP, error) {
	t, err := r.store.TOTP(ctx, account)
	if err != nil {
		return TOTP{}, fmt.Errorf("authenticator app: %w", err)
	}
	return t, nil
}

// BindTOTP makes the app that has this seed the account's, in the place of the one
// before, once what was typed shows that it has: until then, the one before works.
// The code is used up with it. The app carries the level given, that of the session
// that binds it, but nothing until held. It returns [identity.ErrNotFound] for
// another code. It joins the act of ctx, or is one of its own.
func (r *Factors) BindTOTP(ctx context.Context, t TOTP, typed identity.Secret) (TOTP, error) {
	if t.Account == "" || t.Seed == "" {
		return TOTP{}, fmt.Errorf("authenticator app: %w", errMissing)
	}
	step, err := r.judge(t.Seed, typed)
	if err != nil {
		return TOTP{}, err
	}
	t.ID, t.Step, t.Bound, t.Off = identity.NewID(), step, r.moment(), false
	e := &audit.Event{Kind: audit.TOTPBound, Actor: audit.Patient, Account: t.Account}
	return t, r.ledger.Act(ctx, e, func(ctx context.Context) error { return r.store.PutTOTP(ctx, t) })
}

// judge returns the step of the code that was typed, or [identity.ErrNotFound] where
// it is none of the seed's now.
func (r *Factors) judge(seed, typed identity.Secret) (int64, error) {
	code, ok := identity.ParseDigits(typed, TOTPDigits)
	if !ok {
		return 0, fmt.Errorf("authenticator app: %w", identity.ErrNotFound)
	}
	step, right, err := stepOf(seed, code, r.now())
	if err == nil && !right {
		err = identity.ErrNotFound
	}
	if err != nil {
		return 0, fmt.Errorf("authenticator app: %w", err)
	}
	return step, nil
}

// SpendTOTP uses up a code of the account's app and returns the app as the factor
// that it is. It returns [identity.ErrSpent] for a code that was used, or is older
// than one that was, whatever the clock says by now, and [identity.ErrNotFound] for
// one that the account does not have at this moment. It commits alone and is refused
// inside an act. Guesses are limited by the caller, before.
func (r *Factors) SpendTOTP(ctx context.Context, account string, typed identity.Secret) (Factor, error) {
	t, err := r.TOTP(ctx, account)
	if err != nil {
		return Factor{}, err
	}
	step, err := r.judge(t.Seed, typed)
	if err != nil {
		return Factor{}, err
	}
	if err := r.store.SpendStep(ctx, t.ID, step); err != nil {
		return Factor{}, fmt.Errorf("authenticator app: %w", err)
	}
	return t.Factor(), nil
}

// SwitchTOTPOff ends that app as a factor, after too many wrong codes in a row. One
// that was bound since stays on. It joins the act of ctx, or is one of its own.
func (r *Factors) SwitchTOTPOff(ctx context.Context, t TOTP) error {
	e := &audit.Event{Kind: audit.TOTPOff, Actor: audit.System, Account: t.Account}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return r.store.SwitchTOTPOff(ctx, t.Account, t.ID) })
}

// DropTOTP takes the app from the account. It joins the act of ctx, or is one of its
// own.
func (r *Factors) DropTOTP(ctx context.Context, account string) error {
	e := &audit.Event{Kind: audit.TOTPDropped, Actor: audit.Patient, Account: account}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return r.store.DropTOTP(ctx, account) })
}
