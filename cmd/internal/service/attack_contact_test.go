package service_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/rp/courier/notifystandin"
)

// The addresses that Gwen changes to.
const (
	nextEmail = "Gwen.Newydd@example.com"
	nextPhone = "07700 900455"
	nextE164  = "+447700900455"
)

const day = 24 * time.Hour

var stopLink = regexp.MustCompile(`/stop/[A-Za-z0-9_-]{43}`)

// move is a change of one channel.
type move struct {
	name, at, field, next, to string // to: where its code is sent
	old                       func(applicant) string
}

var moves = []move{
	{"e-mail", "/account/email", "email", nextEmail, nextEmail, func(a applicant) string { return a.email }},
	{"phone", "/account/phone", "phone", nextPhone, nextE164, applicant.e164},
}

func (m move) form() url.Values { return url.Values{m.field: {m.next}} }

// eachMove plays a story with either channel, in a world of its own in which Gwen has
// just signed up.
func eachMove(t *testing.T, story func(t *testing.T, w *town, b *browser, m move)) {
	for _, m := range moves {
		t.Run(m.name, func(t *testing.T) {
			w := newTown(t)
			story(t, w, w.signUp(gwen()), m)
		})
	}
}

// leads fails the test unless the answer is a redirect to that path.
func (p page) leads(t testing.TB, path string) {
	t.Helper()
	if to := p.location(t); to.Path != path {
		t.Fatalf("wanted to be led to %s, got %s", path, to)
	}
}

// asks gives the new address, and its code, up to the change that waits.
func (b *browser) asks(w *town, m move) {
	b.t.Helper()
	b.post(m.at, m.form()).leads(b.t, m.at+"-code")
	b.post(m.at+"-code", url.Values{"code": {w.code(m.to)}}).leads(b.t, m.at+"-held")
}

// stopsOf returns the links to stop a change that were sent there.
func (w *town) stopsOf(to string) []string {
	w.t.Helper()
	var all []string
	for _, m := range w.sent(to) {
		if link := stopLink.FindString(m.Body); link != "" {
			all = append(all, link)
		}
	}
	return all
}

// later turns the clock on and lets the service do what is due.
func (w *town) later(d time.Duration) {
	w.t.Helper()
	w.clock.advance(d)
	must(w.t, w.Attempts.ApplyChanges(w.t.Context()))
	_, err := w.Outbox.Deliver(w.t.Context())
	must(w.t, err)
}

func (w *town) accountOf(email string) account.Account {
	w.t.Helper()
	e, err := identity.ParseEmail(email)
	must(w.t, err)
	acc, err := w.Accounts.ByOwnEmail(w.t.Context(), e)
	must(w.t, err)
	return acc
}

// events returns the account's events of that kind.
func (w *town) events(account string, kind audit.Kind) []audit.Event {
	w.t.Helper()
	all, err := w.DB.Audit().EventsOf(w.t.Context(), account, 200)
	must(w.t, err)
	return slices.DeleteFunc(all, func(e audit.Event) bool { return e.Kind != kind })
}

// logsIn is a whole login whose code is texted to that number.
func (w *town) logsIn(email, password, e164 string) *browser {
	w.t.Helper()
	b := w.browser()
	b.enter(email, password).leads(w.t, "/login/email/code")
	b.post("/login/email/code", url.Values{"code": {w.code(e164)}})
	if !b.loggedIn() {
		w.t.Fatal("wanted to be logged in")
	}
	return b
}

