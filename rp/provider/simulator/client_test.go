package simulator

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// TestOrdinaryClientLogsIn is a client on go-oidc and x/oauth2 that knows nothing of
// this provider but its issuer and its own key.
func TestOrdinaryClientLogsIn(t *testing.T) {
	for name, slash := range map[string]string{"plain issuer": "", "issuer with a slash": "/"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *Options, _ *Client) { o.Strict, o.PKCE, o.AtHash = true, true, true })
			issuer := r.url + slash
			if err := r.sim.SetIssuer(issuer); err != nil {
				t.Fatal(err)
			}
			ctx := oidc.ClientContext(t.Context(), http.DefaultClient)
			provider, err := oidc.NewProvider(ctx, issuer)
			if err != nil {
				t.Fatal(err)
			}
			config := oauth2.Config{
				ClientID: r.client.ID, RedirectURL: callback, Endpoint: provider.Endpoint(),
				Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
			}
			config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
			verifier := oauth2.GenerateVerifier()
			back, _, _ := r.visit(r.browser, config.AuthCodeURL(
				"the-state", oidc.Nonce("the-nonce"), oauth2.S256ChallengeOption(verifier),
				oauth2.SetAuthURLParam("vtr", `["P9.Cp.Cd","P9.Cp.Ck","P9.Cm"]`), oauth2.SetAuthURLParam("login_hint", "long-name")))
			if back.Get("state") != "the-state" {
				t.Fatalf("state: got %v", back)
			}
			token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier),
				oauth2.SetAuthURLParam("client_assertion_type", assertionType),
				oauth2.SetAuthURLParam("client_assertion", r.assertion()))
			if err != nil {
				t.Fatal(err)
			}
			checkOrdinary(t, ctx, r, provider, token)
		})
	}
}

func checkOrdinary(t *testing.T, ctx context.Context, r *rig, provider *oidc.Provider, token *oauth2.Token) {
	t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{
		ClientID: r.client.ID, SupportedSigningAlgs: []string{oidc.RS512}, Now: func() time.Time { return r.now() },
	}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		t.Errorf("at_hash: %v", err)
	}
	if id.Nonce != "the-nonce" {
		t.Errorf("nonce: got %q", id.Nonce)
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != id.Subject || info.Email != "long-name@example.com" || !info.EmailVerified {
		t.Errorf("userinfo: got %q", info.Email)
	}
	if r.warned("go") || len(r.warnings) != 1 { // login_hint, ours
		t.Errorf("warnings: wanted one, got %q", r.warnings)
	}
}

func TestProviderOfAnotherAlg(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256", "ES256"} {
		r := newRig(t, func(o *Options, _ *Client) { o.Alg, o.AtHash = alg, true })
		provider, err := oidc.NewProvider(t.Context(), r.url)
		if err != nil {
			t.Fatal(err)
		}
		doc := r.tokens()
		id, err := provider.Verifier(&oidc.Config{ClientID: "portal", SupportedSigningAlgs: []string{alg}, Now: r.now}).
			Verify(t.Context(), doc["id_token"].(string))
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if err := id.VerifyAccessToken(doc["access_token"].(string)); err != nil {
			t.Errorf("%s: at_hash: %v", alg, err)
		}
	}
}
