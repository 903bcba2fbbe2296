package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// application is what stands behind a gateway: it says what reached it.
type application struct {
	*httptest.Server
	mu  sync.Mutex
	got []reached
}

// reached is a request as the application sees it.
type reached struct {
	Method, Target string
	Dilys          map[string][]string // headers whose name begins so, or with OIDC, in whatever spelling
	Authorization  string
}

func newApplication(t *testing.T) *application {
	a := &application{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := reached{r.Method, r.RequestURI, map[string][]string{}, r.Header.Get("Authorization")}
		for name, values := range r.Header {
			if (strings.HasPrefix(strings.ToLower(name), "dilys") || strings.HasPrefix(strings.ToLower(name), "oidc")) && strings.Join(values, "") != "" {
				seen.Dilys[name] = values
			}
		}
		a.mu.Lock()
		a.got = append(a.got, seen)
		a.mu.Unlock()
		_ = json.NewEncoder(w).Encode(seen)
	}))
	t.Cleanup(a.Close)
	return a
}

// takes returns what reached the application since it was last asked.
func (a *application) takes() []reached {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.got
	a.got = nil
	return got
}

// stand is what a gateway is set up between.
type stand struct {
	dir                string
	listen, dilys, app string // host:port
}

// shipped writes a file of deploy/gateway with the addresses of the stand.
func (s stand) shipped(t *testing.T, name string, more ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "gateway", name))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(append(more, "127.0.0.1:8080", s.dilys, "127.0.0.1:9000", s.app)...).Replace(string(text))
	return s.write(t, filepath.Base(name), changed)
}

func (s stand) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// gateways start each server with what is shipped for it.
var gateways = map[string]func(t *testing.T, s stand) *exec.Cmd{
	"nginx": func(t *testing.T, s stand) *exec.Cmd {
		s.shipped(t, "nginx/dilys.conf")
		s.shipped(t, "nginx/dilys-check.conf")
		config := s.write(t, "nginx.conf", fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log; events {}
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen %[2]s; include %[1]s/dilys.conf; location / { include %[1]s/dilys-check.conf; proxy_pass http://%[3]s; } } }`, s.dir, s.listen, s.app))
		return exec.Command(program(t, "nginx"), "-p", s.dir, "-e", filepath.Join(s.dir, "error.log"), "-c", config)
	},
	"Caddy": func(t *testing.T, s stand) *exec.Cmd {
		config := s.shipped(t, "caddy/Caddyfile", "letters.example.nhs.uk {", "http://"+s.listen+" {")
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, "Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\n"+string(text))
		cmd := exec.Command(program(t, "caddy"), "run", "--config", config, "--adapter", "caddyfile")
		cmd.Env = append(os.Environ(), "HOME="+s.dir, "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)
		return cmd
	},
	"HAProxy": func(t *testing.T, s stand) *exec.Cmd {
		lua := s.shipped(t, "haproxy/dilys.lua")
		config := s.shipped(t, "haproxy/haproxy.cfg", "lua-load dilys.lua", "lua-load "+lua, "bind :443 ssl crt /etc/haproxy/letters.example.nhs.uk.pem", "bind "+s.listen)
		return exec.Command(program(t, "haproxy"), "-db", "-q", "-f", config)
	},
}

// TestGateways holds every server that an operator may have, with the file that is
// shipped for it, to the same: rows A1 to A6 of the attack table.
func TestGateways(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(gateways)) {
		t.Run(name, func(t *testing.T) {
			port, err := freeBlock(0)
			if err != nil {
				t.Fatal(err)
			}
			listen := fmt.Sprintf("127.0.0.1:%d", port)
			w, app := startWorld(t, "--gateway", listen), newApplication(t)
			s := stand{t.TempDir(), listen, fmt.Sprintf("127.0.0.1:%d", w.port), app.Listener.Addr().String()}
			cmd := gateways[name](t, s)
			cmd.WaitDelay = time.Second // its children hold what it printed to
			p, err := startCommand(cmd)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.stop() }) // how it ends is no business of ours
			g := &gate{t, w, app, "http://" + listen, listen}
			if err := p.awaitReady(g.url + "/leaflets/"); err != nil {
				t.Fatal(err)
			}
			app.takes()
			t.Run("a patient goes through", g.patient)
			t.Run("A1 A2 forged headers", g.forged)
			t.Run("A4 paths", g.paths)
			t.Run("A5 other requests", g.others)
			t.Run("A6 Dilys is away", g.away)
		})
	}
}

// gate is a gateway under test.
type gate struct {
	t      *testing.T
	world  *world
	app    *application
	url    string
	listen string
}

// window is a browser's window.
type window struct {
	t      *testing.T
	client *http.Client
}

