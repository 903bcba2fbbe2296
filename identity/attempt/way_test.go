package attempt_test

import (
	"slices"
	"testing"

	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/factor"
)

// Over every set of factors that an account can have, on and off, and every choice:
// what is asked for is there and on, the choice comes first and only orders, and an
// account whose factors are all off is not one without any.
func TestWaysOverEveryAccount(t *testing.T) {
	const none, on, off = 0, 1, 2
	states := []int{none, on, off}
	order := attempt.Ways{attempt.WayApp, attempt.WayPhone, attempt.WayCard}
	choices := append(attempt.Ways{"", attempt.WayEmail, attempt.WayProvider, "browser"}, order...)
	seen := 0
	for _, app := range states {
		for _, phone := range states {
			for _, card := range states { // off: every code of it is used
				for _, chosen := range choices {
					var f attempt.Factors
					if app != none {
						f.App = factor.TOTP{ID: "app", Off: app == off}
					}
					if phone != none {
						f.Phone = factor.Phone{ID: "phone", Off: phone == off}
					}
					if card != none {
						f.Card = factor.CardState{ID: "card", Left: 2 - card}
					}
					f.Chosen = chosen
					there := map[attempt.Way]bool{attempt.WayApp: app == on, attempt.WayPhone: phone == on, attempt.WayCard: card == on}
					want := slices.DeleteFunc(slices.Clone(order), func(w attempt.Way) bool { return !there[w] || w == chosen })
					if there[chosen] {
						want = append(attempt.Ways{chosen}, want...)
					}
					got := f.Ways()
					if !slices.Equal(got, want) {
						t.Errorf("app %d, phone %d, card %d, chosen %q: wanted %v, got %v", app, phone, card, chosen, want, got)
					}
					if stopped := len(want) == 0 && (app == off || phone == off); f.Stopped() != stopped {
						t.Errorf("app %d, phone %d, card %d: stopped %v", app, phone, card, f.Stopped())
					}
					for _, w := range order {
						if spares := len(want) > 1 || len(want) == 1 && want[0] != w; f.Spares(w) != spares {
							t.Errorf("app %d, phone %d, card %d: without %s: %v", app, phone, card, w, f.Spares(w))
						}
					}
					seen++
				}
			}
		}
	}
	if seen != 27*len(choices) {
		t.Errorf("saw %d accounts", seen)
	}
}
