// Package code owns one-time codes: how they are made, what they are bound to, and
// how a guess is judged.
//
// It never sends one (identity/outbox keeps what is due), and never decides what a
// right one gives (identity/attempt).
package code

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Purpose is what a code is for. A code of one purpose is worth nothing for
// another.
type Purpose string

// The purposes.
const (
	SignUpEmail Purpose = "sign-up-email"
	SignUpPhone Purpose = "sign-up-phone"
	Login       Purpose = "login"
	Recover     Purpose = "recover"
	ChangeEmail Purpose = "change-email"
	ChangePhone Purpose = "change-phone"
	StepUp      Purpose = "step-up"
)

// Life returns how long a code of that purpose is good: 10 minutes (ASVS 6.5.5), and
// 30 for the first mail to an address, which may wait in a queue and proves nothing
// but the address.
func Life(p Purpose) time.Duration {
	if p == SignUpEmail {
		return 30 * time.Minute
	}
	return 10 * time.Minute
}

// Guesses is how many may be made at one code where the configuration says nothing.
const Guesses = 5

// digits is the length of a code: 20 bits (ASVS 6.5.4, NIST SP 800-63B §3.1.3.3).
const digits = 6

// Bond is what a code is bound to. All of it is in the digest that is kept, so that
// a code typed elsewhere, for something else or after the address was changed is no
// code.
type Bond struct {
	Purpose Purpose
	Contact identity.Contact
	Browser identity.Digest // of the browser cookie that it was asked from
	Account string          // id; empty at sign-up
}

// loose reports whether something is missing that every code is bound to: nothing
// never equals nothing.
func (b Bond) loose() bool { return b.Purpose == "" || b.Contact.IsZero() || b.Browser.IsZero() }

var errLoose = errors.New("code: wanted a purpose, a contact and a browser that it is bound to, got fewer")

// form is what the keyed digest of a bond is made of.
func (b Bond) form() string {
	return strings.Join([]string{string(b.Purpose), b.Contact.Canonical(), string(b.Browser[:]), b.Account}, "\x00")
}

// Code is what is kept of one.
type Code struct {
	ID     string
	Pepper uint32 // under which Digest was made
	Digest []byte // of bond and code
	Made   time.Time
	Ends   time.Time
	Tries  int // guesses paid for
	Spent  bool
}

// Refusals of a guess, beside [identity.ErrNotFound] (none is pending),
// [identity.ErrExpired] and [identity.ErrSpent] (it was used, or its guesses were).
var (
	// ErrWrong says that the guess was judged, and was wrong.
	ErrWrong = errors.New("wrong code")
	// ErrMalformed says that what was typed can be no code; it cost nothing.
	ErrMalformed = errors.New("not a code of six digits")
)

// Peppers makes keyed digests that a stolen database can't be guessed against.
type Peppers interface {
	// PepperInUse names the pepper for new digests.
	PepperInUse() uint32
	// Pepper returns the HMAC of the secret under that pepper, for that purpose.
	Pepper(id uint32, purpose string, secret []byte) ([]byte, error)
	// Blind returns the digests under which what belongs to that form may be
	// kept, the one for new rows first.
	Blind(purpose, form string) ([][]byte, error)
}

// Store remembers codes under the digest of their bond. Methods join the
// transaction that ctx carries, but for Pay and Spend, which commit alone.
type Store interface {
	// PutCode keeps the code in the place of every earlier one of those bonds: the
	// newest counts alone. It is kept under the first of them.
	PutCode(ctx context.Context, bonds [][]byte, c Code) error
	// PayGuess adds a try to the code of one of those bonds and returns it, unless
	// `most` were made or it was spent: then it returns it with
	// [identity.ErrSpent]. None is [identity.ErrNotFound]. It commits before the
	// guess is looked at.
	PayGuess(ctx context.Context, bonds [][]byte, most int) (Code, error)
	// SpendCode marks the code used, once; every later caller gets
	// [identity.ErrSpent]. It commits alone.
	SpendCode(ctx context.Context, id string) error
	// SweepCodes forgets codes that ended before that time.
	SweepCodes(ctx context.Context, before time.Time) error
}

// Codes does the acts on codes.
type Codes struct {
	store   Store
	peppers Peppers
	guesses int
	now     func() time.Time
}

// New returns the room over its store. guesses is how many may be made at one code.
func New(store Store, peppers Peppers, guesses int, now func() time.Time) *Codes {
	return &Codes{store, peppers, guesses, now}
}

// Mint makes a code for that bond, in the place of the last one. It must be called
// in the act that puts its message into the outbox.
func (r *Codes) Mint(ctx context.Context, b Bond) (identity.Secret, error) {
	if b.loose() {
		return "", errLoose
	}
	bonds, err := r.peppers.Blind("code bond", b.form())
	if err != nil {
		return "", fmt.Errorf("mint the code: %w", err)
	}
	secret, pepper := random(), r.peppers.PepperInUse()
	digest, err := r.digest(pepper, b, secret)
	if err != nil {
		return "", fmt.Errorf("mint the code: %w", err)
	}
	now := r.now().UTC().Truncate(time.Microsecond)
	c := Code{ID: identity.NewID(), Pepper: pepper, Digest: digest, Made: now, Ends: now.Add(Life(b.Purpose))}
	if err := r.store.PutCode(ctx, bonds, c); err != nil {
		return "", fmt.Errorf("mint the code: %w", err)
	}
	return secret, nil
}

func (r *Codes) digest(pepper uint32, b Bond, secret identity.Secret) ([]byte, error) {
	return r.peppers.Pepper(pepper, "code", []byte(b.form()+"\x00"+secret.Reveal()))
}

// Try judges a guess and spends the code when it is right. It must be called
// outside of every act. The guess is paid for before it is compared; what can be no
// code is [ErrMalformed] and costs nothing.
func (r *Codes) Try(ctx context.Context, b Bond, typed string) error {
	if b.loose() {
		return errLoose
	}
	guess, ok := identity.ParseDigits(identity.Secret(typed), digits)
	if !ok {
		return ErrMalformed
	}
	bonds, err := r.peppers.Blind("code bond", b.form())
	if err != nil {
		return fmt.Errorf("try the code: %w", err)
	}
	c, err := r.store.PayGuess(ctx, bonds, r.guesses)
	if err != nil {
		return err
	}
	want, err := r.digest(c.Pepper, b, guess)
	if err != nil {
		return fmt.Errorf("try the code: %w", err)
	}
	now := r.now()
	switch {
	case subtle.ConstantTimeCompare(want, c.Digest) != 1:
		return ErrWrong
	case !now.Before(c.Ends), c.Made.Sub(now) > identity.Skew:
		// Used up with that: a clock that steps back revives nothing.
		if err := r.store.SpendCode(ctx, c.ID); err != nil && !errors.Is(err, identity.ErrSpent) {
			return err
		}
		return identity.ErrExpired
	}
	return r.store.SpendCode(ctx, c.ID)
}

// random returns a code, each as likely as every other: the numbers that would make
// some likelier are drawn again.
func random() identity.Secret {
	const all = 1_000_000
	const limit = 1<<32 - 1<<32%all
	for {
		var b [4]byte
		_, _ = rand.Read(b[:])
		if n := binary.BigEndian.Uint32(b[:]); uint64(n) < limit {
			return identity.Secret(fmt.Sprintf("%0*d", digits, n%all))
		}
	}
}
