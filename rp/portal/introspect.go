package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
)

// introspection is what a living token says (RFC 7662 §2.2, RFC 9470 §6.2). What it says
// of the session is how that stands now, not when the token was signed: it may have been
// raised since, and its idle limit moves.
type introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Expires   int64    `json:"exp,omitempty"`
	Issued    int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  string   `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	Session   string   `json:"sid,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	VOT       string   `json:"vot,omitempty"`
	VTM       string   `json:"vtm,omitempty"`
	Methods   []string `json:"amr,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	Proofing  string   `json:"identity_proofing_level,omitempty"`
	Provider  string   `json:"idp,omitempty"`
	Ends      int64    `json:"session_ends,omitempty"`
	IdleEnds  int64    `json:"session_idle_ends,omitempty"`
}

// Introspect tells a portal whether a token is good now, and what it says (POST; RFC
// 7662): an access token to the portal that has it and to those that it is meant for, a
// refresh token to the portal that has it. Of every other token it says no more than
// that it is not active. A public client can't ask: anyone could, and would learn which
// of the tokens they found still opens something (RFC 7662 §4).
func (p *Portals) Introspect(w http.ResponseWriter, r *http.Request) error {
	return p.answerClient(w, r, func(ctx context.Context, portal *Portal, form url.Values) (reply, error) {
		if portal.public() {
			return reply{}, invalidClient("client-not-proved", "wanted a client that can prove itself")
		}
		raw, err := p.tokenOf(form)
		if err != nil {
			return reply{}, err
		}
		told, err := p.introspect(ctx, portal, raw)
		if isNoGood(err) {
			told, err = introspection{}, nil
		}
		return reply{http.StatusOK, told}, err
	})
}

// isNoGood tells a token that is not good from trouble of ours.
func isNoGood(err error) bool {
	return isBadToken(err) || errors.Is(err, identity.ErrUnderAge) || errors.As(err, new(*protocolError))
}

// tokenOf reads the token that a request is about. token_type_hint is not needed: the
// two kinds are told by their shape.
func (p *Portals) tokenOf(form url.Values) (identity.Secret, error) {
	values, err := readOnce(form, "token", "token_type_hint")
	switch {
	case err != nil:
		return "", refuseForm("parameter-repeated", err.Error())
	case values["token"] == "":
		return "", refuseForm("no-token", "token: wanted one, got none")
	}
	return identity.Secret(values["token"]), nil
}

func (p *Portals) introspect(ctx context.Context, portal *Portal, raw identity.Secret) (introspection, error) {
	if raw.IsToken() {
		return p.introspectRefresh(ctx, portal, raw)
	}
	h, err := p.holding(ctx, raw, p.isPortals)
	if err != nil {
		return introspection{}, err
	}
	if h.portal.ID != portal.ID && h.claims.Audience != portal.Audience {
		return introspection{}, identity.ErrNotFound
	}
	if door := h.portal.door(); !identity.OldEnough(h.session.Age, door.MinimumAge, door.Floor) {
		return introspection{}, identity.ErrUnderAge
	}
	c := p.claimsOf(h.portal, h.session)
	told := introspection{
		Active: true, Scope: h.claims.Scope, ClientID: h.claims.ClientID, TokenType: "Bearer",
		Expires: h.claims.Stamp.Expires.Unix(), Issued: h.claims.Stamp.Issued.Unix(), Subject: c.Subject, Audience: h.claims.Audience,
		Issuer: p.issuer, ID: h.claims.Stamp.ID, Session: c.SessionID, ACR: c.Trust.String(), VOT: c.Trust.String(), VTM: p.tokens.Trustmark(),
		Methods: c.Methods, Proofing: c.Proofing.String(), Provider: c.Provider, Ends: c.Ends.Unix(), IdleEnds: c.IdleEnds.Unix(),
	}
	if !c.AuthTime.IsZero() {
		told.AuthTime = c.AuthTime.Unix()
	}
	return told, nil
}

// introspectRefresh tells of a refresh token only what it is good for.
func (p *Portals) introspectRefresh(ctx context.Context, portal *Portal, raw identity.Secret) (introspection, error) {
	r, err := p.refreshOf(ctx, portal, raw)
	if err != nil {
		return introspection{}, err
	}
	s, err := p.stillGood(ctx, portal, r.Session, r.Account)
	if err != nil {
		return introspection{}, overAsInvalid(err)
	}
	scopes, err := narrowed(portal, r, "")
	if err != nil {
		return introspection{}, err
	}
	return introspection{
		Active: true, Scope: strings.Join(scopes, " "), ClientID: portal.ID, Expires: s.Ends().Unix(), Subject: p.subject(portal, s), Issuer: p.issuer,
		Session: s.Handle, Ends: s.Ends().Unix(), IdleEnds: s.IdleEnds().Unix(),
	}, nil
}

// Revoke ends a token of the portal, with all that came of the same grant (POST; RFC
// 7009). A token that is unknown, over or another portal's is answered alike, and
// nothing happens.
func (p *Portals) Revoke(w http.ResponseWriter, r *http.Request) error {
	return p.answerClient(w, r, func(ctx context.Context, portal *Portal, form url.Values) (reply, error) {
		raw, err := p.tokenOf(form)
		if err != nil {
			return reply{}, err
		}
		return reply{status: http.StatusOK}, p.revoke(ctx, portal, raw)
	})
}

func (p *Portals) revoke(ctx context.Context, portal *Portal, raw identity.Secret) error {
	r, err := p.behind(ctx, portal, raw)
	if isNoGood(err) {
		return nil
	}
	if err != nil {
		return err
	}
	e := &audit.Event{Kind: audit.GrantRevoked, Actor: audit.Portal, Account: r.Account, Session: r.Session, Portal: portal.ID}
	err = p.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return p.grants.Revoke(ctx, r.Grant, instant(p.now())) })
	if err != nil {
		return fmt.Errorf("revoke the grant: %w", err)
	}
	return nil
}

// behind returns the grant behind a token of that portal, be its session over or not.
func (p *Portals) behind(ctx context.Context, portal *Portal, raw identity.Secret) (grant.Refresh, error) {
	if raw.IsToken() {
		return p.refreshOf(ctx, portal, raw)
	}
	claims, err := p.verifier.AccessToken(ctx, raw.Reveal(), portal.Audience)
	if err == nil && claims.ClientID != portal.ID {
		err = invalidGrant("token-of-another-portal")
	}
	if err != nil {
		return grant.Refresh{}, err
	}
	s, err := p.sessions.ByHandle(ctx, claims.SessionID)
	if err != nil && !identity.IsOver(err) {
		return grant.Refresh{}, fmt.Errorf("session of the token: %w", err)
	}
	return grant.Refresh{Grant: grantOf(claims.Stamp.ID), Session: claims.SessionID, Account: s.Account}, nil
}
