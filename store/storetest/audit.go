package storetest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// tag is a MAC with a fixed key: what the contract needs of one.
type tag struct{}

func (tag) ComputeMAC(data []byte) ([]byte, error) {
	m := hmac.New(sha256.New, []byte("a key of the contract suite"))
	m.Write(data)
	return m.Sum(nil), nil
}

func (t tag) VerifyMAC(mac, data []byte) error {
	if want, _ := t.ComputeMAC(data); !hmac.Equal(want, mac) {
		return errors.New("another tag")
	}
	return nil
}

// full is an event with every field filled.
func full(at time.Time) audit.Event {
	return audit.Event{
		ID: identity.NewID(), At: at, Kind: audit.DetailsRefreshed, Result: audit.Refused, Actor: "operator:sian", Reference: identity.NewReference(),
		Account: identity.NewID(), Session: identity.NewID(), Provider: "nhs-login", Portal: "my-health", Cause: "vot-not-asked",
		Fields: []string{"email", "phone_number"}, Reason: "the patient's own words, 'quoted' and \"again\"",
	}
}

// append adds n events, a second apart.
func (k *kit) append(n int) []audit.Event {
	k.Helper()
	events := make([]audit.Event, n)
	for i := range events {
		events[i] = full(epoch.Add(time.Duration(i) * time.Second))
		k.ok(k.Audit.Append(k.ctx, events[i]))
	}
	return events
}

// chain is the real one, over this store.
func (k *kit) chain() *audit.Chain { return audit.NewChain(k.Audit, tag{}, clock) }

// batch is one that holds n events.
func batch(number int64, n int) audit.Batch {
	return audit.Batch{Number: number, SealedAt: epoch, Count: n, Tag: fmt.Appendf(nil, "tag %d", number)}
}

