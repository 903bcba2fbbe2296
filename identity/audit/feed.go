package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/dilys-id/dilys/identity"
)

// FeedStore remembers how far each reader of the sealed events has come. Methods join the
// transaction that ctx carries.
type FeedStore interface {
	// Head and Batch are of [ChainStore].
	Head(ctx context.Context) (Batch, error)
	Batch(ctx context.Context, number int64) (Batch, []Event, error)
	// Followed returns the number of the last batch that the reader has done with, or
	// [identity.ErrNotFound] for a reader that never read.
	Followed(ctx context.Context, reader string) (int64, error)
	// Follow puts the next number in the place of the last, which is -1 for a reader that
	// never read; or [identity.ErrConflict] where another replica has done so.
	Follow(ctx context.Context, reader string, last, next int64) error
}

// Feed gives the events that are sealed to readers, in their order and each once, so that
// what follows from an event can't be forgotten by the act that wrote it.
type Feed struct {
	store  FeedStore
	ledger *Ledger
}

// NewFeed returns the feed of a store.
func NewFeed(store FeedStore, ledger *Ledger) *Feed { return &Feed{store, ledger} }

// Next gives fn the reader's next batch, in one transaction with what fn writes, and
// reports whether there was one. A reader begins with what is sealed after its first call.
func (f *Feed) Next(ctx context.Context, reader string, fn func(ctx context.Context, events []Event) error) (bool, error) {
	head, err := f.store.Head(ctx)
	if err != nil {
		return false, fmt.Errorf("read the head of the chain: %w", err)
	}
	at, err := f.store.Followed(ctx, reader)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return false, f.store.Follow(ctx, reader, -1, head.Number)
	case err != nil || at >= head.Number:
		return false, err
	}
	_, events, err := f.store.Batch(ctx, at+1)
	if err != nil {
		return false, fmt.Errorf("batch %d: %w", at+1, err)
	}
	err = f.ledger.Within(ctx, func(ctx context.Context) error {
		if err := f.store.Follow(ctx, reader, at, at+1); err != nil {
			return err
		}
		return fn(ctx, events)
	})
	if errors.Is(err, identity.ErrConflict) { // another replica was first
		return true, nil
	}
	return err == nil, err
}
