package courier

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/rp/outside"
)

// SMTPOptions are a mail server that takes our emails.
type SMTPOptions struct {
	Address  string // HOST:PORT of its submission port
	From     string // "no-reply@example.nhs.uk" or "Example Health Board <no-reply@…>"
	Username string // empty: the server takes mail from our network
	Password identity.Secret
	Host     string // our own name, for EHLO and message ids
	Now      func() time.Time
	Within   time.Duration  // for each answer; zero: 8 s
	Roots    *x509.CertPool // nil: those of the system
	// LoopbackPlain sends without TLS to a server on this machine, for
	// development. Anywhere else STARTTLS is required.
	LoopbackPlain bool
}

// SMTP is a [Sender] of emails by a mail server (RFC 5321, RFC 3207, RFC 6409).
type SMTP struct {
	o    SMTPOptions
	host string
	port int
	from *netmail.Address
}

// NewSMTP returns one, or what is wrong with its options, without their secret.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	host, port, err := net.SplitHostPort(o.Address)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || host == "" || number == 0 {
		return nil, errors.New("smtp: address: wanted HOST:PORT, got something else")
	}
	from, err := netmail.ParseAddress(o.From)
	if err != nil || !isPlain(from.Address) {
		return nil, errors.New("smtp: from: wanted an email address, with or without a name, got something else")
	}
	switch {
	case o.Host == "" || !isPlain(o.Host):
		return nil, errors.New("smtp: wanted our own host name, got none")
	case (o.Username == "") != (o.Password == ""):
		return nil, errors.New("smtp: wanted a username with a password, got one of them")
	case o.LoopbackPlain && !outside.IsLoopback(host):
		return nil, errors.New("smtp: wanted this machine for plain SMTP, got another")
	case o.LoopbackPlain && o.Username != "":
		return nil, errors.New("smtp: wanted STARTTLS for a password, got plain SMTP")
	}
	if o.Within == 0 {
		o.Within = answerWithin
	}
	return &SMTP{o, host, int(number), from}, nil
}

// Sent is of [Sender]. A mail server can't be asked what it took. A second copy
// carries the Message-ID of the first, so that mailboxes show one.
func (*SMTP) Sent(context.Context, string) (bool, error) { return false, nil }

// Send is of [Sender].
func (s *SMTP) Send(ctx context.Context, l Letter) error {
	m, err := s.compose(l)
	if err != nil {
		return outbox.Permanent{Cause: "bad-address"}
	}
	client, closed, err := s.client(ctx)
	if err != nil {
		return outbox.Temporary{Cause: "smtp-setup"}
	}
	defer closed()
	if err := client.DialWithContext(ctx); err != nil {
		return judgeDial(err)
	}
	defer func() { _ = client.Close() }() // what was taken is taken
	return judgeSend(client.Send(m))
}

// compose makes the email: plain text, nothing that names this program or its
// version, and marked as nobody's writing, so that no holiday notice answers it
// (RFC 3834 §5).
func (s *SMTP) compose(l Letter) (*mail.Msg, error) {
	to := l.To.Reveal()
	// An address that means another one than it says, "x<y@z>", goes nowhere.
	if parsed, err := netmail.ParseAddress(to); err != nil || parsed.Address != to || parsed.Name != "" {
		return nil, errors.New("to: wanted an email address alone")
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithCharset(mail.CharsetUTF8), mail.WithEncoding(mail.EncodingQP))
	m.FromMailAddress(s.from)
	if err := m.To(to); err != nil {
		return nil, err
	}
	m.Subject(l.Subject)
	m.SetMessageIDWithValue(l.Reference + "@" + s.o.Host)
	m.SetDateWithValue(s.o.Now())
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(mail.TypeTextPlain, strings.ReplaceAll(l.Body.Reveal(), "\n", "\r\n"))
	return m, nil
}

// client returns a client for one email, and what ends it when the context does.
func (s *SMTP) client(ctx context.Context) (*mail.Client, func(), error) {
	stop := func() bool { return true }
	options := []mail.Option{
		mail.WithPort(s.port), mail.WithHELO(s.o.Host), mail.WithTimeout(s.o.Within), mail.WithoutNoop(), mail.WithoutRset(),
		mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTLSConfig(&tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.o.Roots}),
		mail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: connectWithin}).DialContext(dialing, network, address)
			if err == nil {
				stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		}),
	}
	if s.o.LoopbackPlain {
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if s.o.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.o.Username), mail.WithPassword(s.o.Password.Reveal()))
	}
	client, err := mail.NewClient(s.host, options...)
	return client, func() { _ = stop() }, err
}

// judgeDial tells what a failed beginning means. No message had left.
func judgeDial(err error) error {
	var said *textproto.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &said) && (said.Code == 535 || said.Code == 534 || said.Code == 538): // RFC 4954 §6
		return outbox.Off{Cause: "password"}
	case errors.As(err, &certificate):
		return outbox.Off{Cause: "certificate"}
	case strings.HasPrefix(err.Error(), "STARTTLS"):
		return outbox.Off{Cause: "no-starttls"}
	}
	return outbox.Temporary{Cause: "no-connection"}
}

// judgeSend tells what the server's answer means. A dialogue that broke before the
// text was sent is no doubt; one that broke after its end is.
func judgeSend(err error) error {
	if err == nil {
		return nil
	}
	var failed *mail.SendError
	if !errors.As(err, &failed) {
		return outbox.Temporary{Cause: "no-connection"}
	}
	code := failed.ErrorCode()
	switch {
	case failed.Reason == mail.ErrSMTPReset:
		return nil // it was taken before
	case code >= 500 && failed.Reason == mail.ErrSMTPMailFrom:
		return outbox.Off{Cause: "sender-refused"} // us, not the patient's address
	case code >= 500:
		return outbox.Permanent{Cause: fmt.Sprintf("smtp-%d", code)}
	case code >= 400 && failed.Reason == mail.ErrSMTPRcptTo && code != closing:
		return outbox.Temporary{RetryAfter: mailboxRest, Cause: fmt.Sprintf("smtp-%d", code)} // that mailbox's fault alone
	case code >= 400:
		return outbox.Temporary{Cause: fmt.Sprintf("smtp-%d", code)}
	case failed.Reason == mail.ErrSMTPDataClose, failed.Reason == mail.ErrAmbiguous:
		return errNoAnswer
	}
	return outbox.Temporary{Cause: "no-connection"}
}

const (
	closing     = 421              // the server is going away (RFC 5321 §3.8)
	mailboxRest = 30 * time.Second // for a mailbox that is full or greylisted
)
