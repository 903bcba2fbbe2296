package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/password"
	"github.com/dilys-id/dilys/identity/session"
)

type accountFind struct {
	reason
	What string `arg:"" optional:"" help:"An account id. Leave it out to give an NHS number, e-mail address or phone number on standard input, where no process list shows it."`
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
			if _, err := fmt.Fprintln(con.out, brief(a)); err != nil {
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

// brief is an account in a line: what tells it from others of the same number.
func brief(a account.Account) string {
	best, _ := a.Best()
	doors := make([]string, 0, len(a.Links))
	for _, l := range a.Links {
		doors = append(doors, l.Provider)
	}
	line := fmt.Sprintf("%s  %s  since %s  %s  %s", a.ID, a.State, a.Created.Format(time.DateOnly), best.Level, strings.Join(doors, "+"))
	if a.Frozen() != "" {
		line += "  frozen"
	}
	return line
}

type accountShow struct {
	reason
	ID string `arg:"" help:"The account's id."`
}

// Run shows what an operator may know: which fields and factors there are, never
// their values.
func (s accountShow) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		found, err := r.Accounts.Find(ctx, s.ID, actor(), s.Reason)
		if err != nil {
			return err
		}
		if len(found) != 1 || found[0].ID != s.ID {
			return fmt.Errorf("account: %w", identity.ErrNotFound)
		}
		now := time.Now()
		k, err := learn(ctx, r, found[0], now)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(con.out, k.screen(now))
		return err
	})
}

// standings is how an account stands, as far as it is shown.
type standings struct {
	account.Account
	password password.Record // zero: none
	factors  attempt.Factors
	passkeys []factor.Passkey
	browsers []factor.Browser
	letIn    factor.Recovery // zero: none
	changes  []account.Change
	waiting  []approval.Request
	locks    []attempt.Lock
	sessions []session.Session
	refused  []audit.Event // the newest first
}

// Refusals that a patient may call about.
const (
	lastEvents = 200 // of the account are looked through for them
	lately     = 7 * 24 * time.Hour
)

// learn reads how the account stands.
func learn(ctx context.Context, r *service.Records, a account.Account, now time.Time) (standings, error) {
	k := standings{Account: a}
	var errs [10]error
	k.password, errs[0] = r.DB.Passwords().Password(ctx, a.ID)
	k.factors, errs[1] = attempt.FactorsOf(ctx, r.Factors, a.ID)
	k.browsers, errs[2] = r.Factors.List(ctx, a.ID)
	k.letIn, errs[3] = r.Factors.LastRecovery(ctx, a.ID)
	k.changes, errs[4] = r.Accounts.Waiting(ctx, a)
	k.waiting, errs[5] = r.Approvals.Pending(ctx)
	k.locks, errs[6] = attempt.Locks(ctx, r.Limits, a, k.browsers)
	k.sessions, errs[7] = r.Sessions.List(ctx, a.ID)
	k.refused, errs[8] = r.DB.Audit().EventsOf(ctx, a.ID, lastEvents)
	k.passkeys, errs[9] = r.Factors.Passkeys(ctx, a.ID)
	for _, err := range errs {
		if err != nil && !errors.Is(err, identity.ErrNotFound) { // that there is none is what is shown
			return k, err
		}
	}
	k.waiting = slices.DeleteFunc(k.waiting, func(q approval.Request) bool { return q.Account != a.ID })
	k.refused = slices.DeleteFunc(k.refused, func(e audit.Event) bool { return e.Result == audit.OK || now.Sub(e.At) > lately })
	return k, nil
}

// page collects the lines of a screen.
type page struct{ strings.Builder }

func (p *page) line(label, format string, args ...any) {
	fmt.Fprintf(p, "%-10s %s\n", label, fmt.Sprintf(format, args...))
}

// several writes a line for each of the first few, and how many more there are: the
// whole must fit on one screen.
func several[T any](p *page, label string, all []T, say func(T) string) {
	const few = 4
	for i, one := range all {
		if i == few {
			p.line(label, "and %d more", len(all)-few)
			return
		}
		p.line(label, "%s", say(one))
	}
}

// screen is all that is shown, in times of UTC.
func (k standings) screen(now time.Time) string {
	p := &page{}
	p.line("account", "%s, times in UTC", k.ID)
	p.line("state", "%s, made %s", k.State, moment(k.Created))
	if k.MergedInto != "" {
		p.line("merged", "it became a part of %s, on whose record what happens to its patient is kept", k.MergedInto)
	}
	if !k.TookIn.IsZero() {
		p.line("merged", "another account became a part of it, %s; services that knew that one still do, by its id", moment(k.TookIn))
	}
	p.line("language", "%s", orWord(k.Language, "not chosen"))
	for _, l := range k.Links {
		showLink(p, l)
	}
	if !k.Recovered.IsZero() {
		p.line("let in", "by people, %s; what was bound since carries nothing until %s", moment(k.Recovered), moment(k.Recovered.Add(account.RecoveryHold)))
	}
	if k.Quiet {
		p.line("quiet", "on: somebody else may read or hear what reaches this patient; leave no message")
	}
	k.showFactors(p, now)
	k.showWaiting(p, now)
	several(p, "session", k.sessions, func(s session.Session) string {
		return fmt.Sprintf("%s, since %s, seen %s, %s", s.Trust, moment(s.Created), moment(s.Seen), s.Device)
	})
	several(p, "refused", k.refused, sayRefused)
	return p.String()
}

