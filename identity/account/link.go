package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// Refusals of a link.
var (
	// ErrDiffers says that the answer speaks of another NHS number or birth date than
	// the account does.
	ErrDiffers = errors.New("the answer differs from the account")
	// ErrLinked says that the account has another login at that issuer, or that the
	// login is another account's.
	ErrLinked = errors.New("the login or the account is linked otherwise")
	// ErrLastWay says that a link can't be taken away, as nothing else opens the
	// account.
	ErrLastWay = errors.New("the last way in stays until there is another")
)

// Link makes the (issuer, subject) of a provider's answer a way into the account. It
// must be called in the act of a patient who has just logged in strongly on both
// sides. What each side said stays with it, and so does its level: the account goes by
// the surer one ([Account.Best]). It returns [ErrDiffers], [ErrLinked], [ErrFrozen] or
// [identity.ErrDisabled], and nothing is kept then.
func (r *Accounts) Link(ctx context.Context, id, session string, answer identity.Answer) (Account, error) {
	a, err := r.store.Account(ctx, id)
	if err != nil {
		return a, err
	}
	if err := a.admits(answer); err != nil {
		return a, err
	}
	now := r.now()
	l := Link{
		Provider: answer.Provider, Issuer: answer.Issuer, Subject: answer.Subject,
		Level: answer.Level, Details: answer.Details, First: now, Last: now,
	}
	if err := r.store.AddLink(ctx, id, l); err != nil {
		return a, linkedOtherwise(err)
	}
	a.Links = append(a.Links, l)
	return a, r.ledger.Record(ctx, audit.Event{
		Kind: audit.ProviderLinked, Actor: audit.Patient, Account: id, Session: session, Provider: answer.Provider,
	})
}

func linkedOtherwise(err error) error {
	if errors.Is(err, identity.ErrConflict) {
		return ErrLinked
	}
	return fmt.Errorf("link the provider: %w", err)
}

// admits judges whether the answer may be linked. It is pure.
func (a Account) admits(answer identity.Answer) error {
	_, another := a.Link(answer.Issuer)
	switch {
	case a.State != Active:
		return identity.ErrDisabled
	case a.Frozen() != "":
		return ErrFrozen
	case another:
		return ErrLinked
	case slices.ContainsFunc(a.Links, func(l Link) bool { return l.Details.OfAnother(answer.Details) }):
		return ErrDiffers
	}
	return nil
}

// Unlink takes a provider's login from the account, and ends all that is open of it: a
// session may stand on what that provider proved. A later login there opens an account
// of its own. ways are the providers by which a patient can log in here now: it returns
// [ErrLastWay] where no other link opens the account, and [identity.ErrNotFound] for
// one that it does not have.
func (r *Accounts) Unlink(ctx context.Context, id, session, provider string, ways []string) error {
	e := &audit.Event{Kind: audit.ProviderUnlinked, Actor: audit.Patient, Account: id, Session: session, Provider: provider}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error {
		if err := r.dropProvider(ctx, id, provider, ways); err != nil {
			return err
		}
		return r.store.RaiseEpoch(ctx, id)
	})
}

// OpensWithout reports whether the account can be logged in to without that provider,
// by its own password or by another of those providers.
func (a Account) OpensWithout(provider string, ways []string) bool {
	return slices.ContainsFunc(a.Links, func(l Link) bool {
		return l.Issuer == Own || l.Provider != provider && slices.Contains(ways, l.Provider)
	})
}
