package exampleportal

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	const access = `{"zeta":{"a": [1, 2]},"exp":1763737500,"acr":"P5.Cp.Ck","amr":["pwd","otp","new"],"identity_proofing_level":"P9",
		"email_verified":true,"alpha":"x","sub":"abc","auth_time":"soon","vot":"nonsense"}`
	var c claims
	if err := json.Unmarshal([]byte(access), &c); err != nil {
		t.Fatal(err)
	}
	means := map[string]string{}
	for _, w := range words {
		means[w.claim] = w.meaning
	}
	unknown := "not promised by Dilys: pass over what you do not know"
	want := []claimRow{
		{"sub", "abc", means["sub"]},
		{"acr", "P5.Cp.Ck", means["acr"] + ". Here: details matched to the health service’s register; logged in by a password and a code from an app"},
		{"vot", "nonsense", means["vot"]},
		{"identity_proofing_level", "P9", means["identity_proofing_level"] + ". Here: identity proved by photo ID or its like"},
		{"amr", "pwd, otp, new", means["amr"] + ". Here: pwd is password, otp is one-time code"},
		{"auth_time", "soon", means["auth_time"]},
		{"exp", "1763737500 (21 November 2025 at 15:05:00 UTC)", means["exp"]},
		{"email_verified", "true", means["email_verified"]},
		{"alpha", "x", unknown},
		{"zeta", `{"a":[1,2]}`, unknown},
	}
	if diff := cmp.Diff(want, explain(c, true)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNHSNumberIsShownAtP9Alone(t *testing.T) {
	number := claims{"nhs_number": json.RawMessage(`"9990000379"`)}
	for acr, want := range map[string]string{
		`"P9.Cm"`: "9990000379", `"P5.Cp.Cd"`: withheld, `"P0.Cp"`: withheld, `"P9"`: withheld, `null`: withheld,
	} {
		s := session{claims: claims{"acr": json.RawMessage(acr)}, userInfo: number}
		if got := s.tables()[2].Rows[0].Value; got != want {
			t.Errorf("%s: wanted %q, got %q", acr, want, got)
		}
	}
}

func TestEnd(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	at := func(s string) json.RawMessage { return json.RawMessage(s) }
	for name, row := range map[string]struct {
		claims claims
		want   time.Time
	}{
		"idle comes before the end":    {claims{"session_ends": at("1800043200"), "session_idle_ends": at("1800001800")}, now.Add(30 * time.Minute)},
		"the end comes before idle":    {claims{"session_ends": at("1800000600"), "session_idle_ends": at("1800001800")}, now.Add(10 * time.Minute)},
		"no idle":                      {claims{"session_ends": at("1800043200")}, now.Add(12 * time.Hour)},
		"a provider that doesn't say":  {claims{}, now.Add(defaultLife)},
		"values that are no instants":  {claims{"session_ends": at(`"soon"`), "session_idle_ends": at("-1")}, now.Add(defaultLife)},
		"an end that has come already": {claims{"session_ends": at("1799999999")}, now.Add(-time.Second)},
	} {
		if got := row.claims.end(now); !got.Equal(row.want) {
			t.Errorf("%s: wanted %v, got %v", name, row.want, got)
		}
	}
}

func TestJudge(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ago := func(d time.Duration) int64 { return now.Add(-d).Unix() }
	named := func(name string) ask { a, _ := askNamed(name); return a }
	for name, row := range map[string]struct {
		ask   string
		proof proof
		ok    bool
	}{
		"password and code":                  {"login", proof{ACR: "P9.Cp.Cd"}, true},
		"more than the floor":                {"login", proof{ACR: "P9.Cp.Cd.Cm"}, true},
		"old, and nobody asked for fresh":    {"login", proof{ACR: "P9.Cm", AuthTime: ago(time.Hour)}, true},
		"P5":                                 {"login", proof{ACR: "P5.Cm"}, false},
		"a code alone":                       {"login", proof{ACR: "P9.Cd"}, false},
		"two spellings of a vector":          {"login", proof{ACR: "P9.Cd.Cp"}, false},
		"passkey asked and used":             {"passkey", proof{ACR: "P9.Cm"}, true},
		"passkey asked and not used":         {"passkey", proof{ACR: "P9.Cp.Ck"}, false},
		"fresh asked, within the clock skew": {"again", proof{ACR: "P9.Cm", AuthTime: ago(time.Minute + 30*time.Second)}, true},
		"fresh asked, older":                 {"again", proof{ACR: "P9.Cm", AuthTime: ago(2*time.Minute + time.Second)}, false},
		"max_age at its limit":               {"recent", proof{ACR: "P9.Cm", AuthTime: ago(6 * time.Minute)}, true},
		"max_age past its limit":             {"recent", proof{ACR: "P9.Cm", AuthTime: ago(6*time.Minute + time.Second)}, false},
		"acting":                             {"login", proof{ACR: "P9.Cm", Act: json.RawMessage(`{}`)}, false},
	} {
		err := named(row.ask).judge(recordTrust, row.proof, now.Add(-time.Minute), now)
		if (err == nil) != row.ok {
			t.Errorf("%s: wanted ok %v, got %v", name, row.ok, err)
		}
	}
	if err := named("login").judge([]identity.Trust{}, proof{ACR: "P9.Cm"}, now, now); err == nil {
		t.Error("an empty floor: wanted a refusal, got none")
	}
}

func FuzzReadUnverified(f *testing.F) {
	for _, seed := range []string{"", "a.b.c", "..", "e30.e30.e30", "e30.eyJzdWIiOiJhIiwiZXhwIjoxfQ.x", "e30.W10.x", "e30.bnVsbA.x", "opaque"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		c := readUnverified(token)
		if rows := explain(c, true); len(rows) != len(c) {
			t.Errorf("wanted a row for each of %d claims, got %d", len(c), len(rows))
		}
	})
}
