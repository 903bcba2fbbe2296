package service_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/rp/passkey/softkey"
)

// keyed is a town on a named host, with Gwen signed up and a passkey on her device.
func keyed(t *testing.T, options ...option) (*town, applicant, *browser, *authenticator) {
	t.Helper()
	w, a := newTown(t, append([]option{onAName}, options...)...), gwen()
	b, device := w.signUp(a), newAuthenticator(t)
	if p := b.makesPasskey(device); p.StatusCode != http.StatusOK || !strings.Contains(p.body, "Your passkey is ready") {
		t.Fatalf("wanted it made, got %d %s", p.StatusCode, w.explained(p))
	}
	return w, a, b, device
}

func TestAPasskeyOpensItsAccount(t *testing.T) {
	w, a, _, device := keyed(t)
	id := w.accountOf(a.email).ID
	for name, page := range map[string]string{"from the chooser": "/login", "from the e-mail page": "/login/email"} {
		b := w.browser()
		asked, form := b.asking(page)
		if strings.Contains(asked, "allowCredentials") {
			t.Errorf("%s: the options name passkeys before anybody is known", name)
		}
		form.Set("credential", device.give(asked, w.url))
		p := b.post("/login/passkey", form)
		if p.StatusCode != http.StatusSeeOther || b.trust() != "P5.Cm" {
			t.Errorf("%s: wanted P5.Cm, got %d and %q", name, p.StatusCode, b.trust())
		}
	}
	if got := w.events(id, audit.PasskeyBound); len(got) != 1 {
		t.Errorf("wanted one event, got %d", len(got))
	}
	if !strings.Contains(allSent(w, a.email), "A passkey was made for your account") {
		t.Error("the patient is not told")
	}
	if b := w.in(a); b.trust() != "P5.Cp.Cd" {
		t.Error("the password opens nothing any more")
	}
}

// The parts that a page's script leaves to the browser, and a thief's does not.
func TestG1G2G3G5AnswersThatDoNotStand(t *testing.T) {
	w, _, _, device := keyed(t)
	device.Counts = true
	other := w.signUp(mair())
	theirs := newAuthenticator(t)
	other.makesPasskey(theirs)
	for name, l := range map[string]softkey.Lie{
		"another type":             func(s *softkey.Said) { s.Type = "webauthn.create" },
		"another challenge":        func(s *softkey.Said) { s.Challenge = rawURL(randomBytes(32)) },
		"another origin":           func(s *softkey.Said) { s.Origin = "https://evil.example" },
		"another port":             func(s *softkey.Said) { s.Origin += "0" },
		"from within another page": func(s *softkey.Said) { s.Client = map[string]any{"crossOrigin": true} },
		"from within a page of another": func(s *softkey.Said) {
			s.Client = map[string]any{"crossOrigin": true, "topOrigin": "https://evil.example"}
		},
		"for another relying party":     func(s *softkey.Said) { s.RPID = "evil.example" },
		"nobody there (UP)":             func(s *softkey.Said) { s.Flags &^= softkey.FlagUP },
		"nobody verified (UV)":          func(s *softkey.Said) { s.Flags &^= softkey.FlagUV },
		"copied without being copyable": func(s *softkey.Said) { s.Flags &^= softkey.FlagBE },
		"another's key":                 func(s *softkey.Said) { s.Signer = theirs.Keys[0].Private },
		"another's handle":              func(s *softkey.Said) { s.Handle = theirs.Keys[0].Handle },
		"no handle":                     func(s *softkey.Said) { s.Handle = nil },
		"another's id":                  func(s *softkey.Said) { s.ID = theirs.Keys[0].ID },
		"an id that nobody has":         func(s *softkey.Said) { s.ID = randomBytes(16) },
		"an id of 2 kB":                 func(s *softkey.Said) { s.ID = randomBytes(2048) },
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			p := b.givesPasskey(device, l)
			if p.StatusCode != http.StatusUnprocessableEntity || b.loggedIn() {
				t.Fatalf("wanted it refused, got %d", p.StatusCode)
			}
			w.explained(p)
		})
	}
	b := w.browser()
	if b.givesPasskey(device); b.trust() != "P5.Cm" {
		t.Error("the truth opens nothing any more")
	}
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "{", "an empty object": "{}", "deep JSON": strings.Repeat("[", 20000),
		"a CBOR bomb": `{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"` + rawURL(bytes.Repeat([]byte{0x9f}, 5000)) + `","signature":"AA"}}`,
	} {
		b := w.browser()
		_, form := b.asking("/login")
		form.Set("credential", body)
		if p := b.post("/login/passkey", form); p.StatusCode != http.StatusUnprocessableEntity || b.loggedIn() {
			t.Errorf("%s: wanted it refused, got %d", name, p.StatusCode)
		}
	}
}

