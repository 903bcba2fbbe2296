package notifystandin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"regexp"
	"strings"
	"time"
)

// clockWithin is how far a caller's clock may be off.
const clockWithin = 30 * time.Second

// judgeBearer checks the token of a call: HS256 with the secret, iss the service,
// iat within 30 seconds.
func (s *StandIn) judgeBearer(header string) *wrong {
	token, found := strings.CutPrefix(header, "Bearer ")
	if !found {
		return &wrong{http.StatusUnauthorized, "AuthError", "Unauthorized: authentication token must be provided"}
	}
	parts := strings.Split(token, ".")
	var head struct{ Typ, Alg string }
	var claims struct {
		Iss string `json:"iss"`
		Iat *int64 `json:"iat"`
	}
	if len(parts) != 3 || !decode(parts[0], &head) || !decode(parts[1], &claims) || head.Alg != "HS256" || head.Typ != "JWT" || claims.Iat == nil {
		return &wrong{http.StatusForbidden, "AuthError", "Invalid token: signature, api token is not valid"}
	}
	code := hmac.New(sha256.New, []byte(s.o.Secret.Reveal()))
	_, _ = code.Write([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	switch {
	case claims.Iss != s.o.Service:
		return &wrong{http.StatusForbidden, "AuthError", "Invalid token: service not found"}
	case err != nil || !hmac.Equal(signature, code.Sum(nil)):
		return &wrong{http.StatusForbidden, "AuthError", "Invalid token: API key not found"}
	case s.o.Now().Sub(time.Unix(*claims.Iat, 0)).Abs() > clockWithin:
		return &wrong{http.StatusForbidden, "AuthError", "Error: Your system clock must be accurate to within 30 seconds"}
	}
	return nil
}

func decode(part string, into any) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return err == nil && json.Unmarshal(b, into) == nil
}

// order is what a caller posts.
type order struct {
	Phone           string            `json:"phone_number"`
	Email           string            `json:"email_address"`
	Template        string            `json:"template_id"`
	Personalisation map[string]string `json:"personalisation"`
	Reference       string            `json:"reference"`
}

const maxOrder = 2 << 20 // Notify's own bound

func (s *StandIn) sendSMS(w http.ResponseWriter, r *http.Request)   { s.send(w, r, SMS) }
func (s *StandIn) sendEmail(w http.ResponseWriter, r *http.Request) { s.send(w, r, Email) }

func (s *StandIn) send(w http.ResponseWriter, r *http.Request, kind string) {
	var o order
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	d.DisallowUnknownFields() // Notify refuses additional properties
	if d.Decode(&o) != nil {
		refuse(w, wrong{http.StatusBadRequest, "ValidationError", "JSON body is not as wanted"})
		return
	}
	m, fault := s.judge(o, kind)
	if fault == nil {
		fault = s.limits()
	}
	if fault != nil {
		refuse(w, *fault)
		return
	}
	s.take(w, r, m)
}

// judge checks an order and words its message.
func (s *StandIn) judge(o order, kind string) (Message, *wrong) {
	m := Message{Type: kind, Reference: o.Reference, To: o.Phone}
	bad := s.judgePhone(o.Phone)
	if kind == Email {
		m.To, bad = o.Email, judgeEmail(o.Email)
	}
	if bad != nil {
		return m, bad
	}
	t, found := s.find(o.Template)
	switch {
	case !found:
		return m, &wrong{http.StatusBadRequest, "BadRequestError", "Template not found"}
	case t.Type != kind:
		return m, &wrong{http.StatusBadRequest, "BadRequestError", t.Type + " template is not suitable for " + kind + " notification"}
	}
	var missing []string
	put := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(p string) string {
			v, ok := o.Personalisation[p[2:len(p)-2]]
			if !ok {
				missing = append(missing, p[2:len(p)-2])
			}
			return v
		})
	}
	m.Subject, m.Body = put(t.Subject), put(t.Body)
	if len(missing) > 0 {
		return m, &wrong{http.StatusBadRequest, "BadRequestError", "Missing personalisation: " + strings.Join(missing, ", ")}
	}
	return m, nil
}

var placeholder = regexp.MustCompile(`\(\([a-z]+\)\)`)

func (s *StandIn) find(id string) (Template, bool) {
	for _, t := range s.o.Templates {
		if t.ID == id {
			return t, true
		}
	}
	return Template{}, false
}

var (
	british = regexp.MustCompile(`^(\+44|0044|0)7[0-9]{9}$`)
	foreign = regexp.MustCompile(`^(\+|00)[1-9][0-9]{7,14}$`)
)

