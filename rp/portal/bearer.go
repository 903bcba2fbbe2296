package portal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

// bearerOf returns the Bearer token (RFC 6750 §2.1) of the Authorization headers
// and whether one was given. Two of them are as good as a wrong one. Other schemes
// are none of ours.
func bearerOf(authorization []string) (raw identity.Secret, given bool) {
	for _, value := range authorization {
		scheme, rest, _ := strings.Cut(value, " ")
		if strings.EqualFold(scheme, "Bearer") {
			raw, given = identity.Secret(strings.TrimLeft(rest, " ")), true
		}
	}
	if len(authorization) > 1 {
		raw = ""
	}
	return raw, given
}

// holder is who presents an access token: the portal it was given to, and the
// living session it is of.
type holder struct {
	claims  token.AccessClaims
	portal  *Portal
	session session.Session
}

// holding reads an access token for an audience admitted and the session behind it. The
// session decides, not the token: what ended, or was revoked, since it was signed
// is over. [isBadToken] tells a token that opens nothing from a store that can't say.
func (p *Portals) holding(ctx context.Context, raw identity.Secret, admits func(audience string) bool) (holder, error) {
	claims, err := p.verifier.AccessFor(ctx, raw.Reveal(), admits)
	if err != nil {
		return holder{}, err
	}
	portal := p.portal(claims.ClientID)
	if portal == nil || portal.Audience != claims.Audience {
		return holder{}, fmt.Errorf("client_id: wanted a portal with that audience, got another: %w", token.ErrRefused)
	}
	// A code or refresh token that was used twice takes back what it gave (OAuth 2.0
	// §4.1.2), and so does a revocation.
	s, err := p.sessions.OfGrant(ctx, grantOf(claims.Stamp.ID))
	if err != nil {
		return holder{}, fmt.Errorf("session of the token: %w", err)
	}
	switch {
	case s.Handle != claims.SessionID:
		return holder{}, fmt.Errorf("sid: wanted that of the grant, got another: %w", token.ErrRefused)
	case p.subject(portal, s) != claims.Subject:
		return holder{}, fmt.Errorf("sub: wanted the patient of the session, got another: %w", token.ErrRefused)
	case !s.Trust.SatisfiesAny(portal.Trust): // what the session proved has fallen since
		return holder{}, fmt.Errorf("acr: wanted what the portal asks for, got less: %w", token.ErrRefused)
	}
	return holder{*claims, portal, s}, nil
}

// An access token's jti begins with its grant, so that the grant is found without
// a row for every token.
const grantMark = "."

func tokenID(grant string) string { return grant + grantMark + identity.NewID() }

func grantOf(tokenID string) string {
	grant, _, _ := strings.Cut(tokenID, grantMark)
	return grant
}

// isBadToken tells a token that opens nothing from trouble of ours.
func isBadToken(err error) bool { return errors.Is(err, token.ErrRefused) || identity.IsOver(err) }

// isPortals reports whether it is the audience of a portal of ours.
func (p *Portals) isPortals(audience string) bool { return p.audiences[audience] }

// only admits one audience.
func only(audience string) func(string) bool {
	return func(named string) bool { return named == audience }
}
