package attempt_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
)

func TestNext(t *testing.T) {
	to := attempt.Return{Request: "request", Path: "/account"}
	begun := attempt.Attempt{ID: "id", Provider: "nhs-login", Return: to}
	with := func(change func(*attempt.Attempt)) attempt.Attempt {
		a := begun
		change(&a)
		return a
	}
	for name, row := range map[string]struct {
		attempt attempt.Attempt
		want    attempt.Step
	}{
		"begun":    {begun, attempt.Step{Kind: attempt.StepProvider, Provider: "nhs-login", Return: to}},
		"answered": {with(func(a *attempt.Attempt) { a.Spent = epoch }), attempt.Step{Kind: attempt.StepChoose, Return: to}},
		"answered with a session": {
			with(func(a *attempt.Attempt) { a.Spent, a.Opened = epoch, "handle" }), attempt.Step{Kind: attempt.StepReturn, Return: to},
		},
		"answered and refused": {
			with(func(a *attempt.Attempt) { a.Spent, a.Refused = epoch, "under-age" }), attempt.Step{Kind: attempt.StepRefused, Cause: "under-age", Return: to},
		},
		"refused and opened: the refusal stands": {
			with(func(a *attempt.Attempt) { a.Spent, a.Opened, a.Refused = epoch, "handle", "under-age" }),
			attempt.Step{Kind: attempt.StepRefused, Cause: "under-age", Return: to},
		},
		"refused before it was answered": {
			with(func(a *attempt.Attempt) { a.Refused = "provider-down" }), attempt.Step{Kind: attempt.StepRefused, Cause: "provider-down", Return: to},
		},
		"begun in a session, which is not its own": {
			with(func(a *attempt.Attempt) { a.Session = "handle" }), attempt.Step{Kind: attempt.StepProvider, Provider: "nhs-login", Return: to},
		},
		"nowhere to return to": {attempt.Attempt{Opened: "handle"}, attempt.Step{Kind: attempt.StepReturn}},
	} {
		if got := attempt.Next(row.attempt); got != row.want {
			t.Errorf("%s: wanted %+v, got %+v", name, row.want, got)
		}
	}
}

func TestStart(t *testing.T) {
	r := newRig(t)
	r.now = epoch.Add(999 * time.Nanosecond).In(time.FixedZone("CET", 3600))
	state, browser := identity.NewToken(), identity.NewToken()
	a := attempt.Attempt{
		ID: "chosen by a caller", Started: epoch.Add(time.Hour), Provider: "nhs-login", Browser: browser.Digest(), Session: "handle",
		Return: attempt.Return{Request: "request"}, Door: attempt.Door{MinimumAge: 16, Floor: identity.P5}, Shared: true, InApp: true, Language: "cy",
		Challenge: []byte("state, nonce and verifier"),
	}
	step, err := r.Start(t.Context(), state, a)
	r.ok(err)
	r.same(step, attempt.Step{Kind: attempt.StepProvider, Provider: "nhs-login", Return: a.Return})
	got, err := r.Claim(t.Context(), state, browser, "nhs-login")
	r.ok(err)
	if got.ID == a.ID || got.ID == "" {
		t.Errorf("wanted an id of its own, got %q", got.ID)
	}
	a.ID, a.Started, a.Spent = got.ID, epoch, epoch
	r.same(got, a)
	_, err = r.Start(t.Context(), state, a) // a state that comes twice
	r.is(err, identity.ErrConflict)
}

