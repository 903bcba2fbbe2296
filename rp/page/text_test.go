package page

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func readAll(t *testing.T) map[string]catalogue {
	t.Helper()
	all, err := readCatalogues(textFiles)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCataloguesHaveTheSameKeysHolesAndLinks(t *testing.T) {
	all := readAll(t)
	if len(all[English]) < 100 || len(all[English]) != len(all[Welsh]) {
		t.Fatalf("%d texts in English, %d in Welsh", len(all[English]), len(all[Welsh]))
	}
	for key, en := range all[English] {
		if cy, found := all[Welsh][key]; !found || !slices.Equal(en.shape(), cy.shape()) {
			t.Errorf("%s: %v and %v", key, en.shape(), cy.shape())
		}
	}
}

// Words that are the same in both languages, so that any other text which is
// the same was forgotten.
var sameInBoth = []string{"help.title", "frame.help", "frame.title"}

func TestWelshIsWelsh(t *testing.T) {
	all := readAll(t)
	bare := func(t text) string {
		var b strings.Builder
		for _, p := range t {
			b.WriteString(p.value)
		}
		return b.String()
	}
	for key, cy := range all[Welsh] {
		if bare(cy) == bare(all[English][key]) && !slices.Contains(sameInBoth, key) {
			t.Errorf("%s is the same in both languages", key)
		}
		if strings.Contains(bare(cy), "NHS") && strings.Contains(bare(cy), "GIG") && !strings.Contains(bare(cy), "NHS login") {
			t.Errorf("%s calls the NHS by two names", key)
		}
		if regexp.MustCompile(`\b(ti|dy|wyt)\b`).MatchString(bare(cy)) {
			t.Errorf("%s is not formal", key)
		}
	}
}

func TestPlainWords(t *testing.T) {
	for lang, words := range readAll(t) {
		for key, pieces := range words {
			for _, p := range pieces {
				for _, word := range []string{"sign in", "Sign in", "Login to", "click", "please", "Please", "'", " - "} {
					if strings.Contains(p.value, word) {
						t.Errorf("%s %s: %q", lang, key, word)
					}
				}
			}
		}
	}
}

func TestEveryTextIsUsed(t *testing.T) {
	used := chosenTexts()
	zone := time.UTC
	v, err := newVoice(English, readAll(t)[English], zone, func(name string) string { return name })
	if err != nil {
		t.Fatal(err)
	}
	for _, tmpl := range v.templates.Templates() {
		if tmpl.Tree != nil {
			used = append(used, askedTexts(tmpl.Tree.Root)...)
		}
	}
	used = append(used, "month.names")
	for key := range v.words {
		if !slices.Contains(used, key) {
			t.Errorf("%s is on no page", key)
		}
	}
}

func TestATemplateThatAsksForNoTextIsRefused(t *testing.T) {
	words := readAll(t)[Welsh]
	for _, key := range []string{"login.helping", "refusal.acting.why", "reason.passkey", "lasts.day.two", "refusal.return", "session.over"} {
		kept := words[key]
		delete(words, key)
		if _, err := newVoice(Welsh, words, time.UTC, func(name string) string { return name }); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("without %s: got %v", key, err)
		}
		words[key] = kept
	}
}

func TestReadCataloguesRefuses(t *testing.T) {
	for name, content := range map[string]string{
		"a missing language":       "a\nen: x",
		"the languages turned":     "a\ncy: x\nen: x",
		"a key that stands twice":  "a\nen: x\ncy: y\n\na\nen: x\ncy: y",
		"a hole in one language":   "a\nen: {x}\ncy: y",
		"another hole":             "a\nen: {x}\ncy: {y}",
		"a link in one language":   "a\nen: [x](/y)\ncy: x",
		"another link":             "a\nen: [x](/y)\ncy: [x](/z)",
		"a brace left open":        "a\nen: {x\ncy: {x",
		"a link without address":   "a\nen: [x]\ncy: [x]",
		"markup":                   "a\nen: <b>x</b>\ncy: <b>x</b>",
		"a blank line too few":     "a\nen: x\ncy: y\nb\nen: x\ncy: y",
		"a line without language":  "a\nx\ny",
		"a hole with strange name": "a\nen: {X y}\ncy: {X y}",
	} {
		if _, err := readCatalogues(fstest.MapFS{"text/a.txt": {Data: []byte(content)}}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := readCatalogues(fstest.MapFS{}); err == nil {
		t.Error("no files were accepted")
	}
}

func TestTextEscapesWhatFillsIt(t *testing.T) {
	pieces, err := parseText(`a {x} [b](/c?d=1&e=2).`)
	if err != nil {
		t.Fatal(err)
	}
	fill := map[string]string{"x": `<i>"&[q](javascript:1){y}`}
	got, err := pieces.html(fill)
	if want := `a &lt;i&gt;&#34;&amp;[q](javascript:1){y} <a href="/c?d=1&amp;e=2">b</a>.`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := pieces.plain(fill); err != nil || got != `a <i>"&[q](javascript:1){y} b.` {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := pieces.html(nil); err == nil {
		t.Error("an empty hole was passed over")
	}
	if _, err := pieces.plain(nil); err == nil {
		t.Error("an empty hole was passed over")
	}
}

func FuzzParseText(f *testing.F) {
	for _, seed := range []string{"", "plain", "{a} and {b}", "[a](/b)", "[{a}](/b)", "{", "](", "[a](b", "{{a}}", "<a>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pieces, err := parseText(s)
		if err != nil {
			return
		}
		fill := map[string]string{}
		for _, p := range pieces {
			if p.kind == hole {
				fill[p.value] = `<b>"`
			}
		}
		out, err := pieces.html(fill)
		if err != nil || strings.Contains(string(out), "<b>") {
			t.Errorf("%q became %q, %v", s, out, err)
		}
	})
}

func TestSeedsOfFuzzTargetsAreInTheSource(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if targets := strings.Count(string(b), "\nfunc Fuzz"); targets > strings.Count(string(b), "\t\tf.Add(") {
			t.Errorf("%s: %d targets, and not a seed for each", name, targets)
		}
	}
}
