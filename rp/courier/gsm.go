package courier

import "strings"

// The alphabet of a text message (3GPP TS 23.038 §6.2.1): the default table, one
// septet a character, and its extension, two.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// segment is how many septets one SMS holds (3GPP TS 23.040 §9.2.3.16).
const segment = 160

// septets returns how many septets the text takes, and whether every character of
// it is in the alphabet.
func septets(s string) (n int, ok bool) {
	for _, r := range s {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			n++
		case strings.ContainsRune(gsmExtended, r):
			n += 2
		default:
			return 0, false
		}
	}
	return n, true
}

// plainLetters writes what names have and texts have not: the circumflex of
// Welsh, other accents, and the typographer's marks.
var plainLetters = strings.NewReplacer(
	"â", "a", "ê", "e", "î", "i", "ô", "o", "û", "u", "ŵ", "w", "ŷ", "y",
	"Â", "A", "Ê", "E", "Î", "I", "Ô", "O", "Û", "U", "Ŵ", "W", "Ŷ", "Y",
	"á", "a", "í", "i", "ó", "o", "ú", "u", "ẃ", "w", "ý", "y", "ẁ", "w", "ỳ", "y", "ë", "e", "ï", "i", "ẅ", "w", "ÿ", "y", "ç", "c",
	"Á", "A", "À", "A", "È", "E", "Ë", "E", "Í", "I", "Ì", "I", "Ï", "I", "Ó", "O", "Ò", "O", "Ú", "U", "Ù", "U",
	"’", "'", "‘", "'", "“", `"`, "”", `"`, "–", "-", "—", "-", "…", "...", "\u00a0", " ",
)

// cut returns the text within that many septets: whole if it fits, else its first
// whole words with two full stops, else as much of the first word as there is room
// for. The text is in the alphabet.
func cut(s string, room int) string {
	const mark = ".."
	if n, _ := septets(s); n <= room {
		return s
	}
	within, used := "", 0
	for _, r := range s {
		n, _ := septets(string(r))
		if used += n; used > room-len(mark) {
			break
		}
		within += string(r)
	}
	if within == "" {
		return ""
	}
	if at := strings.LastIndexByte(within, ' '); at > 0 && !strings.HasPrefix(s[len(within):], " ") {
		within = within[:at]
	}
	return strings.TrimRight(within, " ,-&") + mark
}
