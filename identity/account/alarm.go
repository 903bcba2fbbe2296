package account

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// PauseFor is how long nothing is changed after an alarm: whoever still holds a password
// or a phone can't shut the patient out before somebody has looked.
const PauseFor = 24 * time.Hour

// Alarm ends all that is open of the account (sessions, links, codes, changes that
// wait, remembered browsers), as its patient says of that event that it was not them,
// and lets nothing be changed of how it is opened for [PauseFor]. A provider's login
// whose linking it was is taken away, where something else opens the account: ways are
// the providers by which a patient can log in here now. The reference is what they are
// shown.
func (r *Accounts) Alarm(ctx context.Context, id, session, reference string, about audit.Event, ways []string) error {
	e := &audit.Event{
		Kind: audit.AccountAlarmed, Actor: audit.Patient, Account: id, Session: session, Reference: reference, Cause: string(about.Kind),
	}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error {
		if err := r.store.Pause(ctx, id, r.now().UTC().Add(PauseFor).Truncate(time.Microsecond)); err != nil {
			return err
		}
		if about.Kind != audit.ProviderLinked {
			return nil
		}
		err := r.dropProvider(ctx, id, about.Provider, ways)
		if errors.Is(err, identity.ErrNotFound) || errors.Is(err, ErrLastWay) {
			return nil
		}
		return err
	})
}

// dropProvider forgets the account's link to that provider.
func (r *Accounts) dropProvider(ctx context.Context, id, provider string, ways []string) error {
	a, err := r.store.Account(ctx, id)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(a.Links, func(l Link) bool { return l.Provider == provider && l.Issuer != Own })
	if at < 0 {
		return identity.ErrNotFound
	}
	if !a.OpensWithout(provider, ways) {
		return ErrLastWay
	}
	return r.store.DropLink(ctx, id, a.Links[at])
}
