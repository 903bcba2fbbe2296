package rp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
)

// What a program is told when its face broke: whether to try again, and a
// reference; never why.
func TestMachine(t *testing.T) {
	const behind = "dial tcp 192.0.2.7"
	type face = func(http.ResponseWriter, *http.Request) error
	for name, row := range map[string]struct {
		face          face
		status        int
		cause, retry  string
		code          string // of the body's error; empty: the face's own body
		withReference bool
	}{
		"it answered": {
			face: func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, "own"); return err }, status: http.StatusOK,
		},
		"it refused by itself": {
			face: func(w http.ResponseWriter, _ *http.Request) error {
				w.WriteHeader(http.StatusUnauthorized)
				_, err := io.WriteString(w, "own")
				return err
			}, status: http.StatusUnauthorized,
		},
		"the store is away": {
			face: func(http.ResponseWriter, *http.Request) error {
				return fmt.Errorf("%s: %w", behind, identity.ErrUnavailable)
			},
			status: http.StatusServiceUnavailable, cause: "store-unavailable", retry: "10", code: "temporarily_unavailable", withReference: true,
		},
		"what nobody expected": {
			face:   func(http.ResponseWriter, *http.Request) error { return errors.New(behind) },
			status: http.StatusInternalServerError, cause: "unexpected", code: "server_error", withReference: true,
		},
		"no event is kept": {
			face: func(http.ResponseWriter, *http.Request) error {
				return fmt.Errorf("%s: %w", behind, audit.ErrNotRecorded)
			},
			status: http.StatusInternalServerError, cause: "unexpected", code: "server_error", withReference: true,
		},
		"it had answered when it broke": {
			face: func(w http.ResponseWriter, _ *http.Request) error {
				_, _ = io.WriteString(w, "own")
				return errors.New(behind)
			}, status: http.StatusOK, cause: "unexpected", withReference: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			r, n := withNote(get("/token"))
			w := httptest.NewRecorder()
			h.machine(row.face).ServeHTTP(&answer{ResponseWriter: w}, r)
			if w.Code != row.status || n.cause != row.cause || w.Header().Get("Retry-After") != row.retry {
				t.Errorf("wanted %d %q, got %d %q, Retry-After %q", row.status, row.cause, w.Code, n.cause, w.Header().Get("Retry-After"))
			}
			if (n.reference != "") != row.withReference || (n.err != nil) != row.withReference {
				t.Errorf("wanted a reference and an error in the log: %v, got %q, %v", row.withReference, n.reference, n.err)
			}
			if row.code == "" {
				if w.Body.String() != "own" {
					t.Errorf("wanted its own body, got %q", w.Body)
				}
				return
			}
			var told map[string]string
			must(t, json.Unmarshal(w.Body.Bytes(), &told))
			if len(told) != 2 || told["error"] != row.code || told["error_description"] != n.reference {
				t.Errorf("got %v", told)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type is %q", got)
			}
		})
	}
}

// checkHeaders are what a gateway copies onto the request.
var checkHeaders = []string{"Dilys-Subject", "Dilys-Trust", "Dilys-Session", "Dilys-Session-Ends", "Dilys-Session-Idle-Ends"}

