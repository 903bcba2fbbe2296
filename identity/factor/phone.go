package factor

import (
	"context"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// Phone is the number that an account's codes are sent to.
type Phone struct {
	ID      string // of this binding: the next number has another
	Account string
	Number  identity.Phone
	Level   identity.Proofing
	Bound   time.Time
	Off     bool // too many wrong codes in a row: no code opens by it until it is bound again
}

// Factor returns the phone as what opens the account.
func (p Phone) Factor() Factor {
	return Factor{Kind: KindPhone, ID: p.ID, Account: p.Account, Level: p.Level, Bound: p.Bound}
}

// PhoneStore is the part of [Store] that keeps phones, one an account.
type PhoneStore interface {
	// PutPhone makes the phone the account's, in the place of the one before.
	PutPhone(ctx context.Context, p Phone) error
	// Phone returns the account's phone, or [identity.ErrNotFound].
	Phone(ctx context.Context, account string) (Phone, error)
	// SwitchPhoneOff marks the account's phone of that id, if it still is that one.
	SwitchPhoneOff(ctx context.Context, account, id string) error
	// DropPhone deletes the account's phone, if it has one.
	DropPhone(ctx context.Context, account string) error
}

// Phone returns the account's phone, one that is off included, or
// [identity.ErrNotFound]. It reads, in the act of ctx if there is one.
func (r *Factors) Phone(ctx context.Context, account string) (Phone, error) {
	p, err := r.store.Phone(ctx, account)
	if err != nil {
		return Phone{}, fmt.Errorf("phone: %w", err)
	}
	return p, nil
}

// BindPhone makes the number the account's, in the place of the one before, at the
// level of the session that binds it; that a code to it was answered, the caller
// knows. It returns the phone as bound. It joins the act of ctx, or is one of its
// own.
func (r *Factors) BindPhone(ctx context.Context, account string, number identity.Phone, level identity.Proofing) (Phone, error) {
	if number.IsZero() {
		return Phone{}, fmt.Errorf("phone: %w", errMissing)
	}
	p := Phone{ID: identity.NewID(), Account: account, Number: number, Level: level, Bound: r.moment()}
	e := &audit.Event{Kind: audit.PhoneBound, Actor: audit.Patient, Account: account}
	return p, r.ledger.Act(ctx, e, func(ctx context.Context) error { return r.store.PutPhone(ctx, p) })
}

// SwitchPhoneOff ends that phone as a factor, after too many wrong codes in a row.
// A number that was bound since stays on. It joins the act of ctx, or is one of
// its own.
func (r *Factors) SwitchPhoneOff(ctx context.Context, p Phone) error {
	e := &audit.Event{Kind: audit.PhoneOff, Actor: audit.System, Account: p.Account}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return r.store.SwitchPhoneOff(ctx, p.Account, p.ID) })
}

// DropPhone takes the number from the account. It joins the act of ctx, or is one
// of its own.
func (r *Factors) DropPhone(ctx context.Context, account string) error {
	e := &audit.Event{Kind: audit.PhoneDropped, Actor: audit.Patient, Account: account}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error { return r.store.DropPhone(ctx, account) })
}
