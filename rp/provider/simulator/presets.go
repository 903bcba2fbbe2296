package simulator

import (
	"slices"
	"strings"
	"time"
)

// Preset is a lie with a name, to be picked on a page or in a test.
type Preset struct {
	Name   string
	About  string // what the provider does, in a line
	Faults Faults
}

const (
	slow    = Duration(10 * time.Second) // past the patience of a sane client
	hour    = Duration(time.Hour)
	day     = 24 * hour
	tenMB   = 10 << 20
	bomb    = 64 << 20
	elseURL = "https://login.example.org"
)

// Presets returns every named lie, in the order a person would look for them.
func (s *Simulator) Presets() []Preset {
	collector := s.base() + "/collector"
	return slices.Concat(
		claimLies(s.Issuer()), timeLies(), twoPeopleLies(), strengthLies(),
		signatureLies(s.keys.alg, collector), keySetLies(), discoveryLies(s.Issuer(), s.keys.alg, collector),
		tokenLies(collector), userinfoLies(collector), callbackLies(), refusalLies(),
	)
}

// preset returns the faults of a name.
func (s *Simulator) preset(name string) (Faults, bool) {
	all := s.Presets()
	i := slices.IndexFunc(all, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return Faults{}, false
	}
	return all[i].Faults, true
}

// Preset returns the faults of a name; an unknown name is an honest provider and
// false.
func (s *Simulator) Preset(name string) (Faults, bool) { return s.preset(name) }

type claims = map[string]any

// idToken is a lie in the ID token alone.
func idToken(name, about string, f TokenFault) Preset {
	return Preset{name, about, Faults{IDToken: &f}}
}

// everywhere is a claim that ID token and userinfo agree on, so that nothing but
// the claim itself is wrong.
func everywhere(name, about string, set claims) Preset {
	return Preset{name, about, Faults{IDToken: &TokenFault{Set: set}, UserInfo: &DocumentFault{Set: set}}}
}

