package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// keyFiles are what a test's lists of clients name.
func keyFiles(t testing.TB) map[string][]byte {
	t.Helper()
	_, key := TestClient("portal")
	spki, err := publicPEM(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "PS256"}}})
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	privateJWK, err := json.Marshal(jose.JSONWebKey{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := publicPEM(curve.Public())
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := publicPEM(small.Public())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	return map[string][]byte{
		"spki.pem": spki, "pkcs1.pem": block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)),
		"keys.json": jwks, "private.pem": block("PRIVATE KEY", private), "private.json": privateJWK, "ec.pem": ec,
		"weak.pem": weak, "two.pem": append(append([]byte{}, spki...), spki...), "text.pem": []byte("no key"),
		"empty.json": []byte(`{"keys":[]}`), "broken.json": []byte(`{"keys":`), "broken.pem": block("PUBLIC KEY", []byte("x")),
	}
}

func TestReadClients(t *testing.T) {
	dir := t.TempDir()
	for name, data := range keyFiles(t) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := filepath.Join(dir, "clients.yaml")
	text := `
- client_id: my-portal
  key: spki.pem
  redirect_uris: [https://portal.example.org/callback, "http://localhost:8080/login/nhs-login/callback"]
  scopes: [openid, profile]
  refresh: true
- client_id: another
  key: ` + filepath.Join(dir, "keys.json") + `
  redirect_uris:
    - http://127.0.0.1:9000/callback
- {client_id: third, key: pkcs1.pem, redirect_uris: ["http://[::1]:9000/callback"]}
`
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadClients(list)
	if err != nil {
		t.Fatal(err)
	}
	_, key := TestClient("portal")
	for i, c := range got {
		if len(c.Keys.Keys) != 1 || !key.PublicKey.Equal(c.Keys.Keys[0].Key) {
			t.Errorf("client %d: wanted the key of the file, got %v", i, c.Keys.Keys)
		}
		got[i].Keys = jose.JSONWebKeySet{}
	}
	want := []Client{
		{
			ID: "my-portal", Scopes: []string{"openid", "profile"}, Refresh: true,
			RedirectURIs: []string{"https://portal.example.org/callback", "http://localhost:8080/login/nhs-login/callback"},
		},
		{ID: "another", RedirectURIs: []string{"http://127.0.0.1:9000/callback"}},
		{ID: "third", RedirectURIs: []string{"http://[::1]:9000/callback"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := ReadClients(filepath.Join(dir, "absent.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: wanted that said, got %v", err)
	}
}

func TestClientsFileFaults(t *testing.T) {
	files := keyFiles(t)
	read := func(name string) ([]byte, error) {
		if b, ok := files[name]; ok {
			return b, nil
		}
		return nil, os.ErrNotExist
	}
	good := "- client_id: a\n  key: spki.pem\n  redirect_uris: [https://a.example.org/cb]\n"
	with := func(lines string) string { return good + lines }
	for name, row := range map[string]struct {
		text string
		want []string // parts, one a fault
	}{
		"empty":                  {"", []string{"f.yaml:1:1: wanted"}},
		"no list":                {"client_id: a", []string{"f.yaml:1:1: wanted a list"}},
		"no YAML":                {"- [", []string{"f.yaml:1:"}},
		"a list of words":        {"- a\n- b", []string{"f.yaml:1:3: wanted a client", "f.yaml:2:3: wanted a client"}},
		"two documents":          {good + "---\n" + good, []string{"f.yaml:1:1: wanted one document"}},
		"unknown key":            {with("  shoe_size: 43\n"), []string{"f.yaml:4:3: shoe_size: wanted client_id, key"}},
		"key twice":              {with("  refresh: true\n  refresh: false\n"), []string{"f.yaml:5:3: mapping key \"refresh\" already defined"}},
		"client twice":           {good + good, []string{"f.yaml:4:12: client_id: wanted an id of its own"}},
		"nothing at all":         {"- {}", []string{"client_id: wanted", "key: wanted", "redirect_uris: wanted 1 to 10, got 0"}},
		"number for a name":      {strings.Replace(good, "client_id: a", "client_id: 1", 1), []string{"f.yaml:1:14: client_id: wanted a name"}},
		"null":                   {strings.Replace(good, "client_id: a", "client_id:", 1), []string{"client_id: wanted a name"}},
		"word for a switch":      {with("  refresh: \"yes\"\n"), []string{"f.yaml:4:12: refresh: wanted true or false"}},
		"word for a list":        {with("  scopes: openid\n"), []string{"f.yaml:4:11: scopes: wanted a list"}},
		"numbers in a list":      {with("  scopes: [1]\n"), []string{"scopes: wanted a list"}},
		"unknown scope":          {with("  scopes: [openid, shoes]\n"), []string{`scopes: wanted one of openid`}},
		"reserved name":          {strings.Replace(good, "client_id: a", "client_id: nhs-app", 1), []string{"other than nhs-app"}},
		"plain http":             {strings.Replace(good, "https:", "http:", 1), []string{"redirect_uris: wanted https"}},
		"wildcard":               {strings.Replace(good, "/cb", "/*", 1), []string{"redirect_uris: wanted https"}},
		"query":                  {strings.Replace(good, "/cb", "/cb?a=b", 1), []string{"redirect_uris: wanted https"}},
		"fragment":               {strings.Replace(good, "/cb", "/cb#", 1), []string{"redirect_uris: wanted https"}},
		"user in the URL":        {strings.Replace(good, "a.example", "u@a.example", 1), []string{"redirect_uris: wanted https"}},
		"script":                 {strings.Replace(good, "https://a.example.org/cb", "\"javascript:alert(1)\"", 1), []string{"redirect_uris: wanted https"}},
		"eleven redirect URIs":   {strings.Replace(good, "[", "["+strings.Repeat("https://a.example.org/x, ", 10), 1), []string{"wanted 1 to 10, got 11"}},
		"absent key file":        {strings.Replace(good, "spki", "absent", 1), []string{"f.yaml:2:8: key: wanted a file"}},
		"private PEM":            {strings.Replace(good, "spki.pem", "private.pem", 1), []string{"key: wanted PUBLIC KEY, got PRIVATE KEY"}},
		"private JWK":            {strings.Replace(good, "spki.pem", "private.json", 1), []string{"key: wanted a public key"}},
		"EC key for RS512":       {strings.Replace(good, "spki.pem", "ec.pem", 1), []string{"key: wanted one that fits alg RS512"}},
		"1024 bits":              {strings.Replace(good, "spki.pem", "weak.pem", 1), []string{"key: wanted 2048 bits or more, got 1024"}},
		"two PEM blocks":         {strings.Replace(good, "spki.pem", "two.pem", 1), []string{"key: wanted one PEM block"}},
		"no key in the file":     {strings.Replace(good, "spki.pem", "text.pem", 1), []string{"key: wanted one PEM block"}},
		"empty JWKS":             {strings.Replace(good, "spki.pem", "empty.json", 1), []string{"key: wanted a JWKS with a key"}},
		"broken JWKS":            {strings.Replace(good, "spki.pem", "broken.json", 1), []string{"key: wanted a JWKS"}},
		"broken PEM":             {strings.Replace(good, "spki.pem", "broken.pem", 1), []string{"key: wanted a public key"}},
		"every fault, both ways": {"- {client_id: a, shoes: 1, hats: 2}\n- {client_id: b, key: absent}\n", []string{"f.yaml:1:18: shoes", "f.yaml:1:28: hats", "f.yaml:2:23: key"}},
	} {
		t.Run(name, func(t *testing.T) {
			clients, err := parseClients("f.yaml", []byte(row.text), read)
			if err == nil {
				t.Fatalf("wanted faults, got %d clients", len(clients))
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(row.want) {
				t.Errorf("wanted %d faults, got %d:\n%v", len(row.want), len(lines), err)
			}
			for i, want := range row.want {
				if i < len(lines) && !strings.Contains(lines[i], want) {
					t.Errorf("fault %d: wanted %q, got %q", i, want, lines[i])
				}
			}
			if strings.Contains(err.Error(), "BEGIN") {
				t.Error("wanted no part of a key in a fault")
			}
		})
	}
}

func FuzzReadClients(f *testing.F) {
	files := keyFiles(f)
	f.Add("- client_id: a\n  key: spki.pem\n  redirect_uris: [https://a.example.org/cb]\n  refresh: true\n")
	f.Add("- {client_id: a, key: keys.json, redirect_uris: [http://127.0.0.1/cb], scopes: [openid]}")
	f.Add("- &x {client_id: *x}\n- <<: *x\n")
	f.Add("[[[[")
	f.Fuzz(func(t *testing.T, text string) {
		clients, err := parseClients("f.yaml", []byte(text), func(name string) ([]byte, error) {
			if b, ok := files[name]; ok {
				return b, nil
			}
			return nil, os.ErrNotExist
		})
		if err != nil {
			return
		}
		if err := new(Simulator).SetClients(clients); err != nil {
			t.Errorf("a list that was read: wanted it registered, got %v", err)
		}
	})
}

func TestOptionsFaults(t *testing.T) {
	good, _ := TestClient("portal", callback)
	now := newRig(t).now
	for name, opt := range map[string]Options{
		"no clock":                 {},
		"issuer without a scheme":  {Now: now, Issuer: "auth.example.org"},
		"issuer with a query":      {Now: now, Issuer: "https://auth.example.org?a=b"},
		"issuer with a user":       {Now: now, Issuer: "https://u@auth.example.org"},
		"unknown alg":              {Now: now, Alg: "none"},
		"client twice":             {Now: now, Clients: []Client{good, good}},
		"client without a key":     {Now: now, Clients: []Client{{ID: "a", RedirectURIs: []string{callback}}}},
		"client of unknown vector": {Now: now, Clients: []Client{{ID: "a", RedirectURIs: []string{callback}, Secret: "x", VTR: []string{"P2"}}}},
		"patient twice":            {Now: now, Patients: []Patient{{Key: "a", Subject: "1"}, {Key: "a", Subject: "2"}}},
		"subject twice":            {Now: now, Patients: []Patient{{Key: "a", Subject: "1"}, {Key: "b", Subject: "1"}}},
		"nobody":                   {Now: now, Patients: []Patient{}},
	} {
		if _, err := New(opt); err == nil {
			t.Errorf("%s: wanted a fault", name)
		}
	}
}
