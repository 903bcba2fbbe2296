package service_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// forbidden are addresses that no document of a provider may lead to, though each
// is a URL.
var forbidden = map[string]string{
	"the cloud's metadata":            "http://169.254.169.254/latest/meta-data/",
	"the same, over https":            "https://169.254.169.254/latest/meta-data/",
	"the same, in IPv6":               "https://[::ffff:169.254.169.254]/",
	"the same, through a translator":  "https://[64:ff9b::a9fe:a9fe]/",
	"the cloud's metadata, IPv6":      "https://[fd00:ec2::254]/",
	"nobody's address":                "https://0.0.0.0/",
	"link-local":                      "https://[fe80::1]/",
	"everybody":                       "https://224.0.0.1/",
	"a file":                          "file:///etc/passwd",
	"a gopher":                        "gopher://127.0.0.1:25/x",
	"this machine by another scheme":  "ftp://127.0.0.1/",
	"a host with somebody's password": "https://user:password@login.example.org/",
	"a path":                          "/token",
	"a name that is no URL":           "http://[::1",
}

// TestB12_Redirects: no endpoint leads anywhere by a redirect, not even to a
// harmless place.
func TestB12_Redirects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var hits atomic.Int32
	elsewhere := w.listen(func(rw http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{}`))
	})
	targets := map[string]string{
		"a listener": elsewhere, "itself": w.simURL + "/userinfo", "the cloud's metadata": forbidden["the cloud's metadata"], "a file": forbidden["a file"],
	}
	want := map[string]lie{
		simulator.EndpointDiscovery: {cause: "provider-down"},
		simulator.EndpointJWKS:      {cause: "provider-down"},
		simulator.EndpointToken:     {cause: "token-endpoint-unavailable", ends: atToken},
		simulator.EndpointUserInfo:  {cause: "userinfo-unavailable", ends: atUserinfo},
	}
	for endpoint, l := range want {
		t.Run(endpoint, func(t *testing.T) {
			for name, to := range targets {
				t.Run(name, func(t *testing.T) {
					if l.ends == cold {
						w.start(w.Config)
					} else {
						w.logsIn(t, w.nhsLogin())
					}
					must(t, w.sim.SetFaults(simulator.Faults{Redirect: map[string]string{endpoint: to}}))
					w.comesTo(t, w.nhsLogin(), l)
					w.sim.ClearFaults()
					w.clock.advance(10 * time.Second)
				})
			}
		})
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the listener: wanted no connection, got %d", n)
	}
}

// TestB12_DiscoveryLeadsAstray: a discovery document may name endpoints on other
// hosts, but none where no provider can stand. What can be told from the URL is
// refused with the document, the rest when it is dialled.
func TestB12_DiscoveryLeadsAstray(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for endpoint, dialled := range map[string]lie{
		"jwks_uri":          {cause: "provider-down"},
		"token_endpoint":    {cause: "token-endpoint-unavailable", ends: nowhere},
		"userinfo_endpoint": {cause: "userinfo-unavailable", ends: atToken},
	} {
		for name, to := range forbidden {
			byURL := !strings.HasPrefix(to, "https://") || strings.Contains(to, "@")
			if byURL && endpoint != "jwks_uri" && name != "the cloud's metadata" {
				continue // one rule judges every endpoint's URL
			}
			t.Run(endpoint+", "+name, func(t *testing.T) {
				w.start(w.Config)
				must(t, w.sim.SetFaults(simulator.Faults{Discovery: &simulator.DocumentFault{Set: map[string]any{endpoint: to}}}))
				l, why := dialled, "address: wanted a public or private one, got "
				if byURL {
					l, why = absent, endpoint+": wanted"
				}
				w.comesTo(t, w.nhsLogin(), l)
				// That it was refused, and not merely out of reach from here, operators are told.
				if fault := w.Providers[0].Health().Fault; !strings.Contains(fault, why) || strings.Contains(fault, "password") {
					t.Errorf("operators: wanted %q, got %q", why, fault)
				}
				w.sim.ClearFaults()
			})
		}
	}
	t.Run("the authorization endpoint, where the browser would go", func(t *testing.T) {
		for _, to := range []string{"javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://login.example.org/authorize", ""} {
			w.start(w.Config)
			must(t, w.sim.SetFaults(simulator.Faults{Discovery: &simulator.DocumentFault{Set: map[string]any{"authorization_endpoint": to}}}))
			w.comesTo(t, w.nhsLogin(), absent)
			w.sim.ClearFaults()
		}
	})
}

// TestB12_ClaimsAreNotFetched: addresses in claims are never called, and aggregated
// or distributed claims (OpenID Connect Core §5.6.2) never believed.
func TestB12_ClaimsAreNotFetched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var hits atomic.Int32
	listener := w.listen(func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	must(t, w.sim.SetNextFaults(claiming(map[string]any{
		"picture": listener, "profile": listener, "website": listener, "jwks_uri": listener, "jku": listener,
		"_claim_names":   map[string]any{"email": "src", "nhs_number": "src"},
		"_claim_sources": map[string]any{"src": map[string]any{"endpoint": listener, "access_token": "x"}},
	})))
	b := w.visitor(t)
	b.mustBeIn(b.login("mair-prawf"))
	page := b.get("/account")
	if page.StatusCode != http.StatusOK || strings.Contains(page.body, listener) {
		t.Errorf("the account page: wanted nothing that leads there, got %d", page.StatusCode)
	}
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "img-src 'self'") {
		t.Errorf("wanted the browser kept from foreign pictures, got %s", csp)
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the listener: wanted no connection, got %d", n)
	}
}
