package rp

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
)

func TestH4Cookies(t *testing.T) {
	good := identity.NewToken().Reveal()
	for name, row := range map[string]struct {
		header string
		want   string
	}{
		"one of ours":                        {"__Host-dilys=" + good, good},
		"among 200 others":                   {strings.Repeat("a=b; ", 200) + "__Host-dilys=" + good, good},
		"none":                               {"", ""},
		"two of the same name":               {"__Host-dilys=" + good + "; __Host-dilys=" + identity.NewToken().Reveal(), ""},
		"the same twice":                     {"__Host-dilys=" + good + "; __Host-dilys=" + good, ""},
		"a nameless cookie that spells ours": {"=__Host-dilys=" + good, ""},
		"without the prefix":                 {"dilys=" + good, ""},
		"another case":                       {"__host-dilys=" + good, ""},
		"dots for the prefix":                {"..Host-dilys=" + good, ""},
		"a character short":                  {"__Host-dilys=" + good[:42], ""},
		"a character long":                   {"__Host-dilys=" + good + "A", ""},
		"a character that is not of the set": {"__Host-dilys=" + good[:42] + "+", ""},
		"bits beyond the 256th":              {"__Host-dilys=" + good[:42] + "B", ""},
		"a megabyte":                         {"__Host-dilys=" + strings.Repeat("A", 1<<20), ""},
		"empty":                              {"__Host-dilys=", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", row.header)
		got := cookies{}.secret(r, sessionCookie).Reveal()
		if got != row.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestCookieAttributes(t *testing.T) {
	w := httptest.NewRecorder()
	cookies{}.set(w, sessionCookie, "v", 0)
	cookies{}.set(w, browserCookie, "v", browserCookieLife)
	cookies{}.clear(w, sessionCookie)
	cookies{plainHTTP: true}.set(w, sessionCookie, "v", 0)
	want := []string{
		"__Host-dilys=v; Path=/; HttpOnly; Secure; SameSite=Lax",
		"__Host-dilys-browser=v; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Lax",
		"__Host-dilys=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"dilys=v; Path=/; HttpOnly; SameSite=Lax",
	}
	for i, got := range w.Header()["Set-Cookie"] {
		if got != want[i] {
			t.Errorf("wanted %s, got %s", want[i], got)
		}
	}
}

func TestTrustedProxies(t *testing.T) {
	proxies := trustedProxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for peer, want := range map[string]bool{
		"10.1.2.3:4000": true, "[::ffff:10.1.2.3]:4000": true, "[fd00::1]:4000": true,
		"11.0.0.1:4000": false, "[::1]:4000": false, "@": false, "": false, "10.1.2.3": false,
	} {
		if got := proxies.believes(&http.Request{RemoteAddr: peer}); got != want {
			t.Errorf("%s: got %v", peer, got)
		}
	}
	if trustedProxies(nil).believes(&http.Request{RemoteAddr: "127.0.0.1:1"}) {
		t.Error("no proxies are configured, and one was believed")
	}
}

func TestDescribeDevice(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36":                   "Chrome, Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari, iPhone",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":           "Edge, Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 nhsapp-ios/2.40.0":         "NHS App, iPhone",
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0":                                                          "Firefox, Linux",
		"curl/8.5.0": "",
		"<script>alert(1)</script>" + strings.Repeat("x", 1<<16): "",
	} {
		if got := describeDevice(agent); got != want {
			t.Errorf("%.40s: got %q", agent, got)
		}
	}
	if inNHSApp("Mozilla/5.0 nhsapp/1") || !inNHSApp("Mozilla/5.0 nhsapp-android/1.0") {
		t.Error("the NHS App's web view is not told apart")
	}
}
