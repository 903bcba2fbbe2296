package portal

import (
	"context"

	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/session"
)

// showing is a session that a host behind the gateway was told of, with the vector that
// it had. Which were told is remembered, so that each is recorded once and not at every
// request; what is forgotten, or was told by another replica, is recorded once more.
type showing struct{ session, host, trust string }

// showingsAtMost bounds a generation of them.
const showingsAtMost = 50_000

// shown records that the session is shown to that host for the first time: nobody is
// told who a patient is without a record.
func (p *Portals) shown(ctx context.Context, host string, s session.Session) error {
	v := showing{s.Handle, host, s.Trust.String()}
	if host == "" {
		return nil
	}
	if _, known := p.showings.get(v); known {
		return nil
	}
	err := p.ledger.Record(ctx, audit.Event{
		Kind: audit.HostShown, Actor: audit.Patient, Account: s.Account, Session: s.Handle, Provider: s.Provider, Portal: host, Cause: v.trust,
	})
	if err == nil {
		p.showings.put(v, struct{}{})
	}
	return err
}
