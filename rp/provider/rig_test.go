package provider_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

const redirectURI = "https://dilys.example.org/login/nhs-login/callback"

// start is the instant at which every test begins.
var start = time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC)

var vectors = []identity.Trust{
	{P: identity.P9, C: identity.Cp | identity.Cd},
	{P: identity.P9, C: identity.Cp | identity.Ck},
	{P: identity.P9, C: identity.Cm},
}

// rig is a provider, the simulator it speaks to, and a browser between them.
type rig struct {
	*testing.T
	*provider.Provider
	cfg     provider.Config
	sim     *simulator.Simulator
	server  *httptest.Server
	log     safeBuffer
	mu      sync.Mutex
	at      time.Time
	browser *http.Client
}

// plan is what a test changes before anything starts.
type plan struct {
	provider.Config
	sim      simulator.Options
	client   simulator.Client
	wrap     func(http.Handler) http.Handler // around the simulator
	unlooked bool                            // nobody looked at it yet
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (r *rig) now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.at }

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

// providerKey signs for every simulator that does not rotate: keys are slow to
// make.
var providerKey = sync.OnceValue(func() *rsa.PrivateKey {
	_, key := simulator.TestClient("the provider's own key", redirectURI)
	return key
})

func signingKey(t testing.TB, key *rsa.PrivateKey) *token.AssertionKey {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := token.ParseSigningKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return &parsed
}

// newRig starts a simulator and a provider for it, strict on its side, and looks
// at it once.
func newRig(t *testing.T, change ...func(*plan)) *rig {
	t.Helper()
	r := &rig{T: t, at: start, browser: newBrowser()}
	client, key := simulator.TestClient("dilys", redirectURI)
	p := &plan{client: client, sim: simulator.Options{Now: r.now, Key: providerKey(), Strict: true, AtHash: true}, Config: provider.Config{
		ID: "nhs-login", Kind: provider.NHSLogin, ClientID: client.ID, Key: signingKey(t, key), Trust: vectors,
		Scopes: []string{"openid", "profile", "profile_extended", "email", "phone"}, RedirectURI: redirectURI, LoopbackHTTP: true,
		SettingsURL: "/settings?lang=cy",
	}}
	for _, c := range change {
		c(p)
	}
	p.sim.Clients = append(p.sim.Clients, p.client)
	sim, err := simulator.New(p.sim)
	if err != nil {
		t.Fatal(err)
	}
	r.sim = sim
	var handler http.Handler = sim
	if p.wrap != nil {
		handler = p.wrap(sim)
	}
	r.server = httptest.NewServer(handler)
	t.Cleanup(r.server.Close)
	if err := sim.SetIssuer(r.server.URL); err != nil {
		t.Fatal(err)
	}
	if p.Issuer == "" {
		p.Issuer = r.server.URL
	}
	if strings.HasPrefix(p.SettingsURL, "/") {
		p.SettingsURL = r.server.URL + p.SettingsURL
	}
	r.cfg = p.Config
	r.Provider = r.replica(p.Config)
	if !p.unlooked {
		r.Refresh(t.Context())
	}
	return r
}

func (r *rig) replica(cfg provider.Config) *provider.Provider {
	r.Helper()
	p, err := provider.New(cfg, provider.Options{Now: r.now, Log: slog.New(slog.NewTextHandler(&r.log, nil))})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(p.Close)
	return p
}

func newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil) // it has no error to give
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// begin leaves for the provider.
func (r *rig) begin(d provider.Departure) provider.Trip {
	r.Helper()
	trip, err := r.Begin(r.Context(), d)
	if err != nil {
		r.Fatalf("begin: %v", err)
	}
	return trip
}

// come goes there as a patient and returns with what the browser brings back.
func (r *rig) come(trip provider.Trip, patient string) provider.Callback {
	r.Helper()
	cb, err := visit(r.browser, trip, patient)
	if err != nil {
		r.Fatal(err)
	}
	return cb
}

func visit(browser *http.Client, trip provider.Trip, patient string) (provider.Callback, error) {
	to, err := url.Parse(trip.URL)
	if err != nil {
		return provider.Callback{}, err
	}
	q := to.Query()
	if patient != "" {
		q.Set("login_hint", patient)
	}
	to.RawQuery = q.Encode()
	resp, err := browser.Get(to.String())
	if err != nil {
		return provider.Callback{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	back, err := resp.Location()
	if err != nil {
		return provider.Callback{}, errors.New("the simulator showed a page")
	}
	got := back.Query()
	return provider.Callback{
		Code: identity.Secret(got.Get("code")), Error: got.Get("error"), Description: got.Get("error_description"),
		Issuer: got.Get("iss"), HasIssuer: got.Has("iss"),
	}, nil
}

// login goes all the way.
func (r *rig) login(patient string) (identity.Answer, error) {
	r.Helper()
	trip := r.begin(provider.Departure{})
	return r.Finish(r.Context(), trip.Challenge, r.come(trip, patient))
}

// tell makes the simulator tell a lie.
func (r *rig) tell(preset string) {
	r.Helper()
	f, known := r.sim.Preset(preset)
	if !known {
		r.Fatalf("preset %s: unknown", preset)
	}
	if err := r.sim.SetFaults(f); err != nil {
		r.Fatal(err)
	}
}

// causeOf returns the cause of a refusal, "ok", or the text of another error.
func causeOf(err error) string {
	var refused *provider.Refusal
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refused):
		return refused.Cause
	}
	return err.Error()
}

func kindOf(err error) provider.Kind {
	var refused *provider.Refusal
	if errors.As(err, &refused) {
		return refused.Kind
	}
	return ""
}
