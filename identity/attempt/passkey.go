package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// ProviderRules are what a provider allows of the patients whom it proved.
type ProviderRules struct {
	Passkeys   bool          // they may come back with a passkey …
	Reprove    time.Duration // … for that long after their last login there
	TrustLasts time.Duration // how long its proof serves the account's own factors after that login
}

// Refusals of a passkey.
var (
	// ErrNoPasskeys says that this account has none and may have none: its provider
	// wants to be asked each time.
	ErrNoPasskeys = errors.New("the account may have no passkeys")
	// ErrSharedDevice says that a passkey is made on a device that others use.
	ErrSharedDevice = errors.New("no passkey is made on a shared device")
	// ErrTooMany says that the account has as many passkeys as there may be.
	ErrTooMany = errors.New("the account has as many passkeys as there may be")
	// ErrCloned says that there are two of a passkey: it opens nothing any more.
	ErrCloned = errors.New("the passkey's counter went back")
)

// Reprove says that a provider must be asked again before a passkey opens the account.
type Reprove struct{ Provider string }

// Error says so.
func (*Reprove) Error() string { return "the provider must be asked again" }

// KeyProof is the answer of a passkey that stands.
type KeyProof struct {
	Key    factor.Passkey
	Use    factor.PasskeyUse
	Cloned bool // its counter went back
}

// MayHavePasskeys reports whether the account's patient may come back with a passkey:
// one who signed up here, or whose provider allows it.
func (r *Attempts) MayHavePasskeys(acc account.Account) bool {
	if _, own := acc.Own(); own {
		return true
	}
	for _, l := range acc.Links {
		if r.providers[l.Provider].Passkeys {
			return true
		}
	}
	return false
}

// mayReturn returns nil where a passkey opens the account now, or *[Reprove].
func (r *Attempts) mayReturn(acc account.Account) error {
	if _, own := acc.Own(); own {
		return nil
	}
	var again *Reprove
	for _, l := range acc.BySureness() {
		rules := r.providers[l.Provider]
		if rules.Passkeys && r.now().Before(l.Last.Add(rules.Reprove)) {
			return nil
		}
		if again == nil {
			again = &Reprove{l.Provider}
		}
	}
	if again == nil {
		return ErrNoPasskeys
	}
	return again
}

// standing is what the account's own factors can speak for: what was proved to
// ourselves, or what a linked provider proved for as long as that lasts, whichever is
// more. Where nothing else is left of a provider's proof, it says that it is too old.
func (r *Attempts) standing(acc account.Account) identity.Own {
	link, _ := acc.Own()
	best, now := identity.Own{Level: link.Level, Basis: link.Basis}, r.now()
	var lapsed identity.Own
	for _, l := range acc.BySureness() {
		if l.Issuer == account.Own {
			continue
		}
		o := identity.Own{Level: l.Level, Basis: identity.BasisProvider, Lapses: l.Last.Add(r.providers[l.Provider].TrustLasts)}
		switch {
		case now.Before(o.Lapses) && o.Level > best.Level:
			best = o
		case !now.Before(o.Lapses) && o.Level > lapsed.Level:
			lapsed = o
		}
	}
	if best.Level == identity.P0 && lapsed.Level > identity.P0 {
		return lapsed
	}
	return best
}

// GivePasskey opens the account of a passkey whose answer stands, in that seat. It
// returns [identity.ErrDisabled], [ErrFactorOff], [ErrCloned], *[Reprove], or the errors
// of [Attempts.Answer].
func (r *Attempts) GivePasskey(ctx context.Context, a Attempt, k KeyProof, seat Seat) (Login, error) {
	acc, err := r.stands(ctx, k)
	if err != nil {
		return Login{}, err
	}
	if err := r.mayReturn(acc); err != nil {
		return Login{}, err
	}
	known, err := r.own.Factors.Known(ctx, acc.ID, a.Browser)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return Login{}, err
	}
	s := SecondStep{Trip: a, Account: acc.ID, Epoch: acc.Epoch, Known: known.ID != ""}
	return r.finish(ctx, s, proof{factor: k.Key.Factor(), key: &k}, false, seat)
}

// stands returns the account of the passkey, where that may open anything. One of which
// there are two is ended, and its patient told.
func (r *Attempts) stands(ctx context.Context, k KeyProof) (account.Account, error) {
	acc, err := r.accounts.Account(ctx, k.Key.Account)
	switch {
	case err != nil:
		return acc, err
	case acc.State != account.Active:
		return acc, identity.ErrDisabled
	case k.Key.Off:
		return acc, ErrFactorOff
	case !k.Cloned:
		return acc, nil
	}
	err = r.ledger.Within(ctx, func(ctx context.Context) error {
		if err := r.own.Factors.SwitchPasskeyOff(ctx, k.Key); err != nil {
			return err
		}
		return r.tellMail(ctx, acc, outbox.PasskeyOff)
	})
	return acc, errors.Join(err, ErrCloned)
}

