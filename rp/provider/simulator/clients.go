package simulator

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/dilys-id/dilys/identity"
	"github.com/go-jose/go-jose/v4"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// AppClientID is the client that plays the NHS App. No other may bear its name.
const AppClientID = "nhs-app"

// maxRedirectURIs is how many NHS login registers for a client.
const maxRedirectURIs = 10

// Client is a registered relying party.
type Client struct {
	ID   string
	Name string // shown on pages; empty: the id
	// Keys are the public keys of private_key_jwt. A key without alg is for RS512.
	Keys         jose.JSONWebKeySet
	RedirectURIs []string // matched exactly
	Scopes       []string // empty: all that are known
	VTR          []string // vectors it may ask for; empty: all
	Refresh      bool     // gets refresh tokens
	// Secret makes it an ordinary OpenID Connect client (client_secret_basic or
	// _post), which NHS login does not have. Empty: private_key_jwt alone.
	Secret string
	// PKCE refuses requests without a challenge.
	PKCE bool
}

func (c Client) name() string { return orElse(c.Name, c.ID) }

// algs returns the algorithms its assertions may have.
func (c Client) algs() []jose.SignatureAlgorithm {
	var out []jose.SignatureAlgorithm
	for _, k := range c.Keys.Keys {
		if alg := keyAlg(k); !slices.Contains(out, alg) {
			out = append(out, alg)
		}
	}
	return out
}

// keyAlg is the algorithm that a registered key is for.
func keyAlg(k jose.JSONWebKey) jose.SignatureAlgorithm {
	return jose.SignatureAlgorithm(orElse(k.Algorithm, string(jose.RS512)))
}

// check returns what is wrong with a client.
func (c Client) check() []error {
	var faults []error
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.ID == "" || c.ID == AppClientID {
		wrong("client_id: wanted a name, other than %s", AppClientID)
	}
	if len(c.Keys.Keys) == 0 && c.Secret == "" {
		wrong("key: wanted a public key, got none")
	}
	for _, k := range c.Keys.Keys {
		if err := checkClientKey(k); err != nil {
			faults = append(faults, err)
		}
	}
	if n := len(c.RedirectURIs); n < 1 || n > maxRedirectURIs {
		wrong("redirect_uris: wanted 1 to %d, got %d", maxRedirectURIs, n)
	}
	for _, u := range c.RedirectURIs {
		if err := checkRedirectURI(u); err != nil {
			faults = append(faults, err)
		}
	}
	for _, scope := range c.Scopes {
		if !slices.Contains(knownScopes(), scope) {
			wrong("scopes: wanted one of %s, got %.40q", strings.Join(knownScopes(), " "), scope)
		}
	}
	if _, err := parseVTR(c.VTR); err != nil {
		wrong("vtr: %w", err)
	}
	return faults
}

// checkClientKey wants a public key that can be used with its algorithm; RSA keys
// of the size that NHS login asks for at least.
func checkClientKey(k jose.JSONWebKey) error {
	if !k.IsPublic() || !k.Valid() {
		return errors.New("key: wanted a public key, got a private or broken one")
	}
	alg := string(keyAlg(k))
	if _, ok := hashes[alg]; !ok {
		return fmt.Errorf("key: wanted a known alg, got %.16q", alg)
	}
	pub, isRSA := k.Key.(*rsa.PublicKey)
	if isRSA == strings.HasPrefix(alg, "ES") {
		return fmt.Errorf("key: wanted one that fits alg %s, got %T", alg, k.Key)
	}
	if isRSA && pub.N.BitLen() < rsaBits {
		return fmt.Errorf("key: wanted %d bits or more, got %d", rsaBits, pub.N.BitLen())
	}
	return nil
}

