package service_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// handingIn is a portal that a patient of P5 may hand something in to.
const handingIn = `
  - id: handing-in
    name: {en: Handing in, cy: Cyflwyno}
    redirect_uris: ["http://127.0.0.1:9/in"]
    scopes: [openid]
    trust: [P5.Cp.Cd, P5.Cm]
    lower_proof: {reason: questionnaire, approved_by: nobody, until: 2099-01-01}
`

func asksToHandIn(more ...string) string {
	return authorization(append([]string{"client_id", "handing-in", "redirect_uri", "http://127.0.0.1:9/in", "scope", "openid"}, more...)...)
}

// askedAgain is a patient of P5 whose portal wants a fresher proof, at the page that
// asks for it.
func (w *town) askedAgain(a applicant, more ...string) (b *browser, waiting url.Values) {
	w.t.Helper()
	b = w.signUp(a)
	w.clock.advance(20 * time.Minute)
	to := b.get(asksToHandIn(more...)).location(w.t)
	if to.Path != "/step-up" {
		w.t.Fatalf("wanted one proof more asked for, got %s", to.Path)
	}
	return b, url.Values{"request": {to.Query().Get("request")}}
}

func withWay(q url.Values, more ...string) url.Values {
	next := url.Values{"request": q["request"]}
	for i := 0; i+1 < len(more); i += 2 {
		next.Set(more[i], more[i+1])
	}
	return next
}

func TestStepUpByATextedCode(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	b, q := w.askedAgain(a, "max_age", "600")
	before := b.keeps("dilys")
	if got := b.get("/step-up?" + q.Encode()); got.StatusCode != http.StatusOK || strings.Contains(got.body, a.phone) || strings.Contains(got.body, "900201") {
		t.Fatalf("wanted the page, without the number, got %d", got.StatusCode)
	}
	texts := len(w.sent(a.e164()))
	b.get("/step-up?" + q.Encode())
	if got := len(w.sent(a.e164())); got != texts {
		t.Error("a GET sent a text")
	}
	b.post("/step-up", withWay(q, "way", "phone", "send", "yes"))
	if got := len(w.sent(a.e164())); got != texts+1 {
		t.Fatalf("wanted one text, got %d", got-texts)
	}
	if got := b.post("/step-up", withWay(q, "way", "phone", "code", "000000")); got.StatusCode != http.StatusUnprocessableEntity || b.keeps("dilys") != before {
		t.Errorf("a wrong code: wanted it refused and nothing changed, got %d", got.StatusCode)
	}
	got := b.post("/step-up", withWay(q, "way", "phone", "code", w.code(a.e164())))
	if got.StatusCode != http.StatusSeeOther || b.keeps("dilys") == before {
		t.Fatalf("wanted to go on with a new secret (H1), got %d", got.StatusCode)
	}
	back := b.get(got.location(t).String()).location(t)
	if back.Query().Get("code") == "" {
		t.Errorf("wanted a code for the portal, got %v", back.Query().Get("error"))
	}
}

// A code is good for what it was sent for, in the browser that asked.
func TestStepUpCodesAreBound(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	b, q := w.askedAgain(a, "max_age", "600")
	b.post("/step-up", withWay(q, "way", "phone", "send", "yes"))
	code := w.code(a.e164())

	other := w.browser()
	w.clock.advance(2 * time.Minute)
	for who, b := range map[string]*browser{"another browser": other, "the same browser": b} {
		b.enter(a.email, a.password)
		if got := b.post("/login/email/code", url.Values{"code": {code}}); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: a step-up's code logged somebody in: %d", who, got.StatusCode)
		}
		if login := w.code(a.e164()); login != code {
			if got := b.post("/step-up", withWay(q, "way", "phone", "code", login)); got.StatusCode == http.StatusSeeOther && got.location(t).Path == "/authorize" {
				t.Errorf("%s: a log-in's code stepped a session up", who)
			}
		}
		w.clock.advance(61 * time.Second)
	}
	w.clock.advance(7 * time.Minute)
	if got := b.post("/step-up", withWay(q, "way", "phone", "code", code)); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a code was taken after ten minutes: %d", got.StatusCode)
	}
}

func TestH6AWeakMethodIsNoStepUp(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	b := w.signUp(a)
	for name, vector := range map[string]string{
		"a passkey is asked for, and there is none": "P5.Cm",
		"more proof than the patient has":           "P9.Cp.Cd",
	} {
		t.Run(name, func(t *testing.T) {
			to := b.get(asksToHandIn("acr_values", vector)).location(t)
			q := url.Values{"request": {to.Query().Get("request")}}
			got := b.get("/step-up?" + q.Encode())
			if got.StatusCode != http.StatusOK || strings.Contains(got.body, `name="way"`) {
				t.Errorf("wanted a page that offers nothing in vain, got %d", got.StatusCode)
			}
			texts := len(w.sent(a.e164()))
			for _, form := range []url.Values{withWay(q, "way", "phone", "send", "yes"), withWay(q, "way", "phone", "code", "123456"), withWay(q, "way", "card", "card_code", "x")} {
				if p := b.post("/step-up", form); p.StatusCode != http.StatusSeeOther || p.location(t).Path != stepUp {
					t.Errorf("wanted to be led back to the page, got %d", p.StatusCode)
				}
			}
			if len(w.sent(a.e164())) != texts {
				t.Error("a text was sent for nothing")
			}
		})
	}
}

