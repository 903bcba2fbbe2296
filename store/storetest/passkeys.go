package storetest

import (
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
)

// key is a passkey, every field filled.
func key(account, credential string) factor.Passkey {
	return factor.Passkey{
		ID: identity.NewID(), Account: account, Credential: []byte(credential), Handle: account, Record: []byte(`{"publicKey":"pk"}`),
		AAGUID: "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4", Name: "Ffôn Siân", Count: 7, BackedUp: true, Level: identity.P5, Bound: epoch, Used: epoch.Add(time.Hour),
	}
}

func (k *kit) bindKey(credential string) factor.Passkey {
	k.Helper()
	p := key(k.someone().ID, credential)
	k.ok(k.Factors.AddPasskey(k.ctx, p))
	return p
}

var passkeyRules = []rule{
	{"a passkey is read back whole, by its credential and with the account's others in their order", func(k *kit) {
		p := k.bindKey("one")
		later := key(p.Account, "two")
		later.Bound = epoch.Add(time.Minute)
		k.ok(k.Factors.AddPasskey(k.ctx, later))
		k.bindKey("three")
		got, err := k.Factors.PasskeyOf(k.ctx, []byte("one"))
		k.ok(err)
		k.same(got, p)
		all, err := k.Factors.Passkeys(k.ctx, p.Account)
		k.ok(err)
		k.same(all, []factor.Passkey{p, later})
		_, err = k.Factors.PasskeyOf(k.ctx, []byte("One"))
		k.is(err, identity.ErrNotFound)
	}},
	{"a credential is one account's", func(k *kit) {
		p := k.bindKey("one")
		k.is(k.Factors.AddPasskey(k.ctx, key(k.someone().ID, "one")), identity.ErrConflict)
		k.is(k.Factors.AddPasskey(k.ctx, key(p.Account, "one")), identity.ErrConflict)
	}},
	{"a counter rises, or there is none", func(k *kit) {
		for _, row := range []struct {
			kept, said uint32
			want       error
		}{{7, 8, nil}, {7, 7, identity.ErrConflict}, {7, 6, identity.ErrConflict}, {7, 0, identity.ErrConflict}, {0, 0, nil}, {0, 1, nil}, {1<<32 - 2, 1<<32 - 1, nil}} {
			p := key(k.someone().ID, identity.NewID())
			p.Count = row.kept
			k.ok(k.Factors.AddPasskey(k.ctx, p))
			k.is(k.Factors.UsePasskey(k.ctx, p.ID, factor.PasskeyUse{Record: []byte(`{}`), Count: row.said, At: epoch.Add(2 * time.Hour)}), row.want)
			got, err := k.Factors.PasskeyOf(k.ctx, p.Credential)
			k.ok(err)
			if row.want == nil {
				p.Record, p.Count, p.BackedUp, p.Used = []byte(`{}`), row.said, false, epoch.Add(2*time.Hour)
			}
			k.same(got, p)
		}
	}},
	{"race: of many answers with one counter, one is taken", func(k *kit) {
		p := k.bindKey("one")
		k.oneWon(race(parallel, func(int) error {
			return k.Factors.UsePasskey(k.ctx, p.ID, factor.PasskeyUse{Record: p.Record, Count: 8, At: epoch})
		}), identity.ErrConflict)
	}},
	{"one that is off or gone opens nothing", func(k *kit) {
		p := k.bindKey("one")
		use := factor.PasskeyUse{Record: p.Record, Count: 8, At: epoch}
		k.ok(k.Factors.SwitchPasskeyOff(k.ctx, k.someone().ID, p.ID)) // another's
		k.ok(k.Factors.UsePasskey(k.ctx, p.ID, use))
		k.ok(k.Factors.SwitchPasskeyOff(k.ctx, p.Account, p.ID))
		use.Count = 9
		k.is(k.Factors.UsePasskey(k.ctx, p.ID, use), identity.ErrNotFound)
		k.is(k.Factors.DropPasskey(k.ctx, k.someone().ID, p.ID), identity.ErrNotFound)
		k.ok(k.Factors.DropPasskey(k.ctx, p.Account, p.ID))
		k.is(k.Factors.DropPasskey(k.ctx, p.Account, p.ID), identity.ErrNotFound)
		k.is(k.Factors.UsePasskey(k.ctx, p.ID, use), identity.ErrNotFound)
		k.ok(k.Factors.AddPasskey(k.ctx, key(p.Account, "one"))) // made anew
	}},
	{"a name is the account's to give", func(k *kit) {
		p := k.bindKey("one")
		k.is(k.Factors.RenamePasskey(k.ctx, k.someone().ID, p.ID, "theirs"), identity.ErrNotFound)
		k.ok(k.Factors.RenamePasskey(k.ctx, p.Account, p.ID, "fy ffôn"))
		got, err := k.Factors.PasskeyOf(k.ctx, p.Credential)
		k.ok(err)
		p.Name = "fy ffôn"
		k.same(got, p)
	}},
	{"a passkey is raised by name, and never lowered", func(k *kit) {
		p := k.bindKey("one")
		for _, row := range []struct {
			level identity.Proofing
			want  bool
		}{{identity.P0, false}, {identity.P9, true}, {identity.P5, false}} {
			raised, err := k.Factors.Raise(k.ctx, p.Account, factor.KindPasskey, p.ID, row.level)
			k.ok(err)
			k.same(raised, row.want)
		}
	}},
	{"an account that is erased has none", func(k *kit) {
		p := k.bindKey("one")
		k.ok(k.Factors.PutPasskeyOffers(k.ctx, factor.PasskeyOffers{Account: p.Account, Times: 1}))
		k.ok(k.Factors.Erase(k.ctx, p.Account))
		_, err := k.Factors.PasskeyOf(k.ctx, p.Credential)
		k.is(err, identity.ErrNotFound)
		_, err = k.Factors.PasskeyOffers(k.ctx, p.Account)
		k.is(err, identity.ErrNotFound)
	}},
	{"race: a challenge is answered once", func(k *kit) {
		challenge := identity.NewToken().Digest()
		k.oneWon(race(parallel, func(int) error { return k.Factors.SpendChallenge(k.ctx, challenge, epoch) }), identity.ErrSpent)
		k.ok(k.Factors.SpendChallenge(k.ctx, identity.NewToken().Digest(), epoch))
	}},
	{"offers are counted, and refusals kept", func(k *kit) {
		a := k.someone()
		_, err := k.Factors.PasskeyOffers(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		for _, o := range []factor.PasskeyOffers{{Account: a.ID, Times: 1}, {Account: a.ID, Times: 2, Declined: []string{"one", "two"}}} {
			k.ok(k.Factors.PutPasskeyOffers(k.ctx, o))
			got, err := k.Factors.PasskeyOffers(k.ctx, a.ID)
			k.ok(err)
			k.same(got, o)
		}
	}},
}
