package register

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// State is how the register is.
type State string

// The states.
const (
	Unknown State = "unknown" // nobody has asked it yet
	OK      State = "ok"
	Slow    State = "slow" // it answers late, or not always
	Down    State = "down" // nobody waits for it
)

// Health is how the register is, for the pages and for operators.
type Health struct {
	State State
	Since time.Time // when it began to be so
	Fault string    // for operators, in words of ours; empty while it is well
}

const (
	tolerated  = 3               // failures in a row until nobody waits for it any more
	slowAfter  = 3 * time.Second // an answer that took longer was slow
	probeAfter = 5 * time.Second // between two questions to a register that is down
)

// Health returns how the register is.
func (p *PDS) Health() Health { return p.pulse.health() }

// Refresh looks at the register when no answer says how it is: it fetches an access
// token, which needs no patient. It is called at the start and every few seconds
// after it, and costs nothing while all is well. What it finds is told by
// [PDS.Health].
func (p *PDS) Refresh(ctx context.Context) {
	if p.pulse.ungrantedYet() && p.pulse.admit(p.now()) {
		_, _ = p.access(ctx) // the pulse was told
	}
}

// told logs a change of state.
func (p *PDS) told(changed bool) {
	if !changed {
		return
	}
	h := p.pulse.health()
	level := slog.LevelWarn
	if h.State == OK {
		level = slog.LevelInfo
	}
	p.log.Log(context.Background(), level, "register health changed", "register", p.opt.ID, "state", string(h.State), "fault", h.Fault)
}

// pulse counts what the register answered and what it did not: the breaker. After
// three failures in a row it is open and nobody waits for the register, but one
// question every few seconds, whose answer closes it.
//
// Its verbs return whether the state changed.
type pulse struct {
	mu sync.Mutex

	seen   bool   // it answered, ever
	asks   int    // questions in a row without an answer
	grants int    // access tokens in a row that were not granted
	fault  string // the last one, until the register is well
	late   bool   // the last answer was slow
	probed time.Time

	state State // Unknown when empty
	since time.Time
}

// answered is told when a question was answered, whatever the answer.
func (p *pulse) answered(took time.Duration, now time.Time) bool {
	return p.change(now, func() { p.seen, p.asks, p.grants, p.fault = true, 0, 0, ""; p.took(took) })
}

// failed is told when a question got no answer, or one that is none.
func (p *pulse) failed(fault string, now time.Time) bool {
	return p.change(now, func() { p.asks++; p.fault = fault })
}

// granted is told when there is an access token. It says nothing about questions.
func (p *pulse) granted(took time.Duration, now time.Time) bool {
	return p.change(now, func() {
		p.seen, p.grants = true, 0
		if p.asks == 0 {
			p.fault = ""
			p.took(took)
		}
	})
}

// ungranted is told when no access token can be had.
func (p *pulse) ungranted(fault string, now time.Time) bool {
	return p.change(now, func() { p.grants++; p.fault = fault })
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
	case p.asks >= tolerated, p.grants >= tolerated, !p.seen:
		return Down
	case p.asks > 0, p.grants > 0, p.late:
		return Slow
	}
	return OK
}

// admit reports whether the register may be asked now: always while it is not down,
// and else once every few seconds. A clock that was set back never shuts it.
func (p *pulse) admit(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != Down {
		return true
	}
	if since := now.Sub(p.probed); since >= 0 && since < probeAfter {
		return false
	}
	p.probed = now
	return true
}

// ungrantedYet reports whether a look would tell more than is known.
func (p *pulse) ungrantedYet() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.grants > 0 || !p.seen
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
