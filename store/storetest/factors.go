package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/factor"
)

// card is a card of that account, and what its codes are kept as.
func card(account string) (factor.Card, [][]byte) {
	var codes [][]byte
	for range factor.CardCodes {
		codes = append(codes, digest())
	}
	return factor.Card{ID: identity.NewID(), Account: account, Pepper: 1<<32 - 1, Level: identity.P5, Made: epoch}, codes
}

// digest is one of nothing in particular.
func digest() []byte {
	d := identity.NewToken().Digest()
	return d[:]
}

// browser is a remembered browser of that account, every field filled.
func browser(account string) factor.Browser {
	return factor.Browser{
		ID: identity.NewID(), Account: account, Browser: identity.NewToken().Digest(), Device: "Firefox, Linux", Seen: epoch,
		Remembered: epoch.Add(factor.RememberedFor), Bound: epoch, Level: identity.P5, Epoch: 1,
	}
}

// phone is a phone of that account.
func phone(account string) factor.Phone {
	return factor.Phone{ID: identity.NewID(), Account: account, Number: details().Phone, Level: identity.P5, Bound: epoch}
}

// totp is an authenticator app of that account, every field filled.
func totp(account string) factor.TOTP {
	return factor.TOTP{
		ID: identity.NewID(), Account: account, Seed: factor.NewSeed(), Step: 59_000_000, Level: identity.P5, Bound: epoch,
	}
}

// handed is a code that staff handed over, and what it is kept as.
func handed() (factor.HandedDigest, factor.Handed) {
	return factor.HandedDigest{Pepper: 1<<32 - 1, Digest: digest()}, factor.Handed{
		ID: identity.NewReference(), Kind: factor.Documents, NHSNumber: details().NHSNumber, Basis: "passport",
		IssuedBy: "operator:one", ConfirmedBy: "operator:two", Reason: "came to the surgery", Issued: epoch, Expires: epoch.Add(factor.HandedFor),
	}
}

// cardState reads what stands of the account's card.
func (k *kit) cardState(account string) factor.CardState {
	k.Helper()
	state, err := k.Factors.CardState(k.ctx, account)
	k.ok(err)
	return state
}

// standing is the browser as it is read beside that epoch of its account.
func standing(b factor.Browser, epoch int64) factor.Standing {
	return factor.Standing{Browser: b, AccountEpoch: epoch}
}

// hand adds a handed code.
func (k *kit) hand() (factor.HandedDigest, factor.Handed) {
	k.Helper()
	code, h := handed()
	k.ok(k.Factors.AddHanded(k.ctx, code, h))
	return code, h
}

