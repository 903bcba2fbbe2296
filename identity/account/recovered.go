package account

import (
	"context"
	"time"

	"github.com/dilys-id/dilys/identity/audit"
)

// RecoveryHold is how long what was bound in or after a recovery carries nothing: who
// talked the help desk into a code has three days of notices against them.
const RecoveryHold = 72 * time.Hour

// Held returns until when a factor that was bound at that time carries nothing, or
// zero where no recovery came before it.
func (a Account) Held(bound time.Time) time.Time {
	if a.Recovered.IsZero() || bound.Before(a.Recovered) {
		return time.Time{}
	}
	return a.Recovered.Add(RecoveryHold)
}

// Recover keeps that the patient was let back in by people: everything older than now
// is dead, and what is bound from now on is held. It must be called in the act that
// gives the session. It returns the account as it is then.
func (r *Accounts) Recover(ctx context.Context, id string) (Account, error) {
	if err := r.store.Recover(ctx, id, r.now()); err != nil {
		return Account{}, err
	}
	e := audit.Event{Kind: audit.AccountRecovered, Actor: audit.Patient, Account: id}
	if err := r.ledger.Record(ctx, e); err != nil {
		return Account{}, err
	}
	return r.store.Account(ctx, id)
}
