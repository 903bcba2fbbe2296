package workbench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Message is something that was sent to a patient. Its JSON is what tests read at
// GET /outbox.json.
type Message struct {
	To       string    `json:"to"`       // an e-mail address or a phone number
	Channel  string    `json:"channel"`  // email or sms
	Language string    `json:"language"` // en or cy
	Subject  string    `json:"subject"`  // of an e-mail; empty for sms
	Text     string    `json:"text"`
	At       time.Time `json:"at"`
}

// Address is a place worth knowing.
type Address struct {
	Name  string
	URL   string
	About string // what is there, in a line
}

// Options are what a workbench shows and turns.
type Options struct {
	Clock     *Clock           // required
	Simulator string           // address of the NHS login simulator, without a slash at its end; required
	Addresses []Address        // of everything that runs
	Patients  string           // where the made-up patients are listed; empty: the simulator's first page
	Outbox    func() []Message // oldest first; nil: nothing is ever sent
	Warnings  func() []string  // what the simulator noticed, newest first; nil: nothing

	HTTPClient *http.Client // calls the simulator; nil: one with a limit on time
}

// callTimeout bounds each call to the simulator.
const callTimeout = 5 * time.Second

// Workbench is the http.Handler. It is safe for concurrent use.
type Workbench struct {
	opt       Options
	simulator liar
	routes    http.Handler
}

// New returns a workbench, or what is missing from its options.
func New(opt Options) (*Workbench, error) {
	if opt.Clock == nil || opt.Simulator == "" {
		return nil, errors.New("workbench: wanted a clock and the simulator's address, got fewer")
	}
	if opt.Patients == "" {
		opt.Patients = opt.Simulator + "/"
	}
	if opt.Outbox == nil {
		opt.Outbox = func() []Message { return nil }
	}
	if opt.Warnings == nil {
		opt.Warnings = func() []string { return nil }
	}
	if opt.HTTPClient == nil {
		opt.HTTPClient = &http.Client{Timeout: callTimeout}
	}
	b := &Workbench{opt: opt, simulator: liar{opt.Simulator, opt.HTTPClient}}
	mux := http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /{$}":           b.home,
		"GET /outbox.json":   b.outbox,
		"GET /clock":         b.clock,
		"POST /clock":        b.advance,
		"POST /faults":       b.lie,
		"GET /" + styleSheet: serveStyle,
	} {
		mux.HandleFunc(pattern, h)
	}
	// What a page elsewhere posts is refused. A program such as curl sends neither
	// Origin nor Fetch Metadata, and passes.
	b.routes = http.NewCrossOriginProtection().Handler(mux)
	return b, nil
}

// ServeHTTP answers requests that name a loopback host. Any other name that leads
// here was made to do so by somebody else's DNS (rebinding), so that their page
// could read ours.
func (b *Workbench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !loopbackName(r.Host) {
		http.Error(w, "host: wanted 127.0.0.1 or localhost, got another name", http.StatusForbidden)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	b.routes.ServeHTTP(w, r)
}

// loopbackName reports whether a Host header names this machine, with any port.
func loopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host == "127.0.0.1" || strings.EqualFold(host, "localhost")
}

// outbox is GET /outbox.json: an array, oldest first, never null.
func (b *Workbench) outbox(w http.ResponseWriter, _ *http.Request) {
	sent := slices.Clone(b.opt.Outbox())
	for i := range sent {
		sent[i].At = sent[i].At.UTC()
	}
	if sent == nil {
		sent = []Message{}
	}
	writeJSON(w, http.StatusOK, sent)
}

// clockFace is GET /clock, and what POST /clock answers to JSON.
type clockFace struct {
	Now    time.Time `json:"now"`
	Offset string    `json:"offset"` // as time.Duration writes it
}

func (b *Workbench) face() clockFace {
	return clockFace{b.opt.Clock.Now().UTC().Truncate(time.Second), b.opt.Clock.Offset().String()}
}

func (b *Workbench) clock(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, b.face())
}

// advance is POST /clock. It takes {"advance": "31m"} and answers JSON, or the same
// as a form and answers with the page.
func (b *Workbench) advance(w http.ResponseWriter, r *http.Request) {
	form, isJSON, err := readForm(r.Body)
	if err == nil {
		err = b.turn(form["advance"])
	}
	switch {
	case err != nil && isJSON:
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	case err != nil:
		b.show(w, r, http.StatusBadRequest, problem{"advance", err.Error()})
	case isJSON:
		writeJSON(w, http.StatusOK, b.face())
	default:
		http.Redirect(w, r, "/#clock", http.StatusSeeOther)
	}
}

func (b *Workbench) turn(by string) error {
	d, err := time.ParseDuration(strings.TrimSpace(by))
	if err != nil {
		return fmt.Errorf("advance: wanted a duration such as 31m or 12h, got %.40q", by)
	}
	return b.opt.Clock.Advance(d)
}

// lie is POST /faults: preset, and when (always or next), or preset empty to make
// the simulator honest.
func (b *Workbench) lie(w http.ResponseWriter, r *http.Request) {
	form, isJSON, err := readForm(r.Body)
	status := http.StatusBadRequest
	if err == nil {
		status = http.StatusBadGateway
		_, err = b.simulator.tell(r.Context(), order{form["preset"], form["preset"] != "" && form["when"] == "next"})
	}
	switch {
	case err != nil && isJSON:
		writeJSON(w, status, map[string]string{"error": err.Error()})
	case err != nil:
		b.show(w, r, status, problem{"preset", err.Error()})
	case isJSON:
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Redirect(w, r, "/#faults", http.StatusSeeOther)
	}
}

// maxBody bounds what is read of a request, in bytes.
const maxBody = 4 << 10

// readForm reads a JSON object of strings or a form, told apart by the first byte:
// `curl -d '{…}'` calls its JSON a form.
func readForm(body io.Reader) (form map[string]string, isJSON bool, err error) {
	text, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil || len(text) > maxBody {
		return nil, false, fmt.Errorf("body: wanted at most %d bytes", maxBody)
	}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		if err := json.Unmarshal(text, &form); err != nil {
			return nil, true, fmt.Errorf("body: wanted a JSON object of strings: %w", err)
		}
		return form, true, nil
	}
	values, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, false, errors.New("body: wanted a form or a JSON object")
	}
	form = map[string]string{}
	for name := range values {
		form[name] = values.Get(name)
	}
	return form, false, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the caller has gone
}
