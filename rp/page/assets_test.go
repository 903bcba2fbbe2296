package page

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// wantRealAssets skips on a clone without Node, and fails where tests must be whole.
func wantRealAssets(t *testing.T) {
	t.Helper()
	switch {
	case RealAssets():
	case os.Getenv("CI") != "":
		t.Fatal("nhsuk-frontend is not there: run npm ci in rp/page")
	default:
		t.Skip("nhsuk-frontend is not there: run npm ci in rp/page")
	}
}

func dist(files ...string) fstest.MapFS {
	m := fstest.MapFS{"dist/.gitignore": {Data: []byte("*")}}
	for _, name := range files {
		m["dist/"+name] = &fstest.MapFile{Data: []byte("/* " + name + " */")}
	}
	return m
}

func TestWithoutTheRealStyleABuiltInOneIsServed(t *testing.T) {
	for name, row := range map[string]struct {
		files []string
		real  bool
	}{
		"an empty folder":  {nil, false},
		"a style alone":    {[]string{"nhsuk.css"}, false},
		"a script alone":   {[]string{"nhsuk.js"}, false},
		"style and script": {[]string{"nhsuk.css", "nhsuk.js", "images/a.svg"}, true},
	} {
		a := newAssets(dist(row.files...), staticFiles)
		a.seal()
		style, kind, immutable, ok := a.find(a.url("nhsuk.css"))
		if a.real != row.real || !ok || !immutable || kind != "text/css; charset=utf-8" {
			t.Errorf("%s: real: %v, %q %v %v", name, a.real, kind, immutable, ok)
		}
		if builtin := bytes.Contains(style, []byte(".nhsuk-button")); builtin == row.real {
			t.Errorf("%s: built-in style: %v", name, builtin)
		}
		if _, _, _, ok := a.find(a.url("images/a.svg")); ok != row.real {
			t.Errorf("%s: icon: %v", name, ok)
		}
	}
}

func TestFind(t *testing.T) {
	a := newAssets(dist("nhsuk.css", "nhsuk.js"), staticFiles)
	a.seal()
	if _, _, immutable, ok := a.find("/assets/00000000/dilys.css"); !ok || immutable {
		t.Error("a replica of another version gets no style, or keeps ours for its own")
	}
	for name, path := range map[string]string{
		"no such file":            a.url("nothing.css"),
		"no name":                 a.url(""),
		"no stamp":                "/assets/dilys.css",
		"a parent folder":         a.url("../text/login.txt"),
		"a file that is no asset": a.url(".gitignore"),
		"the built-in style":      a.url("builtin.css"),
		"another root":            "/" + a.stamp + "/dilys.css",
		"the root":                "/assets/",
		"nothing":                 "",
	} {
		if _, _, _, ok := a.find(path); ok {
			t.Errorf("%s: %s was found", name, path)
		}
	}
}

func TestTheStampChangesWithAnyByte(t *testing.T) {
	stamp := func(spoil func(map[string][]byte)) string {
		a := newAssets(dist(), staticFiles)
		spoil(a.files)
		a.seal()
		return a.stamp
	}
	same := stamp(func(map[string][]byte) {})
	for name, spoil := range map[string]func(map[string][]byte){
		"a byte more":      func(f map[string][]byte) { f["dilys.css"] = append(bytes.Clone(f["dilys.css"]), ' ') },
		"a file more":      func(f map[string][]byte) { f["logo.svg"] = nil },
		"a file less":      func(f map[string][]byte) { delete(f, "icon.svg") },
		"two files turned": func(f map[string][]byte) { f["dilys.css"], f["dilys.js"] = f["dilys.js"], f["dilys.css"] },
	} {
		if stamp(spoil) == same {
			t.Errorf("%s: the stamp stayed", name)
		}
	}
	if stamp(func(map[string][]byte) {}) != same || len(same) != 8 {
		t.Error("the same bytes have two stamps")
	}
}

// A browser that shows our pages asks no other host for anything, and no asset
// carries what the Content-Security-Policy would refuse.
func TestAssetsAskNobodyElse(t *testing.T) {
	outside := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9-]+\.[a-z]|@import|@font-face|data:|sourceMappingURL|\beval\(|new Function`)
	a := newAssets(distFiles, staticFiles)
	for name, content := range a.files {
		content = bytes.ReplaceAll(content, []byte("http://www.w3.org/2000/svg"), nil)
		for _, m := range outside.FindAll(content, 3) {
			t.Errorf("%s: %s", name, m)
		}
	}
}

func TestEveryIconOfTheStyleIsThere(t *testing.T) {
	wantRealAssets(t)
	a := newAssets(distFiles, staticFiles)
	icons := regexp.MustCompile(`url\(([^)]*)\)`).FindAllSubmatch(a.files["nhsuk.css"], -1)
	if len(icons) == 0 {
		t.Error("the style names no icon")
	}
	for _, m := range icons {
		if a.files[string(m[1])] == nil {
			t.Errorf("no %s", m[1])
		}
	}
}

func TestTheLockFileNamesNoHost(t *testing.T) {
	b, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if lock := string(b); strings.Contains(lock, "://") || strings.Contains(lock, `"resolved"`) || !strings.Contains(lock, `"integrity": "sha512-`) {
		t.Error("wanted digests and no address")
	}
}
