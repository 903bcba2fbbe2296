package rp

import (
	"net/url"
	"strings"
	"testing"
)

// hostileReturns are addresses that must never become a redirect (row I2).
var hostileReturns = []string{
	"", "account", "//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\/evil.example`, `\\evil.example`,
	"https://evil.example", "https:evil.example", "https:/evil.example", "HTTPS://evil.example", "javascript:alert(1)", "data:text/html,x",
	"/\t/evil.example", "/\n/evil.example", "/\r\nLocation: https://evil.example", "/%09//evil.example\t", " /account", "/account ",
	"/%5cevil.example", "/%5Cevil.example", "/%2f/evil.example", "/%2F%2Fevil.example", "/account#fragment", "/account\x00", "/acc\u00f6unt", "/%zz",
	"//user@evil.example/", "/" + strings.Repeat("a", maxReturnTo), "?next=//evil.example", "./account", "/%0d%0aSet-Cookie:x=y", "/%00",
}

func TestI2ReturnTo(t *testing.T) {
	for _, s := range hostileReturns {
		if got, ok := parseReturnTo(s); ok {
			t.Errorf("%q became %q", s, got)
		}
	}
	for s, want := range map[string]string{
		"/account":                        "/account",
		"/":                               "/",
		"/results/?page=2&sort=date":      "/results/?page=2&sort=date",
		"/letters/a%20b":                  "/letters/a%20b",
		"/letters/a%2Fb":                  "/letters/a%2Fb",
		"/account?next=//evil.example":    "/account?next=//evil.example",
		"/account/../..//evil.example":    "/account/../..//evil.example",
		"/search?q=https://evil.example/": "/search?q=https://evil.example/",
	} {
		if got, ok := parseReturnTo(s); !ok || got != want {
			t.Errorf("%q: got %q, %v", s, got, ok)
		}
	}
}

func FuzzReturnTo(f *testing.F) {
	for _, s := range hostileReturns {
		f.Add(s)
	}
	f.Add("/account?x=1")
	base, _ := url.Parse("https://login.example.nhs.uk/login")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseReturnTo(s)
		if !ok {
			return
		}
		to, err := base.Parse(got)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme {
			t.Fatalf("%q leads to %v", s, to)
		}
		if strings.ContainsAny(got, "\r\n\t\\ ") || strings.HasPrefix(got, "//") {
			t.Fatalf("%q came out as %q", s, got)
		}
		if again, ok := parseReturnTo(got); !ok || again != got {
			t.Fatalf("%q is not stable: %q", got, again)
		}
	})
}
