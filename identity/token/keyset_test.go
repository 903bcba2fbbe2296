package token

import (
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signer is an outside provider: what it serves, and how often it was asked.
type signer struct {
	mu    sync.Mutex
	doc   []byte
	err   error
	calls atomic.Int32
	hold  chan struct{} // while not nil, a fetch waits for its end
}

func (s *signer) fetch(context.Context) ([]byte, error) {
	s.calls.Add(1)
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doc, s.err
}

func (s *signer) serve(doc []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doc, s.err = doc, err
}

const testBody = `{"sub":"somebody"}`

func es256Header(kid string) string { return fmt.Sprintf(`{"alg":"ES256","kid":%q}`, kid) }

func TestKeySetAcceptsTheSignersOwn(t *testing.T) {
	ec, pair := newECKey(t, elliptic.P256()), rsaKey()
	doc := jwks(t, jwk(&ec.PublicKey, "ec", "", ""), jwk(&pair.PublicKey, "rsa", RS512, "sig"))
	set := NewKeySet((&signer{doc: doc}).fetch, newClock().now, ES256, RS512)
	for name, raw := range map[string]string{
		"ES256":                          forge(t, ec, ES256, es256Header("ec"), testBody),
		"RS512":                          forge(t, pair, RS512, `{"alg":"RS512","kid":"rsa","typ":"JWT"}`, testBody),
		"no kid, one key of the alg":     forge(t, pair, RS512, `{"alg":"RS512"}`, testBody),
		"x5t names but brings no key":    forge(t, ec, ES256, `{"alg":"ES256","kid":"ec","x5t":"AAAA"}`, testBody),
		"unknown header, not critical":   forge(t, ec, ES256, `{"alg":"ES256","kid":"ec","foo":{"a":1}}`, testBody),
		"claims that nobody asked about": forge(t, ec, ES256, es256Header("ec"), `{"sub":"somebody","x":[1,{"y":null}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := set.VerifySignature(t.Context(), raw)
			if err != nil || !strings.Contains(string(payload), "somebody") {
				t.Fatalf("wanted the payload, got %q, %v", payload, err)
			}
		})
	}
}

// B2 and J2: whatever is wrong with the signature, the header or the shape, nothing
// is believed, and no key is looked for where the token says.
func TestKeySetRefusesB2(t *testing.T) {
	ec, other, pair := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256()), rsaKey()
	provider := &signer{doc: jwks(t, jwk(&ec.PublicKey, "ec", ES256, "sig"), jwk(&pair.PublicKey, "rsa", RS512, "sig"))}
	time := newClock()
	set := NewKeySet(provider.fetch, time.now, ES256, RS512)
	good := forge(t, ec, ES256, es256Header("ec"), testBody)
	cut := strings.LastIndex(good, ".")
	ecJWK, _ := json.Marshal(jwk(&ec.PublicKey, "ec", "", ""))
	otherJWK, _ := json.Marshal(jwk(&other.PublicKey, "ec", "", ""))
	withHeader := func(extra string) string {
		return forge(t, ec, ES256, `{"alg":"ES256","kid":"ec",`+extra+`}`, testBody)
	}
	flip := func(raw string, i int) string {
		c := byte('A')
		if raw[i] == 'A' {
			c = 'B'
		}
		return raw[:i] + string(c) + raw[i+1:]
	}
	rows := map[string]string{
		"none":                               compact(`{"alg":"none","kid":"ec"}`, testBody, nil),
		"none with a signature":              compact(`{"alg":"none","kid":"ec"}`, testBody, []byte("x")),
		"nOnE":                               compact(`{"alg":"nOnE"}`, testBody, []byte("x")),
		"no alg":                             compact(`{"kid":"ec"}`, testBody, []byte("x")),
		"alg null":                           compact(`{"alg":null,"kid":"ec"}`, testBody, []byte("x")),
		"alg twice":                          forge(t, ec, ES256, `{"alg":"none","alg":"ES256","kid":"ec"}`, testBody),
		"empty signature":                    good[:cut+1],
		"signature of zeros":                 compact(es256Header("ec"), testBody, make([]byte, 64)),
		"signature in ASN.1":                 compact(es256Header("ec"), testBody, make([]byte, 70)),
		"flipped bit in the signature":       flip(good, cut+5),
		"flipped bit in the last character":  good[:len(good)-1] + string(good[len(good)-1]+1), // of the 4 that carry nothing
		"flipped bit in the claims":          flip(good, cut-3),
		"flipped bit in the header":          flip(good, 5),
		"HS256 with the public key":          forgeHMAC(ecJWK, `{"alg":"HS256","kid":"ec"}`, testBody),
		"other key by the same kid":          forge(t, other, ES256, es256Header("ec"), testBody),
		"key of another alg":                 forge(t, ec, ES256, es256Header("rsa"), testBody),
		"alg not configured":                 forge(t, pair, RS256, `{"alg":"RS256","kid":"rsa"}`, testBody),
		"PS256 with the RS512 key":           forge(t, pair, PS256, `{"alg":"PS256","kid":"rsa"}`, testBody),
		"jku":                                withHeader(`"jku":"https://evil.example/jwks"`),
		"x5u":                                withHeader(`"x5u":"https://evil.example/cert"`),
		"jwk of the attacker":                forge(t, other, ES256, `{"alg":"ES256","jwk":`+string(otherJWK)+`}`, testBody),
		"jwk that is the right key":          withHeader(`"jwk":` + string(ecJWK)),
		"x5c":                                withHeader(`"x5c":["` + testCertificate(t) + `"]`),
		"x5c of nonsense":                    withHeader(`"x5c":["AAAA"]`),
		"crit unknown":                       withHeader(`"crit":["exp"],"exp":1`),
		"crit b64":                           withHeader(`"crit":["b64"],"b64":true`),
		"crit empty":                         withHeader(`"crit":[]`),
		"b64 without crit":                   withHeader(`"b64":false`),
		"zip":                                withHeader(`"zip":"DEF"`),
		"kid as path":                        forge(t, ec, ES256, es256Header("../../etc/passwd"), testBody),
		"kid of 10 kB":                       forge(t, ec, ES256, es256Header(strings.Repeat("k", 10<<10)), testBody),
		"kid as number":                      forge(t, ec, ES256, `{"alg":"ES256","kid":1}`, testBody),
		"kid twice":                          forge(t, ec, ES256, `{"alg":"ES256","kid":"x","kid":"ec"}`, testBody),
		"header in other case":               compact(`{"ALG":"ES256","KID":"ec"}`, testBody, make([]byte, 64)),
		"no kid, other key":                  forge(t, other, ES256, `{"alg":"ES256"}`, testBody),
		"JWS as JSON":                        `{"payload":"e30","protected":"e30","signature":"AA"}`,
		"line end in a segment":              good[:cut-4] + "\n" + good[cut-4:],
		"space before":                       " " + good,
		"padding":                            good + "==",
		"standard base64":                    strings.ReplaceAll(good, ".", "+.") + "/",
		"claims twice (J2)":                  forge(t, ec, ES256, es256Header("ec"), `{"sub":"a","sub":"b"}`),
		"claims are a list":                  forge(t, ec, ES256, es256Header("ec"), `[1]`),
		"claims are null":                    forge(t, ec, ES256, es256Header("ec"), `null`),
		"empty":                              "",
		"two segments":                       "a.b",
		"four segments (J2)":                 good + ".AA",
		"JWE dots (J2)":                      "eyJhbGciOiJSU0EtT0FFUCJ9.AA.AA.AA.AA",
		"PBES2 of a billion rounds (J2)":     compact(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"p2s":"AAAA"}`, testBody, []byte("x")),
		"a million dots (J2)":                strings.Repeat(".", 1_000_000),
		"16 kB of dots (J2)":                 strings.Repeat(".", maxToken),
		"one byte too long (J2)":             "e30." + strings.Repeat("A", maxToken) + ".AA",
		"header of depth 10^5 (J2)":          compact(`{"alg":"ES256","x":`+strings.Repeat("[", 100_000), testBody, []byte("x")),
		"header as deep as fits (J2)":        compact(`{"alg":"ES256","x":`+strings.Repeat("[", 12_000), testBody, []byte("x")),
		"claims as deep as fits (J2)":        forge(t, ec, ES256, es256Header("ec"), `{"a":`+strings.Repeat("[", 11_000)),
		"closed claims as deep as fits (J2)": forge(t, ec, ES256, es256Header("ec"), strings.Repeat(`{"a":`, 2200)+"1"+strings.Repeat("}", 2100)),
	}
	if _, err := set.VerifySignature(t.Context(), good); err != nil {
		t.Fatalf("the unaltered token: %v", err)
	}
	for name, raw := range rows {
		t.Run(name, func(t *testing.T) {
			payload, err := set.VerifySignature(t.Context(), raw)
			if !errors.Is(err, ErrRefused) || payload != nil {
				t.Fatalf("wanted a refusal and nothing else, got %q, %v", payload, err)
			}
			for _, leak := range []string{"evil", "passwd", "\n", "kkkk", "sub"} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("the error quotes the token: %v", err)
				}
			}
		})
	}
	if calls := provider.calls.Load(); calls != 2 {
		t.Errorf("wanted the first fetch and one refetch within the minute, got %d", calls)
	}
}

