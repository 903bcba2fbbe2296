package rp

import (
	"net/url"
	"strings"
)

// maxReturnTo bounds a return address in bytes.
const maxReturnTo = 2048

// parseReturnTo reads where a patient wants to be after a login: a path of our own
// host, with its query, as the browser will read it. It reports false for
// anything that any browser could take for another origin: a scheme, a second
// slash or backslash, control characters, which browsers drop before they parse
// (WHATWG URL §4.4), or an authority.
func parseReturnTo(s string) (string, bool) {
	if len(s) > maxReturnTo || !strings.HasPrefix(s, "/") {
		return "", false
	}
	for _, b := range []byte(s) {
		if b <= ' ' || b >= 0x7f || b == '\\' {
			return "", false
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return "", false
	}
	if strings.HasPrefix(u.Path, "//") || strings.ContainsAny(u.Path, "\\\r\n\x00") {
		return "", false
	}
	back := url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	out := back.String()
	// What leaves is what was judged: the path may not turn into an authority.
	if !strings.HasPrefix(out, "/") || strings.HasPrefix(out, "//") {
		return "", false
	}
	return out, true
}
