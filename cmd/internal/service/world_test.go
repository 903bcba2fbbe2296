package service_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider/simulator"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// world is the whole service, as `dilys serve` builds it, with an NHS login
// simulator as its provider and a clock that only a test moves.
type world struct {
	*service.Service
	t       testing.TB
	url     string // of Dilys
	sim     *simulator.Simulator
	simURL  string
	second  *simulator.Simulator // a second provider, of kind oidc
	clock   *clock
	log     *syncedText
	handler atomic.Pointer[http.Handler]
}

// Names in the world's configuration.
const (
	portalID    = "my-health"
	portalURL   = "http://127.0.0.1:9" // nothing answers there: a test looks at where the browser is sent
	callbackURL = portalURL + "/callback"
)

// portalSecret is that of the test portal.
var portalSecret = identity.NewToken().Reveal()

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type syncedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncedText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncedText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// One key a provider for all worlds: making one is the slowest part of a world.
var firstKey, secondKey = sync.OnceValue(newRSAKey), sync.OnceValue(newRSAKey)

func newRSAKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// option changes the configuration text of a world.
type option func(*settings)

type settings struct {
	database                 string
	providers, portals, more string
	nhsLogin                 string // more lines of that provider
	named                    bool
}

// withMore adds text to the end of the configuration.
func withMore(text string) option { return func(s *settings) { s.more += text } }

// withPortal adds a portal to the configuration, in YAML, as a list entry.
func withPortal(text string) option { return func(s *settings) { s.portals += text } }

// onDatabase puts the world on another database than a SQLite file of its own.
func onDatabase(url string) option { return func(s *settings) { s.database = url } }

// onAName lets the service stand on a host with a name.
func onAName(s *settings) { s.named = true }

// withNHSLogin adds lines to the provider nhs-login.
func withNHSLogin(more string) option {
	return func(s *settings) { s.nhsLogin += "    " + more + "\n" }
}

// newWorld builds the service on a SQLite file, ready to be logged in to.
func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, clock: &clock{now: time.Now().UTC().Truncate(time.Second)}, log: new(syncedText)}
	w.url = w.listen(func(rw http.ResponseWriter, r *http.Request) { (*w.handler.Load()).ServeHTTP(rw, r) })
	s := settings{database: "sqlite:" + filepath.Join(dir, "dilys.db")}
	for _, o := range options {
		o(&s)
	}
	if s.named { // a passkey is made for a name
		w.url = strings.Replace(w.url, "127.0.0.1", "localhost", 1)
	}
	client, key := simulator.TestClient("dilys-test", w.url+"/login/nhs-login/callback")
	secondClient := simulator.Client{ID: "dilys-second", Secret: identity.NewToken().Reveal(), RedirectURIs: []string{w.url + "/login/second/callback"}}
	w.sim, w.simURL = w.simulator(simulator.Options{Clients: []simulator.Client{client}, Key: firstKey()})
	w.second, _ = w.simulator(simulator.Options{Clients: []simulator.Client{secondClient}, IssParameter: true, PKCE: true, AtHash: true, Alg: "RS256", Key: secondKey()})

	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	write(t, dir, "nhs-login.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	write(t, dir, "second.secret", secondClient.Secret)
	write(t, dir, "portal.secret", portalSecret)
	file := write(t, dir, "dilys.yaml", w.configuration(s, dir))
	config, err := service.Load(file, w.clock.Now())
	must(t, err)
	w.prepare(config)
	w.start(config)
	return w
}

// prepare makes the database and the keys of the world.
func (w *world) prepare(config *service.Config) {
	w.t.Helper()
	must(w.t, store.InitKeys(config.Keys))
	if file, ours := strings.CutPrefix(config.Database, "sqlite:"); ours {
		storetest.Migrated(w.t, file)
		return
	}
	_, err := service.Migrate(w.t.Context(), config, w.clock.Now)
	must(w.t, err)
}

