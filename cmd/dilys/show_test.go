package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/password"
)

const deskConfig = `public_url: http://localhost:8080
listen: 127.0.0.1:8080
operations_listen: 127.0.0.1:9090
insecure_loopback: true
database: sqlite:%[1]s/dilys.db
keys: %[1]s/keys
languages: [en, cy]
organisation:
  name: {en: Example Health Board, cy: Bwrdd Iechyd Enghreifftiol}
  help: {phone: 01632 960123, email: help@example.org}
sign_up: {enabled: true, test_nhs_numbers: true}
courier:
  email: {kind: smtp, address: "127.0.0.1:2525", from: a@example.org}
`

// desk is a help desk over a database of its own.
type desk struct {
	t      *testing.T
	config string
	*service.Records
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	t.Setenv("SUDO_UID", "40001")
	dir := t.TempDir()
	d := &desk{t: t, config: filepath.Join(dir, "dilys.yaml")}
	d.ok(os.WriteFile(d.config, fmt.Appendf(nil, deskConfig, dir), 0o600))
	for _, command := range [][]string{{"keys", "init"}, {"migrate"}} {
		if code, _, said := d.run(command...); code != done {
			t.Fatalf("%v: %s", command, said)
		}
	}
	config, err := service.Load(d.config, time.Now())
	d.ok(err)
	d.Records, err = service.OpenRecords(t.Context(), config, time.Now)
	d.ok(err)
	t.Cleanup(func() { _ = d.DB.Close() })
	return d
}

func (d *desk) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// run runs the program with that configuration.
func (d *desk) run(args ...string) (code int, out, said string) {
	var o, s strings.Builder
	code = run(append(args, "--config", d.config), console{&o, &s})
	return code, o.String(), s.String()
}

// typing gives the program that line on standard input.
func (d *desk) typing(line string, args ...string) (code int, out, said string) {
	d.t.Helper()
	in := filepath.Join(d.t.TempDir(), "typed")
	d.ok(os.WriteFile(in, []byte(line+"\n"), 0o600))
	typed, err := os.Open(in)
	d.ok(err)
	stdin := os.Stdin
	os.Stdin = typed
	defer func() { os.Stdin = stdin; _ = typed.Close() }()
	return d.run(args...)
}

// act does something of the service's within an act of its own.
func (d *desk) act(fn func(context.Context) error) {
	d.t.Helper()
	d.ok(d.Ledger.Act(d.t.Context(), &audit.Event{Kind: audit.SessionRaised, Actor: audit.Patient}, fn))
}

// open opens the account of a made-up patient.
func (d *desk) open(number, email, phone string) account.Account {
	d.t.Helper()
	details, err := identity.Revealed{
		NHSNumber: number, GivenName: "Gwen", FamilyName: "Arwydd", BirthDate: "1985-05-17",
		Email: email, EmailVerified: true, Phone: phone, PhoneVerified: true,
	}.Details()
	d.ok(err)
	var a account.Account
	d.act(func(ctx context.Context) (err error) {
		a, err = d.Accounts.Open(ctx, account.SignUp{Details: details, Level: identity.P5, Basis: identity.BasisRegister, Language: "cy"})
		return err
	})
	return a
}

// furnish gives the account one of everything that is shown.
func (d *desk) furnish(a account.Account) {
	d.t.Helper()
	ctx, now := d.t.Context(), time.Now().UTC()
	d.ok(d.DB.Passwords().SetPassword(ctx, a.ID, password.Record{PHC: "$argon2id$kept", Level: identity.P5, Set: now}))
	_, err := d.Factors.BindPhone(ctx, a.ID, a.Details().Phone, identity.P5)
	d.ok(err)
	d.ok(d.DB.Factors().PutTOTP(ctx, factor.TOTP{ID: identity.NewID(), Account: a.ID, Seed: factor.NewSeed(), Level: identity.P0, Bound: now, Off: true}))
	_, err = d.Factors.MakeCard(ctx, a.ID, identity.P5)
	d.ok(err)
	d.ok(d.Factors.Choose(ctx, a.ID, factor.KindTOTP))
	for i := range 6 {
		d.ok(d.Factors.Saw(ctx, factor.Browser{
			Account: a.ID, Browser: identity.NewToken().Digest(), Device: fmt.Sprintf("Firefox %d on Linux", i), Epoch: a.Epoch,
			Level: identity.P5, Remembered: now.Add(time.Hour),
		}))
	}
	_, _, err = d.Factors.IssueRecovery(ctx, factor.Recovery{Account: a.ID, IssuedBy: "operator:one", ConfirmedBy: "operator:two"}, "lost phone")
	d.ok(err)
	email, err := identity.ParseEmail("newydd@example.com")
	d.ok(err)
	d.act(func(ctx context.Context) error {
		_, _, err := d.Accounts.Hold(ctx, account.Change{Account: a.ID, Channel: identity.ByEmail, New: identity.Details{Email: email, EmailVerified: true}, Epoch: a.Epoch})
		return err
	})
	_, err = d.Approvals.Ask(ctx, approval.Request{Verb: makeRecovery, Account: a.ID, AskedBy: "operator:one", Reason: "lost it again"})
	d.ok(err)
	_, err = d.Approvals.Ask(ctx, approval.Request{Verb: makeRecovery, Account: "another's", AskedBy: "operator:one", Reason: "lost it again"})
	d.ok(err)
	d.guess("password:"+a.Details().Email.Canonical(), d.Limits.Rates().Password)
	d.guess("card:"+a.ID, limit.Policy{Name: "code", Ever: 100})
	d.ok(d.Ledger.Record(ctx, audit.Event{
		Kind: audit.AccessRefused, Result: audit.Refused, Actor: audit.Patient, Account: a.ID, Reference: "DIL-7F3K-Q2", Cause: "code-guesses",
	}))
}

