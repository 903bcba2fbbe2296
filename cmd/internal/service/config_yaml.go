package service

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// node is one node of the file: a tree of our own, so that everything above knows
// nothing of the library that read it.
type node struct {
	kind  kind
	text  string  // of a scalar
	items []*node // of a list
	pairs []pair  // of a mapping, in the order of the file, duplicates included
	place
}

type pair struct {
	key   *node
	value *node
}

type kind uint8

const (
	scalarKind kind = iota + 1
	listKind
	mappingKind
	nothingKind // null, or a key with nothing after it
)

// place is where something stands in the file, counted from 1.
type place struct{ line, col int }

// Bounds on what the parser is given: it recurses for every level and every key,
// and an exhausted stack ends the process. No sane file comes near.
const (
	maxLevels = 16
	maxIndent = 200
	maxPairs  = 10_000
)

// parseYAML returns the one document of a file, or what is wrong with it as YAML.
func parseYAML(file string, text []byte) (*node, Faults) {
	fault := func(at place, wanted, got string) Faults {
		return Faults{{File: file, Line: max(at.line, 1), Col: max(at.col, 1), Key: "yaml", Wanted: wanted, Got: got}}
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	if len(text) > maxConfig {
		return nil, fault(place{}, fmt.Sprintf("at most %d KiB", maxConfig>>10), fmt.Sprintf("%d bytes", len(text)))
	}
	if at, ok := illegible(text); ok {
		return nil, fault(at, "UTF-8 text", "a byte that is none")
	}
	tokens := lexer.Tokenize(string(text))
	var refused Faults
	for _, r := range refuseTokens(tokens) {
		refused = append(refused, fault(r.place, r.wanted, r.got)...)
	}
	if refused != nil {
		return nil, refused
	}
	documents, err := parse(tokens)
	switch {
	case err != nil:
		at, message := explainSyntax(err)
		return nil, fault(at, "YAML", message)
	case len(documents) == 0:
		return nil, fault(place{}, "a configuration", "an empty file")
	case len(documents) > 1:
		return nil, fault(documents[1].place, "one document", "another one")
	}
	return documents[0], nil
}

// illegible returns the first byte that is not UTF-8 text, if any.
func illegible(text []byte) (place, bool) {
	at := place{1, 1}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\n' && r != '\t', r == 0x7f, r == 0xfeff:
			return at, true
		case r == '\n':
			at = place{at.line + 1, 0}
		}
		at.col++
		text = text[size:]
	}
	return place{}, false
}

// refusal is what stands at a place of the file but may not.
type refusal struct {
	place
	wanted, got string
}

// unwanted are the parts of YAML that a configuration does without: they hide what
// a value is (tags, merges), or let a small file grow without bound (aliases).
var unwanted = map[token.Type]string{
	token.AnchorType:     "an anchor (&)",
	token.AliasType:      "an alias (*)",
	token.TagType:        "a tag (!)",
	token.DirectiveType:  "a directive (%)",
	token.MergeKeyType:   "a merge key (<<)",
	token.MappingKeyType: "a complex key (?)",
}

// refuseTokens looks for what the parser may not be given.
func refuseTokens(tokens token.Tokens) []refusal {
	var found []refusal
	levels, pairs := 0, 0
	for _, t := range tokens {
		at := place{t.Position.Line, t.Position.Column}
		if name, bad := unwanted[t.Type]; bad {
			found = append(found, refusal{at, "plain YAML: each value written where it counts", name})
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			levels++
		case token.MappingEndType, token.SequenceEndType:
			levels--
		case token.MappingValueType:
			pairs++
		}
		if levels == 0 && indent(t) > maxIndent {
			return append(found, refusal{at, fmt.Sprintf("an indent of at most %d", maxIndent), "a deeper one"})
		}
		if levels > maxLevels || pairs > maxPairs {
			return append(found, refusal{at, fmt.Sprintf("at most %d brackets deep and %d keys", maxLevels, maxPairs), "more"})
		}
	}
	return found
}

// indent returns the column of what opens a level without brackets: a dash, or the
// key before a colon.
func indent(t *token.Token) int {
	switch {
	case t.Type == token.SequenceEntryType:
		return t.Position.Column
	case t.Type == token.MappingValueType && t.Prev != nil:
		return t.Prev.Position.Column
	}
	return 0
}

// parse runs the parser and returns the documents that are not empty. A panic of
// the library on malformed input is that input's fault.
func parse(tokens token.Tokens) (documents []*node, err error) {
	defer func() {
		if recover() != nil {
			documents, err = nil, errors.New("something that can't be read")
		}
	}()
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // we name duplicates ourselves, all of them
	if err != nil {
		return nil, err
	}
	for _, d := range parsed.Docs {
		if d.Body != nil {
			documents = append(documents, convert(d.Body))
		}
	}
	return documents, nil
}

// explainSyntax returns where and what the parser stumbled over.
func explainSyntax(err error) (place, string) {
	var located interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &located) {
		return place{}, firstLine(err.Error())
	}
	var at place
	if t := located.GetToken(); t != nil && t.Position != nil {
		at = place{t.Position.Line, t.Position.Column}
	}
	return at, firstLine(located.GetMessage())
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// convert takes over what the parser read. The depth is bounded by refuseTokens.
func convert(n ast.Node) *node {
	t := n.GetToken()
	out := &node{kind: scalarKind, text: t.Value, place: place{t.Position.Line, t.Position.Column}}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.addPairs(n.Values)
	case *ast.MappingValueNode:
		out.addPairs([]*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out.kind = listKind
		for _, item := range n.Values {
			out.items = append(out.items, convert(item))
		}
	case *ast.LiteralNode:
		out.text = n.Value.Value
	case *ast.NullNode:
		out.kind = nothingKind
	}
	return out
}

func (n *node) addPairs(values []*ast.MappingValueNode) {
	n.kind = mappingKind
	for _, v := range values {
		n.pairs = append(n.pairs, pair{convert(v.Key), convert(v.Value)})
	}
	if first := n.pairs; len(first) > 0 && first[0].key.before(n.place) { // its own token is the first colon
		n.place = first[0].key.place
	}
}

func (p place) before(other place) bool {
	return p.line < other.line || p.line == other.line && p.col < other.col
}
