package dossier

import (
	"context"
	"errors"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/session"
)

// Events is what was recorded.
type Events interface {
	// EventsOf returns the account's last events, newest first, at most limit.
	EventsOf(ctx context.Context, account string, limit int) ([]audit.Event, error)
}

// Rooms is where what is kept of a patient stands.
type Rooms struct {
	Accounts *account.Accounts
	Factors  *factor.Factors
	Sessions *session.Sessions
	Events   Events
}

// mostEvents bounds the events of one dossier: more than a patient makes in a life.
const mostEvents = 100_000

// Read reads what is kept of that account, or returns [identity.ErrNotFound].
func (r Rooms) Read(ctx context.Context, id string) (h Held, err error) {
	read := func(fn func() error) {
		if err == nil {
			err = fn()
		}
	}
	read(func() (err error) { h.Account, err = r.Accounts.Account(ctx, id); return err })
	read(func() (err error) { h.Phone, err = r.Factors.Phone(ctx, id); return missing(err) })
	read(func() (err error) { h.App, err = r.Factors.TOTP(ctx, id); return missing(err) })
	read(func() (err error) { h.Card, err = r.Factors.Card(ctx, id); return err })
	read(func() (err error) { h.Passkeys, err = r.Factors.Passkeys(ctx, id); return err })
	read(func() (err error) { h.Browsers, err = r.Factors.List(ctx, id); return err })
	read(func() (err error) { h.Sessions, err = r.Sessions.List(ctx, id); return err })
	read(func() (err error) { h.Changes, err = r.Accounts.Waiting(ctx, h.Account); return err })
	read(func() (err error) { h.Events, err = r.Events.EventsOf(ctx, id, mostEvents); return err })
	return h, err
}

func missing(err error) error {
	if errors.Is(err, identity.ErrNotFound) {
		return nil
	}
	return err
}