// guess guesses wrong until nothing is judged any more.
func (d *desk) guess(key string, p limit.Policy) {
	d.t.Helper()
	for {
		err := d.Limits.Pay(d.t.Context(), key, p)
		if exceeded := (*limit.Exceeded)(nil); errors.As(err, &exceeded) || errors.Is(err, limit.ErrEnded) {
			return
		}
		d.ok(err)
	}
}

// shown is the screen as it must be, where @ is a time.
const shown = `account    ID, times in UTC
state      active, made @
language   cy
linked     dilys, level P5 by register, first @, last @, gave nhs_number given_name family_name birthdate email phone_number
password   P5, set @
app        P0, set up @, off: too many wrong codes
phone      P5, bound @
card       P5, made @, 10 codes left
first      totp is asked for first
browser    Firefox N on Linux, seen @, remembered until @, P5
browser    Firefox N on Linux, seen @, remembered until @, P5
browser    Firefox N on Linux, seen @, remembered until @, P5
browser    Firefox N on Linux, seen @, remembered until @, P5
browser    and 2 more
locked     password, until @
locked     card, until the patient sets it up anew
code       REF, to let the patient in, by operator:one and operator:two, good until @
change     email, asked for @, takes place @
waits      REF, recovery-code, asked for by operator:one, for a colleague until @
refused    @: too many codes of the account were wrong today; which sort, the fields say REF
`

func TestShowIsOneScreenWithoutValues(t *testing.T) {
	d := newDesk(t)
	a := d.open("9991000003", "gwen@example.com", "07700900201")
	d.furnish(a)
	before, err := d.DB.Audit().EventsOf(t.Context(), a.ID, lastEvents)
	d.ok(err)
	for range 2 { // and a look changes nothing that the next one sees
		code, out, said := d.run("accounts", "show", a.ID, "--reason", "patient called")
		if code != done {
			t.Fatalf("got %d: %s", code, said)
		}
		got := strings.ReplaceAll(out, a.ID, "ID")
		for pattern, sign := range map[string]string{`\d{4}-\d{2}-\d{2} \d{2}:\d{2}`: "@", `DIL-\w{4}-\w{2}`: "REF", `Firefox \d`: "Firefox N"} {
			got = regexp.MustCompile(pattern).ReplaceAllString(got, sign)
		}
		if got != shown {
			t.Errorf("wanted\n%s\ngot\n%s", shown, got)
		}
		const screen = 24
		if lines := strings.Count(out, "\n"); lines > screen {
			t.Errorf("wanted one screen, got %d lines", lines)
		}
		for _, value := range []string{"9991000003", "Gwen", "Arwydd", "1985", "gwen@", "900201", "newydd", "argon2id"} {
			if strings.Contains(out+said, value) {
				t.Errorf("a value is shown: %s", value)
			}
		}
	}
	after, err := d.DB.Audit().EventsOf(t.Context(), a.ID, lastEvents)
	d.ok(err)
	if looked := after[0]; len(after) != len(before)+2 || looked.Kind != audit.AccountLookedUp || looked.Actor != "operator:uid-40001" || looked.Reason != "patient called" {
		t.Errorf("wanted each look recorded, got %d events more, %+v", len(after)-len(before), looked)
	}
}

