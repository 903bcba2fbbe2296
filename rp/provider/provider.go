package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/outside"
)

// The kinds of provider.
const (
	NHSLogin = "nhs-login" // vectors of trust, private_key_jwt, settings page
	OIDC     = "oidc"      // any other OpenID provider; strength by acr
)

// PKCE is when a challenge (RFC 7636) is sent. It is S256 always.
type PKCE string

// The choices. The zero value is PKCEAuto.
const (
	PKCEAuto   PKCE = "auto"   // when discovery offers S256
	PKCEAlways PKCE = "always" // whatever discovery says
	PKCENever  PKCE = "never"  // for a provider that refuses parameters it does not know
)

// Config is one provider, as the operator wrote it.
type Config struct {
	ID       string // in the configuration, in paths and in audit
	Kind     string // NHSLogin or OIDC
	Issuer   string // exactly as its discovery document and tokens have it
	ClientID string

	// Key names us by private_key_jwt (RFC 7523), Secret by client_secret_basic
	// or client_secret_post, as discovery offers. One of them; NHSLogin: Key.
	Key    *token.AssertionKey
	Secret identity.Secret

	Trust       []identity.Trust          // NHSLogin: sent as vtr, and what vot must be one of
	TrustMap    map[string]identity.Trust // OIDC: what each acr is worth here; empty: everything is P0.Cp
	Scopes      []string                  // with openid
	PKCE        PKCE
	Algs        []token.Alg // of ID tokens; none: RS512 for NHSLogin, RS256 for OIDC
	RedirectURI string      // registered there
	SettingsURL string      // NHSLogin: where a patient manages the login; none: no link

	// LoopbackHTTP allows plain http and addresses of this machine, for
	// development. http elsewhere stays refused.
	LoopbackHTTP bool
}

// Options is what a provider stands on.
type Options struct {
	Now func() time.Time // required
	Log *slog.Logger     // told when the provider's health changes, and which claim could not be read; nil: nobody
}

// The bounds of a conversation.
const (
	connectWithin = outside.ConnectWithin
	answerWithin  = 8 * time.Second // all of Begin, Finish, Refresh or Test's single steps
	maxDocument   = 256 << 10
	assertionLife = time.Minute // a client assertion is used at once
)

// Provider is one outside service. It is safe for concurrent use.
type Provider struct {
	cfg    Config
	kind   kind
	now    func() time.Time
	log    *slog.Logger
	client *http.Client
	within time.Duration

	meta   atomic.Pointer[metadata] // nil: never discovered, or no longer believed
	flight singleflight.Group
	tried  atomic.Pointer[time.Time] // of the last discovery
	pulse  *pulse
}

// kind is what differs between kinds of provider.
type kind interface {
	// ask returns the parameters of the authorization request that ask for
	// strength and freshness.
	ask(d Departure) []oauth2.AuthCodeOption
	// strength reads how the patient logged in from the ID token. asked is what
	// the request asked for.
	strength(idToken claims, asked []identity.Trust) (identity.Trust, *Refusal)
	// level reads the highest proofing that the patient holds there, at least
	// that of the strength reached.
	level(idToken, userinfo claims, reached identity.Trust) (identity.Proofing, *Refusal)
}

