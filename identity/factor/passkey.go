package factor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// KindPasskey is a passkey, Cm in a vector of trust.
const KindPasskey Kind = "passkey"

// PasskeysAtMost bounds the passkeys of an account: options name each of them.
const PasskeysAtMost = 20

// Passkey is a WebAuthn credential of an account: an asymmetric key in a device, which
// asks for face, finger or PIN before it signs.
type Passkey struct {
	ID         string // of the row; nothing of the device's
	Account    string
	Credential []byte // the authenticator's id of it, unique everywhere (WebAuthn §4)
	Handle     string // user.id, which the authenticator gives back: random, nothing personal
	Record     []byte // public key and flags, as the ceremony keeps them; opaque here
	AAGUID     string // the model of the authenticator; empty: it did not say
	Name       string // the patient's own; empty: the model's
	Count      uint32 // signature counter; 0: the authenticator keeps none
	BackedUp   bool   // it is copied to the patient's other devices
	Level      identity.Proofing
	Bound      time.Time
	Used       time.Time // last; zero: never since
	Off        bool      // its counter went back: there are two of it, and it opens nothing
}

// Factor returns the passkey as what opens the account.
func (p Passkey) Factor() Factor {
	return Factor{Kind: KindPasskey, ID: p.ID, Account: p.Account, Level: p.Level, Bound: p.Bound}
}

// PasskeyUse is what an answer of a passkey told beside its signature.
type PasskeyUse struct {
	Record   []byte
	Count    uint32
	BackedUp bool
	At       time.Time
}

// PasskeyStore is the part of [Store] that keeps passkeys, and what was asked about them.
type PasskeyStore interface {
	// AddPasskey adds one. A credential that any account has is [identity.ErrConflict].
	AddPasskey(ctx context.Context, p Passkey) error
	// Passkeys returns those of the account, the earliest first.
	Passkeys(ctx context.Context, account string) ([]Passkey, error)
	// PasskeyOf returns the one with that credential, or [identity.ErrNotFound].
	PasskeyOf(ctx context.Context, credential []byte) (Passkey, error)
	// UsePasskey keeps what an answer told, once: the counter must have risen since,
	// unless the authenticator keeps none. Of two answers at once, one has
	// [identity.ErrConflict]. One that is no more, or off, is [identity.ErrNotFound].
	UsePasskey(ctx context.Context, id string, u PasskeyUse) error
	// RenamePasskey names the account's passkey, or is [identity.ErrNotFound].
	RenamePasskey(ctx context.Context, account, id, name string) error
	// SwitchPasskeyOff marks the account's passkey.
	SwitchPasskeyOff(ctx context.Context, account, id string) error
	// DropPasskey deletes the account's passkey, or is [identity.ErrNotFound].
	DropPasskey(ctx context.Context, account, id string) error

	// SpendChallenge keeps that a challenge was answered, until it is over anyway. A
	// second time is [identity.ErrSpent]. It commits alone.
	SpendChallenge(ctx context.Context, challenge identity.Digest, ends time.Time) error

	// PasskeyOffers returns what became of offers to the account.
	PasskeyOffers(ctx context.Context, account string) (PasskeyOffers, error)
	// PutPasskeyOffers keeps it.
	PutPasskeyOffers(ctx context.Context, o PasskeyOffers) error
}

// PasskeyOffers is how often a patient was offered a passkey who has none.
type PasskeyOffers struct {
	Account  string
	Times    int
	Declined []string // ids of the browsers in which they don't want to be asked again
}

// Passkeys returns the account's passkeys, those that are off included, the earliest
// first. It reads, in the act of ctx if there is one.
func (r *Factors) Passkeys(ctx context.Context, account string) ([]Passkey, error) {
	return r.store.Passkeys(ctx, account)
}

