package service_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/store/storetest"
)

// app is an authenticator app that knows nothing of ours but the standard
// (RFC 6238, RFC 4226 §5.3).
type app struct {
	seed  string
	clock *clock
}

// code is what it shows, that many steps from now.
func (a app) code(steps int64) string {
	key, err := base32.StdEncoding.DecodeString(a.seed)
	if err != nil {
		panic(err)
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(a.clock.Now().Unix()/30+steps))
	mac := hmac.New(sha1.New, key)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1_000_000)
}

var shownKey = regexp.MustCompile(`dilys-key">([A-Z2-7]{4}(?: [A-Z2-7]{4}){7})<`)

// keyOf returns the key that a page shows, or nothing.
func keyOf(p page) string {
	found := shownKey.FindStringSubmatch(p.body)
	if found == nil {
		return ""
	}
	return strings.ReplaceAll(found[1], " ", "")
}

// scan begins to set an app up in that browser, and returns the app that took the key
// from the page.
func (b *browser) scan() app {
	b.t.Helper()
	got := b.post("/account/authenticator", url.Values{})
	key := keyOf(got)
	if got.StatusCode != http.StatusOK || key == "" {
		b.t.Fatalf("wanted a key to scan, got %d %s", got.StatusCode, got.Header.Get("Location"))
	}
	return app{key, b.w.clock}
}

// bind sets an app up, and lets the step of its first code pass.
func (b *browser) bind() app {
	b.t.Helper()
	a := b.scan()
	if got := b.post("/account/authenticator/code", url.Values{"code": {a.code(0)}}); got.StatusCode != http.StatusOK {
		b.t.Fatalf("wanted the app bound, got %d", got.StatusCode)
	}
	b.w.clock.advance(30 * time.Second)
	return a
}

// withApp is a patient of P5 who has an app beside her phone, and is logged out.
func withApp(t *testing.T, options ...option) (*town, applicant, app) {
	t.Helper()
	w, a := newTown(t, options...), gwen()
	b := w.signUp(a)
	phone := b.bind()
	b.post("/logout", url.Values{})
	w.clock.advance(time.Hour)
	return w, a, phone
}

// halfway is a browser that gave the right password.
func (w *town) halfway(a applicant) *browser {
	w.t.Helper()
	b := w.browser()
	if got := b.enter(a.email, a.password); got.StatusCode != http.StatusSeeOther || b.loggedIn() {
		w.t.Fatalf("wanted the second factor asked for, got %d", got.StatusCode)
	}
	return b
}

func (b *browser) giveApp(code string) page {
	return b.post("/login/email/app", url.Values{"code": {code}})
}

// replica starts the service once more over the same database, and returns how a
// browser speaks to that one.
func (w *world) replica() func(*browser) *browser {
	w.t.Helper()
	s, err := service.New(w.t.Context(), w.Config, service.Options{Now: w.clock.Now, Version: "test", Log: slog.New(slog.NewJSONHandler(w.log, nil))})
	must(w.t, err)
	w.t.Cleanup(func() { _ = s.Close() })
	address := strings.TrimPrefix(w.listen(s.Front.ServeHTTP), "http://")
	return func(b *browser) *browser {
		client := *b.client
		client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}}
		return &browser{w: b.w, t: b.t, client: &client, header: b.header}
	}
}

// winners runs all of them at once and returns how many said yes.
func winners(all ...func() bool) int {
	var won atomic.Int64
	tries := make([]func(), len(all))
	for i, f := range all {
		tries[i] = func() {
			if f() {
				won.Add(1)
			}
		}
	}
	together(tries...)
	return int(won.Load())
}

func TestF1OneStepLogsInOnceOnTwoReplicas(t *testing.T) {
	w, a, phone := withApp(t, onDatabase(storetest.Postgres(t)))
	other := w.replica()
	var tries []func() bool
	code := phone.code(0)
	for i := range 8 {
		b := w.halfway(a)
		if i%2 == 1 {
			b = other(b)
		}
		tries = append(tries, func() bool { return b.giveApp(code).StatusCode == http.StatusSeeOther && b.loggedIn() })
	}
	if won := winners(tries...); won != 1 {
		t.Errorf("wanted one of %d let in, got %d", len(tries), won)
	}
	w.clock.advance(25 * time.Hour) // the day's guesses are spent
	if got := other(w.halfway(a)).giveApp(phone.code(0)); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the next code: wanted it taken at the other replica, got %d", got.StatusCode)
	}
}

