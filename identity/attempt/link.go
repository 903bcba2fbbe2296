package attempt

import (
	"context"
	"errors"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// ErrWeak says that one factor alone was proved: it links nothing, as whoever knows a
// password would make a way in of their own.
var ErrWeak = errors.New("linking wants a strong login")

// MayLink returns nil where the session may link a provider to its account: its patient
// logged in strongly in the last ten minutes. Otherwise it returns [ErrStale],
// [ErrHeld] or [ErrWeak].
func (r *Attempts) MayLink(ctx context.Context, s session.Session) error {
	if err := r.mayChange(ctx, s); err != nil {
		return err
	}
	if !s.Trust.C.Strong() {
		return ErrWeak
	}
	return nil
}

// admit returns the account that the answer belongs to. It must be called in the act of
// the login.
func (r *Attempts) admit(ctx context.Context, a Attempt, answer identity.Answer, seat Seat) (account.Account, error) {
	if a.Linking {
		return r.link(ctx, a, answer, seat)
	}
	return r.accounts.Admit(ctx, answer, a.Language)
}

// link makes the answer a way into the account of the session that asked for it, if
// that very session came back with it, and both sides were proved strongly in the last
// ten minutes. An answer that is linked to it already is as any other. The factors that
// opened the session rise with it, as they were in the hand that brought the proof.
func (r *Attempts) link(ctx context.Context, a Attempt, answer identity.Answer, seat Seat) (account.Account, error) {
	none := account.Account{}
	seat, err := r.present(ctx, seat)
	if err != nil {
		return none, err
	}
	if !a.raises(seat) {
		return none, identity.ErrForeign
	}
	s := *seat.Session
	if err := r.bothSides(ctx, s, answer); err != nil {
		return none, err
	}
	acc, err := r.accounts.ByAnswer(ctx, answer)
	switch {
	case err == nil && acc.ID == s.Account:
		return r.accounts.Admit(ctx, answer, a.Language)
	case err == nil:
		return r.merge(ctx, s, acc, answer)
	case !errors.Is(err, identity.ErrNotFound):
		return none, err
	}
	if acc, err = r.accounts.Link(ctx, s.Account, s.Handle, answer); err != nil {
		return none, err
	}
	return acc, r.tellAll(ctx, acc, outbox.ProviderLinked)
}

// merge makes one account of the session's and that which the answer opens, where both
// are proved by identity (P9). Otherwise it is [account.ErrLinked]: that there is another
// is nobody's to know who has not proved to be the same person. Every session of either
// ends, that of the seat too: the login that this is a part of opens a new one.
func (r *Attempts) merge(ctx context.Context, s session.Session, other account.Account, answer identity.Answer) (account.Account, error) {
	if s.Trust.P != identity.P9 || answer.Proof(r.now()).Trust.P != identity.P9 {
		return account.Account{}, account.ErrLinked
	}
	other, err := r.accounts.Admit(ctx, answer, "") // what it says now is what is judged
	if err != nil {
		return account.Account{}, err
	}
	acc, err := r.accounts.Account(ctx, s.Account)
	if err != nil {
		return account.Account{}, err
	}
	if r.own.Factors != nil {
		if err := r.own.Factors.MovePasskeys(ctx, other.ID, acc.ID); err != nil {
			return account.Account{}, err
		}
	}
	if acc, err = r.accounts.Merge(ctx, acc, other, s.Handle); err != nil {
		return account.Account{}, err
	}
	return acc, r.tellAll(ctx, acc, outbox.ProviderLinked)
}

// bothSides judges what the patient proved on either side.
func (r *Attempts) bothSides(ctx context.Context, s session.Session, answer identity.Answer) error {
	if err := r.MayLink(ctx, s); err != nil {
		return err
	}
	there := identity.Assess(identity.Evidence{Provider: answer.Proof(r.now())}, r.now())
	switch {
	case !there.Trust.C.Strong():
		return ErrWeak
	case !there.Fresh(freshEnough, r.now()):
		return ErrStale
	}
	return nil
}

// Unlink takes the provider's login from the account of that session, ends all that is
// open of it, and tells every address. ways are the providers by which a patient can
// log in here now. The errors are [ErrStale], [ErrHeld] and those of
// [account.Accounts.Unlink].
func (r *Attempts) Unlink(ctx context.Context, s session.Session, provider string, ways []string) error {
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		now, acc, err := r.owner(ctx, s)
		if err != nil {
			return err
		}
		if err := r.mayChange(ctx, now); err != nil {
			return err
		}
		if err := r.accounts.Unlink(ctx, acc.ID, now.Handle, provider, ways); err != nil {
			return err
		}
		return r.tellAll(ctx, acc, outbox.ProviderUnlinked)
	})
}
