package identity

import (
	"crypto/rand"
	"strings"
)

// referenceAlphabet leaves out what people confuse when they read aloud or copy
// by hand: 0 O, 1 I L, S 5, B 8.
const referenceAlphabet = "234679ACDEFGHJKMNPQRTUVWXYZ"

// NewReference returns a name for one refusal, such as DIL-7F3K-Q2, that a
// patient can read out and an operator can look up. It opens nothing.
func NewReference() string {
	var b [6]byte
	for i := range b {
		b[i] = referenceAlphabet[randomBelow(len(referenceAlphabet))]
	}
	return "DIL-" + string(b[:4]) + "-" + string(b[4:])
}

// ParseReference reads a reference as a person types it: any case, with or
// without its hyphens and spaces. It reports whether it can be one.
func ParseReference(s string) (string, bool) {
	plain := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
	body, found := strings.CutPrefix(plain, "DIL")
	if !found || len(body) != 6 || strings.Trim(body, referenceAlphabet) != "" {
		return "", false
	}
	return "DIL-" + body[:4] + "-" + body[4:], true
}

// randomBelow returns a uniform number in [0, n) for n up to 256, refusing the
// bytes that would make the low numbers likelier.
func randomBelow(n int) int {
	limit := 256 - 256%n
	for {
		var b [1]byte
		_, _ = rand.Read(b[:])
		if int(b[0]) < limit {
			return int(b[0]) % n
		}
	}
}
