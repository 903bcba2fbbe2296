package attempt

import (
	"context"
	"time"

	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// Leave lets the account begin to close, as the patient of that session asks, and
// tells every address that it has. why is a word of the page's list. It returns when
// it closes.
func (r *Attempts) Leave(ctx context.Context, s session.Session, why string) (at time.Time, err error) {
	err = r.ledger.Within(ctx, func(ctx context.Context) error {
		now, acc, err := r.owner(ctx, s)
		if err != nil {
			return err
		}
		if at, err = r.accounts.AskClose(ctx, acc.ID, now.Handle, why); err != nil {
			return err
		}
		return r.tellAll(ctx, acc, outbox.Closing)
	})
	return at, err
}
