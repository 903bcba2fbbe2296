package guard

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// need is what a handler asks for.
type need struct {
	trust  []identity.Trust
	maxAge time.Duration // 0: not asked
	values url.Values    // how it is asked of Dilys (OpenID Connect Core §3.1.2.1)
	words  string        // how it is told (RFC 9470 §3)
}

func newNeed(trust []identity.Trust, maxAge time.Duration) need {
	list := identity.JoinTrust(trust, " ")
	n := need{trust: trust, maxAge: maxAge, values: url.Values{"acr_values": {list}}, words: fmt.Sprintf(`acr_values=%q`, list)}
	if maxAge > 0 {
		seconds := strconv.FormatInt(int64(maxAge/time.Second), 10)
		n.values.Set("max_age", seconds)
		n.words += fmt.Sprintf(`, max_age=%q`, seconds)
	}
	return n
}

// met reports whether the token is enough at that instant. A need without vectors is met
// by none: a list that somebody forgot to fill opens nothing.
func (n need) met(c *token.AccessClaims, now time.Time) bool {
	if !c.Trust.SatisfiesAny(n.trust) {
		return false
	}
	return n.maxAge <= 0 || !c.AuthTime.IsZero() && now.Sub(c.AuthTime) <= n.maxAge
}

// lack is why a request does not go on.
type lack struct{ code, detail string }

var (
	missing      = lack{"", "an access token is needed"}
	invalid      = lack{"invalid_token", "the token is not good, or no longer"}
	insufficient = lack{"insufficient_user_authentication", "a fresher or stronger log-in is needed"}
)

// refuse sends a browser's window to the portal's login, and tells everybody else.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, n need, l lack) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if g.login != "" && navigates(r) {
		values := url.Values{}
		if to := r.URL.RequestURI(); isPath(to) {
			values.Set("return_to", to)
		}
		for name, v := range n.values {
			values[name] = v
		}
		h.Set("Location", g.login+"?"+values.Encode())
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	challenge := `Bearer realm="dilys"`
	if l.code != "" {
		challenge += fmt.Sprintf(`, error=%q, error_description=%q`, l.code, l.detail)
	}
	if l == insufficient {
		challenge += ", " + n.words
	}
	h.Set("WWW-Authenticate", challenge)
	answer(w, http.StatusUnauthorized, l)
}

// navigates reports whether a browser's window asks for a page (Fetch Metadata), which a
// login can be brought back to. Where the browser does not tell, who accepts a page
// counts as one.
func navigates(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	if mode == "" && dest == "" {
		mode, dest = "navigate", "document"
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			return false
		}
	}
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && mode == "navigate" && dest == "document"
}

// isPath reports whether every browser takes the text for a path of this host.
func isPath(to string) bool {
	return strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.ContainsAny(to, "\\\t\r\n")
}

// unavailable says that nothing can be judged now.
func unavailable(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", "10")
	answer(w, http.StatusServiceUnavailable, lack{"temporarily_unavailable", "who you are can't be checked now; try again in a moment"})
}

// answer writes the reason. Its words are ours and need no escape.
func answer(w http.ResponseWriter, status int, l lack) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":%q,"error_description":%q}`+"\n", l.code, l.detail) // who is gone can't be told
}
