package rp

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/portal"
)

// fromPortal wraps an endpoint that portals send browsers to. A POST from another
// site carries no session cookie (SameSite=Lax), so it is answered with a GET of
// the same parameters, and does nothing else.
func (s *Server) fromPortal(h handler) http.Handler {
	guarded := s.patient(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || s.sameOrigin(r) && r.Header.Get("Origin") != "" {
			guarded.ServeHTTP(w, r)
			return
		}
		s.asGet(w, r)
	})
}

func (s *Server) asGet(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || len(r.PostForm) > maxFormKeys || len(r.PostForm.Encode()) > maxQuery {
		get := r.Clone(r.Context())
		get.Method, get.Body = http.MethodGet, http.NoBody
		s.patient(unreadable).ServeHTTP(w, get)
		return
	}
	w.Header().Set("Location", r.URL.Path+"?"+r.PostForm.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

func unreadable(*visit) error {
	return refuse(http.StatusBadRequest, page.BadRequest, "form-unreadable")
}

// authorize takes a portal's authorization request, or resumes one that waited
// for a login (OpenID Connect Core §3.1.2). A link of ours takes the patient back
// to the portal without one.
func (s *Server) authorize(v *visit) error {
	values := v.values()
	var d portal.Decision
	var err error
	if id := single(values, "request"); id != "" && values.Has(declineParam) {
		d, err = v.portals.Decline(v.r.Context(), id)
	} else {
		d, err = v.portals.Authorize(v.r.Context(), values, v.seat())
	}
	if err != nil {
		return err
	}
	return v.decide(d)
}

// elsewhereParam, beside a waiting request, says that the login which came back was
// not taken up, as another tab's had been: a login for this request may still help.
const elsewhereParam = "elsewhere"

// declineParam, beside a waiting request, takes the patient back to its portal.
const declineParam = "decline"

// declineURL leads back to the portal that waits, if one does.
func declineURL(to attempt.Return) string {
	if to.Request == "" {
		return ""
	}
	return landing(to) + "&" + declineParam + "=1"
}

// values returns the parameters of a request that may come either way.
func (v *visit) values() url.Values {
	if v.r.Method == http.MethodPost {
		return v.r.PostForm
	}
	return v.r.URL.Query()
}

func (v *visit) seat() portal.Seat {
	return portal.Seat{
		Session: v.session, Navigation: portal.Navigation(v.r.Header), Elsewhere: v.values().Has(elsewhereParam),
	}
}

// decide turns what the portal side decided into a redirect or a page.
func (v *visit) decide(d portal.Decision) error {
	v.note.cause = d.Cause
	if d.Portal != nil {
		v.note.portal = d.Portal.ID
	}
	switch d.Kind {
	case portal.Redirect:
		return v.redirect(d.URL)
	case portal.Login:
		return v.toLogin(d)
	case portal.AskLogout:
		return v.askLogout(d)
	case portal.LoggedOut, portal.LoggedOutTo:
		return v.loggedOutFor(d)
	}
	return v.portalRefusal(d)
}

// toLogin leads to the chooser, straight to the provider that the portal wants, or
// asks a patient who is logged in for what is missing.
func (v *visit) toLogin(d portal.Decision) error {
	query := url.Values{"request": {d.Request}}
	if slices.Contains(v.languages, d.Language) {
		query.Set("lang", d.Language)
	}
	path := "/login"
	switch {
	case v.session != nil && !d.Waiting.Bound: // somebody is logged in, with too little
		path = stepUpPath
	case d.Waiting.Provider != "":
		path += "/" + d.Waiting.Provider
	}
	return v.redirect(path + "?" + query.Encode())
}

// portalRefusals says which page and status each refusal has.
var portalRefusals = map[portal.Refusal]struct {
	kind   page.Kind
	status int
}{
	portal.BadClient:   {page.PortalBadClient, http.StatusBadRequest},
	portal.BadRedirect: {page.PortalBadRedirect, http.StatusBadRequest},
	portal.BadRequest:  {page.BadRequest, http.StatusBadRequest},
	portal.TooLate:     {page.TooLate, http.StatusBadRequest},
}

func (v *visit) portalRefusal(d portal.Decision) error {
	v.path = v.r.URL.Path // nothing of a request that was refused is shown again
	words := portalRefusals[d.Refusal]
	r := refuse(words.status, words.kind, d.Cause)
	if d.Portal != nil {
		r.page.Portal, r.page.Return = d.Portal.Name, d.URL
	}
	return r
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func sortedKeys(values url.Values) []string {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