func claimLies(issuer string) []Preset {
	return []Preset{
		idToken("invalid-iss", "ID token: iss of another issuer", TokenFault{Set: claims{"iss": elseURL}}),
		idToken("iss-slash", "ID token: iss differs by a slash at its end", TokenFault{Set: claims{"iss": otherSlash(issuer)}}),
		idToken("missing-iss", "ID token: no iss", TokenFault{Drop: []string{"iss"}}),
		idToken("invalid-aud", "ID token: aud of another client", TokenFault{Set: claims{"aud": "another-client"}}),
		idToken("aud-others", "ID token: aud is a list of other clients", TokenFault{Set: claims{"aud": []string{"another-client", "a-third"}}}),
		idToken("missing-aud", "ID token: no aud", TokenFault{Drop: []string{"aud"}}),
		idToken("azp-wrong", "ID token: azp of another client", TokenFault{Set: claims{"azp": "another-client"}}),
		idToken("missing-sub", "ID token: no sub", TokenFault{Drop: []string{"sub"}}),
		everywhere("empty-sub", "ID token and userinfo: empty sub", claims{"sub": ""}),
		everywhere("sub-number", "ID token and userinfo: sub is a number", claims{"sub": 12345}),
		everywhere("huge-sub", "ID token and userinfo: sub of a megabyte", claims{"sub": strings.Repeat("s", 1<<20)}),
		everywhere("long-sub", "ID token and userinfo: sub of 256 characters, one too many", claims{"sub": strings.Repeat("s", 256)}),
		idToken("duplicate-sub", "ID token: sub twice, the second another's", TokenFault{Repeat: claims{"sub": "another-subject"}}),
		idToken("nonce-invalid", "ID token: another nonce", TokenFault{Set: claims{"nonce": "another-nonce"}}),
		idToken("missing-nonce", "ID token: no nonce", TokenFault{Drop: []string{"nonce"}}),
		idToken("at_hash-wrong", "ID token: at_hash of another access token", TokenFault{Set: claims{"at_hash": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}),
	}
}

// otherSlash adds a slash at the end, or takes it away.
func otherSlash(issuer string) string {
	if bare, had := strings.CutSuffix(issuer, "/"); had {
		return bare
	}
	return issuer + "/"
}

func timeLies() []Preset {
	at := func(name string, d Duration) TokenFault { return TokenFault{At: map[string]Duration{name: d}} }
	return []Preset{
		idToken("exp-missing", "ID token: no exp", TokenFault{Drop: []string{"exp"}}),
		idToken("exp-past", "ID token: expired an hour ago", at("exp", -hour)),
		idToken("exp-far-future", "ID token: expires in ten years", at("exp", 3652*day)),
		idToken("iat-missing", "ID token: no iat", TokenFault{Drop: []string{"iat"}}),
		idToken("iat-future", "ID token: issued in an hour", at("iat", hour)),
		idToken("iat-past", "ID token: issued yesterday", at("iat", -day)),
		idToken("nbf-future", "ID token: not valid before an hour from now", at("nbf", hour)),
		idToken("auth_time-missing", "ID token: no auth_time", TokenFault{Drop: []string{"auth_time"}}),
		idToken("auth_time-old", "ID token: logged in yesterday", at("auth_time", -day)),
		idToken("auth_time-future", "ID token: logged in an hour from now", at("auth_time", hour)),
	}
}

func twoPeopleLies() []Preset {
	return []Preset{
		everywhere("act", "ID token and userinfo: act, somebody else is at the keyboard", claims{"act": claims{"sub": "the-carer"}}),
		everywhere("delegations", "ID token and userinfo: delegations", claims{"delegations": []any{claims{"sub": "the-patient", "role": "PROXY"}}}),
		idToken("act-in-id-token", "ID token alone: act", TokenFault{Set: claims{"act": claims{"sub": "the-carer"}}}),
		{"act-in-userinfo", "userinfo alone: act", Faults{UserInfo: &DocumentFault{Set: claims{"act": claims{"sub": "the-carer"}}}}},
	}
}

func strengthLies() []Preset {
	return []Preset{
		idToken("vot-lower", "ID token: vot lower than asked", TokenFault{Set: claims{"vot": "P0.Cp"}}),
		idToken("vot-other-order", "ID token: vot in another order", TokenFault{Set: claims{"vot": "P9.Cd.Cp"}}),
		idToken("vot-absent", "ID token: no vot", TokenFault{Drop: []string{"vot"}}),
		idToken("vot-unknown", "ID token: vot in unknown letters", TokenFault{Set: claims{"vot": "P7.Cx"}}),
		idToken("vot-list", "ID token: vot is a list", TokenFault{Set: claims{"vot": []string{"P9.Cp.Cd"}}}),
		everywhere("vot-above-proofing", "ID token and userinfo: identity_proofing_level below vot", claims{"identity_proofing_level": "P0"}),
		everywhere("proofing-unknown", "ID token and userinfo: identity_proofing_level in unknown letters", claims{"identity_proofing_level": "P10"}),
		{"proofing-absent", "ID token and userinfo: no identity_proofing_level", Faults{
			IDToken:  &TokenFault{Drop: []string{"identity_proofing_level"}},
			UserInfo: &DocumentFault{Drop: []string{"identity_proofing_level"}},
		}},
	}
}

func signatureLies(alg, collector string) []Preset {
	// The foreign key's own name, so that only the header leads to it.
	by := func(member string, v any) TokenFault {
		return TokenFault{SignWith: SignForeign, Header: claims{member: v, "kid": "not-published"}}
	}
	unlisted := "ES256"
	if alg == unlisted {
		unlisted = "RS256"
	}
	return []Preset{
		idToken("invalid-sig", "ID token: a bit of the signature changed", TokenFault{SignWith: SignFlipped}),
		idToken("empty-sig", "ID token: no signature", TokenFault{SignWith: SignEmpty}),
		idToken("alg-none", "ID token: alg none, no signature", TokenFault{SignWith: SignNone}),
		idToken("hs256-with-public-key", "ID token: HS256 with the public key as secret", TokenFault{SignWith: SignHMACPublic}),
		idToken("other-key", "ID token: signed by a foreign key under our kid", TokenFault{SignWith: SignForeign}),
		{"unlisted-alg", "ID token: signed with a published key by an algorithm not in discovery", Faults{
			IDToken: &TokenFault{SignWith: unlisted}, JWKS: &KeySetFault{Also: unlisted},
		}},
		idToken("jku-header", "ID token: foreign key, jku leads to it", by("jku", collector)),
		idToken("x5u-header", "ID token: foreign key, x5u leads to it", by("x5u", collector)),
		idToken("jwk-header", "ID token: foreign key, given in the header", TokenFault{SignWith: SignEmbedded, DropHeader: []string{"kid"}}),
		idToken("unknown-crit", "ID token: a critical header member nobody knows", TokenFault{Header: claims{"crit": []string{"made-up"}, "made-up": true}}),
		idToken("typ-access-token", "ID token: typ of an access token", TokenFault{Header: claims{"typ": "at+jwt"}}),
		idToken("kid-absent", "ID token: no kid, one key published (not wrong)", TokenFault{DropHeader: []string{"kid"}}),
		{"kid-absent-multiple-keys", "ID token: no kid, several keys published", Faults{
			IDToken: &TokenFault{DropHeader: []string{"kid"}}, JWKS: &KeySetFault{Decoys: 3},
		}},
		idToken("kid-unknown", "ID token: kid that is not published", TokenFault{Header: claims{"kid": "not-published"}}),
		idToken("kid-hostile", "ID token: kid of ten kilobytes that climbs", TokenFault{Header: claims{"kid": strings.Repeat("../", 3400)}}),
		idToken("garbage", "ID token: no JWT at all", TokenFault{Raw: "this.is.not-a-token"}),
		idToken("many-dots", "ID token: fifty thousand dots", TokenFault{Raw: strings.Repeat(".", 50_000)}),
	}
}

func keySetLies() []Preset {
	keys := func(name, about string, f KeySetFault) Preset { return Preset{name, about, Faults{JWKS: &f}} }
	return []Preset{
		{"key-rotation", "signing key rotates as the browser comes back (not wrong)", Faults{Rotate: RotateAtAuthorize}},
		{"key-rotation-just-before-signing", "signing key rotates as the ID token is signed (not wrong)", Faults{Rotate: RotateAtSigning}},
		{"key-withdrawn", "signing key rotates, and the new one is not published", Faults{
			Rotate: RotateAtSigning, JWKS: &KeySetFault{Withdrawn: true},
		}},
		keys("jwks-500", "key set: HTTP 500", KeySetFault{Reply: Reply{Status: 500}}),
		keys("jwks-html", "key set: a web page", KeySetFault{Reply: page200()}),
		keys("jwks-10mb", "key set: ten megabytes", KeySetFault{Reply: Reply{Pad: tenMB}}),
		keys("jwks-slow", "key set: answers after ten seconds", KeySetFault{Reply: Reply{Delay: slow}}),
		keys("jwks-10000-keys", "key set: ten thousand keys before the right one", KeySetFault{Decoys: 10_000}),
		keys("jwks-empty", "key set: no keys", KeySetFault{Keys: []byte("[]")}),
		keys("jwks-wrong-use", "key set: keys are for encryption", KeySetFault{Use: "enc"}),
		keys("jwks-duplicate-kid", "key set: another key with the right kid first", KeySetFault{SameKID: true}),
		{"jwks-oct", "key set: a symmetric key, which signs the ID token by HS256", Faults{
			IDToken: &TokenFault{SignWith: SignOct}, JWKS: &KeySetFault{Oct: true},
		}},
	}
}

// page200 is a web page where JSON is wanted.
func page200() Reply {
	return Reply{ContentType: "text/html", Body: "<!DOCTYPE html><title>Down for maintenance</title><p>Back soon."}
}

func discoveryLies(issuer, alg, collector string) []Preset {
	doc := func(name, about string, f DocumentFault) Preset { return Preset{name, about, Faults{Discovery: &f}} }
	return []Preset{
		doc("issuer-mismatch", "discovery: another issuer", DocumentFault{Set: claims{"issuer": elseURL}}),
		doc("issuer-slash", "discovery: issuer differs by a slash at its end", DocumentFault{Set: claims{"issuer": otherSlash(issuer)}}),
		doc("discovery-500", "discovery: HTTP 500", DocumentFault{Reply: Reply{Status: 500}}),
		doc("discovery-html", "discovery: a web page", DocumentFault{Reply: page200()}),
		doc("discovery-10mb", "discovery: ten megabytes", DocumentFault{Reply: Reply{Pad: tenMB}}),
		doc("discovery-slow", "discovery: answers after ten seconds", DocumentFault{Reply: Reply{Delay: slow}}),
		doc("discovery-no-jwks", "discovery: no jwks_uri", DocumentFault{Drop: []string{"jwks_uri"}}),
		doc("discovery-token-elsewhere", "discovery: token endpoint at the cloud's metadata address", DocumentFault{
			Set: claims{"token_endpoint": "http://169.254.169.254/token"},
		}),
		doc("discovery-jwks-file", "discovery: jwks_uri is a file", DocumentFault{Set: claims{"jwks_uri": "file:///etc/passwd"}}),
		doc("discovery-alg-none", "discovery: offers alg none and HS256 beside the right one", DocumentFault{
			Set: claims{"id_token_signing_alg_values_supported": []string{"none", "HS256", alg}},
		}),
		redirect(EndpointDiscovery, collector),
		redirect(EndpointJWKS, collector),
	}
}

func redirect(endpoint, to string) Preset {
	return Preset{endpoint + "-redirect", endpoint + ": redirects elsewhere", Faults{Redirect: map[string]string{endpoint: to}}}
}

func tokenLies(collector string) []Preset {
	token := func(name, about string, f DocumentFault) Preset { return Preset{name, about, Faults{Token: &f}} }
	refused := func(code string) DocumentFault {
		return DocumentFault{Reply: Reply{Status: 400, Body: `{"error":"` + code + `"}`}}
	}
	return []Preset{
		token("token-500", "token endpoint: HTTP 500", DocumentFault{Reply: Reply{Status: 500}}),
		token("token-html", "token endpoint: a web page", DocumentFault{Reply: page200()}),
		token("token-slow", "token endpoint: answers after ten seconds", DocumentFault{Reply: Reply{Delay: slow}}),
		token("token-drip", "token endpoint: a byte every tenth of a second", DocumentFault{Reply: Reply{Drip: hour / 36_000}}),
		token("token-10mb", "token endpoint: ten megabytes", DocumentFault{Reply: Reply{Pad: tenMB}}),
		token("token-invalid-grant", "token endpoint: invalid_grant", refused("invalid_grant")),
		token("token-invalid-client", "token endpoint: invalid_client", refused("invalid_client")),
		token("token-no-id-token", "token endpoint: no ID token", DocumentFault{Drop: []string{"id_token"}}),
		token("token-no-access-token", "token endpoint: no access token", DocumentFault{Drop: []string{"access_token"}}),
		token("token-no-expires_in", "token endpoint: no expires_in (not wrong)", DocumentFault{Drop: []string{"expires_in"}}),
		token("token-expires_in-string", "token endpoint: expires_in as text (not wrong)", DocumentFault{Set: claims{"expires_in": "300"}}),
		token("token-type-lowercase", "token endpoint: token_type bearer (not wrong)", DocumentFault{Set: claims{"token_type": "bearer"}}),
		token("token-type-other", "token endpoint: token_type mac", DocumentFault{Set: claims{"token_type": "mac"}}),
		redirect(EndpointToken, collector),
	}
}

func userinfoLies(collector string) []Preset {
	info := func(name, about string, f DocumentFault) Preset { return Preset{name, about, Faults{UserInfo: &f}} }
	return []Preset{
		info("userinfo-other-sub", "userinfo: another sub", DocumentFault{Set: claims{"sub": "another-subject"}}),
		info("userinfo-missing-sub", "userinfo: no sub", DocumentFault{Drop: []string{"sub"}}),
		{"userinfo-sub-case", "userinfo: sub in capitals, ID token in small letters", Faults{
			IDToken:  &TokenFault{Set: claims{"sub": "subject-a"}},
			UserInfo: &DocumentFault{Set: claims{"sub": "SUBJECT-A"}},
		}},
		{"userinfo-sub-space", "userinfo: sub with a space behind it", Faults{
			IDToken:  &TokenFault{Set: claims{"sub": "subject-a"}},
			UserInfo: &DocumentFault{Set: claims{"sub": "subject-a "}},
		}},
		info("email-verified-string", "userinfo: email_verified as text", DocumentFault{Set: claims{"email_verified": "true"}}),
		info("email-verified-number", "userinfo: email_verified is 1", DocumentFault{Set: claims{"email_verified": 1}}),
		info("email-verified-absent", "userinfo: no email_verified", DocumentFault{Drop: []string{"email_verified"}}),
		info("userinfo-null", "userinfo: null where nothing is known", DocumentFault{Set: claims{"phone_number": nil, "email": nil}}),
		info("userinfo-bad-nhs-number", "userinfo: NHS number with a wrong check digit", DocumentFault{Set: claims{"nhs_number": "9990000370"}}),
		info("userinfo-bad-birthdate", "userinfo: birthdate that never was", DocumentFault{Set: claims{"birthdate": "1999-02-30"}}),
		info("userinfo-picture", "userinfo: a picture to fetch", DocumentFault{Set: claims{"picture": collector}}),
		info("userinfo-markup", "userinfo: markup and a line break in the name", DocumentFault{
			Set: claims{"family_name": "<script>alert(1)</script>", "given_name": "Ann\r\nBcc: ann@example.org"},
		}),
		info("userinfo-500", "userinfo: HTTP 500", DocumentFault{Reply: Reply{Status: 500}}),
		info("userinfo-401", "userinfo: HTTP 401", DocumentFault{Reply: Reply{Status: 401, Body: `{"error":"invalid_token"}`}}),
		info("userinfo-html", "userinfo: a web page", DocumentFault{Reply: page200()}),
		info("userinfo-jwt", "userinfo: says it is a signed token", DocumentFault{Reply: Reply{ContentType: "application/jwt"}}),
		info("userinfo-slow", "userinfo: answers after ten seconds", DocumentFault{Reply: Reply{Delay: slow}}),
		info("userinfo-10mb", "userinfo: ten megabytes", DocumentFault{Reply: Reply{Pad: tenMB}}),
		info("userinfo-bomb", "userinfo: a compressed bomb", DocumentFault{Reply: Reply{Pad: bomb, Gzip: true}}),
		redirect(EndpointUserInfo, collector),
	}
}

func callbackLies() []Preset {
	back := func(name, about string, f AuthzFault) Preset { return Preset{name, about, Faults{Authz: &f}} }
	return []Preset{
		back("iss-parameter-wrong", "callback: iss of another issuer", AuthzFault{SetIss: elseURL}),
		{"iss-parameter-missing", "callback: no iss, which discovery promises", Faults{
			Authz:     &AuthzFault{DropIss: true},
			Discovery: &DocumentFault{Set: claims{"authorization_response_iss_parameter_supported": true}},
		}},
		back("state-wrong", "callback: another state", AuthzFault{State: "another-state"}),
		back("state-missing", "callback: no state", AuthzFault{DropState: true}),
		back("code-wrong", "callback: a code that was never given", AuthzFault{Code: "another-code"}),
		back("code-missing", "callback: no code", AuthzFault{DropCode: true}),
	}
}

func refusalLies() []Preset {
	refuse := func(name, about, code, description string) Preset {
		return Preset{name, about, Faults{Authz: &AuthzFault{Error: code, ErrorDescription: description}}}
	}
	return []Preset{
		refuse("consent-not-given", "refusal: the patient does not share their details", noConsent.code, noConsent.about),
		refuse("access-denied", "refusal: access denied", gaveUp.code, gaveUp.about),
		refuse("login-required", "refusal: login required", loginRequired.code, loginRequired.about),
		refuse("sso-login-required", "refusal: single sign-on failed", ssoRequired.code, ssoRequired.about),
		refuse("temporarily-unavailable", "refusal: temporarily unavailable", "temporarily_unavailable", "Try again later"),
		refuse("server-error", "refusal: server error", "server_error", "Unexpected error"),
		refuse("invalid-scope", "refusal: invalid scope", "invalid_scope", "A scope is not registered for this client"),
		refuse("invalid-request", "refusal: invalid request", "invalid_request", "The request was not understood"),
		refuse("unauthorized-client", "refusal: client switched off", "unauthorized_client", "The client is not active"),
		refuse("error-markup", "refusal: an unknown error with markup in its text", "made_up_error", "<script>alert(1)</script> call 0800 000 000"),
	}
}