// The code of one step is one code, wherever it is given.
func TestF1OneStepIsGoodAtOneDoor(t *testing.T) {
	w, a, phone := withApp(t, onDatabase(storetest.Postgres(t)), withPortal(handingIn))
	other := w.replica()

	open := w.halfway(a)
	open.giveApp(phone.code(0))
	w.clock.advance(20 * time.Minute)
	q := url.Values{"request": {open.get(asksToHandIn("max_age", "600")).location(t).Query().Get("request")}}
	login := w.halfway(a)
	reset := w.resetting(a)

	code := phone.code(0)
	led := func(p page, path string) bool {
		return p.StatusCode == http.StatusSeeOther && p.location(t).Path == path
	}
	won := winners(
		func() bool { return led(open.post("/step-up", withWay(q, "way", "totp", "code", code)), "/authorize") },
		func() bool { return led(other(login).giveApp(code), "/account/second-way") || login.loggedIn() },
		func() bool {
			return led(other(reset).post("/recover/factor?way=totp", url.Values{"code": {code}}), "/recover/password")
		},
	)
	if won != 1 {
		t.Errorf("wanted one of three doors opened, got %d", won)
	}
}

// resetting is a browser in which the link of a forgotten password was followed.
func (w *town) resetting(a applicant) *browser {
	w.t.Helper()
	b := w.browser()
	b.post("/recover", url.Values{"email": {a.email}})
	link := ""
	for _, m := range w.sent(a.email) {
		if found := resetLink.FindString(m.Body); found != "" {
			link = found
		}
	}
	b.get(link)
	b.post("/recover/link", url.Values{})
	return b
}

func TestF2StepsAndClocks(t *testing.T) {
	w, a, phone := withApp(t)
	for _, row := range []struct {
		name  string
		moved time.Duration // the clock, before
		code  func() string
		want  int
	}{
		{"two steps old", 0, func() string { return phone.code(-2) }, http.StatusUnprocessableEntity},
		{"two steps ahead", 0, func() string { return phone.code(2) }, http.StatusUnprocessableEntity},
		{"one step old", 0, func() string { return phone.code(-1) }, http.StatusSeeOther},
		{"the same again", 0, func() string { return phone.code(-1) }, http.StatusUnprocessableEntity},
		{"one step ahead", 0, func() string { return phone.code(1) }, http.StatusSeeOther},
		{"the present one, after the next", 0, func() string { return phone.code(0) }, http.StatusUnprocessableEntity},
		{"our clock set back: the code of then", -30 * time.Second, func() string { return phone.code(1) }, http.StatusUnprocessableEntity},
		{"our clock set back: the step after", 0, func() string { return phone.code(1) }, http.StatusUnprocessableEntity},
		{"our clock right again", 2 * time.Minute, func() string { return phone.code(0) }, http.StatusSeeOther},
	} {
		w.clock.advance(row.moved)
		if got := w.halfway(a).giveApp(row.code()); got.StatusCode != row.want {
			t.Errorf("%s: wanted %d, got %d", row.name, row.want, got.StatusCode)
		}
	}
}

func TestF3TheSeedIsShownOnce(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	got := b.post("/account/authenticator", url.Values{})
	key := keyOf(got)
	if key == "" || got.Header.Get("Cache-Control") != "no-store" || !strings.Contains(got.body, `role="img"`) {
		t.Fatalf("wanted the key and a drawing of it, in no cache, got %d", got.StatusCode)
	}
	link := regexp.MustCompile(`href="(otpauth://[^"]+)"`).FindStringSubmatch(got.body)
	if link == nil {
		t.Fatal("wanted a link for an app on the same device")
	}
	at, err := url.Parse(strings.ReplaceAll(link[1], "&amp;", "&"))
	must(t, err)
	if at.Query().Get("secret") != key || at.Host != "totp" || at.Path != "/Example Health Board:"+a.email || at.Query().Get("issuer") != "Example Health Board" {
		t.Errorf("got the link %s", at.Redacted())
	}
	if wrong := b.post("/account/authenticator/code", url.Values{"code": {"000000"}}); wrong.StatusCode != http.StatusUnprocessableEntity || strings.Contains(wrong.body, key[:4]+" "+key[4:8]) {
		t.Errorf("a wrong code: wanted another asked for, without the key, got %d", wrong.StatusCode)
	}
	for _, path := range []string{"/account/authenticator", "/account/authenticator/code", "/account/two-step", "/account", "/account/authenticator/code?lang=cy"} {
		if again := b.get(path); again.StatusCode != http.StatusOK || strings.Contains(again.body, key[:4]+" "+key[4:8]) || strings.Contains(again.body, key) {
			t.Errorf("%s: wanted the page without the key, got %d", path, again.StatusCode)
		}
	}
	if log := w.log.String(); strings.Contains(log, key) || strings.Contains(log, "otpauth") {
		t.Error("the log has the key")
	}
	if got := b.post("/account/authenticator/code", url.Values{"code": {app{key, w.clock}.code(0)}}); got.StatusCode != http.StatusOK || b.get("/account/authenticator/code").StatusCode != http.StatusSeeOther {
		t.Errorf("wanted the app bound, and nothing left to confirm, got %d", got.StatusCode)
	}
	if w.told(a, "authenticator app was set up") != 1 {
		t.Error("the patient was not told")
	}
}

