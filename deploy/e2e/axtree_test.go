package e2e

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

// tree returns the page as assistive technology is told it: a line a node, role and
// name, what is inside indented.
func (b *tab) tree() string {
	b.t.Helper()
	got, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		b.t.Fatal(err)
	}
	p := treePrinter{byID: map[accessibility.NodeID]*accessibility.Node{}}
	for _, n := range got.Nodes {
		p.byID[n.NodeID] = n
	}
	for _, n := range got.Nodes {
		if n.ParentID == "" {
			p.node(n, 0)
		}
	}
	return p.out.String()
}

// treePrinter writes an accessibility tree without what carries no meaning: boxes,
// the runs that a line of text was broken into, bullets of lists.
type treePrinter struct {
	byID map[accessibility.NodeID]*accessibility.Node
	out  strings.Builder
}

// meaningless are roles that are passed over: their children stand in their place.
var meaningless = map[string]bool{
	"none": true, "generic": true, "InlineTextBox": true, "ListMarker": true, "LineBreak": true, "MenuListPopup": true,
}

func (p *treePrinter) node(n *accessibility.Node, depth int) {
	role, name := word(n.Role), word(n.Name)
	if n.Ignored || meaningless[role] {
		p.children(n, depth)
		return
	}
	text, plain := p.textOf(n)
	line := role
	switch {
	case role == "StaticText" && name == "":
		return
	case role == "StaticText":
		line = quote(name)
	case name != "":
		line += " " + quote(name)
	case plain && text != "":
		line += ": " + quote(text)
	}
	fmt.Fprintf(&p.out, "%s%s%s\n", strings.Repeat("  ", depth), line, states(n, role))
	if role != "StaticText" && (!plain || name != "" && squeeze(text) != squeeze(name)) {
		p.children(n, depth+1)
	}
}

func (p *treePrinter) children(n *accessibility.Node, depth int) {
	for _, id := range n.ChildIDs {
		if child := p.byID[id]; child != nil {
			p.node(child, depth)
		}
	}
}

// textOf returns the text inside, and whether there is nothing but text.
func (p *treePrinter) textOf(n *accessibility.Node) (text string, plain bool) {
	plain = true
	for _, id := range n.ChildIDs {
		child := p.byID[id]
		if child == nil {
			continue
		}
		role := word(child.Role)
		switch {
		case role == "StaticText":
			text += " " + word(child.Name)
		case child.Ignored || meaningless[role]:
			more, only := p.textOf(child)
			text, plain = text+" "+more, plain && only
		default:
			return "", false
		}
	}
	return strings.TrimSpace(text), plain
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

// told are the properties that change what a patient is told, with the value that
// goes without saying.
var told = []struct {
	name   accessibility.PropertyName
	silent string
}{
	{"level", ""}, {"disabled", "false"}, {"expanded", ""}, {"required", "false"}, {"invalid", "false"}, {"checked", ""}, {"live", ""}, {"modal", "false"},
}

func states(n *accessibility.Node, role string) string {
	var out strings.Builder
	for _, want := range told {
		if want.name == "level" && role != "heading" {
			continue // how deep a list is, the indent shows
		}
		for _, got := range n.Properties {
			if v := word(got.Value); got.Name == want.name && v != want.silent {
				fmt.Fprintf(&out, " %s=%s", got.Name, v)
			}
		}
	}
	if d := word(n.Description); d != "" {
		out.WriteString(" described=" + quote(d))
	}
	return out.String()
}

// word returns a value as text, on one line.
func word(v *accessibility.Value) string {
	if v == nil || len(v.Value) == 0 {
		return ""
	}
	var s string
	if json.Unmarshal(v.Value, &s) != nil {
		return string(v.Value)
	}
	return strings.Join(strings.Fields(s), " ")
}
