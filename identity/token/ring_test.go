package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
)

// at is a key of the schedule tests: its times are offsets from testStart.
func at(seq int, published, active time.Duration) Key {
	return Key{Alg: ES256, Seq: seq, ID: fmt.Sprint(seq), Published: testStart.Add(published), Active: testStart.Add(active)}
}

func ids(keys []Key) string {
	var out []string
	for _, k := range keys {
		out = append(out, k.ID)
	}
	return strings.Join(out, " ")
}

func TestPlan(t *testing.T) {
	const life = 30 * 24 * time.Hour
	first := at(1, 0, 0)
	next := at(2, life-keyLead, life)
	for name, row := range map[string]struct {
		keys                   []Key
		now                    time.Duration
		publish, drop, signing string
		due                    bool
		seq                    int
		active                 time.Duration // of the key that is due
	}{
		"none: the first is active at once":        {nil, 0, "", "", "", true, 1, 0},
		"one, new":                                 {[]Key{first}, time.Hour, "1", "", "1", false, 0, 0},
		"one, a second before the next is due":     {[]Key{first}, life - keyLead - time.Second, "1", "", "1", false, 0, 0},
		"one, the next is due":                     {[]Key{first}, life - keyLead, "1", "", "1", true, 2, life},
		"the next is published, the old signs":     {[]Key{first, next}, life - time.Second, "1 2", "", "1", false, 0, 0},
		"the next signs":                           {[]Key{first, next}, life, "1 2", "", "2", false, 0, 0},
		"the old is kept":                          {[]Key{first, next}, life + keyKept - time.Second, "1 2", "", "2", false, 0, 0},
		"the old is dropped":                       {[]Key{first, next}, life + keyKept, "2", "1", "2", false, 0, 0},
		"switched off for a year":                  {[]Key{first}, 365 * 24 * time.Hour, "1", "", "1", true, 2, 365*24*time.Hour + keyLead},
		"two lives, read in any order":             {[]Key{at(3, 2*life-keyLead, 2*life), first, next}, 2 * life, "2 3", "1", "3", false, 0, 0},
		"a clock set back: the oldest signs":       {[]Key{first, next}, -time.Hour, "1 2", "", "1", false, 0, 0},
		"an emergency overtook a key that waited":  {[]Key{first, at(2, time.Hour, 2*time.Hour), at(3, time.Hour, time.Hour)}, 3 * time.Hour, "1 2 3", "", "3", false, 0, 0},
		"what the emergency overtook goes in time": {[]Key{first, at(2, time.Hour, 2*time.Hour), at(3, time.Hour, time.Hour)}, time.Hour + keyKept, "3", "1 2", "3", false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := testStart.Add(row.now)
			foreign := Key{Alg: RS256, Seq: 9, ID: "rsa", Active: testStart.AddDate(-9, 0, 0)}
			rota := Plan(append([]Key{foreign}, row.keys...), ES256, now, life)
			signs := ""
			if i := signing(rota.Publish, ES256, now); i >= 0 {
				signs = rota.Publish[i].ID
			}
			got := []string{ids(rota.Publish), ids(rota.Drop), signs, fmt.Sprint(rota.Due)}
			want := []string{row.publish, row.drop, row.signing, fmt.Sprint(row.due)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("publish, drop, sign, due (-want +got):\n%s", diff)
			}
			slot := Key{Alg: ES256, Seq: row.seq, Published: now, Active: testStart.Add(row.active)}
			if diff := cmp.Diff(slot, rota.Next, cmp.Comparer(func(a, b identity.Secret) bool { return string(a) == string(b) })); row.due && diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
		})
	}
}

