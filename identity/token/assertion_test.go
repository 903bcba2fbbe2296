package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func pemBlock(t testing.TB, kind string, der []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pemOf(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemBlock(t, "PRIVATE KEY", der, err)
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseSigningKey(t *testing.T) {
	ec, pair := newECKey(t, elliptic.P256()), rsaKey()
	sec1, err := x509.MarshalECPrivateKey(ec)
	sec1PEM := pemBlock(t, "EC PRIVATE KEY", sec1, err)
	curve := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	for name, row := range map[string]struct {
		text []byte
		alg  Alg
		kid  string
	}{
		"RSA, PKCS #8":               {pemOf(t, pair), RS512, ""},
		"RSA, PKCS #1":               {pemBlock(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(pair), nil), RS512, ""},
		"P-256, PKCS #8":             {pemOf(t, ec), ES256, ""},
		"P-256, SEC 1":               {sec1PEM, ES256, ""},
		"P-256, after its curve":     {append(curve, sec1PEM...), ES256, ""},
		"with words before":          {append([]byte("Bag Attributes\n"), pemOf(t, pair)...), RS512, ""},
		"RSA, JWK":                   {jsonOf(t, jose.JSONWebKey{Key: pair}), RS512, ""},
		"RSA, JWK with kid":          {jsonOf(t, jose.JSONWebKey{Key: pair, KeyID: "key-1"}), RS512, "key-1"},
		"RSA, JWK that says PS256":   {jsonOf(t, jose.JSONWebKey{Key: pair, KeyID: "key-1", Algorithm: "PS256"}), PS256, "key-1"},
		"P-256, JWK in white space":  {append([]byte(" \n"), append(jsonOf(t, jose.JSONWebKey{Key: ec}), '\n')...), ES256, ""},
		"P-256, JWK that says ES256": {jsonOf(t, jose.JSONWebKey{Key: ec, Algorithm: "ES256"}), ES256, ""},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := ParseSigningKey(row.text)
			if err != nil {
				t.Fatal(err)
			}
			if key.Alg() != row.alg || key.KeyID() != row.kid || !fits(row.alg, key.Public()) {
				t.Errorf("wanted %s with kid %q, got %v", row.alg, row.kid, key)
			}
		})
	}
}

func TestParseSigningKeyRefuses(t *testing.T) {
	ec, p384, pair := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P384()), rsaKey()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&pair.PublicKey)
	publicPEM := pemBlock(t, "PUBLIC KEY", public, err)
	locked := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x")})
	for name, row := range map[string]struct {
		text []byte
		says string
	}{
		"nothing":                      {nil, "PEM or JWK"},
		"words":                        {[]byte("my key"), "PEM or JWK"},
		"PEM cut short":                {pemOf(t, pair)[:400], "PEM or JWK"},
		"PEM of nonsense":              {pemBlock(t, "PRIVATE KEY", []byte("x"), nil), "in DER"},
		"public key":                   {publicPEM, "private key"},
		"certificate":                  {pemBlock(t, "CERTIFICATE", []byte("x"), nil), "private key"},
		"PKCS #8 under a passphrase":   {pemBlock(t, "ENCRYPTED PRIVATE KEY", []byte("x"), nil), "private key"},
		"PKCS #1 under a passphrase":   {locked, "without passphrase"},
		"two keys":                     {append(pemOf(t, pair), pemOf(t, ec)...), "one key"},
		"RSA of 1024 bits":             {pemOf(t, weak), "2048 bits"},
		"P-384":                        {pemOf(t, p384), "P-256"},
		"JWK: nonsense":                {[]byte(`{"kty":"RSA"}`), "JWK"},
		"JWK: broken":                  {[]byte(`{`), "JWK"},
		"JWK: a set":                   {jsonOf(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pair}}}), "JWK"},
		"JWK: public":                  {jsonOf(t, jose.JSONWebKey{Key: &pair.PublicKey}), "private key"},
		"JWK: oct":                     {[]byte(`{"kty":"oct","k":"c2VjcmV0"}`), "RSA or P-256"},
		"JWK: RSA that says ES256":     {jsonOf(t, jose.JSONWebKey{Key: pair, Algorithm: "ES256"}), "ES256 with a P-256 key"},
		"JWK: RSA that says HS256":     {jsonOf(t, jose.JSONWebKey{Key: pair, Algorithm: "HS256"}), "RS512 or PS256"},
		"JWK: kid too long":            {jsonOf(t, jose.JSONWebKey{Key: pair, KeyID: strings.Repeat("k", 300)}), "kid"},
		"a file that is no single key": {make([]byte, maxKeyFile+1), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := ParseSigningKey(row.text)
			if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("wanted one line with %q, got %v", row.says, err)
			}
			if key.signer != nil {
				t.Error("wanted no key with the error")
			}
		})
	}
}

