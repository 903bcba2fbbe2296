package service_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// onBothTowns runs the test on SQLite and on PostgreSQL.
func onBothTowns(t *testing.T, test func(t *testing.T, w *town)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newTown(t)) })
	t.Run("postgresql", func(t *testing.T) { test(t, newTown(t, onDatabase(storetest.Postgres(t)))) })
}

var shownReference = regexp.MustCompile(`DIL-\w+-\w+`)

// crowd is how many press one button at once.
const crowd = 50

// pressed sends the form from each browser at the same moment, and counts who got
// through.
func pressed(all []*browser, path string, form url.Values, through func(page) bool) int {
	var n atomic.Int64
	start := make(chan struct{})
	var wait sync.WaitGroup
	for _, b := range all {
		wait.Go(func() {
			<-start
			if through(b.post(path, form)) {
				n.Add(1)
			}
		})
	}
	close(start)
	wait.Wait()
	return int(n.Load())
}

// tabs are the browser's own tabs: each sends what the browser has at that moment.
func (b *browser) tabs() []*browser { return slices.Repeat([]*browser{b}, crowd) }

func leads(path string) func(page) bool {
	return func(p page) bool {
		return p.StatusCode == http.StatusSeeOther && strings.HasPrefix(p.Header.Get("Location"), path)
	}
}

func gotIn(p page) bool {
	return slices.ContainsFunc(p.Cookies(), func(c *http.Cookie) bool { return c.Name == "dilys" && c.Value != "" })
}

func TestD8OneOfManySpends(t *testing.T) {
	onBothTowns(t, func(t *testing.T, w *town) {
		a := gwen()
		first := w.signUp(a)
		card := first.makeCard()
		w.clock.advance(time.Hour)
		past := func() *browser {
			w.clock.advance(11 * time.Minute)
			b := w.browser()
			b.enter(a.email, a.password)
			return b
		}
		t.Run("a texted code", func(t *testing.T) {
			b := past()
			if n := pressed(b.tabs(), "/login/email/code", url.Values{"code": {w.code(a.e164())}}, gotIn); n != 1 {
				t.Errorf("wanted one of %d to get in, got %d", crowd, n)
			}
		})
		t.Run("right and wrong codes", func(t *testing.T) {
			b := past()
			right := w.code(a.e164())
			var judged, in atomic.Int64
			var wait sync.WaitGroup
			for i := range crowd {
				wait.Go(func() {
					code := right
					if i%2 == 1 {
						code = fmt.Sprintf("%06d", i)
					}
					switch p := b.post("/login/email/code", url.Values{"code": {code}}); {
					case gotIn(p):
						in.Add(1)
					case p.StatusCode == http.StatusUnprocessableEntity && strings.Contains(p.body, "not right"):
						judged.Add(1)
					}
				})
			}
			wait.Wait()
			if in.Load() > 1 || judged.Load() > 5 {
				t.Errorf("wanted five judged and one let in at the most, got %d and %d", judged.Load(), in.Load())
			}
		})
		w.clock.advance(25 * time.Hour) // past the day's bound of guesses
		t.Run("a printed code", func(t *testing.T) {
			b := past()
			if n := pressed(b.tabs(), "/login/email/card", url.Values{"card_code": {card[0]}}, gotIn); n != 1 {
				t.Errorf("wanted one of %d to get in, got %d", crowd, n)
			}
		})
		t.Run("a code that staff handed over", func(t *testing.T) {
			b := past()
			b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
			if n := pressed(b.tabs(), "/account/activation", url.Values{"activation_code": {w.handed("9991000003")}}, leads("/account")); n != 1 {
				t.Errorf("wanted one of %d to be raised, got %d", crowd, n)
			}
		})
		t.Run("a mailed link", func(t *testing.T) {
			w.clock.advance(25 * time.Hour)
			w.browser().post("/recover", url.Values{"email": {a.email}})
			link := ""
			for _, m := range w.sent(a.email) {
				if found := resetLink.FindString(m.Body); found != "" {
					link = found
				}
			}
			var all []*browser
			for range crowd {
				b := w.browser()
				b.get(link)
				all = append(all, b)
			}
			if n := pressed(all, "/recover/link", url.Values{}, leads("/recover/factor")); n != 1 {
				t.Errorf("wanted one of %d to follow the link, got %d", crowd, n)
			}
		})
	})
}

