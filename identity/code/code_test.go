package code

import (
	"testing"
	"time"
)

// TestEveryCodeIsAsLikely draws many codes and asks chi-squared of each digit at
// each place; 27.9 is what chance exceeds once in a thousand times with nine degrees
// of freedom, and 60 once in ten thousand million.
func TestEveryCodeIsAsLikely(t *testing.T) {
	const draws, beyondChance = 100_000, 60
	var seen [digits][10]float64
	for range draws {
		c := random().Reveal()
		if len(c) != digits {
			t.Fatalf("wanted six digits, got %d", len(c))
		}
		for place := range digits {
			seen[place][c[place]-'0']++
		}
	}
	for place, counts := range seen {
		sum := 0.0
		for _, n := range counts {
			sum += (n - draws/10) * (n - draws/10) / (draws / 10)
		}
		if sum > beyondChance {
			t.Errorf("place %d: chi-squared %.1f", place, sum)
		}
	}
}

func TestReadTakesACodeAsPeopleTypeIt(t *testing.T) {
	for name, row := range map[string]struct {
		typed string
		want  string
	}{
		"plain":                     {"012345", "012345"},
		"with a gap":                {"012 345", "012345"},
		"with hyphens and spaces":   {" 01-23-45 ", "012345"},
		"a digit too few":           {"01234", ""},
		"a digit too many":          {"0123456", ""},
		"a letter":                  {"01234O", ""},
		"digits of another script":  {"٠١٢٣٤٥", ""},
		"nothing":                   {"", ""},
		"longer than anybody types": {"012345" + string(make([]byte, 100)), ""},
	} {
		if got, ok := read(row.typed); got.Reveal() != row.want || ok != (row.want != "") {
			t.Errorf("%s: wanted %q, got %v", name, row.want, ok)
		}
	}
}

func TestLife(t *testing.T) {
	for _, p := range []Purpose{SignUpPhone, Login, Recover, ChangeEmail, ChangePhone, StepUp} {
		if Life(p) != 10*time.Minute {
			t.Errorf("%s: wanted ten minutes (ASVS 6.5.5), got %s", p, Life(p))
		}
	}
	if Life(SignUpEmail) != 30*time.Minute {
		t.Errorf("wanted half an hour for the first mail, got %s", Life(SignUpEmail))
	}
}