func TestCheckAtTheDoor(t *testing.T) {
	stranger := []string{"X-Forwarded-Host", "other.example.com", "X-Forwarded-Uri", "/", "X-Forwarded-Method", "GET"}
	page := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for name, row := range map[string]struct {
		change func(*house, *session.State)
		target string
		method string
		none   bool // no session cookie
		header []string
		status int
		cause  string
	}{
		"a live session":                      {status: http.StatusOK},
		"a live session, of any method":       {method: "PROPFIND", status: http.StatusOK},
		"no session":                          {none: true, status: http.StatusUnauthorized, cause: "login-needed"},
		"no session, a page is asked for":     {none: true, target: "/check?redirect", header: page, status: http.StatusSeeOther, cause: "login-needed"},
		"no session, a script asks":           {none: true, target: "/check?redirect", header: []string{"Sec-Fetch-Mode", "cors"}, status: http.StatusUnauthorized, cause: "login-needed"},
		"an ended session":                    {change: func(_ *house, s *session.State) { s.Ended = epoch }, status: http.StatusUnauthorized, cause: "login-needed"},
		"an idle session":                     {change: func(_ *house, s *session.State) { s.Seen = epoch.Add(-time.Hour) }, status: http.StatusUnauthorized, cause: "login-needed"},
		"a disabled account":                  {change: func(_ *house, s *session.State) { s.Admitted = false }, status: http.StatusUnauthorized, cause: "login-needed"},
		"the store is away":                   {change: func(h *house, _ *session.State) { h.down = errDown }, status: http.StatusServiceUnavailable, cause: "store-unavailable"},
		"the store says what nobody expected": {change: func(h *house, _ *session.State) { h.down = errors.New("corrupt") }, status: http.StatusServiceUnavailable, cause: "store-unavailable"},
		"a token that is none, and a session": {header: []string{"Authorization", "Bearer x"}, status: http.StatusUnauthorized, cause: "login-needed"},
		"a path that only resembles it":       {target: "/check/", status: http.StatusNotFound, cause: "no-such-page"},
		"headers of a stranger, no gateway":   {header: stranger, status: http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			secret := h.loggedIn(func(s *session.State) {
				if row.change != nil {
					row.change(h, s)
				}
			})
			if row.target == "" {
				row.target = "/check"
			}
			if row.method == "" {
				row.method = http.MethodGet
			}
			r := request(row.method, row.target, nil, row.header...)
			if !row.none {
				withSession(r, secret)
			}
			w := h.ask(r)
			if w.Code != row.status {
				t.Fatalf("wanted %d, got %d", row.status, w.Code)
			}
			if row.target == "/check/" {
				return
			}
			if w.Body.Len() != 0 || len(w.Header()["Set-Cookie"]) != 0 {
				t.Errorf("a check wrote %q and set %q", w.Body, w.Header()["Set-Cookie"])
			}
			for _, name := range checkHeaders {
				values, set := w.Header()[name]
				// Empty where there is nothing: they go over what a client wrote there.
				if !set || len(values) != 1 || (values[0] != "") != (row.status == http.StatusOK) {
					t.Errorf("%s is %q", name, values)
				}
			}
			if row.status == http.StatusOK {
				if h.log.Len() != 0 {
					t.Error("a check that passed wrote a line")
				}
				return
			}
			line := h.line()
			if line["cause"] != row.cause || line["route"] != "/check" {
				t.Errorf("the log says %v", line)
			}
		})
	}
}

// A check is asked for every file of every page: it tells that the patient did
// something, and writes so once a minute.
func TestCheckRenewsAtMostOnceAMinute(t *testing.T) {
	h := newHouse(t)
	secret := h.loggedIn()
	for range 300 {
		h.now = h.now.Add(time.Second)
		if w := h.ask(withSession(get("/check"), secret)); w.Code != http.StatusOK {
			t.Fatalf("got %d", w.Code)
		}
	}
	if h.touched != 5 {
		t.Errorf("wanted 5 writes in 5 minutes, got %d", h.touched)
	}
}

func TestBelievesProxiesAlone(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	if !h.proxies.believes(&http.Request{RemoteAddr: "10.0.0.1:1"}) || h.proxies.believes(&http.Request{RemoteAddr: "192.0.2.1:1"}) {
		t.Error("the networks of the configuration are not those that are believed")
	}
}

