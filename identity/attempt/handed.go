package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// handedBases says what a level stands on that a handed code raised.
var handedBases = map[factor.HandedKind]identity.Basis{
	factor.Activation: identity.BasisActivation, factor.Documents: identity.BasisDocuments,
}

// Hand spends a code that staff handed to this patient, and raises account and
// session with it. The counter of typed details has no part in it. It returns
// *[Locked], [identity.ErrNotFound] for a code that is none, [identity.ErrExpired],
// [identity.ErrSpent], or [identity.ErrConflict] where the number was proved by
// another account: nothing is raised then.
func (r *Attempts) Hand(ctx context.Context, seat Seat, typed identity.Secret) (Login, error) {
	if seat.Session == nil {
		return Login{}, identity.ErrNotFound
	}
	if seat.Session.Evidence.Frozen != "" { // before the code is spent for nothing
		return Login{}, account.ErrFrozen
	}
	key := handedKey(seat.Session.Account)
	if err := r.pay(ctx, key, limit.Defaults.Code); err != nil {
		return Login{}, err
	}
	handed, err := r.own.Factors.SpendHanded(ctx, seat.Session.Account, typed)
	if err != nil {
		return Login{}, err
	}
	entry, err := r.handedEntry(ctx, handed)
	if err != nil {
		return Login{}, err
	}
	var login Login
	e := &audit.Event{Kind: audit.SessionRaised, Actor: audit.Patient, Account: seat.Session.Account, Session: seat.Session.Handle}
	err = r.ledger.Act(ctx, e, func(ctx context.Context) (err error) {
		login, err = r.raiseBy(ctx, seat, raise{handed.Kind.Level(), handedBases[handed.Kind], entry}, e)
		return err
	})
	return login, err
}

// handedEntry reads the register's entry of the number, where there is a register.
func (r *Attempts) handedEntry(ctx context.Context, h factor.Handed) (identity.Entry, error) {
	if r.own.Register == nil {
		return identity.Entry{NHSNumber: h.NHSNumber}, nil
	}
	entry, err := r.own.Register.Entry(ctx, h.NHSNumber)
	if errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrUnavailable) {
		return identity.Entry{NHSNumber: h.NHSNumber}, nil // staff saw the record; the register is no second judge of them
	}
	return entry, err
}

// raise is what evidence that the practice gave lifts an account to.
type raise struct {
	level identity.Proofing
	basis identity.Basis
	entry identity.Entry
}

// raiseBy raises account, factors and session inside the act.
func (r *Attempts) raiseBy(ctx context.Context, seat Seat, by raise, e *audit.Event) (Login, error) {
	seat, err := r.present(ctx, seat)
	if err != nil {
		return Login{}, err
	}
	if seat.Session == nil || seat.Session.Evidence.Own.IsZero() {
		return Login{}, identity.ErrNotFound
	}
	acc, err := r.accounts.Account(ctx, seat.Session.Account)
	if err != nil {
		return Login{}, err
	}
	if acc.State != account.Active {
		return Login{}, identity.ErrDisabled
	}
	link, _ := acc.Own()
	if !by.entry.BirthDate.IsZero() && by.entry.BirthDate != link.Details.BirthDate {
		return Login{}, identity.ErrForeign // the code of somebody else
	}
	if acc, err = r.accounts.Raise(ctx, acc.ID, identity.Details{NHSNumber: by.entry.NHSNumber}, by.level, by.basis); err != nil {
		return Login{}, err
	}
	if err := r.raiseFactors(ctx, *seat.Session, by.level); err != nil {
		return Login{}, err
	}
	evidence := seat.Session.Evidence
	evidence.Own = evidence.Own.Raised(by.level, by.basis)
	secret, s, err := r.sessions.Raise(ctx, *seat.Session, seat.Secret, evidence)
	if err != nil {
		return Login{}, err
	}
	e.Cause = string(by.basis)
	if err := r.tellAll(ctx, acc, outbox.LevelRaised); err != nil {
		return Login{}, err
	}
	return Login{Secret: secret, Session: s}, r.tellEntry(ctx, by.entry, link.Details)
}

// raiseFactors lets the factors that opened the session rise with it, and no other:
// not a number or card that came since, and not a remembered browser, which stood
// in for a factor and is none.
func (r *Attempts) raiseFactors(ctx context.Context, s session.Session, level identity.Proofing) error {
	if !s.Evidence.Own.Password.At.IsZero() {
		if err := r.own.Passwords.Raise(ctx, s.Account, level); err != nil {
			return err
		}
	}
	if at := s.Evidence.Own.Passkey.At; !at.IsZero() {
		if err := r.raisePasskeys(ctx, s.Account, at, level); err != nil {
			return err
		}
	}
	if s.Evidence.Own.Possession.At.IsZero() {
		return nil
	}
	used := s.Evidence.Own.Possession.At
	if s.Created.After(used) { // at sign-up the phone is proved before it is bound
		used = s.Created
	}
	f, err := r.Factors(ctx, s.Account)
	if err != nil {
		return err
	}
	for _, way := range secondFactors {
		would := f.proof(way)
		if would.means != s.Evidence.Own.Means || would.factor.ID == "" || would.factor.Bound.After(used) {
			continue
		}
		if err := r.own.Factors.Raise(ctx, s.Account, level, would.factor); err != nil {
			return err
		}
	}
	return nil
}

// raisePasskeys raises the passkey that was used at that instant, and no other.
func (r *Attempts) raisePasskeys(ctx context.Context, account string, used time.Time, level identity.Proofing) error {
	keys, err := r.passkeys(ctx, account)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Used.Equal(used.Truncate(time.Microsecond)) {
			return r.own.Factors.Raise(ctx, account, level, k.Factor())
		}
	}
	return nil
}
