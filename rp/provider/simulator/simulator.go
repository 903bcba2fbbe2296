package simulator

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/go-jose/go-jose/v4"
)

// Options are what a simulator is made of. Issuer may be empty at first, for a
// listener that learns its port late ([Simulator.SetIssuer]).
type Options struct {
	Issuer   string           // as clients know it, with or without a slash at its end
	Now      func() time.Time // required
	Clients  []Client
	Patients []Patient // nil: [MadeUpPatients]

	// Strict refuses what real clients do against the specification: no state, no
	// nonce, assertions over five minutes or for another audience. Else it warns
	// and goes on.
	Strict bool
	// PKCE advertises S256 in discovery. A challenge that is sent is verified always.
	PKCE bool
	// IssParameter sends and advertises iss in authorization answers (RFC 9207).
	IssParameter bool
	// AtHash puts at_hash into ID tokens. NHS login does not.
	AtHash bool
	// Alg signs ID and access tokens: RS512 when empty; else another RS, PS, or ES256.
	Alg string
	// Key signs until the first rotation; nil: one is made when first needed.
	Key *rsa.PrivateKey
	// AppTarget is where the page that plays the NHS App sends people. Empty: the
	// first client's first redirect URI's origin and /login/nhs-login.
	AppTarget string

	Log  *slog.Logger // one line a request, nothing personal; nil: none
	Warn func(string) // told what a client does against the specification; nil: nobody
}

// Lifetimes of NHS login (Interface Specification – Federation, table 18), and of
// what it doesn't publish.
const (
	codeLife      = 10 * time.Minute
	idTokenLife   = 60 * time.Minute
	accessLife    = 5 * time.Minute
	refreshLife   = 30 * 24 * time.Hour
	ssoLife       = 30 * time.Minute // unused; ours
	pageLife      = time.Hour        // a login page left open; ours
	rememberLogin = 12 * time.Hour   // how long an ID token's jti vouches for its login; ours
	maxForm       = 64 << 10         // bytes of a request body
	maxCalls      = 10_000
)

// endpoints are the names in the call log and in [Faults].Redirect.
var endpoints = []string{
	EndpointDiscovery, EndpointJWKS, EndpointAuthorize, EndpointToken, EndpointUserInfo,
}

// Endpoint names. The last one is no endpoint of NHS login: lies point there, and
// an honest client never calls it.
const (
	EndpointDiscovery = "discovery"
	EndpointJWKS      = "jwks"
	EndpointAuthorize = "authorize"
	EndpointToken     = "token"
	EndpointUserInfo  = "userinfo"
	EndpointCollector = "collector"
)

// Simulator is an NHS login. It is safe for concurrent use.
type Simulator struct {
	opt    Options
	keys   keyring
	routes *http.ServeMux
	app    func() (*rsa.PrivateKey, error) // the key of the client that plays the NHS App

	mu       sync.RWMutex
	issuer   string
	clients  map[string]Client
	order    []string // of clients, as given
	patients []Patient
	logins   map[string]int // by patient: logins so far
	lies     lies
	calls    []Call

	pages    shelf[page]
	sessions shelf[session]
	codes    shelf[grant]
	spent    shelf[struct{}] // codes that were used
	revoked  shelf[struct{}] // logins whose code was used twice
	access   shelf[grant]
	refresh  shelf[grant]
	tokens   shelf[proven]   // by ID token jti
	jtis     shelf[struct{}] // of assertions
}

// Call is one request to an endpoint, as the log remembers it. ClientID is what
// the caller said or what its token says; empty where neither does.
type Call struct {
	Endpoint string
	ClientID string
	At       time.Time
}

