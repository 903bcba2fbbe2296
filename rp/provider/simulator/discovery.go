package simulator

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// octKey is the symmetric key that SignOct signs with and KeySetFault.Oct
// publishes. It protects nothing.
var octKey = []byte("published-on-purpose-and-no-secret")

// discovery is the configuration document. What NHS login doesn't have is not in
// it: no end_session_endpoint, no ui_locales_supported, no other algorithm.
func (s *Simulator) discovery() map[string]any {
	base := s.base()
	doc := map[string]any{
		"issuer":                                           s.Issuer(),
		"authorization_endpoint":                           base + "/authorize",
		"token_endpoint":                                   base + "/token",
		"userinfo_endpoint":                                base + "/userinfo",
		"jwks_uri":                                         base + "/.well-known/jwks.json",
		"scopes_supported":                                 knownScopes(),
		"response_types_supported":                         []string{"code"},
		"response_modes_supported":                         []string{"query"},
		"grant_types_supported":                            []string{"authorization_code", "refresh_token"},
		"subject_types_supported":                          []string{"public"},
		"id_token_signing_alg_values_supported":            []string{s.keys.alg},
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{string(jose.RS512)},
		"display_values_supported":                         []string{"page", "touch"},
		"claims_supported": []string{
			"iss", "aud", "sub", "exp", "iat", "jti", "auth_time", "nonce", "vot", "vtm", "identity_proofing_level",
			"nhs_number", "family_name", "given_name", "birthdate", "email", "email_verified",
			"phone_number", "phone_number_verified", "phone_number_pds_matched",
		},
	}
	for _, c := range s.allClients() {
		s.discoverFor(c, doc)
	}
	if s.opt.PKCE {
		doc["code_challenge_methods_supported"] = []string{"S256"}
	}
	if s.opt.IssParameter {
		doc["authorization_response_iss_parameter_supported"] = true
	}
	return doc
}

// discoverFor adds what a client other than NHS login's kind needs.
func (s *Simulator) discoverFor(c Client, doc map[string]any) {
	if c.Secret != "" {
		doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	}
	if c.PKCE {
		doc["code_challenge_methods_supported"] = []string{"S256"}
	}
	const algs = "token_endpoint_auth_signing_alg_values_supported"
	for _, alg := range c.algs() {
		if have := doc[algs].([]string); !slices.Contains(have, string(alg)) {
			doc[algs] = append(have, string(alg))
		}
	}
}

func (s *Simulator) discoveryHTTP(w http.ResponseWriter, r *http.Request) {
	s.record(EndpointDiscovery, "")
	f := s.wideFaults()
	if redirected(w, f, EndpointDiscovery) {
		return
	}
	doc, reply := f.Discovery.document(s.discovery())
	w.Header().Set("Cache-Control", "public, max-age=300")
	answer(w, r, http.StatusOK, doc, reply)
}

func (s *Simulator) jwksHTTP(w http.ResponseWriter, r *http.Request) {
	s.record(EndpointJWKS, "")
	f := s.wideFaults()
	if redirected(w, f, EndpointJWKS) {
		return
	}
	fault := f.JWKS
	if fault == nil {
		fault = &KeySetFault{}
	}
	set, err := s.keySet(fault)
	if err != nil {
		http.Error(w, "no key", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	answer(w, r, http.StatusOK, set, fault.Reply)
}

// keySet returns the published keys as the fault says.
func (s *Simulator) keySet(f *KeySetFault) (any, error) {
	if f.Keys != nil {
		return map[string]any{"keys": f.Keys}, nil
	}
	published, err := s.keys.published()
	if err != nil {
		return nil, err
	}
	current := published[0]
	var keys []any
	if f.SameKID {
		decoy := decoyKey(current, 0, s.keys.alg)
		decoy["kid"] = current.kid
		keys = append(keys, decoy)
	}
	for i := range f.Decoys {
		keys = append(keys, decoyKey(current, i, s.keys.alg))
	}
	if f.Oct {
		keys = append(keys, map[string]any{
			"kty": "oct", "kid": current.kid, "alg": "HS256", "k": base64.RawURLEncoding.EncodeToString(octKey),
		})
	}
	for i, k := range published {
		if i > 0 || !f.Withdrawn && !f.Oct {
			keys = append(keys, k.jwk(s.keys.alg))
		}
	}
	if f.Also != "" {
		if _, ok := hashes[f.Also]; !ok {
			return nil, fmt.Errorf("also: wanted a known algorithm, got %.16q", f.Also)
		}
		k, err := s.keys.foreign(f.Also)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k.jwk(f.Also))
	}
	return withUse(keys, f.Use)
}

// withUse gives every key another `use`, when one is named.
func withUse(keys []any, use string) (any, error) {
	if use == "" {
		return map[string]any{"keys": orNone(keys)}, nil
	}
	for i, k := range keys {
		raw, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		var m map[string]any
		if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&m); err != nil {
			return nil, err
		}
		m["use"] = use
		keys[i] = m
	}
	return map[string]any{"keys": orNone(keys)}, nil
}

func orNone(keys []any) []any {
	if keys == nil {
		return []any{}
	}
	return keys
}

// decoyKey returns a public key nobody holds, cheap to make by the thousand: the
// current modulus with a number added. It has the right kind, use and alg.
func decoyKey(like signingKey, i int, alg string) map[string]any {
	k := map[string]any{"kty": "RSA", "use": "sig", "alg": alg, "kid": fmt.Sprintf("decoy-%d", i), "e": "AQAB"}
	modulus := new(big.Int).Lsh(big.NewInt(1), rsaBits-1)
	if pub, ok := like.private.Public().(*rsa.PublicKey); ok {
		modulus.Set(pub.N)
	}
	modulus.Add(modulus, big.NewInt(2*int64(i)+2))
	k["n"] = b64(modulus.Bytes())
	return k
}
