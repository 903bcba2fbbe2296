package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/store"
)

// Keys returns fresh sealing keys in a folder of the test's own.
func Keys(t testing.TB) *store.Keys {
	t.Helper()
	return LoadKeys(t, KeysFolder(t))
}

// KeysFolder returns a folder with fresh sealing keys.
func KeysFolder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := store.InitKeys(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// LoadKeys reads the keys in the folder.
func LoadKeys(t testing.TB, dir string) *store.Keys {
	t.Helper()
	keys, err := store.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// SQLite returns the address of a new migrated database in a folder of the test's
// own.
func SQLite(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dilys.db")
	Migrated(t, file)
	return "sqlite:" + file
}

// migrated is an empty database of this version. To migrate one takes longer than most
// tests do, so it is done once.
var migrated = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "dilys-migrated")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "dilys.db")
	if _, err := store.Migrate(context.Background(), store.Options{URL: "sqlite:" + file}); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// Migrated makes a new migrated database in that file.
func Migrated(t testing.TB, file string) {
	t.Helper()
	content, err := migrated()
	if err == nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Open opens the database at that address, migrated before, for as long as the
// test runs. now may be nil for the real time.
func Open(t testing.TB, url string, keys *store.Keys, now func() time.Time) *store.DB {
	t.Helper()
	if now == nil {
		now = time.Now
	}
	db, err := store.Open(context.Background(), store.Options{URL: url, Keys: keys, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