var auditRules = []rule{
	{"a feed's readers go on by themselves, each batch once", func(k *kit) {
		feed, seen := audit.NewFeed(k.Audit, audit.NewLedger(k.Audit, nil, clock)), map[string]int{}
		read := func(reader string, fault error) bool {
			more, err := feed.Next(k.ctx, reader, func(_ context.Context, events []audit.Event) error {
				if fault == nil {
					seen[reader] += len(events)
				}
				return fault
			})
			k.is(err, fault)
			return more
		}
		seal := func() {
			_, _, err := k.chain().Seal(k.ctx)
			k.ok(err)
		}
		k.append(2)
		seal()
		k.same(read("one", nil), false) // what was before is not its business
		k.append(3)
		seal()
		k.same(read("two", nil), false)
		k.same(read("one", errOfAct), false) // it comes again
		k.same(read("one", nil), true)
		k.same(read("one", nil), false)
		k.append(1)
		seal()
		k.same(read("one", nil), true)
		k.same(read("two", nil), true)
		k.same(seen, map[string]int{"one": 4, "two": 1})
		k.is(k.Audit.Follow(k.ctx, "one", 1, 2), identity.ErrConflict)
		k.is(k.Audit.Follow(k.ctx, "one", -1, 2), identity.ErrConflict)
	}},
	{"events are read back whole, oldest first, within the limit", func(k *kit) {
		later, sooner := full(epoch.Add(time.Second)), full(epoch)
		bare := audit.Event{ID: identity.NewID(), At: epoch.Add(time.Minute)}
		for _, e := range []audit.Event{later, bare, sooner} {
			k.ok(k.Audit.Append(k.ctx, e))
		}
		got, err := k.Audit.Unsealed(k.ctx, 10)
		k.ok(err)
		k.same(got, []audit.Event{sooner, later, bare})
		got, err = k.Audit.Unsealed(k.ctx, 2)
		k.ok(err)
		k.same(got, []audit.Event{sooner, later})
	}},
	{"an event is added once", func(k *kit) {
		e := k.append(1)[0]
		again := full(epoch)
		again.ID = e.ID
		k.is(k.Audit.Append(k.ctx, again), identity.ErrConflict)
		got, err := k.Audit.Unsealed(k.ctx, 10)
		k.ok(err)
		k.same(got, []audit.Event{e})
	}},
	{"events of a reference and of an account", func(k *kit) {
		events := k.append(3)
		events[2].Account, events[2].Reference, events[2].ID = events[0].Account, events[0].Reference, identity.NewID()
		k.ok(k.Audit.Append(k.ctx, events[2]))
		got, err := k.Audit.FindByReference(k.ctx, events[0].Reference)
		k.ok(err)
		k.same(got, []audit.Event{events[0], events[2]})
		got, err = k.Audit.EventsOf(k.ctx, events[0].Account, 10)
		k.ok(err)
		k.same(got, []audit.Event{events[2], events[0]})
		got, err = k.Audit.EventsOf(k.ctx, events[0].Account, 1)
		k.ok(err)
		k.same(got, []audit.Event{events[2]})
	}},
	{"an empty reference or account finds nothing, though many events have none", func(k *kit) {
		k.ok(k.Audit.Append(k.ctx, event(audit.KeyRotated)))
		got, err := k.Audit.FindByReference(k.ctx, "")
		k.ok(err)
		k.same(len(got), 0)
		got, err = k.Audit.EventsOf(k.ctx, "", 10)
		k.ok(err)
		k.same(len(got), 0)
	}},
	{"an empty chain", func(k *kit) {
		head, err := k.Audit.Head(k.ctx)
		k.ok(err)
		k.same(head, audit.Batch{})
		_, _, err = k.Audit.Batch(k.ctx, 1)
		k.is(err, identity.ErrNotFound)
		_, _, err = k.Audit.Batch(k.ctx, 0)
		k.is(err, identity.ErrNotFound)
	}},
	{"a batch keeps the order that it was sealed in", func(k *kit) {
		events := k.append(3)
		order := []audit.Event{events[2], events[0], events[1]}
		k.ok(k.Audit.Seal(k.ctx, batch(1, 3), order))
		b, got, err := k.Audit.Batch(k.ctx, 1)
		k.ok(err)
		k.same(b, batch(1, 3))
		k.same(got, order)
		head, err := k.Audit.Head(k.ctx)
		k.ok(err)
		k.same(head, b)
		left, err := k.Audit.Unsealed(k.ctx, 10)
		k.ok(err)
		k.same(len(left), 0)
	}},
	{"a batch out of turn, or of sealed events, changes nothing", func(k *kit) {
		events := k.append(2)
		k.ok(k.Audit.Seal(k.ctx, batch(1, 1), events[:1]))
		for _, number := range []int64{0, 1, 3, -1} {
			k.is(k.Audit.Seal(k.ctx, batch(number, 1), events[1:]), identity.ErrConflict)
		}
		k.is(k.Audit.Seal(k.ctx, batch(2, 2), []audit.Event{events[1], events[0]}), identity.ErrConflict)
		k.is(k.Audit.Seal(k.ctx, batch(2, 1), []audit.Event{full(epoch)}), identity.ErrConflict)
		head, err := k.Audit.Head(k.ctx)
		k.ok(err)
		k.same(head, batch(1, 1))
		left, err := k.Audit.Unsealed(k.ctx, 10)
		k.ok(err)
		k.same(left, events[1:])
	}},
	{"the real chain seals what comes and verifies", func(k *kit) {
		chain := k.chain()
		var heads []audit.Batch
		for n := 1; n <= 3; n++ {
			k.append(n)
			head, sealed, err := chain.Seal(k.ctx)
			k.ok(err)
			k.same(sealed, true)
			k.same(head.Count, n)
			heads = append(heads, head)
		}
		_, sealed, err := chain.Seal(k.ctx)
		k.ok(err)
		k.same(sealed, false)
		for _, known := range heads {
			head, err := chain.Verify(k.ctx, known)
			k.ok(err)
			k.same(head, heads[2])
		}
	}},
	{"race: sealers on two replicas make one whole chain", func(k *kit) {
		const n = 40
		done := make(chan struct{})
		errs := race(3, func(i int) error {
			if i == 0 {
				defer close(done)
				for range n {
					if err := k.Audit.Append(k.ctx, full(epoch)); err != nil {
						return err
					}
				}
				return nil
			}
			chain := k.chain()
			for {
				if _, _, err := chain.Seal(k.ctx); err != nil {
					return err
				}
				select {
				case <-done:
					_, _, err := chain.Seal(k.ctx)
					return err
				default:
				}
			}
		})
		for _, err := range errs {
			k.ok(err)
		}
		head, err := k.chain().Verify(k.ctx, audit.Batch{})
		k.ok(err)
		total := 0
		for number := int64(1); number <= head.Number; number++ {
			b, _, err := k.Audit.Batch(k.ctx, number)
			k.ok(err)
			total += b.Count
		}
		left, err := k.Audit.Unsealed(k.ctx, n)
		k.ok(err)
		k.same(total+len(left), n)
	}},
	{"race: of many that seal the same batch one wins", func(k *kit) {
		events := k.append(5)
		k.oneWon(race(8, func(int) error { return k.Audit.Seal(k.ctx, batch(1, 5), events) }), identity.ErrConflict)
	}},
}
