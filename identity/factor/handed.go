package factor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// HandedFor is how long a code that staff hand over is good.
const HandedFor = 21 * 24 * time.Hour

// HandedKind is what a handed code proves.
type HandedKind string

// The kinds.
const (
	Activation HandedKind = "activation" // given to one patient whom the practice knows: P5
	Documents  HandedKind = "documents"  // given to a person whose documents two members of staff saw: P9
)

// Level returns the level that a code of the kind raises to; P0, nothing, for any
// other.
func (k HandedKind) Level() identity.Proofing {
	switch k {
	case Activation:
		return identity.P5
	case Documents:
		return identity.P9
	}
	return identity.P0
}

// Handed is a code that staff handed to a patient on paper, without the code.
type Handed struct {
	ID          string // a reference, such as DIL-7F3K-Q2, that staff can say and `audit find` explains
	Kind        HandedKind
	NHSNumber   identity.NHSNumber // of the patient it was given to
	Basis       string             // kind of document seen, or "practice"
	IssuedBy    string             // who asked for it
	ConfirmedBy string             // the second person; Documents only
	Reason      string             // in the words of who asked
	Issued      time.Time
	Expires     time.Time
	Spent       time.Time // zero: not
	SpentBy     string    // account
	Revoked     time.Time // zero: not
}

// Over says why the code is good no more at that instant, or nil: first
// [identity.ErrSpent], then [identity.ErrExpired], which revoked ones are too.
func (h Handed) Over(now time.Time) error {
	switch {
	case !h.Spent.IsZero():
		return identity.ErrSpent
	case !h.Revoked.IsZero(), !now.Before(h.Expires):
		return identity.ErrExpired
	}
	return nil
}

// HandedDigest is how a handed code is kept and found.
type HandedDigest struct {
	Pepper uint32
	Digest []byte
}

// HandedStore is the part of [Store] that keeps handed codes.
type HandedStore interface {
	// AddHanded adds a code. An id or digest that is there already is
	// [identity.ErrConflict].
	AddHanded(ctx context.Context, code HandedDigest, h Handed) error
	// SpendHanded uses the code up for that account, once, and returns it: the first
	// caller has no error. For every later one, and for a code that is revoked or
	// was over at that instant, it returns the code as it stands with what
	// [Handed.Over] says, having changed nothing. An unknown code is
	// [identity.ErrNotFound]. It commits alone, before what it proves is looked at.
	SpendHanded(ctx context.Context, code HandedDigest, account string, at time.Time) (Handed, error)
	// RevokeHanded ends the code of that id and returns it, or says why it could
	// not: [identity.ErrNotFound], or what [Handed.Over] says at that instant.
	RevokeHanded(ctx context.Context, id string, at time.Time) (Handed, error)
	// Handed returns the codes that were issued since, the newest first.
	Handed(ctx context.Context, since time.Time) ([]Handed, error)
}

// Issue makes a code for the patient with h.NHSNumber: h says what it proves, on
// what basis, who gives it and why; id and times are given here. A proof by
// documents needs two people. The code is returned with what is kept of it, is to
// be shown once, and goes on paper to that patient alone. It joins the act of ctx,
// or is one of its own; in an act that runs again, the code of the last run is the
// good one.
func (r *Factors) Issue(ctx context.Context, h Handed) (identity.Secret, Handed, error) {
	if err := h.check(); err != nil {
		return "", Handed{}, fmt.Errorf("handed code: %w", err)
	}
	h.ID, h.Issued, h.Spent, h.Revoked, h.SpentBy = identity.NewReference(), r.moment(), time.Time{}, time.Time{}, ""
	h.Expires = h.Issued.Add(HandedFor)
	code := identity.ReadableCode(codeBits)
	digest, err := r.handedDigest(r.peppers.PepperInUse(), code)
	if err != nil {
		return "", Handed{}, fmt.Errorf("handed code: %w", err)
	}
	err = r.ledger.Act(ctx, h.issued(), func(ctx context.Context) error { return r.store.AddHanded(ctx, digest, h) })
	if err != nil {
		return "", Handed{}, fmt.Errorf("handed code: %w", err)
	}
	return code, h, nil
}

