package attempt_test

import (
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
)

func TestProbeLevelDroppedInASecondTab(t *testing.T) {
	r := newRig(t)
	first := newTab()
	one, two := r.begin(first, nil), r.begin(first, nil)
	_, at, err := r.arrive(r.claim(one, first), answer("one", "P9.Cm"), first)
	r.ok(err)
	login, _, err := r.arrive(r.claim(two, at), answer("one", "P5.Cm"), at)
	r.ok(err)
	s, err := r.sessions.Read(t.Context(), login.Secret)
	t.Logf("after drop to P5: live=%v trust %s level %s", err == nil, s.Trust, s.Level)
}

func TestProbeSignedOutWhileAtTheProvider(t *testing.T) {
	r := newRig(t)
	first := newTab()
	one, two := r.begin(first, nil), r.begin(first, nil)
	before, at, err := r.arrive(r.claim(one, first), answer("one", "P9.Cm"), first)
	r.ok(err)
	a := r.claim(two, at)
	seat, _ := r.seat(at)
	r.ok(r.db.Accounts().RaiseEpoch(t.Context(), before.Session.Account))
	_, err = r.sessions.Read(t.Context(), at.secret)
	t.Logf("signed out: %v", err)
	login, err := r.Answer(t.Context(), a, answer("one", "P5.Cp"), seat)
	if err != nil {
		t.Log(err)
		return
	}
	s, err := r.sessions.Read(t.Context(), login.Secret)
	t.Logf("revived=%v handle same=%v trust %s created same=%v", err, s.Handle == before.Session.Handle, s.Trust, s.Created.Equal(before.Session.Created))
}

func TestProbeAgeAfterRaise(t *testing.T) {
	r := newRig(t)
	from := newTab()
	silent := answer("one", "P0.Cp")
	silent.Details.BirthDate = identity.BirthDate{}
	p0 := func(a *attempt.Attempt) { a.Door.Floor = identity.P0 }
	_, at, err := r.arrive(r.depart(from, p0), silent, from)
	r.ok(err)
	r.now = epoch.Add(time.Minute)
	login, _, err := r.arrive(r.depart(at, nil), answer("one", "P9.Cm"), at)
	r.ok(err)
	t.Logf("trust %s age %d (account says %d): door of 16 at P9 admits: %v", login.Session.Trust, login.Session.Age, r.left().Account.Details().Age(r.now),
		identity.OldEnough(login.Session.Age, 16, identity.P9))
}
