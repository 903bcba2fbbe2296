package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
)

// The work nobody can leave out: ES256 over as many bytes as a token signs.
func rawWork(b *testing.B) (*ecdsa.PrivateKey, []byte) {
	h := newHouse(b)
	return newECKey(b, elliptic.P256()), []byte(h.access(b))
}

func BenchmarkRawSign(b *testing.B) {
	key, text := rawWork(b)
	for b.Loop() {
		sum := sha256.Sum256(text)
		if _, err := ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIssue writes a whole access token, jti and claims included.
func BenchmarkIssue(b *testing.B) {
	h := newHouse(b)
	claims := testAccess(h.now())
	for b.Loop() {
		if _, _, err := h.issuer.AccessToken(ES256, claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawVerify(b *testing.B) {
	key, text := rawWork(b)
	sum := sha256.Sum256(text)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sum := sha256.Sum256(text)
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
			b.Fatal("refused")
		}
	}
}

// BenchmarkVerify reads a whole access token, every check included.
func BenchmarkVerify(b *testing.B) {
	h := newHouse(b)
	raw := h.access(b)
	for b.Loop() {
		if _, err := h.own.AccessToken(b.Context(), raw, testAudience); err != nil {
			b.Fatal(err)
		}
	}
}
