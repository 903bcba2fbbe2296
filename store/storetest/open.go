package storetest

import (
	"context"
	"path/filepath"
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
	url := "sqlite:" + filepath.Join(t.TempDir(), "dilys.db")
	if _, err := store.Migrate(context.Background(), store.Options{URL: url}); err != nil {
		t.Fatal(err)
	}
	return url
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