// told counts the mails to the patient that say so.
func (w *town) told(a applicant, what string) (n int) {
	w.t.Helper()
	for _, m := range w.sent(a.email) {
		if strings.Contains(m.Body, what) {
			n++
		}
	}
	return n
}

func TestF3TheOldAppWorksUntilTheNewOneDoes(t *testing.T) {
	w, a, old := withApp(t)
	b := w.halfway(a)
	b.giveApp(old.code(0))
	w.clock.advance(30 * time.Second)
	fresh := b.scan()
	if got := w.halfway(a).giveApp(fresh.code(0)); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the new app opened before it was confirmed: %d", got.StatusCode)
	}
	if got := w.halfway(a).giveApp(old.code(0)); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the old app was cut off before the new one was confirmed: %d", got.StatusCode)
	}
	if got := b.post("/account/authenticator/code", url.Values{"code": {old.code(1)}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the old app confirmed the new one: %d", got.StatusCode)
	}
	b.post("/account/authenticator/code", url.Values{"code": {fresh.code(0)}})
	w.clock.advance(time.Minute)
	if got := w.halfway(a).giveApp(old.code(0)); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the old app still opens: %d", got.StatusCode)
	}
	if got := w.halfway(a).giveApp(fresh.code(0)); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the new app does not open: %d", got.StatusCode)
	}
}

// What was shown in one session is bound in that session, and soon.
func TestF3AnAppIsBoundWhereItWasShown(t *testing.T) {
	for name, change := range map[string]func(*town, applicant, *browser) *browser{
		"after half an hour": func(w *town, _ applicant, b *browser) *browser {
			w.clock.advance(20 * time.Minute)
			b.get("/account") // still there
			w.clock.advance(11 * time.Minute)
			return b
		},
		"in the next session of that browser": func(w *town, a applicant, b *browser) *browser {
			b.post("/logout", url.Values{})
			w.clock.advance(2 * time.Minute)
			b.enter(a.email, a.password)
			b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
			return b
		},
		"in another browser of the patient's": func(w *town, a applicant, _ *browser) *browser {
			w.clock.advance(2 * time.Minute)
			other := w.halfway(a)
			other.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
			return other
		},
		"after everything was logged out": func(w *town, _ applicant, b *browser) *browser {
			must(w.t, w.Accounts.SignOut(w.t.Context(), b.get("/check").Header.Get("Dilys-Subject"), "operator:test", "lost laptop"))
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, a := newTown(t), gwen()
			b := w.signUp(a)
			phone := b.scan()
			there := change(w, a, b)
			if got := there.post("/account/authenticator/code", url.Values{"code": {phone.code(0)}}); got.StatusCode != http.StatusSeeOther {
				t.Errorf("wanted it begun anew, got %d", got.StatusCode)
			}
			w.clock.advance(2 * time.Minute)
			late := w.halfway(a)
			if got := late.giveApp(phone.code(0)); got.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("the app was bound: %d", got.StatusCode)
			}
		})
	}
}

// The browser's value alone, with a session of the same patient that is not the one
// which was shown the seed, binds nothing.
func TestF3AnAppIsBoundInItsSessionAlone(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	phone := b.scan()
	w.clock.advance(2 * time.Minute)
	other := w.halfway(a)
	other.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
	confirm := func(secret string) error {
		s, err := w.Sessions.Read(t.Context(), identity.Secret(secret))
		must(t, err)
		return w.Attempts.ConfirmApp(t.Context(), identity.Secret(b.keeps("dilys-browser")), s, identity.Secret(phone.code(0)))
	}
	if err := confirm(other.keeps("dilys")); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("wanted nothing to confirm, got %v", err)
	}
	must(t, confirm(b.keeps("dilys")))
}

