package portal

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
)

// publicFront is a host whose front is public and whose letters are not.
func publicFront(t testing.TB) *host {
	t.Helper()
	strong := vectors("P9.Cp.Cd", "P9.Cm")
	hosts, err := (&Gateway{Hosts: []Host{{Host: "login.example.org", Rules: []Rule{
		{Path: "/", Public: true},
		{Path: "/letters/", Trust: strong},
		{Path: "/letters/help/", Public: true},
		{Path: "/form", Methods: []string{"POST"}, Trust: strong},
	}}}}).compile()
	if err != nil {
		t.Fatal(err)
	}
	return hosts["login.example.org"]
}

// verdictOf is what becomes of a request without a session.
func verdictOf(h *host, method, target string) string {
	d, ok := h.demandOf(method, target)
	switch {
	case !ok:
		return "refused"
	case d.public():
		return "public"
	}
	return "private"
}

// Row A4: no spelling of a private path is public.
func TestA4PathCorpus(t *testing.T) {
	h := publicFront(t)
	for target, want := range map[string]string{
		"/":                                    "public",
		"/index.html":                          "public",
		"/?to=/letters/1":                      "public",
		"/lettersandmore":                      "public",
		"/.well-known/security.txt":            "public",
		"/a.b/c-d_e~f/":                        "public",
		"/css/main.css?v=%zz":                  "public",
		"/letters":                             "private",
		"/letters/":                            "private",
		"/letters?x=1":                         "private",
		"/letters/1":                           "private",
		"/letters/1?/help/":                    "private",
		"/letters/help":                        "public",
		"/letters/help/1":                      "public",
		"/letters/helpless":                    "private",
		"/letters/help/../1":                   "private",
		"/letters/help/..":                     "private",
		"/letters/help/%2e%2e/1":               "private",
		"/letters/help/%2E%2E/1":               "private",
		"/letters/help/.%2e/1":                 "private",
		"/letters/help/%252e%252e/1":           "private",
		"/letters/help/%25252e%25252e/1":       "private",
		"/letters/help/..%2f1":                 "private",
		"/letters/help%2f..%2f1":               "private",
		"/letters/help/..%5c1":                 "private",
		`/letters/help/..\1`:                   "private",
		"/letters/help/..;/1":                  "private",
		"/letters/help/..;a=b/1":               "private",
		"/letters/help/..%3b/1":                "private",
		"/letters/help/%2e%2e%3ba/1":           "private",
		"/letters/help;/../1":                  "private",
		"/letters;/help/1":                     "public",
		"/letters/help//../1":                  "private",
		"/letters//help/1":                     "private",
		"/letters/./help/1":                    "private",
		"/letters/help/.. /1":                  "refused",
		"/letters/help/..%20/1":                "private",
		"/letters/help%3f/1":                   "private",
		"/letters%3f/help/":                    "private",
		"/letters%23/help/":                    "private",
		"//letters/1":                          "private",
		"///letters/1":                         "private",
		"/./letters/1":                         "private",
		"/x/../letters/1":                      "private",
		"/x/..;/letters/1":                     "private",
		"/x/%2e%2e/letters/1":                  "private",
		"/../letters/1":                        "private",
		"/%6cetters/1":                         "private",
		"/%6Cetters/1":                         "private",
		"/%256cetters/1":                       "private",
		"/letters%2f1":                         "private",
		"/letters%252f1":                       "private",
		"/letters%5c1":                         "private",
		`/letters\1`:                           "private",
		"/letters;jsessionid=1":                "private",
		"/letters;/1":                          "private",
		"/;/letters/1":                         "private",
		"/;x/letters/1":                        "private",
		"/LETTERS/1":                           "private",
		"/Letters/1":                           "private",
		"/letters./1":                          "private",
		"/letters%20/1":                        "private",
		"/letters%00":                          "refused",
		"/letters%00.css":                      "refused",
		"/letters%2500":                        "refused",
		"/x%0d%0aletters":                      "refused",
		"/x%7f":                                "refused",
		"/%c0%afletters/1":                     "refused",
		"/%ff":                                 "refused",
		"/x#/letters":                          "refused",
		"/%":                                   "refused",
		"/%2":                                  "refused",
		"/%zz":                                 "refused",
		"/caf\u00e9":                           "refused",
		"/caf%C3%A9":                           "public",
		"/100%25":                              "public",
		"/tab\tletters":                        "refused",
		"":                                     "refused",
		"letters/1":                            "refused",
		"*":                                    "refused",
		"http://login.example.org/letters":     "refused",
		"?x":                                   "refused",
		"/" + strings.Repeat("a", maxTarget):   "refused",
		"/%" + strings.Repeat("25", 70) + "41": "refused",
	} {
		if got := verdictOf(h, http.MethodGet, target); got != want {
			t.Errorf("%.60q: wanted %s, got %s", target, want, got)
		}
	}
}