func TestAChangeOfPhone(t *testing.T) {
	w, a := newTown(t), gwen()
	b, m := w.signUp(a), moves[1]
	acc := w.accountOf(a.email)
	before, err := w.Factors.Phone(t.Context(), acc.ID)
	must(t, err)
	for _, from := range []string{"/account", "/account/two-step"} {
		if !strings.Contains(b.get(from).body, `href="`+m.at+`"`) {
			t.Errorf("%s offers no change", from)
		}
	}
	b.asks(w, m)
	held := b.get(m.at + "-held").body
	if !strings.Contains(held, nextPhone) || !strings.Contains(held, "We text codes to your old number") {
		t.Error("the page does not say what waits")
	}
	if page := b.get("/account").body; !strings.Contains(page, nextPhone) || !strings.Contains(page, `action="/account/phone-held"`) {
		t.Error("the account does not show the change and the way to stop it")
	}
	if len(w.stopsOf(a.email)) != 1 || len(w.stopsOf(a.e164())) != 1 || len(w.stopsOf(nextE164)) != 0 {
		t.Error("wanted every old address told with a link, and the new one not")
	}

	w.later(day - time.Second)
	texts := len(w.sent(nextE164))
	open := w.logsIn(a.email, a.password, a.e164()) // the old number opens
	if len(w.sent(nextE164)) != texts {
		t.Fatal("a code went to the new number before its time")
	}
	w.later(time.Second)
	if open.loggedIn() {
		t.Error("a session outlived the change")
	}
	w.clock.advance(2 * time.Minute)
	old := len(w.sent(a.e164()))
	now := w.logsIn(a.email, a.password, nextE164)
	if got := now.trust(); got != "P5.Cp.Cd" {
		t.Errorf("wanted the level of the session that asked, got %s", got)
	}
	if len(w.sent(a.e164())) != old {
		t.Error("a code went to the old number")
	}
	told := regexp.MustCompile(`mobile number .*codes .*was changed`)
	for _, to := range []string{a.email, a.e164(), nextE164} {
		if !slices.ContainsFunc(w.sent(to), func(m notifystandin.Message) bool { return told.MatchString(m.Body) }) {
			t.Errorf("nobody was told at %s", to)
		}
	}
	after, err := w.Factors.Phone(t.Context(), acc.ID)
	must(t, err)
	if after.ID == before.ID || after.Level != identity.P5 {
		t.Errorf("wanted a factor of its own at P5, got %s", after.Level)
	}
	for kind, n := range map[audit.Kind]int{audit.ContactChangeAsked: 1, audit.ContactChanged: 1, audit.ContactChangeDropped: 0} {
		all := w.events(acc.ID, kind)
		if len(all) != n || n > 0 && !slices.Equal(all[0].Fields, []string{"phone_number"}) {
			t.Errorf("%s: wanted %d with its field, got %v", kind, n, all)
		}
	}
}

func TestAChangeOfEmail(t *testing.T) {
	w, a := newTown(t), gwen()
	b, m := w.signUp(a), moves[0]
	w.clock.advance(time.Minute)
	b.asks(w, m)
	w.later(day - time.Second)
	reset := w.browser()
	reset.post("/recover", url.Values{"email": {a.email}})
	link := ""
	for _, m := range w.sent(a.email) {
		link += resetLink.FindString(m.Body)
	}
	reset.get(link).leads(t, "/recover/link")
	w.logsIn(a.email, a.password, a.e164())
	w.later(time.Second)

	if got := reset.post("/recover/link", url.Values{}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a reset link that the old address was sent outlived the change: %d", got.StatusCode)
	}
	w.clock.advance(5 * time.Minute)
	if got := w.browser().enter(a.email, a.password); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the old address still logs in: %d", got.StatusCode)
	}
	now := w.logsIn("gwen.newydd@EXAMPLE.com", a.password, a.e164())
	if got := now.trust(); got != "P5.Cp.Cd" {
		t.Errorf("wanted nothing of the level lost, got %s", got)
	}
	if body := now.get("/account").body; !strings.Contains(body, nextEmail) || strings.Contains(body, a.email) {
		t.Error("the account shows another address")
	}
	w.clock.advance(20 * time.Minute)
	n := len(w.sent(a.email))
	w.browser().post("/recover", url.Values{"email": {a.email}})
	if all := w.sent(a.email); len(all) != n+1 || resetLink.MatchString(all[n].Body) {
		t.Error("the old address was mailed a link to a new password")
	}
	w.clock.advance(time.Hour)
	again := gwen()
	again.phone = "07700900466"
	w.signUp(again) // whose address it is now
}

func TestAChangeWantsAFreshLogin(t *testing.T) {
	eachMove(t, func(t *testing.T, w *town, b *browser, m move) {
		a := gwen()
		w.clock.advance(10*time.Minute + time.Second)
		b.get(m.at).leads(t, "/step-up")
		b.post(m.at, m.form()).leads(t, "/step-up")
		b.get(m.at+"-code").leads(t, m.at)
		if len(w.sent(m.to)) != 0 {
			t.Error("a session that was too old sent a code")
		}
		// A remembered browser, and a password given again, prove nothing fresh.
		b.post("/logout", url.Values{})
		b.enter(a.email, a.password)
		b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}, "remember": {"yes"}})
		b.post("/logout", url.Values{})
		b.enter(a.email, a.password)
		if !b.loggedIn() {
			t.Fatal("wanted the browser remembered")
		}
		b.get(m.at).leads(t, "/step-up")
		b.post(m.at, m.form()).leads(t, "/step-up")
		w.clock.advance(2 * time.Minute)
		step := url.Values{"return": {m.at}, "way": {"phone"}, "send": {"yes"}}
		b.post("/step-up", step)
		step.Del("send")
		step.Set("code", w.code(a.e164()))
		b.post("/step-up", step).leads(t, m.at)
		b.asks(w, m)
	})
}

