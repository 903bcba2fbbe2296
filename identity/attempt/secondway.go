package attempt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// ErrStale says that a change of factors wants a fresher login.
var ErrStale = errors.New("the login is too old for this")

// freshEnough is how long after a login its factors may be changed.
const freshEnough = 10 * time.Minute

// Card returns the state of the account's printed card.
func (r *Attempts) Card(ctx context.Context, accountID string) (factor.CardState, error) {
	return r.own.Factors.Card(ctx, accountID)
}

// AskCard reports whether a card is offered after this login: the patient has none
// and has a session that a second way would strengthen, or took the risk three
// logins ago.
func (r *Attempts) AskCard(ctx context.Context, accountID string) (bool, error) {
	card, err := r.own.Factors.Card(ctx, accountID)
	return err == nil && card.Ask(), err
}

// MakeCard makes a new card in the place of the last one and returns its codes, to
// be shown once. It carries the level of the session that made it. A session that is
// not what [Attempts.FactorDemand] wants is [ErrStale]; one of factors that are held
// after a recovery is [ErrHeld].
func (r *Attempts) MakeCard(ctx context.Context, s session.Session) ([]identity.Secret, error) {
	level, err := r.mayBind(ctx, s)
	if err != nil {
		return nil, err
	}
	acc, err := r.accounts.Account(ctx, s.Account)
	if err != nil {
		return nil, err
	}
	var codes []identity.Secret
	err = r.ledger.Within(ctx, func(ctx context.Context) error {
		if codes, err = r.own.Factors.MakeCard(ctx, s.Account, level); err != nil {
			return fmt.Errorf("make the card: %w", err)
		}
		if err := r.own.Sending.Settle(ctx, guessKey(WayCard, s.Account)); err != nil { // made at the one before
			return err
		}
		return r.tellMail(ctx, acc, outbox.CardMade)
	})
	return codes, err
}

// TakeRisk keeps that the patient goes without a second way in, and when.
func (r *Attempts) TakeRisk(ctx context.Context, s session.Session) error {
	return r.own.Factors.DeclineCard(ctx, s.Account)
}

// Browsers returns the browsers that logged in to the account.
func (r *Attempts) Browsers(ctx context.Context, accountID string) ([]factor.Browser, error) {
	return r.own.Factors.List(ctx, accountID)
}

// ForgetBrowser takes remembering away from that browser of the account.
func (r *Attempts) ForgetBrowser(ctx context.Context, s session.Session, id string) error {
	return r.own.Factors.Forget(ctx, s.Account, id)
}

// ForgetBrowsers takes remembering away from every browser of the account.
func (r *Attempts) ForgetBrowsers(ctx context.Context, s session.Session) error {
	return r.own.Factors.ForgetAll(ctx, s.Account)
}

// KnownBrowser reports whether anybody logged in from that browser before.
func (r *Attempts) KnownBrowser(ctx context.Context, browser identity.Secret) (bool, error) {
	return r.own.Factors.KnownAnywhere(ctx, browser.Digest())
}
