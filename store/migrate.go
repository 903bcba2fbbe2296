package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/dilys-id/dilys/identity"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations is the folder that goose reads.
func migrations() fs.FS {
	inner, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return inner
}

// newest is the schema version that this program knows.
var newest = func() (last int64) {
	names, err := fs.Glob(migrations(), "*.sql")
	for _, name := range names {
		digits, _, _ := strings.Cut(name, "_")
		version, parseErr := strconv.ParseInt(digits, 10, 64)
		err = errors.Join(err, parseErr)
		last = max(last, version)
	}
	if err != nil {
		panic(err) // a misnamed file fails every test
	}
	return last
}()

// Migration says what [Migrate] did.
type Migration struct {
	From, To int64 // schema versions; equal when there was nothing to do
}

// Migrate brings a database to the version that this program knows, making the
// file of a new SQLite one. It needs no keys. Programs that bring one PostgreSQL
// database forward at once wait for each other. It returns [ErrNewer] for a
// database that names a newer program as the oldest that may run on it.
func Migrate(ctx context.Context, o Options) (Migration, error) {
	e, err := engineOf(o.URL)
	if err != nil {
		return Migration{}, err
	}
	write, read, err := e.connect(o, true)
	if err != nil {
		return Migration{}, err
	}
	db := &DB{engine: e, write: write, read: read}
	did, err := db.migrate(ctx)
	return did, errors.Join(err, db.Close())
}

func (db *DB) migrate(ctx context.Context) (Migration, error) {
	if err := db.write.db.PingContext(ctx); err != nil {
		return Migration{}, refine(err)
	}
	if err := db.checkVersion(ctx); err != nil && !errors.Is(err, ErrMigrate) {
		return Migration{}, err
	}
	provider, err := db.goose()
	if err != nil {
		return Migration{}, fmt.Errorf("migrations: %w", err)
	}
	from := db.version
	if err := db.up(ctx, provider); err != nil {
		return Migration{}, err
	}
	return Migration{From: from, To: db.version}, nil
}

// up runs the migrations. On PostgreSQL a lock makes others wait; on SQLite one
// of two may find the other's tables there already, which is as good.
func (db *DB) up(ctx context.Context, provider *goose.Provider) error {
	for try := 1; ; try++ {
		_, err := provider.Up(ctx)
		if reached := db.checkVersion(ctx); err == nil || reached == nil {
			return reached
		}
		if try >= db.engine.tries() {
			return fmt.Errorf("migrate: %w", refine(err))
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

func (db *DB) goose() (*goose.Provider, error) {
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)),
		goose.WithAllowOutofOrder(false),
	}
	if db.engine.name() == (sqlite{}).name() {
		return goose.NewProvider(goose.DialectSQLite3, db.write.db, migrations(), options...)
	}
	const everySecond, forFiveMinutes = 1, 300
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(everySecond, forFiveMinutes))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db.write.db, migrations(), append(options, goose.WithSessionLocker(locker))...)
}

// checkVersion reads how far the database was migrated and judges whether this
// program may run on it.
func (db *DB) checkVersion(ctx context.Context) error {
	var version, floor int64
	err := db.read.db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version)
	if err == nil && version > 0 {
		err = db.read.db.QueryRowContext(ctx, `SELECT version FROM schema_floor`).Scan(&floor)
	}
	db.version = version
	if errors.Is(refine(err), identity.ErrUnavailable) {
		return refine(err)
	}
	return judgeVersion(version, floor, newest)
}

// judgeVersion decides whether a program that knows the versions up to newest may
// run on a database of that version, which names floor as the oldest that a
// program must know.
func judgeVersion(version, floor, newest int64) error {
	switch {
	case floor > newest:
		return fmt.Errorf("%w: wanted one that knows version %d, got version %d", ErrNewer, floor, newest)
	case version < newest:
		return fmt.Errorf("%w: wanted version %d, got %d", ErrMigrate, newest, version)
	}
	return nil
}
