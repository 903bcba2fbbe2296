package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dilys-id/dilys/identity"
)

const (
	testIssuer   = "https://login.example.nhs.uk"
	testAudience = "https://api.portal.example.nhs.uk"
	testClient   = "my-health"
)

var testStart = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// clock is a time that only the test moves.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(testStart.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// memStore is a KeyStore with faults to order.
type memStore struct {
	mu     sync.Mutex
	kept   []Key
	added  int
	down   error
	before func() // runs between a replica's reading and its adding
}

func (m *memStore) SigningKeys(context.Context) ([]Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.kept), m.down
}

func (m *memStore) AddSigningKey(_ context.Context, key Key) error {
	if before := m.before; before != nil {
		m.before = nil
		before()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.ContainsFunc(m.kept, func(k Key) bool { return k.Alg == key.Alg && k.Seq == key.Seq }) {
		return identity.ErrConflict
	}
	m.kept = append(m.kept, key)
	m.added++
	return m.down
}

func (m *memStore) DropSigningKey(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = slices.DeleteFunc(m.kept, func(k Key) bool { return k.ID == id })
	return m.down
}

// rsaKey is made once: it is the slow one.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newECKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newTestRing(t testing.TB, now func() time.Time, algs ...Alg) (*Ring, *memStore) {
	t.Helper()
	store := &memStore{}
	ring, err := NewRing(store, now, algs...)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ring, store
}

func testClaims(now time.Time) Claims {
	return Claims{
		Subject: "c2VjcmV0LWFjY291bnQtaWQ", SessionID: "aGFuZGxlLW9mLXRoZS1zZXNzaW9u",
		Trust:   identity.Trust{P: identity.P9, C: identity.Cp | identity.Cd},
		Methods: []string{"pwd", "sms", "mfa"}, AuthTime: now.Add(-time.Minute),
		Proofing: identity.P9, Provider: "nhs-login",
		Ends: now.Add(12 * time.Hour), IdleEnds: now.Add(30 * time.Minute),
	}
}

func testAccess(now time.Time) AccessClaims {
	return AccessClaims{Claims: testClaims(now), Audience: testAudience, ClientID: testClient, Scope: "openid profile"}
}

func testID(now time.Time) IDClaims {
	return IDClaims{Claims: testClaims(now), Audience: testClient, Nonce: "bm9uY2U"}
}

// compact joins three segments as they are.
func compact(head, body string, sig []byte) string {
	b64 := base64.RawURLEncoding
	return b64.EncodeToString([]byte(head)) + "." + b64.EncodeToString([]byte(body)) + "." + b64.EncodeToString(sig)
}

// forge signs whatever header and payload it is given.
func forge(t testing.TB, key crypto.Signer, alg Alg, head, body string) string {
	t.Helper()
	unsigned := strings.TrimSuffix(compact(head, body, nil), ".")
	sig, err := signature(key, alg, []byte(unsigned))
	if err != nil {
		t.Fatal(err)
	}
	return compact(head, body, sig)
}

// forgeHMAC signs with a secret that is public.
func forgeHMAC(secret []byte, head, body string) string {
	unsigned := strings.TrimSuffix(compact(head, body, nil), ".")
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(unsigned))
	return compact(head, body, mac.Sum(nil))
}

func jwk(public crypto.PublicKey, kid string, alg Alg, use string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: public, KeyID: kid, Algorithm: string(alg), Use: use}
}

func jwks(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	doc, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// segment decodes one part of a token.
func segment(t testing.TB, raw string, i int) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// testCertificate is a real certificate, in base64 as x5c has it.
func testCertificate(t testing.TB) string {
	t.Helper()
	key := newECKey(t, elliptic.P256())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: testStart.AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}