// The one line of a request tells the route and never what a browser filled.
func TestLogLine(t *testing.T) {
	const number = "9990000018"
	for name, row := range map[string]struct {
		r      *http.Request
		method string
		route  string
		status float64
		cause  any
		level  string
	}{
		"a page":                         {get("/help?nhs=" + number), "GET", "/help", 200, nil, "INFO"},
		"a page by its head":             {request(http.MethodHead, "/help", nil), "HEAD", "/help", 200, nil, "INFO"},
		"a provider's callback":          {get("/login/nhs-login/callback?code=" + number + "&state=" + number), "GET", "/login/{provider}/callback", 404, "unknown-provider", "INFO"},
		"a path that is none":            {get("/" + number), "GET", "none", 404, "no-such-page", "INFO"},
		"a method that somebody made up": {request("X"+number, "/help", nil), "other", "none", 405, "method", "INFO"},
		"a form of another site":         {post("/logout", "n="+number, "Sec-Fetch-Site", "cross-site"), "POST", "/logout", 403, "cross-origin-post", "INFO"},
		"a panic":                        {get("/panic"), "GET", "none", 500, "panic", "ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			var route string
			var status int
			h := newHouse(t, func(o *Options) { o.Observe = func(r string, s int, _ time.Duration) { route, status = r, s } })
			h.routes = panicking(h.routes)
			row.r.Header.Set("User-Agent", "Mozilla "+number)
			row.r.Header.Set("Referer", "https://"+number+".example/")
			h.ask(row.r)
			if strings.Count(h.log.String(), "\n") != 1 {
				t.Fatalf("wanted one line, got %s", h.log.String())
			}
			line := h.line()
			if line["method"] != row.method || line["route"] != row.route || line["status"] != row.status || line["cause"] != row.cause || line["level"] != row.level {
				t.Errorf("got %v", line)
			}
			if strings.Contains(h.log.String(), number) {
				t.Errorf("the log tells what a browser filled: %s", h.log.String())
			}
			if _, told := line["reference"]; told != (row.cause != nil) {
				t.Errorf("wanted a reference with a refusal alone, got %v", line["reference"])
			}
			if route != row.route || float64(status) != row.status {
				t.Errorf("the meters were told %s, %d", route, status)
			}
		})
	}
}

// A panic in one request ends that request, with a page and a reference.
func TestPanic(t *testing.T) {
	h := newHouse(t)
	h.routes = panicking(h.routes)
	w := h.ask(get("/panic"))
	body := w.Body.String()
	if w.Code != http.StatusInternalServerError || !strings.Contains(body, "DIL-") || strings.Contains(body, "index out of range") {
		t.Errorf("got %d %s", w.Code, body)
	}
	h.routes = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half a page")
		panic("and then")
	})
	if got := h.ask(get("/")).Body.String(); got != "half a page" {
		t.Errorf("something was written behind what had been: %q", got)
	}
	if h.ask(get("/help")); h.line()["cause"] != "panic" {
		t.Errorf("got %v", h.line())
	}
}

func TestHeadHasNoBody(t *testing.T) {
	h := newHouse(t)
	for _, target := range []string{"/help", "/nowhere", "/.well-known/security.txt", "/.well-known/openid-configuration"} {
		w := h.ask(request(http.MethodHead, target, nil))
		if w.Body.Len() != 0 {
			t.Errorf("%s: %d bytes", target, w.Body.Len())
		}
		if want := h.ask(get(target)); want.Code != w.Code || want.Header().Get("Content-Type") != w.Header().Get("Content-Type") {
			t.Errorf("%s: HEAD says %d, GET %d", target, w.Code, want.Code)
		}
	}
}

func TestMethodNotAllowedNamesTheMethods(t *testing.T) {
	h := newHouse(t)
	for target, want := range map[string]string{
		"/help": "GET, HEAD", "/logout": "GET, HEAD, POST", "/token": "POST", "/.well-known/openid-configuration": "GET, HEAD",
	} {
		w := h.ask(request(http.MethodDelete, target, nil, "Sec-Fetch-Site", "same-origin"))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != want {
			t.Errorf("%s: got %d, Allow %q", target, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestNote(t *testing.T) {
	r, n := withNote(get("/token"))
	n.cause = "before"
	Note(r.Context(), "my-health", "")
	if n.portal != "my-health" || n.cause != "before" {
		t.Errorf("got %+v", n)
	}
	Note(r.Context(), "my-health", "code-unknown")
	if n.cause != "code-unknown" {
		t.Errorf("got %+v", n)
	}
	Note(get("/").Context(), "my-health", "cause") // outside of a request of ours nothing is noted, and nothing breaks
}
