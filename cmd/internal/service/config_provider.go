package service

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/token"
)

// reservedIDs are pages under /login/ that a provider's id would hide.
// "dilys" is what we call ourselves as a source of details.
var reservedIDs = []string{"email", "callback", "passkey", account.Own}

func (r *reading) providers(v value, publicURL string) []Provider {
	var all []Provider
	var ids []string
	for _, item := range v.items("a provider") {
		m := item.mapping()
		p := r.provider(m, ids)
		if publicURL != "" && p.ID != "" {
			m.derive("redirect_uri", publicURL+"/login/"+p.ID+"/callback", "rule: public_url and id; register it there")
		}
		m.close()
		all, ids = append(all, p), append(ids, p.ID)
	}
	return all
}

func (r *reading) provider(m *mapping, taken []string) Provider {
	p := Provider{
		ID:       m.at("id").id(taken, reservedIDs),
		Kind:     r.providerKind(m.at("kind")),
		Issuer:   m.at("issuer").required().web(issuerShape),
		ClientID: read(m.at("client_id").required(), "a client id", judgeClientID),
		PKCE:     m.at("pkce").or("auto").choice("auto", "always", "never"),
		Prompt:   m.at("prompt").or("auto").choice("auto", "always", "never"),
	}
	switch p.Kind {
	case kindNHSLogin:
		r.nhsLogin(m, &p)
	case kindOIDC:
		r.oidc(m, &p)
	default:
		m.ask("name", "client_key", "client_secret_file", "kid", "signing_alg", "trust", "trust_map", "scopes", "id_token_algs", "settings_url")
	}
	p.ButtonLogo = m.at("button_logo").imageFile()
	p.Passkeys = m.at("passkeys").or("false").flag()
	p.Reprove = m.at("reprove").or("30d").span(time.Hour, longestTrust)
	p.TrustLasts = m.at("trust_lasts").or("90d").span(time.Hour, longestTrust)
	return p
}

// longestTrust is the longest that a provider's proof may serve without its being asked.
const longestTrust = 365 * 24 * time.Hour

func (r *reading) providerKind(v value) string {
	const wanted = "nhs-login or oidc, the kinds that this version knows"
	return read(v.required(), wanted, func(text string) (string, string) {
		if text != kindNHSLogin && text != kindOIDC {
			return "", meant(wanted, text, []string{kindNHSLogin, kindOIDC})
		}
		return text, ""
	})
}

func judgeClientID(text string) (string, string) {
	const longest = 255
	if text == "" || len(text) > longest || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", fmt.Sprintf("a client id of 1 to %d characters, in ASCII (RFC 6749 appendix A.1)", longest)
	}
	return text, ""
}

// nhsLogin reads what is NHS login's own. Its rules are in its interface
// specification: RS512 only, no client secret, a vector in every request.
func (r *reading) nhsLogin(m *mapping, p *Provider) {
	m.forbid("name", "nothing, as the button and name of NHS login follow its own rules")
	m.forbid("client_secret_file", "nothing, as NHS login knows no client secret: use client_key")
	m.forbid("trust_map", "nothing, as NHS login speaks in vectors: use trust")
	p.Name = Text{"en": "NHS login", "cy": "NHS login"}
	p.ClientKey = r.clientKey(m, m.at("client_key").required(), token.RS512)
	trust := m.at("trust").required()
	p.Trust = trust.vectors()
	scopes := m.at("scopes").orList("default", "openid", "profile", "email", "phone")
	p.Scopes = scopes.scopes(nhsLoginScopes)
	judgeDemographics(scopes, p)
	p.IDTokenAlgs = algs(m.at("id_token_algs").orList("rule: kind nhs-login", string(token.RS512)), token.RS512)
	p.SettingsURL = r.settingsURL(m.at("settings_url"), p.Issuer)
}

// nhsLoginScopes are those that NHS login gives. Not delegation: it brings tokens
// that speak of two people, which are refused.
var nhsLoginScopes = []string{
	"openid", "profile", "basic_demographics", "profile_extended", "email", "phone", "landline",
	"gp_registration_details", "gp_integration_credentials", "client_metadata", "nhs_app_credentials",
}

// judgeDemographics refuses what NHS login would refuse, or answer without the
// level that every login is checked by.
func judgeDemographics(scopes value, p *Provider) {
	if p.Scopes == nil {
		return
	}
	profile, basic := slices.Contains(p.Scopes, "profile"), slices.Contains(p.Scopes, "basic_demographics")
	proved := slices.ContainsFunc(p.Trust, func(t identity.Trust) bool { return t.P > identity.P0 })
	got := "[" + strings.Join(p.Scopes, ", ") + "]"
	switch {
	case profile && basic:
		scopes.refuse("profile or basic_demographics, which exclude each other", "both")
	case proved && !profile && !basic:
		scopes.refuse("profile or basic_demographics, as trust asks for P5 or P9", got)
	}
}

