package page

import (
	"net/url"
	"strings"
	"testing"
)

func TestLocal(t *testing.T) {
	for name, row := range map[string]struct{ path, want string }{
		"a page":                     {"/account", "/account"},
		"with a query":               {"/login?request=a&device=own", "/login?device=own&request=a"},
		"nothing":                    {"", "/"},
		"another host":               {"https://evil.example/", "/"},
		"another host, no scheme":    {"//evil.example/", "/"},
		"three slashes":              {"///evil.example/", "/"},
		"a slash and a backslash":    {`/\evil.example`, "/"},
		"an escaped slash":           {"/%2fevil.example", "/"},
		"an escaped backslash":       {"/%5cevil.example", "/"},
		"a script":                   {"javascript:alert(1)", "/"},
		"relative":                   {"account", "/"},
		"a fragment":                 {"/account#x", "/account"},
		"a query alone":              {"?lang=cy", "/"},
		"a line break":               {"/a\r\nSet-Cookie: x", "/"},
		"a line break in the escape": {"/a%0d%0ab", "/a%0D%0Ab"},
		"quotes":                     {`/a"><script>`, "/a%22%3E%3Cscript%3E"},
	} {
		if got := local(row.path); got != row.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestLanguageLinkKeepsTheQuery(t *testing.T) {
	s := scene{Frame: Frame{Lang: English, Path: "/login?request=a%26b&lang=en"}, Site: &site{Options: Options{Languages: spoken}}}
	got := s.Tongues()
	if len(got) != 1 || got[0] != (Tongue{"cy", "Cymraeg", "/login?lang=cy&request=a%26b"}) {
		t.Errorf("got %v", got)
	}
}

func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/", "/account?lang=cy", "//evil.example", `/\evil.example`, "/%2f/x", "https://x@y/", "/a?b=c;d=e#f", "\x00", "/é?ŵ=ŷ"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://login.example.com/here")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := withQuery(local(path), "lang", Welsh)
		u, err := base.Parse(got)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || u.Query().Get("lang") != Welsh {
			t.Errorf("%q leads to %q", path, got)
		}
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t\"'<> ") {
			t.Errorf("%q leads to %q", path, got)
		}
	})
}

func TestATitleBeginsWithItsError(t *testing.T) {
	for lang, want := range map[string]string{English: "<title>Error: What is your name?", Welsh: "<title>Gwall: Beth yw eich enw?"} {
		p, err := New(Options{Organisation: Organisation{Name: Words{English: "Example"}}, Languages: spoken, ServiceHost: "login.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		doc, err := p.Render(Frame{Lang: lang}, Name{Faults: []Fault{{Field: "given_name", Key: "fault.given-name"}}})
		if err != nil || !strings.Contains(string(doc), want) {
			t.Errorf("%s: no %q, %v", lang, want, err)
		}
	}
}

func TestWordsIn(t *testing.T) {
	for name, row := range map[string]struct {
		words Words
		want  string
	}{
		"the language asked for": {Words{"en": "a", "cy": "b"}, "b"},
		"English where missing":  {Words{"en": "a"}, "a"},
		"any where English is":   {Words{"fr": "c"}, "c"},
		"empty is missing":       {Words{"cy": "", "en": "a"}, "a"},
		"none":                   {nil, ""},
	} {
		if got := row.words.In(Welsh); got != row.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
