package session_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

var errAway = errors.New("the store is away")

// rig is the room over a real database, with a clock that a test moves.
type rig struct {
	*testing.T
	*session.Sessions
	db      *store.DB
	now     time.Time
	touches int
	away    bool // Touch and LatestInBrowser fail
	deaf    bool // no event is kept
	journal []audit.Event
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, now: epoch}
	clock := func() time.Time { return r.now }
	r.db = storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), clock)
	r.Sessions = session.New(watched{r.db.Sessions(), r}, audit.NewLedger(events{r.db.Audit(), r}, r, clock), clock)
	return r
}

// Write is of [audit.Journal].
func (r *rig) Write(e audit.Event) error {
	r.journal = append(r.journal, e)
	return nil
}

// watched counts what a busy session writes.
type watched struct {
	session.Store
	rig *rig
}

func (w watched) Touch(ctx context.Context, handle string, seen time.Time) error {
	w.rig.touches++
	if w.rig.away {
		return errAway
	}
	return w.Store.Touch(ctx, handle, seen)
}

func (w watched) LatestInBrowser(ctx context.Context, browser identity.Digest) (session.State, error) {
	if w.rig.away {
		return session.State{}, errAway
	}
	return w.Store.LatestInBrowser(ctx, browser)
}

// events keeps events unless told not to.
type events struct {
	audit.Store
	rig *rig
}

func (e events) Append(ctx context.Context, event audit.Event) error {
	if e.rig.deaf {
		return errAway
	}
	return e.Store.Append(ctx, event)
}

// patient adds an account.
func (r *rig) patient() account.Account {
	r.Helper()
	a := account.Account{ID: identity.NewID(), State: account.Active, Epoch: 1, Created: r.now}
	r.ok(r.db.Accounts().Create(r.Context(), a))
	return a
}

// open gives a patient of their own a session in that browser.
func (r *rig) open(browser identity.Secret) (identity.Secret, session.Session) {
	r.Helper()
	return r.openFor(r.patient(), browser)
}

func (r *rig) openFor(a account.Account, browser identity.Secret) (identity.Secret, session.Session) {
	r.Helper()
	secret, s, err := r.Open(r.Context(), session.Session{
		Account: a.ID, Epoch: a.Epoch, Browser: browser.Digest(), Limits: session.Limits{Idle: 30 * time.Minute, Absolute: 12 * time.Hour},
		Age: 40, Language: "cy", Device: "Firefox, Linux", Evidence: evidence("P5.Cp.Cd", r.now),
	})
	r.ok(err)
	return secret, s
}

func evidence(vector string, at time.Time) identity.Evidence {
	v, err := identity.ParseTrust(vector)
	if err != nil {
		panic(err)
	}
	return identity.Evidence{Provider: identity.Proof{Provider: "nhs-login", Trust: v, Level: identity.P9, AuthTime: at.Truncate(time.Second), At: at}}
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
	if diff := cmp.Diff(want, got); diff != "" {
		r.Fatalf("(-wanted +got)\n%s", diff)
	}
}

func TestOpen(t *testing.T) {
	r := newRig(t)
	a := r.patient()
	r.now = epoch.Add(999 * time.Nanosecond).In(time.FixedZone("CET", 3600))
	asked := session.Session{
		Handle: "chosen by a caller", Account: a.ID, Epoch: a.Epoch, Limits: session.NHSApp, InApp: true,
		Ended: epoch, Created: epoch.Add(-time.Hour), Seen: epoch.Add(time.Hour), Evidence: evidence("P9.Cp.Cd", epoch),
		Assessment: identity.Assessment{Trust: identity.Trust{P: identity.P9, C: identity.Cm}},
	}
	secret, s, err := r.Open(t.Context(), asked)
	r.ok(err)
	if !secret.IsToken() || s.Handle == asked.Handle || s.Handle == secret.Reveal() {
		t.Fatal("wanted a secret and a handle of their own")
	}
	want := asked
	want.Handle, want.Created, want.Seen, want.Ended = s.Handle, epoch, epoch, time.Time{}
	want.Assessment = identity.Assess(asked.Evidence, epoch)
	r.same(s, want)
	read, err := r.Read(t.Context(), secret)
	r.ok(err)
	r.same(read, want)

	other, second, err := r.Open(t.Context(), asked)
	r.ok(err)
	if other == secret || second.Handle == s.Handle {
		t.Fatal("two sessions have the same secret or handle")
	}
}

