package storetest

import (
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
)

// setOut is a journey that was just begun.
func setOut() attempt.Journey {
	return attempt.Journey{
		ID: identity.NewID(), Kind: attempt.SigningUp, Browser: identity.NewToken().Digest(), Version: 1,
		Started: epoch, Seen: epoch, Body: []byte(`{"typed":"` + "\u0174" + `"}`),
	}
}

var journeyRules = []rule{
	{"a journey comes back whole, to its browser and kind alone", func(k *kit) {
		want := setOut()
		k.ok(k.Journeys.BeginJourney(k.ctx, want))
		got, err := k.Journeys.Journey(k.ctx, want.Kind, want.Browser)
		k.ok(err)
		k.same(got, want)
		_, err = k.Journeys.Journey(k.ctx, attempt.LoggingIn, want.Browser)
		k.is(err, identity.ErrNotFound)
		_, err = k.Journeys.Journey(k.ctx, want.Kind, identity.NewToken().Digest())
		k.is(err, identity.ErrNotFound)
	}},
	{"a journey begun again takes the place of the last, which can't be kept any more", func(k *kit) {
		first, second := setOut(), setOut()
		second.Browser = first.Browser
		k.ok(k.Journeys.BeginJourney(k.ctx, first))
		k.ok(k.Journeys.BeginJourney(k.ctx, second))
		got, err := k.Journeys.Journey(k.ctx, first.Kind, first.Browser)
		k.ok(err)
		k.same(got.ID, second.ID)
		k.is(k.Journeys.ReplaceJourney(k.ctx, first, first), identity.ErrConflict)
	}},
	{"of many that read one journey, one replaces it", func(k *kit) {
		read := setOut()
		k.ok(k.Journeys.BeginJourney(k.ctx, read))
		k.oneWon(race(parallel, func(int) error {
			next := read
			next.Version, next.Browser, next.Seen, next.Body = 2, identity.NewToken().Digest(), epoch.Add(time.Minute), []byte("next")
			return k.Journeys.ReplaceJourney(k.ctx, read, next)
		}), identity.ErrConflict)
		_, err := k.Journeys.Journey(k.ctx, read.Kind, read.Browser)
		k.is(err, identity.ErrNotFound)
	}},
	{"a journey that ended is gone, and ends twice without a fault", func(k *kit) {
		j := setOut()
		k.ok(k.Journeys.BeginJourney(k.ctx, j))
		k.ok(k.Journeys.EndJourney(k.ctx, j.ID))
		k.ok(k.Journeys.EndJourney(k.ctx, j.ID))
		_, err := k.Journeys.Journey(k.ctx, j.Kind, j.Browser)
		k.is(err, identity.ErrNotFound)
	}},
	{"what fades is found when it is due, until it was kept anew", func(k *kit) {
		due, later, never := setOut(), setOut(), setOut()
		due.Fades, later.Fades = epoch.Add(time.Minute), epoch.Add(2*time.Minute)
		for _, j := range []attempt.Journey{due, later, never} {
			k.ok(k.Journeys.BeginJourney(k.ctx, j))
		}
		got, err := k.Journeys.FadingJourneys(k.ctx, due.Fades)
		k.ok(err)
		k.same(got, []attempt.Journey{due})
		wiped := due
		wiped.Version, wiped.Fades, wiped.Body = 2, time.Time{}, []byte("nothing")
		k.ok(k.Journeys.ReplaceJourney(k.ctx, due, wiped))
		got, err = k.Journeys.FadingJourneys(k.ctx, due.Fades)
		k.ok(err)
		k.same(len(got), 0)
	}},
	{"an abandoned journey leaves no row", func(k *kit) {
		old, fresh := setOut(), setOut()
		fresh.Started = epoch.Add(time.Microsecond)
		k.ok(k.Journeys.BeginJourney(k.ctx, old))
		k.ok(k.Journeys.BeginJourney(k.ctx, fresh))
		k.ok(k.Journeys.SweepJourneys(k.ctx, fresh.Started))
		_, err := k.Journeys.Journey(k.ctx, old.Kind, old.Browser)
		k.is(err, identity.ErrNotFound)
		_, err = k.Journeys.Journey(k.ctx, fresh.Kind, fresh.Browser)
		k.ok(err)
	}},
}
