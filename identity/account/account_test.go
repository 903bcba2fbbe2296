package account_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

const issuer = "https://auth.example.org"

// epoch is when the stories begin.
var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

var errDeaf = errors.New("no event is kept")

// rig is the room over a real database, with a clock that a test moves.
type rig struct {
	*testing.T
	*account.Accounts
	db      *store.DB
	ledger  *audit.Ledger
	now     time.Time
	deaf    bool       // no event is kept
	deafTo  audit.Kind // none of that kind
	journal []audit.Event
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, now: epoch}
	clock := func() time.Time { return r.now }
	r.db = storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), clock)
	r.ledger = audit.NewLedger(events{r.db.Audit(), r}, r, clock)
	r.Accounts = account.New(r.db.Accounts(), r.ledger, clock)
	return r
}

// in is the same rig in a part of its test.
func (r *rig) in(t *testing.T) *rig {
	part := *r
	part.T = t
	return &part
}

// Write is of [audit.Journal].
func (r *rig) Write(e audit.Event) error {
	r.journal = append(r.journal, e)
	return nil
}

// events keeps events unless told not to.
type events struct {
	audit.Store
	rig *rig
}

func (e events) Append(ctx context.Context, event audit.Event) error {
	if e.rig.deaf || e.rig.deafTo == event.Kind {
		return errDeaf
	}
	return e.Store.Append(ctx, event)
}

// admit is a login: the account and its event in one act.
func (r *rig) admit(answer identity.Answer, language string) (a account.Account, err error) {
	err = r.ledger.Act(r.Context(), &audit.Event{Kind: audit.LoginSucceeded}, func(ctx context.Context) error {
		a, err = r.Admit(ctx, answer, language)
		return err
	})
	return a, err
}

// kept is the account as the database has it.
func (r *rig) kept(id string) account.Account {
	r.Helper()
	a, err := r.Account(r.Context(), id)
	r.ok(err)
	return a
}

// seen are the events so far, without what only one run of them has.
func (r *rig) seen() []audit.Event {
	r.Helper()
	all, err := r.db.Audit().Unsealed(r.Context(), 1000)
	r.ok(err)
	for i := range all {
		all[i].ID, all[i].At = "", time.Time{}
	}
	return all
}

// seenOf are the events of that kind.
func (r *rig) seenOf(kind audit.Kind) (some []audit.Event) {
	r.Helper()
	for _, e := range r.seen() {
		if e.Kind == kind {
			some = append(some, e)
		}
	}
	return some
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) is(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("wanted %v, got %v", want, err)
	}
}

func (r *rig) same(got, want any) {
	r.Helper()
	if diff := cmp.Diff(want, got, personal); diff != "" {
		r.Fatalf("(-wanted +got)\n%s", diff)
	}
}

// personal compares what can't be printed.
var personal = cmp.Options{
	cmp.Comparer(func(a, b identity.NHSNumber) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Name) bool { return a == b }),
	cmp.Comparer(func(a, b identity.BirthDate) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Email) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Phone) bool { return a == b }),
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func number(s string) identity.NHSNumber { return must(identity.ParseNHSNumber(s)) }
func email(s string) identity.Email      { return must(identity.ParseEmail(s)) }

// The made-up patient's values, and others.
const (
	ownNumber   = "9990000018"
	otherNumber = "9990000026"
	ownEmail    = "Sian.Test@example.com"
)

// details is a made-up patient, every field filled.
func details() identity.Details {
	return identity.Details{
		NHSNumber: number(ownNumber), GivenName: must(identity.ParseName("Siân")), FamilyName: must(identity.ParseName("Test-Prawf")),
		BirthDate: must(identity.ParseBirthDate("1984-02-29")), Email: email(ownEmail), EmailVerified: true,
		Phone: must(identity.ParsePhone("+447700900123")), PhoneVerified: true,
	}
}

