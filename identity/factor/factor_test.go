package factor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// epoch is when the stories begin.
var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

var (
	errDeaf  = errors.New("no event is kept")
	errOfAct = errors.New("the act changed its mind")
)

// rig is the room over a real database, with a clock that a test moves.
type rig struct {
	*testing.T
	*factor.Factors
	db     *store.DB
	keys   *peppers
	now    time.Time
	deafTo audit.Kind // the database keeps no event of that kind

	journalled []audit.Kind
}

// peppers are those of a folder that a test rotates.
type peppers struct{ *store.Keys }

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := storetest.KeysFolder(t)
	r := &rig{T: t, now: epoch, keys: &peppers{storetest.LoadKeys(t, dir)}}
	clock := func() time.Time { return r.now }
	r.db = storetest.Open(t, storetest.SQLite(t), r.keys.Keys, clock)
	r.Factors = factor.New(r.db.Factors(), r.keys, audit.NewLedger(events{r.db.Audit(), r}, r, clock), clock)
	return r
}

// Write is of [audit.Journal].
func (r *rig) Write(e audit.Event) error {
	r.journalled = append(r.journalled, e.Kind)
	return nil
}

// events keeps events unless told not to.
type events struct {
	audit.Store
	rig *rig
}

func (e events) Append(ctx context.Context, event audit.Event) error {
	if e.rig.deafTo == event.Kind {
		return errDeaf
	}
	return e.Store.Append(ctx, event)
}

// someone adds an account.
func (r *rig) someone() string {
	r.Helper()
	a := account.Account{ID: identity.NewID(), State: account.Active, Epoch: 1, Created: epoch}
	r.ok(r.db.Accounts().Create(r.Context(), a))
	return a.ID
}

// events are the kinds that were recorded, sorted.
func (r *rig) recorded() (kinds []audit.Kind) {
	r.Helper()
	all, err := r.db.Audit().Unsealed(r.Context(), 1000)
	r.ok(err)
	for _, e := range all {
		kinds = append(kinds, e.Kind)
	}
	slices.Sort(kinds)
	return kinds
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
	cmp.Comparer(func(a, b identity.Phone) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Secret) bool { return a == b }),
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	number = must(identity.ParseNHSNumber("9990000018"))
	mobile = must(identity.ParsePhone("07700 900123"))
)

func (r *rig) makeCard(account string, level identity.Proofing) []identity.Secret {
	r.Helper()
	codes, err := r.MakeCard(r.Context(), account, level)
	r.ok(err)
	return codes
}

func TestCard(t *testing.T) {
	r := newRig(t)
	mine, theirs := r.someone(), r.someone()
	codes := r.makeCard(mine, identity.P5)
	r.makeCard(theirs, identity.P0)
	r.same(len(codes), 10)
	for _, code := range codes {
		if again, ok := identity.ParseReadableCode(code, 65); !ok || again != code {
			t.Fatal("wanted a code of 65 bits that people read")
		}
	}
	for name, row := range map[string]struct {
		account string
		typed   identity.Secret
	}{
		"somebody else's code":           {theirs, codes[0]},
		"nobody's account":               {"nobody", codes[0]},
		"no account":                     {"", codes[0]},
		"nothing":                        {mine, ""},
		"a code of no card":              {mine, identity.ReadableCode(65)},
		"half a code":                    {mine, codes[0][:9]},
		"two codes in one":               {mine, codes[0] + codes[1]},
		"a digit that is never given":    {mine, "0" + codes[0][1:]},
		"an account inside of the digit": {mine, identity.Secret(theirs + "\x00" + codes[0].Reveal())},
	} {
		if got, err := r.SpendCard(t.Context(), row.account, row.typed); !errors.Is(err, identity.ErrNotFound) || got != (factor.Factor{}) {
			t.Errorf("%s: wanted %v, got %v", name, identity.ErrNotFound, err)
		}
	}
	r.now = epoch.Add(time.Hour)
	got, err := r.SpendCard(t.Context(), mine, identity.Secret(strings.ToLower(strings.ReplaceAll(codes[0].Reveal(), "-", " "))))
	r.ok(err)
	state, err := r.Card(t.Context(), mine)
	r.ok(err)
	r.same(got, factor.Factor{Kind: factor.KindCard, ID: state.ID, Account: mine, Level: identity.P5, Bound: epoch})
	r.same(state, factor.CardState{ID: got.ID, Level: identity.P5, Left: 9, Made: epoch})
	_, err = r.SpendCard(t.Context(), mine, codes[0])
	r.is(err, identity.ErrSpent)

	fresh := r.makeCard(mine, identity.P0)
	_, err = r.SpendCard(t.Context(), mine, codes[1])
	r.is(err, identity.ErrNotFound)
	r.ok(r.DropCard(t.Context(), mine))
	_, err = r.SpendCard(t.Context(), mine, fresh[0])
	r.is(err, identity.ErrNotFound)
	r.same(r.recorded(), []audit.Kind{audit.CardDropped, audit.CardMade, audit.CardMade, audit.CardMade, audit.CardSpent})
}

