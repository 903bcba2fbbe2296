package service_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// fetched counts the key sets fetched while fn runs.
func (from liar) fetched(fn func()) int {
	before := from.sim.CallsTo(simulator.EndpointJWKS)
	fn()
	return from.sim.CallsTo(simulator.EndpointJWKS) - before
}

// TestB3_Rotation: a new key costs one fetch, and there is at most one in 60 s.
func TestB3_Rotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := w.nhsLogin()
	login := func(t *testing.T, wantFetches int, l lie) {
		t.Helper()
		if got := from.fetched(func() { w.comesToWithoutReset(t, from, l) }); got != wantFetches {
			t.Errorf("key set: wanted %d fetches, got %d", wantFetches, got)
		}
	}
	bad := lie{cause: "id-token-signature", ends: atToken}
	for _, step := range []struct {
		name    string
		wait    time.Duration
		faults  simulator.Faults
		rotate  bool
		fetches int
		want    lie
	}{
		{name: "the first login fetches", fetches: 1, want: served},
		{name: "the second does not", fetches: 0, want: served},
		{name: "rotated between logins", wait: time.Minute, rotate: true, fetches: 1, want: served},
		{name: "rotated again within the minute", wait: 59 * time.Second, rotate: true, fetches: 0, want: bad},
		{name: "a second later", wait: time.Second, fetches: 1, want: served},
		{name: "as the browser comes back", wait: time.Minute, faults: simulator.Faults{Rotate: simulator.RotateAtAuthorize}, fetches: 1, want: served},
		{name: "just before signing", wait: time.Minute, faults: simulator.Faults{Rotate: simulator.RotateAtSigning}, fetches: 1, want: served},
		{name: "just before signing, within the minute", faults: simulator.Faults{Rotate: simulator.RotateAtSigning}, fetches: 0, want: bad},
		{name: "and well after it", wait: time.Minute, fetches: 1, want: served},
		{name: "a clock set back does not lock the keys", wait: -time.Hour, rotate: true, fetches: 1, want: served},
	} {
		t.Run(step.name, func(t *testing.T) {
			w.clock.advance(step.wait)
			if step.rotate {
				must(t, w.sim.RotateKeys())
			}
			must(t, w.sim.SetNextFaults(step.faults))
			login(t, step.fetches, step.want)
		})
	}
}

// comesToWithoutReset is comesTo for those who count calls themselves.
func (w *world) comesToWithoutReset(t *testing.T, from liar, l lie) {
	t.Helper()
	b := w.visitor(t)
	p := b.get(b.answer(b.toProvider(from.id, nil), "mair-prawf").String())
	if l.cause == in {
		b.mustBeIn(p)
		return
	}
	b.mustBeRefused(p, from.id, l.cause)
}

// TestB4_RandomKeyNames: tokens that name keys nobody has cost the provider one
// fetch a minute, and good users nothing.
func TestB4_RandomKeyNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := w.nhsLogin()
	w.logsIn(t, from)
	const logins, every = randomKeys, 2 * time.Second
	got := from.fetched(func() {
		for i := range logins {
			w.clock.advance(every)
			lie := simulator.TokenFault{Header: map[string]any{"kid": identity.NewToken().Reveal()}}
			must(t, w.sim.SetNextFaults(simulator.Faults{IDToken: &lie}))
			w.comesToWithoutReset(t, from, lies["kid-unknown"])
			if i%10 == 9 {
				w.logsIn(t, from)
			}
		}
	})
	if most := int(logins*every/time.Minute) + 1; got > most {
		t.Errorf("key set: wanted at most %d fetches in %s, got %d", most, logins*every, got)
	}
	if h := w.Providers[0].Health(); h.State != provider.OK {
		t.Errorf("wanted the provider ok: it is its answers that are wrong, got %s", h.State)
	}
}

// TestB5_HeldKeysServeADay: while the key set can't be fetched, the keys that are
// held serve for a day and no longer, and Dilys comes back by itself.
func TestB5_HeldKeysServeADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := w.nhsLogin()
	w.logsIn(t, from)
	must(t, w.sim.SetFaults(from.preset(t, "jwks-500")))
	for _, step := range []struct {
		name string
		wait time.Duration
		want lie
	}{
		{"after two hours", 2 * time.Hour, served},
		{"after 23 hours", 21 * time.Hour, served},
		{"after 25 hours", 2 * time.Hour, lie{cause: "key-set-unavailable"}},
	} {
		t.Run(step.name, func(t *testing.T) {
			w.clock.advance(step.wait)
			w.comesToWithoutReset(t, from, step.want)
		})
	}
	t.Run("operators are told", func(t *testing.T) {
		if h := w.Providers[0].Health(); h.State == provider.OK || h.Fault == "" {
			t.Errorf("wanted a fault to be told, got %+v", h)
		}
	})
	t.Run("when it answers again", func(t *testing.T) {
		w.sim.ClearFaults()
		w.clock.advance(time.Minute)
		w.logsIn(t, from)
	})
}

