package portal

import (
	"net/http"
	"net/url"
)

// invalidClient refuses a portal that did not prove itself, with the scheme that
// it could have done so by (RFC 6749 §5.2).
func invalidClient(cause, detail string) *protocolError {
	return &protocolError{
		status: http.StatusUnauthorized, code: "invalid_client", detail: detail, cause: cause,
		challenge: `Basic realm="dilys", charset="UTF-8"`,
	}
}

// authenticate returns the portal that makes the request: by client_secret_basic,
// or a public one by its name alone, which then proves itself by the code's
// verifier. A way that the portal is not registered for is refused, and so are two
// ways at once (RFC 6749 §2.3).
func (p *Portals) authenticate(r *http.Request, form url.Values) (*Portal, *protocolError) {
	named, err := readOnce(form, "client_id", "client_secret", "client_assertion")
	if err != nil {
		return nil, refuseForm("parameter-repeated", err.Error())
	}
	if named["client_secret"] != "" || named["client_assertion"] != "" {
		return nil, invalidClient("client-auth-method", "wanted client_secret_basic, or client_id alone for a public client")
	}
	if len(r.Header["Authorization"]) == 0 {
		return p.publicClient(named["client_id"])
	}
	portal, refused := p.basicClient(r)
	if refused == nil && named["client_id"] != "" && named["client_id"] != portal.ID {
		return nil, refuseForm("two-clients", "client_id: wanted that of the Authorization header or none")
	}
	return portal, refused
}

func (p *Portals) publicClient(id string) (*Portal, *protocolError) {
	portal := p.portal(id)
	if portal == nil || !portal.public() {
		return nil, invalidClient("client-not-proved", "wanted client_secret_basic with a known client_id")
	}
	return portal, nil
}

// basicClient reads HTTP Basic, whose two parts are form-encoded first (RFC 6749
// §2.3.1). The answer is the same whether name or secret is wrong.
func (p *Portals) basicClient(r *http.Request) (*Portal, *protocolError) {
	wrong := invalidClient("client-secret-wrong", "wanted client_secret_basic with a known client_id and its secret")
	encodedID, encodedSecret, ok := r.BasicAuth()
	if !ok || len(r.Header["Authorization"]) != 1 {
		return nil, wrong
	}
	id, idErr := url.QueryUnescape(encodedID)
	secret, secretErr := url.QueryUnescape(encodedSecret)
	portal := p.portal(id)
	if idErr != nil || secretErr != nil || portal == nil || !portal.provedBy(secret) {
		return nil, wrong
	}
	return portal, nil
}
