package page

import (
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"text/template/parse"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// voice is one language: its words, its way to write times, and the templates
// bound to both.
type voice struct {
	lang      string
	words     catalogue
	months    []string
	zone      *time.Location
	templates *template.Template
}

// newVoice binds the templates to a language and refuses one that asks for a text
// which does not exist.
func newVoice(lang string, words catalogue, zone *time.Location, asset func(string) string) (*voice, error) {
	v := &voice{lang: lang, words: words, zone: zone}
	names, err := v.plain("month.names")
	if err != nil {
		return nil, err
	}
	if v.months, err = readMonths(names); err != nil {
		return nil, err
	}
	v.templates, err = template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"t":      v.html,
		"plain":  v.plain,
		"in":     func(w Words) string { return w.In(lang) },
		"day":    v.day,
		"date":   v.date,
		"clock":  v.clock,
		"moment": v.moment,
		"lasts":  v.lasts,
		"asset":  asset,
		"why":    v.why,
		"now":    v.now,
		"dict":   dict,
		"told":   v.told,
		"input":  v.input,
		"radios": v.radios,
		"choose": choose, "chooseIf": chooseIf,
		"tick":   tick,
		"dates":  v.dates,
		"number": strconv.Itoa,
		"tel":    dialled,
		"mail":   isEmail,
	}).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return v, v.check()
}

// html gives the text of that key with its holes filled from pairs of name and
// value. It is the function t of the templates.
func (v *voice) html(key string, pairs ...string) (template.HTML, error) {
	t, fill, err := v.find(key, pairs)
	if err != nil {
		return "", err
	}
	out, err := t.html(fill)
	if err != nil {
		return "", fmt.Errorf("text %s: %w", key, err)
	}
	return out, nil
}

// plain gives the text of that key without markup, for titles and attributes.
func (v *voice) plain(key string, pairs ...string) (string, error) {
	t, fill, err := v.find(key, pairs)
	if err != nil {
		return "", err
	}
	out, err := t.plain(fill)
	if err != nil {
		return "", fmt.Errorf("text %s: %w", key, err)
	}
	return out, nil
}

func (v *voice) find(key string, pairs []string) (text, map[string]string, error) {
	t, found := v.words[key]
	if !found || len(pairs)%2 != 0 {
		return nil, nil, fmt.Errorf("text %s: wanted a text in %s and pairs to fill it", key, v.lang)
	}
	fill := make(map[string]string, len(pairs)/2)
	for pair := range slices.Chunk(pairs, 2) {
		fill[pair[0]] = pair[1]
	}
	return t, fill, nil
}

// dict makes a map of pairs, for a template that needs several values.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for pair := range slices.Chunk(pairs, 2) {
		key, ok := pair[0].(string)
		if !ok || len(pair) < 2 {
			return nil, fmt.Errorf("dict: wanted pairs of name and value, got %d values", len(pairs))
		}
		m[key] = pair[1]
	}
	return m, nil
}

// check refuses templates or pages that ask for a text which does not exist, so
// that it is found at the start and not by a patient.
func (v *voice) check() error {
	keys := chosenTexts()
	for _, t := range v.templates.Templates() {
		if t.Tree != nil {
			keys = append(keys, askedTexts(t.Tree.Root)...)
		}
	}
	for _, key := range keys {
		if _, found := v.words[key]; !found {
			return fmt.Errorf("texts: wanted %s in %s, got none", key, v.lang)
		}
	}
	return nil
}

// askedTexts collects the keys that a template names in calls of t and plain.
func askedTexts(node parse.Node) []string {
	var keys []string
	visit := func(nodes ...parse.Node) {
		for _, n := range nodes {
			keys = append(keys, askedTexts(n)...)
		}
	}
	branch := func(b parse.BranchNode) {
		visit(b.Pipe, b.List)
		if b.ElseList != nil {
			visit(b.ElseList)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		visit(n.Nodes...)
	case *parse.ActionNode:
		visit(n.Pipe)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			visit(n.Pipe)
		}
	case *parse.IfNode:
		branch(n.BranchNode)
	case *parse.RangeNode:
		branch(n.BranchNode)
	case *parse.WithNode:
		branch(n.BranchNode)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			visit(c)
		}
	case *parse.CommandNode:
		if key, ok := textCall(n); ok {
			keys = append(keys, key)
		}
		visit(n.Args...)
	}
	return keys
}

// textCall returns the key of a call such as t "login.title".
func textCall(c *parse.CommandNode) (string, bool) {
	if len(c.Args) < 2 {
		return "", false
	}
	name, isName := c.Args[0].(*parse.IdentifierNode)
	key, isKey := c.Args[1].(*parse.StringNode)
	if !isName || !isKey || name.Ident != "t" && name.Ident != "plain" {
		return "", false
	}
	return key.Text, true
}
