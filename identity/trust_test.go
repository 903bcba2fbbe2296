package identity

import (
	"testing"
	"time"
)

func TestParseTrust(t *testing.T) {
	for text, want := range map[string]Trust{
		"P9.Cp.Cd":       {P9, Cp | Cd},
		"P9.Cp.Ck":       {P9, Cp | Ck},
		"P9.Cm":          {P9, Cm},
		"P5.Cp":          {P5, Cp},
		"P0.Cp":          {P0, Cp},
		"P0.Cp.Cd.Ck.Cm": {P0, Cp | Cd | Ck | Cm},
	} {
		got, err := ParseTrust(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%s: written as %s", text, got)
		}
	}
	for name, text := range map[string]string{
		"empty":                         "",
		"no credential":                 "P9",
		"no credential after the dot":   "P9.",
		"no proofing":                   "Cp.Cd",
		"a level that does not exist":   "P7.Cm",
		"One Login's own letters":       "Cl.Cm.P2",
		"a component twice":             "P9.Cp.Cp",
		"components out of order":       "P9.Cd.Cp",
		"another case":                  "p9.cm",
		"an unknown component":          "P9.Cm.Cx",
		"space":                         "P9.Cm ",
		"two vectors":                   "P9.Cm,P9.Cp.Cd",
		"longer than any vector can be": "P9.Cp.Cd.Ck.Cm.Cm.Cm.Cm",
	} {
		if got, err := ParseTrust(text); err == nil {
			t.Errorf("%s: %q was read as %v", name, text, got)
		}
	}
}

func TestHeldSatisfiesAsked(t *testing.T) {
	const yes, no = true, false
	for _, row := range []struct {
		held, asked string
		want        bool
	}{
		{"P9.Cp.Cd", "P9.Cp.Cd", yes},
		{"P9.Cp.Cd", "P9.Cp", yes},
		{"P9.Cp.Cd", "P9.Cd", yes},
		{"P9.Cp.Cd", "P5.Cp.Cd", yes},
		{"P9.Cp.Cd", "P9.Cp.Ck", no},
		{"P9.Cp.Cd", "P9.Cm", no},
		{"P9.Cp.Ck", "P9.Cp.Cd", yes},
		{"P9.Cp.Ck", "P9.Cp", yes},
		{"P9.Cp.Ck", "P9.Cd", no},
		{"P9.Cp.Ck", "P9.Cm", no},
		{"P9.Cm", "P9.Cp.Cd.Ck", yes},
		{"P9.Cm", "P9.Cp", yes},
		{"P9.Cp", "P9.Cp.Cd", no},
		{"P9.Cd", "P9.Cp.Cd", no},
		{"P9.Cp.Cd.Ck", "P9.Cd", yes},
		{"P5.Cm", "P9.Cp", no},
		{"P0.Cm", "P5.Cp.Cd", no},
	} {
		held, _ := ParseTrust(row.held)
		asked, _ := ParseTrust(row.asked)
		if got := held.Satisfies(asked); got != row.want {
			t.Errorf("%s held, %s asked: got %v", row.held, row.asked, got)
		}
	}
	if (Trust{}).Satisfies(Trust{}) || (Trust{P9, Cm}).SatisfiesAny(nil) || (Trust{P9, 0}).Satisfies(Trust{}) {
		t.Error("an empty vector or list was satisfied")
	}
}

func TestAssess(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	proof := func(vector string, level Proofing, auth time.Time) Evidence {
		v, err := ParseTrust(vector)
		if err != nil {
			t.Fatal(err)
		}
		return Evidence{Provider: Proof{Provider: "nhs-login", Trust: v, Level: level, AuthTime: auth, At: at}}
	}
	for name, row := range map[string]struct {
		evidence Evidence
		trust    string
		level    Proofing
		reasons  []Reason
	}{
		"no evidence at all":                       {Evidence{}, "P0", P0, []Reason{ReasonNoEvidence}},
		"photo ID, password and code":              {proof("P9.Cp.Cd", P9, at), "P9.Cp.Cd", P9, []Reason{ReasonProviderP9, ReasonPassword, ReasonCode}},
		"a P5 login of a P9 account":               {proof("P5.Cm", P9, at), "P5.Cm", P9, []Reason{ReasonProviderP5, ReasonLevelAbove, ReasonPasskey}},
		"a P above the level held is not believed": {proof("P9.Cm", P5, at), "P5.Cm", P5, []Reason{ReasonProviderP5, ReasonPasskey}},
		"no auth_time is unproved freshness":       {proof("P0.Cp", P0, time.Time{}), "P0.Cp", P0, []Reason{ReasonProviderP0, ReasonPassword, ReasonFreshnessUnknown}},
	} {
		got := Assess(row.evidence, time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC))
		if got.Trust.String() != row.trust || got.Level != row.level {
			t.Errorf("%s: got %s at level %s", name, got.Trust, got.Level)
		}
		if len(got.Reasons) != len(row.reasons) {
			t.Errorf("%s: got reasons %v", name, got.Reasons)
			continue
		}
		for i, r := range row.reasons {
			if got.Reasons[i] != r {
				t.Errorf("%s: got reasons %v", name, got.Reasons)
			}
		}
	}
}

func TestFreshness(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		auth time.Time
		max  time.Duration
		want bool
	}{
		"just now":                     {now, 0, true},
		"exactly at the limit":         {now.Add(-10 * time.Minute), 10 * time.Minute, true},
		"a second over":                {now.Add(-10*time.Minute - time.Second), 10 * time.Minute, false},
		"no auth_time":                 {time.Time{}, 24 * time.Hour, false},
		"within skew ahead":            {now.Add(Skew), time.Minute, true},
		"further ahead than any clock": {now.Add(Skew + time.Second), time.Hour, false},
	} {
		if got := (Assessment{AuthTime: row.auth}).Fresh(row.max, now); got != row.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if (Assessment{}).Since(time.Time{}) {
		t.Error("an unknown time counted as since the beginning")
	}
	if !(Assessment{AuthTime: now}).Since(now.Add(999 * time.Millisecond)) {
		t.Error("the second of the request was not soon enough")
	}
	if (Assessment{AuthTime: now}).Since(now.Add(time.Second)) {
		t.Error("a login before the request counted")
	}
}
