package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/outside"
)

const (
	refreshAfter = 5 * time.Minute // a discovery document is old
	retryAfter   = 5 * time.Second // between two looks at a provider that fails
)

// metadata is what a provider's discovery document says of it (OpenID Connect
// Discovery §3), checked, and the keys that it names.
type metadata struct {
	authorization, token, userinfo, jwks string

	authMethods []string
	algs        []string
	pkce        bool // S256 is offered
	issuerSent  bool // authorization answers carry iss (RFC 9207 §3)

	keys *token.KeySet
	read time.Time
}

// errIssuer says that the document speaks for someone else. Unlike any other
// fault it takes away what was believed before: the configuration is wrong, or
// the address has changed hands.
var errIssuer = errors.New("issuer")

// parseMetadata reads a discovery document. What it leads to must be https, or
// plain http on this machine where loopback is allowed.
func parseMetadata(doc []byte, issuer string, loopback bool) (*metadata, error) {
	c, err := parseClaims(doc)
	if err != nil {
		return nil, err
	}
	said, _ := c.text("issuer")
	if err := judgeIssuer(issuer, said); err != nil {
		return nil, err
	}
	m := &metadata{}
	for _, e := range []struct {
		name string
		into *string
	}{
		{"authorization_endpoint", &m.authorization},
		{"token_endpoint", &m.token},
		{"userinfo_endpoint", &m.userinfo},
		{"jwks_uri", &m.jwks},
	} {
		*e.into, _ = c.text(e.name)
		if err := outside.CheckEndpoint(*e.into, loopback); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
	}
	m.authMethods, _ = c.texts("token_endpoint_auth_methods_supported")
	m.algs, _ = c.texts("id_token_signing_alg_values_supported")
	methods, _ := c.texts("code_challenge_methods_supported")
	m.pkce = slices.Contains(methods, "S256")
	m.issuerSent = c.yes("authorization_response_iss_parameter_supported")
	return m, nil
}

// judgeIssuer compares as §4.3 of OpenID Connect Discovery says: exactly. A slash
// too many is the most common fault of all, so it gets words of its own.
func judgeIssuer(configured, said string) error {
	switch {
	case said == configured:
		return nil
	case said == "":
		return fmt.Errorf("%w: wanted %q, got none", errIssuer, configured)
	case strings.TrimRight(said, "/") == strings.TrimRight(configured, "/"):
		return fmt.Errorf("%w: wanted %q, got %q, which differs by a slash", errIssuer, configured, said)
	}
	return fmt.Errorf("%w: wanted %q, got another", errIssuer, configured)
}

// wellKnown is where the discovery document stands (§4.1).
func wellKnown(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// Refresh looks at the provider when it is time to: when nothing is known of it,
// when what is known is old, or when it failed. It is called at the start and
// every few seconds after it, and costs nothing in between. What it finds is told
// by [Provider.Health].
func (p *Provider) Refresh(ctx context.Context) {
	m := p.meta.Load()
	if m == nil || p.pulse.failing() || elapsed(m.read, p.now(), refreshAfter) {
		p.refresh(ctx)
	}
}

// elapsed reports whether that much time went by. A clock that was set back never
// blocks the next look.
func elapsed(since, now time.Time, wait time.Duration) bool {
	went := now.Sub(since)
	return went < 0 || went >= wait
}

// refresh asks the provider for its document and keys, once for all who wait for
// it, and not again for a while. A caller who leaves takes nobody's answer away.
func (p *Provider) refresh(ctx context.Context) {
	done := p.flight.DoChan("", func() (any, error) {
		now := p.now()
		if last := p.tried.Load(); last == nil || elapsed(*last, now, retryAfter) {
			p.tried.Store(&now)
			p.look(ctx)
		}
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// look asks the provider and keeps what it says.
func (p *Provider) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.within)
	defer cancel()
	started := p.now()
	m, err := p.discover(ctx)
	switch {
	case err == nil:
		p.meta.Store(m)
		p.told(p.pulse.looked(p.now().Sub(started), p.now()))
	case errors.Is(err, errIssuer):
		p.meta.Store(nil)
		p.told(p.pulse.disowned("discovery: "+err.Error(), p.now()))
	default:
		p.told(p.pulse.unseen("discovery: "+err.Error(), p.now()))
	}
}

// discover fetches the document, and the keys if there are none yet.
func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	doc, err := p.get(ctx, wellKnown(p.cfg.Issuer), "")
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(doc.body, p.cfg.Issuer, p.cfg.LoopbackHTTP)
	if err != nil {
		return nil, err
	}
	m.read, m.keys = p.now(), p.keysAt(m.jwks)
	if _, fetched := m.keys.Age(); !fetched {
		_, err = m.keys.Prime(ctx)
	}
	return m, err
}

// keysAt returns the keys held for that address, or an empty set that fetches from
// it: the set's own limits outlive a refresh.
func (p *Provider) keysAt(jwks string) *token.KeySet {
	if m := p.meta.Load(); m != nil && m.jwks == jwks {
		return m.keys
	}
	return token.NewKeySet(func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, p.within)
		defer cancel()
		doc, err := p.get(ctx, jwks, "")
		return doc.body, err
	}, p.now, p.cfg.Algs...)
}
