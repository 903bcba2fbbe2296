package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// Where a conversation must have ended.
const (
	nowhere = iota // before anything was exchanged
	atToken        // after the exchange: userinfo must not be asked
	atUserinfo
	cold // before the patient left: the provider is not there
)

// lies says what each lie of the simulator comes to. Rows B1 and B2 are the ID
// token's, B5 the key set's, B7 the callback's, B8 userinfo's, B9 the strength's,
// B12 the redirects'.
var lies = map[string]struct {
	cause string
	ends  int
}{
	// B1
	"invalid-iss":       {"issuer-mismatch", atToken},
	"iss-slash":         {"issuer-mismatch", atToken},
	"missing-iss":       {"issuer-mismatch", atToken},
	"invalid-aud":       {"audience-mismatch", atToken},
	"aud-others":        {"audience-mismatch", atToken},
	"missing-aud":       {"audience-mismatch", atToken},
	"azp-wrong":         {"authorized-party-mismatch", atToken},
	"missing-sub":       {"subject-unfit", atToken},
	"empty-sub":         {"subject-unfit", atToken},
	"sub-number":        {"id-token-unreadable", atToken},
	"huge-sub":          {"token-endpoint-unavailable", atToken}, // a document over the limit
	"long-sub":          {"subject-unfit", atToken},
	"duplicate-sub":     {"id-token-signature", atToken},
	"nonce-invalid":     {"nonce-mismatch", atToken},
	"missing-nonce":     {"nonce-mismatch", atToken},
	"at_hash-wrong":     {"access-token-mismatch", atToken},
	"exp-missing":       {"id-token-expiry-unfit", atToken},
	"exp-past":          {"id-token-expired", atToken},
	"exp-far-future":    {"id-token-expiry-unfit", atToken},
	"iat-missing":       {"id-token-issue-time-unfit", atToken},
	"iat-future":        {"id-token-issue-time-unfit", atToken},
	"iat-past":          {"ok", atUserinfo}, // the nonce binds it to this login
	"nbf-future":        {"id-token-not-yet-valid", atToken},
	"auth_time-missing": {"ok", atUserinfo}, // unproved freshness: judged where it is asked for
	"auth_time-old":     {"ok", atUserinfo},
	"auth_time-future":  {"ok", atUserinfo},

	"act":             {"acting-for-another", atToken},
	"delegations":     {"acting-for-another", atToken},
	"act-in-id-token": {"acting-for-another", atToken},
	"act-in-userinfo": {"acting-for-another", atUserinfo},

	// B2
	"invalid-sig":              {"id-token-signature", atToken},
	"empty-sig":                {"id-token-signature", atToken},
	"alg-none":                 {"id-token-signature", atToken},
	"hs256-with-public-key":    {"id-token-signature", atToken},
	"other-key":                {"id-token-signature", atToken},
	"unlisted-alg":             {"id-token-signature", atToken},
	"jku-header":               {"id-token-signature", atToken},
	"x5u-header":               {"id-token-signature", atToken},
	"jwk-header":               {"id-token-signature", atToken},
	"unknown-crit":             {"id-token-signature", atToken},
	"typ-access-token":         {"id-token-of-another-kind", atToken},
	"kid-absent":               {"ok", atUserinfo},
	"kid-absent-multiple-keys": {"id-token-signature", atToken}, // no key is named: none is guessed
	"kid-unknown":              {"id-token-signature", atToken},
	"kid-hostile":              {"id-token-signature", atToken},
	"garbage":                  {"id-token-signature", atToken},
	"many-dots":                {"id-token-signature", atToken},

	// B3, B5: with nothing cached
	"key-rotation":                     {"ok", atUserinfo},
	"key-rotation-just-before-signing": {"ok", atUserinfo},
	"key-withdrawn":                    {"provider-down", cold}, // a key set without a key
	"jwks-500":                         {"provider-down", cold},
	"jwks-html":                        {"provider-down", cold},
	"jwks-10mb":                        {"provider-down", cold},
	"jwks-slow":                        {"provider-down", cold},
	"jwks-10000-keys":                  {"provider-down", cold},
	"jwks-empty":                       {"provider-down", cold},
	"jwks-wrong-use":                   {"provider-down", cold},
	"jwks-duplicate-kid":               {"ok", atUserinfo}, // each key of that name is tried
	"jwks-oct":                         {"provider-down", cold},

	// B12
	"issuer-mismatch":           {"provider-down", cold},
	"issuer-slash":              {"provider-down", cold},
	"discovery-500":             {"provider-down", cold},
	"discovery-html":            {"provider-down", cold},
	"discovery-10mb":            {"provider-down", cold},
	"discovery-slow":            {"provider-down", cold},
	"discovery-no-jwks":         {"provider-down", cold},
	"discovery-token-elsewhere": {"provider-down", cold},
	"discovery-jwks-file":       {"provider-down", cold},
	"discovery-alg-none":        {"ok", atUserinfo}, // algorithms are configured, not discovered
	"discovery-redirect":        {"provider-down", cold},
	"jwks-redirect":             {"provider-down", cold},
	"token-redirect":            {"token-endpoint-unavailable", atToken},
	"userinfo-redirect":         {"userinfo-unavailable", atUserinfo},

	"token-500":               {"token-endpoint-unavailable", atToken},
	"token-html":              {"token-answer-unreadable", atToken},
	"token-slow":              {"token-endpoint-unavailable", atToken},
	"token-drip":              {"token-endpoint-unavailable", atToken},
	"token-10mb":              {"token-endpoint-unavailable", atToken},
	"token-invalid-grant":     {"code-not-accepted", atToken},
	"token-invalid-client":    {"client-not-accepted", atToken},
	"token-no-id-token":       {"id-token-absent", atToken},
	"token-no-access-token":   {"token-answer-unreadable", atToken},
	"token-no-expires_in":     {"ok", atUserinfo},
	"token-expires_in-string": {"ok", atUserinfo},
	"token-type-lowercase":    {"ok", atUserinfo},
	"token-type-other":        {"token-answer-unreadable", atToken},

	// B8
	"userinfo-other-sub":      {"userinfo-of-another-subject", atUserinfo},
	"userinfo-missing-sub":    {"userinfo-of-another-subject", atUserinfo},
	"userinfo-sub-case":       {"userinfo-of-another-subject", atUserinfo},
	"userinfo-sub-space":      {"userinfo-of-another-subject", atUserinfo},
	"email-verified-string":   {"ok", atUserinfo},
	"email-verified-number":   {"ok", atUserinfo},
	"email-verified-absent":   {"ok", atUserinfo},
	"userinfo-null":           {"ok", atUserinfo},
	"userinfo-bad-nhs-number": {"ok", atUserinfo},
	"userinfo-bad-birthdate":  {"ok", atUserinfo},
	"userinfo-picture":        {"ok", atUserinfo},
	"userinfo-markup":         {"claims-differ", atUserinfo},
	"userinfo-500":            {"userinfo-unavailable", atUserinfo},
	"userinfo-401":            {"userinfo-not-accepted", atUserinfo},
	"userinfo-html":           {"userinfo-unreadable", atUserinfo},
	"userinfo-jwt":            {"userinfo-unreadable", atUserinfo},
	"userinfo-slow":           {"userinfo-unavailable", atUserinfo},
	"userinfo-10mb":           {"userinfo-unavailable", atUserinfo},
	"userinfo-bomb":           {"userinfo-unreadable", atUserinfo}, // it is never unpacked

	// B9
	"vot-lower":          {"vot-not-asked", atToken},
	"vot-other-order":    {"vot-not-asked", atToken},
	"vot-absent":         {"vot-absent", atToken},
	"vot-unknown":        {"vot-not-asked", atToken},
	"vot-list":           {"vot-absent", atToken},
	"vot-above-proofing": {"vot-above-level", atUserinfo},
	"proofing-unknown":   {"level-unreadable", atUserinfo},
	"proofing-absent":    {"level-absent", atUserinfo},

	// B7, and what the provider refuses
	"iss-parameter-wrong":     {"callback-issuer-mismatch", nowhere},
	"iss-parameter-missing":   {"callback-issuer-absent", nowhere},
	"state-wrong":             {"ok", atUserinfo}, // the attempt is found by its state, one floor up
	"state-missing":           {"ok", atUserinfo},
	"code-wrong":              {"code-not-accepted", atToken},
	"code-missing":            {"code-absent", nowhere},
	"consent-not-given":       {"consent-not-given", nowhere},
	"access-denied":           {"access-denied", nowhere},
	"login-required":          {"login-required", nowhere},
	"sso-login-required":      {"sso-login-required", nowhere},
	"temporarily-unavailable": {"temporarily-unavailable", nowhere},
	"server-error":            {"provider-error", nowhere},
	"invalid-scope":           {"request-not-accepted", nowhere},
	"invalid-request":         {"request-not-accepted", nowhere},
	"unauthorized-client":     {"request-not-accepted", nowhere},
	"error-markup":            {"unknown-error", nowhere},
}

