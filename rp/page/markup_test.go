package page_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/page/pagetest"
)

// fixtures are the rendered examples that nhsuk-frontend ships of every component.
const fixtures = "node_modules/nhsuk-frontend/dist/nhsuk/components/*/fixtures.json"

// ours are the components that pages use.
var ours = []string{
	"back-link", "button", "card", "checkboxes", "date-input", "details", "error-message", "error-summary", "fieldset", "footer", "form-group",
	"header", "hint", "input", "input-wrapper", "inset-text", "label", "label-wrapper", "notification-banner", "password-input", "radios",
	"skip-link", "summary-list", "tag",
}

// homeLink lies around the organisation's name in the examples. Ours stands free:
// there is no page to go home to.
const homeLink = "nhsuk-header__service-logo"

// shape tells what the style and script of a component hang on: the element, its
// classes, the attributes that give it a role, and which element of the component
// it lies in.
func shape(e *element) string {
	mine := blockClasses(e)
	if len(mine) == 0 {
		return ""
	}
	in := ""
	for p := e.parent; p != nil && in == ""; p = p.parent {
		around := blockClasses(p)
		if len(around) > 0 && around[0] != homeLink && block(around[0]) == block(mine[0]) {
			in = around[0]
		}
	}
	return strings.Join([]string{e.name, strings.Join(mine, "."), e.attrs["role"], e.attrs["data-module"], in}, " ")
}

func blockClasses(e *element) []string {
	classes := slices.DeleteFunc(strings.Fields(e.attrs["class"]), func(c string) bool { return !slices.Contains(ours, block(c)) })
	slices.Sort(classes)
	return classes
}

// block returns the component of a class: button of nhsuk-button--login.
func block(class string) string {
	name, ok := strings.CutPrefix(class, "nhsuk-")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "__")
	name, _, _ = strings.Cut(name, "--")
	return name
}

// TestMarkupIsThatOfNHSUKFrontend compares every element of a component on our
// pages with the examples of the version that is locked, so that an upgrade which
// changes markup is seen.
func TestMarkupIsThatOfNHSUKFrontend(t *testing.T) {
	known := map[string]bool{}
	files, err := filepath.Glob(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("nhsuk-frontend is not there: run npm ci in rp/page")
		}
		t.Skip("nhsuk-frontend is not there: run npm ci in rp/page")
	}
	for _, name := range files {
		for _, html := range examples(t, name) {
			for _, e := range parse(t, []byte(html)).find(func(*element) bool { return true }) {
				known[shape(e)] = true
			}
		}
	}
	p, seen := newPages(t), map[string]bool{}
	for _, s := range pagetest.Samples(page.English) {
		doc, err := p.Render(s.Frame, s.Content)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range parse(t, doc).find(func(*element) bool { return true }) {
			for _, c := range blockClasses(e) {
				seen[block(c)] = true
			}
			if got := shape(e); got != "" && !known[got] {
				t.Errorf("%s: no example has %q", s.Name, got)
			}
		}
	}
	for _, name := range ours {
		if !seen[name] {
			t.Errorf("no page uses %s", name)
		}
	}
}

func examples(t *testing.T, name string) []string {
	t.Helper()
	var file struct {
		Fixtures []struct{ HTML string }
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var all []string
	for _, f := range file.Fixtures {
		if parsable(f.HTML) {
			all = append(all, f.HTML)
		}
	}
	return all
}

// parsable reports whether our small parser reads an example: not one with markup
// of other components that leaves elements open.
func parsable(html string) bool { return !strings.Contains(html, "<script") }

// TestEveryClassHasAStyle finds a class outside of those components that is
// misspelt, or gone after an upgrade.
func TestEveryClassHasAStyle(t *testing.T) {
	if !page.RealAssets() {
		if os.Getenv("CI") != "" {
			t.Fatal("nhsuk-frontend is not there: run npm ci in rp/page")
		}
		t.Skip("nhsuk-frontend is not there: run npm ci in rp/page")
	}
	p := newPages(t)
	var styles string
	for _, name := range []string{"nhsuk.css", "dilys.css"} {
		content, _, _, ok := p.Asset("/assets/any/" + name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		styles += string(content)
	}
	for _, s := range pagetest.Samples(page.Welsh) {
		doc, err := p.Render(s.Frame, s.Content)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range parse(t, doc).find(func(*element) bool { return true }) {
			for _, c := range strings.Fields(e.attrs["class"]) {
				hook := strings.HasPrefix(c, "nhsuk-js-") // what the script of a component finds its parts by
				if !hook && !slices.Contains(ours, block(c)) && !strings.Contains(styles, "."+c) {
					t.Errorf("%s: .%s is styled nowhere", s.Name, c)
				}
			}
		}
	}
}
