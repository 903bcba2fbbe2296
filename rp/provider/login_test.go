package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// TestPatients logs in the simulator's patients and looks at what is known then.
func TestPatients(t *testing.T) {
	r := newRig(t)
	for patient, row := range map[string]struct {
		cause string
		trust string
		level identity.Proofing
		check func(identity.Details) bool
	}{
		"mair-prawf": {"ok", "P9.Cp.Cd", identity.P9, func(d identity.Details) bool {
			return d.NHSNumber.Reveal() == "9990000379" && d.GivenName.Reveal() == "Mair" && d.FamilyName.Reveal() == "Prawf" &&
				d.BirthDate.Reveal() == "1984-03-27" && d.Email.Reveal() == "mair-prawf@example.com" && d.EmailVerified && d.PhoneVerified
		}},
		"ianto-passkey":       {"ok", "P9.Cm", identity.P9, nil},
		"emrys-difon":         {"ok", "P9.Cp.Cd", identity.P9, func(d identity.Details) bool { return d.Phone.IsZero() && !d.PhoneVerified }},
		"sian-cymraeg":        {"ok", "P9.Cp.Cd", identity.P9, func(d identity.Details) bool { return d.GivenName.Reveal() == "Siân Tŷ-gwyn" }},
		"long-name":           {"ok", "P9.Cp.Cd", identity.P9, func(d identity.Details) bool { return d.BirthDate.Reveal() == "2000-02-29" }},
		"beca-heb-ebost":      {"ok", "P9.Cp.Cd", identity.P9, func(d identity.Details) bool { return !d.Email.IsZero() && !d.EmailVerified }},
		"carys-ifanc":         {"ok", "P9.Cp.Cd", identity.P9, func(d identity.Details) bool { return d.Age(start) == 15 }}, // judged by the door
		"huw-gwrthod":         {"consent-not-given", "P0", identity.P0, nil},
		"gofalwr-act":         {"acting-for-another", "P0", identity.P0, nil},
		"dirprwy-delegations": {"acting-for-another", "P0", identity.P0, nil},
		"dai-canolig":         {"access-denied", "P0", identity.P0, nil}, // asked to prove more, gives up
	} {
		answer, err := r.login(patient)
		if causeOf(err) != row.cause || answer.Trust.String() != row.trust || answer.Level != row.level {
			t.Errorf("%s: wanted %s %s %s, got %v %s %s", patient, row.cause, row.trust, row.level, err, answer.Trust, answer.Level)
		}
		if row.check != nil && !row.check(answer.Details) {
			t.Errorf("%s: details are not as told", patient)
		}
	}
	checkSilence(t, r.log.String())
}

// TestAnswer looks at the rest of an ordinary answer.
func TestAnswer(t *testing.T) {
	r := newRig(t)
	answer, err := r.login("mair-prawf")
	if err != nil {
		t.Fatal(err)
	}
	if answer.TokenID == "" {
		t.Error("jti: wanted one to assert with, got none")
	}
	got := answer
	got.Details, got.TokenID = identity.Details{}, ""
	want := identity.Answer{
		Provider: "nhs-login", Issuer: r.server.URL, Subject: "6513270e-269e-4d37-b2a7-4de452e6b438",
		Trust: vectors[0], Level: identity.P9, AuthTime: start,
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(identity.Details{})); d != "" {
		t.Error(d)
	}
}

// TestLowerLevels asks for several levels: a P5 or P0 login is no fault then, and
// an NHS number below P5 is not taken.
func TestLowerLevels(t *testing.T) {
	mixed := append(slices.Clone(vectors), identity.Trust{P: identity.P5, C: identity.Cp | identity.Cd}, identity.Trust{P: identity.P0, C: identity.Cp})
	r := newRig(t, func(p *plan) { p.Trust = mixed })
	for patient, want := range map[string]identity.Trust{"dai-canolig": mixed[3], "sal-newydd": mixed[4]} {
		answer, err := r.login(patient)
		if err != nil || answer.Trust != want || answer.Level != want.P {
			t.Errorf("%s: wanted %s, got %v %s %s", patient, want, err, answer.Trust, answer.Level)
		}
	}
	number := map[string]any{"nhs_number": "9990001480"}
	if err := r.sim.SetFaults(simulator.Faults{IDToken: &simulator.TokenFault{Set: number}, UserInfo: &simulator.DocumentFault{Set: number}}); err != nil {
		t.Fatal(err)
	}
	answer, err := r.login("sal-newydd")
	if err != nil || !answer.Details.NHSNumber.IsZero() {
		t.Errorf("an NHS number at P0: wanted none taken, got %v", err)
	}
}