// useKey keeps the answer of a passkey, inside the act that it opens. Two answers at
// once, of which one has the counter's lower half, are one too many.
func (r *Attempts) useKey(ctx context.Context, k KeyProof, acc account.Account, at time.Time) (identity.Use, error) {
	k.Use.At = at
	err := r.own.Factors.UsePasskey(ctx, k.Key, k.Use)
	if errors.Is(err, identity.ErrConflict) || errors.Is(err, identity.ErrNotFound) {
		err = ErrFactorOff
	}
	return identity.Use{Level: k.Key.Level, At: at, Held: acc.Held(k.Key.Bound)}, err
}

// StepUpPasskey raises the session of that seat with the answer of a passkey of its own
// account. The errors are those of [Attempts.GivePasskey]; another account's passkey is
// [ErrOtherPerson].
func (r *Attempts) StepUpPasskey(ctx context.Context, seat Seat, k KeyProof) (Login, error) {
	if seat.Session == nil {
		return Login{}, identity.ErrNotFound
	}
	if k.Key.Account != seat.Session.Account {
		return Login{}, ErrOtherPerson
	}
	if _, err := r.stands(ctx, k); err != nil {
		return Login{}, err
	}
	return r.stepUp(ctx, seat, WayPasskey, proof{factor: k.Key.Factor(), key: &k})
}

// MayMakePasskey returns nil where a passkey may be made in that session, or
// [ErrSharedDevice], [ErrNoPasskeys], [ErrTooMany], [ErrStale] or [ErrHeld].
func (r *Attempts) MayMakePasskey(ctx context.Context, s session.Session) error {
	if s.Shared {
		return ErrSharedDevice
	}
	acc, err := r.accounts.Account(ctx, s.Account)
	if err != nil {
		return err
	}
	if !r.MayHavePasskeys(acc) {
		return ErrNoPasskeys
	}
	keys, err := r.own.Factors.Passkeys(ctx, acc.ID)
	if err != nil {
		return err
	}
	if len(keys) >= factor.PasskeysAtMost {
		return ErrTooMany
	}
	return r.MayChange(ctx, s)
}

// AddPasskey binds a passkey that was made in that session. It carries the session's
// level. The errors are those of [Attempts.MayMakePasskey], and [identity.ErrConflict]
// for a passkey that any account has.
func (r *Attempts) AddPasskey(ctx context.Context, s session.Session, p factor.Passkey) error {
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		now, acc, err := r.owner(ctx, s)
		if err != nil {
			return err
		}
		if err := r.MayMakePasskey(ctx, now); err != nil {
			return err
		}
		p.Account, p.Level = acc.ID, bindsAt(now)
		if _, err := r.own.Factors.BindPasskey(ctx, p); err != nil {
			return err
		}
		return r.tellMail(ctx, acc, outbox.PasskeyAdded)
	})
}

// RemovePasskey takes a passkey from the account. It returns [ErrStale], [ErrHeld], or
// [identity.ErrNotFound].
func (r *Attempts) RemovePasskey(ctx context.Context, s session.Session, id string) error {
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		acc, _, err := r.changing(ctx, s)
		if err != nil {
			return err
		}
		if err := r.own.Factors.DropPasskey(ctx, acc.ID, id); err != nil {
			return err
		}
		return r.tellMail(ctx, acc, outbox.PasskeyRemoved)
	})
}

// RenamePasskey names a passkey of the account, or returns [identity.ErrNotFound].
func (r *Attempts) RenamePasskey(ctx context.Context, s session.Session, id, name string) error {
	_, _, err := r.owner(ctx, s)
	if err != nil {
		return err
	}
	return r.own.Factors.RenamePasskey(ctx, s.Account, id, name)
}

// OfferPasskey reports whether the patient of a session that was opened just now is to
// be offered a passkey in that browser: on their own device, where they have none, and
// could make one at once.
func (r *Attempts) OfferPasskey(ctx context.Context, s session.Session, browser identity.Digest) (bool, error) {
	if r.own.Factors == nil {
		return false, nil
	}
	err := r.MayMakePasskey(ctx, s)
	for _, no := range []error{ErrSharedDevice, ErrNoPasskeys, ErrTooMany, ErrStale, ErrHeld} {
		if errors.Is(err, no) {
			return false, nil
		}
	}
	if err != nil || s.InApp || s.Evidence.Frozen != "" {
		return false, err
	}
	return r.own.Factors.MayOfferPasskey(ctx, s.Account, browser)
}

// passkeyOffers returns what each passkey of the account would prove.
func (r *Attempts) passkeyOffers(ctx context.Context, acc account.Account) ([]Offer, error) {
	keys, err := r.own.Factors.Passkeys(ctx, acc.ID)
	if err != nil || r.mayReturn(acc) != nil {
		return nil, err
	}
	now := r.now().UTC()
	var all []Offer
	for _, k := range keys {
		if k.Off {
			continue
		}
		proves := r.standing(acc)
		proves.Passkey = identity.Use{Level: k.Level, At: now, Held: acc.Held(k.Bound)}
		all = append(all, Offer{Way: WayPasskey, Passkey: k.ID, Proves: identity.Evidence{Own: proves}})
	}
	return all, nil
}
