package service_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/rp/courier/notifystandin"
	"github.com/dilys-id/dilys/store"
)

// Ids of the stand-in for GOV.UK Notify.
const (
	notifyService = "7c1f0a52-5e4b-4d0c-9a57-000000000001"
	emailTemplate = "7c1f0a52-5e4b-4d0c-9a57-000000000002"
	textTemplate  = "7c1f0a52-5e4b-4d0c-9a57-000000000003"
	notifySecret  = "7c1f0a52-5e4b-4d0c-9a57-000000000004"
)

// town is a world in which patients sign up, with a courier and a register.
type town struct {
	*world
	notify *notifystandin.StandIn
}

// newTown builds one. Its register knows Gwen Arwydd alone.
func newTown(t *testing.T, options ...option) *town {
	t.Helper()
	w := newTownWithoutRegister(t, options...)
	w.says(gwensRow(t, func(*store.RegisterRow) {}))
	return w
}

// newTownWithoutRegister builds one whose register was not imported yet, and answers
// nobody.
func newTownWithoutRegister(t *testing.T, options ...option) *town {
	t.Helper()
	return newTownWithin(t, "", options...)
}

// newTownWithin is newTown with limits of its own, in YAML's flow style.
func newTownWithin(t *testing.T, limits string, options ...option) *town {
	t.Helper()
	var clock atomic.Pointer[clock] // the world's, which is made after
	now := func() time.Time {
		if c := clock.Load(); c != nil {
			return c.Now()
		}
		return time.Now()
	}
	notify, err := notifystandin.New(notifystandin.Options{
		Now: now, Name: "town", Service: notifyService, Secret: notifySecret, Templates: []notifystandin.Template{
			{ID: emailTemplate, Type: notifystandin.Email, Subject: "((subject))", Body: "((body))"},
			{ID: textTemplate, Type: notifystandin.SMS, Body: "((body))"},
		},
	})
	must(t, err)
	address := (&world{t: t}).listen(notify.ServeHTTP)
	key := write(t, t.TempDir(), "notify.key", "town-"+notifyService+"-"+notifySecret)
	w := newWorld(t, append([]option{withMore(fmt.Sprintf(`sign_up: {enabled: true, test_nhs_numbers: true}
register: {kind: index}
limits: {networks: [127.0.0.0/8], send_per_network: [100/10m, 500/1h]%[5]s} # nobody here is held back
courier:
  email: {kind: notify, url: %[1]q, api_key_file: %[2]q, template: %[3]s}
  sms: {kind: notify, url: %[1]q, api_key_file: %[2]q, template: %[4]s}
`, address, key, emailTemplate, textTemplate, limits))}, options...)...)
	clock.Store(w.clock)
	return &town{w, notify}
}

// sent delivers what is due and returns all that was ever sent there.
func (w *town) sent(to string) []notifystandin.Message {
	w.t.Helper()
	_, err := w.Outbox.Deliver(w.t.Context())
	must(w.t, err)
	var all []notifystandin.Message
	for _, m := range w.notify.Messages() {
		if m.To == to {
			all = append(all, m)
		}
	}
	return all
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// code returns the newest code that was sent there.
func (w *town) code(to string) string {
	w.t.Helper()
	all := w.sent(to)
	for i := len(all) - 1; i >= 0; i-- {
		if c := sixDigits.FindString(strings.ReplaceAll(all[i].Body, "01632 960123", "")); c != "" { // the help desk's number is none
			return c
		}
	}
	w.t.Fatalf("no code was sent there")
	return ""
}

// applicant is what somebody gives who signs up.
type applicant struct{ email, phone, given, family, day, month, year, number, password string }

func gwen() applicant {
	return applicant{"gwen@example.com", "07700900201", "Gwen", "Arwydd", "17", "5", "1985", "999 100 0003", "wobbly teapot sky"}
}

func (a applicant) e164() string { return "+44" + a.phone[1:] }

// give posts one page of the sign-up and returns where it leads.
func (b *browser) give(page string, form url.Values) string {
	b.t.Helper()
	got := b.post("/sign-up/"+page, form)
	if got.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("%s: wanted to go on, got %d: %.200s", page, got.StatusCode, got.body)
	}
	return got.location(b.t).Path
}

