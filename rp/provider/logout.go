package provider

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// LoggedOut is what a provider says of a patient who logged out there.
type LoggedOut struct {
	Issuer  string
	Subject string
	ID      string    // jti: it counts once
	Until   time.Time // when the token is too old to be told again
}

const (
	logoutAge    = 5 * time.Minute // of a logout token, from its iat
	maxLogoutJTI = 256
)

// errLogout says that a logout token is none of this provider's for us, or no longer; its
// text says why, and holds nothing of it.
type errLogout string

func (e errLogout) Error() string { return "logout token: " + string(e) }

// IsBadLogout tells a logout token that is refused from trouble in judging it.
func IsBadLogout(err error) bool { return errors.As(err, new(errLogout)) }

// ReadLogout judges a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6). Its sub
// is needed: sid alone names a session of the provider's, of which nothing is kept here.
func (p *Provider) ReadLogout(ctx context.Context, raw string) (LoggedOut, error) {
	m, refused := p.ready(ctx)
	if refused != nil {
		return LoggedOut{}, refused
	}
	payload, err := m.keys.VerifySignature(ctx, raw)
	switch {
	case errors.Is(err, token.ErrRefused):
		return LoggedOut{}, errLogout("wanted it signed by the provider's keys")
	case err != nil:
		return LoggedOut{}, err
	}
	if !isKind(raw, token.TypeLogout) { // one provider of ours sends no typ
		return LoggedOut{}, errLogout("typ: wanted logout+jwt or none")
	}
	c, err := parseClaims(payload)
	if err != nil {
		return LoggedOut{}, errLogout(err.Error())
	}
	return p.judgeLogout(c)
}

func (p *Provider) judgeLogout(c claims) (LoggedOut, error) {
	out := LoggedOut{Issuer: p.cfg.Issuer}
	issuer, _ := c.text("iss")
	audiences, _ := c.texts("aud")
	issued, hasIssued := c.instant("iat")
	expires, hasExpires := c.instant("exp")
	out.Subject, _ = c.text("sub")
	out.ID, _ = c.text("jti")
	out.Until = issued.Add(logoutAge)
	now := p.now()
	switch {
	case issuer != p.cfg.Issuer:
		return out, errLogout("iss: wanted the provider's, got another")
	case len(audiences) == 0 || slices.ContainsFunc(audiences, func(a string) bool { return a != p.cfg.ClientID }):
		return out, errLogout("aud: wanted us alone, got others")
	case c.has("nonce"):
		return out, errLogout("nonce: wanted none, as it would be an ID token")
	case !isLogoutEvent(c["events"]):
		return out, errLogout("events: wanted a back-channel log-out, got something else")
	case out.ID == "" || len(out.ID) > maxLogoutJTI:
		return out, errLogout("jti: wanted one, got none or too long a one")
	case out.Subject == "":
		return out, errLogout("sub: wanted one, got none")
	case !hasIssued || issued.Sub(now) > identity.Skew || now.After(out.Until):
		return out, errLogout("iat: wanted one of the last minutes, got another")
	case c.has("exp") && (!hasExpires || !now.Before(expires.Add(identity.Skew))):
		return out, errLogout("exp: wanted a time to come, got another")
	}
	return out, nil
}

// isLogoutEvent reports whether that is a JSON object with the event as a member, itself
// an object.
func isLogoutEvent(events json.RawMessage) bool {
	var members map[string]map[string]any
	if json.Unmarshal(events, &members) != nil {
		return false
	}
	return members[token.LogoutEvent] != nil
}
