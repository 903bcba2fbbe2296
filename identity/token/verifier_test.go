package token

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
)

// house is an issuer with its ring, and verifiers at both ends.
type house struct {
	*clock
	ring   *Ring
	issuer *Issuer
	own    *Verifier // by the ring
	portal *Verifier // by the published key set
}

func newHouse(t testing.TB) house {
	c := newClock()
	ring, _ := newTestRing(t, c.now, ES256, RS256)
	published := NewKeySet((&signer{doc: ring.JWKS()}).fetch, c.now, ES256, RS256)
	return house{
		clock: c, ring: ring, issuer: NewIssuer(testIssuer, ring, c.now),
		own: NewVerifier(testIssuer, ring, c.now), portal: NewVerifier(testIssuer, published, c.now),
	}
}

func (h house) access(t testing.TB) string {
	t.Helper()
	raw, _, err := h.issuer.AccessToken(ES256, testAccess(h.now()))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h house) id(t testing.TB) string {
	t.Helper()
	raw, err := h.issuer.IDToken(ES256, testID(h.now()), h.access(t))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signerOf is the private key that signs by alg now, for forgeries in our own name.
func (h house) signerOf(alg Alg) (crypto.Signer, string) {
	held := h.ring.loaded.Load()
	i := signing(held.keys, alg, h.now())
	return held.signers[i], held.keys[i].ID
}

func TestTokensRoundTrip(t *testing.T) {
	h := newHouse(t)
	now := h.now()
	for _, alg := range []Alg{"", ES256, RS256} {
		raw, expires, err := h.issuer.AccessToken(alg, testAccess(now))
		if err != nil {
			t.Fatal(err)
		}
		if want := now.Add(AccessLife); !expires.Equal(want) {
			t.Errorf("%q: expires: wanted %s, got %s", alg, want, expires)
		}
		idToken, err := h.issuer.IDToken(alg, testID(now), raw)
		if err != nil {
			t.Fatal(err)
		}
		for end, verifier := range map[string]*Verifier{"own": h.own, "portal": h.portal} {
			access, err := verifier.AccessToken(t.Context(), raw, testAudience)
			if err != nil {
				t.Fatalf("%q, %s: %v", alg, end, err)
			}
			want := testAccess(now)
			want.Stamp = Stamp{ID: access.Stamp.ID, Issued: now, Expires: now.Add(AccessLife)}
			if diff := cmp.Diff(want, access); diff != "" || len(access.Stamp.ID) != 22 {
				t.Errorf("%q, %s: access token (-want +got):\n%s", alg, end, diff)
			}
			hint, err := verifier.IDTokenHint(t.Context(), idToken)
			if err != nil {
				t.Fatalf("%q, %s: %v", alg, end, err)
			}
			wantHint := testID(now)
			wantHint.Stamp = Stamp{ID: hint.Stamp.ID, Issued: now, Expires: now.Add(IDLife)}
			if diff := cmp.Diff(wantHint, hint); diff != "" {
				t.Errorf("%q, %s: ID token (-want +got):\n%s", alg, end, diff)
			}
		}
	}
}

// The claims on the wire, name by name.
func TestClaimsOnTheWire(t *testing.T) {
	h := newHouse(t)
	_, kid := h.signerOf(ES256)
	start := float64(testStart.Unix())
	shared := map[string]any{
		"iss": testIssuer, "sub": "c2VjcmV0LWFjY291bnQtaWQ", "iat": start, "sid": "aGFuZGxlLW9mLXRoZS1zZXNzaW9u",
		"acr": "P9.Cp.Cd", "vot": "P9.Cp.Cd", "vtm": testIssuer + "/trustmark", "amr": []any{"pwd", "sms", "mfa"},
		"auth_time": start - 60, "identity_proofing_level": "P9", "idp": "nhs-login",
		"session_ends": start + 12*3600, "session_idle_ends": start + 1800,
	}
	with := func(more map[string]any) map[string]any {
		out := map[string]any{}
		for _, m := range []map[string]any{shared, more} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	access := h.access(t)
	idToken, err := h.issuer.IDToken(ES256, testID(h.now()), access)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		raw, typ string
		want     map[string]any
	}{
		{access, "at+jwt", with(map[string]any{"aud": testAudience, "client_id": testClient, "scope": "openid profile", "exp": start + 180})},
		{idToken, "JWT", with(map[string]any{"aud": testClient, "nonce": "bm9uY2U", "at_hash": atHash(access), "exp": start + 120})},
	} {
		if diff := cmp.Diff(map[string]any{"alg": "ES256", "kid": kid, "typ": row.typ}, segment(t, row.raw, 0)); diff != "" {
			t.Errorf("%s header (-want +got):\n%s", row.typ, diff)
		}
		got := segment(t, row.raw, 1)
		row.want["jti"] = got["jti"]
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s claims (-want +got):\n%s", row.typ, diff)
		}
	}
	// at_hash of OpenID Connect Core's own example for its access token.
	if got := atHash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Errorf("at_hash: got %s", got)
	}
}