// TestDeparture looks at what is asked of a provider.
func TestDeparture(t *testing.T) {
	jwt := identity.Secret("eyJhbGciOiJSUzUxMiJ9.eyJqdGkiOiJhIn0.c2ln")
	offered := func(p *plan) { p.sim.PKCE = true }
	for name, row := range map[string]struct {
		change []func(*plan)
		d      provider.Departure
		want   url.Values // nil value: absent
	}{
		"ordinary": {nil, provider.Departure{}, url.Values{
			"response_type": {"code"}, "client_id": {"dilys"}, "redirect_uri": {redirectURI}, "vtr": {`["P9.Cp.Cd","P9.Cp.Ck","P9.Cm"]`},
			"scope": {"openid profile profile_extended email phone"}, "prompt": nil, "code_challenge": nil, "max_age": nil,
		}},
		"fresh":                  {nil, provider.Departure{Fresh: true}, url.Values{"prompt": {"login"}, "max_age": nil}},
		"silent":                 {nil, provider.Departure{Silent: true}, url.Values{"prompt": {"none"}}},
		"from the NHS App":       {nil, provider.Departure{AssertedLoginIdentity: jwt}, url.Values{"prompt": {"none"}, "asserted_login_identity": {jwt.Reveal()}}},
		"asserted: no JWT":       {nil, provider.Departure{AssertedLoginIdentity: "x&prompt=login"}, url.Values{"prompt": nil, "asserted_login_identity": nil}},
		"asserted: too long":     {nil, provider.Departure{AssertedLoginIdentity: identity.Secret("a.b." + strings.Repeat("c", 4096))}, url.Values{"prompt": nil, "asserted_login_identity": nil}},
		"asserted: kind oidc":    {[]func(*plan){ordinary}, provider.Departure{AssertedLoginIdentity: jwt}, url.Values{"prompt": nil, "asserted_login_identity": nil}},
		"fresh: kind oidc":       {[]func(*plan){ordinary}, provider.Departure{Fresh: true}, url.Values{"prompt": {"login"}, "max_age": {"0"}, "vtr": nil}},
		"PKCE offered":           {[]func(*plan){offered}, provider.Departure{}, url.Values{"code_challenge_method": {"S256"}}},
		"PKCE offered, never":    {[]func(*plan){offered, func(p *plan) { p.PKCE = provider.PKCENever }}, provider.Departure{}, url.Values{"code_challenge_method": nil}},
		"PKCE unoffered, always": {[]func(*plan){func(p *plan) { p.PKCE = provider.PKCEAlways }}, provider.Departure{}, url.Values{"code_challenge_method": {"S256"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, row.change...)
			trip := r.begin(row.d)
			to, err := url.Parse(trip.URL)
			if err != nil {
				t.Fatal(err)
			}
			q := to.Query()
			for param, want := range row.want {
				if d := cmp.Diff(want, url.Values(q)[param]); len(want)+len(q[param]) > 0 && d != "" {
					t.Errorf("%s: %s", param, d)
				}
			}
			if q.Get("state") != trip.State.Reveal() || len(q.Get("state")) != 43 || len(q.Get("nonce")) != 43 {
				t.Error("state, nonce: wanted 256 bits each, the state as returned")
			}
			if origin, known := r.AuthorizationOrigin(); !known || origin != to.Scheme+"://"+to.Host {
				t.Errorf("origin: wanted that of the address, got %s", origin)
			}
		})
	}
	if _, err := newRig(t).Begin(t.Context(), provider.Departure{Fresh: true, Silent: true}); err == nil {
		t.Error("fresh and silent: wanted an error")
	}
}

// TestNothingTwice: state, nonce and verifier are new each time.
func TestNothingTwice(t *testing.T) {
	r := newRig(t, func(p *plan) { p.sim.PKCE = true })
	seen := map[string]bool{}
	for range 20 {
		to, err := url.Parse(r.begin(provider.Departure{}).URL)
		if err != nil {
			t.Fatal(err)
		}
		for _, param := range []string{"state", "nonce", "code_challenge"} {
			v := to.Query().Get(param)
			if v == "" || seen[v] {
				t.Errorf("%s: wanted a new one, got %q", param, v)
			}
			seen[v] = true
		}
	}
}