func TestClaim(t *testing.T) {
	type presented struct{ state, browser identity.Secret }
	for name, row := range map[string]struct {
		after    time.Duration
		change   func(*presented)
		provider string
		want     error
	}{
		"at once":                         {},
		"the last instant":                {after: 2 * time.Hour},
		"late":                            {after: 2*time.Hour + tick, want: identity.ErrExpired},
		"long after":                      {after: 30 * 24 * time.Hour, want: identity.ErrExpired},
		"the clock stepped back":          {after: -time.Hour},
		"no state":                        {change: func(p *presented) { p.state = "" }, want: identity.ErrNotFound},
		"a state that nobody began":       {change: func(p *presented) { p.state = identity.NewToken() }, want: identity.ErrNotFound},
		"a state in another spelling":     {change: func(p *presented) { p.state += "=" }, want: identity.ErrNotFound},
		"without the browser's cookie":    {change: func(p *presented) { p.browser = "" }, want: identity.ErrForeign},
		"in another browser":              {change: func(p *presented) { p.browser = identity.NewToken() }, want: identity.ErrForeign},
		"in another browser, late":        {after: 2*time.Hour + tick, change: func(p *presented) { p.browser = identity.NewToken() }, want: identity.ErrForeign},
		"at another provider (mix-up)":    {provider: "other", want: identity.ErrForeign},
		"at no provider":                  {provider: " ", want: identity.ErrForeign},
		"the state for the browser's own": {change: func(p *presented) { p.browser = p.state }, want: identity.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := presented{identity.NewToken(), identity.NewToken()}
			to := attempt.Return{Request: "request", Path: "/account"}
			_, err := r.Start(t.Context(), p.state, attempt.Attempt{Provider: "nhs-login", Browser: p.browser.Digest(), Return: to})
			r.ok(err)
			real := p
			if row.change != nil {
				row.change(&p)
			}
			if row.provider == "" {
				row.provider = "nhs-login"
			}
			r.now = epoch.Add(row.after)
			got, err := r.Claim(t.Context(), p.state, p.browser, row.provider)
			r.is(err, row.want)
			if known := !errors.Is(err, identity.ErrNotFound); known != (got.Return == to) {
				t.Errorf("wanted where it leads to told: %v, got %+v", known, got.Return)
			}
			if row.want == nil {
				_, err = r.Claim(t.Context(), p.state, p.browser, row.provider)
				r.is(err, identity.ErrSpent)
				return
			}
			if !got.Spent.IsZero() {
				t.Error("what was refused was spent")
			}
			r.now = epoch // a claim that was refused took nothing
			_, err = r.Claim(t.Context(), real.state, real.browser, "nhs-login")
			r.ok(err)
		})
	}
}

// An attempt that was begun without a browser or a state is nobody's: nothing never
// matches nothing.
func TestClaimOfNothingMatchesNothing(t *testing.T) {
	r := newRig(t)
	browser := identity.NewToken()
	_, err := r.Start(t.Context(), "", attempt.Attempt{Provider: "nhs-login", Browser: browser.Digest()})
	r.ok(err)
	_, err = r.Claim(t.Context(), "", browser, "nhs-login")
	r.is(err, identity.ErrNotFound)
	for name, browser := range map[string]identity.Digest{"no browser": {}, "an empty cookie's digest": identity.Secret("").Digest()} {
		state := identity.NewToken()
		_, err := r.Start(t.Context(), state, attempt.Attempt{Provider: "nhs-login", Browser: browser})
		r.ok(err)
		if _, err := r.Claim(t.Context(), state, "", "nhs-login"); !errors.Is(err, identity.ErrForeign) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A replayed callback, however often and fast, is judged once.
func TestClaimsRace(t *testing.T) {
	r := newRig(t)
	state, browser := identity.NewToken(), identity.NewToken()
	_, err := r.Start(t.Context(), state, attempt.Attempt{Provider: "nhs-login", Browser: browser.Digest()})
	r.ok(err)
	const n = 20
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { _, errs[i] = r.Claim(t.Context(), state, browser, "nhs-login") })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		r.is(err, identity.ErrSpent)
	}
	r.same(won, 1)
}

