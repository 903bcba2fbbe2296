package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dilys-id/dilys/identity"
)

// ClientAlgs are the algorithms by which a client may sign what proves it
// (private_key_jwt): the RS, PS and ES families.
var ClientAlgs = []Alg{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
}

// ClientAssertion is what is left to judge of an assertion that proves a client.
type ClientAssertion struct {
	ID      string    // jti: it may be used once
	Expires time.Time // when nobody can use it any more
}

// clientTypes are the types that a client assertion may have: none, the general one,
// and its own (RFC 7523 as it is being updated).
var clientTypes = []string{"", "jwt", "client-authentication+jwt"}

const maxJTI = 256

// ReadClientAssertion reads an assertion by which that client proves itself
// (private_key_jwt: RFC 7523 §3, OpenID Connect Core §9): signed by one of its keys, iss
// and sub the client, aud one plain string of audiences, and good for at most
// [MaxAssertionLife] from now. Errors wrap [ErrRefused], or [ErrNoKeys] when nothing
// could be judged. That it is used once is left to the caller.
func ReadClientAssertion(ctx context.Context, raw string, keys *KeySet, clientID string, audiences []string, now time.Time) (ClientAssertion, error) {
	t, err := parse(raw, keys.algs())
	if err != nil {
		return ClientAssertion{}, err
	}
	if !slices.Contains(clientTypes, strings.ToLower(t.typ)) {
		return ClientAssertion{}, refused("typ: wanted JWT or none, got another")
	}
	payload, err := keys.VerifySignature(ctx, raw)
	if err != nil {
		return ClientAssertion{}, err
	}
	var c clientClaims
	if err := json.Unmarshal(payload, &c); err != nil { // err may quote a claim: dropped
		return ClientAssertion{}, refused("claims: wanted iss, sub, aud, jti and exp, aud one string, got others")
	}
	return ClientAssertion{ID: c.ID, Expires: time.Unix(c.Expires, 0)}, c.check(clientID, audiences, now)
}

// clientClaims are those of a client assertion that count.
type clientClaims struct {
	assertion
	NotYet int64 `json:"nbf"`
}

func (c clientClaims) check(clientID string, audiences []string, now time.Time) error {
	expires := time.Unix(c.Expires, 0)
	latest := now.Add(skew).Unix()
	switch {
	case clientID == "" || c.Issuer != clientID || c.Subject != clientID:
		return refused("iss and sub: wanted the client's id, got another")
	case !slices.Contains(audiences, c.Audience):
		return refused("aud: wanted the issuer or the endpoint, got another")
	case c.ID == "" || len(c.ID) > maxJTI:
		return refused("jti: wanted 1 to %d bytes, got %d", maxJTI, len(c.ID))
	case !now.Before(expires):
		return refused("exp: %w", identity.ErrExpired)
	case expires.Sub(now) > MaxAssertionLife+skew:
		return refused("exp: wanted a time up to %s ahead, got a later one", MaxAssertionLife)
	case c.Issued > latest || c.NotYet > latest:
		return refused("iat: wanted a time up to %s ahead, got a later one", skew)
	}
	return nil
}

// Unverified reads claims of a token that nobody has verified yet into v, and reports
// whether there were any. It is for choosing by which key or audience to verify, and for
// nothing else.
func Unverified(raw string, v any) bool {
	parts := strings.SplitN(raw, ".", 4)
	if len(raw) > maxToken || len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && json.Unmarshal(payload, v) == nil
}
