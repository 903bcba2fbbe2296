package password

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/dilys-id/dilys/identity"
)

// Fault says why a password is not taken; empty: it is.
type Fault string

// The faults.
const (
	TooShort Fault = "too-short"
	TooLong  Fault = "too-long"
	Common   Fault = "common"  // among the first that anybody tries
	Context  Fault = "context" // among the first that somebody tries who knows the patient or the service
)

// Lengths in code points (NIST SP 800-63B §3.1.1.2 counts them so). A second factor
// is always offered, yet may be declined, so that 8 would be too few.
const (
	Shortest = 12
	Longest  = 256
)

// Judge says whether a password may be taken. context is what somebody knows who
// knows the patient: names, address, birth date, the service. There is no rule of
// composition, and none expires: both make people choose worse ones.
func Judge(pw identity.Secret, context []string) Fault {
	text := norm.NFC.String(pw.Reveal())
	switch n := utf8.RuneCountInString(text); {
	case n < Shortest:
		return TooShort
	case n > Longest || tooLong(pw):
		return TooLong
	}
	bare, known := core(text), contextWords(context)
	switch {
	case madeOf(bare, known, known), madeOf(bare, known, common()):
		return Context
	case monotone(text), madeOf(bare, common(), common()):
		return Common
	}
	return ""
}

// tooLong refuses by bytes, before anything is made of the password.
func tooLong(pw identity.Secret) bool { return len(pw) > Longest*utf8.UTFMax }

// core is what is left of a password once the tricks are undone that everybody
// knows: capitals, digits for letters, digits and signs before and after, and a word
// said twice.
func core(text string) string {
	text = strings.ToLower(text)
	text = strings.TrimFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	text = strings.Map(func(r rune) rune {
		if plain, known := disguises[r]; known {
			return plain
		}
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, text)
	return once(text)
}

var disguises = map[rune]rune{'0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', '@': 'a', '$': 's', '!': 'i', '|': 'l'}

// once returns what a text repeats, or the text.
func once(text string) string {
	for n := 1; n <= len(text)/2; n++ {
		if len(text)%n == 0 && strings.Repeat(text[:n], len(text)/n) == text {
			return text[:n]
		}
	}
	return text
}

// madeOf reports whether what is left is one of the words, or one of them beside
// one of the others: "passwordwelcome". Three words, of which somebody thought, are
// a passphrase.
func madeOf(bare string, words, others map[string]bool) bool {
	if words[bare] {
		return true
	}
	for i := 1; i < len(bare); i++ {
		head, tail := bare[:i], bare[i:]
		if words[head] && others[tail] || others[head] && words[tail] {
			return true
		}
	}
	return false
}

// rows are what fingers and counting run along.
var rows = []string{
	"01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertyuiop[]", "asdfghjkl", "asdfghjkl;'", "zxcvbnm", "zxcvbnm,./",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "!\"£$%^&*()_+", "!@#$%^&*()_+",
}

// monotone reports whether the password is one sign, one short run said again and
// again, digits that only somebody's date or number can be, or a walk along a row of
// the keyboard or the alphabet, in either direction.
func monotone(text string) bool {
	const shortRun = 4
	text = strings.ToLower(text)
	bare := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	if utf8.RuneCountInString(once(bare)) <= shortRun || strings.Trim(bare, "0123456789/.-+") == "" {
		return true
	}
	return walks(once(bare))
}

// walks reports whether the text is made of long pieces of the rows.
func walks(text string) bool {
	const leg = 4
	pieces := 0
	for text != "" {
		n := 0
		for _, row := range rows {
			n = max(n, along(text, row), along(text, reversed(row)))
		}
		if n < leg && n < len(text) {
			return false
		}
		text = text[max(n, 1):]
		pieces++
	}
	return pieces <= 4
}

// along returns how far the text goes along the row from wherever it begins.
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

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// contextWords are the words that speak of the patient or the service.
func contextWords(context []string) map[string]bool {
	words := map[string]bool{}
	for _, w := range append(service, context...) {
		if len(w) > Longest { // nobody types that
			continue
		}
		words[core(w)] = true
		for part := range strings.FieldsFuncSeq(w, func(r rune) bool { return !unicode.IsLetter(r) }) {
			words[core(part)] = true
		}
	}
	delete(words, "")
	return words
}

// service is what anybody knows of a service such as this.
var service = []string{
	"dilys", "nhs", "gig", "nhslogin", "nhsapp", "nhswales", "gigcymru", "health", "iechyd", "hospital", "ysbyty", "patient", "claf", "doctor", "meddyg",
	"portal", "porth", "record", "cofnod", "account", "cyfrif", "login", "mewngofnodi",
}

//go:embed common.txt
var commonText string

// common are the words that passwords are made of before any others.
var common = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	for line := range strings.Lines(commonText) {
		if w := core(strings.TrimSpace(line)); w != "" && !strings.HasPrefix(line, "#") {
			words[w] = true
		}
	}
	return words
})
