// Package portal owns what portals and gateways call: authorization, tokens,
// userinfo, the end of a session, discovery, and the check that a gateway makes of
// every request. It decides whether a session is enough for the one who asks.
//
// Browser faces take values and return a [Decision]; machine faces are
// func(w, r) error. The package never sets a cookie, shows a page, logs a patient
// in or decides how sure we are: it tells what is missing, and package rp does
// the rest.
package portal

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

// Portal is a service that trusts Dilys: an OpenID Connect client.
type Portal struct {
	ID                     string            // client_id
	Name                   map[string]string // by language, for patients
	RedirectURIs           []string          // compared exactly
	PostLogoutRedirectURIs []string          // compared exactly
	Secret                 identity.Secret   // client_secret_basic or _post; with neither it nor Keys a public client, which must use PKCE
	Keys                   *token.KeySet     // private_key_jwt; nil: none
	Pairwise               bool              // it knows patients by subjects of its own
	EventsURI              string            // where it takes security event tokens; empty: nowhere
	BackchannelLogoutURI   string            // where it takes logout tokens; empty: nowhere
	Scopes                 []string
	Trust                  []identity.Trust // the floor: one of these must be reached
	LowerUntil             time.Time        // when vectors below P9 stop being enough; zero: never
	MinimumAge             int              // in years; 0: not asked
	Provider               string           // id of the provider to go to straight away; empty: the patient chooses
	Audience               string           // aud of its access tokens; empty: ID
	Alg                    token.Alg        // of its tokens; empty: ES256
	PKCEOptional           bool             // the OpenID certification profile sends none; never for a public client
}

// public reports whether the portal can't keep a secret.
func (p *Portal) public() bool { return p.Secret == "" && p.Keys == nil }

// provedBy compares the secret, in time that does not depend on it.
func (p *Portal) provedBy(secret string) bool { return p.Secret.Equal(identity.Secret(secret)) }

// redirectsTo reports whether the address is registered for it.
func (p *Portal) redirectsTo(uri string) bool { return slices.Contains(p.RedirectURIs, uri) }

// pkceRequired reports whether a code_challenge must come.
func (p *Portal) pkceRequired() bool { return p.public() || !p.PKCEOptional }

// At returns the portal as it is at that instant: once its approval of a lower
// proof is over, the same credentials are asked for at P9.
func (p *Portal) At(now time.Time) *Portal {
	if p == nil || !lapsed(p.LowerUntil, now) {
		return p
	}
	strict := *p
	strict.Trust = atP9(p.Trust)
	return &strict
}

// lapsed reports whether an approval that lasts until then is over.
func lapsed(until, now time.Time) bool { return !until.IsZero() && !now.Before(until) }

// atP9 returns the vectors with their level raised to P9.
func atP9(vectors []identity.Trust) []identity.Trust {
	raised := slices.Clone(vectors)
	for i := range raised {
		raised[i].P = identity.P9
	}
	return raised
}

// door is what the portal admits, for a login that it waits for.
func (p *Portal) door() attempt.Door {
	return attempt.Door{MinimumAge: p.MinimumAge, Floor: lowest(p.Trust)}
}

// AdmitsUnknownAge reports whether a patient without a proved birth date passes, though
// an age is asked.
func (p *Portal) AdmitsUnknownAge() bool {
	return identity.OldEnough(identity.AgeUnknown, p.MinimumAge, lowest(p.Trust))
}

// Userinfo names the claims that its scopes allow at userinfo for a session of that
// level, whatever of them is known of a patient.
func (p *Portal) Userinfo(level identity.Proofing) []string {
	claims := []string{"sub"}
	for _, scope := range p.Scopes {
		if scope != "nhs_number" || level >= numberFrom {
			claims = append(claims, scopeClaims[scope]...)
		}
	}
	return claims
}

// lowest returns the lowest level of proofing among the vectors. It decides what
// an unknown age is worth, so an empty list, which nothing satisfies, is P9.
func lowest(vectors []identity.Trust) identity.Proofing {
	p := identity.P9
	for _, v := range vectors {
		p = min(p, v.P)
	}
	return p
}