// A session from before the account had a second factor is asked for it; who has none
// at all changes with what there is.
func TestAChangeWantsEveryFactorThatThereIs(t *testing.T) {
	w, a := newTown(t), gwen()
	a.phone = ""
	b := w.browser()
	w.upTo(b, a, "phone")
	b.give("phone", url.Values{"no_phone": {"yes"}})
	b.give("name", url.Values{"given_name": {a.given}, "family_name": {a.family}})
	b.give("birth-date", url.Values{"bday-day": {a.day}, "bday-month": {a.month}, "bday-year": {a.year}})
	b.give("nhs-number", url.Values{"nhs_number": {a.number}})
	b.give("password", url.Values{"password": {a.password}})
	b.give("check", url.Values{})
	if got := b.trust(); got != "P0.Cp" {
		t.Fatalf("wanted a password alone, got %s", got)
	}
	if page := b.get("/account/phone").body; !strings.Contains(page, "What is your mobile phone number?") {
		t.Error("a first number is spoken of as a change")
	}
	b.asks(w, moves[1])
	if page := b.get("/account/phone-held").body; !strings.Contains(page, "You log in as before") {
		t.Error("the page speaks of an old number that there is not")
	}
	b.post("/account/second-way", url.Values{}) // a card: from now on there is a second factor
	b.post("/account/email", moves[0].form()).leads(t, "/step-up")
	if got := b.get("/step-up?return=%2Faccount%2Femail"); got.StatusCode != http.StatusOK {
		t.Errorf("wanted the card asked for, got %d", got.StatusCode)
	}
	w.later(day)
	w.clock.advance(time.Minute)
	if got := w.logsIn(a.email, a.password, nextE164).trust(); got != "P0.Cp.Cd" {
		t.Errorf("wanted the first number to be a factor at P0, got %s", got)
	}
}

// A number that was bound at P0 carries no more when the account has risen since, and
// one that was asked for at P5 carries P5.
func TestAPhoneCarriesTheLevelOfTheSessionThatAsked(t *testing.T) {
	w, a := newTown(t), gwen()
	a.phone = "07700900999" // not the one on the entry
	b := w.signUp(a)
	b.asks(w, moves[1])
	acc := w.accountOf(a.email)
	number, err := identity.ParseNHSNumber("9991000003")
	must(t, err)
	_, err = w.Accounts.Raise(t.Context(), acc.ID, identity.Details{NHSNumber: number}, identity.P9, identity.BasisDocuments)
	must(t, err)
	w.later(day)
	phone, err := w.Factors.Phone(t.Context(), acc.ID)
	must(t, err)
	if phone.Level != identity.P0 {
		t.Errorf("wanted P0, got %s", phone.Level)
	}
	w.clock.advance(time.Minute)
	if got := w.logsIn(a.email, a.password, nextE164).trust(); got != "P0.Cp.Cd" {
		t.Errorf("wanted the new number to hold the session down, got %s", got)
	}
}

func TestCodesOfAChangeAreBound(t *testing.T) {
	eachMove(t, func(t *testing.T, w *town, b *browser, m move) {
		a := gwen()
		b.post(m.at, m.form()).leads(t, m.at+"-code")
		right := w.code(m.to)
		give := func(b *browser, code string) page { return b.post(m.at+"-code", url.Values{"code": {code}}) }

		w.clock.advance(2 * time.Minute)
		other := w.logsIn(a.email, a.password, a.e164())
		if got := give(other, right); got.StatusCode != http.StatusSeeOther || got.location(t).Path != m.at {
			t.Errorf("another browser: wanted nothing due there, got %d", got.StatusCode)
		}
		other.post(m.at, url.Values{m.field: {"07700900477"}})
		other.post(m.at, url.Values{m.field: {"elsewhere@example.com"}})
		if got := give(other, right); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("another browser and address: %d", got.StatusCode)
		}
		login := w.browser()
		login.enter(a.email, a.password)
		if got := login.post("/login/email/code", url.Values{"code": {right}}); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("the code of a change logged in: %d", got.StatusCode)
		}
		w.clock.advance(2 * time.Minute)
		if got := give(b, w.code(a.e164())); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("the code of a login was taken for a change: %d", got.StatusCode)
		}
		// The address is changed while its code is under way.
		for _, next := range []string{"07700900478", "second@example.com"} {
			b.post(m.at, url.Values{m.field: {next}})
		}
		if got := give(b, right); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("the code of the first address was taken for the second: %d", got.StatusCode)
		}
		if len(w.stopsOf(m.old(a))) != 0 {
			t.Error("a change waits")
		}
		// The other channel, and nobody's session.
		for _, x := range moves {
			if x.at != m.at {
				b.post(x.at+"-code", url.Values{"code": {right}}).leads(t, x.at)
			}
		}
		b.post("/logout", url.Values{})
		give(b, right).leads(t, "/login")
	})
}

