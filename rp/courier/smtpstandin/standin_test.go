package smtpstandin_test

import (
	"crypto/tls"
	"errors"
	"net"
	"net/smtp"
	"net/textproto"
	"testing"
	"time"

	"github.com/dilys-id/dilys/rp/courier/smtpstandin"
)

func still() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC) }

func start(t *testing.T, o smtpstandin.Options) (*smtpstandin.StandIn, string) {
	t.Helper()
	o.Now = still
	s, err := smtpstandin.New("127.0.0.1", o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return s, l.Addr().String()
}

// send goes through the dialogue with the standard library's client, and returns
// the first answer that was a no.
func send(t *testing.T, s *smtpstandin.StandIn, address, password string) error {
	t.Helper()
	c, err := smtp.Dial(address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if offered, _ := c.Extension("STARTTLS"); offered {
		if err := c.StartTLS(&tls.Config{ServerName: "127.0.0.1", RootCAs: s.Roots(), MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	}
	if password != "" {
		if err := c.Auth(smtp.PlainAuth("", "user", password, "127.0.0.1")); err != nil {
			return err
		}
	}
	if err := c.Mail("from@example.com"); err != nil {
		return err
	}
	if err := c.Rcpt("to@example.com"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, _ = w.Write([]byte("Subject: =?UTF-8?q?T=C5=B7?=\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nd=C5=B5r\r\n"))
	return w.Close()
}

func TestTakesAMessage(t *testing.T) {
	for name, row := range map[string]struct {
		o        smtpstandin.Options
		password string
		code     int // 0: taken
	}{
		"over TLS, with the password":    {smtpstandin.Options{Username: "user", Password: "pass"}, "pass", 0},
		"over TLS, with another":         {smtpstandin.Options{Username: "user", Password: "pass"}, "word", 535},
		"over TLS, with none":            {smtpstandin.Options{Username: "user", Password: "pass"}, "", 530},
		"over TLS, where none is wanted": {smtpstandin.Options{}, "", 0},
		"in plain":                       {smtpstandin.Options{Plain: true}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, address := start(t, row.o)
			err := send(t, s, address, row.password)
			var said *textproto.Error
			if row.code != 0 {
				if !errors.As(err, &said) || said.Code != row.code || len(s.Messages()) != 0 {
					t.Errorf("wanted %d, got %v", row.code, err)
				}
				return
			}
			got := s.Messages()
			if err != nil || len(got) != 1 {
				t.Fatalf("got %d, %v", len(got), err)
			}
			m := got[0]
			if m.From != "from@example.com" || len(m.To) != 1 || m.To[0] != "to@example.com" || m.Subject != "Tŷ" || m.Body != "dŵr\n" || m.TLS == row.o.Plain || !m.At.Equal(still()) {
				t.Errorf("got %+v", m)
			}
			s.Reset()
			if len(s.Messages()) != 0 {
				t.Error("not forgotten")
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for fault, want := range map[smtpstandin.Fault]struct{ code, taken int }{
		smtpstandin.RefuseSender: {550, 0}, smtpstandin.RefuseRecipient: {550, 0}, smtpstandin.Greylist: {451, 0}, smtpstandin.Busy: {451, 0},
		smtpstandin.RefuseText: {554, 0}, smtpstandin.DropAfter: {0, 1}, smtpstandin.DropBefore: {0, 0},
	} {
		s, address := start(t, smtpstandin.Options{Plain: true})
		s.SetFault(fault)
		err := send(t, s, address, "")
		var said *textproto.Error
		if errors.As(err, &said); err == nil || want.code != 0 && (said == nil || said.Code != want.code) || len(s.Messages()) != want.taken {
			t.Errorf("%s: got %v, %d taken", fault, err, len(s.Messages()))
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := smtpstandin.New("127.0.0.1", smtpstandin.Options{}); err == nil {
		t.Error("no clock was accepted")
	}
}