// The caps are judged before anything is read: the error names them.
func TestCapsComeFirst(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	longKid := forge(t, key, ES256, es256Header(strings.Repeat("k", maxKeyID+1)), testBody)
	_, tooLong := parse(strings.Repeat("A", maxToken+1), []Alg{ES256})
	_, longName := parse(longKid, []Alg{ES256})
	_, tooBig := parseKeySet([]byte(`{"keys":[`+strings.Repeat(" ", MaxKeySetBytes)), []Alg{ES256})
	for want, err := range map[string]error{"at most 16384 bytes": tooLong, "at most 256 bytes": longName, "at most 262144 bytes": tooBig} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("wanted %q, got %v", want, err)
		}
	}
}

// B3: after a rotation, and for a key newer than the last fetch.
func TestKeySetFollowsRotationB3(t *testing.T) {
	first, second, third := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	provider := &signer{doc: jwks(t, jwk(&first.PublicKey, "1", ES256, "sig"))}
	clock := newClock()
	set := NewKeySet(provider.fetch, clock.now, ES256)
	check := func(step string, raw string, ok bool, fetches int32) {
		t.Helper()
		_, err := set.VerifySignature(t.Context(), raw)
		if (err == nil) != ok || provider.calls.Load() != fetches {
			t.Fatalf("%s: wanted accepted %v after %d fetches, got %v after %d", step, ok, fetches, err, provider.calls.Load())
		}
	}
	one, two, three := forge(t, first, ES256, es256Header("1"), testBody), forge(t, second, ES256, es256Header("2"), testBody), forge(t, third, ES256, es256Header("3"), testBody)
	check("first use", one, true, 1)
	check("held", one, true, 1)
	provider.serve(jwks(t, jwk(&second.PublicKey, "2", ES256, "sig")), nil)
	check("the next key, right after the first fetch", two, true, 2)
	check("the removed key", one, false, 2)
	provider.serve(jwks(t, jwk(&third.PublicKey, "3", ES256, "sig")), nil)
	check("rotated just before signing, within the minute", three, false, 2)
	clock.advance(refetchAfter)
	check("rotated just before signing", three, true, 3)
	provider.serve(jwks(t, jwk(&first.PublicKey, "1", ES256, "sig")), nil)
	clock.advance(refreshAfter - time.Second)
	check("held for nearly an hour", three, true, 3)
	clock.advance(time.Second)
	check("a removed key stops at the hourly refresh", three, false, 4)
}

