package service

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxAddress bounds a web address, in bytes.
const maxAddress = 2048

// web reads an absolute web address and returns it exactly as written. shape, if
// any, says what else was wanted of it.
//
// Plain http passes only while insecure_loopback is true, and then every address
// must be loopback, https ones too: a development setting must not reach further
// than the machine it was meant for.
func (v value) web(shape func(*url.URL, string) string) string {
	const wanted = "an https address"
	return read(v, wanted, v.judgeWeb(shape))
}

// webs reads a list of web addresses.
func (v value) webs(shape func(*url.URL, string) string) []string {
	return readAll(v, "an https address", v.judgeWeb(shape))
}

func (r *reading) judgeWeb(shape func(*url.URL, string) string) judge[string] {
	return func(text string) (string, string) {
		u, err := url.Parse(text)
		if err != nil || len(text) > maxAddress || !plainASCII(text) || u.Host == "" || !goodPort(u) {
			return "", "an absolute https address in ASCII"
		}
		local := isLoopback(u.Hostname())
		switch {
		case u.Scheme != "https" && u.Scheme != "http", u.Scheme == "http" && !local:
			return "", "an https address"
		case u.User != nil:
			return "", "an address without user name and password"
		case strings.Contains(text, "#"):
			return "", "an address without #"
		case r.plainHTTP && !local:
			return "", "a loopback address, as insecure_loopback is true"
		case u.Scheme == "http" && !r.plainHTTP:
			return "", "an https address, or insecure_loopback: true"
		}
		return text, shape(u, text)
	}
}

func plainASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

func goodPort(u *url.URL) bool {
	_, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil || u.Port() == "" && !strings.HasSuffix(u.Host, ":")
}

// isLoopback reports whether the host is this machine, by its name alone.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// anyShape asks for nothing else.
func anyShape(*url.URL, string) string { return "" }

// originShape asks for scheme and host alone, as a browser spells an origin:
// public_url is compared with the Origin header, and is the issuer of every token.
func originShape(u *url.URL, text string) string {
	switch {
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery:
		return "scheme and host alone, without a slash at the end"
	case text != strings.ToLower(text):
		return "an address in lower case"
	case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		return "an address without the scheme's own port"
	case text != u.Scheme+"://"+u.Host:
		return "scheme and host alone"
	}
	return ""
}

// issuerShape asks for an address without a query (OpenID Connect Discovery §3).
func issuerShape(u *url.URL, _ string) string {
	if u.RawQuery != "" || u.ForceQuery {
		return "an address without a query"
	}
	return ""
}

// redirectShape asks for an address that can be compared exactly (RFC 9700 §2.1).
func redirectShape(_ *url.URL, text string) string {
	if strings.Contains(text, "*") {
		return "one exact address, as none is matched by pattern"
	}
	return ""
}

// listener reads host:port to listen on.
func (v value) listener(shape func(host string) string) string {
	const wanted = "host:port, such as 127.0.0.1:8080"
	return read(v, wanted, func(text string) (string, string) {
		host, port, err := net.SplitHostPort(text)
		if err != nil {
			return "", wanted
		}
		_, badPort := strconv.ParseUint(port, 10, 16)
		_, badHost := netip.ParseAddr(host)
		switch {
		case badPort != nil, badHost != nil && host != "" && host != "localhost":
			return "", wanted
		case v.plainHTTP && !isLoopback(host):
			return "", "a loopback address, as insecure_loopback is true"
		}
		return text, shape(host)
	})
}

func anyHost(string) string { return "" }

// privateHost asks for an address that the internet can't reach: the operations
// listener answers whoever asks.
func privateHost(host string) string {
	addr, err := netip.ParseAddr(host)
	if isLoopback(host) || err == nil && addr.Unmap().IsPrivate() {
		return ""
	}
	return "a loopback or private address"
}

// collide reports whether two listeners want the same port of one address.
func collide(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || everywhere(hostA) || everywhere(hostB)
}

func everywhere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}
