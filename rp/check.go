package rp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/portal"
)

// check answers a gateway (GET /check, and any other method: what the gateway asks
// about came with it). It writes no page and sets no cookie.
func (s *Server) check(w http.ResponseWriter, r *http.Request) error {
	answer, err := s.portals.Check(r.Context(), portal.ReadCheck(r, s.cookies.secret(r, sessionCookie), s.proxies.believes(r)))
	if answer.Status != http.StatusOK {
		s.secure(w.Header())
	}
	answer.SetHeader(w.Header())
	noteOf(r).cause, noteOf(r).err = answer.Cause, err
	w.WriteHeader(answer.Status)
	return nil
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
