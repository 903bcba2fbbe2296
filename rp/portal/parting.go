package portal

import (
	"context"
	"errors"
	"fmt"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// partAtOnce bounds how many portals' sessions are looked at in one turn.
const partAtOnce = 100

// join remembers that the portal was told of the session, whose end it is told when that
// comes: by a log-out, by an act on the account, or by a limit.
func (p *Portals) join(ctx context.Context, portal *Portal, s session.Session) error {
	err := p.grants.Join(ctx, grant.Joined{ID: identity.NewID(), Portal: portal.ID, Session: s.Handle, Account: s.Account}, instant(s.IdleEnds()))
	if err != nil {
		return fmt.Errorf("remember that the portal knows the session: %w", err)
	}
	return nil
}

// Part writes a notice for every portal that was told of a session which is over. It is
// derived from how sessions stand, not from what ended them, so that nothing which ends
// one can forget it. Calling it each second is meant; any number of replicas may.
func (p *Portals) Part(ctx context.Context) error {
	for ctx.Err() == nil {
		due, err := p.grants.Due(ctx, p.now(), partAtOnce)
		if err != nil {
			return fmt.Errorf("look for sessions that ended: %w", err)
		}
		for _, j := range due {
			if err := p.partOne(ctx, j); err != nil {
				return err
			}
		}
		if len(due) < partAtOnce {
			return nil
		}
	}
	return ctx.Err()
}

func (p *Portals) partOne(ctx context.Context, j grant.Joined) error {
	s, err := p.sessions.ByHandle(ctx, j.Session)
	switch {
	case err == nil:
		return p.grants.Rejoin(ctx, j.ID, instant(s.IdleEnds()))
	case !identity.IsOver(err):
		return fmt.Errorf("session that a portal knows: %w", err)
	}
	err = p.ledger.Within(ctx, func(ctx context.Context) error {
		if portal := p.portals[j.Portal]; portal != nil && portal.BackchannelLogoutURI != "" && s.Handle != "" {
			err := p.outbox.Put(ctx, outbox.Message{
				ID: j.ID, To: identity.PortalContact(j.Portal), Kind: outbox.SessionOver, Expires: instant(p.now().Add(noticeLife)),
				Params: map[string]identity.Secret{"sid": identity.Secret(s.Handle), "sub": identity.Secret(p.subject(portal, s))},
			})
			if err != nil {
				return err
			}
		}
		return p.grants.Part(ctx, j.ID, instant(p.now()))
	})
	if errors.Is(err, identity.ErrConflict) { // another replica was first
		return nil
	}
	return err
}

// Left is how a service stands after a log-out.
type Left struct {
	Name    map[string]string
	Told    bool // it has ended its own session
	Waiting bool // it is being told
}

// Left returns how the portals stand that were told of a session which is over.
func (p *Portals) Left(ctx context.Context, handle string) ([]Left, error) {
	all, err := p.grants.Partings(ctx, handle)
	if err != nil {
		return nil, fmt.Errorf("see which services were told: %w", err)
	}
	var left []Left
	for _, one := range all {
		portal := p.portals[one.Portal]
		if portal == nil { // it left the configuration
			continue
		}
		waits := portal.BackchannelLogoutURI != "" && !one.Told && !one.Failed
		left = append(left, Left{Name: portal.Name, Told: one.Told, Waiting: waits})
	}
	return left, nil
}
