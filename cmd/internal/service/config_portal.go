package service

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// portalScopes are what userinfo answers for.
var portalScopes = []string{"openid", "profile", "email", "phone", "nhs_number", "offline_access"}

func (r *reading) portals(v value, providers []Provider) []Portal {
	var all []Portal
	var ids []string
	for _, item := range v.items("a portal") {
		m := item.mapping()
		p := r.portal(m, ids, providers)
		m.close()
		all, ids = append(all, p), append(ids, p.ID)
	}
	return all
}

func (r *reading) portal(m *mapping, taken []string, providers []Provider) Portal {
	secret, audience, shaped := m.at("client_secret_file"), m.at("audience"), m.at("subject").or("public")
	file, uri := m.at("client_jwks_file"), m.at("client_jwks_uri")
	onlyOne(secret, file, uri)
	p := Portal{
		ID:                     m.at("id").id(taken, nil),
		Name:                   m.at("name").required().words(),
		RedirectURIs:           m.at("redirect_uris").required().webs(redirectShape),
		PostLogoutRedirectURIs: m.at("post_logout_redirect_uris").webs(redirectShape),
		BackchannelLogoutURI:   m.at("backchannel_logout_uri").web(anyShape),
		EventsURI:              m.at("events_uri").web(anyShape),
		ClientSecret:           secret.secretFile(),
		ClientJWKS:             file.keySetFile(),
		ClientJWKSURI:          uri.web(anyShape),
		Pairwise:               shaped.choice("public", "pairwise") == "pairwise",
		Scopes:                 m.at("scopes").orList("default", "openid").scopes(portalScopes),
		MinimumAge:             m.minimumAge(),
		Provider:               r.straightTo(m.at("provider"), providers),
		IDTokenAlg:             read(m.at("id_token_alg").or(string(token.ES256)), "ES256 or RS256", judgeAlg([]token.Alg{token.ES256, token.RS256})),
	}
	p.Trust, p.LowerProof = m.floor()
	if p.ID != "" {
		audience = audience.orBy(p.ID, "rule: the id")
	}
	p.Audience = audience.oneLine()
	p.PKCEOptional = r.pkceOptional(m.at("pkce").or("required"), secret.written() || file.written() || uri.written())
	m.later("acting", "lets nobody act for somebody else", "refused")
	return p
}

// onlyOne refuses more than one way for a portal to prove itself.
func onlyOne(ways ...value) {
	first := ""
	for _, v := range ways {
		switch {
		case !v.written():
		case first != "":
			v.refuse("nothing beside "+first+", as a portal proves itself in one way", "a value")
		default:
			first = v.key[strings.LastIndexByte(v.key, '.')+1:]
		}
	}
}

// straightTo reads the provider that a portal's patients go to without our page.
func (r *reading) straightTo(v value, providers []Provider) string {
	var ids []string
	for _, p := range providers {
		ids = append(ids, p.ID)
	}
	wanted := "the id of a provider: " + strings.Join(ids, " or ")
	if len(ids) == 0 {
		wanted = "nothing, as there is no provider"
	}
	return read(v, wanted, func(text string) (string, string) {
		if !slices.Contains(ids, text) {
			return "", meant(wanted, text, ids)
		}
		return text, ""
	})
}

// pkceOptional reads whether a portal may do without PKCE: never one without a
// secret or keys, whose codes whoever catches them could spend (RFC 9700 §2.1.1).
func (r *reading) pkceOptional(v value, proves bool) bool {
	optional := v.choice("required", "optional") == "optional"
	if optional && !proves {
		v.refuse("required, as a portal without secret or keys proves itself by PKCE alone", quote("optional"))
	}
	return optional
}

// ordinaryAge is the age from which a patient decides alone.
const ordinaryAge = "16"

func (m *mapping) minimumAge() int { return m.at("minimum_age").or(ordinaryAge).years(0) }

// floor reads the vectors that open a door, and who answers for those below P9.
func (m *mapping) floor() ([]identity.Trust, *LowerProof) {
	trust := m.at("trust").required()
	vectors := trust.vectors()
	low := slices.IndexFunc(vectors, func(t identity.Trust) bool { return t.P < identity.P9 })
	v := m.at("lower_proof")
	switch {
	case low < 0 && v.node == nil:
		return vectors, nil
	case low < 0 && len(vectors) > 0:
		v.refuse("nothing, as trust names no vector below P9", v.describe())
	case low >= 0 && v.node == nil:
		v.place = trust.place
		v.refuse("{reason, approved_by, until} beside a vector below P9, which opens no record", vectors[low].String()+" without it")
		return vectors, nil
	}
	return vectors, v.lowerProof()
}

