package portal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

// memory keeps what the portal side stands on, as the stores' comments ask: one
// act at a time, rolled back when it fails. down makes every call fail.
type memory struct {
	act  sync.Mutex // held by a transaction
	mu   sync.Mutex
	down atomic.Bool

	requests  map[string]grant.Request
	pushed    map[identity.Digest]grant.Pushed
	refreshes map[identity.Digest]refresh
	spentIDs  map[identity.Digest]bool
	joined    map[string]joined
	messages  []outbox.Message
	gates     map[identity.Digest]gate // by code
	codes     map[identity.Digest]spendable
	revoked   map[string]bool
	sessions  map[identity.Digest]session.Session
	accounts  map[string]account.Account
	events    []audit.Event
	keys      []token.Key
}

type spendable struct {
	grant.Code
	spent bool
}

// gate is a way to a host; id is zero until it is entered.
type gate struct {
	grant.Gate
	id identity.Digest
}

// joined is a session that a portal knows.
type joined struct {
	grant.Joined
	due    time.Time
	parted bool
}

// refresh is a refresh token; next is empty while it is unused.
type refresh struct {
	grant, trust string
	used         time.Time
	next         identity.Secret
}

var errDown = errors.New("the store is down")

func newMemory() *memory {
	return &memory{
		gates: map[identity.Digest]gate{}, joined: map[string]joined{}, pushed: map[identity.Digest]grant.Pushed{}, refreshes: map[identity.Digest]refresh{}, spentIDs: map[identity.Digest]bool{},
		requests: map[string]grant.Request{}, codes: map[identity.Digest]spendable{}, revoked: map[string]bool{},
		sessions: map[identity.Digest]session.Session{}, accounts: map[string]account.Account{},
	}
}

