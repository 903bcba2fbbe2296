package factor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
)

// standardSeed is that of RFC 6238, appendix B, and standardCodes its values for
// SHA-1. They have eight digits there; six are the last six (RFC 4226 §5.3).
const standardSeed = identity.Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")

var standardCodes = map[int64]string{
	59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
}

func TestTOTPAgainstTheStandard(t *testing.T) {
	for at, code := range standardCodes {
		r := newRig(t)
		r.now = time.Unix(at, 0)
		mine := r.someone()
		app := factor.TOTP{Account: mine, Seed: standardSeed, Level: identity.P5}
		if _, err := r.BindTOTP(t.Context(), app, identity.Secret(code[3:]+code[2:3])); !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("%d: wanted another code refused, got %v", at, err)
		}
		if _, err := r.BindTOTP(t.Context(), app, identity.Secret(code[2:])); err != nil {
			t.Errorf("%d: %v", at, err)
		}
	}
}

// The codes of the standard seed about 1111111111, one second into its step: as oathtool
// tells them too.
const (
	twoBefore = identity.Secret("731029")
	oneBefore = identity.Secret("081804")
	present   = identity.Secret("050471")
	oneAfter  = identity.Secret("266759")
	twoAfter  = identity.Secret("306183")
)

// withApp is a rig at 1111111111 with an account whose app has the standard seed,
// bound an hour before.
func withApp(t *testing.T) (*rig, string) {
	t.Helper()
	r := newRig(t)
	r.now = time.Unix(1111111111, 0)
	mine := r.someone()
	r.ok(r.db.Factors().PutTOTP(t.Context(), factor.TOTP{
		ID: "app", Account: mine, Seed: standardSeed, Step: 1111111111/30 - 120, Level: identity.P9, Bound: r.now.Add(-time.Hour),
	}))
	return r, mine
}

func TestF2StepsAroundThePresentOne(t *testing.T) {
	for name, row := range map[string]struct {
		typed identity.Secret
		want  error
	}{
		"the present step":                {present, nil},
		"the step before":                 {oneBefore, nil},
		"the step after":                  {oneAfter, nil},
		"two before":                      {twoBefore, identity.ErrNotFound},
		"two after":                       {twoAfter, identity.ErrNotFound},
		"as the app shows it":             {"050 471", nil},
		"a digit off":                     {"050472", identity.ErrNotFound},
		"the eight digits":                {"14050471", identity.ErrNotFound},
		"two codes at once":               {present + oneAfter, identity.ErrNotFound},
		"nothing":                         {"", identity.ErrNotFound},
		"digits of another script":        {"٠٥٠٤٧١", identity.ErrNotFound},
		"the seed itself":                 {standardSeed, identity.ErrNotFound},
		"its value as a number, no zeros": {"50471", identity.ErrNotFound},
	} {
		r, mine := withApp(t)
		got, err := r.SpendTOTP(t.Context(), mine, row.typed)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: wanted %v, got %v", name, row.want, err)
		}
		if want := (factor.Factor{Kind: factor.KindTOTP, ID: "app", Account: mine, Level: identity.P9, Bound: r.now.Add(-time.Hour).UTC()}); row.want == nil && got != want {
			t.Errorf("%s: got %+v", name, got)
		}
		if row.want != nil && got != (factor.Factor{}) {
			t.Errorf("%s: a factor was given", name)
		}
	}
}

func TestF2NoStepIsTakenTwiceWhateverTheClockSays(t *testing.T) {
	for name, row := range map[string]struct {
		used  identity.Secret
		moved time.Duration // the clock, after it was used
		again identity.Secret
		want  error
	}{
		"at once":                                {present, 0, present, identity.ErrSpent},
		"half a minute later":                    {present, 30 * time.Second, present, identity.ErrSpent},
		"the clock set back":                     {present, -30 * time.Second, present, identity.ErrSpent},
		"an older code, after a newer":           {present, 0, oneBefore, identity.ErrSpent},
		"the next one's, and then the present":   {oneAfter, 0, present, identity.ErrSpent},
		"the next code":                          {present, 30 * time.Second, oneAfter, nil},
		"an older clock, and the code after all": {present, -30 * time.Second, oneBefore, identity.ErrSpent},
		"far back, a code of then":               {present, -2 * time.Second, oneBefore, identity.ErrSpent},
	} {
		r, mine := withApp(t)
		if _, err := r.SpendTOTP(t.Context(), mine, row.used); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.now = r.now.Add(row.moved)
		if _, err := r.SpendTOTP(t.Context(), mine, row.again); !errors.Is(err, row.want) {
			t.Errorf("%s: wanted %v, got %v", name, row.want, err)
		}
	}
}