func TestRead(t *testing.T) {
	for name, row := range map[string]struct {
		then   func(*rig, session.Session)
		secret func(own identity.Secret, s session.Session) identity.Secret
		want   error
	}{
		"live":              {},
		"no secret":         {secret: func(identity.Secret, session.Session) identity.Secret { return "" }, want: identity.ErrNotFound},
		"another secret":    {secret: func(identity.Secret, session.Session) identity.Secret { return identity.NewToken() }, want: identity.ErrNotFound},
		"the public handle": {secret: func(_ identity.Secret, s session.Session) identity.Secret { return identity.Secret(s.Handle) }, want: identity.ErrNotFound},
		"what a stolen row would show": {secret: func(own identity.Secret, _ session.Session) identity.Secret {
			d := own.Digest()
			return identity.Secret(d[:])
		}, want: identity.ErrNotFound},
		"logged out": {then: func(r *rig, s session.Session) { r.ok(r.End(r.Context(), s, "logout")) }, want: identity.ErrSpent},
		"idle":       {then: func(r *rig, _ session.Session) { r.now = epoch.Add(30 * time.Minute) }, want: identity.ErrExpired},
		"signed out": {then: func(r *rig, s session.Session) { r.ok(r.db.Accounts().RaiseEpoch(r.Context(), s.Account)) }, want: identity.ErrSpent},
		"disabled": {then: func(r *rig, s session.Session) {
			r.ok(r.db.Accounts().SetState(r.Context(), s.Account, account.Disabled))
		}, want: identity.ErrDisabled},
		"closed": {then: func(r *rig, s session.Session) {
			r.ok(r.db.Accounts().SetState(r.Context(), s.Account, account.Deleted))
		}, want: identity.ErrDisabled},
		"disabled and enabled": {then: func(r *rig, s session.Session) {
			r.ok(r.db.Accounts().SetState(r.Context(), s.Account, account.Disabled))
			r.ok(r.db.Accounts().SetState(r.Context(), s.Account, account.Active))
		}, want: identity.ErrSpent},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			own, s := r.open("")
			if row.then != nil {
				row.then(r, s)
			}
			shown := own
			if row.secret != nil {
				shown = row.secret(own, s)
			}
			got, err := r.Read(t.Context(), shown)
			r.is(err, row.want)
			known := !errors.Is(row.want, identity.ErrNotFound)
			if (got.Handle == s.Handle) != known {
				t.Errorf("wanted the session told: %v, got %q", known, got.Handle)
			}
			if row.secret == nil {
				_, err = r.ByHandle(t.Context(), s.Handle)
				r.is(err, row.want)
			}
		})
	}
	r := newRig(t)
	_, s := r.open("")
	s.Handle = identity.NewID()
	r.ok(r.db.Sessions().Create(t.Context(), identity.Secret("").Digest(), s))
	_, err := r.Read(t.Context(), "") // though a row would answer to it
	r.is(err, identity.ErrNotFound)
	for _, handle := range []string{"", "unknown", "%", "\x00"} {
		_, err := r.ByHandle(t.Context(), handle)
		r.is(err, identity.ErrNotFound)
	}
}

// A raise rotates the secret, so that one which was planted or seen before the
// login is worth nothing after it (session fixation).
func TestRaise(t *testing.T) {
	r := newRig(t)
	last, before := r.open("browser")
	r.now = epoch.Add(20*time.Minute + 999*time.Nanosecond)
	better := evidence("P9.Cp.Cd", r.now)
	next, raised, err := r.Raise(t.Context(), before, last, better)
	r.ok(err)
	if next == last || !next.IsToken() {
		t.Fatal("wanted a new secret")
	}
	want := before
	want.Seen, want.Evidence, want.Assessment = epoch.Add(20*time.Minute), better, identity.Assess(better, epoch)
	r.same(raised, want)
	_, err = r.Read(t.Context(), last)
	r.is(err, identity.ErrNotFound)
	read, err := r.Read(t.Context(), next)
	r.ok(err)
	r.same(read.Handle, before.Handle)
	r.same(read.Trust.String(), "P9.Cp.Cd")
	if !read.Ends().Equal(before.Ends()) {
		t.Errorf("a raise moved the overall limit from %s to %s", before.Ends(), read.Ends())
	}
}

func TestRaiseRefused(t *testing.T) {
	for name, prepare := range map[string]func(r *rig, last identity.Secret, s session.Session) identity.Secret{
		"with another's secret": func(*rig, identity.Secret, session.Session) identity.Secret { return identity.NewToken() },
		"with no secret":        func(*rig, identity.Secret, session.Session) identity.Secret { return "" },
		"logged out meanwhile": func(r *rig, last identity.Secret, s session.Session) identity.Secret {
			r.ok(r.End(r.Context(), s, "logout"))
			return last
		},
		"raised meanwhile": func(r *rig, last identity.Secret, s session.Session) identity.Secret {
			_, _, err := r.Raise(r.Context(), s, last, evidence("P5.Cm", r.now))
			r.ok(err)
			return last
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			last, s := r.open("")
			shown := prepare(r, last, s)
			next, _, err := r.Raise(t.Context(), s, shown, evidence("P9.Cm", r.now))
			r.is(err, identity.ErrConflict)
			if next != "" {
				t.Error("a secret came with the refusal")
			}
			after, err := r.db.Sessions().ByHandle(t.Context(), s.Handle)
			r.ok(err)
			if after.Trust.P == identity.P9 {
				t.Error("the session was raised")
			}
		})
	}
}

