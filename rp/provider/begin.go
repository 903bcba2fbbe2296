package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/dilys-id/dilys/identity"
)

// Departure is how a patient leaves for a provider.
type Departure struct {
	Fresh  bool // ask for everything again (prompt=login)
	Silent bool // ask for nothing (prompt=none)
	// Enough reports whether a login that reaches that vector would do. Of the
	// configured vectors only those are asked for; all of them where none would, or
	// where it is nil.
	Enough func(identity.Trust) bool
	// AssertedLoginIdentity is what the NHS App says of who is at the keyboard; it
	// is passed on to NHS login with prompt=none. What is no JWT, or meant for
	// another kind of provider, is left out, and the patient goes as usual.
	AssertedLoginIdentity identity.Secret

	asked []identity.Trust // what of the configured vectors is asked for
}

// Trip is where the patient goes, and what must be kept until they are back.
type Trip struct {
	// URL is where to send the browser. It holds the state and may hold an
	// asserted identity: it is for a redirect, never for a log.
	URL string
	// State comes back in the callback; what is kept is found by it.
	State identity.Secret
	// Challenge is what [Provider.Finish] needs. It is secret: kept sealed, bound
	// to the browser, used once.
	Challenge []byte
}

// challenge is what is remembered of a departure.
type challenge struct {
	Provider string           `json:"provider"`
	Issuer   string           `json:"issuer"`
	Nonce    string           `json:"nonce"`
	Verifier string           `json:"verifier,omitempty"`
	Asked    []identity.Trust `json:"asked,omitempty"`
	Asserted bool             `json:"asserted,omitempty"`
	// IssuerSent remembers that the answer must name its issuer, for a replica that
	// has not seen the discovery document.
	IssuerSent bool `json:"issuer_sent,omitempty"`
}

// maxAsserted is more than any asserted login identity, and less than any proxy's
// limit for an address.
const maxAsserted = 4096

// Begin returns where to send a patient. State, nonce and PKCE verifier are new
// each time. While the provider is down it returns a [*Refusal] of kind [Down] at
// once.
func (p *Provider) Begin(ctx context.Context, d Departure) (Trip, error) {
	if d.Fresh && d.Silent {
		return Trip{}, errors.New("departure: wanted fresh or silent, got both")
	}
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	m, refused := p.ready(ctx)
	if refused != nil {
		return Trip{}, refused
	}
	if p.cfg.Kind != NHSLogin || !looksLikeJWT(d.AssertedLoginIdentity) {
		d.AssertedLoginIdentity = ""
	}
	return p.depart(m, d)
}

func (p *Provider) depart(m *metadata, d Departure) (Trip, error) {
	state, nonce := identity.NewToken(), identity.NewToken()
	d.asked = d.worthAsking(p.cfg.Trust)
	c := challenge{
		Provider: p.cfg.ID, Issuer: p.cfg.Issuer, Nonce: nonce.Reveal(), Asked: d.asked,
		Asserted: d.AssertedLoginIdentity != "", IssuerSent: m.issuerSent,
	}
	ask := append(p.kind.ask(d), oidc.Nonce(c.Nonce))
	if prompt := d.prompt(); prompt != "" {
		ask = append(ask, oauth2.SetAuthURLParam("prompt", prompt))
	}
	if p.cfg.PKCE == PKCEAlways || p.cfg.PKCE != PKCENever && m.pkce {
		c.Verifier = oauth2.GenerateVerifier()
		ask = append(ask, oauth2.S256ChallengeOption(c.Verifier))
	}
	kept, err := json.Marshal(c)
	if err != nil {
		return Trip{}, fmt.Errorf("challenge: %w", err)
	}
	return Trip{URL: p.oauth(m).AuthCodeURL(state.Reveal(), ask...), State: state, Challenge: kept}, nil
}

// worthAsking returns those of the vectors that would do.
func (d Departure) worthAsking(all []identity.Trust) []identity.Trust {
	if d.Enough == nil {
		return all
	}
	enough := slices.DeleteFunc(slices.Clone(all), func(t identity.Trust) bool { return !d.Enough(t) })
	if len(enough) == 0 {
		return all
	}
	return enough
}

func (d Departure) prompt() string {
	switch {
	case d.AssertedLoginIdentity != "", d.Silent:
		return "none"
	case d.Fresh:
		return "login"
	}
	return ""
}

// looksLikeJWT reports whether it has the shape of one; whether it is good, NHS
// login judges.
func looksLikeJWT(s identity.Secret) bool {
	const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	v := s.Reveal()
	return len(v) <= maxAsserted && strings.Count(v, ".") == 2 && strings.Trim(v, base64url) == ""
}

// readChallenge reads what Begin returned. One of another provider or issuer was
// begun under another configuration.
func (p *Provider) readChallenge(kept []byte) (challenge, *Refusal) {
	var c challenge
	if json.Unmarshal(kept, &c) != nil || c.Nonce == "" || c.Provider != p.cfg.ID || c.Issuer != p.cfg.Issuer {
		return challenge{}, refuse(Other, causeChallenge)
	}
	return c, nil
}