func TestOptionalClaimsAreLeftOut(t *testing.T) {
	h := newHouse(t)
	claims := Claims{Subject: "s", SessionID: "h", Trust: identity.Trust{C: identity.Cp}, Ends: h.now().Add(time.Hour)}
	raw, err := h.issuer.IDToken("", IDClaims{Claims: claims, Audience: testClient}, "")
	if err != nil {
		t.Fatal(err)
	}
	got := segment(t, raw, 1)
	for _, name := range []string{"auth_time", "idp", "amr", "nonce", "at_hash", "session_idle_ends", "client_id", "scope", "nbf", "act"} {
		if value, there := got[name]; there {
			t.Errorf("%s: wanted none, got %v", name, value)
		}
	}
	if got["acr"] != "P0.Cp" || got["identity_proofing_level"] != "P0" {
		t.Errorf("wanted P0.Cp and P0, got %v and %v", got["acr"], got["identity_proofing_level"])
	}
	if hint, err := h.own.IDTokenHint(t.Context(), raw); err != nil || !hint.AuthTime.IsZero() {
		t.Errorf("wanted no auth_time, got %v, %v", hint.AuthTime, err)
	}
}

// No token outlives its session, and none is written for one that is over.
func TestTokensEndWithTheSession(t *testing.T) {
	h := newHouse(t)
	for name, row := range map[string]struct {
		left, access, id time.Duration
	}{
		"long":                   {time.Hour, AccessLife, IDLife},
		"between the two lives":  {150 * time.Second, 150 * time.Second, IDLife},
		"a minute":               {time.Minute, time.Minute, time.Minute},
		"part of a second":       {1500 * time.Millisecond, time.Second, time.Second},
		"less than a second":     {900 * time.Millisecond, 0, 0},
		"this instant":           {0, 0, 0},
		"over":                   {-time.Hour, 0, 0},
		"a session with no end":  {-1 << 62, 0, 0},
		"the whole twelve hours": {12 * time.Hour, AccessLife, IDLife},
	} {
		t.Run(name, func(t *testing.T) {
			access, idc := testAccess(h.now()), testID(h.now())
			access.Ends = h.now().Add(row.left)
			if row.left == -1<<62 {
				access.Ends = time.Time{}
			}
			idc.Ends = access.Ends
			raw, expires, accessErr := h.issuer.AccessToken("", access)
			idToken, idErr := h.issuer.IDToken("", idc, raw)
			if row.access == 0 {
				if !errors.Is(accessErr, identity.ErrExpired) || !errors.Is(idErr, identity.ErrExpired) || raw != "" || idToken != "" {
					t.Fatalf("wanted %v twice, got %v and %v", identity.ErrExpired, accessErr, idErr)
				}
				return
			}
			if got := expires.Sub(h.now()); got != row.access {
				t.Errorf("access token: wanted %s, got %s", row.access, got)
			}
			if got := segment(t, idToken, 1)["exp"]; got != float64(h.now().Add(row.id).Unix()) {
				t.Errorf("ID token: wanted %s, got exp %v", row.id, got)
			}
		})
	}
}

