package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
)

// redacted is all that a printed secret shows.
const redacted = "REDACTED"

// Secret is a string that cannot be printed by accident: fmt, slog and JSON show
// REDACTED. [Secret.Reveal] is the one way to the value, so a search for it finds
// every place where a secret leaves its type.
type Secret string

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// Equal reports whether two secrets are the same, in time that does not depend on
// where they differ. An empty secret equals nothing, not even another empty one.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && s != ""
}

// Digest returns the SHA-256 of the secret: what a store keeps in its place. It
// suits high-entropy secrets only (tokens of [NewToken]), never passwords or
// short codes.
func (s Secret) Digest() Digest { return sha256.Sum256([]byte(s)) }

// String shows REDACTED.
func (Secret) String() string { return redacted }

// Format shows REDACTED for every verb, %#v and %x included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue shows REDACTED.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON shows REDACTED; what must be stored is revealed and sealed instead.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Digest is the SHA-256 of a high-entropy secret. It may be stored and compared;
// it does not lead back to the secret.
type Digest [sha256.Size]byte

// IsZero reports whether no secret was digested.
func (d Digest) IsZero() bool { return d == Digest{} }

// Text writes the digest as [ParseDigest] reads it: in unpadded base64url.
func (d Digest) Text() string { return base64.RawURLEncoding.EncodeToString(d[:]) }

// ParseDigest reads what [Digest.Text] wrote; false for anything else.
func ParseDigest(s string) (Digest, bool) {
	if !Secret(s).IsToken() { // it has the same shape
		return Digest{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return Digest{}, false
	}
	return Digest(b), true
}

// tokenBytes is 256 bits: beyond any guessing (ASVS 7.2.3 asks for 128).
const tokenBytes = 32

// NewToken returns 256 random bits in unpadded base64url, 43 characters.
func NewToken() Secret {
	b := make([]byte, tokenBytes)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return Secret(base64.RawURLEncoding.EncodeToString(b))
}

// NewID returns 128 random bits in unpadded base64url, 22 characters, the first
// of them no hyphen: a name for a row that is unguessable but not a credential.
// Operators give it to commands, where a leading hyphen would read as a flag.
func NewID() string {
	b := make([]byte, 16)
	for {
		_, _ = rand.Read(b)
		if id := base64.RawURLEncoding.EncodeToString(b); id[0] != '-' {
			return id
		}
	}
}

// IsToken reports whether the secret has the one shape that [NewToken] gives: a
// longer, shorter or differently spelled one is refused before it is looked up
// (ASVS 7.2.3).
func (s Secret) IsToken() bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(s))
	return err == nil && len(b) == tokenBytes && len(s) == base64.RawURLEncoding.EncodedLen(tokenBytes) // the decoder skips line ends
}
