package attempt

import (
	"context"
	"errors"
	"slices"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/outbox"
)

// Way is a way to prove a second factor.
type Way string

// The ways.
const (
	WayApp   Way = "totp"  // a code of the authenticator app
	WayPhone Way = "phone" // a code texted to the registered phone
	WayCard  Way = "card"  // a code of the printed card

	// WayPasskey is a passkey, which is both factors in one.
	WayPasskey Way = "passkey"

	// A code by e-mail, where the operator wants one asked for of patients who have
	// nothing else. It guards a password that was stolen, and is no second factor:
	// whoever has the mailbox can have the password too (NIST SP 800-63B-4
	// §3.1.3.1). It is no letter of the vector.
	WayEmail Way = "email"
	// WayRecovery is a code with which people let a patient back in. No account has it
	// among its ways: it is asked for where a patient says that the others are lost.
	WayRecovery Way = "recovery"
)

// secondFactors are the ways that are a letter of the vector, in the order in which
// they are asked for: what is quickest and can't be rerouted, then what costs a text,
// then what is used up.
var secondFactors = Ways{WayApp, WayPhone, WayCard}

// Ways are those that an account has, in the order in which they are asked for.
type Ways []Way

// Has reports whether the way is among them.
func (w Ways) Has(way Way) bool { return slices.Contains(w, way) }

// first returns the way to begin with, or none.
func (w Ways) first() Way {
	if len(w) == 0 {
		return ""
	}
	return w[0]
}

// Factors is what an account has beside its password.
type Factors struct {
	App    factor.TOTP  // the zero TOTP: none
	Phone  factor.Phone // the zero Phone: none
	Card   factor.CardState
	Chosen Way // what the patient wants to be asked for first, among those that there are
}

// Ways returns the ways in which a second factor can be proved, what the patient
// chose before the others.
func (f Factors) Ways() Ways {
	there := map[Way]bool{
		WayApp: f.App.ID != "" && !f.App.Off, WayPhone: f.Phone.ID != "" && !f.Phone.Off, WayCard: f.Card.Left > 0,
	}
	ways := slices.DeleteFunc(slices.Clone(secondFactors), func(w Way) bool { return !there[w] })
	if i := slices.Index(ways, f.Chosen); i > 0 {
		ways = slices.Insert(slices.Delete(ways, i, i+1), 0, f.Chosen)
	}
	return ways
}

// proof is what each of the ways would prove.
func (f Factors) proof(way Way) proof {
	switch way {
	case WayApp:
		return proof{factor: f.App.Factor(), means: identity.MeansTOTP}
	case WayPhone:
		return proof{factor: f.Phone.Factor(), means: identity.MeansText}
	case WayCard:
		return proof{factor: factor.Factor{Kind: factor.KindCard, ID: f.Card.ID, Level: f.Card.Level, Bound: f.Card.Made}, means: identity.MeansCard}
	}
	return proof{}
}

// Stopped reports whether every factor that there is, is off. Such an account is not
// one without a second factor: who guessed it off would be let in by the password
// alone.
func (f Factors) Stopped() bool {
	return len(f.Ways()) == 0 && (f.App.Off || f.Phone.Off)
}

// Factors returns what the account has beside its password: nothing, where there is
// no room that keeps any.
func (r *Attempts) Factors(ctx context.Context, account string) (Factors, error) {
	if r.own.Factors == nil {
		return Factors{}, nil
	}
	return FactorsOf(ctx, r.own.Factors, account)
}

// FactorsOf returns what that room keeps of the account beside its password.
func FactorsOf(ctx context.Context, room *factor.Factors, account string) (f Factors, err error) {
	if f.App, err = room.TOTP(ctx, account); err != nil && !errors.Is(err, identity.ErrNotFound) {
		return f, err
	}
	if f.Phone, err = room.Phone(ctx, account); err != nil && !errors.Is(err, identity.ErrNotFound) {
		return f, err
	}
	if f.Card, err = room.Card(ctx, account); err != nil {
		return f, err
	}
	chosen, err := room.Choice(ctx, account)
	f.Chosen = Way(chosen)
	return f, err
}

// ask is a second factor that is asked for: of that account, in that browser, for
// that purpose.
type ask struct {
	account string
	browser identity.Digest
	purpose code.Purpose
}

