package outbox

import (
	"errors"
	"time"
)

// Standing is how a channel stands, remembered for all replicas. The zero value
// is a channel in order.
type Standing struct {
	Failures int       // in a row, of those that tell of the channel
	Since    time.Time // when it was first off and has carried nothing since; zero: it carries
	Until    time.Time // while off: when it is next tried
	Cause    string
}

// ChannelState is what pages and operators see of a channel.
type ChannelState struct {
	Off   bool
	Since time.Time // when it went off and has carried nothing since
	Until time.Time // when it is next tried
	Cause string    // a word of ours
}

const (
	tolerated = 3 // failures in a row until a channel is off
	// A channel of which nobody knows how long it is off is tried again after as
	// long as it has been off, within these.
	shortestOff = time.Minute
	longestOff  = 15 * time.Minute
)

// state is what the standing means at that instant. A channel on trial is on: its
// next message tells.
func (s Standing) state(now time.Time) ChannelState {
	return ChannelState{Off: now.Before(s.Until), Since: s.Since, Until: s.Until, Cause: s.Cause}
}

// onTrial reports whether the channel was off and nothing has shown yet that it
// carries again: one message at a time is tried.
func (s Standing) onTrial() bool { return !s.Since.IsZero() }

// after is the standing once the courier gave that answer. A message that was
// refused for its own sake, and a vendor that says when to come again, tell that
// the channel works.
func (s Standing) after(err error, now time.Time) Standing {
	var off Off
	var permanent Permanent
	var temporary Temporary
	switch {
	case errors.Is(err, errUnasked):
		return s
	case err == nil, errors.As(err, &permanent):
		return Standing{}
	case errors.As(err, &off):
		return s.off(now, off.Until, off.Cause)
	case errors.As(err, &temporary) && temporary.RetryAfter > 0:
		return s
	}
	if s.Failures++; s.Failures < tolerated && !s.onTrial() {
		return s
	}
	return s.off(now, time.Time{}, CauseFailing)
}

func (s Standing) off(now, until time.Time, cause string) Standing {
	if s.Since.IsZero() {
		s.Since = now
	}
	if until.IsZero() {
		until = now.Add(min(max(now.Sub(s.Since), shortestOff), longestOff))
	}
	s.Until, s.Cause = until, cause
	return s
}