func newWindow(t *testing.T) *window {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &window{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// opens asks for a page and follows where it is led; a made-up patient is chosen at the
// provider.
func (w *window) opens(address string, header http.Header) (*http.Response, string) {
	w.t.Helper()
	const most = 20
	for range most {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Accept", "text/html,*/*;q=0.8")
		maps.Copy(r.Header, header)
		answer, err := w.client.Do(r)
		if err != nil {
			w.t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		if answer.StatusCode != http.StatusSeeOther && answer.StatusCode != http.StatusFound {
			return answer, string(body)
		}
		to, err := answer.Location()
		if err != nil {
			w.t.Fatal(err)
		}
		if to.Path == "/authorize" && to.Query().Get("client_id") == "dilys-dev" {
			q := to.Query()
			q.Set("login_hint", "mair-prawf")
			to.RawQuery = q.Encode()
		}
		address = to.String()
	}
	w.t.Fatalf("led on and on, at last to %s", address)
	return nil, ""
}

// logsIn opens a page of the gateway's host and logs in on the way.
func (g *gate) logsIn(w *window, path string) (*http.Response, string) {
	w.t.Helper()
	chooser, body := w.opens(g.url+path, nil)
	if chooser.Request.URL.Path != "/login" {
		w.t.Fatalf("wanted the chooser, got %d at %s\n%s", chooser.StatusCode, chooser.Request.URL, body)
	}
	_, rest, _ := strings.Cut(body, `href="/login/nhs-login`)
	way, _, _ := strings.Cut(rest, `"`)
	return w.opens(g.world.dilys()+"/login/nhs-login"+strings.ReplaceAll(way, "&amp;", "&"), nil)
}

func (g *gate) patient(t *testing.T) {
	w := newWindow(t)
	in, body := g.logsIn(w, "/inbox?id=1&b=%20c")
	got := g.app.takes()
	if in.StatusCode != http.StatusOK || in.Request.URL.String() != g.url+"/inbox?id=1&b=%20c" || len(got) != 1 {
		t.Fatalf("got %d at %s, %v\n%s", in.StatusCode, in.Request.URL, got, body)
	}
	one := got[0]
	if one.Target != "/inbox?id=1&b=%20c" || strings.Join(one.Dilys["Dilys-Trust"], " ") != "P9.Cp.Cd" || len(one.Dilys["Dilys-Subject"]) != 1 || !strings.HasPrefix(one.Authorization, "Bearer ey") {
		t.Errorf("the application got %+v", one)
	}
	w.opens(g.url+"/results/", nil)
	if got := g.app.takes(); len(got) != 1 || got[0].Target != "/results/" {
		t.Errorf("a fresh login: the application got %+v", got)
	}
	g.forget(t, w)
}

// logsOut logs the patient out at Dilys.
func (g *gate) logsOut(t *testing.T, w *window) {
	r, err := http.NewRequest(http.MethodPost, g.world.dilys()+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
}

// forget logs the patient out at Dilys: the gateway's host is over at once.
func (g *gate) forget(t *testing.T, w *window) {
	g.logsOut(t, w)
	if page, _ := w.opens(g.url+"/inbox", nil); page.Request.URL.Path != "/login" {
		t.Errorf("after the log-out: wanted the login, got %s", page.Request.URL)
	}
	if got := g.app.takes(); len(got) > 0 {
		t.Errorf("after the log-out the application got %+v", got)
	}
}

// spellings are how a client may write a header of ours.
var spellings = []string{"Dilys-Subject", "dilys-subject", "DILYS-SUBJECT", "Dilys_Subject", "dilys_subject", "Dilys.Subject", "Dilys-Trust", "Dilys_Trust", "Dilys-Session"}

func (g *gate) forged(t *testing.T) {
	var lines []string
	for _, name := range spellings {
		lines = append(lines, name+": forged", name+": twice")
	}
	lines = append(lines, "Authorization: Bearer forged", "Connection: Dilys-Subject, Dilys-Trust, X-Forwarded-Host, close")
	for _, path := range []string{"/leaflets/", "/inbox"} {
		status := g.raw(t, "GET "+path+" HTTP/1.1", lines...)
		for _, got := range g.app.takes() {
			if path == "/inbox" || len(got.Dilys) > 0 || got.Authorization != "" {
				t.Errorf("%s: %d, the application got %+v", path, status, got)
			}
		}
	}
	w := newWindow(t)
	g.logsIn(w, "/inbox")
	g.app.takes()
	header := http.Header{}
	for _, name := range spellings {
		header[name] = []string{"forged"}
	}
	w.opens(g.url+"/inbox", header)
	for _, got := range g.app.takes() {
		for name, values := range got.Dilys {
			if slices.Contains(values, "forged") || !slices.Contains([]string{"Dilys-Subject", "Dilys-Trust", "Dilys-Session"}, name) {
				t.Errorf("beside the patient's own the application got %s: %s", name, values)
			}
		}
		if strings.Join(got.Dilys["Dilys-Trust"], "") != "P9.Cp.Cd" {
			t.Errorf("the application got %+v", got)
		}
	}
	// What tells of another request than the one that is made decides nothing.
	for _, forged := range []string{"X-Forwarded-Uri: /leaflets/", "X-Original-Url: http://" + g.listen + "/leaflets/", "X-Forwarded-Host: localhost", "X-Forwarded-Method: OPTIONS", "X-Original-Method: GET", "Forwarded: host=localhost;proto=https", "X-Forwarded-Prefix: /leaflets", "X-Rewrite-Url: /leaflets/"} {
		g.raw(t, "GET /inbox HTTP/1.1", forged)
		if got := g.app.takes(); len(got) > 0 {
			t.Errorf("%s: the application got %+v", forged, got)
		}
	}
}

func (g *gate) paths(t *testing.T) {
	for _, path := range []string{
		"/leaflets/../inbox", "/leaflets/%2e%2e/inbox", "/leaflets/%2e./inbox", "/leaflets/..%2finbox", "/leaflets/..%5cinbox", `/leaflets/..\inbox`,
		"/leaflets/..;/inbox", "/leaflets/;/../inbox", "/leaflets//../inbox", "//leaflets/../inbox", "/./inbox", "//inbox", "/inbox/", "/INBOX",
		"/leaflets/%252e%252e/inbox", "/leaflets/%00/../inbox", "/leaflets%2f..%2finbox", "/leaflets/..%00/inbox", "/leaflets#/../inbox", "/inbox?/leaflets/",
		"/inbox#/leaflets/", "/leaflets/..", "/leaflets/../", "/leafletsx", "/Leaflets/../inbox", "/leaflets/.%2e/inbox", "/leaflets/%c0%ae%c0%ae/inbox",
		"http://localhost/leaflets/../inbox", "*",
	} {
		g.raw(t, "GET "+path+" HTTP/1.1")
		for _, got := range g.app.takes() {
			// The application may be reached by what is below /leaflets/ in every reading.
			clean, err := url.PathUnescape(strings.SplitN(got.Target, "?", 2)[0])
			if err != nil || !strings.HasPrefix(clean, "/leaflets/") || strings.Contains(clean, "..") {
				t.Errorf("%s: the application got %s", path, got.Target)
			}
		}
	}
}

func (g *gate) others(t *testing.T) {
	for line, headers := range map[string][]string{
		"OPTIONS /inbox HTTP/1.1":  {"Origin: https://attacker.example", "Access-Control-Request-Method: GET"},
		"HEAD /inbox HTTP/1.1":     nil,
		"POST /inbox HTTP/1.1":     {"Content-Length: 2", "", "ab"},
		"PROPFIND /inbox HTTP/1.1": nil,
		"GET /inbox HTTP/1.0":      nil,
		"GET /inbox HTTP/1.1":      {"User-Agent: ELB-HealthChecker/2.0"},
		"GET /inbox?c HTTP/1.1":    {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"},
		"GET /inbox?a HTTP/1.1":    {"Cookie: dilys-gate=; dilys=; __Host-dilys-gate=x"},
		"GET /inbox?b HTTP/1.1":    {"Cookie: dilys-gate=" + strings.Repeat("x", 5000)},
		"get /inbox HTTP/1.1":      nil,
		"GET /leaflets HTTP/1.1":   {"X-HTTP-Method-Override: POST", "Host: attacker.example"},
	} {
		status := g.raw(t, line, headers...)
		if got := g.app.takes(); len(got) > 0 && !strings.Contains(line, "/leaflets") || status/100 == 2 && !strings.Contains(line, "/leaflets") {
			t.Errorf("%s: %d, the application got %+v", line, status, got)
		}
	}
}

func (g *gate) away(t *testing.T) {
	if err := g.world.stop(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/inbox", "/leaflets/"} {
		if status := g.raw(t, "GET "+path+" HTTP/1.1"); status != http.StatusServiceUnavailable && status != http.StatusBadGateway {
			t.Errorf("%s: wanted 503 or 502, got %d", path, status)
		}
		if got := g.app.takes(); len(got) > 0 {
			t.Errorf("%s: the application got %+v", path, got)
		}
	}
}

// raw sends a request as it is written, and returns the status; 0 where the connection
// was closed.
func (g *gate) raw(t *testing.T, line string, headers ...string) int {
	t.Helper()
	c, err := net.Dial("tcp", g.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	text := line + "\r\n"
	if !strings.Contains(strings.Join(headers, "\n"), "Host: attacker") {
		text += "Host: " + g.listen + "\r\n"
	}
	text += "Sec-Fetch-Mode: cors\r\n"
	body := ""
	for i, h := range headers {
		if h == "" { // what follows is the body
			body = strings.Join(headers[i+1:], "")
			break
		}
		text += h + "\r\n"
	}
	if !strings.Contains(text, "Connection: ") {
		text += "Connection: close\r\n"
	}
	if _, err := io.WriteString(c, text+"\r\n"+body); err != nil {
		return 0
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
