package service_test

import (
	"context"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// atOnce is how many logins are under way at a time: more would only wait for the
// processors, and some of them longer than Dilys waits for a provider.
const atOnce = 40

// TestB14_EverySessionIsItsOwn: many patients log in at once at a provider that
// answers after a random while, and some leave before they have their answer.
// Whatever comes of it, a session is that of the patient who logged in.
func TestB14_EverySessionIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.logsIn(t, w.nhsLogin())
	var patients []simulator.Patient
	for _, p := range w.sim.Patients() {
		switch p.Key {
		case "sal-newydd", "carys-ifanc", "huw-gwrthod", "gofalwr-act", "dirprwy-delegations": // who are not let in
		default:
			patients = append(patients, p)
		}
	}
	var in, left atomic.Int32
	var crowd errgroup.Group
	crowd.SetLimit(atOnce)
	for i := range crowdSize {
		crowd.Go(func() error {
			b := w.visitor(t)
			patient := patients[i%len(patients)]
			if i%4 == 3 {
				b.leaveInBetween(patient.Key)
				left.Add(1)
			}
			if b.comesIn(patient.Key) {
				in.Add(1)
				b.mustBePatient(patient)
			}
			return nil
		})
	}
	must(t, crowd.Wait())
	if in.Load() != int32(crowdSize) || left.Load() == 0 {
		t.Errorf("wanted %d patients in, some of whom left before, got %d and %d", crowdSize, in.Load(), left.Load())
	}
	w.sim.ClearFaults()
	w.checkSilence(t)
}

// dawdle makes the provider answer after a random while.
func (w *world) dawdle() {
	wait := func() *simulator.DocumentFault {
		return &simulator.DocumentFault{Reply: simulator.Reply{Delay: simulator.Duration(rand.N(20 * time.Millisecond))}}
	}
	must(w.t, w.sim.SetFaults(simulator.Faults{Token: wait(), UserInfo: wait()}))
}

// comesIn logs in, and again where a busy machine made the provider seem down.
func (b *browser) comesIn(patient string) bool {
	const tries = 5
	for range tries {
		b.w.dawdle()
		at := b.post("/login/nhs-login", nil)
		if at.StatusCode != http.StatusSeeOther {
			continue
		}
		b.get(b.answer(at.location(b.t), patient).String())
		if b.loggedIn() {
			return true
		}
	}
	return false
}

// leaveInBetween follows the callback and goes away before it is answered, or not
// long after.
func (b *browser) leaveInBetween(patient string) {
	b.w.dawdle()
	callback := b.answer(b.toProvider("nhs-login", nil), patient)
	ctx, cancel := context.WithTimeout(b.t.Context(), rand.N(40*time.Millisecond))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, callback.String(), nil)
	must(b.t, err)
	if answer, err := b.client.Do(r); err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
}

// mustBePatient fails the test unless session, account page and account are the patient's.
func (b *browser) mustBePatient(p simulator.Patient) {
	b.t.Helper()
	if who := b.subjectAtProvider("nhs-login"); who != p.Subject {
		b.t.Errorf("%s: wanted a session of their own, got that of another", p.Key)
	}
	if shown := b.get("/account"); !strings.Contains(html.UnescapeString(shown.body), p.FamilyName) {
		b.t.Errorf("%s: wanted their name on their account page, got another", p.Key)
	}
}