// TestB6: an answer is only good for the departure it belongs to.
func TestB6(t *testing.T) {
	for name, row := range map[string]struct {
		pkce  bool
		do    func(*rig) error
		cause string
	}{
		"two tabs at once, the older one last": {true, func(r *rig) error {
			first, second := r.begin(provider.Departure{}), r.begin(provider.Departure{})
			a, b := r.come(first, "mair-prawf"), r.come(second, "mair-prawf")
			_, err := r.Finish(r.Context(), second.Challenge, b)
			_, err2 := r.Finish(r.Context(), first.Challenge, a)
			return errors.Join(err, err2)
		}, "ok"},
		"code of another flow, with PKCE": {true, func(r *rig) error {
			mine, other := r.begin(provider.Departure{}), r.begin(provider.Departure{})
			_, err := r.Finish(r.Context(), mine.Challenge, r.come(other, "mair-prawf"))
			return err
		}, "code-not-accepted"},
		"code of another flow, without PKCE": {false, func(r *rig) error {
			mine, other := r.begin(provider.Departure{}), r.begin(provider.Departure{})
			_, err := r.Finish(r.Context(), mine.Challenge, r.come(other, "mair-prawf"))
			return err
		}, "nonce-mismatch"},
		"code a second time": {true, func(r *rig) error {
			trip := r.begin(provider.Departure{})
			cb := r.come(trip, "mair-prawf")
			if _, err := r.Finish(r.Context(), trip.Challenge, cb); err != nil {
				return err
			}
			_, err := r.Finish(r.Context(), trip.Challenge, cb)
			return err
		}, "code-not-accepted"},
		"code too old": {true, func(r *rig) error {
			trip := r.begin(provider.Departure{})
			cb := r.come(trip, "mair-prawf")
			r.advance(11 * time.Minute)
			_, err := r.Finish(r.Context(), trip.Challenge, cb)
			return err
		}, "code-not-accepted"},
		"no challenge": {true, func(r *rig) error {
			_, err := r.Finish(r.Context(), nil, r.come(r.begin(provider.Departure{}), "mair-prawf"))
			return err
		}, "attempt-of-another-provider"},
		"challenge without a nonce": {true, func(r *rig) error {
			_, err := r.Finish(r.Context(), []byte(`{"provider":"nhs-login","issuer":"`+r.server.URL+`"}`), provider.Callback{Code: "a-code"})
			return err
		}, "attempt-of-another-provider"},
		"code with a line end": {true, func(r *rig) error {
			_, err := r.Finish(r.Context(), r.begin(provider.Departure{}).Challenge, provider.Callback{Code: "a\r\ncode"})
			return err
		}, "code-unreadable"},
		"code of a megabyte": {true, func(r *rig) error {
			_, err := r.Finish(r.Context(), r.begin(provider.Departure{}).Challenge, provider.Callback{Code: identity.Secret(strings.Repeat("c", 1<<20))})
			return err
		}, "code-unreadable"},
		"code beside an error": {true, func(r *rig) error {
			trip := r.begin(provider.Departure{})
			cb := r.come(trip, "mair-prawf")
			cb.Error = "access_denied"
			_, err := r.Finish(r.Context(), trip.Challenge, cb)
			return err
		}, "access-denied"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(p *plan) { p.sim.PKCE = row.pkce })
			if got := causeOf(row.do(r)); got != row.cause {
				t.Errorf("wanted %s, got %s", row.cause, got)
			}
		})
	}
}

