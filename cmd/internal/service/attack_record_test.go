package service_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/store"
)

// says puts another index in place of the one that knows Gwen.
func (w *town) says(rows ...store.RegisterRow) {
	w.t.Helper()
	loaded, err := w.DB.Register().Load(w.t.Context(), func(yield func(store.RegisterRow) error) error {
		for _, r := range rows {
			if err := yield(r); err != nil {
				return err
			}
		}
		return nil
	})
	must(w.t, err)
	must(w.t, w.DB.Register().Switch(w.t.Context(), loaded))
}

// gwensRow is what the register says of her.
func gwensRow(t *testing.T, change func(*store.RegisterRow)) store.RegisterRow {
	t.Helper()
	d, err := identity.Revealed{NHSNumber: "9991000003", GivenName: "Gwen", FamilyName: "Arwydd", BirthDate: "1985-05-17", Phone: "07700900201"}.Details()
	must(t, err)
	row := store.RegisterRow{Entry: identity.Entry{NHSNumber: d.NHSNumber, GivenName: d.GivenName, FamilyName: d.FamilyName, BirthDate: d.BirthDate, Mobile: d.Phone}}
	change(&row)
	return row
}

// handed is a code that staff gave for that number.
func (w *town) handed(nhsNumber string) string {
	w.t.Helper()
	n, err := identity.ParseNHSNumber(nhsNumber)
	must(w.t, err)
	code, _, err := w.Factors.Issue(w.t.Context(), factor.Handed{Kind: factor.Activation, NHSNumber: n, Basis: "practice", IssuedBy: "operator:one", Reason: "test"})
	must(w.t, err)
	return code.Reveal()
}

// handedIn is the access token that the portal of [handingIn] gets for that code.
func (b *browser) handedIn(code string) string {
	b.t.Helper()
	return b.w.browser().post("/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"http://127.0.0.1:9/in"}, "code_verifier": {verifier}, "client_id": {"handing-in"},
	}).tokens(b.t).AccessToken
}

// in logs the patient in anew, with a texted code.
func (w *town) in(a applicant) *browser {
	w.t.Helper()
	w.clock.advance(11 * time.Minute)
	b := w.browser()
	b.enter(a.email, a.password)
	b.post("/login/email/code", url.Values{"code": {w.code(a.e164())}})
	return b
}

// What the register says by now of a patient's number, at the next day's login.
func TestTheRegisterIsReadAgainAtLogIn(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*store.RegisterRow)
		want   string
	}{
		"the same":           {func(*store.RegisterRow) {}, "P5.Cp.Cd"},
		"moved":              {func(r *store.RegisterRow) { r.Standing = identity.Moved }, "P5.Cp.Cd"},
		"died":               {func(r *store.RegisterRow) { r.Standing = identity.Died }, "P0.Cp.Cd"},
		"invalidated":        {func(r *store.RegisterRow) { r.Standing = identity.Invalidated }, "P0.Cp.Cd"},
		"left out":           {func(r *store.RegisterRow) { r.NHSNumber, _ = identity.ParseNHSNumber("9991000070") }, "P5.Cp.Cd"},
		"another birth date": {func(r *store.RegisterRow) { r.BirthDate, _ = identity.ParseBirthDate("1950-01-01") }, "P0.Cp.Cd"},
	} {
		t.Run(name, func(t *testing.T) {
			w, a := newTown(t, withPortal(handingIn)), gwen()
			w.signUp(a)
			w.says(gwensRow(t, row.change))
			if got := w.in(a).trust(); got != "P5.Cp.Cd" {
				t.Errorf("within the day: wanted P5.Cp.Cd, got %s", got)
			}
			w.clock.advance(24 * time.Hour)
			b := w.in(a)
			if got := b.trust(); got != row.want {
				t.Errorf("wanted %s, got %s", row.want, got)
			}
			to := b.get(asksToHandIn()).location(t)
			if row.want == "P5.Cp.Cd" {
				if to.Query().Get("code") == "" {
					t.Errorf("wanted a code for the portal, got %v", to)
				}
				return
			}
			p := b.get(to.String())
			if p.StatusCode != http.StatusForbidden || !strings.Contains(p.body, "We cannot show your record at the moment") || !strings.Contains(p.body, "DIL-") {
				t.Errorf("wanted the page that says whom to call, got %d", p.StatusCode)
			}
			if account := b.get("/account"); account.StatusCode != http.StatusOK {
				t.Errorf("the account went with the record: %d", account.StatusCode)
			}
		})
	}
}