// upTo signs up to that page, which is not given.
func (w *town) upTo(b *browser, a applicant, page string) {
	w.t.Helper()
	b.post("/sign-up", url.Values{"old_enough": {"yes"}})
	for _, step := range []struct {
		page string
		form func() url.Values
	}{
		{"device", func() url.Values { return url.Values{"device": {"own"}} }},
		{"email", func() url.Values { return url.Values{"email": {a.email}} }},
		{"email-code", func() url.Values { return url.Values{"code": {w.code(a.email)}} }},
		{"phone", func() url.Values { return url.Values{"phone": {a.phone}} }},
		{"phone-code", func() url.Values { return url.Values{"code": {w.code(a.e164())}} }},
		{"name", func() url.Values { return url.Values{"given_name": {a.given}, "family_name": {a.family}} }},
		{"birth-date", func() url.Values {
			return url.Values{"bday-day": {a.day}, "bday-month": {a.month}, "bday-year": {a.year}}
		}},
		{"nhs-number", func() url.Values { return url.Values{"nhs_number": {a.number}} }},
		{"password", func() url.Values { return url.Values{"password": {a.password}} }},
		{"check", func() url.Values { return url.Values{} }},
	} {
		if step.page == page {
			return
		}
		b.give(step.page, step.form())
	}
}

// signUp signs up whole.
func (w *town) signUp(a applicant) *browser {
	w.t.Helper()
	b := w.browser()
	w.upTo(b, a, "")
	return b
}

func (b *browser) enter(email, password string) page {
	return b.post("/login/email", url.Values{"email": {email}, "password": {password}})
}

// trust is what the check says of the browser's session.
func (b *browser) trust() string { return b.get("/check").Header.Get("Dilys-Trust") }

func TestSignUpProvesNoMoreThanWasProved(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*applicant)
		want   string
	}{
		"details and her own phone":             {func(*applicant) {}, "P5.Cp.Cd"},
		"a phone that is not on the entry":      {func(a *applicant) { a.phone = "07700900999" }, "P0.Cp.Cd"},
		"another birth date":                    {func(a *applicant) { a.day = "18" }, "P0.Cp.Cd"},
		"another name":                          {func(a *applicant) { a.family = "Arall" }, "P0.Cp.Cd"},
		"a number that the register lacks":      {func(a *applicant) { a.number = "999 100 0070" }, "P0.Cp.Cd"},
		"details, accented and in another case": {func(a *applicant) { a.given, a.family = "GWÉN", "arwydd" }, "P5.Cp.Cd"},
	} {
		t.Run(name, func(t *testing.T) {
			w, a := newTown(t), gwen()
			row.change(&a)
			if got := w.signUp(a).trust(); got != row.want {
				t.Errorf("wanted %s, got %s", row.want, got)
			}
		})
	}
}

func TestD1AnswersAreTheSame(t *testing.T) {
	w := newTown(t)
	w.signUp(gwen())
	w.clock.advance(2 * time.Hour)
	reference := regexp.MustCompile(`DIL-\w+-\w+|value="[^"]*example.com"|[a-z]+@example\.com`)
	for name, ask := range map[string]func(b *browser, email string) page{
		"log-in":   func(b *browser, email string) page { return b.enter(email, "not the password") },
		"recovery": func(b *browser, email string) page { return b.post("/recover", url.Values{"email": {email}}) },
		"sign-up": func(b *browser, email string) page {
			b.post("/sign-up", url.Values{"old_enough": {"yes"}})
			b.give("device", url.Values{"device": {"own"}})
			b.give("email", url.Values{"email": {email}})
			b.post("/sign-up/email-code", url.Values{"code": {"000000"}})
			return b.get("/sign-up/email-code")
		},
	} {
		w.clock.advance(time.Hour) // so that no limit decides
		known, unknown := ask(w.browser(), gwen().email), ask(w.browser(), "nobody@example.com")
		if known.StatusCode != unknown.StatusCode || reference.ReplaceAllString(known.body, "") != reference.ReplaceAllString(unknown.body, "") ||
			len(known.Header) != len(unknown.Header) || known.Header.Get("Location") != unknown.Header.Get("Location") {
			t.Errorf("%s: a known address is told from an unknown one", name)
		}
	}
	w.clock.advance(time.Hour)
	before := len(w.sent(gwen().email))
	w.upTo(w.browser(), applicant{email: gwen().email}, "email-code")
	all := w.sent(gwen().email)
	if len(all) != before+1 || sixDigits.MatchString(all[before].Body) {
		t.Errorf("wanted the owner of the address told that it has an account, without a code")
	}
}

