package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	strictjson "github.com/go-jose/go-jose/v4/json" // case-sensitive, refuses a name given twice
	"golang.org/x/sync/singleflight"
)

// MaxKeySetBytes is the longest key set document that is read; a [Fetch] may stop
// one byte behind it.
const MaxKeySetBytes = 256 << 10

const (
	maxKeys        = 100              // keys in one document, usable or not
	maxKeysPerName = 4                // keys that share one kid: each is a signature to try
	refetchAfter   = time.Minute      // between fetches while keys are held
	retryAfter     = 5 * time.Second  // between fetches while none are
	refreshAfter   = time.Hour        // a removed key stops here, in the course of use
	servesFor      = 24 * time.Hour   // how long held keys outlive their last good fetch
	fetchWithin    = 10 * time.Second // a fetch that forgot its own limit
	patience       = 2 * time.Second  // of a token whose key is held, for a newer set
)

// Fetch gets the key set document of one provider, whole. It limits its own time
// and size, follows no redirect, and sends nothing that a token asked for.
type Fetch func(ctx context.Context) ([]byte, error)

// KeySet is the public keys of one outside signer, fetched when needed, and never
// more often than that signer can bear: whatever tokens arrive, one fetch a minute
// (one in 5 s while there are no keys), shared by all who wait for it. Held keys
// serve on for 24 h when fetches fail, and are refreshed each hour in use.
//
// A document is taken whole or not at all: too long, too many keys, more than four
// keys of one name, or no key that fits is a failed fetch. Keys that are not for
// signatures, symmetric, private, too weak or of another algorithm are left out
// (RFC 7517 §5). Two keys of one name are both tried: both are the signer's own.
//
// It satisfies the KeySet interface of go-oidc, and is safe for concurrent use.
type KeySet struct {
	fetch   Fetch
	now     func() time.Time
	allowed []Alg
	flight  singleflight.Group
	held    atomic.Pointer[heldKeys]
}

// heldKeys is one state of a KeySet, replaced whole.
type heldKeys struct {
	keys  []jose.JSONWebKey
	good  time.Time // of the last good fetch
	tried time.Time // of the last fetch that limits the next; the first good one does not
	fault error     // why the last fetch was not good; nil when it was
}

// NewKeySet returns the set that fetch gets, for signatures by algs alone. It
// fetches nothing yet.
func NewKeySet(fetch Fetch, now func() time.Time, algs ...Alg) *KeySet {
	s := &KeySet{fetch: fetch, now: now, allowed: slices.Clone(algs)}
	s.held.Store(&heldKeys{fault: errors.New("key set: never fetched")})
	return s
}

// VerifySignature returns the payload of a compact JWS that a key of the set
// signed, a JSON object without repeated names; its claims are the caller's to
// judge. Errors wrap [ErrRefused], or [ErrNoKeys] when nothing could be judged, or
// ctx's own.
func (s *KeySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	t, err := parse(raw, s.allowed)
	if err != nil {
		return nil, err
	}
	payload, err := s.verify(ctx, t)
	if err != nil {
		return nil, err
	}
	// A name given twice would let two readers see other claims in the same bytes.
	var claims map[string]strictjson.RawMessage
	if err := strictjson.Unmarshal(payload, &claims); err != nil || claims == nil { // err may quote a claim: dropped
		return nil, refused("claims: wanted one JSON object, each name once, got something else")
	}
	return payload, nil
}

// Prime fetches now, whatever the limits, and says how many keys can be used. The
// error is that of the fetch; keys held before still serve.
func (s *KeySet) Prime(ctx context.Context) (int, error) {
	if err := s.refresh(ctx, func(*heldKeys) bool { return true }); err != nil {
		return 0, err
	}
	held := s.held.Load()
	return len(held.keys), held.fault
}

// Age is the time since the last good fetch; false if there never was one.
func (s *KeySet) Age() (time.Duration, bool) {
	held := s.held.Load()
	return s.now().Sub(held.good), !held.good.IsZero()
}

// Fault is why the last fetch failed, or that there was none yet; nil when the last
// one was good.
func (s *KeySet) Fault() error { return s.held.Load().fault }

func (s *KeySet) algs() []Alg { return s.allowed }

func (s *KeySet) state() any { return s.held.Load() }

func (s *KeySet) verify(ctx context.Context, t jws) ([]byte, error) {
	held := s.held.Load()
	due := func(h *heldKeys) bool { return h.due(s.now(), len(h.candidates(t)) == 0) }
	if due(held) {
		if err := s.patiently(ctx, held, t, due); err != nil {
			return nil, err
		}
		held = s.held.Load()
	}
	if !held.serves(s.now()) {
		return nil, fmt.Errorf("%w: %w", ErrNoKeys, held.fault)
	}
	return verifyAny(t, held.candidates(t))
}

// patiently refreshes. A token whose key is held does not wait for a provider that
// hangs: the fetch goes on, and the keys held serve.
func (s *KeySet) patiently(ctx context.Context, held *heldKeys, t jws, due func(*heldKeys) bool) error {
	if !held.serves(s.now()) || len(held.candidates(t)) == 0 {
		return s.refresh(ctx, due)
	}
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.refresh(patient, due); ctx.Err() != nil {
		return err
	}
	return nil
}

