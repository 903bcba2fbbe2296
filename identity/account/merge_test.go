package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
)

// pair is one patient's two accounts at P9: with a password here, and by a provider.
func (r *rig) pair() (own, provided account.Account) {
	r.Helper()
	own = r.own("one@example.com", ownNumber, identity.P9)
	own.Links[0].Details.BirthDate = details().BirthDate
	r.ok(r.db.Accounts().UpdateLink(r.Context(), own.ID, own.Links[0]))
	provided, err := r.admit(answer("one"), "")
	r.ok(err)
	return own, provided
}

// merge takes the one account into the other, as both are now.
func (r *rig) merge(into, from string) (a account.Account, err error) {
	err = r.ledger.Within(r.Context(), func(ctx context.Context) error {
		a, err = r.Merge(ctx, r.kept(into), r.kept(from), "session")
		return err
	})
	return a, err
}

// show records that the service was told who the account is.
func (r *rig) show(kind audit.Kind, id, service string) {
	r.Helper()
	r.ok(r.ledger.Record(r.Context(), audit.Event{Kind: kind, Actor: audit.Portal, Account: id, Portal: service}))
}

func TestMerge(t *testing.T) {
	r := newRig(t)
	own, provided := r.pair()
	got, err := r.merge(own.ID, provided.ID)
	r.ok(err)
	r.same([]any{got.ID, got.State, got.Epoch, got.TookIn, len(got.Links)}, []any{own.ID, account.Active, own.Epoch + 1, epoch, 2})
	r.same(got.Links[1], provided.Links[0]) // with its level, its details, and since when
	gone := r.kept(provided.ID)
	r.same([]any{gone.State, gone.MergedInto, len(gone.Links)}, []any{account.Deleted, own.ID, 0})
	r.same(len(r.seenOf(audit.AccountMerged)), 2)
	again, err := r.admit(answer("one"), "")
	r.ok(err)
	r.same(again.ID, own.ID)
}

// Each row changes one of two accounts that would become one.
func TestMergeRefuses(t *testing.T) {
	change := func(fn func(*account.Link)) func(*rig, account.Account) {
		return func(r *rig, a account.Account) {
			l := a.Links[0]
			fn(&l)
			r.ok(r.db.Accounts().UpdateLink(r.Context(), a.ID, l))
		}
	}
	at := func(level identity.Proofing) func(*rig, account.Account) {
		return change(func(l *account.Link) { l.Level = level })
	}
	linked := func(l account.Link) func(*rig, account.Account) {
		return func(r *rig, a account.Account) { r.ok(r.db.Accounts().AddLink(r.Context(), a.ID, l)) }
	}
	ownLink := account.Link{Provider: account.Own, Issuer: account.Own, Subject: "two@example.com", Details: identity.Details{Email: email("two@example.com")}}
	nothing := func(*rig, account.Account) {}
	for name, row := range map[string]struct {
		own, provided func(*rig, account.Account)
		want          error
	}{
		"P5 here":            {at(identity.P5), nothing, account.ErrDiffers},
		"P5 there":           {nothing, at(identity.P5), account.ErrDiffers},
		"P0 on both sides":   {at(identity.P0), at(identity.P0), account.ErrDiffers},
		"another number":     {nothing, change(func(l *account.Link) { l.Details.NHSNumber = number(otherNumber) }), account.ErrDiffers},
		"no number there":    {nothing, change(func(l *account.Link) { l.Details.NHSNumber = identity.NHSNumber{} }), account.ErrDiffers},
		"no birth date here": {change(func(l *account.Link) { l.Details.BirthDate = identity.BirthDate{} }), nothing, account.ErrDiffers},
		"another birth date": {nothing, change(func(l *account.Link) { l.Details.BirthDate = must(identity.ParseBirthDate("1984-02-28")) }), account.ErrDiffers},
		"a record frozen":    {change(func(l *account.Link) { l.Frozen = identity.FrozenNotMyNumber }), nothing, account.ErrFrozen},
		"a password on both": {nothing, linked(ownLink), account.ErrLinked},
		"the provider twice": {linked(account.Link{Provider: "nhs-login", Issuer: issuer, Subject: "two", Level: identity.P9}), nothing, account.ErrLinked},
		"one disabled":       {nothing, func(r *rig, a account.Account) { r.ok(r.Disable(r.Context(), a.ID, "operator:one", "test")) }, identity.ErrDisabled},
		"one to be closed": {nothing, func(r *rig, a account.Account) {
			r.ok(r.db.Accounts().SetCloses(r.Context(), a.ID, epoch.Add(time.Hour)))
		}, account.ErrLinked},
		"one let in by staff": {nothing, func(r *rig, a account.Account) { r.ok(r.db.Accounts().Recover(r.Context(), a.ID, epoch)) }, account.ErrLinked},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			own, provided := r.pair()
			row.own(r, own)
			row.provided(r, provided)
			own, provided = r.kept(own.ID), r.kept(provided.ID)
			_, err := r.merge(own.ID, provided.ID)
			r.is(err, row.want)
			r.same(r.kept(own.ID), own)
			r.same(r.kept(provided.ID), provided)
		})
	}
}