// B4: 1,000 strangers at once cost one fetch a minute, and nobody waits for them.
func TestKeySetBoundsFetchesB4(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	provider := &signer{doc: jwks(t, jwk(&key.PublicKey, "good", ES256, "sig"))}
	clock := newClock()
	set := NewKeySet(provider.fetch, clock.now, ES256)
	good := forge(t, key, ES256, es256Header("good"), testBody)
	if n, err := set.Prime(t.Context()); n != 1 || err != nil {
		t.Fatalf("Prime: wanted 1 key, got %d, %v", n, err)
	}
	for minute := range 3 {
		clock.advance(refetchAfter)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				stranger := compact(es256Header(fmt.Sprintf("stranger-%d-%d", minute, i)), testBody, make([]byte, 64))
				if _, err := set.VerifySignature(t.Context(), stranger); !errors.Is(err, ErrRefused) {
					t.Errorf("a stranger: wanted a refusal, got %v", err)
				}
				if i%50 != 0 {
					return
				}
				if _, err := set.VerifySignature(t.Context(), good); err != nil {
					t.Errorf("a good user: %v", err)
				}
			})
		}
		all.Wait()
	}
	if calls := provider.calls.Load(); calls != 4 {
		t.Errorf("fetches: wanted 1 at start and 1 in each of 3 minutes, got %d", calls)
	}
}

