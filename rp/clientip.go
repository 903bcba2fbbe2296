package rp

import (
	"net/http"
	"net/netip"
	"strings"
)

// trustedProxies are the networks whose forwarding headers are believed. None is
// the strict value: the peer is then the client.
type trustedProxies []netip.Prefix

// believes reports whether the request came over a connection from one of them.
func (t trustedProxies) believes(r *http.Request) bool {
	peer, ok := peerOf(r)
	return ok && t.contains(peer)
}

func (t trustedProxies) contains(addr netip.Addr) bool {
	for _, p := range t {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func peerOf(r *http.Request) (netip.Addr, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	return peer.Addr().Unmap().WithZone(""), true
}

// maxHops bounds how many proxies of ours may stand in a row: a header is as long
// as its sender likes.
const maxHops = 10

// client returns the address that limits are counted by: the peer, or, where the
// peer is a proxy of ours, the right-most hop of X-Forwarded-For that is none. What
// stands left of it, anybody may have written. A hop that can't be read ends the
// search at the last one that could.
func (t trustedProxies) client(r *http.Request) netip.Addr {
	last, ok := peerOf(r)
	if !ok {
		return netip.Addr{}
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= max(0, len(hops)-maxHops) && t.contains(last); i-- {
		hop, err := parseHop(hops[i])
		if err != nil {
			return last
		}
		last = hop
	}
	return last
}

// parseHop reads an address as proxies write it: bare, with a port, or in brackets.
func parseHop(s string) (netip.Addr, error) {
	s = strings.TrimSpace(s)
	if with, err := netip.ParseAddrPort(s); err == nil {
		return with.Addr().Unmap().WithZone(""), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return addr.Unmap().WithZone(""), err
}
