package portal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/dilys-id/dilys/identity/token"
)

// The endpoints, behind the issuer's address.
const (
	authorizePath  = "/authorize"
	tokenPath      = "/token"
	userinfoPath   = "/userinfo"
	endSessionPath = "/end-session"
	jwksPath       = "/jwks.json"
	introspectPath = "/introspect"
	revokePath     = "/revoke"
	pushPath       = "/par"
)

// document is the metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2, RFC 9126
// §5, RFC 9207 §3): what is done and nothing else, for clients switch on what they read here.
type document struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	PushEndpoint          string   `json:"pushed_authorization_request_endpoint"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	ACR                   []string `json:"acr_values_supported,omitempty"`
	SubjectTypes          []string `json:"subject_types_supported"`
	IDTokenAlgs           []string `json:"id_token_signing_alg_values_supported"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs         []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectAuthAlgs    []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevokeAuthMethods     []string `json:"revocation_endpoint_auth_methods_supported"`
	RevokeAuthAlgs        []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	ClaimTypes            []string `json:"claim_types_supported"`
	Claims                []string `json:"claims_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	Prompts               []string `json:"prompt_values_supported"`
	Locales               []string `json:"ui_locales_supported"`
	ClaimsParameter       bool     `json:"claims_parameter_supported"`
	RequestParameter      bool     `json:"request_parameter_supported"`
	RequestURIParameter   bool     `json:"request_uri_parameter_supported"` // true where it is left out
	BackchannelLogout     bool     `json:"backchannel_logout_supported"`
	BackchannelSession    bool     `json:"backchannel_logout_session_supported"`
	ResponseIss           bool     `json:"authorization_response_iss_parameter_supported"`
}

func (p *Portals) metadata() ([]byte, error) {
	proved := []string{secretBasic, secretPost, privateKey}
	var algs []string
	for _, alg := range token.ClientAlgs {
		algs = append(algs, string(alg))
	}
	d := document{
		Issuer:                p.issuer,
		AuthorizationEndpoint: p.issuer + authorizePath,
		TokenEndpoint:         p.issuer + tokenPath,
		UserinfoEndpoint:      p.issuer + userinfoPath,
		EndSessionEndpoint:    p.issuer + endSessionPath,
		JWKSURI:               p.issuer + jwksPath,
		IntrospectionEndpoint: p.issuer + introspectPath,
		RevocationEndpoint:    p.issuer + revokePath,
		PushEndpoint:          p.issuer + pushPath,
		Scopes:                scopesSupported,
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query"},
		GrantTypes:            []string{"authorization_code", "refresh_token"},
		SubjectTypes:          []string{"public", "pairwise"},
		IDTokenAlgs:           p.algs(),
		TokenAuthMethods:      append(slices.Clone(proved), publicName),
		TokenAuthAlgs:         algs,
		IntrospectAuthMethods: proved,
		IntrospectAuthAlgs:    algs,
		RevokeAuthMethods:     append(slices.Clone(proved), publicName),
		RevokeAuthAlgs:        algs,
		ClaimTypes:            []string{"normal"},
		Claims: []string{
			"iss", "sub", "aud", "exp", "iat", "jti", "nonce", "at_hash", "sid", "acr", "vot", "vtm", "amr", "auth_time",
			"identity_proofing_level", "idp", "session_ends", "session_idle_ends", "name", "given_name", "family_name", "birthdate",
			"locale", "email", "email_verified", "phone_number", "phone_number_verified", "nhs_number",
		},
		ChallengeMethods:   []string{"S256"},
		Prompts:            []string{"none", "login", "select_account", "consent"},
		Locales:            p.languages,
		ResponseIss:        true,
		BackchannelLogout:  true,
		BackchannelSession: true,
	}
	for _, v := range p.reachable {
		d.ACR = append(d.ACR, v.String())
	}
	body, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write the metadata: %w", err)
	}
	return body, nil
}

// algs are the algorithms that ID tokens are signed by. RS256 is always named: a
// portal may be given it (OpenID Connect Discovery 1.0 §3 asks for it).
func (*Portals) algs() []string { return []string{string(token.ES256), string(token.RS256)} }

// cacheControl lets others keep metadata and keys for as long as a new key is
// published before it signs.
var cacheControl = fmt.Sprintf("public, max-age=%d", int(token.JWKSMaxAge.Seconds()))

// Discovery answers with the metadata (GET).
func (p *Portals) Discovery(w http.ResponseWriter, _ *http.Request) error {
	return writePublic(w, p.discovery)
}

// JWKS answers with the public halves of our signing keys (GET; RFC 7517 §5).
func (p *Portals) JWKS(w http.ResponseWriter, _ *http.Request) error {
	return writePublic(w, p.ring.JWKS())
}

func writePublic(w http.ResponseWriter, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", cacheControl)
	_, _ = w.Write(body) // who is gone can't be told
	return nil
}
