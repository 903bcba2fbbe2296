package courier

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/rp/outside"
)

// Bounds of a vendor's connections.
const (
	connectWithin = outside.ConnectWithin
	answerWithin  = 8 * time.Second
	maxAnswer     = 1 << 20
)

// newClient returns the way out to a vendor over HTTP.
func newClient(within time.Duration, loopback bool) *http.Client {
	client := outside.NewClient(maxAnswer, loopback)
	client.Timeout = within
	return client
}

// reply is a vendor's answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call does a request and reads the answer whole. Its errors are texts of ours:
// [outbox.Temporary] where the request never left, and one that says nothing of
// the message where it may have arrived.
func call(ctx context.Context, client *http.Client, r *http.Request) (reply, error) {
	var left atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}
	r = r.WithContext(httptrace.WithClientTrace(ctx, trace))
	answer, err := client.Do(r)
	switch {
	case errors.Is(err, outside.Redirected):
		return reply{}, outbox.Temporary{Cause: "redirect"}
	case err != nil && left.Load():
		return reply{}, errNoAnswer
	case err != nil:
		return reply{}, outbox.Temporary{Cause: "no-connection"}
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body) // which was read within its bounds
	if err != nil {
		return reply{}, errNoAnswer
	}
	return reply{answer.StatusCode, answer.Header, body}, nil
}

// errNoAnswer says that a request left and that nobody knows what became of it.
var errNoAnswer = errors.New("wanted an answer, got none")

// newRequest returns a request with a JSON body, or none for nil.
func newRequest(method, to string, body []byte) (*http.Request, error) {
	r, err := http.NewRequest(method, to, bytes.NewReader(body)) //nolint:noctx // call gives it one
	if err != nil {
		return nil, errors.New("wanted a URL, got something else")
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}
