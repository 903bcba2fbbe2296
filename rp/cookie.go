package rp

import (
	"net/http"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// The cookies (contract: HTTP). All hold a random value or a language, nothing
// personal.
const (
	sessionCookie  = "dilys"
	browserCookie  = "dilys-browser"
	languageCookie = "dilys-lang"

	// At hosts behind the gateway that are not our own.
	startCookie = "dilys-start" // random, while a login is under way
	gateCookie  = "dilys-gate"
)

// How long a browser keeps what is not bound to its window.
const (
	browserCookieLife  = 400 * 24 * time.Hour // the longest that browsers allow
	languageCookieLife = 365 * 24 * time.Hour
)

// cookies reads and writes our cookies. The zero value is the strict one: the
// __Host- prefix, with which a browser takes a cookie only from this very host
// over https, for all of its paths (RFC 6265bis §4.1.3.2).
type cookies struct {
	// plainHTTP drops the prefix and Secure, which need https. Loopback only.
	plainHTTP bool
}

func (c cookies) name(base string) string {
	if c.plainHTTP {
		return base
	}
	return "__Host-" + base
}

// value returns the cookie's value, or nothing when it is absent, not of the shape
// that we give out, or there twice: a browser sends one, so two were planted from
// a sibling domain or a proxy, and neither can be believed.
func (c cookies) value(r *http.Request, base string) string {
	named := r.CookiesNamed(c.name(base))
	if len(named) != 1 {
		return ""
	}
	return named[0].Value
}

// secret returns the cookie's value if it is a token of ours by its shape.
func (c cookies) secret(r *http.Request, base string) identity.Secret {
	v := identity.Secret(c.value(r, base))
	if !v.IsToken() {
		return ""
	}
	return v
}

// set writes a cookie that lives as long as the browser's window, or for life if
// that is not zero.
func (c cookies) set(w http.ResponseWriter, base, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: c.name(base), Value: value, Path: "/", MaxAge: int(life.Seconds()),
		Secure: !c.plainHTTP, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// clear takes a cookie out of the browser.
func (c cookies) clear(w http.ResponseWriter, base string) {
	http.SetCookie(w, &http.Cookie{
		Name: c.name(base), Path: "/", MaxAge: -1,
		Secure: !c.plainHTTP, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
