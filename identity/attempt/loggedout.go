package attempt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// LoggedOutAt ends the sessions that the provider's login opened, of the patient whom it
// knows by that issuer and subject: they logged out there. id names the provider's word,
// which counts once until that time; it reports false for one that was told before. A
// patient whom nobody here knows is no error: nothing may be learnt from it.
func (r *Attempts) LoggedOutAt(ctx context.Context, provider, issuer, subject, id string, until time.Time) (fresh bool, err error) {
	err = r.store.SpendNotice(ctx, identity.Secret("logout\x00"+issuer+"\x00"+id).Digest(), until)
	switch {
	case errors.Is(err, identity.ErrSpent):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("spend the provider's notice: %w", err)
	}
	acc, err := r.accounts.ByAnswer(ctx, identity.Answer{Issuer: issuer, Subject: subject})
	if errors.Is(err, identity.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("find the patient of the provider's notice: %w", err)
	}
	open, err := r.sessions.List(ctx, acc.ID)
	if err != nil {
		return false, err
	}
	for _, s := range open {
		if s.Evidence.Provider.Provider != provider {
			continue
		}
		if err := r.sessions.End(ctx, s, "ended-by-provider"); err != nil {
			return false, fmt.Errorf("end the session: %w", err)
		}
	}
	return true, nil
}
