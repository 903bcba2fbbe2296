package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // hashOf
	_ "crypto/sha512" // hashOf
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Alg is a JWS signature algorithm by its registered name (RFC 7518 §3.1).
type Alg = jose.SignatureAlgorithm

// The algorithms that Dilys signs with: ES256 and RS256 its tokens; RS512, PS256
// and ES256 its client assertions.
const (
	ES256 Alg = jose.ES256
	RS256 Alg = jose.RS256
	RS512 Alg = jose.RS512
	PS256 Alg = jose.PS256
)

// The caps of what is looked at: whatever is longer is refused unread, so that a
// hostile token costs next to nothing.
const (
	maxToken = 16 << 10
	maxKeyID = 256
)

// minRSABits is the least RSA modulus (RFC 7518 §3.3).
const minRSABits = 2048

var (
	// ErrRefused says that a token is not one to be believed: malformed, not
	// signed by a key of the set, of another kind, or for someone else. The text
	// around it says which, and holds nothing of the token but its algorithm and
	// type.
	ErrRefused = errors.New("token refused")
	// ErrNoKeys says that there is no key to judge by: none was ever fetched, or
	// the last good fetch is too old. It says nothing about the token.
	ErrNoKeys = errors.New("no keys to verify with")
)

// refused wraps ErrRefused with what was wanted and what came.
func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}

// jws is a parsed token whose signature nobody has looked at yet.
type jws struct {
	alg     Alg
	kid     string
	typ     string
	input   string // what was signed: header and payload as they came
	payload []byte
	sig     []byte
}

// Keys is where a [Verifier] finds public keys: a *[Ring] or a *[KeySet]. verify
// returns the payload that one of them signed; state is another value whenever the keys
// may be others.
type Keys interface {
	algs() []Alg
	state() any
	verify(ctx context.Context, t jws) ([]byte, error)
}

// parse reads a compact JWS whose algorithm is one of algs and whose header asks
// for nothing that we would have to follow, trust or understand.
func parse(raw string, algs []Alg) (jws, error) {
	if err := checkShape(raw); err != nil {
		return jws{}, err
	}
	parsed, err := jose.ParseSignedCompact(raw, algs)
	var alg *jose.ErrUnexpectedSignatureAlgorithm
	if errors.As(err, &alg) {
		return jws{}, refused("alg: wanted one of %v, got %.20q", algs, alg.Got)
	}
	if err != nil { // its text may quote the header: dropped
		return jws{}, refused("header: wanted a JWS protected header, got something else")
	}
	signed := parsed.Signatures[0]
	if err := checkHeader(signed.Header); err != nil {
		return jws{}, err
	}
	typ, _ := signed.Header.ExtraHeaders[jose.HeaderType].(string)
	return jws{
		alg: Alg(signed.Header.Algorithm), kid: signed.Header.KeyID, typ: typ,
		input:   raw[:strings.LastIndexByte(raw, '.')],
		payload: parsed.UnsafePayloadWithoutVerification(),
		sig:     signed.Signature,
	}, nil
}

// strictBase64 refuses set bits behind the last byte.
var strictBase64 = base64.RawURLEncoding.Strict()

// checkShape refuses what is too long, is not three segments (a JWE has five), or
// has a second spelling of the same bytes: Go's decoder skips line ends, and
// ignores the last bits of the last character unless it is strict.
func checkShape(raw string) error {
	if len(raw) > maxToken {
		return refused("token: wanted at most %d bytes, got %d", maxToken, len(raw))
	}
	if strings.Count(raw, ".") != 2 {
		return refused("token: wanted 3 segments, got %d", strings.Count(raw, ".")+1)
	}
	if strings.ContainsAny(raw, "\r\n") {
		return refused("token: wanted base64url, got a line end")
	}
	for segment := range strings.SplitSeq(raw, ".") {
		tail := segment[len(segment)&^3:] // the rest has one spelling anyway
		if _, err := strictBase64.DecodeString(tail); err != nil {
			return refused("token: wanted three segments of canonical base64url, got something else")
		}
	}
	return nil
}

// unwanted are header parameters that would lead us elsewhere for a key (jku,
// x5u), or change how the rest is read (crit, b64, zip, enc: RFC 7515 §4.1.11,
// RFC 7797, RFC 7516). We understand no extension, so crit is always unknown.
var unwanted = [...]jose.HeaderKey{"jku", "x5u", "crit", "b64", "zip", "enc"}

// noRoots trusts nobody.
var noRoots = x509.VerifyOptions{Roots: x509.NewCertPool()}

