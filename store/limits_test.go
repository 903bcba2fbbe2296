package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/store/storetest"
)

// Many replicas count on one row, the service's own: each waits for it, and none is
// turned away for the crowd.
func TestManyReplicasCountOnOneRow(t *testing.T) {
	const replicas, each, rounds = 8, 50, 4
	keys := storetest.Keys(t)
	now := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	onEach(t, func(t *testing.T, url string) {
		shared := limit.Bucket{Key: "service", Rules: []limit.Rule{{Name: "day", N: 1 << 20, Per: 24 * time.Hour}}}
		var wait sync.WaitGroup
		faults := make(chan error, replicas*each*rounds)
		for r := range replicas {
			l := limit.New(storetest.Open(t, url, keys, nil).Limits(), limit.Defaults, func() time.Time { return now })
			for i := range each {
				wait.Go(func() {
					for n := range rounds {
						own := limit.Bucket{Key: fmt.Sprint(r, i, n), Rules: []limit.Rule{{Name: "three", N: 3, Per: time.Minute}}}
						if err := l.Take(t.Context(), own, shared); err != nil {
							faults <- err
						}
					}
				})
			}
		}
		wait.Wait()
		close(faults)
		n := 0
		for err := range faults {
			if n++; n == 1 {
				t.Errorf("a stranger was turned away: %v", err)
			}
		}
		if n > 0 {
			t.Errorf("%d of %d were turned away", n, replicas*each*rounds)
		}
		l := limit.New(storetest.Open(t, url, keys, nil).Limits(), limit.Defaults, func() time.Time { return now })
		full := limit.Bucket{Key: "service", Rules: []limit.Rule{{Name: "day", N: replicas * each * rounds, Per: 24 * time.Hour}}}
		if exceeded := (*limit.Exceeded)(nil); n == 0 && !errors.As(l.Take(t.Context(), full), &exceeded) {
			t.Error("wanted each of them counted")
		}
	})
}