// Options is what the portal side stands on.
type Options struct {
	Issuer    string // the public URL: scheme and host alone
	Portals   []Portal
	Providers []string         // ids, for idp_hint
	Reachable []identity.Trust // vectors that a login here can reach: acr_values_supported
	Languages []string         // the first is the default

	// Gateway is nil where the session alone decides a check; MinimumAge is then
	// the age that is asked, 0 for none.
	Gateway    *Gateway
	MinimumAge int

	// SubjectKey makes the subjects of portals that know patients by their own. It never
	// changes, or they would know nobody any more.
	SubjectKey identity.Secret

	Grants   grant.Store
	Sessions *session.Sessions
	Accounts *account.Accounts
	Ledger   *audit.Ledger
	Outbox   *outbox.Outbox // notices to portals
	Feed     *audit.Feed    // what happens to accounts
	Ring     *token.Ring
	Now      func() time.Time

	// Note, if set, is told which portal a machine's request was for, and by which
	// rule it was refused, for the request's one log line. Identifiers of ours only.
	Note func(ctx context.Context, portal, cause string)
}

// Portals is the portal side. It is safe for concurrent use.
type Portals struct {
	issuer    string
	portals   map[string]*Portal
	audiences map[string]bool // of all portals' access tokens
	providers []string
	reachable []identity.Trust
	languages []string

	gateway    map[string]*host // by host; nil where the session alone decides
	minimumAge int
	publicHost string
	showings   generations[showing, struct{}]
	hostTokens generations[hostToken, kept]

	subjectKey identity.Secret

	grants   grant.Store
	sessions *session.Sessions
	accounts *account.Accounts
	ledger   *audit.Ledger
	outbox   *outbox.Outbox
	feed     *audit.Feed
	ring     *token.Ring
	tokens   *token.Issuer
	verifier *token.Verifier
	now      func() time.Time
	note     func(ctx context.Context, portal, cause string)

	discovery []byte
}

// New returns the portal side, or an error for options that no request could be
// judged by.
func New(o Options) (*Portals, error) {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != o.Issuer {
		return nil, fmt.Errorf("issuer: wanted scheme and host alone, got %q", o.Issuer)
	}
	p := &Portals{
		issuer: o.Issuer, portals: map[string]*Portal{}, audiences: map[string]bool{}, providers: o.Providers,
		languages: o.Languages, subjectKey: o.SubjectKey, minimumAge: o.MinimumAge, publicHost: strings.ToLower(u.Host),
		grants: o.Grants, sessions: o.Sessions, accounts: o.Accounts, ledger: o.Ledger, outbox: o.Outbox, feed: o.Feed, ring: o.Ring,
		tokens: token.NewIssuer(o.Issuer, o.Ring, o.Now), verifier: token.NewVerifier(o.Issuer, o.Ring, o.Now),
		now: o.Now, note: o.Note,
	}
	p.showings.most, p.hostTokens.most = showingsAtMost, hostTokensAtMost
	if p.note == nil {
		p.note = func(context.Context, string, string) {}
	}
	for _, v := range o.Reachable {
		if !slices.Contains(p.reachable, v) {
			p.reachable = append(p.reachable, v)
		}
	}
	for _, one := range o.Portals {
		if err := p.add(one); err != nil {
			return nil, err
		}
	}
	if p.gateway, err = o.Gateway.compile(); err != nil {
		return nil, err
	}
	p.discovery, err = p.metadata()
	return p, err
}

func (p *Portals) add(one Portal) error {
	switch {
	case one.ID == "" || p.portals[one.ID] != nil:
		return fmt.Errorf("portal: wanted an id of its own, got %q", one.ID)
	case len(one.RedirectURIs) == 0:
		return fmt.Errorf("portal %s: wanted a redirect URI, got none", one.ID)
	case one.Pairwise && p.subjectKey == "":
		return fmt.Errorf("portal %s: wanted a key for pairwise subjects, got none", one.ID)
	case one.Secret != "" && one.Keys != nil:
		return fmt.Errorf("portal %s: wanted a secret or keys, got both", one.ID)
	case len(one.Trust) == 0:
		return fmt.Errorf("portal %s: wanted a vector of trust, got none", one.ID)
	}
	for _, s := range one.Scopes {
		if !slices.Contains(scopesSupported, s) {
			return fmt.Errorf("portal %s: scope: wanted one of %s, got %q", one.ID, strings.Join(scopesSupported, " "), s)
		}
	}
	if one.Audience == "" {
		one.Audience = one.ID
	}
	if one.Alg == "" {
		one.Alg = token.ES256
	}
	p.portals[one.ID], p.audiences[one.Audience] = &one, true
	return nil
}

