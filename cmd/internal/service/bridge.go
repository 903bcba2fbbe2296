package service

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/outside"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/portal"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/store"
)

// What stands here puts the configuration into the words of each room. No room
// knows the file.

func (c *Config) storeOptions(keys *store.Keys, now func() time.Time) store.Options {
	return store.Options{URL: c.Database, Password: c.DatabasePassword, Keys: keys, Now: now}
}

func (c *Config) limits() session.Limits {
	return session.Limits{Idle: c.Sessions.Idle, Absolute: c.Sessions.Absolute}
}

// ownDoor is what a login must pass that no portal waits for: as much as the
// youngest that any service admits.
func (c *Config) ownDoor() attempt.Door {
	d := attempt.Door{MinimumAge: defaultMinimumAge, Floor: identity.P0}
	for _, p := range c.Portals {
		d.MinimumAge = min(d.MinimumAge, p.MinimumAge)
	}
	if c.Gateway != nil {
		for _, h := range c.Gateway.Hosts {
			d.MinimumAge = min(d.MinimumAge, h.MinimumAge)
		}
	}
	return d
}

// securityContact is where security.txt sends a finder.
func (c *Config) securityContact() string {
	if c.Organisation.Help.Email != "" {
		return "mailto:" + c.Organisation.Help.Email
	}
	return c.PublicURL + "/help"
}

// notice is the banner at that instant, if there is one.
func (c *Config) notice(now time.Time) page.Words {
	if !c.Notice.Until.IsZero() && !now.Before(c.Notice.Until) {
		return nil
	}
	return page.Words(c.Notice.Text)
}

func (c *Config) pages() (*page.Pages, error) {
	public, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, err
	}
	o := page.Options{
		Languages: c.Languages, ServiceHost: public.Host, ButtonLogos: map[string][]byte{},
		Organisation: page.Organisation{
			Name: page.Words(c.Organisation.Name), Logo: c.Organisation.Logo,
			Help: page.Help{
				Phone: c.Organisation.Help.Phone, Email: c.Organisation.Help.Email, Hours: page.Words(c.Organisation.Help.Hours),
			},
			Accessibility: page.Accessibility{
				Contact: c.Organisation.Accessibility.Contact, TestedOn: c.Organisation.Accessibility.TestedOn,
				Method: page.Words(c.Organisation.Accessibility.Method),
			},
		},
	}
	for _, p := range c.Providers {
		o.Providers = append(o.Providers, p.words())
		if p.ButtonLogo != nil {
			o.ButtonLogos[p.ID] = p.ButtonLogo
		}
	}
	return page.New(o)
}

func (p Provider) words() page.Provider {
	return page.Provider{ID: p.ID, Name: page.Words(p.Name), Kind: p.Kind}
}

// reachable are the vectors that a login there can give.
func (p Provider) reachable() []identity.Trust {
	if p.Kind == kindNHSLogin {
		return p.Trust
	}
	all := make([]identity.Trust, 0, len(p.TrustMap))
	for _, t := range p.TrustMap {
		all = append(all, t)
	}
	if len(all) == 0 {
		all = append(all, identity.Trust{P: identity.P0, C: identity.Cp})
	}
	return all
}

// rules are what each provider allows of those whom it proved.
func (c *Config) rules() map[string]attempt.ProviderRules {
	all := map[string]attempt.ProviderRules{}
	for _, p := range c.Providers {
		all[p.ID] = attempt.ProviderRules{Passkeys: p.Passkeys, Reprove: p.Reprove, TrustLasts: p.TrustLasts}
	}
	return all
}

// passkeyVectors are what passkeys may reach: those of patients who signed up here, and
// of providers that allow them.
func (c *Config) passkeyVectors() []identity.Trust {
	var all []identity.Trust
	add := func(p identity.Proofing) { all = append(all, identity.Trust{P: p, C: identity.Cm}) }
	if c.SignUp.Enabled {
		for _, p := range []identity.Proofing{identity.P9, identity.P5, identity.P0} {
			add(p)
		}
		return all
	}
	for _, p := range c.Providers {
		for _, t := range p.reachable() {
			if p.Passkeys {
				add(t.P)
			}
		}
	}
	return all
}

