package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
)

// own signs a patient up whose number is proved at that level.
func (r *rig) own(address, nhsNumber string, level identity.Proofing) account.Account {
	r.Helper()
	d := details()
	d.Email, d.EmailVerified, d.NHSNumber = email(address), true, number(nhsNumber)
	var a account.Account
	r.ok(r.ledger.Within(r.Context(), func(ctx context.Context) (err error) {
		a, err = r.Open(ctx, account.SignUp{Details: d, Level: level, Basis: identity.BasisRegister})
		return err
	}))
	return a
}

func (r *rig) reads(a account.Account, g account.Reading) account.Account {
	r.Helper()
	r.ok(r.ledger.Within(r.Context(), func(ctx context.Context) (err error) {
		a, err = r.Read(ctx, a, g)
		return err
	}))
	return r.kept(a.ID)
}

func entry(change func(*identity.Entry)) account.Reading {
	d := details()
	e := identity.Entry{NHSNumber: d.NHSNumber, GivenName: d.GivenName, FamilyName: d.FamilyName, BirthDate: d.BirthDate}
	if change != nil {
		change(&e)
	}
	return account.Reading{Known: true, Entry: e}
}

// What the register says by now of a number that was proved.
func TestReadActsOnWhatTheRegisterSays(t *testing.T) {
	for name, row := range map[string]struct {
		says   account.Reading
		frozen identity.Freeze
		number string
		stands identity.Standing
	}{
		"the same":                       {says: entry(nil)},
		"another family name":            {says: entry(func(e *identity.Entry) { e.FamilyName, _ = identity.ParseName("Arall") })},
		"protected by now":               {says: entry(func(e *identity.Entry) { e.Protected = true })},
		"moved":                          {says: entry(func(e *identity.Entry) { e.Standing = identity.Moved }), stands: identity.Moved},
		"left out of the file":           {says: account.Reading{}, stands: identity.Moved},
		"died":                           {says: entry(func(e *identity.Entry) { e.Standing = identity.Died }), frozen: identity.FrozenDied},
		"invalidated":                    {says: entry(func(e *identity.Entry) { e.Standing = identity.Invalidated }), frozen: identity.FrozenInvalidated},
		"superseded, by nobody knows":    {says: entry(func(e *identity.Entry) { e.Standing = identity.Superseded }), frozen: identity.FrozenInvalidated},
		"another birth date":             {says: entry(func(e *identity.Entry) { e.BirthDate, _ = identity.ParseBirthDate("1980-01-01") }), frozen: identity.FrozenOther},
		"a birth date that it lost":      {says: entry(func(e *identity.Entry) { e.BirthDate = identity.BirthDate{} })},
		"superseded by another number":   {says: entry(func(e *identity.Entry) { e.NHSNumber = number(otherNumber) }), number: otherNumber},
		"superseded, and died meanwhile": {says: entry(func(e *identity.Entry) { e.NHSNumber, e.Standing = number(otherNumber), identity.Died }), frozen: identity.FrozenDied},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P5)
			r.now = epoch.Add(25 * time.Hour)
			got := r.reads(a, row.says)
			l, _ := got.Own()
			want := identity.P5
			if row.frozen != "" {
				want = identity.P0
				r.same(len(r.seenOf(audit.RecordFrozen)), 1)
				r.same(got.Epoch, a.Epoch+1)
			} else {
				r.same(got.Epoch, a.Epoch)
				r.same(l.Checked, r.now)
			}
			r.same([]any{l.Frozen, l.Level, l.Standing}, []any{row.frozen, want, row.stands})
			if row.number != "" {
				r.same(l.Details.NHSNumber, number(row.number))
			}
			r.same(got.ID, a.ID)
		})
	}
}

// Where the number that took its place is proved by another account, neither is
// mixed with the other.
func TestReadOfANumberThatAnotherProved(t *testing.T) {
	r := newRig(t)
	a := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P5)
	other := r.own("two@example.com", otherNumber, identity.P5)
	got := r.reads(a, entry(func(e *identity.Entry) { e.NHSNumber = number(otherNumber) }))
	r.same(got.Frozen(), identity.FrozenTaken)
	r.same(r.kept(other.ID), other)
}