// checkHeader refuses a header that brings or names its own key, an extension, or
// an overlong kid.
func checkHeader(h jose.Header) error {
	for _, name := range unwanted {
		if _, there := h.ExtraHeaders[name]; there {
			return refused("header: wanted no %s, got one", name)
		}
	}
	if h.JSONWebKey != nil {
		return refused("header: wanted no jwk, got one")
	}
	if _, err := h.Certificates(noRoots); !errors.Is(err, jose.ErrMissingX5cHeader) {
		return refused("header: wanted no x5c, got one")
	}
	if len(h.KeyID) > maxKeyID {
		return refused("kid: wanted at most %d bytes, got %d", maxKeyID, len(h.KeyID))
	}
	return nil
}

// fits reports whether a key can sign by alg: an alg never chooses another kind of
// key than the one it was made for (RFC 8725 §3.1).
func fits(alg Alg, key any) bool {
	ec, _ := key.(*ecdsa.PublicKey)
	pair, _ := key.(*rsa.PublicKey)
	switch alg {
	case jose.ES256:
		return ec != nil && ec.Curve == elliptic.P256()
	case jose.ES384:
		return ec != nil && ec.Curve == elliptic.P384()
	case jose.ES512:
		return ec != nil && ec.Curve == elliptic.P521()
	case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
		return pair != nil && pair.N.BitLen() >= minRSABits
	}
	return false
}

// header is the protected header of what we sign (RFC 7515 §4.1).
type header struct {
	Alg Alg    `json:"alg"`
	Kid string `json:"kid,omitempty"`
	Typ string `json:"typ"`
}

// sign writes claims as a compact JWS (RFC 7515 §3.1). The signature itself is the
// cost: the rest is two small JSON documents and one buffer.
func sign(key crypto.Signer, h header, claims any) (string, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("token header: %w", err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("token claims: %w", err)
	}
	b64 := base64.RawURLEncoding
	out := make([]byte, 0, b64.EncodedLen(len(head)+len(body)+512)+4)
	out = append(b64.AppendEncode(out, head), '.')
	out = b64.AppendEncode(out, body)
	sig, err := signature(key, h.Alg, out)
	if err != nil {
		return "", err
	}
	return string(b64.AppendEncode(append(out, '.'), sig)), nil
}

// hashOf is the hash that alg signs (RFC 7518 §3.3 to §3.5); 0 for what is none.
func hashOf(alg Alg) crypto.Hash {
	switch alg {
	case jose.ES256, jose.RS256, jose.PS256:
		return crypto.SHA256
	case jose.ES384, jose.RS384, jose.PS384:
		return crypto.SHA384
	case jose.ES512, jose.RS512, jose.PS512:
		return crypto.SHA512
	}
	return 0
}

// digest hashes input by alg, which fits has found to be one of them.
func digest(alg Alg, input []byte) []byte {
	h := hashOf(alg).New()
	_, _ = h.Write(input) // never fails
	return h.Sum(nil)
}

// pssOptions is for PS256 and its like: the salt is as long as the hash (RFC 7518
// §3.5); nil for other algorithms.
func pssOptions(alg Alg) *rsa.PSSOptions {
	if strings.HasPrefix(string(alg), "PS") {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hashOf(alg)}
	}
	return nil
}

// signature signs input by alg.
func signature(key crypto.Signer, alg Alg, input []byte) ([]byte, error) {
	if key == nil || !fits(alg, key.Public()) {
		return nil, fmt.Errorf("signing: wanted a key for %.20q, got %T", alg, key)
	}
	sum := digest(alg, input)
	if ec, ok := key.(*ecdsa.PrivateKey); ok {
		return signECDSA(ec, sum)
	}
	if pss := pssOptions(alg); pss != nil {
		return key.Sign(rand.Reader, sum, pss)
	}
	return key.Sign(rand.Reader, sum, hashOf(alg))
}

// signECDSA writes R and S side by side, each of full width (RFC 7518 §3.4).
func signECDSA(key *ecdsa.PrivateKey, sum []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	width := coordinate(key.Curve)
	out := make([]byte, 2*width)
	r.FillBytes(out[:width])
	s.FillBytes(out[width:])
	return out, nil
}

// coordinate is the width of R and of S in bytes.
func coordinate(curve elliptic.Curve) int { return (curve.Params().BitSize + 7) / 8 }

// signedBy reports whether key signed the bytes of t as they came.
func (t jws) signedBy(key crypto.PublicKey) bool {
	if !fits(t.alg, key) {
		return false
	}
	sum := digest(t.alg, []byte(t.input))
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		width := coordinate(k.Curve)
		if len(t.sig) != 2*width {
			return false
		}
		r, s := new(big.Int).SetBytes(t.sig[:width]), new(big.Int).SetBytes(t.sig[width:])
		return ecdsa.Verify(k, sum, r, s)
	case *rsa.PublicKey:
		if pss := pssOptions(t.alg); pss != nil {
			return rsa.VerifyPSS(k, hashOf(t.alg), sum, t.sig, pss) == nil
		}
		return rsa.VerifyPKCS1v15(k, hashOf(t.alg), sum, t.sig) == nil
	}
	return false
}
