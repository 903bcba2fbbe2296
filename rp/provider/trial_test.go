package provider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// TestTest looks at what `dilys providers test` would say of each fault.
func TestTest(t *testing.T) {
	otherKey := func(p *plan) {
		stranger, _ := simulator.TestClient("stranger", redirectURI)
		p.client.Keys = stranger.Keys
	}
	otherSecret := func(p *plan) { ordinary(p); p.client.Secret = "another made-up secret of many characters" }
	for name, row := range map[string]struct {
		lie    string
		change []func(*plan)
		want   []string // name, and ! before one that failed
		fault  string
	}{
		"well":               {"", nil, []string{"discovery", "issuer", "key set", "client key", "redirect URI"}, ""},
		"well, with secret":  {"", []func(*plan){ordinary}, []string{"discovery", "issuer", "key set", "client secret", "redirect URI"}, ""},
		"differs by a slash": {"issuer-slash", nil, []string{"discovery", "!issuer", "redirect URI"}, "differs by a slash"},
		"another issuer":     {"issuer-mismatch", nil, []string{"discovery", "!issuer", "redirect URI"}, "got another"},
		"discovery down":     {"discovery-500", nil, []string{"!discovery", "redirect URI"}, "wanted status 200, got 500"},
		"discovery unfit":    {"discovery-jwks-file", nil, []string{"!discovery", "redirect URI"}, "jwks_uri: wanted https, got another scheme"},
		"no keys":            {"jwks-empty", nil, []string{"discovery", "issuer", "!key set", "client key", "redirect URI"}, "wanted a key for"},
		"other algorithm": {"", []func(*plan){ordinary, func(p *plan) { p.sim.Alg, p.Algs = "ES256", nil }}, []string{
			"discovery", "issuer", "!key set", "client secret", "redirect URI",
		}, "signs by others"},
		"key unknown":    {"", []func(*plan){otherKey}, []string{"discovery", "issuer", "key set", "!client key", "redirect URI"}, "got invalid_client"},
		"secret unknown": {"", []func(*plan){otherSecret}, []string{"discovery", "issuer", "key set", "!client secret", "redirect URI"}, "got invalid_client"},
		"token endpoint down": {"token-500", nil, []string{
			"discovery", "issuer", "key set", "!client key", "redirect URI",
		}, "wanted status 200, got 500"},
		"token endpoint odd": {"token-html", nil, []string{
			"discovery", "issuer", "key set", "!client key", "redirect URI",
		}, "got another answer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, append(row.change, func(p *plan) { p.unlooked = true })...)
			if row.lie != "" {
				r.tell(row.lie)
			}
			var got []string
			for _, c := range r.Test(t.Context()) {
				if c.OK {
					got = append(got, c.Name)
					continue
				}
				got = append(got, "!"+c.Name)
				if !strings.Contains(c.Fault, row.fault) || c.Mend == "" {
					t.Errorf("%s: wanted %q and a mend, got %+v", c.Name, row.fault, c)
				}
			}
			if d := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			if h := r.Health(); h.State != provider.Unknown {
				t.Errorf("health: wanted it untouched, got %+v", h)
			}
		})
	}
}