func TestIssuerRefusesIncompleteClaims(t *testing.T) {
	h := newHouse(t)
	for name, alter := range map[string]func(c *AccessClaims){
		"no sub":       func(c *AccessClaims) { c.Subject = "" },
		"no aud":       func(c *AccessClaims) { c.Audience = "" },
		"no sid":       func(c *AccessClaims) { c.SessionID = "" },
		"no client_id": func(c *AccessClaims) { c.ClientID = "" },
		"no trust":     func(c *AccessClaims) { c.Trust = identity.Trust{} },
	} {
		c := testAccess(h.now())
		alter(&c)
		if raw, _, err := h.issuer.AccessToken("", c); err == nil || raw != "" {
			t.Errorf("%s: wanted an error, got none", name)
		}
	}
	if _, _, err := h.issuer.AccessToken("HS256", testAccess(h.now())); !errors.Is(err, ErrNoKeys) {
		t.Errorf("HS256: wanted %v, got %v", ErrNoKeys, err)
	}
}

// Forgeries by our own key: whatever is signed, the claims are judged too. Each row
// sets or drops (nil) members of a good access token.
func TestVerifierRefusesClaims(t *testing.T) {
	h := newHouse(t)
	key, kid := h.signerOf(ES256)
	goodHeader := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, kid)
	start := h.now().Unix()
	build := func(set map[string]any) string {
		claims := segment(t, h.access(t), 1)
		for name, value := range set {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		body, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return forge(t, key, ES256, goodHeader, string(body))
	}
	refusals := map[string]map[string]any{
		"iss missing":                {"iss": nil},
		"iss with a slash":           {"iss": testIssuer + "/"},
		"iss in other case":          {"iss": strings.ToUpper(testIssuer)},
		"iss of another":             {"iss": "https://evil.example"},
		"sub missing":                {"sub": nil},
		"sub empty":                  {"sub": ""},
		"sub as number":              {"sub": 1},
		"aud missing":                {"aud": nil},
		"aud of another":             {"aud": testClient},
		"aud a list with the right":  {"aud": []string{testAudience}},
		"aud a list of two":          {"aud": []string{testAudience, "https://evil.example"}},
		"client_id missing":          {"client_id": nil},
		"jti missing":                {"jti": nil},
		"sid missing":                {"sid": nil},
		"exp missing":                {"exp": nil},
		"exp zero":                   {"exp": 0},
		"exp now":                    {"exp": start},
		"exp a second ago":           {"exp": start - 1},
		"exp as text":                {"exp": fmt.Sprint(start + 100)},
		"exp beyond all numbers":     {"exp": 1e300},
		"iat missing":                {"iat": nil},
		"iat 61 s ahead":             {"iat": start + 61},
		"nbf 61 s ahead":             {"nbf": start + 61},
		"acr missing":                {"acr": nil},
		"acr unknown":                {"acr": "P7.Cp", "vot": "P7.Cp"},
		"acr without a credential":   {"acr": "P9", "vot": "P9"},
		"acr in another order":       {"acr": "P9.Cd.Cp", "vot": "P9.Cd.Cp"},
		"vot higher than acr":        {"vot": "P9.Cm"},
		"identity_proofing_level P6": {"identity_proofing_level": "P6"},
	}
	for name, set := range refusals {
		t.Run(name, func(t *testing.T) {
			if _, err := h.own.AccessToken(t.Context(), build(set), testAudience); !errors.Is(err, ErrRefused) {
				t.Errorf("wanted a refusal, got %v", err)
			}
		})
	}
	for name, set := range map[string]map[string]any{
		"unaltered":           {},
		"iat 60 s ahead":      {"iat": start + 60},
		"nbf 60 s ahead":      {"nbf": start + 60},
		"exp a second away":   {"exp": start + 1},
		"a claim of tomorrow": {"act": map[string]any{"sub": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := h.own.AccessToken(t.Context(), build(set), testAudience); err != nil {
				t.Errorf("wanted it accepted, got %v", err)
			}
		})
	}
	body := `{"iss":"` + testIssuer + `"}`
	for name, raw := range map[string]string{
		"not JSON":         forge(t, key, ES256, goodHeader, string(payloadOf(t, h.access(t)))+"{"),
		"a list":           forge(t, key, ES256, goodHeader, "[]"),
		"claims null":      forge(t, key, ES256, goodHeader, "null"),
		"no claims at all": forge(t, key, ES256, goodHeader, "{}"),
		"iss alone":        forge(t, key, ES256, goodHeader, body),
		"no kid":           forge(t, key, ES256, `{"alg":"ES256","typ":"at+jwt"}`, string(payloadOf(t, h.access(t)))),
		"kid of our other": forge(t, key, ES256, strings.Replace(goodHeader, kid, otherKid(h), 1), string(payloadOf(t, h.access(t)))),
	} {
		for end, verifier := range map[string]*Verifier{"own": h.own, "portal": h.portal} {
			if _, err := verifier.AccessToken(t.Context(), raw, testAudience); !errors.Is(err, ErrRefused) {
				t.Errorf("%s, %s: wanted a refusal, got %v", name, end, err)
			}
		}
	}
	if _, err := h.own.AccessToken(t.Context(), h.access(t), ""); !errors.Is(err, ErrRefused) {
		t.Errorf("no audience asked for: wanted a refusal, got %v", err)
	}
	if _, err := NewVerifier("", h.ring, h.now).AccessToken(t.Context(), build(map[string]any{"iss": ""}), testAudience); !errors.Is(err, ErrRefused) {
		t.Errorf("no issuer configured: wanted a refusal, got %v", err)
	}
}

