package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/session"
)

// visit is a session of that account, every field filled.
func visit(a account.Account) session.Session {
	proof := identity.Proof{
		Provider: "nhs-login", Trust: identity.Trust{P: identity.P9, C: identity.Cp | identity.Cd}, Level: identity.P9,
		AuthTime: epoch.Truncate(time.Second).Add(-time.Minute), At: epoch, TokenID: "token-id",
	}
	return session.Session{
		Handle: identity.NewID(), Account: a.ID, Epoch: a.Epoch, Browser: identity.NewToken().Digest(),
		Created: epoch, Seen: epoch.Add(time.Second), Limits: session.Limits{Idle: 30*time.Minute + time.Nanosecond, Absolute: 12 * time.Hour},
		Shared: true, Quiet: true, InApp: true, Age: identity.AgeUnknown, Language: "cy", Device: "Firefox on Linux", Subjects: map[string]string{"portal": identity.NewID(), "letters.example.org": identity.NewID()},
		Evidence: identity.Evidence{Provider: proof}, Assessment: assessed(proof),
	}
}

// assessed is a judgement with every field filled.
func assessed(p identity.Proof) identity.Assessment {
	a := identity.Assess(identity.Evidence{Provider: p}, epoch)
	a.Until = epoch.Add(time.Hour)
	return a
}

// open adds a session of the account and returns it with its secret.
func (k *kit) open(a account.Account) (identity.Digest, session.Session) {
	k.Helper()
	secret, s := identity.NewToken().Digest(), visit(a)
	k.ok(k.Sessions.Create(k.ctx, secret, s))
	return secret, s
}

// state is what stands of a session of an active account.
func state(s session.Session, a account.Account) session.State {
	return session.State{Session: s, Admitted: a.State == account.Active, AccountEpoch: a.Epoch}
}

