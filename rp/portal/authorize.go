package portal

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
)

// Authorize judges an authorization request (OpenID Connect Core §3.1.2.1, OAuth
// 2.0 §4.1.1) that came in that browser. Portal and redirect URI are judged first:
// while one of them is not certain there is nowhere to redirect to (RFC 9700
// §4.11). A request that gives only the id of a waiting one resumes that.
//
// An error means that nothing could be decided, and that nothing was given.
func (p *Portals) Authorize(ctx context.Context, params url.Values, seat Seat) (Decision, error) {
	if len(params) > maxParams {
		return refusal(BadRequest, "too-many-parameters"), nil
	}
	if params.Has("request") && !params.Has("client_id") {
		id, err := once(params, "request")
		if err != nil {
			return refusal(BadRequest, "request-id-repeated"), nil
		}
		return p.Resume(ctx, id, seat)
	}
	params, pushed, refused, err := p.unpushed(ctx, params)
	if err != nil || refused.Kind == Refuse {
		return refused, err
	}
	portal, redirectURI, refused := p.client(params)
	if refused.Kind == Refuse {
		return refused, nil
	}
	a, fault := p.readAsking(ctx, portal, redirectURI, params)
	a.pushedAs(pushed)
	if fault != nil {
		return p.answer(portal, a, fault), nil
	}
	return p.decide(ctx, portal, a, seat)
}

// Resume judges a waiting request anew, after the login it waited for or instead
// of it. It gives a code once: its id is that of the grant that came of it.
func (p *Portals) Resume(ctx context.Context, requestID string, seat Seat) (Decision, error) {
	a, portal, refused, err := p.waitingRequest(ctx, requestID)
	if err != nil || refused.Kind == Refuse {
		return refused, err
	}
	return p.decide(ctx, portal, a, seat)
}

// Decline answers a waiting request with access_denied: the patient could not log
// in, or does not want to, and goes back to the portal.
func (p *Portals) Decline(ctx context.Context, requestID string) (Decision, error) {
	a, portal, refused, err := p.waitingRequest(ctx, requestID)
	if err != nil || refused.Kind == Refuse {
		return refused, err
	}
	return p.answer(portal, a, &fault{"access_denied", "the patient went back without logging in", "declined"}), nil
}

// waitingRequest reads a request that waits for a login, or a refusal for one that
// waits no more.
func (p *Portals) waitingRequest(ctx context.Context, id string) (asking, *Portal, Decision, error) {
	r, portal, err := p.request(ctx, id)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return asking{}, nil, refusal(TooLate, "request-unknown"), nil
	case errors.Is(err, identity.ErrExpired):
		return asking{}, nil, tooLate(portal, r, "request-expired"), nil
	case err != nil:
		return asking{}, nil, Decision{}, err
	}
	if err := p.unanswered(ctx, r.ID); errors.Is(err, identity.ErrSpent) {
		return asking{}, nil, tooLate(portal, r, "request-answered"), nil
	} else if err != nil {
		return asking{}, nil, Decision{}, err
	}
	return asking{Request: r, resumed: true}, portal, Decision{}, nil
}

func tooLate(portal *Portal, r grant.Request, cause string) Decision {
	d := refusal(TooLate, cause)
	d.Portal, d.URL = portal, originOf(r.RedirectURI)
	return d
}

// unanswered returns [identity.ErrSpent] if the request has had its code.
func (p *Portals) unanswered(ctx context.Context, requestID string) error {
	_, err := p.grants.Revoked(ctx, requestID)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look for the grant of the request: %w", err)
	}
	return identity.ErrSpent
}

// client finds the portal and its redirect URI, or a refusal that shows a page.
func (p *Portals) client(params url.Values) (*Portal, string, Decision) {
	id, err := once(params, "client_id")
	if err != nil {
		return nil, "", refusal(BadClient, "client-id-repeated")
	}
	portal := p.portal(id)
	if portal == nil {
		return nil, "", refusal(BadClient, "unknown-portal")
	}
	uri, err := once(params, "redirect_uri")
	if err != nil || !portal.redirectsTo(uri) {
		d := refusal(BadRedirect, "unknown-redirect-uri")
		d.Portal = portal
		return nil, "", d
	}
	return portal, uri, Decision{}
}

// asking is an authorization request that is being judged.
type asking struct {
	grant.Request
	silent  bool // prompt=none: answer without a page
	resumed bool // it has waited for a login
	pushed  bool // its portal brought it (RFC 9126)
}

// fault is an error of OAuth 2.0 §4.1.2.1 or OpenID Connect Core §3.1.2.6, with a
// description for the portal's developers, in ASCII without quotation marks.
type fault struct{ code, description, cause string }

// answer tells the portal of the fault.
func (p *Portals) answer(portal *Portal, a asking, f *fault) Decision {
	d := p.redirect(portal, a, url.Values{"error": {f.code}, "error_description": {f.description}})
	d.Cause = f.cause
	return d
}