var errTwoPeople = errors.New("wanted a second person to confirm what the first saw, got one")

// check refuses a code that would prove nothing, nobody or without a witness.
func (h Handed) check() error {
	switch {
	case h.Kind.Level() == identity.P0, h.NHSNumber.IsZero(), h.Basis == "", h.IssuedBy == "":
		return errMissing
	case h.Kind == Documents && (h.ConfirmedBy == "" || h.ConfirmedBy == h.IssuedBy):
		return errTwoPeople
	}
	return nil
}

// issued is the event of the code: by whom it was given, or confirmed.
func (h Handed) issued() *audit.Event {
	e := &audit.Event{Kind: audit.ActivationIssued, Actor: h.IssuedBy, Reference: h.ID, Cause: h.Basis, Reason: h.Reason}
	if h.Kind == Documents {
		e.Kind, e.Actor = audit.ProofRecorded, h.ConfirmedBy
	}
	return e
}

func (r *Factors) handedDigest(pepper uint32, code identity.Secret) (HandedDigest, error) {
	digest, err := r.peppers.Pepper(pepper, "handed", []byte(code.Reveal()))
	return HandedDigest{pepper, digest}, err
}

// SpendHanded uses up the code that was typed, for that account, and returns what
// it proves of whom: its Kind's level, its NHSNumber. It returns
// [identity.ErrNotFound] for what is no code of ours, and [identity.ErrSpent] or
// [identity.ErrExpired] together with the code. It commits alone and is refused
// inside an act; the event is written before it returns, and without an event
// nothing is proved. Guesses are limited by the caller, before. Whose the account
// is, and whether it may have that number, is the caller's to judge: a code
// presented by the wrong person is used up all the same.
func (r *Factors) SpendHanded(ctx context.Context, account string, typed identity.Secret) (Handed, error) {
	code, ok := identity.ParseReadableCode(typed, codeBits)
	if !ok || account == "" {
		return Handed{}, fmt.Errorf("handed code: %w", identity.ErrNotFound)
	}
	for _, pepper := range r.peppers.Peppers() {
		digest, err := r.handedDigest(pepper, code)
		if err != nil {
			return Handed{}, fmt.Errorf("handed code: %w", err)
		}
		h, err := r.store.SpendHanded(ctx, digest, account, r.moment())
		if errors.Is(err, identity.ErrNotFound) {
			continue // made before the pepper was rotated, perhaps
		}
		if err != nil {
			return h, fmt.Errorf("handed code: %w", err)
		}
		return h, r.ledger.Record(ctx, audit.Event{
			Kind: audit.ActivationSpent, Actor: audit.Patient, Account: account, Reference: h.ID, Cause: h.Basis,
		})
	}
	return Handed{}, fmt.Errorf("handed code: %w", identity.ErrNotFound)
}

// Revoke ends a code that was not used yet: [identity.ErrNotFound],
// [identity.ErrSpent] or [identity.ErrExpired] say why it can't. What a used code
// proved is not taken back by it. It is an act of its own.
func (r *Factors) Revoke(ctx context.Context, id, actor, reason string) error {
	e := &audit.Event{Kind: audit.ActivationRevoked, Actor: actor, Reference: id, Reason: reason}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error {
		_, err := r.store.RevokeHanded(ctx, id, r.moment())
		if err != nil {
			return fmt.Errorf("handed code: %w", err)
		}
		return nil
	})
}

// ListHanded returns every code that is kept, the newest first; [Handed.Over]
// tells which are good. It reads, in the act of ctx if there is one.
func (r *Factors) ListHanded(ctx context.Context) ([]Handed, error) {
	return r.store.Handed(ctx, time.Time{})
}