func (v value) lowerProof() *LowerProof {
	m := v.mapping()
	defer m.close()
	until := m.at("until").required()
	p := &LowerProof{
		Reason: m.at("reason").required().oneLine(), ApprovedBy: m.at("approved_by").required().oneLine(),
		Until: until.day(),
	}
	if p.Until.IsZero() {
		return p
	}
	if p.Until = p.Until.AddDate(0, 0, 1); !v.now.Before(p.Until) { // the day itself still counts
		until.refuse("a day to come: who approved this must approve it anew", until.describe())
	}
	return p
}

// gateway reads what forward authentication asks for.
func (r *reading) gateway(v value, publicURL string) *Gateway {
	if v.node == nil {
		return nil
	}
	m := v.mapping()
	defer m.close()
	g := &Gateway{}
	var names []string
	for _, item := range m.at("hosts").required().items("a host") {
		host := item.mapping()
		h := Host{Host: r.host(host.at("host"), publicURL, names), MinimumAge: host.minimumAge(), Token: host.at("token").or("false").flag()}
		h.Rules = r.rules(host.at("rules").required())
		host.close()
		g.Hosts, names = append(g.Hosts, h), append(names, h.Host)
	}
	return g
}

// host reads a host of the gateway, as browsers name it: with a port only where that is
// not the scheme's own.
func (r *reading) host(v value, publicURL string, taken []string) string {
	return read(v.required(), "a host", func(text string) (string, string) {
		text = strings.ToLower(text)
		u, err := url.Parse("https://" + text)
		switch {
		case err != nil || u.Host != text || !goodPort(u) || !plainASCII(text) || strings.Contains(text, "*"):
			return "", "a host such as letters.example.nhs.uk, without scheme, path and *"
		case u.Port() == "443" && strings.HasPrefix(publicURL, "https:"):
			return "", "a host without https' own port"
		case r.plainHTTP && !isLoopback(u.Hostname()) && !strings.HasSuffix(u.Hostname(), ".localhost"):
			return "", "a loopback host, as insecure_loopback is true"
		case slices.Contains(taken, text):
			return "", "each host once"
		}
		return text, ""
	})
}

func (r *reading) rules(v value) []Rule {
	var all []Rule
	for _, item := range v.items("a rule") {
		m := item.mapping()
		rule := r.rule(m)
		m.close()
		if slices.ContainsFunc(all, rule.same) {
			m.refuse("one rule for a path and method", "another one for "+quote(rule.Path))
		}
		all = append(all, rule)
	}
	return all
}

func (r *reading) rule(m *mapping) Rule {
	const leastAge, mostAge = time.Minute, 12 * time.Hour // less is over before the patient is back
	rule := Rule{
		Path:    read(m.at("path").required(), "a path", judgePath),
		Methods: readAll(m.at("methods"), "a method such as POST", judgeMethod),
		MaxAge:  m.at("max_age").span(leastAge, mostAge),
	}
	rule.NoActivity = !m.at("activity").or("yes").flag()
	public := m.at("public").or("false")
	if rule.Public = public.flag(); rule.Public {
		for _, key := range []string{"trust", "lower_proof", "max_age"} {
			m.forbid(key, "nothing beside public: true")
		}
		return rule
	}
	rule.Trust, rule.LowerProof = m.floor()
	return rule
}

// plainPath is a path that every server reads alike: no escapes, no dot segments,
// no empty segments.
var plainPath = regexp.MustCompile(`^/([A-Za-z0-9_~-][A-Za-z0-9._~-]*(/|$))*$`)

func judgePath(text string) (string, string) {
	const longest = 1024
	for _, segment := range strings.Split(text, "/") {
		if strings.HasSuffix(segment, ".") {
			return "", "a plain path such as /results/, without a dot at the end of a part"
		}
	}
	if len(text) > longest || !plainPath.MatchString(text) {
		return "", "a plain path such as /results/: A-Z, a-z, 0-9, - . _ ~ between single slashes"
	}
	return text, ""
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

func judgeMethod(text string) (string, string) {
	if !slices.Contains(methods, text) {
		return "", meant("one of "+strings.Join(methods, ", "), strings.ToUpper(text), methods)
	}
	return text, ""
}

// same reports whether both rules name one path for the same requests, so that a
// reader can't tell which one counts.
func (r Rule) same(other Rule) bool {
	if r.Path == "" || strings.TrimSuffix(r.Path, "/") != strings.TrimSuffix(other.Path, "/") {
		return false
	}
	if len(r.Methods) == 0 || len(other.Methods) == 0 {
		return len(r.Methods) == len(other.Methods)
	}
	return slices.ContainsFunc(r.Methods, func(m string) bool { return slices.Contains(other.Methods, m) })
}
