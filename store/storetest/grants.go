package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/grant"
)

// request is an authorization request, every field filled.
func request() grant.Request {
	return grant.Request{
		ID: identity.NewID(), Portal: "my-health", RedirectURI: "https://portal.example.org/callback?a=b", Scopes: []string{"openid", "profile"},
		State: "state of the portal", Nonce: "nonce of the portal", CodeChallenge: "challenge",
		Asked: []identity.Trust{{P: identity.P9, C: identity.Cp | identity.Cd}, {P: identity.P9, C: identity.Cm}},
		Login: true, MaxAge: 90 * time.Second, HasMaxAge: true, Provider: "nhs-login", Languages: []string{"cy", "en"}, Created: epoch,
	}
}

// code is what stands behind a code, every field filled.
func code() grant.Code {
	return grant.Code{
		Grant: identity.NewID(), Portal: "my-health", RedirectURI: "https://portal.example.org/callback", Scopes: []string{"openid"},
		Nonce: "nonce of the portal", CodeChallenge: "challenge", Session: identity.NewID(), Account: identity.NewID(), Created: epoch,
	}
}

// issue adds a code and returns it with its digest.
func (k *kit) issue() (identity.Digest, grant.Code) {
	k.Helper()
	digest, c := identity.NewToken().Digest(), code()
	k.ok(k.Grants.CreateCode(k.ctx, digest, c))
	return digest, c
}

// revoked returns whether the grant was ended.
func (k *kit) revoked(id string) bool {
	k.Helper()
	ended, err := k.Grants.Revoked(k.ctx, id)
	k.ok(err)
	return ended
}

// refresh adds a code, spent, and the first refresh token of its grant.
func (k *kit) refresh() (identity.Secret, grant.Code) {
	k.Helper()
	_, c := k.issue()
	first := identity.NewToken()
	k.ok(k.Grants.CreateRefresh(k.ctx, first.Digest(), c.Grant, "P9.Cm", epoch))
	return first, c
}

// due fails the row unless that is what is to be looked at then.
func (k *kit) due(at time.Time, want ...grant.Joined) {
	k.Helper()
	got, err := k.Grants.Due(k.ctx, at, 10)
	k.ok(err)
	k.same(got, want)
}

// rotate uses a refresh token at that time.
func (k *kit) rotate(token identity.Secret, at time.Time) (identity.Secret, error) {
	return k.Grants.Rotate(k.ctx, token.Digest(), identity.NewToken(), "P9.Cp.Cd", at)
}

