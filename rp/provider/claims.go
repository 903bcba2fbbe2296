package provider

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// claims is a JSON object by the exact names of its members. encoding/json finds
// struct fields whatever their case and takes the last of two: two readers of one
// token would then see two subjects.
type claims map[string]json.RawMessage

// parseClaims reads one JSON object without a name twice and with nothing behind
// it. Its errors hold nothing of the document.
func parseClaims(doc []byte) (claims, error) {
	const unread = fault("wanted one JSON object, each name once, got something else")
	if !utf8.Valid(doc) {
		return nil, unread
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, unread
	}
	c := claims{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, unread
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, unread
		}
		if c.has(name.(string)) { // a name in an object is a string, or Token fails
			return nil, unread
		}
		c[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, unread
	}
	if len(bytes.TrimSpace(doc[d.InputOffset():])) > 0 {
		return nil, unread
	}
	return c, nil
}

// has reports whether the name is there, whatever its value, null included.
func (c claims) has(name string) bool {
	_, there := c[name]
	return there
}

// text returns a string; false if it is absent or something else.
func (c claims) text(name string) (string, bool) {
	var s string
	raw := c[name]
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// texts returns a string or a list of strings; false if it is absent or something
// else.
func (c claims) texts(name string) ([]string, bool) {
	if one, ok := c.text(name); ok {
		return []string{one}, true
	}
	var all []*string // a null in the list is no string
	if raw := c[name]; len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &all) != nil {
		return nil, false
	}
	out := make([]string, 0, len(all))
	for _, s := range all {
		if s == nil {
			return nil, false
		}
		out = append(out, *s)
	}
	return out, true
}

// latest bounds an instant to the year 9999.
const latest = 253402300799

// instant returns a NumericDate (RFC 7519 §2), which may have a fraction; false if
// it is absent or something else.
func (c claims) instant(name string) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(string(c[name]), 64)
	if err != nil || seconds <= 0 || seconds > latest || math.IsNaN(seconds) {
		return time.Time{}, false
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*float64(time.Second))).UTC(), true
}

// yes reports whether the value is true: the boolean, or the string that some
// providers write for it. Anything else is no.
func (c claims) yes(name string) bool {
	raw := string(c[name])
	return raw == "true" || raw == `"true"`
}
