package register_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/register"
	"github.com/dilys-id/dilys/rp/register/pdsstandin"
)

// start is the instant at which every test begins.
var start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

const apiKey = "an-api-key-of-tests"

// The patients. All are made up.
var (
	sian       = entry("9000000009", "Prawf", "Siân", "1980-02-29", "CF10 1AA")
	hidden     = entry("9000000025", "Cudd", "Heledd", "1990-05-06", "LL57 2DG")
	bare       = identity.Entry{NHSNumber: number("9000000033")}
	gone       = entry("9434765919", "Ymadael", "Gwen", "1931-01-01", "SA1 1AA")
	away       = entry("9661034524", "Albanwr", "Iain", "1975-07-08", "LS1 6AE")
	nobodys    = entry("9912003071", "Annilys", "Neb", "1975-07-08", "LS1 6AE")
	stranger   = number("9111231130")
	superseded = number("9990000026")
)

func number(text string) identity.NHSNumber { return must(identity.ParseNHSNumber(text)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func entry(nhs, family, given, born, postcode string) identity.Entry {
	return identity.Entry{
		NHSNumber: number(nhs), FamilyName: must(identity.ParseName(family)), GivenName: must(identity.ParseName(given)),
		BirthDate: must(identity.ParseBirthDate(born)), Postcode: must(identity.ParsePostcode(postcode)),
		Mobile: must(identity.ParsePhone("07700900" + nhs[7:])), Landline: must(identity.ParsePhone("01632960" + nhs[7:])),
		Email: must(identity.ParseEmail("mair" + nhs[7:] + "@example.com")), Practice: "W95010",
	}
}

// everyone is who stands in the register, as it tells them.
func everyone() []identity.Entry {
	former := sian
	former.FormerFamilyName = must(identity.ParseName("Hen"))
	h, g, a, n := hidden, gone, away, nobodys
	h.Protected, g.Standing, a.Standing, n.Standing = true, identity.Died, identity.Moved, identity.Invalidated
	return []identity.Entry{former, h, bare, g, a, n}
}

// details are what a patient types who is on the entry.
func details(e identity.Entry) identity.Details {
	return identity.Details{NHSNumber: e.NHSNumber, GivenName: e.GivenName, FamilyName: e.FamilyName, BirthDate: e.BirthDate}
}

// rig is a register and the stand-in that it speaks to.
type rig struct {
	*testing.T
	*register.PDS
	pds    *pdsstandin.Standin
	server *httptest.Server
	log    safeBuffer
	opt    register.Options

	mu    sync.Mutex
	at    time.Time
	slept time.Duration
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (r *rig) now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.at }

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

// sleep lets the time of the test pass, not that of the machine.
func (r *rig) sleep(ctx context.Context, d time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.slept = r.at.Add(d), r.slept+d
	return ctx.Err()
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) }) // slow to make

func signingKey() *token.AssertionKey {
	der := must(x509.MarshalPKCS8PrivateKey(rsaKey()))
	key := must(token.ParseSigningKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))).WithKeyID("test-1")
	return &key
}

// newRig starts a stand-in and a register that asks it. wrap may stand around the
// stand-in.
func newRig(t *testing.T, wrap ...func(http.Handler) http.Handler) *rig {
	t.Helper()
	r := &rig{T: t, at: start}
	r.pds = must(pdsstandin.New(pdsstandin.Options{
		Now: r.now, APIKey: apiKey, KeyID: "test-1", Key: &rsaKey().PublicKey, Patients: everyone(),
	}))
	var handler http.Handler = r.pds
	for _, w := range wrap {
		handler = w(handler)
	}
	r.server = httptest.NewServer(handler)
	t.Cleanup(r.server.Close)
	r.pds.SetURL(r.server.URL)
	r.pds.Supersede(superseded, sian.NHSNumber)
	r.opt = register.Options{
		ID: "pds", URL: r.pds.URL(), Key: signingKey(), APIKey: apiKey, Now: r.now, LoopbackHTTP: true,
		Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	r.PDS = must(register.New(r.opt))
	r.SetSleep(r.sleep)
	t.Cleanup(r.Close)
	return r
}

// asked returns how many requests came to an endpoint.
func (r *rig) asked(endpoint string) int {
	n := 0
	for _, c := range r.pds.Calls() {
		if c.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// wantSilence fails if an error, the log or the health tells anything of a patient.
func (r *rig) wantSilence(errs ...error) {
	r.Helper()
	text := r.log.String() + r.Health().Fault
	for _, err := range errs {
		if err != nil {
			text += err.Error()
		}
	}
	for _, e := range append(everyone(), identity.Entry{NHSNumber: stranger}, identity.Entry{NHSNumber: superseded}) {
		for _, secret := range []string{
			e.NHSNumber.Reveal(), e.FamilyName.Reveal(), e.GivenName.Reveal(), e.BirthDate.Reveal(), e.Postcode.Reveal(), e.Email.Reveal(), e.Mobile.Reveal(),
			apiKey, "/Patient", "address-postalcode", "<script>",
		} {
			if secret != "" && strings.Contains(text, secret) {
				r.Errorf("told %q in %s", secret, text)
			}
		}
	}
}

// verdict says in a word what an error is.
func verdict(err error) string {
	switch {
	case err == nil:
		return "found"
	case errors.Is(err, identity.ErrNotFound):
		return "not found"
	case errors.Is(err, identity.ErrUnavailable):
		return "unavailable"
	}
	return "another error"
}

func (r *rig) want(want string, err error) {
	r.Helper()
	if got := verdict(err); got != want {
		r.Errorf("wanted %s, got %s: %v", want, got, err)
	}
	r.wantSilence(err)
}
