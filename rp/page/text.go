package page

import (
	"embed"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:embed text/*.txt
var textFiles embed.FS

// The languages that every text stands in.
const (
	English = "en"
	Welsh   = "cy"
)

// spoken lists the languages in the order in which the text files carry them.
var spoken = []string{English, Welsh}

// Words is one text in several languages, by language code: a name or a notice
// that comes from the configuration.
type Words map[string]string

// In returns the text in that language, in English where it is missing, else in
// the first language there is. No words give an empty string.
func (w Words) In(lang string) string {
	for _, l := range append([]string{lang, English}, slices.Sorted(maps.Keys(w))...) {
		if w[l] != "" {
			return w[l]
		}
	}
	return ""
}

// piece is a part of a text: literal characters, a hole to fill, or one end of a
// link.
type piece struct {
	kind  byte // one of the constants below
	value string
}

const (
	literal   = 't'
	hole      = 'h'
	linkStart = '<'
	linkEnd   = '>'
)

// text is one text in one language, taken apart once.
type text []piece

// textMark finds a hole, the start of a link, or its end.
var textMark = regexp.MustCompile(`\{([a-z]+)\}|\[([^\[\]]+)\]\(([^()\s]+)\)`)

// parseText takes a text apart. A brace or bracket that is no hole and no link
// is refused: it is a slip of the pen that a patient would see.
func parseText(s string) (text, error) {
	var t text
	add := func(kind byte, value string) { t = append(t, piece{kind, value}) }
	at := 0
	for _, m := range textMark.FindAllStringSubmatchIndex(s, -1) {
		add(literal, s[at:m[0]])
		if m[2] >= 0 {
			add(hole, s[m[2]:m[3]])
		} else {
			add(linkStart, s[m[6]:m[7]])
			add(literal, s[m[4]:m[5]])
			add(linkEnd, "")
		}
		at = m[1]
	}
	add(literal, s[at:])
	for _, p := range t {
		if p.kind == literal && strings.ContainsAny(p.value, "{}[]<>") {
			return nil, fmt.Errorf("text: wanted {name} and [label](address) only, got %q", s)
		}
	}
	return t, nil
}

// shape returns the holes and link addresses of a text, sorted: what both
// languages must have alike.
func (t text) shape() []string {
	var marks []string
	for _, p := range t {
		if p.kind == hole || p.kind == linkStart {
			marks = append(marks, string(p.kind)+p.value)
		}
	}
	slices.Sort(marks)
	return slices.Compact(marks)
}

// html fills the holes, escapes everything that was filled in, and writes links.
func (t text) html(fill map[string]string) (template.HTML, error) {
	var b strings.Builder
	for _, p := range t {
		switch p.kind {
		case literal:
			b.WriteString(html.EscapeString(p.value))
		case hole:
			v, ok := fill[p.value]
			if !ok {
				return "", fmt.Errorf("wanted a value for {%s}", p.value)
			}
			b.WriteString(html.EscapeString(v))
		case linkStart:
			fmt.Fprintf(&b, `<a href="%s">`, html.EscapeString(p.value))
		case linkEnd:
			b.WriteString("</a>")
		}
	}
	return template.HTML(b.String()), nil //nolint:gosec // every part was escaped above
}

// plain fills the holes and drops the links: for titles and attributes.
func (t text) plain(fill map[string]string) (string, error) {
	var b strings.Builder
	for _, p := range t {
		v, ok := p.value, true
		switch p.kind {
		case hole:
			v, ok = fill[p.value]
		case linkStart, linkEnd:
			v = ""
		}
		if !ok {
			return "", fmt.Errorf("wanted a value for {%s}", p.value)
		}
		b.WriteString(v)
	}
	return b.String(), nil
}

// catalogue is every text of one language by its key.
type catalogue map[string]text

// readCatalogues reads all text files into one catalogue a language, and refuses
// a text that is missing, stands twice, or whose languages differ in holes or
// links.
func readCatalogues(files fs.FS) (map[string]catalogue, error) {
	all := map[string]catalogue{}
	for _, lang := range spoken {
		all[lang] = catalogue{}
	}
	names, err := fs.Glob(files, "text/*.txt")
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("texts: wanted files, got none (%w)", err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("texts: %w", err)
		}
		for block := range strings.SplitSeq(string(b), "\n\n") {
			if err := readBlock(all, block); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return all, nil
}

// readBlock reads one key with its languages, one a line in the order of spoken.
func readBlock(all map[string]catalogue, block string) error {
	var lines []string
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	key := lines[0]
	if len(lines) != 1+len(spoken) {
		return fmt.Errorf("%s: wanted a line each for %s", key, strings.Join(spoken, ", "))
	}
	var shape []string
	for i, lang := range spoken {
		s, found := strings.CutPrefix(lines[i+1], lang+": ")
		if !found {
			return fmt.Errorf("%s: wanted a line that begins with %q", key, lang+": ")
		}
		if _, twice := all[lang][key]; twice {
			return fmt.Errorf("%s: wanted once, got twice", key)
		}
		t, err := parseText(s)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", key, lang, err)
		}
		if i > 0 && !slices.Equal(shape, t.shape()) {
			return fmt.Errorf("%s: wanted the same holes and links in each language, got %v and %v", key, shape, t.shape())
		}
		shape, all[lang][key] = t.shape(), t
	}
	return nil
}