// B4: while a stranger's fetch hangs, a known key is not made to wait for it.
func TestKeySetKnownKeyDoesNotWait(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	provider := &signer{doc: jwks(t, jwk(&key.PublicKey, "good", ES256, "sig"))}
	clock := newClock()
	set := NewKeySet(provider.fetch, clock.now, ES256)
	if _, err := set.Prime(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.advance(refetchAfter)
	provider.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := set.VerifySignature(ctx, compact(es256Header("stranger"), testBody, make([]byte, 64)))
		left <- err
	}()
	if _, err := set.VerifySignature(t.Context(), forge(t, key, ES256, es256Header("good"), testBody)); err != nil {
		t.Errorf("a known key: %v", err)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: wanted %v, got %v", context.Canceled, err)
	}
	close(provider.hold)
}

// Two callers find the same kid missing; the later one sees inside the flight that
// the fetch was just made.
func TestKeySetJudgesInsideTheFlight(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	provider, clock := &signer{doc: jwks(t, jwk(&key.PublicKey, "good", ES256, "sig"))}, newClock()
	overtake := func() {}
	set := NewKeySet(provider.fetch, func() time.Time {
		run := overtake
		overtake = func() {}
		run()
		return clock.now()
	}, ES256)
	good := forge(t, key, ES256, es256Header("good"), testBody)
	overtake = func() {
		if _, err := set.VerifySignature(t.Context(), good); err != nil {
			t.Error(err)
		}
	}
	if _, err := set.VerifySignature(t.Context(), good); err != nil || provider.calls.Load() != 1 {
		t.Errorf("wanted one fetch for both, got %d, %v", provider.calls.Load(), err)
	}
}

// A caller who leaves takes nobody's answer away.
func TestKeySetCancelledCallerCancelsNobody(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	entered, hold := make(chan struct{}), make(chan struct{})
	fetch := func(ctx context.Context) ([]byte, error) {
		close(entered)
		<-hold
		return jwks(t, jwk(&key.PublicKey, "good", ES256, "sig")), ctx.Err()
	}
	set := NewKeySet(fetch, newClock().now, ES256)
	good := forge(t, key, ES256, es256Header("good"), testBody)
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() { _, err := set.VerifySignature(ctx, good); first <- err }()
	<-entered
	go func() { _, err := set.VerifySignature(t.Context(), good); second <- err }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: wanted %v, got %v", context.Canceled, err)
	}
	close(hold)
	if err := <-second; err != nil {
		t.Errorf("the one who stayed: %v", err)
	}
}

