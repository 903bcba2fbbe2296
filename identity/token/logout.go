package token

import (
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// TypeLogout is the kind of a logout token (OpenID Connect Back-Channel Logout 1.0
// §2.4).
const TypeLogout = "logout+jwt"

// LogoutLife is how long a logout token is good: as long as its sending takes.
const LogoutLife = 2 * time.Minute

// LogoutEvent is what a logout token says has happened.
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutClaims is what a logout token says. It never has a nonce, so that it can't be
// taken for an ID token.
type LogoutClaims struct {
	Subject   string // sub: the patient, as this portal knows them
	SessionID string // sid
	Audience  string // aud: the portal's id
}

// logoutWire is the claims as they stand in a logout token.
type logoutWire struct {
	Issuer   string              `json:"iss"`
	Subject  string              `json:"sub"`
	Audience string              `json:"aud"`
	Expires  int64               `json:"exp"`
	Issued   int64               `json:"iat"`
	ID       string              `json:"jti"`
	Session  string              `json:"sid"`
	Events   map[string]struct{} `json:"events"`
}

// LogoutToken writes a logout token by alg, empty for ES256.
func (i *Issuer) LogoutToken(alg Alg, c LogoutClaims) (string, error) {
	if c.Subject == "" || c.SessionID == "" || c.Audience == "" {
		return "", errors.New("logout token: wanted sub, sid and aud, got fewer")
	}
	now := i.now()
	return i.ring.Sign(alg, TypeLogout, logoutWire{
		Issuer: i.url, Subject: c.Subject, Audience: c.Audience, Expires: now.Add(LogoutLife).Unix(), Issued: now.Unix(),
		ID: identity.NewID(), Session: c.SessionID, Events: map[string]struct{}{LogoutEvent: {}},
	})
}