// patience is how long a conversation may take. Where the simulator takes ten
// seconds it is short, else longer than any busy machine needs.
func patience(lie string) time.Duration {
	if strings.HasSuffix(lie, "-slow") || strings.HasSuffix(lie, "-drip") {
		return 2 * time.Second
	}
	return time.Minute
}

func TestEveryLie(t *testing.T) {
	listed := newRig(t, func(p *plan) { p.unlooked = true }).sim.Presets()
	known := map[string]bool{}
	for _, lie := range listed {
		known[lie.Name] = true
		if _, expected := lies[lie.Name]; !expected {
			t.Errorf("%s (%s): wanted a row that says what it comes to", lie.Name, lie.About)
		}
	}
	for name, row := range lies {
		if !known[name] {
			t.Errorf("%s: the simulator does not tell this lie", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(p *plan) { p.unlooked = true; p.sim.IssParameter = strings.HasPrefix(name, "iss-parameter") })
			r.SetWithin(patience(name))
			r.tell(name)
			got := r.outcome()
			if got != row.cause {
				t.Errorf("cause: wanted %s, got %s", row.cause, got)
			}
			for endpoint, most := range map[string]int{
				simulator.EndpointToken:     min(row.ends, 1) * min(cold-row.ends, 1),
				simulator.EndpointUserInfo:  max(0, row.ends-atToken) * min(cold-row.ends, 1),
				simulator.EndpointCollector: 0, // B2, B12: nothing that a document points to is fetched
			} {
				if calls := r.sim.CallsTo(endpoint); calls != most {
					t.Errorf("calls to %s: wanted %d, got %d", endpoint, most, calls)
				}
			}
			checkSilence(t, r.log.String())
		})
	}
}

