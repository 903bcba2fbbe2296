package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/rp/page"
)

// Bounds on what a browser may send. A form of ours has a handful of keys.
const (
	maxForm     = 64 << 10
	maxFormKeys = 100
	maxQuery    = 32 << 10
)

// visit is one request of a patient's browser, with what we know of it.
type visit struct {
	*Server
	w http.ResponseWriter
	r *http.Request

	lang      string
	path      string           // where GET shows this page, for the language switch; empty: the request's own address
	reference string           // shown on a refusal, written in the log, found in the audit
	note      *note            // what the one log line will say
	browser   identity.Secret  // of the browser cookie, or nothing
	secret    identity.Secret  // of the session cookie, or nothing
	session   *session.Session // if it is live
	leads     []string         // origins beside ours that a form of the page may lead to
}

// handler serves one route of the patients' side. Its error becomes status, page
// and log line in [visit.fail], and nowhere else.
type handler func(*visit) error

// open starts a visit: language, cookies, session. Only an unreachable store
// makes it fail.
func (s *Server) open(w http.ResponseWriter, r *http.Request, n *note) (*visit, error) {
	v := &visit{Server: s, w: w, r: r, note: n, reference: identity.NewReference()}
	v.lang = s.language(r)
	v.browser = s.cookies.secret(r, browserCookie)
	v.secret = s.cookies.secret(r, sessionCookie)
	if v.secret == "" {
		return v, nil
	}
	found, err := s.sessions.Read(r.Context(), v.secret)
	switch {
	case err == nil:
		v.session = &found
	case identity.IsOver(err):
		if found.Shared { // nothing stays on a device that is not the patient's
			v.cookies.clear(w, languageCookie)
		}
	default:
		return v, fmt.Errorf("read the session: %w", err)
	}
	return v, nil
}