func TestDue(t *testing.T) {
	r := newRig(t)
	a := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P5)
	for name, row := range map[string]struct {
		after  time.Duration
		level  identity.Proofing
		freeze identity.Freeze
		want   bool
	}{
		"at the sign-up itself":       {0, identity.P5, "", false},
		"within the day":              {24*time.Hour - time.Microsecond, identity.P5, "", false},
		"a day after":                 {24 * time.Hour, identity.P5, "", true},
		"a clock that stepped back":   {-time.Hour, identity.P9, "", true},
		"a number merely claimed":     {48 * time.Hour, identity.P0, "", false},
		"frozen: people look already": {48 * time.Hour, identity.P5, identity.FrozenDied, false},
	} {
		a.Links[0].Level, a.Links[0].Frozen = row.level, row.freeze
		if got := a.Due(epoch.Add(row.after)); got != row.want {
			t.Errorf("%s: due: %v", name, got)
		}
	}
}

func TestFreezeAndThaw(t *testing.T) {
	r := newRig(t)
	a := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P9)
	freeze := func() account.Account {
		r.ok(r.ledger.Within(t.Context(), func(ctx context.Context) error {
			_, err := r.Freeze(ctx, a.ID, account.Alarm{Cause: identity.FrozenNotMyRecord, Actor: audit.Patient, Reference: "DIL-7F3K-Q2"})
			return err
		}))
		return r.kept(a.ID)
	}
	once := freeze()
	twice := freeze()
	r.same(twice.Links, once.Links)
	r.same([]int64{once.Epoch, twice.Epoch}, []int64{2, 3})
	r.same(twice.Links[0].Before, identity.P9)

	r.is(r.ledger.Within(t.Context(), func(ctx context.Context) error {
		_, err := r.Raise(ctx, a.ID, details(), identity.P9, identity.BasisDocuments)
		return err
	}), account.ErrFrozen)

	r.ok(r.Enable(t.Context(), a.ID, "operator:one", "looked at it"))
	back := r.kept(a.ID)
	r.same([]any{back.Links[0].Level, back.Frozen(), back.Epoch}, []any{identity.P9, identity.Freeze(""), int64(4)})
	r.is(r.Enable(t.Context(), a.ID, "operator:one", "again"), identity.ErrConflict)
}

// A frozen number reserves nothing: its owner can prove it, and then the thaw has
// nothing to give back.
func TestAFrozenNumberIsItsOwnersToProve(t *testing.T) {
	r := newRig(t)
	wrong := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P5)
	r.ok(r.ledger.Within(t.Context(), func(ctx context.Context) error {
		_, err := r.Freeze(ctx, wrong.ID, account.Alarm{Cause: identity.FrozenNotMyNumber, Actor: audit.Patient})
		return err
	}))
	right := r.own("two@example.com", details().NHSNumber.Reveal(), identity.P5)
	r.ok(r.Enable(t.Context(), wrong.ID, "operator:one", "it was not theirs"))
	got := r.kept(wrong.ID)
	r.same([]any{got.Links[0].Level, got.Links[0].Details.NHSNumber.IsZero()}, []any{identity.P0, true})
	r.same(r.kept(right.ID), right)
}

// What a provider says again of a frozen account thaws nothing.
func TestAProviderThawsNothing(t *testing.T) {
	r := newRig(t)
	a, err := r.admit(answer("one"), "")
	r.ok(err)
	r.ok(r.ledger.Within(t.Context(), func(ctx context.Context) error {
		_, err := r.Freeze(ctx, a.ID, account.Alarm{Cause: identity.FrozenNotMyNumber, Actor: audit.Patient})
		return err
	}))
	again, err := r.admit(answer("one"), "")
	r.ok(err)
	r.same([]any{again.Frozen(), again.Links[0].Level, again.Links[0].Before}, []any{identity.FrozenNotMyNumber, identity.P0, identity.P9})
}
