package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/dossier"
	"github.com/dilys-id/dilys/identity/outbox"
)

// Verbs of requests that take something from an account for good.
const (
	closeAccount  = "close"
	renumberOwn   = "renumber"
	ownersRequest = "the patient asked for it" // why most accounts are closed
)

type accountExport struct {
	reason
	ID string `arg:"" help:"The account's id."`
}

// Run prints everything that is kept of the patient, as JSON.
func (x accountExport) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		held, err := dossier.Rooms{Accounts: r.Accounts, Factors: r.Factors, Sessions: r.Sessions, Events: r.DB.Audit()}.Read(ctx, x.ID)
		if err != nil {
			return err
		}
		// Before anything is printed: who has it is on record.
		e := audit.Event{Kind: audit.AccountExported, Actor: actor(), Account: x.ID, Reason: x.Reason}
		if err := r.Ledger.Record(ctx, e); err != nil {
			return err
		}
		out := json.NewEncoder(con.out)
		out.SetIndent("", "  ")
		return out.Encode(dossier.Of(held, time.Now().UTC()))
	})
}

type accountDelete struct {
	reason
	ID string `arg:"" help:"The account's id."`
}

// Run asks for a second person.
func (d accountDelete) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error { return askToClose(ctx, con, r, d.ID, d.Reason) })
}

func askToClose(ctx context.Context, con console, r *service.Records, id, why string) error {
	if _, err := r.Accounts.Account(ctx, id); err != nil {
		return err
	}
	q, err := r.Approvals.Ask(ctx, approval.Request{Verb: closeAccount, Account: id, AskedBy: actor(), Reason: why})
	if err != nil {
		return err
	}
	return tellAsked(con, q)
}

// confirmClose closes the account, and tells its patient before their addresses are
// forgotten.
func confirmClose(ctx context.Context, r *service.Records, q approval.Request) (answer, error) {
	acc, err := r.Accounts.Account(ctx, q.Account)
	if err != nil {
		return nil, err
	}
	if err := r.Tell(ctx, acc, outbox.Closed); err != nil {
		return nil, err
	}
	if err := r.Accounts.Close(ctx, q.Account, q.DecidedBy, q.Reason); err != nil {
		return nil, err
	}
	return func(con console) error {
		_, err := fmt.Fprintln(con.out, "closed, and erased but for its id and events")
		return err
	}, nil
}

type accountRenumber struct {
	Reason string `help:"Why, in a few words without the patient's values; it is recorded. Required for a correction."`
	Kind   string `default:"correction" enum:"correction,protected" help:"correction: the number was wrong or merged, the account stays; the right number is read from standard input. protected: for safety, adoption or gender; the account closes, and nothing leads from it to the new one."`
	ID     string `arg:"" help:"The account's id."`
}

// Run asks for a second person.
func (a accountRenumber) Run(ctx context.Context, con console, c *cli) error {
	if a.Kind == "protected" {
		return a.protected(ctx, con, c)
	}
	if a.Reason == "" {
		return fmt.Errorf("%w: wanted --reason for a correction, got none", errUsage)
	}
	number, err := readNHSNumber(os.Stdin)
	if err != nil {
		return err
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		if _, err := recoverable(ctx, r, a.ID); err != nil {
			return err
		}
		q, err := r.Approvals.Ask(ctx, approval.Request{
			Verb: renumberOwn, Account: a.ID, AskedBy: actor(), Reason: a.Reason,
			Args: map[string]identity.Secret{argNHSNumber: identity.Secret(number.Reveal())},
		})
		if err != nil {
			return err
		}
		return tellAsked(con, q)
	})
}

// protected closes the account as any that its owner leaves: the request, its events
// and its reason are those of every other closing, and no step of ours ever holds the
// old account and the new number together. What a reason could tell is not asked.
func (a accountRenumber) protected(ctx context.Context, con console, c *cli) error {
	err := c.withRecords(ctx, con, func(r *service.Records) error { return askToClose(ctx, con, r, a.ID, ownersRequest) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(con.say, `Once it is closed, the patient signs up anew, under the new number and with any address.
To confirm that number, issue a code for it as for any patient (activation issue, or proof record): on another day
and by other staff, as events have times and names.`)
	return err
}

// confirmRenumber puts the right number in place.
func confirmRenumber(ctx context.Context, r *service.Records, q approval.Request) (answer, error) {
	number, err := identity.ParseNHSNumber(q.Args[argNHSNumber].Reveal())
	if err != nil {
		return nil, err
	}
	acc, err := r.Accounts.Renumber(ctx, q.Account, number, q.DecidedBy, q.Reason)
	if err != nil {
		return nil, err
	}
	if err := r.Tell(ctx, acc, outbox.Renumbered); err != nil {
		return nil, err
	}
	return func(con console) error {
		_, err := fmt.Fprintln(con.out, "the number is corrected; everybody is logged out of the account")
		return err
	}, nil
}
