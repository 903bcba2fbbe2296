package attempt_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// epoch is when the stories begin.
var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

const tick = time.Microsecond // the finest time that is kept

var errDeaf = errors.New("no event is kept")

// own are the limits of an ordinary session.
var own = session.Limits{Idle: 30 * time.Minute, Absolute: 8 * time.Hour}

// rig is the room over a real database, with a clock that a test moves.
type rig struct {
	*testing.T
	*attempt.Attempts
	db       *store.DB
	accounts *account.Accounts
	sessions *session.Sessions
	now      time.Time
	deafTo   audit.Kind // no event of that kind is kept
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, now: epoch}
	clock := func() time.Time { return r.now }
	r.db = storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), clock)
	ledger := audit.NewLedger(events{r.db.Audit(), r}, r, clock)
	r.accounts = account.New(r.db.Accounts(), ledger, clock)
	r.sessions = session.New(r.db.Sessions(), ledger, clock)
	r.Attempts = attempt.New(attempt.Options{
		Store: r.db.Attempts(), Journeys: r.db.Attempts(), Accounts: r.accounts, Sessions: r.sessions, Ledger: ledger, Limits: own, Now: clock,
	})
	return r
}

// Write is of [audit.Journal].
func (*rig) Write(audit.Event) error { return errDeaf }

// events keeps events unless told not to.
type events struct {
	audit.Store
	rig *rig
}

func (e events) Append(ctx context.Context, event audit.Event) error {
	if e.rig.deafTo == event.Kind {
		return errDeaf
	}
	return e.Store.Append(ctx, event)
}

// answer is a provider's answer about a made-up patient.
func answer(subject, vector string) identity.Answer {
	trust := must(identity.ParseTrust(vector))
	return identity.Answer{
		Provider: "nhs-login", Issuer: "https://auth.example.org", Subject: subject, Trust: trust, Level: trust.P, AuthTime: epoch, TokenID: "token-id",
		Details: identity.Details{BirthDate: must(identity.ParseBirthDate("1984-02-29")), Email: must(identity.ParseEmail(subject + "@example.com"))},
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// tab is a browser, or a tab of one, that logs in.
type tab struct {
	browser identity.Secret
	secret  identity.Secret // of its session
}

// begin sends a tab to the provider and returns the state that it will come back
// with.
func (r *rig) begin(from tab, change func(*attempt.Attempt)) identity.Secret {
	r.Helper()
	a := attempt.Attempt{
		Provider: "nhs-login", Browser: from.browser.Digest(), Door: attempt.Door{MinimumAge: 16, Floor: identity.P9}, Language: "cy",
		Challenge: []byte("challenge"), Return: attempt.Return{Path: "/account"},
	}
	if from.secret != "" {
		s, err := r.sessions.Read(r.Context(), from.secret)
		r.ok(err)
		a.Session = s.Handle
	}
	if change != nil {
		change(&a)
	}
	state := identity.NewToken()
	_, err := r.Start(r.Context(), state, a)
	r.ok(err)
	return state
}

// claim takes the attempt that comes back to that tab.
func (r *rig) claim(state identity.Secret, at tab) attempt.Attempt {
	r.Helper()
	a, err := r.Claim(r.Context(), state, at.browser, "nhs-login")
	r.ok(err)
	return a
}

// depart begins an attempt from a tab and claims it at once.
func (r *rig) depart(from tab, change func(*attempt.Attempt)) attempt.Attempt {
	r.Helper()
	return r.claim(r.begin(from, change), from)
}

// seat is what an answer comes back to in that tab, with a new browser value.
func (r *rig) seat(at tab) (attempt.Seat, identity.Secret) {
	r.Helper()
	browser := identity.NewToken()
	seat := attempt.Seat{Browser: browser.Digest(), Device: "Firefox, Linux", Secret: at.secret}
	if s, err := r.sessions.Read(r.Context(), at.secret); err == nil {
		seat.Session = &s
	}
	return seat, browser
}

// arrive answers the attempt in that tab, which then has what it was given.
func (r *rig) arrive(a attempt.Attempt, said identity.Answer, at tab) (attempt.Login, tab, error) {
	r.Helper()
	seat, browser := r.seat(at)
	login, err := r.Answer(r.Context(), a, said, seat)
	if err != nil {
		return login, at, err
	}
	return login, tab{browser, login.Secret}, nil
}

// login is a whole login from that tab.
func (r *rig) login(said identity.Answer, from tab) (attempt.Login, tab) {
	r.Helper()
	login, now, err := r.arrive(r.depart(from, nil), said, from)
	r.ok(err)
	return login, now
}

// newTab is a browser that was never here.
func newTab() tab { return tab{browser: identity.NewToken()} }

// left is all that the database keeps of patients and acts: for "nothing was left".
func (r *rig) left() (all struct {
	Events  []audit.Event
	Account account.Account
},
) {
	r.Helper()
	var err error
	all.Events, err = r.db.Audit().Unsealed(r.Context(), 1000)
	r.ok(err)
	all.Account, err = r.db.Accounts().ByLink(r.Context(), "https://auth.example.org", "one")
	if !errors.Is(err, identity.ErrNotFound) {
		r.ok(err)
	}
	return all
}

// kinds are the kinds of the events so far, in their order of time and name.
func (r *rig) kinds() map[audit.Kind]int {
	r.Helper()
	count := map[audit.Kind]int{}
	for _, e := range r.left().Events {
		count[e.Kind]++
	}
	return count
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) is(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("wanted %v, got %v", want, err)
	}
}

func (r *rig) same(got, want any) {
	r.Helper()
	if diff := cmp.Diff(want, got, personal); diff != "" {
		r.Fatalf("(-wanted +got)\n%s", diff)
	}
}

// personal compares what can't be printed.
var personal = cmp.Options{
	cmp.Comparer(func(a, b identity.NHSNumber) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Name) bool { return a == b }),
	cmp.Comparer(func(a, b identity.BirthDate) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Email) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Phone) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Secret) bool { return a == b }),
}