// answer is a provider's answer about the made-up patient.
func answer(subject string) identity.Answer {
	return identity.Answer{
		Provider: "nhs-login", Issuer: issuer, Subject: subject, Trust: identity.Trust{P: identity.P9, C: identity.Cp | identity.Cd},
		Level: identity.P9, AuthTime: epoch, Details: details(),
	}
}

func TestBest(t *testing.T) {
	link := func(issuer string, level identity.Proofing, last time.Duration) account.Link {
		return account.Link{Issuer: issuer, Level: level, Last: epoch.Add(last)}
	}
	for name, row := range map[string]struct {
		links []account.Link
		want  string
	}{
		"none":                                {nil, ""},
		"one":                                 {[]account.Link{link("a", identity.P0, 0)}, "a"},
		"one that never was logged in with":   {[]account.Link{{Issuer: "a"}}, "a"},
		"the higher level, though used first": {[]account.Link{link("a", identity.P9, 0), link("b", identity.P5, time.Hour)}, "a"},
		"the higher level, though second":     {[]account.Link{link("a", identity.P0, time.Hour), link("b", identity.P5, 0)}, "b"},
		"of equals the one used last":         {[]account.Link{link("a", identity.P9, 0), link("b", identity.P9, time.Hour), link("c", identity.P9, time.Minute)}, "b"},
		"of equals in all the first made":     {[]account.Link{link("a", identity.P5, 0), link("b", identity.P5, 0)}, "a"},
	} {
		a := account.Account{Links: row.links}
		best, found := a.Best()
		if best.Issuer != row.want || found != (row.want != "") {
			t.Errorf("%s: got %q, %v", name, best.Issuer, found)
		}
	}
	if (account.Account{}).Details() != (identity.Details{}) {
		t.Error("an account that nobody said anything of has details")
	}
	a := account.Account{Links: []account.Link{{Issuer: "a", Level: identity.P5}, {Issuer: "b", Level: identity.P9, Details: details()}}}
	if a.Details() != details() {
		t.Error("wanted the details of the highest level")
	}
}

func TestLink(t *testing.T) {
	a := account.Account{Links: []account.Link{{Issuer: "https://a.example", Subject: "one"}, {Issuer: "https://b.example", Subject: "two"}}}
	for issuer, want := range map[string]string{
		"https://a.example": "one", "https://b.example": "two", "https://b.example/": "", "https://B.example": "", "": "",
	} {
		if l, found := a.Link(issuer); l.Subject != want || found != (want != "") {
			t.Errorf("%q: got %q, %v", issuer, l.Subject, found)
		}
	}
}

func TestAdmitCreates(t *testing.T) {
	r := newRig(t)
	a, err := r.admit(answer("one"), "cy")
	r.ok(err)
	want := account.Account{
		ID: a.ID, State: account.Active, Epoch: 1, Language: "cy", Created: epoch,
		Links: []account.Link{{
			Provider: "nhs-login", Issuer: issuer, Subject: "one", Level: identity.P9, Details: details(), First: epoch, Last: epoch,
		}},
	}
	r.same(a, want)
	r.same(r.kept(a.ID), want)
	if len(a.ID) != 22 {
		t.Errorf("wanted an id of 128 bits, got %d characters", len(a.ID))
	}
	r.same(r.seenOf(audit.AccountCreated), []audit.Event{
		{Kind: audit.AccountCreated, Result: audit.OK, Actor: audit.Patient, Account: a.ID, Provider: "nhs-login"},
	})
}

// An account is joined by nothing but the very pair of issuer and subject.
func TestAdmitJoinsNothing(t *testing.T) {
	r := newRig(t)
	first, err := r.admit(answer("one"), "")
	r.ok(err)
	for name, change := range map[string]func(*identity.Answer){
		"the same details, another subject": func(a *identity.Answer) { a.Subject = "two" },
		"the same subject, another issuer":  func(a *identity.Answer) { a.Issuer = "https://auth.example.com" },
		"the issuer with a slash":           func(a *identity.Answer) { a.Issuer += "/" },
		"the subject in another case":       func(a *identity.Answer) { a.Subject = "ONE" },
		"the subject with a space":          func(a *identity.Answer) { a.Subject = "one " },
		"letters moved from issuer to subject": func(a *identity.Answer) {
			a.Issuer, a.Subject = a.Issuer[:len(a.Issuer)-1], a.Issuer[len(a.Issuer)-1:]+a.Subject
		},
	} {
		other := answer("one")
		change(&other)
		a, err := r.admit(other, "")
		r.ok(err)
		if a.ID == first.ID {
			t.Errorf("%s: was let into the first one's account", name)
		}
	}
	r.same(r.kept(first.ID), first)
}

