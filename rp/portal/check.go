package portal

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
)

// LoginAgain is the parameter of Dilys' login page that says: the session there is
// does not suffice, so a login is wanted all the same.
const LoginAgain = "again"

// CheckRequest is a gateway's question: may this go on?
type CheckRequest struct {
	Cookie        identity.Secret // of the session cookie, or nothing
	Gate          identity.Secret // of the cookie of a host that is not our own, or nothing
	Authorization []string        // that header's values; a Bearer token in it decides alone
	Forwarded     Forwarded
	Redirect      bool // a browser's window waits: answer with a redirect instead of 401
}

// ReadCheck reads a gateway's question. cookie is the session cookie's value, gate that of
// the cookie of a host that is not our own, and trusted whether the request came from one of the proxies that are believed.
func ReadCheck(r *http.Request, cookie, gate identity.Secret, trusted bool) CheckRequest {
	return CheckRequest{
		Cookie: cookie, Gate: gate, Authorization: r.Header["Authorization"], Forwarded: ForwardedRequest(r.Header, trusted),
		Redirect: r.URL.RawQuery != "" && r.URL.Query().Has("redirect") && Navigation(r.Header),
	}
}

// CheckAnswer is what the gateway is told.
type CheckAnswer struct {
	Status    int // 200, 303, 401, 403 or 503
	Subject   string
	Trust     string
	Session   string // the handle
	Token     string // access token for the host; empty: it gets none now
	Tokens    bool   // the host gets tokens: the header is told where there is none, too
	Ends      time.Time
	IdleEnds  time.Time
	Location  string // of 303 and 401: where to log in
	Challenge string // of 401: WWW-Authenticate
	Cause     string // why not, in a word for the log
}

// checkHeaders are set in every answer, empty where there is nothing: a gateway
// copies them onto the request, over what a client wrote there itself.
var checkHeaders = [...]string{
	"Dilys-Subject", "Dilys-Trust", "Dilys-Session", "Dilys-Session-Ends", "Dilys-Session-Idle-Ends",
}

// SetHeader writes the answer's headers.
func (a CheckAnswer) SetHeader(h http.Header) {
	values := [len(checkHeaders)]string{a.Subject, a.Trust, a.Session, epoch(a.Ends), epoch(a.IdleEnds)}
	for i, name := range checkHeaders {
		h[name] = values[i : i+1 : i+1]
	}
	h["Cache-Control"] = noStore
	if a.Location != "" {
		h.Set("Location", a.Location)
	}
	switch {
	case a.Token != "":
		h.Set("Authorization", "Bearer "+a.Token)
	case a.Tokens: // a gateway copies it over what the client wrote there
		h["Authorization"] = []string{""}
	}
	if a.Challenge != "" {
		h.Set("Www-Authenticate", a.Challenge)
	}
}

var noStore = []string{"no-store"}