// PasskeyOf returns the passkey with that credential, of whatever account, or
// [identity.ErrNotFound].
func (r *Factors) PasskeyOf(ctx context.Context, credential []byte) (Passkey, error) {
	return r.store.PasskeyOf(ctx, credential)
}

// BindPasskey adds a passkey, which carries the level given, that of the session that
// binds it. A credential that any account has is [identity.ErrConflict]. It joins the
// act of ctx, or is one of its own.
func (r *Factors) BindPasskey(ctx context.Context, p Passkey) (Passkey, error) {
	if p.Account == "" || len(p.Credential) == 0 || p.Handle == "" || len(p.Record) == 0 {
		return Passkey{}, fmt.Errorf("passkey: %w", errMissing)
	}
	p.ID, p.Bound, p.Used, p.Off = identity.NewID(), r.moment(), time.Time{}, false
	e := &audit.Event{Kind: audit.PasskeyBound, Actor: audit.Patient, Account: p.Account}
	return p, r.ledger.Act(ctx, e, func(ctx context.Context) error { return r.store.AddPasskey(ctx, p) })
}

// UsePasskey keeps what an answer of the passkey told. It returns [identity.ErrConflict]
// for an answer that another overtook, and [identity.ErrNotFound] for a passkey that
// is no more. It joins the act of ctx that the passkey opens.
func (r *Factors) UsePasskey(ctx context.Context, p Passkey, u PasskeyUse) error {
	u.At = u.At.UTC().Truncate(time.Microsecond)
	return r.store.UsePasskey(ctx, p.ID, u)
}

// SwitchPasskeyOff ends a passkey whose counter went back: somebody copied it out of a
// device that lets none be copied (WebAuthn §6.1.1). It joins the act of ctx, or is one
// of its own.
func (r *Factors) SwitchPasskeyOff(ctx context.Context, p Passkey) error {
	e := &audit.Event{Kind: audit.PasskeyOff, Actor: audit.System, Account: p.Account}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return r.store.SwitchPasskeyOff(ctx, p.Account, p.ID) })
}

// RenamePasskey names a passkey of the account, or returns [identity.ErrNotFound].
func (r *Factors) RenamePasskey(ctx context.Context, account, id, name string) error {
	return r.store.RenamePasskey(ctx, account, id, name)
}

// DropPasskey takes a passkey from the account, or returns [identity.ErrNotFound]. It
// joins the act of ctx, or is one of its own.
func (r *Factors) DropPasskey(ctx context.Context, account, id string) error {
	e := &audit.Event{Kind: audit.PasskeyDropped, Actor: audit.Patient, Account: account}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return r.store.DropPasskey(ctx, account, id) })
}

// ChallengeLife is how long a passkey may take to answer.
const ChallengeLife = 5 * time.Minute

// A challenge is random, with the second at which it ends and a keyed digest over these,
// what it is for and the browser that it was given to (WebAuthn §13.4.3). So nothing is
// kept of one that nobody answers: every look at the page of log-in gives one out.
const (
	challengeRandom = 16 // bytes; WebAuthn asks for as many
	challengeEnd    = 8
	challengeMark   = 4 // id of the pepper
)

// Purpose is what a challenge is for: an answer to one is none to another.
type Purpose string

// The purposes.
const (
	ForLogin  Purpose = "passkey-login"
	ForStepUp Purpose = "passkey-step-up"
	ForMaking Purpose = "passkey-make"
)

