package attempt_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
)

func TestAnswerOpensASession(t *testing.T) {
	r := newRig(t)
	from := newTab()
	state := r.begin(from, nil)
	login, now, err := r.arrive(r.claim(state, from), answer("one", "P9.Cp.Cd"), from)
	r.ok(err)
	r.same(login.Step, attempt.Step{Kind: attempt.StepReturn, Return: attempt.Return{Path: "/account"}})
	acc := r.left().Account
	want := session.Session{
		Handle: login.Session.Handle, Account: acc.ID, Epoch: 1, Browser: now.browser.Digest(), Created: epoch, Seen: epoch, Limits: own, Age: 42,
		Language: "cy", Device: "Firefox, Linux", Evidence: identity.Evidence{Provider: answer("one", "P9.Cp.Cd").Proof(epoch)},
	}
	want.Assessment = identity.Assess(want.Evidence, epoch)
	r.same(login.Session, want)
	kept, err := r.sessions.Read(t.Context(), login.Secret)
	r.ok(err)
	r.same(kept, want)
	r.same(kindsOf(r.kinds()), []audit.Kind{audit.AccountCreated, audit.LoginSucceeded})
	i := slices.IndexFunc(r.left().Events, func(e audit.Event) bool { return e.Kind == audit.LoginSucceeded })
	e := r.left().Events[i]
	r.same(e, audit.Event{
		ID: e.ID, At: epoch, Kind: audit.LoginSucceeded, Result: audit.OK, Actor: audit.Patient, Account: acc.ID, Session: want.Handle, Provider: "nhs-login",
	})
	again, err := r.Claim(t.Context(), state, now.browser, "nhs-login") // Back, or Reload
	r.is(err, identity.ErrSpent)
	r.same(again.Opened, want.Handle)
	r.same(attempt.Next(again), login.Step)
}

func TestAnswerLimits(t *testing.T) {
	tight := session.Limits{Idle: 10 * time.Minute, Absolute: 8 * time.Hour} // of our own, what is tighter
	for name, row := range map[string]struct {
		change func(*attempt.Attempt)
		want   session.Limits
	}{
		"an ordinary one":       {nil, own},
		"this is not my device": {func(a *attempt.Attempt) { a.Shared = true }, tight},
		"in the NHS App":        {func(a *attempt.Attempt) { a.InApp = true }, tight},
		"both":                  {func(a *attempt.Attempt) { a.Shared, a.InApp = true, true }, tight},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			from := newTab()
			a := r.depart(from, row.change)
			login, _, err := r.arrive(a, answer("one", "P9.Cm"), from)
			r.ok(err)
			r.same(login.Session.Limits, row.want)
			r.same([]bool{login.Session.Shared, login.Session.InApp}, []bool{a.Shared, a.InApp})
		})
	}
}

func TestAnswerRefused(t *testing.T) {
	young := func(a *identity.Answer) { a.Details.BirthDate = must(identity.ParseBirthDate("2011-11-22")) }
	noAge := func(a *identity.Answer) { a.Details.BirthDate = identity.BirthDate{} }
	for name, row := range map[string]struct {
		door   attempt.Door
		change func(*identity.Answer)
		want   error
	}{
		"old enough":                                {attempt.Door{MinimumAge: 16, Floor: identity.P9}, nil, nil},
		"the day before the birthday":               {attempt.Door{MinimumAge: 15, Floor: identity.P9}, young, identity.ErrUnderAge},
		"a door that is younger":                    {attempt.Door{MinimumAge: 14, Floor: identity.P9}, young, nil},
		"a door that asks no age":                   {attempt.Door{}, young, nil},
		"too young, though the door takes P0":       {attempt.Door{MinimumAge: 16, Floor: identity.P0}, young, identity.ErrUnderAge},
		"an age that nobody knows":                  {attempt.Door{MinimumAge: 16, Floor: identity.P5}, noAge, identity.ErrUnderAge},
		"an age that nobody knows, at a door of P0": {attempt.Door{MinimumAge: 16, Floor: identity.P0}, noAge, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			from, said := newTab(), answer("one", "P9.Cm")
			if row.change != nil {
				row.change(&said)
			}
			a := r.depart(from, func(a *attempt.Attempt) { a.Door = row.door })
			before := r.left()
			login, _, err := r.arrive(a, said, from)
			r.is(err, row.want)
			if row.want == nil {
				return
			}
			r.same(login, attempt.Login{})
			r.same(r.left(), before) // no account, no session, no event
			ask, err := r.sessions.AskAgain(t.Context(), from.browser)
			r.ok(err)
			r.same(ask, false)
		})
	}
}

