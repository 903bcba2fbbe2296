package courier

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
)

//go:embed text/*.txt
var textFiles embed.FS

// The languages of messages. both is that of a text to someone whose language is
// not known yet; emails put one above the other.
const (
	english = "en"
	welsh   = "cy"
	both    = "both"
)

// words is every text by key and language, a line each.
type words map[string]map[string][]string

// readWords reads the files, and refuses a text that is missing, stands twice, or
// whose languages have other holes.
func readWords(files fs.FS) (words, error) {
	w := words{}
	names, err := fs.Glob(files, "text/*.txt")
	if err != nil {
		return nil, fmt.Errorf("texts: %w", err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("texts: %w", err)
		}
		for block := range strings.SplitSeq(string(content), "\n\n") {
			if err := w.add(block); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return w, w.complete()
}

// add reads one key and its lines.
func (w words) add(block string) error {
	key := ""
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case key == "":
			if key = line; w[key] != nil {
				return fmt.Errorf("%s: wanted once, got twice", key)
			}
			w[key] = map[string][]string{}
			continue
		}
		lang, text, found := strings.Cut(line, ": ")
		if !found || !slices.Contains([]string{english, welsh, both}, lang) {
			return fmt.Errorf("%s: wanted a line that begins with its language, got %q", key, line)
		}
		if strings.ContainsAny(hole.ReplaceAllString(text, ""), "{}<>[]") {
			return fmt.Errorf("%s: wanted {name} and no other markup, got %q", key, text)
		}
		w[key][lang] = append(w[key][lang], text)
	}
	return nil
}

// complete refuses a kind without its words.
func (w words) complete() error {
	want := map[string][]string{"mail.both": {english, welsh}, "mail.foot": {english, welsh}}
	for _, kind := range outbox.Kinds() {
		if kind.Goes(identity.BySMS) {
			want["sms."+string(kind)] = []string{english, welsh, both}
		}
		if kind.Goes(identity.ByEmail) {
			want["mail."+string(kind)] = []string{english, welsh}
		}
	}
	for key := range w {
		if want[key] == nil {
			return fmt.Errorf("texts: wanted messages of the outbox's kinds, got %s", key)
		}
	}
	for key, langs := range want {
		for _, lang := range langs {
			lines := w[key][lang]
			if len(lines) == 0 || strings.HasPrefix(key, "mail.") && len(lines) < 2 {
				return fmt.Errorf("texts: wanted %s in %s, got none", key, lang)
			}
			if other := w[key][langs[0]]; strings.HasPrefix(key, "mail.") && (len(lines) != len(other) || len(holes(lines[:1])) > 0) {
				return fmt.Errorf("texts: %s: wanted a subject without holes and as many paragraphs in each language", key)
			}
			if got, first := holes(lines), holes(w[key][langs[0]]); !slices.Equal(got, first) {
				return fmt.Errorf("texts: %s: wanted the same holes in each language, got %v and %v", key, first, got)
			}
		}
	}
	return nil
}

// hole is a place to fill.
var hole = regexp.MustCompile(`\{([a-z]+)\}`)

// holes returns the names of the holes in the lines, sorted, each once.
func holes(lines []string) []string {
	var names []string
	for _, m := range hole.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fill puts values into the holes of a line. A hole without a value is an error:
// a patient would see it.
func fill(line string, values map[string]string) (string, error) {
	var missing string
	out := hole.ReplaceAllStringFunc(line, func(m string) string {
		v, ok := values[m[1:len(m)-1]]
		if !ok {
			missing = m
		}
		return v
	})
	if missing != "" {
		return "", fmt.Errorf("text: wanted a value for %s, got none", missing)
	}
	return out, nil
}
