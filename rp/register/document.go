package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// node is a JSON object by the exact names of its members. encoding/json finds
// struct fields whatever their case and takes the last of two: two readers of one
// record would then see two patients.
type node map[string]any

// maxDepth is deeper than any FHIR resource of PDS, and less than any stack.
const maxDepth = 32

const unread = fault("wanted one JSON object, each name once, got something else")

// parseDocument reads one JSON object without a name twice, at any depth, and with
// nothing behind it. Its errors hold nothing of the document.
func parseDocument(doc []byte) (node, error) {
	if !utf8.Valid(doc) {
		return nil, unread
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, unread
	}
	n, ok := v.(node)
	if _, err := d.Token(); !ok || !errors.Is(err, io.EOF) {
		return nil, unread
	}
	return n, nil
}

// readValue reads a value: a node, a list of values, or what a token is.
func readValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil || depth > maxDepth {
		return nil, unread
	}
	switch t {
	case json.Delim('{'):
		return readObject(d, depth)
	case json.Delim('['):
		return readList(d, depth)
	}
	return t, nil
}

func readObject(d *json.Decoder, depth int) (any, error) {
	n := node{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if _, twice := n[name]; err != nil || !ok || twice {
			return nil, unread
		}
		if n[name], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	return n, closed(d)
}

func readList(d *json.Decoder, depth int) (any, error) {
	all := []any{}
	for d.More() {
		v, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, closed(d)
}

// closed reads the delimiter that ends an object or a list.
func closed(d *json.Decoder) error {
	_, err := d.Token()
	return err
}

// reading takes values out of nodes by the kinds that FHIR gives them. What is
// absent, or null, is the zero value; what is of another kind is a fault, as a
// record that is not what it should be must not pass for one that says little. The
// first fault stays.
type reading struct{ fault error }

func (r *reading) wanted(name, kind string) {
	if r.fault == nil {
		r.fault = fault(name + ": wanted " + kind + ", got something else")
	}
}

// text returns a string.
func (r *reading) text(n node, name string) string {
	s, ok := n[name].(string)
	if !ok && n[name] != nil {
		r.wanted(name, "text")
	}
	return s
}

// texts returns a list of strings, without the nulls that FHIR puts where only an
// extension stands.
func (r *reading) texts(n node, name string) []string {
	var all []string
	for _, v := range r.values(n, name) {
		s, ok := v.(string)
		switch {
		case ok:
			all = append(all, s)
		case v != nil:
			r.wanted(name, "a list of texts")
		}
	}
	return all
}

// list returns a list of objects.
func (r *reading) list(n node, name string) []node {
	var all []node
	for _, v := range r.values(n, name) {
		object, ok := v.(node)
		if !ok {
			r.wanted(name, "a list of objects")
			continue
		}
		all = append(all, object)
	}
	return all
}

func (r *reading) values(n node, name string) []any {
	all, ok := n[name].([]any)
	if !ok && n[name] != nil {
		r.wanted(name, "a list")
	}
	return all
}

// object returns an object; nil if it is absent.
func (r *reading) object(n node, name string) node {
	object, ok := n[name].(node)
	if !ok && n[name] != nil {
		r.wanted(name, "an object")
	}
	return object
}

// yes returns a boolean.
func (r *reading) yes(n node, name string) bool {
	b, ok := n[name].(bool)
	if !ok && n[name] != nil {
		r.wanted(name, "true or false")
	}
	return b
}
