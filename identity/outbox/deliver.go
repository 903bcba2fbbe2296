package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// drain buries what is over and starts a sending for each message of the channel
// that is due, in sending. A slow one holds up its own slot alone. It returns how
// many it started.
func (o *Outbox) drain(ctx context.Context, by identity.Channel, sending *sync.WaitGroup) (int, error) {
	if err := o.bury(ctx); err != nil {
		return 0, err
	}
	started := 0
	for ctx.Err() == nil {
		n, err := o.start(ctx, by, sending)
		started += n
		if err != nil || n == 0 {
			return started, err
		}
	}
	return started, nil
}

// bury wipes what is over. It comes before any sending, and whether the channel
// is on or off.
func (o *Outbox) bury(ctx context.Context) error {
	for {
		over, err := o.store.Expire(ctx, o.now())
		if err != nil {
			return fmt.Errorf("bury messages: %w", err)
		}
		for _, m := range over {
			o.told(Happening{What: Dead, By: m.By, Kind: m.Kind, Cause: CauseExpired})
		}
		if len(over) == 0 {
			return nil
		}
	}
}

// start begins to send as many messages as there is room for, and returns how
// many. How the channel stands is read once there is room: what was under way may
// just have shown that it is off. On trial it sends one and waits for its answer.
func (o *Outbox) start(ctx context.Context, by identity.Channel, sending *sync.WaitGroup) (int, error) {
	line := o.lines[by]
	room := line.take(ctx)
	s, claimed, c, err := o.claim(ctx, by, room)
	line.give(room - len(claimed))
	if err != nil {
		return 0, err
	}
	var trial sync.WaitGroup
	if s.onTrial() {
		sending = &trial
	}
	for _, m := range claimed {
		sending.Go(func() {
			defer line.give(1)
			o.send(ctx, c, m, s)
		})
	}
	trial.Wait()
	return len(claimed), nil
}

// claim takes messages up to that many: none while the channel is off, one while
// it is on trial.
func (o *Outbox) claim(ctx context.Context, by identity.Channel, room int) (Standing, []Claimed, Claim, error) {
	s, err := o.store.Standing(ctx, by)
	if err != nil {
		return s, nil, Claim{}, fmt.Errorf("read how %s stands: %w", by, err)
	}
	now := o.now()
	if room == 0 || s.state(now).Off {
		return s, nil, Claim{}, nil
	}
	if s.onTrial() {
		room = 1
	}
	c := Claim{By: by, Lease: identity.NewID(), At: now, Until: now.Add(leaseFor), Limit: room}
	claimed, err := o.store.Claim(ctx, c)
	if err != nil {
		return s, nil, c, fmt.Errorf("claim messages: %w", err)
	}
	return s, claimed, c, nil
}

// take waits for room and takes all there is. It returns 0 when ctx is done first.
func (l *line) take(ctx context.Context) int {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; ; n++ {
		select {
		case l.slots <- struct{}{}:
		default:
			return n
		}
	}
}

func (l *line) give(n int) {
	for range n {
		<-l.slots
	}
}

// send does one try of one message and writes down what came of it. It goes on
// when the service is told to stop: an answer that nobody waited for would be a
// doubt.
func (o *Outbox) send(ctx context.Context, c Claim, m Claimed, s Standing) {
	ctx = context.WithoutCancel(ctx)
	v, answer := o.try(ctx, m)
	o.stand(ctx, c.By, s, answer)
	if err := o.settle(ctx, c, m, v); err != nil && !errors.Is(err, identity.ErrConflict) {
		o.told(Happening{What: Faulty, By: c.By, Kind: m.Kind, Err: fmt.Errorf("settle a message: %w", err)})
	}
}

// errUnasked stands for the courier's answer where it was not asked: it tells
// nothing of the channel.
var errUnasked = errors.New("message: given up before the courier was asked")

// try asks after a message in doubt, and sends it unless it was sent. It returns
// what that means for the message, and the courier's answer.
func (o *Outbox) try(ctx context.Context, m Claimed) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	if m.Unreadable {
		return verdict{what: Dead, cause: CauseUnreadable}, errUnasked
	}
	if m.Doubt {
		sent, err := o.courier.Sent(ctx, m.Message)
		if v := judge(err); err != nil { // says nothing of whether it was taken before
			v.what, v.doubt = Retried, true
			return v, err
		}
		if sent {
			return judge(nil), nil
		}
	}
	if !o.now().Before(m.Expires) {
		return verdict{what: Dead, cause: CauseExpired}, errUnasked
	}
	err := o.courier.Send(ctx, m.Message)
	return judge(err), err
}

// settle writes down what the try came to.
func (o *Outbox) settle(ctx context.Context, c Claim, m Claimed, v verdict) error {
	now := o.now()
	due := now.Add(max(wait(m.Tries), v.after))
	if v.until.After(due) {
		due = v.until
	}
	if v.what == Retried && !due.Before(m.Expires) {
		v.what, v.cause = Dead, CauseExpired // the next try would come too late
	}
	o.told(Happening{What: v.what, By: c.By, Kind: m.Kind, Cause: v.cause})
	switch v.what {
	case Sent:
		return o.store.Close(ctx, m.ID, c.Lease, WasSent, now)
	case Dead:
		return o.store.Close(ctx, m.ID, c.Lease, WasDead, now)
	}
	return o.store.Postpone(ctx, m.ID, c.Lease, due.UTC().Truncate(time.Microsecond), v.doubt)
}

// stand writes down what the answer tells of the channel. A replica that wrote
// meanwhile knows as much: it is read again, a few times at most.
func (o *Outbox) stand(ctx context.Context, by identity.Channel, last Standing, answer error) {
	for range 5 {
		now := o.now().UTC().Truncate(time.Microsecond)
		next := last.after(answer, now)
		if next == last {
			return
		}
		err := o.store.Stand(ctx, by, last, next)
		if err == nil {
			o.tellStanding(by, last, next)
			return
		}
		if !errors.Is(err, identity.ErrConflict) {
			o.told(Happening{What: Faulty, By: by, Err: fmt.Errorf("write how %s stands: %w", by, err)})
			return
		}
		if last, err = o.store.Standing(ctx, by); err != nil {
			return
		}
	}
}

func (o *Outbox) tellStanding(by identity.Channel, last, next Standing) {
	switch {
	case !last.onTrial() && next.onTrial():
		o.told(Happening{What: ChannelOff, By: by, Cause: next.Cause})
	case last.onTrial() && !next.onTrial():
		o.told(Happening{What: ChannelOn, By: by})
	}
}