// kept shows what is kept of a card's codes.
type kept struct {
	factor.Store
	codes [][]byte
}

func (k *kept) PutCard(ctx context.Context, c factor.Card, codes [][]byte) error {
	k.codes = codes
	return k.Store.PutCard(ctx, c, codes)
}

// Someone who can write to the database, and has a card, can't open another's
// account by putting the digests of the card there, nor by renaming the card.
func TestACodeIsBoundToItsCardAndAccount(t *testing.T) {
	r := newRig(t)
	mine, theirs := r.someone(), r.someone()
	k := &kept{Store: r.db.Factors()}
	clock := func() time.Time { return r.now }
	r.Factors = factor.New(k, r.keys, audit.NewLedger(r.db.Audit(), r, clock), clock)
	codes := r.makeCard(mine, identity.P9)
	card, err := k.Card(t.Context(), mine)
	r.ok(err)
	for name, change := range map[string]func(*factor.Card){
		"another account's": func(c *factor.Card) { c.Account = theirs },
		"another card":      func(c *factor.Card) { c.ID = identity.NewID() },
	} {
		moved := card
		change(&moved)
		r.ok(k.DropCard(t.Context(), mine))
		r.ok(k.Store.PutCard(t.Context(), moved, k.codes))
		if _, err := r.SpendCard(t.Context(), moved.Account, codes[0]); !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("%s: wanted %v, got %v", name, identity.ErrNotFound, err)
		}
		r.ok(k.Erase(t.Context(), moved.Account))
	}
	r.ok(k.Store.PutCard(t.Context(), card, k.codes))
	_, err = r.SpendCard(t.Context(), mine, codes[0])
	r.ok(err)
}

func TestCodesOutliveTheRotationOfTheirPepper(t *testing.T) {
	r := newRig(t)
	dir := storetest.KeysFolder(t)
	r.keys.Keys = storetest.LoadKeys(t, dir)
	mine := r.someone()
	codes := r.makeCard(mine, identity.P0)
	given, _, err := r.Issue(t.Context(), activation())
	r.ok(err)
	r.ok(store.RotateKeys(dir))
	r.keys.Keys = storetest.LoadKeys(t, dir)
	_, err = r.SpendCard(t.Context(), mine, codes[0])
	r.ok(err)
	_, err = r.SpendHanded(t.Context(), mine, given)
	r.ok(err)
	r.keys.Keys = storetest.Keys(t) // of another folder: the pepper is gone
	if _, err = r.SpendCard(t.Context(), mine, codes[1]); err == nil || errors.Is(err, identity.ErrNotFound) {
		t.Errorf("wanted a fault that an operator sees, got %v", err)
	}
}