// A patient whose birth date was told once is not let in by an answer that leaves
// it out.
func TestAnswerRemembersTheAge(t *testing.T) {
	r := newRig(t)
	from := newTab()
	young := answer("one", "P9.Cm")
	young.Details.BirthDate = must(identity.ParseBirthDate("2011-11-22"))
	openDoor := func(a *attempt.Attempt) { a.Door = attempt.Door{} }
	_, _, err := r.arrive(r.depart(from, openDoor), young, from)
	r.ok(err)
	silent := answer("one", "P0.Cp")
	silent.Details = identity.Details{}
	from = newTab()
	_, _, err = r.arrive(r.depart(from, func(a *attempt.Attempt) { a.Door.Floor = identity.P0 }), silent, from)
	r.is(err, identity.ErrUnderAge)
}

func TestAnswerOfAnAccountThatIsClosed(t *testing.T) {
	for _, state := range []account.State{account.Disabled, account.Deleted} {
		t.Run(string(state), func(t *testing.T) {
			r := newRig(t)
			login, _ := r.login(answer("one", "P9.Cm"), newTab())
			r.ok(r.db.Accounts().SetState(t.Context(), login.Session.Account, state))
			from := newTab()
			a, before := r.depart(from, nil), r.left()
			_, _, err := r.arrive(a, answer("one", "P9.Cm"), from)
			r.is(err, identity.ErrDisabled)
			r.same(r.left(), before)
		})
	}
}

// Whatever of a login's record is not kept, the login does not happen.
func TestAnswerWithoutItsEvent(t *testing.T) {
	for _, kind := range []audit.Kind{audit.LoginSucceeded, audit.AccountCreated} {
		t.Run(string(kind), func(t *testing.T) {
			r := newRig(t)
			r.deafTo = kind
			from := newTab()
			a := r.depart(from, nil)
			login, _, err := r.arrive(a, answer("one", "P9.Cm"), from)
			r.is(err, audit.ErrNotRecorded)
			r.same(login, attempt.Login{})
			r.same(r.left().Account, account.Account{})
			r.same(len(r.left().Events), 0)
		})
	}
	t.Run("of a raise", func(t *testing.T) {
		r := newRig(t)
		_, at := r.login(answer("one", "P9.Cp"), newTab())
		before, err := r.sessions.Read(t.Context(), at.secret)
		r.ok(err)
		a := r.depart(at, nil)
		r.deafTo = audit.SessionRaised
		_, _, err = r.arrive(a, answer("one", "P9.Cm"), at)
		r.is(err, audit.ErrNotRecorded)
		after, err := r.sessions.Read(t.Context(), at.secret)
		r.ok(err)
		r.same(after, before)
	})
}

// An answer can raise the session that began the attempt: the same handle, and a
// new secret, so that one seen before is worth nothing after (session fixation).
func TestAnswerRaisesASession(t *testing.T) {
	r := newRig(t)
	before, at := r.login(answer("one", "P5.Cp"), newTab())
	a := r.depart(at, nil)
	r.now = epoch.Add(5 * time.Minute)
	after, now, err := r.arrive(a, answer("one", "P9.Cp.Cd"), at)
	r.ok(err)
	r.same(after.Step, attempt.Step{Kind: attempt.StepReturn, Return: attempt.Return{Path: "/account"}})
	want := before.Session
	want.Seen, want.Browser = r.now, now.browser.Digest()
	want.Evidence = identity.Evidence{Provider: answer("one", "P9.Cp.Cd").Proof(r.now)}
	want.Assessment = identity.Assess(want.Evidence, epoch)
	r.same(after.Session, want)
	kept, err := r.sessions.Read(t.Context(), after.Secret)
	r.ok(err)
	r.same(kept, want)
	if after.Secret == before.Secret {
		t.Error("a raise kept the secret")
	}
	_, err = r.sessions.Read(t.Context(), before.Secret)
	r.is(err, identity.ErrNotFound)
	r.same(r.kinds()[audit.SessionRaised], 1)
	r.same(r.kinds()[audit.LoginSucceeded], 1)
}

// Another (issuer, subject) than the session's own is never linked to its account,
// and never put in its place: whether the session began the attempt or was opened
// meanwhile in another tab.
func TestAnswerOfAnotherPerson(t *testing.T) {
	elsewhere := answer("one", "P9.Cm")
	elsewhere.Issuer = "https://auth.example.com"
	for name, said := range map[string]identity.Answer{
		"another subject": answer("two", "P9.Cm"), "the same subject, another issuer": elsewhere,
	} {
		for _, inSession := range []bool{true, false} {
			t.Run(name+map[bool]string{true: ", in the session", false: ", from another tab"}[inSession], func(t *testing.T) {
				r := newRig(t)
				first := newTab()
				state := r.begin(first, nil)
				_, at := r.login(answer("one", "P9.Cp"), first)
				if inSession {
					state = r.begin(at, nil)
				}
				a := r.claim(state, at)
				before, err := r.sessions.Read(t.Context(), at.secret)
				r.ok(err)
				kept := r.left()
				_, _, err = r.arrive(a, said, at)
				r.is(err, attempt.ErrOtherPerson)
				r.same(r.left(), kept)
				after, err := r.sessions.Read(t.Context(), at.secret)
				r.ok(err)
				r.same(after, before)
				_, err = r.db.Accounts().ByLink(t.Context(), said.Issuer, said.Subject)
				r.is(err, identity.ErrNotFound)
			})
		}
	}
}