var grantRules = []rule{
	{"a refresh token tells its grant, used or not", func(k *kit) {
		first, c := k.refresh()
		want := grant.Refresh{Grant: c.Grant, Portal: c.Portal, Scopes: c.Scopes, Session: c.Session, Account: c.Account, Trust: "P9.Cm"}
		for range 2 {
			got, err := k.Grants.Refresh(k.ctx, first.Digest())
			k.ok(err)
			k.same(got, want)
			_, err = k.rotate(first, epoch)
			k.ok(err)
		}
		k.ok(k.Grants.Revoke(k.ctx, c.Grant, epoch))
		got, err := k.Grants.Refresh(k.ctx, first.Digest())
		k.ok(err)
		k.same(got.Revoked, true)
		k.is(k.Grants.CreateRefresh(k.ctx, first.Digest(), c.Grant, "", epoch), identity.ErrConflict)
		_, err = k.Grants.Refresh(k.ctx, identity.NewToken().Digest())
		k.is(err, identity.ErrNotFound)
		_, err = k.rotate(identity.NewToken(), epoch)
		k.is(err, identity.ErrNotFound)
	}},
	{"a used refresh token gives the same successor while that is unused, for a moment", func(k *kit) {
		first, c := k.refresh()
		second, err := k.rotate(first, epoch)
		k.ok(err)
		again, err := k.rotate(first, epoch.Add(grant.RefreshGrace))
		k.ok(err)
		k.same(again, second)
		_, err = k.rotate(first, epoch.Add(grant.RefreshGrace+time.Microsecond))
		k.is(err, identity.ErrSpent)
		got, err := k.Grants.Refresh(k.ctx, second.Digest())
		k.ok(err)
		k.same(got, grant.Refresh{Grant: c.Grant, Portal: c.Portal, Scopes: c.Scopes, Session: c.Session, Account: c.Account, Trust: "P9.Cp.Cd"})
		_, err = k.rotate(second, epoch.Add(time.Second))
		k.ok(err)
		_, err = k.rotate(first, epoch.Add(2*time.Second)) // its successor was used
		k.is(err, identity.ErrSpent)
	}},
	{"race: of many uses of a refresh token there is one successor", func(k *kit) {
		first, _ := k.refresh()
		given := make([]identity.Secret, parallel)
		k.ok(errors.Join(race(parallel, func(i int) (err error) {
			given[i], err = k.rotate(first, epoch)
			return err
		})...))
		for _, next := range given {
			k.same(next, given[0])
		}
	}},
	{"a rotation that its act gives up leaves the token as it was", func(k *kit) {
		first, _ := k.refresh()
		var lost identity.Secret
		k.is(k.Audit.Within(k.ctx, func(ctx context.Context) (err error) {
			lost, err = k.Grants.Rotate(ctx, first.Digest(), identity.NewToken(), "", epoch)
			k.ok(err)
			return errOfAct
		}), errOfAct)
		_, err := k.Grants.Refresh(k.ctx, lost.Digest())
		k.is(err, identity.ErrNotFound)
		kept, err := k.rotate(first, epoch.Add(time.Hour))
		k.ok(err)
		k.same(kept == lost, false)
	}},
	{"a pushed request is read back whole", func(k *kit) {
		uri := identity.NewToken().Digest()
		want := grant.Pushed{Request: identity.NewID(), Portal: "my-health", Params: "scope=openid&state=of+the+portal", Created: epoch}
		k.ok(k.Grants.Push(k.ctx, uri, want))
		got, err := k.Grants.Pushed(k.ctx, uri)
		k.ok(err)
		k.same(got, want)
		k.is(k.Grants.Push(k.ctx, uri, grant.Pushed{Request: identity.NewID()}), identity.ErrConflict)
		_, err = k.Grants.Pushed(k.ctx, identity.NewToken().Digest())
		k.is(err, identity.ErrNotFound)
	}},
	{"a portal is looked at when it is due, until it has parted", func(k *kit) {
		a := k.someone()
		_, s := k.open(a)
		j := grant.Joined{ID: identity.NewID(), Portal: "my-health", Session: s.Handle, Account: a.ID}
		k.ok(k.Grants.Join(k.ctx, j, epoch.Add(time.Hour)))
		again := j
		again.ID = identity.NewID()
		k.ok(k.Grants.Join(k.ctx, again, epoch))
		k.due(epoch.Add(time.Hour - time.Microsecond))
		k.due(epoch.Add(time.Hour), j)
		k.ok(k.Grants.Rejoin(k.ctx, j.ID, epoch.Add(2*time.Hour)))
		k.due(epoch.Add(time.Hour))
		k.ok(k.Grants.Part(k.ctx, j.ID, epoch))
		k.due(epoch.Add(3 * time.Hour))
		got, err := k.Grants.Partings(k.ctx, s.Handle)
		k.ok(err)
		k.same(got, []grant.Parting{{Portal: "my-health", Parted: true}})
	}},
	{"whatever ends sessions has their portals looked at, in the same act", func(k *kit) {
		other := k.someone()
		for _, end := range []func(ctx context.Context, a account.Account, handle string) error{
			func(ctx context.Context, _ account.Account, handle string) error {
				return k.Sessions.End(ctx, handle, epoch)
			},
			func(ctx context.Context, a account.Account, _ string) error { return k.Accounts.RaiseEpoch(ctx, a.ID) },
			func(ctx context.Context, a account.Account, _ string) error {
				return k.Accounts.SetState(ctx, a.ID, account.Disabled)
			},
			func(ctx context.Context, a account.Account, _ string) error {
				return k.Accounts.Recover(ctx, a.ID, epoch)
			},
			func(ctx context.Context, a account.Account, _ string) error {
				return k.Accounts.Pause(ctx, a.ID, epoch)
			},
			func(ctx context.Context, a account.Account, _ string) error {
				return k.Accounts.Merge(ctx, other.ID, a.ID, epoch, nil)
			},
		} {
			a := k.someone()
			_, s := k.open(a)
			j := grant.Joined{ID: identity.NewID(), Portal: "my-health", Session: s.Handle, Account: a.ID}
			k.ok(k.Grants.Join(k.ctx, j, epoch.Add(time.Hour)))
			k.is(k.Audit.Within(k.ctx, func(ctx context.Context) error {
				k.ok(end(ctx, a, s.Handle))
				return errOfAct
			}), errOfAct)
			k.due(epoch)
			k.ok(end(k.ctx, a, s.Handle))
			k.due(epoch, j)
			k.ok(k.Grants.Part(k.ctx, j.ID, epoch))
		}
	}},
	{"a gate is entered once, by its host and start, and leads to its session there alone", func(k *kit) {
		a := k.someone()
		_, s := k.open(a)
		code, start, id := identity.NewToken().Digest(), identity.NewToken().Digest(), identity.NewToken().Digest()
		want := grant.Gate{Host: "letters.example.org", Start: start, Session: s.Handle, Created: epoch}
		k.ok(k.Grants.OpenGate(k.ctx, code, want))
		k.is(k.Grants.OpenGate(k.ctx, code, want), identity.ErrConflict)
		for _, other := range []struct {
			code, start identity.Digest
			host        string
		}{{code, start, "results.example.org"}, {code, id, want.Host}, {start, start, want.Host}} {
			_, err := k.Grants.EnterGate(k.ctx, other.code, other.host, other.start, id)
			k.is(err, identity.ErrNotFound)
		}
		got, err := k.Grants.EnterGate(k.ctx, code, want.Host, start, id)
		k.ok(err)
		k.same(got, want)
		_, err = k.Grants.EnterGate(k.ctx, code, want.Host, start, identity.NewToken().Digest())
		k.is(err, identity.ErrNotFound)
		found, err := k.Sessions.ByGate(k.ctx, id, want.Host)
		k.ok(err)
		k.same(found.Handle, s.Handle)
		for _, other := range []struct {
			id   identity.Digest
			host string
		}{{id, "results.example.org"}, {code, want.Host}, {identity.Digest{}, want.Host}} {
			_, err := k.Sessions.ByGate(k.ctx, other.id, other.host)
			k.is(err, identity.ErrNotFound)
		}
	}},
	{"race: a gate is entered once", func(k *kit) {
		code, start := identity.NewToken().Digest(), identity.NewToken().Digest()
		k.ok(k.Grants.OpenGate(k.ctx, code, grant.Gate{Host: "letters.example.org", Start: start, Created: epoch}))
		k.oneWon(race(parallel, func(int) error {
			_, err := k.Grants.EnterGate(k.ctx, code, "letters.example.org", start, identity.NewToken().Digest())
			return err
		}), identity.ErrNotFound)
	}},
	{"a grant leads to its session, and tells whether it was ended", func(k *kit) {
		a := k.someone()
		_, s := k.open(a)
		c := code()
		c.Session, c.Account = s.Handle, a.ID
		k.ok(k.Grants.CreateCode(k.ctx, identity.NewToken().Digest(), c))
		for _, want := range []bool{false, true} {
			found, revoked, err := k.Sessions.ByGrant(k.ctx, c.Grant)
			k.ok(err)
			k.same(found.Handle, s.Handle)
			k.same(found.Admitted, true)
			k.same(revoked, want)
			k.ok(k.Grants.Revoke(k.ctx, c.Grant, epoch))
		}
		_, _, err := k.Sessions.ByGrant(k.ctx, "unknown")
		k.is(err, identity.ErrNotFound)
	}},
	{"race: an id counts once", func(k *kit) {
		id := identity.NewToken().Digest()
		k.oneWon(race(parallel, func(int) error { return k.Grants.SpendID(k.ctx, id, epoch) }), identity.ErrSpent)
		k.ok(k.Grants.SpendID(k.ctx, identity.NewToken().Digest(), epoch))
		k.ok(k.Grants.Sweep(k.ctx, epoch.Add(time.Second)))
		k.ok(k.Grants.SpendID(k.ctx, id, epoch))
	}},
	{"a request is read back whole", func(k *kit) {
		for _, want := range []grant.Request{request(), {ID: "of zero values"}} {
			k.ok(k.Grants.CreateRequest(k.ctx, want))
			got, err := k.Grants.Request(k.ctx, want.ID)
			k.ok(err)
			k.same(got, want)
			k.is(k.Grants.CreateRequest(k.ctx, want), identity.ErrConflict)
		}
		_, err := k.Grants.Request(k.ctx, "unknown")
		k.is(err, identity.ErrNotFound)
	}},
	{"a code is spent once; the second use gets it too, and ends the grant", func(k *kit) {
		digest, want := k.issue()
		got, err := k.Grants.Spend(k.ctx, digest, epoch)
		k.ok(err)
		k.same(got, want)
		k.same(k.revoked(want.Grant), false)
		for range 3 {
			got, err = k.Grants.Spend(k.ctx, digest, epoch.Add(time.Second))
			k.is(err, identity.ErrSpent)
			k.same(got, want)
			k.same(k.revoked(want.Grant), true)
		}
	}},
	{"unknown", func(k *kit) {
		k.issue()
		_, err := k.Grants.Spend(k.ctx, identity.NewToken().Digest(), epoch)
		k.is(err, identity.ErrNotFound)
		_, err = k.Grants.Spend(k.ctx, identity.Digest{}, epoch)
		k.is(err, identity.ErrNotFound)
		_, err = k.Grants.Revoked(k.ctx, "unknown")
		k.is(err, identity.ErrNotFound)
		k.ok(k.Grants.Revoke(k.ctx, "unknown", epoch))
	}},
	{"a code and a grant are never given twice", func(k *kit) {
		digest, c := k.issue()
		k.is(k.Grants.CreateCode(k.ctx, digest, code()), identity.ErrConflict)
		k.is(k.Grants.CreateCode(k.ctx, identity.NewToken().Digest(), c), identity.ErrConflict)
	}},
	{"a spending at no time is a spending", func(k *kit) {
		digest, c := k.issue()
		_, err := k.Grants.Spend(k.ctx, digest, time.Time{})
		k.ok(err)
		_, err = k.Grants.Spend(k.ctx, digest, time.Time{})
		k.is(err, identity.ErrSpent)
		k.same(k.revoked(c.Grant), true)
	}},
	{"a grant is ended for good, used or not", func(k *kit) {
		digest, c := k.issue()
		k.ok(k.Grants.Revoke(k.ctx, c.Grant, epoch))
		k.same(k.revoked(c.Grant), true)
		k.ok(k.Grants.Revoke(k.ctx, c.Grant, epoch.Add(time.Hour)))
		_, err := k.Grants.Spend(k.ctx, digest, epoch)
		k.ok(err)
		k.same(k.revoked(c.Grant), true)
	}},
	{"a rolled back act gives no code", func(k *kit) {
		digest, c := identity.NewToken().Digest(), code()
		k.is(k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.ok(k.Grants.CreateCode(ctx, digest, c))
			return errOfAct
		}), errOfAct)
		_, err := k.Grants.Spend(k.ctx, digest, epoch)
		k.is(err, identity.ErrNotFound)
	}},
	{"race: of many that spend a code one gets it fresh, and the grant is ended", func(k *kit) {
		digest, c := k.issue()
		k.oneWon(race(parallel, func(int) error {
			got, err := k.Grants.Spend(k.ctx, digest, epoch)
			if got.Grant != c.Grant {
				return errors.Join(errOfAct, err)
			}
			return err
		}), identity.ErrSpent)
		k.same(k.revoked(c.Grant), true)
	}},
	{"a sweep forgets what was created before, and nothing else", func(k *kit) {
		digest, c := k.issue()
		r := request()
		k.ok(k.Grants.CreateRequest(k.ctx, r))
		k.ok(k.Grants.Sweep(k.ctx, epoch))
		_, err := k.Grants.Request(k.ctx, r.ID)
		k.ok(err)
		k.same(k.revoked(c.Grant), false)
		k.ok(k.Sweep(k.ctx, epoch.Add(24*time.Hour+time.Microsecond)))
		_, err = k.Grants.Request(k.ctx, r.ID)
		k.is(err, identity.ErrNotFound)
		_, err = k.Grants.Spend(k.ctx, digest, epoch)
		k.is(err, identity.ErrNotFound)
	}},
}
