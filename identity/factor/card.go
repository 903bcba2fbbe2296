package factor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// A card holds that many codes, of that many bits each: more than the 64 that
// need no limit on guesses (ASVS 6.5.2; NIST SP 800-63B-4 §3.1.2.2).
const (
	CardCodes = 10
	codeBits  = 65
)

// askAgainAfter is how many logins a "no, thank you" holds for.
const askAgainAfter = 3

// CardState is what stands of an account's card.
type CardState struct {
	ID       string // of the card; empty: none was ever made, or it was erased
	Level    identity.Proofing
	Left     int // codes not used yet
	Made     time.Time
	Declined time.Time // "I'll take the risk"; zero: not said, or a card was made since
	// LoginsSince counts the logins since it was declined.
	LoginsSince int
}

// Ask reports whether the patient should be offered a card: none is left to use,
// and she did not decline within her last logins.
func (s CardState) Ask() bool {
	return s.Left == 0 && (s.Declined.IsZero() || s.LoginsSince >= askAgainAfter)
}

// CardStore is the part of [Store] that keeps cards.
type CardStore interface {
	// PutCard makes the account's card the only one, with the digests of its
	// codes: the card before is dead with all its codes, and a refusal of one is
	// forgotten.
	PutCard(ctx context.Context, card Card, codes [][]byte) error
	// Card returns the account's card, or [identity.ErrNotFound].
	Card(ctx context.Context, account string) (Card, error)
	// SpendCode uses up the card's code of that digest, once: the first caller has
	// no error and every later one [identity.ErrSpent]. A code that the card does
	// not have, or a card that is dead, is [identity.ErrNotFound]. It commits
	// alone, before what it opens is looked at.
	SpendCode(ctx context.Context, card string, code []byte, at time.Time) error
	// CardState returns what stands of the account's card in one reading.
	CardState(ctx context.Context, account string) (CardState, error)
	// DeclineCard keeps that the patient declined at that time and sets the count
	// of logins to zero. A card that is there stays.
	DeclineCard(ctx context.Context, account string, at time.Time) error
	// CountLogin adds one to the count of logins where one is kept.
	CountLogin(ctx context.Context, account string) error
	// DropCard ends the account's card with all its codes.
	DropCard(ctx context.Context, account string) error
}

// Card is an account's card as it is kept.
type Card struct {
	ID      string
	Account string
	Pepper  uint32 // that its digests were made under
	Level   identity.Proofing
	Made    time.Time
}

// Factor returns the card as what opens the account.
func (c Card) Factor() Factor {
	return Factor{Kind: KindCard, ID: c.ID, Account: c.Account, Level: c.Level, Bound: c.Made}
}

// MakeCard returns the ten codes of a new card, which carries the level given, and
// kills the card before it. The codes are shown once and kept as keyed digests. It
// joins the act of ctx, or is one of its own; in an act that runs again, the codes
// of the last run are the good ones.
func (r *Factors) MakeCard(ctx context.Context, account string, level identity.Proofing) ([]identity.Secret, error) {
	var codes []identity.Secret
	e := &audit.Event{Kind: audit.CardMade, Actor: audit.Patient, Account: account}
	err := r.ledger.Act(ctx, e, func(ctx context.Context) (err error) {
		codes, err = r.makeCard(ctx, account, level)
		return err
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

func (r *Factors) makeCard(ctx context.Context, account string, level identity.Proofing) ([]identity.Secret, error) {
	card := Card{ID: identity.NewID(), Account: account, Pepper: r.peppers.PepperInUse(), Level: level, Made: r.moment()}
	codes, digests := make([]identity.Secret, CardCodes), make([][]byte, CardCodes)
	for i := range codes {
		codes[i] = identity.ReadableCode(codeBits)
		var err error
		if digests[i], err = r.cardDigest(card, codes[i]); err != nil {
			return nil, err
		}
	}
	if err := r.store.PutCard(ctx, card, digests); err != nil {
		return nil, fmt.Errorf("keep the card: %w", err)
	}
	return codes, nil
}

// cardDigest is bound to the card and its account: a digest that is moved to
// another row opens nothing there.
func (r *Factors) cardDigest(c Card, code identity.Secret) ([]byte, error) {
	return r.peppers.Pepper(c.Pepper, "card", []byte(c.Account+"\x00"+c.ID+"\x00"+code.Reveal()))
}

// SpendCard uses up one code of the account's card and returns the card as the
// factor that it is. It returns [identity.ErrSpent] for a code that was used, and
// [identity.ErrNotFound] for one that the account does not have. It commits alone
// and is refused inside an act; the event is written before it returns, and
// without an event nothing is opened. Guesses are limited by the caller, before.
func (r *Factors) SpendCard(ctx context.Context, account string, typed identity.Secret) (Factor, error) {
	code, ok := identity.ParseReadableCode(typed, codeBits)
	if !ok {
		return Factor{}, fmt.Errorf("card: %w", identity.ErrNotFound)
	}
	card, err := r.store.Card(ctx, account)
	if err != nil {
		return Factor{}, fmt.Errorf("card: %w", err)
	}
	digest, err := r.cardDigest(card, code)
	if err != nil {
		return Factor{}, fmt.Errorf("card: %w", err)
	}
	if err := r.store.SpendCode(ctx, card.ID, digest, r.moment()); err != nil {
		return Factor{}, fmt.Errorf("card: %w", err)
	}
	return card.Factor(), r.ledger.Record(ctx, audit.Event{Kind: audit.CardSpent, Actor: audit.Patient, Account: account})
}

// Card returns what stands of the account's card; the zero state for an account
// without one. It reads, in the act of ctx if there is one.
func (r *Factors) Card(ctx context.Context, account string) (CardState, error) {
	state, err := r.store.CardState(ctx, account)
	if errors.Is(err, identity.ErrNotFound) {
		return CardState{}, nil
	}
	return state, err
}

// DeclineCard keeps that the patient would rather take the risk, with the time.
// It joins the act of ctx, or is one of its own.
func (r *Factors) DeclineCard(ctx context.Context, account string) error {
	e := &audit.Event{Kind: audit.CardDeclined, Actor: audit.Patient, Account: account}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error {
		return r.store.DeclineCard(ctx, account, r.moment())
	})
}

// CountLogin counts a login towards the day when the patient is asked again. It
// joins the act of ctx, which records the login.
func (r *Factors) CountLogin(ctx context.Context, account string) error {
	return r.store.CountLogin(ctx, account)
}

// DropCard ends the account's card and every code of it, as when it was lost. It
// joins the act of ctx, or is one of its own.
func (r *Factors) DropCard(ctx context.Context, account string) error {
	e := &audit.Event{Kind: audit.CardDropped, Actor: audit.Patient, Account: account}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return r.store.DropCard(ctx, account) })
}