func TestASignUpIsNothingToWhoComesNext(t *testing.T) {
	w := newTown(t)
	b := w.signUp(gwen())
	if got := b.get("/sign-up"); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/account/second-way" {
		t.Errorf("her own next page: wanted to be led there, got %d", got.StatusCode)
	}
	if got := b.post("/account/second-way", url.Values{"risk": {"yes"}}); got.location(t).Path != "/sign-up/done" {
		t.Errorf("wanted the end, got %s", got.location(t))
	}
	if got := b.get("/sign-up/done"); got.StatusCode != http.StatusOK {
		t.Errorf("the end: wanted 200, got %d", got.StatusCode)
	}
	b.post("/logout", nil)
	if got := b.get("/sign-up/done"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("the end of another's: wanted a refusal, got %d: %.200s", got.StatusCode, got.body)
	}
	if got := b.get("/sign-up"); got.StatusCode != http.StatusOK || !strings.Contains(got.body, `name="old_enough"`) {
		t.Errorf("the next patient: wanted the first page, got %d", got.StatusCode)
	}
	w.clock.advance(time.Hour)
	next := applicant{email: "sion.prawf@example.com", phone: "07700900202", given: "Sion", family: "Prawf", day: "28", month: "2", year: "1952", number: "999 100 0070", password: gwen().password}
	w.upTo(b, next, "")
	if got := b.get("/account"); !strings.Contains(got.body, next.email) {
		t.Errorf("wanted the next patient's own account, got %d", got.StatusCode)
	}
}

func TestD3OneAddressOneAccount(t *testing.T) {
	w, a := newTown(t), gwen()
	const browsers = 4
	var all []*browser
	for range browsers {
		b := w.browser()
		w.upTo(b, a, "check")
		all = append(all, b)
		w.clock.advance(11 * time.Minute)
		a.phone = fmt.Sprintf("0770090030%d", len(all)) // the next number, so that no limit decides
	}
	var won sync.Map
	var wait sync.WaitGroup
	for i, b := range all {
		wait.Go(func() {
			if got := b.post("/sign-up/check", url.Values{}); got.StatusCode == http.StatusSeeOther {
				won.Store(i, true)
			}
		})
	}
	wait.Wait()
	n := 0
	won.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("wanted one account of %d, got %d", browsers, n)
	}
}

func TestD4StepsComeInOrder(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.browser()
	w.upTo(b, a, "email-code")
	for _, page := range []string{"check", "password", "name", "phone-code", "phone"} {
		got := b.post("/sign-up/"+page, url.Values{"password": {a.password}, "given_name": {"X"}, "family_name": {"Y"}, "code": {"000000"}, "phone": {a.phone}})
		if got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/sign-up/email-code" {
			t.Errorf("%s: wanted to be led to the page that is due, got %d", page, got.StatusCode)
		}
	}
	b.mustNotLogIn(b.get("/sign-up/check"))
	first := w.code(a.email)
	b.give("email", url.Values{"email": {"other@example.com"}}) // back, and another address: its code alone counts now
	if got := b.post("/sign-up/email-code", url.Values{"code": {first}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the code of the first address was taken for the second: %d", got.StatusCode)
	}
}