const stepUp = "/step-up"

// A remembered browser opens, and answers no wish for a fresh proof; neither does
// giving the password alone again.
func TestARememberedBrowserIsAskedForACode(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	b := w.signUp(a)
	b.post("/logout", url.Values{})
	w.clock.advance(time.Hour)
	b.enter(a.email, a.password)
	b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}, "remember": {"yes"}})
	b.post("/logout", url.Values{})
	w.clock.advance(time.Hour)
	b.enter(a.email, a.password)
	if got := b.trust(); got != "P5.Cp.Cd" {
		t.Fatalf("wanted the browser remembered, got %q", got)
	}
	if to := b.get(asksToHandIn("max_age", "600")).location(t); to.Path != stepUp {
		t.Errorf("wanted a code asked for, got %s", to.Path)
	}
	if got := b.post("/account/second-way", url.Values{}); got.StatusCode != http.StatusSeeOther || got.location(t).Path != stepUp {
		t.Errorf("wanted a code asked for before a card is made, got %d", got.StatusCode)
	}
}

func TestForgettingBrowsers(t *testing.T) {
	w, a := newTown(t), gwen()
	page := w.signUp(a)
	remembered := func() *browser {
		w.clock.advance(6 * time.Minute)
		b := w.browser()
		b.enter(a.email, a.password)
		b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}, "remember": {"yes"}})
		b.post("/logout", url.Values{})
		return b
	}
	opens := func(b *browser) bool {
		b.enter(a.email, a.password)
		defer b.post("/logout", url.Values{})
		return b.loggedIn()
	}
	one, two, three := remembered(), remembered(), remembered()
	form := regexp.MustCompile(`name="browser" value="([^"]+)"`)
	rows := form.FindAllStringSubmatch(page.get("/account").body, -1)
	if len(rows) != 3 {
		t.Fatalf("wanted three browsers shown, got %d", len(rows))
	}
	page.post("/account/browsers", url.Values{"browser": {rows[0][1]}}) // the last seen
	page.post("/account/browsers", url.Values{"browser": {"nobody's"}})
	page.post("/account/browsers", url.Values{"browser": {""}})
	if opens(three) || !opens(two) || !opens(one) {
		t.Error("wanted that one forgotten, and no other")
	}
	w.clock.advance(2 * time.Minute)
	page.post("/account/browsers", url.Values{})
	if opens(one) || opens(two) {
		t.Error("a browser is remembered after all were forgotten")
	}
}

// A session that was ended or changed while its patient looked for the phone is not
// raised.
func TestStepUpOfASessionThatIsOver(t *testing.T) {
	for name, end := range map[string]func(*town, *browser, string){
		"signed out by an operator": func(w *town, _ *browser, id string) {
			must(w.t, w.Accounts.SignOut(w.t.Context(), id, "operator:test", "lost laptop"))
		},
		"disabled": func(w *town, _ *browser, id string) {
			must(w.t, w.Accounts.Disable(w.t.Context(), id, "operator:test", "lost laptop"))
		},
		"idle": func(w *town, _ *browser, _ string) { w.clock.advance(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			w, a := newTown(t, withPortal(handingIn)), gwen()
			b, q := w.askedAgain(a, "max_age", "600")
			id := b.get("/check").Header.Get("Dilys-Subject")
			b.post("/step-up", withWay(q, "way", "phone", "send", "yes"))
			code := w.code(a.e164())
			end(w, b, id)
			b.mustNotLogIn(b.post("/step-up", withWay(q, "way", "phone", "code", code)))
		})
	}
}

// Guesses at a step-up's code and at a log-in's are of one factor, and counted as
// one.
func TestStepUpGuessesCountWithTheLoginsOwn(t *testing.T) {
	w, a := newTown(t, withPortal(handingIn)), gwen()
	b, q := w.askedAgain(a, "max_age", "600")
	var last page
	for range 12 {
		b.post("/step-up", withWay(q, "way", "phone", "send", "yes"))
		last = b.post("/step-up", withWay(q, "way", "phone", "code", "000000"))
		w.clock.advance(61 * time.Second)
	}
	if last.StatusCode != http.StatusTooManyRequests {
		t.Errorf("wanted the phone's codes locked, got %d", last.StatusCode)
	}
}
