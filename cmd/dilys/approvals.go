package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity/approval"
)

type approvalCommands struct {
	List    approvalList    `cmd:"" help:"List what waits for a second person."`
	Confirm approvalConfirm `cmd:"" help:"Confirm what a colleague asked for, and do it, within an hour."`
	Refuse  approvalRefuse  `cmd:"" help:"Refuse it, or withdraw what you asked for yourself."`
}

// answer tells who confirmed what came of it, after it was done.
type answer func(con console) error

// verbs do what a request asks for, each by its name in the request, in the act
// that confirms it: a verb may run again and does nothing outside the database.
// Who asked and who confirmed stand in the request.
var verbs = map[string]func(ctx context.Context, r *service.Records, q approval.Request) (answer, error){
	recordProof:  confirmProof,
	makeRecovery: confirmRecovery,
	closeAccount: confirmClose,
	renumberOwn:  confirmRenumber,
}

// tellAsked says how a request goes on.
func tellAsked(con console, q approval.Request) error {
	_, _ = fmt.Fprintf(con.say, "within an hour, a colleague under their own name: dilys approvals confirm %s\n", q.ID)
	_, err := fmt.Fprintln(con.out, q.ID)
	return err
}

type approvalList struct{}

// Run lists the requests that wait, the oldest first.
func (approvalList) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		waiting, err := r.Approvals.Pending(ctx)
		if err != nil {
			return err
		}
		for _, q := range waiting {
			_, err := fmt.Fprintf(con.out, "%s  %-14s  until %s UTC  by %s  %s  %q\n",
				q.ID, q.Verb, q.Asked.Add(approval.Life).Format(time.TimeOnly), q.AskedBy, orWord(q.Account, "no account"), q.Reason)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

type approvalConfirm struct {
	ID     string `arg:"" help:"The request's reference, such as DIL-7F3K-Q2."`
	Reason string `help:"What you checked, in a few words without the patient's values; it is recorded."`
}

// Run does what was asked for.
func (a approvalConfirm) Run(ctx context.Context, con console, c *cli) error {
	id, err := readReference(a.ID)
	if err != nil {
		return err
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		var told answer
		err := r.Approvals.Confirm(ctx, id, actor(), a.Reason, func(ctx context.Context, q approval.Request) (err error) {
			do, known := verbs[q.Verb]
			if !known {
				return fmt.Errorf("wanted a verb that this program knows, got %.40q", q.Verb)
			}
			told, err = do(ctx, r, q)
			return err
		})
		if err != nil {
			return err
		}
		return told(con)
	})
}

type approvalRefuse struct {
	ID     string `arg:"" help:"The request's reference, such as DIL-7F3K-Q2."`
	Reason string `help:"Why, in a few words without the patient's values; it is recorded."`
}

// Run ends the request.
func (a approvalRefuse) Run(ctx context.Context, con console, c *cli) error {
	id, err := readReference(a.ID)
	if err != nil {
		return err
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		return r.Approvals.Refuse(ctx, id, actor(), a.Reason)
	})
}
