package portal

import (
	"context"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

// hostToken is what a token says that can change in the life of a session.
type hostToken struct {
	showing
	proved time.Time
}

type kept struct {
	raw   string
	until time.Time // half its life: whoever gets it has the other half to use it in
}

// hostTokensAtMost bounds a generation of them.
const hostTokensAtMost = 10_000

// tokenFor returns an access token of the session for that host, which is its audience
// and its client_id: it is no portal's, and userinfo refuses it. It is kept, so that
// signing one is not the price of every request.
func (p *Portals) tokenFor(host string, s session.Session) (string, error) {
	k := hostToken{showing{s.Handle, host, s.Trust.String()}, s.AuthTime}
	now := p.now()
	if v, found := p.hostTokens.get(k); found && now.Before(v.until) {
		return v.raw, nil
	}
	claims := p.claimsOf(&Portal{ID: host}, s)
	raw, expires, err := p.tokens.AccessToken(token.ES256, token.AccessClaims{Claims: claims, Audience: host, ClientID: host})
	if err != nil {
		return "", fmt.Errorf("sign the host's token: %w", err)
	}
	p.hostTokens.put(k, kept{raw, now.Add(expires.Sub(now) / 2)})
	return raw, nil
}

// atHost returns the session of a token that the host was given by a check; false if it
// is not one.
func (p *Portals) atHost(ctx context.Context, raw identity.Secret, host string) (s session.Session, is bool, err error) {
	h := p.gateway[host]
	if h == nil || !h.token || p.portals[host] != nil {
		return s, false, nil
	}
	claims, err := p.verifier.Access(ctx, raw.Reveal(), host)
	if err != nil || claims.ClientID != host {
		return s, false, nil // a portal's token is judged as that
	}
	s, err = p.sessions.ByHandle(ctx, claims.SessionID)
	switch {
	case err != nil:
		return s, true, fmt.Errorf("session of the token: %w", err)
	case s.SubjectFor(host) != claims.Subject:
		return s, true, fmt.Errorf("sub: wanted the patient of the session, got another: %w", token.ErrRefused)
	}
	return s, true, nil
}
