package factor

import (
	"context"
	"errors"
	"fmt"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// ChoiceStore is the part of [Store] that keeps which factor a patient is asked for
// first.
type ChoiceStore interface {
	// PutChoice keeps the kind, in the place of the one before.
	PutChoice(ctx context.Context, account string, kind Kind) error
	// Choice returns it, or [identity.ErrNotFound].
	Choice(ctx context.Context, account string) (Kind, error)
}

// chosen are the kinds that a patient can be asked for first. A remembered browser
// asks for nothing.
var chosen = map[Kind]bool{KindTOTP: true, KindPhone: true, KindCard: true}

// Choose keeps which factor the patient wants to be asked for first. It only orders:
// a factor that the account does not have is not asked for by it. It joins the act
// of ctx, or is one of its own.
func (r *Factors) Choose(ctx context.Context, account string, kind Kind) error {
	if !chosen[kind] {
		return fmt.Errorf("factor: wanted one that can be asked for, got %.20q", string(kind))
	}
	e := &audit.Event{Kind: audit.FactorChosen, Actor: audit.Patient, Account: account, Fields: []string{string(kind)}}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error { return r.store.PutChoice(ctx, account, kind) })
}

// Choice returns the kind that the patient wants to be asked for first, or nothing.
// It reads, in the act of ctx if there is one.
func (r *Factors) Choice(ctx context.Context, account string) (Kind, error) {
	kind, err := r.store.Choice(ctx, account)
	if errors.Is(err, identity.ErrNotFound) {
		return "", nil
	}
	return kind, err
}