// TestB7: one provider's answer at another's callback exchanges nothing.
func TestB7(t *testing.T) {
	for name, names := range map[string]bool{"answers name their issuer": true, "answers name nobody": false} {
		t.Run(name, func(t *testing.T) {
			honest := newRig(t, func(p *plan) { p.sim.IssParameter = names })
			attacker := newRig(t, func(p *plan) { p.sim.IssParameter = names; p.ID = "other" })
			trip := honest.begin(provider.Departure{})
			cb := attacker.come(attacker.begin(provider.Departure{}), "mair-prawf")
			_, err := honest.Finish(t.Context(), trip.Challenge, cb)
			_, swapped := attacker.Finish(t.Context(), trip.Challenge, cb)
			want := "code-not-accepted" // no name in the answer: the code is unknown there
			if names {
				want = "callback-issuer-mismatch"
			}
			if causeOf(err) != want || causeOf(swapped) != "attempt-of-another-provider" {
				t.Errorf("wanted %s, got %v and %v", want, err, swapped)
			}
			if names && honest.sim.CallsTo(simulator.EndpointToken) > 0 || attacker.sim.CallsTo(simulator.EndpointToken) > 0 {
				t.Error("a token endpoint was called")
			}
		})
	}
	t.Run("empty iss", func(t *testing.T) {
		r := newRig(t)
		trip := r.begin(provider.Departure{})
		cb := r.come(trip, "mair-prawf")
		cb.HasIssuer = true
		if _, err := r.Finish(t.Context(), trip.Challenge, cb); causeOf(err) != "callback-issuer-mismatch" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an error of another issuer", func(t *testing.T) {
		r := newRig(t)
		cb := provider.Callback{Error: "access_denied", Issuer: "https://login.example.org", HasIssuer: true}
		if _, err := r.Finish(t.Context(), r.begin(provider.Departure{}).Challenge, cb); causeOf(err) != "callback-issuer-mismatch" {
			t.Errorf("got %v", err)
		}
	})
}

// TestB8Differ: two documents that name different people give no session.
func TestB8Differ(t *testing.T) {
	for claim, value := range map[string]string{
		"birthdate": "1984-03-28", "family_name": "Arall", "nhs_number": "9990000743", "identity_proofing_level": "P5",
	} {
		t.Run(claim, func(t *testing.T) {
			r := newRig(t)
			if err := r.sim.SetFaults(simulator.Faults{UserInfo: &simulator.DocumentFault{Set: map[string]any{claim: value}}}); err != nil {
				t.Fatal(err)
			}
			if got := r.outcome(); got != "claims-differ" {
				t.Errorf("wanted claims-differ, got %s", got)
			}
		})
	}
}

// TestB8DuplicateKeys: a name twice in userinfo is no answer.
func TestB8DuplicateKeys(t *testing.T) {
	r := newRig(t)
	body := `{"sub":"6513270e-269e-4d37-b2a7-4de452e6b438","email":"a@example.org","email":"b@example.org"}`
	if err := r.sim.SetFaults(simulator.Faults{UserInfo: &simulator.DocumentFault{Reply: simulator.Reply{Body: body}}}); err != nil {
		t.Fatal(err)
	}
	if got := r.outcome(); got != "userinfo-unreadable" {
		t.Errorf("wanted userinfo-unreadable, got %s", got)
	}
}

// TestB13: the configuration changed while the patient was away.
func TestB13(t *testing.T) {
	r := newRig(t)
	trip := r.begin(provider.Departure{})
	cb := r.come(trip, "mair-prawf")
	moved := r.cfg
	moved.Issuer += "/"
	if _, err := r.replica(moved).Finish(t.Context(), trip.Challenge, cb); causeOf(err) != "attempt-of-another-provider" {
		t.Errorf("wanted attempt-of-another-provider, got %v", err)
	}
	if calls := r.sim.CallsTo(simulator.EndpointToken); calls != 0 {
		t.Errorf("token endpoint: wanted no call, got %d", calls)
	}
}

// TestReplica finishes on a replica that has never looked at the provider.
func TestReplica(t *testing.T) {
	r := newRig(t, func(p *plan) { p.sim.PKCE, p.sim.IssParameter = true, true })
	trip := r.begin(provider.Departure{})
	cb := r.come(trip, "mair-prawf")
	other := r.replica(r.cfg)
	without := cb
	without.HasIssuer, without.Issuer = false, ""
	if _, err := other.Finish(t.Context(), trip.Challenge, without); causeOf(err) != "callback-issuer-absent" {
		t.Errorf("without iss: got %v", err)
	}
	if _, err := other.Finish(t.Context(), trip.Challenge, cb); err != nil {
		t.Errorf("got %v", err)
	}
}