// do runs fn alone, unless the store is down.
func (m *memory) do(fn func() error) error {
	if m.down.Load() {
		return errDown
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn()
}

type inAct struct{}

func (m *memory) Within(ctx context.Context, fn func(context.Context) error) error {
	if ctx.Value(inAct{}) != nil {
		return fn(ctx)
	}
	m.act.Lock()
	defer m.act.Unlock()
	requests, codes, revoked, sessions, events, refreshes := maps.Clone(m.requests), maps.Clone(m.codes), maps.Clone(m.revoked), maps.Clone(m.sessions), m.events, maps.Clone(m.refreshes)
	err := fn(context.WithValue(ctx, inAct{}, true))
	if err != nil {
		m.requests, m.codes, m.revoked, m.sessions, m.events, m.refreshes = requests, codes, revoked, sessions, events, refreshes
	}
	return err
}

func (m *memory) Append(_ context.Context, e audit.Event) error {
	return m.do(func() error { m.events = append(m.events, e); return nil })
}

func (m *memory) Write(audit.Event) error { return errDown }

// kinds are the kinds of the events so far.
func (m *memory) kinds() (kinds []audit.Kind) {
	for _, e := range m.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

type grants struct{ *memory }

func (m grants) CreateRequest(_ context.Context, r grant.Request) error {
	return m.do(func() error { m.requests[r.ID] = r; return nil })
}

func (m grants) Request(_ context.Context, id string) (r grant.Request, err error) {
	err = m.do(func() error {
		var found bool
		if r, found = m.requests[id]; !found {
			return identity.ErrNotFound
		}
		return nil
	})
	return r, err
}

func (m grants) CreateCode(_ context.Context, code identity.Digest, c grant.Code) error {
	return m.do(func() error {
		m.codes[code], m.revoked[c.Grant] = spendable{Code: c}, false
		return nil
	})
}

func (m grants) Spend(_ context.Context, code identity.Digest, _ time.Time) (c grant.Code, err error) {
	m.act.Lock() // commits alone
	defer m.act.Unlock()
	err = m.do(func() error {
		s, found := m.codes[code]
		switch c = s.Code; {
		case !found:
			return identity.ErrNotFound
		case s.spent:
			m.revoked[c.Grant] = true
			return identity.ErrSpent
		}
		s.spent = true
		m.codes[code] = s
		return nil
	})
	return c, err
}

func (m grants) Revoke(_ context.Context, id string, _ time.Time) error {
	return m.do(func() error { m.revoked[id] = true; return nil })
}

func (m grants) Revoked(_ context.Context, id string) (revoked bool, err error) {
	err = m.do(func() error {
		var found bool
		if revoked, found = m.revoked[id]; !found {
			return identity.ErrNotFound
		}
		return nil
	})
	return revoked, err
}

func (m grants) Push(_ context.Context, uri identity.Digest, p grant.Pushed) error {
	return m.do(func() error { m.pushed[uri] = p; return nil })
}

func (m grants) Pushed(_ context.Context, uri identity.Digest) (p grant.Pushed, err error) {
	err = m.do(func() error {
		var found bool
		if p, found = m.pushed[uri]; !found {
			return identity.ErrNotFound
		}
		return nil
	})
	return p, err
}

func (m grants) CreateRefresh(_ context.Context, token identity.Digest, grantID, trust string, _ time.Time) error {
	return m.do(func() error { m.refreshes[token] = refresh{grant: grantID, trust: trust}; return nil })
}

func (m grants) Refresh(_ context.Context, token identity.Digest) (r grant.Refresh, err error) {
	err = m.do(func() error {
		kept, found := m.refreshes[token]
		if !found {
			return identity.ErrNotFound
		}
		for _, c := range m.codes {
			if c.Grant == kept.grant {
				r = grant.Refresh{Grant: c.Grant, Portal: c.Portal, Scopes: c.Scopes, Session: c.Session, Account: c.Account, Trust: kept.trust, Revoked: m.revoked[c.Grant]}
			}
		}
		return nil
	})
	return r, err
}

func (m grants) Rotate(_ context.Context, token identity.Digest, next identity.Secret, trust string, at time.Time) (given identity.Secret, err error) {
	err = m.do(func() error {
		kept := m.refreshes[token]
		switch {
		case kept.next == "":
			kept.used, kept.next = at, next
			m.refreshes[token], m.refreshes[next.Digest()] = kept, refresh{grant: kept.grant, trust: trust}
		case at.Sub(kept.used) > grant.RefreshGrace || m.refreshes[kept.next.Digest()].next != "":
			return identity.ErrSpent
		}
		given = kept.next
		return nil
	})
	return given, err
}

func (m grants) SpendID(_ context.Context, id identity.Digest, _ time.Time) error {
	return m.do(func() error {
		if m.spentIDs[id] {
			return identity.ErrSpent
		}
		m.spentIDs[id] = true
		return nil
	})
}

func (m grants) Join(_ context.Context, j grant.Joined, due time.Time) error {
	return m.do(func() error {
		for _, known := range m.joined {
			if known.Session == j.Session && known.Portal == j.Portal {
				return nil
			}
		}
		m.joined[j.ID] = joined{Joined: j, due: due}
		return nil
	})
}

func (m grants) Due(_ context.Context, at time.Time, _ int) (due []grant.Joined, err error) {
	err = m.do(func() error {
		for _, j := range m.joined {
			if !j.parted && !j.due.After(at) {
				due = append(due, j.Joined)
			}
		}
		return nil
	})
	return due, err
}

func (m grants) Rejoin(_ context.Context, id string, due time.Time) error {
	return m.do(func() error { j := m.joined[id]; j.due = due; m.joined[id] = j; return nil })
}

func (m grants) Part(_ context.Context, id string, _ time.Time) error {
	return m.do(func() error { j := m.joined[id]; j.parted = true; m.joined[id] = j; return nil })
}

func (m grants) OpenGate(_ context.Context, code identity.Digest, g grant.Gate) error {
	return m.do(func() error { m.gates[code] = gate{Gate: g}; return nil })
}

func (m grants) EnterGate(_ context.Context, code identity.Digest, host string, start, id identity.Digest) (g grant.Gate, err error) {
	err = m.do(func() error {
		kept, found := m.gates[code]
		if !found || kept.Host != host || kept.Start != start || !kept.id.IsZero() {
			return identity.ErrNotFound
		}
		kept.id = id
		m.gates[code], g = kept, kept.Gate
		return nil
	})
	return g, err
}

func (m sessions) ByGrant(ctx context.Context, id string) (session.State, bool, error) {
	if m.down.Load() {
		return session.State{}, false, errDown
	}
	revoked, known := m.revoked[id]
	for _, c := range m.codes {
		if c.Grant == id && known {
			s, err := m.ByHandle(ctx, c.Session)
			return s, revoked, err
		}
	}
	return session.State{}, false, identity.ErrNotFound
}

func (m sessions) ByGate(ctx context.Context, id identity.Digest, host string) (session.State, error) {
	for _, g := range m.gates {
		if g.id == id && g.Host == host && !id.IsZero() {
			return m.ByHandle(ctx, g.Session)
		}
	}
	return session.State{}, identity.ErrNotFound
}

func (m grants) Partings(context.Context, string) ([]grant.Parting, error) { return nil, nil }

// notices keeps messages, and sends none.
type notices struct {
	outbox.Store
	*memory
}

func (m notices) Put(_ context.Context, v outbox.Message, _ func()) error {
	return m.do(func() error { m.messages = append(m.messages, v); return nil })
}

func (m grants) Sweep(context.Context, time.Time) error { return nil }

type sessions struct{ *memory }

func (m sessions) Create(_ context.Context, secret identity.Digest, s session.Session) error {
	return m.do(func() error { m.sessions[secret] = s; return nil })
}

func (m sessions) find(is func(identity.Digest, session.Session) bool) (state session.State, err error) {
	err = m.do(func() error {
		for secret, s := range m.sessions {
			if is(secret, s) {
				a := m.accounts[s.Account]
				state = session.State{Session: s, Admitted: a.State == account.Active, AccountEpoch: a.Epoch}
				return nil
			}
		}
		return identity.ErrNotFound
	})
	return state, err
}

func (m sessions) BySecret(_ context.Context, secret identity.Digest) (session.State, error) {
	return m.find(func(d identity.Digest, _ session.Session) bool { return d == secret })
}

func (m sessions) ByHandle(_ context.Context, handle string) (session.State, error) {
	return m.find(func(_ identity.Digest, s session.Session) bool { return s.Handle == handle })
}

func (m sessions) ByAccount(context.Context, string) ([]session.State, error) { return nil, nil }

func (m sessions) LatestInBrowser(context.Context, identity.Digest) (session.State, error) {
	return session.State{}, identity.ErrNotFound
}

func (m sessions) change(handle string, change func(*session.Session)) error {
	return m.do(func() error {
		for secret, s := range m.sessions {
			if s.Handle == handle {
				change(&s)
				m.sessions[secret] = s
				return nil
			}
		}
		return identity.ErrNotFound
	})
}

func (m sessions) Touch(_ context.Context, handle string, seen time.Time) error {
	return m.change(handle, func(s *session.Session) { s.Seen = seen })
}

func (m sessions) Raise(_ context.Context, last, next identity.Digest, s session.Session) error {
	return m.do(func() error {
		delete(m.sessions, last)
		m.sessions[next] = s
		return nil
	})
}

func (m sessions) End(_ context.Context, handle string, at time.Time) error {
	return m.change(handle, func(s *session.Session) { s.Ended = at })
}

func (m sessions) Sweep(context.Context, time.Time) error { return nil }

// accounts has the methods that the portal side calls; the others are of the
// interface that it embeds, and a call of one would panic.
type accounts struct {
	account.Store
	*memory
}

func (m accounts) Account(_ context.Context, id string) (a account.Account, err error) {
	err = m.do(func() error {
		var found bool
		if a, found = m.accounts[id]; !found {
			return identity.ErrNotFound
		}
		return nil
	})
	return a, err
}

func (m accounts) SetState(_ context.Context, id string, state account.State) error {
	return m.do(func() error {
		a := m.accounts[id]
		a.State, a.Epoch = state, a.Epoch+1
		m.accounts[id] = a
		return nil
	})
}

type keys struct{ *memory }

func (m keys) SigningKeys(context.Context) ([]token.Key, error) { return m.keys, nil }

func (m keys) AddSigningKey(_ context.Context, k token.Key) error {
	m.keys = append(m.keys, k)
	return nil
}

func (m keys) DropSigningKey(_ context.Context, id string) error {
	var kept []token.Key
	for _, k := range m.keys {
		if k.ID != id {
			kept = append(kept, k)
		}
	}
	m.keys = kept
	return nil
}

// world is a portal side with made-up portals and patients, and a clock that
// stands still until it is moved.
type world struct {
	*Portals
	mem      *memory
	t        testing.TB
	clock    atomic.Int64
	room     *session.Sessions
	patients *account.Accounts
	ring     *token.Ring
	causes   []string
}

// The portals of the tests. At "open", P0 is enough and PKCE may be left out.
const (
	health   = "my-health"
	healthCB = "https://portal.example.org/callback"
	app      = "app"
	appCB    = "https://app.example.org/cb?kept=1"
	letters  = "letters"
	letterCB = "https://letters.example.org/cb"
	api      = "health-api"
	open     = "open"
	openCB   = "https://open.example.org/cb"
	secret   = identity.Secret("s3cr3t %+/ of-at-least-32-characters")
	issuer   = "https://login.example.org"
)

func vectors(all ...string) (out []identity.Trust) {
	for _, text := range all {
		v, err := identity.ParseTrust(text)
		if err != nil {
			panic(err)
		}
		out = append(out, v)
	}
	return out
}

// clientKey is the key of the portal that proves itself by one.
var clientKey, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)

func clientKeys() *token.KeySet {
	document, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: clientKey.Public(), KeyID: "one", Use: "sig"}}})
	if err != nil {
		panic(err)
	}
	return token.NewKeySet(func(context.Context) ([]byte, error) { return document, nil }, time.Now, token.ClientAlgs...)
}

