package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity/limit"
)

// limits is the room over the store, at a time that stands still.
func (k *kit) limits() *limit.Limits { return limit.New(k.Limits, limit.Defaults, clock) }

// three lets three through.
func three(key string) limit.Bucket {
	return limit.Bucket{Key: key, Rules: []limit.Rule{{Name: "three", N: 3, Per: time.Minute}}}
}

var limitRules = []rule{
	{"of many that take at once, as many get through as may", func(k *kit) {
		l := k.limits()
		var through atomic.Int64
		for _, err := range race(parallel, func(int) error {
			err := l.Take(k.ctx, three("a"))
			if err == nil {
				through.Add(1)
			}
			return err
		}) {
			if e := (*limit.Exceeded)(nil); err != nil && !errors.As(err, &e) {
				k.Fatal(err)
			}
		}
		k.same(through.Load(), int64(3))
		k.ok(l.Take(k.ctx, three("b")))
	}},
	{"race: strangers who share one bucket all get through, and are all counted", func(k *kit) {
		l, shared := k.limits(), limit.Bucket{Key: "service", Rules: []limit.Rule{{Name: "day", N: 8 * parallel, Per: 24 * time.Hour}}}
		for range 8 {
			for i, err := range race(parallel, func(i int) error { return l.Take(k.ctx, three(fmt.Sprint(i)), shared) }) {
				if e := (*limit.Exceeded)(nil); err != nil && !errors.As(err, &e) {
					k.Fatalf("stranger %d: %v", i, err)
				}
			}
		}
		exceeded := (*limit.Exceeded)(nil)
		left := 0
		for ; l.Take(k.ctx, shared) == nil; left++ {
		}
		k.same(left, 5*parallel) // each stranger got through three times
		if err := l.Take(k.ctx, three("another"), shared); !errors.As(err, &exceeded) {
			k.Fatalf("wanted the shared one spent, got %v", err)
		}
	}},
	{"what is taken of several buckets is taken of all or of none", func(k *kit) {
		l := k.limits()
		for range 3 {
			k.ok(l.Take(k.ctx, three("full")))
		}
		exceeded := (*limit.Exceeded)(nil)
		for range 5 {
			if err := l.Take(k.ctx, three("free"), three("full")); !errors.As(err, &exceeded) {
				k.Fatalf("wanted the full one to refuse, got %v", err)
			}
		}
		for range 3 {
			k.ok(l.Take(k.ctx, three("free")))
		}
	}},
	{"of many guesses at once, as many are paid for as may", func(k *kit) {
		l := k.limits()
		policy := limit.Policy{Name: "guess", Tries: 5, Within: time.Hour, Lock: time.Hour, LockMost: time.Hour}
		var paid atomic.Int64
		for _, err := range race(parallel, func(int) error {
			err := l.Pay(k.ctx, "secret", policy)
			if err == nil {
				paid.Add(1)
			}
			return err
		}) {
			if e := (*limit.Exceeded)(nil); err != nil && !errors.As(err, &e) {
				k.Fatal(err)
			}
		}
		k.same(paid.Load(), int64(5))
		k.ok(l.Settle(k.ctx, "secret"))
		k.ok(l.Pay(k.ctx, "secret", policy))
	}},
	{"a guess is not paid for inside an act, whose end could give it back", func(k *kit) {
		err := k.Audit.Within(k.ctx, func(ctx context.Context) error { return k.limits().Pay(ctx, "secret", limit.Defaults.Code) })
		if err == nil {
			k.Fatal("wanted a refusal")
		}
	}},
	{"a flood of made-up keys touches no other key, and is swept", func(k *kit) {
		l := k.limits()
		for range 3 {
			k.ok(l.Take(k.ctx, three("real")))
		}
		for i := range 300 {
			k.ok(l.Take(k.ctx, three(fmt.Sprint("bogus", i))))
		}
		if err := l.Take(k.ctx, three("real")); err == nil {
			k.Fatal("wanted the count to hold")
		}
		k.ok(k.Limits.SweepLimits(k.ctx, epoch.Add(time.Minute+time.Microsecond)))
		k.ok(l.Take(k.ctx, three("real")))
	}},
}
