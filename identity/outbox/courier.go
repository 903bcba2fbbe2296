package outbox

import (
	"context"
	"errors"
	"time"
)

// Courier words a message and hands it to whoever carries it.
type Courier interface {
	// Send hands the message over, with its ID as the vendor's reference. nil
	// says that the vendor took it. [Temporary], [Permanent] and [Off] say that
	// the vendor did not. Any other error, a time-out first of all, says that
	// nobody knows: the message is not sent again before Sent was asked.
	Send(ctx context.Context, m Message) error
	// Sent asks the vendor whether it took the message of that ID. A vendor that
	// can't be asked by its nature answers false, and then marks the message so
	// that a second copy is known for one (SMTP: the same Message-ID).
	Sent(ctx context.Context, m Message) (bool, error)
}

// Temporary says that the vendor did not take the message and may take it later.
// Cause is a word of ours, never of the vendor's.
type Temporary struct {
	RetryAfter time.Duration // zero: the vendor did not say
	Cause      string
}

func (e Temporary) Error() string { return "not sent yet: " + e.Cause }

// Permanent says that the vendor will never take this message.
type Permanent struct{ Cause string }

func (e Permanent) Error() string { return "not sent: " + e.Cause }

// Off says that the vendor takes no message on this channel: the daily limit is
// reached, or it doesn't know us.
type Off struct {
	Until time.Time // zero: nobody knows; it is tried again after a while
	Cause string
}

func (e Off) Error() string { return "channel off: " + e.Cause }

// verdict is what the answer of a courier means for the message.
type verdict struct {
	what  What
	after time.Duration // at least, until the next try
	until time.Time     // not before, for the next try
	doubt bool          // it may have been sent
	cause string
}

// judge turns the courier's answer into a verdict.
func judge(err error) verdict {
	var temporary Temporary
	var permanent Permanent
	var off Off
	switch {
	case err == nil:
		return verdict{what: Sent}
	case errors.As(err, &permanent):
		return verdict{what: Dead, cause: permanent.Cause}
	case errors.As(err, &off):
		return verdict{what: Retried, until: off.Until, cause: off.Cause}
	case errors.As(err, &temporary):
		return verdict{what: Retried, after: temporary.RetryAfter, cause: temporary.Cause}
	}
	return verdict{what: Retried, after: doubtFor, doubt: true, cause: CauseUnknown}
}

// Causes of ours, beside the courier's.
const (
	CauseUnknown    = "no-answer"  // the vendor was asked and said nothing
	CauseExpired    = "expired"    // the message's time was over
	CauseFailing    = "failing"    // several tries in a row ended without success
	CauseUnreadable = "unreadable" // what was sealed does not open
)

const (
	// doubtFor is how long an unanswered sending rests before the courier is asked
	// for it: a vendor that is slow may still be writing it down.
	doubtFor = 5 * time.Second
	// Waiting doubles from the first to the last.
	firstWait = time.Second
	lastWait  = time.Minute
)

// wait is how long a message rests after that many tries.
func wait(tries int) time.Duration {
	return min(firstWait<<min(max(tries-1, 0), 10), lastWait)
}