func TestAdmitRefreshes(t *testing.T) {
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		before, now func(*identity.Answer)
		want        func(*account.Link)
		fields      []string
		epoch       int64 // how far it moved
	}{
		"nothing changed": {},
		"a new e-mail and number": {
			now: func(a *identity.Answer) {
				a.Details.Email, a.Details.NHSNumber = email("new@example.org"), number(otherNumber)
			},
			want: func(l *account.Link) {
				l.Details.Email, l.Details.NHSNumber = email("new@example.org"), number(otherNumber)
			},
			fields: []string{"nhs_number", "email"},
		},
		"an e-mail that is no longer verified": {
			now:    func(a *identity.Answer) { a.Details.EmailVerified = false },
			want:   func(l *account.Link) { l.Details.EmailVerified = false },
			fields: []string{"email"},
		},
		"an e-mail in another case is what the provider wrote": {
			now:    func(a *identity.Answer) { a.Details.Email = email("sian.test@example.com") },
			want:   func(l *account.Link) { l.Details.Email = email("sian.test@example.com") },
			fields: []string{"email"},
		},
		"what is left out stays": {now: func(a *identity.Answer) { a.Details = identity.Details{} }},
		"what is left out stays, beside what is new": {
			now: func(a *identity.Answer) {
				a.Details = identity.Details{Phone: must(identity.ParsePhone("07700 900456"))}
			},
			want: func(l *account.Link) {
				l.Details.Phone, l.Details.PhoneVerified = must(identity.ParsePhone("07700 900456")), false
			},
			fields: []string{"phone_number"},
		},
		"a login at P0 says nothing of the level": {now: func(a *identity.Answer) { a.Level = identity.P0 }},
		"a level that rose": {
			before: func(a *identity.Answer) { a.Level = identity.P5 },
			fields: []string{"identity_proofing_level"},
		},
		"a level that rose from P0": {
			before: func(a *identity.Answer) { a.Level = identity.P0 },
			fields: []string{"identity_proofing_level"},
		},
		"a level that its provider lowered": {
			now:    func(a *identity.Answer) { a.Level = identity.P5 },
			want:   func(l *account.Link) { l.Level = identity.P5 },
			fields: []string{"identity_proofing_level"},
			epoch:  1, // what was opened on more ends
		},
		"its provider has another id in the configuration": {
			now:  func(a *identity.Answer) { a.Provider = "nhs" },
			want: func(l *account.Link) { l.Provider = "nhs" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			first, later := answer("one"), answer("one")
			if row.before != nil {
				row.before(&first)
			}
			if row.now != nil {
				row.now(&later)
			}
			created, err := r.admit(first, "cy")
			r.ok(err)
			r.now = epoch.Add(day)
			got, err := r.admit(later, "")
			r.ok(err)
			want := account.Account{
				ID: created.ID, State: account.Active, Epoch: 1 + row.epoch, Language: "cy", Created: epoch,
				Links: []account.Link{{
					Provider: "nhs-login", Issuer: issuer, Subject: "one", Level: identity.P9, Details: details(), First: epoch, Last: r.now,
				}},
			}
			if row.want != nil {
				row.want(&want.Links[0])
			}
			r.same(got, want)
			r.same(r.kept(created.ID), want)
			var told []audit.Event
			if row.fields != nil {
				told = []audit.Event{{
					Kind: audit.DetailsRefreshed, Result: audit.OK, Actor: audit.Patient, Account: created.ID, Provider: later.Provider, Fields: row.fields,
				}}
			}
			r.same(r.seenOf(audit.DetailsRefreshed), told)
		})
	}
}

