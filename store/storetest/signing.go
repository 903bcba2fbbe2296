package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// signingKey is one in that place of the rota; its bytes need not be a key.
func signingKey(alg token.Alg, seq int) token.Key {
	return token.Key{
		Alg: alg, Seq: seq, ID: identity.NewID(), PKCS8: identity.Secret("\x30\x00\xff" + identity.NewID()), Published: epoch, Active: epoch.Add(20 * time.Minute),
	}
}

var signingRules = []rule{
	{"keys are read back whole", func(k *kit) {
		want := []token.Key{signingKey(token.ES256, 1), signingKey(token.ES256, 2), signingKey(token.RS256, 1)}
		for _, key := range want {
			k.ok(k.SigningKeys.AddSigningKey(k.ctx, key))
		}
		got, err := k.SigningKeys.SigningKeys(k.ctx)
		k.ok(err)
		byID := cmpopts.SortSlices(func(a, b token.Key) bool { return a.ID < b.ID })
		if diff := cmp.Diff(want, got, comparePersonal, byID); diff != "" {
			k.Fatal(diff)
		}
	}},
	{"a place in the rota is taken once, and free again when its key is dropped", func(k *kit) {
		first, second := signingKey(token.ES256, 1), signingKey(token.ES256, 1)
		k.ok(k.SigningKeys.AddSigningKey(k.ctx, first))
		k.is(k.SigningKeys.AddSigningKey(k.ctx, second), identity.ErrConflict)
		k.ok(k.SigningKeys.DropSigningKey(k.ctx, first.ID))
		k.ok(k.SigningKeys.DropSigningKey(k.ctx, first.ID))
		k.ok(k.SigningKeys.AddSigningKey(k.ctx, second))
		got, err := k.SigningKeys.SigningKeys(k.ctx)
		k.ok(err)
		k.same(got, []token.Key{second})
	}},
	{"no keys", func(k *kit) {
		got, err := k.SigningKeys.SigningKeys(k.ctx)
		k.ok(err)
		k.same(len(got), 0)
	}},
	{"race: of replicas that rotate at once one adds its key", func(k *kit) {
		k.oneWon(race(8, func(int) error { return k.SigningKeys.AddSigningKey(k.ctx, signingKey(token.ES256, 7)) }), identity.ErrConflict)
	}},
	{"a real ring over the store", func(k *kit) {
		one, err := token.NewRing(k.SigningKeys, clock, token.ES256)
		k.ok(err)
		two, err := token.NewRing(k.SigningKeys, clock, token.ES256)
		k.ok(err)
		k.ok(one.Refresh(k.ctx))
		k.ok(two.Refresh(k.ctx))
		k.same(string(one.JWKS()), string(two.JWKS()))
	}},
}
