package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
)

// exchangeRefresh gives new tokens for a refresh token, and the one that follows it
// (OAuth 2.0 §6, RFC 9700 §4.14.2). It is no act of the patient, and renews nothing: once
// the session's idle limit is over it gives nothing any more.
func (p *Portals) exchangeRefresh(ctx context.Context, portal *Portal, values map[string]string) (tokenAnswer, error) {
	presented := identity.Secret(values["refresh_token"])
	switch {
	case presented == "":
		return tokenAnswer{}, refuseForm("no-refresh-token", "refresh_token: wanted one, got none")
	case !presented.IsToken():
		return tokenAnswer{}, invalidGrant("refresh-unknown")
	}
	turn, err := p.rotate(ctx, portal, presented, values["scope"])
	if errors.Is(err, identity.ErrSpent) {
		return tokenAnswer{}, p.refreshedTwice(ctx, portal, turn.Refresh)
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	return p.issue(portal, given{grant: turn.Grant, scopes: turn.scopes, refresh: turn.next}, turn.session)
}

// turn is one use of a refresh token.
type turn struct {
	grant.Refresh
	session session.Session
	scopes  []string // of the tokens it gives
	next    identity.Secret
}

// rotate judges what stands behind the token and uses it, in one act. What the portal
// is told of a session is recorded when it is something new.
func (p *Portals) rotate(ctx context.Context, portal *Portal, presented identity.Secret, scope string) (turn, error) {
	var t turn
	err := p.ledger.Within(ctx, func(ctx context.Context) (err error) {
		if t.Refresh, err = p.refreshOf(ctx, portal, presented); err != nil {
			return err
		}
		if t.scopes, err = narrowed(portal, t.Refresh, scope); err != nil {
			return err
		}
		if t.session, err = p.stillGood(ctx, portal, t.Session, t.Account); err != nil {
			return overAsInvalid(err)
		}
		trust := t.session.Trust.String()
		if t.next, err = p.grants.Rotate(ctx, presented.Digest(), identity.NewToken(), trust, instant(p.now())); err != nil || trust == t.Trust {
			return err
		}
		return p.ledger.Record(ctx, audit.Event{
			Kind: audit.LevelShown, Actor: audit.Portal, Account: t.Account, Session: t.Session, Provider: t.session.Provider, Portal: portal.ID, Cause: trust,
		})
	})
	return t, err
}

// refreshOf returns what stands behind the token, if it is that portal's and its grant
// was not ended.
func (p *Portals) refreshOf(ctx context.Context, portal *Portal, presented identity.Secret) (grant.Refresh, error) {
	r, err := p.grants.Refresh(ctx, presented.Digest())
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return r, invalidGrant("refresh-unknown")
	case err != nil:
		return r, fmt.Errorf("read the refresh token: %w", err)
	case r.Portal != portal.ID:
		return r, invalidGrant("refresh-of-another-portal")
	case r.Revoked:
		return r, invalidGrant("grant-revoked")
	}
	return r, nil
}

// narrowed returns the scopes that are given: those of the grant that the portal may
// still have, or fewer where it asks for fewer, never more (OAuth 2.0 §6).
func narrowed(portal *Portal, r grant.Refresh, asked string) ([]string, error) {
	kept := slices.DeleteFunc(slices.Clone(r.Scopes), func(s string) bool { return !slices.Contains(portal.Scopes, s) })
	if !slices.Contains(kept, offlineAccess) {
		return nil, invalidGrant("offline-access-withdrawn")
	}
	if asked == "" {
		return kept, nil
	}
	wanted := strings.Fields(asked)
	if slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(r.Scopes, s) }) {
		return nil, &protocolError{
			status: http.StatusBadRequest, code: "invalid_scope", detail: "scope: wanted no more than the grant has", cause: "scope-wider",
		}
	}
	return slices.DeleteFunc(kept, func(s string) bool { return !slices.Contains(wanted, s) }), nil
}

// refreshedTwice ends all that came of a grant whose refresh token was used twice: one
// of the two who had it is not the portal, and nobody knows which (RFC 9700 §4.14.2).
func (p *Portals) refreshedTwice(ctx context.Context, portal *Portal, r grant.Refresh) error {
	e := &audit.Event{
		Kind: audit.RefreshReused, Result: audit.Refused, Actor: audit.Portal, Account: r.Account, Session: r.Session, Portal: portal.ID,
		Cause: "refresh-used-twice",
	}
	err := p.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return p.grants.Revoke(ctx, r.Grant, instant(p.now())) })
	if err != nil {
		return fmt.Errorf("revoke what the refresh token gave: %w", err)
	}
	return invalidGrant(e.Cause)
}
