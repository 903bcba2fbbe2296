package audit_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity/audit"
)

// words know one of each.
var words = audit.Words{
	Kind:  know(audit.DetailsRefreshed, "details changed"),
	Step:  know("POST /recover/link", "the mailed link"),
	Cause: know("vot-not-asked", "the provider proved less than was asked"),
}

func know[T comparable](word T, sentence string) func(T) (string, bool) {
	return func(asked T) (string, bool) { return sentence, asked == word }
}

func TestExplain(t *testing.T) {
	full := event("id")
	full.Cause, full.Fields = "vot-not-asked", audit.AtStep("POST /recover/link", full.Fields...)
	for name, row := range map[string]struct {
		event audit.Event
		words audit.Words
		want  string
	}{
		"every field": {full, words, `when       2026-11-21 08:30:00 UTC
what       details changed (account.details), ok
step       the mailed link (POST /recover/link)
why        the provider proved less than was asked (vot-not-asked)
fields     email, birthdate
who        patient
account    account
session    handle
provider   nhs-login
service    my-health
reason     asked on the telephone
reference  DIL-7F3K-Q2
`},
		"what is empty has no line": {
			audit.Event{At: epoch, Kind: audit.KeyRotated, Result: audit.OK},
			words,
			"when       2026-11-21 08:30:00 UTC\nwhat       key.rotated, ok\n",
		},
		"what has no words stands as it is": {
			audit.Event{
				At: epoch, Kind: audit.LoginRefused, Result: audit.Refused, Cause: "never-heard-of", Fields: audit.AtStep("GET /nowhere"),
			},
			words,
			"when       2026-11-21 08:30:00 UTC\nwhat       login.refused, refused\nstep       GET /nowhere\nwhy        never-heard-of\n",
		},
		"nobody has words": {
			audit.Event{At: epoch, Kind: audit.DetailsRefreshed, Result: audit.OK, Cause: "vot-not-asked"},
			audit.Words{},
			"when       2026-11-21 08:30:00 UTC\nwhat       account.details, ok\nwhy        vot-not-asked\n",
		},
	} {
		if diff := cmp.Diff(row.want, audit.Explain(row.event, row.words)); diff != "" {
			t.Errorf("%s (-wanted +got)\n%s", name, diff)
		}
	}
}

func TestStep(t *testing.T) {
	for name, row := range map[string]struct {
		fields  []string
		step    string
		classes []string
	}{
		"none":                           {nil, "", nil},
		"fields alone":                   {[]string{"email"}, "", []string{"email"}},
		"a step alone":                   {audit.AtStep("GET /login"), "GET /login", []string{}},
		"a step and fields":              {audit.AtStep("GET /login", "email", "birthdate"), "GET /login", []string{"email", "birthdate"}},
		"no step and fields":             {audit.AtStep("", "email"), "", []string{"email"}},
		"what looks like one, but later": {[]string{"email", "step GET /login"}, "", []string{"email", "step GET /login"}},
	} {
		e := audit.Event{Fields: row.fields}
		if diff := cmp.Diff(row.classes, e.Classes()); e.Step() != row.step || diff != "" {
			t.Errorf("%s: got step %q and (-wanted +got)\n%s", name, e.Step(), diff)
		}
	}
}

func TestParseHead(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want audit.Batch
		ok   bool
	}{
		"nothing is the zero batch":       {"", audit.Batch{}, true},
		"as the log shows it":             {"12:00ff", audit.Batch{Number: 12, Tag: []byte{0, 0xff}}, true},
		"the greatest number":             {"9223372036854775807:01", audit.Batch{Number: 1<<63 - 1, Tag: []byte{1}}, true},
		"a number beyond that":            {"9223372036854775808:01", audit.Batch{}, false},
		"no tag":                          {"12:", audit.Batch{}, false},
		"no colon":                        {"12", audit.Batch{}, false},
		"no number":                       {":00ff", audit.Batch{}, false},
		"batch nought":                    {"0:00ff", audit.Batch{}, false},
		"below nought":                    {"-1:00ff", audit.Batch{}, false},
		"half a byte":                     {"12:00f", audit.Batch{}, false},
		"a tag that is not hexadecimal":   {"12:00fg", audit.Batch{}, false},
		"a space before":                  {" 12:00ff", audit.Batch{}, false},
		"a line end after":                {"12:00ff\n", audit.Batch{}, false},
		"two heads":                       {"12:00ff:13", audit.Batch{}, false},
		"a number in hexadecimal":         {"0xc:00ff", audit.Batch{}, false},
		"a megabyte that is not a number": {strings.Repeat("a", 1<<20), audit.Batch{}, false},
	} {
		got, err := audit.ParseHead(row.text)
		if (err == nil) != row.ok {
			t.Errorf("%s: got %v", name, err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-wanted +got)\n%s", name, diff)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%s: the error is %d bytes long", name, len(err.Error()))
		}
	}
}

func FuzzParseHead(f *testing.F) {
	for _, seed := range []string{
		"", "1:00", "12:00ff", "12:00FF", "+1:00", "007:aa", "0:00", "-1:00", "9223372036854775808:00", "1:", ":", "1:0", "1:zz", "1:00\n", "1_0:00", "１:00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := audit.ParseHead(s)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if s == "" {
			return
		}
		if b.Number < 1 || len(b.Tag) == 0 || b.Count != 0 || !b.SealedAt.IsZero() {
			t.Fatalf("%q was read as %+v", s, b)
		}
		again, err := audit.ParseHead(b.Head())
		if err != nil || again.Number != b.Number || !bytes.Equal(again.Tag, b.Tag) {
			t.Fatalf("%q became %s, which was read as %+v, %v", s, b.Head(), again, err)
		}
	})
}

// What `audit verify` is given back is what the log showed.
func TestHeadIsReadBack(t *testing.T) {
	b := audit.Batch{Number: 7, SealedAt: epoch, Count: 3, Tag: []byte("\x00tag\xff")}
	if got, want := b.Head(), fmt.Sprintf("7:%x", b.Tag); got != want {
		t.Fatalf("wanted %s, got %s", want, got)
	}
	got, err := audit.ParseHead(b.Head())
	if err != nil || got.Number != b.Number || !bytes.Equal(got.Tag, b.Tag) {
		t.Errorf("got %+v, %v", got, err)
	}
}