// What another provider said of the same account is not touched.
func TestAdmitRefreshesItsOwnLinkAlone(t *testing.T) {
	r := newRig(t)
	other := account.Link{Provider: "board", Issuer: "https://board.example.org", Subject: "one", Level: identity.P5, Details: details(), First: epoch, Last: epoch}
	own := account.Link{Provider: "nhs-login", Issuer: issuer, Subject: "one", Level: identity.P9, Details: details(), First: epoch, Last: epoch}
	a := account.Account{ID: identity.NewID(), State: account.Active, Epoch: 1, Created: epoch, Links: []account.Link{other, own}}
	r.ok(r.db.Accounts().Create(t.Context(), a))
	r.now = epoch.Add(time.Hour)
	changed := answer("one")
	changed.Details.Email = email("new@example.org")
	got, err := r.admit(changed, "")
	r.ok(err)
	a.Links[1].Details.Email, a.Links[1].Last = email("new@example.org"), r.now
	r.same(got, a)
	r.same(r.kept(a.ID), a)
}

func TestAdmitLanguage(t *testing.T) {
	for name, row := range map[string]struct{ before, now, want string }{
		"chosen for the first time": {"", "cy", "cy"},
		"chosen anew":               {"en", "cy", "cy"},
		"chosen again":              {"cy", "cy", "cy"},
		"none chosen now":           {"cy", "", "cy"},
		"never chosen":              {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, err := r.admit(answer("one"), row.before)
			r.ok(err)
			a, err := r.admit(answer("one"), row.now)
			r.ok(err)
			r.same(a.Language, row.want)
			r.same(r.kept(a.ID).Language, row.want)
		})
	}
}

func TestAdmitRefuses(t *testing.T) {
	for name, state := range map[string]account.State{
		"disabled":                           account.Disabled,
		"closed, and never revived by login": account.Deleted,
		"a state from a newer program":       "frozen",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a, err := r.admit(answer("one"), "en")
			r.ok(err)
			r.ok(r.db.Accounts().SetState(t.Context(), a.ID, state))
			before, events := r.kept(a.ID), r.seen()
			r.now = epoch.Add(time.Hour)
			changed := answer("one")
			changed.Details.Email = email("new@example.org")
			_, err = r.admit(changed, "cy")
			r.is(err, identity.ErrDisabled)
			r.same(r.kept(a.ID), before)
			r.same(r.seen(), events)
			found, err := r.db.Accounts().ByContact(t.Context(), changed.Details.Email.Contact())
			r.ok(err)
			r.same(len(found), 0)
		})
	}
}

// Access is not given without its record: neither a new account nor what a login
// would refresh, whichever of the login's events is not kept.
func TestAdmitWithoutItsEvent(t *testing.T) {
	changed := answer("one")
	changed.Details.Email = email("new@example.org")
	for _, kind := range []audit.Kind{audit.LoginSucceeded, audit.AccountCreated, audit.DetailsRefreshed} {
		t.Run(string(kind), func(t *testing.T) {
			r := newRig(t)
			r.deafTo = kind
			a, err := r.admit(answer("one"), "")
			if kind != audit.DetailsRefreshed {
				r.is(err, audit.ErrNotRecorded)
				_, err = r.db.Accounts().ByLink(t.Context(), issuer, "one")
				r.is(err, identity.ErrNotFound)
				r.same(len(r.seen()), 0)
				return
			}
			r.ok(err)
			before := len(r.seen())
			_, err = r.admit(changed, "cy")
			r.is(err, audit.ErrNotRecorded)
			r.same(r.kept(a.ID), a)
			r.same(len(r.seen()), before)
		})
	}
}

