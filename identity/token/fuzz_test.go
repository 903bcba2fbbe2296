package token

import (
	"crypto/elliptic"
	"strings"
	"testing"
)

// Only what we signed is believed, in the one spelling it was given.
func FuzzVerifyAccess(f *testing.F) {
	h := newHouse(f)
	good := h.access(f)
	header, rest, _ := strings.Cut(good, ".")
	for _, seed := range []string{
		good, h.id(f), "", ".", "..", "...", header, header + "..", header + "." + rest + ".AA.AA",
		compact(`{"alg":"none"}`, `{}`, nil), compact(`{"alg":"ES256","crit":["b64"],"b64":false}`, `{}`, make([]byte, 64)),
		compact(`{"alg":"ES256","jwk":{"kty":"EC"}}`, `{}`, []byte("x")), compact(`{"alg":"ES256","x5c":["AAAA"]}`, `[]`, []byte("x")),
		swapClaims(good, h.id(f)), good + "\n", good[:len(good)-1],
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		claims, err := h.own.AccessToken(t.Context(), raw, testAudience)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if i := strings.LastIndexByte(good, '.'); !strings.HasPrefix(raw, good[:i]) || claims.ClientID != testClient {
			t.Errorf("believed what we did not sign: %q", raw)
		}
	})
}

// Whatever the document, the keys of it are few, public, strong and of our algs.
func FuzzKeySet(f *testing.F) {
	ec, pair := newECKey(f, elliptic.P256()), rsaKey()
	for _, seed := range [][]byte{
		jwks(f, jwk(&ec.PublicKey, "a", ES256, "sig"), jwk(&pair.PublicKey, "b", RS512, "")),
		jwks(f, jwk(&ec.PublicKey, "a", "", "enc")), jwks(f), []byte(`{"keys":null}`), []byte(`{"keys":[null]}`), []byte("<html>"),
		[]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`),
		[]byte(`{"keys":[{"kty":"EC","x5c":["AAAA"],"x5u":"http://[","key_ops":[1]}]}`), nil,
	} {
		f.Add(seed)
	}
	algs := []Alg{ES256, RS512}
	f.Fuzz(func(t *testing.T, doc []byte) {
		keys, err := parseKeySet(doc, algs)
		if (err == nil) == (len(keys) == 0) || len(keys) > maxKeys || len(doc) > MaxKeySetBytes && err == nil {
			t.Fatalf("wanted keys or an error, got %d keys, %v", len(keys), err)
		}
		for _, key := range keys {
			if !key.IsPublic() || !fits(ES256, key.Key) && !fits(RS512, key.Key) || key.CertificatesURL != nil || key.Certificates != nil {
				t.Errorf("a key that must not be used: %+v", key)
			}
		}
	})
}

// Whatever the file, there is a whole key or an error without its content.
func FuzzParseSigningKey(f *testing.F) {
	f.Add(pemOf(f, newECKey(f, elliptic.P256())))
	f.Add(pemOf(f, rsaKey()))
	f.Add(jsonOf(f, jwk(rsaKey(), "k", RS512, "sig")))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","d":"AA","x":"AA","y":"AA"}`))
	f.Add([]byte("-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := ParseSigningKey(text)
		if err != nil {
			return
		}
		if !fits(key.Alg(), key.Public()) {
			t.Errorf("a key that does not fit its algorithm: %v", key)
		}
	})
}
