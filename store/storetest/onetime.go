package storetest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity"
	onetime "github.com/dilys-id/dilys/identity/code"
)

// minted is a code under a bond of its own.
func minted() ([][]byte, onetime.Code) {
	bond := identity.NewToken().Digest()
	return [][]byte{bond[:]}, onetime.Code{
		ID: identity.NewID(), Pepper: 1<<32 - 1, Digest: []byte("digest"), Made: epoch, Ends: epoch.Add(10 * time.Minute),
	}
}

var oneTimeRules = []rule{
	{"a code comes back whole with each guess that is paid for, and no more often than it may", func(k *kit) {
		bonds, want := minted()
		k.ok(k.OneTimeCodes.PutCode(k.ctx, bonds, want))
		for i := range onetime.Guesses {
			got, err := k.OneTimeCodes.PayGuess(k.ctx, bonds, onetime.Guesses)
			k.ok(err)
			want.Tries = i + 1
			k.same(got, want)
		}
		_, err := k.OneTimeCodes.PayGuess(k.ctx, bonds, onetime.Guesses)
		k.is(err, identity.ErrSpent)
		other, _ := minted()
		_, err = k.OneTimeCodes.PayGuess(k.ctx, other, onetime.Guesses)
		k.is(err, identity.ErrNotFound)
	}},
	{"the newest code counts alone", func(k *kit) {
		bonds, first := minted()
		_, second := minted()
		k.ok(k.OneTimeCodes.PutCode(k.ctx, bonds, first))
		k.ok(k.OneTimeCodes.PutCode(k.ctx, bonds, second))
		got, err := k.OneTimeCodes.PayGuess(k.ctx, bonds, onetime.Guesses)
		k.ok(err)
		k.same(got.ID, second.ID)
		k.is(k.OneTimeCodes.SpendCode(k.ctx, first.ID), identity.ErrSpent)
	}},
	{"a code that stands under an earlier key is found, and replaced under the new one", func(k *kit) {
		old, first := minted()
		k.ok(k.OneTimeCodes.PutCode(k.ctx, old, first))
		fresh, second := minted()
		both := [][]byte{fresh[0], old[0]}
		got, err := k.OneTimeCodes.PayGuess(k.ctx, both, onetime.Guesses)
		k.ok(err)
		k.same(got.ID, first.ID)
		k.ok(k.OneTimeCodes.PutCode(k.ctx, both, second))
		_, err = k.OneTimeCodes.PayGuess(k.ctx, old, onetime.Guesses)
		k.is(err, identity.ErrNotFound)
	}},
	{"of many who spend one code, one does, and no guess is judged after", func(k *kit) {
		bonds, c := minted()
		k.ok(k.OneTimeCodes.PutCode(k.ctx, bonds, c))
		k.oneWon(race(parallel, func(int) error { return k.OneTimeCodes.SpendCode(k.ctx, c.ID) }), identity.ErrSpent)
		_, err := k.OneTimeCodes.PayGuess(k.ctx, bonds, onetime.Guesses)
		k.is(err, identity.ErrSpent)
	}},
	{"of many guesses at once, five are paid for", func(k *kit) {
		bonds, c := minted()
		k.ok(k.OneTimeCodes.PutCode(k.ctx, bonds, c))
		var paid atomic.Int64
		for _, err := range race(parallel, func(int) error {
			_, err := k.OneTimeCodes.PayGuess(k.ctx, bonds, onetime.Guesses)
			if err == nil {
				paid.Add(1)
			}
			return err
		}) {
			if err != nil && !errors.Is(err, identity.ErrSpent) {
				k.Fatal(err)
			}
		}
		k.same(paid.Load(), int64(onetime.Guesses))
	}},
	{"codes are forgotten a while after they ended", func(k *kit) {
		bonds, c := minted()
		k.ok(k.OneTimeCodes.PutCode(k.ctx, bonds, c))
		k.ok(k.OneTimeCodes.SweepCodes(k.ctx, c.Ends))
		_, err := k.OneTimeCodes.PayGuess(k.ctx, bonds, onetime.Guesses)
		k.ok(err)
		k.ok(k.OneTimeCodes.SweepCodes(k.ctx, c.Ends.Add(time.Microsecond)))
		_, err = k.OneTimeCodes.PayGuess(k.ctx, bonds, onetime.Guesses)
		k.is(err, identity.ErrNotFound)
	}},
}
