package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"time"
)

// act is one transaction, carried in a context.
type act struct {
	tx *sql.Tx
	// doomed is the fault after which the transaction can't commit any more.
	// PostgreSQL has that rule by itself; here SQLite has it too.
	doomed error
	// after is called once the transaction has committed. A try that is begun
	// anew starts without any.
	after []func()
}

// afterCommit calls fn once what ctx carries has committed: at once where it
// carries nothing.
func (db *DB) afterCommit(ctx context.Context, fn func()) {
	if a := db.act(ctx); a != nil {
		a.after = append(a.after, fn)
		return
	}
	fn()
}

// actKey finds the act of one database, so that two of them never mix.
type actKey struct{ db *DB }

// act returns the transaction that ctx carries, or nil.
func (db *DB) act(ctx context.Context) *act {
	a, _ := ctx.Value(actKey{db}).(*act)
	return a
}

// run does a statement of the act, unless it is doomed already.
func (a *act) run(fn func() error) error {
	if a.doomed != nil {
		return a.doomed
	}
	err := fn()
	if f := (*fault)(nil); errors.As(err, &f) {
		a.doomed = err
	}
	return err
}

// within is [audit.Store.Within].
func (db *DB) within(ctx context.Context, fn func(context.Context) error) error {
	if db.act(ctx) != nil {
		return fn(ctx)
	}
	return db.again(ctx, func() error { return db.begin(ctx, sql.LevelSerializable, fn) })
}

// counting runs an act that locks each row before it reads it, and reads no other. It
// needs no serializable isolation, under which those who wait for one row collide.
func (db *DB) counting(ctx context.Context, fn func(context.Context) error) error {
	if db.act(ctx) != nil {
		return fn(ctx)
	}
	return db.again(ctx, func() error { return db.begin(ctx, db.engine.counting(), fn) })
}

// begin does one try of an act.
func (db *DB) begin(ctx context.Context, isolation sql.IsolationLevel, fn func(context.Context) error) error {
	tx, err := db.write.db.BeginTx(ctx, &sql.TxOptions{Isolation: isolation})
	if err != nil {
		return refine(err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	a := &act{tx: tx}
	err = fn(context.WithValue(ctx, actKey{db}, a))
	switch {
	case a.doomed != nil && (err == nil || passing(a.doomed)):
		return a.doomed
	case err != nil:
		return err
	}
	if err := tx.Commit(); err != nil {
		return refine(err)
	}
	for _, fn := range a.after {
		fn()
	}
	return nil
}

// whole runs the statements of one method in one transaction. When it joins an
// act and fails half-way, the act is doomed: no caller can commit the half.
func (db *DB) whole(ctx context.Context, fn func(context.Context) error) error {
	a := db.act(ctx)
	if a == nil {
		return db.within(ctx, fn)
	}
	err := fn(ctx)
	if err != nil && a.doomed == nil {
		a.doomed = err
	}
	return err
}

// alone returns an error inside an act: what is spent commits by itself.
func (db *DB) alone(ctx context.Context) error {
	if db.act(ctx) != nil {
		return errSpendInAct
	}
	return nil
}

// again runs fn until its fault is not one that passes by itself, a bounded
// number of times.
func (db *DB) again(ctx context.Context, fn func() error) error {
	for try := 1; ; try++ {
		err := fn()
		if err == nil || !passing(err) || try >= db.engine.tries() {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// longestPause bounds the wait before another try.
const longestPause = 64 * time.Millisecond

// pause waits a random time below a bound that doubles with each try, so that
// those who collided do not collide again.
func pause(ctx context.Context, try int) error {
	bound := min(time.Millisecond<<min(try, 10), longestPause)
	var b [8]byte
	_, _ = rand.Read(b[:])
	timer := time.NewTimer(time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(bound)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return refine(ctx.Err())
	}
}
