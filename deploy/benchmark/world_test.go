package benchmark

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// world is a folder with everything that the service and the bare programs need,
// and the provider that both log in at, which runs in this process so that its work
// counts for neither.
type world struct {
	dir       string
	simulator string // its issuer
	clientKey string // PEM file
	dilys     int    // ports
	bare      int
	host      string // of both; a name where passkeys are made
	server    *http.Server
}

const clientID = "dilys-bench"

// newWorld makes the folder's content: keys, configuration, a migrated database.
func newWorld(ctx context.Context, dir string) (*world, error) {
	w := &world{dir: dir, host: "127.0.0.1", clientKey: filepath.Join(dir, "nhs-login.pem")}
	var err error
	if w.dilys, err = freePort(1); err != nil {
		return nil, err
	}
	if w.bare, err = freePort(); err != nil {
		return nil, err
	}
	if err := w.startSimulator(); err != nil {
		return nil, err
	}
	files := map[string]string{"portal.secret": identity.NewToken().Reveal(), "dilys.yaml": w.configuration()}
	for name, text := range files {
		if err := os.WriteFile(w.file(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	for _, args := range [][]string{{"keys", "init"}, {"migrate"}} {
		if _, err := command(ctx, *dilys, append(args, "--config", w.file("dilys.yaml"))...); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) dilysURL() string { return w.at(w.dilys) }

func (w *world) bareURL() string { return w.at(w.bare) }

func (w *world) at(port int) string { return "http://" + net.JoinHostPort(w.host, strconv.Itoa(port)) }

// startSimulator serves an NHS login that knows one client at two addresses: the
// service and the bare program.
func (w *world) startSimulator() error {
	client, private := simulator.TestClient(clientID, w.dilysURL()+callbackPath, w.bareURL()+callbackPath)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.clientKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.simulator = "http://" + l.Addr().String()
	s, err := simulator.New(simulator.Options{Issuer: w.simulator, Now: time.Now, Clients: []simulator.Client{client}})
	if err != nil {
		return err
	}
	const headerTime = 5 * time.Second
	w.server = &http.Server{Handler: s, ReadHeaderTimeout: headerTime}
	go func() { _ = w.server.Serve(l) }()
	return nil
}

func (w *world) configuration() string {
	return fmt.Sprintf(`public_url: %[1]s
listen: %[2]s
operations_listen: %[3]s
insecure_loopback: true
trusted_proxies: [127.0.0.1/32]
database: sqlite:%[4]s/dilys.db
keys: %[4]s/keys
languages: [en, cy]
organisation:
  name: {en: Example Health Board, cy: Bwrdd Iechyd Enghreifftiol}
  help: {phone: 01632 960123, email: help@example.org}
providers:
  - id: nhs-login
    kind: nhs-login
    issuer: %[5]s
    client_id: %[6]s
    client_key: %[7]s
    settings_url: %[5]s/settings
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm]
    scopes: [openid, profile, profile_extended, email, phone]
portals:
  - id: my-health
    name: {en: My Health, cy: Fy Iechyd}
    redirect_uris: [http://127.0.0.1:9/callback]
    client_secret_file: %[4]s/portal.secret
    scopes: [openid, profile, email, phone, nhs_number]
    trust: [P9.Cp.Cd, P9.Cp.Ck, P9.Cm]
`, w.dilysURL(), loopback(w.dilys), loopback(w.dilys+1), w.dir, w.simulator, clientID, w.clientKey)
}

// serve starts the service and returns how long its first page took.
func (w *world) serve(ctx context.Context) (*process, time.Duration, error) {
	p, err := start(ctx, w.dir, *dilys, "serve", "--config", w.file("dilys.yaml"))
	if err != nil {
		return nil, 0, err
	}
	took, err := p.ready(ctx, w.dilysURL()+"/login")
	return p, took, err
}

// serveBare starts this program again as what the service is measured against.
func (w *world) serveBare(ctx context.Context, role, db string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, w.dir, self, "-role", role, "-listen", loopback(w.bare), "-database", db,
		"-issuer", w.simulator, "-key", w.clientKey, "-callback", w.bareURL()+callbackPath)
	if err != nil {
		return nil, err
	}
	_, err = p.ready(ctx, w.bareURL()+"/ready")
	return p, err
}
