package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
)

// requestURN stands before the secret part of a request_uri (RFC 9126 §2.2).
const requestURN = "urn:ietf:params:oauth:request_uri:"

// clientParams prove a portal and are no part of the request that it pushes. A
// request_uri is refused there and not left out.
var clientParams = []string{"client_secret", "client_assertion", "client_assertion_type"}

// Push takes an authorization request from the portal itself (POST; RFC 9126), so that
// nobody on the way through the browser can read or change it. What is wrong with it is
// told at once.
func (p *Portals) Push(w http.ResponseWriter, r *http.Request) error {
	return p.answerClient(w, r, p.push)
}

func (p *Portals) push(ctx context.Context, portal *Portal, form url.Values) (reply, error) {
	params := url.Values{}
	for name, values := range form {
		params[name] = values
	}
	for _, name := range clientParams {
		params.Del(name)
	}
	if params.Has("request_uri") { // RFC 9126 §2.1
		return reply{}, refuseForm("pushed-request-uri", "request_uri: wanted none in a pushed request")
	}
	params.Set("client_id", portal.ID) // as it proved itself
	uri, err := once(params, "redirect_uri")
	if err != nil || !portal.redirectsTo(uri) {
		return reply{}, refuseForm("unknown-redirect-uri", "redirect_uri: wanted one that is registered for this client")
	}
	a, f := p.readAsking(ctx, portal, uri, params)
	if f != nil {
		return reply{}, &protocolError{status: http.StatusBadRequest, code: f.code, detail: f.description, cause: f.cause}
	}
	secret := identity.NewToken()
	err = p.grants.Push(ctx, secret.Digest(), grant.Pushed{Request: a.ID, Portal: portal.ID, Params: params.Encode(), Created: a.Created})
	if err != nil {
		return reply{}, fmt.Errorf("keep the pushed request: %w", err)
	}
	return reply{http.StatusCreated, struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int64  `json:"expires_in"`
	}{requestURN + secret.Reveal(), int64(grant.PushedLife.Seconds())}}, nil
}

// unpushed returns the parameters that stand behind a request_uri of ours, for the
// portal that pushed them, and the id of the request; others as they are. To open it
// does not use it up, for patients load pages again: the code that comes of it does.
func (p *Portals) unpushed(ctx context.Context, params url.Values) (url.Values, string, Decision, error) {
	uri, err := once(params, "request_uri")
	secret, ours := strings.CutPrefix(uri, requestURN)
	if err != nil || !ours {
		return params, "", Decision{}, nil
	}
	pushed, err := p.grants.Pushed(ctx, identity.Secret(secret).Digest())
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, "", refusal(TooLate, "pushed-request-unknown"), nil
	case err != nil:
		return nil, "", Decision{}, fmt.Errorf("read the pushed request: %w", err)
	}
	if id, err := once(params, "client_id"); err != nil || id != pushed.Portal {
		return nil, "", refusal(BadClient, "pushed-by-another-portal"), nil
	}
	kept, err := url.ParseQuery(pushed.Params)
	if err != nil {
		return nil, "", Decision{}, errors.New("read the pushed request: wanted parameters, got something else")
	}
	age := p.now().Sub(pushed.Created)
	switch err := p.unanswered(ctx, pushed.Request); {
	case err == nil && age <= grant.PushedLife && age >= -identity.Skew:
		return kept, pushed.Request, Decision{}, nil
	case err == nil, errors.Is(err, identity.ErrSpent):
		return nil, "", p.pushedTooLate(pushed, kept.Get("redirect_uri")), nil
	default:
		return nil, "", Decision{}, err
	}
}

// pushedTooLate offers the portal, where the patient can begin again.
func (p *Portals) pushedTooLate(pushed grant.Pushed, redirectURI string) Decision {
	portal := p.portal(pushed.Portal)
	if portal == nil || !portal.redirectsTo(redirectURI) { // they left the configuration
		return refusal(TooLate, "pushed-request-over")
	}
	return tooLate(portal, grant.Request{RedirectURI: redirectURI}, "pushed-request-over")
}

// pushedAs gives the request the id under which it was pushed: the grant of that id is
// given once.
func (a *asking) pushedAs(id string) {
	if id != "" {
		a.ID, a.pushed = id, true
	}
}