// outcome is the cause that a login of the ordinary patient ends with.
func (r *rig) outcome() string {
	r.Helper()
	trip, err := r.Begin(r.Context(), provider.Departure{})
	if err != nil {
		return causeOf(err)
	}
	_, err = r.Finish(r.Context(), trip.Challenge, r.come(trip, "mair-prawf"))
	return causeOf(err)
}

// checkSilence looks for a person's values and an outsider's words in a log.
func checkSilence(t *testing.T, log string) {
	t.Helper()
	for _, never := range []string{"Prawf", "999000", "@example", "07700", "+4477", "script", "1984-03", "another-", "eyJ"} {
		if strings.Contains(log, never) {
			t.Errorf("log: wanted nothing from outside, got %q in %s", never, log)
		}
	}
}

func TestEveryCauseIsExplained(t *testing.T) {
	for name, row := range lies {
		if _, known := provider.Explain(row.cause); !known && row.cause != "ok" {
			t.Errorf("%s: %s: wanted an explanation", name, row.cause)
		}
	}
	if text, known := provider.Explain("<script>"); known || text != "" {
		t.Errorf("an unknown cause: wanted none, got %q", text)
	}
}

// TestWhatALieLeaves looks at the answers of lies that are let in: what is taken
// from them is never more than an honest answer gives.
func TestWhatALieLeaves(t *testing.T) {
	honest := func(a identity.Answer) bool { return a.Details.EmailVerified && !a.AuthTime.IsZero() }
	for name, ok := range map[string]func(identity.Answer) bool{
		"auth_time-missing":       func(a identity.Answer) bool { return a.AuthTime.IsZero() },
		"auth_time-future":        func(a identity.Answer) bool { return a.AuthTime.IsZero() },
		"auth_time-old":           func(a identity.Answer) bool { return a.AuthTime.Equal(start.Add(-24 * time.Hour)) },
		"email-verified-string":   honest,
		"email-verified-number":   func(a identity.Answer) bool { return !a.Details.EmailVerified && !a.Details.Email.IsZero() },
		"email-verified-absent":   func(a identity.Answer) bool { return !a.Details.EmailVerified && !a.Details.Email.IsZero() },
		"userinfo-null":           func(a identity.Answer) bool { return a.Details.Email.IsZero() && !a.Details.EmailVerified },
		"userinfo-bad-nhs-number": func(a identity.Answer) bool { return a.Details.NHSNumber.Reveal() == "9990000379" }, // the ID token's
		"userinfo-bad-birthdate":  func(a identity.Answer) bool { return a.Details.BirthDate.Reveal() == "1984-03-27" },
		"iat-past":                honest,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.tell(name)
			answer, err := r.login("mair-prawf")
			if err != nil || !ok(answer) {
				t.Errorf("got %v, %+v", err, answer)
			}
		})
	}
}