// What makes an account stand otherwise than others is on its screen.
func TestShowTellsWhatIsUnusual(t *testing.T) {
	for name, row := range map[string]struct {
		do   func(d *desk, a account.Account)
		want string
	}{
		"nothing is known of a stranger to the account": {func(*desk, account.Account) {}, "\nlinked     dilys, level P5 by register"},
		"disabled": {func(d *desk, a account.Account) {
			d.ok(d.Accounts.Disable(d.t.Context(), a.ID, "operator:one", "asked for"))
		}, "\nstate      disabled, made "},
		"a frozen record": {func(d *desk, a account.Account) {
			d.act(func(ctx context.Context) error {
				_, err := d.Accounts.Freeze(ctx, a.ID, account.Alarm{Cause: identity.FrozenNotMyNumber, Actor: audit.Patient})
				return err
			})
		}, "\nfrozen     not-my-number: the patient said that the NHS number is not theirs; it speaks for no record, its level was P5\n"},
		"let in by people, and what was bound since": {func(d *desk, a account.Account) {
			d.act(func(ctx context.Context) error { _, err := d.Accounts.Recover(ctx, a.ID); return err })
			_, err := d.Factors.BindPhone(d.t.Context(), a.ID, a.Details().Phone, identity.P0)
			d.ok(err)
		}, ", carries nothing until "},
		"a patient whom somebody else may watch": {func(d *desk, a account.Account) {
			d.ok(d.Accounts.SetQuiet(d.t.Context(), a.ID, "", true))
		}, "\nquiet      on: "},
		"a card that was declined": {func(d *desk, a account.Account) {
			d.ok(d.Factors.DeclineCard(d.t.Context(), a.ID))
		}, "\ncard       none, declined "},
		"a code to let in that was used": {func(d *desk, a account.Account) {
			code, _, err := d.Factors.IssueRecovery(d.t.Context(), factor.Recovery{Account: a.ID, IssuedBy: "operator:one", ConfirmedBy: "operator:two"}, "lost phone")
			d.ok(err)
			_, err = d.Factors.SpendRecovery(d.t.Context(), a.ID, code)
			d.ok(err)
		}, "operator:two, used "},
		"codes on paper that were guessed at": {func(d *desk, a account.Account) {
			d.guess("handed:"+a.ID, limit.Defaults.Code)
		}, "\nlocked     activation_code, until "},
		"a password that was guessed at in a browser that is known": {func(d *desk, a account.Account) {
			browser := identity.NewToken().Digest()
			d.ok(d.Factors.Saw(d.t.Context(), factor.Browser{Account: a.ID, Browser: browser, Device: "Safari on iPhone", Epoch: a.Epoch}))
			known, err := d.Factors.Known(d.t.Context(), a.ID, browser)
			d.ok(err)
			d.guess("password:"+a.Details().Email.Canonical()+":"+known.ID, d.Limits.Rates().Password)
		}, "\nlocked     password in Safari on iPhone, until "},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			a := d.open("9991000003", "gwen@example.com", "07700900201")
			row.do(d, a)
			if code, out, said := d.run("accounts", "show", a.ID, "--reason", "patient called"); code != done || !strings.Contains(out, row.want) {
				t.Errorf("wanted %q, got %d %s\n%s", row.want, code, said, out)
			}
		})
	}
}

func TestFind(t *testing.T) {
	d := newDesk(t)
	one, two := d.open("9991000003", "gwen@example.com", "07700900201"), d.open("9991000070", "arall@example.com", "07700900201")
	d.act(func(ctx context.Context) error {
		_, err := d.Accounts.Freeze(ctx, two.ID, account.Alarm{Cause: identity.FrozenNotMyNumber, Actor: audit.Patient})
		return err
	})
	day := time.Now().UTC().Format(time.DateOnly)
	first := one.ID + "  active  since " + day + "  P5  dilys\n"
	second := two.ID + "  active  since " + day + "  P0  dilys  frozen\n"
	for name, row := range map[string]struct {
		typed string
		want  []string
	}{
		"by id":                               {one.ID, []string{first}},
		"by NHS number, as it is read":        {"999 100 0003", []string{first}},
		"by e-mail, in another case":          {"GWEN@Example.com", []string{first}},
		"by a phone that two share":           {"+44 7700 900201", []string{first, second}},
		"by a phone, as it is written here":   {"07700 900 201", []string{first, second}},
		"by what nobody has":                  {"07700 900999", nil},
		"by what is neither number nor words": {"??", nil},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, said := d.typing(row.typed, "accounts", "find", "--reason", "patient called")
			if (code == done) != (row.want != nil) || len(out) != len(strings.Join(row.want, "")) {
				t.Errorf("wanted %q, got %d %q %q", row.want, code, out, said)
			}
			for _, line := range row.want {
				if !strings.Contains(out, line) {
					t.Errorf("wanted %q in %q", line, out)
				}
			}
		})
	}
	if code, _, said := d.run("accounts", "find", one.ID); code != usage || !strings.Contains(said, "reason") {
		t.Errorf("wanted a reason asked for, got %d %q", code, said)
	}
	if code, out, _ := d.run("accounts", "show", "nobody", "--reason", "patient called"); code != failed || out != "" {
		t.Errorf("wanted nobody shown, got %d %q", code, out)
	}
}
