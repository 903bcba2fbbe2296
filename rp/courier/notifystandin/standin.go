package notifystandin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// The types of template.
const (
	SMS   = "sms"
	Email = "email"
)

// Template is one that the service has. ((name)) is a placeholder.
type Template struct {
	ID      string
	Type    string // SMS or Email
	Subject string // of an email
	Body    string
}

// Options are what a stand-in is made of.
type Options struct {
	Now       func() time.Time // required
	Name      string           // of the API key
	Service   string           // a UUID
	Secret    identity.Secret  // a UUID
	Templates []Template
	// International lets numbers outside of the United Kingdom pass.
	International bool
	// Callback is where receipts go, with Bearer; empty: nowhere.
	Callback string
	Bearer   identity.Secret
}

// Message is one that was taken.
type Message struct {
	ID        string
	Reference string
	Type      string // SMS or Email
	To        string
	Subject   string
	Body      string
	At        time.Time
	Status    string // "created", then what its receipt says
	// Smoke says that it went to one of Notify's smoke-test numbers or addresses:
	// Notify keeps no such message and sends no receipt.
	Smoke bool
}

// Fault is a way to fail. The zero value is none.
type Fault string

// The faults.
const (
	DailyLimit  Fault = "daily-limit"  // 429 TooManyRequestsError
	RateLimit   Fault = "rate-limit"   // 429 RateLimitError
	Broken      Fault = "broken"       // 500 instead of taking it
	BrokenAfter Fault = "broken-after" // takes it and answers 500
	Hang        Fault = "hang"         // takes it and answers nothing until the caller leaves
	Drop        Fault = "drop"         // takes it and breaks the connection
	Down        Fault = "down"         // breaks every connection before anything is taken
	Redirect    Fault = "redirect"     // sends the caller elsewhere
	Babble      Fault = "babble"       // answers 400 with something that is no JSON
)

// Faults are all of them.
var Faults = []Fault{DailyLimit, RateLimit, Broken, BrokenAfter, Hang, Drop, Down, Redirect, Babble}

// StandIn is a Notify. It is an [http.Handler], safe for concurrent use.
type StandIn struct {
	o      Options
	routes *http.ServeMux
	client *http.Client

	mu       sync.Mutex
	fault    Fault
	messages []Message
	receipts map[string]bool // sent, by id
}

// New returns a stand-in, or what is wrong with its options.
func New(o Options) (*StandIn, error) {
	if o.Now == nil || o.Service == "" || o.Secret == "" {
		return nil, errors.New("notify stand-in: wanted a clock, a service and a secret, got fewer")
	}
	for _, t := range o.Templates {
		if t.Type != SMS && t.Type != Email {
			return nil, fmt.Errorf("notify stand-in: template %.40q: wanted type sms or email, got %.40q", t.ID, t.Type)
		}
	}
	s := &StandIn{o: o, receipts: map[string]bool{}, client: &http.Client{Timeout: 5 * time.Second}, routes: http.NewServeMux()}
	s.routes.HandleFunc("POST /v2/notifications/sms", s.sendSMS)
	s.routes.HandleFunc("POST /v2/notifications/email", s.sendEmail)
	s.routes.HandleFunc("GET /v2/notifications", s.list)
	s.routes.HandleFunc("GET /v2/notifications/{id}", s.one)
	s.routes.HandleFunc("GET /v2/template/{id}", s.template)
	return s, nil
}

// Key returns the API key as Notify shows it once.
func (s *StandIn) Key() identity.Secret {
	return identity.Secret(s.o.Name + "-" + s.o.Service + "-" + s.o.Secret.Reveal())
}

// SetFault makes it fail in that way from now on; "" makes it honest again.
func (s *StandIn) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *StandIn) failing() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// Messages returns what was taken, oldest first.
func (s *StandIn) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Reset forgets every message.
func (s *StandIn) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages, s.receipts = nil, map[string]bool{}
}

// ServeHTTP serves the API.
func (s *StandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch s.failing() {
	case Down:
		panic(http.ErrAbortHandler) // the connection breaks, and nothing is logged
	case Redirect:
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return
	case Babble:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("<html>07700900123</html>"))
		return
	}
	w.Header().Set("Date", s.o.Now().UTC().Format(http.TimeFormat))
	if fault := s.judgeBearer(r.Header.Get("Authorization")); fault != nil {
		refuse(w, *fault)
		return
	}
	s.routes.ServeHTTP(w, r)
}

// wrong is an answer other than yes, in Notify's shape.
type wrong struct {
	status  int
	kind    string
	message string
}

func refuse(w http.ResponseWriter, f wrong) {
	answer(w, f.status, map[string]any{"status_code": f.status, "errors": []map[string]string{{"error": f.kind, "message": f.message}}})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may have left
}

// SendReceipts posts a receipt for each message that has had none, as Notify does
// by itself, and returns how many were taken. One that is not answered with a 2xx
// is sent again by the next call.
func (s *StandIn) SendReceipts(ctx context.Context) (int, error) {
	taken := 0
	for _, m := range s.Messages() {
		if s.o.Callback == "" || m.Smoke || s.receipted(m.ID) {
			continue
		}
		status := statusOf(m.To)
		if err := s.post(ctx, m, status); err != nil {
			return taken, err
		}
		s.note(m.ID, status)
		taken++
	}
	return taken, nil
}

func (s *StandIn) receipted(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.receipts[id]
}

func (s *StandIn) note(id, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipts[id] = true
	for i := range s.messages {
		if s.messages[i].ID == id {
			s.messages[i].Status = status
		}
	}
}

// post sends one receipt.
func (s *StandIn) post(ctx context.Context, m Message, status string) error {
	now := s.o.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	body, err := json.Marshal(map[string]any{
		"id": m.ID, "reference": m.Reference, "to": m.To, "status": status, "notification_type": m.Type,
		"created_at": m.At.UTC().Format("2006-01-02T15:04:05.000000Z"), "completed_at": now, "sent_at": now,
		"template_id": "", "template_version": 1,
	})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.Callback, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.o.Bearer.Reveal())
	got, err := s.client.Do(r)
	if err != nil {
		return fmt.Errorf("notify stand-in: receipt: %w", err)
	}
	defer func() { _ = got.Body.Close() }()
	if got.StatusCode/100 != 2 {
		return fmt.Errorf("notify stand-in: receipt: wanted a status of 2xx, got %d", got.StatusCode)
	}
	return nil
}
