package provider

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

const (
	maxSubject = 255            // OpenID Connect Core §2
	maxTokenID = 512            // of a jti that is kept
	longest    = 24 * time.Hour // that an ID token may live; it is used at once
)

// expected is what an ID token is judged by.
type expected struct {
	issuer, client string
	nonce          identity.Secret
	now            time.Time
}

// idToken returns the claims of an ID token that is for this login (OpenID
// Connect Core §3.1.3.7).
func (p *Provider) idToken(ctx context.Context, m *metadata, t *oauth2.Token, want expected) (claims, *Refusal) {
	raw, _ := t.Extra("id_token").(string)
	if raw == "" {
		return nil, refuse(BadToken, causeNoIDToken)
	}
	keys := &witness{keys: m.keys}
	parsed, err := oidc.NewVerifier(want.issuer, keys, p.verification()).Verify(ctx, raw)
	if err != nil {
		return nil, keys.judge(ctx)
	}
	if !isKind(raw, "JWT") {
		return nil, refuse(BadToken, causeKind)
	}
	c, err := parseClaims(keys.payload)
	if err != nil {
		return nil, refuse(BadToken, causeClaims)
	}
	if refused := judgeIDToken(c, want); refused != nil {
		return nil, refused
	}
	if c.has("at_hash") && parsed.VerifyAccessToken(t.AccessToken) != nil {
		return nil, refuse(BadToken, causeAtHash)
	}
	return c, nil
}

// verification is what go-oidc is left to judge: the algorithm, the signature and
// the shape. The rest is skipped because [judgeIDToken] is stricter: go-oidc knows
// a second issuer name of Google's, lets others into the audience, and gives nbf
// five minutes and exp none.
func (p *Provider) verification() *oidc.Config {
	algs := make([]string, len(p.cfg.Algs))
	for i, alg := range p.cfg.Algs {
		algs[i] = string(alg)
	}
	return &oidc.Config{
		SupportedSigningAlgs: algs, Now: p.now,
		SkipIssuerCheck: true, SkipClientIDCheck: true, SkipExpiryCheck: true,
	}
}

// witness keeps what the key set said of a signature: go-oidc turns it into text.
type witness struct {
	keys    *token.KeySet
	payload []byte
	err     error
}

// VerifySignature asks the key set.
func (w *witness) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	w.payload, w.err = w.keys.VerifySignature(ctx, raw)
	return w.payload, w.err
}

// judge says why a token was not verified.
func (w *witness) judge(ctx context.Context) *Refusal {
	switch {
	case errors.Is(w.err, token.ErrNoKeys):
		return down(causeKeys, w.err)
	case w.err != nil && ctx.Err() != nil:
		return down(causeKeys, fault("key set: wanted an answer in time, got none"))
	case w.payload != nil:
		return refuse(BadToken, causeClaims) // signed, and of the wrong shape
	}
	return &Refusal{Kind: BadToken, Cause: causeSignature, Err: w.err}
}

// isKind reports whether the header says that it is that kind of token, or nothing: what
// is signed to be another kind never passes for it (RFC 8725 §3.11). raw is verified.
func isKind(raw, kind string) bool {
	segment, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return false
	}
	header, err := parseClaims(text)
	if err != nil {
		return false
	}
	typ, _ := header.text("typ")
	return !header.has("typ") || strings.EqualFold(typ, kind)
}

// judgeIDToken judges the claims of a verified ID token. It is pure.
func judgeIDToken(c claims, want expected) *Refusal {
	for _, judge := range []func(claims, expected) string{judgeParties, judgeTimes, judgeNonce, judgeSubject} {
		if cause := judge(c, want); cause != "" {
			return refuse(BadToken, cause)
		}
	}
	return nil
}

// judgeParties: from this issuer, to us, and to nobody else: another audience
// could present the token here as its own.
func judgeParties(c claims, want expected) string {
	if issuer, _ := c.text("iss"); issuer != want.issuer {
		return causeIssuer
	}
	audience, _ := c.texts("aud")
	if len(audience) == 0 || slices.ContainsFunc(audience, func(a string) bool { return a != want.client }) {
		return causeAudience
	}
	if party, _ := c.text("azp"); c.has("azp") && party != want.client {
		return causeParty
	}
	return ""
}

// judgeTimes allows two honest clocks to differ ([identity.Skew]).
func judgeTimes(c claims, want expected) string {
	expires, ok := c.instant("exp")
	switch {
	case !ok || expires.Sub(want.now) > longest:
		return causeExpiry
	case want.now.Sub(expires) > identity.Skew:
		return causeExpired
	}
	if issued, ok := c.instant("iat"); !ok || issued.Sub(want.now) > identity.Skew {
		return causeIssued
	}
	if from, ok := c.instant("nbf"); c.has("nbf") && (!ok || from.Sub(want.now) > identity.Skew) {
		return causeNotYet
	}
	return ""
}

func judgeNonce(c claims, want expected) string {
	if nonce, _ := c.text("nonce"); !want.nonce.Equal(identity.Secret(nonce)) {
		return causeNonce
	}
	return ""
}

// judgeSubject takes up to 255 printable ASCII characters, compared byte by byte
// ever after.
func judgeSubject(c claims, _ expected) string {
	subject, _ := c.text("sub")
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.TrimSpace(subject) == "" || len(subject) > maxSubject || strings.ContainsFunc(subject, odd) {
		return causeSubject
	}
	return ""
}

// authTime returns when the provider last proved the patient, by its own word. One
// that is absent, unreadable or in the future proves nothing and is left out.
func authTime(c claims, now time.Time) time.Time {
	at, ok := c.instant("auth_time")
	if !ok || at.Sub(now) > identity.Skew {
		return time.Time{}
	}
	return at
}

// tokenID returns the jti, which NHS login asks for again when we assert who is
// here; or nothing.
func tokenID(c claims) string {
	id, _ := c.text("jti")
	if len(id) > maxTokenID {
		return ""
	}
	return id
}