func TestNothingStaysOnASharedDevice(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.browser()
	b.post("/sign-up", url.Values{"old_enough": {"yes"}})
	b.give("device", url.Values{"device": {"shared"}})
	b.give("email", url.Values{"email": {a.email}})
	code := w.code(a.email)
	w.clock.advance(9 * time.Minute)
	must(t, w.Attempts.Fade(t.Context()))
	b.give("email-code", url.Values{"code": {code}})
	if got := b.get("/sign-up/phone"); got.StatusCode != http.StatusOK {
		t.Fatalf("what was typed went too soon: %d", got.StatusCode)
	}
	w.clock.advance(10 * time.Minute)
	must(t, w.Attempts.Fade(t.Context()))
	if got := b.get("/sign-up/phone"); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/sign-up/email" {
		t.Errorf("wanted to begin at the address, got %d", got.StatusCode)
	}
	if got := b.get("/sign-up/email"); strings.Contains(got.body, a.email) {
		t.Error("the address is still shown")
	}
	if got := b.get("/sign-up"); !strings.Contains(got.body, `name="email"`) || strings.Contains(got.body, a.email) {
		t.Error("wanted the way back to ask for the address anew")
	}
}

func TestD7D9CodesAreBound(t *testing.T) {
	w, a := newTown(t), gwen()
	b, thief := w.browser(), w.browser()
	w.upTo(b, a, "email-code")
	right := w.code(a.email)
	w.clock.advance(2 * time.Minute)
	w.upTo(thief, applicant{email: a.email}, "email-code")
	if got := thief.post("/sign-up/email-code", url.Values{"code": {right}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("another browser used the code: %d", got.StatusCode)
	}
	for range 5 {
		b.post("/sign-up/email-code", url.Values{"code": {"000000"}})
	}
	if got := b.post("/sign-up/email-code", url.Values{"code": {right}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the sixth guess was judged: %d", got.StatusCode)
	}
	w.clock.advance(31 * time.Minute)
	late := w.browser()
	w.upTo(late, applicant{email: "late@example.com"}, "email-code")
	code := w.code("late@example.com")
	w.clock.advance(30 * time.Minute)
	if got := late.post("/sign-up/email-code", url.Values{"code": {code}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a code was taken after its life: %d", got.StatusCode)
	}
}

func TestD11ABombIsDefused(t *testing.T) {
	w := newTown(t)
	for range 30 {
		b := w.browser()
		w.upTo(b, applicant{email: "victim@example.com"}, "email-code")
		w.clock.advance(61 * time.Second)
	}
	if n := len(w.sent("victim@example.com")); n > 5 {
		t.Errorf("wanted 5 in half an hour at the most, got %d", n)
	}
}

func TestE4TheResetLinkIsOurs(t *testing.T) {
	w := newTown(t)
	w.signUp(gwen())
	w.clock.advance(time.Hour)
	b := w.browser()
	b.header = http.Header{"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"gopher"}, "Forwarded": {"host=evil.example"}}
	b.post("/recover", url.Values{"email": {gwen().email}})
	var all strings.Builder
	for _, m := range w.sent(gwen().email) {
		all.WriteString(m.Body)
	}
	if !strings.Contains(all.String(), w.url+"/recover/") || strings.Contains(all.String(), "evil") {
		t.Errorf("the link is not ours")
	}
}

var resetLink = regexp.MustCompile(`/recover/[A-Za-z0-9_-]{43}`)

func TestE5E6AResetIsSpentOnceAndStepsOverNothing(t *testing.T) {
	w, a := newTown(t), gwen()
	open := w.signUp(a)
	w.clock.advance(25 * time.Minute)
	b, other := w.browser(), w.browser()
	b.post("/recover", url.Values{"email": {a.email}})
	link := ""
	for _, m := range w.sent(a.email) {
		link += resetLink.FindString(m.Body)
	}
	for _, x := range []*browser{b, other} {
		if to := x.get(link).location(t); to.Path != "/recover/link" || to.RawQuery != "" {
			t.Fatalf("the token stayed in the address")
		}
	}
	b.post("/recover/link", url.Values{})
	if got := other.post("/recover/link", url.Values{}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("the link was spent twice: %d", got.StatusCode)
	}
	b.post("/recover/password", url.Values{"password": {"an other long phrase"}})
	if got := w.browser().enter(a.email, "an other long phrase"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the reset stepped over the second factor: %d", got.StatusCode)
	}
	b.post("/recover/factor", url.Values{"code": {w.code(a.e164())}})
	done := b.post("/recover/password", url.Values{"password": {"an other long phrase"}})
	b.mustNotLogIn(done)
	if open.loggedIn() {
		t.Error("another session outlived the reset")
	}
	if got := w.browser().enter(a.email, a.password); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the old password still opens: %d", got.StatusCode)
	}
	fresh := w.browser()
	if got := fresh.enter(a.email, "an other long phrase"); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/login/email/code" {
		t.Errorf("the second factor is not asked after a reset: %d", got.StatusCode)
	}
	fresh.mustNotLogIn(fresh.get("/account"))
}

func TestC11HalfALoginIsNothing(t *testing.T) {
	w, a := newTown(t), gwen()
	w.signUp(a)
	w.clock.advance(time.Hour)
	b := w.browser()
	b.enter(a.email, a.password)
	b.mustNotLogIn(b.get("/login/email/code"))
	if to := b.get(authorization("prompt", "none")).location(t); to.Query().Get("code") != "" || to.Query().Get("error") != "login_required" {
		t.Errorf("a portal was given something: %s", to.Query().Get("error"))
	}
	w.clock.advance(16 * time.Minute)
	if got := b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("the password waited for longer than a quarter of an hour: %d", got.StatusCode)
	}
}

func TestE8AStrangerLocksNobodyOut(t *testing.T) {
	w, a := newTown(t), gwen()
	known := w.signUp(a)
	known.post("/logout", url.Values{})
	w.clock.advance(time.Hour)
	stranger := w.browser()
	var last page
	for range 12 {
		last = stranger.enter(a.email, "not the password")
	}
	if last.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("wanted the stranger locked out, got %d", last.StatusCode)
	}
	if got := stranger.enter(a.email, a.password); got.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a guess was judged while locked: %d", got.StatusCode)
	}
	if got := known.enter(a.email, a.password); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the patient's own browser was locked out: %d", got.StatusCode)
	}
	nobody := w.browser()
	for range 12 {
		last = nobody.enter("nobody@example.com", "not the password")
	}
	if last.StatusCode != http.StatusTooManyRequests {
		t.Errorf("an address without an account is told from one with: %d", last.StatusCode)
	}
}

