package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/page/pagetest"
)

// sampleServer shows every sample page as the service would: with the headers that
// the running service sends, its content security policy among them.
func sampleServer(t *testing.T) *httptest.Server {
	t.Helper()
	like, err := http.Get(sharedWorld(t).dilys() + "/help")
	if err != nil {
		t.Fatal(err)
	}
	_ = like.Body.Close()
	if like.StatusCode != http.StatusOK || !strings.Contains(like.Header.Get("Content-Security-Policy"), "script-src 'self'") {
		t.Fatalf("help: wanted a page with its policy, got %d %v", like.StatusCode, like.Header)
	}
	pages, err := page.New(pagetest.Options())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Content-Security-Policy", "Content-Type", "Referrer-Policy", "X-Content-Type-Options"} {
			w.Header().Set(name, like.Header.Get(name))
		}
		if content, kind, _, ok := pages.Asset(r.URL.Path); ok {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(content)
			return
		}
		writeSample(w, pages, strings.TrimPrefix(r.URL.Path, "/"))
	}))
	t.Cleanup(s.Close)
	return s
}

// writeSample writes the page named LANG/NAME.
func writeSample(w http.ResponseWriter, pages *page.Pages, name string) {
	lang, name, _ := strings.Cut(name, "/")
	for _, s := range pagetest.Samples(lang) {
		if s.Name != name {
			continue
		}
		body, err := pages.Render(s.Frame, s.Content)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body)
		return
	}
	http.Error(w, "no such sample", http.StatusNotFound)
}

// TestEveryPage looks at each page that patients can meet, in each of its states:
// no fault that axe knows, nothing beyond the edge of a narrow window, and the
// accessibility tree that was reviewed.
func TestEveryPage(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	browser := chromium(t)
	server := sampleServer(t)
	for _, lang := range []string{page.English, page.Welsh} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			var names []string
			b := newTab(t, browser, nil, desktop)
			for _, s := range pagetest.Samples(lang) {
				names = append(names, s.Name)
				t.Run(s.Name, func(t *testing.T) { lookAt(t, b, server.URL, lang, s.Name) })
			}
			noOthers(t, filepath.Join("testdata", "ax", lang), names)
		})
	}
}

func lookAt(t *testing.T, b *tab, base, lang, name string) {
	outer := b.t
	b.t = t
	defer func() { b.checkConsole(); b.t = outer }()
	b.resize(desktop)
	b.open(base + "/" + lang + "/" + name)
	b.awaits(`document.readyState === "complete" && document.querySelector("h1")`, "a page with a heading")
	b.checkAccessible("on a desktop")
	b.checkReflow("on a desktop")
	checkGolden(t, filepath.Join("testdata", "ax", lang, name+".txt"), b.tree())
	b.picture("pages", b.size.name, lang, name)
	b.resize(phone)
	b.picture("pages", b.size.name, lang, name)
	b.resize(narrow)
	b.checkAccessible("at 320 pixels")
	b.checkReflow("at 320 pixels")
}

// checkGolden compares with a reviewed file, or rewrites it.
func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s: review what changed, then run with -update (-want +got):\n%s", file, diff)
	}
}

// noOthers fails on a golden file whose page is no more.
func noOthers(t *testing.T, dir string, names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".txt"); !slices.Contains(names, name) {
			t.Errorf("%s: no page has that name", filepath.Join(dir, e.Name()))
		}
	}
}

// TestJudgesCatch keeps the judges above honest: a page with a fault for each of
// them is found out by each.
func TestJudgesCatch(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "script-src 'self'")
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, `<!DOCTYPE html><html><head><title></title><script>let inline</script></head><body><h1>x</h1>
			<img src="/y"><div style="width:2000px">wide</div></body></html>`)
	}))
	defer server.Close()
	browser := chromium(t)
	for name, found := range map[string]func(*tab, *recorder) bool{
		"axe":     func(b *tab, r *recorder) bool { b.checkAccessible(""); return r.errors > 0 },
		"reflow":  func(b *tab, r *recorder) bool { b.checkReflow(""); return r.errors > 0 },
		"console": func(b *tab, r *recorder) bool { return await(func() bool { b.checkConsole(); return r.errors > 0 }) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newTab(t, browser, nil, desktop)
			r := &recorder{TB: t}
			b.t = r
			b.open(server.URL)
			if !found(b, r) {
				t.Error("the fault was not found")
			}
		})
	}
}

// recorder counts failures instead of failing.
type recorder struct {
	testing.TB
	errors int
}

// Errorf counts.
func (r *recorder) Errorf(string, ...any) { r.errors++ }
