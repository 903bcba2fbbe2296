package rp

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/portal"
)

// Why a passage to another host ended, as that host tells our own.
const (
	failedParam = "failed"
	noCookie    = "cookie" // the browser did not bring what the host gave it
	codeOver    = "late"   // the code was used, is old, or none
	inCircles   = "loop"   // the same page led here again and again
	notNow      = "away"   // what the code stands for can't be read
)

// gate lets a patient on to a page of another host behind the gateway, once they have
// logged in as it asks (GET /gate).
func (s *Server) gate(v *visit) error {
	values := v.r.URL.Query()
	if why := single(values, failedParam); why != "" {
		return v.gateFailed(why, single(values, "host"), single(values, "to"))
	}
	passage, ok := v.portals.ReadPassage(values)
	to, isPath := parseReturnTo(passage.To)
	if !ok || !isPath {
		return refuse(http.StatusBadRequest, page.BadRequest, "gate-unreadable")
	}
	passage.To, v.note.portal = to, passage.Host
	here := attempt.Return{Path: v.portals.GateURL(passage.Host, passage.Start, to)[len(v.origin):]}
	if v.session == nil {
		return v.redirect(emailURL("/login", here, false))
	}
	address, err := v.portals.Pass(v.r.Context(), passage, *v.session)
	switch {
	case errors.Is(err, identity.ErrForeign):
		return v.redirect(stepUpURL(here))
	case errors.Is(err, identity.ErrUnderAge):
		return refuse(http.StatusForbidden, page.UnderAge, "under-age")
	case errors.Is(err, portal.ErrNoPassage):
		return refuse(http.StatusForbidden, page.LevelUnmet, "level-out-of-reach")
	case err != nil:
		return err
	}
	return v.redirect(address)
}

// gateFailed says what became of a passage that the host had to give up.
func (v *visit) gateFailed(why, host, to string) error {
	r := refuse(http.StatusBadRequest, page.TooLate, "gate-code-over")
	switch why {
	case noCookie:
		r = refuse(http.StatusBadRequest, page.CookiesOff, "gate-without-cookie")
	case notNow:
		r = refuse(http.StatusServiceUnavailable, page.Unavailable, "store-unavailable")
	case inCircles:
		return refuse(http.StatusForbidden, page.LevelUnmet, "gate-in-circles")
	}
	if path, ok := parseReturnTo(to); ok {
		if address, known := v.portals.GateAddress(host); known {
			r = r.again(address + path)
		}
	}
	return r
}

// started is what a host behind the gateway keeps of a login under way, so that several
// windows share it, and how often the same page led to it lately.
type started struct {
	secret identity.Secret
	page   string // a digest of it
	turns  int
	since  time.Time
}

// A page that leads to its login more often than this, in this time, goes round in
// circles: the patient logs in and the gateway still says no.
const (
	turnsAtMost = 3
	turnsWithin = time.Minute
)

// started reads the cookie. One that is not ours is as good as none.
func (s *Server) started(r *http.Request) started {
	parts := strings.Split(s.cookies.value(r, startCookie), ".")
	st := started{secret: identity.Secret(parts[0])}
	if !st.secret.IsToken() {
		return started{secret: identity.NewToken()}
	}
	if len(parts) == 4 {
		st.page = parts[1]
		st.turns, _ = strconv.Atoi(parts[2])
		seconds, _ := strconv.ParseInt(parts[3], 10, 64)
		st.since = time.Unix(seconds, 0)
	}
	return st
}

// cookie is what the browser keeps of it; it holds the secret.
func (st started) cookie() string {
	return strings.Join([]string{st.secret.Reveal(), st.page, strconv.Itoa(st.turns), strconv.FormatInt(st.since.Unix(), 10)}, ".")
}

// turn counts that the page led here.
func (st started) turn(to string, now time.Time) started {
	const short = 12
	name := identity.Secret(to).Digest().Text()[:short]
	if age := now.Sub(st.since); name != st.page || age < 0 || age > turnsWithin {
		st.page, st.turns, st.since = name, 0, now
	}
	st.turns++
	return st
}

// gateStart begins a login for a page of another host (GET /.dilys/start there).
func (s *Server) gateStart(w http.ResponseWriter, r *http.Request) error {
	host, ok := s.portals.GateHost(r, s.proxies.believes(r))
	if !ok {
		http.NotFound(w, r)
		return nil
	}
	to, isPath := parseReturnTo(single(r.URL.Query(), "to"))
	if !isPath {
		to = "/"
	}
	st := s.started(r).turn(to, s.now())
	s.cookies.set(w, startCookie, st.cookie(), 0)
	if st.turns > turnsAtMost {
		return seeOther(w, s.gateFailure(inCircles, host, to))
	}
	return seeOther(w, s.portals.GateURL(host, st.secret.Digest(), to))
}

// gateEnter ends it: the host's own id, and on to the page (GET /.dilys/enter there).
func (s *Server) gateEnter(w http.ResponseWriter, r *http.Request) error {
	host, ok := s.portals.GateHost(r, s.proxies.believes(r))
	if !ok {
		http.NotFound(w, r)
		return nil
	}
	values := r.URL.Query()
	to, isPath := parseReturnTo(single(values, "to"))
	if !isPath {
		to = "/"
	}
	if s.cookies.value(r, startCookie) == "" {
		return seeOther(w, s.gateFailure(noCookie, host, to))
	}
	st := s.started(r)
	id, err := s.portals.Enter(r.Context(), host, identity.Secret(single(values, "code")), st.secret)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return seeOther(w, s.gateFailure(codeOver, host, to))
	case err != nil:
		noteOf(r).err = err
		return seeOther(w, s.gateFailure(notNow, host, to))
	}
	s.cookies.set(w, gateCookie, id.Reveal(), 0)
	return seeOther(w, to)
}

func (s *Server) gateFailure(why, host, to string) string {
	return portal.WithQuery(s.origin+portal.GatePath, map[string][]string{failedParam: {why}, "host": {host}, "to": {to}})
}

func seeOther(w http.ResponseWriter, to string) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