func TestNothingIsOpenedWithoutARecord(t *testing.T) {
	r := newRig(t)
	mine := r.someone()
	codes := r.makeCard(mine, identity.P0)
	given, _, err := r.Issue(t.Context(), activation())
	r.ok(err)
	for kind, act := range map[audit.Kind]func() error{
		audit.CardSpent:         func() error { _, err := r.SpendCard(t.Context(), mine, codes[0]); return err },
		audit.ActivationSpent:   func() error { _, err := r.SpendHanded(t.Context(), mine, given); return err },
		audit.CardMade:          func() error { _, err := r.MakeCard(t.Context(), mine, identity.P9); return err },
		audit.ActivationIssued:  func() error { _, _, err := r.Issue(t.Context(), activation()); return err },
		audit.TOTPBound:         func() error { return r.bindStandard(mine) },
		audit.FactorChosen:      func() error { return r.Choose(t.Context(), mine, factor.KindCard) },
		audit.PhoneBound:        func() error { _, err := r.BindPhone(t.Context(), mine, mobile, identity.P9); return err },
		audit.BrowserRemembered: func() error { return r.saw(remembered(mine)) },
		audit.CardDeclined:      func() error { return r.DeclineCard(t.Context(), mine) },
	} {
		r.deafTo = kind
		if err := act(); !errors.Is(err, audit.ErrNotRecorded) {
			t.Errorf("%s: wanted %v, got %v", kind, audit.ErrNotRecorded, err)
		}
	}
	r.deafTo = ""
	state, err := r.Card(t.Context(), mine)
	r.ok(err)
	r.same(state.Left, 9) // the code is gone, and opened nothing
	r.same(state.Declined.IsZero(), true)
	_, err = r.Phone(t.Context(), mine)
	r.is(err, identity.ErrNotFound)
	browsers, err := r.List(t.Context(), mine)
	r.ok(err)
	r.same(len(browsers), 0)
	all, err := r.ListHanded(t.Context())
	r.ok(err)
	r.same(len(all), 1)
}

func TestAskForACard(t *testing.T) {
	for name, row := range map[string]struct {
		state factor.CardState
		want  bool
	}{
		"never said":                     {factor.CardState{}, true},
		"has one":                        {factor.CardState{Left: 10}, false},
		"has the last code":              {factor.CardState{Left: 1, Declined: epoch, LoginsSince: 9}, false},
		"has used them all":              {factor.CardState{ID: "card"}, true},
		"declined just now":              {factor.CardState{Declined: epoch}, false},
		"second login since":             {factor.CardState{Declined: epoch, LoginsSince: 2}, false},
		"third login since":              {factor.CardState{Declined: epoch, LoginsSince: 3}, true},
		"fourth, was not asked at third": {factor.CardState{Declined: epoch, LoginsSince: 4}, true},
	} {
		if got := row.state.Ask(); got != row.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	r := newRig(t)
	mine := r.someone()
	r.ok(r.DeclineCard(t.Context(), mine))
	for _, want := range []bool{false, false, true} {
		r.ok(r.CountLogin(t.Context(), mine))
		state, err := r.Card(t.Context(), mine)
		r.ok(err)
		r.same(state.Ask(), want)
		r.same(state.Declined, epoch)
	}
	state, err := r.Card(t.Context(), "nobody")
	r.ok(err)
	r.same(state, factor.CardState{})
}

// saw keeps a finished login, in an act as logins are.
func (r *rig) saw(b factor.Browser) error {
	return r.db.Audit().Within(r.Context(), func(ctx context.Context) error { return r.Saw(ctx, b) })
}

// seen is a browser of that account in which a login was finished.
func seen(account string) factor.Browser {
	return factor.Browser{Account: account, Browser: identity.NewToken().Digest(), Device: "Firefox, Linux", Epoch: 1}
}

// remembered is one that the patient asked to be remembered.
func remembered(account string) factor.Browser {
	b := seen(account)
	b.Remembered, b.Level = epoch.Add(factor.RememberedFor), identity.P5
	return b
}

func TestHowLongABrowserCounts(t *testing.T) {
	const tick, day = time.Microsecond, 24 * time.Hour
	for name, row := range map[string]struct {
		remembered                   time.Time
		after                        time.Duration
		known, remembers, inAnyEpoch bool
	}{
		"at once":                          {epoch.Add(30 * day), 0, true, true, true},
		"not asked to be remembered":       {time.Time{}, 0, true, false, true},
		"the last of 30 days":              {epoch.Add(30 * day), 30*day - tick, true, true, true},
		"after 30 days":                    {epoch.Add(30 * day), 30 * day, true, false, true},
		"asked for a year":                 {epoch.Add(365 * day), 30 * day, true, false, true},
		"asked for a day":                  {epoch.Add(day), day, true, false, true},
		"asked for yesterday":              {epoch.Add(-day), 0, true, false, true},
		"the last of 90 days":              {epoch.Add(30 * day), 90*day - tick, true, false, true},
		"after 90 days":                    {epoch.Add(30 * day), 90*day + tick, false, false, false},
		"a clock that went back a little":  {epoch.Add(30 * day), -identity.Skew, true, true, true},
		"a clock that went back by a year": {epoch.Add(30 * day), -365 * day, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := seen(r.someone())
			b.Remembered, b.Level = row.remembered, identity.P5
			r.ok(r.saw(b))
			r.now = epoch.Add(row.after)
			_, err := r.Known(t.Context(), b.Account, b.Browser)
			r.same(err == nil, row.known)
			got, err := r.Remembers(t.Context(), b.Account, b.Browser)
			r.same(err == nil, row.remembers)
			if err == nil {
				r.same(got.Factor(), factor.Factor{Kind: factor.KindBrowser, ID: got.ID, Account: b.Account, Level: identity.P5, Bound: epoch})
			} else {
				r.is(err, identity.ErrNotFound)
				r.same(got, factor.Browser{})
			}
			anywhere, err := r.KnownAnywhere(t.Context(), b.Browser)
			r.ok(err)
			r.same(anywhere, row.inAnyEpoch)
			list, err := r.List(t.Context(), b.Account)
			r.ok(err)
			r.same(len(list) == 1, row.known)
			if row.known {
				r.same(!list[0].Remembered.IsZero(), row.remembers)
			}
		})
	}
}

