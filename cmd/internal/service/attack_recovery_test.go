package service_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/factor"
)

// recoveryCode is a code that two of staff made to let that account's patient in.
func (w *town) recoveryCode(id string) string {
	w.t.Helper()
	code, _, err := w.Factors.IssueRecovery(w.t.Context(), factor.Recovery{Account: id, IssuedBy: "operator:one", ConfirmedBy: "operator:two"}, "lost phone")
	must(w.t, err)
	return code.Reveal()
}

// stranded is a patient without phone and card, past the password.
func (w *town) stranded(a applicant) (b *browser, id string) {
	w.t.Helper()
	id = w.signUp(a).get("/check").Header.Get("Dilys-Subject")
	w.clock.advance(time.Hour)
	b = w.browser()
	b.enter(a.email, a.password)
	return b, id
}

func (b *browser) letIn(code string) page {
	return b.post("/login/email/let-in", url.Values{"recovery_code": {code}})
}

func TestARecoveryCodeLetsBackInAndProvesNothing(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	elsewhere := w.signUp(a)
	id := elsewhere.get("/check").Header.Get("Dilys-Subject")
	w.clock.advance(20 * time.Minute)
	b := w.browser()
	b.enter(a.email, a.password)
	code := w.recoveryCode(id)
	p := b.letIn(strings.ToLower(code))
	if p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/account/regained" {
		t.Fatalf("wanted to be told what works now, got %d", p.StatusCode)
	}
	if got := b.trust(); got != "P0.Cp" {
		t.Errorf("wanted P0.Cp, got %q", got)
	}
	if elsewhere.loggedIn() {
		t.Error("another session outlived the recovery")
	}
	if got := b.get("/account/regained"); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "What opens on") {
		t.Errorf("wanted day and hour told, got %d", got.StatusCode)
	}
	// It steps nothing up: a portal of P5 leads to the page that says when.
	to := b.get(asksToHandIn()).location(t)
	if got := b.get(to.String()); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "What opens on") {
		t.Errorf("wanted the page that says when it opens, got %d", got.StatusCode)
	}
	if body := allSent(w, a.email); !strings.Contains(body, "A code from our staff was used") {
		t.Error("the patient was not told by mail")
	}
	if body := allSent(w, a.e164()); !strings.Contains(body, "let someone back in") {
		t.Error("the old phone was not told")
	}
}

func allSent(w *town, to string) string {
	var all strings.Builder
	for _, m := range w.sent(to) {
		all.WriteString(m.Body)
	}
	return all.String()
}

// What was set up after a recovery opens no record for three days, and what was there
// before keeps its level.
func TestWhatIsSetUpAfterARecoveryIsHeld(t *testing.T) {
	w, a := newTown(t), gwen()
	first := w.signUp(a)
	old := first.makeCard()
	b, _ := w.browser(), ""
	id := first.get("/check").Header.Get("Dilys-Subject")
	w.clock.advance(20 * time.Minute)
	b.enter(a.email, a.password)
	b.letIn(w.recoveryCode(id))
	began := w.clock.Now()

	card := func(code string) *browser {
		b := w.browser()
		b.enter(a.email, a.password)
		b.post("/login/email/card", url.Values{"card_code": {code}})
		return b
	}
	if got := card(old[0]).trust(); got != "P5.Cp.Cd" {
		t.Errorf("a card from before: wanted P5.Cp.Cd, got %q", got)
	}
	made := b.makeCard()
	if len(made) < 4 {
		t.Fatal("wanted a card made in the session that people opened")
	}
	held := card(made[0])
	if got := held.trust(); got != "P0.Cp.Cd" {
		t.Errorf("a card from after: wanted P0.Cp.Cd, got %q", got)
	}
	if p := held.post("/account/second-way", url.Values{}); p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/account/regained" {
		t.Errorf("a held session changed how the account is opened: %d", p.StatusCode)
	}
	w.clock.advance(began.Add(72*time.Hour - time.Second).Sub(w.clock.Now()))
	late := card(made[1])
	if got := late.trust(); got != "P0.Cp.Cd" {
		t.Errorf("a second before the end: got %q", got)
	}
	w.clock.advance(time.Second)
	if got := late.trust(); got != "P5.Cp.Cd" {
		t.Errorf("three days after, in the open session: wanted P5.Cp.Cd, got %q", got)
	}
	if got := card(made[2]).trust(); got != "P5.Cp.Cd" {
		t.Errorf("three days after, in a new session: wanted P5.Cp.Cd, got %q", got)
	}
}

