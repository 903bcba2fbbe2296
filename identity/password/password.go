// Package password owns passwords: which are taken, how they are kept, and how one
// is judged.
//
// It never hashes itself: that is slow on purpose, so a [Hasher] does it where
// nobody else has to wait. It never counts guesses (identity/limit) and keeps no
// password, only what a hash can be checked against.
package password

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/dilys-id/dilys/identity"
)

// Peppered is the HMAC of a password under a pepper: all of it that ever leaves the
// process that the patient's form came to.
type Peppered [32]byte

// Lane says who waits for a hash.
type Lane uint8

// The lanes. A part of the queue is kept for browsers that logged in here before,
// so that a crowd of strangers does not lock patients out.
const (
	Anyone Lane = iota
	Known
)

// ErrBusy says that too many hashes are waited for: nothing was judged, and the
// patient may try again in a moment.
var ErrBusy = fmt.Errorf("too many passwords are being judged: %w", identity.ErrUnavailable)

// Hasher makes and checks hashes, away from everything that must stay quick. Both
// return [ErrBusy] at once when its queue is full.
type Hasher interface {
	Hash(ctx context.Context, p Peppered, lane Lane) (PHC, error)
	Verify(ctx context.Context, hash PHC, p Peppered, lane Lane) (bool, error)
}

// Peppers makes keyed digests that a stolen database can't be guessed against.
type Peppers interface {
	// PepperInUse names the pepper for new digests.
	PepperInUse() uint32
	// Pepper returns the HMAC of the secret under that pepper, for that purpose.
	Pepper(id uint32, purpose string, secret []byte) ([]byte, error)
}

// Record is what is kept of a password.
type Record struct {
	PHC    PHC
	Pepper uint32            // under which it was peppered
	Level  identity.Proofing // of the session in which it was bound
	Set    time.Time
}

// Store remembers the password of each account. Methods join the transaction that
// ctx carries.
type Store interface {
	// Password returns the account's record, or [identity.ErrNotFound].
	Password(ctx context.Context, account string) (Record, error)
	// SetPassword keeps the record in the place of the last one.
	SetPassword(ctx context.Context, account string, r Record) error
	// RenewPassword keeps the record's hash and pepper where that password, set at that
	// instant, is still the account's. Else it does nothing, and that is no error.
	RenewPassword(ctx context.Context, account string, r Record) error
	// RaisePassword lifts the level that the account's password carries; it never
	// lowers it.
	RaisePassword(ctx context.Context, account string, level identity.Proofing) error
}

// Passwords does the acts on passwords.
type Passwords struct {
	store   Store
	hasher  Hasher
	peppers Peppers
	decoy   Record // what an unknown account's password is checked against
	now     func() time.Time
}

// New returns the room over its store.
func New(store Store, hasher Hasher, peppers Peppers, now func() time.Time) *Passwords {
	return &Passwords{store, hasher, peppers, Record{PHC: decoyPHC(), Pepper: peppers.PepperInUse()}, now}
}

// Prepare hashes a password for a record, outside of every act. Whoever binds it
// fills in its level. It returns [ErrBusy].
func (r *Passwords) Prepare(ctx context.Context, pw identity.Secret, lane Lane) (Record, error) {
	pepper := r.peppers.PepperInUse()
	p, err := r.pepper(pepper, pw)
	if err != nil {
		return Record{}, err
	}
	hash, err := r.hasher.Hash(ctx, p, lane)
	if err != nil {
		return Record{}, fmt.Errorf("hash the password: %w", err)
	}
	return Record{PHC: hash, Pepper: pepper, Set: r.now().UTC().Truncate(time.Microsecond)}, nil
}

// pepper returns all that leaves the process: the two ways to spell an accented
// letter are one password (NIST SP 800-63B §3.1.1.2).
func (r *Passwords) pepper(id uint32, pw identity.Secret) (p Peppered, err error) {
	digest, err := r.peppers.Pepper(id, "password", norm.NFC.Bytes([]byte(pw.Reveal())))
	copy(p[:], digest)
	return p, err
}

// Of returns the account's record, or [identity.ErrNotFound].
func (r *Passwords) Of(ctx context.Context, account string) (Record, error) {
	return r.store.Password(ctx, account)
}

// Set keeps the record, in the act of what sets it.
func (r *Passwords) Set(ctx context.Context, account string, record Record) error {
	return r.store.SetPassword(ctx, account, record)
}

// Renew keeps what [Passwords.Check] hashed anew, unless the password was changed since
// it was read: the old one must not come back by a login that was under way.
func (r *Passwords) Renew(ctx context.Context, account string, fresh Record) error {
	return r.store.RenewPassword(ctx, account, fresh)
}

// Raise lifts the level that the password carries, in the act of the proof.
func (r *Passwords) Raise(ctx context.Context, account string, level identity.Proofing) error {
	return r.store.RaisePassword(ctx, account, level)
}

// Check judges a password against a record, outside of every act. The zero record
// is that of nobody: it costs as much and is never right. A password that none can
// be costs nothing, whoever's it would be. fresh is the same password hashed anew for
// [Passwords.Renew], where parameters or pepper rose since; it is nil else. It returns
// [ErrBusy].
func (r *Passwords) Check(ctx context.Context, record Record, pw identity.Secret, lane Lane) (ok bool, fresh *Record, err error) {
	if tooLong(pw) || pw == "" {
		return false, nil, nil
	}
	nobody := record.PHC == ""
	if nobody {
		record = r.decoy
	}
	p, err := r.pepper(record.Pepper, pw)
	if err != nil {
		return false, nil, fmt.Errorf("check the password: %w", err)
	}
	ok, err = r.hasher.Verify(ctx, record.PHC, p, lane)
	if err != nil {
		return false, nil, fmt.Errorf("check the password: %w", err)
	}
	if !ok || nobody {
		return false, nil, nil
	}
	if !record.PHC.Outdated() && record.Pepper == r.peppers.PepperInUse() {
		return true, nil, nil
	}
	anew, err := r.Prepare(ctx, pw, lane)
	if errors.Is(err, ErrBusy) {
		return true, nil, nil // next time: a right password is not turned away for this
	}
	if err != nil {
		return false, nil, err
	}
	anew.Level, anew.Set = record.Level, record.Set
	return true, &anew, nil
}
