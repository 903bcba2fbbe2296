package outbox

import (
	"context"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Store remembers messages, sealed, and how the channels stand. Methods join the
// transaction that ctx carries, except Claim.
type Store interface {
	// Put adds the message and takes back those of its thread that are not sent
	// yet, wiping them. committed is called once, after the transaction that this
	// joins has committed, and never if it rolls back. An ID that was used before
	// is [identity.ErrConflict].
	Put(ctx context.Context, m Message, committed func()) error
	// Withdraw wipes the messages of the thread that are not sent yet: what they
	// carry is dead.
	Withdraw(ctx context.Context, thread string, at time.Time) error
	// Claim leases messages of that channel that are due, not over, and leased by
	// nobody, those with the least life left first: codes go before notices. A
	// lease counts as a try. It commits alone: of many claimers each message has
	// one. A message that can't be read is claimed as that, and holds up no other.
	Claim(ctx context.Context, c Claim) ([]Claimed, error)
	// Close ends the message under that lease and wipes it. A lease that is no
	// longer its own, or a message that was taken back, is [identity.ErrConflict].
	Close(ctx context.Context, id, lease string, outcome Outcome, at time.Time) error
	// Postpone ends the lease; the message is due again at that time. With doubt
	// it stays unknown whether this try sent it. [identity.ErrConflict] as Close.
	Postpone(ctx context.Context, id, lease string, due time.Time, doubt bool) error
	// Expire ends and wipes messages whose time is over at that instant and that
	// nobody has leased, a bounded number at once, and returns them.
	Expire(ctx context.Context, at time.Time) ([]Over, error)
	// Oldest returns since when the message that waits longest has been due; zero
	// if none is due at that instant.
	Oldest(ctx context.Context, by identity.Channel, at time.Time) (time.Time, error)
	// Receive keeps what the vendor said of a message that was sent, if that is
	// the first it says, or [identity.ErrNotFound].
	Receive(ctx context.Context, id, status string) (Over, error)
	// Standing returns how the channel stands; the zero Standing if nobody said.
	Standing(ctx context.Context, by identity.Channel) (Standing, error)
	// Stand sets how the channel stands, if it still stands as last says; else
	// [identity.ErrConflict].
	Stand(ctx context.Context, by identity.Channel, last, next Standing) error
	// Sweep forgets messages that ended before that time.
	Sweep(ctx context.Context, before time.Time) error
}

// Claim asks for messages to send.
type Claim struct {
	By    identity.Channel
	Lease string    // random; only who has it may close or postpone
	At    time.Time // due and not over at this instant
	Until time.Time // when the lease falls, if its holder does not come back
	Limit int       // 1 or more
}

// Claimed is a leased message.
type Claimed struct {
	Message
	Tries int // this one included
	// Doubt says that an earlier try was never told of: it may have been sent.
	Doubt bool
	// Unreadable says that what was sealed does not open: ID, Kind and times are
	// all there is.
	Unreadable bool
}

// Outcome is how a message ended.
type Outcome string

// The outcomes.
const (
	WasSent  Outcome = "sent"
	WasDead  Outcome = "dead"       // given up: it can't be sent, or not in time
	WasTaken Outcome = "taken-back" // a later one of its thread took its place, or it was withdrawn
	WasLate  Outcome = "expired"    // its time was over while it waited
)

// Over is a message that ended: nothing of it but what kind it was.
type Over struct {
	By   identity.Channel
	Kind Kind
}
