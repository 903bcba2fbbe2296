package rp

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/dilys-id/dilys/rp/provider"
)

// maxLogoutForm bounds the form of a provider, in bytes: one token.
const maxLogoutForm = 32 << 10

// toldOfLogout takes a provider's word that a patient logged out there (POST
// /login/{provider}/logged-out; OpenID Connect Back-Channel Logout 1.0 §2.5). Sessions
// that its login opened end; those that the patient opened here by other means stay.
func (s *Server) toldOfLogout(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	p := s.provider(mux.Vars(r)["provider"])
	if p == nil {
		http.NotFound(w, r)
		return nil
	}
	noteOf(r).provider = p.Words.ID
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutForm)
	if err := r.ParseForm(); err != nil {
		return s.badLogout(w, r, "form-unreadable")
	}
	out, err := p.ReadLogout(r.Context(), single(r.PostForm, "logout_token"))
	switch {
	case provider.IsBadLogout(err):
		noteOf(r).err = err
		return s.badLogout(w, r, "logout-token-refused")
	case err != nil: // its keys can't be had: it may try again
		noteOf(r).err = err
		w.Header().Set("Retry-After", "10")
		w.WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	fresh, err := s.attempts.LoggedOutAt(r.Context(), p.Words.ID, out.Issuer, out.Subject, out.ID, out.Until)
	switch {
	case err != nil:
		return err
	case !fresh:
		return s.badLogout(w, r, "logout-token-used-twice")
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) badLogout(w http.ResponseWriter, r *http.Request, cause string) error {
	noteOf(r).cause = cause
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(`{"error":"invalid_request"}` + "\n"))
	return nil
}
