package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Channels are the ways that messages to patients go.
var Channels = []identity.Channel{identity.ByEmail, identity.BySMS}

const (
	// sendWithin bounds everything done for one message in one try.
	sendWithin = 20 * time.Second
	// leaseFor is longer than a try takes by as much as two clocks may differ: no
	// replica takes over what another still sends.
	leaseFor = sendWithin + 2*identity.Skew
	// atOnce bounds the messages of one channel under way in this process.
	atOnce = 16
)

// What is what happened to a message or a channel.
type What string

// What is told.
const (
	Put        What = "put"
	Sent       What = "sent"
	Dead       What = "dead"
	Retried    What = "retried"
	Received   What = "received" // the vendor told later how it went; Cause is its word
	ChannelOff What = "channel-off"
	ChannelOn  What = "channel-on"
	Faulty     What = "fault" // the store or the courier could not be asked; Err says why
)

// Happening is one thing that happened, for counters and logs. Nothing in it is
// personal.
type Happening struct {
	What  What
	By    identity.Channel
	Kind  Kind
	Cause string
	Err   error
}

// Options are what an outbox needs beside its store.
type Options struct {
	Courier Courier
	Portals []string // ids of those that messages go to as well
	Now     func() time.Time
	// Told is called for everything that happens, from several goroutines, and
	// must return at once. nil: nobody is told.
	Told func(Happening)
}

// Outbox takes messages and sees to it that they leave.
type Outbox struct {
	store   Store
	courier Courier
	now     func() time.Time
	told    func(Happening)
	ways    []identity.Channel
	lines   map[identity.Channel]*line
}

// line is one channel in this process.
type line struct {
	wake  chan struct{} // holds one: something became due
	slots chan struct{} // a full one has no room for another message under way
}

// New returns an outbox over its store.
func New(store Store, o Options) *Outbox {
	if o.Told == nil {
		o.Told = func(Happening) {}
	}
	out := &Outbox{store, o.Courier, o.Now, o.Told, slices.Clone(Channels), map[identity.Channel]*line{}}
	for _, id := range o.Portals {
		out.ways = append(out.ways, identity.ToPortal(id))
	}
	for _, by := range out.ways {
		out.lines[by] = &line{make(chan struct{}, 1), make(chan struct{}, atOnce)}
	}
	return out
}

// Put puts the message down in the transaction of ctx: it leaves if that commits,
// and within milliseconds of it where [Outbox.Run] runs. A message that could
// never be sent is refused.
func (o *Outbox) Put(ctx context.Context, m Message) error {
	m, err := m.finish(o.now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return err
	}
	by, kind := m.To.Channel, m.Kind
	err = o.store.Put(ctx, m, func() {
		o.told(Happening{What: Put, By: by, Kind: kind})
		o.wake(by)
	})
	if err != nil {
		return fmt.Errorf("put the message %s: %w", kind, err)
	}
	return nil
}

// Withdraw takes back what of the thread is not sent yet, as what it carries was
// used or is dead.
func (o *Outbox) Withdraw(ctx context.Context, thread string) error {
	if thread == "" {
		return nil
	}
	if err := o.store.Withdraw(ctx, thread, o.now()); err != nil {
		return fmt.Errorf("withdraw messages: %w", err)
	}
	return nil
}

func (o *Outbox) wake(by identity.Channel) {
	line := o.lines[by]
	if line == nil { // another process sends it
		return
	}
	select {
	case line.wake <- struct{}{}:
	default: // woken already
	}
}

// State returns how the channel stands, so that a page can say so before it asks
// for anything. It is the same on every replica.
func (o *Outbox) State(ctx context.Context, by identity.Channel) (ChannelState, error) {
	s, err := o.store.Standing(ctx, by)
	if err != nil {
		return ChannelState{}, fmt.Errorf("read how %s stands: %w", by, err)
	}
	return s.state(o.now()), nil
}

// Waiting returns for how long the message that waits longest on the channel has
// been due: 0 when nothing waits.
func (o *Outbox) Waiting(ctx context.Context, by identity.Channel) (time.Duration, error) {
	now := o.now()
	due, err := o.store.Oldest(ctx, by, now)
	if err != nil || due.IsZero() {
		return 0, err
	}
	return now.Sub(due), nil
}

// Receive takes what the vendor tells later of a message: whether it arrived.
// The first word counts, a repeated or unknown one changes nothing.
func (o *Outbox) Receive(ctx context.Context, reference, status string) error {
	over, err := o.store.Receive(ctx, reference, status)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("keep a receipt: %w", err)
	}
	o.told(Happening{What: Received, By: over.By, Kind: over.Kind, Cause: status})
	return nil
}

// Run sends what is due until ctx is done: at once when this process commits a
// message, and at each turn of every for retries and other replicas' messages. It
// returns when the last message under way has its answer.
func (o *Outbox) Run(ctx context.Context, every time.Duration) {
	var busy sync.WaitGroup
	for _, by := range o.ways {
		busy.Go(func() {
			var sending sync.WaitGroup
			defer sending.Wait()
			tick := time.NewTicker(every)
			defer tick.Stop()
			for ctx.Err() == nil {
				if _, err := o.drain(ctx, by, &sending); err != nil && ctx.Err() == nil {
					o.told(Happening{What: Faulty, By: by, Err: err})
				}
				select {
				case <-ctx.Done():
				case <-tick.C:
				case <-o.lines[by].wake:
				}
			}
		})
	}
	busy.Wait()
}

// Deliver sends what is due now, waits for the answers, and returns how many
// messages were tried. Any number of replicas may do so at once.
func (o *Outbox) Deliver(ctx context.Context) (int, error) {
	var sending, lines sync.WaitGroup
	tried, errs := make([]int, len(o.ways)), make([]error, len(o.ways))
	for i, by := range o.ways {
		lines.Go(func() { tried[i], errs[i] = o.drain(ctx, by, &sending) })
	}
	lines.Wait()
	sending.Wait()
	total := 0
	for _, n := range tried {
		total += n
	}
	return total, errors.Join(errs...)
}