func testPortals() []Portal {
	strong := vectors("P9.Cp.Cd", "P9.Cp.Ck", "P9.Cm")
	return []Portal{
		{
			ID: health, Name: map[string]string{"en": "My Health", "cy": "Fy Iechyd"}, RedirectURIs: []string{healthCB},
			PostLogoutRedirectURIs: []string{"https://portal.example.org/"}, Secret: secret,
			Scopes: []string{"openid", "profile", "email", "phone", "nhs_number", "offline_access"}, Trust: strong, MinimumAge: 16, Audience: "https://api.portal.example.org",
		},
		{
			ID: letters, RedirectURIs: []string{letterCB}, Keys: clientKeys(), Pairwise: true, Scopes: []string{"openid", "offline_access"},
			Trust: strong, MinimumAge: 16,
		},
		{
			ID: api, RedirectURIs: []string{"https://api.portal.example.org/cb"}, Secret: secret + "3", Scopes: []string{"openid"}, Trust: strong,
			MinimumAge: 16, Audience: "https://api.portal.example.org", Pairwise: true,
		},
		{ID: app, RedirectURIs: []string{appCB}, Scopes: []string{"openid"}, Trust: strong, MinimumAge: 16, Provider: "nhs-login", PKCEOptional: true},
		{
			ID: open, RedirectURIs: []string{openCB}, Secret: secret + "2", Scopes: []string{"openid", "nhs_number", "email"},
			Trust: vectors("P0.Cp"), MinimumAge: 16, PKCEOptional: true,
		},
	}
}

