package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqlite is the database in one file, for one machine.
type sqlite struct{}

func (sqlite) name() string { return "sqlite" }

// tries is low: another process that holds the file was waited for each time.
func (sqlite) tries() int { return 5 }

// counting acts are as any other: one writes at a time.
func (sqlite) counting() sql.IsolationLevel { return sql.LevelSerializable }

func (sqlite) alone() bool { return true }

// sqliteCommon holds for every connection: wait for another process's write a
// second at a time, and trust nothing that a schema might carry.
const sqliteCommon = "_pragma=busy_timeout(1000)&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)"

// connect opens one connection that writes, each transaction taking the lock as
// it begins, so that none fails half-way for having read first; and several that
// read the last committed state and never wait for it (write-ahead log).
func (sqlite) connect(o Options, create bool) (write, read port, err error) {
	path := strings.TrimPrefix(o.URL, "sqlite:")
	if path == "" || strings.HasPrefix(path, ":") {
		return port{}, port{}, fmt.Errorf("database: wanted sqlite:PATH with a file, got %.40q", o.URL)
	}
	if err := sqliteFile(path, create); err != nil {
		return port{}, port{}, err
	}
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=rw&" + sqliteCommon
	writer, err := sql.Open("sqlite", name+"&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return port{}, port{}, refine(err)
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", name+"&_pragma=query_only(1)")
	if err != nil {
		return port{}, port{}, errors.Join(refine(err), writer.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	return port{writer, map[*query]*sql.Stmt{}}, port{reader, map[*query]*sql.Stmt{}}, nil
}

// sqliteFile sees to it that the file is there, and readable by its owner alone
// when it is made. It leaves a file that is there alone: to close it here would
// drop the locks that another connection of this process holds on it.
func sqliteFile(path string, create bool) error {
	_, err := os.Stat(path)
	switch {
	case err == nil || !errors.Is(err, os.ErrNotExist):
		return err
	case !create:
		return fmt.Errorf("%w: wanted a file %s, got nothing there", ErrMigrate, path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return f.Close()
}

// judgeSQLite knows the errors of SQLite by their primary code.
func judgeSQLite(err error) (verdict, bool) {
	e := (*driver.Error)(nil)
	if !errors.As(err, &e) {
		return wrong, false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return passes, true
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG:
		return wrong, true
	}
	return away, true
}
