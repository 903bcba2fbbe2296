package audit_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// epoch is when the stories begin, finer than what is kept, and not in UTC.
var epoch = time.Date(2026, 11, 21, 9, 30, 0, 123456789, time.FixedZone("CET", 3600))

// kept is epoch as an event keeps it.
var kept = epoch.UTC().Truncate(time.Microsecond)

// ticking is a clock that moves on a second at each look, so that a thing that is
// stamped twice shows it.
func ticking() func() time.Time {
	next := epoch
	return func() time.Time {
		now := next
		next = next.Add(time.Second)
		return now
	}
}

func still() time.Time { return epoch }

var (
	errAct     = errors.New("the act changed its mind")
	errRefused = errors.New("the event is refused")
	errCommit  = errors.New("the commit failed")
	errJournal = errors.New("the journal is full")
	errStore   = errors.New("the store is away")
)

// memory is a store that does what the interfaces ask, and breaks where it is
// told to.
type memory struct {
	act     sync.Mutex // held by a transaction
	acts    []string   // what acts wrote
	events  []audit.Event
	batches []batch

	faults
}

// faults are what a store does when it is told to.
type faults struct {
	refuse []error // of the coming Appends, one each; the last one for all after it
	again  int     // how often a transaction is begun anew
	commit error
	away   string // the method that fails: "Head", "Unsealed", "Seal" or "Batch"
}

type batch struct {
	audit.Batch
	events []audit.Event
}

type inAct struct{}

func (m *memory) Within(ctx context.Context, fn func(context.Context) error) error {
	if ctx.Value(inAct{}) != nil {
		return fn(ctx)
	}
	m.act.Lock()
	defer m.act.Unlock()
	for {
		acts, events, batches := slices.Clone(m.acts), slices.Clone(m.events), slices.Clone(m.batches)
		err := fn(context.WithValue(ctx, inAct{}, true))
		if err == nil {
			err = m.commit
		}
		if err == nil && m.again == 0 {
			return nil
		}
		m.acts, m.events, m.batches = acts, events, batches
		if m.again == 0 {
			return err
		}
		m.again--
	}
}

func (m *memory) Append(ctx context.Context, e audit.Event) error {
	return m.Within(ctx, func(context.Context) error {
		var refused error
		if len(m.refuse) > 0 {
			refused = m.refuse[0]
			m.refuse = m.refuse[min(1, len(m.refuse)-1):]
		}
		if refused != nil {
			return refused
		}
		m.events = append(m.events, e)
		return nil
	})
}

// do is an act that leaves a word.
func (m *memory) do(word string) func(context.Context) error {
	return func(context.Context) error {
		m.acts = append(m.acts, word)
		return nil
	}
}

func (m *memory) broken(method string) error {
	if m.away == method {
		return errStore
	}
	return nil
}

func (m *memory) sealed(id string) bool {
	return slices.ContainsFunc(m.batches, func(b batch) bool {
		return slices.ContainsFunc(b.events, func(e audit.Event) bool { return e.ID == id })
	})
}

func (m *memory) Unsealed(ctx context.Context, limit int) (events []audit.Event, err error) {
	err = m.Within(ctx, func(context.Context) error {
		for _, e := range m.events {
			if len(events) < limit && !m.sealed(e.ID) {
				events = append(events, e)
			}
		}
		return m.broken("Unsealed")
	})
	return events, err
}

func (m *memory) Head(ctx context.Context) (b audit.Batch, err error) {
	err = m.Within(ctx, func(context.Context) error {
		if n := len(m.batches); n > 0 {
			b = m.batches[n-1].Batch
		}
		return m.broken("Head")
	})
	return b, err
}

func (m *memory) Seal(ctx context.Context, b audit.Batch, events []audit.Event) error {
	return m.Within(ctx, func(context.Context) error {
		taken := slices.ContainsFunc(events, func(e audit.Event) bool { return m.sealed(e.ID) })
		if b.Number != int64(len(m.batches))+1 || taken {
			return identity.ErrConflict
		}
		m.batches = append(m.batches, batch{b, slices.Clone(events)})
		return m.broken("Seal")
	})
}

func (m *memory) Batch(ctx context.Context, number int64) (b audit.Batch, events []audit.Event, err error) {
	err = m.Within(ctx, func(context.Context) error {
		i := slices.IndexFunc(m.batches, func(b batch) bool { return b.Number == number })
		if i < 0 {
			return identity.ErrNotFound
		}
		b, events = m.batches[i].Batch, m.batches[i].events
		return m.broken("Batch")
	})
	return b, events, err
}

// journal keeps events, and in done how many acts had been done at each.
type journal struct {
	store  *memory
	refuse error
	events []audit.Event
	done   []int
}

func (j *journal) Write(e audit.Event) error {
	if j.refuse != nil {
		return j.refuse
	}
	j.events, j.done = append(j.events, e), append(j.done, len(j.store.acts))
	return nil
}

// key is a MAC.
type key string

func (k key) ComputeMAC(data []byte) ([]byte, error) {
	if k == "" {
		return nil, errors.New("no key")
	}
	m := hmac.New(sha256.New, []byte(k))
	m.Write(data)
	return m.Sum(nil), nil
}

func (k key) VerifyMAC(mac, data []byte) error {
	if want, err := k.ComputeMAC(data); err != nil || !hmac.Equal(want, mac) {
		return errors.New("another tag")
	}
	return nil
}