// A number that was superseded is followed; the account stays what it is.
func TestASupersededNumberIsFollowed(t *testing.T) {
	w, a := newTown(t), gwen()
	id := w.signUp(a).get("/check").Header.Get("Dilys-Subject")
	next, err := identity.ParseNHSNumber("9991000070")
	must(t, err)
	w.says(
		gwensRow(t, func(r *store.RegisterRow) { r.Standing, r.Successor = identity.Superseded, next }),
		gwensRow(t, func(r *store.RegisterRow) { r.NHSNumber = next }),
	)
	w.clock.advance(25 * time.Hour)
	b := w.in(a)
	if got := b.trust(); got != "P5.Cp.Cd" || b.get("/check").Header.Get("Dilys-Subject") != id {
		t.Errorf("wanted the same account at the same level, got %s", got)
	}
	acc, err := w.Accounts.Account(t.Context(), id)
	must(t, err)
	if l, _ := acc.Own(); l.Details.NHSNumber != next {
		t.Error("wanted the number that took the place of the other")
	}
}

func TestNotMine(t *testing.T) {
	for _, path := range []string{"/account/not-my-number", "/account/not-my-record"} {
		t.Run(path, func(t *testing.T) {
			w, a := newTown(t, withPortal(handingIn)), gwen()
			b := w.signUp(a)
			other := w.in(a)
			access := b.handedIn(b.get(asksToHandIn()).location(t).Query().Get("code"))
			if got := b.get(path); got.StatusCode != http.StatusOK || b.trust() != "P5.Cp.Cd" {
				t.Fatalf("a GET asked for %d and froze something", got.StatusCode)
			}
			done := b.post(path, url.Values{})
			if done.StatusCode != http.StatusOK || !strings.Contains(done.body, "DIL-") {
				t.Fatalf("wanted the reference shown, got %d", done.StatusCode)
			}
			if got := b.trust(); got != "P0.Cp.Cd" {
				t.Errorf("wanted a session that opens no record, got %q", got)
			}
			if other.loggedIn() {
				t.Error("another session lives on")
			}
			if p := w.browser().send(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + access}}); p.StatusCode != http.StatusUnauthorized {
				t.Errorf("a portal's token lives on: %d", p.StatusCode)
			}
			if got := w.in(a).trust(); got != "P0.Cp.Cd" {
				t.Errorf("the next login thawed it: %q", got)
			}
			id := b.get("/check").Header.Get("Dilys-Subject")
			must(t, w.Accounts.Enable(t.Context(), id, "operator:test", "looked at it with the practice"))
			if got := w.in(a).trust(); got != "P5.Cp.Cd" {
				t.Errorf("wanted the record back after people had looked, got %q", got)
			}
		})
	}
}

// A patient of a provider can say so too, and the provider thaws nothing.
func TestNotMineByAProvider(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.login("mair-prawf")
	if got := b.trust(); got != "P9.Cp.Cd" {
		t.Fatalf("wanted P9.Cp.Cd, got %s", got)
	}
	b.post("/account/not-my-number", url.Values{})
	again := w.browser()
	again.login("mair-prawf")
	for who, b := range map[string]*browser{"this browser": b, "the next login": again} {
		if got := b.trust(); got != "P0.Cp.Cd" {
			t.Errorf("%s: wanted P0.Cp.Cd, got %q", who, got)
		}
	}
	to := again.get(authorization()).location(t)
	if p := again.get(to.String()); p.StatusCode != http.StatusForbidden || !strings.Contains(p.body, "We cannot show your record") {
		t.Errorf("wanted the page that says whom to call, got %d", p.StatusCode)
	}
	if p := again.send(http.MethodPost, "/account/not-my-number", url.Values{}, http.Header{"Sec-Fetch-Site": {"cross-site"}}); p.StatusCode != http.StatusForbidden {
		t.Errorf("another site froze a record: %d", p.StatusCode)
	}
}

// A code that was handed over is not spent for nothing, and thaws nothing.
func TestAFrozenRecordIsNotRaised(t *testing.T) {
	w, a := newTown(t), gwen()
	b := w.signUp(a)
	b.post("/account/not-my-record", url.Values{})
	code := w.handed("9991000003")
	if p := b.post("/account/activation", url.Values{"activation_code": {code}}); p.StatusCode != http.StatusForbidden {
		t.Errorf("wanted it refused, got %d", p.StatusCode)
	}
	id := b.get("/check").Header.Get("Dilys-Subject")
	must(t, w.Accounts.Enable(t.Context(), id, "operator:test", "looked at it"))
	if p := w.in(a).post("/account/activation", url.Values{"activation_code": {code}}); p.StatusCode != http.StatusSeeOther {
		t.Errorf("the code was spent for nothing: %d", p.StatusCode)
	}
}