// newWorld builds the portal side; with may change its options.
func newWorld(t testing.TB, with ...func(*Options)) *world {
	t.Helper()
	w := &world{mem: newMemory(), t: t}
	w.clock.Store(time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC).UnixNano())
	now := func() time.Time { return time.Unix(0, w.clock.Load()).UTC() }
	ledger := audit.NewLedger(w.mem, w.mem, now)
	w.room = session.New(sessions{w.mem}, ledger, now)
	w.patients = account.New(accounts{memory: w.mem}, ledger, now)
	ring, err := token.NewRing(keys{w.mem}, now, token.ES256)
	if err == nil {
		err = ring.Refresh(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.ring = ring
	o := Options{
		Issuer: issuer, Portals: testPortals(), Providers: []string{"nhs-login", "other"},
		Reachable: vectors("P9.Cp.Cd", "P9.Cp.Ck", "P9.Cm", "P5.Cp.Cd", "P0.Cp"), Languages: []string{"en", "cy"}, MinimumAge: 16,
		SubjectKey: "a key that never changes", Outbox: outbox.New(notices{memory: w.mem}, outbox.Options{Now: now}),
		Grants: grants{w.mem}, Sessions: w.room, Accounts: w.patients, Ledger: ledger, Ring: ring, Now: now,
		Note: func(_ context.Context, _, cause string) {
			w.mem.mu.Lock()
			defer w.mem.mu.Unlock()
			if cause != "" {
				w.causes = append(w.causes, cause)
			}
		},
	}
	for _, change := range with {
		change(&o)
	}
	if w.Portals, err = New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) pass(d time.Duration) { w.clock.Add(int64(d)) }

// patient adds an account; born may be empty.
func (w *world) patient(id, born string) account.Account {
	w.t.Helper()
	d := identity.Details{EmailVerified: true}
	var err error
	set := func(e error) {
		if err == nil {
			err = e
		}
	}
	var e error
	d.GivenName, e = identity.ParseName("Mair")
	set(e)
	d.FamilyName, e = identity.ParseName("Prawf")
	set(e)
	d.NHSNumber, e = identity.ParseNHSNumber("9990000018")
	set(e)
	d.Email, e = identity.ParseEmail("mair@example.org")
	set(e)
	d.Phone, e = identity.ParsePhone("07700 900123")
	set(e)
	if born != "" {
		d.BirthDate, e = identity.ParseBirthDate(born)
		set(e)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	a := account.Account{
		ID: id, State: account.Active, Epoch: 1, Language: "cy",
		Links: []account.Link{{Provider: "nhs-login", Issuer: "https://provider.example.org", Subject: "s-" + id, Level: identity.P9, Details: d}},
	}
	w.mem.accounts[id] = a
	return a
}

// login opens a session of that vector for the account, proved now.
func (w *world) login(id, vector string) (identity.Secret, *session.Session) {
	w.t.Helper()
	a := w.mem.accounts[id]
	now := w.Portals.now()
	proof := identity.Proof{Provider: "nhs-login", Trust: vectors(vector)[0], Level: identity.P9, AuthTime: now.Truncate(time.Second), At: now}
	secret, s, err := w.room.Open(context.Background(), session.Session{
		Account: id, Epoch: a.Epoch, Limits: session.Limits{Idle: 30 * time.Minute, Absolute: 12 * time.Hour}, Language: "cy",
		Age: a.Details().Age(now), Evidence: identity.Evidence{Provider: proof},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return secret, &s
}