// Two tabs of one patient end in one session, under the secret that came last.
func TestAnswerInASecondTab(t *testing.T) {
	r := newRig(t)
	first := newTab()
	one, two := r.begin(first, nil), r.begin(first, func(a *attempt.Attempt) { a.Shared, a.InApp = true, true })
	before, at, err := r.arrive(r.claim(one, first), answer("one", "P9.Cm"), first)
	r.ok(err)
	r.now = epoch.Add(time.Minute)
	after, now, err := r.arrive(r.claim(two, at), answer("one", "P9.Cp"), at)
	r.ok(err)
	want := before.Session
	want.Seen, want.Browser, want.Shared, want.InApp = r.now, now.browser.Digest(), true, true
	want.Limits = own.Tighter(session.SharedDevice)
	r.same(after.Session, want)
	if !after.Step.Elsewhere {
		t.Error("wanted to be told that the session is another tab's")
	}
	_, err = r.sessions.Read(t.Context(), before.Secret)
	r.is(err, identity.ErrNotFound)
	_, err = r.sessions.Read(t.Context(), after.Secret)
	r.ok(err)
	var causes []string
	for _, e := range r.left().Events {
		if e.Kind == audit.LoginSucceeded {
			causes = append(causes, e.Cause)
		}
	}
	r.same(causes, []string{"", "session-goes-on"})
}

// Two tabs that were both taken before either was answered do not see each other's
// cookie: the later one is told, and the browser has one session.
func TestAnswersOfTwoTabsAtTheSameMoment(t *testing.T) {
	for name, second := range map[string]string{"the same patient": "one", "another person": "two"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			from := newTab()
			a, b := r.depart(from, nil), r.depart(from, nil)
			seat, _ := r.seat(from)
			_, at, err := r.arrive(a, answer("one", "P9.Cm"), from)
			r.ok(err)
			kept := r.left()
			_, err = r.Answer(t.Context(), b, answer(second, "P9.Cm"), seat)
			r.is(err, identity.ErrConflict)
			r.same(r.left(), kept)
			_, err = r.sessions.Read(t.Context(), at.secret)
			r.ok(err)
		})
	}
}

func TestAnswerAfterTheSessionIsOver(t *testing.T) {
	for name, row := range map[string]struct {
		followed bool // begun before the session, which another tab opened
		over     func(*rig, session.Session)
		want     error
	}{
		"logged out meanwhile: a new one":        {over: logOut},
		"idle meanwhile: a new one":              {over: func(r *rig, _ session.Session) { r.now = epoch.Add(time.Hour) }},
		"signed out meanwhile: a new one":        {over: func(r *rig, s session.Session) { r.ok(r.db.Accounts().RaiseEpoch(r.Context(), s.Account)) }},
		"followed a session that was logged out": {followed: true, over: logOut, want: identity.ErrForeign},
		"followed a session that was idle":       {followed: true, over: func(r *rig, _ session.Session) { r.now = epoch.Add(time.Hour) }, want: identity.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			first := newTab()
			state := r.begin(first, nil)
			before, at := r.login(answer("one", "P9.Cp"), first)
			if !row.followed {
				state = r.begin(at, nil)
			}
			row.over(r, before.Session)
			kept := r.left()
			after, _, err := r.arrive(r.claim(state, at), answer("one", "P9.Cm"), at)
			r.is(err, row.want)
			if row.want != nil {
				r.same(r.left(), kept)
				return
			}
			if after.Session.Handle == before.Session.Handle || after.Secret == before.Secret {
				t.Error("a session that was over was revived")
			}
			_, err = r.sessions.Read(t.Context(), before.Secret)
			if err == nil {
				t.Error("the session that was over is live")
			}
			_, err = r.sessions.Read(t.Context(), after.Secret)
			r.ok(err)
		})
	}
}

func logOut(r *rig, s session.Session) { r.ok(r.sessions.End(r.Context(), s, "logout")) }

// Answers to one attempt at the same moment give one session.
func TestAnswersRace(t *testing.T) {
	r := newRig(t)
	_, at := r.login(answer("one", "P9.Cp"), newTab())
	a := r.depart(at, nil)
	const n = 6
	logins, errs := make([]attempt.Login, n), make([]error, n)
	seats := make([]attempt.Seat, n)
	for i := range n {
		seats[i], _ = r.seat(at)
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { logins[i], errs[i] = r.Answer(t.Context(), a, answer("one", "P9.Cm"), seats[i]) })
	}
	all.Wait()
	live := 0
	for i := range n {
		if errs[i] != nil {
			r.is(errs[i], identity.ErrConflict)
			continue
		}
		live++
		_, err := r.sessions.Read(t.Context(), logins[i].Secret)
		r.ok(err)
	}
	r.same(live, 1)
	list, err := r.sessions.List(context.Background(), r.left().Account.ID)
	r.ok(err)
	r.same(len(list), 1)
}