var factorRules = slices.Concat(totpRules, cardRules, browserRules, phoneRules, handedRules, recoveryRules, []rule{
	{"an erased account has no factor, and nobody else lost any", func(k *kit) {
		gone, stays := k.someone(), k.someone()
		for _, a := range []account.Account{gone, stays} {
			c, codes := card(a.ID)
			k.ok(k.Factors.PutCard(k.ctx, c, codes))
			k.ok(k.Factors.DeclineCard(k.ctx, a.ID, epoch))
			k.ok(k.Factors.SawBrowser(k.ctx, browser(a.ID)))
			k.ok(k.Factors.PutPhone(k.ctx, phone(a.ID)))
			k.ok(k.Factors.PutTOTP(k.ctx, totp(a.ID)))
			k.ok(k.Factors.PutChoice(k.ctx, a.ID, factor.KindTOTP))
			code, _ := k.hand()
			_, err := k.Factors.SpendHanded(k.ctx, code, a.ID, epoch)
			k.ok(err)
		}
		k.hand()
		k.ok(k.Factors.Erase(k.ctx, gone.ID))
		k.ok(k.Factors.Erase(k.ctx, gone.ID))
		k.same(k.cardState(gone.ID), factor.CardState{})
		k.same(k.cardState(stays.ID).Left, factor.CardCodes)
		for _, row := range []struct {
			account string
			want    int
		}{{gone.ID, 0}, {stays.ID, 1}} {
			browsers, err := k.Factors.Browsers(k.ctx, row.account)
			k.ok(err)
			k.same(len(browsers), row.want)
			_, err = k.Factors.Phone(k.ctx, row.account)
			k.same(err == nil, row.want == 1)
			_, err = k.Factors.TOTP(k.ctx, row.account)
			k.same(err == nil, row.want == 1)
			_, err = k.Factors.Choice(k.ctx, row.account)
			k.same(err == nil, row.want == 1)
		}
		left, err := k.Factors.Handed(k.ctx, time.Time{})
		k.ok(err)
		k.same(len(left), 2)
	}},
	{"a factor rises, never falls, and is the one that was named", func(k *kit) {
		a := k.someone()
		c, codes := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, c, codes))
		b, p, app := browser(a.ID), phone(a.ID), totp(a.ID)
		k.ok(k.Factors.SawBrowser(k.ctx, b))
		k.ok(k.Factors.PutPhone(k.ctx, p))
		k.ok(k.Factors.PutTOTP(k.ctx, app))
		for kind, id := range map[factor.Kind]string{factor.KindCard: c.ID, factor.KindBrowser: b.ID, factor.KindPhone: p.ID, factor.KindTOTP: app.ID} {
			for _, row := range []struct {
				name, account, id string
				level             identity.Proofing
				want              bool
			}{
				{"lower", a.ID, id, identity.P0, false},
				{"as it is", a.ID, id, identity.P5, false},
				{"another account's", k.someone().ID, id, identity.P9, false},
				{"one that is no more", a.ID, identity.NewID(), identity.P9, false},
				{"higher", a.ID, id, identity.P9, true},
				{"again", a.ID, id, identity.P9, false},
			} {
				got, err := k.Factors.Raise(k.ctx, row.account, kind, row.id, row.level)
				k.ok(err)
				if got != row.want {
					k.Fatalf("%s, %s: got %v", kind, row.name, got)
				}
			}
		}
		k.same(k.cardState(a.ID).Level, identity.P9)
		got, err := k.Factors.Browser(k.ctx, a.ID, b.Browser)
		k.ok(err)
		k.same(got.Level, identity.P9)
		bound, err := k.Factors.Phone(k.ctx, a.ID)
		k.ok(err)
		k.same(bound.Level, identity.P9)
		risen, err := k.Factors.TOTP(k.ctx, a.ID)
		k.ok(err)
		k.same(risen.Level, identity.P9)
		if _, err := k.Factors.Raise(k.ctx, a.ID, "password", "any", identity.P9); err == nil {
			k.Fatal("wanted a kind that is not kept refused")
		}
	}},
	{"a sweep forgets browsers last seen and codes ended before, and nothing else", func(k *kit) {
		a := k.someone()
		b := browser(a.ID)
		k.ok(k.Factors.SawBrowser(k.ctx, b))
		code, h := k.hand()
		k.ok(k.Factors.Sweep(k.ctx, b.Seen, h.Expires))
		k.ok(k.Sweep(k.ctx, epoch.Add(factor.KnownFor)))
		_, err := k.Factors.Browser(k.ctx, a.ID, b.Browser)
		k.ok(err)
		k.ok(k.Sweep(k.ctx, epoch.Add(factor.KnownFor+time.Microsecond)))
		_, err = k.Factors.Browser(k.ctx, a.ID, b.Browser)
		k.is(err, identity.ErrNotFound)
		const kept = 90 * 24 * time.Hour
		k.ok(k.Sweep(k.ctx, h.Expires.Add(kept)))
		_, err = k.Factors.SpendHanded(k.ctx, code, a.ID, h.Expires)
		k.is(err, identity.ErrExpired)
		k.ok(k.Sweep(k.ctx, h.Expires.Add(kept+time.Microsecond)))
		_, err = k.Factors.SpendHanded(k.ctx, code, a.ID, h.Expires)
		k.is(err, identity.ErrNotFound)
	}},
})

