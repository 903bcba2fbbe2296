package portal

import (
	"net/http"
	"strings"
)

// Forwarded is the request that a gateway asks about. Without a Host, none was
// told that could be believed.
type Forwarded struct {
	Host   string // lower case
	Method string // empty: not told, it may be any
	Target string // path and query, as they came
	Fault  string // why what was told can't be believed; empty: it can
}

// forwardedHeaders tell of it: those of most gateways, and those of nginx.
// X-Forwarded-Proto, -Port and -Prefix and Forwarded (RFC 7239) are not read: they
// decide nothing here.
var forwardedHeaders = [...]string{
	forwardedHost:   "X-Forwarded-Host",
	forwardedMethod: "X-Forwarded-Method",
	forwardedURI:    "X-Forwarded-Uri",
	originalURL:     "X-Original-Url",
	originalMethod:  "X-Original-Method",
}

const (
	forwardedHost = iota
	forwardedMethod
	forwardedURI
	originalURL
	originalMethod
)

// methodOverrides are headers by which some frameworks take a request for one of
// another method.
var methodOverrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// ForwardedRequest reads what a gateway tells of the request that it asks about.
// Any peer can write these headers, so one that is not trusted and does is
// refused, rather than ignored; so are headers that stand there twice or tell of
// two different requests.
func ForwardedRequest(h http.Header, trusted bool) Forwarded {
	var told [len(forwardedHeaders)]string
	for i, name := range forwardedHeaders {
		switch values := h[name]; {
		case len(values) == 0:
		case !trusted:
			return Forwarded{Fault: "forwarded-by-stranger"}
		case len(values) > 1 || values[0] == "":
			return Forwarded{Fault: "forwarded-twice-or-empty"}
		default:
			told[i] = values[0]
		}
	}
	f := Forwarded{Host: strings.ToLower(told[forwardedHost]), Method: told[forwardedMethod], Target: told[forwardedURI]}
	if told[originalURL] != "" && !f.agree(splitURL(told[originalURL])) || !same(&f.Method, told[originalMethod]) {
		return Forwarded{Fault: "forwarded-sets-differ"}
	}
	if f.Host != "" && f.Target == "" {
		return Forwarded{Fault: "forwarded-without-path"}
	}
	for _, name := range methodOverrides {
		if len(h[name]) > 0 {
			f.Method = ""
		}
	}
	return f
}

// agree completes f by the second header set, if the two tell of one request.
func (f *Forwarded) agree(host, target string) bool {
	return host != "" && target != "" && same(&f.Host, host) && same(&f.Target, target)
}

// same puts v in the place of an empty field, and reports whether the two don't
// differ.
func same(field *string, v string) bool {
	if *field == "" {
		*field = v
	}
	return v == "" || *field == v
}

// splitURL takes scheme and host off an absolute http address. What is left is as
// it came: to parse and write it anew could change its meaning.
func splitURL(address string) (host, target string) {
	for _, scheme := range []string{"https://", "http://"} {
		rest, found := strings.CutPrefix(address, scheme)
		if !found {
			continue
		}
		if i := strings.IndexByte(rest, '/'); i > 0 {
			return strings.ToLower(rest[:i]), rest[i:]
		}
	}
	return "", ""
}
