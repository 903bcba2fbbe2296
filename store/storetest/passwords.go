package storetest

import (
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

var passwordRules = []rule{
	{"a password's record is kept whole, in the place of the last one", func(k *kit) {
		a := k.someone()
		_, err := k.Passwords.Password(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		for _, want := range []password.Record{{PHC: "$first", Pepper: 1<<32 - 1, Set: epoch}, {PHC: "$second", Pepper: 7, Level: identity.P5, Set: epoch}} {
			k.ok(k.Passwords.SetPassword(k.ctx, a.ID, want))
			got, err := k.Passwords.Password(k.ctx, a.ID)
			k.ok(err)
			k.same(got, want)
		}
		_, err = k.Passwords.Password(k.ctx, "")
		k.is(err, identity.ErrNotFound)
	}},
	{"the level of a password is lifted and never lowered", func(k *kit) {
		a := k.someone()
		k.ok(k.Passwords.SetPassword(k.ctx, a.ID, password.Record{PHC: "$hash", Level: identity.P5, Set: epoch}))
		for _, step := range []struct{ to, want identity.Proofing }{{identity.P0, identity.P5}, {identity.P9, identity.P9}, {identity.P5, identity.P9}} {
			k.ok(k.Passwords.RaisePassword(k.ctx, a.ID, step.to))
			got, err := k.Passwords.Password(k.ctx, a.ID)
			k.ok(err)
			k.same(got.Level, step.want)
		}
	}},
}