// A change of the factors wants both halves of the login, proved lately.
func TestF3WhoMayChangeFactors(t *testing.T) {
	w, a := newTown(t), gwen()
	a.phone = ""
	bare := w.signUpBare(a)
	half := w.browser()
	half.enter(a.email, a.password) // the password alone: there is nothing else yet
	if !half.loggedIn() {
		t.Fatal("wanted a session by the password alone")
	}
	phone := bare.bind()
	changes := map[string]string{
		"an app": "/account/authenticator", "a card": "/account/second-way", "no app": "/account/authenticator/remove", "what comes first": "/account/two-step",
	}
	refused := func(b *browser, who string) {
		t.Helper()
		for what, path := range changes {
			if got := b.post(path, url.Values{"way": {"totp"}}); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/step-up" {
				t.Errorf("%s, %s: wanted one proof more asked for, got %d", who, what, got.StatusCode)
			}
		}
	}
	refused(half, "the password alone, of before the app came")
	step := half.get("/step-up?return=/account/authenticator")
	if step.StatusCode != http.StatusOK || !strings.Contains(step.body, `value="totp"`) {
		t.Fatalf("wanted the app's code asked for, got %d", step.StatusCode)
	}
	if got := half.post("/step-up", url.Values{"return": {"/account/authenticator"}, "way": {"totp"}, "code": {phone.code(0)}}); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/account/authenticator" {
		t.Errorf("wanted to go on where it was asked, got %d", got.StatusCode)
	}
	if keyOf(half.post("/account/authenticator", url.Values{})) == "" {
		t.Error("wanted the change allowed with both halves")
	}
	w.clock.advance(11 * time.Minute)
	refused(bare, "eleven minutes later")
	w.clock.advance(30 * time.Second)
	known := w.halfway(a)
	known.post("/login/email/app", url.Values{"code": {phone.code(0)}, "remember": {"yes"}})
	known.post("/logout", url.Values{})
	known.enter(a.email, a.password)
	if !known.loggedIn() {
		t.Fatal("wanted the browser remembered")
	}
	refused(known, "a remembered browser")
}

// signUpBare signs up without a phone.
func (w *town) signUpBare(a applicant) *browser {
	w.t.Helper()
	b := w.browser()
	w.upTo(b, a, "phone")
	b.give("phone", url.Values{"no_phone": {"yes"}})
	for _, step := range []struct {
		page string
		form url.Values
	}{
		{"name", url.Values{"given_name": {a.given}, "family_name": {a.family}}},
		{"birth-date", url.Values{"bday-day": {a.day}, "bday-month": {a.month}, "bday-year": {a.year}}},
		{"nhs-number", url.Values{"nhs_number": {a.number}}},
		{"password", url.Values{"password": {a.password}}},
		{"check", url.Values{}},
	} {
		b.give(step.page, step.form)
	}
	return b
}

var cardCode = regexp.MustCompile(`dilys-code">([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2})<`)

// makeCard makes a card in that browser and returns its codes.
func (b *browser) makeCard() (codes []string) {
	b.t.Helper()
	got := b.post("/account/second-way", url.Values{})
	for _, found := range cardCode.FindAllStringSubmatch(got.body, -1) {
		codes = append(codes, found[1])
	}
	if got.StatusCode != http.StatusOK || len(codes) != 10 {
		b.t.Fatalf("wanted ten codes, got %d of status %d", len(codes), got.StatusCode)
	}
	return codes
}

func (b *browser) giveCard(code string) page {
	return b.post("/login/email/card", url.Values{"card_code": {code}})
}

func TestF4CodesOfTheCard(t *testing.T) {
	w, a, phone := withApp(t, onDatabase(storetest.Postgres(t)))
	b := w.halfway(a)
	b.giveApp(phone.code(0))
	first := b.makeCard() // by a session that the app opened
	other := w.replica()

	var tries []func() bool
	for i := range 6 {
		half := w.halfway(a)
		if i%2 == 1 {
			half = other(half)
		}
		tries = append(tries, func() bool { return half.giveCard(first[0]).StatusCode == http.StatusSeeOther && half.loggedIn() })
	}
	if won := winners(tries...); won != 1 {
		t.Errorf("wanted one of %d let in by one code, got %d", len(tries), won)
	}
	w.clock.advance(25 * time.Hour) // the day's guesses are over
	if got := w.halfway(a).giveCard(first[0]); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a code was used again: %d", got.StatusCode)
	}
	byCard := w.halfway(a)
	byCard.giveCard(strings.ToLower(strings.ReplaceAll(first[1], "-", " ")))
	if got := byCard.trust(); got != "P5.Cp.Cd" {
		t.Fatalf("wanted P5.Cp.Cd by a card's code, got %q", got)
	}
	second := byCard.makeCard() // by a session that the card opened
	if got := w.halfway(a).giveCard(first[2]); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a code of the card before was taken: %d", got.StatusCode)
	}
	if got := w.halfway(a).giveCard(second[0]); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a code of the new card: wanted it taken, got %d", got.StatusCode)
	}
}

