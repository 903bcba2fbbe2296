package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// words are what the pages on the way say in one language.
type words struct {
	lang, chooser, ownChooser, button                string
	notMine, shared, helping, helpingText            string
	account, record, sure, logOut                    string
	loggedOut, again, reallyLogOut                   string
	help, other, noConsent, startAgain, backToPortal string
	acting, underAge, reference, emergency, stayIn   string
}

var english = words{
	lang: "en", chooser: "Log in to My Health", ownChooser: "Log in", button: "Continue to NHS login",
	notMine: "This is not my device", shared: "We will log you out after 10 minutes",
	helping: "Helping someone else?", helpingText: "Do not log in as another person",
	account: "Your account", record: "Nothing you do here changes your hospital record", sure: "You proved who you are", logOut: "Log out",
	loggedOut: "You have logged out", again: "Log in again", reallyLogOut: "Do you want to log out?",
	help: "Help", other: "Cymraeg", noConsent: "We cannot log you in to My Health", startAgain: "Start again", backToPortal: "Return to My Health",
	acting: "You cannot use this service for someone else yet", underAge: "You cannot use this service yet",
	reference: "If you contact us, give this reference:", emergency: "In an emergency", stayIn: "Stay logged in",
}

var welsh = words{
	lang: "cy", chooser: "Mewngofnodi i Fy Iechyd", ownChooser: "Mewngofnodi", button: "Parhau i NHS login",
	notMine: "Nid fy nyfais i yw hon", shared: "Byddwn yn eich allgofnodi ar ôl 10 munud",
	helping: "Helpu rhywun arall?", helpingText: "Peidiwch â mewngofnodi fel rhywun arall",
	account: "Eich cyfrif", record: "Nid yw dim a wnewch yma yn newid eich cofnod ysbyty", sure: "Rydych wedi profi pwy ydych chi", logOut: "Allgofnodi",
	loggedOut: "Rydych wedi allgofnodi", again: "Mewngofnodi eto", reallyLogOut: "Ydych chi am allgofnodi?",
	help: "Help", other: "English", noConsent: "Ni allwn eich mewngofnodi i Fy Iechyd", startAgain: "Dechrau eto", backToPortal: "Dychwelyd i Fy Iechyd",
	acting: "Ni allwch ddefnyddio’r gwasanaeth hwn ar ran rhywun arall eto", underAge: "Ni allwch ddefnyddio’r gwasanaeth hwn eto",
	reference: "Os byddwch yn cysylltu â ni, rhowch y cyfeirnod hwn:", emergency: "Mewn argyfwng", stayIn: "Aros wedi mewngofnodi",
}

var tongues = []words{english, welsh}

// Headings of the programs around Dilys, which speak English alone.
const (
	portalHome    = "Example portal"
	portalLearned = "What this portal learned"
	simChooser    = "Who is logging in to dilys-dev?"
	simConsent    = "Share details with dilys-dev?"
)

// hand is how a patient uses a page.
type hand struct {
	name   string
	press  func(b *tab, text string)
	choose func(b *tab, patient string) // at the simulator, from the first one
}

var (
	mouse    = hand{"mouse", (*tab).press, (*tab).press}
	keyboard = hand{"keyboard alone", enterOn, arrowTo}
)

// enterOn goes to something by Tab and presses Enter.
func enterOn(b *tab, text string) {
	b.t.Helper()
	b.tabTo(text)
	b.key(kb.Enter)
}

// arrowTo goes to the list of patients by Tab and down in it by arrow.
func arrowTo(b *tab, patient string) {
	b.t.Helper()
	b.tabTo("Mair Prawf")
	const patients = 20
	for range patients {
		if evaluate[string](b, `document.querySelector("input[name=patient]:checked").labels[0].textContent`) == patient {
			return
		}
		b.key(kb.ArrowDown)
	}
	b.t.Fatalf("no patient is called %q\nat %s", patient, b.where())
}

// journey plays on the shared world. Each browser of it was used by nobody before.
type journey struct {
	browser func(t *testing.T, s size, lang string) *tab
}

func newJourney(t *testing.T) journey {
	t.Helper()
	module(t, "axe-core/axe.min.js")
	w, browser := sharedWorld(t), chromium(t)
	return journey{func(t *testing.T, s size, lang string) *tab {
		b := newTab(t, browser, w, s)
		b.speak(lang)
		return b
	}}
}

