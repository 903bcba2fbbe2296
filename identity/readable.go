package identity

import (
	"strings"
	"unicode"
)

// readableGroup is how many letters stand together in a code that people read.
const readableGroup = 4

// maxTyped bounds what is read as a typed code: the letters of the longest one,
// each with more between them than anybody types.
const maxTyped = 128

// ReadableCode returns a code of at least that many random bits for people to
// read, copy and type: letters and digits that are not taken for one another, in
// groups, such as 7F3K-Q2MA-W9TX-4C for 65 bits.
func ReadableCode(wanted int) Secret {
	letters := make([]byte, readableLetters(wanted))
	for i := range letters {
		letters[i] = referenceAlphabet[randomBelow(len(referenceAlphabet))]
	}
	return Secret(grouped(string(letters)))
}

// ParseReadableCode reads a code that [ReadableCode] gave for that many bits, as a
// person types it: in any case, with whatever spaces, hyphens and dashes. It
// reports whether it can be one, and returns it as it was given.
func ParseReadableCode(typed Secret, wanted int) (Secret, bool) {
	plain := strings.ToUpper(ungrouped(typed))
	if len(plain) != readableLetters(wanted) || strings.Trim(plain, referenceAlphabet) != "" {
		return "", false
	}
	return Secret(grouped(plain)), true
}

// ParseDigits reads a code of that many digits as a person types it, with whatever
// spaces, hyphens and dashes, and reports whether it can be one.
func ParseDigits(typed Secret, wanted int) (Secret, bool) {
	plain := ungrouped(typed)
	if wanted <= 0 || len(plain) != wanted || strings.Trim(plain, "0123456789") != "" {
		return "", false
	}
	return Secret(plain), true
}

// ungrouped takes out what a person puts between the letters of a code; it is
// empty for what is longer than anybody types.
func ungrouped(typed Secret) string {
	if len(typed) > maxTyped {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, typed.Reveal())
}

// readableLetters returns how many letters hold that many bits. A letter is one of
// 27, and four of them hold 19: 27⁴ is 531441, and 2¹⁹ is 524288.
func readableLetters(wanted int) int {
	const letters, together = 4, 19
	return (wanted*letters + together - 1) / together
}

func grouped(plain string) string {
	var b strings.Builder
	for i, r := range plain {
		if i > 0 && i%readableGroup == 0 {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return b.String()
}
