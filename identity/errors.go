package identity

import (
	"errors"
	"slices"
)

// Shared sentinels, told apart with [errors.Is]. Stores and rooms wrap them with
// what was looked for, never with a person's value.
var (
	// ErrNotFound says that nothing has that key.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that what was read has since been changed, or that a
	// unique thing is already taken: read again, or tell the loser.
	ErrConflict = errors.New("conflict")
	// ErrSpent says that a thing good for one use was used before.
	ErrSpent = errors.New("already used")
	// ErrExpired says that a thing's time was over at the instant it was judged.
	ErrExpired = errors.New("expired")
	// ErrForeign says that a thing was presented by a browser or a client other
	// than the one it was given to.
	ErrForeign = errors.New("bound to another party")
	// ErrDisabled says that the account is disabled or closed; no door opens.
	ErrDisabled = errors.New("account is disabled")
	// ErrUnavailable says that what must be asked can't be reached now; nothing
	// was decided, and nothing may be given.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnderAge says that the patient is younger than this door admits.
	ErrUnderAge = errors.New("under the minimum age")
)

// IsOver tells a thing that is no more (unknown, expired, used, or of a closed
// account) from a store that can't say.
func IsOver(err error) bool {
	over := []error{ErrNotFound, ErrExpired, ErrSpent, ErrDisabled}
	return slices.ContainsFunc(over, func(target error) bool { return errors.Is(err, target) })
}
