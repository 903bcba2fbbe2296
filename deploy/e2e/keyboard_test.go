package e2e

import (
	"maps"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestKeyboardAlone is sign-up, log-in by password and texted code, and a forgotten
// password, with nothing but the keys Tab, arrows, Space and Enter, and what is typed
// (WCAG 2.1.1). Where the focus is shows at each stop (2.4.7), and no page keeps it
// (2.1.2).
func TestKeyboardAlone(t *testing.T) {
	module(t, "axe-core/axe.min.js")
	w, browser := startWorld(t), chromium(t) // its own: the clock is turned on
	for _, a := range applicants {
		t.Run(a.lang, func(t *testing.T) {
			b := newTab(t, browser, w, desktop)
			b.keyboard = true
			b.speak(a.lang)
			b.signsUp(a)
			b.comesBack(a)
		})
	}
}

// stop is where the focus came to.
type stop struct {
	There bool   `json:"there"` // it is what was looked for
	Name  string `json:"name"`
	Value string `json:"value"`
	Kind  string `json:"kind"` // of an input
	What  string `json:"what"` // for a message of failure
	Shown bool   `json:"shown"`
	All   int    `json:"all"` // how many the page has
}

// tabsOn presses Tab, and returns where the focus is then. It fails where that can't be
// seen.
func (b *tab) tabsOn(wanted string) stop {
	b.t.Helper()
	b.key(kb.Tab)
	at := evaluate[stop](b, `(() => { const e = document.activeElement, s = getComputedStyle(e), near = e.nextElementSibling;
		const drawn = (s) => s.outlineStyle !== "none" || s.boxShadow !== "none";
		const shown = drawn(s) || s.textDecorationLine !== "none" || near !== null && (drawn(getComputedStyle(near, "::before")) || drawn(getComputedStyle(near)));
		return {there: `+wanted+`, name: e.name ?? "", value: e.value ?? "", kind: e.type ?? "", what: e.outerHTML.slice(0, 120),
			shown: e === document.body || e.matches(":focus-visible") && shown,
			all: document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]").length} })()`)
	if !at.Shown {
		b.t.Errorf("nothing shows that this has the focus: %s\nat %s", at.What, b.where())
	}
	return at
}

// tabsTo presses Tab until the expression is true of e, which has the focus, or fails
// when it has gone round.
func (b *tab) tabsTo(wanted string) {
	b.t.Helper()
	b.awaits(`document.readyState === "complete"`, "a whole page")
	for n := 0; ; n++ {
		at := b.tabsOn(wanted)
		if at.There {
			return
		}
		if n > at.All+1 {
			b.t.Fatalf("the Tab key never came to where %s\nat %s", wanted, b.where())
		}
	}
}

// types fills the form in, field by field as Tab comes to them, and presses its button.
func (b *tab) types(fields map[string]string) {
	b.t.Helper()
	b.awaits(`document.readyState === "complete"`, "a whole page")
	left := maps.Clone(fields)
	for n := 0; len(left) > 0; n++ {
		at := b.tabsOn("false")
		if n > at.All+1 {
			b.t.Fatalf("the Tab key never came to the fields %v\nat %s", left, b.where())
		}
		value, wanted := left[at.Name]
		if !wanted || at.Kind == "checkbox" && at.Value != value {
			continue
		}
		delete(left, at.Name)
		switch at.Kind {
		case "radio":
			b.chooses(at.Name, value)
		case "checkbox":
			b.key(" ")
		default:
			b.key(value)
		}
	}
	b.presses(send)
}

// chooses goes through a group of radio buttons whose first has the focus.
func (b *tab) chooses(name, value string) {
	b.t.Helper()
	b.key(" ")
	chosen := `document.querySelector('main [name="` + name + `"]:checked')?.value`
	for range evaluate[int](b, `document.querySelectorAll('main [name="`+name+`"]').length`) {
		if evaluate[string](b, chosen+` ?? ""`) == value {
			return
		}
		b.key(kb.ArrowDown)
	}
	b.t.Fatalf("the arrow keys never came to %s\nat %s", value, b.where())
}
