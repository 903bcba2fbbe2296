package provider

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/outside"
)

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
		p := &Provider{client: outside.NewClient(maxDocument, false)}
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
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 128<<10)) })
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
	p := &Provider{client: outside.NewClient(maxDocument, true)}
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
}
