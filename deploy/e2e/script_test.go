package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCommands runs the scripts of testdata/script: the real dilys as an operator
// uses it. The NHS login simulator of a dilys-dev stands beside it, and knows the
// service of each script as a client.
func TestCommands(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("wanted scripts, got %v %v", scripts, err)
	}
	g := newGround(t, len(scripts))
	w := startWorld(t, "--simulator-clients", g.clients)
	testscript.Run(t, testscript.Params{
		Files: scripts, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error { return g.lay(e, w) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "ready": ready, "get": get, "patient": patient, "capture": capture, "without": without, "until": until, "hangup": hangup, "shows": shows,
		},
	})
}

// ground is what all scripts stand on: a client key that the simulator knows, and
// a port for the service of each.
type ground struct {
	key     []byte // PEM
	clients string // file for the simulator
	ports   chan int
}

const clientsText = `- client_id: dilys-served
  key: %s
  redirect_uris: [%s]
  scopes: [openid, profile, email, phone]
`

func newGround(t *testing.T, scripts int) *ground {
	t.Helper()
	dir := t.TempDir()
	private, public := newKey(t)
	g := &ground{key: private, clients: filepath.Join(dir, "clients.yaml"), ports: make(chan int, scripts)}
	callbacks := make([]string, 0, scripts)
	for range scripts {
		port, err := freeBlock(0, 1)
		if err != nil {
			t.Fatal(err)
		}
		g.ports <- port
		callbacks = append(callbacks, fmt.Sprintf("%q", fmt.Sprintf("http://localhost:%d/login/nhs-login/callback", port)))
	}
	publicFile := filepath.Join(dir, "public.pem")
	write(t, publicFile, public)
	write(t, g.clients, fmt.Appendf(nil, clientsText, publicFile, strings.Join(callbacks, ", ")))
	return g
}

func newKey(t *testing.T) (private, public []byte) {
	t.Helper()
	const bits = 2048
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	half, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: half}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: other})
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

var configText = template.Must(template.New("").Parse(`public_url: {{.Dilys}}
listen: 127.0.0.1:{{.Port}}
operations_listen: {{.Operations}}
insecure_loopback: true
database: sqlite:{{.Dir}}/dilys.db
keys: {{.Dir}}/keys
languages: [en, cy]
organisation:
  name: {en: Example Health Board, cy: Bwrdd Iechyd Enghreifftiol}
  help: {phone: 07700 900000, email: help@example.org}
providers:
  - id: nhs-login
    kind: nhs-login
    issuer: {{.Simulator}}
    client_id: dilys-served
    client_key: {{.Dir}}/nhs-login.pem
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm]
    scopes: [openid, profile, email, phone]
portals:
  - id: my-health
    name: {en: My Health, cy: Fy Iechyd}
    redirect_uris: [http://127.0.0.1:9/callback]
    client_secret_file: {{.Dir}}/portal.secret
    scopes: [openid, profile]
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm]
`))

// lay puts a good configuration into the folder of a script, with what it names.
func (g *ground) lay(e *testscript.Env, w *world) error {
	port := <-g.ports
	values := map[string]string{
		"Port": strconv.Itoa(port), "Dilys": fmt.Sprintf("http://localhost:%d", port),
		"Operations": fmt.Sprintf("127.0.0.1:%d", port+1), "Simulator": w.simulator(), "Dir": e.WorkDir,
	}
	var text strings.Builder
	if err := configText.Execute(&text, values); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"dilys.yaml": text.String(), "nhs-login.pem": string(g.key), "portal.secret": rand.Text() + rand.Text() + "\n",
	} {
		if err := os.WriteFile(filepath.Join(e.WorkDir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	e.Setenv("PATH", binaries+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv("DILYS", values["Dilys"])
	e.Setenv("OPERATIONS", "http://"+values["Operations"])
	e.Setenv("SIMULATOR", w.simulator())
	return nil
}

// exits is `exits CODE PROGRAM ARGS…`: the program's exit code, exactly.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		code = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("wanted exit code %d, got %d", want, code)
	}
}

// until is `until PATTERN PROGRAM ARGS…`: runs the program again and again until it
// succeeds and its standard output matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	if !await(func() bool { return ts.Exec(args[1], args[2:]...) == nil && pattern.MatchString(ts.ReadFile("stdout")) }) {
		ts.Fatalf("standard output: wanted %s", args[0])
	}
}

// hangup sends SIGHUP to what runs in the background.
func hangup(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGHUP))
	}
}

// shows is `shows PATTERN URL`: waits until the answer matches.
func shows(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	if !await(func() bool {
		answer, err := http.Get(args[1])
		if err != nil {
			return false
		}
		body, err := io.ReadAll(answer.Body)
		return errors.Join(err, answer.Body.Close()) == nil && pattern.Match(body)
	}) {
		ts.Fatalf("%s: wanted %s", args[1], args[0])
	}
}