func (s *StandIn) judgePhone(n string) *wrong {
	n = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(n)
	switch {
	case british.MatchString(n):
		return nil
	case !foreign.MatchString(n) || strings.HasPrefix(n, "+44") || strings.HasPrefix(n, "0044"):
		return &wrong{http.StatusBadRequest, "ValidationError", "phone_number Not a valid phone number"}
	case !s.o.International:
		return &wrong{http.StatusBadRequest, "BadRequestError", "Cannot send to international mobile numbers"}
	}
	return nil
}

func judgeEmail(a string) *wrong {
	parsed, err := mail.ParseAddress(a)
	if err != nil || parsed.Address != a || !strings.Contains(a[strings.LastIndexByte(a, '@'):], ".") {
		return &wrong{http.StatusBadRequest, "ValidationError", "email_address Not a valid email address"}
	}
	return nil
}

// limits answers for the faults that come before anything is taken.
func (s *StandIn) limits() *wrong {
	switch s.failing() {
	case DailyLimit:
		return &wrong{http.StatusTooManyRequests, "TooManyRequestsError", "Exceeded send limits (250000) for today"}
	case RateLimit:
		return &wrong{http.StatusTooManyRequests, "RateLimitError", "Exceeded rate limit for key type LIVE of 3000 requests per 60 seconds"}
	case Broken:
		return &wrong{http.StatusInternalServerError, "Exception", "Internal server error"}
	}
	return nil
}

// take keeps the message and answers, or fails to.
func (s *StandIn) take(w http.ResponseWriter, r *http.Request, m Message) {
	m.ID, m.At, m.Status, m.Smoke = newUUID(), s.o.Now(), "created", smoke(m.To)
	s.mu.Lock()
	s.messages = append(s.messages, m)
	s.mu.Unlock()
	switch s.failing() {
	case BrokenAfter:
		refuse(w, wrong{http.StatusInternalServerError, "Exception", "Internal server error"})
		return
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Drop:
		panic(http.ErrAbortHandler)
	}
	answer(w, http.StatusCreated, shown(m))
}

// shown is a message as the API tells of it.
func shown(m Message) map[string]any {
	v := map[string]any{"id": m.ID, "reference": m.Reference, "type": m.Type, "status": m.Status, "uri": "/v2/notifications/" + m.ID}
	if m.Type == Email {
		v["content"] = map[string]string{"subject": m.Subject, "body": m.Body}
	} else {
		v["content"] = map[string]string{"body": m.Body}
	}
	return v
}

func (s *StandIn) list(w http.ResponseWriter, r *http.Request) {
	if s.failing() == Hang {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	if f := s.failing(); f == Broken || f == BrokenAfter {
		refuse(w, wrong{http.StatusInternalServerError, "Exception", "Internal server error"})
		return
	}
	found := []map[string]any{}
	for _, m := range s.Messages() {
		if ref := r.URL.Query().Get("reference"); !m.Smoke && (ref == "" || ref == m.Reference) {
			found = append(found, shown(m))
		}
	}
	answer(w, http.StatusOK, map[string]any{"notifications": found})
}

func (s *StandIn) one(w http.ResponseWriter, r *http.Request) {
	for _, m := range s.Messages() {
		if m.ID == r.PathValue("id") && !m.Smoke {
			answer(w, http.StatusOK, shown(m))
			return
		}
	}
	refuse(w, wrong{http.StatusNotFound, "NoResultFound", "No result found"})
}

func (s *StandIn) template(w http.ResponseWriter, r *http.Request) {
	t, found := s.find(r.PathValue("id"))
	if !found {
		refuse(w, wrong{http.StatusNotFound, "NoResultFound", "No result found"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": t.ID, "type": t.Type, "subject": t.Subject, "body": t.Body, "version": 1})
}

// smoke reports whether the recipient is one of those that Notify has for smoke
// tests.
func smoke(to string) bool {
	digits := strings.NewReplacer("+44", "0", " ", "").Replace(to)
	switch digits {
	case "07700900000", "07700900111", "07700900222",
		"simulate-delivered@notifications.service.gov.uk", "simulate-delivered-2@notifications.service.gov.uk", "simulate-delivered-3@notifications.service.gov.uk":
		return true
	}
	return false
}

// statusOf is how a message to that recipient ends: Notify has some that fail.
func statusOf(to string) string {
	switch strings.NewReplacer("+44", "0", " ", "").Replace(to) {
	case "07700900003", "temp-fail@simulator.notify":
		return "temporary-failure"
	case "07700900002", "perm-fail@simulator.notify":
		return "permanent-failure"
	}
	return "delivered"
}

// newUUID returns a random one (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
