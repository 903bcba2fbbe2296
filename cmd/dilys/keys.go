package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store"
)

type keyCommands struct {
	Init   keysInit   `cmd:"" help:"Make the sealing keys, once."`
	List   keysList   `cmd:"" help:"List the sealing keys; never a key itself."`
	Rotate keysRotate `cmd:"" help:"Put new keys in use; the old ones stay for what they sealed."`
}

type keysInit struct{}

// Run makes the keyset and says what to back up.
func (keysInit) Run(con console, c *cli) error {
	config, err := c.load(con)
	if err != nil {
		return err
	}
	if err := store.InitKeys(config.Keys); err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, `made %s
Back this folder up now, and after each rotation, apart from the database:
  with both, a thief reads every patient's details; with the database alone, none;
  without these keys, nobody reads the database again.
`, config.Keys)
	return err
}

type keysList struct{}

// Run lists the keys.
func (keysList) Run(ctx context.Context, con console, c *cli) error {
	config, err := c.load(con)
	if err != nil {
		return err
	}
	keys, err := store.LoadKeys(config.Keys)
	if err != nil {
		return err
	}
	for _, k := range keys.List() {
		use := "for what it sealed before"
		switch {
		case k.Primary:
			use = "in use"
		case k.Next:
			use = "waits for the next rotation"
		}
		if _, err := fmt.Fprintf(con.out, "%-8s  %-10s  %s\n", k.Keyset, k.ID, use); err != nil {
			return err
		}
	}
	return nil
}

type keysRotate struct {
	Signing bool `help:"The token signing keys instead: now, without the 15 minutes that portals need to see the next key. For a leaked key."`
}

// Run puts new keys in use.
func (k keysRotate) Run(ctx context.Context, con console, c *cli) error {
	if k.Signing {
		return c.withRecords(ctx, con, func(r *service.Records) error {
			if err := r.RotateSigningKeys(ctx, actor(), time.Now); err != nil {
				return err
			}
			_, err := fmt.Fprintln(con.out, "a running service takes the new keys up within a minute; a restart does so at once")
			return err
		})
	}
	config, err := c.load(con)
	if err != nil {
		return err
	}
	if err := store.RotateKeys(config.Keys); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(con.say, "restart the service: it seals every row anew in the background. Then back the keys up again.")
	return c.withRecords(ctx, con, func(r *service.Records) error {
		return r.Ledger.Record(ctx, audit.Event{Kind: audit.KeyRotated, Actor: actor(), Cause: "sealing"})
	})
}

type migrateCommand struct{}

// Run brings the database to this version.
func (migrateCommand) Run(ctx context.Context, con console, c *cli) error {
	config, err := c.load(con)
	if err != nil {
		return err
	}
	did, err := service.Migrate(ctx, config, time.Now)
	if err != nil {
		return err
	}
	if did.From == did.To {
		_, err = fmt.Fprintf(con.out, "the database is at version %d already\n", did.To)
	} else {
		_, err = fmt.Fprintf(con.out, "brought the database from version %d to %d\n", did.From, did.To)
	}
	return err
}

// readLine reads one value that must not stand in a process list or a shell's
// history.
func readLine(r io.Reader) (identity.Secret, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 1024)).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("%w: wanted a value on standard input: %w", errUsage, err)
	}
	return identity.Secret(line), nil
}
