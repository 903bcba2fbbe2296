package pdsstandin

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// The paths under the base address.
const (
	tokenPath   = "/oauth2/token"
	fhirPath    = "/personal-demographics/FHIR/R4"
	patientPath = fhirPath + "/Patient"
)

// The endpoints, as [Fault] and [Call] name them.
const (
	Token   = "token"
	Patient = "patient" // by NHS number
	Search  = "search"
)

// maxCalls is how many of the last calls are kept.
const maxCalls = 1000

// Options is what a stand-in stands on.
type Options struct {
	Now       func() time.Time // required
	APIKey    string           // of the one application that is registered
	KeyID     string           // kid of its key
	Key       *rsa.PublicKey
	Patients  []identity.Entry
	PerSecond int // requests it answers in a second; 0: any number
}

// Call is one request that came.
type Call struct {
	At        time.Time
	Endpoint  string
	RequestID string
	Query     url.Values // of a search
	Header    http.Header
	Status    int
}

// Standin is the server. It is safe for concurrent use.
type Standin struct {
	opt Options

	mu         sync.Mutex
	base       string
	patients   map[identity.NHSNumber]identity.Entry
	superseded map[identity.NHSNumber]identity.NHSNumber
	labels     map[identity.NHSNumber]string
	alter      func(resource map[string]any)
	tokens     map[string]time.Time // access token: its end
	jtis       map[string]time.Time // of assertions: their end
	recent     []time.Time          // requests of the last second
	faults     []Fault
	calls      []*Call
}

// New returns a stand-in. [Standin.SetURL] tells it where it stands.
func New(o Options) (*Standin, error) {
	if o.Now == nil || o.APIKey == "" || o.KeyID == "" || o.Key == nil {
		return nil, errors.New("pds stand-in: wanted a clock, an api key, and a key with a kid")
	}
	s := &Standin{
		opt: o, patients: map[identity.NHSNumber]identity.Entry{}, superseded: map[identity.NHSNumber]identity.NHSNumber{},
		labels: map[identity.NHSNumber]string{}, tokens: map[string]time.Time{}, jtis: map[string]time.Time{},
	}
	for _, e := range o.Patients {
		if e.NHSNumber.IsZero() {
			return nil, errors.New("pds stand-in: wanted an NHS number with every patient")
		}
		s.Put(e)
	}
	return s, nil
}

// SetURL tells the stand-in its own address, which assertions must name.
func (s *Standin) SetURL(base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = strings.TrimSuffix(base, "/")
}

// URL is the address of the FHIR API.
func (s *Standin) URL() string { return s.at(fhirPath) }

// TokenURL is where access tokens are granted.
func (s *Standin) TokenURL() string { return s.at(tokenPath) }

func (s *Standin) at(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base + path
}

// Put adds a patient, or changes one. Standing and Protected say what becomes of
// them: died, moved, invalidated, restricted.
func (s *Standin) Put(e identity.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patients[e.NHSNumber] = e
}

// Supersede says that one number took another's place.
func (s *Standin) Supersede(old, by identity.NHSNumber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.superseded[old] = by
}

// Mark puts a security label on a patient in place of the one that follows from the
// entry: V is very restricted.
func (s *Standin) Mark(n identity.NHSNumber, label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.labels[n] = label
}

// Alter has fn change every resource, Patient or Bundle, before it is sent; nil ends
// that. fn calls nothing of the stand-in.
func (s *Standin) Alter(fn func(resource map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alter = fn
}

// RevokeTokens makes every access token one that is not known.
func (s *Standin) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// SetPerSecond changes how many requests are answered in a second; 0: any number.
func (s *Standin) SetPerSecond(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.PerSecond = n
}

// Calls returns the last thousand requests that came, the oldest first.
func (s *Standin) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Call, len(s.calls))
	for i, c := range s.calls {
		all[i] = *c
	}
	return all
}

// note keeps a call, and returns what is told its status.
func (s *Standin) note(c *Call) (answered func(status int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == maxCalls {
		s.calls = slices.Delete(s.calls, 0, 1)
	}
	s.calls = append(s.calls, c)
	return func(status int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c.Status = status
	}
}

// recorder notes the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// ServeHTTP answers the token endpoint and the two ways to a Patient.
func (s *Standin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := endpointOf(r)
	out := &recorder{w, http.StatusOK}
	answered := s.note(&Call{
		At: s.opt.Now(), Endpoint: endpoint, RequestID: r.Header.Get("X-Request-ID"), Query: r.URL.Query(), Header: r.Header.Clone(),
	})
	defer func() { answered(out.status) }()
	if f, faulty := s.fault(endpoint); faulty && f.serve(out, r) {
		return
	}
	switch endpoint {
	case Token:
		s.grant(out, r)
	case Patient, Search:
		s.answer(out, r, endpoint)
	default:
		http.Error(out, "wanted a path of PDS", http.StatusNotFound)
	}
}

func endpointOf(r *http.Request) string {
	switch {
	case r.URL.Path == tokenPath:
		return Token
	case r.URL.Path == patientPath:
		return Search
	case strings.HasPrefix(r.URL.Path, patientPath+"/"):
		return Patient
	}
	return ""
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// answer checks what every question must carry, and then finds the patient.
func (s *Standin) answer(w http.ResponseWriter, r *http.Request, endpoint string) {
	id := r.Header.Get("X-Request-ID")
	if w.Header().Get("X-Request-Id") == "" { // a fault may have put another there
		w.Header().Set("X-Request-Id", id)
	}
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED_SERVICE", "wanted GET")
	case s.tooMany():
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "more requests came than the application was granted")
	case !strings.EqualFold(scheme, "Bearer") || !s.granted(bearer):
		refuse(w, http.StatusUnauthorized, "ACCESS_DENIED", "the access token is missing, unknown or over")
	case id == "":
		refuse(w, http.StatusBadRequest, "MISSING_VALUE", "Missing value - 'X-Request-ID'")
	case !uuid.MatchString(id):
		refuse(w, http.StatusBadRequest, "INVALID_VALUE", "Invalid value in header 'X-Request-ID'")
	case endpoint == Patient:
		s.byNumber(w, strings.TrimPrefix(r.URL.Path, patientPath+"/"))
	default:
		s.search(w, r.URL.Query())
	}
}

// tooMany counts the request against the rate; one that is refused counts too.
func (s *Standin) tooMany() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opt.PerSecond == 0 {
		return false
	}
	now := s.opt.Now()
	s.recent = slices.DeleteFunc(s.recent, func(at time.Time) bool { return now.Sub(at) >= time.Second })
	s.recent = append(s.recent, now)
	return len(s.recent) > s.opt.PerSecond
}

// byNumber answers GET /Patient/{number}.
func (s *Standin) byNumber(w http.ResponseWriter, text string) {
	number, err := identity.ParseNHSNumber(text)
	if err != nil || number.Reveal() != text {
		refuse(w, http.StatusBadRequest, "INVALID_RESOURCE_ID", fmt.Sprintf("Invalid value - '%s' in field 'id'", text))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if by, gone := s.superseded[number]; gone {
		number = by
	}
	e, known := s.patients[number]
	switch {
	case !known:
		refuse(w, http.StatusNotFound, "RESOURCE_NOT_FOUND", "")
	case e.Standing == identity.Invalidated:
		refuse(w, http.StatusNotFound, "INVALIDATED_RESOURCE", "")
	default:
		w.Header().Set("ETag", `W/"2"`)
		s.send(w, s.patient(e))
	}
}
