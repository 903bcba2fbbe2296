package token

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Every algorithm, both ways, against an implementation that is not ours.
func TestSignaturesAgreeWithGoJose(t *testing.T) {
	pair := rsaKey()
	keyFor := map[Alg]crypto.Signer{
		jose.ES256: newECKey(t, elliptic.P256()), jose.ES384: newECKey(t, elliptic.P384()), jose.ES512: newECKey(t, elliptic.P521()),
		jose.RS256: pair, jose.RS384: pair, jose.RS512: pair, jose.PS256: pair, jose.PS384: pair, jose.PS512: pair,
	}
	for alg, key := range keyFor {
		t.Run(string(alg), func(t *testing.T) {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
			if err != nil {
				t.Fatal(err)
			}
			object, err := signer.Sign([]byte(testBody))
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := object.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := parse(theirs, []Alg{alg})
			if err != nil || !parsed.signedBy(key.Public()) {
				t.Errorf("theirs: wanted it accepted, got %v", err)
			}
			parsed.sig[0] ^= 1
			if parsed.signedBy(key.Public()) {
				t.Error("theirs, altered: wanted a refusal")
			}
			parsed.sig[0] ^= 1
			for other := range keyFor { // one RSA key fits six: the signature tells them apart
				parsed.alg = other
				if got := parsed.signedBy(key.Public()); got != (other == alg) {
					t.Errorf("theirs, said to be %s: got accepted %v", other, got)
				}
			}
			ours, err := sign(key, header{Alg: alg, Typ: TypeID}, map[string]string{"sub": "somebody"})
			if err != nil {
				t.Fatal(err)
			}
			object, err = jose.ParseSignedCompact(ours, []Alg{alg})
			if err != nil {
				t.Fatal(err)
			}
			if payload, err := object.Verify(key.Public()); err != nil || string(payload) != testBody {
				t.Errorf("ours: wanted it accepted, got %v", err)
			}
		})
	}
}

// A key signs by its own algorithms alone, and a PSS salt has the one length of RFC
// 7518 §3.5.
func TestSignatureKeepsToTheKey(t *testing.T) {
	ec, pair := newECKey(t, elliptic.P256()), rsaKey()
	for name, row := range map[string]struct {
		key crypto.Signer
		alg Alg
	}{
		"RSA by ES256":   {pair, ES256},
		"P-256 by RS256": {ec, RS256},
		"P-256 by ES384": {ec, jose.ES384},
		"RSA by none":    {pair, "none"},
		"RSA by HS256":   {pair, jose.HS256},
		"no key":         {nil, ES256},
	} {
		if sig, err := signature(row.key, row.alg, []byte("x")); err == nil || sig != nil {
			t.Errorf("%s: wanted an error, got none", name)
		}
	}
	short, err := pair.Sign(rand.Reader, digest(PS256, []byte("x")), &rsa.PSSOptions{SaltLength: 8, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	if (jws{alg: PS256, input: "x", sig: short}).signedBy(&pair.PublicKey) {
		t.Error("PS256 with a salt of 8 bytes: wanted a refusal")
	}
}