// New returns a simulator, or every fault of its options at once.
func New(opt Options) (*Simulator, error) {
	if opt.Now == nil {
		return nil, errors.New("simulator: wanted a clock, got none")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	opt.Alg = orElse(opt.Alg, string(jose.RS512))
	if _, ok := hashes[opt.Alg]; !ok {
		return nil, fmt.Errorf("simulator: alg: wanted one of %v, got %.16q", slices.Sorted(maps.Keys(hashes)), opt.Alg)
	}
	s := &Simulator{
		opt: opt, keys: keyring{alg: opt.Alg}, patients: opt.Patients, logins: map[string]int{},
		app: sync.OnceValues(newRSA),
	}
	if s.patients == nil {
		s.patients = MadeUpPatients(opt.Now())
	}
	if opt.Key != nil && !strings.HasPrefix(opt.Alg, "ES") {
		k, err := named(opt.Key)
		if err != nil {
			return nil, fmt.Errorf("simulator: %w", err)
		}
		s.keys.keys = []signingKey{k}
	}
	if err := errors.Join(s.SetClients(opt.Clients), s.setFirstIssuer(opt.Issuer), checkPatients(s.patients)); err != nil {
		return nil, err
	}
	s.routes = s.newRoutes()
	return s, nil
}

func (s *Simulator) setFirstIssuer(issuer string) error {
	if issuer == "" {
		return nil
	}
	return s.SetIssuer(issuer)
}

func checkPatients(patients []Patient) error {
	var faults []error
	seen := map[string]bool{}
	for i, p := range patients {
		if p.Key == "" || p.Subject == "" || strings.Contains(p.Key, "/") {
			faults = append(faults, fmt.Errorf("patient %d: wanted a subject and a key without a slash", i))
		}
		if seen[p.Key] || seen["sub "+p.Subject] {
			faults = append(faults, fmt.Errorf("patient %.40q: wanted a key and a subject of its own", p.Key))
		}
		seen[p.Key], seen["sub "+p.Subject] = true, true
	}
	if len(patients) == 0 {
		faults = append(faults, errors.New("patients: wanted at least one, got none"))
	}
	return errors.Join(faults...)
}

// SetIssuer gives the simulator its name: an absolute http or https URL without
// query or fragment. Tokens already issued keep the old one.
func (s *Simulator) SetIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		(u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("simulator: issuer: wanted an http or https URL, got %.100q", issuer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issuer = issuer
	return nil
}

// Issuer returns the issuer exactly as it was given.
func (s *Simulator) Issuer() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.issuer
}

// base is the issuer without a slash at its end: what endpoint paths stand behind.
func (s *Simulator) base() string { return strings.TrimRight(s.Issuer(), "/") }

// SetClients replaces the registered clients, or returns every fault in them.
func (s *Simulator) SetClients(clients []Client) error {
	byID, order := map[string]Client{}, []string{}
	var faults []error
	for _, c := range clients {
		for _, f := range c.check() {
			faults = append(faults, fmt.Errorf("simulator: client %.60q: %w", c.ID, f))
		}
		if _, twice := byID[c.ID]; twice {
			faults = append(faults, fmt.Errorf("simulator: client %.60q: wanted an id of its own", c.ID))
		}
		byID[c.ID] = c
		order = append(order, c.ID)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients, s.order = byID, order
	return nil
}

// client returns a registered client.
func (s *Simulator) client(id string) (Client, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, ok := s.clients[id]
	return c, ok
}

// allClients returns the registered clients in the order they were given.
func (s *Simulator) allClients() []Client {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Client, 0, len(s.order))
	for _, id := range s.order {
		out = append(out, s.clients[id])
	}
	return out
}

// Patients returns the patients as they stand.
func (s *Simulator) Patients() []Patient {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.patients)
}

func (s *Simulator) patient(key string) (Patient, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := slices.IndexFunc(s.patients, func(p Patient) bool { return p.Key == key })
	if i < 0 {
		return Patient{}, false
	}
	return s.patients[i], true
}

// raise gives a patient a higher level, as proving who they are does.
func (s *Simulator) raise(key string, to identity.Proofing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patients = slices.Clone(s.patients)
	for i := range s.patients {
		if s.patients[i].Key == key {
			s.patients[i].Level = max(s.patients[i].Level, to)
		}
	}
}

