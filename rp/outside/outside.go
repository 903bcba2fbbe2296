// Package outside owns how Dilys calls a service that is not ours: to which
// addresses a connection may go, how much of an answer is read, and in whose words
// a failure is told.
//
// It never knows what is asked or who is asked: that is the business of the room
// that asks (rp/provider, rp/register).
package outside

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// ConnectWithin is the longest that a connection, and then its TLS handshake, may
// take.
const ConnectWithin = 2 * time.Second

// Bounds of one service's connections: what waits for more waits in its own
// request, and no longer than that may take.
const (
	maxConnections  = 64
	keptConnections = 16
	keptFor         = 90 * time.Second
	maxHeaders      = 64 << 10
)

// Fault is a text of ours about what went wrong on the way, fit for operators: it
// holds nothing that came from outside, and nothing that was sent there.
type Fault string

// Error returns the text.
func (f Fault) Error() string { return string(f) }

// Redirected says that the answer was a redirect, so that nothing was taken.
const Redirected Fault = "wanted an answer, got a redirect"

// NewClient returns the one way out: no proxy from the environment, no cookies, no
// redirects, no compression (a small answer may not become a large one), answers of
// at most largest bytes, and only to addresses that [judgeAddress] lets pass:
// loopback ones only where loopback says so.
func NewClient(largest int, loopback bool) *http.Client {
	dialer := &net.Dialer{
		Timeout: ConnectWithin,
		// Judged here, after the name was looked up: a name that answers with an
		// inner address on second asking gets no connection either.
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return Fault("address: wanted an IP address")
			}
			return judgeAddress(at.Addr(), loopback)
		},
	}
	return &http.Client{Transport: bounded{largest: largest, Transport: &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    ConnectWithin,
		MaxConnsPerHost:        maxConnections,
		MaxIdleConnsPerHost:    keptConnections,
		IdleConnTimeout:        keptFor,
		MaxResponseHeaderBytes: maxHeaders,
		DisableCompression:     true,
	}}}
}

// neverOurs are networks that no service we call stands in: this machine's
// cloud answers secrets to whoever asks from here.
var neverOurs = []struct {
	network netip.Prefix
	what    string
}{
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fd00:ec2::254/128"), "cloud metadata"},
	{netip.MustParsePrefix("100.100.100.200/32"), "cloud metadata"},
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata"},
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("224.0.0.0/3"), "multicast or reserved"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// embedding are IPv6 networks whose last four bytes are an IPv4 address (RFC
// 6052, RFC 4291 §2.5.5.1): a detour to it.
var embedding = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("::/96")}

// judgeAddress refuses addresses that a name or a document could lead us to and
// where no service of others can stand. Private networks pass: an organisation may
// have a provider of its own.
func judgeAddress(a netip.Addr, loopback bool) error {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() {
		if loopback {
			return nil
		}
		return Fault("address: wanted another machine's, got a loopback one")
	}
	for _, n := range neverOurs {
		if n.network.Contains(a) {
			return Fault("address: wanted a public or private one, got a " + n.what + " one")
		}
	}
	for _, n := range embedding {
		if n.Contains(a) {
			b := a.As16()
			return judgeAddress(netip.AddrFrom4([4]byte(b[12:])), loopback)
		}
	}
	return nil
}

// CheckEndpoint refuses a URL that must not be called: another scheme than https,
// plain http to anywhere but this machine, credentials, a fragment.
func CheckEndpoint(raw string, loopback bool) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return Fault("wanted an absolute https URL, got none")
	case err != nil:
		return Fault("wanted an absolute https URL, got something else")
	case u.Scheme == "http" && !(loopback && IsLoopback(u.Hostname())):
		return Fault("wanted https, got http")
	case u.Scheme != "http" && u.Scheme != "https":
		return Fault("wanted https, got another scheme")
	case u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return Fault("wanted a host and neither credentials nor a fragment, got something else")
	}
	return nil
}

// IsLoopback reports whether the host is this machine, by its name alone.
func IsLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// bounded reads each answer whole, within the limit, before anyone looks at it.
type bounded struct {
	*http.Transport
	largest int // bytes of a body
}

// RoundTrip sends the request under our name. A redirect is an error: whoever
// follows one can be sent anywhere.
func (t bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "dilys")
	answer, err := t.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		return nil, Redirected
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(t.largest)+1))
	if err != nil {
		return nil, err
	}
	if len(body) > t.largest {
		return nil, Fault(fmt.Sprintf("wanted at most %d bytes, got more", t.largest))
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

// InOurWords says what went wrong on the way without a word from outside: error
// texts of net/http quote addresses, certificates and answers, and the address may
// itself name a patient. What it returns is a [Fault] or context.Canceled.
func InOurWords(err error) error {
	var ours Fault
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var slow interface{ Timeout() bool }
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &name):
		return Fault("wanted the address of its name, got none")
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &slow) && slow.Timeout():
		return Fault("wanted an answer in time, got none")
	case errors.As(err, &certificate):
		return Fault("wanted a certificate for its name that we trust, got another")
	case errors.Is(err, syscall.ECONNREFUSED):
		return Fault("wanted a connection, got a refusal")
	}
	return Fault("wanted an HTTP answer, got a broken connection")
}
