// Package smtpstandin plays a mail server for development and tests: a submission
// port with STARTTLS under a certificate of its own, a password where one is
// wanted, and a way to fail at every step of the dialogue. What it took is in
// [StandIn.Messages]; it sends nothing on.
//
// It knows nothing of ours but package identity.
package smtpstandin

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/dilys-id/dilys/identity"
)

// Options are what a stand-in is made of.
type Options struct {
	Now      func() time.Time // required
	Username string           // empty: whoever comes may send
	Password identity.Secret
	Plain    bool // offers no STARTTLS
}

// Message is one that was taken.
type Message struct {
	From    string
	To      []string // of the envelope
	TLS     bool     // it came over TLS
	Header  mail.Header
	Subject string
	Body    string // decoded, lines ending with \n
	Raw     string
	At      time.Time
}

// Fault is a way to fail. The zero value is none.
type Fault string

// The faults.
const (
	RefuseSender    Fault = "refuse-sender"    // 550 to MAIL FROM
	RefuseRecipient Fault = "refuse-recipient" // 550 to RCPT TO
	Greylist        Fault = "greylist"         // 451 to RCPT TO
	Busy            Fault = "busy"             // 451 once the text was sent
	RefuseText      Fault = "refuse-text"      // 554 once the text was sent
	DropAfter       Fault = "drop-after"       // takes the message and breaks the connection
	DropBefore      Fault = "drop-before"      // breaks the connection at RCPT TO
)

// StandIn is a mail server, safe for concurrent use.
type StandIn struct {
	o           Options
	server      *smtp.Server
	certificate *x509.Certificate

	mu       sync.Mutex
	fault    Fault
	messages []Message
}

// New returns a stand-in for a server of that host name or address.
func New(host string, o Options) (*StandIn, error) {
	if o.Now == nil {
		return nil, errors.New("smtp stand-in: wanted a clock, got none")
	}
	pair, certificate, err := selfMade(host)
	if err != nil {
		return nil, fmt.Errorf("smtp stand-in: %w", err)
	}
	s := &StandIn{o: o, certificate: certificate}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, conn: c}, nil }))
	s.server.Domain = host
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	s.server.MaxRecipients = 1
	if !o.Plain {
		s.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	return s, nil
}

// Serve answers on the listener until Close.
func (s *StandIn) Serve(l net.Listener) error { return s.server.Serve(l) }

// Close ends every connection.
func (s *StandIn) Close() error { return s.server.Close() }

// Roots returns what a client must trust to believe the certificate.
func (s *StandIn) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.certificate)
	return pool
}

// SetFault makes it fail in that way from now on; "" makes it honest again.
func (s *StandIn) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *StandIn) failing(f Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault == f
}

// Messages returns what was taken, oldest first.
func (s *StandIn) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Reset forgets every message.
func (s *StandIn) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = nil
}

// session is one connection's dialogue.
type session struct {
	s        *StandIn
	conn     *smtp.Conn
	known    bool // the password was given
	envelope Message
}

// AuthMechanisms is of [smtp.AuthSession].
func (c *session) AuthMechanisms() []string {
	if c.s.o.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth is of [smtp.AuthSession].
func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != c.s.o.Username || !c.s.o.Password.Equal(identity.Secret(password)) {
			return smtp.ErrAuthFailed
		}
		c.known = true
		return nil
	}), nil
}

// Mail is of [smtp.Session].
func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	switch {
	case c.s.o.Username != "" && !c.known:
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	case c.s.failing(RefuseSender):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Sender refused: " + from}
	}
	c.envelope.From = from
	return nil
}

// Rcpt is of [smtp.Session].
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case c.s.failing(RefuseRecipient):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such mailbox: " + to}
	case c.s.failing(Greylist):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Try again later: " + to}
	case c.s.failing(DropBefore):
		_ = c.conn.Conn().Close()
	}
	c.envelope.To = append(c.envelope.To, to)
	return nil
}

// Data is of [smtp.Session].
func (c *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	switch {
	case c.s.failing(Busy):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Busy"}
	case c.s.failing(RefuseText):
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Refused"}
	}
	m := c.envelope
	if err := m.read(raw); err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Not an email"}
	}
	_, m.TLS = c.conn.TLSConnectionState()
	m.At = c.s.o.Now()
	c.s.mu.Lock()
	c.s.messages = append(c.s.messages, m)
	c.s.mu.Unlock()
	if c.s.failing(DropAfter) {
		_ = c.conn.Conn().Close()
	}
	return nil
}

// read takes a single-part text email apart.
func (m *Message) read(raw []byte) error {
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	body := parsed.Body
	if strings.EqualFold(parsed.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	m.Raw, m.Header, m.Body = string(raw), parsed.Header, strings.ReplaceAll(string(content), "\r\n", "\n")
	m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
	return err
}

// Reset is of [smtp.Session].
func (c *session) Reset() { c.envelope = Message{} }

// Logout is of [smtp.Session].
func (*session) Logout() error { return nil }

// selfMade returns a key and a certificate for the host, good for a day around
// now, which signs itself.
func selfMade(host string) (tls.Certificate, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "SMTP stand-in"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), // TLS asks the real clock
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		t.IPAddresses = []net.IP{ip}
	} else {
		t.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certificate, err
}
