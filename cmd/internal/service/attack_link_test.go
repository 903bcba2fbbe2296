package service_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// mair signs up here with what NHS login knows of the made-up patient mair-prawf.
func mair() applicant {
	return applicant{"mair@example.com", "07700900202", "Mair", "Prawf", "27", "3", "1984", "999 000 0379", "wobbly teapot sky"}
}

// mairsSubject is what NHS login calls her.
const mairsSubject = "6513270e-269e-4d37-b2a7-4de452e6b438"

var outward = regexp.MustCompile(`href="(http[^"]*/authorize\?[^"]*)"`)

// linkAt asks to link that provider, and returns its address.
func (b *browser) linkAt(provider string) *url.URL {
	b.t.Helper()
	p := b.post("/account/providers/"+provider, nil)
	found := outward.FindStringSubmatch(p.body)
	if p.StatusCode != http.StatusOK || found == nil {
		b.t.Fatalf("wanted a page that leads to %s, got %d", provider, p.StatusCode)
	}
	at, err := url.Parse(html.UnescapeString(found[1]))
	must(b.t, err)
	return at
}

// links links NHS login as that made-up patient, and returns what the patient sees.
func (b *browser) links(patient string) page {
	b.t.Helper()
	return b.get(b.answer(b.linkAt("nhs-login"), patient).String())
}

// opens is the id of the account that NHS login opens, or nothing.
func (w *town) opens(subject string) string {
	w.t.Helper()
	a, err := w.Accounts.ByAnswer(w.t.Context(), identity.Answer{Issuer: w.sim.Issuer(), Subject: subject})
	if err != nil {
		return ""
	}
	return a.ID
}

func TestALinkedLoginOpensTheSameAccount(t *testing.T) {
	w, a := newTown(t), mair()
	b := w.signUp(a)
	id, before := w.accountOf(a.email).ID, b.keeps("dilys")
	w.clock.advance(time.Minute)
	p := b.links("mair-prawf")
	if p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/account/providers" || b.keeps("dilys") == before {
		t.Fatalf("wanted it linked, with a new secret (H1), got %d to %v", p.StatusCode, p.Header.Get("Location"))
	}
	if got := b.trust(); got != "P9.Cp.Cd" {
		t.Errorf("the session: wanted P9.Cp.Cd, got %q", got)
	}
	for _, path := range []string{"/account/two-step", "/account/phone", "/account/second-way", "/account/authenticator"} {
		if p := b.get(path); p.StatusCode != http.StatusOK { // the account page leads there
			t.Errorf("%s in a session that NHS login raised: got %d", path, p.StatusCode)
		}
	}
	if body := b.get("/account/providers").body; !strings.Contains(body, "You can now log in to this account with NHS login too") {
		t.Error("the patient is not told")
	}
	for _, to := range []string{a.email, a.e164()} {
		if !strings.Contains(allSent(w, to), "new way to log in was linked") {
			t.Error("an address is not told")
		}
	}
	if got := w.events(id, audit.ProviderLinked); len(got) != 1 || got[0].Provider != "nhs-login" {
		t.Errorf("wanted one event, got %d", len(got))
	}
	other := w.browser()
	other.login("mair-prawf")
	if !other.loggedIn() || w.opens(mairsSubject) != id {
		t.Error("NHS login opens another account")
	}
	if body := other.get("/account").body; !strings.Contains(body, "From NHS login") || !strings.Contains(body, "From you") {
		t.Error("the account page does not tell the two sources apart")
	}
}

// What NHS login proved serves password and code for trust_lasts, and then what was
// proved here is left.
func TestALinkedProofLapses(t *testing.T) {
	w, a := newTown(t), mair()
	b := w.signUp(a)
	b.handsOver(w, a)
	b.links("mair-prawf")
	for _, row := range []struct {
		after time.Duration
		want  string
	}{{time.Hour, "P9.Cp.Cd"}, {88 * 24 * time.Hour, "P9.Cp.Cd"}, {2 * 24 * time.Hour, "P5.Cp.Cd"}} {
		w.clock.advance(row.after)
		if got := w.in(a).trust(); got != row.want {
			t.Errorf("%s later: wanted %s, got %q", row.after, row.want, got)
		}
	}
}