// ready is `ready URL`: waits until it answers 200.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	if !await(func() bool { return answersOK(args[0]) }) {
		ts.Fatalf("%s: not ready", args[0])
	}
}

// get is `get URL`: prints the status and the body.
func get(ts *testscript.TestScript, _ bool, args []string) {
	answer, err := http.Get(args[0])
	ts.Check(err)
	body, err := io.ReadAll(answer.Body)
	ts.Check(errors.Join(err, answer.Body.Close()))
	_, err = fmt.Fprintf(ts.Stdout(), "%s\n%s\n", answer.Status, body)
	ts.Check(err)
}

// patient is `patient KEY`: has a patient of the simulator log in, and prints the
// heading of the page where that ends, and the reference if it has one.
func patient(ts *testscript.TestScript, _ bool, args []string) {
	v := newVisitor()
	page, err := v.logIn(ts.Getenv("DILYS"), args[0])
	ts.Check(err)
	_, err = fmt.Fprintf(ts.Stdout(), "%s\n%s\n", page.heading(), referenceShape.FindString(page.body))
	ts.Check(err)
}

// capture is `capture NAME PATTERN`: sets a variable to what the pattern's first
// group, or all of it, matches in the last standard output.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("standard output: wanted %s", args[1])
	}
	ts.Setenv(args[0], found[len(found)-1])
}

// without is `without FILE WORD…`: none of the words stands in the file.
func without(ts *testscript.TestScript, _ bool, args []string) {
	content := strings.ToLower(ts.ReadFile(args[0]))
	for _, word := range args[1:] {
		if strings.Contains(content, strings.ToLower(word)) {
			ts.Fatalf("%s: has %q", args[0], word)
		}
	}
}

// visitor is a browser of few words: it keeps cookies, follows redirects, fills in
// forms.
type visitor struct{ http.Client }

func newVisitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // never: it fails on options alone
	}
	return &visitor{http.Client{Jar: jar, Timeout: patience}}
}

// visited is a page that a visitor came to.
type visited struct {
	at   *url.URL
	body string
}

var headingShape = regexp.MustCompile(`(?s)<h1[^>]*>(.*?)</h1>`)

func (p visited) heading() string {
	found := headingShape.FindStringSubmatch(p.body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(strings.TrimSpace(found[1]))
}

// logIn plays a login from the chooser on; the patient agrees to nothing they are
// asked.
func (v *visitor) logIn(dilys, patientKey string) (visited, error) {
	at, err := v.page(v.Get(dilys + "/login"))
	if err != nil {
		return at, err
	}
	if at, err = v.follow(at, "/login/nhs-login"); err != nil {
		return at, err
	}
	at, err = v.submit(at, "choose", url.Values{"patient": {patientKey}, "vector": {""}, "lie": {""}, "act": {"continue"}})
	if err == nil && strings.Contains(at.body, `name="consent"`) {
		at, err = v.submit(at, "choose", url.Values{"consent": {"refuse"}})
	}
	return at, err
}

func (v *visitor) page(answer *http.Response, err error) (visited, error) {
	if err != nil {
		return visited{}, err
	}
	body, err := io.ReadAll(answer.Body)
	return visited{answer.Request.URL, string(body)}, errors.Join(err, answer.Body.Close())
}

// follow goes where the page's link to that path leads.
func (v *visitor) follow(from visited, path string) (visited, error) {
	found := regexp.MustCompile(`href="(` + regexp.QuoteMeta(path) + `(\?[^"]*)?)"`).FindStringSubmatch(from.body)
	if found == nil {
		return visited{}, fmt.Errorf("%s: wanted a link to %s, got %q", from.at.Path, path, from.heading())
	}
	to, err := from.at.Parse(html.UnescapeString(found[1]))
	if err != nil {
		return visited{}, err
	}
	return v.page(v.Get(to.String()))
}

var (
	formShape   = regexp.MustCompile(`(?s)<form.*?</form>`)
	hiddenShape = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submit sends the page's form with that action, its hidden fields among them.
func (v *visitor) submit(from visited, action string, fields url.Values) (visited, error) {
	for _, form := range formShape.FindAllString(from.body, -1) {
		if !strings.Contains(form, `action="`+action+`"`) {
			continue
		}
		all := url.Values{}
		for _, hidden := range hiddenShape.FindAllStringSubmatch(form, -1) {
			all.Add(html.UnescapeString(hidden[1]), html.UnescapeString(hidden[2]))
		}
		for name, values := range fields {
			all[name] = values
		}
		to, err := from.at.Parse(action)
		if err != nil {
			return visited{}, err
		}
		return v.page(v.PostForm(to.String(), all))
	}
	return visited{}, fmt.Errorf("%s: wanted a form to %s, got %q", from.at.Path, action, from.heading())
}