var cardRules = []rule{
	{"a card is read back, with ten codes left", func(k *kit) {
		a := k.someone()
		want, codes := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, want, codes))
		got, err := k.Factors.Card(k.ctx, a.ID)
		k.ok(err)
		k.same(got, want)
		k.same(k.cardState(a.ID), factor.CardState{ID: want.ID, Level: want.Level, Left: factor.CardCodes, Made: epoch})
	}},
	{"no card, and no account", func(k *kit) {
		a := k.someone()
		_, err := k.Factors.Card(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		k.same(k.cardState(a.ID), factor.CardState{})
		_, err = k.Factors.CardState(k.ctx, "nobody")
		k.is(err, identity.ErrNotFound)
		k.is(k.Factors.SpendCode(k.ctx, "nothing", digest(), epoch), identity.ErrNotFound)
		c, codes := card("nobody")
		if err := k.Factors.PutCard(k.ctx, c, codes); err == nil {
			k.Fatal("wanted a card of nobody refused")
		}
	}},
	{"each code is good once, also at no time, and takes no other with it", func(k *kit) {
		a := k.someone()
		c, codes := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, c, codes))
		for i, code := range codes {
			k.ok(k.Factors.SpendCode(k.ctx, c.ID, code, time.Time{}))
			k.is(k.Factors.SpendCode(k.ctx, c.ID, code, epoch), identity.ErrSpent)
			k.same(k.cardState(a.ID).Left, factor.CardCodes-i-1)
		}
	}},
	{"a code opens its own card only", func(k *kit) {
		a, b := k.someone(), k.someone()
		mine, codes := card(a.ID)
		other, _ := card(b.ID)
		k.ok(k.Factors.PutCard(k.ctx, mine, codes))
		k.ok(k.Factors.PutCard(k.ctx, other, [][]byte{digest()}))
		k.is(k.Factors.SpendCode(k.ctx, other.ID, codes[0], epoch), identity.ErrNotFound)
		k.is(k.Factors.SpendCode(k.ctx, mine.ID, digest(), epoch), identity.ErrNotFound)
		k.is(k.Factors.SpendCode(k.ctx, mine.ID, nil, epoch), identity.ErrNotFound)
		k.same(k.cardState(a.ID).Left, factor.CardCodes)
	}},
	{"a new card kills the one before, spent and unspent", func(k *kit) {
		a := k.someone()
		old, codes := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, old, codes))
		k.ok(k.Factors.SpendCode(k.ctx, old.ID, codes[0], epoch))
		fresh, _ := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, fresh, codes)) // were the codes the same, they would be fresh ones
		k.is(k.Factors.SpendCode(k.ctx, old.ID, codes[1], epoch), identity.ErrNotFound)
		k.same(k.cardState(a.ID), factor.CardState{ID: fresh.ID, Level: fresh.Level, Left: factor.CardCodes, Made: epoch})
		k.ok(k.Factors.SpendCode(k.ctx, fresh.ID, codes[0], epoch))
		k.ok(k.Factors.DropCard(k.ctx, a.ID))
		k.is(k.Factors.SpendCode(k.ctx, fresh.ID, codes[1], epoch), identity.ErrNotFound)
		k.same(k.cardState(a.ID), factor.CardState{})
	}},
	{"a rolled back card leaves the one before", func(k *kit) {
		a := k.someone()
		old, codes := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, old, codes))
		k.is(k.Audit.Within(k.ctx, func(ctx context.Context) error {
			fresh, more := card(a.ID)
			k.ok(k.Factors.PutCard(ctx, fresh, more))
			return errOfAct
		}), errOfAct)
		k.ok(k.Factors.SpendCode(k.ctx, old.ID, codes[0], epoch))
	}},
	{"logins are counted since the card was declined, until one is made", func(k *kit) {
		a, other := k.someone(), k.someone()
		k.ok(k.Factors.CountLogin(k.ctx, a.ID))
		k.same(k.cardState(a.ID), factor.CardState{})
		k.ok(k.Factors.DeclineCard(k.ctx, a.ID, epoch))
		k.ok(k.Factors.DeclineCard(k.ctx, other.ID, epoch))
		for want := range 3 {
			k.same(k.cardState(a.ID), factor.CardState{Declined: epoch, LoginsSince: want})
			k.ok(k.Factors.CountLogin(k.ctx, a.ID))
		}
		k.same(k.cardState(other.ID), factor.CardState{Declined: epoch})
		later := epoch.Add(time.Hour)
		k.ok(k.Factors.DeclineCard(k.ctx, a.ID, later))
		k.same(k.cardState(a.ID), factor.CardState{Declined: later})
		c, codes := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, c, codes))
		k.same(k.cardState(a.ID), factor.CardState{ID: c.ID, Level: c.Level, Left: factor.CardCodes, Made: epoch})
		k.ok(k.Factors.DeclineCard(k.ctx, a.ID, later))
		k.ok(k.Factors.SpendCode(k.ctx, c.ID, codes[0], epoch)) // declining another takes nothing
	}},
	{"a code is not spent inside an act", func(k *kit) {
		a := k.someone()
		c, codes := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, c, codes))
		if err := k.Audit.Within(k.ctx, func(ctx context.Context) error { return k.Factors.SpendCode(ctx, c.ID, codes[0], epoch) }); err == nil {
			k.Fatal("wanted it refused")
		}
		k.ok(k.Factors.SpendCode(k.ctx, c.ID, codes[0], epoch))
	}},
	{"race: of many that give one code one is let in", func(k *kit) {
		a := k.someone()
		c, codes := card(a.ID)
		k.ok(k.Factors.PutCard(k.ctx, c, codes))
		k.oneWon(race(parallel, func(int) error { return k.Factors.SpendCode(k.ctx, c.ID, codes[3], epoch) }), identity.ErrSpent)
		k.same(k.cardState(a.ID).Left, factor.CardCodes-1)
	}},
	{"race: many new cards leave one, whole", func(k *kit) {
		a := k.someone()
		all := make([]factor.Card, 8)
		codes := make([][][]byte, len(all))
		for i := range all {
			all[i], codes[i] = card(a.ID)
		}
		for _, err := range race(len(all), func(i int) error { return k.Factors.PutCard(k.ctx, all[i], codes[i]) }) {
			k.ok(err)
		}
		state := k.cardState(a.ID)
		k.same(state.Left, factor.CardCodes)
		good := 0
		for i, c := range all {
			err := k.Factors.SpendCode(k.ctx, c.ID, codes[i][0], epoch)
			if err == nil {
				good++
				k.same(c.ID, state.ID)
			} else {
				k.is(err, identity.ErrNotFound)
			}
		}
		k.same(good, 1)
	}},
}