func TestGuessesAtAChangeAreCounted(t *testing.T) {
	eachMove(t, func(t *testing.T, w *town, b *browser, m move) {
		b.post(m.at, m.form())
		right := w.code(m.to)
		for range 5 {
			b.post(m.at+"-code", url.Values{"code": {"000000"}})
		}
		if got := b.post(m.at+"-code", url.Values{"code": {right}}); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("the sixth guess was judged: %d", got.StatusCode)
		}
		w.clock.advance(61 * time.Second)
		b.post(m.at+"-code", url.Values{"resend": {"yes"}})
		var last page
		for range 5 {
			last = b.post(m.at+"-code", url.Values{"code": {"000000"}})
		}
		if last.StatusCode != http.StatusTooManyRequests {
			t.Errorf("wanted ten guesses a day whatever the code, got %d", last.StatusCode)
		}
		if got := b.post(m.at+"-code", url.Values{"code": {w.code(m.to)}}); got.StatusCode != http.StatusTooManyRequests {
			t.Errorf("a code was judged beyond them: %d", got.StatusCode)
		}
	})
}

// An account sends five codes a day to new addresses, whatever browser or address: it
// is no way to fill somebody's inbox, or to spend texts.
func TestAChangeIsNoBomb(t *testing.T) {
	eachMove(t, func(t *testing.T, w *town, b *browser, m move) {
		a := gwen()
		for i := range 8 {
			next := fmt.Sprintf("next%d@example.com", i)
			if m.field == "phone" {
				next = fmt.Sprintf("077009004%d5", i)
			}
			b.post(m.at, url.Values{m.field: {next}}).leads(t, m.at+"-code")
			w.later(5 * time.Minute)
			if i%2 == 0 {
				b = w.logsIn(a.email, a.password, a.e164())
			}
		}
		codes := 0
		for _, m := range w.notify.Messages() {
			if m.To != a.email && m.To != a.e164() {
				codes++
			}
		}
		if codes != 5 {
			t.Errorf("wanted 5, got %d", codes)
		}
	})
}

func TestAChangeRefuses(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	for name, row := range map[string]struct {
		move  move
		typed string
		says  string
	}{
		"her own address":                  {moves[0], a.email, "already. Enter another one"},
		"her own address, written larger":  {moves[0], "GWEN@example.com", "already. Enter another one"},
		"no address":                       {moves[0], "gwen", "Enter an email address"},
		"two addresses":                    {moves[0], "a@example.com,b@example.com@c", "Enter an email address"},
		"her own number":                   {moves[1], a.phone, "already. Enter another one"},
		"her own number, as it is dialled": {moves[1], "+44 (0)7700 900201", "already. Enter another one"},
		"a foreign number":                 {moves[1], "+33 6 12 34 56 78", "UK mobile phone number"},
		"a number of Jersey":               {moves[1], "07797 712345", "UK mobile phone number"},
		"a landline":                       {moves[1], "029 2018 0123", "UK mobile phone number"},
		"no number":                        {moves[1], "O77OO", "Enter a phone number"},
	} {
		got := b.post(row.move.at, url.Values{row.move.field: {row.typed}})
		if got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.body, row.says) {
			t.Errorf("%s: got %d", name, got.StatusCode)
		}
	}
	if all := w.notify.Messages(); slices.ContainsFunc(all, func(m notifystandin.Message) bool { return m.To != a.email && m.To != a.e164() }) {
		t.Error("something was sent")
	}
}

func TestAChangeIsOfOnesOwn(t *testing.T) {
	w := newTown(t)
	nobody, provider := w.browser(), w.browser()
	provider.login("mair-prawf")
	for _, m := range moves {
		for _, path := range []string{m.at, m.at + "-code", m.at + "-held"} {
			nobody.get(path).leads(t, "/login")
			nobody.post(path, m.form()).leads(t, "/login")
			for _, got := range []page{provider.get(path), provider.post(path, m.form())} {
				if got.StatusCode != http.StatusNotFound {
					t.Errorf("%s: a provider's patient got %d", path, got.StatusCode)
				}
			}
		}
	}
}

