package service

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store"
)

// RegisterImport is one import of the register of patients.
type RegisterImport struct {
	File     io.Reader
	Name     string           // of the file, for its faults
	Actor    string           // for the audit
	Shrink   bool             // let it have much fewer entries than the one before
	Progress func(rows int64) // told now and then
	Now      func() time.Time
}

// How often progress is told.
const progressEvery = 100_000

// ImportRegister loads the file and lets it answer in place of the earlier one, in
// one act with its event, and returns how many entries it has. Where anything is
// wrong nothing has changed; the error is [*RegisterFaults] if that is the file.
func (r *Records) ImportRegister(ctx context.Context, i RegisterImport) (int64, error) {
	register := r.DB.Register()
	before, err := register.Status(ctx)
	if err != nil {
		return 0, err
	}
	loaded, err := register.Load(ctx, func(yield func(store.RegisterRow) error) error {
		rows := int64(0)
		return ReadRegisterFile(i.File, i.Name, i.Now(), func(row store.RegisterRow) error {
			if rows++; rows%progressEvery == 0 {
				i.Progress(rows)
			}
			return yield(row)
		})
	})
	if err != nil {
		return 0, err
	}
	if !i.Shrink && shrinks(before.Entries, loaded.Entries) {
		return 0, fmt.Errorf("register: wanted nine tenths at least of the %d entries that there are, got %d: a file that was cut off shuts patients out; --shrink imports it all the same",
			before.Entries, loaded.Entries)
	}
	event := &audit.Event{Kind: audit.RegisterImported, Actor: i.Actor, Reason: fmt.Sprintf("%d entries", loaded.Entries)}
	return loaded.Entries, r.Ledger.Act(ctx, event, func(ctx context.Context) error { return register.Switch(ctx, loaded) })
}

// shrinks reports whether so much is missing that the export may have broken off.
func shrinks(before, after int64) bool { return after*10 < before*9 }