func TestARecoveryCodeThatIsNone(t *testing.T) {
	for name, row := range map[string]func(w *town, b *browser, id string) page{
		"nobody's": func(_ *town, b *browser, _ string) page { return b.letIn("7F3K-Q2MA-W9TX-4C") },
		"empty":    func(_ *town, b *browser, _ string) page { return b.letIn("") },
		"after a day": func(w *town, _ *browser, id string) page {
			code := w.recoveryCode(id)
			w.clock.advance(24 * time.Hour)
			again := w.browser()
			again.enter(gwen().email, gwen().password)
			return again.letIn(code)
		},
		"after a newer one": func(w *town, b *browser, id string) page {
			code := w.recoveryCode(id)
			w.recoveryCode(id)
			return b.letIn(code)
		},
		"another patient's activation code": func(w *town, b *browser, _ string) page { return b.letIn(w.handed("9991000070")) },
		"of another account": func(w *town, b *browser, _ string) page {
			other := gwen()
			other.email, other.phone, other.number = "other@example.com", "07700900777", "999 100 0070"
			id := w.signUp(other).get("/check").Header.Get("Dilys-Subject")
			return b.letIn(w.recoveryCode(id))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			b, id := w.stranded(gwen())
			p := row(w, b, id)
			if p.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("wanted it refused, got %d", p.StatusCode)
			}
			b.mustNotLogIn(p)
		})
	}
	t.Run("without the password", func(t *testing.T) {
		w := newTown(t)
		_, id := w.stranded(gwen())
		b := w.browser()
		p := b.letIn(w.recoveryCode(id))
		if p.StatusCode != http.StatusBadRequest {
			t.Errorf("wanted it refused, got %d", p.StatusCode)
		}
		b.mustNotLogIn(p)
	})
	t.Run("guessed at", func(t *testing.T) {
		w := newTown(t)
		b, id := w.stranded(gwen())
		var last page
		for range 12 {
			last = b.letIn("7F3K-Q2MA-W9TX-4C")
		}
		if last.StatusCode != http.StatusTooManyRequests {
			t.Errorf("wanted the guesses stopped, got %d", last.StatusCode)
		}
		if p := b.letIn(w.recoveryCode(id)); p.StatusCode != http.StatusTooManyRequests {
			t.Errorf("a guess was judged while locked: %d", p.StatusCode)
		}
	})
}

func TestOneOfManySpendsARecoveryCode(t *testing.T) {
	w, a := newTown(t), gwen()
	first, id := w.stranded(a)
	code := w.recoveryCode(id)
	all := []*browser{first}
	for range 9 {
		b := w.browser()
		w.clock.advance(11 * time.Minute)
		b.enter(a.email, a.password)
		all = append(all, b)
	}
	first.enter(a.email, a.password)
	var won atomic.Int64
	var wait sync.WaitGroup
	for _, b := range all {
		for range 5 {
			wait.Go(func() {
				if p := b.letIn(code); p.StatusCode == http.StatusSeeOther && p.Header.Get("Location") != "" && strings.HasPrefix(p.Header.Get("Location"), "/account/regained") {
					won.Add(1)
				}
			})
		}
	}
	wait.Wait()
	if won.Load() != 1 {
		t.Errorf("wanted one of 50 to get in, got %d", won.Load())
	}
}

// A new phone works at once, and opens no record for three days.
func TestANewPhoneAfterARecovery(t *testing.T) {
	w, a := newTown(t), gwen()
	b, id := w.stranded(a)
	b.letIn(w.recoveryCode(id))
	next := a
	next.phone = "07700900777"
	if p := b.post("/account/phone", url.Values{"phone": {next.phone}}); p.StatusCode != http.StatusSeeOther {
		t.Fatalf("wanted a code sent, got %d", p.StatusCode)
	}
	p := b.post("/account/phone-code", url.Values{"code": {w.code(next.e164())}})
	if p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/account/regained" || !b.loggedIn() {
		t.Fatalf("wanted the phone bound and the session there, got %d", p.StatusCode)
	}
	if !strings.Contains(allSent(w, a.e164()), "mobile number for your codes was changed") || !strings.Contains(allSent(w, a.email), "mobile number that your codes are sent to was changed") {
		t.Error("the old phone and the mailbox were not told")
	}
	if p := b.post("/account/email", url.Values{"email": {"new@example.com"}}); p.StatusCode == http.StatusSeeOther && p.location(t).Path == "/account/email-code" {
		b.post("/account/email-code", url.Values{"code": {w.code("new@example.com")}})
		must(t, w.Attempts.ApplyChanges(t.Context()))
		if got := w.browser().enter("new@example.com", a.password); got.StatusCode != http.StatusUnprocessableEntity {
			t.Error("an e-mail address moved at once")
		}
	}
	in := w.in(next)
	if got := in.trust(); got != "P0.Cp.Cd" {
		t.Errorf("the new phone: wanted P0.Cp.Cd, got %q", got)
	}
	if p := in.get("/account/phone"); p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/account/regained" {
		t.Errorf("a held session may change the phone: %d", p.StatusCode)
	}
	w.clock.advance(72 * time.Hour)
	if got := w.in(next).trust(); got != "P5.Cp.Cd" {
		t.Errorf("three days after: wanted P5.Cp.Cd, got %q", got)
	}
}