// An address that has an account gets a mail that says so. Nothing that the one who
// asks can see tells it from any other.
func TestAnAddressThatHasAnAccountIsNotTold(t *testing.T) {
	w := newTown(t)
	w.signUp(gwen())
	w.clock.advance(time.Hour)
	w.signUp(applicant{"mair@example.com", "07700900481", "Mair", "Arwydd", "1", "1", "1990", "999 100 0070", "wobbly teapot sky"})
	b := w.logsIn(gwen().email, gwen().password, gwen().e164())
	ask := func(email string) (page, page) {
		w.later(61 * time.Second)
		asked := b.post("/account/email", url.Values{"email": {email}})
		return asked, b.post("/account/email-code", url.Values{"code": {"000000"}})
	}
	reference := regexp.MustCompile(`DIL-\w+-\w+|[a-z]+@example\.com|\d+:\d\d[ap]m|\d+-\d\d-\d\dT[\d:]+Z`)
	taken, takenCode := ask("mair@example.com")
	free, freeCode := ask("free@example.com")
	if taken.StatusCode != free.StatusCode || taken.Header.Get("Location") != free.Header.Get("Location") || len(taken.Header) != len(free.Header) ||
		takenCode.StatusCode != freeCode.StatusCode || reference.ReplaceAllString(takenCode.body, "") != reference.ReplaceAllString(freeCode.body, "") {
		t.Error("an address that has an account is told from one that has none")
	}
	told := 0
	for _, m := range w.sent("mair@example.com") {
		if strings.Contains(m.Subject+m.Body, "code to change") {
			t.Error("a code was sent")
		}
		if strings.Contains(m.Body, "It already has an account") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("wanted its owner told once, got %d", told)
	}
}

// The change of address that somebody else signs up with meanwhile falls away, and
// its owner is told where they read.
func TestANewAddressThatIsTakenMeanwhile(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	b.asks(w, moves[0])
	w.clock.advance(time.Hour)
	w.signUp(applicant{strings.ToLower(nextEmail), "07700900482", "Mair", "Arwydd", "1", "1", "1990", "999 100 0070", "an other long phrase"})
	n := len(w.sent(nextEmail))
	w.later(day)
	acc := w.accountOf(a.email)
	if dropped := w.events(acc.ID, audit.ContactChangeDropped); len(dropped) != 1 || dropped[0].Cause != "new-address-taken" {
		t.Errorf("wanted it dropped, got %v", dropped)
	}
	if all := w.sent(a.email); !strings.Contains(all[len(all)-1].Body, "They stay as they were") {
		t.Error("its owner was not told")
	}
	if len(w.sent(nextEmail)) != n {
		t.Error("the address that is another's was told")
	}
	w.logsIn(a.email, a.password, a.e164())
	w.clock.advance(2 * time.Minute)
	w.logsIn(nextEmail, "an other long phrase", "+447700900482")
}

// Two accounts wait for one address: the database decides.
func TestTwoChangesToOneAddressRace(t *testing.T) {
	w, a := newTown(t), gwen()
	other := applicant{"mair@example.com", "07700900483", "Mair", "Arwydd", "1", "1", "1990", "999 100 0070", "wobbly teapot sky"}
	one := w.signUp(a)
	two := w.signUp(other)
	one.asks(w, moves[0])
	w.clock.advance(61 * time.Second)
	two.asks(w, moves[0])
	w.clock.advance(day)
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs { // as replicas do
		all.Go(func() { errs[i] = w.Attempts.ApplyChanges(t.Context()) })
	}
	all.Wait()
	for _, err := range errs {
		must(t, err)
	}
	winner := w.accountOf(nextEmail)
	changed, dropped := 0, 0
	for _, id := range []string{one.owner(), two.owner()} {
		changed += len(w.events(id, audit.ContactChanged))
		dropped += len(w.events(id, audit.ContactChangeDropped))
	}
	if changed != 1 || dropped != 1 || len(w.events(winner.ID, audit.ContactChanged)) != 1 {
		t.Errorf("wanted one changed and one dropped, got %d and %d", changed, dropped)
	}
}

// owner is whose session the browser has, or had last.
func (b *browser) owner() string {
	b.t.Helper()
	s, err := b.w.Sessions.Read(b.t.Context(), identity.Secret(b.keeps("dilys")))
	if err != nil && !identity.IsOver(err) {
		b.t.Fatal(err)
	}
	return s.Account
}

