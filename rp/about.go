package rp

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dilys-id/dilys/rp/page"
)

// about serves a page that is the same for everyone.
func (s *Server) about(content page.Content) handler {
	return func(v *visit) error { return v.show(http.StatusOK, content) }
}

// cookieList tells the cookies that this file's neighbours set.
func (s *Server) cookieList() page.Cookies {
	list := []page.Cookie{
		{Name: s.cookies.name(sessionCookie), Use: page.SessionCookie},
		{Name: s.cookies.name(browserCookie), Use: page.BrowserCookie, Lasts: browserCookieLife},
		{Name: s.cookies.name(languageCookie), Use: page.LanguageCookie, Lasts: languageCookieLife},
	}
	if s.portals.HasGates() {
		list = append(list, page.Cookie{Name: s.cookies.name(startCookie), Use: page.StartCookie}, page.Cookie{Name: s.cookies.name(gateCookie), Use: page.GateCookie})
	}
	return page.Cookies{List: list}
}

// home leads to the account page, which leads on to the login.
func (s *Server) home(v *visit) error { return v.redirect("/account") }

// changePassword leads to where an account's security is kept
// (W3C, A Well-Known URL for Changing Passwords).
func (s *Server) changePassword(v *visit) error { return v.redirect("/account") }

// securityTextLife is how long a reader may rely on security.txt (RFC 9116
// §2.5.5 recommends less than a year).
const securityTextLife = 180 * 24 * time.Hour

// securityText tells where to report a vulnerability (RFC 9116).
func (s *Server) securityText(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "Contact: %s\nExpires: %s\nPreferred-Languages: en, cy\nCanonical: %s/.well-known/security.txt\n",
		s.securityContact, s.now().Add(securityTextLife).UTC().Truncate(24*time.Hour).Format(time.RFC3339), s.origin)
}

// trustmark says what the letters of a vector mean (RFC 8485 §5: what vtm points
// to), for whoever reads a token.
func (s *Server) trustmark(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprint(w, trustmarkText)
}

const trustmarkText = `Vectors of trust (RFC 8485) as this issuer uses them, for example P9.Cp.Cd

P0  contact details proved; opens nothing of a record
P5  details matched to the register; may hand something in
P9  identity proved by photo ID or its like; may read

Cp  password
Cd  code sent to a registered phone, a printed one-time code, or a remembered browser
Ck  shared key in a device
Cm  asymmetric key in a device, with user verification

Held satisfies asked when P is as high and the credentials are as strong: Cm
satisfies every part; Cp.Ck satisfies Cp.Cd and Cp; Cp.Cd satisfies Cp and Cd;
else the same letters.
`

// asset serves a style, script or image of the pages. Their names carry their
// content, so a browser may keep them.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	content, contentType, immutable, found := s.pages.Asset(r.URL.Path)
	if !found {
		s.patient(s.notFound).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "public, max-age=300")
	if immutable {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(content)
}

func (s *Server) notFound(*visit) error {
	return refuse(http.StatusNotFound, page.NotFound, "no-such-page").again("/account")
}

// methodNotAllowed names the methods that the route does take (RFC 9110 §15.5.6).
func (s *Server) methodNotAllowed(v *visit) error {
	v.w.Header().Set("Allow", strings.Join(s.allowed(v.r), ", "))
	return refuse(http.StatusMethodNotAllowed, page.MethodNotAllowed, "method").again("/account")
}