// Row A5: no method is a way round.
func TestA5Methods(t *testing.T) {
	h := publicFront(t)
	for _, row := range []struct{ method, target, want string }{
		{"GET", "/form", "public"},
		{"POST", "/form", "private"},
		{"post", "/form", "private"},
		{"", "/form", "private"},
		{"HEAD", "/letters/1", "private"},
		{"OPTIONS", "/letters/1", "private"},
		{"TRACE", "/letters/1", "private"},
		{"MADE-UP", "/letters/1", "private"},
		{"", "/letters/1", "private"},
		{"", "/", "public"},
	} {
		if got := verdictOf(h, row.method, row.target); got != row.want {
			t.Errorf("%s %s: wanted %s, got %s", row.method, row.target, row.want, got)
		}
	}
	hosts, err := (&Gateway{Hosts: []Host{{Host: "h", Rules: []Rule{
		{Path: "/", Public: true}, {Path: "/x", Methods: []string{"GET"}, Trust: vectors("P9.Cm")},
	}}}}).compile()
	if err != nil {
		t.Fatal(err)
	}
	if got := verdictOf(hosts["h"], "HEAD", "/x"); got != "private" {
		t.Errorf("HEAD of what GET protects: got %s", got)
	}
}

func TestAPathThatNoRuleCoversIsRefused(t *testing.T) {
	hosts, err := (&Gateway{Hosts: []Host{{Host: "h", Rules: []Rule{{Path: "/a/", Public: true}}}}}).compile()
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{"/a": "public", "/b": "refused", "/": "refused", "/a/..": "refused", "/a/..;/b": "refused"} {
		if got := verdictOf(hosts["h"], "GET", target); got != want {
			t.Errorf("%s: wanted %s, got %s", target, want, got)
		}
	}
}

func TestGatewayFaults(t *testing.T) {
	for name, g := range map[string]Gateway{
		"no name":            {Hosts: []Host{{}}},
		"one name twice":     {Hosts: []Host{{Host: "a"}, {Host: "A"}}},
		"a relative path":    {Hosts: []Host{{Host: "a", Rules: []Rule{{Path: "x", Public: true}}}}},
		"a path of two ways": {Hosts: []Host{{Host: "a", Rules: []Rule{{Path: "/x/../y", Public: true}}}}},
		"an encoded path":    {Hosts: []Host{{Host: "a", Rules: []Rule{{Path: "/%78", Public: true}}}}},
		"nothing asked":      {Hosts: []Host{{Host: "a", Rules: []Rule{{Path: "/"}}}}},
		"public with trust":  {Hosts: []Host{{Host: "a", Rules: []Rule{{Path: "/", Public: true, Trust: vectors("P9.Cm")}}}}},
	} {
		if _, err := g.compile(); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

// The readers below are how servers of several kinds find the path that they
// serve. They share nothing with the code under test.
var readers = map[string]func(string) string{
	"as it is":      func(p string) string { return p },
	"Go's mux":      func(p string) string { return path.Clean("/" + decoded(p)) },
	"raw and clean": func(p string) string { return path.Clean("/" + p) },
	"decodes twice": func(p string) string { return path.Clean("/" + decoded(decoded(p))) },
	"a servlet container": func(p string) string {
		parts := strings.Split(p, "/")
		for i := range parts {
			parts[i], _, _ = strings.Cut(parts[i], ";")
		}
		return path.Clean("/" + decoded(strings.Join(parts, "/")))
	},
	"decodes, then cuts parameters": func(p string) string {
		parts := strings.Split(decoded(p), "/")
		for i := range parts {
			parts[i], _, _ = strings.Cut(parts[i], ";")
		}
		return path.Clean("/" + strings.Join(parts, "/"))
	},
	"Windows": func(p string) string {
		return strings.ToLower(path.Clean("/" + strings.ReplaceAll(decoded(p), `\`, "/")))
	},
	"RFC 3986": func(p string) string {
		base := url.URL{Path: "/"}
		return base.ResolveReference(&url.URL{Path: decoded(p)}).Path
	},
	"decodes, then cuts the query": func(p string) string {
		cut, _, _ := strings.Cut(decoded(p), "?")
		return path.Clean("/" + cut)
	},
}

func decoded(p string) string {
	d, err := url.PathUnescape(p)
	if err != nil {
		return p
	}
	return d
}

// FuzzCheckPath: a path that any server would take for a private one is never
// judged public.
func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/letters/1", "/x/../letters/1", "/x/..;/letters", "/%6cetters", "/%256cetters", `/x\..\letters`, "//letters", "/letters%00",
		"/letters/help/..%2f1", "/letters;/1", "/x/%2e%2e%3b/letters", "/LETTERS", "/letters/help/%25%32%65.", "/letters%3f/help", "/a/b//../../letters",
	} {
		f.Add("GET", seed)
	}
	h := publicFront(f)
	private := func(p string) bool {
		under := func(dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
		return under("/letters") && !under("/letters/help")
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		if verdictOf(h, method, target) != "public" {
			return
		}
		written, _, _ := strings.Cut(target, "?")
		for name, read := range readers {
			if p := read(written); private(p) {
				t.Fatalf("%q is public, and %s serves %q", target, name, p)
			}
		}
	})
}
