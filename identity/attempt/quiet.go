package attempt

import (
	"context"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
)

// Hush keeps whether the patient of the session in that seat wants no messages but
// those that they ask for. That it is so is told once, in words that name no service:
// whoever got into the account could hide there what they do next. It returns
// [ErrStale] or [ErrHeld].
func (r *Attempts) Hush(ctx context.Context, seat Seat, quiet bool) (Login, error) {
	if seat.Session == nil {
		return Login{}, identity.ErrNotFound
	}
	var login Login
	err := r.ledger.Within(ctx, func(ctx context.Context) error {
		now, acc, err := r.owner(ctx, *seat.Session)
		if err != nil {
			return err
		}
		if err := r.mayChange(ctx, now); err != nil {
			return err
		}
		if acc.Quiet == quiet {
			login = Login{Secret: seat.Secret, Session: now}
			return nil
		}
		if err := r.accounts.SetQuiet(ctx, acc.ID, now.Handle, quiet); err != nil {
			return err
		}
		now.Quiet = quiet
		secret, s, err := r.sessions.Raise(ctx, now, seat.Secret, now.Evidence)
		login = Login{Secret: secret, Session: s}
		if err != nil || !quiet {
			return err
		}
		return r.tellMail(ctx, acc, outbox.QuietOn)
	})
	return login, err
}
