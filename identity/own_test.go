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
		"possession without a password is nothing": {
			identity.Own{Level: 9, Possession: use(9, at), Means: identity.MeansText},
			"P0", 0,
			time.Time{},
			nil,
			[]identity.Reason{identity.ReasonNoEvidence},
		},
	} {
		got := identity.Assess(identity.Evidence{Own: row.own})
		if got.Trust.String() != row.trust || got.Level != row.level || !got.AuthTime.Equal(row.auth) || got.Provider != "" ||
			!slices.Equal(got.AMR, row.amr) || !slices.Equal(got.Reasons, row.reasons) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestARememberedBrowserIsNeverFresh(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	own := identity.Own{Password: identity.Use{At: at}, Possession: identity.Use{At: at}, Means: identity.MeansBrowser}
	a := identity.Assess(identity.Evidence{Own: own})
	if a.Fresh(time.Hour, at) || a.Since(at) {
		t.Error("a remembered browser answered a wish for a fresh login")
	}
	own.Means = identity.MeansText
	if a = identity.Assess(identity.Evidence{Own: own}); !a.Fresh(time.Hour, at) || !a.Since(at) {
		t.Error("a texted code did not answer it")
	}
}

func TestRaisedLiftsTheFactorsThatWereUsed(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	own := identity.Own{Password: identity.Use{At: at}}.Raised(identity.P5, identity.BasisActivation)
	if own.Level != identity.P5 || own.Password.Level != identity.P5 || own.Possession.Level != identity.P0 {
		t.Errorf("got %+v", own)
	}
	if got := identity.Assess(identity.Evidence{Own: own}).Trust.String(); got != "P5.Cp" {
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
