package storetest

import (
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
)

func recoveryCode(account string) factor.Recovery {
	return factor.Recovery{
		ID: identity.NewReference(), Account: account, IssuedBy: "operator:one", ConfirmedBy: "operator:two", Made: epoch, Expires: epoch.Add(time.Hour),
	}
}

var recoveryRules = []rule{
	{"a recovery code is read back whole", func(k *kit) {
		a := k.someone()
		_, _, err := k.Factors.Recovery(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		c, digest := recoveryCode(a.ID), factor.HandedDigest{Pepper: 7, Digest: []byte("digest")}
		k.ok(k.Factors.PutRecovery(k.ctx, digest, c))
		gotDigest, got, err := k.Factors.Recovery(k.ctx, a.ID)
		k.ok(err)
		k.same(got, c)
		k.same(gotDigest, digest)
	}},
	{"a recovery code is spent once, by its own account", func(k *kit) {
		a, other := k.someone(), k.someone()
		digest := factor.HandedDigest{Pepper: 7, Digest: []byte("digest")}
		k.ok(k.Factors.PutRecovery(k.ctx, digest, recoveryCode(a.ID)))
		k.is(k.Factors.SpendRecovery(k.ctx, other.ID, digest, epoch), identity.ErrNotFound)
		k.is(k.Factors.SpendRecovery(k.ctx, a.ID, factor.HandedDigest{Pepper: 7, Digest: []byte("another")}, epoch), identity.ErrNotFound)
		k.is(k.Factors.SpendRecovery(k.ctx, a.ID, factor.HandedDigest{Pepper: 8, Digest: []byte("digest")}, epoch), identity.ErrNotFound)
		k.ok(k.Factors.SpendRecovery(k.ctx, a.ID, digest, epoch))
		k.is(k.Factors.SpendRecovery(k.ctx, a.ID, digest, epoch), identity.ErrSpent)
	}},
	{"a newer recovery code kills the one before, used or not", func(k *kit) {
		a := k.someone()
		old, next := factor.HandedDigest{Pepper: 7, Digest: []byte("old")}, factor.HandedDigest{Pepper: 7, Digest: []byte("next")}
		k.ok(k.Factors.PutRecovery(k.ctx, old, recoveryCode(a.ID)))
		k.ok(k.Factors.SpendRecovery(k.ctx, a.ID, old, epoch))
		k.ok(k.Factors.PutRecovery(k.ctx, next, recoveryCode(a.ID)))
		k.is(k.Factors.SpendRecovery(k.ctx, a.ID, old, epoch), identity.ErrNotFound)
		k.ok(k.Factors.SpendRecovery(k.ctx, a.ID, next, epoch))
	}},
	{"a recovery code goes with the account, and with time", func(k *kit) {
		a, b := k.someone(), k.someone()
		digest := factor.HandedDigest{Pepper: 7, Digest: []byte("digest")}
		k.ok(k.Factors.PutRecovery(k.ctx, digest, recoveryCode(a.ID)))
		k.ok(k.Factors.PutRecovery(k.ctx, digest, recoveryCode(b.ID)))
		k.ok(k.Factors.Erase(k.ctx, a.ID))
		_, _, err := k.Factors.Recovery(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		_, _, err = k.Factors.Recovery(k.ctx, b.ID)
		k.ok(err)
		k.ok(k.Factors.Sweep(k.ctx, epoch, epoch.Add(2*time.Hour)))
		_, _, err = k.Factors.Recovery(k.ctx, b.ID)
		k.is(err, identity.ErrNotFound)
	}},
	{"race: one of many spends a recovery code", func(k *kit) {
		a := k.someone()
		digest := factor.HandedDigest{Pepper: 7, Digest: []byte("digest")}
		k.ok(k.Factors.PutRecovery(k.ctx, digest, recoveryCode(a.ID)))
		k.oneWon(race(parallel, func(int) error { return k.Factors.SpendRecovery(k.ctx, a.ID, digest, epoch) }), identity.ErrSpent)
	}},
	{"a recovery raises the epoch, and is kept", func(k *kit) {
		a := k.someone()
		k.ok(k.Accounts.Recover(k.ctx, a.ID, epoch.Add(time.Hour)))
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got.Epoch, a.Epoch+1)
		k.same(got.Recovered, epoch.Add(time.Hour))
		k.is(k.Accounts.Recover(k.ctx, "nobody", epoch), identity.ErrNotFound)
	}},
}
