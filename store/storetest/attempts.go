package storetest

import (
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
)

// begun is an attempt, every field filled that a beginning fills.
func begun() attempt.Attempt {
	return attempt.Attempt{
		ID: identity.NewID(), Provider: "nhs-login", Browser: identity.NewToken().Digest(), Session: identity.NewID(),
		Return: attempt.Return{Request: identity.NewID(), Path: "/account?a=b"}, Door: attempt.Door{MinimumAge: 16, Floor: identity.P9},
		Shared: true, InApp: true, Linking: true, Language: "cy", Started: epoch, Challenge: []byte("state, nonce\x00and verifier\xff"),
	}
}

// claim is a claim of nobody's.
func claim() attempt.Claim {
	return attempt.Claim{Browser: identity.NewToken().Digest(), Provider: "nhs-login", At: epoch.Add(time.Minute)}
}

// claimOf is the claim that the attempt's own answer makes.
func claimOf(a attempt.Attempt) attempt.Claim {
	return attempt.Claim{Browser: a.Browser, Provider: a.Provider, At: epoch.Add(time.Minute)}
}

// begin adds an attempt and returns it with the digest of its state.
func (k *kit) begin() (identity.Digest, attempt.Attempt) {
	k.Helper()
	state, a := identity.NewToken().Digest(), begun()
	k.ok(k.Attempts.Create(k.ctx, state, a))
	return state, a
}

