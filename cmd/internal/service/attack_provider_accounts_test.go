package service_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// subject is the account that the browser's session is of.
func (b *browser) subject() string {
	b.t.Helper()
	return b.get("/check").Header.Get("Dilys-Subject")
}

// account is the account of the browser's session, as the database has it.
func (b *browser) account() account.Account {
	b.t.Helper()
	a, err := b.w.DB.Accounts().Account(b.t.Context(), b.subject())
	must(b.t, err)
	return a
}

// subjectAtProvider is who the browser's patient is there.
func (b *browser) subjectAtProvider(id string) string {
	b.t.Helper()
	for _, l := range b.account().Links {
		if l.Provider == id {
			return l.Subject
		}
	}
	return ""
}

// patient is a made-up one.
func (w *world) patient(t testing.TB, key string) simulator.Patient {
	t.Helper()
	for _, p := range w.sim.Patients() {
		if p.Key == key {
			return p
		}
	}
	t.Fatalf("%s: wanted a patient of the simulator", key)
	return simulator.Patient{}
}

// claiming is a lie that ID token and userinfo agree on.
func claiming(claims map[string]any) simulator.Faults {
	return simulator.Faults{IDToken: &simulator.TokenFault{Set: claims}, UserInfo: &simulator.DocumentFault{Set: claims}}
}

// userinfo is what a portal learns of the browser's patient.
func (b *browser) userinfo(answer *url.URL) map[string]any {
	b.t.Helper()
	got := b.exchange(answer.Query().Get("code")).tokens(b.t)
	p := b.send(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + got.AccessToken}})
	var claims map[string]any
	must(b.t, json.Unmarshal([]byte(p.body), &claims))
	return claims
}

// TestB8_EmailVerified: only true, or the string that some providers write for it,
// is true.
func TestB8_EmailVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, row := range map[string]struct {
		value    any
		verified any
	}{
		"true":                {true, true},
		"true as text":        {"true", true},
		"false":               {false, false},
		"false as text":       {"false", false},
		"1":                   {1, false},
		"1 as text":           {"1", false},
		"True as text":        {"True", false},
		"true and a space":    {"true ", false},
		"a list with true":    {[]bool{true}, false},
		"an object":           {map[string]bool{"true": true}, false},
		"nothing where it is": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, w.sim.SetNextFaults(simulator.Faults{UserInfo: &simulator.DocumentFault{Set: map[string]any{"email_verified": row.value}}}))
			b := w.visitor(t)
			told := b.userinfo(b.code("mair-prawf"))
			if told["email"] != "mair-prawf@example.com" || told["email_verified"] != row.verified {
				t.Errorf("a portal: wanted the address with %v, got %v", row.verified, told["email_verified"])
			}
			if got := b.account().Details().EmailVerified; got != row.verified {
				t.Errorf("kept: wanted %v, got %v", row.verified, got)
			}
		})
	}
	t.Run("absent, where it was verified before", func(t *testing.T) {
		w.logsIn(t, w.nhsLogin())
		must(t, w.sim.SetNextFaults(w.nhsLogin().preset(t, "email-verified-absent")))
		b := w.visitor(t)
		if told := b.userinfo(b.code("mair-prawf")); told["email_verified"] != false {
			t.Errorf("wanted an address that nobody vouches for to be unverified, got %v", told["email_verified"])
		}
	})
}

// TestB8_SubjectsAreExact: a subject that differs in case or by a space is somebody
// else, whatever else is the same.
func TestB8_SubjectsAreExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whose := map[string]string{}
	for _, subject := range []string{"subject-a", "SUBJECT-A", "Subject-a", "subject-a ", " subject-a", "subject-a.", "subject-ä"} {
		t.Run(subject, func(t *testing.T) {
			must(t, w.sim.SetNextFaults(claiming(map[string]any{"sub": subject})))
			b := w.visitor(t)
			p := b.login("mair-prawf")
			if !isASCII(subject) { // OpenID Connect Core §2
				b.mustBeRefused(p, "nhs-login", "subject-unfit")
				return
			}
			b.mustBeIn(p)
			if other, taken := whose[b.subject()]; taken {
				t.Errorf("wanted an account of its own, got that of %q", other)
			}
			whose[b.subject()] = subject
			if got := b.subjectAtProvider("nhs-login"); got != subject {
				t.Errorf("kept: wanted %q, got %q", subject, got)
			}
		})
	}
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }

// TestB8_SubjectsAreTheirIssuers: what another provider says of the same subject,
// address and NHS number is of another account (ASVS 6.8.1).
func TestB8_SubjectsAreTheirIssuers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	victim := w.patient(t, "mair-prawf")
	a := w.visitor(t)
	a.mustBeIn(a.login(victim.Key))
	must(t, w.second.SetNextFaults(claiming(map[string]any{
		"sub": victim.Subject, "nhs_number": victim.NHSNumber, "email": victim.Email, "email_verified": true,
		"phone_number": victim.Phone, "phone_number_verified": true, "birthdate": victim.Birthdate,
	})))
	b := w.visitor(t)
	b.mustBeIn(b.get(b.answer(b.toProvider("second", nil), victim.Key).String()))
	if a.subject() == b.subject() {
		t.Errorf("wanted two accounts, got one")
	}
	if details := b.account().Details(); !details.NHSNumber.IsZero() {
		t.Errorf("wanted no NHS number below P5, got one kept")
	}
	if len(a.account().Links) != 1 {
		t.Errorf("wanted the first account as it was, got %d links", len(a.account().Links))
	}
}

func TestOneNHSNumberOnTwoSubjectsIsTwoAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[string]bool{}
	for _, key := range []string{"nia-dwbl", "nia-dwbl-p5"} {
		b := w.visitor(t)
		b.mustBeIn(b.login(key))
		seen[b.subject()] = true
	}
	number, err := identity.ParseNHSNumber(w.patient(t, "nia-dwbl").NHSNumber)
	must(t, err)
	found, err := w.DB.Accounts().ByNHSNumber(t.Context(), number)
	must(t, err)
	if len(seen) != 2 || len(found) != 2 {
		t.Errorf("wanted two accounts, got %d sessions' and %d of the number", len(seen), len(found))
	}
}

func TestUnderAgeLeavesNoRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	young := w.patient(t, "carys-ifanc")
	rows := func() int {
		t.Helper()
		number, err := identity.ParseNHSNumber(young.NHSNumber)
		must(t, err)
		found, err := w.DB.Accounts().ByNHSNumber(t.Context(), number)
		must(t, err)
		if _, err := w.DB.Accounts().ByLink(t.Context(), w.sim.Issuer(), young.Subject); err == nil {
			found = append(found, account.Account{})
		} else if !errors.Is(err, identity.ErrNotFound) {
			t.Fatal(err)
		}
		return len(found)
	}
	b := w.visitor(t)
	p := b.login(young.Key)
	b.mustSayNo(p, "nhs-login", "under-age")
	b.mustNotLogIn(p)
	if got := rows(); got != 0 {
		t.Errorf("wanted no row, got %d", got)
	}
	t.Run("and is let in when old enough", func(t *testing.T) {
		w.clock.advance(183 * 24 * time.Hour)
		b := w.visitor(t)
		b.mustBeIn(b.login(young.Key))
		if rows() == 0 {
			t.Errorf("wanted the rows to be found, got none: the test sees nothing")
		}
	})
}