func TestEachSideUndoesALink(t *testing.T) {
	for name, log := range map[string]func(*town, applicant) *browser{
		"the own side": func(w *town, a applicant) *browser { return w.in(a) },
		"the side of the provider": func(w *town, _ applicant) *browser {
			b := w.browser()
			b.login("mair-prawf")
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, a := newTown(t), mair()
			first := w.signUp(a)
			id := w.accountOf(a.email).ID
			first.links("mair-prawf")
			w.clock.advance(2 * time.Minute)
			b := log(w, a)
			if p := b.get("/account/providers/nhs-login/remove"); p.StatusCode != http.StatusOK || !first.loggedIn() {
				t.Fatalf("wanted to be asked first, got %d", p.StatusCode)
			}
			p := b.post("/account/providers/nhs-login/remove", nil)
			if p.StatusCode != http.StatusOK || b.loggedIn() || first.loggedIn() || w.opens(mairsSubject) != "" {
				t.Fatalf("wanted it taken away, and everybody logged out, got %d", p.StatusCode)
			}
			if !strings.Contains(allSent(w, a.email), "way to log in was removed") {
				t.Error("the patient is not told")
			}
			b = w.in(a)
			if got := b.trust(); got != "P0.Cp.Cd" {
				t.Errorf("what NHS login proved outlived the link: %q", got)
			}
			other := w.browser()
			other.login("mair-prawf")
			if got := w.opens(mairsSubject); got == "" || got == id {
				t.Error("wanted NHS login to open an account of its own")
			}
		})
	}
}

// Each row does something that must not link the login of mair-prawf, and says what the
// help desk finds.
func TestLinksThatAreRefused(t *testing.T) {
	for name, row := range map[string]struct {
		applicant func(*applicant)
		do        func(w *town, b *browser, a applicant) page
		cause     string
	}{
		"another birth date": {
			func(a *applicant) { a.day = "28" },
			func(_ *town, b *browser, _ applicant) page { return b.links("mair-prawf") }, "link-differs",
		},
		"another NHS number": {
			func(a *applicant) { a.number = "999 100 0003" },
			func(_ *town, b *browser, _ applicant) page { return b.links("mair-prawf") }, "link-differs",
		},
		"a login that is another account's": {nil, func(w *town, b *browser, _ applicant) page {
			w.browser().login("mair-prawf")
			return b.links("mair-prawf")
		}, "link-elsewhere"},
		"a login with one factor there": {nil, func(w *town, b *browser, _ applicant) page {
			at := b.linkAt("second")
			return b.get(b.answer(at, "mair-prawf").String())
		}, "link-weak"},
		"an answer later than ten minutes after the login here": {nil, func(w *town, b *browser, _ applicant) page {
			at := b.linkAt("nhs-login")
			w.clock.advance(10*time.Minute + time.Second)
			return b.get(b.answer(at, "mair-prawf").String())
		}, ""},
		"a login there that is older than ten minutes": {nil, func(w *town, b *browser, _ applicant) page {
			old := w.clock.Now().Add(-11 * time.Minute).Unix()
			must(w.t, w.sim.SetNextFaults(simulator.Faults{IDToken: &simulator.TokenFault{Set: map[string]any{"auth_time": old}}}))
			return b.links("mair-prawf")
		}, ""},
		"a login there of which nobody says when it was": {nil, func(w *town, b *browser, _ applicant) page {
			must(w.t, w.sim.SetNextFaults(simulator.Faults{IDToken: &simulator.TokenFault{Drop: []string{"auth_time"}}}))
			return b.links("mair-prawf")
		}, ""},
		"an answer to a session that ended meanwhile": {nil, func(w *town, b *browser, a applicant) page {
			callback := b.answer(b.linkAt("nhs-login"), "mair-prawf")
			must(w.t, w.Accounts.SignOut(w.t.Context(), w.accountOf(a.email).ID, "operator:one", "test"))
			return b.get(callback.String())
		}, "callback-foreign"},
		"a record that was frozen meanwhile": {nil, func(w *town, b *browser, _ applicant) page {
			at := b.linkAt("nhs-login")
			b.post("/account/not-my-number", nil)
			return b.get(b.answer(at, "mair-prawf").String())
		}, "callback-foreign"},
		"a second login of the same provider": {
			func(a *applicant) { a.day, a.month, a.year, a.number = "21", "8", "1979", "999 000 2592" },
			func(_ *town, b *browser, _ applicant) page {
				b.links("nia-dwbl-p5")
				return b.links("nia-dwbl")
			}, "link-elsewhere",
		},
		"another browser's answer (link CSRF)": {nil, func(w *town, b *browser, _ applicant) page {
			attacker := w.signUp(gwen())
			callback := attacker.answer(attacker.linkAt("nhs-login"), "mair-prawf")
			return b.get(callback.String())
		}, "callback-foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			w, a := newTown(t), mair()
			if row.applicant != nil {
				row.applicant(&a)
			}
			b := w.signUp(a)
			id := w.accountOf(a.email).ID
			p := row.do(w, b, a)
			if w.opens(mairsSubject) == id {
				t.Fatalf("it was linked")
			}
			if row.cause == "" {
				if p.StatusCode != http.StatusSeeOther || p.location(t).Path != stepUp {
					t.Errorf("wanted a fresh proof asked for, got %d", p.StatusCode)
				}
			} else if got := w.explained(p); !strings.Contains(got, row.cause) {
				t.Errorf("wanted the help desk to find %s, got\n%s", row.cause, got)
			}
			if got := b.trust(); strings.HasPrefix(got, "P9") {
				t.Errorf("the session rose to %s", got)
			}
		})
	}
}