var browserRules = []rule{
	{"a browser is read back whole, beside its account's epoch", func(k *kit) {
		a := k.someone()
		want := browser(a.ID)
		k.ok(k.Factors.SawBrowser(k.ctx, want))
		got, err := k.Factors.Browser(k.ctx, a.ID, want.Browser)
		k.ok(err)
		k.same(got, standing(want, 1))
		k.ok(k.Accounts.RaiseEpoch(k.ctx, a.ID))
		got, err = k.Factors.Browser(k.ctx, a.ID, want.Browser)
		k.ok(err)
		k.same(got, standing(want, 2))
	}},
	{"a browser of no account, of another, and of no cookie", func(k *kit) {
		a, other := k.someone(), k.someone()
		b, nobody, nothing := browser(a.ID), browser("nobody"), browser(a.ID)
		k.ok(k.Factors.SawBrowser(k.ctx, b))
		if err := k.Factors.SawBrowser(k.ctx, nobody); err == nil {
			k.Fatal("wanted a browser of nobody refused")
		}
		nothing.Browser = identity.Digest{}
		k.ok(k.Factors.SawBrowser(k.ctx, nothing))
		for _, row := range []struct {
			account string
			browser identity.Digest
		}{{other.ID, b.Browser}, {"nobody", b.Browser}, {a.ID, browser(a.ID).Browser}, {a.ID, identity.Digest{}}} {
			_, err := k.Factors.Browser(k.ctx, row.account, row.browser)
			k.is(err, identity.ErrNotFound)
		}
	}},
	{"a login where the browser is not asked to be remembered keeps what was, in one epoch alone", func(k *kit) {
		a := k.someone()
		first := browser(a.ID)
		k.ok(k.Factors.SawBrowser(k.ctx, first))
		seen := factor.Browser{ID: identity.NewID(), Account: a.ID, Browser: first.Browser, Device: "Chrome, Android", Seen: epoch.Add(time.Hour), Epoch: 1}
		k.ok(k.Factors.SawBrowser(k.ctx, seen))
		want := first
		want.Device, want.Seen = seen.Device, seen.Seen
		got, err := k.Factors.Browser(k.ctx, a.ID, first.Browser)
		k.ok(err)
		k.same(got, standing(want, 1))
		seen.Epoch = 2
		k.ok(k.Factors.SawBrowser(k.ctx, seen))
		got, err = k.Factors.Browser(k.ctx, a.ID, first.Browser)
		k.ok(err)
		k.same(got, standing(seen, 1))
	}},
	{"a browser that is remembered anew is another factor, at its own level", func(k *kit) {
		a := k.someone()
		first, again := browser(a.ID), browser(a.ID)
		k.ok(k.Factors.SawBrowser(k.ctx, first))
		again.Browser, again.Level, again.Bound, again.Remembered = first.Browser, identity.P0, epoch.Add(time.Hour), epoch.Add(2*time.Hour)
		k.ok(k.Factors.SawBrowser(k.ctx, again))
		all, err := k.Factors.Browsers(k.ctx, a.ID)
		k.ok(err)
		k.same(all, []factor.Standing{standing(again, 1)})
		raised, err := k.Factors.Raise(k.ctx, a.ID, factor.KindBrowser, first.ID, identity.P9)
		k.ok(err)
		k.same(raised, false)
	}},
	{"every account's rows follow a browser to its next value, and no other browser's", func(k *kit) {
		a, b := k.someone(), k.someone()
		mine, theirs, elsewhere := browser(a.ID), browser(b.ID), browser(a.ID)
		theirs.Browser = mine.Browser
		for _, row := range []factor.Browser{mine, theirs, elsewhere} {
			k.ok(k.Factors.SawBrowser(k.ctx, row))
		}
		next := identity.NewToken().Digest()
		k.ok(k.Factors.RebindBrowsers(k.ctx, mine.Browser, next))
		for _, id := range []string{a.ID, b.ID} {
			_, err := k.Factors.Browser(k.ctx, id, mine.Browser)
			k.is(err, identity.ErrNotFound)
			_, err = k.Factors.Browser(k.ctx, id, next)
			k.ok(err)
		}
		_, err := k.Factors.Browser(k.ctx, a.ID, elsewhere.Browser)
		k.ok(err)
	}},
	{"the browsers of the account alone, the last seen first", func(k *kit) {
		a, other := k.someone(), k.someone()
		early, late := browser(a.ID), browser(a.ID)
		late.Seen = epoch.Add(time.Hour)
		for _, b := range []factor.Browser{early, late, browser(other.ID)} {
			k.ok(k.Factors.SawBrowser(k.ctx, b))
		}
		got, err := k.Factors.Browsers(k.ctx, a.ID)
		k.ok(err)
		k.same(got, []factor.Standing{standing(late, 1), standing(early, 1)})
	}},
	{"whether anybody logged in there, since then, to an account that is open", func(k *kit) {
		for _, row := range []struct {
			state account.State
			since time.Time
			want  bool
		}{
			{account.Active, epoch, true},
			{account.Active, epoch.Add(time.Microsecond), false},
			{account.Disabled, epoch, false},
			{account.Deleted, epoch, false},
		} {
			a := k.someone()
			b := browser(a.ID)
			k.ok(k.Factors.SawBrowser(k.ctx, b))
			k.ok(k.Accounts.SetState(k.ctx, a.ID, row.state)) // it raises the epoch too
			got, err := k.Factors.LoggedIn(k.ctx, b.Browser, row.since)
			k.ok(err)
			if got != row.want {
				k.Fatalf("%s: got %v", row.state, got)
			}
		}
		nothing := browser(k.someone().ID)
		nothing.Browser = identity.Digest{}
		k.ok(k.Factors.SawBrowser(k.ctx, nothing))
		for _, d := range []identity.Digest{{}, identity.NewToken().Digest()} {
			got, err := k.Factors.LoggedIn(k.ctx, d, time.Time{})
			k.ok(err)
			k.same(got, false)
		}
	}},
	{"a browser is forgotten by its own account, one or all", func(k *kit) {
		a, other := k.someone(), k.someone()
		mine, more, theirs := browser(a.ID), browser(a.ID), browser(other.ID)
		for _, b := range []factor.Browser{mine, more, theirs} {
			k.ok(k.Factors.SawBrowser(k.ctx, b))
		}
		k.is(k.Factors.ForgetBrowser(k.ctx, a.ID, theirs.ID), identity.ErrNotFound)
		k.is(k.Factors.ForgetBrowser(k.ctx, a.ID, ""), identity.ErrNotFound)
		k.ok(k.Factors.ForgetBrowser(k.ctx, a.ID, mine.ID))
		k.is(k.Factors.ForgetBrowser(k.ctx, a.ID, mine.ID), identity.ErrNotFound)
		_, err := k.Factors.Browser(k.ctx, a.ID, more.Browser)
		k.ok(err)
		k.ok(k.Factors.ForgetBrowsers(k.ctx, a.ID))
		_, err = k.Factors.Browser(k.ctx, a.ID, more.Browser)
		k.is(err, identity.ErrNotFound)
		_, err = k.Factors.Browser(k.ctx, other.ID, theirs.Browser)
		k.ok(err)
	}},
	{"race: many logins in one browser are one row", func(k *kit) {
		a := k.someone()
		b := browser(a.ID)
		for _, err := range race(parallel, func(int) error {
			mine := b
			mine.ID = identity.NewID()
			return k.Factors.SawBrowser(k.ctx, mine)
		}) {
			k.ok(err)
		}
		all, err := k.Factors.Browsers(k.ctx, a.ID)
		k.ok(err)
		k.same(len(all), 1)
	}},
}

