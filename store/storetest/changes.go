package storetest

import (
	"context"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

// signedUp is an account of a patient who signed up here with that address.
func (k *kit) signedUp(email string) account.Account {
	k.Helper()
	l := link(email)
	l.Provider, l.Issuer, l.Basis = account.Own, account.Own, identity.BasisDocuments
	l.Details.NHSNumber, l.Details.Email = identity.NHSNumber{}, must(identity.ParseEmail(email))
	a := patient(l)
	k.ok(k.Accounts.Create(k.ctx, a))
	return a
}

// waits is a change of e-mail that waits.
func waits(a account.Account) account.Change {
	return account.Change{
		ID: identity.NewID(), Account: a.ID, Channel: identity.ByEmail, Level: identity.P5, Epoch: a.Epoch, Asked: epoch, Opens: epoch.Add(time.Hour),
		New: identity.Details{Email: must(identity.ParseEmail("Next@example.com")), EmailVerified: true},
	}
}

func anyToken() identity.Digest { return identity.NewToken().Digest() }

var changeRules = []rule{
	{"a change comes back whole, by its id, its token and its account", func(k *kit) {
		a := k.signedUp("one@example.com")
		email, phone, cancel := waits(a), waits(a), anyToken()
		phone.ID, phone.Channel, phone.Opens = identity.NewID(), identity.BySMS, epoch.Add(2*time.Hour)
		phone.New = identity.Details{Phone: must(identity.ParsePhone("07700 900456")), PhoneVerified: true}
		k.ok(k.Accounts.PutChange(k.ctx, phone, anyToken()))
		k.ok(k.Accounts.PutChange(k.ctx, email, cancel))
		got, err := k.Accounts.Change(k.ctx, phone.ID)
		k.ok(err)
		k.same(got, phone)
		got, err = k.Accounts.ChangeToCancel(k.ctx, cancel)
		k.ok(err)
		k.same(got, email)
		all, err := k.Accounts.Changes(k.ctx, a.ID)
		k.ok(err)
		k.same(all, []account.Change{email, phone})
	}},
	{"nobody's change", func(k *kit) {
		a := k.signedUp("one@example.com")
		k.ok(k.Accounts.PutChange(k.ctx, waits(a), anyToken()))
		_, err := k.Accounts.Change(k.ctx, "nobody")
		k.is(err, identity.ErrNotFound)
		_, err = k.Accounts.ChangeToCancel(k.ctx, anyToken())
		k.is(err, identity.ErrNotFound)
		_, err = k.Accounts.ChangeToCancel(k.ctx, identity.Digest{})
		k.is(err, identity.ErrNotFound)
		all, err := k.Accounts.Changes(k.ctx, k.someone().ID)
		k.ok(err)
		k.same(len(all), 0)
	}},
	{"a newer change of a channel ends the one before and its token, and no other", func(k *kit) {
		a, b := k.signedUp("one@example.com"), k.signedUp("two@example.com")
		first, second, phone, other, cancel := waits(a), waits(a), waits(a), waits(b), anyToken()
		phone.Channel = identity.BySMS
		for _, c := range []account.Change{phone, other} {
			k.ok(k.Accounts.PutChange(k.ctx, c, anyToken()))
		}
		k.ok(k.Accounts.PutChange(k.ctx, first, cancel))
		k.ok(k.Accounts.PutChange(k.ctx, second, anyToken()))
		_, err := k.Accounts.ChangeToCancel(k.ctx, cancel)
		k.is(err, identity.ErrNotFound)
		for _, c := range []account.Change{second, phone, other} {
			_, err := k.Accounts.Change(k.ctx, c.ID)
			k.ok(err)
		}
	}},
	{"due is what has come to its time, and what has ended, the earliest first", func(k *kit) {
		a, b, c, d := k.signedUp("a@example.com"), k.signedUp("b@example.com"), k.signedUp("c@example.com"), k.signedUp("d@example.com")
		late, due, ended, closed := waits(a), waits(b), waits(c), waits(d)
		due.Opens, late.Opens, ended.Opens, closed.Opens = epoch.Add(time.Minute), epoch.Add(time.Minute+time.Microsecond), epoch.Add(time.Hour), epoch.Add(2*time.Hour)
		closed.Epoch = d.Epoch + 1
		for _, v := range []account.Change{late, due, ended, closed} {
			k.ok(k.Accounts.PutChange(k.ctx, v, anyToken()))
		}
		k.ok(k.Accounts.RaiseEpoch(k.ctx, c.ID))
		k.ok(k.Accounts.SetState(k.ctx, d.ID, account.Disabled))
		ids, err := k.Accounts.DueChanges(k.ctx, epoch.Add(time.Minute))
		k.ok(err)
		k.same(ids, []string{due.ID, ended.ID, closed.ID})
	}},
	{"what is carried goes on in the next epoch, and what was dead stays dead", func(k *kit) {
		a := k.signedUp("one@example.com")
		alive, dead := waits(a), waits(a)
		dead.Channel, dead.Epoch = identity.BySMS, a.Epoch-1
		k.ok(k.Accounts.PutChange(k.ctx, alive, anyToken()))
		k.ok(k.Accounts.PutChange(k.ctx, dead, anyToken()))
		k.ok(k.Accounts.CarryChanges(k.ctx, a.ID, a.Epoch, a.Epoch+1))
		got, err := k.Accounts.Change(k.ctx, alive.ID)
		k.ok(err)
		k.same(got.Epoch, a.Epoch+1)
		got, err = k.Accounts.Change(k.ctx, dead.ID)
		k.ok(err)
		k.same(got.Epoch, a.Epoch-1)
	}},
	{"race: of many that end one change, one does", func(k *kit) {
		c := waits(k.signedUp("one@example.com"))
		k.ok(k.Accounts.PutChange(k.ctx, c, anyToken()))
		k.oneWon(race(parallel, func(int) error {
			return k.Audit.Within(k.ctx, func(ctx context.Context) error {
				if _, err := k.Accounts.Change(ctx, c.ID); err != nil {
					return err
				}
				return k.Accounts.EndChange(ctx, c.ID)
			})
		}), identity.ErrNotFound)
	}},
	{"race: of many that wait on one channel, one stays", func(k *kit) {
		a := k.signedUp("one@example.com")
		for _, err := range race(parallel, func(int) error { return k.Accounts.PutChange(k.ctx, waits(a), anyToken()) }) {
			k.ok(err)
		}
		all, err := k.Accounts.Changes(k.ctx, a.ID)
		k.ok(err)
		k.same(len(all), 1)
	}},
	{"a moved link is found by its new subject and contact, and no longer by the old", func(k *kit) {
		a := k.signedUp("one@example.com")
		next := a.Links[0]
		next.Details.Email = must(identity.ParseEmail("Next@example.com"))
		next.Subject = next.Details.Email.Canonical()
		k.ok(k.Accounts.MoveLink(k.ctx, a.ID, "one@example.com", next))
		a.Links[0] = next
		got, err := k.Accounts.ByLink(k.ctx, account.Own, "next@example.com")
		k.ok(err)
		k.same(got, a)
		found, err := k.Accounts.ByContact(k.ctx, next.Details.Email.Contact())
		k.ok(err)
		k.same(found, []account.Account{a})
		_, err = k.Accounts.ByLink(k.ctx, account.Own, "one@example.com")
		k.is(err, identity.ErrNotFound)
		found, err = k.Accounts.ByContact(k.ctx, must(identity.ParseEmail("one@example.com")).Contact())
		k.ok(err)
		k.same(len(found), 0)
		k.is(k.Accounts.MoveLink(k.ctx, a.ID, "one@example.com", next), identity.ErrNotFound)
		k.signedUp("one@example.com") // which nobody has any more
	}},
	{"a link is moved to no subject that another has, closed accounts included, nor is another's", func(k *kit) {
		a, b, gone := k.signedUp("one@example.com"), k.signedUp("two@example.com"), k.signedUp("gone@example.com")
		k.ok(k.Accounts.SetState(k.ctx, gone.ID, account.Deleted))
		for _, subject := range []string{"two@example.com", "gone@example.com"} {
			next := a.Links[0]
			next.Subject = subject
			k.is(k.Accounts.MoveLink(k.ctx, a.ID, "one@example.com", next), identity.ErrConflict)
		}
		free := a.Links[0]
		free.Subject = "free@example.com"
		k.is(k.Accounts.MoveLink(k.ctx, b.ID, "one@example.com", free), identity.ErrNotFound)
		for _, v := range []account.Account{a, b} {
			got, err := k.Accounts.ByLink(k.ctx, account.Own, v.Links[0].Subject)
			k.ok(err)
			k.same(got, v)
		}
	}},
	{"race: of many that move to one subject, one does, and the others stay where they were", func(k *kit) {
		const many = 8
		all := make([]account.Account, many)
		for i := range all {
			all[i] = k.signedUp(string(rune('a'+i)) + "@example.com")
		}
		k.oneWon(race(many, func(i int) error {
			next := all[i].Links[0]
			next.Subject = "next@example.com"
			return k.Accounts.MoveLink(k.ctx, all[i].ID, all[i].Links[0].Subject, next)
		}), identity.ErrConflict)
		stayed := 0
		for _, a := range all {
			if _, err := k.Accounts.ByLink(k.ctx, account.Own, a.Links[0].Subject); err == nil {
				stayed++
			}
		}
		k.same(stayed, many-1)
	}},
}
