package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dilys-id/dilys/identity"
)

// KeyStore keeps the signing keys, sealed, where every replica finds the same.
type KeyStore interface {
	// SigningKeys returns every key that was added and not dropped, in any order,
	// with its times to the second at least.
	SigningKeys(ctx context.Context) ([]Key, error)
	// AddSigningKey adds one key. If (Alg, Seq) was ever taken by a key that is
	// still kept, nothing is added and the error wraps [identity.ErrConflict]: of
	// replicas that rotate at once, the first alone succeeds.
	AddSigningKey(ctx context.Context, key Key) error
	// DropSigningKey deletes the key of that ID, private half and all. A key that
	// is not there is no error: another replica was faster.
	DropSigningKey(ctx context.Context, id string) error
}

// Ring signs with our own keys and publishes their public halves. The keys rotate
// by themselves as [Plan] says, whenever Refresh is called; between calls, signing
// and the key set are from memory and without a lock.
type Ring struct {
	store  KeyStore
	now    func() time.Time
	signs  []Alg
	mu     sync.Mutex // one Refresh or RotateNow at a time
	loaded atomic.Pointer[ringKeys]
}

// ringKeys is one state of a Ring, replaced whole. keys, signers and publics go
// side by side, in rising Seq within each algorithm.
type ringKeys struct {
	keys    []Key
	signers []crypto.Signer
	publics []jose.JSONWebKey
	jwks    []byte
}

// ringAlgs are the algorithms that a Ring can sign with.
var ringAlgs = []Alg{ES256, RS256}

// NewRing returns a ring that keeps a key for each of algs, which are [ES256],
// [RS256] or both; none means ES256. It has no keys before the first Refresh.
func NewRing(store KeyStore, now func() time.Time, algs ...Alg) (*Ring, error) {
	if len(algs) == 0 {
		algs = []Alg{ES256}
	}
	for _, alg := range algs {
		if !slices.Contains(ringAlgs, alg) {
			return nil, fmt.Errorf("signing algorithm: wanted ES256 or RS256, got %.20q", alg)
		}
	}
	r := &Ring{store: store, now: now, signs: slices.Compact(slices.Sorted(slices.Values(algs)))}
	r.loaded.Store(&ringKeys{jwks: []byte(`{"keys":[]}`)})
	return r, nil
}

// Refresh reads the keys again, adds the next one when it is due and drops those
// whose time is over. It is called at start, where the very first key is active at
// once, and then each minute. On an error the keys read last go on to serve,
// unless newer ones could be read.
func (r *Ring) Refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refresh(ctx)
}

// RotateNow is for a key that may have leaked: a new key of every algorithm signs
// at once, and all others are dropped. Whoever kept a copy of the key set meets an
// unknown kid and fetches it again; other replicas follow at their next Refresh.
func (r *Ring) RotateNow(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var fresh []string
	for _, alg := range r.signs {
		id, err := r.addNow(ctx, alg)
		if err != nil {
			return err
		}
		fresh = append(fresh, id)
	}
	kept, err := r.store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	others := slices.DeleteFunc(kept, func(k Key) bool { return slices.Contains(fresh, k.ID) })
	return errors.Join(r.drop(ctx, others), r.refresh(ctx))
}

// addNow adds a key of alg that signs at once, and returns its ID. Another replica
// may be rotating by the clock: an emergency tries again.
func (r *Ring) addNow(ctx context.Context, alg Alg) (id string, err error) {
	for range 3 {
		kept, err := r.store.SigningKeys(ctx)
		if err != nil {
			return "", fmt.Errorf("signing keys: %w", err)
		}
		slot := Plan(kept, alg, r.now(), KeyLife).Next
		slot.Active = slot.Published
		if id, err = r.add(ctx, slot); !errors.Is(err, identity.ErrConflict) {
			return id, err
		}
	}
	return "", fmt.Errorf("adding a signing key: %w", identity.ErrConflict)
}

func (r *Ring) refresh(ctx context.Context) error {
	kept, err := r.store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	kept, addErr := r.addDue(ctx, kept)
	var publish, drop []Key
	for _, alg := range ringAlgs {
		rota := Plan(kept, alg, r.now(), KeyLife)
		publish, drop = append(publish, rota.Publish...), append(drop, rota.Drop...)
	}
	loaded, err := load(publish)
	if err != nil {
		return errors.Join(err, addErr)
	}
	r.loaded.Store(loaded)
	return errors.Join(addErr, r.drop(ctx, drop))
}

