package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/oauth2"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// Check is one line of `dilys providers test`.
type Check struct {
	Name  string
	OK    bool
	Note  string // what was found, or what to register
	Fault string // wanted and got, in words of ours
	Mend  string // what to do about it
}

func good(name, note string) Check { return Check{Name: name, OK: true, Note: note} }

func bad(name string, err error, mend string) Check {
	return Check{Name: name, Fault: err.Error(), Mend: mend}
}

const mendWay = "check that this machine reaches the provider: name service, firewall, certificate authorities; no proxy is used"

// Test asks the provider everything that a login needs and that needs no patient,
// and says what to mend. It changes nothing and is not held back by the breaker.
// A check that depends on one that failed is left out.
func (p *Provider) Test(ctx context.Context) []Check {
	m, checks := p.testDiscovery(ctx)
	if m != nil {
		checks = append(checks, p.testKeys(ctx, m), p.testClient(ctx, m))
	}
	return append(checks, good("redirect URI", "register "+p.cfg.RedirectURI))
}

// testDiscovery returns what the document says, or nil if it says nothing useful.
func (p *Provider) testDiscovery(ctx context.Context) (*metadata, []Check) {
	const name = "discovery"
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	at := wellKnown(p.cfg.Issuer)
	doc, err := p.get(ctx, at, "")
	if err != nil {
		return nil, []Check{bad(name, fmt.Errorf("%s: %w", at, err), mendWay)}
	}
	m, err := parseMetadata(doc.body, p.cfg.Issuer, p.cfg.LoopbackHTTP)
	switch {
	case errors.Is(err, errIssuer):
		return nil, []Check{
			good(name, at),
			bad("issuer", err, "write the issuer in the configuration exactly as the provider's discovery document has it"),
		}
	case err != nil:
		return nil, []Check{bad(name, fmt.Errorf("%s: %w", at, err), "tell the provider: its discovery document can't be used")}
	}
	return m, []Check{good(name, at), good("issuer", p.cfg.Issuer)}
}

func (p *Provider) testKeys(ctx context.Context, m *metadata) Check {
	const name = "key set"
	overlap := func(alg string) bool { return slices.Contains(p.cfg.Algs, token.Alg(alg)) }
	if len(m.algs) > 0 && !slices.ContainsFunc(m.algs, overlap) {
		return bad(name, fmt.Errorf("wanted ID tokens signed by %v, got a provider that signs by others", p.cfg.Algs),
			"name the provider's algorithm in the configuration")
	}
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	keys := token.NewKeySet(func(ctx context.Context) ([]byte, error) {
		doc, err := p.get(ctx, m.jwks, "")
		return doc.body, err
	}, p.now, p.cfg.Algs...)
	count, err := keys.Prime(ctx)
	if err != nil {
		return bad(name, err, "tell the provider: its key set can't be used")
	}
	return good(name, fmt.Sprintf("%d to verify with", count))
}

// testClient exchanges a made-up code: who says that the code is wrong has
// accepted who asked.
func (p *Provider) testClient(ctx context.Context, m *metadata) Check {
	name, mend := "client key", "register the public half of client_key at the provider, and check client_id"
	if p.cfg.Key == nil {
		name, mend = "client secret", "check client_id and client_secret_file"
	}
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	_, refused := p.exchange(ctx, m, identity.NewToken(), oauth2.GenerateVerifier())
	switch {
	case refused == nil:
		return bad(name, fault("wanted invalid_grant for a made-up code, got tokens"), "tell the provider: it gives tokens for anything")
	case refused.Cause == causeCode:
		return good(name, "known")
	case refused.Cause == causeClient:
		return bad(name, fault("wanted invalid_grant for a made-up code, got invalid_client"), mend)
	case refused.Cause == causeTokenEndpoint:
		return bad(name, refused.Err, mendWay)
	}
	return bad(name, fault("wanted invalid_grant for a made-up code, got another answer"), mend)
}