// Two browsers at two replicas, one address and one NHS number: one account each.
func TestD3AtTwoReplicas(t *testing.T) {
	w, a := newTown(t, onDatabase(storetest.Postgres(t))), gwen()
	other := w.replica()
	one, two := w.browser(), w.browser()
	w.upTo(one, a, "check")
	w.clock.advance(11 * time.Minute)
	same := a
	same.phone = "07700900301"
	w.upTo(two, same, "check")
	if n := pressed([]*browser{one, other(two)}, "/sign-up/check", url.Values{}, gotIn); n != 1 {
		t.Errorf("one address: wanted one account, got %d", n)
	}

	w = newTown(t, onDatabase(storetest.Postgres(t)))
	other = w.replica()
	w.says(gwensRow(t, func(r *store.RegisterRow) { r.Email, _ = identity.ParseEmail("gwen@example.com") }))
	one, two = w.browser(), w.browser()
	byMail := a // her address stands on the entry too, and so does her number: two ways to prove the one NHS number
	byMail.phone = "07700900301"
	w.upTo(one, byMail, "check")
	byPhone := a
	byPhone.email = "other@example.com"
	w.upTo(two, byPhone, "check")
	pressed([]*browser{one, other(two)}, "/sign-up/check", url.Values{}, gotIn)
	levels := []string{one.trust(), two.trust()}
	slices.Sort(levels)
	if !slices.Equal(levels, []string{"P0.Cp.Cd", "P5.Cp.Cd"}) {
		t.Errorf("one NHS number: wanted it proved by one, got %v", levels)
	}
}

// Birth dates are guessed on somebody's number: the entry is counted, whoever asks,
// and nobody is told which guess was right.
func TestD5GuessesAtAnEntryAreCounted(t *testing.T) {
	w := newTown(t)
	var last page
	for i := range 9 {
		a := gwen()
		a.email, a.phone, a.day = fmt.Sprintf("guess%d@example.com", i), fmt.Sprintf("0740012%04d", 4000+i*20), fmt.Sprint(i+1)
		b := w.browser()
		w.upTo(b, a, "")
		w.clock.advance(20 * time.Minute)
		last = b.get("/sign-up/done")
		if got := b.trust(); got != "P0.Cp.Cd" {
			t.Fatalf("guess %d: got %s", i, got)
		}
	}
	late := w.browser() // all her own, and the entry is closed for the day
	w.upTo(late, gwen(), "")
	if got := late.trust(); got != "P0.Cp.Cd" {
		t.Errorf("a guess was judged after the limit: %s", got)
	}
	words := func(p page) string { return shownReference.ReplaceAllString(p.body, "") }
	if words(late.get("/sign-up/done")) != words(last) {
		t.Error("a refused guess is told from a wrong one")
	}
	id := late.get("/check").Header.Get("Dilys-Subject")
	events, err := w.DB.Audit().EventsOf(t.Context(), id, 20)
	must(t, err)
	if !slices.ContainsFunc(events, func(e audit.Event) bool { return strings.HasPrefix(e.Cause, "limit-") }) {
		t.Error("the help desk can't see that a limit decided")
	}
	w.clock.advance(25 * time.Hour)
	if p := late.post("/account/activation", url.Values{"activation_code": {w.handed("9991000003")}}); p.StatusCode == http.StatusUnprocessableEntity {
		t.Error("the limit closed a code that staff handed over")
	}
}

// D10: what costs money, or can't be a patient's mobile, gets no text; a run of
// numbers gets ten an hour; the page is the same.
func TestD10Pumping(t *testing.T) {
	w := newTown(t)
	b := w.browser()
	w.upTo(b, applicant{email: "pump@example.com"}, "phone")
	for name, number := range map[string]string{
		"a personal number": "07012345678", "a pager": "07612345678", "a premium line": "09061234567", "abroad": "+33612345678",
		"Jersey": "07797123456", "a landline": "029 2018 0000", "a satellite": "+881612345678",
	} {
		if p := b.post("/sign-up/phone", url.Values{"phone": {number}}); p.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: wanted it refused, got %d", name, p.StatusCode)
		}
	}
	answers := map[string]bool{}
	sent := func() int {
		_, err := w.Outbox.Deliver(t.Context())
		must(t, err)
		n := 0
		for _, m := range w.notify.Messages() {
			if strings.HasPrefix(m.To, "+447400125") {
				n++
			}
		}
		return n
	}
	for flow := range 6 {
		b := w.browser()
		w.upTo(b, applicant{email: fmt.Sprintf("pump%d@example.com", flow)}, "phone")
		for n := range 4 {
			p := b.post("/sign-up/phone", url.Values{"phone": {fmt.Sprintf("0740012%04d", 5000+flow*4+n)}})
			answers[fmt.Sprint(p.StatusCode, p.Header.Get("Location"))] = true
			sent() // each leaves before the next takes its place
		}
	}
	if n := sent(); n != 10 {
		t.Errorf("wanted ten texts to one block of numbers in the hour, got %d", n)
	}
	if len(answers) != 1 {
		t.Errorf("whether a text was sent can be seen: %v", answers)
	}
}

