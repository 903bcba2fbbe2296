package storetest

import (
	"context"
	"time"

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
	{"a hash made anew keeps the level, and does not bring an old password back", func(k *kit) {
		a := k.someone()
		old := password.Record{PHC: "$old", Pepper: 1, Set: epoch}
		k.ok(k.Passwords.SetPassword(k.ctx, a.ID, old))
		k.ok(k.Passwords.RaisePassword(k.ctx, a.ID, identity.P5))
		anew := password.Record{PHC: "$old, anew", Pepper: 2, Set: epoch}
		k.ok(k.Passwords.RenewPassword(k.ctx, a.ID, anew))
		anew.Level = identity.P5
		got, err := k.Passwords.Password(k.ctx, a.ID)
		k.ok(err)
		k.same(got, anew)
		next := password.Record{PHC: "$new", Pepper: 2, Set: epoch.Add(time.Microsecond)}
		k.ok(k.Passwords.SetPassword(k.ctx, a.ID, next))
		k.ok(k.Passwords.RenewPassword(k.ctx, a.ID, anew))
		got, err = k.Passwords.Password(k.ctx, a.ID)
		k.ok(err)
		k.same(got, next)
		b := k.someone()
		k.ok(k.Passwords.RenewPassword(k.ctx, b.ID, anew))
		_, err = k.Passwords.Password(k.ctx, b.ID)
		k.is(err, identity.ErrNotFound)
	}},
	{"race: of logins with the old password and one change, the change stays", func(k *kit) {
		a := k.someone()
		old, next := password.Record{PHC: "$old", Set: epoch}, password.Record{PHC: "$new", Set: epoch.Add(time.Minute)}
		k.ok(k.Passwords.SetPassword(k.ctx, a.ID, old))
		for _, err := range race(parallel, func(i int) error {
			if i == parallel/2 {
				return k.Passwords.SetPassword(k.ctx, a.ID, next)
			}
			return k.Passwords.RenewPassword(k.ctx, a.ID, old)
		}) {
			k.ok(err)
		}
		got, err := k.Passwords.Password(k.ctx, a.ID)
		k.ok(err)
		k.same(got, next)
	}},
	{"a password goes with the act that set it, and belongs to an account", func(k *kit) {
		a := k.someone()
		k.is(k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.ok(k.Passwords.SetPassword(ctx, a.ID, password.Record{PHC: "$hash", Set: epoch}))
			return errOfAct
		}), errOfAct)
		_, err := k.Passwords.Password(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		if err := k.Passwords.SetPassword(k.ctx, identity.NewID(), password.Record{PHC: "$hash", Set: epoch}); err == nil {
			k.Fatal("wanted nobody's password refused")
		}
	}},
}
