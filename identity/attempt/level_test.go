package attempt_test

import (
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
)

// What a provider no longer vouches for does not live on in the session of another
// tab.
func TestAnswerThatLowersTheLevelInASecondTab(t *testing.T) {
	r := newRig(t)
	first := newTab()
	one, two := r.begin(first, nil), r.begin(first, nil)
	_, at, err := r.arrive(r.claim(one, first), answer("one", "P9.Cm"), first)
	r.ok(err)
	login, _, err := r.arrive(r.claim(two, at), answer("one", "P5.Cm"), at)
	if err != nil {
		return // a refusal would do
	}
	s, err := r.sessions.Read(t.Context(), login.Secret)
	if err == nil && s.Trust.P > identity.P5 {
		t.Errorf("the provider says P5, and the session goes on at %s", s.Trust)
	}
}

// An operator signs the patient out while they are at the provider: the session
// that was read before is not revived with its old evidence.
func TestAnswerAfterASignOutSinceTheSessionWasRead(t *testing.T) {
	r := newRig(t)
	first := newTab()
	one, two := r.begin(first, nil), r.begin(first, nil)
	before, at, err := r.arrive(r.claim(one, first), answer("one", "P9.Cm"), first)
	r.ok(err)
	a := r.claim(two, at)
	seat, _ := r.seat(at)
	r.ok(r.db.Accounts().RaiseEpoch(t.Context(), before.Session.Account))
	login, err := r.Answer(t.Context(), a, answer("one", "P9.Cp"), seat)
	if err == nil && login.Session.Handle == before.Session.Handle {
		t.Errorf("a session that was signed out lives on, at %s", login.Session.Trust)
	}
}

// A patient who raises a session whose first answer left the birth date out has the
// age that the raise told.
func TestAnswerThatRaisesTellsTheAge(t *testing.T) {
	r := newRig(t)
	from := newTab()
	silent := answer("one", "P0.Cp")
	silent.Details.BirthDate = identity.BirthDate{}
	_, at, err := r.arrive(r.depart(from, func(a *attempt.Attempt) { a.Door.Floor = identity.P0 }), silent, from)
	r.ok(err)
	r.now = epoch.Add(time.Minute)
	login, _, err := r.arrive(r.depart(at, nil), answer("one", "P9.Cm"), at)
	r.ok(err)
	r.same(login.Session.Age, 42)
}