// Two first logins at once are one patient.
func TestFirstLoginsRace(t *testing.T) {
	r := newRig(t)
	const n = 8
	ids, errs := make([]string, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			a, err := r.admit(answer("one"), "")
			ids[i], errs[i] = a.ID, err
		})
	}
	all.Wait()
	for i := range n {
		r.ok(errs[i])
		r.same(ids[i], ids[0])
	}
	r.same(len(r.seenOf(audit.AccountCreated)), 1)
}

func TestFind(t *testing.T) {
	r := newRig(t)
	first, err := r.admit(answer("one"), "")
	r.ok(err)
	r.now = epoch.Add(time.Second)
	second, err := r.admit(answer("two"), "") // the same number and e-mail
	r.ok(err)
	third := answer("three")
	third.Details.NHSNumber, third.Details.Email = number(otherNumber), email("other@example.org")
	r.now = epoch.Add(2 * time.Second)
	other, err := r.admit(third, "")
	r.ok(err)
	both := []string{first.ID, second.ID}
	for name, row := range map[string]struct {
		what string
		want []string
	}{
		"an account id":                         {first.ID, both[:1]},
		"a number, on two accounts":             {ownNumber, both},
		"a number as it is read aloud":          {"999 000 0018", both},
		"a number of one":                       {otherNumber, []string{other.ID}},
		"an e-mail, in another case":            {"SIAN.TEST@EXAMPLE.COM", both},
		"an e-mail of one":                      {"other@example.org", []string{other.ID}},
		"a number that nobody has":              {"9990000034", nil},
		"a number that is none":                 {"9990000019", nil},
		"an e-mail that nobody has":             {"nobody@example.org", nil},
		"an e-mail by its beginning":            {"sian", nil},
		"an id that nobody has":                 {identity.NewID(), nil},
		"a provider's subject":                  {"one", nil},
		"a name":                                {"Test-Prawf", nil},
		"nothing":                               {"", nil},
		"a wish for everything":                 {"%", nil},
		"an id with another's statement behind": {first.ID + "' OR '1'='1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			before := len(r.seen())
			found, err := r.Find(t.Context(), row.what, "operator:test", "asked on the telephone")
			r.ok(err)
			var ids []string
			var want []audit.Event
			if len(found) == 0 {
				want = append(want, audit.Event{
					Kind: audit.AccountLookedUp, Result: audit.Refused, Actor: "operator:test", Cause: "none-found", Reason: "asked on the telephone",
				})
			}
			for _, a := range found {
				ids = append(ids, a.ID)
				want = append(want, audit.Event{
					Kind: audit.AccountLookedUp, Result: audit.OK, Actor: "operator:test", Account: a.ID, Reason: "asked on the telephone",
				})
			}
			r.same(ids, row.want)
			told := r.seenOf(audit.AccountLookedUp)
			r.same(len(r.seen()), before+len(want))
			for _, e := range want {
				at := false
				for _, s := range told {
					at = at || cmp.Equal(e, s)
				}
				if !at {
					t.Errorf("the look-up of %q is not in the audit", e.Account)
				}
			}
		})
	}
	r.deaf = true
	for _, what := range []string{first.ID, ownNumber, "nobody@example.org"} {
		found, err := r.Find(t.Context(), what, "operator:test", "why")
		r.is(err, audit.ErrNotRecorded)
		if found != nil {
			t.Error("an account was shown without a record of who looked")
		}
	}
}