// addDue makes the keys that are due and returns what is kept then. Losing the
// race to another replica is no error: its key is read back instead.
func (r *Ring) addDue(ctx context.Context, kept []Key) ([]Key, error) {
	changed := false
	for _, alg := range r.signs {
		rota := Plan(kept, alg, r.now(), KeyLife)
		if !rota.Due {
			continue
		}
		changed = true
		if _, err := r.add(ctx, rota.Next); err != nil && !errors.Is(err, identity.ErrConflict) {
			return kept, err
		}
	}
	if !changed {
		return kept, nil
	}
	again, err := r.store.SigningKeys(ctx)
	if err != nil {
		return kept, fmt.Errorf("signing keys: %w", err)
	}
	return again, nil
}

// add makes a key pair for the slot, stores it and returns its ID.
func (r *Ring) add(ctx context.Context, slot Key) (id string, err error) {
	key, err := mint(slot)
	if err != nil {
		return "", err
	}
	if err := r.store.AddSigningKey(ctx, key); err != nil {
		return "", fmt.Errorf("adding a signing key: %w", err)
	}
	return key.ID, nil
}

func (r *Ring) drop(ctx context.Context, keys []Key) error {
	var faults []error
	for _, key := range keys {
		if err := r.store.DropSigningKey(ctx, key.ID); err != nil {
			faults = append(faults, fmt.Errorf("dropping a signing key: %w", err))
		}
	}
	return errors.Join(faults...)
}

// JWKS returns the key set document to publish (RFC 7517 §5), public halves only.
// The bytes are shared: read them, never write.
func (r *Ring) JWKS() []byte { return r.loaded.Load().jwks }

// Sign writes claims as a JWT of that typ, signed by the key of alg that is active
// now. Empty alg is ES256. Without a key, the error wraps [ErrNoKeys].
func (r *Ring) Sign(alg Alg, typ string, claims any) (string, error) {
	if alg == "" {
		alg = ES256
	}
	held := r.loaded.Load()
	i := signing(held.keys, alg, r.now())
	if i < 0 {
		return "", fmt.Errorf("signing by %.20q: %w", alg, ErrNoKeys)
	}
	return sign(held.signers[i], header{Alg: alg, Kid: held.keys[i].ID, Typ: typ}, claims)
}

func (*Ring) algs() []Alg { return ringAlgs }

func (r *Ring) state() any { return r.loaded.Load() }

func (r *Ring) verify(_ context.Context, t jws) ([]byte, error) {
	held := r.loaded.Load()
	if len(held.keys) == 0 {
		return nil, ErrNoKeys
	}
	for i, key := range held.keys {
		if key.ID == t.kid && key.Alg == t.alg {
			return verifyAny(t, []*jose.JSONWebKey{&held.publics[i]})
		}
	}
	return verifyAny(t, nil)
}

// load opens the keys for use. One that does not open, or is not the key its ID
// names, is a fault of the store that nobody should sign over.
func load(kept []Key) (*ringKeys, error) {
	out := &ringKeys{keys: kept}
	for _, key := range kept {
		signer, public, err := open(key)
		if err != nil {
			return nil, err
		}
		out.signers, out.publics = append(out.signers, signer), append(out.publics, public)
	}
	var err error
	out.jwks, err = json.Marshal(jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey{}, out.publics...)})
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	return out, nil
}

// open reads the private key and checks that it is the one named, of its alg.
func open(key Key) (crypto.Signer, jose.JSONWebKey, error) {
	fault := fmt.Errorf("signing key %.50q: wanted a PKCS #8 key for %.20q with that thumbprint, got something else", key.ID, key.Alg)
	parsed, err := x509.ParsePKCS8PrivateKey([]byte(key.PKCS8.Reveal()))
	signer, ok := parsed.(crypto.Signer)
	if err != nil || !ok || !fits(key.Alg, signer.Public()) {
		return nil, jose.JSONWebKey{}, fault
	}
	id, err := thumbprint(signer.Public())
	if err != nil || id != key.ID {
		return nil, jose.JSONWebKey{}, fault
	}
	return signer, jose.JSONWebKey{Key: signer.Public(), KeyID: id, Algorithm: string(key.Alg), Use: "sig"}, nil
}

// mint makes a key pair for the slot, and names it by its thumbprint.
func mint(slot Key) (Key, error) {
	signer, err := generate(slot.Alg)
	if err != nil {
		return Key{}, fmt.Errorf("making a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return Key{}, fmt.Errorf("making a signing key: %w", err)
	}
	if slot.ID, err = thumbprint(signer.Public()); err != nil {
		return Key{}, err
	}
	slot.PKCS8 = identity.Secret(der)
	return slot, nil
}

func generate(alg Alg) (crypto.Signer, error) {
	if alg == RS256 {
		return rsa.GenerateKey(rand.Reader, minRSABits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// thumbprint is the SHA-256 JWK thumbprint (RFC 7638) in base64url.
func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("key thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
