package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/outbox"
)

// texted is a code to a phone, every field filled.
func texted() outbox.Message {
	return outbox.Message{
		ID: identity.NewID(), Thread: identity.NewID(), To: must(identity.ParsePhone("07700 900123")).Contact(), Language: "cy",
		Kind: outbox.CodeLogin, Params: map[string]identity.Secret{"code": "271828"}, Due: epoch, Expires: epoch.Add(10 * time.Minute),
	}
}

// mailed is a notice to an e-mail address, bilingual and alone.
func mailed() outbox.Message {
	return outbox.Message{
		ID: identity.NewID(), To: must(identity.ParseEmail("Siân.O'Test+nhs@example.com")).Contact(),
		Kind: outbox.PasswordChanged, Due: epoch, Expires: epoch.Add(72 * time.Hour),
	}
}

// put puts a message down.
func (k *kit) put(m outbox.Message) outbox.Message {
	k.Helper()
	k.ok(k.Outbox.Put(k.ctx, m, func() {}))
	return m
}

// claimAt is a claim of one message on the channel at that time.
func claimAt(by identity.Channel, at time.Time) outbox.Claim {
	return outbox.Claim{By: by, Lease: identity.NewID(), At: at, Until: at.Add(time.Minute), Limit: 1}
}

// claims claims and returns what it got.
func (k *kit) claims(c outbox.Claim) []outbox.Claimed {
	k.Helper()
	got, err := k.Outbox.Claim(k.ctx, c)
	k.ok(err)
	return got
}

// nothingFor fails the row unless the channel has nothing to claim at that time.
func (k *kit) nothingFor(by identity.Channel, at time.Time) {
	k.Helper()
	k.same(len(k.claims(claimAt(by, at))), 0)
}

