package storetest

import (
	"context"
	"errors"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
)

var errOfAct = errors.New("the act changed its mind")

// journal keeps events in memory.
type journal []audit.Event

func (j *journal) Write(e audit.Event) error {
	*j = append(*j, e)
	return nil
}

// deaf is an audit store that keeps no event.
type deaf struct{ audit.Store }

var errDeaf = errors.New("no event is kept")

func (deaf) Append(context.Context, audit.Event) error { return errDeaf }

var actRules = []rule{
	{"an act and its event are kept together", func(k *kit) {
		a, e := patient(), &audit.Event{Kind: audit.AccountCreated, Actor: audit.Patient}
		k.ok(audit.NewLedger(k.Audit, &journal{}, clock).Act(k.ctx, e, func(ctx context.Context) error {
			return k.Accounts.Create(ctx, a)
		}))
		_, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		if !k.hasEvent(e.ID) {
			k.Fatal("wanted the event, got none")
		}
	}},
	{"an act that fails leaves nothing, and its error comes back as it is", func(k *kit) {
		a, e := patient(link("one")), event(audit.AccountCreated)
		err := k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.ok(k.Accounts.Create(ctx, a))
			k.ok(k.Audit.Append(ctx, e))
			return errOfAct
		})
		if err != errOfAct {
			k.Fatalf("wanted the act's own error, got %v", err)
		}
		_, err = k.Accounts.Account(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		_, err = k.Accounts.ByLink(k.ctx, a.Links[0].Issuer, "one")
		k.is(err, identity.ErrNotFound)
		if k.hasEvent(e.ID) {
			k.Fatal("wanted no event, got one")
		}
	}},
	{"an act that panics leaves nothing, and the next one goes on", func(k *kit) {
		a := patient()
		func() {
			defer func() { _ = recover() }()
			_ = k.Audit.Within(k.ctx, func(ctx context.Context) error {
				k.ok(k.Accounts.Create(ctx, a))
				panic("broken")
			})
		}()
		_, err := k.Accounts.Account(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		k.someone()
	}},
	{"an act sees what it wrote, and others only after it", func(k *kit) {
		a := patient(link("one"))
		k.ok(k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.ok(k.Accounts.Create(ctx, a))
			inside, err := k.Accounts.ByLink(ctx, a.Links[0].Issuer, "one")
			k.ok(err)
			k.same(inside, a)
			_, err = k.Accounts.Account(k.ctx, a.ID)
			k.is(err, identity.ErrNotFound)
			return nil
		}))
		outside, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(outside, a)
	}},
	{"an act within an act is one act", func(k *kit) {
		a, b := patient(), patient()
		err := k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.ok(k.Audit.Within(ctx, func(ctx context.Context) error { return k.Accounts.Create(ctx, a) }))
			k.ok(k.Accounts.Create(ctx, b))
			return errOfAct
		})
		k.is(err, errOfAct)
		for _, id := range []string{a.ID, b.ID} {
			_, err := k.Accounts.Account(k.ctx, id)
			k.is(err, identity.ErrNotFound)
		}
	}},
	{"an act whose half failed commits nothing, whatever it returns", func(k *kit) {
		taken, half := patient(link("taken")), patient(link("new"), link("taken"))
		k.ok(k.Accounts.Create(k.ctx, taken))
		err := k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.is(k.Accounts.Create(ctx, half), identity.ErrConflict)
			return nil
		})
		k.is(err, identity.ErrConflict)
		_, err = k.Accounts.Account(k.ctx, half.ID)
		k.is(err, identity.ErrNotFound)
	}},
	{"an act whose event can't be written does not happen", func(k *kit) {
		a := patient()
		err := audit.NewLedger(deaf{k.Audit}, &journal{}, clock).Act(k.ctx, &audit.Event{}, func(ctx context.Context) error {
			return k.Accounts.Create(ctx, a)
		})
		k.is(err, audit.ErrNotRecorded)
		_, err = k.Accounts.Account(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
	}},
	{"an act whose event is there already does not happen", func(k *kit) {
		a, e := patient(), event(audit.AccountCreated)
		k.ok(k.Audit.Append(k.ctx, e))
		err := audit.NewLedger(k.Audit, &journal{}, clock).Act(k.ctx, &e, func(ctx context.Context) error { return k.Accounts.Create(ctx, a) })
		k.is(err, audit.ErrNotRecorded)
		_, err = k.Accounts.Account(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
	}},
	{"access is taken away though its event can't be written, and the journal has it", func(k *kit) {
		a, kept := k.someone(), &journal{}
		err := audit.NewLedger(deaf{k.Audit}, kept, clock).TakeAway(k.ctx, &audit.Event{Kind: audit.AccountSignedOut}, func(ctx context.Context) error {
			return k.Accounts.RaiseEpoch(ctx, a.ID)
		})
		k.ok(err)
		after, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(after.Epoch, a.Epoch+1)
		if len(*kept) != 1 || (*kept)[0].Kind != audit.AccountSignedOut {
			k.Fatalf("wanted the event in the journal, got %d", len(*kept))
		}
	}},
	{"what is spent in an act is refused", func(k *kit) {
		k.ok(k.Audit.Within(k.ctx, func(ctx context.Context) error {
			if _, err := k.Grants.Spend(ctx, identity.NewToken().Digest(), epoch); err == nil || errors.Is(err, identity.ErrNotFound) {
				k.Fatalf("wanted a code's spending refused, got %v", err)
			}
			if _, err := k.Attempts.Spend(ctx, identity.NewToken().Digest(), claim(), epoch); err == nil || errors.Is(err, identity.ErrNotFound) {
				k.Fatalf("wanted an attempt's spending refused, got %v", err)
			}
			return nil
		}))
	}},
	{"race: acts that read and write the same count lose no step", func(k *kit) {
		a := k.someone()
		const n = 10
		for _, err := range race(n, func(int) error {
			return k.Audit.Within(k.ctx, func(ctx context.Context) error {
				seen, err := k.Accounts.Account(ctx, a.ID)
				if err != nil {
					return err
				}
				// A write that follows from what was read: were acts not
				// serializable, two would read the same and one step be lost.
				if err := k.Accounts.SetLanguage(ctx, a.ID, seen.Language+"y"); err != nil {
					return err
				}
				return k.Audit.Append(ctx, event(audit.DetailsRefreshed))
			})
		}) {
			k.ok(err)
		}
		after, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(len(after.Language), len(a.Language)+n)
		events, err := k.Audit.Unsealed(k.ctx, 1000)
		k.ok(err)
		k.same(len(events), n)
	}},
	{"race: of acts that each forbid the other, one alone happens", func(k *kit) {
		// Write skew: each reads the other's row and writes its own.
		a, b := k.someone(), k.someone()
		errs := race(2, func(i int) error {
			mine, other := a.ID, b.ID
			if i == 1 {
				mine, other = other, mine
			}
			return k.Audit.Within(k.ctx, func(ctx context.Context) error {
				seen, err := k.Accounts.Account(ctx, other)
				if err != nil {
					return err
				}
				if seen.State != account.Active {
					return identity.ErrConflict
				}
				return k.Accounts.SetState(ctx, mine, account.Disabled)
			})
		})
		k.oneWon(errs, identity.ErrConflict)
	}},
	{"a context that is over begins nothing", func(k *kit) {
		ctx, cancel := context.WithCancel(k.ctx)
		cancel()
		a := patient()
		err := k.Audit.Within(ctx, func(ctx context.Context) error { return k.Accounts.Create(ctx, a) })
		k.is(err, context.Canceled)
		_, err = k.Accounts.Account(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
	}},
}
