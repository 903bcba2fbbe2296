package courier_test

import (
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/rp/courier"
	"github.com/dilys-id/dilys/rp/courier/smtpstandin"
)

// newMailServer starts a stand-in and returns it with options of a client to it.
func newMailServer(t *testing.T, now func() time.Time, change ...func(*smtpstandin.Options)) (*smtpstandin.StandIn, courier.SMTPOptions) {
	t.Helper()
	o := smtpstandin.Options{Now: now, Username: "dilys", Password: "correct horse"}
	for _, c := range change {
		c(&o)
	}
	s := must(smtpstandin.New("127.0.0.1", o))
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return s, courier.SMTPOptions{
		Address: l.Addr().String(), From: "Bwrdd Iechyd Tŷ’r Dŵr <no-reply@example.nhs.uk>", Username: o.Username, Password: o.Password,
		Host: "login.example.nhs.uk", Now: now, Roots: s.Roots(), Within: 10 * time.Second,
	}
}

func TestSMTPSendsWhatItWasGiven(t *testing.T) {
	server, o := newMailServer(t, still)
	l := letter(must(identity.ParseEmail("o'test+nhs@example.com")).Contact())
	l.Body = identity.Secret("123456 yw eich cod.\n.\n..\nFrom here â ŵ ŷ\n\n" + strings.Repeat("a long line ", 30) + "\n")
	l.Subject = "Eich cod adfer ŵ / Your code " + strings.Repeat("and more ", 12)
	if err := must(courier.NewSMTP(o)).Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	got := server.Messages()
	if len(got) != 1 {
		t.Fatalf("wanted one message, got %d", len(got))
	}
	m := got[0]
	if m.Body != l.Body.Reveal() || m.Subject != strings.TrimSpace(l.Subject) && m.Subject != l.Subject || !m.TLS || m.From != "no-reply@example.nhs.uk" || len(m.To) != 1 || m.To[0] != l.To.Reveal() {
		t.Errorf("got %q, %q, TLS %v, from %q to %q", m.Subject, m.Body, m.TLS, m.From, m.To)
	}
	for name, want := range map[string]string{
		"Message-Id": "<" + l.Reference + "@login.example.nhs.uk>", "Auto-Submitted": "auto-generated", "X-Mailer": "", "User-Agent": "",
		"Content-Type": "text/plain; charset=UTF-8", "Date": "Sat, 21 Nov 2026 23:30:00 +0000", "Mime-Version": "1.0",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: wanted %q, got %q", name, want, got)
		}
	}
	if from, err := m.Header.AddressList("From"); err != nil || from[0].Name != "Bwrdd Iechyd Tŷ’r Dŵr" {
		t.Errorf("from %v, %v", from, err)
	}
}

// What each way to fail means for the message.
func TestSMTPFaults(t *testing.T) {
	for name, row := range map[string]struct {
		fault  smtpstandin.Fault
		change func(*courier.SMTPOptions)
		plain  bool
		want   error // nil: nobody knows
		taken  int
	}{
		"our address is refused":   {fault: smtpstandin.RefuseSender, want: outbox.Off{Cause: "sender-refused"}},
		"the mailbox is not there": {fault: smtpstandin.RefuseRecipient, want: outbox.Permanent{Cause: "smtp-550"}},
		"the mailbox is not there yet": {
			fault: smtpstandin.Greylist, want: outbox.Temporary{RetryAfter: 30 * time.Second, Cause: "smtp-451"},
		},
		"busy after the text":        {fault: smtpstandin.Busy, want: outbox.Temporary{Cause: "smtp-451"}},
		"the text is refused":        {fault: smtpstandin.RefuseText, want: outbox.Permanent{Cause: "smtp-554"}},
		"cut off after it was taken": {fault: smtpstandin.DropAfter, taken: 1},
		"cut off before":             {fault: smtpstandin.DropBefore, want: outbox.Temporary{Cause: "no-connection"}},
		"no STARTTLS offered":        {plain: true, want: outbox.Off{Cause: "no-starttls"}},
		"a wrong password":           {change: func(o *courier.SMTPOptions) { o.Password = "wrong" }, want: outbox.Off{Cause: "password"}},
		"no password where one is wanted": {
			change: func(o *courier.SMTPOptions) { o.Username, o.Password = "", "" }, want: outbox.Off{Cause: "sender-refused"},
		},
		"a certificate that nobody vouches for": {
			change: func(o *courier.SMTPOptions) { o.Roots = x509.NewCertPool() }, want: outbox.Off{Cause: "certificate"},
		},
		"nobody there": {
			change: func(o *courier.SMTPOptions) { o.Address = "127.0.0.1:1" }, want: outbox.Temporary{Cause: "no-connection"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, o := newMailServer(t, still, func(o *smtpstandin.Options) { o.Plain = row.plain })
			server.SetFault(row.fault)
			if row.change != nil {
				row.change(&o)
			}
			err := must(courier.NewSMTP(o)).Send(t.Context(), letter(email))
			if row.want != nil && err != row.want { //nolint:errorlint // the value is meant
				t.Errorf("wanted %v, got %v", row.want, err)
			}
			if row.want == nil && !unknown(err) {
				t.Errorf("wanted an error that decides nothing, got %v", err)
			}
			if n := len(server.Messages()); n != row.taken {
				t.Errorf("wanted %d taken, got %d", row.taken, n)
			}
			if err != nil && strings.Contains(err.Error(), "ann@") {
				t.Error("the error tells the address")
			}
		})
	}
}

