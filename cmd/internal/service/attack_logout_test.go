package service_test

import (
	"crypto/rsa"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// logoutToken is what NHS login would say of Mair, changed: nil takes a claim out.
func (w *world) logoutToken(t *testing.T, change map[string]any, with ...func(*jose.SigningKey, *jose.SignerOptions)) string {
	t.Helper()
	key := jose.SigningKey{Algorithm: jose.RS512, Key: firstKey()}
	options := (&jose.SignerOptions{}).WithType("logout+jwt")
	for _, w := range with {
		w(&key, options)
	}
	signer, err := jose.NewSigner(key, options)
	must(t, err)
	now := w.clock.Now()
	claims := map[string]any{
		"iss": w.simURL, "aud": "dilys-test", "sub": mairsSubject, "jti": identity.NewID(), "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"events": map[string]any{token.LogoutEvent: map[string]any{}},
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	must(t, err)
	return raw
}

// toldByProvider sends a logout token as the provider does: from a server, with no cookie.
func (w *world) toldByProvider(raw string) page {
	return w.browser().send(http.MethodPost, "/login/nhs-login/logged-out", url.Values{"logout_token": {raw}}, nil)
}

func TestB11LogoutTokens(t *testing.T) {
	w := newWorld(t)
	mair, sion := w.browser(), w.browser()
	mair.login("mair-prawf")
	sion.login("nia-dwbl")
	if !mair.loggedIn() || !sion.loggedIn() {
		t.Fatal("wanted two patients")
	}
	at := func(d time.Duration) int64 { return w.clock.Now().Add(d).Unix() }
	type options = *jose.SignerOptions
	for name, row := range map[string]struct {
		change map[string]any
		with   func(*jose.SigningKey, options)
	}{
		"another issuer":          {change: map[string]any{"iss": "https://evil.example"}},
		"another audience":        {change: map[string]any{"aud": "somebody"}},
		"an audience beside ours": {change: map[string]any{"aud": []string{"dilys-test", "somebody"}}},
		"no audience":             {change: map[string]any{"aud": nil}},
		"a nonce":                 {change: map[string]any{"nonce": "x"}},
		"no events":               {change: map[string]any{"events": nil}},
		"another event":           {change: map[string]any{"events": map[string]any{"http://schemas.openid.net/event/other": map[string]any{}}}},
		"an event that is text":   {change: map[string]any{"events": map[string]any{token.LogoutEvent: "x"}}},
		"events that are a list":  {change: map[string]any{"events": []string{token.LogoutEvent}}},
		"no jti":                  {change: map[string]any{"jti": nil}},
		"no sub":                  {change: map[string]any{"sub": nil, "sid": "x"}},
		"no iat":                  {change: map[string]any{"iat": nil}},
		"old":                     {change: map[string]any{"iat": at(-6 * time.Minute), "exp": nil}},
		"of the future":           {change: map[string]any{"iat": at(2 * time.Minute)}},
		"expired":                 {change: map[string]any{"exp": at(-2 * time.Minute)}},
		"exp that is text":        {change: map[string]any{"exp": "soon"}},
		"typ of an ID token":      {with: func(_ *jose.SigningKey, o options) { o.WithType("JWT") }},
		"typ of an access token":  {with: func(_ *jose.SigningKey, o options) { o.WithType("at+jwt") }},
		"another's key":           {with: func(k *jose.SigningKey, _ options) { k.Key = secondKey() }},
		"another algorithm":       {with: func(k *jose.SigningKey, _ options) { k.Algorithm = jose.PS512 }},
		"HS512 by the public key": {with: func(k *jose.SigningKey, _ options) { k.Algorithm, k.Key = jose.HS512, publicPEM(firstKey()) }},
	} {
		with := row.with
		if with == nil {
			with = func(*jose.SigningKey, options) {}
		}
		if p := w.toldByProvider(w.logoutToken(t, row.change, with)); p.StatusCode != http.StatusBadRequest || p.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: wanted 400, got %d", name, p.StatusCode)
		}
	}
	for name, raw := range map[string]string{"nothing": "", "garbage": "x", "alg none": "eyJhbGciOiJub25lIn0." + strings.Split(w.logoutToken(t, nil), ".")[1] + "."} {
		if p := w.toldByProvider(raw); p.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: wanted 400, got %d", name, p.StatusCode)
		}
	}
	if p := w.toldByProvider(w.logoutToken(t, map[string]any{"sub": "nobody"})); p.StatusCode != http.StatusOK {
		t.Errorf("a patient whom nobody knows: wanted 200, got %d", p.StatusCode)
	}
	if !mair.loggedIn() {
		t.Fatal("a token that was refused ended a session")
	}
	raw := w.logoutToken(t, nil, func(_ *jose.SigningKey, o options) { delete(o.ExtraHeaders, jose.HeaderType) })
	if p := w.toldByProvider(raw); p.StatusCode != http.StatusOK {
		t.Errorf("without typ: wanted 200, got %d", p.StatusCode)
	}
	if mair.loggedIn() || !sion.loggedIn() {
		t.Error("wanted her session over, and no other")
	}
	mair.login("mair-prawf")
	if p := w.toldByProvider(raw); p.StatusCode != http.StatusBadRequest || !mair.loggedIn() {
		t.Errorf("a second time: wanted 400 and nothing done, got %d", p.StatusCode)
	}
}

func publicPEM(key *rsa.PrivateKey) []byte { return key.N.Bytes() }
