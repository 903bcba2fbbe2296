package attempt

import (
	"context"
	"errors"
	"fmt"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/limit"
)

// Linkage is what a practice gives to a patient on paper, so that an app can reach
// their record. An empty key or id matches nobody's.
type Linkage struct {
	NHSNumber identity.NHSNumber // zero: the one that the account claims
	AccountID identity.Secret
	Key       identity.Secret
}

// ErrNotConfirmed says that the details do not match the register. Which of them, or
// whether there is an entry at all, nobody is told.
var ErrNotConfirmed = errors.New("the details could not be confirmed")

// LinkageOffered reports whether the register holds linkage details at all.
func (r *Attempts) LinkageOffered() bool { return r.own.Register != nil && r.own.Rules.Linkage }

// Link judges the linkage details of the patient who is logged in, and raises account
// and session to P5 with them. Tries count on the register's entry and on the
// account, whoever makes them, and close no activation code. It returns
// [ErrNotConfirmed] with the reference recorded, *[Locked], [account.ErrFrozen],
// [identity.ErrUnavailable], or [identity.ErrConflict] where another account proved
// the number.
func (r *Attempts) Link(ctx context.Context, seat Seat, l Linkage, reference string) (Login, error) {
	switch {
	case seat.Session == nil || !r.LinkageOffered():
		return Login{}, identity.ErrNotFound
	case seat.Session.Evidence.Frozen != "":
		return Login{}, account.ErrFrozen
	}
	acc, err := r.accounts.Account(ctx, seat.Session.Account)
	if err != nil {
		return Login{}, err
	}
	link, _ := acc.Own()
	if l.NHSNumber.IsZero() {
		l.NHSNumber = link.Details.NHSNumber
	}
	if err := r.payLookup(ctx, l, acc.ID); err != nil {
		return Login{}, err
	}
	entry, failed, err := r.linked(ctx, l, link.Details)
	if err != nil {
		return Login{}, err
	}
	if failed != nil {
		refused := audit.Event{
			Kind: audit.ProofRefused, Result: audit.Refused, Actor: audit.Patient, Account: acc.ID, Reference: reference, Cause: "linkage-refused", Fields: failed,
		}
		return Login{}, errors.Join(ErrNotConfirmed, r.ledger.Record(ctx, refused))
	}
	var login Login
	e := &audit.Event{Kind: audit.SessionRaised, Actor: audit.Patient, Account: acc.ID, Session: seat.Session.Handle}
	err = r.ledger.Act(ctx, e, func(ctx context.Context) (err error) {
		login, err = r.raiseBy(ctx, seat, raise{identity.P5, identity.BasisLinkage, entry}, e)
		return err
	})
	return login, err
}

// payLookup pays for one try before the register is asked.
func (r *Attempts) payLookup(ctx context.Context, l Linkage, accountID string) error {
	err := r.own.Sending.Take(ctx, r.own.Sending.Rates().Looking("number:"+l.NHSNumber.Reveal(), "linkage:"+accountID)...)
	var exceeded *limit.Exceeded
	if errors.As(err, &exceeded) {
		return &Locked{exceeded.Until}
	}
	return err
}

// linked asks the register, and names the classes of fields that failed. It compares
// the secrets whatever else failed, in constant time.
func (r *Attempts) linked(ctx context.Context, l Linkage, d identity.Details) (identity.Entry, []string, error) {
	entry, err := r.own.Register.Entry(ctx, l.NHSNumber)
	if errors.Is(err, identity.ErrNotFound) {
		return entry, []string{"nhs_number"}, nil
	}
	if err != nil {
		return entry, nil, fmt.Errorf("ask the register: %w", err)
	}
	d.NHSNumber = entry.NHSNumber
	failed := identity.Match(d, entry)
	id, key := entry.GPAccountID.Equal(l.AccountID), entry.GPLinkageKey.Equal(l.Key)
	if !id || !key {
		failed = append(failed, "linkage")
	}
	if entry.Standing != identity.Living || entry.Protected {
		failed = append(failed, "standing")
	}
	return entry, failed, nil
}