// verifyAny returns the payload when one of the keys signed it.
func verifyAny(t jws, keys []*jose.JSONWebKey) ([]byte, error) {
	if len(keys) == 0 {
		return nil, refused("kid: wanted one of the signer's keys, got none that fits")
	}
	for _, key := range keys {
		if t.signedBy(key.Key) {
			return t.payload, nil
		}
	}
	return nil, refused("signature: wanted one by the named key, got another")
}

// refresh fetches if it is due, as judged again inside the one flight; whoever
// comes meanwhile waits for the same answer. A caller who leaves takes nobody's
// answer away.
func (s *KeySet) refresh(ctx context.Context, due func(*heldKeys) bool) error {
	done := s.flight.DoChan("", func() (any, error) {
		if held := s.held.Load(); due(held) {
			s.held.Store(s.refetched(ctx, held))
		}
		return nil, nil
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for keys: %w", ctx.Err())
	}
}

// refetched is the state after one more fetch.
func (s *KeySet) refetched(ctx context.Context, old *heldKeys) *heldKeys {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchWithin)
	defer cancel()
	tried := s.now()
	doc, err := s.fetch(ctx)
	if err != nil {
		return &heldKeys{keys: old.keys, good: old.good, tried: tried, fault: fmt.Errorf("key set: %w", err)}
	}
	keys, err := parseKeySet(doc, s.allowed)
	if err != nil {
		return &heldKeys{keys: old.keys, good: old.good, tried: tried, fault: err}
	}
	if old.good.IsZero() { // the first good fetch: a provider that rotates right after it must not be waited out
		return &heldKeys{keys: keys, good: tried}
	}
	return &heldKeys{keys: keys, good: tried, tried: tried}
}

// serves reports whether the keys may still be believed.
func (h *heldKeys) serves(now time.Time) bool {
	return !h.good.IsZero() && now.Sub(h.good) < servesFor
}

// due reports whether it is time to fetch; missing says that the token in hand
// names a key that is not held. A clock set back never blocks the next fetch.
func (h *heldKeys) due(now time.Time, missing bool) bool {
	wait := refetchAfter
	if !h.serves(now) {
		wait = retryAfter
	}
	if since := now.Sub(h.tried); !h.tried.IsZero() && since >= 0 && since < wait {
		return false
	}
	return missing || !h.serves(now) || now.Sub(h.good) >= refreshAfter
}

// candidates are the keys that may have signed t: those of its kid that fit its
// alg. A token without kid says nothing, so the set must leave no choice.
func (h *heldKeys) candidates(t jws) []*jose.JSONWebKey {
	var found []*jose.JSONWebKey
	for i := range h.keys {
		key := &h.keys[i]
		if mayVerify(key, t.alg) && (t.kid == "" || t.kid == key.KeyID) {
			found = append(found, key)
		}
	}
	if t.kid == "" && len(found) != 1 {
		return nil
	}
	return found
}

// mayVerify reports whether the key is of alg's family and not kept for another.
func mayVerify(key *jose.JSONWebKey, alg Alg) bool {
	return (key.Algorithm == "" || key.Algorithm == string(alg)) && fits(alg, key.Key)
}

// parseKeySet reads a key set document (RFC 7517 §5) and returns the keys that can
// verify one of algs. Its errors hold nothing of the document.
func parseKeySet(doc []byte, algs []Alg) ([]jose.JSONWebKey, error) {
	if len(doc) > MaxKeySetBytes {
		return nil, fmt.Errorf("key set: wanted at most %d bytes, got more", MaxKeySetBytes)
	}
	var set struct {
		Keys []strictjson.RawMessage `json:"keys"`
	}
	if err := strictjson.Unmarshal(doc, &set); err != nil {
		return nil, errors.New("key set: wanted a JSON object with keys, got something else")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("key set: wanted at most %d keys, got %d", maxKeys, len(set.Keys))
	}
	var usable []jose.JSONWebKey
	named := map[string]int{}
	for _, raw := range set.Keys {
		key, ok := parseKey(raw, algs)
		if !ok {
			continue
		}
		if named[key.KeyID]++; key.KeyID != "" && named[key.KeyID] > maxKeysPerName {
			return nil, fmt.Errorf("key set: wanted at most %d keys of one kid, got more", maxKeysPerName)
		}
		usable = append(usable, key)
	}
	if len(usable) == 0 {
		return nil, fmt.Errorf("key set: wanted a key for %v, got none among %d", algs, len(set.Keys))
	}
	return usable, nil
}

// parseKey reads one key; false if it is not a public key for signatures by one of
// algs. A private key in a published set is everybody's: it is no proof of anyone.
func parseKey(raw []byte, algs []Alg) (jose.JSONWebKey, bool) {
	var use struct {
		Ops []string `json:"key_ops"`
	}
	var key jose.JSONWebKey
	if strictjson.Unmarshal(raw, &use) != nil || strictjson.Unmarshal(raw, &key) != nil {
		return jose.JSONWebKey{}, false
	}
	ok := len(key.KeyID) <= maxKeyID &&
		(key.Use == "" || key.Use == "sig") &&
		(use.Ops == nil || slices.Contains(use.Ops, "verify")) &&
		slices.ContainsFunc(algs, func(alg Alg) bool { return mayVerify(&key, alg) })
	// Only what verifying needs: certificates and addresses in a key are never used.
	return jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm}, ok
}
