package exampleportal

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// dilys is the provider as this portal knows it: what it was told of, and what it
// found by discovery.
type dilys struct {
	opt   Options
	found atomic.Pointer[provider]
}

// provider is what discovery told.
type provider struct {
	*oidc.Provider
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier

	endSession string // RP-Initiated Logout 1.0 §2.1; empty: there is none
	tellsIss   bool   // it names itself in authorization answers (RFC 9207 §3)
}

// calling makes ctx carry our own client to the libraries.
func (d *dilys) calling(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, d.opt.HTTPClient)
}

// find returns the provider, discovered once. A failure is not kept: the next
// patient finds Dilys if it is back by then.
func (d *dilys) find(ctx context.Context) (*provider, error) {
	if known := d.found.Load(); known != nil {
		return known, nil
	}
	fresh, err := d.discover(d.calling(ctx))
	if err != nil {
		return nil, fmt.Errorf("%w: discovery: %w", dilysAway, err)
	}
	d.found.Store(fresh)
	return fresh, nil
}

func (d *dilys) discover(ctx context.Context) (*provider, error) {
	found, err := oidc.NewProvider(ctx, d.opt.Issuer) // refuses an issuer that differs by a letter
	if err != nil {
		return nil, err
	}
	var also struct {
		EndSession string `json:"end_session_endpoint"`
		TellsIss   bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&also); err != nil {
		return nil, err
	}
	endpoint := found.Endpoint()
	// Said outright, as the library would otherwise try both ways, and the first
	// try would spend the code.
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return &provider{
		Provider: found,
		oauth: oauth2.Config{
			ClientID: d.opt.ClientID, ClientSecret: d.opt.Secret.Reveal(), Endpoint: endpoint,
			RedirectURL: d.opt.BaseURL + CallbackPath,
			Scopes:      append([]string{oidc.ScopeOpenID}, d.opt.Scopes...),
		},
		verifier:   found.Verifier(&oidc.Config{ClientID: d.opt.ClientID, Now: d.opt.Now}),
		endSession: also.EndSession, tellsIss: also.TellsIss,
	}, nil
}