// toSimulator goes from the portal's first page to the provider's.
func (b *tab) toSimulator(w words, h hand) {
	b.t.Helper()
	b.open(b.world.examplePortal())
	b.sees(portalHome)
	h.press(b, "Log in")
	b.judged(w.chooser)
	b.picture("journey", w.lang, b.size.name, "chooser")
	b.view("window", w.lang, b.size.name, "chooser")
	h.press(b, w.button)
	b.sees(simChooser)
}

// asPatient chooses a patient at the provider and goes on.
func (b *tab) asPatient(h hand, name string) {
	b.t.Helper()
	h.choose(b, name)
	h.press(b, "Continue")
}

// TestJourney is the main job: from a portal through Dilys and NHS login back to
// the portal, to the account, and out again. It is played in each language and at
// each size, with a mouse, with the keyboard alone, and without JavaScript.
func TestJourney(t *testing.T) {
	j := newJourney(t)
	for _, w := range tongues {
		for _, s := range []size{phone, desktop} {
			t.Run(w.lang+" "+s.name, func(t *testing.T) { play(j.browser(t, s, w.lang), w, mouse) })
		}
		t.Run(w.lang+" by keyboard alone", func(t *testing.T) { play(j.browser(t, desktop, w.lang), w, keyboard) })
		t.Run(w.lang+" without JavaScript", func(t *testing.T) {
			b := j.browser(t, phone, w.lang)
			b.scriptsOff()
			play(b, w, mouse)
		})
	}
}

func play(b *tab, w words, h hand) {
	b.t.Helper()
	b.toSimulator(w, h)
	if asked := b.askedFor("prompt"); asked != "not sent" {
		b.t.Errorf("prompt: wanted none in a browser that was never logged out, got %s", asked)
	}
	b.asPatient(h, "Siân Tŷ-gwyn Gŵyr-Llŷr")
	b.sees(portalLearned)
	b.says("Siân Tŷ-gwyn Gŵyr-Llŷr", "P9.Cp.Cd", "9990004072")

	b.open(b.world.dilys() + "/account")
	b.judged(w.account)
	b.picture("journey", w.lang, b.size.name, "account")
	b.view("window", w.lang, b.size.name, "account")
	b.states(w.stayIn)
	b.says(w.record, w.sure, "Siân Tŷ-gwyn Gŵyr-Llŷr", "999 000 4072", "sian-cymraeg@example.com")
	b.open(b.world.dilys() + "/logout") // a link to there asks, and ends nothing
	b.judged(w.reallyLogOut)
	b.open(b.world.dilys() + "/account")
	b.judged(w.account)
	h.press(b, w.logOut)
	b.judged(w.loggedOut)
	b.picture("journey", w.lang, b.size.name, "logged-out")
	if _, stays := b.cookies()["dilys"]; stays {
		b.t.Error("the session's cookie is still there after the log-out")
	}
	h.press(b, w.again)
	b.judged(w.ownChooser)
	b.comesBackAsStranger(w, h)
}

// states fails unless the page says when the session ends, and offers to stay.
func (b *tab) states(stayIn string) {
	b.t.Helper()
	said := evaluate[string](b, `document.querySelector(".dilys-ending")?.innerText ?? ""`)
	if !regexp.MustCompile(`\d[ap]m|midnight|midday|hanner nos|canol dydd`).MatchString(said) || !strings.Contains(said, stayIn) {
		b.t.Errorf("wanted the end of the session and %q, got %q", stayIn, said)
	}
}

// comesBackAsStranger logs in again after a log-out: NHS login still knows the
// browser, and is made to ask all the same. The portal's own session is over too
// when it asks.
func (b *tab) comesBackAsStranger(w words, h hand) {
	b.t.Helper()
	b.open(b.world.examplePortal() + "/login?ask=silent")
	b.sees("Nobody is logged in")
	b.toSimulator(w, h)
	if asked := b.askedFor("prompt"); asked != "login" {
		b.t.Errorf("prompt: wanted login after a log-out, got %s", asked)
	}
	b.asPatient(h, "Mair Prawf")
	b.sees(portalLearned)
	b.says("Mair Prawf")
	if h.name != keyboard.name {
		b.press("Log out everywhere")
		b.sees("You are logged out")
		b.open(b.world.dilys() + "/account")
		b.judged(w.ownChooser)
	}
}

// askedFor returns what the page of the provider says that Dilys asked it for.
func (b *tab) askedFor(parameter string) string {
	b.t.Helper()
	return evaluate[string](b, `[...document.querySelectorAll("dt")].find((e) => e.textContent === `+quote(parameter)+`).nextElementSibling.textContent`)
}