// countLogin counts a login of a patient and returns the patient as this login
// tells them: a changed NHS number is told from the second one on.
func (s *Simulator) countLogin(p Patient) Patient {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins[p.Key]++
	if s.logins[p.Key] > 1 && p.NextNHSNumber != "" {
		p.NHSNumber = p.NextNHSNumber
	}
	return p
}

// RotateKeys makes a new signing key. The one before it stays published; any older
// one does not.
func (s *Simulator) RotateKeys() error { return s.keys.rotate() }

// Calls returns the calls since the start or the last reset, oldest first.
func (s *Simulator) Calls() []Call {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.calls)
}

// CallsTo returns how often an endpoint was called since the last reset.
func (s *Simulator) CallsTo(endpoint string) int {
	n := 0
	for _, c := range s.Calls() {
		if c.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// ResetCalls empties the call log.
func (s *Simulator) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// record logs a call.
func (s *Simulator) record(endpoint, clientID string) {
	at := s.now()
	s.opt.Log.Info("simulator call", "endpoint", endpoint, "client", fmt.Sprintf("%.60s", clientID))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) >= maxCalls {
		s.calls = slices.Clone(s.calls[maxCalls/2:])
	}
	s.calls = append(s.calls, Call{endpoint, clientID, at})
}

func (s *Simulator) now() time.Time { return s.opt.Now() }

// warn tells what a client does against the specification. No value of a request
// goes into a warning, only names of clients and parameters.
func (s *Simulator) warn(clientID, format string, args ...any) {
	text := fmt.Sprintf("client %.60q: ", clientID) + fmt.Sprintf(format, args...)
	s.opt.Log.Warn("simulator: " + text)
	if s.opt.Warn != nil {
		s.opt.Warn(text)
	}
}

// ServeHTTP serves everything under the issuer's path.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u, err := url.Parse(s.base())
	if err != nil || u.Host == "" {
		http.Error(w, "simulator: no issuer yet", http.StatusServiceUnavailable)
		return
	}
	if u.Path != "" && r.URL.Path == u.Path {
		http.Redirect(w, r, s.base()+"/", http.StatusSeeOther)
		return
	}
	http.StripPrefix(u.Path, s.routes).ServeHTTP(w, r)
}

// newRoutes is every path and method on one screen. Forms of our own pages are
// taken from our own pages alone; /authorize and /token are for others to call.
func (s *Simulator) newRoutes() *http.ServeMux {
	own := http.NewCrossOriginProtection()
	m := http.NewServeMux()
	for route, h := range map[string]http.HandlerFunc{
		"GET /.well-known/openid-configuration": s.discoveryHTTP,
		"GET /.well-known/jwks.json":            s.jwksHTTP,
		"GET /authorize":                        s.authorizeHTTP,
		"POST /authorize":                       s.authorizeHTTP,
		"POST /token":                           s.tokenHTTP,
		"GET /userinfo":                         s.userinfoHTTP,
		"POST /userinfo":                        s.userinfoHTTP,
		"GET /settings":                         s.settingsHTTP,
		"GET /faults":                           s.getFaultsHTTP,
		"POST /faults":                          s.setFaultsHTTP,
		"/collector":                            s.collectorHTTP,
		"GET /{$}":                              s.homeHTTP,
		"GET /nhs-app":                          s.appHTTP,
		"GET /simulator.css":                    styleHTTP,
	} {
		m.HandleFunc(route, h)
	}
	for route, h := range map[string]http.HandlerFunc{
		"POST /choose":  s.chooseHTTP,
		"POST /nhs-app": s.openFromAppHTTP,
		"POST /log-out": s.logOutHTTP,
	} {
		m.Handle(route, own.Handler(h))
	}
	return m
}

// collectorHTTP answers what lies point to: a key set with the foreign key, for a
// client that follows jku. Any call here is a client's fault.
func (s *Simulator) collectorHTTP(w http.ResponseWriter, r *http.Request) {
	s.record(EndpointCollector, "")
	k, err := s.keys.foreign(s.keys.alg)
	if err != nil {
		http.Error(w, "no key", http.StatusInternalServerError)
		return
	}
	answer(w, r, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.jwk(s.keys.alg)}}, Reply{})
}
