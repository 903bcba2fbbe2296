package service_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/audit"
	pages "github.com/dilys-id/dilys/rp/page"
)

var doubtLink = regexp.MustCompile(`/account/activity/not-me\?event=([A-Za-z0-9_-]+)`)

func (b *browser) doubts() []string {
	b.t.Helper()
	var ids []string
	for _, m := range doubtLink.FindAllStringSubmatch(b.get("/account/activity").body, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// What a patient did not do ends everything, at every door.
func TestThisWasNotMe(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	mine := w.signUp(a)
	w.clock.advance(time.Hour)
	thief := w.browser()
	thief.enter(a.email, a.password)
	thief.post("/login/email/code", url.Values{"code": {w.code(a.e164())}, "remember": {"yes"}})
	mine.enter(a.email, a.password)
	w.clock.advance(2 * time.Minute)
	mine.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
	if !thief.loggedIn() || !mine.loggedIn() {
		t.Fatal("wanted two sessions")
	}
	ids := mine.doubts()
	if len(ids) < 3 {
		t.Fatalf("wanted log-ins told, got %d events", len(ids))
	}
	if p := mine.get("/account/activity/not-me?event=" + ids[0]); p.StatusCode != http.StatusOK || !thief.loggedIn() {
		t.Fatalf("a GET asked for %d and ended something", p.StatusCode)
	}
	done := mine.post("/account/activity/not-me", url.Values{"event": {ids[1]}})
	if done.StatusCode != http.StatusOK || thief.loggedIn() || mine.loggedIn() {
		t.Errorf("wanted nobody logged in, got %d", done.StatusCode)
	}
	reference := regexp.MustCompile(`DIL-\w{4}-\w{2}`).FindString(done.body)
	events, err := w.DB.Audit().FindByReference(t.Context(), reference)
	must(t, err)
	if len(events) != 1 || events[0].Kind != audit.AccountAlarmed || events[0].Cause == "" {
		t.Errorf("wanted the reference to tell the alarm, got %v", events)
	}
	thief.enter(a.email, a.password)
	thief.mustNotLogIn(thief.get("/account")) // its browser is remembered no more
}

// Whoever still has password and phone after an alarm can't shut the patient out: for a
// day nothing is changed of how the account is opened, unless people have looked.
func TestAfterAnAlarmChangesAreHeld(t *testing.T) {
	changes := map[string]func(*browser) page{
		"another e-mail address":      func(b *browser) page { return b.post("/account/email", url.Values{"email": {"thief@example.com"}}) },
		"another phone":               func(b *browser) page { return b.post("/account/phone", url.Values{"phone": {"07700900299"}}) },
		"an app of their own":         func(b *browser) page { return b.post("/account/authenticator", nil) },
		"a card of their own":         func(b *browser) page { return b.post("/account/second-way", nil) },
		"a login of their own":        func(b *browser) page { return b.post("/account/providers/nhs-login", nil) },
		"no word to the owner":        func(b *browser) page { return b.hush("yes") },
		"everything that is kept":     func(b *browser) page { return b.get("/account/export/file") },
		"the end of the account":      func(b *browser) page { return b.post("/account/delete", url.Values{"why": {"privacy"}}) },
		"another app asked for first": func(b *browser) page { return b.post("/account/two-step", url.Values{"way": {"phone"}}) },
	}
	w, a := newTown(t, withPortal(handingIn)), gwen()
	mine := w.signUp(a)
	mine.post("/account/activity/not-me", url.Values{"event": {mine.doubts()[0]}})
	thief := w.in(a)
	for what, change := range changes {
		if p := change(thief); p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/account/regained" {
			t.Errorf("%s: wanted to be told when it opens, got %d to %s", what, p.StatusCode, p.Header.Get("Location"))
		}
	}
	if body := thief.get("/account/regained").body; !strings.Contains(body, "Changes to your account are on hold") {
		t.Error("the page does not say why")
	}
	if got := thief.get(asksToHandIn()); got.StatusCode != http.StatusSeeOther || got.location(t).Query().Get("code") == "" {
		t.Errorf("a service was closed to the patient, too: %d", got.StatusCode)
	}
	for name, opens := range map[string]func(){
		"a day has passed": func() { w.clock.advance(24 * time.Hour) },
		"people have looked": func() {
			mine := w.in(a)
			mine.post("/account/activity/not-me", url.Values{"event": {mine.doubts()[0]}})
			must(t, w.Accounts.Enable(t.Context(), w.accountOf(a.email).ID, "operator:one", "called"))
		},
	} {
		opens()
		if p := w.in(a).post("/account/authenticator", nil); p.StatusCode != http.StatusOK {
			t.Errorf("%s: wanted changes open, got %d", name, p.StatusCode)
		}
	}
}

// What takes access away does not wait for its record: an alarm stands while the audit
// refuses events.
func TestAnAlarmDoesNotWaitForItsRecord(t *testing.T) {
	w, a, b, _ := keyed(t)
	made := w.events(w.accountOf(a.email).ID, audit.PasskeyBound)[0].ID
	mend := w.broken("INSERT", "events")
	p := b.post("/account/activity/not-me", url.Values{"event": {made}})
	mend()
	keys, err := w.Factors.Passkeys(t.Context(), w.accountOf(a.email).ID)
	must(t, err)
	if p.StatusCode != http.StatusOK || b.loggedIn() || len(keys) != 0 {
		t.Errorf("wanted everybody logged out and the passkey gone, got %d and %d passkeys", p.StatusCode, len(keys))
	}
}

func TestAProvidersPatientReadsWhenChangesOpen(t *testing.T) {
	w := newTown(t)
	b := w.browser()
	b.login("mair-prawf")
	b.post("/account/activity/not-me", url.Values{"event": {b.doubts()[0]}})
	w.clock.advance(time.Minute)
	again := w.browser()
	again.login("mair-prawf")
	to := again.post("/account/delete", url.Values{"why": {"privacy"}}).location(t).String()
	if p := again.get(to); p.StatusCode != http.StatusOK || !strings.Contains(p.body, "Changes to your account are on hold") {
		t.Errorf("wanted to be told when it opens, got %d", p.StatusCode)
	}
}

func TestAnAlarmTakesAwayTheLoginThatItIsAbout(t *testing.T) {
	w, a := newTown(t), mair()
	b := w.signUp(a)
	w.clock.advance(time.Minute)
	b.links("mair-prawf")
	id := w.accountOf(a.email).ID
	linked := w.events(id, audit.ProviderLinked)[0].ID
	if body := b.get("/account/activity/not-me?event=" + linked).body; !strings.Contains(body, "NHS login is removed as a way to log in") {
		t.Error("the page does not say so")
	}
	b.post("/account/activity/not-me", url.Values{"event": {linked}})
	if w.opens(mairsSubject) != "" || b.loggedIn() {
		t.Error("the login still opens the account")
	}
}

func TestActivityIsOnesOwn(t *testing.T) {
	w, a := newTown(t), gwen()
	mine := w.signUp(a)
	other := w.browser()
	other.login("mair-prawf")
	id := mine.doubts()[0]
	seen := other.get("/account/activity/not-me?event=" + id)
	told := other.post("/account/activity/not-me", url.Values{"event": {id}})
	if seen.StatusCode != http.StatusNotFound || told.StatusCode != http.StatusNotFound {
		t.Errorf("another's event was shown or told: %d, %d", seen.StatusCode, told.StatusCode)
	}
	if !mine.loggedIn() || !other.loggedIn() {
		t.Error("another's event ended somebody's session")
	}
	if body := mine.get("/account/activity").body; strings.Contains(body, "code.sent") || strings.Contains(body, a.email) || strings.Contains(body, "900201") {
		t.Error("the page tells more than it should")
	}
}

// The page tells which service saw whom, and how surely.
func TestActivityTellsWhatAServiceSaw(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	b := w.signUp(a)
	if to := b.get(asksToHandIn()).location(t); to.Query().Get("code") == "" {
		t.Fatalf("wanted a code, got %v", to)
	}
	body := b.get("/account/activity").body
	if !strings.Contains(body, "Handing in was told who you are") || !strings.Contains(body, "your details match the NHS register") {
		t.Error("the service and its level are not told")
	}
}

func TestEndingOtherSessions(t *testing.T) {
	w, a := newTown(t), gwen()
	mine := w.signUp(a)
	other := w.browser()
	other.login("mair-prawf")
	w.clock.advance(2 * time.Minute)
	enter := func() *browser {
		b := w.browser()
		b.enter(a.email, a.password)
		b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
		w.clock.advance(2 * time.Minute)
		return b
	}
	one, two := enter(), enter()
	handle := func(b *browser) string { return b.get("/check").Header.Get("Dilys-Session") }
	mine.post("/account/sessions", url.Values{"session": {handle(other)}})
	if !other.loggedIn() {
		t.Error("another patient's session was ended")
	}
	mine.post("/account/sessions", url.Values{"session": {handle(one)}})
	if one.loggedIn() || !two.loggedIn() || !mine.loggedIn() {
		t.Error("wanted that one session ended, and no other")
	}
	mine.post("/account/sessions", url.Values{"session": {handle(mine)}})
	mine.post("/account/sessions", url.Values{"others": {"yes"}})
	if two.loggedIn() || !mine.loggedIn() || !other.loggedIn() {
		t.Error("wanted all others of the patient ended, and this one not")
	}
}

// unshown are the kinds that a patient is told nothing of, each with its reason.
var unshown = map[audit.Kind]string{
	audit.LoginRefused: "nobody came in", audit.CodeSent: "the code itself tells it", audit.LinkSpent: "what it led to is told",
	audit.TokensIssued: "the portal was told at the code", audit.CodeReused: "an alarm for operators", audit.RefreshReused: "an alarm for operators", audit.GrantRevoked: "the portal only gave back what it had", audit.AuthorizationDenied: "nobody was told anything",
	audit.AccessRefused: "nobody came in", audit.KeyRotated: "nobody's", audit.RegisterImported: "nobody's", audit.EventsMissed: "nobody's",
	audit.RecoverySpent: "what it led to is told", audit.AccountClosed: "nobody can read it any more", audit.FactorRaised: "the rise itself is told", audit.ActivationIssued: "of no account yet", audit.ActivationRevoked: "of no account yet",
	audit.ProofRecorded: "of no account yet", audit.ApprovalAsked: "between two of staff", audit.ApprovalConfirmed: "what was done is told",
	audit.ApprovalRefused: "nothing was done",
}

var kindLiteral = regexp.MustCompile(`Kind += "([a-z.-]+)"`)

func TestEveryKindOfEventIsToldOrNotOnPurpose(t *testing.T) {
	source, err := os.ReadFile("../../../identity/audit/event.go")
	must(t, err)
	found := kindLiteral.FindAllStringSubmatch(string(source), -1)
	if len(found) < 40 {
		t.Fatalf("only %d kinds were found: the pattern no longer fits the code", len(found))
	}
	for _, m := range found {
		k := audit.Kind(m[1])
		if _, hidden := unshown[k]; hidden == pages.Tells(k) {
			t.Errorf("%s: wanted it either told to the patient or left out with a reason", k)
		}
	}
}
