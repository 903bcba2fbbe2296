package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// The ways in which a portal proves itself, by their registered names (OpenID Connect
// Core §9).
const (
	secretBasic = "client_secret_basic"
	secretPost  = "client_secret_post"
	privateKey  = "private_key_jwt"
	publicName  = "none"
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// reply is what a machine gets that was not refused. Nil is an empty body.
type reply struct {
	status int
	body   any
}

// answerClient answers the form of a portal that proves itself. It writes every answer
// itself; an error is for the log, and was answered with 503.
func (p *Portals) answerClient(w http.ResponseWriter, r *http.Request, answer func(context.Context, *Portal, url.Values) (reply, error)) error {
	portal, given, err := p.replyTo(w, r, answer)
	id := ""
	if portal != nil {
		id = portal.ID
	}
	var refused *protocolError
	switch {
	case errors.As(err, &refused):
		p.note(r.Context(), id, refused.cause)
		return refused.write(w)
	case err != nil:
		return unavailable(w, err)
	}
	p.note(r.Context(), id, "")
	return writeJSON(w, given.status, given.body)
}

func (p *Portals) replyTo(w http.ResponseWriter, r *http.Request, answer func(context.Context, *Portal, url.Values) (reply, error)) (*Portal, reply, error) {
	form, refused := readForm(w, r)
	if refused != nil {
		return nil, reply{}, refused
	}
	portal, err := p.authenticate(r, form)
	if err != nil {
		return nil, reply{}, err
	}
	given, err := answer(r.Context(), portal, form)
	return portal, given, err
}

// invalidClient refuses a portal that did not prove itself, with the scheme that
// it could have done so by (RFC 6749 §5.2).
func invalidClient(cause, detail string) *protocolError {
	return &protocolError{
		status: http.StatusUnauthorized, code: "invalid_client", detail: detail, cause: cause,
		challenge: `Basic realm="dilys", charset="UTF-8"`,
	}
}

// authenticate returns the portal that makes the request: by client_secret_basic,
// client_secret_post, private_key_jwt, or a public one by its name alone, which then
// proves itself by the code's verifier. A way that the portal is not registered for is
// refused, and so are two ways at once (RFC 6749 §2.3).
func (p *Portals) authenticate(r *http.Request, form url.Values) (*Portal, error) {
	named, err := readOnce(form, "client_id", "client_secret", "client_assertion", "client_assertion_type")
	if err != nil {
		return nil, refuseForm("parameter-repeated", err.Error())
	}
	header, secret, assertion := len(r.Header["Authorization"]) > 0, named["client_secret"] != "", named["client_assertion"] != ""
	switch {
	case header && (secret || assertion), secret && assertion:
		return nil, refuseForm("client-auth-twice", "wanted the client to prove itself in one way, got two")
	case header:
		return p.basicClient(r, named["client_id"])
	case secret:
		return p.secretClient(named["client_id"], named["client_secret"])
	case assertion:
		return p.keyClient(r, named)
	}
	return p.publicClient(named["client_id"])
}

func (p *Portals) publicClient(id string) (*Portal, error) {
	portal := p.portal(id)
	if portal == nil || !portal.public() {
		return nil, invalidClient("client-not-proved", "wanted a known client_id, and the proof that it is registered for")
	}
	return portal, nil
}

// basicClient reads HTTP Basic, whose two parts are form-encoded first (RFC 6749
// §2.3.1).
func (p *Portals) basicClient(r *http.Request, named string) (*Portal, error) {
	encodedID, encodedSecret, ok := r.BasicAuth()
	id, idErr := url.QueryUnescape(encodedID)
	secret, secretErr := url.QueryUnescape(encodedSecret)
	if !ok || len(r.Header["Authorization"]) != 1 || idErr != nil || secretErr != nil {
		return nil, wrongSecret()
	}
	portal, err := p.secretClient(id, secret)
	if err == nil && named != "" && named != portal.ID {
		return nil, refuseForm("two-clients", "client_id: wanted that of the Authorization header or none")
	}
	return portal, err
}

// secretClient compares the secret. The answer is the same whether it or the name is
// wrong.
func (p *Portals) secretClient(id, secret string) (*Portal, error) {
	portal := p.portal(id)
	if portal == nil || portal.Secret == "" || !portal.provedBy(secret) {
		return nil, wrongSecret()
	}
	return portal, nil
}

func wrongSecret() *protocolError {
	return invalidClient("client-secret-wrong", "wanted a known client_id and its secret, by "+secretBasic+" or "+secretPost)
}

// keyClient reads an assertion that the portal signed. One that served before is
// refused: whoever saw it on its way has it too (RFC 7523 §3, jti).
func (p *Portals) keyClient(r *http.Request, named map[string]string) (*Portal, error) {
	wrong := func(cause string) error {
		return invalidClient(cause, "client_assertion: wanted a JWT of the client, by "+privateKey+", of at most five minutes, for this issuer, once")
	}
	var says struct {
		Subject string `json:"sub"`
	}
	if named["client_assertion_type"] != assertionType || !token.Unverified(named["client_assertion"], &says) {
		return nil, wrong("client-assertion-unreadable")
	}
	portal := p.portal(says.Subject)
	if portal == nil || portal.Keys == nil || named["client_id"] != "" && named["client_id"] != portal.ID {
		return nil, wrong("client-assertion-of-another")
	}
	a, err := token.ReadClientAssertion(r.Context(), named["client_assertion"], portal.Keys, portal.ID,
		[]string{p.issuer, p.issuer + tokenPath, p.issuer + r.URL.Path}, p.now())
	switch {
	case errors.Is(err, token.ErrRefused):
		return nil, wrong("client-assertion-wrong")
	case err != nil:
		return nil, fmt.Errorf("keys of portal %s: %w", portal.ID, err)
	}
	err = p.grants.SpendID(r.Context(), identity.Secret(portal.ID+"\x00"+a.ID).Digest(), instant(a.Expires))
	if errors.Is(err, identity.ErrSpent) {
		return nil, wrong("client-assertion-used-twice")
	}
	return portal, err
}
