package service

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/dilys-id/dilys/identity"
)

// The kinds of courier.
const (
	kindSMTP   = "smtp"
	kindNotify = "notify"
)

// What each of them says of itself.
var (
	smtpKeys   = []string{"address", "from", "username", "password_file"}
	notifyKeys = []string{"url", "api_key_file", "template", "receipts_token_file"}
)

func (r *reading) courier(m *mapping) Courier {
	defer m.close()
	c := Courier{Email: r.channel(m.at("email"), "", kindSMTP, kindNotify)}
	taken := ""
	if c.Email != nil && c.Email.Notify != nil {
		taken = c.Email.Notify.Template
	}
	c.SMS = r.channel(m.at("sms"), taken, kindNotify)
	return c
}

// channel reads one channel, of one of those kinds. taken is the template of the
// other channel.
func (r *reading) channel(v value, taken string, kinds ...string) *Channel {
	if v.node == nil {
		return nil
	}
	m := v.mapping()
	defer m.close()
	switch m.at("kind").required().choice(kinds...) {
	case kindSMTP:
		m.forbidAll("nothing beside kind: smtp", notifyKeys)
		return &Channel{SMTP: r.smtp(m)}
	case kindNotify:
		m.forbidAll("nothing beside kind: notify", smtpKeys)
		return &Channel{Notify: r.notify(m, taken)}
	}
	m.ask(smtpKeys...)
	m.ask(notifyKeys...)
	return &Channel{}
}

// forbidAll refuses keys that make no sense beside another one.
func (m *mapping) forbidAll(wanted string, keys []string) {
	for _, key := range keys {
		m.forbid(key, wanted)
	}
}

// smtp reads a mail server. Its password goes to nobody without STARTTLS.
func (r *reading) smtp(m *mapping) *SMTP {
	username, password := m.at("username"), m.at("password_file")
	s := &SMTP{
		Address: read(m.at("address").required(), smtpAddress, r.judgeSMTP),
		From:    read(m.at("from").required(), senderAddress, judgeSender),
	}
	switch {
	case r.plainHTTP && (username.written() || password.written()):
		m.forbidAll("nothing, as SMTP is plain while insecure_loopback is true", []string{"username", "password_file"})
		return s
	case username.written() != password.written():
		username, password = username.required(), password.required()
	}
	s.Username, s.Password = username.oneLine(), password.secretOf(judgePassword, "")
	return s
}

const smtpAddress = "host:port, such as smtp.example:587"

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// judgeSMTP takes the address of a mail server that upgrades to TLS. The port of
// those that begin with it (RFC 8314 §3.3) would wait for ever.
func (r *reading) judgeSMTP(text string) (string, string) {
	host, port, err := net.SplitHostPort(text)
	number, badPort := strconv.ParseUint(port, 10, 16)
	_, badHost := netip.ParseAddr(host)
	switch {
	case err != nil, badPort != nil, number == 0, badHost != nil && !hostName.MatchString(host):
		return "", smtpAddress
	case port == "465":
		return "", "a port that STARTTLS is spoken at, such as 587"
	case r.plainHTTP && !isLoopback(host):
		return "", "a loopback address, as insecure_loopback is true"
	}
	return text, ""
}

const senderAddress = "an e-mail address, or NAME <ADDRESS>"

func judgeSender(text string) (string, string) {
	a, err := mail.ParseAddress(text)
	if err != nil || !plainASCII(a.Address) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", senderAddress
	}
	if _, wanted := judgeEmail(a.Address); wanted != "" {
		return "", senderAddress
	}
	return text, ""
}

// judgePassword takes what a mail server gave out: we did not choose it, so that
// it may be short.
func judgePassword(content []byte) (secret identity.Secret, wanted, got string) {
	const least = 8
	text := strings.TrimRight(string(content), "\r\n")
	switch {
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", "a password of one line, in ASCII", "something else"
	case len(text) < least:
		return "", fmt.Sprintf("a password of %d characters or more", least), fmt.Sprintf("%d characters", len(text))
	}
	return identity.Secret(text), "", ""
}

// notifyURL is where GOV.UK Notify answers.
const notifyURL = "https://api.notifications.service.gov.uk"

// notify reads one channel at GOV.UK Notify. Both may be of one service there, and
// then have its key and its receipts in common.
func (r *reading) notify(m *mapping, taken string) *Notify {
	return &Notify{
		URL:           m.at("url").orBy(notifyURL, "rule: kind notify").web(baseShape),
		APIKey:        m.at("api_key_file").required().secretOf(judgeNotifyKey, "key of Notify"),
		Template:      read(m.at("template").required(), "the id of a template", judgeTemplate(taken)),
		ReceiptsToken: m.at("receipts_token_file").secretOf(judgeSecret, "token of Notify's receipts"),
	}
}

// baseShape asks for what paths can be put behind.
func baseShape(u *url.URL, text string) string {
	if wanted := issuerShape(u, text); wanted != "" {
		return wanted
	}
	if strings.Trim(u.Path, "/") != "" {
		return "scheme and host alone"
	}
	return ""
}

const uuidPattern = `[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`

var (
	templatePattern  = regexp.MustCompile(`^` + uuidPattern + `$`)
	notifyKeyPattern = regexp.MustCompile(`^[ -~]+-` + uuidPattern + `-` + uuidPattern + `$`)
)

// judgeTemplate takes the id of a template. One for texts is none for e-mails.
func judgeTemplate(taken string) judge[string] {
	return func(text string) (string, string) {
		switch {
		case !templatePattern.MatchString(text):
			return "", "the id of a template, a UUID"
		case taken != "" && strings.EqualFold(text, taken):
			return "", "a template of its own, as courier.email has this one"
		}
		return text, ""
	}
}

func judgeNotifyKey(content []byte) (secret identity.Secret, wanted, got string) {
	text := strings.TrimRight(string(content), "\r\n")
	if !notifyKeyPattern.MatchString(text) {
		return "", "an API key of GOV.UK Notify: a name and two UUIDs, with - between", "something else"
	}
	return identity.Secret(text), "", ""
}
