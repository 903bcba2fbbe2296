package service

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// config reads the whole file. What a later part is judged by is read first.
func (r *reading) config(m *mapping) *Config {
	c := &Config{}
	r.plainHTTP = m.at("insecure_loopback").or("false").flag()
	c.InsecureLoopback = r.plainHTTP
	c.PublicURL = m.at("public_url").required().web(originShape)
	r.listeners(m, c)
	c.TrustedProxies = m.at("trusted_proxies").orList("default").networks()
	r.database(m, c)
	m.later("redis", "keeps nothing in Redis", "[]")
	m.later("redis_password_file", "keeps nothing in Redis")
	c.Keys = m.at("keys").required().path()
	c.Languages = r.tongues(m.at("languages").orList("default", spoken...))
	c.Organisation = r.organisation(m.at("organisation").required().mapping())
	c.Notice = r.notice(m.at("notice"))
	c.Sessions = r.sessions(m.at("sessions").mapping())
	c.Courier = r.courier(m.at("courier").mapping())
	c.SignUp = r.signUp(m.at("sign_up").mapping(), c.Courier)
	c.Register = r.register(m.at("register"))
	providers := m.at("providers")
	if !c.SignUp.Enabled {
		providers = providers.required()
	}
	c.Providers = r.providers(providers, c.PublicURL)
	c.Limits = r.limits(m.at("limits").mapping())
	c.Portals = r.portals(m.at("portals").orList("default"), c.Providers)
	c.Gateway = r.gateway(m.at("gateway"), c.PublicURL)
	m.close()
	return c
}

func (r *reading) listeners(m *mapping, c *Config) {
	c.Listen = m.at("listen").or("127.0.0.1:8080").listener(anyHost)
	operations := m.at("operations_listen").or("127.0.0.1:9090")
	c.OperationsListen = operations.listener(privateHost)
	if c.Listen != "" && c.OperationsListen != "" && collide(c.Listen, c.OperationsListen) {
		operations.refuse("another port than listen: operations never answer patients", quote(c.OperationsListen))
	}
}

// database reads where the truth is kept, and the password for it.
func (r *reading) database(m *mapping, c *Config) {
	v := m.at("database").required()
	password := m.at("database_password_file")
	const wanted = "sqlite:PATH or postgres://user@host/name"
	c.Database = read(v, wanted, func(text string) (string, string) {
		path, lite := strings.CutPrefix(text, "sqlite:")
		switch {
		case lite && (path == "" || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "?#")):
			return "", "sqlite:PATH"
		case lite:
			return "sqlite:" + r.absolute(path), ""
		}
		return text, judgePostgres(text)
	})
	if password.written() && strings.HasPrefix(c.Database, "sqlite:") {
		password.refuse("nothing, as SQLite has no password", "a file")
		return
	}
	c.DatabasePassword = password.secretFile()
}

var databaseName = regexp.MustCompile(`^/[A-Za-z0-9_.-]+$`)

func judgePostgres(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "postgres" || !goodPort(u) || !databaseName.MatchString(u.Path):
		return "sqlite:PATH or postgres://user@host/name"
	case strings.Contains(u.User.String(), ":") || strings.Contains(strings.ToLower(u.RawQuery), "password"):
		return "an address without a password, which stands in database_password_file"
	}
	return ""
}

// tongues reads the languages of the pages. Later texts are judged by them, so a
// fault here leaves all of them.
func (r *reading) tongues(v value) []string {
	r.languages = readAll(v.required(), "en or cy", func(text string) (string, string) {
		if text != "en" && text != "cy" {
			return "", "en or cy"
		}
		return text, ""
	})
	if len(r.languages) == 0 {
		r.languages = spoken
	}
	return r.languages
}

func (r *reading) organisation(m *mapping) Organisation {
	defer m.close()
	return Organisation{
		Name: m.at("name").required().words(),
		Logo: m.at("logo").imageFile(),
		Help: r.help(m.at("help").mapping()), Accessibility: r.accessibility(m.at("accessibility").mapping()),
	}
}

func (r *reading) help(m *mapping) Help {
	defer m.close()
	return Help{
		Phone: read(m.at("phone"), "a phone number", judgePhone),
		Email: read(m.at("email"), "an e-mail address", judgeEmail),
		Hours: m.at("hours").words(),
	}
}

// judgePhone takes what a help desk prints: 111 is a number too.
func judgePhone(text string) (string, string) {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
	if len(digits) < 3 || len(digits) > 15 || strings.Trim(text, "0123456789 +()-") != "" {
		return "", "a phone number of 3 to 15 digits"
	}
	return text, ""
}

func judgeEmail(text string) (string, string) {
	if _, err := identity.ParseEmail(text); err != nil {
		return "", "an e-mail address"
	}
	return text, ""
}

// accessibility reads what was done. A method without a day, or a day without a
// method, would make the statement say more than that.
func (r *reading) accessibility(m *mapping) Accessibility {
	defer m.close()
	tested, method := m.at("tested_on"), m.at("method")
	if tested.node != nil || method.node != nil {
		tested, method = tested.required(), method.required()
	}
	a := Accessibility{Contact: m.at("contact").oneLine(), TestedOn: tested.day(), Method: method.words()}
	if a.TestedOn.After(r.now) {
		tested.refuse("a day that has been", tested.describe())
	}
	return a
}

func (r *reading) notice(v value) Notice {
	if v.node == nil {
		return Notice{}
	}
	m := v.mapping()
	defer m.close()
	return Notice{Text: m.words(), Until: m.at("until").instant()}
}

// presets are the rules of those who may set them: NHS login's for web sessions,
// and the NHS App's for what it shows. Looser ones are refused.
var presets = map[string]Sessions{
	"nhs-login-web": {"nhs-login-web", 30 * time.Minute, 12 * time.Hour},
	"nhs-app":       {"nhs-app", 10 * time.Minute, 12 * time.Hour},
}

func (r *reading) sessions(m *mapping) Sessions {
	defer m.close()
	preset, known := presets[m.at("preset").or("nhs-login-web").choice("nhs-login-web", "nhs-app")]
	if !known { // told already
		preset = presets["nhs-login-web"]
	}
	const least = time.Minute
	rule := "contract: preset " + preset.Preset
	s := Sessions{Preset: preset.Preset}
	idle := m.at("idle").orBy(brief(preset.Idle), rule)
	s.Idle = idle.span(least, preset.Idle)
	s.Absolute = m.at("absolute").orBy(brief(preset.Absolute), rule).span(least, preset.Absolute)
	if s.Absolute != 0 && s.Idle > s.Absolute {
		idle.refuse(fmt.Sprintf("no more than absolute (%s)", brief(s.Absolute)), idle.describe())
	}
	return s
}
