package service_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
)

// seen gives the patient of that browser the code that two members of staff made who saw
// the documents: P9.
func (b *browser) seen(w *town, a applicant) {
	b.t.Helper()
	n, err := identity.ParseNHSNumber(a.number)
	must(b.t, err)
	code, _, err := w.Factors.Issue(b.t.Context(), factor.Handed{
		Kind: factor.Documents, NHSNumber: n, Basis: "passport", IssuedBy: "operator:one", ConfirmedBy: "operator:two", Reason: "test",
	})
	must(b.t, err)
	b.post("/account/activation", url.Values{"activation_code": {code.Reveal()}})
	if got := b.trust(); got != "P9.Cp.Cd" {
		b.t.Fatalf("wanted P9 by documents, got %q", got)
	}
}

// twice is one patient with two accounts, each at P9: by NHS login, and an hour later by
// a password here and documents.
type twice struct {
	w            *town
	a            applicant
	there, here  *browser
	theirs, ours string // ids
}

func newTwice(t *testing.T, options ...option) twice {
	t.Helper()
	x := twice{w: newTown(t, options...), a: mair()}
	x.there = x.w.browser()
	x.there.login("mair-prawf")
	x.theirs = x.there.subject()
	x.w.clock.advance(time.Minute)
	x.here = x.w.signUp(x.a)
	x.here.seen(x.w, x.a)
	x.ours = x.here.subject()
	return x
}

// subAt is the `sub` of the ID token that my-health gets in that browser, where nobody
// needs to log in. Userinfo must say the same.
func (b *browser) subAt(t *testing.T) string {
	t.Helper()
	answer := b.silently()
	got := b.exchange(answer.Query().Get("code")).tokens(t)
	if got.Error != "" || got.IDToken == "" {
		t.Fatalf("my-health: wanted tokens, got %v %s", answer.Query(), got.Error)
	}
	sub, _ := claimsOf(t, got.IDToken)["sub"].(string)
	p := b.w.bearer(t, http.MethodGet, "/userinfo", got.AccessToken)
	if p.StatusCode != http.StatusOK || !strings.Contains(p.body, `"sub":"`+sub+`"`) {
		t.Errorf("userinfo: wanted the sub of the ID token, got %d", p.StatusCode)
	}
	return sub
}

func TestTwoAccountsOfOnePatientBecomeOne(t *testing.T) {
	x := newTwice(t, withPortal(handingIn))
	if got := x.there.subAt(t); got != x.theirs {
		t.Fatalf("wanted my-health to know %s, got %s", x.theirs, got)
	}
	x.w.clock.advance(time.Minute)
	if x.here.subAt(t) != x.ours || x.w.handsIn(x.here, "handing-in")["sub"] != x.ours {
		t.Fatal("wanted both portals to know the own account")
	}
	other := x.w.in(x.a)
	x.there.login("mair-prawf")
	x.here = x.w.in(x.a)
	if body := x.here.get("/account/providers").body; !strings.Contains(body, "the two become one account") {
		t.Error("the patient is not told before")
	}
	p := x.here.links("mair-prawf")
	if p.StatusCode != http.StatusSeeOther || p.location(t).Path != "/account/providers" {
		t.Fatalf("wanted one account, got %d\n%s", p.StatusCode, x.w.explained(p))
	}
	if body := x.here.get("/account/providers").body; !strings.Contains(body, "Your two accounts here are now one") {
		t.Error("the patient is not told")
	}
	if x.there.loggedIn() || other.loggedIn() || !x.here.loggedIn() {
		t.Error("wanted every other session of both ended")
	}
	if got := x.w.opens(mairsSubject); got != x.ours {
		t.Errorf("NHS login: wanted it to open %s, got %s", x.ours, got)
	}
	gone, err := x.w.Accounts.Account(t.Context(), x.theirs)
	must(t, err)
	if gone.State != account.Deleted || gone.MergedInto != x.ours || len(gone.Links) != 0 {
		t.Errorf("the other account: got %s, into %q, %d links", gone.State, gone.MergedInto, len(gone.Links))
	}
	back := x.w.browser()
	back.login("mair-prawf")
	for name, b := range map[string]*browser{"by NHS login": back, "by the password": x.w.in(x.a)} {
		if got := b.subAt(t); got != x.theirs {
			t.Errorf("%s: my-health knew %s first, and was told %s", name, x.theirs, got)
		}
		if got := x.w.handsIn(b, "handing-in")["sub"]; got != x.ours {
			t.Errorf("%s: handing-in knew %s alone, and was told %s", name, x.ours, got)
		}
	}
	if !strings.Contains(allSent(x.w, x.a.email), "new way to log in was linked") {
		t.Error("nobody is told")
	}
}

// What either account did stays in one record, which its patient reads.
func TestTheRecordOfTwoAccountsIsOne(t *testing.T) {
	x := newTwice(t)
	x.there.subAt(t)
	before := len(x.w.events(x.ours, audit.CodeIssued))
	x.here = x.w.in(x.a)
	x.here.links("mair-prawf")
	if got := len(x.w.events(x.ours, audit.CodeIssued)); got != before+1 {
		t.Errorf("wanted what the other account was shown in the record too, got %d events", got)
	}
	body := x.here.get("/account/activity").body
	if n := strings.Count(body, "Your two accounts here became one</h2>"); n != 1 {
		t.Errorf("wanted it told once, got %d", n)
	}
}

