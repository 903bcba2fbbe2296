package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/outbox"
)

// makeRecovery is the verb of a request for a recovery code.
const makeRecovery = "recovery-code"

type accountRecoveryCode struct {
	reason
	ID string `arg:"" help:"The account's id."`
}

// Run asks for a second person.
func (a accountRecoveryCode) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		if _, err := recoverable(ctx, r, a.ID); err != nil {
			return err
		}
		q, err := r.Approvals.Ask(ctx, approval.Request{Verb: makeRecovery, Account: a.ID, AskedBy: actor(), Reason: a.Reason})
		if err != nil {
			return err
		}
		return tellAsked(con, q)
	})
}

// recoverable returns the account, if a code of ours can let its patient back in.
func recoverable(ctx context.Context, r *service.Records, id string) (account.Account, error) {
	acc, err := r.Accounts.Account(ctx, id)
	if err != nil {
		return acc, err
	}
	if _, own := acc.Own(); !own {
		return acc, fmt.Errorf("wanted an account that signed up here, got one of a provider, which alone can do this: %w", identity.ErrNotFound)
	}
	if acc.State != account.Active {
		return acc, identity.ErrDisabled
	}
	return acc, nil
}

// confirmRecovery makes the code that two people agreed on, and tells every address of
// the account.
func confirmRecovery(ctx context.Context, r *service.Records, q approval.Request) (answer, error) {
	acc, err := recoverable(ctx, r, q.Account)
	if err != nil {
		return nil, err
	}
	code, made, err := r.Factors.IssueRecovery(ctx, factor.Recovery{Account: acc.ID, IssuedBy: q.AskedBy, ConfirmedBy: q.DecidedBy}, q.Reason)
	if err != nil {
		return nil, err
	}
	if err := r.Tell(ctx, acc, outbox.RecoveryMade); err != nil {
		return nil, err
	}
	return func(con console) error {
		_, err := fmt.Fprintf(con.out, "reference  %s\ncode       %s\nuntil      %s UTC\n", made.ID, code.Reveal(), made.Expires.UTC().Format(time.DateTime))
		return err
	}, nil
}
