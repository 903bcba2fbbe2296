package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Options says which database, and with which keys.
type Options struct {
	URL      string          // "sqlite:PATH" or "postgres://user@host/name?…"
	Password identity.Secret // for PostgreSQL; empty: what the URL or the server's own rules give
	Keys     *Keys
	Now      func() time.Time
}

// Faults of a database that may not be used as it is.
var (
	// ErrMigrate says that the database is older than this program needs.
	ErrMigrate = errors.New("the database is older than this program: run dilys migrate")
	// ErrNewer says that the database is only for programs newer than this one.
	ErrNewer = errors.New("the database is for a newer program than this one")
	// ErrKeys says that the keys are not those that the database was sealed with.
	ErrKeys = errors.New("the keys are not those of this database")
)

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	engine  engine
	write   port // one writer on SQLite; serializable acts on PostgreSQL
	read    port // refuses every write
	keys    *Keys
	looks   atomic.Pointer[[]uint32] // the index keys that look-ups ask, fullest first
	now     func() time.Time
	version int64
}

// engine is what differs between the databases.
type engine interface {
	name() string
	// connect returns a handle for writing and one that refuses to write. It
	// makes a database that isn't there only when told to.
	connect(o Options, create bool) (write, read port, err error)
	// tries is how often an act is begun anew when the database asks for it.
	tries() int
	// counting is the isolation of an act that locks each row before it reads it.
	counting() sql.IsolationLevel
	// alone reports whether an act that writes is the only one: it needs to lock no row.
	alone() bool
}

// engineOf reads the kind of database off the URL.
func engineOf(url string) (engine, error) {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "sqlite":
		return sqlite{}, nil
	case "postgres", "postgresql":
		return postgres{}, nil
	}
	return nil, errors.New("database: wanted sqlite:PATH or postgres://…, got another kind of address") // which may hold a password
}

// Open opens a database that [Migrate] brought to this version, and checks that
// the keys belong to it. It returns [ErrMigrate], [ErrNewer] or [ErrKeys] for one
// that may not be used, and [identity.ErrUnavailable] for one that can't be
// reached.
func Open(ctx context.Context, o Options) (*DB, error) {
	e, err := engineOf(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Keys == nil || o.Now == nil {
		return nil, errors.New("store: wanted keys and a clock, got none")
	}
	write, read, err := e.connect(o, false)
	if err != nil {
		return nil, err
	}
	db := &DB{engine: e, write: write, read: read, keys: o.Keys, now: o.Now}
	if err := db.admit(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// admit judges whether this program may use the database with these keys, and
// makes it ready.
func (db *DB) admit(ctx context.Context) error {
	if err := db.checkVersion(ctx); err != nil {
		return err
	}
	if err := errors.Join(db.read.prepare(ctx, false), db.write.prepare(ctx, true)); err != nil {
		return err
	}
	if err := db.checkKeys(ctx); err != nil {
		return err
	}
	return db.refreshIndexKeys(ctx)
}

// Close lets go of every connection. What was committed is on disk.
func (db *DB) Close() error {
	return errors.Join(db.read.db.Close(), db.write.db.Close())
}

var (
	readProbe  = statement(`SELECT version FROM schema_floor`)
	writeProbe = statement(`UPDATE schema_floor SET version = version`)
)

// Ping reports whether the database answers reads: with them, sessions can be
// checked. The error is [identity.ErrUnavailable] when it does not.
func (db *DB) Ping(ctx context.Context) error {
	_, err := one(ctx, db, readProbe, number)
	return err
}

// Health is how the database is.
type Health struct {
	Engine  string // "sqlite" or "postgres"
	Version int64  // of its schema
	Read    error  // nil: reads are answered
	Write   error  // nil: a write was committed just now
}

// Health asks for a read and for a committed write that changes nothing: a full
// disk answers the first and refuses the second.
func (db *DB) Health(ctx context.Context) Health {
	_, writeErr := db.exec(ctx, writeProbe)
	return Health{Engine: db.engine.name(), Version: db.version, Read: db.Ping(ctx), Write: writeErr}
}

// number scans a row of one integer.
func number(r row) (n int64, err error) { return n, r.Scan(&n) }

// text scans a row of one string.
func text(r row) (s string, err error) { return s, r.Scan(&s) }

// errSpendInAct is a fault of the program: what is spent commits alone, or a
// rollback of the act around it would give it back.
var errSpendInAct = fmt.Errorf("store: wanted a spend outside of every transaction, got one inside")