// redirect leads back to the portal, with its own state and under our name, by
// which it tells an answer of ours from one of another issuer (RFC 9207).
func (p *Portals) redirect(portal *Portal, a asking, values url.Values) Decision {
	values.Set("iss", p.issuer)
	if a.State != "" {
		values.Set("state", a.State)
	}
	return Decision{Kind: Redirect, Portal: portal, URL: WithQuery(a.RedirectURI, values), Language: first(a.Languages)}
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// decide gives a code, a login, or the portal an error.
func (p *Portals) decide(ctx context.Context, portal *Portal, a asking, seat Seat) (Decision, error) {
	stands := p.standing(portal, a, seat.Session)
	if stands == enough {
		return p.give(ctx, portal, a, seat)
	}
	if f := p.hopeless(portal, a, seat, stands); f != nil {
		return p.deny(ctx, portal, a, seat.Session, f)
	}
	return p.await(ctx, portal, a, seat)
}

// hopeless returns the fault that no login now would mend: none may be asked for,
// one was just made and was not enough, or none here can reach the level.
func (p *Portals) hopeless(portal *Portal, a asking, seat Seat, stands standing) *fault {
	f := stands.fault()
	switch {
	case a.silent:
		return f
	case a.resumed && !seat.Elsewhere && loggedInSince(seat.Session, a.Created):
		if stands != someoneElse {
			f.code = unmet // to ask for another login would go round in circles
		}
		return f
	case !p.canReach(portal.Trust, a.Asked):
		return low.fault()
	}
	return nil
}

// canReach reports whether some login here reaches one vector of each list. An
// empty list asks for nothing.
func (p *Portals) canReach(lists ...[]identity.Trust) bool {
	return slices.ContainsFunc(p.reachable, func(v identity.Trust) bool {
		return !slices.ContainsFunc(lists, func(asked []identity.Trust) bool {
			return len(asked) > 0 && !v.SatisfiesAny(asked)
		})
	})
}

// deny answers with the fault. A silent no is what portals ask for all day; what a
// patient ran into is recorded.
func (p *Portals) deny(ctx context.Context, portal *Portal, a asking, s *session.Session, f *fault) (Decision, error) {
	d := p.answer(portal, a, f)
	if a.silent || s == nil {
		return d, nil
	}
	return d, p.ledger.Record(ctx, audit.Event{
		Kind: audit.AuthorizationDenied, Result: audit.Refused, Actor: audit.Patient,
		Account: s.Account, Session: s.Handle, Portal: portal.ID, Cause: f.cause,
	})
}

// await keeps the request for after the login.
func (p *Portals) await(ctx context.Context, portal *Portal, a asking, seat Seat) (Decision, error) {
	if !a.resumed {
		// A pushed request that is opened again waits already.
		if err := p.grants.CreateRequest(ctx, a.Request); err != nil && !(a.pushed && errors.Is(err, identity.ErrConflict)) {
			return Decision{}, fmt.Errorf("keep the request for after the login: %w", err)
		}
	}
	if err := p.renew(ctx, seat); err != nil {
		return Decision{}, err
	}
	return Decision{
		Kind: Login, Portal: portal, Request: a.ID, Waiting: p.waiting(portal, a.Request), Language: first(a.Languages),
	}, nil
}

// renew tells that the patient did something: an authorization request in their
// window. A frame or a script that asks is not the patient.
func (p *Portals) renew(ctx context.Context, seat Seat) error {
	if seat.Session == nil || !seat.Navigation {
		return nil
	}
	_, err := p.sessions.Renew(ctx, *seat.Session)
	return err
}

// give issues an authorization code for a session that is enough, in one act with
// its event.
func (p *Portals) give(ctx context.Context, portal *Portal, a asking, seat Seat) (Decision, error) {
	s, code := seat.Session, identity.NewToken()
	e := &audit.Event{
		Kind: audit.CodeIssued, Actor: audit.Patient, Account: s.Account, Session: s.Handle, Provider: s.Provider, Portal: portal.ID,
		Cause: s.Trust.String(),
	}
	err := p.ledger.Act(ctx, e, func(ctx context.Context) error {
		if err := p.unanswered(ctx, a.ID); err != nil { // another tab may have been faster
			return err
		}
		if _, err := p.admitted(ctx, portal, s.Account); err != nil {
			return err
		}
		if err := p.grants.CreateCode(ctx, code.Digest(), a.code(s, p.now())); err != nil {
			return fmt.Errorf("keep the code: %w", err)
		}
		return p.renew(ctx, seat)
	})
	switch {
	case errors.Is(err, identity.ErrSpent), errors.Is(err, identity.ErrConflict): // two tabs at once: the other was first
		return tooLate(portal, a.Request, "request-answered"), nil
	case errors.Is(err, identity.ErrUnderAge):
		return p.deny(ctx, portal, a, s, &fault{"access_denied", "the patient is younger than this portal admits", "under-age"})
	case errors.Is(err, identity.ErrDisabled):
		return p.deny(ctx, portal, a, s, &fault{"access_denied", "the account is not open", "account-disabled"})
	case err != nil:
		return Decision{}, err
	}
	return p.redirect(portal, a, url.Values{"code": {code.Reveal()}}), nil
}

// code is what stands behind a code for this request.
func (a asking) code(s *session.Session, now time.Time) grant.Code {
	return grant.Code{
		Grant: a.ID, Portal: a.Portal, RedirectURI: a.RedirectURI, Scopes: a.Scopes, Nonce: a.Nonce,
		CodeChallenge: a.CodeChallenge, Session: s.Handle, Account: s.Account, Created: instant(now),
	}
}

// admitted reads the account and judges whether the portal's door is open to it,
// at every token anew: [identity.ErrDisabled] or [identity.ErrUnderAge].
func (p *Portals) admitted(ctx context.Context, portal *Portal, accountID string) (account.Account, error) {
	acc, err := p.accounts.Account(ctx, accountID)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return account.Account{}, identity.ErrDisabled
	case err != nil:
		return account.Account{}, fmt.Errorf("read the account: %w", err)
	case acc.State != account.Active:
		return account.Account{}, identity.ErrDisabled
	}
	door := portal.door()
	if !identity.OldEnough(acc.Details().Age(p.now()), door.MinimumAge, door.Floor) {
		return account.Account{}, identity.ErrUnderAge
	}
	return acc, nil
}
