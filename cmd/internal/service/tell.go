package service

import (
	"context"

	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/outbox"
)

// Tell puts news of the account into the outbox of the running service, for every
// address that the account has. It joins the act of ctx.
func (r *Records) Tell(ctx context.Context, a account.Account, kind outbox.Kind) error {
	for _, to := range a.Contacts() {
		if !kind.Goes(to.Channel) || a.Quiet && !kind.Guards() {
			continue
		}
		if err := r.outbox.Put(ctx, outbox.Message{To: to, Language: a.Language, Kind: kind}); err != nil {
			return err
		}
	}
	return nil
}
