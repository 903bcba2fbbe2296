package password

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// rows are what fingers and counting run along, on keyboards of the United Kingdom and
// the United States alike.
var rows = []string{
	"01234567890123456789", "1234567890-=", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0",
}

// unshifted undoes the shift key, where it makes a sign of a digit or of another sign.
var unshifted = strings.NewReplacer(
	"!", "1", "\"", "2", "@", "2", "£", "3", "#", "3", "$", "4", "%", "5", "^", "6", "&", "7", "*", "8", "(", "9", ")", "0",
	"_", "-", "+", "=", "{", "[", "}", "]", ":", ";", "~", "#", "<", ",", ">", ".", "?", "/")

// monotone reports whether a folded text is one sign, one short run said again and
// again, digits alone, which are somebody's date or number, or a walk along rows of
// the keyboard or the alphabet.
func monotone(text string) bool {
	const shortRun = 4
	run := once(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text))
	return utf8.RuneCountInString(run) <= shortRun || strings.Trim(run, "0123456789/.-+") == "" || walks(run)
}

// A walk is a few legs, each of some length; the last may be cut short.
const (
	shortestLeg = 3
	mostLegs    = 4
)

// walks reports whether the text is made of pieces of the rows, in either direction,
// or of one sign held down.
func walks(text string) bool {
	text = unshifted.Replace(text)
	for range mostLegs {
		n := held(text)
		for _, row := range rows {
			n = max(n, along(text, row), along(text, backwards(row)))
		}
		if n == len(text) {
			return true
		}
		if n < shortestLeg {
			return false
		}
		text = text[n:]
	}
	return false
}

// held returns how often the text begins with its first byte.
func held(text string) int {
	n := 0
	for n < len(text) && text[n] == text[0] {
		n++
	}
	return n
}

// along returns how far the text goes along the row, from wherever it begins.
func along(text, row string) int {
	longest := 0
	for i := range len(row) {
		n := 0
		for n < len(text) && i+n < len(row) && text[n] == row[i+n] {
			n++
		}
		longest = max(longest, n)
	}
	return longest
}
