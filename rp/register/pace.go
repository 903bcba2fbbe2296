package register

import (
	"sync"
	"time"
)

// maxHold is the longest that a Retry-After is heeded: a slip of PDS must not close
// the register for a day.
const maxHold = time.Minute

// pace spreads requests evenly, one each interval: the platform arrests spikes even
// within a second's quota. Whoever waits has a place of its own, in the order of
// coming.
type pace struct {
	interval time.Duration

	mu   sync.Mutex
	free time.Time // from when the next request may be sent
}

func newPace(perSecond int) *pace { return &pace{interval: time.Second / time.Duration(perSecond)} }

// take returns how long to wait for a turn, or false if that is longer than
// patience; then no turn is taken.
func (p *pace) take(now time.Time, patience time.Duration) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free.Sub(now) > maxHold+answerWithin { // the clock was set back
		p.free = now
	}
	wait = max(0, p.free.Sub(now))
	if wait > patience {
		return 0, false
	}
	p.free = now.Add(wait + p.interval)
	return wait, true
}

// hold lets nobody send for that long.
func (p *pace) hold(now time.Time, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(min(d, maxHold)); until.After(p.free) {
		p.free = until
	}
}