// D12: strangers use up the hour's texts; who is past a password gets one still.
func TestD12AFloodLeavesAReserve(t *testing.T) {
	w, a := newTownWithin(t, ", send_per_service: [20/1h, 1000/24h]"), gwen()
	w.signUp(a)
	w.clock.advance(61 * time.Minute)
	for flow := range 5 {
		b := w.browser()
		w.upTo(b, applicant{email: fmt.Sprintf("flood%d@example.com", flow)}, "phone")
		for n := range 4 {
			w.sent(a.e164())
			b.post("/sign-up/phone", url.Values{"phone": {fmt.Sprintf("074001%d%04d", flow, 6000+n)}})
		}
	}
	before := len(w.sent(a.e164()))
	texts := 0
	for _, m := range w.notify.Messages() {
		if strings.HasPrefix(m.To, "+4474001") {
			texts++
		}
	}
	if texts > 16 {
		t.Errorf("strangers got %d of 20 texts", texts)
	}
	b := w.browser()
	b.enter(a.email, a.password)
	if got := len(w.sent(a.e164())); got != before+1 {
		t.Fatalf("wanted a text for the patient, got %d", got-before)
	}
	if p := b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}}); !gotIn(p) {
		t.Errorf("wanted the patient let in, got %d", p.StatusCode)
	}
}

// E1: pairs that were stolen elsewhere are tried on many accounts: each answer is the
// same, nobody is locked out by another's guesses, and the one pair that is right is
// still only half a login.
func TestE1Stuffing(t *testing.T) {
	w, a := newTown(t), gwen()
	known := w.signUp(a)
	known.post("/logout", url.Values{})
	w.clock.advance(time.Hour)
	answers := map[int]int{}
	for i := range 60 {
		b := w.browser()
		b.header = http.Header{"X-Forwarded-For": {fmt.Sprintf("198.51.100.%d", i)}} // from nobody whom we believe
		answers[b.enter(fmt.Sprintf("stuffed%d@example.com", i), "correct horse battery").StatusCode]++
	}
	if len(answers) != 1 || answers[http.StatusUnprocessableEntity] != 60 {
		t.Errorf("wanted one answer to all, got %v", answers)
	}
	thief := w.browser()
	thief.mustNotLogIn(thief.enter(a.email, a.password))
	if p := known.enter(a.email, a.password); p.StatusCode != http.StatusSeeOther {
		t.Errorf("the patient's own browser was refused: %d", p.StatusCode)
	}
}

// E3: a crowd at the password page waits in a queue that ends: who is too many is told
// so with a time, and nobody else feels it.
func TestE3ACrowdAtThePasswords(t *testing.T) {
	w, a := newTown(t), gwen()
	inside := w.signUp(a)
	w.clock.advance(time.Minute)
	var busy, others, down atomic.Int64
	var wait sync.WaitGroup
	done := make(chan struct{})
	for i := range 200 {
		wait.Go(func() {
			p := w.browser().enter(fmt.Sprintf("crowd%d@example.com", i), "correct horse battery")
			switch {
			case p.StatusCode == http.StatusServiceUnavailable && p.Header.Get("Retry-After") != "":
				busy.Add(1)
			case p.StatusCode != http.StatusUnprocessableEntity:
				others.Add(1)
			}
		})
	}
	go func() { wait.Wait(); close(done) }()
	for going := true; going; {
		select {
		case <-done:
			going = false
		default:
			if inside.get("/check").StatusCode != http.StatusOK || inside.get("/jwks.json").StatusCode != http.StatusOK {
				down.Add(1)
			}
		}
	}
	if busy.Load() == 0 || others.Load() > 0 || down.Load() > 0 {
		t.Errorf("wanted some told to come back and nothing else, got %d told, %d other answers, %d checks or key sets failed", busy.Load(), others.Load(), down.Load())
	}
}

// The owner of a locked password is told, once, and nobody can bomb them with it.
func TestALockIsToldOnce(t *testing.T) {
	w, a := newTown(t), gwen()
	w.signUp(a)
	w.clock.advance(time.Hour)
	told := func() int { return strings.Count(allSent(w, a.email), "A wrong password was given too many times") }
	stranger := w.browser()
	for range 14 {
		stranger.enter(a.email, "not the password")
		w.browser().enter("nobody@example.com", "not the password")
	}
	if n := told(); n != 1 {
		t.Errorf("wanted it told once, got %d", n)
	}
	for range 3 {
		w.clock.advance(35 * time.Minute)
		for range 12 {
			stranger.enter(a.email, "not the password")
		}
	}
	if n := told(); n != 1 {
		t.Errorf("within two hours: wanted it told once, got %d", n)
	}
	if n := len(w.sent("nobody@example.com")); n != 0 {
		t.Errorf("an address without an account got %d mails", n)
	}
}