// An old ID token of the account that is no more still says who is meant, to the portal
// that it was given to.
func TestAHintOfTheOtherAccountStillServes(t *testing.T) {
	x := newTwice(t)
	old := x.there.exchange(x.there.silently().Query().Get("code")).tokens(t).IDToken
	x.here = x.w.in(x.a)
	x.here.links("mair-prawf")
	if q := x.here.silently("id_token_hint", old).Query(); q.Get("code") == "" {
		t.Errorf("wanted a code for whom the hint names, got %s", q.Get("error"))
	}
}

func TestPasskeysMoveWithAMerge(t *testing.T) {
	x := newTwice(t, onAName, withNHSLogin("passkeys: true"))
	device, fresh := newAuthenticator(t), x.w.browser()
	fresh.login("mair-prawf")
	if p := fresh.makesPasskey(device); p.StatusCode != http.StatusOK {
		t.Fatalf("wanted a passkey, got %d", p.StatusCode)
	}
	x.here = x.w.in(x.a)
	x.here.links("mair-prawf")
	b := x.w.browser()
	b.givesPasskey(device)
	if got := b.trust(); got != "P9.Cm" || b.subject() != x.ours {
		t.Errorf("wanted the passkey to open the one account, got %q", got)
	}
}

// Whoever asked for quiet on either side still lives with somebody.
func TestQuietStaysInAMerge(t *testing.T) {
	x := newTwice(t)
	x.there.hush("yes")
	x.here = x.w.in(x.a)
	x.here.links("mair-prawf")
	acc, err := x.w.Accounts.Account(t.Context(), x.ours)
	must(t, err)
	if acc.TookIn.IsZero() || !acc.Quiet {
		t.Errorf("wanted one quiet account, merged: %v", !acc.TookIn.IsZero())
	}
}

// Each row is two accounts that stay two.
func TestAccountsThatStayTwo(t *testing.T) {
	for name, row := range map[string]struct {
		do    func(x twice) page
		cause string
	}{
		"the session here is not at P9": {func(x twice) page {
			low := x.a
			low.email, low.phone = "other@example.com", "07700900219"
			return x.w.signUp(low).links("mair-prawf")
		}, "link-elsewhere"},
		"the login there proved no identity": {func(x twice) page {
			must(x.w.t, x.w.sim.SetNextFaults(claiming(map[string]any{"identity_proofing_level": "P5", "vot": "P5.Cp.Cd"})))
			return x.here.links("mair-prawf")
		}, "link-elsewhere"},
		"the other is to be closed": {func(x twice) page {
			must(x.w.t, x.w.DB.Accounts().SetCloses(x.w.t.Context(), x.theirs, x.w.clock.Now().Add(time.Hour)))
			return x.here.links("mair-prawf")
		}, "link-elsewhere"},
		"of the other, its patient said that something was not them": {func(x twice) page {
			must(x.w.t, x.w.DB.Accounts().Pause(x.w.t.Context(), x.theirs, x.w.clock.Now().Add(time.Hour)))
			return x.here.links("mair-prawf")
		}, "link-elsewhere"},
		"the other is disabled": {func(x twice) page {
			must(x.w.t, x.w.Accounts.Disable(x.w.t.Context(), x.theirs, "operator:one", "test"))
			return x.here.links("mair-prawf")
		}, "account-disabled"},
		"another NHS login is linked here": {func(x twice) page {
			_, err := x.w.Accounts.Link(x.w.t.Context(), x.ours, "", identity.Answer{
				Provider: "nhs-login", Issuer: x.w.sim.Issuer(), Subject: "another", Level: identity.P9,
			})
			must(x.w.t, err)
			return x.here.links("mair-prawf")
		}, "link-elsewhere"},
		"the provider says another birth date now": {func(x twice) page {
			must(x.w.t, x.w.sim.SetNextFaults(claiming(map[string]any{"birthdate": "1984-03-28"})))
			return x.here.links("mair-prawf")
		}, "link-differs"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTwice(t)
			x.here = x.w.in(x.a)
			p := row.do(x)
			if got := x.w.opens(mairsSubject); got != x.theirs {
				t.Fatal("they became one")
			}
			if got := x.w.explained(p); !strings.Contains(got, row.cause) {
				t.Errorf("wanted the help desk to find %s, got\n%s", row.cause, got)
			}
			if strings.Contains(p.body, "another account") {
				t.Error("the page tells of the other account")
			}
		})
	}
}

// Of many tabs that bring the same login at once, one takes the account in, once.
func TestMergingRaces(t *testing.T) {
	const many = 6
	x := newTwice(t)
	x.here = x.w.in(x.a)
	callbacks := make([]string, many)
	for i := range callbacks {
		callbacks[i] = x.here.answer(x.here.linkAt("nhs-login"), "mair-prawf").String()
	}
	var all sync.WaitGroup
	for i, tab := range x.here.tabs()[:many] {
		all.Go(func() { tab.get(callbacks[i]) })
	}
	all.Wait()
	if n := len(x.w.events(x.ours, audit.AccountMerged)); n != 2 || x.w.opens(mairsSubject) != x.ours { // one of either side
		t.Errorf("wanted one merge, got %d events", n)
	}
}
