// Package guardtest lets a portal test its protected handlers against real tokens, with
// no server and no network: it plays Dilys, with keys of its own that nobody else
// believes.
//
//	dilys := guardtest.New(t)
//	handler := portal(dilys.Guard("https://api.portal.example.nhs.uk"))
//	request.Header.Set("Authorization", "Bearer "+dilys.Token(guardtest.Patient{Trust: "P9.Cm"}))
package guardtest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/identity/token/guard"
)

// Issuer is what this Dilys calls itself.
const Issuer = "https://dilys.example"

// Dilys issues tokens for tests, at a time that stands still until it is moved.
type Dilys struct {
	t    testing.TB
	ring *token.Ring

	mu  sync.Mutex
	now time.Time
}

// New returns one that begins now.
func New(t testing.TB) *Dilys {
	t.Helper()
	d := &Dilys{t: t, now: time.Now().UTC().Truncate(time.Second)}
	ring, err := token.NewRing(&keys{}, d.Now, token.ES256)
	if err == nil {
		err = ring.Refresh(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	d.ring = ring
	return d
}

// Now is the time as this Dilys, and its guards, see it.
func (d *Dilys) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// Advance lets time pass.
func (d *Dilys) Advance(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

// Guard returns a guard that believes this Dilys' tokens.
func (d *Dilys) Guard(audience string, options ...guard.Option) *guard.Guard {
	return guard.New(Issuer, audience, append(options, guard.WithKeys(d.ring, d.Now))...)
}

// Withdraw takes the signing key back at once, as an operator does with one that leaked.
func (d *Dilys) Withdraw() {
	d.t.Helper()
	if err := d.ring.RotateNow(context.Background()); err != nil {
		d.t.Fatal(err)
	}
}

// JWKS is the key set that this Dilys publishes (RFC 7517 §5).
func (d *Dilys) JWKS() []byte { return d.ring.JWKS() }

// Patient is who a token is of. What is left empty is filled in.
type Patient struct {
	Subject  string        // default "patient"
	Trust    string        // the vector reached, default P9.Cp.Cd
	Proved   time.Duration // how long ago they proved themselves
	Audience string        // default "https://api.example"
	Issuer   string        // default [Issuer]
	ClientID string        // default "portal"
	Scope    string        // default "openid"
}

// Token returns an access token of that patient, as Dilys would issue it now.
func (d *Dilys) Token(p Patient) string {
	d.t.Helper()
	for field, value := range map[*string]string{
		&p.Subject: "patient", &p.Trust: "P9.Cp.Cd", &p.Audience: "https://api.example", &p.ClientID: "portal", &p.Scope: "openid", &p.Issuer: Issuer,
	} {
		if *field == "" {
			*field = value
		}
	}
	trust, err := identity.ParseTrust(p.Trust)
	if err != nil {
		d.t.Fatal(err)
	}
	const overall = 12 * time.Hour
	now := d.Now()
	raw, _, err := token.NewIssuer(p.Issuer, d.ring, d.Now).AccessToken(token.ES256, token.AccessClaims{
		Claims: token.Claims{
			Subject: p.Subject, SessionID: "session-of-" + p.Subject, Trust: trust, AuthTime: now.Add(-p.Proved), Proofing: trust.P,
			Ends: now.Add(overall),
		},
		Audience: p.Audience, ClientID: p.ClientID, Scope: p.Scope,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return raw
}

// keys is [token.KeyStore] in memory.
type keys struct {
	mu  sync.Mutex
	all []token.Key
}

func (k *keys) SigningKeys(context.Context) ([]token.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.all), nil
}

func (k *keys) AddSigningKey(_ context.Context, key token.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, key)
	return nil
}

func (k *keys) DropSigningKey(_ context.Context, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = slices.DeleteFunc(k.all, func(key token.Key) bool { return key.ID == id })
	return nil
}
