package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity/audit"
)

// actor names the operating-system user who acts: the one behind sudo, if any.
func actor() string {
	id := os.Getenv("SUDO_UID")
	if id == "" {
		id = fmt.Sprint(os.Getuid())
	}
	if u, err := user.LookupId(id); err == nil {
		return "operator:" + u.Username
	}
	return "operator:uid-" + id
}

// withRecords opens the database for one command.
func (c *cli) withRecords(ctx context.Context, con console, fn func(*service.Records) error) (err error) {
	config, err := c.load(con)
	if err != nil {
		return err
	}
	r, err := service.OpenRecords(ctx, config, time.Now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.DB.Close()) }()
	return fn(r)
}

// reason is asked where a person's account is touched.
type reason struct {
	Reason string `required:"" help:"Why, in a few words without the patient's values; it is recorded."`
}

type accountCommands struct {
	Find    accountFind    `cmd:"" help:"Find accounts by id, or by NHS number, e-mail address or phone number read from standard input."`
	Show    accountShow    `cmd:"" help:"Show on one screen how an account stands and what waits, without the patient's values."`
	Disable accountDisable `cmd:"" help:"Refuse the account at every door, and end its sessions."`
	Enable  accountEnable  `cmd:"" help:"Let a disabled account in again, or give a frozen one its record back."`
	SignOut accountSignOut `cmd:"" help:"End every session of the account."`

	Export       accountExport       `cmd:"" help:"Print everything that is kept of a patient, as JSON, for that patient."`
	Delete       accountDelete       `cmd:"" help:"Ask a colleague to confirm that an account is closed for good, and what is kept of its patient erased. Disable it where that is enough."`
	Renumber     accountRenumber     `cmd:"" help:"Ask a colleague to confirm another NHS number."`
	RecoveryCode accountRecoveryCode `cmd:"" help:"Ask a colleague to confirm a code that lets a patient back in who lost every other way; it is then shown to them. Check who is asking first."`
}

type accountDisable struct {
	reason
	ID string `arg:"" help:"The account's id."`
}

// Run refuses the account from now on.
func (d accountDisable) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		return r.Accounts.Disable(ctx, d.ID, actor(), d.Reason)
	})
}

type accountEnable struct {
	reason
	ID string `arg:"" help:"The account's id."`
}

// Run lets the account in again.
func (e accountEnable) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		return r.Accounts.Enable(ctx, e.ID, actor(), e.Reason)
	})
}

type accountSignOut struct {
	reason
	ID string `arg:"" help:"The account's id."`
}

// Run ends every session of the account.
func (s accountSignOut) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		return r.Accounts.SignOut(ctx, s.ID, actor(), s.Reason)
	})
}

type auditCommands struct {
	Find   auditFind   `cmd:"" help:"Say what a reference means, without any value of the patient."`
	Verify auditVerify `cmd:"" help:"Walk the chain of events and show its head."`
}

type auditFind struct {
	Reference string `arg:"" help:"Such as DIL-7F3K-Q2, in any case, with or without hyphens."`
}

// Run tells the events of a reference.
func (f auditFind) Run(ctx context.Context, con console, c *cli) error {
	reference, err := readReference(f.Reference)
	if err != nil {
		return err
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		events, err := r.DB.Audit().FindByReference(ctx, reference)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			_, _ = fmt.Fprintln(con.say, "no event has that reference. A crowd at the passwords and a database that was away leave none: the log has the line")
			return errSaid
		}
		for _, e := range events {
			if _, err := fmt.Fprint(con.out, audit.Explain(e, service.Explanations)); err != nil {
				return err
			}
		}
		return nil
	})
}

type auditVerify struct {
	Head string `help:"A head from the log, as BATCH:TAG: the chain must contain it." placeholder:"BATCH:TAG"`
}

// Run verifies the whole chain.
func (v auditVerify) Run(ctx context.Context, con console, c *cli) error {
	known, err := audit.ParseHead(v.Head)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		head, err := r.Chain.Verify(ctx, known)
		if err != nil {
			return err
		}
		if head.Number == 0 {
			_, err = fmt.Fprintln(con.out, "ok, nothing is sealed yet")
			return err
		}
		_, err = fmt.Fprintf(con.out, "ok, head %s\n", head.Head())
		return err
	})
}
