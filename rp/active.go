package rp

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/dilys-id/dilys/rp/page"
)

// active renews a session's idle time: for a portal with an access token, or for
// a page of ours with the cookie (POST /session/active).
func (s *Server) active(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		s.machine(s.portals.SessionActive).ServeHTTP(w, r)
		return
	}
	s.patient(s.stay).ServeHTTP(w, r)
}

// stay answers the "Stay logged in" button: the script with the new ends, the form
// with the page it stood on.
func (s *Server) stay(v *visit) error {
	wantsJSON := strings.HasPrefix(v.r.Header.Get("Accept"), "application/json")
	if v.session == nil {
		if wantsJSON {
			v.w.WriteHeader(http.StatusUnauthorized)
			return nil
		}
		return refuse(http.StatusUnauthorized, page.SessionEnded, "session-over").again("/login")
	}
	if err := v.renew(); err != nil {
		return err
	}
	if !wantsJSON {
		to, ok := parseReturnTo(v.field("to"))
		if !ok {
			to = "/account"
		}
		return v.redirect(to)
	}
	v.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(v.w).Encode(map[string]int64{
		"session_ends": v.session.Ends().Unix(), "session_idle_ends": v.session.IdleEnds().Unix(),
	})
}
