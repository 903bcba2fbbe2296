package service

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dilys-id/dilys/identity"
)

// reading is one reading of a file: what it found so far.
type reading struct {
	name, folder string // of the file, as given; where relative paths start
	now          time.Time
	languages    []string
	plainHTTP    bool // insecure_loopback
	faults       Faults
	settings     []setting
	secrets      []knownSecret
}

// knownSecret is a secret and the key that brought it.
type knownSecret struct {
	key    string
	secret identity.Secret
	shared string // what it is, where several keys may bring it; empty: this one alone
}

// value is a place where a setting stands, or could stand. Its readers return the
// typed value, or note a fault and return the zero value.
type value struct {
	*reading
	place         // of the value, or of what lacks it
	key    string // in full, such as providers[0].issuer
	node   *node  // nil: not in the file
	source string // of a default; empty: the file
	need   bool   // absent or empty is a fault
	mute   bool   // inside of something that is at fault as a whole: nothing more to say
	inList bool   // the list is told as a whole
}

// required makes an absent value a fault.
func (v value) required() value {
	v.need = true
	return v
}

// or gives a value by default.
func (v value) or(text string) value { return v.orBy(text, "default") }

// orBy gives a value by a rule, which source names.
func (v value) orBy(text, source string) value {
	if v.node == nil {
		v.node, v.source = &node{kind: scalarKind, text: text}, source
	}
	return v
}

// orList gives a list by a rule, which source names.
func (v value) orList(source string, texts ...string) value {
	if v.node == nil {
		v.node, v.source = &node{kind: listKind}, source
		for _, text := range texts {
			v.node.items = append(v.node.items, &node{kind: scalarKind, text: text})
		}
	}
	return v
}

// written reports whether the value stands in the file.
func (v value) written() bool { return v.node != nil && v.source == "" }

// refuse notes a fault. got is shown as it is: [quote] what a file may hold.
func (v value) refuse(wanted, got string) {
	if !v.mute {
		v.faults = append(v.faults, Fault{v.name, v.line, v.col, cmp.Or(v.key, "config"), wanted, got})
	}
}

// settle remembers the value for Explain.
func (v value) settle(shown string) {
	if v.inList {
		return
	}
	source := v.source
	if source == "" {
		source = fmt.Sprintf("%s:%d", filepath.Base(v.name), v.line)
	}
	v.settings = append(v.settings, setting{v.key, strings.ReplaceAll(shown, "\n", " "), source})
}

// credentials and query match what an address may carry by mistake.
var (
	credentials = regexp.MustCompile(`//.*@`)
	query       = regexp.MustCompile(`(://[^?]*\?).*`)
)

// quote shows what was got: shortened, and without the user, password and query of
// an address.
func quote(text string) string {
	const enough = 80
	text = query.ReplaceAllString(credentials.ReplaceAllString(text, "//…@"), "${1}…")
	if short := []rune(text); len(short) > enough {
		text = string(short[:enough]) + "…"
	}
	return strconv.Quote(text)
}

// describe says what kind of thing stands there.
func (v value) describe() string {
	switch {
	case v.node == nil, v.node.kind == nothingKind:
		return "nothing"
	case v.node.kind == listKind && len(v.node.items) == 0:
		return "an empty list"
	case v.node.kind == listKind:
		return "a list"
	case v.node.kind == mappingKind && len(v.node.pairs) == 0:
		return "an empty mapping"
	case v.node.kind == mappingKind:
		return "a mapping"
	}
	return quote(v.node.text)
}

// is reports whether something of that kind stands there. If not, that is a fault,
// unless nothing stands there and nothing is needed.
func (v value) is(k kind, wanted string) bool {
	if v.node == nil && !v.need {
		return false
	}
	if v.node == nil || v.node.kind != k {
		v.refuse(wanted, v.describe())
		return false
	}
	return true
}

// A judge turns text into a value, or says what it wanted instead.
type judge[T any] func(text string) (out T, wanted string)

// read reads a scalar. wanted describes it where there is none.
func read[T any](v value, wanted string, j judge[T]) (out T) {
	if !v.is(scalarKind, wanted) {
		return out
	}
	got, otherwise := j(v.node.text)
	if otherwise != "" {
		v.refuse(otherwise, quote(v.node.text))
		return out
	}
	v.settle(v.node.text)
	return got
}

// readAll reads a list of scalars, each once. wanted describes one of them.
func readAll[T any](v value, wanted string, j judge[T]) []T {
	var out []T
	var texts []string
	for _, item := range v.items(wanted) {
		item.inList = true
		before := len(v.faults)
		got := read(item, wanted, j)
		if len(v.faults) > before {
			continue
		}
		if slices.Contains(texts, item.node.text) {
			item.refuse("each once", quote(item.node.text)+" again")
			continue
		}
		out, texts = append(out, got), append(texts, item.node.text)
	}
	if v.node != nil && v.node.kind == listKind {
		v.settle("[" + strings.Join(texts, ", ") + "]")
	}
	return out
}

