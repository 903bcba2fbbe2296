package token

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// skew is how far ahead the clock of another machine may be.
const skew = 60 * time.Second

// Verifier reads Dilys' own tokens: Dilys itself by its [Ring], a portal or gateway
// by a [KeySet]. Its zero value is of no use.
type Verifier struct {
	issuer string
	keys   Keys
	now    func() time.Time
	seen   seen
}

// NewVerifier returns a verifier of the tokens of that issuer, compared exactly,
// signed by keys: a *[Ring] or a *[KeySet].
func NewVerifier(issuer string, keys Keys, now func() time.Time) *Verifier {
	return &Verifier{issuer: issuer, keys: keys, now: now}
}

// AccessToken reads an access token for that audience, compared exactly (RFC 9068
// §4). Expiry has no leeway, for it is that of the session; iat and nbf may be up
// to 60 s ahead. Errors wrap [ErrRefused], with [identity.ErrExpired] if that is
// why, or [ErrNoKeys] when nothing could be judged.
func (v *Verifier) AccessToken(ctx context.Context, raw, audience string) (AccessClaims, error) {
	c, err := v.Access(ctx, raw, audience)
	if err != nil {
		return AccessClaims{}, err
	}
	return *c, nil
}

// Access is AccessToken for the hot path: what it returns is shared, and must not be
// changed. A token that was verified before costs a look-up, until its keys change.
func (v *Verifier) Access(ctx context.Context, raw, audience string) (*AccessClaims, error) {
	return v.AccessFor(ctx, raw, func(named string) bool { return named == audience })
}

// AccessFor is Access for any audience that admits says yes to; one without a name is
// never asked about.
func (v *Verifier) AccessFor(ctx context.Context, raw string, admits func(audience string) bool) (*AccessClaims, error) {
	by := v.keys.state()
	c := v.seen.get(by, raw)
	known := c != nil
	if !known {
		var err error
		if c, err = v.readAccess(ctx, raw); err != nil {
			return nil, err
		}
	}
	switch {
	case c.Audience == "" || !admits(c.Audience):
		return nil, refused("aud: wanted the audience asked for, got another")
	case !v.now().Before(c.Stamp.Expires):
		return nil, refused("exp: %w", identity.ErrExpired)
	}
	if !known && v.keys.state() == by { // or else by keys that may be gone
		v.seen.put(by, raw, c)
	}
	return c, nil
}

func (v *Verifier) readAccess(ctx context.Context, raw string) (*AccessClaims, error) {
	w, err := v.read(ctx, raw, TypeAccess)
	if err != nil {
		return nil, err
	}
	if w.ClientID == "" {
		return nil, refused("client_id: wanted one, got none")
	}
	c, err := w.claims()
	if err != nil {
		return nil, err
	}
	return &AccessClaims{Claims: c, Audience: w.Audience, ClientID: w.ClientID, Scope: w.Scope, Stamp: w.stamp()}, nil
}

// IDTokenHint reads an ID token that came back as a hint (OpenID Connect
// RP-Initiated Logout §2): it may be expired, and its audience is for the caller to
// judge. It proves that we once issued it, never that somebody is logged in. Errors
// are as those of AccessToken.
func (v *Verifier) IDTokenHint(ctx context.Context, raw string) (IDClaims, error) {
	w, err := v.read(ctx, raw, TypeID)
	if err != nil {
		return IDClaims{}, err
	}
	c, err := w.claims()
	if err != nil {
		return IDClaims{}, err
	}
	return IDClaims{Claims: c, Audience: w.Audience, Nonce: w.Nonce, Stamp: w.stamp()}, nil
}

// read returns the claims of a token of that kind that we signed and that is
// complete. It does not look at exp.
func (v *Verifier) read(ctx context.Context, raw, typ string) (wire, error) {
	t, err := parse(raw, v.keys.algs())
	if err != nil {
		return wire{}, err
	}
	if t.typ != typ { // before the signature: kinds never swap (RFC 8725 §3.11)
		return wire{}, refused("typ: wanted %q, got %.20q", typ, t.typ)
	}
	if t.kid == "" {
		return wire{}, refused("kid: wanted one, got none")
	}
	payload, err := v.keys.verify(ctx, t)
	if err != nil {
		return wire{}, err
	}
	var w wire
	if err := json.Unmarshal(payload, &w); err != nil { // err may quote a claim: dropped
		return wire{}, refused("claims: wanted those that we write, got others")
	}
	return w, v.check(w)
}

// check judges what every kind must say.
func (v *Verifier) check(w wire) error {
	if v.issuer == "" || w.Issuer != v.issuer {
		return refused("iss: wanted our own, got another")
	}
	if w.Subject == "" || w.Audience == "" || w.ID == "" || w.Session == "" || w.Expires <= 0 || w.Issued <= 0 {
		return refused("claims: wanted sub, aud, jti, sid, exp and iat, got fewer")
	}
	latest := v.now().Add(skew).Unix()
	if w.Issued > latest || w.NotYet > latest {
		return refused("iat: wanted a time up to %s ahead, got a later one", skew)
	}
	return nil
}
