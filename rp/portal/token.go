package portal

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

// Token exchanges an authorization code for tokens (POST; OAuth 2.0 §4.1.3,
// OpenID Connect Core §3.1.3). It writes every answer itself; an error is for the
// log, and was answered with 503.
func (p *Portals) Token(w http.ResponseWriter, r *http.Request) error {
	form, refused := readForm(w, r)
	var portal *Portal
	if refused == nil {
		portal, refused = p.authenticate(r, form)
	}
	if refused != nil {
		p.note(r.Context(), "", refused.cause)
		return refused.write(w)
	}
	answer, err := p.exchange(r.Context(), portal, form)
	switch {
	case errors.As(err, &refused):
		p.note(r.Context(), portal.ID, refused.cause)
		return refused.write(w)
	case err != nil:
		return unavailable(w, err)
	}
	p.note(r.Context(), portal.ID, "")
	return writeJSON(w, http.StatusOK, answer)
}

// tokenAnswer is RFC 6749 §5.1 and OpenID Connect Core §3.1.3.3.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	IDToken     string `json:"id_token"`
	Scope       string `json:"scope"`
}

// invalidGrant is the one answer to every code that gives nothing: why is for our
// log, not for who may be guessing.
func invalidGrant(cause string) *protocolError {
	return &protocolError{
		status: http.StatusBadRequest, code: "invalid_grant", cause: cause,
		detail: "the code is unknown, was used, has expired, or is not of this client, redirect_uri, code_verifier or a living session",
	}
}

func (p *Portals) exchange(ctx context.Context, portal *Portal, form url.Values) (tokenAnswer, error) {
	values, err := readOnce(form, "grant_type", "code", "redirect_uri", "code_verifier")
	switch {
	case err != nil:
		return tokenAnswer{}, refuseForm("parameter-repeated", err.Error())
	case values["grant_type"] == "":
		return tokenAnswer{}, refuseForm("no-grant-type", "grant_type: wanted authorization_code, got none")
	case values["grant_type"] != "authorization_code":
		return tokenAnswer{}, &protocolError{
			status: http.StatusBadRequest, code: "unsupported_grant_type", detail: "grant_type: wanted authorization_code", cause: "grant-type",
		}
	case values["code"] == "":
		return tokenAnswer{}, refuseForm("no-code", "code: wanted one, got none")
	}
	c, err := p.spend(ctx, portal, values)
	if err != nil {
		return tokenAnswer{}, err
	}
	s, err := p.redeem(ctx, portal, c)
	if err != nil {
		return tokenAnswer{}, err
	}
	return p.issue(portal, c, s)
}

// spend takes the code before anything it guards is looked at, so that of many who
// try at once one has it, and a wrong try costs the code.
func (p *Portals) spend(ctx context.Context, portal *Portal, values map[string]string) (grant.Code, error) {
	code := identity.Secret(values["code"])
	if !code.IsToken() {
		return grant.Code{}, invalidGrant("code-unknown")
	}
	c, err := p.grants.Spend(ctx, code.Digest(), instant(p.now()))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return grant.Code{}, invalidGrant("code-unknown")
	case errors.Is(err, identity.ErrSpent):
		return grant.Code{}, p.reused(ctx, portal, c)
	case err != nil:
		return grant.Code{}, fmt.Errorf("spend the code: %w", err)
	}
	if cause := misused(c, portal, values, p.now()); cause != "" {
		return grant.Code{}, invalidGrant(cause)
	}
	return c, nil
}

// reused records a second use. The store has revoked the grant with it; it is
// done here again, so that event and revocation stand together.
func (p *Portals) reused(ctx context.Context, portal *Portal, c grant.Code) error {
	e := &audit.Event{
		Kind: audit.CodeReused, Result: audit.Refused, Actor: audit.Portal, Account: c.Account, Session: c.Session, Portal: portal.ID,
		Cause: "code-used-twice",
	}
	err := p.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return p.grants.Revoke(ctx, c.Grant, instant(p.now())) })
	if err != nil {
		return fmt.Errorf("revoke what the code gave: %w", err)
	}
	return invalidGrant(e.Cause)
}