func TestF4GuessesAtTheCardAreLimited(t *testing.T) {
	w, a, phone := withApp(t)
	b := w.halfway(a)
	b.giveApp(phone.code(0))
	codes := b.makeCard()
	guesser := w.halfway(a)
	var last page
	for range 10 {
		last = guesser.giveCard("AAAA-CCCC-DDDD-EE")
	}
	if last.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("wanted ten guesses judged, got %d", last.StatusCode)
	}
	if got := guesser.giveCard(codes[0]); got.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the eleventh guess of the day was judged: %d", got.StatusCode)
	}
	w.clock.advance(30 * time.Second)
	if got := w.halfway(a).giveApp(phone.code(0)); got.StatusCode != http.StatusSeeOther {
		t.Errorf("guesses at the card locked the app: %d", got.StatusCode)
	}
	w.clock.advance(25 * time.Hour)
	if got := w.halfway(a).giveCard(codes[0]); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the next day: wanted the code taken, got %d", got.StatusCode)
	}
}

func TestAnAppLogsIn(t *testing.T) {
	w, a, phone := withApp(t, withPortal(handingIn))
	texts := len(w.sent(a.e164()))
	b := w.browser()
	if to := b.enter(a.email, a.password).location(t); to.Path != "/login/email/app" {
		t.Fatalf("wanted the app asked for first, got %s", to.Path)
	}
	if len(w.sent(a.e164())) != texts {
		t.Error("a text was sent that nobody asked for")
	}
	for _, path := range []string{"/login/email/code", "/login/email/card"} { // not sent, and not there
		if got := b.get(path); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/login/email/app" {
			t.Errorf("%s: wanted to be led to what is due, got %d", path, got.StatusCode)
		}
	}
	b.mustNotLogIn(b.giveApp("12345"))
	b.giveApp(phone.code(0)[:3] + " " + phone.code(0)[3:])
	if got := b.trust(); got != "P5.Cp.Ck" {
		t.Fatalf("wanted P5.Cp.Ck, got %q", got)
	}
	claims := w.handsIn(b, "handing-in")
	if claims["acr"] != "P5.Cp.Ck" || fmt.Sprint(claims["amr"]) != "[pwd otp mfa]" {
		t.Errorf("got acr %v, amr %v", claims["acr"], claims["amr"])
	}
}

// handsIn brings the browser to that portal, and returns what its ID token says.
func (w *town) handsIn(b *browser, portal string) map[string]any {
	w.t.Helper()
	code := b.get(asksToHandIn("client_id", portal)).location(w.t).Query().Get("code")
	if code == "" {
		w.t.Fatal("the portal was given no code")
	}
	got := w.browser().send(http.MethodPost, "/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"http://127.0.0.1:9/in"}, "code_verifier": {verifier}, "client_id": {portal},
	}, nil)
	var all tokens
	must(w.t, json.Unmarshal([]byte(got.body), &all))
	return claimsOf(w.t.(*testing.T), all.IDToken)
}

func TestWaysAreSwitched(t *testing.T) {
	w, a, phone := withApp(t)
	texts := len(w.sent(a.e164()))
	b := w.halfway(a)
	if got := b.get("/login/email/app"); strings.Contains(got.body, "printed card") || !strings.Contains(got.body, `action="/login/email/code"`) {
		t.Errorf("wanted the ways that there are offered, and no other")
	}
	got := b.post("/login/email/code", url.Values{"resend": {"yes"}})
	if got.StatusCode != http.StatusOK || len(w.sent(a.e164())) != texts+1 || strings.Contains(got.body, "new code. Older") {
		t.Fatalf("wanted a text, the first one, got %d", got.StatusCode)
	}
	if back := b.get("/login/email/app"); !strings.Contains(back.body, `href="/login/email/code"`) {
		t.Error("wanted the way back to the text that was sent")
	}
	if got := b.post("/login/email/code", url.Values{"code": {phone.code(0)}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the app's code was taken for the text's: %d", got.StatusCode)
	}
	if got := b.giveApp(w.code(a.e164())); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the text's code was taken for the app's: %d", got.StatusCode)
	}
	b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
	if got := b.trust(); got != "P5.Cp.Cd" {
		t.Errorf("wanted P5.Cp.Cd, got %q", got)
	}
	if got := b.post("/account/two-step", url.Values{"way": {"phone"}}); got.StatusCode != http.StatusOK {
		t.Fatalf("wanted the choice kept, got %d", got.StatusCode)
	}
	for _, way := range []string{"card", "email", "browser", ""} {
		if got := b.post("/account/two-step", url.Values{"way": {way}}); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%q: wanted it refused, got %d", way, got.StatusCode)
		}
	}
	w.clock.advance(time.Hour)
	if to := w.browser().enter(a.email, a.password).location(t); to.Path != "/login/email/code" {
		t.Errorf("wanted the text asked for first by now, got %s", to.Path)
	}
}