func TestALoginNeverLengthensRemembering(t *testing.T) {
	r := newRig(t)
	b := remembered(r.someone())
	r.ok(r.saw(b))
	again := b
	again.Remembered, again.Level = time.Time{}, identity.P9
	for day := range 30 {
		r.now = epoch.Add(time.Duration(day) * 24 * time.Hour)
		got, err := r.Remembers(t.Context(), b.Account, b.Browser)
		r.ok(err)
		r.same(got.Level, identity.P5)
		r.ok(r.saw(again))
	}
	r.now = epoch.Add(30 * 24 * time.Hour)
	_, err := r.Remembers(t.Context(), b.Account, b.Browser)
	r.is(err, identity.ErrNotFound)
	_, err = r.Known(t.Context(), b.Account, b.Browser)
	r.ok(err)
}

func TestWhatEndsABrowser(t *testing.T) {
	for name, end := range map[string]func(*rig, factor.Browser) error{
		"the account's epoch": func(r *rig, b factor.Browser) error { return r.db.Accounts().RaiseEpoch(r.Context(), b.Account) },
		"an epoch and a login since, which remembers nothing": func(r *rig, b factor.Browser) error {
			b.Remembered, b.Epoch = time.Time{}, 2
			return errors.Join(r.db.Accounts().RaiseEpoch(r.Context(), b.Account), r.saw(b))
		},
		"a login of an earlier epoch that was late": func(r *rig, b factor.Browser) error {
			return errors.Join(r.db.Accounts().RaiseEpoch(r.Context(), b.Account), r.saw(b))
		},
		"the patient forgets it": func(r *rig, b factor.Browser) error {
			list, err := r.List(r.Context(), b.Account)
			return errors.Join(err, r.Forget(r.Context(), b.Account, list[0].ID))
		},
		"the patient forgets all": func(r *rig, b factor.Browser) error { return r.ForgetAll(r.Context(), b.Account) },
		"its cookie has a new life": func(r *rig, b factor.Browser) error {
			return r.Rebind(r.Context(), b.Browser, identity.NewToken().Digest())
		},
		"the account is erased": func(r *rig, b factor.Browser) error { return r.Erase(r.Context(), b.Account) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := remembered(r.someone())
			r.ok(r.saw(b))
			r.ok(end(r, b))
			_, err := r.Remembers(t.Context(), b.Account, b.Browser)
			r.is(err, identity.ErrNotFound)
		})
	}
}

