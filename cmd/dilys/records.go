package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
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
	Find    accountFind    `cmd:"" help:"Find accounts by id, NHS number or e-mail address, read from standard input."`
	Show    accountShow    `cmd:"" help:"Show an account's state, links and sessions, without the patient's values."`
	Disable accountDisable `cmd:"" help:"Refuse the account at every door, and end its sessions."`
	Enable  accountEnable  `cmd:"" help:"Let a disabled account in again, or give a frozen one its record back."`
	SignOut accountSignOut `cmd:"" help:"End every session of the account."`

	RecoveryCode accountRecoveryCode `cmd:"" help:"Ask a colleague to confirm a code that lets a patient back in who lost every other way; it is then shown to them. Check who is asking first."`
}

type accountFind struct {
	reason
	What string `arg:"" optional:"" help:"An account id. Leave it out to give an NHS number or e-mail address on standard input, where no process list shows it."`
}

// Run lists the accounts, an id a line.
func (f accountFind) Run(ctx context.Context, con console, c *cli) error {
	what := identity.Secret(f.What)
	if what == "" {
		var err error
		if what, err = readLine(os.Stdin); err != nil {
			return err
		}
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		found, err := r.Accounts.Find(ctx, what.Reveal(), actor(), f.Reason)
		if err != nil {
			return err
		}
		for _, a := range found {
			if _, err := fmt.Fprintf(con.out, "%s  %s  since %s\n", a.ID, a.State, a.Created.Format(time.DateOnly)); err != nil {
				return err
			}
		}
		if len(found) == 0 {
			_, _ = fmt.Fprintln(con.say, "no account has that")
			return errSaid
		}
		return nil
	})
}

type accountShow struct {
	reason
	ID string `arg:"" help:"The account's id."`
}

// Run shows what an operator may know: which fields there are, never their values.
func (s accountShow) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		found, err := r.Accounts.Find(ctx, s.ID, actor(), s.Reason)
		if err != nil {
			return err
		}
		if len(found) != 1 || found[0].ID != s.ID {
			return fmt.Errorf("account: %w", identity.ErrNotFound)
		}
		sessions, err := r.Sessions.List(ctx, s.ID)
		if err != nil {
			return err
		}
		a := found[0]
		_, _ = fmt.Fprintf(con.out, "account   %s\nstate     %s\ncreated   %s\nlanguage  %s\n", a.ID, a.State, a.Created.Format(time.DateTime), a.Language)
		for _, l := range a.Links {
			showLink(con, l)
		}
		for _, open := range sessions {
			_, _ = fmt.Fprintf(con.out, "session   %s, since %s, seen %s, %s\n",
				open.Trust, open.Created.Format(time.DateTime), open.Seen.Format(time.DateTime), open.Device)
		}
		return nil
	})
}

func showLink(con console, l account.Link) {
	_, _ = fmt.Fprintf(con.out, "linked    %s, level %s, first %s, last %s, gave %v\n", l.Provider, l.Level,
		l.First.Format(time.DateTime), l.Last.Format(time.DateTime), identity.Details{}.Changed(l.Details))
	if l.Frozen != "" {
		_, _ = fmt.Fprintf(con.out, "frozen    %s: it speaks for no record; its level was %s\n", l.Frozen, l.Before)
	}
	if l.Standing != identity.Living {
		_, _ = fmt.Fprintf(con.out, "register  %s, as read on %s\n", l.Standing, l.Checked.Format(time.DateOnly))
	}
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
