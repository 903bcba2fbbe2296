package storetest

import (
	"context"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/audit"
)

// wish is an act that somebody asked for, every field filled.
func wish() approval.Request {
	return approval.Request{
		ID: identity.NewReference(), Verb: "proof-record", Account: identity.NewID(), Reason: "came to the surgery",
		Args: map[string]identity.Secret{"nhs_number": "9990000018", "": "", "basis": "ŵ\x00\"<"}, AskedBy: "operator:one", Asked: epoch,
	}
}

// ask adds a request.
func (k *kit) ask() approval.Request {
	k.Helper()
	q := wish()
	k.ok(k.Approvals.Ask(k.ctx, q))
	return q
}

var approvalRules = []rule{
	{"a request is read back whole, decided or not", func(k *kit) {
		want := k.ask()
		got, err := k.Approvals.Request(k.ctx, want.ID)
		k.ok(err)
		k.same(got, want)
		want.Outcome, want.DecidedBy, want.Decided = approval.Refused, "operator:two", epoch.Add(time.Minute)
		k.ok(k.Approvals.Decide(k.ctx, want.ID, want.Outcome, want.DecidedBy, want.Decided))
		got, err = k.Approvals.Request(k.ctx, want.ID)
		k.ok(err)
		k.same(got, want)
	}},
	{"a request without arguments", func(k *kit) {
		q := wish()
		q.Args = nil
		k.ok(k.Approvals.Ask(k.ctx, q))
		got, err := k.Approvals.Request(k.ctx, q.ID)
		k.ok(err)
		k.same(got, q)
	}},
	{"unknown, and asked twice", func(k *kit) {
		q := k.ask()
		k.is(k.Approvals.Ask(k.ctx, q), identity.ErrConflict)
		for _, id := range []string{"", "DIL-XXXX-XX", "dil", "\x00"} {
			_, err := k.Approvals.Request(k.ctx, id)
			k.is(err, identity.ErrNotFound)
		}
		k.is(k.Approvals.Decide(k.ctx, "DIL-XXXX-XX", approval.Confirmed, "operator:two", epoch), identity.ErrNotFound)
	}},
	{"what waits since then, the oldest first", func(k *kit) {
		late := wish()
		late.Asked = epoch.Add(time.Minute)
		k.ok(k.Approvals.Ask(k.ctx, late))
		early, decided := k.ask(), k.ask()
		k.ok(k.Approvals.Decide(k.ctx, decided.ID, approval.Confirmed, "operator:two", epoch))
		got, err := k.Approvals.Waiting(k.ctx, epoch.Add(-time.Microsecond))
		k.ok(err)
		k.same(got, []approval.Request{early, late})
		got, err = k.Approvals.Waiting(k.ctx, epoch)
		k.ok(err)
		k.same(got, []approval.Request{late})
	}},
	{"a request is decided once, and an undone decision is none", func(k *kit) {
		q := k.ask()
		k.is(k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.ok(k.Approvals.Decide(ctx, q.ID, approval.Confirmed, "operator:two", epoch))
			return errOfAct
		}), errOfAct)
		k.ok(k.Approvals.Decide(k.ctx, q.ID, approval.Confirmed, "operator:two", epoch))
		for _, o := range []approval.Outcome{approval.Confirmed, approval.Refused} {
			k.is(k.Approvals.Decide(k.ctx, q.ID, o, "operator:three", epoch), identity.ErrSpent)
		}
		got, err := k.Approvals.Request(k.ctx, q.ID)
		k.ok(err)
		k.same(got.DecidedBy, "operator:two")
	}},
	{"race: of many that confirm one does it", func(k *kit) {
		room := approval.New(k.Approvals, audit.NewLedger(k.Audit, nil, clock), clock)
		a, q := k.someone(), k.ask()
		k.oneWon(race(parallel, func(int) error {
			return room.Confirm(k.ctx, q.ID, "operator:two", "", func(ctx context.Context, _ approval.Request) error {
				return k.Accounts.RaiseEpoch(ctx, a.ID)
			})
		}), identity.ErrSpent)
		got, err := k.Accounts.Account(k.ctx, a.ID)
		k.ok(err)
		k.same(got.Epoch, a.Epoch+1)
	}},
	{"race: a request is confirmed or refused, never both", func(k *kit) {
		room := approval.New(k.Approvals, audit.NewLedger(k.Audit, nil, clock), clock)
		for range 5 {
			q := k.ask()
			k.oneWon(race(2, func(i int) error {
				if i == 0 {
					return room.Refuse(k.ctx, q.ID, "operator:three", "")
				}
				return room.Confirm(k.ctx, q.ID, "operator:two", "", func(context.Context, approval.Request) error { return nil })
			}), identity.ErrSpent)
		}
	}},
	{"a sweep forgets what was asked before, and nothing else", func(k *kit) {
		q := k.ask()
		k.ok(k.Approvals.Sweep(k.ctx, epoch))
		k.ok(k.Sweep(k.ctx, epoch.Add(24*time.Hour)))
		_, err := k.Approvals.Request(k.ctx, q.ID)
		k.ok(err)
		k.ok(k.Sweep(k.ctx, epoch.Add(24*time.Hour+time.Microsecond)))
		_, err = k.Approvals.Request(k.ctx, q.ID)
		k.is(err, identity.ErrNotFound)
	}},
}