func TestRaisesRace(t *testing.T) {
	r := newRig(t)
	last, s := r.open("")
	const n = 8
	secrets, errs := make([]identity.Secret, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { secrets[i], _, errs[i] = r.Raise(t.Context(), s, last, evidence("P9.Cm", epoch)) })
	}
	all.Wait()
	live := 0
	for i := range n {
		if errs[i] != nil {
			r.is(errs[i], identity.ErrConflict)
			continue
		}
		live++
		_, err := r.Read(t.Context(), secrets[i])
		r.ok(err)
	}
	r.same(live, 1)
}

func TestRenew(t *testing.T) {
	for name, row := range map[string]struct {
		after time.Duration
		wrote bool
	}{
		"at once":                      {0, false},
		"a microsecond short":          {time.Minute - tick, false},
		"a nanosecond short":           {time.Minute - 1, false},
		"a minute":                     {time.Minute, true},
		"later":                        {29 * time.Minute, true},
		"the clock stepped back":       {-time.Hour, false},
		"the clock stepped back a bit": {-tick, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			secret, s := r.open("")
			r.now = epoch.Add(row.after)
			got, err := r.Renew(t.Context(), s)
			r.ok(err)
			want, writes := s, 0
			if row.wrote {
				want.Seen, writes = r.now, 1
			}
			r.same(got, want)
			r.same(r.touches, writes)
			r.now = epoch.Add(max(row.after, 0))
			kept, err := r.Read(t.Context(), secret)
			r.ok(err)
			r.same(kept, want)
		})
	}
}

// A page that asks each second writes once a minute, and what is kept lags by less
// than that.
func TestRenewWritesAtMostOnceAMinute(t *testing.T) {
	r := newRig(t)
	_, s := r.open("")
	for range 600 {
		r.now = r.now.Add(time.Second)
		var err error
		s, err = r.Renew(t.Context(), s)
		r.ok(err)
		if lag := r.now.Sub(s.Seen); lag < 0 || lag >= time.Minute {
			t.Fatalf("what is kept lags by %s", lag)
		}
	}
	r.same(r.touches, 10)
}

func TestRenewRevivesNothing(t *testing.T) {
	r := newRig(t)
	secret, s := r.open("")
	r.ok(r.End(t.Context(), s, "logout"))
	r.now = epoch.Add(5 * time.Minute)
	_, err := r.Renew(t.Context(), s) // by a request that had read it before
	r.ok(err)
	_, err = r.Read(t.Context(), secret)
	r.is(err, identity.ErrSpent)
}

func TestRenewTellsThatTheStoreIsAway(t *testing.T) {
	r := newRig(t)
	_, s := r.open("")
	r.now, r.away = epoch.Add(time.Hour), true
	got, err := r.Renew(t.Context(), s)
	r.is(err, errAway)
	r.same(got, s)
}

func TestList(t *testing.T) {
	r := newRig(t)
	a := r.patient()
	r.open("") // another patient's
	_, idle := r.openFor(a, "one")
	r.now = epoch.Add(time.Minute)
	_, ended := r.openFor(a, "two")
	r.ok(r.End(t.Context(), ended, "logout"))
	r.now = epoch.Add(2 * time.Minute)
	_, older := r.openFor(a, "three")
	r.now = epoch.Add(3 * time.Minute)
	_, newer := r.openFor(a, "four")
	list := func() (handles []string) {
		all, err := r.List(t.Context(), a.ID)
		r.ok(err)
		for _, s := range all {
			handles = append(handles, s.Handle)
		}
		return handles
	}
	r.same(list(), []string{newer.Handle, older.Handle, idle.Handle})
	r.now = epoch.Add(30 * time.Minute)
	r.same(list(), []string{newer.Handle, older.Handle})
	r.ok(r.db.Accounts().RaiseEpoch(t.Context(), a.ID))
	r.same(list(), []string(nil))
}