func TestRefuse(t *testing.T) {
	r := newRig(t)
	from := newTab()
	state := identity.NewToken()
	_, err := r.Start(t.Context(), state, attempt.Attempt{Provider: "nhs-login", Browser: from.browser.Digest(), Session: "handle"})
	r.ok(err)
	a, err := r.Claim(t.Context(), state, from.browser, "nhs-login")
	r.ok(err)
	r.ok(r.Refuse(t.Context(), a, "consent-not-given", "DIL-7F3K-Q2"))
	all, err := r.db.Audit().FindByReference(t.Context(), "DIL-7F3K-Q2")
	r.ok(err)
	if len(all) != 1 {
		t.Fatalf("wanted one event under the reference, got %d", len(all))
	}
	r.same(all[0], audit.Event{
		ID: all[0].ID, At: epoch, Kind: audit.LoginRefused, Result: audit.Refused, Actor: audit.Patient, Provider: "nhs-login", Session: "handle",
		Cause: "consent-not-given", Reference: "DIL-7F3K-Q2",
	})
	again, err := r.Claim(t.Context(), state, from.browser, "nhs-login")
	r.is(err, identity.ErrSpent)
	r.same(attempt.Next(again), attempt.Step{Kind: attempt.StepRefused, Cause: "consent-not-given"})

	r.deafTo = audit.LoginRefused
	b := r.depart(newTab(), nil)
	r.is(r.Refuse(t.Context(), b, "access-denied", "DIL-7F3K-Q3"), audit.ErrNotRecorded)
}

func TestAskAgain(t *testing.T) {
	for name, row := range map[string]struct {
		story func(*rig) identity.Secret // returns the browser's value
		want  bool
	}{
		"a browser that was never here": {func(*rig) identity.Secret { return identity.NewToken() }, false},
		"no browser, though someone's without one was refused": {func(r *rig) identity.Secret {
			state := identity.NewToken()
			_, err := r.Start(r.Context(), state, attempt.Attempt{Provider: "nhs-login", Browser: identity.Secret("").Digest()})
			r.ok(err)
			a, err := r.Claim(r.Context(), state, "", "nhs-login")
			r.is(err, identity.ErrForeign)
			r.ok(r.Refuse(r.Context(), a, "callback-foreign", "DIL-7F3K-Q2"))
			return ""
		}, false},
		"on the way to the provider": {func(r *rig) identity.Secret { from := newTab(); r.depart(from, nil); return from.browser }, false},
		"logged in":                  {func(r *rig) identity.Secret { _, now := r.login(answer("one", "P9.Cm"), newTab()); return now.browser }, false},
		"logged out": {func(r *rig) identity.Secret {
			login, now := r.login(answer("one", "P9.Cm"), newTab())
			r.ok(r.sessions.End(r.Context(), login.Session, "logout"))
			return now.browser
		}, true},
		"raised, then logged out": {func(r *rig) identity.Secret {
			_, now := r.login(answer("one", "P9.Cp"), newTab())
			login, now := r.login(answer("one", "P9.Cm"), now)
			r.ok(r.sessions.End(r.Context(), login.Session, "logout"))
			return now.browser
		}, true},
		"someone's login was refused": {func(r *rig) identity.Secret {
			from := newTab()
			r.ok(r.Refuse(r.Context(), r.depart(from, nil), "under-age", "DIL-7F3K-Q2"))
			return from.browser
		}, true},
		"someone's login was refused elsewhere": {func(r *rig) identity.Secret {
			r.ok(r.Refuse(r.Context(), r.depart(newTab(), nil), "under-age", "DIL-7F3K-Q2"))
			return identity.NewToken()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			got, err := r.AskAgain(t.Context(), row.story(r))
			r.ok(err)
			r.same(got, row.want)
		})
	}
}

// kindsOf lists kinds, for a message.
func kindsOf(count map[audit.Kind]int) (all []audit.Kind) {
	for kind, n := range count {
		all = append(all, slices.Repeat([]audit.Kind{kind}, n)...)
	}
	slices.Sort(all)
	return all
}
