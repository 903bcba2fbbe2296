package store

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity/factor"
)

// How long what is over is kept: for the portals and pages that still speak of
// it, and for the patient who asks about it. The audit keeps its own.
const (
	keepInFlight = 24 * time.Hour      // attempts, requests and codes, after they began
	keepMessages = 7 * 24 * time.Hour  // wiped ones, after they ended: receipts come for three days
	keepSessions = 90 * 24 * time.Hour // after their overall limit
	keepHanded   = 90 * 24 * time.Hour // codes that staff handed over, after they ended
)

// Sweep forgets what was over long before now. Nothing is judged by it: expiry is
// told by time, whether a row is still there or not. Calling it each hour is
// plenty; replicas may do so at once.
func (db *DB) Sweep(ctx context.Context, now time.Time) error {
	return errors.Join(
		db.Attempts().Sweep(ctx, now.Add(-keepInFlight)),
		db.Attempts().SweepJourneys(ctx, now.Add(-keepInFlight)),
		db.OneTimeCodes().SweepCodes(ctx, now.Add(-keepInFlight)),
		db.Limits().SweepLimits(ctx, now),
		db.Grants().Sweep(ctx, now.Add(-keepInFlight)),
		db.Outbox().Sweep(ctx, now.Add(-keepMessages)),
		db.Sessions().Sweep(ctx, now.Add(-keepSessions)),
		db.Factors().Sweep(ctx, now.Add(-factor.KnownFor), now.Add(-keepHanded)),
		db.Factors().SweepChallenges(ctx, now.Add(-keepInFlight)),
		db.Approvals().Sweep(ctx, now.Add(-keepInFlight)),
		db.Register().Sweep(ctx, now.Add(-generationGrace)),
	)
}
