package storetest

import (
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

// clinicLink is a link at another provider than [link]'s.
func clinicLink(subject string) account.Link {
	l := link(subject)
	l.Provider, l.Issuer, l.Level, l.First, l.Last = "clinic", "https://id.example.org", identity.P5, epoch.Add(time.Hour), epoch.Add(time.Hour)
	return l
}

var linkRules = []rule{
	{"a link that is added comes last, and finds the account", func(k *kit) {
		a := k.signedUp("one@example.com")
		for _, l := range []account.Link{link("nhs"), clinicLink("clinic")} {
			k.ok(k.Accounts.AddLink(k.ctx, a.ID, l))
			a.Links = append(a.Links, l)
			got, err := k.Accounts.ByLink(k.ctx, l.Issuer, l.Subject)
			k.ok(err)
			k.same(got, a)
		}
		found, err := k.Accounts.ByNHSNumber(k.ctx, link("nhs").Details.NHSNumber)
		k.ok(err)
		k.same(len(found), 1)
	}},
	{"a link that is dropped finds nobody, the others stay, and its place is not taken twice", func(k *kit) {
		a := patient(link("one"), clinicLink("two"))
		k.ok(k.Accounts.Create(k.ctx, a))
		k.ok(k.Accounts.DropLink(k.ctx, a.ID, a.Links[0]))
		_, err := k.Accounts.ByLink(k.ctx, a.Links[0].Issuer, "one")
		k.is(err, identity.ErrNotFound)
		got, err := k.Accounts.ByLink(k.ctx, a.Links[1].Issuer, "two")
		k.ok(err)
		k.same(got.Links, a.Links[1:])
		k.is(k.Accounts.DropLink(k.ctx, a.ID, a.Links[0]), identity.ErrNotFound)
		k.ok(k.Accounts.AddLink(k.ctx, a.ID, a.Links[0]))
		got, err = k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got.Links, []account.Link{a.Links[1], a.Links[0]})
	}},
	{"what was dropped may be anybody's", func(k *kit) {
		a := patient(link("one"), clinicLink("two"))
		k.ok(k.Accounts.Create(k.ctx, a))
		k.ok(k.Accounts.DropLink(k.ctx, a.ID, a.Links[1]))
		b := patient(clinicLink("two"))
		k.ok(k.Accounts.Create(k.ctx, b))
		got, err := k.Accounts.ByLink(k.ctx, b.Links[0].Issuer, "two")
		k.ok(err)
		k.same(got.ID, b.ID)
	}},
	{"no link is dropped by an account that it is not of", func(k *kit) {
		a, b := patient(link("one")), patient(link("two"))
		k.ok(k.Accounts.Create(k.ctx, a))
		k.ok(k.Accounts.Create(k.ctx, b))
		k.is(k.Accounts.DropLink(k.ctx, b.ID, a.Links[0]), identity.ErrNotFound)
		_, err := k.Accounts.ByLink(k.ctx, a.Links[0].Issuer, "one")
		k.ok(err)
	}},
	{"a subject that any account has is added to none, closed accounts included", func(k *kit) {
		gone := patient(clinicLink("gone"))
		k.ok(k.Accounts.Create(k.ctx, gone))
		k.ok(k.Accounts.SetState(k.ctx, gone.ID, account.Deleted))
		k.ok(k.Accounts.Create(k.ctx, patient(clinicLink("two"))))
		a := patient(link("one"))
		k.ok(k.Accounts.Create(k.ctx, a))
		for _, subject := range []string{"gone", "two"} {
			k.is(k.Accounts.AddLink(k.ctx, a.ID, clinicLink(subject)), identity.ErrConflict)
		}
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got, a)
	}},
	{"race: of many that link one subject, one does", func(k *kit) {
		all := make([]account.Account, parallel)
		for i := range all {
			all[i] = k.signedUp(string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@example.com")
		}
		k.oneWon(race(parallel, func(i int) error { return k.Accounts.AddLink(k.ctx, all[i].ID, clinicLink("one")) }), identity.ErrConflict)
	}},
}