// A server that says nothing holds nobody longer than the wait.
func TestSMTPSilence(t *testing.T) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = l.Close() })
	_, o := newMailServer(t, still)
	o.Address, o.Within = l.Addr().String(), 100*time.Millisecond
	if err := must(courier.NewSMTP(o)).Send(t.Context(), letter(email)); err != (outbox.Temporary{Cause: "no-connection"}) {
		t.Errorf("got %v", err)
	}
}

func TestSMTPPlainOnThisMachine(t *testing.T) {
	server, o := newMailServer(t, still, func(o *smtpstandin.Options) { o.Plain, o.Username = true, "" })
	o.Username, o.Password, o.LoopbackPlain = "", "", true
	if err := must(courier.NewSMTP(o)).Send(t.Context(), letter(email)); err != nil || len(server.Messages()) != 1 || server.Messages()[0].TLS {
		t.Errorf("got %v, %d", err, len(server.Messages()))
	}
}

// Row D13: an address that is more than one address goes nowhere; a subject and a
// body stay what they are.
func TestSMTPInjection(t *testing.T) {
	server, o := newMailServer(t, still)
	client := must(courier.NewSMTP(o))
	for _, address := range []string{
		"x<victim@example.com", "<victim@example.com>", "x,victim@example.com", "x;victim@example.com", "(x)victim@example.com", `"x"victim@example.com`, "x:victim@example.com",
	} {
		e, err := identity.ParseEmail(address)
		if err != nil {
			continue // it never gets here
		}
		if err := client.Send(t.Context(), letter(e.Contact())); err != (outbox.Permanent{Cause: "bad-address"}) {
			t.Errorf("%q: got %v", address, err)
		}
	}
	l := letter(email)
	l.Subject, l.Body = "Hello\r\nBcc: victim@example.com\r\n\r\nhttp://evil.example", "line\r\n.\r\nMAIL FROM:<x@example.com>\n.\n"
	if err := client.Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	got := server.Messages()
	if len(got) != 1 || len(got[0].To) != 1 || got[0].Header.Get("Bcc") != "" || strings.Contains(got[0].Body, "evil") {
		t.Errorf("got %d messages, to %v, header %v", len(got), got[0].To, got[0].Header)
	}
}

func TestNewSMTPRefuses(t *testing.T) {
	right := courier.SMTPOptions{Address: "smtp.example.org:587", From: "a@example.org", Username: "u", Password: "top secret", Host: "login.example.org", Now: still}
	if _, err := courier.NewSMTP(right); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*courier.SMTPOptions){
		"no port":                  func(o *courier.SMTPOptions) { o.Address = "smtp.example.org" },
		"port 0":                   func(o *courier.SMTPOptions) { o.Address = "smtp.example.org:0" },
		"no host":                  func(o *courier.SMTPOptions) { o.Address = ":587" },
		"a port too far":           func(o *courier.SMTPOptions) { o.Address = "smtp.example.org:65536" },
		"no sender":                func(o *courier.SMTPOptions) { o.From = "" },
		"two senders":              func(o *courier.SMTPOptions) { o.From = "a@example.org, b@example.org" },
		"a sender with a new line": func(o *courier.SMTPOptions) { o.From = "a@example.org\r\nBcc: b@example.org" },
		"a user, no password":      func(o *courier.SMTPOptions) { o.Password = "" },
		"a password, no user":      func(o *courier.SMTPOptions) { o.Username = "" },
		"no name of our own":       func(o *courier.SMTPOptions) { o.Host = "" },
		"a name with a new line":   func(o *courier.SMTPOptions) { o.Host = "a\r\nb" },
		"plain to elsewhere":       func(o *courier.SMTPOptions) { o.Username, o.Password, o.LoopbackPlain = "", "", true },
		"plain with a password":    func(o *courier.SMTPOptions) { o.Address, o.LoopbackPlain = "localhost:25", true },
	} {
		o := right
		change(&o)
		_, err := courier.NewSMTP(o)
		if err == nil || strings.Contains(err.Error(), "top secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
