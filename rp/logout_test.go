package rp

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
)

func TestLogout(t *testing.T) {
	const (
		gone  = "__Host-dilys=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
		mute  = "__Host-dilys-lang=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
		cache = `"cache", "storage"`
	)
	for name, row := range map[string]struct {
		change  func(*house, *session.State)
		none    bool
		headers []string
		status  int
		to      string
		set     []string
		ended   bool
	}{
		"a live session":               {status: http.StatusSeeOther, to: "/logged-out?session=sid", set: []string{gone}, ended: true},
		"a device that is not theirs":  {change: func(_ *house, s *session.State) { s.Shared = true }, status: http.StatusSeeOther, to: "/logged-out?session=sid", set: []string{mute, gone}, ended: true},
		"no session: out all the same": {none: true, status: http.StatusSeeOther, to: "/logged-out", set: []string{gone}},
		"a form of another site":       {headers: []string{"Sec-Fetch-Site", "cross-site"}, status: http.StatusForbidden},
		"the store is away":            {change: func(h *house, _ *session.State) { h.down = errDown }, status: http.StatusServiceUnavailable, set: []string{gone}},
		"the store is away, of another site": {
			change: func(h *house, _ *session.State) { h.down = errDown }, headers: []string{"Sec-Fetch-Site", "cross-site"}, status: http.StatusServiceUnavailable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			secret := h.loggedIn(func(s *session.State) {
				if row.change != nil {
					row.change(h, s)
				}
			})
			r := post("/logout", "", row.headers...)
			if !row.none {
				withSession(r, secret)
			}
			w := h.ask(r)
			to := strings.Replace(row.to, "=sid", "="+h.sessions[secret.Digest()].Handle, 1)
			if w.Code != row.status || w.Header().Get("Location") != to {
				t.Errorf("got %d to %q", w.Code, w.Header().Get("Location"))
			}
			if got := w.Header()["Set-Cookie"]; !slices.Equal(got, row.set) {
				t.Errorf("got cookies %q", got)
			}
			site := w.Header().Get("Clear-Site-Data")
			if (site == cache) != slices.Contains(row.set, gone) || strings.Contains(site, "cookies") {
				t.Errorf("Clear-Site-Data is %q", site)
			}
			ended := !h.sessions[secret.Digest()].Ended.IsZero()
			told := slices.ContainsFunc(h.events, func(e audit.Event) bool { return e.Kind == audit.SessionEnded && e.Cause == "logout" })
			if ended != row.ended || told != row.ended {
				t.Errorf("wanted the session ended: %v, got %v, in the audit %v", row.ended, ended, told)
			}
		})
	}
}

// A link or an image of another site can make a browser GET this: it asks, and
// ends nothing.
func TestLogoutAsksBefore(t *testing.T) {
	h := newHouse(t)
	secret := h.loggedIn()
	w := h.ask(withSession(get("/logout", "Sec-Fetch-Site", "cross-site"), secret))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `action="/logout"`) {
		t.Errorf("got %d", w.Code)
	}
	if !h.sessions[secret.Digest()].Ended.IsZero() || len(w.Header()["Set-Cookie"]) != 0 {
		t.Error("a GET ended the session")
	}
	if w := h.ask(get("/logout")); w.Header().Get("Location") != "/logged-out" {
		t.Errorf("without a session it leads to %q", w.Header().Get("Location"))
	}
}

// While the store is away nothing but "log out" itself takes a session out of the
// browser: a page that failed to load must not log anybody out.
func TestNothingElseClearsTheBrowser(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"a page": get("/account"), "the question before": get("/logout"), "a form of another page": post("/session/active", ""),
	} {
		h := newHouse(t)
		secret := h.loggedIn()
		h.down = errDown
		w := h.ask(withSession(r, secret))
		if w.Code != http.StatusServiceUnavailable || len(w.Header()["Set-Cookie"]) != 0 || w.Header().Get("Clear-Site-Data") != "" {
			t.Errorf("%s: got %d, %q", name, w.Code, w.Header()["Set-Cookie"])
		}
	}
}
