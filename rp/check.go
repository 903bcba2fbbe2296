package rp

import (
	"net/http"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/portal"
)

// check answers a gateway (GET /check, and any other method: what the gateway asks
// about came with it). It writes no page and sets no cookie.
func (s *Server) check(w http.ResponseWriter, r *http.Request) error {
	var gate identity.Secret
	if s.gates { // or else nobody has one: to look is to read every cookie again
		gate = s.cookies.secret(r, gateCookie)
	}
	answer, err := s.portals.Check(r.Context(), portal.ReadCheck(r, s.cookies.secret(r, sessionCookie), gate, s.proxies.believes(r)))
	answer.SetHeader(w.Header())
	noteOf(r).cause, noteOf(r).err = answer.Cause, err
	w.WriteHeader(answer.Status)
	return nil
}