// TestB7Announced: an answer must name its issuer if that was announced when the
// patient left, or is when they are back.
func TestB7Announced(t *testing.T) {
	const member = "authorization_response_iss_parameter_supported"
	said := func(announced bool) simulator.Faults {
		return simulator.Faults{Discovery: &simulator.DocumentFault{Set: map[string]any{member: announced}}}
	}
	for name, row := range map[string]struct {
		leaving, back bool
		want          string
	}{
		"never":         {false, false, "ok"},
		"when leaving":  {true, false, "callback-issuer-absent"},
		"when back":     {false, true, "callback-issuer-absent"},
		"all the while": {true, true, "callback-issuer-absent"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(p *plan) { p.unlooked = true })
			if err := r.sim.SetFaults(said(row.leaving)); err != nil {
				t.Fatal(err)
			}
			trip := r.begin(provider.Departure{})
			cb := r.come(trip, "mair-prawf")
			if err := r.sim.SetFaults(said(row.back)); err != nil {
				t.Fatal(err)
			}
			_, err := r.replica(r.cfg).Finish(t.Context(), trip.Challenge, cb)
			if causeOf(err) != row.want || err != nil && r.sim.CallsTo(simulator.EndpointToken) != 0 {
				t.Errorf("wanted %s and no exchange, got %v", row.want, err)
			}
		})
	}
}

// TestNHSApp goes on as the person whom the NHS App asserts, once.
func TestNHSApp(t *testing.T) {
	r := newRig(t)
	asserted, err := r.sim.AssertLogin("ffion-ap", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ok", "sso-login-required"} { // NHS login takes an assertion once
		trip := r.begin(provider.Departure{AssertedLoginIdentity: identity.Secret(asserted)})
		answer, err := r.Finish(t.Context(), trip.Challenge, r.come(trip, ""))
		if causeOf(err) != want || err == nil && answer.Details.FamilyName.Reveal() != "Ap" {
			t.Errorf("wanted %s, got %v", want, err)
		}
	}
	// What would have to be asked ends the same way: the button still works.
	trip := r.begin(provider.Departure{AssertedLoginIdentity: identity.Secret(asserted)})
	_, err = r.Finish(t.Context(), trip.Challenge, provider.Callback{Error: "interaction_required"})
	if kindOf(err) != provider.SSOLoginRequired {
		t.Errorf("interaction_required: got %v", err)
	}
	checkSilence(t, r.log.String())
}

// TestSettings leads a patient to the settings, with an assertion that the
// provider takes once.
func TestSettings(t *testing.T) {
	r := newRig(t)
	answer, err := r.login("mair-prawf")
	if err != nil {
		t.Fatal(err)
	}
	link, err := r.SettingsLink(answer.TokenID)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{http.StatusOK, http.StatusBadRequest} {
		resp, err := r.browser.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("visit %d: wanted %d, got %d", i, want, resp.StatusCode)
		}
	}
	if !strings.Contains(link, "lang=cy") {
		t.Error("the configured query was lost")
	}
	if bare, err := r.SettingsLink(""); err != nil || strings.Contains(bare, "asserted") {
		t.Errorf("without a jti: wanted the bare address, got %q %v", bare, err)
	}
	other := newRig(t, ordinary)
	if _, err := other.SettingsLink("a"); other.HasSettings() || !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("kind oidc: wanted no settings, got %v", err)
	}
}

// TestB14: many patients at once, some of whom leave: each answer is of its own
// patient.
func TestB14(t *testing.T) {
	const logins = 200
	patients := []string{"mair-prawf", "ianto-passkey", "emrys-difon", "nia-dwbl", "sian-cymraeg", "long-name", "ffion-ap", "wil-diogel"}
	r := newRig(t)
	r.SetWithin(time.Minute)
	subjects := map[string]string{}
	for _, p := range r.sim.Patients() {
		subjects[p.Key] = p.Subject
	}
	var all sync.WaitGroup
	for i := range logins {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			patient := patients[i%len(patients)]
			trip, err := r.Begin(ctx, provider.Departure{})
			if err != nil {
				t.Error(err)
				return
			}
			cb, err := visit(newBrowser(), trip, patient)
			if err != nil {
				t.Error(err)
				return
			}
			if i%5 == 0 {
				go cancel() // at any moment of the conversation
			}
			answer, err := r.Finish(ctx, trip.Challenge, cb)
			if err == nil && answer.Subject != subjects[patient] {
				t.Errorf("login of %s: got another's answer", patient)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("login of %s: %v", patient, err)
			}
		})
	}
	all.Wait()
	if h := r.Health(); h.State != provider.OK {
		t.Errorf("patients who leave say nothing of the provider: got %+v", h)
	}
}