// MovePasskeys gives the one account's passkeys to the other, each as it is: the level
// that it carries, and what the authenticator knows it by. It must be called in the act
// that makes one account of the two.
func (r *Factors) MovePasskeys(ctx context.Context, from, to string) error {
	keys, err := r.store.Passkeys(ctx, from)
	if err != nil {
		return err
	}
	for _, p := range keys {
		if err := r.store.DropPasskey(ctx, from, p.ID); err != nil {
			return err
		}
		p.Account = to
		if err := r.store.AddPasskey(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// NewChallenge returns a challenge for that purpose in that browser.
func (r *Factors) NewChallenge(p Purpose, browser identity.Digest) ([]byte, error) {
	pepper := r.peppers.PepperInUse()
	c := make([]byte, challengeRandom, challengeRandom+challengeEnd+challengeMark+len(identity.Digest{}))
	_, _ = rand.Read(c)
	c = binary.BigEndian.AppendUint64(c, uint64(r.now().Add(ChallengeLife).Unix())) //nolint:gosec // after 1970
	c = binary.BigEndian.AppendUint32(c, pepper)
	mac, err := r.challengeMAC(pepper, p, browser, c)
	return append(c, mac...), err
}

func (r *Factors) challengeMAC(pepper uint32, p Purpose, browser identity.Digest, c []byte) ([]byte, error) {
	mac, err := r.peppers.Pepper(pepper, string(p), append(append([]byte(nil), browser[:]...), c...))
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	return mac, nil
}

// SpendChallenge uses up a challenge that was answered: [identity.ErrForeign] for one
// that was not given out for this, in this browser, [identity.ErrExpired] for one that
// is over, and [identity.ErrSpent] for a second answer. It commits alone, before the
// answer is judged, and is refused inside an act.
func (r *Factors) SpendChallenge(ctx context.Context, p Purpose, browser identity.Digest, challenge []byte) error {
	const head = challengeRandom + challengeEnd + challengeMark
	if len(challenge) <= head {
		return identity.ErrForeign
	}
	mac, err := r.challengeMAC(binary.BigEndian.Uint32(challenge[challengeRandom+challengeEnd:]), p, browser, challenge[:head])
	if err != nil || subtle.ConstantTimeCompare(mac, challenge[head:]) != 1 {
		return identity.ErrForeign // a pepper that is gone made it too long ago
	}
	ends := time.Unix(int64(binary.BigEndian.Uint64(challenge[challengeRandom:])), 0) //nolint:gosec // ours, by its digest
	if !r.now().Before(ends) {
		return identity.ErrExpired
	}
	return r.store.SpendChallenge(ctx, identity.Secret(challenge).Digest(), ends)
}

// offersAtMost is how often a patient is offered a passkey.
const offersAtMost = 3

// anyBrowser stands for every browser of an account that keeps none.
const anyBrowser = "*"

// browserName is what is remembered of the browser of a patient who does not want to be
// asked there again: its cookie gets another value at each login, its row stays.
func (r *Factors) browserName(ctx context.Context, account string, browser identity.Digest) (string, error) {
	known, err := r.Known(ctx, account, browser)
	if errors.Is(err, identity.ErrNotFound) {
		return anyBrowser, nil
	}
	return known.ID, err
}

// MayOfferPasskey reports whether the patient is to be offered a passkey in that
// browser.
func (r *Factors) MayOfferPasskey(ctx context.Context, account string, browser identity.Digest) (bool, error) {
	keys, err := r.store.Passkeys(ctx, account)
	if err != nil || len(keys) > 0 {
		return false, err
	}
	o, err := r.store.PasskeyOffers(ctx, account)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return false, err
	}
	name, err := r.browserName(ctx, account, browser)
	return o.Times < offersAtMost && !slices.Contains(o.Declined, name), err
}

// OfferedPasskey counts an offer that was not taken, and keeps that the patient does not
// want to be asked in that browser again.
func (r *Factors) OfferedPasskey(ctx context.Context, account string, browser identity.Digest, never bool) error {
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		name, err := r.browserName(ctx, account, browser)
		if err != nil {
			return err
		}
		o, err := r.store.PasskeyOffers(ctx, account)
		if err != nil && !errors.Is(err, identity.ErrNotFound) {
			return err
		}
		o.Account, o.Times = account, o.Times+1
		if never {
			o.Declined = append(o.Declined, name)
		}
		return r.store.PutPasskeyOffers(ctx, o)
	})
}
