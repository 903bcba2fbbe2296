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
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

// Token exchanges an authorization code or a refresh token for tokens (POST; OAuth 2.0
// §4.1.3 and §6, OpenID Connect Core §3.1.3 and §12). It writes every answer itself; an
// error is for the log, and was answered with 503.
func (p *Portals) Token(w http.ResponseWriter, r *http.Request) error {
	return p.answerClient(w, r, func(ctx context.Context, portal *Portal, form url.Values) (reply, error) {
		answer, err := p.exchange(ctx, portal, form)
		return reply{http.StatusOK, answer}, err
	})
}

// tokenAnswer is RFC 6749 §5.1 and OpenID Connect Core §3.1.3.3.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
}

// invalidGrant is the one answer to every code or refresh token that gives nothing: why
// is for our log, not for who may be guessing.
func invalidGrant(cause string) *protocolError {
	return &protocolError{
		status: http.StatusBadRequest, code: "invalid_grant", cause: cause,
		detail: "the code or refresh token is unknown, was used, has expired, or is not of this client, redirect_uri, code_verifier or a living session",
	}
}

// exchange answers by the kind of grant.
func (p *Portals) exchange(ctx context.Context, portal *Portal, form url.Values) (tokenAnswer, error) {
	values, err := readOnce(form, "grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope")
	if err != nil {
		return tokenAnswer{}, refuseForm("parameter-repeated", err.Error())
	}
	switch values["grant_type"] {
	case "authorization_code":
		return p.exchangeCode(ctx, portal, values)
	case "refresh_token":
		return p.exchangeRefresh(ctx, portal, values)
	case "":
		return tokenAnswer{}, refuseForm("no-grant-type", "grant_type: wanted authorization_code or refresh_token, got none")
	}
	return tokenAnswer{}, &protocolError{
		status: http.StatusBadRequest, code: "unsupported_grant_type", detail: "grant_type: wanted authorization_code or refresh_token", cause: "grant-type",
	}
}

func (p *Portals) exchangeCode(ctx context.Context, portal *Portal, values map[string]string) (tokenAnswer, error) {
	if values["code"] == "" {
		return tokenAnswer{}, refuseForm("no-code", "code: wanted one, got none")
	}
	c, err := p.spend(ctx, portal, values)
	if err != nil {
		return tokenAnswer{}, err
	}
	s, refresh, err := p.redeem(ctx, portal, c)
	if err != nil {
		return tokenAnswer{}, err
	}
	return p.issue(portal, given{c.Grant, c.Scopes, c.Nonce, refresh}, s)
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
// records that tokens go out, with the refresh token that is among them.
func (p *Portals) redeem(ctx context.Context, portal *Portal, c grant.Code) (s session.Session, refresh identity.Secret, err error) {
	if slices.Contains(c.Scopes, offlineAccess) {
		refresh = identity.NewToken()
	}
	e := &audit.Event{Kind: audit.TokensIssued, Actor: audit.Portal, Account: c.Account, Session: c.Session, Portal: portal.ID}
	err = p.ledger.Act(ctx, e, func(ctx context.Context) (err error) {
		if s, err = p.stillGood(ctx, portal, c.Session, c.Account); err != nil {
			return err
		}
		e.Provider = s.Provider
		if err := p.join(ctx, portal, s); err != nil || refresh == "" {
			return err
		}
		return p.grants.CreateRefresh(ctx, refresh.Digest(), c.Grant, s.Trust.String(), instant(p.now()))
	})
	return s, refresh, overAsInvalid(err)
}

// stillGood reads the session of a grant and judges it, and the account, as they are
// now: at every token anew.
func (p *Portals) stillGood(ctx context.Context, portal *Portal, handle, accountID string) (session.Session, error) {
	s, err := p.sessions.ByHandle(ctx, handle)
	if err != nil {
		return s, fmt.Errorf("session of the grant: %w", err)
	}
	if s.Account != accountID || !s.Trust.SatisfiesAny(portal.Trust) {
		return s, fmt.Errorf("session of the grant: %w", identity.ErrForeign)
	}
	_, err = p.admitted(ctx, portal, s.Account)
	return s, err
}

// overAsInvalid turns what ended a session, or closed the portal's door to it, into the
// refusal of the grant.
func overAsInvalid(err error) error {
	switch {
	case identity.IsOver(err), errors.Is(err, identity.ErrForeign):
		return invalidGrant("session-over")
	case errors.Is(err, identity.ErrUnderAge):
		return invalidGrant("under-age")
	}
	return err
}

// given is what a portal gets tokens for.
type given struct {
	grant   string
	scopes  []string
	nonce   string          // of the request that the code answered; a refresh has none (OpenID Connect Core §12.2)
	refresh identity.Secret // to give with them; empty: none
}

// issue signs the tokens.
func (p *Portals) issue(portal *Portal, g given, s session.Session) (tokenAnswer, error) {
	claims, scope := p.claimsOf(portal, s), strings.Join(g.scopes, " ")
	access, expires, err := p.tokens.AccessToken(portal.Alg, token.AccessClaims{
		Claims: claims, Audience: portal.Audience, ClientID: portal.ID, Scope: scope, Stamp: token.Stamp{ID: tokenID(g.grant)},
	})
	if err != nil {
		return tokenAnswer{}, issuing(err)
	}
	id, err := p.tokens.IDToken(portal.Alg, token.IDClaims{Claims: claims, Audience: portal.ID, Nonce: g.nonce}, access)
	if err != nil {
		return tokenAnswer{}, issuing(err)
	}
	return tokenAnswer{access, "Bearer", expires.Unix() - p.now().Unix(), g.refresh.Reveal(), id, scope}, nil
}

func issuing(err error) error {
	if errors.Is(err, identity.ErrExpired) {
		return invalidGrant("session-over")
	}
	return fmt.Errorf("sign the tokens: %w", err)
}

// claimsOf is what tokens for that portal say of a session.
func (p *Portals) claimsOf(portal *Portal, s session.Session) token.Claims {
	return token.Claims{
		Subject: p.subject(portal, s), SessionID: s.Handle, Trust: s.Trust, Methods: s.AMR, AuthTime: s.AuthTime, Proofing: s.Level,
		Provider: s.Provider, Ends: s.Ends(), IdleEnds: s.IdleEnds(),
	}
}