// items returns the values of a list. wanted describes one of them.
func (v value) items(wanted string) []value {
	if !v.is(listKind, "a list, each "+wanted) {
		return nil
	}
	if len(v.node.items) == 0 && v.need {
		v.refuse("one or more, each "+wanted, v.describe())
	}
	all := make([]value, len(v.node.items))
	for i, n := range v.node.items {
		all[i] = value{
			reading: v.reading, place: n.place, key: fmt.Sprintf("%s[%d]", v.key, i),
			node: n, source: v.source, need: true, mute: v.mute,
		}
	}
	return all
}

// mapping is a value with values under keys.
type mapping struct {
	value
	asked []string
}

// mapping reads a mapping. Duplicate keys are faults, and the first one counts.
func (v value) mapping() *mapping {
	m := &mapping{value: v}
	if !v.is(mappingKind, "a mapping") {
		m.mute = v.mute || v.node != nil || v.need
		m.node = nil
		return m
	}
	first := map[string]int{}
	for _, p := range v.node.pairs {
		if line, again := first[p.key.text]; again {
			at := m.under(p)
			at.refuse("the key once", fmt.Sprintf("it again, after line %d", line))
			continue
		}
		first[p.key.text] = p.key.line
	}
	return m
}

// under returns the place of a key, for a fault of the key itself.
func (m *mapping) under(p pair) value {
	return value{reading: m.reading, place: p.key.place, key: m.child(p.key.text), mute: m.mute}
}

func (m *mapping) child(key string) string {
	if key == "" || strings.ContainsFunc(key, unicode.IsControl) || len(key) > 64 {
		key = quote(key)
	}
	if m.key == "" {
		return key
	}
	return m.key + "." + key
}

// at returns the value under a key.
func (m *mapping) at(key string) value {
	m.ask(key)
	v := value{reading: m.reading, place: m.place, key: m.child(key), mute: m.mute}
	for _, p := range m.pairs() {
		if p.key.text == key {
			v.node, v.place = p.value, p.value.place
			if p.value.kind == nothingKind {
				v.place = p.key.place
			}
			return v
		}
	}
	return v
}

// later refuses a key of the contract that this version does nothing for. What is
// harmless, because it asks for nothing, may stand.
func (m *mapping) later(key, why string, harmless ...string) {
	v := m.at(key)
	if v.node == nil {
		return
	}
	if v.node.kind == scalarKind && slices.Contains(harmless, v.node.text) {
		v.settle(v.node.text)
		return
	}
	if v.node.kind == listKind && len(v.node.items) == 0 && slices.Contains(harmless, "[]") {
		v.settle("[]")
		return
	}
	wanted := "nothing"
	if len(harmless) > 0 {
		wanted = strings.Join(harmless, " or ") + " or nothing"
	}
	got := v.describe()
	if v.node.kind == scalarKind && len(harmless) == 0 {
		got = "a value"
	}
	v.refuse(wanted+": this version "+why, got)
}

// forbid refuses a key that makes no sense beside another one.
func (m *mapping) forbid(key, wanted string) {
	if v := m.at(key); v.node != nil {
		v.refuse(wanted, "a value")
	}
}

// ask knows keys without judging them.
func (m *mapping) ask(keys ...string) {
	for _, key := range keys {
		if !slices.Contains(m.asked, key) {
			m.asked = append(m.asked, key)
		}
	}
}

// keys returns what stands in the mapping, each once.
func (m *mapping) keys() []string {
	var all []string
	for _, p := range m.pairs() {
		if !slices.Contains(all, p.key.text) {
			all = append(all, p.key.text)
		}
	}
	return all
}

func (m *mapping) pairs() []pair {
	if m.node == nil {
		return nil
	}
	return m.node.pairs
}

// derive remembers for Explain what follows from other values.
func (m *mapping) derive(key, shown, rule string) {
	m.settings = append(m.settings, setting{m.child(key), shown, rule})
}

// close refuses every key that nobody asked for.
func (m *mapping) close() {
	for _, p := range m.pairs() {
		if slices.Contains(m.asked, p.key.text) {
			continue
		}
		wanted := "one of " + strings.Join(m.asked, ", ")
		if near := nearest(p.key.text, m.asked); near != "" {
			wanted = "a known key, did you mean " + near
		}
		at := m.under(p)
		at.refuse(wanted, "an unknown key")
	}
}

// nearest returns the word that was probably meant, or nothing.
func nearest(text string, words []string) string {
	best, least := "", 3
	for _, w := range words {
		if len(text) > 3 && (strings.HasPrefix(w, text) || strings.HasPrefix(text, w) && len(w) > 3) {
			return w
		}
		if d := distance(text, w); d < least && d < len(w)/2+1 {
			best, least = w, d
		}
	}
	return best
}

// distance counts the letters to add, drop or change between two words
// (Levenshtein). Long words are not near to anything.
func distance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