// B5: a bad document with warm keys: they serve, for 24 h and no longer.
func TestKeySetServesWarmB5(t *testing.T) {
	key, other := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	good := jwk(&key.PublicKey, "good", ES256, "sig")
	many := make([]jose.JSONWebKey, maxKeys+1)
	for i := range many {
		many[i] = jwk(&other.PublicKey, fmt.Sprint(i), ES256, "sig")
	}
	tenThousand := []byte(`{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"EC"},`, 10_000), ",") + `]}`)
	sameName := make([]jose.JSONWebKey, maxKeysPerName+1)
	for i := range sameName {
		sameName[i] = jwk(&other.PublicKey, "good", ES256, "sig")
	}
	rows := map[string]struct {
		doc []byte
		err error
	}{
		"JWKS 500":                       {nil, errors.New("status: wanted 200, got 500")},
		"HTML":                           {[]byte("<html><body>Sorry</body></html>"), nil},
		"empty body":                     {nil, nil},
		"10 MB":                          {[]byte(`{"keys":[],"x":"` + strings.Repeat("x", 10<<20) + `"}`), nil},
		"10,000 keys":                    {tenThousand, nil},
		"101 keys, right size":           {jwks(t, append(many, good)...), nil},
		"oct":                            {[]byte(`{"keys":[{"kty":"oct","kid":"good","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U"}]}`), nil},
		"no keys":                        {[]byte(`{"keys":[]}`), nil},
		"no member keys":                 {[]byte(`{}`), nil},
		"keys twice":                     {append(append([]byte(`{"keys":[],`), jwks(t, good)[1:]...), '\n'), nil},
		"private keys":                   {jwks(t, jose.JSONWebKey{Key: other, KeyID: "good"}), nil},
		"too many of one kid":            {jwks(t, sameName...), nil},
		"keys of another alg":            {jwks(t, jwk(&rsaKey().PublicKey, "good", RS512, "sig")), nil},
		"keys for encryption":            {jwks(t, jwk(&other.PublicKey, "good", "", "enc")), nil},
		"depth 10^5":                     {[]byte(`{"keys":` + strings.Repeat("[", 100_000)), nil},
		"a key of depth 10^5":            {[]byte(`{"keys":[{"kty":"EC","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}]}`), nil},
		"certificate address in the key": {[]byte(`{"keys":[{"kty":"EC","x5u":"https://evil.example"}]}`), nil},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			provider, clock := &signer{doc: jwks(t, good)}, newClock()
			set := NewKeySet(provider.fetch, clock.now, ES256)
			raw := forge(t, key, ES256, es256Header("good"), testBody)
			if _, err := set.VerifySignature(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
			provider.serve(row.doc, row.err)
			clock.advance(refreshAfter)
			for range 3 {
				if _, err := set.VerifySignature(t.Context(), raw); err != nil {
					t.Fatalf("warm keys: %v", err)
				}
			}
			if calls := provider.calls.Load(); calls != 2 || set.Fault() == nil {
				t.Errorf("wanted one failed refresh in the minute, got %d fetches, fault %v", calls, set.Fault())
			}
			clock.advance(servesFor - refreshAfter - time.Second)
			if _, err := set.VerifySignature(t.Context(), raw); err != nil {
				t.Errorf("nearly 24 h after the last good fetch: %v", err)
			}
			if age, ok := set.Age(); !ok || age != servesFor-time.Second {
				t.Errorf("Age: wanted %s, got %s, %v", servesFor-time.Second, age, ok)
			}
			clock.advance(time.Second)
			if _, err := set.VerifySignature(t.Context(), raw); !errors.Is(err, ErrNoKeys) {
				t.Errorf("24 h after the last good fetch: wanted %v, got %v", ErrNoKeys, err)
			}
		})
	}
}

// B5: two keys of one name are both tried; a set cannot be made to lie by it, for
// both are the signer's own.
func TestKeySetDuplicateKidB5(t *testing.T) {
	one, two, stranger := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	doc := jwks(t, jwk(&one.PublicKey, "same", ES256, "sig"), jwk(&two.PublicKey, "same", ES256, "sig"))
	set := NewKeySet((&signer{doc: doc}).fetch, newClock().now, ES256)
	for name, row := range map[string]struct {
		raw string
		ok  bool
	}{
		"the first":        {forge(t, one, ES256, es256Header("same"), testBody), true},
		"the second":       {forge(t, two, ES256, es256Header("same"), testBody), true},
		"neither":          {forge(t, stranger, ES256, es256Header("same"), testBody), false},
		"no kid to choose": {forge(t, one, ES256, `{"alg":"ES256"}`, testBody), false},
	} {
		if _, err := set.VerifySignature(t.Context(), row.raw); (err == nil) != row.ok {
			t.Errorf("%s: wanted accepted %v, got %v", name, row.ok, err)
		}
	}
}

// A cold set tries again soon, but not with every caller.
func TestKeySetColdRetries(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	provider, clock := &signer{err: errors.New("connection refused")}, newClock()
	set := NewKeySet(provider.fetch, clock.now, ES256)
	raw := forge(t, key, ES256, es256Header("good"), testBody)
	if _, ok := set.Age(); ok || set.Fault() == nil {
		t.Error("never fetched: wanted no age and a fault")
	}
	for range 10 {
		if _, err := set.VerifySignature(t.Context(), raw); !errors.Is(err, ErrNoKeys) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("no keys: wanted %v in one line, got %v", ErrNoKeys, err)
		}
	}
	if calls := provider.calls.Load(); calls != 1 {
		t.Errorf("fetches within 5 s: wanted 1, got %d", calls)
	}
	provider.serve(jwks(t, jwk(&key.PublicKey, "good", ES256, "sig")), nil)
	clock.advance(retryAfter)
	if _, err := set.VerifySignature(t.Context(), raw); err != nil || set.Fault() != nil {
		t.Errorf("after 5 s: %v, fault %v", err, set.Fault())
	}
	clock.advance(-24 * time.Hour)
	provider.serve(nil, errors.New("gone"))
	if _, err := set.VerifySignature(t.Context(), compact(es256Header("x"), testBody, make([]byte, 64))); err == nil || provider.calls.Load() != 3 {
		t.Errorf("a clock set back: wanted a fetch all the same, got %d fetches", provider.calls.Load())
	}
}

