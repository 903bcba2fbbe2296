package provider

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// State is how a provider is.
type State string

// The states, beside [Down].
const (
	Unknown State = "unknown" // nobody has looked yet
	OK      State = "ok"
	Slow    State = "slow" // it answers late, or not always
)

// Down is said of a provider that can't be used now, and of a login that ended
// for that reason: it is a [State] and a [Kind].
const Down = "down"

// Health is how a provider is, for the chooser and for operators.
type Health struct {
	State State
	Since time.Time // when it began to be so
	Fault string    // for operators, in words of ours; empty while it is well
}

const (
	tolerated = 3               // failures in a row until nobody is sent there any more
	slowAfter = 3 * time.Second // an answer that took longer was slow
)

// Health returns how the provider is.
func (p *Provider) Health() Health {
	h := p.pulse.health()
	m := p.meta.Load()
	if h.State != OK || m == nil {
		return h
	}
	if fault := m.keys.Fault(); fault != nil { // the keys held before serve on
		age, _ := m.keys.Age()
		return Health{State: Slow, Since: p.now().Add(-age), Fault: fault.Error()}
	}
	return h
}

// told logs a change of state.
func (p *Provider) told(changed bool) {
	if !changed {
		return
	}
	h := p.pulse.health()
	level := slog.LevelWarn
	if h.State == OK {
		level = slog.LevelInfo
	}
	p.log.Log(context.Background(), level, "provider health changed", "provider", p.cfg.ID, "state", string(h.State), "fault", h.Fault)
}

// pulse counts what a provider answered and what it did not: the breaker. After
// three failures in a row it is open and nobody waits for that provider. A look
// that succeeds then lets patients try again; the first failure opens it again.
//
// Its verbs return whether the state changed.
type pulse struct {
	mu sync.Mutex

	seen   bool   // it answered a look, ever
	logins int    // failures in a row while finishing logins
	looks  int    // failures in a row while looking
	fault  string // the last one, until the provider is well
	late   bool   // the last answer was slow

	state State // Unknown when empty
	since time.Time
}

// answered is told when the provider answered in a login, whatever it said.
func (p *pulse) answered(took time.Duration, now time.Time) bool {
	return p.change(now, func() { p.logins, p.looks, p.fault = 0, 0, ""; p.took(took) })
}

// failed is told when the provider gave no answer in a login.
func (p *pulse) failed(fault string, now time.Time) bool {
	return p.change(now, func() { p.logins++; p.fault = fault })
}

// looked is told when discovery and keys are well.
func (p *pulse) looked(took time.Duration, now time.Time) bool {
	return p.change(now, func() {
		p.seen, p.looks = true, 0
		if p.logins = min(p.logins, tolerated-1); p.logins == 0 {
			p.fault = ""
			p.took(took)
		}
	})
}

// unseen is told when discovery or the keys can't be had.
func (p *pulse) unseen(fault string, now time.Time) bool {
	return p.change(now, func() { p.looks++; p.fault = fault })
}

// disowned is told when the provider is not the one that was configured.
func (p *pulse) disowned(fault string, now time.Time) bool {
	return p.change(now, func() { p.looks, p.fault = tolerated, fault })
}

func (p *pulse) took(d time.Duration) {
	if p.late = d > slowAfter; p.late {
		p.fault = fmt.Sprintf("wanted an answer within %s, got one after %s", slowAfter, d.Round(100*time.Millisecond))
	}
}

func (p *pulse) change(now time.Time, fn func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.state
	fn()
	if p.state = p.judge(); p.state == before {
		return false
	}
	p.since = now
	return true
}

func (p *pulse) judge() State {
	switch {
	case p.logins >= tolerated, p.looks >= tolerated, !p.seen:
		return Down
	case p.logins > 0, p.looks > 0, p.late:
		return Slow
	}
	return OK
}

// open reports whether the breaker is open: nobody is sent there.
func (p *pulse) open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == Down
}

// failing reports whether a look would tell more than the last one did.
func (p *pulse) failing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.looks > 0 || p.state == Down
}

func (p *pulse) health() Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := Health{State: p.state, Since: p.since, Fault: p.fault}
	if h.State == "" {
		h.State = Unknown
	}
	return h
}
