package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// TestB3 rotates the provider's key after a login and just before the next ID
// token is signed: the login works, with one fetch.
func TestB3(t *testing.T) {
	for _, when := range []string{"key-rotation", "key-rotation-just-before-signing"} {
		t.Run(when, func(t *testing.T) {
			r := newRig(t)
			if _, err := r.login("mair-prawf"); err != nil {
				t.Fatal(err)
			}
			r.advance(time.Minute)
			r.sim.ResetCalls()
			r.tell(when)
			if _, err := r.login("mair-prawf"); err != nil {
				t.Errorf("after the rotation: %v", err)
			}
			if calls := r.sim.CallsTo(simulator.EndpointJWKS); calls != 1 {
				t.Errorf("key set: wanted 1 fetch, got %d", calls)
			}
		})
	}
}

// TestB4 sends tokens of many unknown keys: one fetch a minute, and patients with
// good tokens do not notice.
func TestB4(t *testing.T) {
	const logins, perMinute = 120, 2 // 120 logins in two minutes, one of two with a random kid
	r := newRig(t)
	r.sim.ResetCalls()
	for i := range logins {
		r.advance(time.Second)
		want := "ok"
		if i%2 == 0 {
			want = "id-token-signature"
			if err := r.sim.SetNextFaults(simulator.Faults{IDToken: &simulator.TokenFault{
				Header: map[string]any{"kid": "made-up-" + strings.Repeat("k", i)},
			}}); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.outcome(); got != want {
			t.Fatalf("login %d: wanted %s, got %s", i, want, got)
		}
	}
	if calls := r.sim.CallsTo(simulator.EndpointJWKS); calls > perMinute {
		t.Errorf("key set: wanted at most %d fetches, got %d", perMinute, calls)
	}
}

// TestB5 spoils the key set after it was fetched: the keys held serve on, and
// operators are told.
func TestB5(t *testing.T) {
	for _, lie := range []string{
		"jwks-500", "jwks-html", "jwks-10mb", "jwks-10000-keys", "jwks-empty", "jwks-wrong-use", "jwks-duplicate-kid", "jwks-redirect",
	} {
		t.Run(lie, func(t *testing.T) {
			r := newRig(t)
			r.tell(lie)
			r.advance(2 * time.Hour) // past the set's own refresh
			r.sim.ResetCalls()
			if _, err := r.login("mair-prawf"); err != nil {
				t.Errorf("with keys held: %v", err)
			}
			if calls := r.sim.CallsTo(simulator.EndpointJWKS); calls != 1 {
				t.Errorf("key set: wanted 1 fetch, got %d", calls)
			}
			wellKept := lie == "jwks-duplicate-kid"
			if h := r.Health(); (h.State == provider.OK) != wellKept || (h.Fault == "") != wellKept {
				t.Errorf("health: got %+v", h)
			}
			if calls := r.sim.CallsTo(simulator.EndpointCollector); calls != 0 {
				t.Errorf("collector: wanted no call, got %d", calls)
			}
		})
	}
}

// TestB5SymmetricKey publishes a symmetric key after the real one was fetched: it
// verifies nothing.
func TestB5SymmetricKey(t *testing.T) {
	r := newRig(t)
	r.advance(2 * time.Hour)
	r.tell("jwks-oct")
	if got := r.outcome(); got != "id-token-signature" {
		t.Errorf("wanted id-token-signature, got %s", got)
	}
}

// TestKeysTooOld lets the last good fetch be more than a day old: nothing can be
// judged, and nobody is believed.
func TestKeysTooOld(t *testing.T) {
	r := newRig(t)
	r.tell("jwks-500")
	trip := r.begin(provider.Departure{})
	r.advance(25 * time.Hour)
	cb := r.come(trip, "mair-prawf")
	_, err := r.Finish(t.Context(), trip.Challenge, cb)
	if causeOf(err) != "key-set-unavailable" || kindOf(err) != provider.Down {
		t.Errorf("wanted key-set-unavailable, got %v", err)
	}
}

// TestOtherAlgorithms logs in at providers of kind oidc that sign by another
// configured algorithm.
func TestOtherAlgorithms(t *testing.T) {
	for _, alg := range []token.Alg{"RS256", "PS256", "ES256"} {
		t.Run(string(alg), func(t *testing.T) {
			r := newRig(t, ordinary, func(p *plan) { p.sim.Alg, p.Algs = string(alg), []token.Alg{alg} })
			if _, err := r.login("mair-prawf"); err != nil {
				t.Error(err)
			}
		})
	}
	r := newRig(t, ordinary, func(p *plan) { p.unlooked, p.sim.Alg, p.Algs = true, "ES256", []token.Alg{"RS256"} })
	if got := r.outcome(); got != "provider-down" {
		t.Errorf("a provider that signs by another algorithm than configured: wanted provider-down, got %s", got)
	}
}
