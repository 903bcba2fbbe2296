package account_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

// resident is a patient who signed up here.
func (r *rig) resident() account.Account {
	r.Helper()
	l := account.Link{
		Provider: account.Own, Issuer: account.Own, Subject: email(ownEmail).Canonical(), Level: identity.P5, Basis: identity.BasisRegister,
		Details: details(), First: epoch, Last: epoch,
	}
	a := account.Account{ID: identity.NewID(), State: account.Active, Epoch: 1, Created: epoch, Links: []account.Link{l}}
	r.ok(r.db.Accounts().Create(r.Context(), a))
	return a
}

// toEmail is a change that the account asks for.
func toEmail(a account.Account) account.Change {
	return account.Change{
		Account: a.ID, Channel: identity.ByEmail, New: identity.Details{Email: email("Next@example.com"), EmailVerified: true}, Level: identity.P5, Epoch: a.Epoch,
	}
}

func TestHoldWaitsADay(t *testing.T) {
	r := newRig(t)
	a := r.resident()
	c, token, err := r.Hold(t.Context(), toEmail(a))
	r.ok(err)
	if c.Opens.Sub(r.now) != 24*time.Hour || !token.IsToken() || c.ID == "" {
		t.Errorf("wanted it to wait a day under a token, got %v", c.Opens)
	}
	held, err := r.Waiting(t.Context(), a)
	r.ok(err)
	r.same(held, []account.Change{c})
	got, err := r.ToStop(t.Context(), token)
	r.ok(err)
	r.same(got, c)
	r.same(r.kept(a.ID), a) // nothing is changed by asking
	for _, at := range []time.Duration{0, 24*time.Hour - 1} {
		r.now = epoch.Add(at)
		due, err := r.Due(t.Context())
		r.ok(err)
		r.same(len(due), 0)
		if err := r.Apply(t.Context(), c); err == nil {
			t.Errorf("applied after %s", at)
		}
	}
	r.now = epoch.Add(24 * time.Hour)
	due, err := r.Due(t.Context())
	r.ok(err)
	r.same(due, []string{c.ID})
}

// A change lives as long as what was open of the account when it was asked for, and
// every look at it says so. carried is one that was brought to the present epoch all
// the same: an account that is not open changes nothing.
func TestADeadChangeIsDeadAtEveryLook(t *testing.T) {
	raise := func(r *rig, a account.Account) error { return r.db.Accounts().RaiseEpoch(r.Context(), a.ID) }
	set := func(s account.State) func(*rig, account.Account) error {
		return func(r *rig, a account.Account) error { return r.db.Accounts().SetState(r.Context(), a.ID, s) }
	}
	for name, row := range map[string]struct {
		end     func(*rig, account.Account) error
		carried bool
	}{
		"all that was open was ended": {raise, false},
		"disabled":                    {set(account.Disabled), false},
		"disabled, carried":           {set(account.Disabled), true},
		"closed":                      {set(account.Deleted), false},
		"closed, carried":             {set(account.Deleted), true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a := r.resident()
			c, token, err := r.Hold(t.Context(), toEmail(a))
			r.ok(err)
			r.ok(row.end(r, a))
			after := r.kept(a.ID)
			if row.carried {
				r.ok(r.db.Accounts().CarryChanges(t.Context(), a.ID, a.Epoch, after.Epoch))
				c.Epoch = after.Epoch
			}
			r.now = epoch.Add(48 * time.Hour)
			held, err := r.Waiting(t.Context(), after)
			r.ok(err)
			r.same(len(held), 0)
			_, err = r.ToStop(t.Context(), token)
			r.is(err, identity.ErrNotFound)
			r.is(r.Apply(t.Context(), c), identity.ErrSpent)
			_, _, err = r.Hold(t.Context(), c)
			r.is(err, identity.ErrSpent)
			due, err := r.Due(t.Context())
			r.ok(err)
			r.same(due, []string{c.ID})
			_, _, err = r.Take(t.Context(), c.ID)
			r.is(err, identity.ErrSpent)
			_, _, err = r.Take(t.Context(), c.ID)
			r.is(err, identity.ErrNotFound)
			r.same(r.kept(a.ID), after)
		})
	}
}

func TestApplyMovesTheAddressAndNothingElse(t *testing.T) {
	phone := must(identity.ParsePhone("07700 900455"))
	for name, row := range map[string]struct {
		change func(*account.Change)
		want   func(*account.Link)
	}{
		"e-mail": {func(*account.Change) {}, func(l *account.Link) {
			l.Subject, l.Details.Email = "next@example.com", email("Next@example.com")
		}},
		"phone": {func(c *account.Change) {
			c.Channel, c.New = identity.BySMS, identity.Details{Phone: phone, PhoneVerified: true}
		}, func(l *account.Link) { l.Details.Phone = phone }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a := r.resident()
			c := toEmail(a)
			row.change(&c)
			c, _, err := r.Hold(t.Context(), c)
			r.ok(err)
			r.now = c.Opens
			r.ok(r.Apply(t.Context(), c))
			a.Epoch++
			row.want(&a.Links[0])
			r.same(r.kept(a.ID), a)
			r.is(r.Apply(t.Context(), c), identity.ErrSpent)
		})
	}
}

func TestApplyToAnAddressThatIsTaken(t *testing.T) {
	r := newRig(t)
	a := r.resident()
	c, _, err := r.Hold(t.Context(), toEmail(a))
	r.ok(err)
	b := a
	b.ID, b.Links = identity.NewID(), []account.Link{a.Links[0]}
	b.Links[0].Subject, b.Links[0].Details.Email = "next@example.com", email("next@example.com")
	b.Links[0].Details.NHSNumber = identity.NHSNumber{}
	r.ok(r.db.Accounts().Create(t.Context(), b))
	r.now = c.Opens
	err = r.ledger.Within(t.Context(), func(ctx context.Context) error { return r.Apply(ctx, c) })
	if !errors.Is(err, account.ErrTaken) {
		t.Fatalf("wanted %v, got %v", account.ErrTaken, err)
	}
	r.same(r.kept(a.ID), a)
	r.same(r.kept(b.ID), b)
}

// A patient of a provider has no address here that could change.
func TestAProvidersPatientHoldsNothing(t *testing.T) {
	r := newRig(t)
	a, err := r.admit(answer("one"), "")
	r.ok(err)
	_, _, err = r.Hold(t.Context(), toEmail(a))
	r.is(err, identity.ErrSpent)
}
