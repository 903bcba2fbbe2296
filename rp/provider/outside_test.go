package provider

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
)

func TestJudgeAddress(t *testing.T) {
	for address, row := range map[string]struct{ refused, refusedLoopback bool }{
		"203.0.113.7":              {false, false},
		"2001:db8::7":              {false, false},
		"10.1.2.3":                 {false, false}, // an organisation's own provider
		"192.168.7.7":              {false, false},
		"fd12:3456::1":             {false, false},
		"127.0.0.1":                {true, false},
		"127.8.8.8":                {true, false},
		"::1":                      {true, false},
		"::ffff:127.0.0.1":         {true, false},
		"64:ff9b::127.0.0.1":       {true, false},
		"169.254.169.254":          {true, true},
		"::ffff:169.254.169.254":   {true, true},
		"64:ff9b::169.254.169.254": {true, true},
		"::169.254.169.254":        {true, true},
		"fe80::1":                  {true, true},
		"fe80::1%eth0":             {true, true},
		"fd00:ec2::254":            {true, true},
		"100.100.100.200":          {true, true},
		"168.63.129.16":            {true, true},
		"0.0.0.0":                  {true, true},
		"0.1.2.3":                  {true, true},
		"::":                       {true, true},
		"224.0.0.1":                {true, true},
		"255.255.255.255":          {true, true},
		"ff02::1":                  {true, true},
	} {
		a := netip.MustParseAddr(address)
		if got := judgeAddress(a, false) != nil; got != row.refused {
			t.Errorf("%s: wanted refused %v, got %v", address, row.refused, got)
		}
		if got := judgeAddress(a, true) != nil; got != row.refusedLoopback {
			t.Errorf("%s with loopback allowed: wanted refused %v, got %v", address, row.refusedLoopback, got)
		}
	}
}

func TestCheckEndpoint(t *testing.T) {
	for raw, row := range map[string]struct{ strict, loopback bool }{
		"https://login.example.org/token":      {true, true},
		"https://login.example.org:8443/t?a=b": {true, true},
		"http://login.example.org/token":       {false, false},
		"http://127.0.0.1:8082/token":          {false, true},
		"http://localhost:8082/token":          {false, true},
		"http://[::1]:8082/token":              {false, true},
		"http://localhost.example.org/token":   {false, false},
		"http://127.0.0.1@example.org/token":   {false, false},
		"http://169.254.169.254/latest":        {false, false},
		"https://user:pass@example.org/token":  {false, false},
		"https://login.example.org/token#f":    {false, false},
		"https:///token":                       {false, false},
		"https://:443/token":                   {false, false},
		"//login.example.org/token":            {false, false},
		"/token":                               {false, false},
		"file:///etc/passwd":                   {false, false},
		"gopher://example.org/":                {false, false},
		"javascript:alert(1)":                  {false, false},
		"https://exa mple.org/":                {false, false},
		"":                                     {false, false},
	} {
		if got := checkEndpoint(raw, false) == nil; got != row.strict {
			t.Errorf("%q: wanted %v, got %v", raw, row.strict, got)
		}
		if got := checkEndpoint(raw, true) == nil; got != row.loopback {
			t.Errorf("%q with loopback allowed: wanted %v, got %v", raw, row.loopback, got)
		}
	}
}

// collector is a listener that counts who connects.
type collector struct {
	net.Listener
	done  sync.WaitGroup
	count int
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{Listener: l}
	c.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.count++
			_ = conn.Close()
		}
	})
	return c
}

// connections stops listening and returns how many came.
func (c *collector) connections() int {
	_ = c.Close()
	c.done.Wait()
	return c.count
}

// TestB12 is about where we connect: a name that resolves to this machine or to a
// metadata address gets no connection, whatever it is called.
func TestB12(t *testing.T) {
	inner := newCollector(t)
	_, port, _ := net.SplitHostPort(inner.Addr().String())
	for name, row := range map[string]struct{ to, words string }{
		"a name of this machine": {"https://localhost:" + port, "loopback"},
		"this machine":           {"https://127.0.0.1:" + port, "loopback"},
		"this machine, mapped":   {"https://[::ffff:127.0.0.1]:" + port, "loopback"},
		"cloud metadata":         {"https://169.254.169.254", "link-local"},
		"cloud metadata, mapped": {"https://[::ffff:169.254.169.254]", "link-local"},
	} {
		p := &Provider{client: newClient(false)}
		_, err := p.get(t.Context(), row.to, "an-access-token")
		if err == nil || !strings.Contains(err.Error(), row.words) || strings.Contains(err.Error(), "an-access-token") {
			t.Errorf("%s: wanted %q, got %v", name, row.words, err)
		}
	}
	if n := inner.connections(); n != 0 {
		t.Errorf("connections: wanted none, got %d", n)
	}
}

// TestClient looks at how we call, and at what is not believed.
func TestClient(t *testing.T) {
	target := newCollector(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "theirs", Value: "1"})
		_, _ = io.WriteString(w, r.UserAgent()+"|"+r.Header.Get("Accept-Encoding")+"|"+r.Header.Get("Cookie")+"|"+r.Header.Get("Authorization"))
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+target.Addr().String(), http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxDocument+1)) })
	mux.HandleFunc("/full", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxDocument)) })
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 2*maxHeaders)) })
	mux.HandleFunc("/garbage", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "<script>no HTTP</script>\r\n\r\n")
			_ = conn.Close()
		}
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	defer server.Close()
	p := &Provider{client: newClient(true)}
	defer p.Close()
	for range 2 { // the second time a cookie would come along
		doc, err := p.get(t.Context(), server.URL+"/echo", identity.Secret("a"))
		if err != nil || string(doc.body) != "dilys|||Bearer a" {
			t.Errorf("echo: got %q %v", doc.body, err)
		}
	}
	if doc, err := p.get(t.Context(), server.URL+"/full", ""); err != nil || len(doc.body) != maxDocument {
		t.Errorf("a document of the limit: got %d bytes, %v", len(doc.body), err)
	}
	hurried, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for path, words := range map[string]string{
		"/redirect": "got a redirect", "/long": "got more", "/headers": "broken connection", "/garbage": "broken connection",
		"/absent": "wanted status 200, got 404", "/hang": "wanted an answer in time",
	} {
		ctx := t.Context()
		if path == "/hang" {
			ctx = hurried
		}
		if _, err := p.get(ctx, server.URL+path, ""); err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "script") {
			t.Errorf("%s: wanted %q, got %v", path, words, err)
		}
	}
	if n := target.connections(); n != 0 {
		t.Errorf("the redirect's target: wanted no connection, got %d", n)
	}
	closed := httptest.NewServer(mux)
	closed.Close()
	if _, err := p.get(t.Context(), closed.URL, ""); err == nil || !strings.Contains(err.Error(), "got a refusal") {
		t.Errorf("nobody listens: got %v", err)
	}
	if _, err := p.get(t.Context(), "https"+strings.TrimPrefix(server.URL, "http"), ""); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("no TLS there: got %v", err)
	}
	secure := httptest.NewTLSServer(mux)
	defer secure.Close()
	secure.Config.ErrorLog = nil
	if _, err := p.get(t.Context(), secure.URL, ""); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody we know: got %v", err)
	}
	if transport := p.client.Transport.(bounded); transport.Proxy != nil {
		t.Error("proxy: wanted none from the environment")
	}
}