func TestTheLinkThatStopsAChange(t *testing.T) {
	eachMove(t, func(t *testing.T, w *town, b *browser, m move) {
		a := gwen()
		b.asks(w, m)
		w.clock.advance(time.Hour)
		thief := w.logsIn(a.email, a.password, a.e164())
		link, stranger := w.stopsOf(m.old(a))[0], w.browser()
		if to := stranger.get(link).location(t); to.Path != "/stop-change" || to.RawQuery != "" {
			t.Fatalf("the token stayed in the address: %s", to)
		}
		if got := stranger.get("/stop-change"); got.StatusCode != http.StatusOK || strings.Contains(got.body, nextPhone) || strings.Contains(got.body, nextEmail) {
			t.Errorf("wanted a page without the address, got %d", got.StatusCode)
		}
		if got := stranger.send(http.MethodPost, "/stop-change", url.Values{}, http.Header{"Sec-Fetch-Site": {"cross-site"}}); got.StatusCode != http.StatusForbidden {
			t.Errorf("another site stopped it: %d", got.StatusCode)
		}
		w.browser().post("/stop-change", url.Values{}) // without the link
		if got := w.browser().get("/stop/" + identity.NewToken().Reveal()); got.StatusCode != http.StatusSeeOther {
			t.Errorf("a link of nobody's: %d", got.StatusCode)
		}
		if page := thief.get("/account").body; !strings.Contains(page, m.at+"-held") {
			t.Fatal("a GET, or somebody else, stopped it")
		}
		done := stranger.post("/stop-change", url.Values{})
		if done.StatusCode != http.StatusOK || thief.loggedIn() {
			t.Fatalf("wanted it stopped and everybody logged out, got %d", done.StatusCode)
		}
		stranger.mustNotLogIn(done)
		for _, again := range []page{stranger.post("/stop-change", url.Values{}), stranger.get("/stop-change")} {
			if again.StatusCode != http.StatusGone {
				t.Errorf("stopped twice: wanted nothing to stop, got %d", again.StatusCode)
			}
		}
		b.get(link)
		if got := b.get("/stop-change"); got.StatusCode != http.StatusGone {
			t.Errorf("the link again: got %d", got.StatusCode)
		}
		acc := w.accountOf(a.email)
		stopped := w.events(acc.ID, audit.ContactChangeStopped)
		if len(stopped) != 1 || stopped[0].Cause != "stopped-by-link" || !strings.Contains(done.body, stopped[0].Reference) || stopped[0].Reference == "" {
			t.Errorf("wanted the reference to tell it, got %v", stopped)
		}
		w.later(2 * day)
		if len(w.events(acc.ID, audit.ContactChanged)) != 0 {
			t.Error("what was stopped took place")
		}
		w.logsIn(a.email, a.password, a.e164())
	})
}

func TestAChangeIsStoppedOnThePage(t *testing.T) {
	eachMove(t, func(t *testing.T, w *town, b *browser, m move) {
		a := gwen()
		b.asks(w, m)
		w.clock.advance(20 * time.Minute) // no fresh login is needed to keep what is
		link := w.stopsOf(m.old(a))[0]
		other := w.signUp(applicant{"mair@example.com", "07700900484", "Mair", "Arwydd", "1", "1", "1990", "999 100 0070", "wobbly teapot sky"})
		other.post(m.at+"-held", url.Values{})
		if page := b.get("/account").body; !strings.Contains(page, m.at+"-held") {
			t.Fatal("another patient stopped it")
		}
		b.post(m.at+"-held", url.Values{}).leads(t, "/account")
		b.post(m.at+"-held", url.Values{}).leads(t, "/account")
		b.get(m.at+"-held").leads(t, "/account")
		if !b.loggedIn() || strings.Contains(b.get("/account").body, m.at+"-held") {
			t.Error("wanted the change gone and the session not")
		}
		w.browser().get(link).leads(t, "/stop-change")
		w.later(day)
		acc := w.accountOf(a.email)
		if n := len(w.events(acc.ID, audit.ContactChangeStopped)); n != 1 || len(w.events(acc.ID, audit.ContactChanged)) != 0 {
			t.Errorf("wanted it stopped once, got %d", n)
		}
		if all := w.sent(a.email); !strings.Contains(all[len(all)-1].Body, "They stay as they were") {
			t.Error("nobody was told")
		}
	})
}

func TestANewerChangeTakesThePlace(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	b.asks(w, moves[0])
	first := w.stopsOf(a.email)[0]
	w.clock.advance(9 * time.Minute)
	newer := move{"e-mail", "/account/email", "email", "third@example.com", "third@example.com", nil}
	if page := b.get("/account/email").body; !strings.Contains(page, "You asked for a change already") {
		t.Error("the page does not say that one waits")
	}
	b.asks(w, newer)
	stale := w.browser()
	stale.get(first)
	if got := stale.post("/stop-change", url.Values{}); got.StatusCode != http.StatusGone {
		t.Errorf("the link of the first stopped the second: %d", got.StatusCode)
	}
	w.later(day - time.Minute)
	w.accountOf(a.email) // the first one's time is over, and it is none any more
	w.later(time.Minute)
	w.accountOf("third@example.com")
}

// Both addresses at once: the first that takes place does not end the other.
func TestBothChangesWait(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	b.asks(w, moves[0])
	w.clock.advance(5 * time.Minute)
	b.asks(w, moves[1])
	for _, c := range b.heldPaths() {
		if got := b.get(c); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", c, got.StatusCode)
		}
	}
	if n := len(b.heldPaths()); n != 2 {
		t.Fatalf("wanted both shown, got %d", n)
	}
	w.later(day - 5*time.Minute)
	w.logsIn(nextEmail, a.password, a.e164())
	w.later(5 * time.Minute)
	w.clock.advance(2 * time.Minute)
	w.logsIn(nextEmail, a.password, nextE164)
}

