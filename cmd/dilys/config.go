package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/rp/provider"
)

type configCommands struct {
	Check   configCheck   `cmd:"" help:"Name every fault at once, one a line."`
	Explain configExplain `cmd:"" help:"Show every value with its source; never a secret."`
}

type configCheck struct{}

// Run names every fault; none is exit 0.
func (configCheck) Run(con console, c *cli) error {
	if _, err := c.load(con); err != nil {
		return err
	}
	_, err := fmt.Fprintln(con.out, "ok")
	return err
}

type configExplain struct {
	Portal string `help:"What this portal would get for each kind of patient, and why it would be refused." placeholder:"ID"`
}

// Run shows the resolved values, or what a portal would get.
func (e configExplain) Run(con console, c *cli) error {
	config, err := c.load(con)
	if err != nil {
		return err
	}
	if e.Portal != "" {
		return config.ExplainPortal(con.out, e.Portal, time.Now())
	}
	return config.Explain(con.out)
}

type providerCommands struct {
	Test providerTest `cmd:"" help:"Discovery, issuer, key set, client key and redirect URI, a line each."`
}

type providerTest struct {
	ID string `arg:"" help:"The provider's id in the configuration."`
}

// Run tries every step of a login that needs no patient.
func (t providerTest) Run(ctx context.Context, con console, c *cli) error {
	config, err := c.load(con)
	if err != nil {
		return err
	}
	p, err := service.NewProvider(config, t.ID, time.Now)
	if err != nil {
		return err
	}
	return tellChecks(con, p.Test(ctx))
}

func tellChecks(con console, checks []provider.Check) error {
	var faulty bool
	for _, check := range checks {
		line := "ok    " + check.Name
		if check.Note != "" {
			line += ": " + check.Note
		}
		if !check.OK {
			faulty = true
			line = fmt.Sprintf("fault %s: %s\n      mend: %s", check.Name, check.Fault, check.Mend)
		}
		if _, err := fmt.Fprintln(con.out, line); err != nil {
			return err
		}
	}
	if faulty {
		return errSaid
	}
	return nil
}
