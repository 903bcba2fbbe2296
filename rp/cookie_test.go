package rp

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
)

func TestCookieNames(t *testing.T) {
	for base, want := range map[string]string{sessionCookie: "__Host-dilys", browserCookie: "__Host-dilys-browser", languageCookie: "__Host-dilys-lang"} {
		if got := (cookies{}).name(base); got != want {
			t.Errorf("wanted %s, got %s", want, got)
		}
		if got := (cookies{plainHTTP: true}).name(base); got != base {
			t.Errorf("plain http: wanted %s, got %s", base, got)
		}
	}
}

// Cookies in several headers are one jar, and two of a name are still two.
func TestCookiesInSeveralHeaders(t *testing.T) {
	good := identity.NewToken()
	for name, row := range map[string]struct {
		headers []string
		want    identity.Secret
	}{
		"ours in the second":          {[]string{"a=b", "__Host-dilys=" + good.Reveal()}, good},
		"ours in each":                {[]string{"__Host-dilys=" + good.Reveal(), "__Host-dilys=" + good.Reveal()}, ""},
		"another of ours in each":     {[]string{"__Host-dilys=" + good.Reveal(), "__Host-dilys=" + identity.NewToken().Reveal()}, ""},
		"the other cookies of ours":   {[]string{"__Host-dilys-browser=" + good.Reveal(), "__Host-dilys-lang=cy"}, ""},
		"one that was planted, empty": {[]string{"__Host-dilys=; __Host-dilys=" + good.Reveal()}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = row.headers
		if got := (cookies{}).secret(r, sessionCookie); got != row.want {
			t.Errorf("%s: got another", name)
		}
	}
}

// Whatever a browser sends, what comes out is one token of ours that stood there
// once, and a second one beside it takes it away.
func FuzzCookie(f *testing.F) {
	good := strings.Repeat("A", 43)
	for _, seed := range []string{
		"__Host-dilys=" + good, "a=b; __Host-dilys=" + good + "; c=d", "__Host-dilys=" + good + "; __Host-dilys=" + good, "=__Host-dilys=" + good,
		"dilys=" + good, "__host-dilys=" + good, "__Host-dilys=\"" + good + "\"", "__Host-dilys =" + good, "__Host-dilys= " + good, "__Host-dilys=" + good + "=",
		"__Host-dilys=" + good + "\x00", "__Host-dilys", "", ";;;", "__Host-dilys=" + good + ",__Host-dilys=" + good, "\r\n__Host-dilys=" + good, "__Host-dilys-browser=" + good,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{header}
		got := (cookies{}).secret(r, sessionCookie)
		if got == "" {
			return
		}
		if !got.IsToken() {
			t.Fatalf("%q gave what is no token of ours", header)
		}
		if strings.Count(header, got.Reveal()) < 1 || !strings.Contains(header, "__Host-dilys") {
			t.Fatalf("%q gave what does not stand there", header)
		}
		for _, planted := range []string{header + "; __Host-dilys=" + good, "__Host-dilys=" + good + "; " + header} {
			r.Header["Cookie"] = []string{planted}
			if again := (cookies{}).secret(r, sessionCookie); again != "" {
				t.Fatalf("%q: one of two was believed", planted)
			}
		}
	})
}