// New returns the provider, or every fault of its configuration at once. It
// reaches no network: a provider that is down at the start stops nobody.
func New(cfg Config, o Options) (*Provider, error) {
	if len(cfg.Algs) == 0 {
		cfg.Algs = []token.Alg{defaultAlg(cfg.Kind)}
	}
	if err := errors.Join(cfg.check()...); err != nil {
		return nil, fmt.Errorf("provider %s: %w", cfg.ID, err)
	}
	if o.Now == nil {
		return nil, fmt.Errorf("provider %s: wanted a clock, got none", cfg.ID)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Provider{
		cfg: cfg, now: o.Now, log: o.Log, client: outside.NewClient(maxDocument, cfg.LoopbackHTTP), within: answerWithin,
		pulse: &pulse{since: o.Now()},
	}
	switch cfg.Kind {
	case NHSLogin:
		p.kind = nhsLogin{}
	default:
		p.kind = openID{worth: cfg.TrustMap}
	}
	return p, nil
}

func defaultAlg(kind string) token.Alg {
	if kind == NHSLogin {
		return token.RS512
	}
	return token.RS256
}

// signers are the algorithms that only a private key can sign by. A symmetric one
// would make every holder of the client secret a signer, and "none" everybody.
var signers = []token.Alg{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}

// check returns what is wrong with the configuration.
func (c Config) check() []error {
	var faults []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	want(c.ID != "" && c.ClientID != "" && c.RedirectURI != "", "wanted an id, a client id and a redirect URI, got an empty one")
	want(c.Kind == NHSLogin || c.Kind == OIDC, "kind: wanted %s or %s, got %.40q", NHSLogin, OIDC, c.Kind)
	if err := outside.CheckEndpoint(c.Issuer, c.LoopbackHTTP); err != nil {
		faults = append(faults, fmt.Errorf("issuer: %w", err))
	}
	want(!strings.ContainsAny(c.Issuer, "?#"), "issuer: wanted no query or fragment")
	want((c.Key == nil) != (c.Secret == ""), "wanted either a client key or a client secret")
	want(slices.Contains(c.Scopes, "openid"), "scopes: wanted openid among them")
	want(slices.Contains([]PKCE{"", PKCEAuto, PKCEAlways, PKCENever}, c.PKCE), "pkce: wanted auto, always or never, got %.40q", c.PKCE)
	for _, alg := range c.Algs {
		want(slices.Contains(signers, alg), "algs: wanted some of %v, got %.40q", signers, alg)
	}
	if c.Kind == NHSLogin {
		want(c.Key != nil, "wanted a client key: NHS login knows no client secrets")
		want(len(c.Trust) > 0, "trust: wanted at least one vector")
		want(len(c.TrustMap) == 0, "trust map: wanted none: NHS login answers with vectors")
	} else {
		want(len(c.Trust) == 0, "trust: wanted none: only NHS login is asked by vectors")
	}
	return faults
}

// ID is the provider's id in the configuration.
func (p *Provider) ID() string { return p.cfg.ID }

// Close lets go of the connections that are kept open.
func (p *Provider) Close() { p.client.CloseIdleConnections() }

// AuthorizationOrigin is the origin that a form which leads here is redirected
// to, for the Content-Security-Policy of its page; false while it is not known.
func (p *Provider) AuthorizationOrigin() (string, bool) {
	m := p.meta.Load()
	if m == nil {
		return "", false
	}
	u, err := url.Parse(m.authorization)
	if err != nil {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

// HasSettings reports whether patients can be led to their settings there.
func (p *Provider) HasSettings() bool { return p.cfg.Kind == NHSLogin && p.cfg.SettingsURL != "" }

// SettingsLink returns the address of the patient's settings at NHS login with an
// assertion of ours, good for a minute and once, so that nothing is asked again.
// tokenID is the jti of the ID token that opened or last raised the session; with
// none, the patient logs in there. It is [identity.ErrNotFound] where there are no
// settings. The address is for a redirect, never for a log.
func (p *Provider) SettingsLink(tokenID string) (string, error) {
	if !p.HasSettings() {
		return "", fmt.Errorf("settings of provider %s: %w", p.cfg.ID, identity.ErrNotFound)
	}
	if tokenID == "" {
		return p.cfg.SettingsURL, nil
	}
	assertion, err := token.AssertedLoginIdentity(*p.cfg.Key, p.cfg.ClientID, tokenID, p.now())
	if err != nil {
		return "", err
	}
	u, err := url.Parse(p.cfg.SettingsURL)
	if err != nil {
		return "", fmt.Errorf("settings of provider %s: wanted a URL", p.cfg.ID)
	}
	query := u.Query()
	query.Set("asserted_login_identity", assertion)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// ready returns what discovery said, or a refusal while the provider is down. One
// that nobody looked at in the last seconds is looked at again, once for all who
// wait: it comes back by itself. Where it is known to be down, a patient waits for
// that no longer than a connection takes.
func (p *Provider) ready(ctx context.Context) (*metadata, *Refusal) {
	if m := p.meta.Load(); m != nil && !p.pulse.open() {
		return m, nil
	}
	if p.pulse.open() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, connectWithin)
		defer cancel()
	}
	p.refresh(ctx)
	if m := p.meta.Load(); m != nil && !p.pulse.open() {
		return m, nil
	}
	return nil, down(causeDown, errors.New(p.pulse.health().Fault))
}
