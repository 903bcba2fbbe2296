package rp

import (
	"net/http"
	"net/netip"
	"testing"
)

// Row J3: an address in a header that no believed proxy wrote counts for nobody. One /64
// is one network (package limit).
func TestClientIsTheRealPeer(t *testing.T) {
	ours := trustedProxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, row := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                             {"203.0.113.7:1234", nil, "203.0.113.7"},
		"a stranger who names a victim":        {"203.0.113.7:1234", []string{"198.51.100.1"}, "203.0.113.7"},
		"one proxy":                            {"10.0.0.1:1234", []string{"203.0.113.7"}, "203.0.113.7"},
		"a victim written before the real one": {"10.0.0.1:1234", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		"two proxies of ours":                  {"10.0.0.1:1234", []string{"203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		"two headers":                          {"10.0.0.1:1234", []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		"IPv6":                                 {"[fd00::1]:1234", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets with a port":         {"[fd00::1]:1234", []string{"[2001:db8::7]:443"}, "2001:db8::7"},
		"IPv4 with a port":                     {"10.0.0.1:1234", []string{"203.0.113.7:443"}, "203.0.113.7"},
		"IPv4 in IPv6":                         {"[::ffff:10.0.0.1]:1234", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"a zone":                               {"[fd00::1%eth0]:1234", []string{"fe80::1%eth0"}, "fe80::1"},
		"garbage":                              {"10.0.0.1:1234", []string{"203.0.113.7, unknown"}, "10.0.0.1"},
		"empty":                                {"10.0.0.1:1234", []string{""}, "10.0.0.1"},
		"only proxies of ours":                 {"10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
	} {
		r := &http.Request{RemoteAddr: row.peer, Header: http.Header{"X-Forwarded-For": row.forwarded}}
		if got := ours.client(r); got.String() != row.want {
			t.Errorf("%s: wanted %s, got %s", name, row.want, got)
		}
	}
}
