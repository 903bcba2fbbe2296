package storetest

import (
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
)

// shown records that the service was told who the account is.
func (k *kit) shown(id, service string, kind audit.Kind, result audit.Result, at time.Time) {
	k.Helper()
	k.ok(k.Audit.Append(k.ctx, audit.Event{ID: identity.NewID(), At: at, Kind: kind, Result: result, Actor: audit.Portal, Account: id, Portal: service}))
}

var mergeRules = []rule{
	{"an account that went into another says where, and all that went into it before with it", func(k *kit) {
		a, b, c := k.someone(), k.someone(), k.someone()
		k.ok(k.Accounts.Merge(k.ctx, a.ID, b.ID, epoch, nil))
		k.ok(k.Accounts.Merge(k.ctx, b.ID, c.ID, epoch.Add(time.Hour), nil))
		for id, want := range map[string]string{a.ID: c.ID, b.ID: c.ID, c.ID: ""} {
			got, err := k.Accounts.Account(k.ctx, id)
			k.ok(err)
			k.same(got.MergedInto, want)
		}
		got, err := k.Accounts.Account(k.ctx, c.ID)
		k.ok(err)
		k.same([]any{got.TookIn, got.Epoch}, []any{epoch.Add(time.Hour), c.Epoch + 1})
		k.is(k.Accounts.Merge(k.ctx, "nobody", c.ID, epoch, nil), identity.ErrNotFound)
		k.is(k.Accounts.Merge(k.ctx, a.ID, "nobody", epoch, nil), identity.ErrNotFound)
	}},
	{"who was told who an account is: each service once, since the first time, refusals not", func(k *kit) {
		a, other := k.someone(), k.someone()
		k.shown(a.ID, "portal", audit.TokensIssued, audit.OK, epoch.Add(time.Hour))
		k.shown(a.ID, "portal", audit.TokensIssued, audit.OK, epoch)
		k.shown(a.ID, "letters.example.org", audit.HostShown, audit.OK, epoch)
		k.shown(a.ID, "refused", audit.TokensIssued, audit.Refused, epoch)
		k.shown(a.ID, "only asked", audit.CodeIssued, audit.OK, epoch)
		k.shown(other.ID, "another's", audit.TokensIssued, audit.OK, epoch)
		got, err := k.Accounts.Shown(k.ctx, a.ID)
		k.ok(err)
		k.same(got, []account.Known{{Service: "letters.example.org", Subject: a.ID, First: epoch}, {Service: "portal", Subject: a.ID, First: epoch}})
	}},
	{"by which subject services know an account is replaced whole, and goes with it", func(k *kit) {
		a, b, c := k.someone(), k.someone(), k.someone()
		first := []account.Known{{Service: "one", Subject: a.ID, First: epoch}, {Service: "two", Subject: a.ID, First: epoch}}
		k.ok(k.Accounts.Merge(k.ctx, a.ID, c.ID, epoch, first))
		got, err := k.Accounts.Known(k.ctx, c.ID)
		k.ok(err)
		k.same(got, first)
		k.ok(k.Accounts.Merge(k.ctx, b.ID, c.ID, epoch, first[1:]))
		got, err = k.Accounts.Known(k.ctx, c.ID)
		k.ok(err)
		k.same(got, first[1:])
		k.ok(k.Accounts.Erase(k.ctx, c.ID))
		got, err = k.Accounts.Known(k.ctx, c.ID)
		k.ok(err)
		k.same(len(got), 0)
	}},
	{"the record of an account has that of those that went into it, in one order", func(k *kit) {
		a, b := k.someone(), k.someone()
		k.shown(a.ID, "first", audit.TokensIssued, audit.OK, epoch)
		k.shown(b.ID, "second", audit.TokensIssued, audit.OK, epoch.Add(time.Minute))
		k.shown(a.ID, "third", audit.TokensIssued, audit.OK, epoch.Add(time.Hour))
		k.ok(k.Accounts.Merge(k.ctx, a.ID, b.ID, epoch, nil))
		for id, want := range map[string][]string{b.ID: {"third", "second", "first"}, a.ID: {"third", "first"}, "": nil} {
			events, err := k.Audit.EventsOf(k.ctx, id, 10)
			k.ok(err)
			var got []string
			for _, e := range events {
				got = append(got, e.Portal)
			}
			k.same(got, want)
		}
	}},
}