// misused returns why a code gives nothing to whoever presents it, or nothing. A
// verifier for a code that was asked for without a challenge is refused too: the
// request was stripped of it on its way (RFC 9700 §4.8.2).
func misused(c grant.Code, portal *Portal, values map[string]string, now time.Time) string {
	age := now.Sub(c.Created)
	switch {
	case c.Portal != portal.ID:
		return "code-of-another-portal"
	case c.RedirectURI != values["redirect_uri"]:
		return "redirect-uri-differs"
	case age > grant.CodeLife, age < -identity.Skew:
		return "code-expired"
	case !proves(values["code_verifier"], c.CodeChallenge):
		return "code-verifier-wrong"
	}
	return ""
}

// proves judges a code_verifier (RFC 7636 §4.6) for the challenge of its request.
func proves(verifier, challenge string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "" {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// unreserved is the alphabet of a verifier (RFC 7636 §4.1).
const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// redeem judges the session and account behind a good code, as they are now, and
// records that tokens go out.
func (p *Portals) redeem(ctx context.Context, portal *Portal, c grant.Code) (session.Session, error) {
	var s session.Session
	e := &audit.Event{Kind: audit.TokensIssued, Actor: audit.Portal, Account: c.Account, Session: c.Session, Portal: portal.ID}
	err := p.ledger.Act(ctx, e, func(ctx context.Context) error {
		var err error
		if s, err = p.sessions.ByHandle(ctx, c.Session); err != nil {
			return fmt.Errorf("session of the code: %w", err)
		}
		if s.Account != c.Account || !s.Trust.SatisfiesAny(portal.Trust) {
			return fmt.Errorf("session of the code: %w", identity.ErrForeign)
		}
		e.Provider = s.Provider
		_, err = p.admitted(ctx, portal, s.Account)
		return err
	})
	switch {
	case identity.IsOver(err), errors.Is(err, identity.ErrForeign):
		return session.Session{}, invalidGrant("session-over")
	case errors.Is(err, identity.ErrUnderAge):
		return session.Session{}, invalidGrant("under-age")
	}
	return s, err
}

// issue signs the tokens.
func (p *Portals) issue(portal *Portal, c grant.Code, s session.Session) (tokenAnswer, error) {
	claims, scope := claimsOf(portal, s), strings.Join(c.Scopes, " ")
	access, expires, err := p.tokens.AccessToken(portal.Alg, token.AccessClaims{
		Claims: claims, Audience: portal.Audience, ClientID: portal.ID, Scope: scope, Stamp: token.Stamp{ID: tokenID(c.Grant)},
	})
	if err != nil {
		return tokenAnswer{}, issuing(err)
	}
	id, err := p.tokens.IDToken(portal.Alg, token.IDClaims{Claims: claims, Audience: portal.ID, Nonce: c.Nonce}, access)
	if err != nil {
		return tokenAnswer{}, issuing(err)
	}
	return tokenAnswer{access, "Bearer", expires.Unix() - p.now().Unix(), id, scope}, nil
}

func issuing(err error) error {
	if errors.Is(err, identity.ErrExpired) {
		return invalidGrant("session-over")
	}
	return fmt.Errorf("sign the tokens: %w", err)
}

// claimsOf is what tokens for that portal say of a session.
func claimsOf(portal *Portal, s session.Session) token.Claims {
	return token.Claims{
		Subject: s.SubjectFor(portal.ID), SessionID: s.Handle, Trust: s.Trust, Methods: s.AMR, AuthTime: s.AuthTime, Proofing: s.Level,
		Provider: s.Provider, Ends: s.Ends(), IdleEnds: s.IdleEnds(),
	}
}