// nhsLoginSettings are the settings pages of NHS login's environments.
var nhsLoginSettings = map[string]string{
	"auth.login.nhs.uk":          "https://settings.login.nhs.uk",
	"auth.aos.signin.nhs.uk":     "https://settings.aos.signin.nhs.uk",
	"auth.sandpit.signin.nhs.uk": "https://settings.sandpit.signin.nhs.uk",
}

func (r *reading) settingsURL(v value, issuer string) string {
	if u, err := url.Parse(issuer); err == nil && nhsLoginSettings[u.Host] != "" {
		v = v.orBy(nhsLoginSettings[u.Host], "rule: NHS login's own for this issuer")
	}
	return v.web(anyShape)
}

// oidc reads what any other provider may say.
func (r *reading) oidc(m *mapping, p *Provider) {
	m.forbid("trust", "nothing, as only NHS login is asked in vectors: use trust_map")
	m.forbid("settings_url", "nothing, as only NHS login has one")
	p.Name = m.at("name").required().words()
	key, secret := m.at("client_key"), m.at("client_secret_file")
	switch {
	case key.written() && secret.written():
		secret.refuse("client_key or client_secret_file", "both")
	case !key.written() && !secret.written():
		key.refuse("this or client_secret_file", "neither")
	}
	p.ClientKey = r.clientKey(m, key, token.RS512, token.PS256, token.ES256)
	p.ClientSecret = secret.secretFile()
	p.TrustMap = r.trustMap(m.at("trust_map"))
	p.Scopes = m.at("scopes").orList("default", "openid", "profile", "email").scopes(nil)
	every := []token.Alg{token.RS256, token.RS512, token.PS256, token.ES256}
	p.IDTokenAlgs = algs(m.at("id_token_algs").orList("default", string(token.RS256)), every...)
}

// clientKey reads the key that names us to a provider, its kid and algorithm.
func (r *reading) clientKey(m *mapping, v value, allowed ...token.Alg) *token.AssertionKey {
	kid, alg := m.at("kid"), m.at("signing_alg")
	key := v.keyFile()
	if key == nil {
		return nil
	}
	if kid.node != nil {
		named := key.WithKeyID(read(kid, "a key id", judgeClientID))
		key = &named
	}
	if !alg.written() && !slices.Contains(allowed, key.Alg()) {
		v.refuse("a key for "+join(allowed), "one for "+string(key.Alg()))
		return nil
	}
	wanted := read(alg.orBy(string(key.Alg()), "rule: the kind of client_key"), "an algorithm", judgeAlg(allowed))
	if wanted == "" {
		return key
	}
	fitting, err := key.WithAlg(wanted)
	if err != nil {
		alg.refuse("RS512 or PS256 with an RSA key, or ES256 with a P-256 key", quote(string(wanted)))
		return nil
	}
	return &fitting
}

func judgeAlg(allowed []token.Alg) judge[token.Alg] {
	return func(text string) (token.Alg, string) {
		if !slices.Contains(allowed, token.Alg(text)) {
			return "", join(allowed)
		}
		return token.Alg(text), ""
	}
}

func join(algs []token.Alg) string {
	names := make([]string, len(algs))
	for i, a := range algs {
		names[i] = string(a)
	}
	return strings.Join(names, " or ")
}

func algs(v value, allowed ...token.Alg) []token.Alg {
	return readAll(v.required(), "an algorithm", judgeAlg(allowed))
}

// trustMap reads what the acr of a provider means in our vectors.
func (r *reading) trustMap(v value) map[string]identity.Trust {
	if v.node == nil {
		v.source = "contract: no map"
		v.settle("everything is P0.Cp")
		return nil
	}
	m := v.mapping()
	defer m.close()
	out := map[string]identity.Trust{}
	for _, acr := range m.keys() {
		if _, wanted := judgeLine(acr); wanted == "" && !strings.Contains(acr, " ") {
			out[acr] = read(m.at(acr).required(), "a vector such as P5.Cp.Cd", judgeVector)
		}
	}
	if len(out) == 0 {
		v.refuse("one acr or more, each with its vector", v.describe())
	}
	return out
}

// scopes reads a list of scopes with openid among them. known, if any, are those
// that may be asked for.
func (v value) scopes(known []string) []string {
	before := len(v.faults)
	all := readAll(v.required(), "a scope", func(text string) (string, string) {
		switch {
		case known == nil && text == "offline_access":
			return "", "no offline_access, as no token of a provider is kept"
		case known != nil && !slices.Contains(known, text):
			return "", meant("one of "+strings.Join(known, ", "), text, known)
		case text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
			return "", "a scope (RFC 6749 §3.3)"
		}
		return text, ""
	})
	if len(v.faults) > before {
		return nil
	}
	if !slices.Contains(all, "openid") {
		v.refuse("openid among the scopes", "["+strings.Join(all, ", ")+"]")
	}
	return all
}