// checkRedirectURI wants what NHS login registers: https, no wildcard, no query;
// and, as this one stands on a developer's machine, http on loopback.
func checkRedirectURI(s string) error {
	u, err := url.Parse(s)
	ok := err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery &&
		!strings.Contains(s, "#") && !strings.Contains(s, "*") &&
		(u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
	if !ok {
		return fmt.Errorf("redirect_uris: wanted https (or http on loopback), no wildcard, query or fragment, got %.200q", s)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ReadClients reads a YAML list of clients strictly. It returns every fault at
// once, one a line, as FILE:LINE:COL: key: wanted …, got …. A key file's path is
// relative to the list's own.
//
//   - client_id: my-portal
//     key: my-portal.pem        # PEM or JWKS, public
//     redirect_uris: [https://portal.example.org/callback]
//     scopes: [openid, profile]
//     refresh: true
func ReadClients(file string) ([]Client, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("clients file: %w", err)
	}
	return parseClients(file, data, os.ReadFile)
}

// parseClients reads the list; readFile reads the key files that it names.
func parseClients(file string, data []byte, readFile func(string) ([]byte, error)) ([]Client, error) {
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxFault(file, err)
	}
	l := clientList{file: file, readFile: readFile}
	if len(tree.Docs) != 1 {
		return nil, fmt.Errorf("%s:1:1: wanted one document with a list of clients, got %d", file, len(tree.Docs))
	}
	list, ok := tree.Docs[0].Body.(*ast.SequenceNode)
	if !ok {
		return nil, fmt.Errorf("%s:1:1: wanted a list of clients", file)
	}
	for _, item := range list.Values {
		l.read(item)
	}
	if len(l.faults) > 0 {
		return nil, errors.Join(l.faults...)
	}
	return l.clients, nil
}

// syntaxFault gives the parser's complaint the form of all others.
func syntaxFault(file string, err error) error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil {
		return fmt.Errorf("%s:%d:%d: %s", file, syntax.Token.Position.Line, syntax.Token.Position.Column, syntax.Message)
	}
	return fmt.Errorf("%s:1:1: %w", file, err)
}

// clientList gathers clients and faults.
type clientList struct {
	file     string
	readFile func(string) ([]byte, error)
	clients  []Client
	faults   []error
}

func (l *clientList) fault(at ast.Node, format string, args ...any) {
	line, column := 1, 1
	if t := at.GetToken(); t != nil && t.Position != nil {
		line, column = t.Position.Line, t.Position.Column
	}
	l.faults = append(l.faults, fmt.Errorf("%s:%d:%d: %w", l.file, line, column, fmt.Errorf(format, args...)))
}

// read takes one client of the list.
func (l *clientList) read(item ast.Node) {
	pairs, ok := mapping(item)
	if !ok {
		l.fault(item, "wanted a client, got %s", item.Type())
		return
	}
	var c Client
	before := len(l.faults)
	for _, pair := range pairs { // a key that comes twice is the parser's fault to find
		l.field(&c, pair.Key.String(), pair)
	}
	if len(l.faults) > before {
		return
	}
	for _, f := range c.check() {
		l.fault(item, "%w", f)
	}
	if slices.ContainsFunc(l.clients, func(other Client) bool { return other.ID == c.ID }) {
		l.fault(item, "client_id: wanted an id of its own, got %.60q again", c.ID)
	}
	l.clients = append(l.clients, c)
}

func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// field reads one key of a client.
func (l *clientList) field(c *Client, key string, pair *ast.MappingValueNode) {
	switch key {
	case "client_id":
		l.value(key, pair.Value, &c.ID, "a name")
	case "redirect_uris":
		l.value(key, pair.Value, &c.RedirectURIs, "a list of URLs")
	case "scopes":
		l.value(key, pair.Value, &c.Scopes, "a list of scopes")
	case "refresh":
		l.value(key, pair.Value, &c.Refresh, "true or false")
	case "key":
		var name string
		if !l.value(key, pair.Value, &name, "a file") {
			return
		}
		if keys, err := l.keyFile(name); err != nil {
			l.fault(pair.Value, "key: %w", err)
		} else {
			c.Keys = keys
		}
	default:
		l.fault(pair.Key, "%.40s: wanted client_id, key, redirect_uris, scopes or refresh", key)
	}
}