func (c *Config) provider(p Provider) provider.Config {
	return provider.Config{
		ID: p.ID, Kind: p.Kind, Issuer: p.Issuer, ClientID: p.ClientID, Key: p.ClientKey, Secret: p.ClientSecret,
		Trust: p.Trust, TrustMap: p.TrustMap, Scopes: p.Scopes, PKCE: provider.PKCE(p.PKCE), Algs: p.IDTokenAlgs,
		RedirectURI: c.PublicURL + "/login/" + p.ID + "/callback", SettingsURL: p.SettingsURL, LoopbackHTTP: c.InsecureLoopback,
	}
}

// NewProvider builds the one provider of that id.
func NewProvider(c *Config, id string, now func() time.Time) (*provider.Provider, error) {
	for _, p := range c.Providers {
		if p.ID == id {
			return provider.New(c.provider(p), provider.Options{Now: now})
		}
	}
	return nil, fmt.Errorf("providers: wanted the id of a configured one, got %.40q", id)
}

func (p Portal) portal() portal.Portal {
	return portal.Portal{
		ID: p.ID, Name: p.Name, RedirectURIs: p.RedirectURIs, PostLogoutRedirectURIs: p.PostLogoutRedirectURIs,
		Secret: p.ClientSecret, Scopes: p.Scopes, Trust: p.Trust, MinimumAge: p.MinimumAge, Provider: p.Provider,
		Audience: p.Audience, Alg: p.IDTokenAlg, PKCEOptional: p.PKCEOptional, LowerUntil: p.LowerProof.until(), Pairwise: p.Pairwise, BackchannelLogoutURI: p.BackchannelLogoutURI, EventsURI: p.EventsURI,
	}
}

// noticed are the ids of the portals that take notices.
func (c *Config) noticed() (ids []string) {
	for _, p := range c.Portals {
		if p.BackchannelLogoutURI != "" || p.EventsURI != "" {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// keys are those by which the portal proves itself, or nil.
func (p Portal) keys(client *http.Client, now func() time.Time) *token.KeySet {
	switch {
	case p.ClientJWKS != nil:
		return fixedKeys(p.ClientJWKS, now)
	case p.ClientJWKSURI != "":
		return token.NewKeySet(func(ctx context.Context) ([]byte, error) { return outside.Get(ctx, client, p.ClientJWKSURI) }, now, token.ClientAlgs...)
	}
	return nil
}

// fixedKeys are the keys of a document that stays as it is.
func fixedKeys(document []byte, now func() time.Time) *token.KeySet {
	return token.NewKeySet(func(context.Context) ([]byte, error) { return document, nil }, now, token.ClientAlgs...)
}

// until is when the approval is over; zero where none was needed.
func (l *LowerProof) until() time.Time {
	if l == nil {
		return time.Time{}
	}
	return l.Until
}

func (c *Config) gateway() *portal.Gateway {
	if c.Gateway == nil {
		return nil
	}
	g := new(portal.Gateway)
	for _, h := range c.Gateway.Hosts {
		host := portal.Host{Host: h.Host, MinimumAge: h.MinimumAge, Token: h.Token}
		for _, r := range h.Rules {
			host.Rules = append(host.Rules, portal.Rule{
				Path: r.Path, Methods: r.Methods, Public: r.Public, Trust: r.Trust, MaxAge: r.MaxAge, HasMaxAge: r.MaxAge > 0,
				NoActivity: r.NoActivity, LowerUntil: r.LowerProof.until(),
			})
		}
		g.Hosts = append(g.Hosts, host)
	}
	return g
}

// Migrate brings the configured database to this version.
func Migrate(ctx context.Context, c *Config, now func() time.Time) (store.Migration, error) {
	return store.Migrate(ctx, c.storeOptions(nil, now))
}

// tokenAlgs are the algorithms that some portal's tokens are signed by. An RSA key
// is slow to make, so there is one only where it is wanted.
func (c *Config) tokenAlgs() []token.Alg {
	algs := []token.Alg{token.ES256}
	for _, p := range c.Portals {
		if p.IDTokenAlg == token.RS256 {
			return append(algs, token.RS256)
		}
	}
	return algs
}