func TestAForgottenPasswordByTheApp(t *testing.T) {
	w, a, phone := withApp(t)
	texts := len(w.sent(a.e164()))
	b := w.resetting(a)
	if len(w.sent(a.e164())) != texts {
		t.Error("a text was sent that nobody asked for")
	}
	page := b.get("/recover/factor")
	if !strings.Contains(page.body, `action="/recover/factor?way=totp"`) {
		t.Fatal("wanted the app's code asked for")
	}
	if got := b.post("/recover/factor?way=card", url.Values{"card_code": {"AAAA-CCCC-DDDD-EE"}}); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a way that she does not have: wanted it refused, got %d", got.StatusCode)
	}
	if got := b.post("/recover/factor?way=totp", url.Values{"code": {"000000"}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code: got %d", got.StatusCode)
	}
	if got := b.post("/recover/factor", url.Values{"resend": {"yes"}}); got.StatusCode != http.StatusSeeOther || got.location(t).RawQuery != "way=phone" || len(w.sent(a.e164())) != texts+1 {
		t.Errorf("wanted a text on demand, got %d", got.StatusCode)
	}
	if got := b.post("/recover/factor?way=totp", url.Values{"code": {phone.code(0)}}); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/recover/password" {
		t.Fatalf("wanted to choose a password, got %d", got.StatusCode)
	}
	b.mustNotLogIn(b.post("/recover/password", url.Values{"password": {"an other long phrase"}}))
	w.clock.advance(time.Minute)
	a.password = "an other long phrase"
	fresh := w.halfway(a) // the second factor is asked for all the same
	fresh.giveApp(phone.code(0))
	if got := fresh.trust(); got != "P5.Cp.Ck" {
		t.Errorf("wanted P5.Cp.Ck, got %q", got)
	}
}

// A hundred wrong codes in a row end the app, and never make an account one that a
// password alone opens.
func TestAnAppThatWasGuessedAtIsOff(t *testing.T) {
	w, a := newTown(t), gwen()
	a.phone = ""
	b := w.signUpBare(a)
	phone := b.bind()
	for range 10 {
		guesser := w.halfway(a)
		for range 10 {
			guesser.giveApp("000000")
		}
		w.clock.advance(25 * time.Hour)
	}
	last := w.halfway(a)
	if got := last.giveApp(phone.code(0)); got.StatusCode != http.StatusForbidden {
		t.Errorf("wanted the app off, got %d", got.StatusCode)
	}
	late := w.browser()
	if got := late.enter(a.email, a.password); got.StatusCode != http.StatusForbidden {
		t.Errorf("wanted the password alone to open nothing, got %d", got.StatusCode)
	}
	late.mustNotLogIn(late.get("/account"))
	if told := w.told(a, "too many wrong codes"); told != 1 {
		t.Errorf("wanted the patient told once, got %d", told)
	}
	if got := w.resetting(a).get("/recover/factor"); !strings.Contains(got.body, "prove who you are") {
		t.Error("wanted people to help")
	}
}

// What was guessed off is good again once its patient, who got in another way, has set
// it up anew.
func TestWhatWasGuessedOffIsSetUpAnew(t *testing.T) {
	w, a, phone := withApp(t)
	b := w.halfway(a)
	b.giveApp(phone.code(0))
	b.makeCard()
	w.clock.advance(25 * time.Hour)
	for range 10 {
		guesser := w.halfway(a)
		for range 10 {
			guesser.giveApp("000000")
			guesser.giveCard("AAAA-CCCC-DDDD-EE")
		}
		w.clock.advance(25 * time.Hour)
	}
	w.halfway(a).giveApp("000000")
	back := w.browser()
	if to := back.enter(a.email, a.password).location(t); to.Path != "/login/email/code" {
		t.Fatalf("wanted the text asked for, as the app is off, got %s", to.Path)
	}
	if got := back.giveApp(phone.code(0)); got.StatusCode == http.StatusSeeOther && back.loggedIn() {
		t.Error("an app that is off opened")
	}
	back.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
	fresh, codes := back.bind(), back.makeCard()
	w.clock.advance(25 * time.Hour)
	if got := w.halfway(a).giveApp(fresh.code(0)); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the new app: wanted it taken, got %d", got.StatusCode)
	}
	if got := w.halfway(a).giveCard(codes[0]); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the new card: wanted it taken, got %d", got.StatusCode)
	}
}