// Every alg, read back by the library that providers may use.
func TestNewAssertion(t *testing.T) {
	pair, err := ParseSigningKey(pemOf(t, rsaKey()))
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ParseSigningKey(pemOf(t, newECKey(t, elliptic.P256())))
	if err != nil {
		t.Fatal(err)
	}
	pss, err := pair.WithKeyID("k 1").WithAlg(PS256)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, key := range []AssertionKey{pair, pss, ec} {
		raw, err := NewAssertion(key, "dilys", "https://auth.example/token", testStart, 2*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{key.Alg()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Verify(key.Public()); err != nil {
			t.Errorf("%v: %v", key, err)
		}
		if h := parsed.Signatures[0].Header; h.KeyID != key.KeyID() || h.ExtraHeaders["typ"] != "JWT" {
			t.Errorf("%v: header: got %+v", key, h)
		}
		if _, there := segment(t, raw, 0)["kid"]; there != (key.KeyID() != "") {
			t.Errorf("%v: wanted a kid only where there is one", key)
		}
		got := segment(t, raw, 1)
		jti := got["jti"].(string)
		if seen[jti] || len(jti) < 22 {
			t.Errorf("%v: jti: wanted a fresh one, got %q", key, jti)
		}
		seen[jti] = true
		want := map[string]any{
			"iss": "dilys", "sub": "dilys", "aud": "https://auth.example/token", "jti": jti,
			"iat": float64(testStart.Unix()), "exp": float64(testStart.Add(2 * time.Minute).Unix()),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: claims (-want +got):\n%s", key, diff)
		}
	}
}

func TestNewAssertionRefuses(t *testing.T) {
	key, err := ParseSigningKey(pemOf(t, newECKey(t, elliptic.P256())))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() (string, error){
		"over 5 minutes": func() (string, error) { return NewAssertion(key, "c", "a", testStart, MaxAssertionLife+1) },
		"no life":        func() (string, error) { return NewAssertion(key, "c", "a", testStart, 0) },
		"negative life":  func() (string, error) { return NewAssertion(key, "c", "a", testStart, -time.Minute) },
		"no client":      func() (string, error) { return NewAssertion(key, "", "a", testStart, time.Minute) },
		"no audience":    func() (string, error) { return NewAssertion(key, "c", "", testStart, time.Minute) },
		"no key":         func() (string, error) { return NewAssertion(AssertionKey{}, "c", "a", testStart, time.Minute) },
		"login: no jti":  func() (string, error) { return AssertedLoginIdentity(key, "c", "", testStart) },
		"login: no id":   func() (string, error) { return AssertedLoginIdentity(key, "", "j", testStart) },
	} {
		if raw, err := f(); err == nil || raw != "" {
			t.Errorf("%s: wanted an error, got none", name)
		}
	}
	for _, alg := range []Alg{RS512, PS256, "none", "HS256", ""} {
		if _, err := key.WithAlg(alg); err == nil {
			t.Errorf("P-256 by %q: wanted an error, got none", alg)
		}
	}
}

func TestAssertedLoginIdentity(t *testing.T) {
	key, err := ParseSigningKey(pemOf(t, rsaKey()))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := AssertedLoginIdentity(key, "dilys", "jti-of-the-id-token", testStart)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(raw, []Alg{RS512}); err != nil {
		t.Fatal(err)
	}
	got := segment(t, raw, 1)
	want := map[string]any{
		"code": "jti-of-the-id-token", "iss": "dilys", "jti": got["jti"],
		"iat": float64(testStart.Unix()), "exp": float64(testStart.Add(time.Minute).Unix()),
	}
	if diff := cmp.Diff(want, got); diff != "" || got["jti"] == "jti-of-the-id-token" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestAssertionKeyDoesNotPrint(t *testing.T) {
	private := newECKey(t, elliptic.P256())
	key, err := ParseSigningKey(pemOf(t, private))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, key.WithKeyID("k1")); got != `client key ES256 kid="k1"` {
			t.Errorf("%s: got %s", verb, got)
		}
	}
	if !private.PublicKey.Equal(key.Public().(*ecdsa.PublicKey)) {
		t.Error("Public: wanted the public half of the key")
	}
}