// Which keys of a document can be used, one at a time.
func TestParseKeySet(t *testing.T) {
	p256, p384 := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P384())
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ops := func(list string) []byte {
		doc := jwks(t, jwk(&p256.PublicKey, "a", "", ""))
		return []byte(strings.Replace(string(doc), `"kty"`, `"key_ops":`+list+`,"kty"`, 1))
	}
	for name, row := range map[string]struct {
		doc  []byte
		want int
	}{
		"plain":                      {jwks(t, jwk(&p256.PublicKey, "a", "", "")), 1},
		"named alg":                  {jwks(t, jwk(&p256.PublicKey, "a", ES256, "sig")), 1},
		"alg of another family":      {jwks(t, jwk(&p256.PublicKey, "a", RS512, "sig")), 0},
		"curve of another alg":       {jwks(t, jwk(&p384.PublicKey, "a", "", "sig")), 0},
		"RSA of 1024 bits":           {jwks(t, jwk(&weak.PublicKey, "a", RS512, "sig")), 0},
		"RSA of 2048 bits":           {jwks(t, jwk(&rsaKey().PublicKey, "a", RS512, "sig")), 1},
		"alg not configured":         {jwks(t, jwk(&rsaKey().PublicKey, "a", RS256, "sig")), 0},
		"use enc":                    {jwks(t, jwk(&p256.PublicKey, "a", ES256, "enc")), 0},
		"use of another word":        {jwks(t, jwk(&p256.PublicKey, "a", ES256, "SIG")), 0},
		"key_ops verify":             {ops(`["verify"]`), 1},
		"key_ops without verify":     {ops(`["encrypt"]`), 0},
		"key_ops empty":              {ops(`[]`), 0},
		"kid too long":               {jwks(t, jwk(&p256.PublicKey, strings.Repeat("k", maxKeyID+1), ES256, "sig")), 0},
		"unknown kty beside a good":  {append([]byte(`{"keys":[{"kty":"AKP"},`), jwks(t, jwk(&p256.PublicKey, "a", "", ""))[9:]...), 1},
		"nonsense beside a good":     {append([]byte(`{"keys":[7,"x",null,{},`), jwks(t, jwk(&p256.PublicKey, "a", "", ""))[9:]...), 1},
		"off the curve":              {[]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`), 0},
		"the same name, other alg":   {jwks(t, jwk(&p256.PublicKey, "a", ES256, ""), jwk(&rsaKey().PublicKey, "a", RS512, "")), 2},
		"keys without names, many":   {jwks(t, jwk(&p256.PublicKey, "", "", ""), jwk(&p256.PublicKey, "", "", ""), jwk(&p256.PublicKey, "", "", ""), jwk(&p256.PublicKey, "", "", ""), jwk(&p256.PublicKey, "", "", "")), 5},
		"a set inside another shape": {[]byte(`[{"keys":[]}]`), 0},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := parseKeySet(row.doc, []Alg{ES256, RS512})
			if len(keys) != row.want || (err == nil) != (row.want > 0) {
				t.Errorf("wanted %d keys, got %d, %v", row.want, len(keys), err)
			}
		})
	}
}

// J2: a hostile document or token costs no more memory than a few times its cap.
func TestHostileInputMemoryJ2(t *testing.T) {
	deep := []byte(`{"keys":` + strings.Repeat("[", MaxKeySetBytes-8))
	dots := strings.Repeat(".", 1<<20)
	header := compact(`{"alg":"ES256","x":`+strings.Repeat("[", 12_000), testBody, []byte("x"))
	for name, f := range map[string]func(){
		"deep key set": func() { _, _ = parseKeySet(deep, []Alg{ES256}) },
		"dots":         func() { _, _ = parse(dots, []Alg{ES256}) },
		"deep header":  func() { _, _ = parse(header, []Alg{ES256}) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4*MaxKeySetBytes {
			t.Errorf("%s: wanted at most 1 MiB allocated, got %d bytes", name, grown)
		}
	}
}