var sessionRules = []rule{
	{"what was created is read back whole, by secret, handle and browser", func(k *kit) {
		a := k.someone()
		secret, s := k.open(a)
		for _, read := range []func() (session.State, error){
			func() (session.State, error) { return k.Sessions.BySecret(k.ctx, secret) },
			func() (session.State, error) { return k.Sessions.ByHandle(k.ctx, s.Handle) },
			func() (session.State, error) { return k.Sessions.LatestInBrowser(k.ctx, s.Browser) },
		} {
			got, err := read()
			k.ok(err)
			k.same(got, state(s, a))
		}
	}},
	{"a session of zero values", func(k *kit) {
		a := k.someone()
		s := session.Session{Handle: identity.NewID(), Account: a.ID, Created: epoch, Seen: epoch}
		secret := identity.NewToken().Digest()
		k.ok(k.Sessions.Create(k.ctx, secret, s))
		got, err := k.Sessions.BySecret(k.ctx, secret)
		k.ok(err)
		k.same(got, state(s, a))
	}},
	{"unknown", func(k *kit) {
		k.open(k.someone())
		_, err := k.Sessions.BySecret(k.ctx, identity.NewToken().Digest())
		k.is(err, identity.ErrNotFound)
		_, err = k.Sessions.ByHandle(k.ctx, "nothing")
		k.is(err, identity.ErrNotFound)
		_, err = k.Sessions.LatestInBrowser(k.ctx, identity.NewToken().Digest())
		k.is(err, identity.ErrNotFound)
		k.is(k.Sessions.End(k.ctx, "nothing", epoch), identity.ErrNotFound)
		none, err := k.Sessions.ByAccount(k.ctx, "nobody")
		k.ok(err)
		k.same(len(none), 0)
	}},
	{"no secret and no browser find nobody's session", func(k *kit) {
		s := visit(k.someone())
		s.Browser = identity.Digest{}
		k.ok(k.Sessions.Create(k.ctx, identity.Digest{}, s))
		_, err := k.Sessions.BySecret(k.ctx, identity.Digest{})
		k.is(err, identity.ErrNotFound)
		_, err = k.Sessions.LatestInBrowser(k.ctx, identity.Digest{})
		k.is(err, identity.ErrNotFound)
	}},
	{"a secret and a handle are never given twice", func(k *kit) {
		a := k.someone()
		secret, s := k.open(a)
		other := visit(a)
		k.is(k.Sessions.Create(k.ctx, secret, other), identity.ErrConflict)
		other.Handle = s.Handle
		k.is(k.Sessions.Create(k.ctx, identity.NewToken().Digest(), other), identity.ErrConflict)
		got, err := k.Sessions.BySecret(k.ctx, secret)
		k.ok(err)
		k.same(got, state(s, a))
	}},
	{"a reading tells what stands of the account at that instant", func(k *kit) {
		a := k.someone()
		secret, s := k.open(a)
		for _, change := range []func() error{
			func() error { a.Epoch++; return k.Accounts.RaiseEpoch(k.ctx, a.ID) },
			func() error {
				a.Epoch, a.State = a.Epoch+1, account.Disabled
				return k.Accounts.SetState(k.ctx, a.ID, account.Disabled)
			},
			func() error {
				a.Epoch, a.State = a.Epoch+1, account.Deleted
				return k.Accounts.SetState(k.ctx, a.ID, account.Deleted)
			},
		} {
			k.ok(change())
			got, err := k.Sessions.BySecret(k.ctx, secret)
			k.ok(err)
			k.same(got, state(s, a))
			got, err = k.Sessions.ByHandle(k.ctx, s.Handle)
			k.ok(err)
			k.same(got, state(s, a))
		}
	}},
	{"an account's sessions: of its epoch, not ended, newest first", func(k *kit) {
		a, other := k.someone(), k.someone()
		k.open(other)
		_, older := k.open(a)
		newer := visit(a)
		newer.Created = epoch.Add(time.Minute)
		k.ok(k.Sessions.Create(k.ctx, identity.NewToken().Digest(), newer))
		_, ended := k.open(a)
		k.ok(k.Sessions.End(k.ctx, ended.Handle, epoch))
		got, err := k.Sessions.ByAccount(k.ctx, a.ID)
		k.ok(err)
		k.same(got, []session.State{state(newer, a), state(older, a)})
		k.ok(k.Accounts.RaiseEpoch(k.ctx, a.ID))
		got, err = k.Sessions.ByAccount(k.ctx, a.ID)
		k.ok(err)
		k.same(len(got), 0)
	}},
	{"the latest in a browser, ended or not", func(k *kit) {
		a, b := k.someone(), k.someone()
		_, first := k.open(a)
		second := visit(b)
		second.Browser, second.Created = first.Browser, epoch.Add(time.Minute)
		k.ok(k.Sessions.Create(k.ctx, identity.NewToken().Digest(), second))
		k.ok(k.Sessions.End(k.ctx, second.Handle, epoch.Add(time.Hour)))
		second.Ended = epoch.Add(time.Hour)
		got, err := k.Sessions.LatestInBrowser(k.ctx, first.Browser)
		k.ok(err)
		k.same(got, state(second, b))
	}},
	{"a touch goes forward only, and wakes nothing that was ended", func(k *kit) {
		a := k.someone()
		secret, s := k.open(a)
		seen := func(want time.Time) {
			k.Helper()
			got, err := k.Sessions.BySecret(k.ctx, secret)
			k.ok(err)
			k.same(got.Seen, want)
		}
		k.ok(k.Sessions.Touch(k.ctx, s.Handle, epoch.Add(time.Hour)))
		seen(epoch.Add(time.Hour))
		k.ok(k.Sessions.Touch(k.ctx, s.Handle, epoch.Add(time.Minute)))
		seen(epoch.Add(time.Hour))
		k.ok(k.Sessions.End(k.ctx, s.Handle, epoch.Add(2*time.Hour)))
		k.ok(k.Sessions.Touch(k.ctx, s.Handle, epoch.Add(3*time.Hour)))
		seen(epoch.Add(time.Hour))
		k.ok(k.Sessions.Touch(k.ctx, "nothing", epoch))
	}},
	{"race: touches leave the latest", func(k *kit) {
		secret, s := k.open(k.someone())
		for _, err := range race(parallel, func(i int) error {
			return k.Sessions.Touch(k.ctx, s.Handle, epoch.Add(time.Duration(i+1)*time.Minute))
		}) {
			k.ok(err)
		}
		got, err := k.Sessions.BySecret(k.ctx, secret)
		k.ok(err)
		k.same(got.Seen, epoch.Add(parallel*time.Minute))
	}},
	{"a raised session has its new secret alone", func(k *kit) {
		a := k.someone()
		last, s := k.open(a)
		next := identity.NewToken().Digest()
		s.Evidence.Provider.Trust.C, s.Seen = identity.Cm, epoch.Add(time.Minute)
		s.Assessment = assessed(s.Evidence.Provider)
		k.ok(k.Sessions.Raise(k.ctx, last, next, s))
		_, err := k.Sessions.BySecret(k.ctx, last)
		k.is(err, identity.ErrNotFound)
		got, err := k.Sessions.BySecret(k.ctx, next)
		k.ok(err)
		k.same(got, state(s, a))
		k.is(k.Sessions.Raise(k.ctx, last, identity.NewToken().Digest(), s), identity.ErrConflict)
	}},
	{"a session is raised by its own secret only", func(k *kit) {
		a := k.someone()
		_, s := k.open(a)
		foreign, _ := k.open(a)
		k.is(k.Sessions.Raise(k.ctx, foreign, identity.NewToken().Digest(), s), identity.ErrConflict)
		k.is(k.Sessions.Raise(k.ctx, identity.Digest{}, identity.NewToken().Digest(), s), identity.ErrConflict)
	}},
	{"an ended session is never raised, and its end never moves", func(k *kit) {
		a := k.someone()
		secret, s := k.open(a)
		k.ok(k.Sessions.End(k.ctx, s.Handle, epoch.Add(time.Minute)))
		k.is(k.Sessions.Raise(k.ctx, secret, identity.NewToken().Digest(), s), identity.ErrConflict)
		k.ok(k.Sessions.End(k.ctx, s.Handle, epoch.Add(time.Hour)))
		s.Ended = epoch.Add(time.Minute)
		got, err := k.Sessions.BySecret(k.ctx, secret)
		k.ok(err)
		k.same(got, state(s, a))
		k.is(got.Live(epoch.Add(2*time.Minute)), identity.ErrSpent)
	}},
	{"race: of many that raise a session one wins", func(k *kit) {
		last, s := k.open(k.someone())
		k.oneWon(race(parallel, func(int) error {
			return k.Sessions.Raise(k.ctx, last, identity.NewToken().Digest(), s)
		}), identity.ErrConflict)
	}},
	{"race: a session that is ended while it is raised is ended", func(k *kit) {
		last, s := k.open(k.someone())
		next := identity.NewToken().Digest()
		errs := race(2, func(i int) error {
			if i == 0 {
				return k.Sessions.End(k.ctx, s.Handle, epoch.Add(time.Minute))
			}
			return k.Sessions.Raise(k.ctx, last, next, s)
		})
		k.ok(errs[0])
		if errs[1] != nil {
			k.is(errs[1], identity.ErrConflict)
		}
		got, err := k.Sessions.ByHandle(k.ctx, s.Handle)
		k.ok(err)
		k.same(got.Ended, epoch.Add(time.Minute))
	}},
	{"race: an epoch that was raised is seen by every later reading", func(k *kit) {
		a := k.someone()
		secret, _ := k.open(a)
		done := make(chan struct{})
		errs := race(4, func(i int) error {
			if i == 0 {
				defer close(done)
				return k.Audit.Within(k.ctx, func(ctx context.Context) error { return k.Accounts.RaiseEpoch(ctx, a.ID) })
			}
			<-done
			got, err := k.Sessions.BySecret(k.ctx, secret)
			if err == nil && !errors.Is(got.Live(epoch.Add(time.Minute)), identity.ErrSpent) {
				return errOfAct
			}
			return err
		})
		for _, err := range errs {
			k.ok(err)
		}
	}},
	{"a sweep forgets what was over before, and nothing else", func(k *kit) {
		a := k.someone()
		over, long := visit(a), visit(a)
		over.Limits.Absolute, long.Limits.Absolute = time.Hour, 2*time.Hour
		overSecret, longSecret := identity.NewToken().Digest(), identity.NewToken().Digest()
		k.ok(k.Sessions.Create(k.ctx, overSecret, over))
		k.ok(k.Sessions.Create(k.ctx, longSecret, long))
		k.ok(k.Sessions.Sweep(k.ctx, epoch.Add(time.Hour+time.Microsecond)))
		_, err := k.Sessions.BySecret(k.ctx, overSecret)
		k.is(err, identity.ErrNotFound)
		_, err = k.Sessions.BySecret(k.ctx, longSecret)
		k.ok(err)
	}},
	{"the store's own sweep keeps sessions for 90 days after their limit", func(k *kit) {
		secret, s := k.open(k.someone())
		k.ok(k.Sweep(k.ctx, s.Ends().Add(90*24*time.Hour)))
		_, err := k.Sessions.BySecret(k.ctx, secret)
		k.ok(err)
		k.ok(k.Sweep(k.ctx, s.Ends().Add(90*24*time.Hour+time.Second)))
		_, err = k.Sessions.BySecret(k.ctx, secret)
		k.is(err, identity.ErrNotFound)
	}},
}
