package factor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
)

func TestChallengesAreBound(t *testing.T) {
	browser, other := identity.NewToken().Digest(), identity.NewToken().Digest()
	for name, row := range map[string]struct {
		purpose factor.Purpose
		browser identity.Digest
		after   time.Duration
		change  func([]byte) []byte
		want    error
	}{
		"as it was given out":     {factor.ForLogin, browser, 0, nil, nil},
		"a second before its end": {factor.ForLogin, browser, factor.ChallengeLife - time.Second, nil, nil},
		"at its end":              {factor.ForLogin, browser, factor.ChallengeLife, nil, identity.ErrExpired},
		"for a step-up":           {factor.ForStepUp, browser, 0, nil, identity.ErrForeign},
		"for making one":          {factor.ForMaking, browser, 0, nil, identity.ErrForeign},
		"in another browser":      {factor.ForLogin, other, 0, nil, identity.ErrForeign},
		"in none":                 {factor.ForLogin, identity.Digest{}, 0, nil, identity.ErrForeign},
		"with another end":        {factor.ForLogin, browser, 0, func(c []byte) []byte { c[20]++; return c }, identity.ErrForeign},
		"with another pepper":     {factor.ForLogin, browser, 0, func(c []byte) []byte { c[27]++; return c }, identity.ErrForeign},
		"cut":                     {factor.ForLogin, browser, 0, func(c []byte) []byte { return c[:28] }, identity.ErrForeign},
		"longer":                  {factor.ForLogin, browser, 0, func(c []byte) []byte { return append(c, 0) }, identity.ErrForeign},
		"nothing":                 {factor.ForLogin, browser, 0, func([]byte) []byte { return nil }, identity.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c, err := r.NewChallenge(factor.ForLogin, browser)
			if err != nil {
				t.Fatal(err)
			}
			if row.change != nil {
				c = row.change(c)
			}
			r.now = r.now.Add(row.after)
			if err := r.SpendChallenge(t.Context(), row.purpose, row.browser, c); !errors.Is(err, row.want) {
				t.Errorf("wanted %v, got %v", row.want, err)
			}
			if row.want != nil {
				return
			}
			if err := r.SpendChallenge(t.Context(), row.purpose, row.browser, c); !errors.Is(err, identity.ErrSpent) {
				t.Errorf("a second time: got %v", err)
			}
		})
	}
}