// The practice's code lets its patient back in too, and proves no more there.
func TestAnActivationCodeLetsBackIn(t *testing.T) {
	w, a := newTown(t), gwen()
	b, _ := w.stranded(a)
	code := w.handed("9991000003")
	if p := b.letIn(code); p.StatusCode != http.StatusSeeOther || b.trust() != "P0.Cp" {
		t.Errorf("wanted P0.Cp, got %d and %s", p.StatusCode, b.trust())
	}
	if p := b.post("/account/activation", url.Values{"activation_code": {code}}); p.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("one code was used twice: %d", p.StatusCode)
	}
}

// A forgotten password with a lost phone: the mailed link and the code from staff.
func TestARecoveryCodeInAForgottenPassword(t *testing.T) {
	w, a := newTown(t), gwen()
	_, id := w.stranded(a)
	b := w.browser()
	b.post("/recover", url.Values{"email": {a.email}})
	link := ""
	for _, m := range w.sent(a.email) {
		link += resetLink.FindString(m.Body)
	}
	b.get(link)
	b.post("/recover/link", url.Values{})
	code := w.recoveryCode(id)
	if p := w.browser().post("/recover/let-in", url.Values{"recovery_code": {code}}); p.StatusCode != http.StatusBadRequest {
		t.Errorf("without the link: wanted it refused, got %d", p.StatusCode)
	}
	b.post("/recover/let-in", url.Values{"recovery_code": {code}})
	if got := b.trust(); got != "" {
		t.Fatalf("the code alone gave a session: %s", got)
	}
	if p := b.post("/recover/password", url.Values{"password": {"an other long phrase"}}); p.location(t).Path != "/account/regained" {
		t.Errorf("wanted the session in which a way can be set up, got %d", p.StatusCode)
	}
	if got := b.trust(); got != "P0.Cp" {
		t.Errorf("wanted P0.Cp, got %q", got)
	}
	made := b.makeCard()
	w.clock.advance(72 * time.Hour)
	in := w.browser()
	in.enter(a.email, "an other long phrase")
	in.post("/login/email/card", url.Values{"card_code": {made[0]}})
	if got := in.trust(); got != "P5.Cp.Cd" {
		t.Errorf("three days after: wanted P5.Cp.Cd, got %q", got)
	}
}

// A session is never stepped up by a code that lets in.
func TestARecoveryCodeStepsNothingUp(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	b, q := w.askedAgain(a, "max_age", "600")
	code := w.recoveryCode(b.get("/check").Header.Get("Dilys-Subject"))
	p := b.post("/step-up", withWay(q, "way", "recovery", "recovery_code", code, "code", code))
	if p.StatusCode == http.StatusSeeOther && p.location(t).Path != "/step-up" {
		t.Errorf("wanted it refused, got %d to %s", p.StatusCode, p.location(t))
	}
	other := w.browser()
	other.enter(a.email, a.password)
	if p := other.letIn(code); p.StatusCode != http.StatusSeeOther {
		t.Errorf("the code was spent on a step-up: %d", p.StatusCode)
	}
}

// E7: what somebody knows or holds alone is not enough.
func TestE7NothingAloneRecovers(t *testing.T) {
	w, a := newTown(t), gwen()
	w.signUp(a)
	w.clock.advance(time.Hour)
	b := w.browser()
	b.post("/recover", url.Values{"email": {a.email}})
	link := ""
	for _, m := range w.sent(a.email) {
		link += resetLink.FindString(m.Body)
	}
	b.get(link)
	b.post("/recover/link", url.Values{}) // the mailbox alone
	if p := b.post("/recover/password", url.Values{"password": {"an other long phrase"}}); p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/recover/factor" {
		t.Errorf("the mailbox alone set a password: %d", p.StatusCode)
	}
	phone := w.browser() // the phone alone: it learns which address logs in, and no more
	phone.post("/recover/email", url.Values{"phone": {a.phone}})
	phone.mustNotLogIn(phone.post("/recover/factor", url.Values{"code": {w.code(a.e164())}}))
	knows := w.browser() // name, birth date and number alone: another sign-up of P0, and nothing of hers
	stranger := a
	stranger.email, stranger.phone = "stranger@example.com", "07700900888"
	w.upTo(knows, stranger, "")
	if got := knows.trust(); got != "P0.Cp.Cd" {
		t.Errorf("who knows her details got %q", got)
	}
}
