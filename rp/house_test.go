package rp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/page/pagetest"
	"github.com/dilys-id/dilys/rp/portal"
)

const (
	origin = "https://login.example.com"
	host   = "login.example.com"
)

var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// errDown is what a store that can't be reached says; it tells what no patient
// should read.
var errDown = fmt.Errorf("dial tcp 192.0.2.7:5432: %w", identity.ErrUnavailable)

// house is the front door without providers, over memory.
type house struct {
	*Server
	t   *testing.T
	log bytes.Buffer
	now time.Time

	// What the stores have, and how they fail.
	sessions map[identity.Digest]session.State
	touched  int
	events   []audit.Event
	down     error // every look at a session
	deaf     error // every event
}

func newHouse(t *testing.T, change ...func(*Options)) *house {
	t.Helper()
	h := &house{t: t, now: epoch, sessions: map[identity.Digest]session.State{}}
	now := func() time.Time { return h.now }
	ledger := audit.NewLedger(eventStore{h}, eventStore{h}, now)
	sessions := session.New(sessionStore{house: h}, ledger, now)
	ring, err := token.NewRing(nil, now)
	must(t, err)
	portals, err := portal.New(portal.Options{Issuer: origin, Languages: []string{"en", "cy"}, Sessions: sessions, Ledger: ledger, Ring: ring, Now: now, Note: Note})
	must(t, err)
	pages, err := page.New(pagetest.Options())
	must(t, err)
	public, err := url.Parse(origin)
	must(t, err)
	o := Options{
		PublicURL: public, Languages: []string{"en", "cy"}, SecurityContact: "mailto:security@example.com",
		Notice: func() page.Words { return nil }, Pages: pages, Portals: portals, Sessions: sessions, Ledger: ledger, Now: now,
		Log: slog.New(slog.NewJSONHandler(&h.log, nil)), Observe: func(string, int, time.Duration) {},
	}
	for _, c := range change {
		c(&o)
	}
	h.Server = New(o)
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// loggedIn gives a patient a session and returns its secret.
func (h *house) loggedIn(change ...func(*session.State)) identity.Secret {
	s := session.State{
		Session: session.Session{
			Handle: identity.NewID(), Account: "account", Created: h.now, Seen: h.now, Limits: session.Limits{Idle: 30 * time.Minute, Absolute: 12 * time.Hour},
			Age: 42, Language: "en", Assessment: identity.Assessment{Trust: identity.Trust{P: identity.P9, C: identity.Cm}},
		},
		Admitted: true,
	}
	for _, c := range change {
		c(&s)
	}
	secret := identity.NewToken()
	h.sessions[secret.Digest()] = s
	return secret
}

// ask sends a request through the whole front door.
func (h *house) ask(r *http.Request) *httptest.ResponseRecorder {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// run sends a request through the guards of the patients' side to that handler.
func (h *house) run(r *http.Request, to handler) *httptest.ResponseRecorder {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.patient(to).ServeHTTP(w, r)
	return w
}

// line is the last line of the log.
func (h *house) line() map[string]any {
	h.t.Helper()
	lines := strings.Split(strings.TrimSpace(h.log.String()), "\n")
	var line map[string]any
	must(h.t, json.Unmarshal([]byte(lines[len(lines)-1]), &line))
	return line
}

func get(target string, headers ...string) *http.Request {
	return request(http.MethodGet, target, nil, headers...)
}

// post is a form that a page of ours sends.
func post(target, body string, headers ...string) *http.Request {
	return request(http.MethodPost, target, strings.NewReader(body), append([]string{
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin", "Origin", origin,
	}, headers...)...)
}

// request has headers as names and values in turn; an empty value takes one out.
func request(method, target string, body io.Reader, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, body)
	r.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

// withSession adds the session cookie.
func withSession(r *http.Request, secret identity.Secret) *http.Request {
	r.AddCookie(&http.Cookie{Name: "__Host-dilys", Value: secret.Reveal()})
	return r
}

// sessionStore is the part of [session.Store] that the front door reads.
type sessionStore struct {
	session.Store
	house *house
}

func (s sessionStore) BySecret(_ context.Context, secret identity.Digest) (session.State, error) {
	found, known := s.house.sessions[secret]
	switch {
	case s.house.down != nil:
		return session.State{}, s.house.down
	case !known:
		return session.State{}, identity.ErrNotFound
	}
	return found, nil
}

func (s sessionStore) Touch(_ context.Context, handle string, seen time.Time) error {
	s.house.touched++
	return s.change(handle, func(v *session.State) { v.Seen = seen })
}

func (s sessionStore) End(_ context.Context, handle string, at time.Time) error {
	return s.change(handle, func(v *session.State) { v.Ended = at })
}

func (s sessionStore) change(handle string, fn func(*session.State)) error {
	for secret, v := range s.house.sessions {
		if v.Handle == handle && s.house.down == nil {
			fn(&v)
			s.house.sessions[secret] = v
		}
	}
	return s.house.down
}

// eventStore keeps events, and is the journal of what it refuses.
type eventStore struct{ *house }

func (s eventStore) Within(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (s eventStore) Append(_ context.Context, e audit.Event) error {
	if s.deaf == nil {
		s.events = append(s.events, e)
	}
	return s.deaf
}

func (s eventStore) Write(audit.Event) error { return errors.New("the journal is full") }
