package password

import (
	"slices"
	"strings"
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
// knows the patient: names, address, birth date (2007-03-27), numbers, the service.
//
// What is refused is what falls within about a million guesses: it would fall to
// somebody who guesses against the service for long enough, limits or none. One word
// of a dictionary falls, and two of the commonest thousand; three words, of which
// somebody thought, are a passphrase. The whole password is compared, never a part
// of it. There is no rule of composition, and none expires: both make people choose
// worse ones (NIST SP 800-63B §3.1.1.2).
func Judge(pw identity.Secret, context []string) Fault {
	if tooLong(pw) {
		return TooLong
	}
	text := norm.NFC.String(pw.Reveal())
	if utf8.RuneCountInString(text) < Shortest {
		return TooShort
	}
	text = folded(text)
	known, numbers, read := contextWords(context), contextNumbers(context), readings(text)
	switch {
	case ofContext(text, read, known, numbers):
		return Context
	case monotone(text), ofCommonWords(text, read):
		return Common
	}
	return ""
}

// mostBytes is more than a password of [Longest] takes in any spelling: the longest
// way to write one composed code point is four decomposed ones.
const mostBytes = Longest * 4 * utf8.UTFMax

// tooLong refuses what nobody can have as a password. What is longer than any
// spelling of the longest is refused before anything is made of it.
func tooLong(pw identity.Secret) bool {
	return len(pw) > mostBytes || utf8.RuneCountInString(norm.NFC.String(pw.Reveal())) > Longest
}

// ofContext reports whether the password is made of what is known of the patient and
// the service, with one common word at the most, or of one of the patient's numbers
// and a word.
func ofContext(text string, read []string, known words, numbers []string) bool {
	if slices.ContainsFunc(read, func(r string) bool {
		n, spelt := fewest(r, known, commonest())
		return spelt && (n == 0 || n == 1 && !commonest()[r])
	}) {
		return true
	}
	digits := strings.Map(digitsOnly, text)
	if !slices.ContainsFunc(numbers, func(n string) bool { return strings.Contains(digits, n) }) {
		return false
	}
	letters := strings.Map(lettersOnly, text)
	return utf8.RuneCountInString(letters) <= few || dictionary().has(letters)
}

// shortestWord is from how many letters on a word is one: fewer are found in anything.
const shortestWord = 3

// ofCommonWords reports whether the password is one word and the signs that people
// put around it, that word backwards, or two of the commonest words. Where the signs
// are neither few nor usual, it takes a common word that is half of it: a manager's
// password may well have three letters that are a word.
func ofCommonWords(text string, read []string) bool {
	usual, half := usualSigns(text), utf8.RuneCountInString(text)/2
	return slices.ContainsFunc(read, func(r string) bool {
		n := utf8.RuneCountInString(r)
		switch {
		case n < shortestWord:
			return false
		case usual && (dictionary().has(r) || dictionary().has(backwards(r))):
			return true
		}
		return (usual || n >= half) && common(r)
	})
}

// common reports whether the word is one of the common ones, two of the commonest, or
// a walk along the keyboard.
func common(word string) bool {
	back := backwards(word)
	n, spelt := fewest(word, nil, commonest())
	return spelt && n <= 2 || commonest()[back] || passwords().has(word) || passwords().has(back) ||
		len(word) >= walkedWord && walks(word)
}

// few is how many signs or letters beside something else make it no better.
const few = 4

// walkedWord is from how many letters on a walk along the keyboard stands for a word.
const walkedWord = 6

// usualSigns reports whether what is no letter in the password is what people add to
// a word: a year, an exclamation, 123456.
func usualSigns(text string) bool {
	signs := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	return utf8.RuneCountInString(signs) <= few || utf8.RuneCountInString(once(signs)) == 1 || walks(signs)
}

// contextWords are the words that speak of the patient or the service, whole and in
// their parts.
func contextWords(context []string) words {
	known := words{}
	for _, w := range slices.Concat(service, context) {
		if len(w) > mostBytes { // nobody types that
			continue
		}
		w = folded(w)
		for _, r := range readings(w) {
			known[r] = true
		}
		for part := range strings.FieldsFuncSeq(w, func(r rune) bool { return !unicode.IsLetter(r) }) {
			known[part] = true
		}
	}
	for w := range known {
		if utf8.RuneCountInString(w) < 2 { // an initial is in everything
			delete(known, w)
		}
	}
	return known
}

// service is what anybody knows of a service such as this.
var service = []string{
	"dilys", "nhs", "gig", "nhslogin", "nhsapp", "nhswales", "gigcymru", "health", "iechyd", "hospital", "ysbyty", "patient", "claf", "doctor", "meddyg",
	"surgery", "meddygfa", "portal", "porth", "record", "cofnod", "account", "cyfrif", "login", "mewngofnodi", "wellbeing", "lles",
}

// contextNumbers are the patient's numbers and birth date as people type them.
func contextNumbers(context []string) []string {
	const fewest = 6 // fewer are in anything
	var all []string
	for _, w := range context {
		day, err := identity.ParseBirthDate(w)
		if err == nil {
			for _, form := range []string{"02012006", "020106", "212006", "2106", "20060102", "060102", "01022006", "010206"} {
				all = append(all, day.Day().Format(form))
			}
			continue
		}
		all = append(all, strings.Map(digitsOnly, w))
	}
	return slices.DeleteFunc(all, func(n string) bool { return len(n) < fewest })
}

func digitsOnly(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

func lettersOnly(r rune) rune {
	if unicode.IsLetter(r) {
		return r
	}
	return -1
}
