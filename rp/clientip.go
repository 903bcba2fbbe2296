package rp

import (
	"net/http"
	"net/netip"
)

// trustedProxies are the networks whose forwarding headers are believed. None is
// the strict value: the peer is then the client.
type trustedProxies []netip.Prefix

// believes reports whether the request came over a connection from one of them.
func (t trustedProxies) believes(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap()
	for _, p := range t {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
