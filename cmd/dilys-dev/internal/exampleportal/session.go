package exampleportal

import (
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// session is one patient's login here: what this portal learned.
type session struct {
	subject  string // sub: the key to the patient's own data, with the issuer. Never a name, a phone or an NHS number
	claims   claims // of the ID token
	access   claims // of the access token; nil: it cannot be read
	userInfo claims
	idToken  identity.Secret // says whose session to end, on logging out everywhere
	ends     time.Time
}

const maxSessions = 10_000

// The cookies. The first opens the session and is new at every login (session
// fixation); the second ties a login to the browser that began it.
const (
	sessionCookie = "portal_session"
	loginCookie   = "portal_login"
)

// cookieName adds the prefix with which browsers take a cookie from this very host
// over https alone (RFC 6265bis §4.1.3.2). On a plain loopback address there is
// none to be had.
func (p *Portal) cookieName(name string) string {
	if p.secure {
		return "__Host-" + name
	}
	return name
}

// cookie returns the cookie's value if it is there once and of our shape.
func (p *Portal) cookie(r *http.Request, name string) identity.Secret {
	found := r.CookiesNamed(p.cookieName(name))
	if len(found) != 1 || !identity.Secret(found[0].Value).IsToken() {
		return ""
	}
	return identity.Secret(found[0].Value)
}

// setCookie gives the browser a value until its window closes; an empty value
// takes the cookie away. Lax, as the callback comes from another site.
func (p *Portal) setCookie(w http.ResponseWriter, name string, value identity.Secret) {
	c := &http.Cookie{
		Name: p.cookieName(name), Value: value.Reveal(), Path: "/",
		Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// browser returns the value that ties logins to this browser, and gives it one if
// it has none.
func (p *Portal) browser(w http.ResponseWriter, r *http.Request) identity.Secret {
	if have := p.cookie(r, loginCookie); have != "" {
		return have
	}
	fresh := identity.NewToken()
	p.setCookie(w, loginCookie, fresh)
	return fresh
}

// open begins a session in place of the one before, so that nothing of another
// patient stays.
func (p *Portal) open(w http.ResponseWriter, r *http.Request, s session) {
	now, id := p.opt.Now(), identity.NewToken()
	p.sessions.take(p.cookie(r, sessionCookie), now)
	p.sessions.put(id, s, s.ends, now)
	p.setCookie(w, sessionCookie, id)
}

// current returns the browser's session, if it has one that lives.
func (p *Portal) current(r *http.Request) (session, bool) {
	return p.sessions.get(p.cookie(r, sessionCookie), p.opt.Now())
}

// close ends the browser's session here and returns it.
func (p *Portal) close(w http.ResponseWriter, r *http.Request) (session, bool) {
	p.setCookie(w, sessionCookie, "")
	return p.sessions.take(p.cookie(r, sessionCookie), p.opt.Now())
}

// logOutHere ends the session at this portal alone.
func (p *Portal) logOutHere(w http.ResponseWriter, r *http.Request) error {
	p.close(w, r)
	return p.gone(w, r, "You are logged out of this portal", false)
}

// logOutEverywhere ends the session here, and sends the browser to Dilys to end it
// there (OpenID Connect RP-Initiated Logout 1.0 §2). The ID token in the address
// says whose session is meant; it holds no personal details and opens nothing.
func (p *Portal) logOutEverywhere(w http.ResponseWriter, r *http.Request) error {
	s, ok := p.close(w, r) // first, so that it is done even if Dilys is away
	if !ok {
		return p.gone(w, r, "You are logged out of this portal", false)
	}
	op, err := p.dilys.find(r.Context())
	if err != nil {
		return err
	}
	to, err := url.Parse(op.endSession)
	if err != nil || op.endSession == "" {
		return noLogout
	}
	q := to.Query()
	q.Set("id_token_hint", s.idToken.Reveal())
	q.Set("client_id", p.opt.ClientID)
	q.Set("post_logout_redirect_uri", p.opt.BaseURL+LoggedOutPath)
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
	return nil
}

// loggedOut is where Dilys sends the browser after logging out everywhere. Anybody
// can link here, so it says no more than what is so.
func (p *Portal) loggedOut(w http.ResponseWriter, r *http.Request) error {
	if _, in := p.current(r); in {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	return p.gone(w, r, "You are logged out", true)
}

// shelf keeps things under secrets until they end, at most max of them. It knows
// the secrets by their digests: neither memory nor the time of a look-up tells one.
type shelf[T any] struct {
	mu   sync.Mutex
	max  int
	rows map[identity.Digest]row[T]
}

type row[T any] struct {
	value T
	ends  time.Time
}

func newShelf[T any](limit int) *shelf[T] {
	return &shelf[T]{max: limit, rows: map[identity.Digest]row[T]{}}
}

// put keeps a value. When the shelf is full, what is over goes first, then what
// ends soonest.
func (s *shelf[T]) put(key identity.Secret, value T, ends, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rows) >= s.max {
		s.makeRoom(now)
	}
	s.rows[key.Digest()] = row[T]{value, ends}
}

func (s *shelf[T]) makeRoom(now time.Time) {
	var soonest identity.Digest
	for key, have := range s.rows {
		if !now.Before(have.ends) {
			delete(s.rows, key)
		} else if first, ok := s.rows[soonest]; !ok || have.ends.Before(first.ends) {
			soonest = key
		}
	}
	if len(s.rows) >= s.max {
		delete(s.rows, soonest)
	}
}

// get returns what is kept under the key, unless it is over.
func (s *shelf[T]) get(key identity.Secret, now time.Time) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(key, now)
}

// take is get, once: of two that ask at the same time, one gets it.
func (s *shelf[T]) take(key identity.Secret, now time.Time) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer delete(s.rows, key.Digest())
	return s.find(key, now)
}

func (s *shelf[T]) find(key identity.Secret, now time.Time) (value T, ok bool) {
	have, ok := s.rows[key.Digest()]
	if key == "" || !ok || !now.Before(have.ends) {
		return value, false
	}
	return have.value, true
}
