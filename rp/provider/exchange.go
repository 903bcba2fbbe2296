package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/outside"
)

// oauth returns the client for x/oauth2. The style of authentication is always
// named: detecting it would send our identity a second time, and a one-time jti
// with it.
func (p *Provider) oauth(m *metadata) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     p.cfg.ClientID,
		ClientSecret: p.cfg.Secret.Reveal(),
		Endpoint:     oauth2.Endpoint{AuthURL: m.authorization, TokenURL: m.token, AuthStyle: p.style(m)},
		RedirectURL:  p.cfg.RedirectURI,
		Scopes:       p.cfg.Scopes,
	}
}

// style is where the client is named: a key in the body alone; a secret in the
// header, which is what discovery means when it says nothing (OpenID Connect
// Discovery §3), unless only the body is offered.
func (p *Provider) style(m *metadata) oauth2.AuthStyle {
	post := slices.Contains(m.authMethods, "client_secret_post") && !slices.Contains(m.authMethods, "client_secret_basic")
	if p.cfg.Key != nil || post {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// exchange gives the code for tokens, once: whatever goes wrong, it is not tried
// again, as the code may have been taken.
func (p *Provider) exchange(ctx context.Context, m *metadata, code identity.Secret, verifier string) (*oauth2.Token, *Refusal) {
	options, err := p.nameUs(m)
	if err != nil {
		return nil, down(causeClient, err)
	}
	if verifier != "" {
		options = append(options, oauth2.VerifierOption(verifier))
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, p.client)
	t, err := p.oauth(m).Exchange(ctx, code.Reveal(), options...)
	if err != nil {
		return nil, judgeExchange(err)
	}
	if !strings.EqualFold(t.Type(), "Bearer") {
		return nil, refuse(BadToken, causeTokenAnswer)
	}
	return t, nil
}

// nameUs returns the client assertion (RFC 7523 §2.2), for the token endpoint
// alone, with a jti of its own.
func (p *Provider) nameUs(m *metadata) ([]oauth2.AuthCodeOption, error) {
	if p.cfg.Key == nil {
		return nil, nil
	}
	assertion, err := token.NewAssertion(*p.cfg.Key, p.cfg.ClientID, m.token, p.now(), assertionLife)
	if err != nil {
		return nil, err
	}
	return []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", assertion),
	}, nil
}

// judgeExchange says what a failed exchange means. The error's own text quotes the
// answer: it goes no further.
func judgeExchange(err error) *Refusal {
	var said *oauth2.RetrieveError
	if !errors.As(err, &said) {
		return judgeSilence(err)
	}
	status := statusError(said.Response.StatusCode)
	switch {
	case status.unavailable():
		return down(causeTokenEndpoint, fmt.Errorf("token endpoint: %w", status))
	case said.ErrorCode == "invalid_grant":
		return refuse(Other, causeCode)
	case said.ErrorCode == "invalid_client", said.ErrorCode == "unauthorized_client", status == http.StatusUnauthorized:
		// It says so to every patient: nobody is sent there until it is mended.
		return down(causeClient, fault("token endpoint: wanted our client to be known, got a refusal"))
	}
	return refuse(Other, causeExchange)
}

// judgeSilence tells an answer that can't be read from none.
func judgeSilence(err error) *Refusal {
	var way *url.Error
	if errors.As(err, &way) {
		return down(causeTokenEndpoint, fmt.Errorf("token endpoint: %w", outside.InOurWords(err)))
	}
	return down(causeTokenAnswer, fault("token endpoint: wanted tokens in JSON, got something else"))
}
