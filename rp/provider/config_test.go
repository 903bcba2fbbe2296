package provider_test

import (
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

func TestConfig(t *testing.T) {
	_, private := simulator.TestClient("dilys", redirectURI)
	key := signingKey(t, private)
	for name, row := range map[string]struct {
		change func(*provider.Config)
		fault  string
	}{
		"good":                      {func(*provider.Config) {}, ""},
		"good with a slash":         {func(c *provider.Config) { c.Issuer += "/" }, ""},
		"no id":                     {func(c *provider.Config) { c.ID = "" }, "wanted an id"},
		"no client id":              {func(c *provider.Config) { c.ClientID = "" }, "wanted an id"},
		"no redirect URI":           {func(c *provider.Config) { c.RedirectURI = "" }, "wanted an id"},
		"unknown kind":              {func(c *provider.Config) { c.Kind = "one-login" }, "kind: wanted nhs-login or oidc"},
		"issuer by http":            {func(c *provider.Config) { c.Issuer = "http://login.example.org" }, "issuer: wanted https, got http"},
		"issuer on loopback":        {func(c *provider.Config) { c.Issuer = "http://127.0.0.1:8082" }, "issuer: wanted https, got http"},
		"issuer with a query":       {func(c *provider.Config) { c.Issuer += "?a=b" }, "issuer: wanted no query"},
		"neither key nor secret":    {func(c *provider.Config) { c.Key = nil }, "wanted either a client key or a client secret"},
		"both key and secret":       {func(c *provider.Config) { c.Secret = clientSecret }, "wanted either a client key or a client secret"},
		"NHS login with a secret":   {func(c *provider.Config) { c.Key, c.Secret = nil, clientSecret }, "NHS login knows no client secrets"},
		"NHS login without trust":   {func(c *provider.Config) { c.Trust = nil }, "trust: wanted at least one vector"},
		"NHS login with a map":      {func(c *provider.Config) { c.TrustMap = map[string]identity.Trust{"a": vectors[0]} }, "trust map: wanted none"},
		"oidc with vectors":         {func(c *provider.Config) { c.Kind = provider.OIDC }, "trust: wanted none"},
		"no openid":                 {func(c *provider.Config) { c.Scopes = []string{"profile"} }, "scopes: wanted openid"},
		"odd pkce":                  {func(c *provider.Config) { c.PKCE = "plain" }, "pkce: wanted auto, always or never"},
		"a symmetric algorithm":     {func(c *provider.Config) { c.Algs = []token.Alg{"RS512", "HS256"} }, "algs: wanted some of"},
		"no algorithm at all: none": {func(c *provider.Config) { c.Algs = []token.Alg{"none"} }, "algs: wanted some of"},
	} {
		cfg := provider.Config{
			ID: "nhs-login", Kind: provider.NHSLogin, Issuer: "https://login.example.org", ClientID: "dilys", Key: key, Trust: vectors,
			Scopes: []string{"openid", "profile"}, RedirectURI: redirectURI,
		}
		row.change(&cfg)
		_, err := provider.New(cfg, provider.Options{Now: (&rig{at: start}).now})
		switch {
		case row.fault == "" && err != nil:
			t.Errorf("%s: got %v", name, err)
		case row.fault != "" && (err == nil || !strings.Contains(err.Error(), row.fault)):
			t.Errorf("%s: wanted %q, got %v", name, row.fault, err)
		case err != nil && strings.Contains(err.Error(), clientSecret):
			t.Errorf("%s: the secret is in the error", name)
		}
	}
	if _, err := provider.New(provider.Config{}, provider.Options{}); err == nil || strings.Count(err.Error(), "\n") < 3 {
		t.Errorf("nothing configured: wanted every fault at once, got %v", err)
	}
}
