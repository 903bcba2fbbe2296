package provider

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/outside"
)

// fault is a text of ours about what went wrong on the way.
type fault = outside.Fault

// document is an answer of 200.
type document struct {
	body        []byte
	contentType string
}

// get fetches a document. bearer is an access token, or empty. Errors are texts of
// ours, or [statusError].
func (p *Provider) get(ctx context.Context, from string, bearer identity.Secret) (document, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return document{}, fault("wanted a URL, got something else")
	}
	r.Header.Set("Accept", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return document{}, outside.InOurWords(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return document{}, outside.InOurWords(err)
	}
	if answer.StatusCode != http.StatusOK {
		return document{}, statusError(answer.StatusCode)
	}
	return document{body, answer.Header.Get("Content-Type")}, nil
}

// statusError is an HTTP status other than the one wanted.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("wanted status 200, got %d", int(s)) }

// unavailable reports whether the status says that the provider can't answer now,
// whoever asks.
func (s statusError) unavailable() bool {
	return s >= http.StatusInternalServerError || s == http.StatusTooManyRequests
}