// epoch writes a time in whole seconds since the epoch, rounded down; nothing for
// the zero time.
func epoch(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// Check decides whether a request behind a gateway may go on. The answer stands
// even with an error, which is for the log: with 503 it is why nothing could be
// known, with 200 why the session could not be renewed.
func (p *Portals) Check(ctx context.Context, r CheckRequest) (CheckAnswer, error) {
	answer, err := p.check(ctx, r)
	if h := p.gateway[p.hostOf(r.Forwarded)]; h != nil {
		answer.Tokens = h.token
	}
	return answer, err
}

func (p *Portals) check(ctx context.Context, r CheckRequest) (CheckAnswer, error) {
	d, cause := p.demand(r.Forwarded)
	if cause != "" {
		return CheckAnswer{Status: http.StatusForbidden, Cause: cause}, nil
	}
	if d.public() {
		return p.checkPublic(ctx, r, d)
	}
	s, err := p.present(ctx, r)
	switch {
	case err == nil:
		return p.checkSession(ctx, r, d, s)
	case isBadToken(err):
		return p.toLogin(r, challengeOf(r)), nil
	}
	return CheckAnswer{Status: http.StatusServiceUnavailable, Cause: "store-unavailable"}, err
}

// Need is what a login or a step-up must bring.
type Need struct {
	Fresh bool // the provider must ask for everything again

	// Enough reports whether a login that reaches that vector would do: no other
	// is worth asking a provider for. Nil: every one would.
	Enough func(identity.Trust) bool

	// Met reports whether a session that is judged so would do now. Nil: every one
	// would.
	Met func(identity.Assessment) bool
}

// Needs says what a login must bring for a patient who wants that path of the
// public URL's own host, or on to a page of another behind the gateway, as its rules
// ask.
func (p *Portals) Needs(path string) Need {
	host := p.publicHost
	if passage, ok := p.passageOf(path); ok {
		host, path = passage.Host, passage.To
	}
	h := p.gateway[host]
	if h == nil || path == "" {
		return Need{}
	}
	d, ok := h.demandOf(http.MethodGet, path)
	if !ok || d.public() {
		return Need{}
	}
	d = d.at(p.now())
	return Need{
		Enough: d.enough,
		Fresh:  slices.ContainsFunc(d.rules, func(r *Rule) bool { return r.HasMaxAge }),
		Met: func(a identity.Assessment) bool {
			_, unmet := d.unmet(a, p.now())
			return !unmet
		},
	}
}

// demand finds what the request asks for, or the reason why it can't be let
// through by anyone.
func (p *Portals) demand(f Forwarded) (demand, string) {
	switch {
	case p.gateway == nil:
		return demand{minimumAge: p.minimumAge}, ""
	case f.Fault != "":
		return demand{}, f.Fault
	}
	h := p.gateway[p.hostOf(f)]
	if h == nil {
		return demand{}, "host-without-rules"
	}
	d, ok := h.demandOf(f.Method, f.Target)
	if !ok {
		return demand{}, "path-without-rule"
	}
	return d.at(p.now()), ""
}

// hostOf returns the host as the configuration writes it, without the scheme's own
// port.
func (p *Portals) hostOf(f Forwarded) string {
	if strings.HasPrefix(p.issuer, "https:") {
		return strings.TrimSuffix(f.Host, ":443")
	}
	return strings.TrimSuffix(f.Host, ":80")
}

// checkPublic lets everybody through and tells nothing of the patient: what asks
// for no trust shall not act on a name. A patient who looks at such a page is
// there all the same, so their session is renewed; a store that can't do it keeps
// nobody from a public page.
func (p *Portals) checkPublic(ctx context.Context, r CheckRequest, d demand) (CheckAnswer, error) {
	answer := CheckAnswer{Status: http.StatusOK}
	if !d.activity() {
		return answer, nil
	}
	s, err := p.present(ctx, r)
	if err == nil {
		_, err = p.sessions.Renew(ctx, s)
	}
	if isBadToken(err) {
		err = nil
	}
	return answer, err
}

// present returns the live session of whoever asks. With a Bearer token the cookie
// is not looked at: an application that hands on a token means that patient.
func (p *Portals) present(ctx context.Context, r CheckRequest) (session.Session, error) {
	raw, given := bearerOf(r.Authorization)
	if !given {
		if host, other := p.gateHost(r.Forwarded.Host); other {
			return p.sessions.AtGate(ctx, r.Gate, host)
		}
		return p.sessions.Read(ctx, r.Cookie)
	}
	audience := p.issuer
	if p.gateway != nil {
		audience = p.hostOf(r.Forwarded)
	}
	if s, is, err := p.atHost(ctx, raw, audience); is {
		return s, err
	}
	holder, err := p.holding(ctx, raw, only(audience))
	return holder.session, err
}

// checkSession judges a live session.
func (p *Portals) checkSession(ctx context.Context, r CheckRequest, d demand, s session.Session) (CheckAnswer, error) {
	if !identity.OldEnough(s.Age, d.minimumAge, d.floor()) {
		return CheckAnswer{Status: http.StatusForbidden, Cause: "under-age"}, nil
	}
	rule, unmet := d.unmet(s.Assessment, p.now())
	switch {
	case unmet && s.Evidence.Frozen != "" && !s.Trust.SatisfiesAny(rule.Trust): // people must look first
		return CheckAnswer{Status: http.StatusForbidden, Cause: "record-frozen"}, nil
	case unmet:
		return p.insufficient(r, rule), nil
	}
	var host string
	if p.gateway != nil {
		host = p.hostOf(r.Forwarded)
	}
	if err := p.shown(ctx, host, s); err != nil {
		return CheckAnswer{Status: http.StatusServiceUnavailable, Cause: "store-unavailable"}, err
	}
	var err error
	if d.activity() {
		s, err = p.sessions.Renew(ctx, s)
	}
	answer := CheckAnswer{
		Status: http.StatusOK, Subject: s.SubjectFor(host), Trust: s.Trust.String(), Session: s.Handle, Ends: s.Ends(), IdleEnds: s.IdleEnds(),
	}
	if h := p.gateway[host]; h != nil && h.token {
		var signing error
		if answer.Token, signing = p.tokenFor(host, s); signing != nil {
			return CheckAnswer{Status: http.StatusServiceUnavailable, Cause: "token-unsigned"}, signing
		}
	}
	return answer, err
}

// insufficient asks for a stronger or fresher login (RFC 9470 §3), or refuses
// where no login here could be strong enough.
func (p *Portals) insufficient(r CheckRequest, rule *Rule) CheckAnswer {
	if !p.canReach(rule.Trust) {
		return CheckAnswer{Status: http.StatusForbidden, Cause: "level-out-of-reach"}
	}
	challenge := fmt.Sprintf(`Bearer error="insufficient_user_authentication", acr_values=%q`, identity.JoinTrust(rule.Trust, " "))
	if rule.HasMaxAge {
		challenge += fmt.Sprintf(`, max_age="%d"`, int64(rule.MaxAge/time.Second))
	}
	a := p.toLogin(r, challenge, LoginAgain)
	a.Cause = "insufficient"
	return a
}

func challengeOf(r CheckRequest) string {
	if _, given := bearerOf(r.Authorization); given {
		return `Bearer error="invalid_token"`
	}
	return `Bearer realm="dilys"`
}

// toLogin says where to log in. The address is the configured one, whatever host
// the request named, and leads back to the page asked for.
func (p *Portals) toLogin(r CheckRequest, challenge string, flags ...string) CheckAnswer {
	values := url.Values{}
	for _, flag := range flags {
		values.Set(flag, "1")
	}
	if to := p.returnTo(r.Forwarded); to != "" {
		values.Set("return", to)
	}
	location := WithQuery(p.issuer+"/login", values)
	if _, other := p.gateHost(r.Forwarded.Host); other {
		location = p.startAt(r.Forwarded)
	}
	a := CheckAnswer{Status: http.StatusUnauthorized, Location: location, Challenge: challenge, Cause: "login-needed"}
	if r.Redirect {
		a.Status, a.Challenge = http.StatusSeeOther, ""
	}
	return a
}

// maxReturn bounds a page to be back on, in bytes.
const maxReturn = 2048

// returnTo is the page to be back on, where it is one of our own host and can be
// asked for again.
func (p *Portals) returnTo(f Forwarded) string {
	again := f.Method == "" || f.Method == http.MethodGet || f.Method == http.MethodHead
	if f.Fault != "" || !again || p.hostOf(f) != p.publicHost || !strings.HasPrefix(f.Target, "/") || len(f.Target) > maxReturn {
		return ""
	}
	return f.Target
}

// Navigation reports whether a browser's own window asks, and not an image, a
// frame or a script of a page (Fetch Metadata). Where the browser does not tell,
// a request that accepts a page counts as one.
func Navigation(h http.Header) bool {
	mode, dest := h.Get("Sec-Fetch-Mode"), h.Get("Sec-Fetch-Dest")
	if mode == "" && dest == "" {
		return strings.Contains(h.Get("Accept"), "text/html")
	}
	return mode == "navigate" && (dest == "" || dest == "document")
}