// start builds the service on that configuration and puts it behind the address.
func (w *world) start(config *service.Config) {
	w.t.Helper()
	s, err := service.New(w.t.Context(), config, service.Options{
		Now: w.clock.Now, Version: "test", Log: slog.New(slog.NewJSONHandler(w.log, nil)),
	})
	must(w.t, err)
	w.Service = s
	var h http.Handler = s.Front
	w.handler.Store(&h)
	w.t.Cleanup(func() {
		w.mustExplain(s)
		_ = s.Close()
	})
}

// mustExplain fails the test if an operator who finds one of the events that it left
// could not read it: what happened, at which step, and by which rule.
func (w *world) mustExplain(s *service.Service) {
	w.t.Helper()
	const enough = 5000
	events, err := s.DB.Audit().Unsealed(context.Background(), enough)
	if err != nil {
		return // the test broke the database
	}
	for _, e := range events {
		_, kind := service.Explanations.Kind(e.Kind)
		_, step := service.Explanations.Step(e.Step())
		_, cause := service.Explanations.Cause(e.Cause)
		if !kind || !cause && e.Cause != "" || !step && e.Step() != "" {
			w.t.Errorf("an event has no words for its kind, step or cause: %s, %q, %q", e.Kind, e.Step(), e.Cause)
		}
	}
}

func (w *world) configuration(s settings, dir string) string {
	return fmt.Sprintf(`public_url: %[1]s
listen: %[2]s
operations_listen: 127.0.0.1:1
insecure_loopback: true
database: %[3]q
keys: %[4]s/keys
languages: [en, cy]
organisation:
  name: {en: Example Health Board, cy: Bwrdd Iechyd Enghreifftiol}
  help: {phone: 01632 960123, email: help@example.org}
providers:
  - id: nhs-login
    kind: nhs-login
    issuer: %[5]s
    client_id: dilys-test
    client_key: %[4]s/nhs-login.pem
    settings_url: %[5]s/settings
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm, P5.Cp.Cd]
    scopes: [openid, profile, profile_extended, email, phone]
%[11]s  - id: second
    kind: oidc
    name: {en: Second, cy: Ail}
    issuer: %[6]s
    client_id: dilys-second
    client_secret_file: %[4]s/second.secret
    scopes: [openid, email]
%[7]sportals:
  - id: my-health
    name: {en: My Health, cy: Fy Iechyd}
    redirect_uris: ["%[8]s"]
    post_logout_redirect_uris: ["http://127.0.0.1:9/"]
    client_secret_file: %[4]s/portal.secret
    scopes: [openid, profile, email, phone, nhs_number]
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm]
%[9]s%[10]s`, w.url, strings.Replace(strings.TrimPrefix(w.url, "http://"), "localhost", "127.0.0.1", 1), s.database, dir, w.sim.Issuer(), w.second.Issuer(), s.providers, callbackURL, s.portals, s.more, s.nhsLogin)
}

// listen serves on a free port of loopback until the test ends.
func (w *world) listen(h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	w.t.Cleanup(server.Close)
	return server.URL
}

func (w *world) simulator(o simulator.Options) (*simulator.Simulator, string) {
	w.t.Helper()
	o.Now = w.clock.Now
	sim, err := simulator.New(o)
	must(w.t, err)
	address := w.listen(sim.ServeHTTP)
	must(w.t, sim.SetIssuer(address))
	return sim, address
}

// tick does what the service does by itself every so often.
func (w *world) tick() {
	w.t.Helper()
	for _, p := range w.Providers {
		p.Refresh(w.t.Context())
	}
	must(w.t, w.Ring.Refresh(w.t.Context()))
	_, _, err := w.Chain.Seal(w.t.Context())
	must(w.t, err)
}

