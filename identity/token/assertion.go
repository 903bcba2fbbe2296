package token

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dilys-id/dilys/identity"
)

const (
	// MaxAssertionLife is the longest that a client assertion may be good for.
	MaxAssertionLife = 5 * time.Minute
	// assertedLoginLife is all that NHS login accepts.
	assertedLoginLife = 60 * time.Second
	// maxKeyFile is more than any PEM or JWK of one key.
	maxKeyFile = 64 << 10
)

// AssertionKey is the private key with which Dilys names itself to a provider
// (private_key_jwt, OpenID Connect Core §9). It prints as its algorithm and kid
// alone.
type AssertionKey struct {
	signer crypto.Signer
	alg    Alg
	kid    string
}

// Alg is the algorithm that the key signs with: RS512, PS256 or ES256.
func (k AssertionKey) Alg() Alg { return k.alg }

// KeyID is the kid sent with each assertion; empty: none is sent.
func (k AssertionKey) KeyID() string { return k.kid }

// Public is the public half, for registration: *rsa.PublicKey or *ecdsa.PublicKey.
func (k AssertionKey) Public() crypto.PublicKey { return k.signer.Public() }

// JWKS is the public half as a key set (RFC 7517 §5), for whoever reads our assertions.
func (k AssertionKey) JWKS() ([]byte, error) {
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.Public(), KeyID: k.kid, Use: "sig"}}})
}

// WithKeyID returns the key with that kid.
func (k AssertionKey) WithKeyID(kid string) AssertionKey {
	k.kid = kid
	return k
}

// WithAlg returns the key signing by alg, or an error if that is not one for it.
func (k AssertionKey) WithAlg(alg Alg) (AssertionKey, error) {
	if (alg != RS512 && alg != PS256 && alg != ES256) || !fits(alg, k.signer.Public()) {
		return AssertionKey{}, fmt.Errorf("client key: wanted RS512 or PS256 with an RSA key, or ES256 with a P-256 key, got %.20q", alg)
	}
	k.alg = alg
	return k, nil
}

// Format shows the algorithm and kid for every verb, %#v included.
func (k AssertionKey) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "client key %s kid=%q", k.alg, k.kid)
}

// ParseSigningKey reads one private key: PEM (PKCS #8, PKCS #1 or SEC 1) or JWK,
// whose kid and alg are kept. RSA of 2048 bits or more signs RS512 and P-256
// ES256, unless the JWK says PS256. Errors hold nothing of the key.
func ParseSigningKey(pemOrJWK []byte) (AssertionKey, error) {
	if len(pemOrJWK) > maxKeyFile {
		return AssertionKey{}, fmt.Errorf("client key: wanted at most %d bytes, got %d", maxKeyFile, len(pemOrJWK))
	}
	if text := bytes.TrimSpace(pemOrJWK); bytes.HasPrefix(text, []byte("{")) {
		return parseJWK(text)
	}
	private, err := parsePEM(pemOrJWK)
	if err != nil {
		return AssertionKey{}, err
	}
	return newAssertionKey(private, "", "")
}

func parseJWK(text []byte) (AssertionKey, error) {
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(text); err != nil {
		return AssertionKey{}, errors.New("client key: wanted one private key as JWK, got other JSON")
	}
	if key.IsPublic() {
		return AssertionKey{}, errors.New("client key: wanted a private key, got a public one")
	}
	return newAssertionKey(key.Key, Alg(key.Algorithm), key.KeyID)
}

// newAssertionKey judges what was read; an empty alg is chosen by the key.
func newAssertionKey(private any, alg Alg, kid string) (AssertionKey, error) {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return AssertionKey{}, errors.New("client key: wanted an RSA or P-256 key, got another kind")
	}
	if len(kid) > maxKeyID {
		return AssertionKey{}, fmt.Errorf("client key: kid: wanted at most %d bytes, got %d", maxKeyID, len(kid))
	}
	key := AssertionKey{signer: signer, kid: kid}
	for _, fit := range [...]Alg{RS512, ES256} {
		if fits(fit, signer.Public()) {
			key.alg = fit
		}
	}
	switch {
	case key.alg == "":
		return AssertionKey{}, fmt.Errorf("client key: wanted RSA of %d bits or more, or P-256, got another size or curve", minRSABits)
	case alg == "":
		return key, nil
	}
	return key.WithAlg(alg)
}

// parsePEM reads the one private key of a PEM file.
func parsePEM(text []byte) (any, error) {
	var found any
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "EC PARAMETERS" { // openssl writes the curve before the key
			continue
		}
		if found != nil {
			return nil, errors.New("client key: wanted one key, got several PEM blocks")
		}
		private, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		found = private
	}
	if found == nil {
		return nil, errors.New("client key: wanted PEM or JWK, got neither")
	}
	return found, nil
}

func parseBlock(block *pem.Block) (private any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("client key: wanted PEM of a private key, got %.40q", block.Type)
	}
	if err != nil {
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New("client key: wanted a key without passphrase, got an encrypted one")
		}
		return nil, fmt.Errorf("client key: wanted %s in DER, got something else", block.Type)
	}
	return private, nil
}

// assertion is the claims of what Dilys signs as a client.
type assertion struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub,omitempty"`
	Audience string `json:"aud,omitempty"` // one plain string: a list would be good elsewhere too
	Code     string `json:"code,omitempty"`
	ID       string `json:"jti"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// NewAssertion writes a client assertion (RFC 7523 §3): iss and sub are the client,
// aud is the one audience, jti is fresh. life is at most [MaxAssertionLife].
func NewAssertion(key AssertionKey, clientID, audience string, now time.Time, life time.Duration) (string, error) {
	if life < time.Second || life > MaxAssertionLife {
		return "", fmt.Errorf("client assertion: wanted a life of 1s to %s, got %s", MaxAssertionLife, life)
	}
	if clientID == "" || audience == "" {
		return "", errors.New("client assertion: wanted a client id and an audience, got an empty one")
	}
	return key.sign(assertion{Issuer: clientID, Subject: clientID, Audience: audience}, now, life)
}

// AssertedLoginIdentity writes the assertion by which NHS login lets a patient go
// on without logging in again (its settings page, another service, a step up):
// idTokenID is the jti of the ID token that NHS login gave us for this patient. It
// is good for 60 s and once.
func AssertedLoginIdentity(key AssertionKey, clientID, idTokenID string, now time.Time) (string, error) {
	if clientID == "" || idTokenID == "" {
		return "", errors.New("asserted login identity: wanted a client id and a jti, got an empty one")
	}
	return key.sign(assertion{Issuer: clientID, Code: idTokenID}, now, assertedLoginLife)
}

func (k AssertionKey) sign(a assertion, now time.Time, life time.Duration) (string, error) {
	a.ID, a.Issued, a.Expires = identity.NewID(), now.Unix(), now.Add(life).Unix()
	return sign(k.signer, header{Alg: k.alg, Kid: k.kid, Typ: TypeID}, a)
}
