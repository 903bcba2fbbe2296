package service_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAPatientLeavesAndMayChangeTheirMind(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	if p := b.post("/account/delete", url.Values{"why": {"a word of their own"}}); p.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("wanted a reason of the list, got %d", p.StatusCode)
	}
	p := b.post("/account/delete", url.Values{"why": {"privacy"}})
	if p.StatusCode != http.StatusOK || b.loggedIn() || !strings.Contains(allSent(w, a.email), "deleted in 14 days") && !strings.Contains(allSent(w, a.email), "That happens in 14 days") {
		t.Fatalf("wanted everybody logged out and the patient told, got %d", p.StatusCode)
	}
	b = w.in(a)
	if body := b.get("/account").body; !strings.Contains(body, "Keep my account") {
		t.Fatal("wanted to be asked whether to keep it")
	}
	b.post("/account/keep", url.Values{})
	w.clock.advance(15 * 24 * time.Hour)
	w.closeDue()
	if !w.in(a).loggedIn() {
		t.Fatal("the account was deleted after its patient kept it")
	}

	b = w.in(a)
	b.post("/account/delete", url.Values{"why": {"unsaid"}})
	w.clock.advance(14*24*time.Hour + time.Second)
	w.closeDue()
	w.browser().mustNotLogIn(w.browser().enter(a.email, a.password))
	if !strings.Contains(allSent(w, a.email), "This is the last email about it") {
		t.Error("wanted the last word said")
	}
	again := w.signUp(a) // under the same address and number, as somebody new
	if got := again.trust(); got != "P5.Cp.Cd" {
		t.Errorf("wanted a new account at P5, got %q", got)
	}
}

func (w *town) closeDue() {
	w.t.Helper()
	_, err := w.CloseDue(w.t.Context())
	must(w.t, err)
}

func TestLeavingAndTakingAwayAskForAFreshProof(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	w.clock.advance(11 * time.Minute)
	for _, path := range []string{"/account/delete", "/account/export", "/account/export/file"} {
		if p := b.get(path); p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/step-up" {
			t.Errorf("%s: wanted a fresh proof asked for, got %d", path, p.StatusCode)
		}
	}
	if p := b.post("/account/delete", url.Values{"why": {"privacy"}}); p.StatusCode != http.StatusSeeOther || !b.loggedIn() {
		t.Errorf("a stale session deleted the account: %d", p.StatusCode)
	}
}

func TestTheExportIsWholeAndOnesOwn(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	wanted := map[string][]string{
		"/account/export":      {"Arwydd", "17 May 1985", a.email, "Your account was made", "Codes by text message"},
		"/account/export/file": {"Arwydd", "1985-05-17", a.email, "account.created", `"kind": "phone"`},
	}
	for path := range wanted {
		p := b.get(path)
		if p.StatusCode != http.StatusOK || p.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: got %d, %s", path, p.StatusCode, p.Header.Get("Cache-Control"))
		}
		for _, wanted := range wanted[path] {
			if !strings.Contains(p.body, wanted) {
				t.Errorf("%s: %s is not in it", path, wanted)
			}
		}
		for _, held := range []string{"argon2id", "mair", "9991000003", "999 100 0003"} { // the number may be somebody else's at P5
			if strings.Contains(p.body, held) {
				t.Errorf("%s: holds %s", path, held)
			}
		}
	}
}
