// Package grant owns what portals asked for and what they were given:
// authorization requests that were pushed or wait for a login, authorization codes
// with what became of them, and the refresh tokens that follow one another.
//
// It never signs a token (package token) and never judges whether a session is
// enough (rp/portal).
package grant

import (
	"context"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// How long things live (OAuth 2.0 §4.1.2, security anchors: 60 s).
const (
	RequestLife = 4 * time.Hour    // twice what a login may take: one that came too late can start again
	CodeLife    = 60 * time.Second // from the redirect to the token endpoint
	PushedLife  = 60 * time.Second // from the push to the patient's browser (RFC 9126 §2.2)

	// RefreshGrace is how long a refresh token that was used gives its successor once
	// more, if nobody has used that: for a portal whose answer was lost on the way, or
	// that asked twice at once.
	RefreshGrace = 10 * time.Second
)

// Pushed is an authorization request that its portal brought itself (RFC 9126), as
// it came: it is judged anew when the patient comes with it.
type Pushed struct {
	Request string // id that the request has when it waits, and the grant that comes of it
	Portal  string
	Params  string // form-encoded, without what proved the portal
	Created time.Time
}

// Refresh is what stands behind a refresh token.
type Refresh struct {
	Grant   string
	Portal  string
	Scopes  []string // all that the grant has
	Session string   // handle
	Account string
	Trust   string // the vector that was told with it
	Revoked bool   // the grant was ended
}

// Request is an authorization request (OpenID Connect Core §3.1.2.1) that waits
// for the patient. It is kept as checked: client, redirect URI and scopes are
// known to be that portal's.
type Request struct {
	ID            string
	Portal        string
	RedirectURI   string
	Scopes        []string
	State         string // the portal's own; given back, never looked into
	Nonce         string
	CodeChallenge string // S256, or nothing where PKCE is optional and was not used
	Asked         []identity.Trust
	Login         bool          // prompt=login: a proof since Created is needed
	MaxAge        time.Duration // valid with HasMaxAge
	HasMaxAge     bool
	Provider      string // idp_hint, or the portal's own provider
	Languages     []string
	Created       time.Time
}

// Code is what stands behind an authorization code.
type Code struct {
	Grant         string // id of all that comes of this code; tokens carry it in their jti
	Portal        string
	RedirectURI   string
	Scopes        []string
	Nonce         string
	CodeChallenge string
	Session       string // handle
	Account       string
	Created       time.Time
}

// Joined is a session that a portal was told of, and is to be told the end of.
type Joined struct {
	ID      string // of the notice, too
	Portal  string
	Session string // handle
	Account string
}

// Parting is how a portal stands that was told of a session which is over.
type Parting struct {
	Portal string
	Parted bool // its notice was written, or it takes none
	Told   bool // it said that it ended its own session
	Failed bool // it was tried in vain, for the last time
}

// GateLife is how long a code of the gateway may take from our host to another.
const GateLife = 60 * time.Second

// Gate is the way of a session to one host behind the gateway that is not ours.
type Gate struct {
	Host    string
	Start   identity.Digest // of what that host's own cookie holds
	Session string          // handle
	Created time.Time
}

// Store remembers requests and codes. Methods join the transaction that ctx
// carries, but for Spend.
type Store interface {
	// CreateRequest adds a waiting request.
	CreateRequest(ctx context.Context, r Request) error
	// Request returns it, whatever its age, or [identity.ErrNotFound].
	Request(ctx context.Context, id string) (Request, error)
	// CreateCode adds a code under its digest.
	CreateCode(ctx context.Context, code identity.Digest, c Code) error
	// Spend takes the code, once: the first caller gets it, every later one gets
	// it with [identity.ErrSpent], having revoked its grant in the same act. It
	// commits alone, before anything the code guards is looked at. An unknown
	// code is [identity.ErrNotFound]. Its age is the caller's to judge.
	Spend(ctx context.Context, code identity.Digest, at time.Time) (Code, error)
	// Revoke ends the grant: no token of it is good from now on.
	Revoke(ctx context.Context, grant string, at time.Time) error
	// Revoked reports whether the grant was ended. An unknown grant is
	// [identity.ErrNotFound].
	Revoked(ctx context.Context, grant string) (bool, error)
	// Push adds a pushed request under the digest of its request_uri.
	Push(ctx context.Context, uri identity.Digest, p Pushed) error
	// Pushed returns it, whatever its age, or [identity.ErrNotFound].
	Pushed(ctx context.Context, uri identity.Digest) (Pushed, error)
	// CreateRefresh adds the first refresh token of a grant, of the vector that was told
	// with it.
	CreateRefresh(ctx context.Context, token identity.Digest, grant, trust string, at time.Time) error
	// Refresh returns what stands behind a refresh token, used or not, or
	// [identity.ErrNotFound].
	Refresh(ctx context.Context, token identity.Digest) (Refresh, error)
	// Rotate uses the token and puts next in its place, which it returns. Whoever uses
	// it again within [RefreshGrace], while its successor is unused, gets that same
	// successor; anyone else gets [identity.ErrSpent]. An unknown token is
	// [identity.ErrNotFound].
	Rotate(ctx context.Context, token identity.Digest, next identity.Secret, trust string, at time.Time) (identity.Secret, error)
	// SpendID remembers an id that may be used once until that time; the second use is
	// [identity.ErrSpent]. It commits alone.
	SpendID(ctx context.Context, id identity.Digest, until time.Time) error
	// Join remembers that the portal was told of the session, to be looked at again at due.
	// Of a portal that was told before nothing changes.
	Join(ctx context.Context, j Joined, due time.Time) error
	// Due returns what is to be looked at at that time, at most limit.
	Due(ctx context.Context, at time.Time, limit int) ([]Joined, error)
	// Rejoin puts off when it is looked at: the session lives.
	Rejoin(ctx context.Context, id string, due time.Time) error
	// Part remembers that the session is over, and that nothing more is to be looked at.
	Part(ctx context.Context, id string, at time.Time) error
	// Partings returns how all portals stand that were told of the session.
	Partings(ctx context.Context, session string) ([]Parting, error)
	// OpenGate adds a gate under the digest of its code.
	OpenGate(ctx context.Context, code identity.Digest, g Gate) error
	// EnterGate spends the code of that host and start, and gives the gate an id, by
	// which its session is found from then on ([session.Store.ByGate]). It commits alone.
	// A code of another host or start, or one that was spent, is [identity.ErrNotFound],
	// and stays as it is.
	EnterGate(ctx context.Context, code identity.Digest, host string, start, id identity.Digest) (Gate, error)
	// Sweep forgets requests, codes, and what came of them, created before that time,
	// and ids whose time was over before it.
	Sweep(ctx context.Context, before time.Time) error
}
