package workbench

import (
	"fmt"
	"sync/atomic"
	"time"
)

// maxAhead is how far the clock may be turned in all: farther than anything that
// Dilys keeps lasts.
const maxAhead = 10 * 365 * 24 * time.Hour

// Clock is real time plus an offset that only grows: what has expired never comes
// back, as in life. The zero value shows real time until it is turned. It is safe
// for concurrent use.
type Clock struct {
	real   func() time.Time // nil: time.Now; tests stop it
	offset atomic.Int64     // nanoseconds
}

// Now returns the time that everything in this process goes by.
func (c *Clock) Now() time.Time {
	if c.real == nil {
		return time.Now().Add(c.Offset())
	}
	return c.real().Add(c.Offset())
}

// Offset returns how far the clock was turned.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// Advance turns the clock forward. It refuses to turn it back, and more than ten
// years ahead of real time.
func (c *Clock) Advance(d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("advance: wanted a duration forward, such as 31m, got %v", d)
	}
	for {
		have := c.offset.Load()
		if d > maxAhead-time.Duration(have) {
			return fmt.Errorf("advance: wanted at most %v in all, got %v more than %v", maxAhead, d, time.Duration(have))
		}
		if c.offset.CompareAndSwap(have, have+int64(d)) {
			return nil
		}
	}
}
