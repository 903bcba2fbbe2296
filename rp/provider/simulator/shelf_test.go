package simulator

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestShelf(t *testing.T) {
	var s shelf[int]
	until := start.Add(time.Minute)
	if !s.first("a", 1, until, start) || s.first("a", 2, until, start) {
		t.Error("first: wanted the first alone")
	}
	if v, ok := s.get("a", until.Add(-1)); !ok || v != 1 {
		t.Errorf("alive: wanted 1, got %d %v", v, ok)
	}
	if _, ok := s.get("a", until); ok {
		t.Error("at its end: wanted nothing")
	}
	if !s.first("a", 3, until.Add(time.Minute), until) {
		t.Error("first after its end: wanted it kept")
	}
	if s.drop("a"); len(s.rows) != 0 {
		t.Error("dropped: wanted nothing")
	}
	for i := range 3 * shelfFloor {
		s.put(fmt.Sprint(i), i, start.Add(time.Duration(i+1)*time.Second), start.Add(time.Duration(i)*time.Second))
	}
	if len(s.rows) > shelfFloor {
		t.Errorf("swept: wanted at most %d rows, got %d", shelfFloor, len(s.rows))
	}
}

// TestParallelLoginsNameTheirOwnPatient: no login is told another's person.
func TestParallelLoginsNameTheirOwnPatient(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for i := range 40 {
		p := r.sim.Patients()[i%3]
		vtr := `["` + p.Level.String() + `.Cp.Cd","` + p.Level.String() + `.Cm"]`
		browser := r.newBrowser()
		form := r.exchangeForm("")
		wg.Go(func() {
			back, _, _ := r.visit(browser, r.url+"/authorize?"+r.params("login_hint", p.Key, "vtr", vtr).Encode())
			form.Set("code", back.Get("code"))
			doc, _ := r.post(form)
			info, _ := r.userinfo(doc["access_token"])
			if info["sub"] != p.Subject || info["nhs_number"] != p.NHSNumber {
				t.Errorf("%s: got another's login", p.Key)
			}
		})
	}
	wg.Wait()
}
