package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
)

type registerCommands struct {
	Import registerImport `cmd:"" help:"Load the index of patients from a CSV file, all of it or nothing."`
}

type registerImport struct {
	File   string `arg:"" help:"The CSV file, for its owner's eyes alone and outside of the service's own folders." type:"path"`
	Shrink bool   `help:"Import a file that has less than nine tenths of the entries there are."`
}

// Run puts the file in the place of what was imported before.
func (i registerImport) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) (err error) {
		file, err := r.Config.OpenRegisterFile(i.File)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		entries, err := r.ImportRegister(ctx, service.RegisterImport{
			File: file, Name: i.File, Actor: actor(), Shrink: i.Shrink, Now: time.Now,
			Progress: func(rows int64) { _, _ = fmt.Fprintf(con.say, "%d rows read\n", rows) },
		})
		faults := (*service.RegisterFaults)(nil)
		switch {
		case errors.As(err, &faults):
			_, _ = fmt.Fprintf(con.say, "%v\nnothing was imported\n", faults)
			return errSaid
		case err != nil:
			return err
		}
		_, err = fmt.Fprintf(con.out, "imported %d entries\n", entries)
		_, _ = fmt.Fprintf(con.say, "%s holds them in plain text: delete it when nobody needs it\n", i.File)
		return err
	})
}