func TestB13_DisabledAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open := w.visitor(t)
	open.mustBeIn(open.login("mair-prawf"))
	id := open.subject()
	begun := w.visitor(t) // half-way there when it happens
	callback := begun.answer(begun.toProvider("nhs-login", nil), "mair-prawf")
	must(t, w.Accounts.Disable(t.Context(), id, "operator:test", "asked for"))

	if open.loggedIn() {
		t.Errorf("wanted the open session to end, got it alive")
	}
	refused := func(t *testing.T, b *browser, p page) {
		t.Helper()
		b.mustSayNo(p, "nhs-login", "account-disabled")
		b.mustNotLogIn(p)
		if a, err := w.DB.Accounts().Account(t.Context(), id); err != nil || a.State != account.Disabled {
			t.Errorf("wanted it to stay disabled, got %s, %v", a.State, err)
		}
	}
	t.Run("a login begun before", func(t *testing.T) { refused(t, begun, begun.get(callback.String())) })
	t.Run("a login begun after", func(t *testing.T) {
		b := w.visitor(t)
		refused(t, b, b.login("mair-prawf"))
	})
	t.Run("in the browser that was logged in", func(t *testing.T) { refused(t, open, open.login("mair-prawf")) })
	t.Run("by the NHS App", func(t *testing.T) {
		b := w.visitor(t)
		jwt, err := w.sim.AssertLogin("mair-prawf", true)
		must(t, err)
		at := b.get("/login/nhs-login?assertedLoginIdentity=" + jwt).location(t)
		refused(t, b, b.get(b.get(at.String()).location(t).String()))
	})
	t.Run("for a portal", func(t *testing.T) {
		b := w.visitor(t)
		request := b.get(authorization()).location(t).Query().Get("request")
		refused(t, b, b.get(b.answer(b.toProvider("nhs-login", url.Values{"request": {request}}), "mair-prawf").String()))
		if at := b.get("/authorize?request=" + request).location(t); at.Path != "/login" {
			t.Errorf("the portal's request: wanted to go on waiting, got %s", at.Path)
		}
	})
	t.Run("and is let in when enabled", func(t *testing.T) {
		must(t, w.Accounts.Enable(t.Context(), id, "operator:test", "a mistake"))
		b := w.visitor(t)
		b.mustBeIn(b.login("mair-prawf"))
		if b.subject() != id {
			t.Errorf("wanted the same account, got another")
		}
		if open.loggedIn() {
			t.Errorf("wanted the old session to stay dead, got it alive")
		}
	})
}

// TestB13_ProviderRemoved takes the provider out of the configuration between the
// departure and the callback.
func TestB13_ProviderRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.Config
	b := w.visitor(t)
	callback := b.answer(b.toProvider("nhs-login", nil), "mair-prawf")
	w.sim.ResetCalls()

	t.Run("removed", func(t *testing.T) {
		without := *before
		without.Providers = before.Providers[1:]
		w.start(&without)
		p := b.get(callback.String())
		if p.StatusCode != http.StatusNotFound || !strings.Contains(p.body, "111") || !referenceText.MatchString(p.body) {
			t.Errorf("wanted 404 with help and a reference, got %d %s", p.StatusCode, heading(p))
		}
		b.mustNotLogIn(p)
		if again := b.post("/login/nhs-login", nil); again.StatusCode != http.StatusNotFound {
			t.Errorf("its button: wanted 404, got %d", again.StatusCode)
		}
		w.nhsLogin().mustHaveBeenAsked(t, nowhere)
	})
	t.Run("another in its place", func(t *testing.T) {
		moved := *before
		moved.Providers = append(moved.Providers[:0:0], before.Providers...)
		moved.Providers[0].Issuer = w.second.Issuer()
		w.start(&moved)
		p := b.get(callback.String())
		b.mustBeRefused(p, "nhs-login", "attempt-of-another-provider")
		for _, each := range w.liars() {
			each.mustHaveBeenAsked(t, nowhere)
		}
	})
	t.Run("back again: the answer was spent", func(t *testing.T) {
		w.start(before)
		b.mustBeRefused(b.get(callback.String()), "nhs-login", "callback-used")
		w.nhsLogin().mustHaveBeenAsked(t, nowhere)
		w.logsIn(t, w.nhsLogin())
	})
}