func TestForgettingIsTheAccountsOwn(t *testing.T) {
	r := newRig(t)
	mine, theirs := remembered(r.someone()), remembered(r.someone())
	r.ok(r.saw(mine))
	r.ok(r.saw(theirs))
	list, err := r.List(t.Context(), theirs.Account)
	r.ok(err)
	r.is(r.Forget(t.Context(), mine.Account, list[0].ID), identity.ErrNotFound)
	r.ok(r.ForgetAll(t.Context(), mine.Account))
	_, err = r.Remembers(t.Context(), theirs.Account, theirs.Browser)
	r.ok(err)
}

func TestNoCookieIsNobodysBrowser(t *testing.T) {
	r := newRig(t)
	nothing := remembered(r.someone())
	nothing.Browser = identity.Digest{}
	if err := r.saw(nothing); err == nil {
		t.Error("wanted a browser without a cookie refused")
	}
	b := remembered(nothing.Account)
	r.ok(r.saw(b))
	r.ok(r.Rebind(t.Context(), identity.Digest{}, identity.NewToken().Digest()))
	r.ok(r.Rebind(t.Context(), b.Browser, b.Browser))
	if err := r.Rebind(t.Context(), b.Browser, identity.Digest{}); err == nil {
		t.Error("wanted a next value")
	}
	_, err := r.Remembers(t.Context(), b.Account, b.Browser)
	r.ok(err)
	_, err = r.Remembers(t.Context(), b.Account, identity.Digest{})
	r.is(err, identity.ErrNotFound)
	anywhere, err := r.KnownAnywhere(t.Context(), identity.Digest{})
	r.ok(err)
	r.same(anywhere, false)
}

func TestPhone(t *testing.T) {
	r := newRig(t)
	mine := r.someone()
	_, err := r.Phone(t.Context(), mine)
	r.is(err, identity.ErrNotFound)
	if _, err := r.BindPhone(t.Context(), mine, identity.Phone{}, identity.P9); err == nil {
		t.Error("wanted no number refused")
	}
	first, err := r.BindPhone(t.Context(), mine, mobile, identity.P5)
	r.ok(err)
	got, err := r.Phone(t.Context(), mine)
	r.ok(err)
	r.same(got, first)
	r.same(got.Factor(), factor.Factor{Kind: factor.KindPhone, ID: first.ID, Account: mine, Level: identity.P5, Bound: epoch})
	r.ok(r.SwitchPhoneOff(t.Context(), first))
	got, err = r.Phone(t.Context(), mine)
	r.ok(err)
	r.same(got.Off, true)
	next, err := r.BindPhone(t.Context(), mine, mobile, identity.P0)
	r.ok(err)
	r.ok(r.SwitchPhoneOff(t.Context(), first)) // late: it is another binding now
	got, err = r.Phone(t.Context(), mine)
	r.ok(err)
	r.same(got, next)
	r.ok(r.DropPhone(t.Context(), mine))
	_, err = r.Phone(t.Context(), mine)
	r.is(err, identity.ErrNotFound)
	if shown := fmt.Sprintf("%v %+v %#v", next, next, next); strings.Contains(shown, "900123") {
		t.Error("a printed phone shows its number")
	}
}