// TestWayStations are the pages beside the road.
func TestWayStations(t *testing.T) {
	j := newJourney(t)
	for _, w := range tongues {
		t.Run(w.lang, func(t *testing.T) {
			b := j.browser(t, phone, w.lang)
			b.open(b.world.dilys() + "/login")
			b.judged(w.ownChooser)
			if forms := evaluate[int](b, `document.querySelectorAll("input:not([type=hidden])").length`); forms != 0 {
				t.Errorf("the chooser has %d fields; NHS login does not want its button beside any", forms)
			}
			b.press(w.helping)
			b.awaits(`document.querySelector("details[open]")`, "the open details")
			b.says(w.helpingText)
			b.checkAccessible("details open")
			for _, link := range []string{"/help", "/privacy", "/cookies", "/accessibility"} {
				b.open(b.world.dilys() + link)
				b.awaits(`document.querySelector("h1")`, "a heading")
				b.judged(evaluate[string](b, `document.querySelector("h1").textContent.trim()`))
				if last := evaluate[string](b, `document.querySelector("footer a").textContent.trim()`); last != w.help {
					t.Errorf("%s: wanted help to stand first in the footer, got %q", link, last)
				}
			}
			b.press(w.other)
			b.awaits(`document.documentElement.lang !== `+quote(w.lang), "the other language")
			b.open(b.world.dilys() + "/login")
			b.awaits(`document.readyState === "complete" && document.documentElement.lang !== `+quote(w.lang), "the language that was chosen")
		})
	}
}

var referenceShape = regexp.MustCompile(`DIL-[2-9A-Z]{4}-[2-9A-Z]{2}`)

// refused fails unless the page is a refusal: with a reference to give, where
// urgent help is, and nobody logged in.
func (b *tab) refused(w words, heading string) {
	b.t.Helper()
	b.judged(heading)
	b.says(w.reference, w.emergency, "111")
	if !referenceShape.MatchString(b.text()) {
		b.t.Errorf("wanted a reference, got\n%s", b.text())
	}
	if c, there := b.cookies()["dilys"]; there && c.Value != "" {
		b.t.Error("a refused patient has a session")
	}
}

// TestRefusals are the journeys that end with a no, and what it says.
func TestRefusals(t *testing.T) {
	j := newJourney(t)
	for _, w := range tongues {
		t.Run(w.lang+" consent not given", func(t *testing.T) {
			b := j.browser(t, phone, w.lang)
			b.toSimulator(w, mouse)
			b.asPatient(mouse, "Huw Gwrthod")
			b.sees(simConsent)
			b.press("I do not agree")
			b.refused(w, w.noConsent)
			b.says(w.backToPortal)
			b.picture("journey", w.lang, b.size.name, "no-consent")
			b.view("window", w.lang, b.size.name, "refusal")
			b.press(w.startAgain)
			b.judged(w.chooser) // for the portal that was asked for first
			b.press(w.button)
			b.sees(simChooser)
			b.asPatient(mouse, "Huw Gwrthod")
			b.sees(simConsent)
			b.press("I agree to share")
			b.sees(portalLearned)
		})
		t.Run(w.lang+" a carer at the keyboard", func(t *testing.T) {
			b := j.browser(t, phone, w.lang)
			b.toSimulator(w, mouse)
			b.asPatient(mouse, "Olwen Gofal")
			b.refused(w, w.acting)
			b.picture("journey", w.lang, b.size.name, "acting")
		})
		t.Run(w.lang+" delegations", func(t *testing.T) {
			b := j.browser(t, desktop, w.lang)
			b.toSimulator(w, mouse)
			b.asPatient(mouse, "Tomos Dirprwy")
			b.refused(w, w.acting)
		})
		t.Run(w.lang+" 15 years old", func(t *testing.T) {
			b := j.browser(t, phone, w.lang)
			b.toSimulator(w, mouse)
			b.asPatient(mouse, "Carys Ifanc")
			b.refused(w, w.underAge)
			b.picture("journey", w.lang, b.size.name, "under-age")
		})
	}
	t.Run("an answer that does not hold", func(t *testing.T) {
		b := j.browser(t, desktop, "en")
		b.toSimulator(english, mouse)
		b.lie("nonce-invalid")
		b.press("Continue")
		b.refused(english, "We could not log you in")
		b.press(english.startAgain)
		b.judged(english.chooser)
	})
	t.Run("a provider that says it is busy", func(t *testing.T) {
		b := j.browser(t, desktop, "en")
		b.toSimulator(english, mouse)
		b.lie("temporarily-unavailable")
		b.press("Continue")
		b.refused(english, "NHS login is not working right now")
	})
	t.Run("a refusal with markup and a telephone number in it", func(t *testing.T) {
		b := j.browser(t, desktop, "en")
		b.toSimulator(english, mouse)
		b.lie("error-markup")
		b.press("Continue")
		b.refused(english, "We could not log you in")
		if strings.Contains(evaluate[string](b, "document.documentElement.outerHTML"), "0800") {
			t.Error("the page repeats what came with the callback")
		}
	})
	t.Run("a callback that this browser never began", func(t *testing.T) {
		b := j.browser(t, desktop, "en")
		const foreign = "/login/nhs-login/callback?code=stolen&state=stolen"
		b.open(b.world.dilys() + foreign)
		b.refused(english, "Your browser is blocking our cookies") // as far as Dilys can tell
		b.toSimulator(english, mouse)
		b.open(b.world.dilys() + foreign)
		b.refused(english, "You need to start again")
		b.press(english.startAgain)
		b.judged(english.ownChooser)
	})
	t.Run("an address that is nobody's", func(t *testing.T) {
		b := j.browser(t, desktop, "en")
		b.open(b.world.dilys() + "/no-such-page")
		b.awaits(`document.querySelector("h1")`, "a heading")
		b.judged(b.heading())
	})
	t.Run("a portal that is nobody's", func(t *testing.T) {
		b := j.browser(t, desktop, "en")
		b.open(b.world.dilys() + "/authorize?client_id=stranger&response_type=code&redirect_uri=https%3A%2F%2Fevil.example%2F")
		b.awaits(`document.querySelector("h1")`, "a heading")
		b.refused(english, b.heading())
		if host := b.location().Hostname(); host != "localhost" {
			t.Errorf("went to %s", host)
		}
	})
}