func (b *browser) heldPaths() []string {
	b.t.Helper()
	return slices.Compact(slices.Sorted(slices.Values(regexp.MustCompile(`/account/\w+-held`).FindAllString(b.get("/account").body, -1))))
}

// One link stops all that waits: who reads it says that somebody else is logged in.
func TestTheLinkStopsBoth(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	for _, m := range moves {
		b.asks(w, m)
		w.clock.advance(2 * time.Minute)
	}
	b.get(w.stopsOf(a.e164())[0])
	if done := b.post("/stop-change", url.Values{}); b.keeps("dilys") != "" || strings.Contains(done.body, "Stay logged in") {
		t.Error("a session that is over is spoken of as if it went on")
	}
	w.later(2 * day)
	acc := w.accountOf(a.email)
	if n := len(w.events(acc.ID, audit.ContactChanged)); n != 0 {
		t.Errorf("wanted nothing changed, got %d", n)
	}
	w.logsIn(a.email, a.password, a.e164())
}

// What ends all that is open of an account ends what waits (pre-hijack by a pending
// change): it is never made, and comes back with nothing.
func TestWhatEndsAChange(t *testing.T) {
	for name, row := range map[string]struct {
		end  func(w *town, b *browser, id string)
		told bool
	}{
		"a new password": {func(w *town, _ *browser, _ string) {
			a := gwen()
			w.clock.advance(time.Hour)
			b := w.browser()
			b.post("/recover", url.Values{"email": {a.email}})
			link := ""
			for _, m := range w.sent(a.email) {
				link += resetLink.FindString(m.Body)
			}
			b.get(link)
			b.post("/recover/link", url.Values{})
			b.post("/recover/factor", url.Values{"code": {w.code(a.e164())}})
			b.post("/recover/password", url.Values{"password": {"an other long phrase"}}).leads(w.t, "/recover/done")
		}, true},
		"the patient's alarm": {func(_ *town, b *browser, _ string) {
			b.post("/account/activity/not-me", url.Values{"event": {b.doubts()[0]}})
		}, true},
		"signed out by an operator": {func(w *town, _ *browser, id string) {
			must(w.t, w.Accounts.SignOut(w.t.Context(), id, "operator:test", "lost laptop"))
		}, true},
		"disabled": {func(w *town, _ *browser, id string) {
			must(w.t, w.Accounts.Disable(w.t.Context(), id, "operator:test", "lost laptop"))
		}, false},
		"disabled, and enabled before its time": {func(w *town, _ *browser, id string) {
			must(w.t, w.Accounts.Disable(w.t.Context(), id, "operator:test", "lost laptop"))
			must(w.t, w.Accounts.Enable(w.t.Context(), id, "operator:test", "found again"))
		}, true},
	} {
		for _, m := range moves {
			t.Run(strings.ReplaceAll(name, " ", "-")+"/"+m.name, func(t *testing.T) {
				w, a := newTown(t), gwen()
				b := w.signUp(a)
				b.asks(w, m)
				acc := w.accountOf(a.email)
				row.end(w, b, acc.ID)
				link := w.stopsOf(m.old(a))[0]
				stranger := w.browser()
				stranger.get(link)
				if got := stranger.post("/stop-change", url.Values{}); got.StatusCode != http.StatusGone {
					t.Errorf("its link still stops something: %d", got.StatusCode)
				}
				n := len(w.sent(a.email))
				w.later(time.Minute)
				dropped := w.events(acc.ID, audit.ContactChangeDropped)
				if len(dropped) != 1 || dropped[0].Cause != "account-changed-since" {
					t.Errorf("wanted it dropped at once, got %v", dropped)
				}
				if told := len(w.sent(a.email)) > n; told != row.told {
					t.Errorf("told: %t", told)
				}
				w.later(2 * day)
				if got := len(w.events(acc.ID, audit.ContactChanged)); got != 0 {
					t.Error("it took place")
				}
				if w.accountOf(a.email).ID != acc.ID {
					t.Error("the address moved")
				}
			})
		}
	}
}

// A session that ends between the code and its answer changes nothing.
func TestACodeOfASessionThatIsOver(t *testing.T) {
	eachMove(t, func(t *testing.T, w *town, b *browser, m move) {
		a := gwen()
		b.post(m.at, m.form())
		code := w.code(m.to)
		must(t, w.Accounts.SignOut(t.Context(), w.accountOf(a.email).ID, "operator:test", "lost laptop"))
		b.post(m.at+"-code", url.Values{"code": {code}}).leads(t, "/login")
		w.clock.advance(2 * time.Minute)
		b.enter(a.email, a.password)
		b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
		b.post(m.at+"-code", url.Values{"code": {code}}).leads(t, m.at)
		if len(w.stopsOf(m.old(a))) != 0 {
			t.Error("a change waits")
		}
	})
}