// browser is one browser: a cookie jar, and no redirect followed unless asked.
type browser struct {
	w      *world
	t      testing.TB
	client *http.Client
	header http.Header // added to each request
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	return &browser{w: w, t: w.t, header: http.Header{}, client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer with its body read.
type page struct {
	*http.Response
	body string
}

// get asks for an address as a person who typed it.
func (b *browser) get(address string) page { return b.send(http.MethodGet, address, nil, nil) }

// post sends a form as a page of Dilys' own would.
func (b *browser) post(address string, form url.Values) page {
	return b.send(http.MethodPost, address, form, http.Header{"Origin": {b.w.url}, "Sec-Fetch-Site": {"same-origin"}})
}

func (b *browser) send(method, address string, form url.Values, header http.Header) page {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.w.url + address
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, body)
	must(b.t, err)
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, more := range []http.Header{b.header, header} {
		for k, v := range more {
			r.Header[k] = v
		}
	}
	answer, err := b.client.Do(r)
	must(b.t, err)
	defer func() { _ = answer.Body.Close() }()
	read, err := io.ReadAll(answer.Body)
	must(b.t, err)
	return page{answer, string(read)}
}

// location returns where an answer leads.
func (p page) location(t testing.TB) *url.URL {
	t.Helper()
	to, err := p.Location()
	if err != nil {
		t.Fatalf("wanted a redirect, got %d: %.300s", p.StatusCode, p.body)
	}
	return to
}

// authorization is a portal's request with everything that it needs.
func authorization(more ...string) string {
	q := url.Values{
		"client_id": {portalID}, "redirect_uri": {callbackURL}, "response_type": {"code"}, "scope": {"openid profile email phone nhs_number"},
		"state": {"state-of-the-portal"}, "nonce": {"nonce-of-the-portal"}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
		if more[i+1] == "" {
			q.Del(more[i])
		}
	}
	return "/authorize?" + q.Encode()
}

// toProvider presses a provider's button and returns the provider's address that
// the browser is sent to. values go along as the form's hidden fields.
func (b *browser) toProvider(id string, values url.Values) *url.URL {
	b.t.Helper()
	return b.post("/login/"+id, values).location(b.t)
}

// answer lets the simulator answer for a made-up patient, and returns the callback
// that the browser is sent to, not yet followed.
func (b *browser) answer(at *url.URL, patient string) *url.URL {
	b.t.Helper()
	q := at.Query()
	q.Set("login_hint", patient)
	at.RawQuery = q.Encode()
	return b.get(at.String()).location(b.t)
}

// login logs a made-up patient in at NHS login, straight to the account page, and
// returns Dilys' answer to the callback.
func (b *browser) login(patient string) page {
	b.t.Helper()
	return b.get(b.answer(b.toProvider("nhs-login", nil), patient).String())
}

// code brings a made-up patient from the portal's request through the login, and
// returns where the portal is answered.
func (b *browser) code(patient string, more ...string) *url.URL {
	b.t.Helper()
	to := b.get(authorization(more...)).location(b.t)
	if to.Path == "/login" || to.Path == "/step-up" {
		callback := b.answer(b.toProvider("nhs-login", url.Values{"request": {to.Query().Get("request")}}), patient)
		to = b.get(b.get(callback.String()).location(b.t).String()).location(b.t)
	}
	return to
}

// exchange trades a code at the token endpoint as the portal.
func (b *browser) exchange(code string) page {
	b.t.Helper()
	return b.token(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callbackURL}, "code_verifier": {verifier},
	}, portalID, portalSecret)
}

func (b *browser) token(form url.Values, id, secret string) page {
	b.t.Helper()
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return b.w.browser().send(http.MethodPost, "/token", form, r.Header)
}

// tokens is what the token endpoint gives.
type tokens struct {
	IDToken     string `json:"id_token"`
	AccessToken string `json:"access_token"`
	Error       string `json:"error"`
}

func (p page) tokens(t testing.TB) tokens {
	t.Helper()
	var out tokens
	must(t, json.Unmarshal([]byte(p.body), &out))
	return out
}

// loggedIn reports whether the browser has a live session, as the check says.
func (b *browser) loggedIn() bool {
	b.t.Helper()
	return b.get("/check").StatusCode == http.StatusOK
}

// mustNotLogIn fails the test if the browser has a session or a page gave one.
func (b *browser) mustNotLogIn(p page) {
	b.t.Helper()
	for _, c := range p.Cookies() {
		if c.Name == "dilys" && c.Value != "" {
			b.t.Errorf("a session cookie was given")
		}
	}
	if b.loggedIn() {
		b.t.Errorf("there is a session")
	}
}

const verifier = "a-code-verifier-of-the-test-portal-0123456789"

func challengeOf(verifier string) string {
	d := identity.Secret(verifier).Digest()
	return rawURL(d[:])
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	must(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