// The account with a password takes the other in, and is not taken in.
func TestMergeTheOtherWay(t *testing.T) {
	r := newRig(t)
	own, provided := r.pair()
	_, err := r.merge(provided.ID, own.ID)
	r.is(err, account.ErrOtherWay)
	r.same(r.kept(own.ID), own)
}

// Each service goes on under the subject that it saw first, also when the account that
// took another in takes in one more.
func TestServicesKeepTheSubjectTheySawFirst(t *testing.T) {
	r := newRig(t)
	own, provided := r.pair()
	third := answer("three")
	third.Provider, third.Issuer = "other", "https://other.example.org"
	clinic, err := r.admit(third, "")
	r.ok(err)
	for _, s := range []struct{ id, service string }{
		{provided.ID, "both, theirs first"},
		{own.ID, "both, theirs first"},
		{own.ID, "both, ours first"},
		{provided.ID, "both, ours first"},
		{clinic.ID, "all, the third first"},
		{own.ID, "all, the third first"},
		{provided.ID, "all, the third first"},
		{own.ID, "ours"},
		{provided.ID, "theirs"},
		{clinic.ID, "the third's"},
	} {
		r.now = r.now.Add(time.Second)
		r.show(audit.TokensIssued, s.id, s.service)
	}
	r.show(audit.HostShown, provided.ID, "letters.example.org")
	r.ok(r.ledger.Record(t.Context(), audit.Event{Kind: audit.TokensIssued, Result: audit.Refused, Actor: audit.Portal, Account: provided.ID, Portal: "never"}))
	got, err := r.merge(own.ID, provided.ID)
	r.ok(err)
	subjects, err := r.Subjects(t.Context(), got)
	r.ok(err)
	r.same(subjects, map[string]string{"both, theirs first": provided.ID, "theirs": provided.ID, "letters.example.org": provided.ID})

	r.now = r.now.Add(time.Second) // what is shown from now on is shown under these
	r.show(audit.TokensIssued, own.ID, "theirs")
	got, err = r.merge(own.ID, clinic.ID)
	r.ok(err)
	subjects, err = r.Subjects(t.Context(), got)
	r.ok(err)
	r.same(subjects, map[string]string{
		"both, theirs first": provided.ID, "theirs": provided.ID, "letters.example.org": provided.ID,
		"all, the third first": clinic.ID, "the third's": clinic.ID,
	})
	r.same(r.kept(provided.ID).MergedInto, own.ID)
	none, err := r.Subjects(t.Context(), r.kept(provided.ID))
	r.ok(err)
	r.same(len(none), 0)
}