func otherKid(h house) string {
	_, kid := h.signerOf(RS256)
	return kid
}

func payloadOf(t testing.TB, raw string) []byte {
	t.Helper()
	body, err := strictBase64.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// One kind of token is never taken for another, whoever signed it.
func TestKindsNeverSwap(t *testing.T) {
	h := newHouse(t)
	key, kid := h.signerOf(ES256)
	body := string(payloadOf(t, h.access(t)))
	retyped := func(typ string) string {
		return forge(t, key, ES256, fmt.Sprintf(`{"alg":"ES256","kid":%q%s}`, kid, typ), body)
	}
	assertionKey, err := ParseSigningKey(pemOf(t, key))
	if err != nil {
		t.Fatal(err)
	}
	clientAssertion, err := NewAssertion(assertionKey.WithKeyID(kid), testClient, testAudience, h.now(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		raw        string
		access, id bool
	}{
		"access token":                {h.access(t), true, false},
		"ID token":                    {h.id(t), false, true},
		"logout token":                {retyped(`,"typ":"logout+jwt"`), false, false},
		"no typ":                      {retyped(""), false, false},
		"typ in other case":           {retyped(`,"typ":"AT+JWT"`), false, false},
		"typ as media type":           {retyped(`,"typ":"application/at+jwt"`), false, false},
		"typ as list":                 {retyped(`,"typ":["at+jwt"]`), false, false},
		"typ twice":                   {retyped(`,"typ":"JWT","typ":"at+jwt"`), false, false},
		"client assertion by our key": {clientAssertion, false, false},
		"a key set":                   {string(h.ring.JWKS()), false, false},
		"a session id":                {identity.NewToken().Reveal(), false, false},
	} {
		for end, verifier := range map[string]*Verifier{"own": h.own, "portal": h.portal} {
			t.Run(name+", "+end, func(t *testing.T) {
				if _, err := verifier.AccessToken(t.Context(), row.raw, testAudience); (err == nil) != row.access {
					t.Errorf("as access token: wanted accepted %v, got %v", row.access, err)
				}
				if _, err := verifier.IDTokenHint(t.Context(), row.raw); (err == nil) != row.id {
					t.Errorf("as ID token: wanted accepted %v, got %v", row.id, err)
				}
			})
		}
	}
}

// B2 against our own tokens, at both ends.
func TestVerifierRefusesB2(t *testing.T) {
	h := newHouse(t)
	good := h.access(t)
	body, head := string(payloadOf(t, good)), segment(t, good, 0)
	kid := head["kid"].(string)
	stranger := rsaKey()
	key, _ := h.signerOf(ES256)
	sign := func(extra string) string {
		return forge(t, key, ES256, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"%s}`, kid, extra), body)
	}
	rows := map[string]string{
		"none":                      compact(fmt.Sprintf(`{"alg":"none","kid":%q,"typ":"at+jwt"}`, kid), body, nil),
		"empty signature":           good[:strings.LastIndex(good, ".")+1],
		"no signature":              good[:strings.LastIndex(good, ".")],
		"HS256 with the key set":    forgeHMAC(h.ring.JWKS(), fmt.Sprintf(`{"alg":"HS256","kid":%q,"typ":"at+jwt"}`, kid), body),
		"other key":                 forge(t, stranger, RS256, fmt.Sprintf(`{"alg":"RS256","kid":%q,"typ":"at+jwt"}`, otherKid(h)), body),
		"alg of the other key":      forge(t, stranger, RS256, fmt.Sprintf(`{"alg":"RS256","kid":%q,"typ":"at+jwt"}`, kid), body),
		"RS512 is not one of ours":  forge(t, stranger, RS512, fmt.Sprintf(`{"alg":"RS512","kid":%q,"typ":"at+jwt"}`, otherKid(h)), body),
		"claims of another token":   swapClaims(good, h.id(t)),
		"jku":                       sign(`,"jku":"https://evil.example"`),
		"x5u":                       sign(`,"x5u":"https://evil.example"`),
		"crit":                      sign(`,"crit":["x"],"x":1`),
		"truncated":                 good[:len(good)-1],
		"extended":                  good + "A",
		"line end behind":           good + "\n",
		"kid unknown":               forge(t, key, ES256, `{"alg":"ES256","kid":"x","typ":"at+jwt"}`, body),
		"kid with a line end (K1)":  forge(t, key, ES256, `{"alg":"ES256","kid":"a\nb","typ":"at+jwt"}`, body),
		"signature of all zeros":    good[:strings.LastIndex(good, ".")+1] + strings.Repeat("A", 86),
		"16 KiB and a byte (J2)":    good + strings.Repeat("A", maxToken),
		"encrypted, five dots (J2)": good + ".AA.AA",
	}
	for i := range good { // every character counts
		c := good[i] ^ 1
		if good[i] == '.' {
			c = 'A'
		}
		rows[fmt.Sprintf("flipped bit %d", i)] = good[:i] + string(c) + good[i+1:]
	}
	for name, raw := range rows {
		for end, verifier := range map[string]*Verifier{"own": h.own, "portal": h.portal} {
			if _, err := verifier.AccessToken(t.Context(), raw, testAudience); !errors.Is(err, ErrRefused) {
				t.Errorf("%s, %s: wanted a refusal, got %v", name, end, err)
			} else if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "evil") {
				t.Errorf("%s, %s: the error quotes the token: %v", name, end, err)
			}
		}
	}
}

// swapClaims puts the claims of one token between header and signature of another.
func swapClaims(raw, from string) string {
	parts := strings.Split(raw, ".")
	parts[1] = strings.Split(from, ".")[1]
	return strings.Join(parts, ".")
}

// Expiry is at the second, at both ends; a hint may be old.
func TestExpiry(t *testing.T) {
	h := newHouse(t)
	access, idToken := h.access(t), h.id(t)
	h.advance(AccessLife - time.Second)
	if _, err := h.own.AccessToken(t.Context(), access, testAudience); err != nil {
		t.Errorf("a second before: %v", err)
	}
	h.advance(time.Second)
	for end, verifier := range map[string]*Verifier{"own": h.own, "portal": h.portal} {
		if _, err := verifier.AccessToken(t.Context(), access, testAudience); !errors.Is(err, identity.ErrExpired) || !errors.Is(err, ErrRefused) {
			t.Errorf("%s, at its end: wanted %v, got %v", end, identity.ErrExpired, err)
		}
	}
	h.advance(12 * time.Hour)
	if _, err := h.own.IDTokenHint(t.Context(), idToken); err != nil {
		t.Errorf("an expired ID token as a hint: %v", err)
	}
	h.advance(-13 * time.Hour)
	if _, err := h.own.IDTokenHint(t.Context(), idToken); !errors.Is(err, ErrRefused) {
		t.Errorf("a hint from the future: wanted a refusal, got %v", err)
	}
}

// C10: a hint of the longest session is still ours after its key was rotated out.
func TestHintOutlivesRotation(t *testing.T) {
	h := newHouse(t)
	h.advance(KeyLife - keyLead)
	refresh := func() {
		if err := h.ring.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	idToken := h.id(t)
	h.advance(keyLead + 12*time.Hour)
	refresh()
	if _, err := h.own.IDTokenHint(t.Context(), idToken); err != nil {
		t.Errorf("12 h after the rotation: %v", err)
	}
	h.advance(keyKept)
	refresh()
	if _, err := h.own.IDTokenHint(t.Context(), idToken); !errors.Is(err, ErrRefused) {
		t.Errorf("when its key is gone: wanted a refusal, got %v", err)
	}
}
