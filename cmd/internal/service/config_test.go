package service

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

var update = flag.Bool("update", false, "write the golden files anew")

// today is the instant at which the tests judge.
var today = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// pemOf returns a new private key as PEM.
func pemOf(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// desk is a folder with a configuration and every file it may name.
func desk(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	private, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"rsa.pem": pemOf(t, private), "nhs-login.pem": pemOf(t, private), "small.pem": pemOf(t, small), "p256.pem": pemOf(t, curve),
		"clinic-secret": secretText() + "\n", "portal-secret": secretText() + "\r\n",
		"clinic": secretText(), "my-health": secretText(), "appointments": secretText(), "database": secretText(),
		"short": secretText()[:31], "empty": "", "two-lines": secretText() + "\n" + secretText(),
		"repeated": strings.Repeat("a", 64), "few": strings.Repeat("abcdefg", 9), "changed": "Change-Me_" + secretText(),
		"pds": secretText(), "receipts": secretText(), "smtp": "Pass word-1\n", "short-password": "secret7",
		"notify": notifyKey("dilys-live"), "notify-renamed": notifyKey("dilys-live") + "-x", "notify-other": notifyKey("b"),
		"large": strings.Repeat(secretText(), 100), "logo.png": "\x89PNG\r\n\x1a\n", "logo.txt": "a logo",
	} {
		write(t, folder, name, content, 0o600)
	}
	write(t, folder, "world", secretText(), 0o604)
	write(t, folder, "group", secretText(), 0o640)
	if err := os.Mkdir(filepath.Join(folder, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

// notifyKey returns a key of the shape that GOV.UK Notify gives out.
func notifyKey(name string) string {
	half := func() string {
		h := hex.EncodeToString([]byte(secretText())[:16])
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}
	return name + "-" + half() + "-" + half()
}

func secretText() string { return identity.NewToken().Reveal() }

func write(t testing.TB, folder, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

func good(t testing.TB) string { return testdata(t, "good.yaml") }

func testdata(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/config", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// judged parses the text and returns its faults, one a line, without the file.
func judged(t testing.TB, folder, text string) string {
	t.Helper()
	file := filepath.Join(folder, "dilys.yaml")
	c, err := Parse(file, []byte(text), today)
	if (c == nil) == (err == nil) {
		t.Fatalf("wanted a configuration or faults, got %v and %v", c != nil, err)
	}
	if err == nil {
		return ""
	}
	if faults := Faults(nil); !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("wanted faults, got %T", err)
	}
	return strings.ReplaceAll(err.Error(), file+":", "")
}

func TestGoodConfig(t *testing.T) {
	folder := desk(t)
	file := filepath.Join(folder, "dilys.yaml")
	write(t, folder, "dilys.yaml", good(t), 0o600)
	c, err := Load(file, today)
	if err != nil {
		t.Fatal(err)
	}
	nhs, clinic := c.Providers[0], c.Providers[1]
	for what, row := range map[string]struct{ got, want any }{
		"public url as written":        {c.PublicURL, "https://login.example.nhs.uk"},
		"issuer as written":            {clinic.Issuer, "https://id.example.org/"},
		"idle":                         {c.Sessions.Idle, 30 * time.Minute},
		"absolute":                     {c.Sessions.Absolute, 12 * time.Hour},
		"vectors":                      {nhs.Trust, []identity.Trust{{P: identity.P9, C: identity.Cp | identity.Cd}, {P: identity.P9, C: identity.Cm}}},
		"key algorithm":                {nhs.ClientKey.Alg(), token.RS512},
		"id token algorithm":           {nhs.IDTokenAlgs, []token.Alg{token.RS512}},
		"id token algorithm of others": {clinic.IDTokenAlgs, []token.Alg{token.RS256}},
		"settings by known issuer":     {nhs.SettingsURL, "https://settings.login.nhs.uk"},
		"secret without line end":      {len(clinic.ClientSecret.Reveal()), 43},
		"portal secret too":            {len(c.Portals[0].ClientSecret.Reveal()), 43},
		"audience":                     {c.Portals[0].Audience, "my-health"},
		"minimum age":                  {c.Portals[0].MinimumAge, 16},
		"pkce":                         {c.Portals[0].PKCEOptional, false},
		"portal algorithm":             {c.Portals[0].IDTokenAlg, token.ES256},
		"network":                      {c.TrustedProxies[0].String(), "10.1.0.0/16"},
		"gateway":                      {c.Gateway.Hosts[0].Rules[1], Rule{Path: "/leaflets/", Public: true}},
		"host's age":                   {c.Gateway.Hosts[0].MinimumAge, 16},
	} {
		if diff := cmp.Diff(row.want, row.got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	if text := fmt.Sprintf("%v %+v", c, *c); strings.Contains(text, clinic.ClientSecret.Reveal()) {
		t.Error("a printed configuration shows a secret")
	}
}

// TestRefused edits the good configuration, one thing a row.
func TestRefused(t *testing.T) {
	refuse(t, good(t), refused)
}

// refuse edits the text as each row says, and compares what is told.
func refuse(t *testing.T, text string, rows map[string]refusedRow) {
	t.Helper()
	folder := desk(t)
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			text := text
			for old, changed := range row.edit {
				if !strings.Contains(text, old) {
					t.Fatalf("the good configuration has no %q", old)
				}
				text = strings.Replace(text, old, changed, 1)
			}
			if diff := cmp.Diff(row.want, judged(t, folder, text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type edit map[string]string

// refusedRow is an edit of a configuration, and what it is told, line by line.
type refusedRow struct {
	edit edit
	want string
}

// TestLoopback reads what a developer's machine has: plain http, and nothing that
// is not this machine.
func TestLoopback(t *testing.T) {
	const text = `
public_url: http://localhost:8080
insecure_loopback: true
listen: localhost:8080
operations_listen: "[::1]:9090"
database: sqlite:dilys.db
keys: keys
organisation: {name: {en: Example, cy: Enghraifft}}
providers:
  - {id: sim, kind: nhs-login, issuer: "http://127.0.0.1:8082", client_id: dev, client_key: rsa.pem, trust: [P9.Cp.Cd], settings_url: "http://127.0.0.1:8082/settings"}
portals:
  - {id: portal, name: {en: P, cy: P}, redirect_uris: ["http://127.0.0.1:8084/callback"], trust: [P9.Cp.Cd]}
gateway:
  hosts:
    - {host: "localhost:8080", rules: [{path: /, trust: [P9.Cp.Cd]}]}
`
	folder := desk(t)
	if faults := judged(t, folder, text); faults != "" {
		t.Error(faults)
	}
	for name, change := range map[string]edit{
		"an issuer elsewhere":       {"http://127.0.0.1:8082\",": "http://192.0.2.1:8082\","},
		"an https issuer elsewhere": {"http://127.0.0.1:8082\",": "https://auth.login.nhs.uk\","},
		"a settings page elsewhere": {"http://127.0.0.1:8082/settings": "https://settings.login.nhs.uk"},
		"a portal elsewhere":        {"http://127.0.0.1:8084": "https://portal.example.nhs.uk"},
		"listening elsewhere":       {"listen: localhost:8080": "listen: 0.0.0.0:8080"},
		"operations elsewhere":      {"\"[::1]:9090\"": "10.0.0.1:9090"},
		"a public address":          {"http://localhost:8080": "https://login.example.nhs.uk"},
		"no permission for it":      {"insecure_loopback: true": "insecure_loopback: false"},
	} {
		changed := text
		for old, now := range change {
			changed = strings.Replace(changed, old, now, 1)
		}
		if changed == text || judged(t, folder, changed) == "" {
			t.Errorf("%s: was accepted", name)
		}
	}
	c, err := Parse(filepath.Join(folder, "dilys.yaml"), []byte(text), today)
	if err != nil || c.Database != "sqlite:"+filepath.Join(folder, "dilys.db") || c.Keys != filepath.Join(folder, "keys") {
		t.Errorf("relative paths start elsewhere: %v", err)
	}
}

// TestExamples holds the shipped examples to the rules.
func TestExamples(t *testing.T) {
	names, err := filepath.Glob("../../../deploy/examples/*.yaml")
	if err != nil || len(names) < 5 {
		t.Fatalf("wanted the shipped examples, got %v and %v", names, err)
	}
	folder := desk(t)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		local := strings.NewReplacer("/run/secrets/", folder+"/", " secrets/", " "+folder+"/").Replace(string(text))
		if faults := judged(t, folder, local); faults != "" {
			t.Errorf("%s:\n%s", name, faults)
		}
	}
}

// TestExplainPortal compares what a portal team sees of the example of a board in Wales:
// of a portal that reads records, and of one that takes answers in.
func TestExplainPortal(t *testing.T) {
	folder := desk(t)
	text, err := os.ReadFile("../../../deploy/examples/wales.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(filepath.Join(folder, "dilys.yaml"), []byte(strings.ReplaceAll(string(text), "/run/secrets/", folder+"/")), today)
	if err != nil {
		t.Fatal(err)
	}
	for id, at := range map[string]time.Time{"my-health": today, "questionnaires": today, "questionnaires-later": today.AddDate(80, 0, 0)} {
		var b strings.Builder
		if err := c.ExplainPortal(&b, strings.TrimSuffix(id, "-later"), at); err != nil {
			t.Fatal(err)
		}
		compare(t, "testdata/config/explain-portal-"+id+".golden", b.String())
	}
	if err := c.ExplainPortal(io.Discard, "nobody", today); err == nil {
		t.Error("wanted an unknown portal refused")
	}
}

// TestEveryFaultAtOnce reads files with many faults and compares all of them.
func TestEveryFaultAtOnce(t *testing.T) {
	folder := desk(t)
	names, err := filepath.Glob("testdata/config/bad-*.yaml")
	if err != nil || len(names) < 4 {
		t.Fatalf("wanted bad files, got %v and %v", names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(name, ".yaml") + ".golden"
		compare(t, golden, judged(t, folder, string(text)))
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", golden, diff)
	}
}

// TestExplain compares what operators see, and looks for secrets in it.
func TestExplain(t *testing.T) {
	folder := desk(t)
	for from, golden := range map[string]string{"good.yaml": "explain.golden", "good-signup.yaml": "explain-signup.golden"} {
		explain(t, folder, testdata(t, from), "testdata/config/"+golden)
	}
}

func explain(t *testing.T, folder, text, golden string) {
	t.Helper()
	c, err := Parse(filepath.Join(folder, "dilys.yaml"), []byte(text), today)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := c.Explain(&b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"clinic-secret", "portal-secret", "pds", "notify", "smtp", "receipts"} {
		secret, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || strings.Contains(b.String(), strings.TrimSpace(string(secret))) {
			t.Errorf("%s: the secret is explained, or %v", name, err)
		}
	}
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(b.String(), folder, "FOLDER")) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	compare(t, golden, strings.Join(lines, "\n"))
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	folder := desk(t)
	write(t, folder, "huge.yaml", strings.Repeat("# nothing\n", 110_000), 0o600)
	for name, row := range map[string]struct{ file, got string }{
		"missing":   {"none.yaml", "no file of that name"},
		"a folder":  {"folder", "something else than a file"},
		"too large": {"huge.yaml", "a larger one"},
	} {
		file := filepath.Join(folder, row.file)
		_, err := Load(file, today)
		want := file + ":1:1: config: wanted a readable file of at most 1024 KiB, got " + row.got
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestNoSecretInFaults puts secrets where they do not belong.
func TestNoSecretInFaults(t *testing.T) {
	const secret = "hunter2hunter2hunter2hunter2hunter2"
	folder := desk(t)
	for name, change := range map[string]edit{
		"in place of its file":            {"client_secret_file: portal-secret": "client_secret_file: " + secret},
		"under an unknown key":            {"client_secret_file: portal-secret": "client_secret: " + secret},
		"in the database's address":       {"sqlite:/var/lib/dilys/dilys.db": "postgres://dilys:" + secret + "@db/dilys"},
		"in the database's query":         {"sqlite:/var/lib/dilys/dilys.db": "postgres://dilys@db/dilys?password=" + secret},
		"in a broken address":             {"sqlite:/var/lib/dilys/dilys.db": "postgres://dilys:/" + secret + "@db:x/dilys"},
		"in an issuer":                    {"https://id.example.org/": "https://dilys:" + secret + "@id.example.org/"},
		"in an issuer's query":            {"https://id.example.org/": "https://id.example.org/?key=" + secret},
		"in Redis' address":               {"keys: /var": "redis: redis://u:" + secret + "@cache:6379/0\nkeys: /var"},
		"as a register's key":             {"keys: /var": "register: {kind: pds, api_key: " + secret + "}\nkeys: /var"},
		"as a register's key, of no kind": {"keys: /var": "register: {api_key: " + secret + "}\nkeys: /var"},
		"as an index's key":               {"keys: /var": "register: {kind: index, api_key: " + secret + "}\nkeys: /var"},
		"as a courier's key":              {"keys: /var": "courier: {sms: {kind: notify, api_key_file: " + secret + "}}\nkeys: /var"},
		"as a courier's key, misnamed":    {"keys: /var": "courier: {sms: {kind: notify, api_key: " + secret + "}}\nkeys: /var"},
		"as a mail server's password":     {"keys: /var": "courier: {email: {kind: smtp, password: " + secret + "}}\nkeys: /var"},
		"in a mail server's address":      {"keys: /var": "courier: {email: {kind: smtp, address: \"smtp://u:" + secret + "@mail:587\"}}\nkeys: /var"},
		"as a key set":                    {"client_secret_file: portal-secret": "client_jwks_file: " + secret},
	} {
		text := good(t)
		for old, changed := range change {
			text = strings.Replace(text, old, changed, 1)
		}
		faults := judged(t, folder, text)
		if faults == "" || strings.Contains(faults, secret) {
			t.Errorf("%s: got %s", name, faults)
		}
	}
}

// TestHostileYAML gives the parser what could end the process or never end.
func TestHostileYAML(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"brackets without end":       strings.Repeat("[", 1<<20),
		"braces without end":         strings.Repeat("{a: ", 1<<18),
		"dashes without end":         strings.Repeat("- ", 1<<19),
		"complex keys without end":   strings.Repeat("? ", 1<<19),
		"tags without end":           "a: " + strings.Repeat("!a ", 1<<18),
		"keys without end":           strings.Repeat("a: b\n", 1<<17),
		"a billion laughs":           "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
		"a merge":                    "a: {b: c}\n<<: {d: e}\n",
		"a tag":                      "public_url: !!binary aHR0cHM6Ly94\n",
		"another document":           "a: b\n---\nc: d\n",
		"a document after its end":   "a: b\n...\nc: d\n",
		"not UTF-8":                  "a: \xff\n",
		"a NUL":                      "a: \x00\n",
		"nothing":                    "",
		"comments alone":             "# nothing\n",
		"a list":                     "- a\n- b\n",
		"a word":                     "dilys\n",
		"more than one mebibyte":     strings.Repeat("# nothing\n", 110_000),
		"an indent without end":      strings.Repeat(" ", 1<<19) + "a: b\n",
		"levels by indent":           deep(5000),
		"an unfinished quote":        "a: \"b\n",
		"a line end inside of a key": "\"a\\nb\": c\n",
	} {
		if faults := judged(t, folder, text); faults == "" {
			t.Errorf("%s: was accepted", name)
		} else if strings.Contains(name, "key") && strings.Contains(faults, "a\nb") {
			t.Errorf("%s: a fault of two lines: %s", name, faults)
		}
	}
}

func deep(levels int) string {
	var b strings.Builder
	for i := range levels {
		if b.Len() > maxConfig/2 {
			break
		}
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func FuzzConfig(f *testing.F) {
	f.Add(good(f))
	names, _ := filepath.Glob("testdata/config/bad-*.yaml")
	examples, _ := filepath.Glob("../../../deploy/examples/*.yaml")
	for _, name := range append(names, examples...) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	if len(names)+len(examples) < 9 {
		f.Fatal("the seeds are gone")
	}
	f.Add(testdata(f, "good-signup.yaml"))
	f.Add("a: &x [*x]\n")
	f.Add("- - ? {[\n")
	folder := desk(f)
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(folder, "dilys.yaml")
		c, err := Parse(file, []byte(text), today)
		if (c == nil) == (err == nil) {
			t.Fatal("wanted a configuration or faults")
		}
		var faults Faults
		if err != nil && (!errors.As(err, &faults) || len(faults) == 0) {
			t.Fatalf("wanted faults, got %T", err)
		}
		for _, one := range faults {
			if one.Line < 1 || one.Col < 1 || one.Key == "" || one.Wanted == "" || one.Got == "" || strings.Contains(one.String(), "\n") {
				t.Fatalf("an unclear fault: %q", one.String())
			}
		}
	})
}
