package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// sameAct is how far a passkey and the event of its making lie apart at most.
const sameAct = 5 * time.Second

// Alarm ends all that is open of the account, as the patient of that session says of the
// event that it was not them ([account.Accounts.Alarm]). A passkey whose making it was
// goes at once: changes are held from then on, and it would stay a way in. Each is an act
// of its own, as what takes access away does not wait for its record
// ([audit.Ledger.TakeAway]): it must be called outside of every act.
func (r *Attempts) Alarm(ctx context.Context, account, session, reference string, about audit.Event, ways []string) error {
	if about.Kind == audit.PasskeyBound {
		if err := r.dropMadeAt(ctx, account, about.At); err != nil {
			return err
		}
	}
	return r.accounts.Alarm(ctx, account, session, reference, about, ways)
}

// dropMadeAt takes away the passkeys that were made at that instant.
func (r *Attempts) dropMadeAt(ctx context.Context, account string, at time.Time) error {
	keys, err := r.passkeys(ctx, account)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Bound.Sub(at).Abs() > sameAct {
			continue
		}
		if err := r.own.Factors.DropPasskey(ctx, account, k.ID); err != nil && !errors.Is(err, identity.ErrNotFound) {
			return err
		}
	}
	return nil
}
