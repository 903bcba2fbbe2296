package portal

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds on what is read of a request's target. Whatever has more readings is
// written to be misread.
const (
	maxTarget   = 4 << 10
	maxReadings = 40
)

// readings returns every path that some server could take the request target for:
// as it is written, percent-decoded once and more often, with backslashes as
// slashes, with `;parameters`, dot segments, empty segments and the tails that
// Windows drops taken out, in any order. Which of these the service behind the
// gateway does is not known here, so all of them are judged.
//
// It reports false for a target that is no absolute path or can't be read with
// certainty: a broken escape, a fragment, a control character, bytes that are not
// UTF-8, or readings without end.
func readings(target string) ([]string, bool) {
	path, _, _ := strings.Cut(target, "?")
	if len(path) > maxTarget || !strings.HasPrefix(path, "/") || !wellWritten(path) {
		return nil, false
	}
	if plain(path) {
		return []string{path}, true
	}
	found := []string{path}
	for i := 0; i < len(found); i++ {
		for _, rewrite := range rewrites {
			next := rewrite(found[i])
			if slices.Contains(found, next) {
				continue
			}
			if !strings.HasPrefix(next, "/") || !legible(next) || len(found) == maxReadings {
				return nil, false
			}
			found = append(found, next)
		}
	}
	return found, true
}

// plain reports whether every server reads the path as it is written.
func plain(path string) bool {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/' && i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.'):
			return false
		case c == '.' && (i+1 == len(path) || path[i+1] == '/'):
			return false
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("/-._~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// wellWritten reports whether the path is made of visible ASCII without `#`, and
// every percent sign in it begins an escape: what no browser sends can't be judged.
func wellWritten(path string) bool {
	for i := 0; i < len(path); i++ {
		if c := path[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '%' && !escapeAt(path, i) {
			return false
		}
	}
	return true
}

// legible reports whether a decoded path means anything with certainty. Bytes that
// are not UTF-8 may be an overlong slash, and a NUL ends a string for some.
func legible(path string) bool {
	return utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// rewrites are the ways in which servers differ.
var rewrites = [...]func(string) string{
	unescape,
	func(p string) string { return strings.ReplaceAll(p, `\`, "/") },
	cutQuery,
	eachSegment(cutParameters),
	eachSegment(cutTail),
	collapse,
	resolveDots,
}

// unescape decodes each escape once and leaves what is none, as lenient decoders
// do with what a first decoding has brought to light.
func unescape(p string) string {
	if !strings.Contains(p, "%") {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && escapeAt(p, i) {
			b.WriteByte(unhex(p[i+1])<<4 | unhex(p[i+2]))
			i += 2
			continue
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

func escapeAt(p string, i int) bool { return i+2 < len(p) && isHex(p[i+1]) && isHex(p[i+2]) }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// cutQuery ends the path where a server that decodes first sees a query or a
// fragment.
func cutQuery(p string) string {
	if i := strings.IndexAny(p, "?#"); i >= 0 {
		return p[:i]
	}
	return p
}

// eachSegment applies a rewrite between the slashes.
func eachSegment(rewrite func(string) string) func(string) string {
	return func(p string) string {
		segments := strings.Split(p, "/")
		for i, s := range segments {
			segments[i] = rewrite(s)
		}
		return strings.Join(segments, "/")
	}
}

// cutParameters takes out what follows a semicolon (RFC 3986 §3.3), as servlet
// containers do before they match.
func cutParameters(segment string) string {
	s, _, _ := strings.Cut(segment, ";")
	return s
}

// cutTail takes out the dots and spaces at the end of a name, as Windows does; of
// a name that is nothing else, the spaces.
func cutTail(segment string) string {
	if cut := strings.TrimRight(segment, ". "); cut != "" {
		return cut
	}
	return strings.TrimRight(segment, " ")
}

// collapse makes one slash of several.
func collapse(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// resolveDots takes out dot segments as RFC 3986 §5.2.4 does: an empty segment is
// one that `..` goes back over.
func resolveDots(p string) string {
	var out []string
	segments := strings.Split(p, "/")[1:]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".", "..":
			if s == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}
