package attempt

import (
	"context"
	"errors"
	"slices"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/factor"
)

// Way is a way to prove a second factor.
type Way string

// The ways.
const (
	WayPhone Way = "phone" // a code texted to the registered phone
	WayCard  Way = "card"  // a code of the printed card
)

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

// waysOf returns the ways in which the account can prove a second factor.
func (r *Attempts) waysOf(ctx context.Context, account string) (Ways, error) {
	var ways Ways
	phone, err := r.own.Factors.Phone(ctx, account)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return nil, err
	}
	if err == nil && !phone.Off {
		ways = append(ways, WayPhone)
	}
	card, err := r.own.Factors.Card(ctx, account)
	if card.Left > 0 {
		ways = append(ways, WayCard)
	}
	return ways, err
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
}

// bond returns what a code to the account's phone is bound to, and the phone.
func (r *Attempts) bond(ctx context.Context, k ask) (code.Bond, factor.Phone, error) {
	phone, err := r.own.Factors.Phone(ctx, k.account)
	if err != nil {
		return code.Bond{}, phone, err
	}
	return code.Bond{Purpose: k.purpose, Contact: phone.Number.Contact(), Browser: k.browser, Account: k.account}, phone, nil
}

// proveWay judges what was typed as the account's second factor, and uses it up. It
// must be called outside of every act. The guess is paid for before it is judged,
// by a counter of the account's and the way's own: *[Locked] and [ErrFactorOff] say
// that none is. The other errors are those of [code.Codes.Try].
func (r *Attempts) proveWay(ctx context.Context, k ask, way Way, typed identity.Secret) (proof, error) {
	key := string(way) + ":" + k.account
	if err := r.pay(ctx, key, r.own.Sending.Rates().Code); err != nil {
		return proof{}, err
	}
	proved, err := r.tryWay(ctx, k, way, typed)
	if err != nil {
		return proof{}, err
	}
	return proved, r.own.Sending.Settle(ctx, key)
}

func (r *Attempts) tryWay(ctx context.Context, k ask, way Way, typed identity.Secret) (proof, error) {
	switch way {
	case WayPhone:
		bond, phone, err := r.bond(ctx, k)
		if err != nil {
			return proof{}, err
		}
		return proof{phone.Factor(), identity.MeansText}, r.own.Codes.Try(ctx, bond, typed.Reveal())
	case WayCard:
		card, err := r.own.Factors.SpendCard(ctx, k.account, typed)
		if errors.Is(err, identity.ErrNotFound) {
			err = code.ErrWrong
		}
		return proof{card, identity.MeansCard}, err
	}
	return proof{}, identity.ErrNotFound
}
