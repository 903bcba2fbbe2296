package pdsstandin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/dilys-id/dilys/identity"
)

const (
	assertionLife = 5 * time.Minute // the longest that an assertion may live
	tokenLife     = 10 * time.Minute
	maxForm       = 16 << 10
)

// grant answers the token endpoint (RFC 6749 §4.4, RFC 7523 §2.2).
func (s *Standin) grant(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	form := r.PostForm
	switch {
	case r.Method != http.MethodPost || err != nil:
		refuseGrant(w, http.StatusBadRequest, "invalid_request", errors.New("wanted a form by POST"))
	case form.Get("grant_type") != "client_credentials":
		refuseGrant(w, http.StatusBadRequest, "unsupported_grant_type", errors.New("grant_type: wanted client_credentials"))
	case form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		refuseGrant(w, http.StatusBadRequest, "invalid_request", errors.New("client_assertion_type: wanted jwt-bearer"))
	default:
		if err := s.judgeAssertion(form.Get("client_assertion")); err != nil {
			refuseGrant(w, http.StatusUnauthorized, "invalid_client", err)
			return
		}
		writeJSON(w, "application/json", http.StatusOK, map[string]any{
			"access_token": s.newToken(), "token_type": "Bearer",
			"expires_in": strconv.Itoa(int(tokenLife.Seconds()) - 1), // a text, as the platform writes it
			"issued_at":  strconv.FormatInt(s.opt.Now().UnixMilli(), 10),
		})
	}
}

// judgeAssertion checks signature, names, audience, life, and that the jti is new.
func (s *Standin) judgeAssertion(raw string) error {
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS512})
	if err != nil {
		return errors.New("wanted a JWT signed by RS512")
	}
	if kid := parsed.Headers[0].KeyID; kid != s.opt.KeyID {
		return errors.New("kid: wanted the one that is registered")
	}
	var c jwt.Claims
	if parsed.Claims(s.opt.Key, &c) != nil {
		return errors.New("signature: wanted the registered key's")
	}
	now := s.opt.Now()
	switch {
	case c.Issuer != s.opt.APIKey || c.Subject != s.opt.APIKey:
		return errors.New("iss, sub: wanted the API key")
	case len(c.Audience) != 1 || c.Audience[0] != s.TokenURL():
		return errors.New("aud: wanted the token URL alone")
	case c.Expiry == nil || !now.Before(c.Expiry.Time()):
		return errors.New("exp: wanted an instant to come")
	case c.Expiry.Time().Sub(now) > assertionLife:
		return fmt.Errorf("exp: wanted at most %s from now", assertionLife)
	case c.ID == "":
		return errors.New("jti: wanted one, got none")
	case !s.first(c.ID, c.Expiry.Time(), now):
		return errors.New("jti: wanted a new one, got one that was used")
	}
	return nil
}

// first reports whether that jti never came while it lived.
func (s *Standin) first(jti string, until, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.jtis, func(_ string, end time.Time) bool { return !now.Before(end) })
	if _, used := s.jtis[jti]; used {
		return false
	}
	s.jtis[jti] = until
	return true
}

func (s *Standin) newToken() string {
	t := identity.NewToken().Reveal()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[t] = s.opt.Now().Add(tokenLife)
	return t
}

func (s *Standin) granted(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, known := s.tokens[token]
	return known && s.opt.Now().Before(end)
}

func refuseGrant(w http.ResponseWriter, status int, code string, why error) {
	writeJSON(w, "application/json", status, map[string]any{"error": code, "error_description": why.Error()})
}

func writeJSON(w http.ResponseWriter, kind string, status int, v any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}