var attemptRules = []rule{
	{"an attempt is taken once, whole", func(k *kit) {
		state, want := k.begin()
		got, err := k.Attempts.Spend(k.ctx, state, claimOf(want), epoch)
		k.ok(err)
		want.Spent = epoch.Add(time.Minute)
		k.same(got, want)
		got, err = k.Attempts.Spend(k.ctx, state, claimOf(want), epoch)
		k.is(err, identity.ErrSpent)
		k.same(got, want)
	}},
	{"the attempts of a browser follow its new value, and nobody else's do", func(k *kit) {
		state, a := k.begin()
		elsewhere, other := k.begin()
		next := claim()
		k.ok(k.Attempts.Rebind(k.ctx, a.Browser, next.Browser))
		_, err := k.Attempts.Spend(k.ctx, state, claimOf(a), epoch)
		k.is(err, identity.ErrForeign)
		_, err = k.Attempts.Spend(k.ctx, elsewhere, next, epoch)
		k.is(err, identity.ErrForeign)
		got, err := k.Attempts.Spend(k.ctx, state, next, epoch)
		k.ok(err)
		k.same(got.Followed, true)
		got, err = k.Attempts.Spend(k.ctx, elsewhere, claimOf(other), epoch)
		k.ok(err)
		k.same(got.Followed, false)
		bound, err := k.Attempts.Bound(k.ctx, a.ID)
		k.ok(err)
		k.same(bound, next.Browser)
		_, err = k.Attempts.Bound(k.ctx, identity.NewID())
		k.is(err, identity.ErrNotFound)
	}},
	{"a refused attempt is remembered of its browser, and follows it nowhere", func(k *kit) {
		_, a := k.begin()
		refused := func(d identity.Digest) bool {
			was, err := k.Attempts.Refused(k.ctx, d)
			k.ok(err)
			return was
		}
		k.same(refused(a.Browser), false)
		a.Refused = "under-age"
		k.ok(k.Attempts.Close(k.ctx, a))
		k.same(refused(a.Browser), true)
		next := claim().Browser
		k.ok(k.Attempts.Rebind(k.ctx, a.Browser, next))
		k.same(refused(next), false)
	}},
	{"why an attempt is not taken, in that order, and that nothing is changed by it", func(k *kit) {
		state, a := k.begin()
		later := epoch.Add(time.Microsecond)
		own, foreign, elsewhere, nowhere := claimOf(a), claimOf(a), claimOf(a), claimOf(a)
		foreign.Browser, elsewhere.Provider, nowhere.Browser = identity.NewToken().Digest(), "other", identity.Digest{}
		for _, row := range []struct {
			claim attempt.Claim
			since time.Time
			want  error
		}{
			{foreign, epoch, identity.ErrForeign},
			{elsewhere, epoch, identity.ErrForeign},
			{nowhere, epoch, identity.ErrForeign},
			{foreign, later, identity.ErrForeign},
			{own, later, identity.ErrExpired},
		} {
			got, err := k.Attempts.Spend(k.ctx, state, row.claim, row.since)
			k.is(err, row.want)
			k.same(got, a)
		}
		_, err := k.Attempts.Spend(k.ctx, state, own, epoch)
		k.ok(err)
		_, err = k.Attempts.Spend(k.ctx, state, foreign, epoch)
		k.is(err, identity.ErrForeign)
		_, err = k.Attempts.Spend(k.ctx, state, own, later)
		k.is(err, identity.ErrExpired)
	}},
	{"unknown", func(k *kit) {
		_, a := k.begin()
		for _, state := range []identity.Digest{identity.NewToken().Digest(), {}} {
			got, err := k.Attempts.Spend(k.ctx, state, claimOf(a), epoch)
			k.is(err, identity.ErrNotFound)
			k.same(got, attempt.Attempt{})
		}
	}},
	{"no browser is not a match for an attempt of no browser", func(k *kit) {
		a, state := begun(), identity.NewToken().Digest()
		a.Browser = identity.Digest{}
		k.ok(k.Attempts.Create(k.ctx, state, a))
		_, err := k.Attempts.Spend(k.ctx, state, claimOf(a), epoch)
		k.is(err, identity.ErrForeign)
	}},
	{"a claim at no time is a claim", func(k *kit) {
		state, a := k.begin()
		c := claimOf(a)
		c.At = time.Time{}
		_, err := k.Attempts.Spend(k.ctx, state, c, epoch)
		k.ok(err)
		_, err = k.Attempts.Spend(k.ctx, state, c, epoch)
		k.is(err, identity.ErrSpent)
	}},
	{"an id and a state are never given twice", func(k *kit) {
		state, a := k.begin()
		k.is(k.Attempts.Create(k.ctx, state, begun()), identity.ErrConflict)
		k.is(k.Attempts.Create(k.ctx, identity.NewToken().Digest(), a), identity.ErrConflict)
	}},
	{"how it ended is kept, and a later answer still tells why not", func(k *kit) {
		for _, end := range []attempt.Attempt{{Opened: identity.NewID()}, {Refused: "consent-not-given"}} {
			state, a := k.begin()
			a, err := k.Attempts.Spend(k.ctx, state, claimOf(a), epoch)
			k.ok(err)
			a.Opened, a.Refused = end.Opened, end.Refused
			k.ok(k.Attempts.Close(k.ctx, a))
			got, err := k.Attempts.Spend(k.ctx, state, claimOf(a), epoch)
			k.is(err, identity.ErrSpent)
			k.same(got, a)
		}
		k.ok(k.Attempts.Close(k.ctx, attempt.Attempt{ID: "swept"}))
	}},
	{"race: of many answers to one attempt one is taken", func(k *kit) {
		state, a := k.begin()
		k.oneWon(race(parallel, func(int) error {
			got, err := k.Attempts.Spend(k.ctx, state, claimOf(a), epoch)
			if got.ID != a.ID {
				return errors.Join(errOfAct, err)
			}
			return err
		}), identity.ErrSpent)
	}},
	{"race: strangers' attempts never cross", func(k *kit) {
		states, all := make([]identity.Digest, parallel), make([]attempt.Attempt, parallel)
		for i := range all {
			states[i], all[i] = k.begin()
		}
		for _, err := range race(parallel, func(i int) error {
			got, err := k.Attempts.Spend(k.ctx, states[i], claimOf(all[i]), epoch)
			if got.ID != all[i].ID || got.Browser != all[i].Browser {
				return errors.Join(errOfAct, err)
			}
			return err
		}) {
			k.ok(err)
		}
	}},
	{"a sweep forgets what was started before, and nothing else", func(k *kit) {
		state, a := k.begin()
		k.ok(k.Attempts.Sweep(k.ctx, epoch))
		k.ok(k.Sweep(k.ctx, epoch.Add(24*time.Hour)))
		_, err := k.Attempts.Spend(k.ctx, state, claimOf(a), epoch)
		k.ok(err)
		k.ok(k.Sweep(k.ctx, epoch.Add(24*time.Hour+time.Microsecond)))
		_, err = k.Attempts.Spend(k.ctx, state, claimOf(a), epoch)
		k.is(err, identity.ErrNotFound)
	}},
}
