package portal

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/dilys-id/dilys/identity/audit"
)

// shownTo is which vectors the events say that the host was told.
func (w *world) shownTo() (told []string) {
	for _, e := range w.mem.events {
		if e.Kind == audit.HostShown {
			told = append(told, e.Account+" "+e.Portal+" "+e.Cause)
		}
	}
	return told
}

func TestAHostThatIsToldOfAPatientIsRecordedOnce(t *testing.T) {
	w := newWorld(t, behindGateway)
	w.patient("mair", "1980-02-29")
	w.patient("ianto", "1971-11-02")
	cookie, _ := w.login("mair", "P9.Cp.Cd")
	for range 3 {
		w.check(forwarded("GET", "/letters/1"), cookie, true)
		w.check(forwarded("GET", "/letters/2"), cookie, true)
	}
	w.check(forwarded("GET", "/results/1"), cookie, true) // refused: nobody is told
	w.check(forwarded("GET", "/front/a"), cookie, true)   // public: nobody is told
	again, _ := w.login("mair", "P9.Cm")
	w.check(forwarded("GET", "/letters/1"), again, true)
	other, _ := w.login("ianto", "P9.Cp.Cd")
	w.check(forwarded("GET", "/letters/1"), other, true)
	host := forwarded("GET", "/letters/1").Get("X-Forwarded-Host")
	want := fmt.Sprint([]string{"mair " + host + " P9.Cp.Cd", "mair " + host + " P9.Cm", "ianto " + host + " P9.Cp.Cd"})
	if got := fmt.Sprint(w.shownTo()); got != want {
		t.Errorf("wanted %s, got %s", want, got)
	}
}

// deafLedger refuses events and nothing else.
type deafLedger struct{ *memory }

func (deafLedger) Append(context.Context, audit.Event) error { return errDown }

func TestAHostIsToldNothingWithoutARecord(t *testing.T) {
	w := newWorld(t, behindGateway)
	w.patient("mair", "1980-02-29")
	cookie, _ := w.login("mair", "P9.Cp.Cd")
	heard := w.ledger
	w.ledger = audit.NewLedger(deafLedger{w.mem}, w.mem, w.now)
	r := httptest.NewRequest("GET", "/check", nil)
	r.Header = forwarded("GET", "/letters/1")
	if a, err := w.Check(t.Context(), ReadCheck(r, cookie, "", true)); a.Status != 503 || err == nil || a.Subject != "" {
		t.Errorf("wanted 503 and nothing told, got %d", a.Status)
	}
	w.ledger = heard
	if a, err := w.Check(t.Context(), ReadCheck(r, cookie, "", true)); a.Status != 200 || err != nil {
		t.Errorf("wanted it told once it can be recorded, got %d, %v", a.Status, err)
	}
}

func TestShowingsAreBounded(t *testing.T) {
	s := generations[showing, struct{}]{most: showingsAtMost}
	for i := range 3 * showingsAtMost {
		s.put(showing{session: fmt.Sprint(i)}, struct{}{})
	}
	if len(s.now)+len(s.older) > 2*showingsAtMost {
		t.Errorf("%d are remembered", len(s.now)+len(s.older))
	}
	_, last := s.get(showing{session: fmt.Sprint(3*showingsAtMost - 1)})
	_, first := s.get(showing{session: "0"})
	if !last || first {
		t.Error("the wrong ones are remembered")
	}
}
