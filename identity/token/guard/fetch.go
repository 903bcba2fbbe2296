package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/dilys-id/dilys/identity/token"
)

// fetcher gets the issuer's keys.
type fetcher struct {
	issuer string
	client *http.Client
}

const fetchWithin = 10 * time.Second

// newClient follows no redirect: the keys of an issuer are where it says that they are.
func newClient() *http.Client {
	return &http.Client{Timeout: fetchWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// keys is [token.Fetch]: the key set that the issuer's metadata names (OpenID Connect
// Discovery 1.0 §4), which must be its own.
func (f *fetcher) keys(ctx context.Context) ([]byte, error) {
	document, err := f.get(ctx, f.issuer+"/.well-known/openid-configuration")
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	var metadata struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &metadata); err != nil {
		return nil, errors.New("metadata: wanted JSON, got something else")
	}
	switch {
	case metadata.Issuer != f.issuer:
		return nil, fmt.Errorf("metadata: wanted the issuer %q, got %.200q", f.issuer, metadata.Issuer)
	case !sameOrigin(metadata.Keys, f.issuer):
		return nil, fmt.Errorf("metadata: wanted a jwks_uri of the issuer's own, got %.200q", metadata.Keys)
	}
	return f.get(ctx, metadata.Keys)
}

func sameOrigin(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Host != "" && x.Host == y.Host && x.Scheme == y.Scheme
}

func (f *fetcher) get(ctx context.Context, from string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("wanted status 200, got %d", answer.StatusCode)
	}
	return io.ReadAll(io.LimitReader(answer.Body, token.MaxKeySetBytes+1))
}
