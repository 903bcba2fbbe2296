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
