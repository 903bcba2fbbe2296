package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
)

// What staff choose from and what they ask for stand in events as causes.
func TestEveryBasisAndVerbIsExplained(t *testing.T) {
	field, _ := reflect.TypeFor[proofRecord]().FieldByName("Documents")
	words := append(strings.Split(field.Tag.Get("enum"), ","), "practice")
	for verb := range verbs {
		words = append(words, verb)
	}
	for _, word := range words {
		if _, known := service.ExplainCause(word); !known {
			t.Errorf("%q has no words", word)
		}
	}
}

// A patient who comes on the day that her paper names is in time, all of it.
func TestThePaperNamesADayThatIsWholly(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ end, english, welsh string }{
		"an afternoon in winter":     {"2026-12-12T15:00:00Z", "11 December 2026", "11 Rhagfyr 2026"},
		"an afternoon in summer":     {"2026-07-12T15:00:00Z", "11 July 2026", "11 Gorffennaf 2026"},
		"a minute past midnight":     {"2026-12-12T00:01:00Z", "11 December 2026", "11 Rhagfyr 2026"},
		"late in a summer's evening": {"2026-07-11T23:30:00Z", "10 July 2026", "10 Gorffennaf 2026"},
		"late in a winter's evening": {"2026-12-12T23:30:00Z", "11 December 2026", "11 Rhagfyr 2026"},
		"the first of a year":        {"2027-01-01T10:00:00Z", "31 December 2026", "31 Rhagfyr 2026"},
	} {
		end, err := time.Parse(time.RFC3339, row.end)
		if err != nil {
			t.Fatal(err)
		}
		var out, say strings.Builder
		h := factor.Handed{ID: "DIL-7F3K-Q2", Expires: end}
		if err := handOver(console{&out, &say}, "https://login.example.org", identity.Secret("7F3K-Q2MA-W9TX-4C"), h); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{row.english, row.welsh, "https://login.example.org", "Your code: 7F3K-Q2MA-W9TX-4C", "Eich cod: 7F3K-Q2MA-W9TX-4C", "DIL-7F3K-Q2"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: wanted %q in %s", name, want, out.String())
			}
		}
		if by := lastWholeDay(end); end.In(london).Format(time.DateOnly) <= by.Format(time.DateOnly) {
			t.Errorf("%s: the code ends within the day that the paper names", name)
		}
	}
}
