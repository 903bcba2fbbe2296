package store

import (
	"context"
	"errors"
	"time"
)

// How long what is over is kept: for the portals and pages that still speak of
// it, and for the patient who asks about it. The audit keeps its own.
const (
	keepInFlight = 24 * time.Hour      // attempts, requests and codes, after they began
	keepSessions = 90 * 24 * time.Hour // after their overall limit
)

// Sweep forgets what was over long before now. Nothing is judged by it: expiry is
// told by time, whether a row is still there or not. Calling it each hour is
// plenty; replicas may do so at once.
func (db *DB) Sweep(ctx context.Context, now time.Time) error {
	return errors.Join(
		db.Attempts().Sweep(ctx, now.Add(-keepInFlight)),
		db.Grants().Sweep(ctx, now.Add(-keepInFlight)),
		db.Sessions().Sweep(ctx, now.Add(-keepSessions)),
	)
}