// subject is under which subject the portal knows the patient of a session. A pairwise
// one (OpenID Connect Core §8.1) is the portal's own: two portals can't tell by it that
// they have the same patient. Both are as long, and neither tells the other.
func (p *Portals) subject(portal *Portal, s session.Session) string {
	return p.subjectOf(portal, s.SubjectFor(portal.ID))
}

// subjectOf is subject for what the portal's subject is made of.
func (p *Portals) subjectOf(portal *Portal, base string) string {
	if !portal.Pairwise {
		return base
	}
	mac := hmac.New(sha256.New, []byte(p.subjectKey.Reveal()))
	_, _ = mac.Write([]byte(portal.ID + "\x00" + base)) // never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:pairwiseBytes])
}

const pairwiseBytes = 16

// NameOf returns how the portal is spoken of; one that is no longer configured has no
// name.
func (p *Portals) NameOf(id string) map[string]string {
	if one := p.portals[id]; one != nil {
		return one.Name
	}
	return nil
}

// portal returns the portal of that id as it is now, or nil.
func (p *Portals) portal(id string) *Portal { return p.portals[id].At(p.now()) }

// Waiting is what the login pages may know of the portal that waits for a login.
type Waiting struct {
	Portal   string // id
	Name     map[string]string
	Origin   string       // where the portal's answer will go, for form-action
	Door     attempt.Door // what the portal admits
	Provider string       // to go to straight away; empty: the patient chooses
	Bound    bool         // only one account may answer it
	Need
}

// Waiting returns the portal behind a waiting request. A request whose time is
// over is [identity.ErrExpired], together with what is known of it, so that
// "Start again" can name the portal; an unknown one, or one of a portal that is
// no longer configured, is [identity.ErrNotFound].
func (p *Portals) Waiting(ctx context.Context, requestID string) (Waiting, error) {
	r, portal, err := p.request(ctx, requestID)
	if portal == nil {
		return Waiting{}, err
	}
	return p.waiting(portal, r), err
}

func (p *Portals) waiting(portal *Portal, r grant.Request) Waiting {
	a := asking{Request: r, resumed: true}
	w := Waiting{
		Portal: portal.ID, Name: portal.Name, Origin: originOf(r.RedirectURI), Door: portal.door(), Bound: isBound(r.ID),
		Need: Need{
			// A provider without max_age can only be asked for everything again, and so
			// can one whose last answer named somebody else.
			Fresh:  r.Login || r.HasMaxAge || isBound(r.ID),
			Enough: func(t identity.Trust) bool { return a.reached(portal, t) },
			Met:    func(s identity.Assessment) bool { return a.reached(portal, s.Trust) && a.freshIn(s, p.now()) },
		},
	}
	if slices.Contains(p.providers, r.Provider) { // it may have left the configuration meanwhile
		w.Provider = r.Provider
	}
	return w
}

// request reads a waiting request and judges its age. Portal and redirect URI are
// looked up again: what the configuration no longer has is refused.
func (p *Portals) request(ctx context.Context, id string) (grant.Request, *Portal, error) {
	if id == "" || len(id) > maxRequestID {
		return grant.Request{}, nil, identity.ErrNotFound
	}
	r, err := p.grants.Request(ctx, id)
	if err != nil {
		return grant.Request{}, nil, fmt.Errorf("read the waiting request: %w", err)
	}
	portal := p.portal(r.Portal)
	if portal == nil || !portal.redirectsTo(r.RedirectURI) {
		return grant.Request{}, nil, fmt.Errorf("portal of the waiting request: %w", identity.ErrNotFound)
	}
	if age := p.now().Sub(r.Created); age > grant.RequestLife || age < -identity.Skew {
		return r, portal, identity.ErrExpired
	}
	return r, portal, nil
}

// originOf returns scheme and host of an address from the configuration.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
