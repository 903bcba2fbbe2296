package attempt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/limit"
)

// Lock is what of an account takes no guess now.
type Lock struct {
	What   string    // the password, a way, or the codes on paper
	Known  bool      // the counter is that of one known browser, not of everybody else
	Device string    // which, in general words; may be empty
	Until  time.Time // zero: until its patient sets it up anew
}

// What can be locked beside the ways.
const (
	lockPassword = "password"
	lockHanded   = "activation_code"
)

// Locks returns what of an account that signed up here is locked now, for whoever
// helps its patient: known are its browsers, which have a counter of their own each.
// It pays for nothing and changes nothing.
func Locks(ctx context.Context, l *limit.Limits, acc account.Account, known []factor.Browser) ([]Lock, error) {
	own, found := acc.Own()
	if !found {
		return nil, nil
	}
	rates, password := l.Rates(), passwordKey(own.Details.Email)
	type counter struct {
		Lock
		key    string
		policy limit.Policy
	}
	counters := []counter{{Lock{What: lockPassword}, password, rates.Password}}
	for _, b := range known {
		counters = append(counters, counter{Lock{What: lockPassword, Known: true, Device: b.Device}, password + ":" + b.ID, rates.Password})
	}
	for _, way := range slices.Concat(secondFactors, Ways{WayEmail, WayRecovery}) {
		counters = append(counters, counter{Lock{What: string(way)}, guessKey(way, acc.ID), guessPolicy(way, rates)})
	}
	counters = append(counters, counter{Lock{What: lockHanded}, handedKey(acc.ID), limit.Defaults.Code})

	var locked []Lock
	for _, c := range counters {
		err := l.Look(ctx, c.key, c.policy)
		var exceeded *limit.Exceeded
		switch {
		case errors.As(err, &exceeded):
			c.Until = exceeded.Until
		case err != nil && !errors.Is(err, limit.ErrEnded):
			return nil, fmt.Errorf("look for locks: %w", err)
		}
		if err != nil {
			locked = append(locked, c.Lock)
		}
	}
	return locked, nil
}

// passwordKey names the counter of guesses at the password of that address.
func passwordKey(e identity.Email) string { return "password:" + e.Canonical() }

// handedKey names the counter of guesses at codes on paper.
func handedKey(account string) string { return "handed:" + account }

// guessPolicy is how often a factor of that way may be guessed at.
func guessPolicy(way Way, rates limit.Rates) limit.Policy {
	policy := rates.Code
	if way == WayRecovery {
		policy.Ever = 0 // it is no factor that could be ended
	}
	return policy
}
