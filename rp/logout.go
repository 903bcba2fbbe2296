package rp

import (
	"net/http"
	"net/url"

	"github.com/dilys-id/dilys/rp/page"
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
	var idp string
	if v.session != nil {
		idp = v.session.Provider
		v.forget()
		if err := v.leave("logout"); err != nil {
			return err
		}
	}
	v.clearBrowser()
	return v.redirect("/logged-out" + queryOf("provider", idp))
}

// leaves reports whether the patient pressed "log out". Then the browser is cleared
// even while the database is away and the session can't be ended: whoever uses a
// shared computer next must find nothing in it.
func (v *visit) leaves() bool {
	return v.r.Method == http.MethodPost && v.r.URL.Path == "/logout" && v.sameOrigin(v.r)
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
	v.w.Header().Set("Clear-Site-Data", clearSiteData)
	return v.show(http.StatusOK, page.LoggedOut{Provider: v.providerWords(v.param("provider")).Name})
}

// forget leaves nothing of the patient's choices on a device that is not theirs.
func (v *visit) forget() {
	if v.session.Shared {
		v.cookies.clear(v.w, languageCookie)
	}
}

func queryOf(name, value string) string {
	if value == "" {
		return ""
	}
	return "?" + url.Values{name: {value}}.Encode()
}
