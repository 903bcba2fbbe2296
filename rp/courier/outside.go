package courier

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity/outbox"
)

// Bounds of a vendor's connections.
const (
	connectWithin = 2 * time.Second
	answerWithin  = 8 * time.Second
	maxAnswer     = 1 << 20
	maxHeaders    = 64 << 10
	kept          = 16 // connections kept open
)

// newClient returns the way out to a vendor over HTTP: no proxy from the
// environment, no cookies, no redirects.
func newClient(within time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: connectWithin}
	return &http.Client{
		Timeout:       within,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    connectWithin,
			MaxIdleConnsPerHost:    kept,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxHeaders,
			DisableCompression:     true,
		},
	}
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
	r.Header.Set("User-Agent", "dilys")
	answer, err := client.Do(r)
	if err != nil {
		if left.Load() {
			return reply{}, errNoAnswer
		}
		return reply{}, outbox.Temporary{Cause: "no-connection"}
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case len(body) > maxAnswer:
		body = nil // the status says enough
	case err != nil && answer.StatusCode != http.StatusCreated: // of that status the body tells nothing we need
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

// checkURL refuses an address that no vendor has: another scheme than https, or
// plain http to anywhere but this machine.
func checkURL(raw string, loopback bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("wanted an https URL without credentials, query or fragment, got something else")
	case u.Scheme == "http" && loopback && isLoopback(u.Hostname()), u.Scheme == "https":
		return nil
	}
	return fmt.Errorf("wanted https, got %.10q", u.Scheme)
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