// The letter of a practice raises to P5, and only whom it was given to.
func TestLinkage(t *testing.T) {
	const id, key = "7041776", "Ab3-linkage-Key"
	letter := url.Values{"gp_account_id": {id}, "gp_linkage_key": {" " + key + " "}}
	for name, row := range map[string]struct {
		who    func(*applicant)
		says   func(*store.RegisterRow)
		form   url.Values
		raised bool
	}{
		"her own letter":                     {form: letter, raised: true},
		"another key":                        {form: url.Values{"gp_account_id": {id}, "gp_linkage_key": {strings.ToLower(key)}}},
		"another account id":                 {form: url.Values{"gp_account_id": {"7041777"}, "gp_linkage_key": {key}}},
		"the letter of another person":       {form: letter, who: func(a *applicant) { a.day = "18" }},
		"the letter of another name":         {form: letter, who: func(a *applicant) { a.family = "Arall" }},
		"an entry without linkage details":   {form: letter, says: func(r *store.RegisterRow) { r.GPAccountID, r.GPLinkageKey = "", "" }},
		"an entry whose patient died":        {form: letter, says: func(r *store.RegisterRow) { r.Standing = identity.Died }},
		"an entry that is protected":         {form: letter, says: func(r *store.RegisterRow) { r.Protected = true }},
		"a number that the register has not": {form: letter, says: func(r *store.RegisterRow) { r.NHSNumber, _ = identity.ParseNHSNumber("9991000070") }},
	} {
		t.Run(name, func(t *testing.T) {
			w, a := newTown(t), gwen()
			a.phone = "07700900999" // not on the entry, so that the sign-up ends at P0
			if row.who != nil {
				row.who(&a)
			}
			w.says(gwensRow(t, func(r *store.RegisterRow) {
				r.GPAccountID, r.GPLinkageKey = id, key
				if row.says != nil {
					row.says(r)
				}
			}))
			b := w.signUp(a)
			if got := b.trust(); got != "P0.Cp.Cd" {
				t.Fatalf("before: wanted P0.Cp.Cd, got %s", got)
			}
			if !strings.Contains(b.get("/account").body, "/account/linkage") || b.get("/account/linkage").StatusCode != http.StatusOK {
				t.Fatal("the letter is not asked for")
			}
			before := b.keeps("dilys")
			p := b.post("/account/linkage", row.form)
			if !row.raised {
				if p.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(p.body, "could not confirm") || b.trust() != "P0.Cp.Cd" || strings.Contains(p.body, key) {
					t.Errorf("wanted one neutral refusal, got %d and %s", p.StatusCode, b.trust())
				}
				return
			}
			if p.StatusCode != http.StatusSeeOther || b.trust() != "P5.Cp.Cd" || b.keeps("dilys") == before {
				t.Errorf("wanted P5.Cp.Cd under a new secret, got %d and %s", p.StatusCode, b.trust())
			}
		})
	}
}

// Guesses at a letter are counted on the entry, whoever makes them, and close no code
// that staff handed over.
func TestGuessesAtALetterAreCountedOnTheEntry(t *testing.T) {
	w, a := newTown(t), gwen()
	w.says(gwensRow(t, func(r *store.RegisterRow) { r.GPAccountID, r.GPLinkageKey = "7041776", "key" }))
	a.phone = "07700900999"
	b := w.signUp(a)
	var last page
	for range 30 {
		last = b.post("/account/linkage", url.Values{"gp_account_id": {"7041776"}, "gp_linkage_key": {"guess"}})
	}
	if last.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("wanted the guesses stopped, got %d", last.StatusCode)
	}
	if p := b.post("/account/linkage", url.Values{"gp_account_id": {"7041776"}, "gp_linkage_key": {"key"}}); p.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a guess was judged while the entry was closed: %d", p.StatusCode)
	}
	if p := b.post("/account/activation", url.Values{"activation_code": {w.handed("9991000003")}}); p.StatusCode != http.StatusSeeOther || b.trust() != "P5.Cp.Cd" {
		t.Errorf("the counter closed an activation code: %d", p.StatusCode)
	}
}