func TestTheLastFactorStays(t *testing.T) {
	w, a := newTown(t), gwen()
	a.phone = ""
	b := w.signUpBare(a)
	phone := b.bind()
	if got := b.get("/account/authenticator/remove"); strings.Contains(got.body, `action="/account/authenticator/remove"`) {
		t.Error("it was offered to take the last factor away")
	}
	if got := b.post("/account/authenticator/remove", url.Values{}); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/step-up" {
		t.Fatalf("wanted the app asked for: the session is of the password alone, got %d", got.StatusCode)
	}
	b.post("/step-up", url.Values{"return": {"/account/authenticator/remove"}, "way": {"totp"}, "code": {phone.code(0)}})
	if got := b.post("/account/authenticator/remove", url.Values{}); got.StatusCode != http.StatusConflict {
		t.Errorf("wanted the last factor kept, got %d", got.StatusCode)
	}
	b.makeCard()
	if got := b.post("/account/authenticator/remove", url.Values{}); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/account/two-step" {
		t.Errorf("wanted the app taken away, got %d", got.StatusCode)
	}
	if w.told(a, "app was removed") != 1 {
		t.Error("the patient was not told")
	}
	if to := w.browser().enter(a.email, a.password).location(t); to.Path != "/login/email/card" {
		t.Errorf("wanted the card asked for by now, got %s", to.Path)
	}
}

const emailCodes = "sign_up: {enabled: true, test_nhs_numbers: true"

// withEmailCodes asks for codes by e-mail where there is no second factor.
func withEmailCodes(s *settings) {
	s.more = strings.Replace(s.more, emailCodes, emailCodes+", email_codes: true", 1)
}

// A code by e-mail guards a password that was stolen, and is no letter of the vector.
func TestACodeByEmailIsNoSecondFactor(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn), withPortal(`
  - id: leaflets
    name: {en: Leaflets, cy: Taflenni}
    redirect_uris: ["http://127.0.0.1:9/in"]
    scopes: [openid]
    trust: [P0.Cp]
    lower_proof: {reason: leaflets, approved_by: nobody, until: 2099-01-01}
`), withEmailCodes), gwen()
	a.phone = ""
	w.signUpBare(a)
	w.clock.advance(time.Hour)
	b := w.browser()
	if to := b.enter(a.email, a.password).location(t); to.Path != "/login/email/code" {
		t.Fatalf("wanted a code asked for, got %s", to.Path)
	}
	page := b.get("/login/email/code")
	if !strings.Contains(page.body, "email") || strings.Contains(page.body, "text message") || strings.Contains(page.body, `name="remember"`) || strings.Contains(page.body, a.email) {
		t.Error("wanted the page of a mailed code, which remembers no browser and shows no address")
	}
	b.mustNotLogIn(b.post("/login/email/code", url.Values{"code": {"000000"}}))
	for _, path := range []string{"/login/email/app", "/login/email/card"} {
		b.mustNotLogIn(b.post(path, url.Values{"code": {w.code(a.email)}, "card_code": {w.code(a.email)}}))
	}
	b.post("/login/email/code", url.Values{"code": {w.code(a.email)}, "remember": {"yes"}})
	trust := b.trust()
	if trust != "P0.Cp" && trust != "P5.Cp" {
		t.Fatalf("wanted a session of the password alone, got %q", trust)
	}
	if to := b.get(asksToHandIn()).location(t); to.Query().Get("code") != "" {
		t.Error("the portal that wants Cp.Cd took a code by e-mail")
	}
	open, err := w.Sessions.List(t.Context(), b.get("/check").Header.Get("Dilys-Subject"))
	must(t, err)
	if len(open) == 0 || !open[0].Evidence.Own.Possession.At.IsZero() || open[0].Evidence.Own.Means != "" {
		t.Error("the session says that something was possessed")
	}
	claims := w.handsIn(b, "leaflets")
	if claims["acr"] != trust || fmt.Sprint(claims["amr"]) != "[pwd]" {
		t.Errorf("got acr %v, amr %v", claims["acr"], claims["amr"])
	}
	b.post("/logout", url.Values{})
	w.clock.advance(time.Hour)
	b.enter(a.email, a.password)
	b.mustNotLogIn(b.get("/account")) // no browser stands in for it
	w.clock.advance(time.Hour)
	if got := w.resetting(a).get("/recover/factor"); !strings.Contains(got.body, "prove who you are") {
		t.Error("a code by e-mail was offered as the second factor of a reset")
	}
}