// kids lists the key set of a ring.
func kids(t testing.TB, ring *Ring) []string {
	t.Helper()
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(ring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, key := range set.Keys {
		for name := range key {
			if !slices.Contains([]string{"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}, name) {
				t.Fatalf("key set: wanted public members alone, got %s", name)
			}
		}
		out = append(out, key["kid"])
	}
	return out
}

// C12: two replicas rotate while portals hold copies of the key set up to 15
// minutes old, fetched from either at any moment, and never fetch for an unknown
// kid. No token meets a portal that does not know its key.
func TestRotationUnderCachedKeySetC12(t *testing.T) {
	const step = 20 * time.Second
	clock, store := newClock(), &memStore{}
	var replicas [2]*Ring
	for i := range replicas {
		ring, err := NewRing(store, clock.now)
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		replicas[i] = ring
	}
	type portal struct {
		kids    []string
		fetched time.Time
	}
	portals := make([]portal, 45) // one for every step within the 15 minutes
	clock.advance(KeyLife - time.Hour)
	seen := map[string]bool{}
	for i := range int((26 * time.Hour) / step) {
		if ring := replicas[(i/3)%2]; i%3 == 2 { // each replica only every other minute
			if err := ring.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for p := range portals {
			if i >= p && (portals[p].kids == nil || clock.now().Sub(portals[p].fetched) >= JWKSMaxAge) {
				portals[p] = portal{kids(t, replicas[p%2]), clock.now()}
			}
		}
		for r, ring := range replicas {
			raw, err := ring.Sign(ES256, TypeAccess, wire{})
			if err != nil {
				t.Fatal(err)
			}
			kid := segment(t, raw, 0)["kid"].(string)
			seen[kid] = true
			for p, portal := range portals {
				if portal.kids != nil && !slices.Contains(portal.kids, kid) {
					t.Fatalf("%s after the start, replica %d: portal %d does not know the key", clock.now().Sub(testStart), r, p)
				}
			}
			if _, err := NewKeySet((&signer{doc: replicas[1-r].JWKS()}).fetch, clock.now, ES256).VerifySignature(t.Context(), raw); err != nil {
				t.Fatalf("the other replica's key set: %v", err)
			}
		}
		clock.advance(step)
	}
	if len(seen) != 2 || store.added != 2 || len(store.kept) != 1 {
		t.Errorf("wanted 2 keys used, 2 made and the old one dropped, got %d, %d and %d kept", len(seen), store.added, len(store.kept))
	}
}

// Replicas that start at once on an empty database make one key between them.
func TestRingReplicasRace(t *testing.T) {
	clock, store := newClock(), &memStore{}
	rings := make([]*Ring, 8)
	var all sync.WaitGroup
	for i := range rings {
		ring, err := NewRing(store, clock.now)
		if err != nil {
			t.Fatal(err)
		}
		rings[i] = ring
		all.Go(func() {
			if err := ring.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if store.added != 1 {
		t.Fatalf("keys made: wanted 1, got %d", store.added)
	}
	for _, ring := range rings {
		if diff := cmp.Diff(kids(t, rings[0]), kids(t, ring)); diff != "" {
			t.Errorf("key sets differ: %s", diff)
		}
	}
}

// The loser of a rotation uses the winner's key.
func TestRingLosesRace(t *testing.T) {
	clock := newClock()
	ring, store := newTestRing(t, clock.now)
	rival, err := NewRing(store, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(KeyLife)
	store.before = func() {
		if err := rival.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := ring.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kids(t, rival), kids(t, ring)); diff != "" || store.added != 2 {
		t.Errorf("wanted the winner's key and no other, got %d keys made, %s", store.added, diff)
	}
}

// A leaked key is of no use a moment later, even when the clock's rotation comes
// between.
func TestRotateNow(t *testing.T) {
	clock := newClock()
	ring, store := newTestRing(t, clock.now, ES256, RS256)
	issuer := NewIssuer(testIssuer, ring, clock.now)
	verifier := NewVerifier(testIssuer, ring, clock.now)
	before := kids(t, ring)
	leaked, _, err := issuer.AccessToken(ES256, testAccess(clock.now()))
	if err != nil {
		t.Fatal(err)
	}
	rival, err := NewRing(store, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(KeyLife)
	store.before = func() {
		if err := rival.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := ring.RotateNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := kids(t, ring)
	if len(after) != 2 || len(store.kept) != 2 || slices.ContainsFunc(after, func(kid string) bool { return slices.Contains(before, kid) }) {
		t.Errorf("wanted two new keys alone, got %v after %v", after, before)
	}
	for _, key := range store.kept {
		if !key.Active.Equal(clock.now()) || !key.Published.Equal(clock.now()) {
			t.Errorf("wanted a key active at once, got one published %s, active %s", key.Published, key.Active)
		}
	}
	if _, err := verifier.AccessToken(t.Context(), leaked, testAudience); !errors.Is(err, ErrRefused) {
		t.Errorf("a token of the leaked key: wanted a refusal, got %v", err)
	}
	for _, alg := range ringAlgs {
		raw, _, err := issuer.AccessToken(alg, testAccess(clock.now()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.AccessToken(t.Context(), raw, testAudience); err != nil {
			t.Errorf("%s: a token of the new key: %v", alg, err)
		}
	}
}

// A store that fails takes nothing away: what was read goes on to sign.
func TestRingServesWithoutStore(t *testing.T) {
	clock := newClock()
	ring, store := newTestRing(t, clock.now)
	before := kids(t, ring)
	store.down = errors.New("database is locked")
	if err := ring.Refresh(t.Context()); !errors.Is(err, store.down) {
		t.Errorf("wanted %v, got %v", store.down, err)
	}
	if _, err := ring.Sign("", TypeAccess, wire{}); err != nil {
		t.Errorf("signing from memory: %v", err)
	}
	if diff := cmp.Diff(before, kids(t, ring)); diff != "" {
		t.Errorf("key set changed: %s", diff)
	}
}

// What the store gives back is judged before it signs.
func TestRingRefusesAlteredKeys(t *testing.T) {
	clock := newClock()
	_, store := newTestRing(t, clock.now, ES256, RS256)
	ec, pair := store.kept[0], store.kept[1]
	for name, alter := range map[string]func(k *Key){
		"another key under its ID": func(k *Key) { k.PKCS8 = pair.PKCS8 },
		"another ID":               func(k *Key) { k.ID = pair.ID },
		"not a key":                func(k *Key) { k.PKCS8 = "nonsense" },
		"nothing":                  func(k *Key) { k.PKCS8 = "" },
		"another alg":              func(k *Key) { k.Alg = RS256; k.Seq = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			altered := ec
			alter(&altered)
			ring, err := NewRing(&memStore{kept: []Key{altered}}, clock.now)
			if err != nil {
				t.Fatal(err)
			}
			if err := ring.Refresh(t.Context()); err == nil || strings.Contains(err.Error(), "nonsense") {
				t.Errorf("wanted a fault without the key in it, got %v", err)
			}
		})
	}
	t.Run("of an algorithm to come: left alone", func(t *testing.T) {
		later := &memStore{kept: []Key{ec, {Alg: "EdDSA", Seq: 1, ID: "later"}}}
		ring, err := NewRing(later, clock.now)
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Refresh(t.Context()); err != nil || len(later.kept) != 2 || len(kids(t, ring)) != 1 {
			t.Errorf("wanted it neither used nor dropped, got %d kept, %v", len(later.kept), err)
		}
	})
}

func TestNewRing(t *testing.T) {
	for _, alg := range []Alg{"HS256", "none", "", PS256} {
		if _, err := NewRing(&memStore{}, newClock().now, alg); err == nil {
			t.Errorf("%q: wanted an error", alg)
		}
	}
	ring, err := NewRing(&memStore{}, newClock().now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Sign(ES256, TypeID, wire{}); !errors.Is(err, ErrNoKeys) {
		t.Errorf("before the first Refresh: wanted %v, got %v", ErrNoKeys, err)
	}
	if got := string(ring.JWKS()); got != `{"keys":[]}` {
		t.Errorf("before the first Refresh: wanted an empty key set, got %s", got)
	}
	if _, err := NewVerifier(testIssuer, ring, newClock().now).IDTokenHint(t.Context(), compact(`{"alg":"ES256","kid":"x","typ":"JWT"}`, `{}`, make([]byte, 64))); !errors.Is(err, ErrNoKeys) {
		t.Errorf("verifying before the first Refresh: wanted %v, got %v", ErrNoKeys, err)
	}
}

// A private key does not print.
func TestKeyDoesNotPrint(t *testing.T) {
	_, store := newTestRing(t, newClock().now)
	key := store.kept[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if text := fmt.Sprintf(verb, key); strings.Contains(text, key.PKCS8.Reveal()) || !strings.Contains(text, "REDACTED") {
			t.Errorf("%s shows the private key", verb)
		}
	}
}
