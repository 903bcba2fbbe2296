package exampleportal

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// The paths that are registered with Dilys, behind Options.BaseURL: one of the
// portal's redirect_uris, and one of its post_logout_redirect_uris.
const (
	CallbackPath  = "/callback"
	LoggedOutPath = "/logged-out"
)

// Options are what a portal is made of.
type Options struct {
	Issuer   string           // Dilys, exactly as its discovery document says it
	ClientID string           // the portal's id there
	Secret   identity.Secret  // its client secret
	BaseURL  string           // this portal's own origin, without a slash at its end
	Scopes   []string         // beside openid; nil: profile, email, phone and nhs_number
	Trust    []identity.Trust // what a login must reach; nil: what reading a record takes
	Now      func() time.Time // required

	HTTPClient *http.Client // calls Dilys; nil: one with a limit on time that follows no redirect
	Log        *slog.Logger // why logins failed; nil: nowhere
}

// callTimeout bounds each call to Dilys: a patient waits for it.
const callTimeout = 5 * time.Second

// recordTrust is what reading a record takes: proof by photo ID, and strong
// authentication.
var recordTrust = []identity.Trust{
	{P: identity.P9, C: identity.Cp | identity.Cd},
	{P: identity.P9, C: identity.Cp | identity.Ck},
	{P: identity.P9, C: identity.Cm},
}

// Portal is the portal's http.Handler. It is safe for concurrent use.
type Portal struct {
	opt      Options
	secure   bool // its own address is https
	dilys    dilys
	waiting  *shelf[waiting] // by state
	sessions *shelf[session] // by the session cookie
	routes   http.Handler
}

// New returns a portal, or what is wrong with its options. It does not call Dilys:
// that happens when the first patient comes, so either may start before the other.
func New(opt Options) (*Portal, error) {
	base, err := url.Parse(opt.BaseURL)
	if err != nil || base.Host == "" || base.Path != "" || base.RawQuery != "" {
		return nil, fmt.Errorf("example portal: base URL: wanted an origin such as https://portal.example.org, got %.100q", opt.BaseURL)
	}
	if opt.Now == nil || opt.Issuer == "" || opt.ClientID == "" || opt.Secret == "" {
		return nil, errors.New("example portal: wanted a clock, an issuer, a client id and a secret, got fewer")
	}
	if opt.Scopes == nil {
		opt.Scopes = []string{"profile", "email", "phone", "nhs_number"}
	}
	if opt.Trust == nil {
		opt.Trust = recordTrust
	}
	if opt.HTTPClient == nil {
		opt.HTTPClient = &http.Client{Timeout: callTimeout, CheckRedirect: noRedirect}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	p := &Portal{
		opt: opt, secure: base.Scheme == "https", dilys: dilys{opt: opt},
		waiting: newShelf[waiting](maxWaiting), sessions: newShelf[session](maxSessions),
	}
	p.routes = p.newRoutes()
	return p, nil
}

// noRedirect keeps the client secret and the tokens from going where an answer
// says.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (p *Portal) newRoutes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":             p.home,
		"GET /login":           p.login,
		"GET " + CallbackPath:  p.callback,
		"GET /learned":         p.learned,
		"POST /logout":         p.logOutHere,
		"POST /logout-all":     p.logOutEverywhere,
		"GET " + LoggedOutPath: p.loggedOut,
		"GET /" + styleSheet:   serveStyle,
		"GET /":                func(http.ResponseWriter, *http.Request) error { return notFound },
	} {
		mux.Handle(pattern, p.guard(h))
	}
	// A page elsewhere must not log a patient out.
	return http.NewCrossOriginProtection().Handler(mux)
}

// ServeHTTP answers a patient's browser.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", p.contentPolicy())
	h.Set("X-Content-Type-Options", "nosniff")
	// The callback's address holds the code: it leaves by no Referer. With
	// no-referrer a browser would also hide the Origin of our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	p.routes.ServeHTTP(w, r)
}

// contentPolicy allows our own style sheet, and forms to ourselves and to Dilys:
// Chromium applies form-action to the redirects that follow a form too, and the
// one that logs out everywhere leads there.
func (p *Portal) contentPolicy() string {
	return strings.Join([]string{
		"default-src 'none'", "style-src 'self'", "form-action 'self' " + origin(p.opt.Issuer),
		"base-uri 'none'", "frame-ancestors 'none'",
	}, "; ")
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// guard is the one border between an error and the page that a patient sees.
func (p *Portal) guard(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		var f *fault
		if !errors.As(err, &f) {
			f = unexpected
		}
		p.opt.Log.WarnContext(r.Context(), "request refused", "path", r.URL.Path, "fault", f.Code, "cause", err)
		if writePage(w, f.Status, "fault", faultPage{*f, p.frame(r, f.Title)}) != nil {
			http.Error(w, f.Title, f.Status)
		}
	})
}
