package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// addresses are where everything answers. Dilys alone is on localhost, since a
// passkey needs a name; the others are on another site, so that faults of cookies
// and Fetch Metadata show.
type addresses struct{ port int }

func (a addresses) dilys() string         { return fmt.Sprintf("http://localhost:%d", a.port) }
func (a addresses) workbench() string     { return fmt.Sprintf("http://127.0.0.1:%d", a.port+1) }
func (a addresses) simulator() string     { return fmt.Sprintf("http://127.0.0.1:%d", a.port+2) }
func (a addresses) examplePortal() string { return fmt.Sprintf("http://127.0.0.1:%d", a.port+4) }
func (a addresses) notify() string        { return fmt.Sprintf("http://127.0.0.1:%d", a.port+5) }

// ground is the folder that everything is kept in.
type ground struct {
	dir string
	at  addresses
}

// file returns a path in the folder.
func (g ground) file(name string) string { return filepath.Join(g.dir, name) }

// Names in the folder.
const (
	configFile        = "dilys.yaml"
	clientKeyFile     = "nhs-login.pem"
	publicKeyFile     = "nhs-login.public.pem"
	clientsFile       = "simulator-clients.yaml"
	exampleSecretFile = "example-portal.secret"
	portalSecretFile  = "my-portal.secret"
	serviceKeyFile    = "my-service.pem"
	serviceJWKSFile   = "my-service.jwks.json"
	notifyKeyFile     = "notify.key"
	keysFolder        = "keys"
)

// The templates that the stand-in of GOV.UK Notify has.
const (
	emailTemplate = "0b6c2d1e-7a54-4f0e-9c3b-5d8e1f2a7b60"
	smsTemplate   = "c4f7e9a2-31d8-4b65-8e0f-6a9b3c5d7e12"
)

// prepare makes what is missing: secrets, the client key and the configuration.
// The configuration is made anew each time, so that flags and ports always hold;
// everything else stays.
func (g ground) prepare(f flags) error {
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{exampleSecretFile, portalSecretFile} {
		if err := g.once(name, func() ([]byte, error) { return []byte(identity.NewToken().Reveal() + "\n"), nil }); err != nil {
			return err
		}
	}
	for _, name := range []string{clientKeyFile, serviceKeyFile} {
		if err := g.once(name, newClientKey); err != nil {
			return err
		}
	}
	if err := g.once(notifyKeyFile, newNotifyKey); err != nil {
		return err
	}
	if err := g.publish(clientKeyFile, publicKeyFile, asPEM); err != nil {
		return err
	}
	if err := g.publish(serviceKeyFile, serviceJWKSFile, token.AssertionKey.JWKS); err != nil {
		return err
	}
	if err := g.write(configFile, configText, f); err != nil {
		return err
	}
	return g.write(clientsFile, clientsText, f)
}

// once writes a file that isn't there yet, for its owner's eyes only.
func (g ground) once(name string, content func() ([]byte, error)) error {
	if _, err := os.Stat(g.file(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := content()
	if err != nil {
		return err
	}
	return os.WriteFile(g.file(name), b, 0o600)
}

func newClientKey() ([]byte, error) {
	const bits = 2048 // what NHS login asks for
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// newNotifyKey makes up a key in the shape of GOV.UK Notify's: a name, the id of a
// service and a secret, the last two being UUIDs.
func newNotifyKey() ([]byte, error) {
	return fmt.Appendf(nil, "dilys-dev-%s-%s\n", newUUID(), newUUID()), nil
}

// newUUID makes one at random (RFC 9562 §5.4).
func newUUID() string {
	const version, variant = 0x40, 0x80
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|version, b[8]&0x3f|variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// publish writes the public half of a key.
func (g ground) publish(private, public string, as func(token.AssertionKey) ([]byte, error)) error {
	b, err := os.ReadFile(g.file(private))
	if err != nil {
		return err
	}
	key, err := token.ParseSigningKey(b)
	if err != nil {
		return fmt.Errorf("%s: %w", g.file(private), err)
	}
	b, err = as(key)
	if err != nil {
		return err
	}
	return os.WriteFile(g.file(public), b, 0o600)
}

// asPEM is how NHS login's form asks for a public key.
func asPEM(key token.AssertionKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

func (g ground) write(name, text string, f flags) error {
	t, err := template.New(name).Parse(text)
	if err != nil {
		return err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]string{
		"Dilys": g.at.dilys(), "Port": strconv.Itoa(g.at.port), "Listen": fmt.Sprintf("127.0.0.1:%d", g.at.port), "Operations": fmt.Sprintf("127.0.0.1:%d", g.at.port+10),
		"Issuer": g.issuer(f), "Simulator": g.at.simulator(), "Example": g.at.examplePortal(), "Dir": g.dir, "Portal": f.Portal, "PortalHome": homeOf(f.Portal), "Gateway": f.Gateway, "PortalLogout": f.PortalLogout,
		"Notify": g.at.notify(), "EmailTemplate": emailTemplate, "SMSTemplate": smsTemplate,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(g.file(name), []byte(b.String()), 0o600)
}

// homeOf is the first page of a portal: where a log-out may return to.
func homeOf(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil {
		return redirectURI
	}
	return u.Scheme + "://" + u.Host + "/"
}

// issuer is what the simulator calls itself.
func (g ground) issuer(f flags) string {
	if f.SimulatorIssuer != "" {
		return f.SimulatorIssuer
	}
	return g.at.simulator()
}

//go:embed dilys.yaml.tmpl
var configText string

//go:embed simulator-clients.yaml.tmpl
var clientsText string