// lie has the provider tell a lie in this login.
func (b *tab) lie(name string) {
	b.t.Helper()
	if !evaluate[bool](b, `(() => { const e = document.querySelector("#lie"); e.value = `+quote(name)+`; return e.value === `+quote(name)+` })()`) {
		b.t.Fatalf("the provider knows no lie %q", name)
	}
}

func (b *tab) heading() string {
	b.t.Helper()
	return evaluate[string](b, `document.querySelector("h1").textContent.trim()`)
}

// TestTwoTabs: who opens a portal twice can finish both logins, in either order.
func TestTwoTabs(t *testing.T) {
	j := newJourney(t)
	first := j.browser(t, desktop, "en")
	second := first.another()
	first.toSimulator(english, mouse)
	second.toSimulator(english, mouse)
	first.asPatient(mouse, "Mair Prawf")
	first.sees(portalLearned)
	second.asPatient(mouse, "Mair Prawf")
	second.sees(portalLearned)
	second.says("Mair Prawf")
}

// TestSharedDevice: on a device that isn't the patient's own, nothing outlives the
// window, idle time is short, and leaving clears everything.
func TestSharedDevice(t *testing.T) {
	browser := chromium(t)
	w := startWorld(t) // its clock is turned
	b := newTab(t, browser, w, desktop)
	b.speak("en")
	b.open(w.examplePortal())
	b.press("Log in")
	b.judged(english.chooser)
	b.press(english.notMine)
	b.awaits(`document.querySelector("main").innerText.includes(`+quote(english.shared)+`)`, "that the device is shared")
	b.judged(english.chooser)
	b.press(english.button)
	b.sees(simChooser)
	b.asPatient(mouse, "Mair Prawf")
	b.sees(portalLearned)
	for _, name := range []string{"dilys", "dilys-browser"} {
		if c, ok := b.cookies()[name]; !ok || !c.Session {
			t.Errorf("%s: wanted a cookie that goes with the window, got %+v", name, c)
		}
	}
	b.open(w.dilys() + "/account")
	b.judged(english.account)

	w.advance(t, "9m")
	b.open(w.dilys() + "/account")
	b.sees(english.account)
	w.advance(t, "11m")
	b.open(w.dilys() + "/account")
	b.judged(english.ownChooser)
}

// TestOwnDevice: idle time is renewed by pages, and ends by itself.
func TestOwnDevice(t *testing.T) {
	browser := chromium(t)
	w := startWorld(t)
	b := newTab(t, browser, w, desktop)
	b.speak("en")
	b.toSimulator(english, mouse)
	b.asPatient(mouse, "Mair Prawf")
	b.sees(portalLearned)
	if c := b.cookies()["dilys-browser"]; c == nil || c.Session {
		t.Errorf("wanted the browser to be remembered, got %+v", c)
	}
	for range 3 {
		w.advance(t, "20m")
		b.open(w.dilys() + "/account")
		b.sees(english.account)
	}
	w.advance(t, "31m")
	b.open(w.dilys() + "/account")
	b.judged(english.ownChooser)
}

