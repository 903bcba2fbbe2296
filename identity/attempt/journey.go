package attempt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// JourneyLife is how long a journey of several pages is kept: one that was
// abandoned leaves no row after that.
const JourneyLife = 24 * time.Hour

// JourneyKind says what a journey leads to.
type JourneyKind string

// The kinds. A browser has one of each at the most.
const (
	SigningUp  JourneyKind = "sign-up"
	LoggingIn  JourneyKind = "login" // the password was right, the second factor is due
	Recovering JourneyKind = "recover"

	ChangingEmail JourneyKind = "change-email" // a new address was given, and its code is due
	ChangingPhone JourneyKind = "change-phone"
)

// Journey is something that a patient does here over several pages, in one browser.
type Journey struct {
	ID      string
	Kind    JourneyKind
	Browser identity.Digest // of the browser cookie
	Version int64           // raised by each replacement
	Started time.Time
	Seen    time.Time // of its last page
	Fades   time.Time // when what was typed is wiped; zero: not before the journey's own end
	Body    []byte    // what was given so far, sealed at rest and opaque to the store
}

// JourneyStore remembers journeys. Methods join the transaction that ctx carries.
type JourneyStore interface {
	// BeginJourney adds the journey in the place of an earlier one of its kind and
	// browser.
	BeginJourney(ctx context.Context, j Journey) error
	// Journey returns the browser's journey of that kind, whatever its age, or
	// [identity.ErrNotFound].
	Journey(ctx context.Context, kind JourneyKind, browser identity.Digest) (Journey, error)
	// FadingJourneys returns journeys that fade at that time or did before, a
	// hundred at the most, the earliest first.
	FadingJourneys(ctx context.Context, at time.Time) ([]Journey, error)
	// ReplaceJourney puts next in the place of the journey that was read: its
	// browser, times and body. It returns [identity.ErrConflict] if that was
	// replaced, begun anew or ended since.
	ReplaceJourney(ctx context.Context, read, next Journey) error
	// EndJourney forgets it. One that is gone is no error.
	EndJourney(ctx context.Context, id string) error
	// SweepJourneys forgets journeys started before that time.
	SweepJourneys(ctx context.Context, before time.Time) error
}

// begin starts a journey of that kind in the browser with what is known so far.
func (r *Attempts) begin(ctx context.Context, kind JourneyKind, browser identity.Digest, body any) (Journey, error) {
	now := r.now().UTC().Truncate(time.Microsecond)
	j := Journey{ID: identity.NewID(), Kind: kind, Browser: browser, Version: 1, Started: now, Seen: now}
	var err error
	if j.Body, err = json.Marshal(body); err != nil {
		return j, fmt.Errorf("begin the journey: %w", err)
	}
	return j, r.journeys.BeginJourney(ctx, j)
}

// resume reads the browser's journey of that kind into body. A journey past its
// life is [identity.ErrNotFound], whether it was swept or not.
func (r *Attempts) resume(ctx context.Context, kind JourneyKind, browser identity.Secret, body any) (Journey, error) {
	if browser == "" {
		return Journey{}, identity.ErrNotFound
	}
	j, err := r.journeys.Journey(ctx, kind, browser.Digest())
	if err != nil {
		return j, err
	}
	if age := r.now().Sub(j.Started); age >= JourneyLife || age < -identity.Skew {
		return j, identity.ErrNotFound
	}
	if err := json.Unmarshal(j.Body, body); err != nil {
		return j, errors.New("resume the journey: wanted a body of ours, got another")
	}
	return j, nil
}

// keep replaces the journey that was read by one with that body.
func (r *Attempts) keep(ctx context.Context, read Journey, body any) (Journey, error) {
	return r.keepAs(ctx, read, read, body)
}

// keepAs is keep under another browser value: the session that the journey led to
// gave the browser a new one.
func (r *Attempts) keepAs(ctx context.Context, read, next Journey, body any) (Journey, error) {
	next.Version, next.Seen = read.Version+1, r.now().UTC().Truncate(time.Microsecond)
	var err error
	if next.Body, err = json.Marshal(body); err != nil {
		return read, fmt.Errorf("keep the journey: %w", err)
	}
	return next, r.journeys.ReplaceJourney(ctx, read, next)
}
