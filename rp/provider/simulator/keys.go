package simulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// rsaBits is the size NHS login asks of its clients' keys, and has itself.
const rsaBits = 2048

// signingKey is one key of the provider.
type signingKey struct {
	kid     string
	private crypto.Signer // *rsa.PrivateKey or *ecdsa.PrivateKey
}

func (k signingKey) jwk(alg string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.kid, Algorithm: alg, Use: "sig"}
}

// keyring holds the current key and the one before it. Keys are made when first
// needed: making one costs more than everything else at start.
type keyring struct {
	alg   string
	mu    sync.Mutex
	keys  []signingKey // newest first
	wrong map[string]signingKey
}

// current returns the key that signs.
func (r *keyring) current() (signingKey, error) {
	keys, err := r.published()
	if err != nil {
		return signingKey{}, err
	}
	return keys[0], nil
}

// published returns the keys of the key set, the current one first.
func (r *keyring) published() ([]signingKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) == 0 {
		k, err := newKey(r.alg)
		if err != nil {
			return nil, err
		}
		r.keys = []signingKey{k}
	}
	return append([]signingKey(nil), r.keys...), nil
}

// rotate makes a new current key and keeps the one before it published.
func (r *keyring) rotate() error {
	if _, err := r.published(); err != nil { // a key that never was cannot be the old one
		return err
	}
	k, err := newKey(r.alg)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = []signingKey{k, r.keys[0]}
	return nil
}

// foreign returns the key of one who is not this provider, for the algorithm.
func (r *keyring) foreign(alg string) (signingKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.wrong[alg]; ok {
		return k, nil
	}
	k, err := newKey(alg)
	if err != nil {
		return signingKey{}, err
	}
	if r.wrong == nil {
		r.wrong = map[string]signingKey{}
	}
	r.wrong[alg] = k
	return k, nil
}

func newKey(alg string) (signingKey, error) {
	private, err := newPrivate(alg)
	if err != nil {
		return signingKey{}, fmt.Errorf("signing key: %w", err)
	}
	return named(private)
}

// named gives a key its thumbprint (RFC 7638) as kid.
func named(private crypto.Signer) (signingKey, error) {
	sum, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return signingKey{}, fmt.Errorf("signing key: %w", err)
	}
	return signingKey{kid: b64(sum), private: private}, nil
}

func newPrivate(alg string) (crypto.Signer, error) {
	if strings.HasPrefix(alg, "ES") {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, rsaBits)
}

// hashes are the digests of the algorithms this provider can sign with.
var hashes = map[string]crypto.Hash{
	"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512,
	"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512,
	"ES256": crypto.SHA256,
}

// signature signs input as RFC 7518 §3 says for the algorithm. Written out here,
// as a library rightly refuses to make the tokens that a lying provider makes.
func signature(alg string, key crypto.Signer, input []byte) ([]byte, error) {
	hash, ok := hashes[alg]
	if !ok {
		return nil, fmt.Errorf("signature: wanted a known algorithm, got %.16q", alg)
	}
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		if err != nil {
			return nil, err
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
	case *rsa.PrivateKey:
		if strings.HasPrefix(alg, "PS") {
			return rsa.SignPSS(rand.Reader, k, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, k, hash, digest)
	}
	return nil, fmt.Errorf("signature: wanted an RSA or EC key, got %T", key)
}

func hmacSHA256(key, input []byte) []byte {
	m := hmac.New(crypto.SHA256.New, key)
	m.Write(input)
	return m.Sum(nil)
}

// sealer signs the bytes of a token; its header says how.
type sealer func(input []byte) ([]byte, error)

// compact writes a JWS in compact form (RFC 7515 §7.1). repeated members stand a
// second time at the end of the payload, which no JSON library would write.
func compact(header, claims, repeated map[string]any, seal sealer) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("token header: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("token claims: %w", err)
	}
	if len(repeated) > 0 {
		again, err := json.Marshal(repeated)
		if err != nil {
			return "", fmt.Errorf("token claims: %w", err)
		}
		payload = append(append(payload[:len(payload)-1], ','), again[1:]...)
	}
	input := b64(h) + "." + b64(payload)
	sig, err := seal([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + b64(sig), nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// issueToken signs the claims honestly, or as the fault says.
func (s *Simulator) issueToken(claims map[string]any, f *TokenFault) (string, error) {
	if f == nil {
		f = &TokenFault{}
	}
	if f.Raw != "" {
		return f.Raw, nil
	}
	key, err := s.keys.current()
	if err != nil {
		return "", err
	}
	header := map[string]any{"alg": s.keys.alg, "typ": "JWT", "kid": key.kid}
	seal, err := s.sealerFor(f.SignWith, key, header)
	if err != nil {
		return "", err
	}
	maps.Copy(header, f.Header)
	for _, name := range f.DropHeader {
		delete(header, name)
	}
	return compact(header, f.claims(claims, s.now()), f.Repeat, seal)
}

// sealerFor returns how a token is sealed and writes its part of the header. The
// empty name is the honest way.
func (s *Simulator) sealerFor(name string, key signingKey, header map[string]any) (sealer, error) {
	own := func(in []byte) ([]byte, error) { return signature(s.keys.alg, key.private, in) }
	switch name {
	case "":
		return own, nil
	case SignNone:
		header["alg"] = "none"
		return func([]byte) ([]byte, error) { return nil, nil }, nil
	case SignEmpty:
		return func([]byte) ([]byte, error) { return nil, nil }, nil
	case SignFlipped:
		return func(in []byte) ([]byte, error) {
			sig, err := own(in)
			if err == nil {
				sig[len(sig)/2] ^= 1
			}
			return sig, err
		}, nil
	case SignHMACPublic:
		header["alg"] = "HS256"
		secret, err := publicPEM(key.private.Public())
		return func(in []byte) ([]byte, error) { return hmacSHA256(secret, in), nil }, err
	case SignOct:
		header["alg"] = "HS256"
		return func(in []byte) ([]byte, error) { return hmacSHA256(octKey, in), nil }, nil
	case SignForeign, SignEmbedded:
		return s.foreignSealer(name == SignEmbedded, header)
	}
	return s.algSealer(name, key, header)
}

// foreignSealer signs with a key that is not published, under the kid of one that
// is; embedded puts it into the header for a verifier that believes it there
// (RFC 8725 §3.8).
func (s *Simulator) foreignSealer(embedded bool, header map[string]any) (sealer, error) {
	k, err := s.keys.foreign(s.keys.alg)
	if embedded {
		header["jwk"] = k.jwk(s.keys.alg)
	}
	return func(in []byte) ([]byte, error) { return signature(s.keys.alg, k.private, in) }, err
}

// algSealer signs by an algorithm other than the configured one, with a key that
// fits it. That key is published, so that only a rule on algorithms refuses it.
func (s *Simulator) algSealer(alg string, key signingKey, header map[string]any) (sealer, error) {
	if _, known := hashes[alg]; !known {
		return nil, fmt.Errorf("sign_with: wanted one of %s, got %.40q", strings.Join(signWays(), ", "), alg)
	}
	header["alg"] = alg
	if _, isRSA := key.private.(*rsa.PrivateKey); isRSA != strings.HasPrefix(alg, "ES") {
		return func(in []byte) ([]byte, error) { return signature(alg, key.private, in) }, nil
	}
	other, err := s.keys.foreign(alg)
	header["kid"] = other.kid
	return func(in []byte) ([]byte, error) { return signature(alg, other.private, in) }, err
}
