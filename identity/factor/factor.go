// Package factor owns what opens an account beside its password, and the level
// that each of these carries: the authenticator app, passkeys, the card of one-time codes, the
// browsers that are known and remembered, the phone that codes are sent to. It also
// owns the codes that staff hand over on paper, which raise a level.
//
// It never sends anything, never limits guesses (its callers do, before they ask)
// and never judges a session: it says what a factor carries, and package identity
// decides what that is worth. The NHS number on a handed code is the register's
// word for a person; it is given back sealed and unread.
package factor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// Kind is a sort of factor.
type Kind string

// The kinds, each Cd in a vector of trust but for the app, which is Ck.
const (
	KindTOTP    Kind = "totp"    // a code of an authenticator app
	KindCard    Kind = "card"    // a printed one-time code
	KindBrowser Kind = "browser" // a remembered browser
	KindPhone   Kind = "phone"   // a code to a registered phone
)

// Factor is one thing that an account is opened with. A factor carries the level
// of the session in which it was bound (contract: Trust), until [Factors.Raise].
type Factor struct {
	Kind    Kind
	ID      string // of this very card, browser or binding of a number: the next one has another
	Account string
	Level   identity.Proofing
	Bound   time.Time
}

// Peppers makes keyed digests: what a stolen database can't be guessed against.
// *store.Keys is one.
type Peppers interface {
	// PepperInUse names the pepper that new digests are made under.
	PepperInUse() uint32
	// Peppers names every pepper, the one in use first.
	Peppers() []uint32
	// Pepper returns the digest of the secret under that pepper, for that
	// purpose. It fails for a pepper that is gone.
	Pepper(id uint32, purpose string, secret []byte) ([]byte, error)
}

// Store remembers factors and handed codes. Personal fields are sealed in it.
// Methods join the transaction that ctx carries, but for SpendStep, SpendCode and
// SpendHanded.
type Store interface {
	TOTPStore
	ChoiceStore
	CardStore
	BrowserStore
	PhoneStore
	PasskeyStore
	HandedStore
	RecoveryStore
	// Raise sets the level of the account's factor of that kind and id, if that
	// is higher than what it carries, and reports whether it did. A factor that
	// is no more, or another account's, is not raised.
	Raise(ctx context.Context, account string, kind Kind, id string, level identity.Proofing) (bool, error)
	// Erase forgets every factor of the account, its choice, and the codes it spent.
	Erase(ctx context.Context, account string) error
	// Sweep forgets browsers that were seen last before one time, and handed codes
	// that ended before another.
	Sweep(ctx context.Context, seen, ended time.Time) error
}

// Factors does the acts on factors.
type Factors struct {
	store   Store
	peppers Peppers
	ledger  *audit.Ledger
	now     func() time.Time
}

// New returns the room over its store.
func New(store Store, peppers Peppers, ledger *audit.Ledger, now func() time.Time) *Factors {
	return &Factors{store, peppers, ledger, now}
}

// Raise lifts the factors that opened a session to the level that it reached: a
// handed code or a linked provider's answer raised it. Every other factor stays
// as it is, so name those alone that the session was opened with. A card that
// was replaced since, or a number that was changed, is no longer that factor: its
// successor is not raised. It must be called in the act that raises the session.
func (r *Factors) Raise(ctx context.Context, account string, level identity.Proofing, opened ...Factor) error {
	var kinds []string
	for _, f := range opened {
		raised, err := r.store.Raise(ctx, account, f.Kind, f.ID, level)
		if err != nil {
			return fmt.Errorf("raise the %s: %w", f.Kind, err)
		}
		if kind := string(f.Kind); raised && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	return r.ledger.Record(ctx, audit.Event{Kind: audit.FactorRaised, Actor: audit.Patient, Account: account, Fields: kinds})
}

// Erase forgets every factor of an account that is closed for good, and the codes
// that staff had handed over for it. It joins the act of ctx, which records it.
func (r *Factors) Erase(ctx context.Context, account string) error {
	return r.store.Erase(ctx, account)
}

// moment is now as it is kept, to the microsecond.
func (r *Factors) moment() time.Time { return r.now().UTC().Truncate(time.Microsecond) }

// errMissing says that a caller left out what must be there.
var errMissing = errors.New("wanted it named, got nothing")