func TestOperatorsActs(t *testing.T) {
	type act = func(*account.Accounts, context.Context, string, string, string) error
	disable, enable, signOut := act((*account.Accounts).Disable), act((*account.Accounts).Enable), act((*account.Accounts).SignOut)
	for name, row := range map[string]struct {
		from account.State
		act  act
		to   account.State // empty: refused
		kind audit.Kind
	}{
		"disable":                       {account.Active, disable, account.Disabled, audit.AccountDisabled},
		"disable one that is disabled":  {account.Disabled, disable, "", ""},
		"disable one that is closed":    {account.Deleted, disable, "", ""},
		"enable":                        {account.Disabled, enable, account.Active, audit.AccountEnabled},
		"enable one that is active":     {account.Active, enable, "", ""},
		"enable one that is closed":     {account.Deleted, enable, "", ""},
		"sign out":                      {account.Active, signOut, account.Active, audit.AccountSignedOut},
		"sign out one that is disabled": {account.Disabled, signOut, account.Disabled, audit.AccountSignedOut},
		"sign out one that is closed":   {account.Deleted, signOut, account.Deleted, audit.AccountSignedOut},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a := account.Account{ID: identity.NewID(), State: row.from, Epoch: 4, Created: epoch}
			r.ok(r.db.Accounts().Create(t.Context(), a))
			err := row.act(r.Accounts, t.Context(), a.ID, "operator:test", "a phone was lost")
			if row.to == "" {
				r.is(err, identity.ErrConflict)
				r.same(r.kept(a.ID), a)
				r.same(len(r.seen()), 0)
				return
			}
			r.ok(err)
			a.State, a.Epoch = row.to, 5
			r.same(r.kept(a.ID), a)
			r.same(r.seen(), []audit.Event{
				{Kind: row.kind, Result: audit.OK, Actor: "operator:test", Account: a.ID, Reason: "a phone was lost"},
			})
		})
	}
	t.Run("of an account that nobody has", func(t *testing.T) {
		r := newRig(t)
		for _, act := range []act{disable, enable, signOut} {
			r.is(act(r.Accounts, t.Context(), identity.NewID(), "operator:test", "why"), identity.ErrNotFound)
		}
		r.same(len(r.seen())+len(r.journal), 0)
	})
	t.Run("when no event is kept, access is taken away and never given", func(t *testing.T) {
		r := newRig(t)
		a, err := r.admit(answer("one"), "")
		r.ok(err)
		r.deaf = true
		r.ok(r.SignOut(t.Context(), a.ID, "operator:test", "why"))
		r.ok(r.Disable(t.Context(), a.ID, "operator:test", "why"))
		r.is(r.Enable(t.Context(), a.ID, "operator:test", "why"), audit.ErrNotRecorded)
		a.State, a.Epoch = account.Disabled, 3
		r.same(r.kept(a.ID), a)
		var kinds []audit.Kind
		for _, e := range r.journal {
			kinds = append(kinds, e.Kind)
		}
		r.same(kinds, []audit.Kind{audit.AccountSignedOut, audit.AccountDisabled})
	})
}

// Of two operators who act at once, one is told that the other was first.
func TestDisablesRace(t *testing.T) {
	r := newRig(t)
	a, err := r.admit(answer("one"), "")
	r.ok(err)
	const n = 6
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = r.Disable(t.Context(), a.ID, "operator:test", "why") })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		r.is(err, identity.ErrConflict)
	}
	r.same(won, 1)
	r.same(r.kept(a.ID).Epoch, a.Epoch+1)
}

// No event and no error tells a value of the patient.
func TestNothingPersonalIsTold(t *testing.T) {
	r := newRig(t)
	_, err := r.admit(answer("a-subject"), "cy")
	r.ok(err)
	changed := answer("a-subject")
	changed.Details.Email, changed.Details.NHSNumber = email("new@example.org"), number(otherNumber)
	_, err = r.admit(changed, "en")
	r.ok(err)
	_, err = r.Find(t.Context(), otherNumber, "operator:test", "why")
	r.ok(err)
	for _, e := range r.seen() {
		wantNothingPersonal(t, audit.Explain(e, audit.Words{}))
	}
	for _, id := range []string{ownNumber, "a-subject"} {
		wantNothingPersonal(t, r.Disable(t.Context(), id, "operator:test", "why").Error())
	}
}

func wantNothingPersonal(t *testing.T, text string) {
	t.Helper()
	for _, value := range []string{ownNumber, otherNumber, "a-subject", "example.com", "example.org", "Prawf", "1984", "900123"} {
		if strings.Contains(text, value) {
			t.Errorf("%s is told in %q", value, text)
		}
	}
}
