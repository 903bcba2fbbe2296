package guard

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// Guard believes the access tokens of one issuer for one audience. It is safe for
// concurrent use.
type Guard struct {
	audience string
	verifier *token.Verifier
	now      func() time.Time
	raw      func(*http.Request) string
	login    string

	fetched *token.KeySet // nil: the keys were given
	renewed atomic.Int64  // when they were last asked for, in nanoseconds
}

// Option changes a guard.
type Option func(*settings)

type settings struct {
	keys  token.Keys
	now   func() time.Time
	raw   func(*http.Request) string
	login string
}

// TokenFrom takes the token from where the portal keeps it, for pages that a browser
// opens: from the portal's own session, say. Without it, it is a Bearer token in the
// Authorization header (RFC 6750 §2.1).
func TokenFrom(find func(*http.Request) string) Option {
	return func(s *settings) { s.raw = find }
}

// LoginAt is the portal's own path that begins a login. A browser that opens a page
// without enough is sent there, with acr_values and max_age, which the portal asks Dilys
// for, and return_to, the path to be back on. Without it, everybody gets 401.
func LoginAt(path string) Option { return func(s *settings) { s.login = path } }

// WithKeys takes those keys, as they are at the time that now tells, in the place of the
// issuer's, which are fetched otherwise.
func WithKeys(keys token.Keys, now func() time.Time) Option {
	return func(s *settings) { s.keys, s.now = keys, now }
}

// New returns a guard for the access tokens of that issuer, exactly as Dilys' public_url
// is written, and that audience, which is the portal's in Dilys' configuration. It
// fetches nothing yet.
func New(issuer, audience string, options ...Option) *Guard {
	s := settings{now: time.Now, raw: bearer}
	for _, o := range options {
		o(&s)
	}
	g := &Guard{audience: audience, now: s.now, raw: s.raw, login: s.login}
	if s.keys == nil {
		f := &fetcher{issuer: issuer, client: newClient()}
		g.fetched = token.NewKeySet(f.keys, s.now, token.ES256, token.RS256)
		s.keys = g.fetched
	}
	g.verifier = token.NewVerifier(issuer, s.keys, s.now)
	return g
}

// Vectors reads vectors of trust (RFC 8485), any of which is enough. It panics at one
// that is none, so that a slip is found when the portal starts.
func Vectors(vectors ...string) []identity.Trust {
	all := make([]identity.Trust, 0, len(vectors))
	for _, text := range vectors {
		v, err := identity.ParseTrust(text)
		if err != nil {
			panic(err)
		}
		all = append(all, v)
	}
	return all
}

// Ready fetches the keys, so that the first request need not wait, and says what is wrong
// with the issuer's address.
func (g *Guard) Ready(ctx context.Context) error {
	if g.fetched == nil {
		return nil
	}
	_, err := g.fetched.Prime(ctx)
	return err
}

// Verify reads an access token. A token that was verified before costs a look-up. What
// it returns is shared, and must not be changed. Errors wrap [token.ErrRefused], or
// [token.ErrNoKeys] when nothing can be judged.
func (g *Guard) Verify(ctx context.Context, raw string) (*token.AccessClaims, error) {
	g.renew()
	return g.verifier.Access(ctx, raw, g.audience)
}

// Keys are asked for anew beside the requests, long before they are too old to serve,
// and so that a key which Dilys withdrew stops within that time.
const (
	renewEvery  = 5 * time.Minute
	renewWithin = 10 * time.Second
)

func (g *Guard) renew() {
	if g.fetched == nil {
		return
	}
	now, last := g.now().UnixNano(), g.renewed.Load()
	if since := time.Duration(now - last); last != 0 && since >= 0 && since < renewEvery || !g.renewed.CompareAndSwap(last, now) {
		return
	}
	if last == 0 { // the first request fetches them itself
		return
	}
	go func() {
		ctx, stop := context.WithTimeout(context.Background(), renewWithin)
		defer stop()
		_ = g.Ready(ctx) // the keys held serve on
	}()
}

// principal is the key of what a handler reads by [From].
type principal struct{}

// From returns what the token of the request says, in a handler that the guard protects;
// elsewhere nil.
func From(ctx context.Context) *token.AccessClaims {
	c, _ := ctx.Value(principal{}).(*token.AccessClaims)
	return c
}

// Require lets requests through to next whose token reaches one of the vectors and, with
// a maxAge above zero, was proved so at most that long ago. Others are told what is
// missing (RFC 6750 §3, RFC 9470 §3).
func (g *Guard) Require(trust []identity.Trust, maxAge time.Duration, next http.Handler) http.Handler {
	need := newNeed(trust, maxAge)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw := g.raw(r)
		if raw == "" {
			g.refuse(w, r, need, missing)
			return
		}
		c, err := g.Verify(r.Context(), raw)
		switch {
		case errors.Is(err, token.ErrRefused):
			g.refuse(w, r, need, invalid)
		case err != nil:
			unavailable(w)
		case !need.met(c, g.now()):
			g.refuse(w, r, need, insufficient)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principal{}, c)))
		}
	})
}

// bearer returns the Bearer token of the one Authorization header; nothing for two.
func bearer(r *http.Request) string {
	headers := r.Header["Authorization"]
	if len(headers) != 1 {
		return ""
	}
	scheme, raw, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(raw, " ")
}