func TestG4AChallengeIsAnsweredOnceInItsBrowserAndSoon(t *testing.T) {
	w, _, _, device := keyed(t)
	b := w.browser()
	asked, form := b.asking("/login")
	form.Set("credential", device.give(asked, w.url))
	thief := w.browser()
	thief.get("/login")
	if p := thief.post("/login/passkey", form); p.StatusCode != http.StatusUnprocessableEntity || thief.loggedIn() {
		t.Errorf("another browser: wanted it refused, got %d", p.StatusCode)
	}
	bare := w.browser()
	if p := bare.post("/login/passkey", form); p.StatusCode != http.StatusUnprocessableEntity || bare.loggedIn() {
		t.Errorf("a browser without its cookie: wanted it refused, got %d", p.StatusCode)
	}
	won, all := 0, make([]int, 20)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = b.post("/login/passkey", form).StatusCode })
	}
	wg.Wait()
	for _, status := range all {
		if status == http.StatusSeeOther {
			won++
		}
	}
	if won != 1 {
		t.Errorf("of 20 posts of one answer, %d were taken", won)
	}

	late := w.browser()
	asked, form = late.asking("/login")
	form.Set("credential", device.give(asked, w.url))
	w.clock.advance(5*time.Minute + time.Second)
	if p := late.post("/login/passkey", form); p.StatusCode != http.StatusUnprocessableEntity || late.loggedIn() {
		t.Errorf("after five minutes: wanted it refused, got %d", p.StatusCode)
	}
}

// Making one: what is not the patient's own device, on our page, just verified, is not kept.
func TestG1G2G5PasskeysThatAreNotKept(t *testing.T) {
	w, a := newTown(t, onAName), gwen()
	b := w.signUp(a)
	id := w.accountOf(a.email).ID
	first := newAuthenticator(t)
	b.makesPasskey(first)
	for name, l := range map[string]softkey.Lie{
		"another type":              func(s *softkey.Said) { s.Type = "webauthn.get" },
		"another challenge":         func(s *softkey.Said) { s.Challenge = rawURL(randomBytes(32)) },
		"another origin":            func(s *softkey.Said) { s.Origin = "https://evil.example" },
		"from within another page":  func(s *softkey.Said) { s.Client = map[string]any{"crossOrigin": true} },
		"for another relying party": func(s *softkey.Said) { s.RPID = "evil.example" },
		"nobody there (UP)":         func(s *softkey.Said) { s.Flags &^= softkey.FlagUP },
		"nobody verified (UV)":      func(s *softkey.Said) { s.Flags &^= softkey.FlagUV },
		"copied without copyable":   func(s *softkey.Said) { s.Flags &^= softkey.FlagBE },
		"an algorithm not offered":  func(s *softkey.Said) { s.Alg = -65535 },
		"an id that is bound":       func(s *softkey.Said) { s.ID = first.Keys[0].ID },
		"an id of 2 kB":             func(s *softkey.Said) { s.ID = randomBytes(2048) },
		"a CBOR bomb":               func(s *softkey.Said) { s.CBOR = bytes.Repeat([]byte{0x9f}, 20000) },
		"a CBOR map of 4 billion":   func(s *softkey.Said) { s.CBOR = []byte{0xba, 0xff, 0xff, 0xff, 0xff} },
	} {
		t.Run(name, func(t *testing.T) {
			p := b.makesPasskey(newAuthenticator(t), l)
			keys, err := w.Factors.Passkeys(t.Context(), id)
			must(t, err)
			if p.StatusCode != http.StatusUnprocessableEntity || len(keys) != 1 {
				t.Errorf("wanted it refused, got %d and %d passkeys", p.StatusCode, len(keys))
			}
			w.explained(p)
		})
	}
}

func TestG5ACounterThatGoesBack(t *testing.T) {
	w, a, _, device := keyed(t)
	device.Counts = true
	w.browser().givesPasskey(device)
	w.browser().givesPasskey(device)
	thief := w.browser()
	p := thief.givesPasskey(device, func(s *softkey.Said) { s.Count = 1 })
	if p.StatusCode != http.StatusUnprocessableEntity || thief.loggedIn() || !strings.Contains(w.explained(p), "passkey-cloned") {
		t.Errorf("wanted it refused as a clone, got %d", p.StatusCode)
	}
	if b := w.browser(); b.givesPasskey(device).StatusCode != http.StatusUnprocessableEntity || b.loggedIn() {
		t.Error("a passkey of which there are two opens the account")
	}
	if !strings.Contains(allSent(w, a.email), "There seem to be two of one passkey") {
		t.Error("the patient is not told")
	}
	if b := w.in(a); b.trust() != "P5.Cp.Cd" {
		t.Errorf("the patient is locked out: %q", b.trust())
	}
}

