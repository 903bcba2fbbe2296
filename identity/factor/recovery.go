package factor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// RecoveryLife is how long a recovery code is good: it is said or handed to somebody
// who is waiting for it, so a day is plenty (NIST SP 800-63B-4 §4.2.1.2).
const RecoveryLife = 24 * time.Hour

// KindRecovery is a code with which people let a patient back in. It proves nothing
// of who they are.
const KindRecovery Kind = "recovery"

// Recovery is an account's recovery code, without the code.
type Recovery struct {
	ID          string // a reference that staff can say and `audit find` explains
	Account     string
	IssuedBy    string // who asked for it …
	ConfirmedBy string // … and who agreed, another person
	Made        time.Time
	Expires     time.Time
	Spent       time.Time // zero: not yet
}

// Over judges whether the code is still good at that instant: nil,
// [identity.ErrSpent] or [identity.ErrExpired].
func (c Recovery) Over(now time.Time) error {
	switch {
	case !c.Spent.IsZero():
		return identity.ErrSpent
	case !now.Before(c.Expires), c.Made.Sub(now) > identity.Skew:
		return identity.ErrExpired
	}
	return nil
}

// RecoveryStore is the part of [Store] that keeps recovery codes, one an account.
type RecoveryStore interface {
	// PutRecovery makes the code the account's, in the place of the one before.
	PutRecovery(ctx context.Context, code HandedDigest, c Recovery) error
	// Recovery returns the account's code, used or not, with its digest, or
	// [identity.ErrNotFound].
	Recovery(ctx context.Context, account string) (HandedDigest, Recovery, error)
	// SpendRecovery uses up the account's code of that digest, once: the first
	// caller has no error and every later one [identity.ErrSpent]. Any other digest
	// is [identity.ErrNotFound]. It commits alone, before what it opens is looked at.
	SpendRecovery(ctx context.Context, account string, code HandedDigest, at time.Time) error
}

// IssueRecovery makes the account's recovery code, and kills the one before. Two
// people are needed. The code is shown once. It joins the act of ctx, or is one of
// its own; in an act that runs again, the code of the last run is the good one.
func (r *Factors) IssueRecovery(ctx context.Context, c Recovery, reason string) (identity.Secret, Recovery, error) {
	switch {
	case c.Account == "", c.IssuedBy == "":
		return "", Recovery{}, fmt.Errorf("recovery code: %w", errMissing)
	case c.ConfirmedBy == "" || c.ConfirmedBy == c.IssuedBy:
		return "", Recovery{}, fmt.Errorf("recovery code: %w", errTwoPeople)
	}
	c.ID, c.Made, c.Spent = identity.NewReference(), r.moment(), time.Time{}
	c.Expires = c.Made.Add(RecoveryLife)
	code := identity.ReadableCode(codeBits)
	digest, err := r.recoveryDigest(r.peppers.PepperInUse(), c.Account, code)
	if err != nil {
		return "", Recovery{}, err
	}
	e := &audit.Event{Kind: audit.RecoveryIssued, Actor: c.ConfirmedBy, Reference: c.ID, Account: c.Account, Reason: reason}
	err = r.ledger.Act(ctx, e, func(ctx context.Context) error { return r.store.PutRecovery(ctx, digest, c) })
	if err != nil {
		return "", Recovery{}, fmt.Errorf("recovery code: %w", err)
	}
	return code, c, nil
}

// recoveryDigest is bound to the account: moved to another row, it opens nothing.
func (r *Factors) recoveryDigest(pepper uint32, account string, code identity.Secret) (HandedDigest, error) {
	digest, err := r.peppers.Pepper(pepper, "recovery", []byte(account+"\x00"+code.Reveal()))
	if err != nil {
		return HandedDigest{}, fmt.Errorf("recovery code: %w", err)
	}
	return HandedDigest{pepper, digest}, nil
}

// LastRecovery returns the account's recovery code, used or not, without the code, or
// [identity.ErrNotFound]. It reads, in the act of ctx if there is one.
func (r *Factors) LastRecovery(ctx context.Context, account string) (Recovery, error) {
	_, c, err := r.store.Recovery(ctx, account)
	return c, err
}

// SpendRecovery uses up the account's recovery code. It returns
// [identity.ErrNotFound] for one that is not this account's, [identity.ErrSpent] or
// [identity.ErrExpired]. It commits alone and is refused inside an act; the event is
// written before it returns, and without an event nothing is opened. Guesses are
// limited by the caller, before.
func (r *Factors) SpendRecovery(ctx context.Context, account string, typed identity.Secret) (Recovery, error) {
	code, ok := identity.ParseReadableCode(typed, codeBits)
	if !ok {
		return Recovery{}, fmt.Errorf("recovery code: %w", identity.ErrNotFound)
	}
	kept, c, err := r.store.Recovery(ctx, account)
	if err != nil {
		return Recovery{}, fmt.Errorf("recovery code: %w", err)
	}
	digest, err := r.recoveryDigest(kept.Pepper, account, code)
	if err != nil {
		return Recovery{}, err
	}
	if over := c.Over(r.now()); errors.Is(over, identity.ErrExpired) {
		return Recovery{}, fmt.Errorf("recovery code: %w", over)
	}
	if err := r.store.SpendRecovery(ctx, account, digest, r.moment()); err != nil {
		return Recovery{}, fmt.Errorf("recovery code: %w", err)
	}
	return c, r.ledger.Record(ctx, audit.Event{Kind: audit.RecoverySpent, Actor: audit.Patient, Account: account, Reference: c.ID})
}
