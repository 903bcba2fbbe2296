package token

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Issuer writes Dilys' tokens.
type Issuer struct {
	url  string
	vtm  string
	ring *Ring
	now  func() time.Time
}

// NewIssuer returns the issuer of that address, exactly as it is configured, which
// signs with the keys of ring.
func NewIssuer(url string, ring *Ring, now func() time.Time) *Issuer {
	return &Issuer{url: url, vtm: strings.TrimSuffix(url, "/") + TrustmarkPath, ring: ring, now: now}
}

// Trustmark is what vtm names (RFC 8485 §5): where it is written what the vectors mean.
func (i *Issuer) Trustmark() string { return i.vtm }

// AccessToken writes an access token (RFC 9068) by alg, empty for ES256, and says
// when it expires: after [AccessLife], or with its session if that ends sooner.
// c.Stamp.ID becomes its jti, a new one where it is empty; the rest of c.Stamp is
// ignored. A session that is over gives an error that wraps
// [identity.ErrExpired].
func (i *Issuer) AccessToken(alg Alg, c AccessClaims) (raw string, expires time.Time, err error) {
	w := c.toWire()
	w.Audience, w.ClientID, w.Scope, w.ID = c.Audience, c.ClientID, c.Scope, c.Stamp.ID
	if c.ClientID == "" {
		return "", time.Time{}, fmt.Errorf("token claims: wanted client_id, got none")
	}
	raw, err = i.issue(alg, TypeAccess, AccessLife, &w)
	return raw, fromNumeric(w.Expires), err
}

// IDToken writes an ID token (OpenID Connect Core §2) by alg, empty for ES256. It
// expires after [IDLife], or with its session if that ends sooner. accessToken is
// the one given with it, bound by at_hash; empty if there is none. c.Stamp is
// ignored. A session that is over gives an error that wraps [identity.ErrExpired].
func (i *Issuer) IDToken(alg Alg, c IDClaims, accessToken string) (string, error) {
	w := c.toWire()
	w.Audience, w.Nonce, w.AtHash = c.Audience, c.Nonce, atHash(accessToken)
	return i.issue(alg, TypeID, IDLife, &w)
}

// issue stamps and signs.
func (i *Issuer) issue(alg Alg, typ string, life time.Duration, w *wire) (string, error) {
	if err := w.complete(); err != nil {
		return "", err
	}
	now := i.now().Unix()
	if w.Ends <= now {
		return "", fmt.Errorf("token: session: %w", identity.ErrExpired)
	}
	w.Issuer, w.VTM = i.url, i.vtm
	if w.ID == "" {
		w.ID = identity.NewID()
	}
	w.Issued, w.Expires = now, min(now+int64(life/time.Second), w.Ends)
	return i.ring.Sign(alg, typ, w)
}

// atHash is the left half of the access token's SHA-256 (OpenID Connect Core
// §3.1.3.6): both our algorithms hash with SHA-256.
func atHash(accessToken string) string {
	if accessToken == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