// What was used is used: its code, its link and its time.
func TestAChangeIsAppliedOnce(t *testing.T) {
	eachMove(t, func(t *testing.T, w *town, b *browser, m move) {
		a := gwen()
		b.post(m.at, m.form())
		code := w.code(m.to)
		b.post(m.at+"-code", url.Values{"code": {code}}).leads(t, m.at+"-held")
		b.post(m.at+"-code", url.Values{"code": {code}}).leads(t, m.at)
		link, id := w.stopsOf(m.old(a))[0], w.accountOf(a.email).ID
		w.later(day)
		w.later(time.Minute)
		stranger := w.browser()
		stranger.get(link)
		if got := stranger.post("/stop-change", url.Values{}); got.StatusCode != http.StatusGone {
			t.Errorf("the link still stops something: %d", got.StatusCode)
		}
		acc, err := w.Accounts.Account(t.Context(), id)
		must(t, err)
		if n := len(w.events(id, audit.ContactChanged)); n != 1 || acc.Epoch != 2 {
			t.Errorf("wanted it applied once, got %d in epoch %d", n, acc.Epoch)
		}
		got, _ := acc.Own()
		if m.field == "email" && got.Details.Email.Reveal() != nextEmail || m.field == "phone" && got.Details.Phone.Canonical() != nextE164 ||
			!got.Details.EmailVerified || !got.Details.PhoneVerified {
			t.Error("another address is kept")
		}
	})
}

// Where the old addresses can't be told, nothing is changed.
func TestAChangeWaitsForTheCouriers(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	must(t, w.DB.Outbox().Stand(t.Context(), identity.ByEmail, outbox.Standing{}, outbox.Standing{Since: w.clock.Now(), Until: w.clock.Now().Add(time.Hour)}))
	for _, m := range moves {
		if got := b.get(m.at); got.StatusCode != http.StatusOK || strings.Contains(got.body, `name="`+m.field+`"`) {
			t.Errorf("%s: wanted the page to say so, got %d", m.name, got.StatusCode)
		}
		if got := b.post(m.at, m.form()); got.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: wanted it refused, got %d", m.name, got.StatusCode)
		}
	}
}

// The log holds none of what was typed, sent or shown, and no link.
func TestAChangeIsNotInTheLog(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	for _, m := range moves {
		b.asks(w, m)
		w.clock.advance(2 * time.Minute)
	}
	link := w.stopsOf(a.email)[0]
	b.get(link)
	b.get("/stop-change")
	w.later(day)
	for _, secret := range []string{nextEmail, strings.ToLower(nextEmail), "900455", strings.TrimPrefix(link, "/stop/"), w.code(nextE164)} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds what it must not: %.5s…", secret)
		}
	}
}

// Who was let back in by people asks for a new e-mail address with what they have, and
// it waits as long as all that was set up since: whoever talked staff into it moves
// none before that. (A phone is bound at once, and held.)
func TestAChangeAfterARecoveryWaitsLonger(t *testing.T) {
	w, a, m := newTown(t), gwen(), moves[0]
	id := w.signUp(a).owner()
	w.clock.advance(20 * time.Minute)
	back := w.browser()
	back.enter(a.email, a.password)
	back.letIn(w.recoveryCode(id))
	w.clock.advance(5 * time.Minute)
	if page := back.get(m.at).body; !strings.Contains(page, "or later, because we let you back") {
		t.Error("the page does not say that it takes longer")
	}
	if page := back.get("/account/phone").body; !strings.Contains(page, "as soon as you enter the code") || strings.Contains(page, "24 hours after") {
		t.Error("the page does not say that a number counts at once")
	}
	back.asks(w, m)
	w.clock.advance(2 * time.Minute)
	code := back.makeCard()[0]
	held := w.browser()
	held.enter(a.email, a.password)
	held.post("/login/email/card", url.Values{"card_code": {code}})
	if held.owner() != id {
		t.Fatal("wanted to be logged in by the new card")
	}
	held.get(m.at).leads(t, "/account/regained")
	held.post(m.at, m.form()).leads(t, "/account/regained")

	w.later(72*time.Hour - 7*time.Minute - time.Second)
	if len(w.events(id, audit.ContactChanged)) != 0 {
		t.Fatal("it took place within the hold")
	}
	w.later(time.Second)
	if len(w.events(id, audit.ContactChanged)) != 1 {
		t.Error("it did not take place after the hold")
	}
}
