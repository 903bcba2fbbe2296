package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
)

func (r *rig) renumber(id, to string) error {
	return r.ledger.Within(r.Context(), func(ctx context.Context) error {
		_, err := r.Renumber(ctx, id, number(to), "operator:two", "merged at the practice")
		return err
	})
}

func TestRenumber(t *testing.T) {
	r := newRig(t)
	a := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P9)
	claim := r.own("two@example.com", otherNumber, identity.P0)
	r.ok(r.renumber(a.ID, otherNumber))
	got := r.kept(a.ID)
	l, _ := got.Own()
	r.same([]any{got.ID, l.Level, l.Details.NHSNumber, got.Epoch}, []any{a.ID, identity.P9, number(otherNumber), a.Epoch + 1})
	fell, _ := r.kept(claim.ID).Own()
	r.same(fell.Details.NHSNumber.IsZero(), true)
	found, err := r.Find(t.Context(), details().NHSNumber.Reveal(), "operator:one", "rang")
	r.ok(err)
	r.same(len(found), 0) // nobody is found by the number that it was
}

func TestRenumberThawsWhatPeopleLookedAt(t *testing.T) {
	r := newRig(t)
	a := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P5)
	r.ok(r.ledger.Within(t.Context(), func(ctx context.Context) error {
		_, err := r.Freeze(ctx, a.ID, account.Alarm{Cause: identity.FrozenNotMyNumber, Actor: audit.Patient})
		return err
	}))
	r.ok(r.renumber(a.ID, otherNumber))
	got := r.kept(a.ID)
	r.same([]any{got.Frozen(), got.Links[0].Level}, []any{identity.Freeze(""), identity.P5})
}

func TestRenumberRefuses(t *testing.T) {
	r := newRig(t)
	a := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P5)
	r.own("two@example.com", otherNumber, identity.P5)
	r.is(r.renumber(a.ID, otherNumber), identity.ErrConflict)
	r.same(r.kept(a.ID), a)
	provided, err := r.admit(answer("one"), "")
	r.ok(err)
	r.is(r.renumber(provided.ID, otherNumber), account.ErrProviders)
	r.is(r.renumber("nobody", otherNumber), identity.ErrNotFound)
}

func TestLeavingAndAChangeOfMind(t *testing.T) {
	r := newRig(t)
	a, stays := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P5), r.own("two@example.com", otherNumber, identity.P5)
	for _, id := range []string{a.ID, stays.ID} {
		at, err := r.AskClose(t.Context(), id, "a session", "privacy")
		r.ok(err)
		r.same(at, epoch.Add(14*24*time.Hour))
	}
	r.same(r.kept(a.ID).Epoch, a.Epoch+1)
	r.ok(r.KeepOpen(t.Context(), stays.ID, "a session"))
	told, all := 0, []string(nil)
	due := func() {
		closed, err := r.CloseDue(t.Context(), func(_ context.Context, a account.Account) error {
			if len(a.Contacts()) == 0 {
				t.Error("its addresses were forgotten before its patient was told")
			}
			told++
			return nil
		})
		r.ok(err)
		all = append(all, closed...)
	}
	r.now = epoch.Add(14*24*time.Hour - time.Microsecond)
	due()
	r.same(told, 0)
	r.now = epoch.Add(14 * 24 * time.Hour)
	due()
	due()
	r.same(told, 1)
	r.same(all, []string{a.ID})
	closed := r.kept(a.ID)
	r.same([]any{closed.State, len(closed.Links), closed.Closes.IsZero()}, []any{account.Deleted, 0, true})
	r.same(r.kept(stays.ID).State, account.Active)
	r.is(r.KeepOpen(t.Context(), a.ID, "a session"), identity.ErrDisabled)
	_, err := r.AskClose(t.Context(), a.ID, "a session", "privacy")
	r.is(err, identity.ErrDisabled)
	r.is(r.Close(t.Context(), a.ID, "operator:one", "again"), identity.ErrDisabled)
	anew := r.own("one@example.com", details().NHSNumber.Reveal(), identity.P5) // the address and the number are free
	r.same(anew.ID != a.ID, true)
}