// What does not even begin: nobody is sent to a provider.
func TestLinksThatDoNotBegin(t *testing.T) {
	for name, row := range map[string]struct {
		do func(w *town, b *browser) page
		to string
	}{
		"by GET": {func(_ *town, b *browser) page { return b.get("/account/providers/nhs-login") }, ""},
		"by a form of another site": {func(_ *town, b *browser) page {
			return b.send(http.MethodPost, "/account/providers/nhs-login", nil, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
		}, ""},
		"by an old login": {func(w *town, b *browser) page {
			w.clock.advance(11 * time.Minute)
			return b.post("/account/providers/nhs-login", nil)
		}, stepUp},
		"of a record that is frozen": {func(_ *town, b *browser) page {
			b.post("/account/not-my-number", nil)
			if body := b.get("/account/providers").body; strings.Contains(body, "Link NHS login") {
				b.t.Error("the page offers it")
			}
			return b.post("/account/providers/nhs-login", nil)
		}, "/account/providers"},
		"by nobody":           {func(w *town, _ *browser) page { return w.browser().post("/account/providers/nhs-login", nil) }, "/login"},
		"at another provider": {func(_ *town, b *browser) page { return b.post("/account/providers/nobody", nil) }, ""},
		"with a password alone": {func(w *town, _ *browser) page {
			bare := w.signUpBare(gwen())
			if body := bare.get("/account/providers").body; !strings.Contains(body, "you first need a second step") {
				w.t.Error("the page does not say what is missing")
			}
			return bare.post("/account/providers/nhs-login", nil)
		}, "/account/providers"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			p := row.do(w, w.signUp(mair()))
			if outward.MatchString(p.body) {
				t.Error("it leads to the provider")
			}
			switch {
			case row.to == "" && p.StatusCode < http.StatusBadRequest:
				t.Errorf("wanted a refusal, got %d", p.StatusCode)
			case row.to != "" && (p.StatusCode != http.StatusSeeOther || p.location(t).Path != row.to):
				t.Errorf("wanted to be led to %s, got %d", row.to, p.StatusCode)
			}
		})
	}
}

func TestTheLastWayInStays(t *testing.T) {
	w := newTown(t)
	b := w.browser()
	b.login("mair-prawf")
	if body := b.get("/account/providers/nhs-login/remove").body; !strings.Contains(body, "Nothing else opens your account") {
		t.Error("the page offers it")
	}
	b.post("/account/providers/nhs-login/remove", nil)
	if !b.loggedIn() || w.opens(mairsSubject) == "" {
		t.Error("it was taken away")
	}
}

// Of many sessions that bring one login at once, one account gets it.
func TestLinkingRaces(t *testing.T) {
	const many = 8
	w := newTown(t)
	type side struct {
		b        *browser
		callback string
	}
	sides := make([]side, many)
	for i := range sides {
		a := mair()
		a.email, a.phone = string(rune('a'+i))+"@example.com", "0770090021"+string(rune('0'+i))
		b := w.signUp(a)
		sides[i] = side{b, b.answer(b.linkAt("nhs-login"), "mair-prawf").String()}
	}
	var wg sync.WaitGroup
	for _, s := range sides {
		wg.Go(func() { s.b.get(s.callback) })
	}
	wg.Wait()
	risen := 0
	for _, s := range sides {
		if strings.HasPrefix(s.b.trust(), "P9") {
			risen++
		}
	}
	if risen != 1 {
		t.Errorf("wanted one account linked, got %d", risen)
	}
}