func showLink(p *page, l account.Link) {
	level := l.Level.String()
	if l.Basis != "" {
		level += " by " + string(l.Basis)
	}
	p.line("linked", "%s, level %s, first %s, last %s, gave %s", l.Provider, level, moment(l.First), moment(l.Last),
		strings.Join(identity.Details{}.Changed(l.Details), " "))
	if l.Frozen != "" {
		words, _ := service.ExplainCause(string(l.Frozen))
		p.line("frozen", "%s: %s; it speaks for no record, its level was %s", l.Frozen, words, l.Before)
	}
	if l.Standing != identity.Living {
		p.line("register", "%s, as read on %s", l.Standing, l.Checked.Format(time.DateOnly))
	}
}

// showFactors tells what opens the account, with the level that each carries.
func (k standings) showFactors(p *page, now time.Time) {
	held := func(bound time.Time) string {
		if until := k.Held(bound); now.Before(until) {
			return ", carries nothing until " + moment(until)
		}
		return ""
	}
	if k.password.PHC != "" {
		p.line("password", "%s, set %s%s", k.password.Level, moment(k.password.Set), held(k.password.Set))
	}
	if app := k.factors.App; app.ID != "" {
		p.line("app", "%s, set up %s%s%s", app.Level, moment(app.Bound), held(app.Bound), switchedOff(app.Off))
	}
	if phone := k.factors.Phone; phone.ID != "" {
		p.line("phone", "%s, bound %s%s%s", phone.Level, moment(phone.Bound), held(phone.Bound), switchedOff(phone.Off))
	}
	several(p, "passkey", k.passkeys, func(key factor.Passkey) string {
		return fmt.Sprintf("%s, made %s%s%s", key.Level, moment(key.Bound), held(key.Bound), switchedOff(key.Off))
	})
	switch card := k.factors.Card; {
	case card.ID != "":
		p.line("card", "%s, made %s%s, %d codes left", card.Level, moment(card.Made), held(card.Made), card.Left)
	case !card.Declined.IsZero():
		p.line("card", "none, declined %s", moment(card.Declined))
	}
	if k.factors.Chosen != "" {
		p.line("first", "%s is asked for first", k.factors.Chosen)
	}
	several(p, "browser", k.browsers, func(b factor.Browser) string {
		said := fmt.Sprintf("%s, seen %s", b.Device, moment(b.Seen))
		if b.Remembered.IsZero() {
			return said
		}
		return fmt.Sprintf("%s, remembered until %s, %s", said, moment(b.Remembered), b.Level)
	})
}

func switchedOff(off bool) string {
	if !off {
		return ""
	}
	return ", off: too many wrong codes"
}

// showWaiting tells what is locked, and what is to come.
func (k standings) showWaiting(p *page, now time.Time) {
	several(p, "locked", k.locks, func(l attempt.Lock) string {
		what := l.What
		if l.Known {
			what += " in " + orWord(l.Device, "a browser that is known")
		}
		if l.Until.IsZero() {
			return what + ", until the patient sets it up anew"
		}
		return what + ", until " + moment(l.Until)
	})
	if k.letIn.ID != "" {
		p.line("code", "%s, to let the patient in, by %s and %s, %s", k.letIn.ID, k.letIn.IssuedBy, k.letIn.ConfirmedBy, sayLetIn(k.letIn, now))
	}
	several(p, "change", k.changes, func(c account.Change) string {
		return fmt.Sprintf("%s, asked for %s, takes place %s", c.Field(), moment(c.Asked), moment(c.Opens))
	})
	several(p, "waits", k.waiting, func(q approval.Request) string {
		return fmt.Sprintf("%s, %s, asked for by %s, for a colleague until %s", q.ID, q.Verb, q.AskedBy, moment(q.Asked.Add(approval.Life)))
	})
}

func sayLetIn(c factor.Recovery, now time.Time) string {
	switch {
	case !c.Spent.IsZero():
		return "used " + moment(c.Spent)
	case c.Over(now) != nil:
		return "over since " + moment(c.Expires)
	}
	return "good until " + moment(c.Expires)
}

// sayRefused tells what a patient may call about. The reference leads to the rest.
func sayRefused(e audit.Event) string {
	why, known := service.ExplainCause(e.Cause)
	if !known {
		why = e.Cause
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s", moment(e.At), why, e.Reference))
}

// moment writes an instant to the minute.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func orWord(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
