package outbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/store/storetest"
)

// instant is a courier that takes every message at once.
type instant chan struct{}

func (c instant) Send(context.Context, outbox.Message) error       { c <- struct{}{}; return nil }
func (instant) Sent(context.Context, outbox.Message) (bool, error) { return false, nil }

// BenchmarkPutToSend is the time from putting a code down to its leaving: a commit
// on disk, the wake-up and the lease, a second commit.
func BenchmarkPutToSend(b *testing.B) {
	db := storetest.Open(b, storetest.SQLite(b), storetest.Keys(b), time.Now)
	left := make(instant)
	out := outbox.New(db.Outbox(), outbox.Options{Courier: left, Now: time.Now})
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { out.Run(ctx, time.Hour); close(done) }()
	m := code()
	for b.Loop() {
		m.Expires = time.Now().Add(10 * time.Minute)
		if err := out.Put(ctx, m); err != nil {
			b.Fatal(err)
		}
		<-left
	}
	stop()
	<-done
}
