package identity

import (
	"strings"
	"testing"
)

func TestReferenceAlphabet(t *testing.T) {
	// Read aloud or copied by hand, these are taken for one another.
	for _, r := range "0O1ILS5B8" {
		if strings.ContainsRune(referenceAlphabet, r) {
			t.Errorf("%c is confused with another", r)
		}
	}
	for i, r := range referenceAlphabet {
		if strings.IndexRune(referenceAlphabet, r) != i {
			t.Errorf("%c stands there twice, and comes twice as often", r)
		}
	}
}

func TestNewReference(t *testing.T) {
	const rounds = 4000
	count := map[rune]int{}
	for range rounds {
		ref := NewReference()
		if len(ref) != len("DIL-7F3K-Q2") || ref[:4] != "DIL-" || ref[8] != '-' {
			t.Fatalf("wanted the form DIL-7F3K-Q2, got %s", ref)
		}
		if again, ok := ParseReference(ref); !ok || again != ref {
			t.Fatalf("%s was read as %q, %v", ref, again, ok)
		}
		for _, r := range ref[4:8] + ref[9:] {
			count[r]++
		}
	}
	// Each letter is as likely as the next: 4000 references hold 889 of each on
	// average, with a deviation of 29; ten deviations off is no accident.
	mean := rounds * 6 / len(referenceAlphabet)
	for _, r := range referenceAlphabet {
		if n := count[r]; n < mean-300 || n > mean+300 {
			t.Errorf("%c came %d times, wanted about %d", r, n, mean)
		}
	}
}

func TestParseReference(t *testing.T) {
	const want = "DIL-7F3K-Q2"
	for name, text := range map[string]string{
		"as it was shown":           want,
		"in small letters":          "dil-7f3k-q2",
		"without hyphens":           "DIL7F3KQ2",
		"with spaces":               "DIL 7F3K Q2",
		"spelled letter by letter":  "d i l 7 f 3 k q 2",
		"with spaces at both ends":  "  DIL-7F3K-Q2 ",
		"hyphens in other places":   "DIL-7-F3KQ-2",
		"hyphens and spaces, mixed": "dil - 7f3k - q2",
	} {
		if got, ok := ParseReference(text); !ok || got != want {
			t.Errorf("%s: %q was read as %q, %v", name, text, got, ok)
		}
	}
	for name, text := range map[string]string{
		"empty":                           "",
		"the first part alone":            "DIL",
		"without the first part":          "7F3K-Q2",
		"a letter short":                  "DIL-7F3K-Q",
		"a letter long":                   "DIL-7F3K-Q22",
		"a nought":                        "DIL-7F3K-Q0",
		"a letter that is never given":    "DIL-7F3K-QO",
		"another first part":              "DYL-7F3K-Q2",
		"another letter inside":           "DIL-7F!K-Q2",
		"a line end":                      "DIL-7F3K-Q2\n",
		"letters of another script":       "DIL-7F3\u041a-Q2",
		"digits of another script":        "DIL-\u0667F3K-Q2",
		"a search for every reference":    "DIL-%%%%-%%",
		"a megabyte":                      "DIL" + strings.Repeat("7", 1<<20),
		"the right letters, but in bytes": "DIL-\xff\xff\xff\xff-\xff\xff",
	} {
		if got, ok := ParseReference(text); ok || got != "" {
			t.Errorf("%s: %.40q was read as %q", name, text, got)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	for _, seed := range []string{"DIL-7F3K-Q2", "dil7f3kq2", " d i l 7 f 3 k q 2 ", "", "DIL", "DIL-7F3K-QO", "DILDILDIL", "d\u0131l7f3kq2", "DIL\xff", "D\u00ad7"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseReference(s)
		if !ok {
			if got != "" {
				t.Fatalf("%q is none, and came out as %q", s, got)
			}
			return
		}
		if len(got) != 11 || got[:4] != "DIL-" || got[8] != '-' || strings.Trim(got[4:8]+got[9:], referenceAlphabet) != "" {
			t.Fatalf("%q came out as %q", s, got)
		}
		if again, ok := ParseReference(got); !ok || again != got {
			t.Fatalf("%q is not stable: %q", got, again)
		}
	})
}

func TestRandomBelowIsBelow(t *testing.T) {
	for _, n := range []int{1, 2, 27, 255, 256} {
		seen := map[int]bool{}
		for range 40 * n {
			got := randomBelow(n)
			if got < 0 || got >= n {
				t.Fatalf("wanted below %d, got %d", n, got)
			}
			seen[got] = true
		}
		if len(seen) != n { // one of 256 is missed with a chance of 256·e⁻⁴⁰
			t.Errorf("of %d numbers %d ever came", n, len(seen))
		}
	}
}

func TestIsToken(t *testing.T) {
	good := NewToken().Reveal()
	for name, row := range map[string]struct {
		text string
		want bool
	}{
		"one of ours":                      {good, true},
		"all noughts":                      {strings.Repeat("A", 43), true},
		"empty":                            {"", false},
		"a character short":                {good[:42], false},
		"a character long":                 {good + "A", false},
		"padded":                           {good + "=", false},
		"bits beyond the 256th":            {good[:42] + "B", false},
		"a line end inside, which decodes": {good[:20] + "\n" + good[20:], false},
		"a line end after":                 {good + "\r\n", false},
		"the other alphabet":               {good[:41] + "+A", false},
		"a name, not a credential":         {NewID(), false},
	} {
		if got := Secret(row.text).IsToken(); got != row.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