// value decodes a node into dst, refusing what is not of that kind.
func (l *clientList) value(key string, n ast.Node, dst any, wanted string) bool {
	if n.Type() == ast.NullType || !kindFits(n, dst) || yaml.NodeToValue(n, dst) != nil {
		l.fault(n, "%s: wanted %s, got %s", key, wanted, n.Type())
		return false
	}
	return true
}

// kindFits refuses the conversions that YAML libraries make out of kindness.
func kindFits(n ast.Node, dst any) bool {
	switch dst.(type) {
	case *string:
		return n.Type() == ast.StringType
	case *bool:
		return n.Type() == ast.BoolType
	}
	list, ok := n.(*ast.SequenceNode)
	return ok && !slices.ContainsFunc(list.Values, func(v ast.Node) bool { return v.Type() != ast.StringType })
}

// keyFile reads a public key, PEM or JWKS, from a file beside the list.
func (l *clientList) keyFile(name string) (jose.JSONWebKeySet, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(l.file), name)
	}
	data, err := l.readFile(name)
	if err != nil {
		return jose.JSONWebKeySet{}, fmt.Errorf("wanted a file, got %w", err)
	}
	return parsePublicKeys(data)
}

// parsePublicKeys reads a PEM public key (SPKI or PKCS #1), a JWKS or a JWK.
func parsePublicKeys(data []byte) (jose.JSONWebKeySet, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseJWKS(data)
	}
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return jose.JSONWebKeySet{}, errors.New("wanted one PEM block or a JWKS")
	}
	var pub any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		pub, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		pub, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return jose.JSONWebKeySet{}, fmt.Errorf("wanted PUBLIC KEY, got %.40s", block.Type)
	}
	if err != nil {
		return jose.JSONWebKeySet{}, fmt.Errorf("wanted a public key, got %w", err)
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pub}}}, nil
}

func parseJWKS(data []byte) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(data, &set); err != nil {
		return set, fmt.Errorf("wanted a JWKS, got %w", err)
	}
	if len(set.Keys) > 0 {
		return set, nil
	}
	var one jose.JSONWebKey
	if json.Unmarshal(data, &one) != nil {
		return set, errors.New("wanted a JWKS with a key, got none")
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{one}}, nil
}

// parseVTR reads vectors of trust in NHS login's letters.
func parseVTR(vectors []string) ([]identity.Trust, error) {
	out := make([]identity.Trust, 0, len(vectors))
	for _, v := range vectors {
		t, err := identity.ParseTrust(v)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(credentials, t.C) {
			return nil, fmt.Errorf("vector of trust: wanted the credential Cp, Cp.Cd, Cp.Ck or Cm, got %s", t)
		}
		out = append(out, t)
	}
	return out, nil
}

// credentials are the authenticators that NHS login's vectors know.
var credentials = []identity.Credential{
	identity.Cp | identity.Cd, identity.Cp | identity.Ck, identity.Cm, identity.Cp,
}

// testKeys holds one key a client id: making one is the slowest thing in a test.
var testKeys sync.Map

// TestClient returns a client for a test, which asks for what it likes, and the
// private key of its assertions. One id has one key as long as the program runs.
func TestClient(id string, redirectURIs ...string) (Client, *rsa.PrivateKey) {
	made, _ := testKeys.LoadOrStore(id, sync.OnceValues(newRSA))
	key, err := made.(func() (*rsa.PrivateKey, error))()
	if err != nil {
		panic("simulator: test client key: " + err.Error()) // the system has no randomness
	}
	return Client{
		ID: id, RedirectURIs: redirectURIs,
		Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}},
	}, key
}

func newRSA() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }

// publicPEM writes a public key as clients and providers exchange it.
func publicPEM(pub any) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
