package service_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/outbox"
)

// hush turns it on or off.
func (b *browser) hush(on string) page {
	return b.post("/account/quiet", url.Values{"quiet": {on}})
}

func TestAQuietAccountIsToldOnlyWhatIsAskedFor(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	before := b.keeps("dilys")
	if p := b.hush("yes"); p.StatusCode != http.StatusOK || b.keeps("dilys") == before || !strings.Contains(p.body, "Exit this page") {
		t.Fatalf("wanted it on, got %d", p.StatusCode)
	}
	if !strings.Contains(allSent(w, a.email), "You asked for fewer messages") {
		t.Error("wanted the last message said")
	}
	w.clock.advance(time.Minute)
	mails, texts := len(w.sent(a.email)), len(w.sent(a.e164()))
	b.post("/account/second-way", nil) // a card, of which the owner is told
	b = w.in(a)                        // in a browser not seen before, of which they are told too
	acc := w.accountOf(a.email)
	must(t, w.Tell(t.Context(), acc, outbox.Renumbered)) // by our staff
	if got := len(w.sent(a.email)); got != mails {
		t.Errorf("%d e-mails were sent that nobody asked for", got-mails)
	}
	if got := len(w.sent(a.e164())); got != texts+1 {
		t.Errorf("wanted one text, the code that was asked for, got %d", got-texts)
	}
	for _, kind := range []outbox.Kind{outbox.RecoveryMade, outbox.Recovered, outbox.ChangeAsked} {
		if !kind.Guards() {
			t.Errorf("%s is kept from a patient whom somebody else speaks for", kind)
		}
	}
	must(t, w.Tell(t.Context(), acc, outbox.RecoveryMade))
	if got := len(w.sent(a.email)); got != mails+1 {
		t.Errorf("wanted the patient told that staff made a code, got %d", got-mails)
	}
	if p := b.hush("no"); p.StatusCode != http.StatusOK {
		t.Fatalf("off: %d %s", p.StatusCode, p.Header.Get("Location"))
	}
	w.clock.advance(time.Minute)
	mails = len(w.sent(a.email))
	must(t, w.Tell(t.Context(), w.accountOf(a.email), outbox.Renumbered))
	if got := len(w.sent(a.email)); got != mails+1 {
		t.Error("messages stayed away after it was turned off")
	}
}

// Whoever holds an old or half-held session can't silence the owner.
func TestQuietAsksForAFreshProof(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	w.clock.advance(11 * time.Minute)
	if p := b.hush("yes"); p.StatusCode != http.StatusSeeOther || p.location(t).Path != stepUp || w.accountOf(a.email).Quiet {
		t.Errorf("wanted a fresh proof asked for, got %d", p.StatusCode)
	}
}

func TestExitThisPage(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	if strings.Contains(b.get("/account").body, `action="/exit"`) {
		t.Error("the button stands there unasked")
	}
	b.hush("yes")
	again := w.in(a) // a later login has it too
	for where, b := range map[string]*browser{"the session that asked": b, "a later one": again} {
		for _, path := range []string{"/account", "/account/activity", "/help"} {
			if !strings.Contains(b.get(path).body, `action="/exit"`) {
				t.Errorf("%s: %s can't be left", where, path)
			}
		}
		p := b.post("/exit", nil)
		if p.StatusCode != http.StatusOK || b.loggedIn() || !strings.Contains(p.body, `http-equiv="refresh"`) {
			t.Errorf("%s: wanted to be away, got %d", where, p.StatusCode)
		}
		for _, ours := range []string{"Example Health Board", "NHS", "nhsuk", "dilys", "account", "logged"} {
			if strings.Contains(strings.ToLower(p.body), strings.ToLower(ours)) {
				t.Errorf("%s: the page that leads away says %q", where, ours)
			}
		}
	}
}

func TestAQuietSessionStaysQuietWhenItRises(t *testing.T) {
	w := newTown(t)
	b := w.signUp(mair())
	b.hush("yes")
	b.links("mair-prawf")
	if !strings.Contains(b.get("/account").body, `action="/exit"`) {
		t.Error("the button went away")
	}
}

func TestExitThisPageWhateverFails(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	b.hush("yes")
	must(t, w.DB.Close())
	p := b.post("/exit", nil)
	if p.StatusCode != http.StatusOK || b.keeps("dilys") != "" || !strings.Contains(p.body, `http-equiv="refresh"`) {
		t.Errorf("wanted to be away with an empty browser, got %d", p.StatusCode)
	}
}