// patient wraps a handler into the front door's guards, in order: bounds, origin,
// session, language.
func (s *Server) patient(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := s.open(w, r, noteOf(r))
		if err == nil {
			err = v.guard()
		}
		if err == nil {
			v.rememberLanguage()
			err = h(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

// guard refuses what no page of ours sends.
func (v *visit) guard() error {
	if len(v.r.URL.RawQuery) > maxQuery {
		return refuse(http.StatusRequestURITooLong, page.BadRequest, "query-too-long")
	}
	if v.r.Method != http.MethodPost {
		return nil
	}
	if !v.sameOrigin(v.r) {
		return refuse(http.StatusForbidden, page.Forbidden, "cross-origin-post")
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil || len(v.r.PostForm) > maxFormKeys {
		return unreadable(v)
	}
	return nil
}

// sameOrigin reports whether a page of ours made the request, as the browser tells
// by Fetch Metadata, or by Origin where it is too old for that. Where there is
// Origin alone it must be ours to the scheme, which http.CrossOriginProtection
// leaves to HSTS.
func (s *Server) sameOrigin(r *http.Request) bool {
	if s.crossOrigin.Check(r) != nil {
		return false
	}
	origin := r.Header.Get("Origin")
	return r.Header.Get("Sec-Fetch-Site") != "" || origin == "" || origin == s.origin
}

// param returns a query parameter that stands there once; twice is as good as
// hostile.
func (v *visit) param(name string) string { return single(v.r.URL.Query(), name) }

// field returns a form field of a POST that stands there once.
func (v *visit) field(name string) string { return single(v.r.PostForm, name) }

func single(values url.Values, name string) string {
	if all := values[name]; len(all) == 1 {
		return all[0]
	}
	return ""
}

// show writes a page. formAction names the origins, beside our own, that a form of
// the page may lead to: Chromium applies form-action to every redirect after a
// POST (CSP3 §6.4.2).
func (v *visit) show(status int, c page.Content, formAction ...string) error {
	if err := v.renew(); err != nil {
		return err
	}
	return v.write(status, c, formAction)
}

// renew tells that the patient did something: a page of ours was asked for.
func (v *visit) renew() error {
	if v.session == nil {
		return nil
	}
	renewed, err := v.sessions.Renew(v.r.Context(), *v.session)
	if err != nil {
		return err
	}
	v.session = &renewed
	return nil
}

func (v *visit) write(status int, c page.Content, formAction []string) error {
	body, err := v.pages.Render(v.frame(), c)
	if err != nil {
		return fmt.Errorf("render the page: %w", err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang)
	h.Set("Content-Security-Policy", contentSecurityPolicy(distinct(append(formAction, v.leads...))))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body)
	return nil
}

func distinct(all []string) []string {
	var out []string
	for _, s := range all {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// leadTo lets the forms of the page lead to the portal, or to the host behind the gateway,
// that waits for the login: it is where the redirects after the last of them end.
func (v *visit) leadTo(to attempt.Return) error {
	if to.Request == "" {
		v.leads = append(v.leads, v.portals.GateOf(to.Path))
		return nil
	}
	waiting, err := v.portals.Waiting(v.r.Context(), to.Request)
	if errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrExpired) {
		return nil // it is told when the patient gets there
	}
	v.leads = append(v.leads, waiting.Origin)
	return err
}

func (v *visit) frame() page.Frame {
	f := page.Frame{
		Lang: v.lang, Path: v.here(), Now: v.now(), Reference: v.reference,
		HideHeader: inNHSApp(v.r.UserAgent()), Notice: v.notice(),
	}
	if v.session != nil {
		f.LoggedIn, f.SessionEnds, f.IdleEnds = true, v.session.Ends(), v.session.IdleEnds()
		f.Exit = v.session.Quiet
	}
	return f
}

// here is the address of this page without anything that was good for one use. A
// POST can't be asked for again in another language.
func (v *visit) here() string {
	switch {
	case v.path != "":
		return v.path
	case v.r.Method == http.MethodPost:
		return v.r.URL.Path
	}
	return v.r.URL.RequestURI()
}

// redirect sends the browser on with 303, so that it always asks with GET and
// never repeats a form (RFC 9700 §4.12).
func (v *visit) redirect(to string) error {
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// ensureBrowser gives the browser its cookie if it has none, and returns its
// value.
func (v *visit) ensureBrowser(shared bool) identity.Secret {
	if v.browser == "" {
		v.setBrowser(identity.NewToken(), shared)
	}
	return v.browser
}

// setBrowser gives the browser a value: its first, and a new one with each login.
// On a device that is not the patient's own it goes with the window.
func (v *visit) setBrowser(value identity.Secret, shared bool) {
	v.browser = value
	life := browserCookieLife
	if shared {
		life = 0
	}
	v.cookies.set(v.w, browserCookie, v.browser.Reveal(), life)
}

// language chooses the language of the page: asked for, remembered, the
// browser's, or the first one configured.
func (s *Server) language(r *http.Request) string {
	asked := single(r.URL.Query(), "lang")
	for _, lang := range []string{asked, s.cookies.value(r, languageCookie), preferred(r.Header.Get("Accept-Language"))} {
		if s.speaks(lang) {
			return lang
		}
	}
	return s.languages[0]
}

func (s *Server) speaks(lang string) bool {
	for _, l := range s.languages {
		if l == lang {
			return true
		}
	}
	return false
}

// preferred returns the first language of the header that we could speak. It looks
// at a few entries only: the header is as long as its sender likes.
func preferred(acceptLanguage string) string {
	const entries = 10
	for i, entry := range strings.SplitN(acceptLanguage, ",", entries+1) {
		tag, _, _ := strings.Cut(strings.TrimSpace(entry), ";")
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if i < entries && (base == page.English || base == page.Welsh) {
			return base
		}
	}
	return ""
}

// rememberLanguage keeps a choice that was made on the page.
func (v *visit) rememberLanguage() {
	if asked := v.param("lang"); asked != "" && asked == v.lang {
		v.cookies.set(v.w, languageCookie, v.lang, languageCookieLife)
	}
}

// contentSecurityPolicy allows nothing inline and nothing from elsewhere.
func contentSecurityPolicy(formAction []string) string {
	return "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; " +
		"base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action " + strings.Join(append([]string{"'self'"}, formAction...), " ")
}

// secure sets what stands on every answer, errors included. The values are shared
// by all answers: whoever wants another one puts it in their place.
func (s *Server) secure(h http.Header) {
	for name, value := range s.guards {
		h[name] = value
	}
}

// guards are the headers of [Server.secure].
func guards(plainHTTP bool) http.Header {
	h := http.Header{}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// same-origin rather than no-referrer, with which browsers send `Origin: null`
	// from our own forms. Other origins learn nothing either way.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Content-Security-Policy", contentSecurityPolicy(nil))
	if !plainHTTP {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
	return h
}

// note is what the one log line of a request says beside the obvious. Handlers
// write identifiers of ours into it, never a value of a person.
type note struct {
	route, reference, cause, provider, portal string
	err                                       error
}

type noteKey struct{}

func withNote(r *http.Request) (*http.Request, *note) {
	n := new(note)
	return r.WithContext(context.WithValue(r.Context(), noteKey{}, n)), n
}

func noteOf(r *http.Request) *note {
	if n, ok := r.Context().Value(noteKey{}).(*note); ok {
		return n
	}
	return new(note)
}

// machine wraps a face that programs call. It answers protocol errors itself; what
// it returns is unexpected, and is told apart only into "try again" and "broken".
func (s *Server) machine(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		n := noteOf(r)
		n.reference, n.cause, n.err = identity.NewReference(), "unexpected", err
		status, code := http.StatusInternalServerError, "server_error"
		if errors.Is(err, identity.ErrUnavailable) {
			n.cause, status, code = "store-unavailable", http.StatusServiceUnavailable, "temporarily_unavailable"
			w.Header().Set("Retry-After", "10")
		}
		if answered, ok := w.(*answer); ok && answered.status != 0 {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": n.reference})
	})
}

// Note lets rp/portal say, for the one log line of a request, which portal it was
// for and by which rule it was refused.
func Note(ctx context.Context, portalID, cause string) {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		n.portal = portalID
		if cause != "" {
			n.cause = cause
		}
	}
}
