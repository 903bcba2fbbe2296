package rp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/passkey"
	"github.com/dilys-id/dilys/rp/portal"
)

// Options is what the front door stands on.
type Options struct {
	PublicURL       *url.URL // what patients see; scheme and host alone
	PlainHTTP       bool     // loopback only: cookies without prefix and Secure
	TrustedProxies  []netip.Prefix
	Languages       []string // the first is the default
	SecurityContact string   // a mailto: or https: address for security.txt
	OwnDoor         attempt.Door
	Notice          func() page.Words // the banner now, if any
	SignUp          SignUp
	Limits          Networks                                            // how attempts of one network are slowed
	Receipts        http.Handler                                        // takes a courier's delivery receipts; nil: none are taken
	ChannelOff      func(ctx context.Context, by identity.Channel) bool // whether messages can't be sent there now

	Pages     *page.Pages
	Providers []Provider
	Portals   *portal.Portals
	Attempts  *attempt.Attempts
	Sessions  *session.Sessions
	Accounts  *account.Accounts
	Ledger    *audit.Ledger
	Events    Events
	Factors   *factor.Factors
	Passkeys  *passkey.Ceremonies // nil: nobody has passkeys here

	Now     func() time.Time
	Log     *slog.Logger
	Observe func(route string, status int, took time.Duration) // counts and times a request
}

// Server is the front door: an http.Handler for everything under the public URL.
type Server struct {
	origin          string
	cookies         cookies
	proxies         trustedProxies
	languages       []string
	securityContact string
	ownDoor         attempt.Door
	notice          func() page.Words
	signUp          SignUp
	networks        Networks
	receipts        http.Handler
	channel         func(context.Context, identity.Channel) bool

	pages     *page.Pages
	providers []Provider
	portals   *portal.Portals
	attempts  *attempt.Attempts
	sessions  *session.Sessions
	accounts  *account.Accounts
	ledger    *audit.Ledger
	events    Events
	factors   *factor.Factors
	passkeys  *passkey.Ceremonies

	now         func() time.Time
	log         *slog.Logger
	observe     func(route string, status int, took time.Duration)
	crossOrigin *http.CrossOriginProtection
	refusals    *budget
	gates       bool        // there are hosts behind the gateway that are not our own
	guards      http.Header // what stands on every answer
	routes      http.Handler
	allowed     func(*http.Request) []string // the methods that a path takes
}

// Refusals that are written into the audit at once, and each second after that.
const (
	refusalBurst     = 200
	refusalPerSecond = 20
)

// New returns the front door.
func New(o Options) *Server {
	s := &Server{
		origin: o.PublicURL.Scheme + "://" + o.PublicURL.Host, cookies: cookies{plainHTTP: o.PlainHTTP},
		proxies: o.TrustedProxies, languages: o.Languages, securityContact: o.SecurityContact, ownDoor: o.OwnDoor,
		notice: o.Notice, signUp: o.SignUp, networks: o.Limits, receipts: o.Receipts, channel: o.ChannelOff, pages: o.Pages, providers: o.Providers, portals: o.Portals, attempts: o.Attempts,
		sessions: o.Sessions, accounts: o.Accounts, ledger: o.Ledger, events: o.Events, factors: o.Factors, passkeys: o.Passkeys, now: o.Now, log: o.Log, observe: o.Observe,
		crossOrigin: http.NewCrossOriginProtection(), refusals: newBudget(refusalBurst, refusalPerSecond),
	}
	if s.receipts == nil {
		s.receipts = http.NotFoundHandler()
	}
	s.gates = o.Portals.HasGates()
	s.guards = guards(o.PlainHTTP)
	s.routes = s.router()
	return s
}

// Timeouts and bounds of the public listener: a client that drips costs a
// connection, not a goroutine for ever.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeader         = 32 << 10
)

// HTTPServer returns the server for a public listener.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// ServeHTTP answers one request and writes its one log line.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now() // a stopwatch of monotonic time, not a clock to judge by
	r, n := withNote(r)
	answer := &answer{ResponseWriter: w, head: r.Method == http.MethodHead}
	s.secure(w.Header())
	defer func() {
		if fault := recover(); fault != nil && fault != http.ErrAbortHandler {
			s.recovered(answer, r, n, fault)
		}
		s.tell(r, n, answer.status, time.Since(began))
	}()
	s.routes.ServeHTTP(answer, r)
}

// recovered keeps a panic in one request from ending the process (ASVS 16.5.4).
func (s *Server) recovered(w *answer, r *http.Request, n *note, fault any) {
	n.cause, n.err = "panic", fmt.Errorf("%v\n%s", fault, debug.Stack())
	if w.status != 0 {
		return
	}
	v := &visit{Server: s, w: w, r: r, note: n, lang: s.language(r), reference: identity.NewReference()}
	v.fail(panicked(n.err))
}

// tell writes the one line of a request: its route, never its path or query, which
// a patient's browser filled.
func (s *Server) tell(r *http.Request, n *note, status int, took time.Duration) {
	route := n.route
	if route == "" {
		route = "none"
	}
	s.observe(route, status, took)
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case route == checkRoute && status == http.StatusOK:
		return // counted: a line for every request of every service behind the gateway would drown the rest
	}
	attrs := []slog.Attr{
		slog.String("method", methodWord(r.Method)), slog.String("route", route), slog.Int("status", status), slog.Float64("seconds", took.Seconds()),
	}
	for _, a := range []struct{ key, value string }{
		{"reference", n.reference}, {"cause", n.cause}, {"provider", n.provider}, {"portal", n.portal},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if n.err != nil {
		attrs = append(attrs, slog.String("error", n.err.Error()))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// methodWord keeps what a client made up out of the log.
func methodWord(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}

// answer remembers the status that was written.
type answer struct {
	http.ResponseWriter
	status int
	head   bool
}

// WriteHeader passes the status on and remembers the first final one.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write passes the body on, but for the answer to a HEAD; a body without a status
// is a 200.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.head {
		return len(b), nil
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
