package account

import (
	"context"

	"github.com/dilys-id/dilys/identity/audit"
)

// SetQuiet keeps whether the account is quiet, as its patient wants it in that session.
func (r *Accounts) SetQuiet(ctx context.Context, id, session string, quiet bool) error {
	e := &audit.Event{Kind: audit.QuietOff, Actor: audit.Patient, Account: id, Session: session}
	if quiet {
		e.Kind = audit.QuietOn
	}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error { return r.store.SetQuiet(ctx, id, quiet) })
}