func TestK1NothingOfAPatientIsLogged(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	b.get("/account")
	w.browser().enter(a.email, a.password)
	log := strings.ToLower(w.log.String())
	for _, canary := range []string{a.email, a.phone, a.e164(), "9991000003", a.password, "arwydd", "1985-05-17", w.code(a.email), w.code(a.e164())} {
		if strings.Contains(log, strings.ToLower(canary)) {
			t.Errorf("the log holds something of the patient")
		}
	}
}

func TestAHandedCodeRaisesItsPatientAlone(t *testing.T) {
	for name, row := range map[string]struct {
		kind   factor.HandedKind
		change func(*applicant)
		want   string
	}{
		"a code of the practice":             {factor.Activation, func(*applicant) {}, "P5.Cp.Cd"},
		"documents that two saw":             {factor.Documents, func(*applicant) {}, "P9.Cp.Cd"},
		"the code of somebody born that day": {factor.Activation, func(a *applicant) { a.day = "18" }, "P0.Cp.Cd"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			w, a := newTown(t), gwen()
			a.phone = "07700900999" // not the one on the entry: she begins at P0
			row.change(&a)
			b := w.signUp(a)
			if got := b.trust(); got != "P0.Cp.Cd" {
				t.Fatalf("wanted P0.Cp.Cd before, got %s", got)
			}
			number, err := identity.ParseNHSNumber("9991000003")
			must(t, err)
			code, _, err := w.Factors.Issue(t.Context(), factor.Handed{
				Kind: row.kind, NHSNumber: number, Basis: "passport", IssuedBy: "operator:one", ConfirmedBy: "operator:two", Reason: "test",
			})
			must(t, err)
			b.post("/account/activation", url.Values{"activation_code": {"no such code"}})
			b.post("/account/activation", url.Values{"activation_code": {strings.ToLower(code.Reveal())}})
			if got := b.trust(); got != row.want {
				t.Errorf("wanted %s, got %s", row.want, got)
			}
			if got := b.post("/account/activation", url.Values{"activation_code": {code.Reveal()}}); got.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("a code was used twice: %d", got.StatusCode)
			}
		})
	}
}