func TestG6WhereNoPasskeyIsMade(t *testing.T) {
	for name, row := range map[string]func(*town, *browser, applicant) page{
		"an old login": func(w *town, b *browser, _ applicant) page {
			asked, form := b.asking("/account/passkeys")
			w.clock.advance(10*time.Minute + time.Second)
			form.Set("credential", newAuthenticator(w.t).make(asked, w.url))
			return b.post("/account/passkeys", form)
		},
		"a page that was used (replay)": func(w *town, b *browser, a applicant) page {
			asked, form := b.asking("/account/passkeys")
			form.Set("credential", newAuthenticator(w.t).make(asked, w.url))
			b.post("/account/passkeys", form)
			b.post("/account/passkeys/"+w.keyOf(a)+"/remove", nil)
			return b.post("/account/passkeys", form)
		},
		"another site's form (CSRF)": func(w *town, b *browser, _ applicant) page {
			asked, form := b.asking("/account/passkeys")
			form.Set("credential", newAuthenticator(w.t).make(asked, w.url))
			return b.send(http.MethodPost, "/account/passkeys", form, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
		},
		"another patient's page": func(w *town, b *browser, _ applicant) page {
			asked, form := w.signUp(mair()).asking("/account/passkeys")
			form.Set("credential", newAuthenticator(w.t).make(asked, w.url))
			return b.post("/account/passkeys", form)
		},
		"a login by password alone, of a patient with a second step": func(w *town, _ *browser, a applicant) page {
			w.clock.advance(2 * time.Minute)
			half := w.browser()
			half.enter(a.email, a.password)
			return half.post("/account/passkeys", url.Values{"credential": {"{}"}})
		},
		"a device that others use": func(w *town, _ *browser, a applicant) page {
			w.clock.advance(11 * time.Minute)
			shared := w.browser()
			shared.post("/login/email", url.Values{"email": {a.email}, "password": {a.password}, "device": {"shared"}})
			shared.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
			p := shared.get("/account/passkeys")
			if !strings.Contains(p.body, "others use this device") {
				w.t.Error("the page does not say so")
			}
			return p
		},
		"after an alarm": func(w *town, b *browser, a applicant) page {
			b.post("/account/activity/not-me", url.Values{"event": {b.doubts()[0]}})
			return w.in(a).post("/account/passkeys", url.Values{"credential": {"{}"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, a := newTown(t, onAName), gwen()
			b := w.signUp(a)
			p := row(w, b, a)
			keys, err := w.Factors.Passkeys(t.Context(), w.accountOf(a.email).ID)
			must(t, err)
			if len(keys) != 0 {
				t.Errorf("a passkey was made (%d)", p.StatusCode)
			}
		})
	}
}

// keyOf is the id of the applicant's first passkey.
func (w *town) keyOf(a applicant) string {
	w.t.Helper()
	keys, err := w.Factors.Passkeys(w.t.Context(), w.accountOf(a.email).ID)
	must(w.t, err)
	if len(keys) == 0 {
		return "none"
	}
	return keys[0].ID
}

// The options of a login are alike, whoever asks and whatever there is.
func TestG7OptionsTellNothing(t *testing.T) {
	w, _, owner, _ := keyed(t)
	owner.post("/logout", nil)
	shape := func(b *browser) string {
		asked, _ := b.asking("/login")
		var o map[string]any
		must(t, json.Unmarshal([]byte(asked), &o))
		challenge, err := base64.RawURLEncoding.DecodeString(o["challenge"].(string))
		must(t, err)
		o["challenge"] = len(challenge)
		return fmt.Sprint(o)
	}
	if one, two := shape(owner), shape(w.browser()); one != two {
		t.Errorf("one who has a passkey: %s\none who has none: %s", one, two)
	}
}

// A passkey that was planted early holds later sessions down, and one in the hand that
// brought the proof rises with it.
func TestAPasskeyCarriesTheLevelOfItsSession(t *testing.T) {
	w, a := newTownWithoutRegister(t, onAName), gwen()
	w.says() // the register knows nobody: P0
	b := w.signUp(a)
	planted := newAuthenticator(t)
	b.makesPasskey(planted)
	b.handsOver(w, a)
	if got := b.trust(); got != "P5.Cp.Cd" {
		t.Fatalf("wanted P5 by the practice's code, got %q", got)
	}
	other := w.browser()
	other.givesPasskey(planted)
	if got := other.trust(); got != "P0.Cm" {
		t.Errorf("a passkey that was planted at P0 opens %q", got)
	}
	later := newAuthenticator(t)
	w.clock.advance(2 * time.Minute)
	again := w.in(a)
	again.makesPasskey(later)
	fresh := w.browser()
	fresh.givesPasskey(later)
	if got := fresh.trust(); got != "P5.Cm" {
		t.Errorf("one that was made at P5 opens %q", got)
	}
}

func (b *browser) handsOver(w *town, a applicant) {
	b.t.Helper()
	number := strings.ReplaceAll(a.number, " ", "")
	b.post("/account/activation", url.Values{"activation_code": {w.handed(number)}})
}

// Whom a provider proved comes back with a passkey where it allows that, for as long as
// it does not want to be asked again, and at its level for as long as its proof lasts.
func TestPasskeysOfAProvidersPatients(t *testing.T) {
	allows := withNHSLogin("passkeys: true\n    reprove: 10d\n    trust_lasts: 5d")
	w := newTown(t, onAName, allows)
	b, device := w.browser(), newAuthenticator(t)
	b.login("mair-prawf")
	if p := b.makesPasskey(device); p.StatusCode != http.StatusOK {
		t.Fatalf("wanted it made, got %d", p.StatusCode)
	}
	for _, row := range []struct {
		after time.Duration
		want  string
	}{{time.Hour, "P9.Cm"}, {4 * 24 * time.Hour, "P9.Cm"}, {24 * time.Hour, "P0.Cm"}} {
		w.clock.advance(row.after)
		back := w.browser()
		if back.givesPasskey(device); back.trust() != row.want {
			t.Errorf("%s later: wanted %s, got %q", row.after, row.want, back.trust())
		}
	}
	w.clock.advance(5 * 24 * time.Hour)
	late := w.browser()
	p := late.givesPasskey(device)
	if p.StatusCode != http.StatusOK || late.loggedIn() || !strings.Contains(p.body, "/login/nhs-login") {
		t.Errorf("wanted to be sent to NHS login once more, got %d", p.StatusCode)
	}
	late.login("mair-prawf")
	again := w.browser()
	if again.givesPasskey(device); again.trust() != "P9.Cm" {
		t.Errorf("after NHS login was asked: got %q", again.trust())
	}
}

func TestNoPasskeysWhereTheProviderForbidsThem(t *testing.T) {
	w := newTown(t, onAName)
	b := w.browser()
	b.login("mair-prawf")
	if p := b.get("/account/passkeys"); !strings.Contains(p.body, "asks you each time") {
		t.Error("the page does not say why")
	}
	if strings.Contains(b.get("/account").body, "/account/passkeys") {
		t.Error("the account page offers them")
	}
}

func TestStepUpByPasskey(t *testing.T) {
	w, a, _, device := keyed(t)
	b := w.in(a)
	w.clock.advance(20 * time.Minute)
	to := b.get("/account/delete").location(t)
	before := b.keeps("dilys")
	asked, form := b.asking(to.String())
	if !strings.Contains(asked, "allowCredentials") {
		t.Error("the device is not told which passkey is asked for")
	}
	stranger := newAuthenticator(t)
	w.signUp(mair()).makesPasskey(stranger)
	bad := url.Values{}
	for k, v := range form {
		bad[k] = v
	}
	var o map[string]any
	must(t, json.Unmarshal([]byte(asked), &o))
	delete(o, "allowCredentials") // a browser that does as it likes
	all, err := json.Marshal(o)
	must(t, err)
	bad.Set("credential", stranger.give(string(all), w.url))
	if p := b.post("/step-up/passkey", bad); p.StatusCode != http.StatusUnprocessableEntity || b.keeps("dilys") != before {
		t.Errorf("another's passkey stepped the session up: %d", p.StatusCode)
	}
	asked, _ = b.asking(to.String())
	stranger.Keys[0].ID = device.Keys[0].ID
	bad.Set("credential", stranger.give(asked, w.url))
	if p := b.post("/step-up/passkey", bad); p.StatusCode != http.StatusUnprocessableEntity || b.keeps("dilys") != before {
		t.Errorf("another's key stepped the session up: %d", p.StatusCode)
	}
	asked, form = b.asking(to.String())
	form.Set("credential", device.give(asked, w.url))
	p := b.post("/step-up/passkey", form)
	if p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/account/delete" || b.keeps("dilys") == before {
		t.Fatalf("wanted to be back at the page with a new secret (H1), got %d to %s", p.StatusCode, p.Header.Get("Location"))
	}
	if b.get("/account/delete").StatusCode != http.StatusOK {
		t.Error("the page is still closed")
	}
}

// Who has only the password of a patient with a passkey changes nothing of how the
// account is opened.
func TestAPasswordAloneBindsNothingBesideAPasskey(t *testing.T) {
	w, a := newTown(t, onAName), gwen()
	w.signUpBare(a).makesPasskey(newAuthenticator(t))
	w.clock.advance(11 * time.Minute)
	thief := w.browser()
	thief.enter(a.email, a.password)
	if got := thief.trust(); got != "P0.Cp" && got != "P5.Cp" {
		t.Fatalf("wanted a login by password alone, got %q", got)
	}
	if p := thief.post("/account/authenticator", nil); p.StatusCode != http.StatusSeeOther || p.location(t).Path != stepUp {
		t.Errorf("wanted the passkey asked for, got %d", p.StatusCode)
	}
}

func TestPasskeysAreKept(t *testing.T) {
	w, a, b, device := keyed(t)
	id := w.keyOf(a)
	if p := b.post("/account/passkeys/"+id, url.Values{"name": {"Fy ffôn"}}); !strings.Contains(p.body, "Fy ffôn") {
		t.Error("the name is not kept")
	}
	if p := b.post("/account/passkeys/"+id, url.Values{"name": {strings.Repeat("x", 51)}}); p.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a name of 51 characters: %d", p.StatusCode)
	}
	other := w.signUp(mair())
	other.post("/account/passkeys/"+id, url.Values{"name": {"theirs"}})
	other.post("/account/passkeys/"+id+"/remove", nil)
	if p := b.get("/account/passkeys"); !strings.Contains(p.body, "Fy ffôn") {
		t.Error("somebody else changed it")
	}
	if p := b.get("/account/passkeys/" + id + "/remove"); p.StatusCode != http.StatusOK || strings.Contains(p.body, "Nothing else proves") {
		t.Errorf("wanted to be asked, without a warning as there is a phone, got %d", p.StatusCode)
	}
	p := b.post("/account/passkeys/"+id+"/remove", nil)
	if !strings.Contains(p.body, "The passkey is removed") || !strings.Contains(p.body, "allAcceptedCredentialIds") {
		t.Error("the device is not told that it is gone")
	}
	gone := w.browser()
	failed := gone.givesPasskey(device)
	if failed.StatusCode != http.StatusUnprocessableEntity || gone.loggedIn() || !strings.Contains(failed.body, "data-passkey-unknown") {
		t.Errorf("wanted the device told that nobody knows it, got %d", failed.StatusCode)
	}
}

func TestPasskeysAreOffered(t *testing.T) {
	w, a := newTown(t, onAName), gwen()
	w.signUp(a).post("/account/second-way", nil) // a card, so that none is asked for
	own := w.browser()
	enters := func(b *browser) string {
		w.clock.advance(25 * time.Hour) // the day's texts are counted
		b.enter(a.email, a.password)
		p := b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
		return p.location(t).Path
	}
	if got := enters(own); got != "/account/passkeys/offer" {
		t.Fatalf("wanted the offer, got %q", got)
	}
	own.post("/account/passkeys/offer", url.Values{"choice": {"never"}})
	own.post("/logout", nil)
	if got := enters(own); got == "/account/passkeys/offer" {
		t.Error("it is asked again where it was not to be")
	}
	for i, want := range []bool{true, true, false} { // three in all
		b := w.browser()
		if got := enters(b) == "/account/passkeys/offer"; got != want {
			t.Errorf("in browser %d: offered %v", i+2, got)
		}
		b.post("/account/passkeys/offer", url.Values{"choice": {"later"}})
	}
}

func TestPasskeyEndpoints(t *testing.T) {
	w := newTown(t, onAName)
	var got map[string]string
	p := w.browser().get("/.well-known/passkey-endpoints")
	must(t, json.Unmarshal([]byte(p.body), &got))
	if got["enroll"] != w.url+"/account/passkeys" || got["manage"] != got["enroll"] {
		t.Errorf("got %v", got)
	}
	if p := newTown(t).browser().get("/.well-known/passkey-endpoints"); p.StatusCode != http.StatusNotFound {
		t.Errorf("on a host without a name: %d", p.StatusCode)
	}
}
