package benchmark

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// tokens measures identity/token beside the signature that nobody can leave out:
// ES256 over as many bytes as a token signs, a new digest each time.
func (w *world) tokens(ctx context.Context) ([]row, error) {
	ring, err := newRing(ctx)
	if err != nil {
		return nil, err
	}
	const self, portal = "https://login.example.org", "https://portal.example.org"
	issuer, verifier := token.NewIssuer(self, ring, time.Now), token.NewVerifier(self, ring, time.Now)
	claims := accessClaims(portal, time.Now())
	raw, _, err := issuer.AccessToken(token.ES256, claims)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	digest := func() []byte { d := sha256.Sum256([]byte(raw)); return d[:] }
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest())
	if err != nil {
		return nil, err
	}
	seen, err := race(
		func() error { _, err := verifier.Access(ctx, raw, portal); return err },
		func() error { return nil },
	)
	if err != nil {
		return nil, fmt.Errorf("verify again: %w", err)
	}
	verify, err := race(
		func() error { // a verifier that has seen nothing yet
			_, err := token.NewVerifier(self, ring, time.Now).Access(ctx, raw, portal)
			return err
		},
		func() error {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest(), signature) {
				return errors.New("ES256: wanted its own signature to verify")
			}
			return nil
		},
	)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	issue, err := race(
		func() error { _, _, err := issuer.AccessToken(token.ES256, claims); return err },
		func() error { _, err := ecdsa.SignASN1(rand.Reader, key, digest()); return err },
	)
	if err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	var again []float64
	for _, pair := range seen {
		again = append(again, pair[0])
	}
	return []row{
		alone("verify a token seen before", "µs", median(again), 1),
		besides("verify a token, beside raw ES256", "µs", verify, 1.3),
		besides("issue a token, beside raw ES256", "µs", issue, 1.2),
	}, nil
}

// race runs both by turns, in rounds so short that what slows the machine down
// slows both, and returns the processor time of each in microseconds: who else is
// at work does not count.
func race(ours, bare func() error) ([][2]float64, error) {
	pairs := make([][2]float64, tokenRounds)
	for i := range pairs {
		for j, do := range [...]func() error{ours, bare} {
			before, err := ownTime()
			if err != nil {
				return nil, err
			}
			for range tokenTimes {
				if err := do(); err != nil {
					return nil, err
				}
			}
			after, err := ownTime()
			if err != nil {
				return nil, err
			}
			pairs[i][j] = float64((after - before).Nanoseconds()) / 1000 / tokenTimes
		}
	}
	return pairs, nil
}

// ownTime is the processor time that this process used so far, all threads
// together, so that collecting garbage counts.
func ownTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// accessClaims are as many as a real token carries.
func accessClaims(audience string, now time.Time) token.AccessClaims {
	return token.AccessClaims{
		Claims: token.Claims{
			Subject: identity.NewID(), SessionID: identity.NewID(), Trust: identity.Trust{P: identity.P9, C: identity.Cp | identity.Cd},
			Methods: []string{"pwd", "sms", "mfa"}, AuthTime: now.Add(-time.Minute), Proofing: identity.P9, Provider: "nhs-login",
			Ends: now.Add(12 * time.Hour), IdleEnds: now.Add(30 * time.Minute),
		},
		Audience: audience, ClientID: "my-health", Scope: "openid profile",
	}
}

// drawer keeps signing keys as long as the program runs.
type drawer []token.Key

// SigningKeys is of [token.KeyStore].
func (d *drawer) SigningKeys(context.Context) ([]token.Key, error) { return *d, nil }

// AddSigningKey is of [token.KeyStore].
func (d *drawer) AddSigningKey(_ context.Context, k token.Key) error {
	*d = append(*d, k)
	return nil
}

// DropSigningKey is of [token.KeyStore]. Nothing is over while the program runs.
func (*drawer) DropSigningKey(context.Context, string) error { return nil }

func newRing(ctx context.Context) (*token.Ring, error) {
	ring, err := token.NewRing(new(drawer), time.Now, token.ES256)
	if err != nil {
		return nil, err
	}
	return ring, ring.Refresh(ctx)
}