// NHS login has no logout: when someone was logged in here and is so no longer,
// its session may still be theirs.
func TestAskAgain(t *testing.T) {
	const browser = identity.Secret("a browser")
	end := func(r *rig, s session.Session) { r.ok(r.End(r.Context(), s, "logout")) }
	for name, row := range map[string]struct {
		story func(*rig)
		asked identity.Secret
		want  bool
	}{
		"a browser that was never here": {func(*rig) {}, browser, false},
		"a browser without its cookie":  {func(r *rig) { _, s := r.open(""); end(r, s) }, "", false},
		"someone is logged in":          {func(r *rig) { r.open(browser) }, browser, false},
		"someone logged out":            {func(r *rig) { _, s := r.open(browser); end(r, s) }, browser, true},
		"someone left, and was idle":    {func(r *rig) { r.open(browser); r.now = epoch.Add(time.Hour) }, browser, true},
		"someone was signed out":        {func(r *rig) { _, s := r.open(browser); r.ok(r.db.Accounts().RaiseEpoch(r.Context(), s.Account)) }, browser, true},
		"someone's account was disabled": {func(r *rig) {
			_, s := r.open(browser)
			r.ok(r.db.Accounts().SetState(r.Context(), s.Account, account.Disabled))
		}, browser, true},
		"someone logged out elsewhere":       {func(r *rig) { _, s := r.open("another browser"); end(r, s) }, browser, false},
		"logged out, and another logged in":  {func(r *rig) { _, s := r.open(browser); end(r, s); r.now = epoch.Add(time.Second); r.open(browser) }, browser, false},
		"the last one out, an earlier lives": {func(r *rig) { r.open(browser); r.now = epoch.Add(time.Second); _, s := r.open(browser); end(r, s) }, browser, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			row.story(r)
			got, err := r.AskAgain(t.Context(), row.asked)
			r.ok(err)
			r.same(got, row.want)
		})
	}
	r := newRig(t)
	r.away = true
	_, err := r.AskAgain(t.Context(), browser)
	r.is(err, errAway)
}

func TestEnd(t *testing.T) {
	r := newRig(t)
	secret, s := r.open("")
	r.now = epoch.Add(time.Minute)
	r.ok(r.End(t.Context(), s, "logout"))
	r.now = epoch.Add(2 * time.Minute)
	r.ok(r.End(t.Context(), s, "logout")) // from a page that had been open
	read, err := r.Read(t.Context(), secret)
	r.is(err, identity.ErrSpent)
	if !read.Ended.Equal(epoch.Add(time.Minute)) {
		t.Errorf("wanted the first end to stand, got %s", read.Ended)
	}
	all, err := r.db.Audit().EventsOf(t.Context(), s.Account, 10)
	r.ok(err)
	slices.Reverse(all)
	if len(all) == 0 {
		t.Fatal("the end is not in the audit")
	}
	want := audit.Event{
		ID: all[0].ID, At: epoch.Add(time.Minute), Kind: audit.SessionEnded, Result: audit.OK, Actor: audit.Patient,
		Account: s.Account, Session: s.Handle, Cause: "logout",
	}
	r.same(all[0], want)
	r.is(r.End(t.Context(), session.Session{Handle: "unknown"}, "logout"), identity.ErrNotFound)
}

// Whoever presses "log out" is logged out, though the audit is broken.
func TestEndThoughNoEventIsKept(t *testing.T) {
	r := newRig(t)
	secret, s := r.open("")
	r.deaf = true
	r.ok(r.End(t.Context(), s, "logout"))
	_, err := r.Read(t.Context(), secret)
	r.is(err, identity.ErrSpent)
	if len(r.journal) != 1 || r.journal[0].Kind != audit.SessionEnded || r.journal[0].Session != s.Handle {
		t.Errorf("wanted the event in the journal, got %+v", r.journal)
	}
}

// A level that lapses does so on the day, in a session that is open then.
func TestReadJudgesAnewWhenTheJudgementEnds(t *testing.T) {
	r := newRig(t)
	a, lapses := r.patient(), epoch.Add(20*time.Minute)
	secret, _, err := r.Open(t.Context(), session.Session{
		Account: a.ID, Epoch: a.Epoch, Limits: session.Limits{Idle: time.Hour, Absolute: time.Hour},
		Evidence: identity.Evidence{Own: identity.Own{
			Level: identity.P9, Basis: identity.BasisProvider, Lapses: lapses, Passkey: identity.Use{Level: identity.P9, At: epoch},
		}},
	})
	r.ok(err)
	for at, want := range map[time.Time]string{lapses.Add(-time.Microsecond): "P9.Cm", lapses: "P0.Cm"} {
		r.now = at
		s, err := r.Read(t.Context(), secret)
		r.ok(err)
		list, err := r.List(t.Context(), a.ID)
		r.ok(err)
		r.same([]string{s.Trust.String(), list[0].Trust.String()}, []string{want, want})
	}
}
