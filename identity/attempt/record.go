package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
)

// registerPatience is how long a login waits for the register. It is asked once a
// day, and what it can't say now it says tomorrow.
const registerPatience = 3 * time.Second

// readAgain asks the register about the account's number where a day has gone by
// since it was read. It returns nil where nothing is due, and where the register does
// not answer: a login never fails by it.
func (r *Attempts) readAgain(ctx context.Context, id string) (*account.Reading, error) {
	if r.own.Register == nil {
		return nil, nil
	}
	acc, err := r.accounts.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	if !acc.Due(r.now()) {
		return nil, nil
	}
	ctx, stop := context.WithTimeout(ctx, registerPatience)
	defer stop()
	link, _ := acc.Own()
	entry, err := r.own.Register.Entry(ctx, link.Details.NHSNumber)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	return &account.Reading{Known: err == nil, Entry: entry}, nil
}

// NotMine freezes the record of the account that is logged in, as its patient says
// that the number or the record is not theirs: every service loses what it was given,
// and this browser gets a session that opens none. The reference is what the patient
// is shown. It returns [identity.ErrNotFound] where the session is over.
func (r *Attempts) NotMine(ctx context.Context, seat Seat, cause identity.Freeze, reference string) (Login, error) {
	if seat.Session == nil {
		return Login{}, identity.ErrNotFound
	}
	var login Login
	err := r.ledger.Within(ctx, func(ctx context.Context) error {
		now, err := r.present(ctx, seat)
		if err != nil {
			return err
		}
		if now.Session == nil {
			return identity.ErrNotFound
		}
		acc, err := r.accounts.Freeze(ctx, now.Session.Account, account.Alarm{
			Cause: cause, Actor: audit.Patient, Session: now.Session.Handle, Reference: reference,
		})
		if err != nil {
			return err
		}
		// Another session, not the one before: what services were given hangs on that,
		// and is dead with it. It lasts no longer than the one before would have.
		s := *now.Session
		s.Limits.Absolute = s.Ends().Sub(r.now())
		s.Epoch, s.Evidence.Frozen, s.Evidence.Own.Level = acc.Epoch, acc.Frozen(), identity.P0
		login.Secret, login.Session, err = r.sessions.Open(ctx, s)
		return err
	})
	if err != nil {
		return Login{}, err
	}
	return login, nil
}
