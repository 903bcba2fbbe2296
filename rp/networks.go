package rp

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/limit"
)

// Networks slows attempts that come from one network. It never refuses: a hospital
// or a phone company has one address for many patients.
type Networks struct {
	Limits *limit.Limits  // nil: nobody is slowed
	Shared []netip.Prefix // that many patients share (limits.networks)
}

// shared reports whether many patients share that address.
func (n Networks) shared(addr netip.Addr) bool {
	for _, p := range n.Shared {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// slow counts an attempt that is not finished by the network it comes from, and
// holds the answer back where there were many. A browser that somebody logged in
// from before is not counted, and neither is anybody while the count can't be kept:
// what protects a patient is counted by address and account.
func (v *visit) slow() error {
	if v.networks.Limits == nil {
		return nil
	}
	if v.browser != "" {
		known, err := v.attempts.KnownBrowser(v.r.Context(), v.browser)
		if err != nil {
			return err
		}
		if known {
			return nil
		}
	}
	addr := v.proxies.client(v.r)
	err := v.networks.Limits.Take(v.r.Context(), v.networks.Limits.Rates().FromNetwork(addr, v.networks.shared(addr)))
	var exceeded *limit.Exceeded
	if !errors.As(err, &exceeded) { // not counted: what comes next meets the same store
		return nil
	}
	return pause(v.r.Context(), limit.Slow(exceeded, v.now()))
}

// finished takes an attempt back out of its network's count: it led to a login, and
// only what leads to none counts. What can't be kept is a slower answer at worst.
func (v *visit) finished() {
	if v.networks.Limits == nil {
		return
	}
	addr := v.proxies.client(v.r)
	_ = v.networks.Limits.GiveBack(v.r.Context(), v.networks.Limits.Rates().FromNetwork(addr, v.networks.shared(addr)))
}

// evenTime is longer than the work that depends on whether there is an account, on a
// machine that has nothing else to do.
const evenTime = 50 * time.Millisecond

// evenly does what finds somebody or nobody, and comes back a whole number of times that
// long after it began: whoever was found takes more work, and the answer's time must not
// tell, on a busy machine either.
func (v *visit) evenly(fn func() error) error {
	began := time.Now() // a stopwatch of monotonic time, not a clock to judge by
	err := fn()
	return errors.Join(err, pause(v.r.Context(), evenTime-time.Since(began)%evenTime))
}

// pause waits, unless the patient leaves.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// channelOff reports whether messages can't be sent there now, so that a page says so
// before it asks for anything.
func (v *visit) channelOff(by identity.Channel) bool {
	return v.channel != nil && v.channel(v.r.Context(), by)
}
