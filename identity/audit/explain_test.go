package audit_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity/audit"
)

func words(cause string) (string, bool) {
	if cause == "vot-not-asked" {
		return "the provider proved less than was asked", true
	}
	return "", false
}

func TestExplain(t *testing.T) {
	full := event("id")
	full.Cause = "vot-not-asked"
	for name, row := range map[string]struct {
		event audit.Event
		want  string
	}{
		"every field": {full, `when       2026-11-21 08:30:00 UTC
what       account.details, ok
why        the provider proved less than was asked (vot-not-asked)
who        patient
account    account
session    handle
provider   nhs-login
service    my-health
fields     email, birthdate
reason     asked on the telephone
reference  DIL-7F3K-Q2
`},
		"what is empty has no line": {
			audit.Event{At: epoch, Kind: audit.KeyRotated, Result: audit.OK},
			"when       2026-11-21 08:30:00 UTC\nwhat       key.rotated, ok\n",
		},
		"a cause without words stands as it is": {
			audit.Event{At: epoch, Kind: audit.LoginRefused, Result: audit.Refused, Cause: "never-heard-of"},
			"when       2026-11-21 08:30:00 UTC\nwhat       login.refused, refused\nwhy        never-heard-of\n",
		},
	} {
		if diff := cmp.Diff(row.want, audit.Explain(row.event, words)); diff != "" {
			t.Errorf("%s (-wanted +got)\n%s", name, diff)
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
