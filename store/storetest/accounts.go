package storetest

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
)

var accountRules = []rule{
	{"a pause ends what is open, and a recovery takes it back", func(k *kit) {
		a := k.someone()
		k.ok(k.Accounts.Pause(k.ctx, a.ID, epoch.Add(24*time.Hour)))
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got.Paused, epoch.Add(24*time.Hour))
		k.same(got.Epoch, a.Epoch+1)
		k.ok(k.Accounts.Recover(k.ctx, a.ID, epoch))
		got, err = k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got.Paused.IsZero(), true)
		k.is(k.Accounts.Pause(k.ctx, "nobody", epoch), identity.ErrNotFound)
	}},
	{"an account is quiet while its patient wants it", func(k *kit) {
		a, other := k.someone(), k.someone()
		for _, quiet := range []bool{true, false, true} {
			k.ok(k.Accounts.SetQuiet(k.ctx, a.ID, quiet))
			got, err := k.Accounts.Account(k.ctx, a.ID)
			k.ok(err)
			k.same(got.Quiet, quiet)
		}
		got, err := k.Accounts.Account(k.ctx, other.ID)
		k.ok(err)
		k.same(got.Quiet, false)
		k.ok(k.Accounts.Erase(k.ctx, a.ID))
		got, err = k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got.Quiet, false)
		k.is(k.Accounts.SetQuiet(k.ctx, "nobody", true), identity.ErrNotFound)
	}},
	{"what was created is read back whole, its links in their order", func(k *kit) {
		second := link("two")
		second.Issuer, second.Provider, second.Level, second.Details = "https://other.example.org", "other", identity.P5, identity.Details{}
		second.Last = epoch.Add(time.Hour)
		a := patient(link("one"), second)
		k.ok(k.Accounts.Create(k.ctx, a))
		for _, read := range []func() (account.Account, error){
			func() (account.Account, error) { return k.Accounts.Account(k.ctx, a.ID) },
			func() (account.Account, error) { return k.Accounts.ByLink(k.ctx, a.Links[0].Issuer, "one") },
			func() (account.Account, error) { return k.Accounts.ByLink(k.ctx, second.Issuer, "two") },
		} {
			got, err := read()
			k.ok(err)
			k.same(got, a)
		}
	}},
	{"an account without links", func(k *kit) {
		a := k.someone()
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got, a)
	}},
	{"unknown", func(k *kit) {
		k.ok(k.Accounts.Create(k.ctx, patient(link("one"))))
		_, err := k.Accounts.Account(k.ctx, "nobody")
		k.is(err, identity.ErrNotFound)
		_, err = k.Accounts.ByLink(k.ctx, "https://auth.example.org", "nobody")
		k.is(err, identity.ErrNotFound)
		k.is(k.Accounts.UpdateLink(k.ctx, "nobody", link("one")), identity.ErrNotFound)
		k.is(k.Accounts.SetState(k.ctx, "nobody", account.Disabled), identity.ErrNotFound)
		k.is(k.Accounts.RaiseEpoch(k.ctx, "nobody"), identity.ErrNotFound)
		k.is(k.Accounts.SetLanguage(k.ctx, "nobody", "cy"), identity.ErrNotFound)
	}},
	{"a subject is compared exactly, at its own issuer", func(k *kit) {
		k.ok(k.Accounts.Create(k.ctx, patient(link("AbC"))))
		for _, other := range [][2]string{
			{"https://auth.example.org", "abc"},
			{"https://auth.example.org", "AbC "},
			{"https://auth.example.org", ""},
			{"https://auth.example.org/", "AbC"},
			{"https://other.example.org", "AbC"},
			{"", "AbC"},
			{"https://auth.example.org\x00AbC", ""},
		} {
			_, err := k.Accounts.ByLink(k.ctx, other[0], other[1])
			k.is(err, identity.ErrNotFound)
		}
		k.ok(k.Accounts.Create(k.ctx, patient(link("abc"))))
	}},
	{"a linked subject is never linked again, closed accounts included", func(k *kit) {
		for _, state := range []account.State{account.Active, account.Disabled, account.Deleted} {
			a := patient(link("of " + string(state)))
			k.ok(k.Accounts.Create(k.ctx, a))
			k.ok(k.Accounts.SetState(k.ctx, a.ID, state))
			b := patient(link("of " + string(state)))
			k.is(k.Accounts.Create(k.ctx, b), identity.ErrConflict)
			_, err := k.Accounts.Account(k.ctx, b.ID)
			k.is(err, identity.ErrNotFound)
		}
	}},
	{"an id is never given twice", func(k *kit) {
		a := k.someone()
		again := patient(link("one"))
		again.ID = a.ID
		k.is(k.Accounts.Create(k.ctx, again), identity.ErrConflict)
		_, err := k.Accounts.ByLink(k.ctx, again.Links[0].Issuer, "one")
		k.is(err, identity.ErrNotFound)
	}},
	{"one NHS number and one e-mail on two accounts find both", func(k *kit) {
		a, b, c := patient(link("one")), patient(link("two")), patient(link("three"))
		other := details()
		other.NHSNumber, other.Email = must(identity.ParseNHSNumber("999 000 0026")), must(identity.ParseEmail("other@example.com"))
		b.Created, c.Links[0].Details = epoch.Add(time.Minute), other
		for _, v := range []account.Account{a, b, c} {
			k.ok(k.Accounts.Create(k.ctx, v))
		}
		found, err := k.Accounts.ByNHSNumber(k.ctx, details().NHSNumber)
		k.ok(err)
		k.same(found, []account.Account{a, b})
		found, err = k.Accounts.ByContact(k.ctx, must(identity.ParseEmail("sian.TEST@EXAMPLE.com")).Contact())
		k.ok(err)
		k.same(found, []account.Account{a, b})
	}},
	{"nothing finds nobody, though many have none", func(k *kit) {
		l := link("one")
		l.Details = identity.Details{}
		k.ok(k.Accounts.Create(k.ctx, patient(l)))
		found, err := k.Accounts.ByNHSNumber(k.ctx, identity.NHSNumber{})
		k.ok(err)
		k.same(len(found), 0)
		found, err = k.Accounts.ByContact(k.ctx, identity.Email{}.Contact())
		k.ok(err)
		k.same(len(found), 0)
	}},
	{"an updated link is found by its new values and no longer by the old", func(k *kit) {
		a := patient(link("one"))
		k.ok(k.Accounts.Create(k.ctx, a))
		changed := a.Links[0]
		changed.Provider, changed.Level, changed.Last = "renamed", identity.P5, epoch.Add(time.Hour)
		changed.Details.NHSNumber, changed.Details.Email = must(identity.ParseNHSNumber("999 000 0026")), identity.Email{}
		k.ok(k.Accounts.UpdateLink(k.ctx, a.ID, changed))
		a.Links[0] = changed
		found, err := k.Accounts.ByNHSNumber(k.ctx, changed.Details.NHSNumber)
		k.ok(err)
		k.same(found, []account.Account{a})
		found, err = k.Accounts.ByNHSNumber(k.ctx, details().NHSNumber)
		k.ok(err)
		k.same(len(found), 0)
		found, err = k.Accounts.ByContact(k.ctx, details().Email.Contact())
		k.ok(err)
		k.same(len(found), 0)
		got, err := k.Accounts.ByLink(k.ctx, changed.Issuer, "one")
		k.ok(err)
		k.same(got, a)
	}},
	{"a frozen link is read back whole, and its number is another's to prove", func(k *kit) {
		own := func(subject string) account.Link {
			l := link(subject)
			l.Provider, l.Issuer, l.Level, l.Basis = account.Own, account.Own, identity.P5, identity.BasisRegister
			return l
		}
		first, second := patient(own("one@example.com")), patient(own("two@example.com"))
		k.ok(k.Accounts.Create(k.ctx, first))
		k.is(k.Accounts.Create(k.ctx, second), identity.ErrConflict)
		l := &first.Links[0]
		l.Frozen, l.Before, l.Level, l.Checked, l.Standing = identity.FrozenNotMyNumber, identity.P5, identity.P0, epoch.Add(time.Hour), identity.Moved
		k.ok(k.Accounts.UpdateLink(k.ctx, first.ID, *l))
		got, err := k.Accounts.Account(k.ctx, first.ID)
		k.ok(err)
		k.same(got, first)
		k.ok(k.Accounts.Create(k.ctx, second))
		l.Frozen, l.Before, l.Level = "", identity.P0, identity.P5
		k.is(k.Accounts.UpdateLink(k.ctx, first.ID, *l), identity.ErrConflict)
	}},
	{"when an account closes, and that it was taken back", func(k *kit) {
		a, b, gone := k.someone(), k.someone(), k.someone()
		for _, x := range []account.Account{a, b, gone} {
			k.ok(k.Accounts.SetCloses(k.ctx, x.ID, epoch.Add(time.Hour)))
		}
		k.ok(k.Accounts.SetCloses(k.ctx, b.ID, time.Time{}))
		k.ok(k.Accounts.SetState(k.ctx, gone.ID, account.Deleted))
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got.Closes, epoch.Add(time.Hour))
		for at, want := range map[time.Time][]string{epoch.Add(time.Hour - time.Microsecond): nil, epoch.Add(time.Hour): {a.ID}} {
			due, err := k.Accounts.Closing(k.ctx, at)
			k.ok(err)
			k.same(due, want)
		}
		k.is(k.Accounts.SetCloses(k.ctx, "nobody", epoch), identity.ErrNotFound)
	}},
	{"an account that is erased leaves its id, and its addresses to others", func(k *kit) {
		a, other := patient(link("one")), patient(link("two"))
		other.Links[0].Details.Email = identity.Email{}
		k.ok(k.Accounts.Create(k.ctx, a))
		k.ok(k.Accounts.Create(k.ctx, other))
		k.open(a)
		k.ok(k.Accounts.KeepFormer(k.ctx, a.ID, details().NHSNumber, epoch))
		k.ok(k.Factors.PutPhone(k.ctx, factor.Phone{ID: "phone", Account: a.ID, Number: details().Phone, Bound: epoch}))
		k.ok(k.Accounts.SetState(k.ctx, a.ID, account.Deleted))
		k.ok(k.Accounts.Erase(k.ctx, a.ID))
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got, account.Account{ID: a.ID, State: account.Deleted, Epoch: 2, Created: a.Created})
		_, err = k.Accounts.ByLink(k.ctx, a.Links[0].Issuer, "one")
		k.is(err, identity.ErrNotFound)
		found, err := k.Accounts.ByContact(k.ctx, details().Email.Contact())
		k.ok(err)
		k.same(len(found), 0)
		_, err = k.Factors.Phone(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		left, err := k.Sessions.ByAccount(k.ctx, a.ID)
		k.ok(err)
		k.same(len(left), 0)
		anew := patient(link("one"))
		k.ok(k.Accounts.Create(k.ctx, anew))
		again := patient()
		again.ID = a.ID
		k.is(k.Accounts.Create(k.ctx, again), identity.ErrConflict)
		kept, err := k.Accounts.Account(k.ctx, other.ID)
		k.ok(err)
		k.same(kept, other)
		k.is(k.Accounts.Erase(k.ctx, "nobody"), identity.ErrNotFound)
	}},
	{"another account's link is not updated", func(k *kit) {
		a, b := patient(link("one")), patient(link("two"))
		k.ok(k.Accounts.Create(k.ctx, a))
		k.ok(k.Accounts.Create(k.ctx, b))
		k.is(k.Accounts.UpdateLink(k.ctx, b.ID, a.Links[0]), identity.ErrNotFound)
	}},
	{"each state and each end of everything raises the epoch by one", func(k *kit) {
		a := k.someone()
		k.ok(k.Accounts.SetState(k.ctx, a.ID, account.Disabled))
		k.ok(k.Accounts.SetState(k.ctx, a.ID, account.Active))
		k.ok(k.Accounts.RaiseEpoch(k.ctx, a.ID))
		k.ok(k.Accounts.SetLanguage(k.ctx, a.ID, "en"))
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		a.Epoch, a.Language = a.Epoch+3, "en"
		k.same(got, a)
	}},
	{"race: one subject's first logins make one account", func(k *kit) {
		k.oneWon(race(parallel, func(int) error { return k.Accounts.Create(k.ctx, patient(link("one"))) }), identity.ErrConflict)
		found, err := k.Accounts.ByNHSNumber(k.ctx, details().NHSNumber)
		k.ok(err)
		k.same(len(found), 1)
	}},
	{"race: first logins that look before they create make one account", func(k *kit) {
		admit := func(ctx context.Context) error {
			_, err := k.Accounts.ByLink(ctx, "https://auth.example.org", "one")
			if err == nil {
				return nil
			}
			return k.Accounts.Create(ctx, patient(link("one")))
		}
		for _, err := range race(8, func(int) error { return k.Audit.Within(k.ctx, admit) }) {
			if err != nil {
				k.is(err, identity.ErrConflict)
			}
		}
		found, err := k.Accounts.ByNHSNumber(k.ctx, details().NHSNumber)
		k.ok(err)
		k.same(len(found), 1)
	}},
	{"race: strangers' first logins all succeed", func(k *kit) {
		for _, err := range race(parallel, func(i int) error {
			return k.Audit.Within(k.ctx, func(ctx context.Context) error {
				l := link(strings.Repeat("x", i+1))
				if _, err := k.Accounts.ByLink(ctx, l.Issuer, l.Subject); err == nil {
					return identity.ErrConflict
				}
				if err := k.Accounts.Create(ctx, patient(l)); err != nil {
					return err
				}
				return k.Audit.Append(ctx, event(audit.AccountCreated))
			})
		}) {
			k.ok(err)
		}
	}},
	{"race: raised epochs all count", func(k *kit) {
		a := k.someone()
		for _, err := range race(parallel, func(int) error { return k.Accounts.RaiseEpoch(k.ctx, a.ID) }) {
			k.ok(err)
		}
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got.Epoch, a.Epoch+parallel)
	}},
	{"race: an account is never read half-changed", func(k *kit) {
		a := patient(link("one"))
		a.Language = strings.Repeat("x", int(a.Links[0].Level))
		k.ok(k.Accounts.Create(k.ctx, a))
		var done atomic.Bool
		errs := race(3, func(i int) error {
			if i > 0 {
				for !done.Load() {
					got, err := k.Accounts.Account(k.ctx, a.ID)
					if err != nil {
						return err
					}
					// Language and level change in one act, always together.
					if want := identity.Proofing(len(got.Language)); got.Links[0].Level != want {
						return errOfAct
					}
				}
				return nil
			}
			defer done.Store(true)
			for n := range 20 {
				err := k.Audit.Within(k.ctx, func(ctx context.Context) error {
					l := a.Links[0]
					l.Level = []identity.Proofing{identity.P5, identity.P9}[n%2]
					if err := k.Accounts.SetLanguage(ctx, a.ID, strings.Repeat("x", int(l.Level))); err != nil {
						return err
					}
					return k.Accounts.UpdateLink(ctx, a.ID, l)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
			k.Fatal(errs[i])
		}
	}},
}
