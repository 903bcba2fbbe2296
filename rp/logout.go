package rp

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/portal"
)

// clearSiteData empties what a browser keeps of this host. Never "cookies": that
// would clear those of every host under the registrable domain, all of
// wales.nhs.uk (W3C Clear Site Data §4.2.2).
const clearSiteData = `"cache", "storage"`

// confirmLogout asks before it logs out: a link or an image of another site can
// make a browser GET this (GET /logout).
func (s *Server) confirmLogout(v *visit) error {
	if v.session == nil {
		return v.redirect("/logged-out")
	}
	return v.show(http.StatusOK, page.LogoutConfirm{})
}

// logout ends the session everywhere (POST /logout). Without one it only clears
// the browser: whoever presses "log out" must end up logged out.
func (s *Server) logout(v *visit) error {
	values := url.Values{}
	if v.session != nil {
		values.Set("session", v.session.Handle)
		if v.session.Provider != "" {
			values.Set("provider", v.session.Provider)
		}
		v.forget()
		if err := v.leave("logout"); err != nil {
			return err
		}
	}
	v.clearBrowser()
	return v.redirect(portal.WithQuery("/logged-out", values))
}

// leaves reports whether the patient pressed "log out". Then the browser is cleared
// even while the database is away and the session can't be ended: whoever uses a
// shared computer next must find nothing in it.
func (v *visit) leaves() bool {
	return v.r.Method == http.MethodPost && (v.r.URL.Path == "/logout" || v.r.URL.Path == exitPath) && v.sameOrigin(v.r)
}

// leave ends the session of this visit.
func (v *visit) leave(cause string) error {
	if err := v.sessions.End(v.r.Context(), *v.session, cause); err != nil {
		return err
	}
	v.session = nil
	return nil
}

// clearBrowser takes the session out of the browser. The browser's own random
// cookie stays: by it the next login knows to have the provider ask again.
func (v *visit) clearBrowser() {
	v.cookies.clear(v.w, sessionCookie)
	v.w.Header().Set("Clear-Site-Data", clearSiteData)
}

// loggedOut says that it is over (GET /logged-out).
func (s *Server) loggedOut(v *visit) error {
	if v.session != nil { // another tab has logged in since
		return v.redirect("/account")
	}
	left, err := v.left(v.param("session"))
	if err != nil {
		return err
	}
	v.w.Header().Set("Clear-Site-Data", clearSiteData)
	return v.show(http.StatusOK, page.LoggedOut{Provider: v.providerWords(v.param("provider")).Name, Services: left})
}

// How long a log-out waits for the services that are told of it, and how often it looks.
const (
	leaveWithin = 4 * time.Second
	leaveLook   = 200 * time.Millisecond
	leftFor     = 10 * time.Minute // what a patient had open is then told nobody any more
)

// left returns how the services stand that were open in that session, once they have
// answered or some time is over. It is told to the browser alone that had the session.
func (v *visit) left(handle string) ([]page.LeftService, error) {
	ctx, stop := context.WithTimeout(v.r.Context(), leaveWithin)
	defer stop()
	// Where the session can't be read, no service is named: the patient is logged out all
	// the same.
	s, err := v.sessions.ByHandle(ctx, handle)
	if !identity.IsOver(err) || v.browser == "" || s.Browser != v.browser.Digest() || v.now().Sub(s.Ended) > leftFor {
		return nil, nil
	}
	for {
		all, err := v.portals.Left(v.r.Context(), handle)
		if err != nil || !slices.ContainsFunc(all, func(l portal.Left) bool { return l.Waiting }) {
			return services(all), err
		}
		select {
		case <-ctx.Done():
			return services(all), nil
		case <-time.After(leaveLook):
		}
	}
}

func services(all []portal.Left) (left []page.LeftService) {
	for _, l := range all {
		left = append(left, page.LeftService{Name: l.Name, Told: l.Told, Waiting: l.Waiting})
	}
	return left
}

// forget leaves nothing of the patient's choices on a device that is not theirs.
func (v *visit) forget() {
	if v.session.Shared {
		v.cookies.clear(v.w, languageCookie)
	}
}

// endSession logs out at a portal's wish (RP-Initiated Logout 1.0).
func (s *Server) endSession(v *visit) error {
	seat := v.seat()
	seat.Confirmed = v.r.Method == http.MethodPost // of our own origin: another's became a GET
	d, err := v.portals.EndSession(v.r.Context(), v.values(), seat)
	if err != nil {
		return err
	}
	return v.decide(d)
}

func (v *visit) askLogout(d portal.Decision) error {
	v.path = "/end-session"
	if len(d.Fields) > 0 {
		v.path += "?" + d.Fields.Encode()
	}
	ask := page.LogoutConfirm{Action: "/end-session"}
	if d.Portal != nil {
		ask.Portal = d.Portal.Name
	}
	var origins []string
	for _, name := range sortedKeys(d.Fields) {
		ask.Hidden = append(ask.Hidden, page.Field{Name: name, Value: d.Fields.Get(name)})
	}
	if to := originOf(d.Fields.Get("post_logout_redirect_uri")); to != "" {
		origins = append(origins, to)
	}
	return v.show(http.StatusOK, ask, origins...)
}

func (v *visit) loggedOutFor(d portal.Decision) error {
	if v.session != nil {
		v.forget()
	}
	v.session = nil
	v.clearBrowser()
	if d.Kind == portal.LoggedOutTo {
		return v.redirect(d.URL)
	}
	left, err := v.left(d.Session)
	if err != nil {
		return err
	}
	gone := page.LoggedOut{Return: d.URL, Services: left}
	if d.Portal != nil {
		gone.Portal = d.Portal.Name
	}
	return v.show(http.StatusOK, gone)
}