func TestRaiseLiftsWhatOpenedAndNothingElse(t *testing.T) {
	r := newRig(t)
	mine := r.someone()
	codes := r.makeCard(mine, identity.P0)
	phone, err := r.BindPhone(t.Context(), mine, mobile, identity.P0)
	r.ok(err)
	card, err := r.SpendCard(t.Context(), mine, codes[0])
	r.ok(err)
	levels := func() [2]identity.Proofing {
		p, err := r.Phone(t.Context(), mine)
		r.ok(err)
		c, err := r.Card(t.Context(), mine)
		r.ok(err)
		return [2]identity.Proofing{p.Level, c.Level}
	}
	r.ok(r.Raise(t.Context(), mine, identity.P5, phone.Factor()))
	r.same(levels(), [2]identity.Proofing{identity.P5, identity.P0})
	r.ok(r.Raise(t.Context(), mine, identity.P0, phone.Factor(), card))
	r.same(levels(), [2]identity.Proofing{identity.P5, identity.P0})
	r.ok(r.Raise(t.Context(), mine, identity.P9))
	r.ok(r.Raise(t.Context(), r.someone(), identity.P9, phone.Factor()))
	r.same(levels(), [2]identity.Proofing{identity.P5, identity.P0})

	// What was bound meanwhile is not what the session was opened with.
	r.makeCard(mine, identity.P0)
	_, err = r.BindPhone(t.Context(), mine, mobile, identity.P0)
	r.ok(err)
	r.ok(r.Raise(t.Context(), mine, identity.P9, phone.Factor(), card))
	r.same(levels(), [2]identity.Proofing{identity.P0, identity.P0})

	if err := r.Raise(t.Context(), mine, identity.P9, factor.Factor{Kind: "password", ID: "any"}); err == nil {
		t.Error("wanted a factor of another room refused")
	}
	raised := slices.DeleteFunc(r.recorded(), func(k audit.Kind) bool { return k != audit.FactorRaised })
	r.same(len(raised), 1)
}

// activation is a code that a practice gives to a patient it knows.
func activation() factor.Handed {
	return factor.Handed{Kind: factor.Activation, NHSNumber: number, Basis: "practice", IssuedBy: "operator:one", Reason: "asked at the desk"}
}

// documents is a code for a person whose documents two members of staff saw.
func documents() factor.Handed {
	h := activation()
	h.Kind, h.Basis, h.ConfirmedBy = factor.Documents, "passport", "operator:two"
	return h
}

func TestHandedCode(t *testing.T) {
	for name, row := range map[string]struct {
		given factor.Handed
		level identity.Proofing
		event audit.Kind
		actor string
	}{
		"from the practice": {activation(), identity.P5, audit.ActivationIssued, "operator:one"},
		"on documents seen": {documents(), identity.P9, audit.ProofRecorded, "operator:two"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			code, want, err := r.Issue(t.Context(), row.given)
			r.ok(err)
			r.same(want.Expires, epoch.Add(21*24*time.Hour))
			r.same(want.Kind.Level(), row.level)
			if id, ok := identity.ParseReference(want.ID); !ok || id != want.ID {
				t.Errorf("wanted an id that staff can say, got %q", want.ID)
			}
			r.now = epoch.Add(time.Hour)
			_, err = r.SpendHanded(t.Context(), "", code)
			r.is(err, identity.ErrNotFound)
			_, err = r.SpendHanded(t.Context(), "patient", identity.ReadableCode(65))
			r.is(err, identity.ErrNotFound)
			_, err = r.SpendHanded(t.Context(), "patient", code[:12])
			r.is(err, identity.ErrNotFound)
			got, err := r.SpendHanded(t.Context(), "patient", code)
			r.ok(err)
			want.Spent, want.SpentBy = r.now, "patient"
			r.same(got, want)
			got, err = r.SpendHanded(t.Context(), "thief", code)
			r.is(err, identity.ErrSpent)
			r.same(got, want)

			told, err := r.db.Audit().FindByReference(t.Context(), want.ID)
			r.ok(err)
			r.same([]audit.Kind{told[0].Kind, told[1].Kind}, []audit.Kind{row.event, audit.ActivationSpent})
			r.same([]string{told[0].Actor, told[0].Cause, told[1].Account}, []string{row.actor, row.given.Basis, "patient"})
		})
	}
}