var totpRules = []rule{
	{"an app is read back whole, and the next one takes its place with a step of its own", func(k *kit) {
		a, other := k.someone(), k.someone()
		first, next := totp(a.ID), totp(a.ID)
		next.Step, next.Level = 7, identity.P9
		k.ok(k.Factors.PutTOTP(k.ctx, first))
		k.ok(k.Factors.PutTOTP(k.ctx, totp(other.ID)))
		got, err := k.Factors.TOTP(k.ctx, a.ID)
		k.ok(err)
		k.same(got, first)
		k.ok(k.Factors.SwitchTOTPOff(k.ctx, a.ID, first.ID))
		k.ok(k.Factors.PutTOTP(k.ctx, next))
		got, err = k.Factors.TOTP(k.ctx, a.ID)
		k.ok(err)
		k.same(got, next)
		k.is(k.Factors.SpendStep(k.ctx, first.ID, first.Step+1), identity.ErrNotFound)
		k.ok(k.Factors.DropTOTP(k.ctx, a.ID))
		_, err = k.Factors.TOTP(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		_, err = k.Factors.TOTP(k.ctx, other.ID)
		k.ok(err)
	}},
	{"no app, and no account", func(k *kit) {
		_, err := k.Factors.TOTP(k.ctx, k.someone().ID)
		k.is(err, identity.ErrNotFound)
		k.is(k.Factors.SpendStep(k.ctx, "nothing", 1), identity.ErrNotFound)
		k.ok(k.Factors.DropTOTP(k.ctx, "nobody"))
		if err := k.Factors.PutTOTP(k.ctx, totp("nobody")); err == nil {
			k.Fatal("wanted an app of nobody refused")
		}
	}},
	{"a step is taken once, and none goes back", func(k *kit) {
		a := totp(k.someone().ID)
		k.ok(k.Factors.PutTOTP(k.ctx, a))
		k.is(k.Factors.SpendStep(k.ctx, a.ID, a.Step), identity.ErrSpent) // that of the code which bound it
		k.ok(k.Factors.SpendStep(k.ctx, a.ID, a.Step+2))
		for _, step := range []int64{a.Step + 2, a.Step + 1, a.Step, a.Step - 1, 0, -1} {
			k.is(k.Factors.SpendStep(k.ctx, a.ID, step), identity.ErrSpent)
		}
		got, err := k.Factors.TOTP(k.ctx, a.Account)
		k.ok(err)
		k.same(got.Step, a.Step+2)
		k.ok(k.Factors.SpendStep(k.ctx, a.ID, a.Step+3))
	}},
	{"an app that is off opens nothing, and only the one that was named is switched off", func(k *kit) {
		a := totp(k.someone().ID)
		k.ok(k.Factors.PutTOTP(k.ctx, a))
		k.ok(k.Factors.SwitchTOTPOff(k.ctx, a.Account, identity.NewID()))
		k.ok(k.Factors.SwitchTOTPOff(k.ctx, k.someone().ID, a.ID))
		k.ok(k.Factors.SpendStep(k.ctx, a.ID, a.Step+1))
		k.ok(k.Factors.SwitchTOTPOff(k.ctx, a.Account, a.ID))
		k.is(k.Factors.SpendStep(k.ctx, a.ID, a.Step+2), identity.ErrNotFound)
		got, err := k.Factors.TOTP(k.ctx, a.Account)
		k.ok(err)
		k.same(got.Off, true)
	}},
	{"a step is not taken inside an act", func(k *kit) {
		a := totp(k.someone().ID)
		k.ok(k.Factors.PutTOTP(k.ctx, a))
		if err := k.Audit.Within(k.ctx, func(ctx context.Context) error { return k.Factors.SpendStep(ctx, a.ID, a.Step+1) }); err == nil {
			k.Fatal("wanted it refused")
		}
		k.ok(k.Factors.SpendStep(k.ctx, a.ID, a.Step+1))
	}},
	{"what a patient is asked for first is kept, replaced, and nobody else's", func(k *kit) {
		a, other := k.someone(), k.someone()
		_, err := k.Factors.Choice(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		for _, kind := range []factor.Kind{factor.KindCard, factor.KindTOTP} {
			k.ok(k.Factors.PutChoice(k.ctx, a.ID, kind))
			got, err := k.Factors.Choice(k.ctx, a.ID)
			k.ok(err)
			k.same(got, kind)
		}
		_, err = k.Factors.Choice(k.ctx, other.ID)
		k.is(err, identity.ErrNotFound)
		if err := k.Factors.PutChoice(k.ctx, "nobody", factor.KindTOTP); err == nil {
			k.Fatal("wanted a choice of nobody refused")
		}
	}},
	{"race: of many that give the code of one step one is let in", func(k *kit) {
		a := totp(k.someone().ID)
		k.ok(k.Factors.PutTOTP(k.ctx, a))
		k.oneWon(race(parallel, func(int) error { return k.Factors.SpendStep(k.ctx, a.ID, a.Step+1) }), identity.ErrSpent)
	}},
	{"race: the step never goes back, whoever comes last", func(k *kit) {
		a := totp(k.someone().ID)
		k.ok(k.Factors.PutTOTP(k.ctx, a))
		for _, err := range race(parallel, func(i int) error { return k.Factors.SpendStep(k.ctx, a.ID, a.Step+1+int64(i)) }) {
			if err != nil {
				k.is(err, identity.ErrSpent)
			}
		}
		got, err := k.Factors.TOTP(k.ctx, a.Account)
		k.ok(err)
		k.same(got.Step, a.Step+parallel)
	}},
	{"race: many who bind an app leave one, whole", func(k *kit) {
		a := k.someone()
		all := make([]factor.TOTP, parallel)
		for i := range all {
			all[i] = totp(a.ID)
		}
		for _, err := range race(parallel, func(i int) error { return k.Factors.PutTOTP(k.ctx, all[i]) }) {
			k.ok(err)
		}
		got, err := k.Factors.TOTP(k.ctx, a.ID)
		k.ok(err)
		k.same(slices.Contains(all, got), true)
	}},
}

var phoneRules = []rule{
	{"a phone is read back, and the next one takes its place", func(k *kit) {
		a, other := k.someone(), k.someone()
		first, next := phone(a.ID), phone(a.ID)
		next.Number, next.Level = must(identity.ParsePhone("+447700900456")), identity.P9
		k.ok(k.Factors.PutPhone(k.ctx, first))
		k.ok(k.Factors.PutPhone(k.ctx, phone(other.ID))) // a family shares one
		got, err := k.Factors.Phone(k.ctx, a.ID)
		k.ok(err)
		k.same(got, first)
		k.ok(k.Factors.PutPhone(k.ctx, next))
		got, err = k.Factors.Phone(k.ctx, a.ID)
		k.ok(err)
		k.same(got, next)
		k.ok(k.Factors.DropPhone(k.ctx, a.ID))
		k.ok(k.Factors.DropPhone(k.ctx, a.ID))
		_, err = k.Factors.Phone(k.ctx, a.ID)
		k.is(err, identity.ErrNotFound)
		_, err = k.Factors.Phone(k.ctx, other.ID)
		k.ok(err)
		if err := k.Factors.PutPhone(k.ctx, phone("nobody")); err == nil {
			k.Fatal("wanted a phone of nobody refused")
		}
	}},
	{"a phone is switched off, and a number that was bound since is not", func(k *kit) {
		a, other := k.someone(), k.someone()
		first, theirs := phone(a.ID), phone(other.ID)
		k.ok(k.Factors.PutPhone(k.ctx, first))
		k.ok(k.Factors.PutPhone(k.ctx, theirs))
		off := func(account string) bool {
			p, err := k.Factors.Phone(k.ctx, account)
			k.ok(err)
			return p.Off
		}
		k.ok(k.Factors.SwitchPhoneOff(k.ctx, other.ID, first.ID))
		k.same(off(a.ID), false)
		k.ok(k.Factors.SwitchPhoneOff(k.ctx, a.ID, first.ID))
		k.same(off(a.ID), true)
		k.same(off(other.ID), false)
		next := phone(a.ID)
		k.ok(k.Factors.PutPhone(k.ctx, next))
		k.ok(k.Factors.SwitchPhoneOff(k.ctx, a.ID, first.ID))
		k.same(off(a.ID), false)
	}},
}

var handedRules = []rule{
	{"a handed code is used once, whole, by the account that gave it first", func(k *kit) {
		code, want := k.hand()
		at := epoch.Add(time.Hour)
		got, err := k.Factors.SpendHanded(k.ctx, code, "first", at)
		k.ok(err)
		want.Spent, want.SpentBy = at, "first"
		k.same(got, want)
		for _, by := range []string{"first", "second"} {
			got, err = k.Factors.SpendHanded(k.ctx, code, by, at.Add(time.Hour))
			k.is(err, identity.ErrSpent)
			k.same(got, want)
		}
	}},
	{"why a handed code is not taken, and that nothing is changed by it", func(k *kit) {
		code, h := k.hand()
		got, err := k.Factors.SpendHanded(k.ctx, code, "late", h.Expires)
		k.is(err, identity.ErrExpired)
		k.same(got, h)
		for _, other := range []factor.HandedDigest{
			{Pepper: code.Pepper, Digest: digest()}, {Pepper: 1, Digest: code.Digest}, {Pepper: code.Pepper}, {},
		} {
			got, err := k.Factors.SpendHanded(k.ctx, other, "guesser", epoch)
			k.is(err, identity.ErrNotFound)
			k.same(got, factor.Handed{})
		}
		_, err = k.Factors.SpendHanded(k.ctx, code, "in time", h.Expires.Add(-time.Microsecond))
		k.ok(err)
		_, err = k.Factors.SpendHanded(k.ctx, code, "late", h.Expires)
		k.is(err, identity.ErrSpent)
	}},
	{"a revoked code is over, and a used one can't be revoked", func(k *kit) {
		code, want := k.hand()
		got, err := k.Factors.RevokeHanded(k.ctx, want.ID, epoch)
		k.ok(err)
		want.Revoked = epoch
		k.same(got, want)
		_, err = k.Factors.RevokeHanded(k.ctx, want.ID, epoch)
		k.is(err, identity.ErrExpired)
		got, err = k.Factors.SpendHanded(k.ctx, code, "any", epoch)
		k.is(err, identity.ErrExpired)
		k.same(got, want)

		code, used := k.hand()
		_, err = k.Factors.SpendHanded(k.ctx, code, "any", epoch)
		k.ok(err)
		_, err = k.Factors.RevokeHanded(k.ctx, used.ID, epoch)
		k.is(err, identity.ErrSpent)
		_, late := k.hand()
		_, err = k.Factors.RevokeHanded(k.ctx, late.ID, late.Expires)
		k.is(err, identity.ErrExpired)
		_, err = k.Factors.RevokeHanded(k.ctx, "DIL-XXXX-XX", epoch)
		k.is(err, identity.ErrNotFound)
	}},
	{"a revocation and a use at no time are what they are", func(k *kit) {
		code, h := k.hand()
		_, err := k.Factors.RevokeHanded(k.ctx, h.ID, time.Time{})
		k.ok(err)
		_, err = k.Factors.SpendHanded(k.ctx, code, "any", time.Time{})
		k.is(err, identity.ErrExpired)
		code, _ = k.hand()
		_, err = k.Factors.SpendHanded(k.ctx, code, "any", time.Time{})
		k.ok(err)
		_, err = k.Factors.SpendHanded(k.ctx, code, "any", time.Time{})
		k.is(err, identity.ErrSpent)
	}},
	{"an id and a code are never given twice", func(k *kit) {
		code, h := k.hand()
		other, fresh := handed()
		k.is(k.Factors.AddHanded(k.ctx, code, fresh), identity.ErrConflict)
		k.is(k.Factors.AddHanded(k.ctx, other, h), identity.ErrConflict)
		k.ok(k.Factors.AddHanded(k.ctx, other, fresh))
	}},
	{"what was issued since, the newest first", func(k *kit) {
		_, early := k.hand()
		code, late := handed()
		late.Issued, late.Kind, late.ConfirmedBy = epoch.Add(time.Hour), factor.Activation, ""
		k.ok(k.Factors.AddHanded(k.ctx, code, late))
		got, err := k.Factors.Handed(k.ctx, time.Time{})
		k.ok(err)
		k.same(got, []factor.Handed{late, early})
		got, err = k.Factors.Handed(k.ctx, epoch.Add(time.Microsecond))
		k.ok(err)
		k.same(got, []factor.Handed{late})
	}},
	{"a handed code is not used inside an act", func(k *kit) {
		code, _ := k.hand()
		if err := k.Audit.Within(k.ctx, func(ctx context.Context) error {
			_, err := k.Factors.SpendHanded(ctx, code, "any", epoch)
			return err
		}); err == nil {
			k.Fatal("wanted it refused")
		}
		_, err := k.Factors.SpendHanded(k.ctx, code, "any", epoch)
		k.ok(err)
	}},
	{"race: of many that give one handed code one is believed", func(k *kit) {
		code, h := k.hand()
		k.oneWon(race(parallel, func(int) error {
			got, err := k.Factors.SpendHanded(k.ctx, code, identity.NewID(), epoch)
			if got.ID != h.ID {
				return errors.Join(errOfAct, err)
			}
			return err
		}), identity.ErrSpent)
	}},
	{"race: a code is used or revoked, never both", func(k *kit) {
		for range 5 {
			code, h := k.hand()
			k.oneWon(race(2, func(i int) error {
				if i == 0 {
					_, err := k.Factors.SpendHanded(k.ctx, code, "any", epoch)
					if errors.Is(err, identity.ErrExpired) {
						return identity.ErrConflict
					}
					return err
				}
				_, err := k.Factors.RevokeHanded(k.ctx, h.ID, epoch)
				if errors.Is(err, identity.ErrSpent) {
					return identity.ErrConflict
				}
				return err
			}), identity.ErrConflict)
		}
	}},
}
