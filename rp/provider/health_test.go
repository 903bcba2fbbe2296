package provider_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// outage makes requests fail while it is on.
type outage struct {
	on    atomic.Bool
	looks atomic.Int32
}

func (o *outage) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "openid-configuration") {
			o.looks.Add(1)
		}
		if o.on.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (r *rig) wantState(want provider.State, when string) {
	r.Helper()
	if h := r.Health(); h.State != want || (want == provider.OK) != (h.Fault == "") || strings.Contains(h.Fault, "\n") {
		r.Errorf("%s: wanted %s, got %+v", when, want, h)
	}
}

// TestDownAtStart: a provider that is down when the service starts comes back by
// itself, whoever looks first.
func TestDownAtStart(t *testing.T) {
	for name, look := range map[string]func(*rig){
		"the service looks": func(r *rig) { r.Refresh(r.Context()) },
		"a patient comes":   func(r *rig) { r.begin(provider.Departure{}) },
	} {
		t.Run(name, func(t *testing.T) {
			var o outage
			o.on.Store(true)
			r := newRig(t, func(p *plan) { p.wrap = o.wrap })
			r.wantState(provider.Down, "at the start")
			if _, known := r.AuthorizationOrigin(); known {
				t.Error("origin: wanted none yet")
			}
			_, err := r.Begin(t.Context(), provider.Departure{})
			if kindOf(err) != provider.Down || !errors.Is(err, identity.ErrUnavailable) {
				t.Errorf("begin: wanted a refusal, got %v", err)
			}
			if o.looks.Load() != 1 {
				t.Errorf("looks: wanted 1 within seconds, got %d", o.looks.Load())
			}
			o.on.Store(false)
			r.advance(5 * time.Second)
			look(r)
			r.wantState(provider.OK, "when it is back")
			if !r.Health().Since.Equal(start.Add(5 * time.Second)) {
				t.Errorf("since: wanted when it came back, got %s", r.Health().Since)
			}
			if _, err := r.login("mair-prawf"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBreaker: after three failures nobody is made to wait; a look lets the next
// patient try, whose failure ends that and whose success mends it.
func TestBreaker(t *testing.T) {
	r := newRig(t)
	r.wantState(provider.OK, "at first")
	r.tell("token-500")
	for i := range 3 {
		if got := r.outcome(); got != "token-endpoint-unavailable" {
			t.Fatalf("failure %d: got %s", i, got)
		}
	}
	r.wantState(provider.Down, "after three failures")
	trip := provider.Trip{}
	if got := r.outcome(); got != "provider-down" {
		t.Errorf("fourth: wanted provider-down, got %s", got)
	}
	r.advance(5 * time.Second)
	r.Refresh(t.Context())
	r.wantState(provider.Slow, "half open")
	trip = r.begin(provider.Departure{})
	if got := r.outcome(); got != "token-endpoint-unavailable" {
		t.Errorf("half open: wanted a try, got %s", got)
	}
	r.wantState(provider.Down, "after the try")
	cb := r.come(trip, "mair-prawf")
	r.sim.ResetCalls()
	if _, err := r.Finish(t.Context(), trip.Challenge, cb); causeOf(err) != "provider-down" || r.sim.CallsTo(simulator.EndpointToken) != 0 {
		t.Errorf("finish while down: wanted a refusal without a call, got %v", err)
	}
	r.sim.ClearFaults()
	r.advance(5 * time.Second)
	if _, err := r.login("mair-prawf"); err != nil {
		t.Error(err)
	}
	r.wantState(provider.OK, "after a login")
	if !strings.Contains(r.log.String(), "state=down") {
		t.Errorf("log: wanted the changes, got %s", r.log.String())
	}
}

// TestBreakerIgnores: bad answers and patients who leave are not the provider's
// silence.
func TestBreakerIgnores(t *testing.T) {
	for name, do := range map[string]func(*rig){
		"bad codes":  func(r *rig) { r.tell("code-wrong"); _ = r.outcome() },
		"bad tokens": func(r *rig) { r.tell("invalid-sig"); _ = r.outcome() },
		"refusals":   func(r *rig) { r.tell("access-denied"); _ = r.outcome() },
		"who has left": func(r *rig) {
			ctx, cancel := context.WithCancel(r.Context())
			trip := r.begin(provider.Departure{})
			cb := r.come(trip, "mair-prawf")
			cancel()
			if _, err := r.Finish(ctx, trip.Challenge, cb); !errors.Is(err, context.Canceled) {
				r.Errorf("wanted context.Canceled, got %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for range 5 {
				do(r)
			}
			r.wantState(provider.OK, "after five")
		})
	}
}

// TestDisowned: a provider that turns out to be someone else is not used any more,
// whatever was known of it.
func TestDisowned(t *testing.T) {
	for lie, words := range map[string]string{"issuer-mismatch": "got another", "issuer-slash": "differs by a slash"} {
		t.Run(lie, func(t *testing.T) {
			r := newRig(t)
			r.tell(lie)
			r.advance(5 * time.Minute)
			r.Refresh(t.Context())
			r.wantState(provider.Down, "disowned")
			if _, known := r.AuthorizationOrigin(); known {
				t.Error("origin: wanted none")
			}
			if fault := r.Health().Fault; !strings.Contains(fault, words) {
				t.Errorf("fault: wanted %q, got %q", words, fault)
			}
			r.sim.ClearFaults()
			r.advance(5 * time.Second)
			r.Refresh(t.Context())
			r.wantState(provider.OK, "when it is right again")
		})
	}
}

// TestDiscoveryLost: what is known of a provider outlives a few looks that fail.
func TestDiscoveryLost(t *testing.T) {
	r := newRig(t)
	r.tell("discovery-500")
	r.advance(5 * time.Minute)
	for i := range 2 {
		r.Refresh(t.Context())
		r.wantState(provider.Slow, "after a look")
		if got := r.outcome(); got != "ok" {
			t.Errorf("login %d: got %s", i, got)
		}
		r.advance(5 * time.Second)
		r.Refresh(t.Context())
		r.advance(5 * time.Second)
	}
	r.Refresh(t.Context())
	r.advance(5 * time.Second)
	r.Refresh(t.Context())
	r.wantState(provider.Down, "after three looks in a row")
}

// TestSlow: an answer that came late is told to operators.
func TestSlow(t *testing.T) {
	var r *rig
	r = newRig(t, func(p *plan) {
		p.wrap = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				if strings.HasSuffix(q.URL.Path, "/token") {
					r.advance(4 * time.Second)
				}
				next.ServeHTTP(w, q)
			})
		}
	})
	if _, err := r.login("mair-prawf"); err != nil {
		t.Fatal(err)
	}
	r.wantState(provider.Slow, "after four seconds")
}

// TestOneLook: many patients at once ask once.
func TestOneLook(t *testing.T) {
	var o outage
	r := newRig(t, func(p *plan) { p.unlooked, p.wrap = true, o.wrap })
	if h := r.Health(); h.State != provider.Unknown {
		t.Errorf("before anyone looked: got %+v", h)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := r.Begin(t.Context(), provider.Departure{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	r.Refresh(t.Context())
	if o.looks.Load() != 1 {
		t.Errorf("looks: wanted 1, got %d", o.looks.Load())
	}
}

// TestL5: a provider that hangs holds no goroutine once everyone has given up.
func TestL5(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("hang", func(t *testing.T) {
		r := newRig(t)
		r.SetWithin(300 * time.Millisecond)
		r.tell("token-slow")
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				trip, err := r.Begin(t.Context(), provider.Departure{})
				if err != nil {
					return // the breaker is open
				}
				if cb, err := visit(newBrowser(), trip, "mair-prawf"); err == nil {
					_, _ = r.Finish(t.Context(), trip.Challenge, cb)
				}
			})
		}
		all.Wait()
		r.wantState(provider.Down, "after the hang")
	})
	http.DefaultTransport.(*http.Transport).CloseIdleConnections() // the browsers'
	for range 10_000 {
		if runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("goroutines: wanted about %d, got %d: %s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
}