var outboxRules = []rule{
	{"a message comes out as it went in, by its own channel, once", func(k *kit) {
		text, mail := k.put(texted()), k.put(mailed())
		k.same(k.claims(claimAt(identity.BySMS, epoch)), []outbox.Claimed{{Message: text, Tries: 1}})
		k.same(k.claims(claimAt(identity.ByEmail, epoch)), []outbox.Claimed{{Message: mail, Tries: 1}})
		k.nothingFor(identity.BySMS, epoch)
		k.nothingFor(identity.ByEmail, epoch)
	}},
	{"not before it is due, and not at the end of its life or after", func(k *kit) {
		m := k.put(texted())
		k.nothingFor(identity.BySMS, m.Due.Add(-time.Microsecond))
		k.nothingFor(identity.BySMS, m.Expires)
		k.nothingFor(identity.BySMS, m.Expires.Add(time.Hour))
		k.same(len(k.claims(claimAt(identity.BySMS, m.Expires.Add(-time.Microsecond)))), 1)
	}},
	{"the one with the least life left goes first, as many as were asked for", func(k *kit) {
		notice := texted()
		notice.Thread, notice.Kind, notice.Params, notice.Due, notice.Expires = "", outbox.Locked, nil, epoch.Add(-time.Hour), epoch.Add(72*time.Hour)
		k.put(notice)
		code := k.put(texted())
		k.same(k.claims(claimAt(identity.BySMS, epoch))[0].ID, code.ID)
		k.put(texted())
		many := claimAt(identity.BySMS, epoch)
		many.Limit = 5
		k.same(len(k.claims(many)), 2)
	}},
	{"a message whose act was rolled back was never there, and nobody is told", func(k *kit) {
		told := 0
		err := k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.ok(k.Outbox.Put(ctx, texted(), func() { told++ }))
			return errOfAct
		})
		k.is(err, errOfAct)
		k.same(told, 0)
		k.nothingFor(identity.BySMS, epoch)
	}},
	{"whoever waits is told after the commit, once, also of an act that ran twice", func(k *kit) {
		told, found := 0, 0
		k.ok(k.Audit.Within(k.ctx, func(ctx context.Context) error {
			k.ok(k.Outbox.Put(ctx, texted(), func() {
				told++
				found += len(k.claims(claimAt(identity.BySMS, epoch)))
			}))
			k.same(told, 0)
			return k.Audit.Append(ctx, event(audit.SessionEnded))
		}))
		k.same([]int{told, found}, []int{1, 1})
		k.ok(k.Outbox.Put(k.ctx, mailed(), func() { told++ }))
		k.same(told, 2)
	}},
	{"an id is never used twice, and who tries changes nothing", func(k *kit) {
		m := k.put(texted())
		again := texted()
		again.ID, again.Thread = m.ID, m.Thread
		k.is(k.Outbox.Put(k.ctx, again, func() { k.Error("told of a refused message") }), identity.ErrConflict)
		k.same(k.claims(claimAt(identity.BySMS, epoch)), []outbox.Claimed{{Message: m, Tries: 1}})
	}},
	{"a later code takes the place of an earlier one of its thread, and of no other", func(k *kit) {
		first, other, alone, lone := k.put(texted()), k.put(texted()), texted(), texted()
		alone.Thread, lone.Thread = "", ""
		k.put(alone)
		k.put(lone)
		second := texted()
		second.Thread = first.Thread
		k.put(second)
		all := claimAt(identity.BySMS, epoch)
		all.Limit = 9
		got := map[string]bool{}
		for _, c := range k.claims(all) {
			got[c.ID] = true
		}
		k.same(got, map[string]bool{second.ID: true, other.ID: true, alone.ID: true, lone.ID: true})
	}},
	{"what is withdrawn does not leave, not even when its lease is given back", func(k *kit) {
		waiting, underWay := texted(), k.put(texted())
		c := claimAt(identity.BySMS, epoch)
		k.same(k.claims(c)[0].ID, underWay.ID)
		waiting.Thread = underWay.Thread
		k.put(waiting)
		k.ok(k.Outbox.Withdraw(k.ctx, waiting.Thread, epoch))
		k.ok(k.Outbox.Withdraw(k.ctx, "", epoch))
		k.is(k.Outbox.Postpone(k.ctx, underWay.ID, c.Lease, epoch, false), identity.ErrConflict)
		k.is(k.Outbox.Close(k.ctx, underWay.ID, c.Lease, outbox.WasSent, epoch), identity.ErrConflict)
		k.nothingFor(identity.BySMS, epoch.Add(5*time.Minute))
	}},
	{"what ended comes out no more", func(k *kit) {
		for _, outcome := range []outbox.Outcome{outbox.WasSent, outbox.WasDead} {
			m, c := k.put(texted()), claimAt(identity.BySMS, epoch)
			k.claims(c)
			k.ok(k.Outbox.Close(k.ctx, m.ID, c.Lease, outcome, epoch))
			k.is(k.Outbox.Close(k.ctx, m.ID, c.Lease, outcome, epoch), identity.ErrConflict)
			k.nothingFor(identity.BySMS, epoch.Add(5*time.Minute))
		}
	}},
	{"a lease that is not one's own closes and postpones nothing", func(k *kit) {
		m, c := k.put(texted()), claimAt(identity.BySMS, epoch)
		k.claims(c)
		for _, lease := range []string{"", identity.NewID()} {
			k.is(k.Outbox.Close(k.ctx, m.ID, lease, outbox.WasSent, epoch), identity.ErrConflict)
			k.is(k.Outbox.Postpone(k.ctx, m.ID, lease, epoch, false), identity.ErrConflict)
		}
		k.is(k.Outbox.Close(k.ctx, identity.NewID(), c.Lease, outbox.WasSent, epoch), identity.ErrConflict)
		k.ok(k.Outbox.Close(k.ctx, m.ID, c.Lease, outbox.WasSent, epoch))
	}},
	{"a refused sending is tried again when it is due, without a doubt", func(k *kit) {
		m, c := k.put(texted()), claimAt(identity.BySMS, epoch)
		k.claims(c)
		m.Due = epoch.Add(time.Second)
		k.ok(k.Outbox.Postpone(k.ctx, m.ID, c.Lease, m.Due, false))
		k.nothingFor(identity.BySMS, epoch)
		k.same(k.claims(claimAt(identity.BySMS, m.Due)), []outbox.Claimed{{Message: m, Tries: 2}})
	}},
	{"killed between send and mark: taken over when the lease falls, in doubt until it is settled", func(k *kit) {
		m, c := k.put(texted()), claimAt(identity.BySMS, epoch)
		k.claims(c)
		k.nothingFor(identity.BySMS, c.Until.Add(-time.Microsecond))
		next := claimAt(identity.BySMS, c.Until)
		k.same(k.claims(next), []outbox.Claimed{{Message: m, Tries: 2, Doubt: true}})
		k.is(k.Outbox.Close(k.ctx, m.ID, c.Lease, outbox.WasSent, epoch), identity.ErrConflict)
		m.Due = epoch.Add(2 * time.Minute)
		k.ok(k.Outbox.Postpone(k.ctx, m.ID, next.Lease, m.Due, true))
		last := claimAt(identity.BySMS, m.Due)
		k.same(k.claims(last), []outbox.Claimed{{Message: m, Tries: 3, Doubt: true}})
		k.ok(k.Outbox.Postpone(k.ctx, m.ID, last.Lease, m.Due, false))
		k.same(k.claims(claimAt(identity.BySMS, m.Due)), []outbox.Claimed{{Message: m, Tries: 4}})
	}},
	{"what is over is buried, unless somebody is sending it", func(k *kit) {
		m := k.put(texted())
		over, err := k.Outbox.Expire(k.ctx, m.Expires.Add(-time.Microsecond))
		k.ok(err)
		k.same(len(over), 0)
		c := claimAt(identity.BySMS, m.Expires.Add(-time.Second))
		k.claims(c)
		over, err = k.Outbox.Expire(k.ctx, m.Expires)
		k.ok(err)
		k.same(len(over), 0)
		for _, want := range []int{1, 0} {
			over, err = k.Outbox.Expire(k.ctx, c.Until)
			k.ok(err)
			k.same(len(over), want)
		}
		mail := k.put(mailed())
		over, err = k.Outbox.Expire(k.ctx, mail.Expires)
		k.ok(err)
		k.same(over, []outbox.Over{{By: identity.ByEmail, Kind: outbox.PasswordChanged}})
		k.nothingFor(identity.ByEmail, epoch)
	}},
	{"since when the oldest has been due", func(k *kit) {
		none, err := k.Outbox.Oldest(k.ctx, identity.BySMS, epoch)
		k.ok(err)
		k.same(none, time.Time{})
		later, sooner := texted(), texted()
		later.Due, sooner.Due = epoch.Add(time.Minute), epoch.Add(time.Second)
		k.put(later)
		k.put(sooner)
		for at, want := range map[time.Time]time.Time{epoch: {}, epoch.Add(time.Hour): sooner.Due} {
			got, err := k.Outbox.Oldest(k.ctx, identity.BySMS, at)
			k.ok(err)
			k.same(got, want)
		}
	}},
	{"the first receipt counts", func(k *kit) {
		m := k.put(texted())
		got, err := k.Outbox.Receive(k.ctx, m.ID, "delivered")
		k.ok(err)
		k.same(got, outbox.Over{By: identity.BySMS, Kind: outbox.CodeLogin})
		for _, id := range []string{m.ID, identity.NewID(), ""} {
			_, err = k.Outbox.Receive(k.ctx, id, "permanent-failure")
			k.is(err, identity.ErrNotFound)
		}
	}},
	{"how a channel stands is written by who read it", func(k *kit) {
		none, err := k.Outbox.Standing(k.ctx, identity.BySMS)
		k.ok(err)
		k.same(none, outbox.Standing{})
		off := outbox.Standing{Failures: 3, Since: epoch, Until: epoch.Add(time.Minute), Cause: "daily-limit"}
		k.ok(k.Outbox.Stand(k.ctx, identity.BySMS, none, off))
		k.is(k.Outbox.Stand(k.ctx, identity.BySMS, none, outbox.Standing{Failures: 1}), identity.ErrConflict)
		got, err := k.Outbox.Standing(k.ctx, identity.BySMS)
		k.ok(err)
		k.same(got, off)
		other, err := k.Outbox.Standing(k.ctx, identity.ByEmail)
		k.ok(err)
		k.same(other, none)
		k.ok(k.Outbox.Stand(k.ctx, identity.BySMS, off, none))
	}},
	{"a claim inside an act is refused", func(k *kit) {
		k.put(texted())
		err := k.Audit.Within(k.ctx, func(ctx context.Context) error {
			_, err := k.Outbox.Claim(ctx, claimAt(identity.BySMS, epoch))
			return err
		})
		if err == nil {
			k.Fatal("wanted a claim refused inside an act")
		}
		k.same(len(k.claims(claimAt(identity.BySMS, epoch))), 1)
	}},
	{"race: of many claimers each message has one", func(k *kit) {
		want := map[string]int{}
		for range parallel {
			want[k.put(texted()).ID] = 1
		}
		var mu sync.Mutex
		got := map[string]int{}
		claim := func(int) error {
			c := claimAt(identity.BySMS, epoch)
			c.Limit = 3
			for {
				claimed, err := k.Outbox.Claim(k.ctx, c)
				if err != nil || len(claimed) == 0 {
					return err
				}
				mu.Lock()
				for _, m := range claimed {
					got[m.ID]++
				}
				mu.Unlock()
			}
		}
		for _, err := range race(parallel, claim) {
			k.ok(err)
		}
		k.ok(claim(0)) // what every claimer of the crowd passed over for another
		k.same(got, want)
	}},
	{"race: of many who close a message one does", func(k *kit) {
		m, c := k.put(texted()), claimAt(identity.BySMS, epoch)
		k.claims(c)
		k.oneWon(race(parallel, func(int) error {
			return k.Outbox.Close(k.ctx, m.ID, c.Lease, outbox.WasSent, epoch)
		}), identity.ErrConflict)
	}},
	{"race: codes of one thread leave one that can be sent", func(k *kit) {
		thread := identity.NewID()
		for _, err := range race(parallel, func(int) error {
			m := texted()
			m.Thread = thread
			return k.Audit.Within(k.ctx, func(ctx context.Context) error { return k.Outbox.Put(ctx, m, func() {}) })
		}) {
			if err != nil && !errors.Is(err, identity.ErrUnavailable) { // it collided too often
				k.Fatal(err)
			}
		}
		all := claimAt(identity.BySMS, epoch)
		all.Limit = parallel
		k.same(len(k.claims(all)), 1)
	}},
	{"a sweep forgets what ended long ago, and nothing that waits", func(k *kit) {
		ended, waiting, c := k.put(texted()), k.put(mailed()), claimAt(identity.BySMS, epoch)
		k.claims(c)
		k.ok(k.Outbox.Close(k.ctx, ended.ID, c.Lease, outbox.WasSent, epoch))
		k.ok(k.Sweep(k.ctx, epoch.Add(7*24*time.Hour)))
		again := texted()
		again.ID = ended.ID
		k.is(k.Outbox.Put(k.ctx, again, func() {}), identity.ErrConflict)
		k.ok(k.Sweep(k.ctx, epoch.Add(7*24*time.Hour+time.Microsecond)))
		k.put(again)
		k.same(k.claims(claimAt(identity.ByEmail, epoch))[0].ID, waiting.ID)
	}},
}