// proof is a second factor that was proved.
type proof struct {
	factor factor.Factor
	means  identity.Means
	key    *KeyProof // of a passkey, in the place of means; nil: it was none
}

// bond returns what a code that is sent to the account's phone or address is bound
// to, and the phone. One that is off is [ErrFactorOff].
func (r *Attempts) bond(ctx context.Context, k ask, way Way) (code.Bond, factor.Phone, error) {
	bond := code.Bond{Purpose: k.purpose, Browser: k.browser, Account: k.account}
	if way == WayEmail {
		acc, err := r.accounts.Account(ctx, k.account)
		link, _ := acc.Own()
		bond.Contact = link.Details.Email.Contact()
		return bond, factor.Phone{}, err
	}
	phone, err := r.own.Factors.Phone(ctx, k.account)
	if err == nil && phone.Off {
		err = ErrFactorOff
	}
	if err != nil {
		return code.Bond{}, phone, err
	}
	bond.Contact = phone.Number.Contact()
	return bond, phone, nil
}

// proveWay judges what was typed as the account's second factor, and uses it up. It
// must be called outside of every act. The guess is paid for before it is judged,
// by a counter of the account's and the way's own: *[Locked] and [ErrFactorOff] say
// that none is. What can be no code is [code.ErrMalformed] and costs nothing; the
// other errors are those of [code.Codes.Try].
func (r *Attempts) proveWay(ctx context.Context, k ask, way Way, typed identity.Secret) (proof, error) {
	if _, ok := identity.ParseDigits(typed, factor.TOTPDigits); !ok && way != WayCard && way != WayRecovery {
		return proof{}, code.ErrMalformed
	}
	key := guessKey(way, k.account)
	err := r.pay(ctx, key, guessPolicy(way, r.own.Sending.Rates()))
	if errors.Is(err, ErrFactorOff) {
		err = errors.Join(err, r.switchOff(ctx, k.account, way))
	}
	if err != nil {
		return proof{}, err
	}
	proved, err := r.tryWay(ctx, k, way, typed)
	if err != nil {
		return proof{}, err
	}
	return proved, r.own.Sending.Settle(ctx, key)
}

// guessKey names the counter of guesses at a factor. Phone and app have each its own.
func guessKey(way Way, account string) string { return string(way) + ":" + account }

func (r *Attempts) tryWay(ctx context.Context, k ask, way Way, typed identity.Secret) (proof, error) {
	switch way {
	case WayApp:
		app, err := r.own.Factors.SpendTOTP(ctx, k.account, typed)
		return proof{factor: app, means: identity.MeansTOTP}, wrong(err)
	case WayCard:
		card, err := r.own.Factors.SpendCard(ctx, k.account, typed)
		return proof{factor: card, means: identity.MeansCard}, wrong(err)
	case WayPhone, WayEmail:
		bond, phone, err := r.bond(ctx, k, way)
		if err != nil {
			return proof{}, err
		}
		err = r.own.Codes.Try(ctx, bond, typed.Reveal())
		if way == WayEmail {
			return proof{}, err
		}
		return proof{factor: phone.Factor(), means: identity.MeansText}, err
	case WayRecovery:
		return proof{factor: factor.Factor{Kind: factor.KindRecovery, Account: k.account}, means: identity.MeansRecovery}, r.tryLetIn(ctx, k.account, typed)
	}
	return proof{}, identity.ErrNotFound
}

// wrong says of a code that the account does not have that it is wrong.
func wrong(err error) error {
	if errors.Is(err, identity.ErrNotFound) {
		return code.ErrWrong
	}
	return err
}

// switchOff ends a factor at which too many guesses were wrong, once, and tells its
// patient: whoever guessed had the password. A card has codes beyond guessing, and
// stays.
func (r *Attempts) switchOff(ctx context.Context, account string, way Way) error {
	f, err := r.Factors(ctx, account)
	if err != nil {
		return err
	}
	acc, err := r.accounts.Account(ctx, account)
	if err != nil {
		return err
	}
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		switch {
		case way == WayApp && f.App.ID != "" && !f.App.Off:
			err = r.own.Factors.SwitchTOTPOff(ctx, f.App)
		case way == WayPhone && f.Phone.ID != "" && !f.Phone.Off:
			err = r.own.Factors.SwitchPhoneOff(ctx, f.Phone)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return r.tellMail(ctx, acc, outbox.FactorOff)
	})
}
