package service

import (
	"net/url"
	"regexp"

	"github.com/dilys-id/dilys/identity/token"
)

// youngest is the least age at which a service may take its patients by
// themselves. The NHS app takes nobody younger either.
const youngest = 13

// signUp reads whether accounts are made here. Without codes by e-mail none can
// be.
func (r *reading) signUp(m *mapping, c Courier) SignUp {
	defer m.close()
	enabled := m.at("enabled").or("false")
	s := SignUp{
		Enabled:        enabled.flag(),
		MinimumAge:     m.at("minimum_age").or(ordinaryAge).years(youngest),
		Practices:      readAll(m.at("practices").orList("default: any"), "an ODS code such as W99901", judgePractice),
		TestNHSNumbers: m.at("test_nhs_numbers").or("false").flag(),
		EmailCodes:     m.at("email_codes").or("false").flag(),
	}
	if s.Enabled && c.Email == nil {
		enabled.refuse("courier.email beside it, as a sign-up begins with a code by e-mail", "true without it")
	}
	if s.EmailCodes {
		m.derive("second_step", "a code by e-mail for patients without app, phone and card; it is no letter of the vector", "rule: email_codes; who has the mailbox can have the password too")
	}
	if s.TestNHSNumbers {
		m.derive("nhs_numbers", "those in the 9… range too, which belong to nobody", "rule: test_nhs_numbers; for test services alone")
	}
	return s
}

var practicePattern = regexp.MustCompile(`^[A-Z0-9]{3,8}$`)

func judgePractice(text string) (string, string) {
	if !practicePattern.MatchString(text) {
		return "", "an ODS code such as W99901: 3 to 8 of A-Z and 0-9"
	}
	return text, ""
}

// pdsKeys are what kind pds says of itself.
var pdsKeys = []string{"url", "token_url", "client_key", "kid", "signing_alg", "api_key_file", "api_key", "contact_proof"}

func (r *reading) register(v value) *Register {
	if v.node == nil {
		return nil
	}
	m := v.mapping()
	defer m.close()
	g := &Register{Kind: m.at("kind").required().choice(kindIndex, kindPDS)}
	switch g.Kind {
	case kindIndex:
		for _, key := range pdsKeys {
			m.forbid(key, "nothing, as kind index is loaded by dilys register import")
		}
	case kindPDS:
		r.pds(m, g)
	default:
		m.ask(pdsKeys...)
	}
	return g
}

// pds reads how the Personal Demographics Service is asked: by a signed JWT of
// this application, which it knows by API key, kid and RS512 alone.
func (r *reading) pds(m *mapping, g *Register) {
	address := m.at("url").required()
	g.URL = address.web(issuerShape)
	tokens := m.at("token_url")
	if u, err := url.Parse(g.URL); err == nil && g.URL != "" {
		tokens = tokens.orBy(u.Scheme+"://"+u.Host+"/oauth2/token", "rule: the host of url")
	}
	g.TokenURL = tokens.web(issuerShape)
	g.ClientKey = r.clientKey(m, m.at("client_key").required(), token.RS512)
	if kid := m.at("kid"); g.ClientKey != nil && g.ClientKey.KeyID() == "" && kid.node == nil {
		kid.refuse("the kid that client_key is registered under", kid.describe())
	}
	key := m.at("api_key_file")
	if other := m.at("api_key"); !key.written() && other.written() { // the same, as some call it
		key = other
	} else if other.written() {
		other.refuse("api_key_file or api_key, a file either way", "both")
	}
	g.APIKey = key.required().secretFile()
	g.ContactProof = m.at("contact_proof").or("false").flag()
}
