package identity_test

import (
	"slices"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
)

func TestAssessOwn(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	later := at.Add(time.Minute)
	use := func(p identity.Proofing, at time.Time) identity.Use { return identity.Use{Level: p, At: at} }
	for name, row := range map[string]struct {
		own     identity.Own
		trust   string
		level   identity.Proofing
		auth    time.Time
		amr     []string
		reasons []identity.Reason
	}{
		"password alone": {
			identity.Own{Password: use(0, at)},
			"P0.Cp", 0, at,
			[]string{"pwd"},
			[]identity.Reason{identity.ReasonOwnP0, identity.ReasonPassword},
		},
		"password and a texted code, matched to the register": {
			identity.Own{Level: 5, Basis: identity.BasisRegister, Password: use(5, at), Possession: use(5, later), Means: identity.MeansText},
			"P5.Cp.Cd", 5, later,
			[]string{"pwd", "sms", "mfa"},
			[]identity.Reason{identity.ReasonOwnRegister, identity.ReasonPassword, identity.ReasonText},
		},
		"a phone planted before the proof holds the session down": {
			identity.Own{Level: 9, Basis: identity.BasisDocuments, Password: use(9, at), Possession: use(0, later), Means: identity.MeansText},
			"P0.Cp.Cd", 9, later,
			[]string{"pwd", "sms", "mfa"},
			[]identity.Reason{identity.ReasonOwnDocuments, identity.ReasonFactorBelow, identity.ReasonPassword, identity.ReasonText},
		},
		"so does a password": {
			identity.Own{Level: 5, Basis: identity.BasisActivation, Password: use(0, at), Possession: use(5, later), Means: identity.MeansCard},
			"P0.Cp.Cd", 5, later,
			[]string{"pwd", "otp", "mfa"},
			[]identity.Reason{identity.ReasonOwnActivation, identity.ReasonFactorBelow, identity.ReasonPassword, identity.ReasonCard},
		},
		"a factor never carries more than the account holds": {
			identity.Own{Level: 0, Password: use(9, at), Possession: use(9, later), Means: identity.MeansText},
			"P0.Cp.Cd", 0, later,
			[]string{"pwd", "sms", "mfa"},
			[]identity.Reason{identity.ReasonOwnP0, identity.ReasonPassword, identity.ReasonText},
		},
		"a remembered browser is no act of the patient": {
			identity.Own{Level: 5, Basis: identity.BasisRegister, Password: use(5, at), Possession: use(5, later), Means: identity.MeansBrowser},
			"P5.Cp.Cd", 5, at,
			[]string{"pwd", "mfa"},
			[]identity.Reason{identity.ReasonOwnRegister, identity.ReasonPassword, identity.ReasonBrowser},
		},
		"unknown means are none": {
			identity.Own{Password: use(0, at), Possession: use(0, later), Means: "pigeon"},
			"P0.Cp", 0, at,
			[]string{"pwd"},
			[]identity.Reason{identity.ReasonOwnP0, identity.ReasonPassword},
		},
		"a code of an authenticator app": {
			identity.Own{Level: 9, Basis: identity.BasisDocuments, Password: use(9, at), Possession: use(9, later), Means: identity.MeansTOTP},
			"P9.Cp.Ck", 9, later,
			[]string{"pwd", "otp", "mfa"},
			[]identity.Reason{identity.ReasonOwnDocuments, identity.ReasonPassword, identity.ReasonSharedKey},
		},
		"a passkey alone": {
			identity.Own{Level: 9, Basis: identity.BasisDocuments, Passkey: use(9, at)},
			"P9.Cm", 9, at,
			[]string{"pop", "mfa"},
			[]identity.Reason{identity.ReasonOwnDocuments, identity.ReasonPasskey},
		},
		"a passkey planted early never lends itself the level of the others": {
			identity.Own{Level: 9, Basis: identity.BasisDocuments, Password: use(9, at), Possession: use(9, at), Means: identity.MeansText, Passkey: use(0, later)},
			"P9.Cp.Cd", 9, at,
			[]string{"pwd", "sms", "mfa"},
			[]identity.Reason{identity.ReasonOwnDocuments, identity.ReasonPassword, identity.ReasonText},
		},
		"of two readings at one level, the passkey": {
			identity.Own{Level: 5, Basis: identity.BasisRegister, Password: use(5, later), Possession: use(5, later), Means: identity.MeansText, Passkey: use(5, at)},
			"P5.Cm", 5, at,
			[]string{"pop", "mfa"},
			[]identity.Reason{identity.ReasonOwnRegister, identity.ReasonPasskey},
		},
		"a recovery is no letter, and P0": {
			identity.Own{Level: 9, Basis: identity.BasisDocuments, Password: use(9, at), Possession: use(9, later), Means: identity.MeansRecovery},
			"P0.Cp", 9, at,
			[]string{"pwd"},
			[]identity.Reason{identity.ReasonOwnDocuments, identity.ReasonPassword, identity.ReasonRecovered},
		},
		"a phone bound after a recovery": {
			identity.Own{
				Level: 9, Basis: identity.BasisDocuments, Password: use(9, at),
				Possession: identity.Use{Level: 9, At: later, Held: later.Add(time.Microsecond)}, Means: identity.MeansText,
			},
			"P0.Cp.Cd", 9, later,
			[]string{"pwd", "sms", "mfa"},
			[]identity.Reason{identity.ReasonOwnDocuments, identity.ReasonFactorHeld, identity.ReasonPassword, identity.ReasonText},
		},
		"the same once its hold is over": {
			identity.Own{
				Level: 9, Basis: identity.BasisDocuments, Password: use(9, at),
				Possession: identity.Use{Level: 9, At: later, Held: later}, Means: identity.MeansText,
			},
			"P9.Cp.Cd", 9, later,
			[]string{"pwd", "sms", "mfa"},
			[]identity.Reason{identity.ReasonOwnDocuments, identity.ReasonPassword, identity.ReasonText},
		},
		"a passkey while the provider's proof lasts": {
			identity.Own{Level: 9, Basis: identity.BasisProvider, Lapses: later.Add(time.Microsecond), Passkey: use(9, at)},
			"P9.Cm", 9, at,
			[]string{"pop", "mfa"},
			[]identity.Reason{identity.ReasonProviderP9, identity.ReasonPasskey},
		},
		"a passkey once it lasts no longer": {
			identity.Own{Level: 9, Basis: identity.BasisProvider, Lapses: later, Passkey: use(9, at)},
			"P0.Cm", 0, at,
			[]string{"pop", "mfa"},
			[]identity.Reason{identity.ReasonProviderLapsed, identity.ReasonPasskey},
		},
		"possession without a password is nothing": {
			identity.Own{Level: 9, Possession: use(9, at), Means: identity.MeansText},
			"P0", 0,
			time.Time{},
			nil,
			[]identity.Reason{identity.ReasonNoEvidence},
		},
	} {
		got := identity.Assess(identity.Evidence{Own: row.own}, later)
		if got.Trust.String() != row.trust || got.Level != row.level || !got.AuthTime.Equal(row.auth) || got.Provider != "" ||
			!slices.Equal(got.AMR, row.amr) || !slices.Equal(got.Reasons, row.reasons) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestARememberedBrowserIsNeverFresh(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	own := identity.Own{Password: identity.Use{At: at}, Possession: identity.Use{At: at}, Means: identity.MeansBrowser}
	a := identity.Assess(identity.Evidence{Own: own}, at)
	if a.Fresh(time.Hour, at) || a.Since(at) {
		t.Error("a remembered browser answered a wish for a fresh login")
	}
	own.Means = identity.MeansText
	if a = identity.Assess(identity.Evidence{Own: own}, at); !a.Fresh(time.Hour, at) || !a.Since(at) {
		t.Error("a texted code did not answer it")
	}
}

func TestRaisedLiftsTheFactorsThatWereUsed(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	own := identity.Own{Password: identity.Use{At: at}}.Raised(identity.P5, identity.BasisActivation)
	if own.Level != identity.P5 || own.Password.Level != identity.P5 || own.Possession.Level != identity.P0 {
		t.Errorf("got %+v", own)
	}
	if got := identity.Assess(identity.Evidence{Own: own}, at).Trust.String(); got != "P5.Cp" {
		t.Errorf("wanted P5.Cp, got %s", got)
	}
}

func TestARevealedPatientIsTheSame(t *testing.T) {
	n, _ := identity.ParseNHSNumber("9990000018")
	e, _ := identity.ParseEmail("sian.test@example.com")
	d := identity.Details{NHSNumber: n, Email: e, EmailVerified: true}
	got, err := d.Reveal().Details()
	if err != nil || len(d.Changed(got)) != 0 {
		t.Errorf("wanted the same, got %v (%v)", d.Changed(got), err)
	}
	if _, err := (identity.Revealed{NHSNumber: "1"}).Details(); err == nil {
		t.Error("wanted a refusal of what is no number")
	}
}

func TestAFrozenRecordIsNobodys(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	for name, e := range map[string]identity.Evidence{
		"by a provider": {Provider: identity.Proof{Provider: "one", Trust: identity.Trust{P: identity.P9, C: identity.Cm}, Level: identity.P9, At: at}},
		"by a passkey":  {Own: identity.Own{Level: identity.P9, Basis: identity.BasisDocuments, Passkey: identity.Use{Level: identity.P9, At: at}}},
	} {
		before := identity.Assess(e, at)
		e.Frozen = identity.FrozenNotMyNumber
		got := identity.Assess(e, at)
		if before.Trust.P != identity.P9 || got.Trust != (identity.Trust{P: identity.P0, C: identity.Cm}) || got.Level != identity.P0 || got.Reasons[0] != identity.ReasonFrozen {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// A possession of ours freshens what a provider proved, and never raises it.
func TestPossessionBesideAProvider(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	later := at.Add(time.Hour)
	for name, row := range map[string]struct {
		vector string
		level  identity.Proofing // that the possession carries
		means  identity.Means
		want   string
		auth   time.Time
	}{
		"a texted code beside its password":          {"P9.Cp.Cd", 9, identity.MeansText, "P9.Cp.Cd", later},
		"an app's code beside its password":          {"P9.Cp.Cd", 9, identity.MeansTOTP, "P9.Cp.Ck", later},
		"its password alone":                         {"P9.Cp", 9, identity.MeansText, "P9.Cp.Cd", later},
		"it asked for no password":                   {"P9.Cm", 9, identity.MeansText, "P9.Cm", at},
		"a phone that carries less":                  {"P9.Cp.Cd", 5, identity.MeansText, "P9.Cp.Cd", at},
		"a phone that carries more than it proved":   {"P5.Cp.Cd", 9, identity.MeansText, "P5.Cp.Cd", later},
		"a remembered browser is no act":             {"P9.Cp.Cd", 9, identity.MeansBrowser, "P9.Cp.Cd", at},
		"a recovery is none, and takes nothing away": {"P9.Cp.Cd", 9, identity.MeansRecovery, "P9.Cp.Cd", at},
	} {
		vector, err := identity.ParseTrust(row.vector)
		if err != nil {
			t.Fatal(err)
		}
		got := identity.Assess(identity.Evidence{
			Provider: identity.Proof{Provider: "one", Trust: vector, Level: identity.P9, AuthTime: at, At: at},
			Own:      identity.Own{Level: identity.P9, Possession: identity.Use{Level: row.level, At: later}, Means: row.means},
		}, later)
		if got.Trust.String() != row.want || !got.AuthTime.Equal(row.auth) || got.Provider != "one" || got.Level != identity.P9 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// A judgement names the instant at which it changes by itself.
func TestAssessUntil(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	own := identity.Own{
		Level: identity.P9, Basis: identity.BasisProvider, Lapses: at.Add(3 * time.Hour),
		Password: identity.Use{Level: 9, At: at, Held: at.Add(2 * time.Hour)}, Passkey: identity.Use{Level: 9, At: at, Held: at.Add(time.Hour)},
	}
	for after, want := range map[time.Duration]struct {
		trust string
		until time.Duration
	}{
		0:             {"P0.Cm", time.Hour},
		time.Hour:     {"P9.Cm", 2 * time.Hour},
		2 * time.Hour: {"P9.Cm", 3 * time.Hour},
	} {
		got := identity.Assess(identity.Evidence{Own: own}, at.Add(after))
		if got.Trust.String() != want.trust || !got.Until.Equal(at.Add(want.until)) {
			t.Errorf("after %s: got %s until %s", after, got.Trust, got.Until)
		}
	}
	if got := identity.Assess(identity.Evidence{Own: own}, at.Add(3*time.Hour)); got.Trust.String() != "P0.Cm" || !got.Until.IsZero() {
		t.Errorf("at the end: got %s until %s", got.Trust, got.Until)
	}
}
