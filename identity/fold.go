package identity

import (
	"slices"
	"strings"
	"unicode"
)

// plainLetters are the letters of the Latin alphabets of Europe and Vietnam that
// fold to one of the twenty-six: with accents, strokes, hooks or tails, Welsh ŵ
// and ŷ among them. A letter and its accent as two characters fold by the accent
// falling away.
var plainLetters = map[rune]string{
	'a': "àáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặẚ",
	'b': "ḃḅḇƀƃɓ",
	'c': "çćĉċčḉƈȼ",
	'd': "ďḋḍḏḑḓðđɖɗƌ",
	'e': "èéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệǝəɇ",
	'f': "ḟƒ",
	'g': "ĝğġģǧǵḡǥɠ",
	'h': "ĥȟḣḥḧḩḫẖħ",
	'i': "ìíîïĩīĭįǐȉȋḭḯỉịıɨ",
	'j': "ĵǰɉȷ",
	'k': "ķǩḱḳḵƙĸ",
	'l': "ĺļľḷḹḻḽłŀƚ",
	'm': "ḿṁṃ",
	'n': "ñńņňǹṅṇṉṋŋŉɲƞ",
	'o': "òóôõöøōŏőơǒǫǭǿȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợ",
	'p': "ṕṗƥ",
	'r': "ŕŗřȑȓṙṛṝṟɍ",
	's': "śŝşšșṡṣṥṧṩſẛ",
	't': "ţťțṫṭṯṱẗŧƭ",
	'u': "ùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữựʉ",
	'v': "ṽṿ",
	'w': "ŵẁẃẅẇẉẘ",
	'x': "ẋẍ",
	'y': "ýÿŷȳẏẙỳỵỷỹƴɏ",
	'z': "źżžẑẓẕƶȥ",
}

// pairs are the letters that fold to two.
var pairs = map[rune]string{
	'ß': "ss", 'æ': "ae", 'ǽ': "ae", 'ǣ': "ae", 'œ': "oe", 'þ': "th",
	'ĳ': "ij", 'ǆ': "dz", 'ǳ': "dz", 'ǉ': "lj", 'ǌ': "nj", 'ỻ': "ll",
}

// spelledOut are the letters that people without them on their keyboard also
// write as two: Müller is Mueller, Sørensen Soerensen (DIN 5007, variant 2).
var spelledOut = map[rune]string{'ä': "ae", 'ö': "oe", 'ü': "ue", 'å': "aa", 'ø': "oe"}

// folded is what every letter folds to that is not its own.
var folded = func() map[rune]string {
	all := map[rune]string{}
	for plain, letters := range plainLetters {
		for _, r := range letters {
			all[r] = string(plain)
		}
	}
	for r, two := range pairs {
		all[r] = two
	}
	return all
}()

// What people write inside a name without meaning a gap.
const silent = "'’‘‛ʼʻʹ`´′＇" + // apostrophes
	"\u0640" // the Arabic stretching of a line

// isMark reports whether r is an accent that stands behind its letter, or a vowel
// sign of Hebrew or Arabic, which are written or left out at will. Vowel signs of
// other scripts are letters.
func isMark(r rune) bool {
	return r >= 0x300 && r <= 0x36f || r >= 0x591 && r <= 0x5c7 && unicode.Is(unicode.Mn, r) || r >= 0x64b && r <= 0x65f || r == 0x670
}

// narrow returns the ordinary form of a letter of full width.
func narrow(r rune) rune {
	const wide, ordinary = 'Ａ', 'A'
	if r >= wide && r <= 'ｚ' {
		return r - wide + ordinary
	}
	return r
}

// foldWords returns the words of a name in small letters without accents, after
// what first has for a letter. Hyphens, gaps and pictures part words; apostrophes
// and what cannot be seen do not.
func foldWords(s string, first map[rune]string) []string {
	var b strings.Builder
	for _, r := range s {
		r = unicode.ToLower(narrow(r))
		two, is := first[r]
		if !is {
			two, is = folded[r]
		}
		switch {
		case is:
			b.WriteString(two)
		case isMark(r), unicode.Is(unicode.Cf, r), strings.ContainsRune(silent, r):
		case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Fields(b.String())
}

// Forms returns what equality of names is asked of: two names are one where they
// have a form in common. A form is the name's letters in small, without accents,
// apostrophes, hyphens and gaps, as they come and with the words in alphabetical
// order: Siân-Mair, SIAN MAIR and Mair Siân are one. A name without a letter has
// none, and is nobody's.
func (n Name) Forms() []string {
	var all []string
	for _, first := range []map[rune]string{nil, spelledOut} {
		words := foldWords(n.Reveal(), first)
		for range 2 {
			if form := strings.Join(words, ""); form != "" && !slices.Contains(all, form) {
				all = append(all, form)
			}
			slices.Sort(words)
		}
	}
	return all
}
