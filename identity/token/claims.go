package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// The kinds of token, as their typ header names them. One is never taken for
// another (RFC 8725 §3.11).
const (
	TypeID     = "JWT"
	TypeAccess = "at+jwt" // RFC 9068 §2.1
)

// How long tokens live, unless their session ends sooner.
const (
	IDLife     = 2 * time.Minute
	AccessLife = 3 * time.Minute
)

// TrustmarkPath, behind the issuer's address, is what vtm names (RFC 8485 §5):
// where it is written what our vectors mean.
const TrustmarkPath = "/trustmark"

// Claims is what both kinds of token say of a session. Times are whole seconds on
// the wire. No name, contact or NHS number is here: those come from userinfo.
type Claims struct {
	Subject   string            // sub: the account, as this portal knows it
	SessionID string            // sid: the session's handle, never the cookie's id
	Trust     identity.Trust    // acr and vot: the vector reached
	Methods   []string          // amr (RFC 8176)
	AuthTime  time.Time         // auth_time; zero: left out
	Proofing  identity.Proofing // identity_proofing_level: the highest the account holds
	Provider  string            // idp: who proved the patient in this session; empty for Dilys' own
	Ends      time.Time         // session_ends: no token lives longer
	IdleEnds  time.Time         // session_idle_ends; zero: left out
}

// Stamp is what the issuer adds to a token; [Verifier] tells it, [Issuer] sets it.
type Stamp struct {
	ID      string // jti
	Issued  time.Time
	Expires time.Time
}

// IDClaims is what an ID token says (OpenID Connect Core §2).
type IDClaims struct {
	Claims
	Audience string // aud: the portal's id
	Nonce    string // as the portal sent it; empty: left out
	Stamp    Stamp
}

// AccessClaims is what an access token says (RFC 9068 §2.2).
type AccessClaims struct {
	Claims
	Audience string // aud: the one resource that may believe it
	ClientID string // client_id: the portal it was given to
	Scope    string // space-separated (RFC 6749 §3.3); empty: left out
	Stamp    Stamp
}

// wire is the claims as they stand in a token. aud is one plain string: a list
// would be believed by more than one.
type wire struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	NotYet   int64    `json:"nbf,omitempty"` // never written, honoured when read
	ID       string   `json:"jti"`
	Session  string   `json:"sid"`
	ACR      string   `json:"acr"`
	VOT      string   `json:"vot"`
	VTM      string   `json:"vtm"`
	Methods  []string `json:"amr,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Proofing string   `json:"identity_proofing_level"`
	Provider string   `json:"idp,omitempty"`
	Ends     int64    `json:"session_ends"`
	IdleEnds int64    `json:"session_idle_ends,omitempty"`
	Nonce    string   `json:"nonce,omitempty"`
	AtHash   string   `json:"at_hash,omitempty"`
	ClientID string   `json:"client_id,omitempty"`
	Scope    string   `json:"scope,omitempty"`
}

// toWire writes the shared claims.
func (c Claims) toWire() wire {
	vector := c.Trust.String()
	return wire{
		Subject: c.Subject, Session: c.SessionID, ACR: vector, VOT: vector, Methods: c.Methods,
		AuthTime: toNumeric(c.AuthTime), Proofing: c.Proofing.String(), Provider: c.Provider,
		Ends: toNumeric(c.Ends), IdleEnds: toNumeric(c.IdleEnds),
	}
}

// levels and vectors are all that can be written of trust, by its one spelling:
// every request reads a token, and a lookup is cheaper than parsing.
var levels, vectors = spellings()

func spellings() (map[string]identity.Proofing, map[string]identity.Trust) {
	levels, vectors := map[string]identity.Proofing{}, map[string]identity.Trust{}
	for _, p := range []identity.Proofing{identity.P0, identity.P5, identity.P9} {
		levels[p.String()] = p
		for c := identity.Cp; c < identity.Cm<<1; c++ {
			t := identity.Trust{P: p, C: c}
			vectors[t.String()] = t
		}
	}
	return levels, vectors
}

// claims reads the shared claims.
func (w wire) claims() (Claims, error) {
	trust, ok := vectors[w.ACR]
	if !ok || w.VOT != w.ACR {
		return Claims{}, refused("acr: wanted a vector of trust, equal to vot, got something else")
	}
	proofing, ok := levels[w.Proofing]
	if !ok {
		return Claims{}, refused("identity_proofing_level: wanted P0, P5 or P9, got something else")
	}
	return Claims{
		Subject: w.Subject, SessionID: w.Session, Trust: trust, Methods: w.Methods,
		AuthTime: fromNumeric(w.AuthTime), Proofing: proofing, Provider: w.Provider,
		Ends: fromNumeric(w.Ends), IdleEnds: fromNumeric(w.IdleEnds),
	}, nil
}

func (w wire) stamp() Stamp {
	return Stamp{ID: w.ID, Issued: fromNumeric(w.Issued), Expires: fromNumeric(w.Expires)}
}

// complete refuses to write a token that its reader would refuse.
func (w wire) complete() error {
	for _, c := range [...]struct{ name, value string }{{"sub", w.Subject}, {"aud", w.Audience}, {"sid", w.Session}} {
		if c.value == "" {
			return fmt.Errorf("token claims: wanted %s, got none", c.name)
		}
	}
	if _, ok := vectors[w.ACR]; !ok {
		return errors.New("token claims: wanted a vector of trust with a credential, got none")
	}
	return nil
}

// toNumeric writes a NumericDate (RFC 7519 §2); the zero time is 0, which is left
// out.
func toNumeric(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// fromNumeric reads what toNumeric wrote, in UTC.
func fromNumeric(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
