package provider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

const clientSecret = "a made-up secret: of 48 characters, + and % too."

// ordinary makes it an OpenID provider with a client secret.
func ordinary(p *plan) {
	p.Kind, p.Key, p.Trust, p.SettingsURL = provider.OIDC, nil, nil, ""
	p.Secret, p.client.Secret, p.client.Keys.Keys = identity.Secret(clientSecret), clientSecret, nil
	p.Algs = nil
	if p.sim.Alg == "" {
		p.sim.Alg = "RS256"
	}
	p.sim.Strict = false
}

// acr makes the ID token say how the patient logged in.
func (r *rig) acr(v any) {
	r.Helper()
	if err := r.sim.SetFaults(simulator.Faults{IDToken: &simulator.TokenFault{Set: map[string]any{"acr": v}}}); err != nil {
		r.Fatal(err)
	}
}

// TestB9ACR: an acr is worth what the operator wrote, and one that is not listed
// is worth nothing.
func TestB9ACR(t *testing.T) {
	worth := map[string]identity.Trust{
		"urn:example:high": {P: identity.P9, C: identity.Cm},
		"urn:example:low":  {P: identity.P0, C: identity.Cp},
	}
	listed := func(p *plan) { p.TrustMap = worth }
	for name, row := range map[string]struct {
		change func(*plan)
		acr    any
		cause  string
		trust  identity.Trust
	}{
		"listed":                {listed, "urn:example:high", "ok", worth["urn:example:high"]},
		"listed lower":          {listed, "urn:example:low", "ok", worth["urn:example:low"]},
		"not listed":            {listed, "urn:example:higher", "acr-not-listed", identity.Trust{}},
		"listed in other case":  {listed, "URN:example:high", "acr-not-listed", identity.Trust{}},
		"absent":                {listed, nil, "acr-absent", identity.Trust{}},
		"a list":                {listed, []string{"urn:example:high"}, "acr-absent", identity.Trust{}},
		"no map: whatever said": {func(*plan) {}, "urn:example:high", "ok", identity.Trust{P: identity.P0, C: identity.Cp}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, ordinary, row.change)
			r.acr(row.acr)
			answer, err := r.login("mair-prawf")
			if causeOf(err) != row.cause || answer.Trust != row.trust {
				t.Errorf("wanted %s %s, got %v %s", row.cause, row.trust, err, answer.Trust)
			}
			if err != nil && r.sim.CallsTo(simulator.EndpointUserInfo) != 0 {
				t.Error("userinfo was asked")
			}
			if err == nil && (answer.Level != row.trust.P || answer.Details.NHSNumber.IsZero() != (row.trust.P == identity.P0)) {
				t.Errorf("level: wanted %s and an NHS number from P5 on, got %s", row.trust.P, answer.Level)
			}
		})
	}
}

// seen keeps the token requests that reach a provider.
type seen struct {
	mu     sync.Mutex
	bodies []url.Values
	heads  []http.Header
}

func (s *seen) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			_ = r.ParseForm() // the simulator reads what is kept
			s.mu.Lock()
			s.bodies, s.heads = append(s.bodies, r.PostForm), append(s.heads, r.Header.Clone())
			s.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// TestClientAuthentication: one request, and our identity in one place of it.
func TestClientAuthentication(t *testing.T) {
	offer := func(methods ...string) simulator.Faults {
		return simulator.Faults{Discovery: &simulator.DocumentFault{Set: map[string]any{"token_endpoint_auth_methods_supported": methods}}}
	}
	for name, row := range map[string]struct {
		change func(*plan)
		faults simulator.Faults
		basic  bool
		fields []string
	}{
		"key":                {func(*plan) {}, simulator.Faults{}, false, []string{"client_assertion", "client_assertion_type", "client_id"}},
		"key, Basic offered": {func(*plan) {}, offer("client_secret_basic"), false, []string{"client_assertion", "client_assertion_type", "client_id"}},
		"secret, both":       {ordinary, offer("client_secret_post", "client_secret_basic"), true, nil},
		"secret, post only":  {ordinary, offer("client_secret_post"), false, []string{"client_id", "client_secret"}},
		"secret, nothing said": {ordinary, simulator.Faults{Discovery: &simulator.DocumentFault{
			Drop: []string{"token_endpoint_auth_methods_supported"},
		}}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var s seen
			r := newRig(t, row.change, func(p *plan) { p.unlooked, p.wrap = true, s.wrap })
			if err := r.sim.SetFaults(row.faults); err != nil {
				t.Fatal(err)
			}
			if _, err := r.login("mair-prawf"); err != nil {
				t.Fatal(err)
			}
			if len(s.bodies) != 1 {
				t.Fatalf("token requests: wanted 1, got %d", len(s.bodies))
			}
			if _, _, basic := (&http.Request{Header: s.heads[0]}).BasicAuth(); basic != row.basic {
				t.Errorf("Basic: wanted %v, got %v", row.basic, basic)
			}
			for _, field := range []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"} {
				if s.bodies[0].Has(field) != slices.Contains(row.fields, field) {
					t.Errorf("%s: wanted %v in the body", field, row.fields)
				}
			}
		})
	}
}

// TestAssertions: each is of its own, and short.
func TestAssertions(t *testing.T) {
	var s seen
	r := newRig(t, func(p *plan) { p.wrap = s.wrap }) // strict: five minutes at most, jti once, aud exact
	for range 3 {
		if _, err := r.login("mair-prawf"); err != nil {
			t.Fatal(err)
		}
	}
	if got := []string{s.bodies[0].Get("client_assertion"), s.bodies[1].Get("client_assertion")}; got[0] == got[1] {
		t.Error("two exchanges carried one assertion")
	}
}