func TestHandedCodeEnds(t *testing.T) {
	const tick = time.Microsecond
	r := newRig(t)
	code, h, err := r.Issue(t.Context(), activation())
	r.ok(err)
	r.now = h.Expires
	got, err := r.SpendHanded(t.Context(), "late", code)
	r.is(err, identity.ErrExpired)
	r.same(got, h)
	r.is(r.Revoke(t.Context(), h.ID, "operator:one", "given to another"), identity.ErrExpired)
	r.now = h.Expires.Add(-tick)
	_, err = r.SpendHanded(t.Context(), "in time", code)
	r.ok(err)
	r.is(r.Revoke(t.Context(), h.ID, "operator:one", "given to another"), identity.ErrSpent)

	r.now = epoch
	code, h, err = r.Issue(t.Context(), documents())
	r.ok(err)
	r.ok(r.Revoke(t.Context(), h.ID, "operator:one", "given to another"))
	_, err = r.SpendHanded(t.Context(), "any", code)
	r.is(err, identity.ErrExpired)
	r.is(r.Revoke(t.Context(), "DIL-XXXX-XX", "operator:one", "given to another"), identity.ErrNotFound)

	all, err := r.ListHanded(t.Context())
	r.ok(err)
	r.same(len(all), 2)
	for _, h := range all {
		if h.Over(epoch) == nil {
			t.Errorf("%s: wanted it over", h.ID)
		}
	}
}

func TestRevokingNeedsNoDatabaseRecord(t *testing.T) {
	r := newRig(t)
	code, h, err := r.Issue(t.Context(), activation())
	r.ok(err)
	r.deafTo = audit.ActivationRevoked
	r.ok(r.Revoke(t.Context(), h.ID, "operator:one", "given to another"))
	r.same(r.journalled, []audit.Kind{audit.ActivationRevoked})
	_, err = r.SpendHanded(t.Context(), "any", code)
	r.is(err, identity.ErrExpired)
}

func TestIssueRefuses(t *testing.T) {
	r := newRig(t)
	for name, change := range map[string]func(*factor.Handed){
		"no kind":                      func(h *factor.Handed) { h.Kind = "" },
		"a kind of its own":            func(h *factor.Handed) { h.Kind = "passkey" },
		"nobody's number":              func(h *factor.Handed) { h.NHSNumber = identity.NHSNumber{} },
		"no document":                  func(h *factor.Handed) { h.Basis = "" },
		"nobody gives it":              func(h *factor.Handed) { h.IssuedBy = "" },
		"documents that one saw":       func(h *factor.Handed) { h.ConfirmedBy = "" },
		"documents that one saw twice": func(h *factor.Handed) { h.ConfirmedBy = h.IssuedBy },
	} {
		h := documents()
		change(&h)
		if code, _, err := r.Issue(t.Context(), h); err == nil || code != "" {
			t.Errorf("%s: wanted it refused", name)
		}
	}
	r.same(len(r.recorded()), 0)
	for kind, want := range map[factor.HandedKind]identity.Proofing{factor.Activation: identity.P5, factor.Documents: identity.P9, "": identity.P0, "P9": identity.P0} {
		r.same(kind.Level(), want)
	}
}

// What fails in an act leaves nothing; what is spent is never spent inside one.
func TestActs(t *testing.T) {
	r := newRig(t)
	mine := r.someone()
	codes := r.makeCard(mine, identity.P0)
	given, _, err := r.Issue(t.Context(), activation())
	r.ok(err)
	r.is(r.db.Audit().Within(t.Context(), func(ctx context.Context) error {
		fresh, err := r.MakeCard(ctx, mine, identity.P9)
		r.ok(err)
		_, err = r.BindPhone(ctx, mine, mobile, identity.P9)
		r.ok(err)
		r.ok(r.Saw(ctx, remembered(mine)))
		_, _, err = r.Issue(ctx, documents())
		r.ok(err)
		if _, err := r.SpendCard(ctx, mine, fresh[0]); err == nil {
			t.Error("wanted a card's code refused inside an act")
		}
		if _, err := r.SpendHanded(ctx, mine, given); err == nil {
			t.Error("wanted a handed code refused inside an act")
		}
		return errOfAct
	}), errOfAct)
	_, err = r.SpendCard(t.Context(), mine, codes[0])
	r.ok(err)
	_, err = r.Phone(t.Context(), mine)
	r.is(err, identity.ErrNotFound)
	list, err := r.List(t.Context(), mine)
	r.ok(err)
	r.same(len(list), 0)
	all, err := r.ListHanded(t.Context())
	r.ok(err)
	r.same(len(all), 1)
}