// advance turns the clock of the world.
func (w *world) advance(t *testing.T, by string) {
	t.Helper()
	answer, err := http.PostForm(w.workbench()+"/clock", url.Values{"advance": {by}})
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("clock: got %s", answer.Status)
	}
}

// TestWarning: a page says in time that the session is about to end, takes the
// patient's details off the screen when it has, and can be told to stay. The
// page's own clock is turned, so that nobody waits.
func TestWarning(t *testing.T) {
	j := newJourney(t)
	b := j.browser(t, desktop, "en")
	b.clocked()
	b.open(b.world.dilys() + "/account")
	b.judged(english.ownChooser)
	b.press(english.button)
	b.sees(simChooser)
	b.asPatient(mouse, "Mair Prawf")
	b.judged(english.account)
	const warning = `document.querySelector("[role=status]").textContent.includes("within 2 minutes")`
	if evaluate[bool](b, warning) {
		t.Error("the page warns at once")
	}
	b.passMinutes(29)
	b.awaits(warning, "a warning")
	b.checkAccessible("with the warning")
	b.checkReflow("with the warning")
	b.view("journey", "en", b.size.name, "warning")
	b.press(english.stayIn)
	b.awaits(`document.querySelector("[role=status]").textContent.includes("still logged in")`, "that the patient stays")

	b.passMinutes(31)
	b.sees("This page has timed out")
	b.checkAccessible("timed out")
	if strings.Contains(b.text(), "Prawf") {
		t.Error("the patient's name is still on the screen")
	}
	b.press("Continue")
	b.judged(english.account)
}

// TestNHSApp: a patient who comes from the NHS App is logged in without a page, in
// pages without a header of ours; one whom NHS login must ask first meets the
// button.
func TestNHSApp(t *testing.T) {
	j := newJourney(t)
	const app = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 nhsapp-ios/2.40.0"
	for _, w := range tongues {
		t.Run(w.lang, func(t *testing.T) {
			b := j.browser(t, phone, w.lang)
			b.agent(app, w.lang)
			b.open(b.world.simulator() + "/nhs-app")
			b.sees("The NHS App, played")
			b.press("Ffion Ap")
			b.press("Open the service")
			b.judged(w.account)
			b.picture("journey", w.lang, b.size.name, "app")
			b.says("Ffion Ap")
			if evaluate[bool](b, `document.querySelector("header") !== null`) {
				t.Error("our header stands below the app's own")
			}
			if q := b.location().RawQuery; q != "" {
				t.Errorf("wanted nothing of the assertion in the address, got %s", q)
			}
		})
	}
	t.Run("one whom NHS login must ask", func(t *testing.T) {
		b := j.browser(t, phone, "en")
		b.agent(app, "en")
		b.open(b.world.simulator() + "/nhs-app")
		b.press("Dai Canolig") // holds P5, and P9 is asked for
		b.press("Open the service")
		b.judged(english.ownChooser)
	})
}

// turnableClock gives pages a clock that a test can turn: Date.now and setTimeout
// are all that our script asks.
const turnableClock = `(() => {
	const now = Date.now.bind(Date), start = window.setTimeout.bind(window), stop = window.clearTimeout.bind(window);
	const waiting = new Map();
	let ahead = 0;
	Date.now = () => now() + ahead;
	window.setTimeout = (fn, ms = 0) => {
		const id = start(() => { waiting.delete(id); fn(); }, ms);
		waiting.set(id, { at: Date.now() + ms, fn });
		return id;
	};
	window.clearTimeout = (id) => { waiting.delete(id); stop(id); };
	window.passMinutes = (n) => {
		ahead += n * 60_000;
		for (const [id, { at, fn }] of [...waiting]) if (at <= Date.now()) { window.clearTimeout(id); fn(); }
	};
})()`

// clocked gives every page from now on a clock that passMinutes turns.
func (b *tab) clocked() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: turnableClock})
	if err != nil {
		b.t.Fatal(err)
	}
}

// passMinutes turns the page's clock.
func (b *tab) passMinutes(n int) {
	b.t.Helper()
	evaluate[chromedp.Void](b, fmt.Sprintf("passMinutes(%d)", n))
}