func TestACodeByEmailIsForThoseWithoutAnythingElse(t *testing.T) {
	w, a, _ := withApp(t, withEmailCodes)
	mails := len(w.sent(a.email))
	b := w.halfway(a)
	if to := b.get("/login/email/code").location(t); to.Path != "/login/email/app" {
		t.Errorf("wanted the app asked for, got %s", to.Path)
	}
	b.mustNotLogIn(b.post("/login/email/code", url.Values{"code": {"000000"}}))
	if len(w.sent(a.email)) != mails {
		t.Error("a code was mailed beside the app")
	}
	off, o := newTown(t), gwen()
	o.phone = ""
	off.signUpBare(o)
	off.clock.advance(time.Hour)
	plain := off.browser()
	plain.enter(o.email, o.password)
	if !plain.loggedIn() {
		t.Error("where the operator asked for no such codes, one was asked for")
	}
}

// A factor carries the level of the session in which it was bound, and the app rises
// with it only if it opened the session that rises.
func TestAnAppCarriesItsLevel(t *testing.T) {
	w, a := newTown(t), gwen()
	a.phone = "07700900999" // not the one on the entry: she begins at P0
	b := w.signUp(a)
	phone := b.bind()
	number := a.number
	w.handOver(b, number) // by a session that the phone opened
	if got := b.trust(); got != "P5.Cp.Cd" {
		t.Fatalf("wanted P5.Cp.Cd, got %q", got)
	}
	w.clock.advance(30 * time.Second)
	early := w.halfway(a)
	early.giveApp(phone.code(0))
	if got := early.trust(); got != "P0.Cp.Ck" {
		t.Fatalf("the app rose without having opened anything: %q", got)
	}
	w.handOver(early, number)
	w.clock.advance(30 * time.Second)
	late := w.halfway(a)
	late.giveApp(phone.code(0))
	if got := late.trust(); got != "P5.Cp.Ck" {
		t.Errorf("wanted the app risen with the session that it opened, got %q", got)
	}
}

// handOver lets staff hand a code to the patient of that browser, who gives it.
func (w *town) handOver(b *browser, number string) {
	w.t.Helper()
	n, err := identity.ParseNHSNumber(number)
	must(w.t, err)
	code, _, err := w.Factors.Issue(w.t.Context(), factor.Handed{Kind: factor.Activation, NHSNumber: n, Basis: "practice", IssuedBy: "operator:one", Reason: "test"})
	must(w.t, err)
	b.post("/account/activation", url.Values{"activation_code": {code.Reveal()}})
}

// An app that is set up after a recovery opens no record for three days and changes
// nothing; the one from before keeps its level until it is replaced.
func TestAnAppOfAfterARecoveryIsHeld(t *testing.T) {
	w, a, old := withApp(t)
	byApp := func(phone app) *browser {
		w.clock.advance(30 * time.Second)
		b := w.halfway(a)
		b.giveApp(phone.code(0))
		return b
	}
	id := byApp(old).get("/check").Header.Get("Dilys-Subject")
	b := w.halfway(a)
	b.letIn(w.recoveryCode(id))
	if got := byApp(old).trust(); got != "P5.Cp.Ck" {
		t.Errorf("the app from before: wanted P5.Cp.Ck, got %q", got)
	}
	fresh := b.bind()
	held := byApp(fresh)
	if got := held.trust(); got != "P0.Cp.Ck" {
		t.Errorf("the app from after: wanted P0.Cp.Ck, got %q", got)
	}
	for _, path := range []string{"/account/authenticator", "/account/authenticator/remove", "/account/two-step"} {
		if got := held.post(path, url.Values{"way": {"phone"}}); got.StatusCode != http.StatusSeeOther || got.location(t).Path != "/account/regained" {
			t.Errorf("%s: a held session changed it: %d", path, got.StatusCode)
		}
	}
	w.clock.advance(72 * time.Hour)
	if got := byApp(fresh).trust(); got != "P5.Cp.Ck" {
		t.Errorf("three days after: wanted P5.Cp.Ck, got %q", got)
	}
}