func TestF3AnAppIsBoundByACodeOfItsOwn(t *testing.T) {
	r, mine := withApp(t)
	next := factor.TOTP{Account: mine, Seed: factor.NewSeed(), Level: identity.P5}
	_, err := r.BindTOTP(t.Context(), next, present) // of the app that is there
	r.is(err, identity.ErrNotFound)
	for _, missing := range []factor.TOTP{{Account: mine}, {Seed: standardSeed}} {
		if _, err := r.BindTOTP(t.Context(), missing, present); err == nil || errors.Is(err, identity.ErrNotFound) {
			t.Errorf("wanted an app without a seed or an account refused, got %v", err)
		}
	}
	r.is(r.db.Audit().Within(t.Context(), func(ctx context.Context) error {
		if _, err := r.BindTOTP(ctx, factor.TOTP{Account: mine, Seed: standardSeed}, oneAfter); err != nil {
			return err
		}
		return errOfAct
	}), errOfAct)
	got, err := r.TOTP(t.Context(), mine)
	r.ok(err)
	r.same(got.ID, "app") // the old one, until the new one is confirmed

	bound, err := r.BindTOTP(t.Context(), factor.TOTP{Account: mine, Seed: standardSeed, Level: identity.P5, Off: true, Step: 1 << 40, ID: "mine to choose"}, oneBefore)
	r.ok(err)
	got, err = r.TOTP(t.Context(), mine)
	r.ok(err)
	r.same(got, bound)
	r.same(got, factor.TOTP{
		ID: bound.ID, Account: mine, Seed: standardSeed, Step: 1111111111/30 - 1, Level: identity.P5, Bound: time.Unix(1111111111, 0).UTC(),
	})
	if bound.ID == "app" || bound.ID == "mine to choose" {
		t.Error("wanted an id of its own")
	}
	_, err = r.SpendTOTP(t.Context(), mine, oneBefore) // the code that bound it
	r.is(err, identity.ErrSpent)
	_, err = r.SpendTOTP(t.Context(), mine, present)
	r.ok(err)
	r.ok(r.DropTOTP(t.Context(), mine))
	_, err = r.SpendTOTP(t.Context(), mine, oneAfter)
	r.is(err, identity.ErrNotFound)
	r.same(r.recorded(), []audit.Kind{audit.TOTPBound, audit.TOTPDropped})
}

func TestAnAppThatIsOffStaysOffUntilOneIsBound(t *testing.T) {
	r, mine := withApp(t)
	app, err := r.TOTP(t.Context(), mine)
	r.ok(err)
	r.ok(r.SwitchTOTPOff(t.Context(), app))
	_, err = r.SpendTOTP(t.Context(), mine, present)
	r.is(err, identity.ErrNotFound)
	_, err = r.BindTOTP(t.Context(), factor.TOTP{Account: mine, Seed: standardSeed}, present)
	r.ok(err)
	r.ok(r.SwitchTOTPOff(t.Context(), app)) // the one before: the verdict comes late
	_, err = r.SpendTOTP(t.Context(), mine, oneAfter)
	r.ok(err)
	r.same(r.recorded(), []audit.Kind{audit.TOTPBound, audit.TOTPOff, audit.TOTPOff})
}

func TestSeedsAreTheirOwn(t *testing.T) {
	seen := map[identity.Secret]bool{}
	for range 1000 {
		seed := factor.NewSeed()
		if len(seed) != 32 || strings.Trim(seed.Reveal(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" || seen[seed] {
			t.Fatal("wanted another 160 bits in Base32")
		}
		seen[seed] = true
	}
}

func TestAppsAreRisenAndChosen(t *testing.T) {
	r, mine := withApp(t)
	app, err := r.TOTP(t.Context(), mine)
	r.ok(err)
	r.ok(r.db.Factors().PutTOTP(t.Context(), factor.TOTP{ID: "next", Account: mine, Seed: standardSeed, Bound: epoch}))
	r.ok(r.Raise(t.Context(), mine, identity.P9, app.Factor())) // it was replaced meanwhile
	got, err := r.TOTP(t.Context(), mine)
	r.ok(err)
	r.same(got.Level, identity.P0)
	r.ok(r.Raise(t.Context(), mine, identity.P9, got.Factor()))
	got, err = r.TOTP(t.Context(), mine)
	r.ok(err)
	r.same(got.Level, identity.P9)

	kind, err := r.Choice(t.Context(), mine)
	r.ok(err)
	r.same(kind, factor.Kind(""))
	r.ok(r.Choose(t.Context(), mine, factor.KindCard))
	for _, refused := range []factor.Kind{"", factor.KindBrowser, "password", "email"} {
		if err := r.Choose(t.Context(), mine, refused); err == nil {
			t.Errorf("%q: wanted it refused", refused)
		}
	}
	kind, err = r.Choice(t.Context(), mine)
	r.ok(err)
	r.same(kind, factor.KindCard)
	r.same(r.recorded(), []audit.Kind{audit.FactorChosen, audit.FactorRaised})
}

// bindStandard binds an app with the standard seed, at an instant whose code is known.
func (r *rig) bindStandard(account string) error {
	r.Helper()
	before := r.now
	defer func() { r.now = before }()
	r.now = time.Unix(1111111111, 0)
	_, err := r.BindTOTP(r.Context(), factor.TOTP{Account: account, Seed: standardSeed}, present)
	return err
}
