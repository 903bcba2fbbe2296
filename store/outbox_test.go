package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/store"
)

func claim(at time.Time) outbox.Claim {
	return outbox.Claim{By: identity.ByEmail, Lease: identity.NewID(), At: at, Until: at.Add(time.Minute), Limit: 9}
}

// Whatever ended a message, nothing that was sealed of it is left, and a rotation
// of keys passes it over.
func TestEndedMessagesAreWiped(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		db, ctx := s.replica(), t.Context()
		put := func(thread string) outbox.Message {
			m := message("314159")
			m.Thread = thread
			if err := db.Outbox().Put(ctx, m, func() {}); err != nil {
				t.Fatal(err)
			}
			return m
		}
		sent, dead, c := put(""), put(""), claim(began)
		if got, err := db.Outbox().Claim(ctx, c); err != nil || len(got) != 2 {
			t.Fatalf("wanted both claimed, got %d, %v", len(got), err)
		}
		put("replaced")
		put("replaced")
		for _, err := range []error{
			db.Outbox().Close(ctx, sent.ID, c.Lease, outbox.WasSent, began),
			db.Outbox().Close(ctx, dead.ID, c.Lease, outbox.WasDead, began),
			db.Outbox().Withdraw(ctx, "replaced", began),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		put("")
		if over, err := db.Outbox().Expire(ctx, began.Add(time.Hour)); err != nil || len(over) != 1 {
			t.Fatalf("wanted one buried, got %d, %v", len(over), err)
		}
		if rows := dump(t, url, "outbox"); strings.Count(rows, "outbox.body=\n") != 5 {
			t.Errorf("wanted 5 wiped rows, got\n%s", rows)
		}
		waiting := put("")
		s.rotate()
		fresh := s.replica()
		if n, err := fresh.Reseal(ctx); err != nil || n != 1 {
			t.Fatalf("wanted the one message that waits re-sealed, got %d, %v", n, err)
		}
		if got, err := fresh.Outbox().Claim(ctx, claim(began)); err != nil || len(got) != 1 || got[0].ID != waiting.ID || got[0].Unreadable {
			t.Errorf("wanted it readable, got %d, %v", len(got), err)
		}
	})
}

// A row that someone tampered with is claimed as that: it must not keep back the
// messages beside it.
func TestUnreadableMessageHoldsUpNoOther(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := newSite(t, url).replica()
		fine, moved := message("314159"), message("271828")
		for _, m := range []outbox.Message{fine, moved} {
			if err := db.Outbox().Put(t.Context(), m, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		do(t, raw(t, url), fmt.Sprintf(`UPDATE outbox SET body = (SELECT body FROM outbox WHERE id = '%s') WHERE id = '%s'`, fine.ID, moved.ID))
		got, err := db.Outbox().Claim(t.Context(), claim(began))
		if err != nil || len(got) != 2 {
			t.Fatalf("wanted both, got %d, %v", len(got), err)
		}
		for _, c := range got {
			if c.Unreadable != (c.ID == moved.ID) || c.Kind != outbox.CodeRecover || c.Unreadable != c.To.IsZero() {
				t.Errorf("unreadable: %v", c.Unreadable)
			}
		}
	})
}

// Two replicas race for every message: none is claimed by both.
func TestClaimRaceOfReplicas(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		replicas, ctx := []*store.DB{s.replica(), s.replica()}, t.Context()
		const messages = 40
		for range messages {
			if err := replicas[0].Outbox().Put(ctx, message("314159"), func() {}); err != nil {
				t.Fatal(err)
			}
		}
		got := make(chan string, 4*messages)
		done := make(chan error, len(replicas))
		for _, db := range replicas {
			go func() {
				for {
					c := claim(began)
					c.Limit = 2
					claimed, err := db.Outbox().Claim(ctx, c)
					for _, m := range claimed {
						got <- m.ID
					}
					if err != nil || len(claimed) == 0 {
						done <- err
						return
					}
				}
			}()
		}
		for range replicas {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		close(got)
		seen := map[string]bool{}
		for id := range got {
			if seen[id] {
				t.Fatal("a message was claimed by both")
			}
			seen[id] = true
		}
		if len(seen) == 0 {
			t.Error("nobody claimed anything")
		}
	})
}
