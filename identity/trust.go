package identity

import (
	"fmt"
	"slices"
	"strings"
)

// Proofing is how sure we are that the account belongs to the person it names:
// the P component of a vector of trust (RFC 8485 §2.1), with the levels of
// DAPB3051 (low, medium, high).
type Proofing uint8

// The levels, in rising order. The zero value is the lowest.
const (
	P0 Proofing = 0 // contact details proved; opens nothing of a record
	P5 Proofing = 5 // details matched to the register; may hand something in
	P9 Proofing = 9 // identity proved by photo ID or its like; may read
)

// String returns the component as it stands in a vector: P0, P5 or P9.
func (p Proofing) String() string { return fmt.Sprintf("P%d", uint8(p)) }

// ParseProofing reads P0, P5 or P9; nothing else.
func ParseProofing(s string) (Proofing, error) {
	for _, p := range []Proofing{P0, P5, P9} {
		if s == p.String() {
			return p, nil
		}
	}
	return P0, fmt.Errorf("identity proofing level: wanted P0, P5 or P9, got %.16q", s)
}

// Credential is the C components of a vector of trust: the authenticators used,
// as a set of bits.
type Credential uint8

// The components (RFC 8485 §2.2, with the letters of NHS login).
const (
	Cp Credential = 1 << iota // password
	Cd                        // code to a registered phone, a printed code, or a remembered browser
	Ck                        // shared key in a device (TOTP)
	Cm                        // asymmetric key in a device (passkey with user verification)
)

// credentialLetters is the canonical order in a written vector.
var credentialLetters = [...]struct {
	c    Credential
	text string
}{{Cp, "Cp"}, {Cd, "Cd"}, {Ck, "Ck"}, {Cm, "Cm"}}

// Has reports whether every component of part is in c.
func (c Credential) Has(part Credential) bool { return c&part == part }

// Satisfies reports whether the held credentials are as strong as the asked ones:
// Cm satisfies every part; Cp.Ck satisfies Cp.Cd and Cp; Cp.Cd satisfies Cp and
// Cd; else the same letters. Nothing held satisfies nothing asked, not even
// nothing.
func (c Credential) Satisfies(asked Credential) bool {
	switch {
	case c == 0 || asked == 0:
		return false
	case c == asked, c.Has(Cm):
		return true
	case c.Has(Cp|Ck) && (asked == Cp|Cd || asked == Cp):
		return true
	}
	return c.Has(Cp|Cd) && (asked == Cp || asked == Cd)
}

// Strong reports whether the credentials are strong authentication: Cm, or Cp
// with Cd or Ck.
func (c Credential) Strong() bool {
	return c.Has(Cm) || c.Has(Cp|Cd) || c.Has(Cp|Ck)
}

// Trust is a vector of trust (RFC 8485): how sure we are of the person and of the
// hand on the keyboard. The zero value is P0 with no credential and satisfies
// nothing.
type Trust struct {
	P Proofing
	C Credential
}

// ParseTrust reads a vector such as P9.Cp.Cd: the P component first, then one or
// more C components, each once, in the order p, d, k, m.
func ParseTrust(s string) (Trust, error) {
	fault := fmt.Errorf("vector of trust: wanted one such as P9.Cp.Cd, got %.40q", s)
	if len(s) > len("P9.Cp.Cd.Ck.Cm") {
		return Trust{}, fault
	}
	parts := strings.Split(s, ".")
	p, err := ParseProofing(parts[0])
	if err != nil || len(parts) < 2 {
		return Trust{}, fault
	}
	t := Trust{P: p}
	for _, part := range parts[1:] {
		for _, l := range credentialLetters {
			if l.text == part {
				t.C |= l.c
			}
		}
	}
	if t.String() != s { // unknown, twice or out of order: one vector has one spelling
		return Trust{}, fault
	}
	return t, nil
}

// String writes the vector as RFC 8485 §3.1 does, its components joined by dots.
func (t Trust) String() string {
	parts := []string{t.P.String()}
	for _, l := range credentialLetters {
		if t.C.Has(l.c) {
			parts = append(parts, l.text)
		}
	}
	return strings.Join(parts, ".")
}

// MarshalText writes the vector.
func (t Trust) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote, the zero vector included.
func (t *Trust) UnmarshalText(b []byte) error {
	if string(b) == (Trust{}).String() {
		*t = Trust{}
		return nil
	}
	v, err := ParseTrust(string(b))
	if err == nil {
		*t = v
	}
	return err
}

// Satisfies reports whether the held vector is enough for the asked one: P as
// high and the credential part as strong ([Credential.Satisfies]).
func (t Trust) Satisfies(asked Trust) bool {
	return t.P >= asked.P && t.C.Satisfies(asked.C)
}

// SatisfiesAny reports whether the held vector is enough for one of the asked
// ones. An empty list asks for what nobody can hold: it is never satisfied.
func (t Trust) SatisfiesAny(asked []Trust) bool {
	return slices.ContainsFunc(asked, t.Satisfies)
}

// JoinTrust writes vectors after one another: with a space between them it is the text of
// acr_values (OpenID Connect Core 1.0 §3.1.2.1).
func JoinTrust(vectors []Trust, between string) string {
	all := make([]string, len(vectors))
	for i, v := range vectors {
		all[i] = v.String()
	}
	return strings.Join(all, between)
}
