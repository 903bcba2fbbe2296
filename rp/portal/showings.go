package portal

import (
	"context"
	"sync"

	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
)

// showings remembers which sessions were shown to which hosts behind the gateway, so
// that each is recorded once and not at every request. What is forgotten, or was shown
// by another replica, is recorded once more.
type showings struct {
	mu         sync.RWMutex
	now, older map[showing]struct{} // two generations: a full one becomes the older
}

// showing is a session that a host was told of, with the vector that it had.
type showing struct{ session, host, trust string }

// showingsAtMost bounds a generation.
const showingsAtMost = 50_000

func (s *showings) known(v showing) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, now := s.now[v]
	_, older := s.older[v]
	return now || older
}

func (s *showings) add(v showing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || len(s.now) >= showingsAtMost {
		s.now, s.older = map[showing]struct{}{}, s.now
	}
	s.now[v] = struct{}{}
}

// shown records that the session is shown to that host for the first time: nobody is
// told who a patient is without a record.
func (p *Portals) shown(ctx context.Context, host string, s session.Session) error {
	v := showing{s.Handle, host, s.Trust.String()}
	if host == "" || p.showings.known(v) {
		return nil
	}
	err := p.ledger.Record(ctx, audit.Event{
		Kind: audit.HostShown, Actor: audit.Patient, Account: s.Account, Session: s.Handle, Provider: s.Provider, Portal: host, Cause: v.trust,
	})
	if err == nil {
		p.showings.add(v)
	}
	return err
}
