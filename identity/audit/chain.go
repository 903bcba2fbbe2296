package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// MAC is a keyed message authentication code whose tags name their key, so that
// tags made before a rotation still verify.
type MAC interface {
	ComputeMAC(data []byte) ([]byte, error)
	VerifyMAC(mac, data []byte) error
}

// Batch is one link of the chain: a run of events, the tag over them and over the
// tag before.
type Batch struct {
	Number   int64 // from 1, without gaps
	SealedAt time.Time
	Count    int // events in it
	Tag      []byte
}

// ChainStore keeps the chain.
type ChainStore interface {
	// Unsealed returns the oldest events that no batch holds, at most limit.
	Unsealed(ctx context.Context, limit int) ([]Event, error)
	// Head returns the last batch, or the zero Batch before the first.
	Head(ctx context.Context) (Batch, error)
	// Seal adds the batch with its events, in that order, all or nothing. It
	// returns [identity.ErrConflict] when b.Number is not one above the head, or
	// when one of the events is already in a batch: another replica was first.
	Seal(ctx context.Context, b Batch, events []Event) error
	// Batch returns a batch with its events in their order, or
	// [identity.ErrNotFound].
	Batch(ctx context.Context, number int64) (Batch, []Event, error)
}

// batchLimit bounds a batch, and with it the memory of sealing and verifying.
const batchLimit = 1000

// Chain links events so that a missing or altered one is seen.
type Chain struct {
	store ChainStore
	mac   MAC
	now   func() time.Time
}

// NewChain returns the chain over the store.
func NewChain(store ChainStore, mac MAC, now func() time.Time) *Chain {
	return &Chain{store, mac, now}
}

// Seal links the events that no batch holds yet, and returns the new head and
// whether there was anything to seal. Losing to another replica is no error.
func (c *Chain) Seal(ctx context.Context) (Batch, bool, error) {
	head, err := c.store.Head(ctx)
	if err != nil {
		return Batch{}, false, fmt.Errorf("read the head of the chain: %w", err)
	}
	events, err := c.store.Unsealed(ctx, batchLimit)
	if err != nil || len(events) == 0 {
		return head, false, err
	}
	next := Batch{Number: head.Number + 1, SealedAt: c.now().UTC().Truncate(time.Microsecond), Count: len(events)}
	if next.Tag, err = c.mac.ComputeMAC(message(head.Tag, next, events)); err != nil {
		return Batch{}, false, fmt.Errorf("seal batch %d: %w", next.Number, err)
	}
	if err := c.store.Seal(ctx, next, events); err != nil {
		if errors.Is(err, identity.ErrConflict) {
			return head, false, nil
		}
		return Batch{}, false, fmt.Errorf("seal batch %d: %w", next.Number, err)
	}
	return next, true, nil
}

// Verify walks the whole chain and returns its head. The error names the first
// batch that is missing or does not verify. A chain cut at its end verifies: the
// heads in the log tell how long it was, and known, if not zero, must be in it.
func (c *Chain) Verify(ctx context.Context, known Batch) (Batch, error) {
	head, err := c.store.Head(ctx)
	if err != nil {
		return Batch{}, fmt.Errorf("read the head of the chain: %w", err)
	}
	var prev Batch
	for number := int64(1); number <= head.Number; number++ {
		b, events, err := c.store.Batch(ctx, number)
		if err != nil {
			return prev, fmt.Errorf("batch %d: %w", number, err)
		}
		if b.Count != len(events) {
			return prev, fmt.Errorf("batch %d: wanted %d events, got %d", number, b.Count, len(events))
		}
		if err := c.mac.VerifyMAC(b.Tag, message(prev.Tag, b, events)); err != nil {
			return prev, fmt.Errorf("batch %d: an event or its order was altered", number)
		}
		if b.Number == known.Number && !bytes.Equal(b.Tag, known.Tag) {
			return prev, fmt.Errorf("batch %d: wanted the tag of the known head, got another", number)
		}
		prev = b
	}
	if prev.Number < known.Number {
		return prev, fmt.Errorf("batch %d: wanted it in the chain, which ends at %d", known.Number, prev.Number)
	}
	return prev, nil
}

// message is what a batch's tag covers: the tag before, the batch itself, and
// every field of every event with its length, so that no two batches read alike.
func message(prev []byte, b Batch, events []Event) []byte {
	var m []byte
	add := func(s string) {
		m = binary.BigEndian.AppendUint32(m, uint32(len(s)))
		m = append(m, s...)
	}
	add(string(prev))
	m = binary.BigEndian.AppendUint64(m, uint64(b.Number))
	m = binary.BigEndian.AppendUint64(m, uint64(b.SealedAt.UnixMicro()))
	m = binary.BigEndian.AppendUint64(m, uint64(len(events)))
	for _, e := range events {
		m = binary.BigEndian.AppendUint64(m, uint64(e.At.UnixMicro()))
		for _, s := range []string{
			e.ID, string(e.Kind), string(e.Result), e.Actor, e.Reference, e.Account, e.Session,
			e.Provider, e.Portal, e.Cause, e.Reason,
		} {
			add(s)
		}
		m = binary.BigEndian.AppendUint32(m, uint32(len(e.Fields)))
		for _, field := range e.Fields {
			add(field)
		}
	}
	return m
}