// TestB5_RemovedKeyStops: a key that the provider takes out of its set stops to be
// believed at the next refresh.
func TestB5_RemovedKeyStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := w.nhsLogin()
	w.logsIn(t, from)
	withdrawn := simulator.Faults{JWKS: &simulator.KeySetFault{Decoys: 1, Withdrawn: true}}
	must(t, w.sim.SetFaults(withdrawn))
	w.clock.advance(61 * time.Minute)
	w.comesToWithoutReset(t, from, lie{cause: "id-token-signature"})
}

// TestSlowProvider lets all that can be slow be slow at once: each login ends within
// Dilys' own patience of eight seconds, and nobody waits who need not.
func TestSlowProvider(t *testing.T) {
	t.Parallel()
	var waits []func()
	var afters []func(*testing.T)
	for _, begin := range []func(*testing.T) ([]func(), func(*testing.T)){slowInLogin, slowUnfetched, slowHeld} {
		wait, after := begin(t)
		waits, afters = append(waits, wait...), append(afters, after)
	}
	together(waits...)
	for i, name := range []string{"in a login", "documents, nothing held", "B5 documents, with older ones held"} {
		t.Run(name, afters[i])
	}
}

// slowInLogin: three patients at once wait for the slow provider, while the other
// one serves; then nobody is sent there any more, until it was looked at again.
func slowInLogin(t *testing.T) (waits []func(), after func(*testing.T)) {
	w := newWorld(t)
	from := w.nhsLogin()
	w.logsIn(t, from)
	w.logsIn(t, w.otherLogin())
	for name, cause := range map[string]string{
		"token-slow": "token-endpoint-unavailable", "token-drip": "token-endpoint-unavailable", "userinfo-slow": "userinfo-unavailable",
	} {
		must(t, w.sim.SetNextFaults(from.preset(t, name)))
		b := w.visitor(t)
		callback := b.answer(b.toProvider(from.id, nil), "mair-prawf").String()
		waits = append(waits, func() { b.mustBeRefused(b.get(callback), from.id, cause) })
	}
	waits = append(waits, func() { w.logsIn(t, w.otherLogin()) })
	return waits, func(t *testing.T) {
		if h := w.Providers[0].Health(); h.State != provider.Down {
			t.Errorf("wanted the provider down after three failures in a row, got %s", h.State)
		}
		w.comesTo(t, from, absent)
		if chooser := w.visitor(t).get("/login"); chooser.StatusCode != http.StatusOK || !strings.Contains(chooser.body, "/login/second") {
			t.Errorf("the chooser: wanted the other way to log in, got %d", chooser.StatusCode)
		}
		w.clock.advance(5 * time.Second)
		w.tick()
		w.logsIn(t, from)
	}
}

// slowUnfetched: a service that was just started waits for nobody's documents
// longer than its patience, and comes back by itself.
func slowUnfetched(t *testing.T) (waits []func(), after func(*testing.T)) {
	w := newWorld(t)
	must(t, w.sim.SetFaults(w.nhsLogin().preset(t, "discovery-slow")))
	must(t, w.second.SetFaults(w.otherLogin().preset(t, "jwks-slow")))
	for _, from := range w.liars() {
		b := w.visitor(t)
		waits = append(waits, func() { b.mustBeRefused(b.post("/login/"+from.id, nil), from.id, "provider-down") })
	}
	return waits, func(t *testing.T) {
		w.clock.advance(5 * time.Second)
		for _, from := range w.liars() {
			from.mustHaveBeenAsked(t, cold)
			from.sim.ClearFaults()
			w.logsIn(t, from)
		}
	}
}

// slowHeld: documents that are held serve while a fetch of newer ones hangs.
func slowHeld(t *testing.T) (waits []func(), after func(*testing.T)) {
	w := newWorld(t)
	for _, from := range w.liars() {
		w.logsIn(t, from)
	}
	w.clock.advance(61 * time.Minute)
	must(t, w.sim.SetFaults(w.nhsLogin().preset(t, "jwks-slow")))
	must(t, w.second.SetFaults(w.otherLogin().preset(t, "discovery-slow")))
	during := []func(){
		func() { w.logsIn(t, w.nhsLogin()) },
		func() { w.Providers[1].Refresh(t.Context()) },
		func() { w.logsIn(t, w.otherLogin()) },
	}
	return during, func(t *testing.T) {
		for _, from := range w.liars() {
			w.logsIn(t, from)
		}
	}
}

// together runs all at once, and waits for them.
func together(all ...func()) {
	var wg sync.WaitGroup
	for _, fn := range all {
		wg.Go(fn)
	}
	wg.Wait()
}
