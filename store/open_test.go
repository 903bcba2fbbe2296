package store_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// open tries to open a database, and closes it if that succeeds.
func open(t *testing.T, url string) error {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: url, Keys: storetest.Keys(t), Now: time.Now})
	if err == nil {
		err = db.Close()
	}
	return err
}

func TestOpenRefusesADatabaseThatWasNotMigrated(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.db")
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"sqlite:" + missing, "sqlite:" + empty} {
		if err := open(t, url); !errors.Is(err, store.ErrMigrate) {
			t.Errorf("%s: wanted %v, got %v", filepath.Base(url), store.ErrMigrate, err)
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Error("wanted no file made by opening")
	}
	t.Run("postgres", func(t *testing.T) {
		if err := open(t, storetest.EmptyPostgres(t)); !errors.Is(err, store.ErrMigrate) {
			t.Errorf("wanted %v, got %v", store.ErrMigrate, err)
		}
	})
}

func TestOpenJudgesTheVersion(t *testing.T) {
	newest := strconv.FormatInt(store.NewestVersion, 10)
	onEach(t, func(t *testing.T, url string) {
		for _, row := range []struct {
			name, statement string
			want            error
		}{
			{"as migrated", `UPDATE schema_floor SET version = version`, nil},
			{"newer, and fit for this program", `INSERT INTO goose_db_version (version_id, is_applied) SELECT max(version_id) + 1, is_applied FROM goose_db_version GROUP BY is_applied`, nil},
			{"for newer programs alone", `UPDATE schema_floor SET version = ` + newest + ` + 1`, store.ErrNewer},
		} {
			do(t, raw(t, url), row.statement)
			if err := open(t, url); row.name == "as migrated" && err != nil || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("%s: wanted %v, got %v", row.name, row.want, err)
			}
		}
		if _, err := store.Migrate(t.Context(), store.Options{URL: url}); !errors.Is(err, store.ErrNewer) {
			t.Errorf("migrate: wanted %v, got %v", store.ErrNewer, err)
		}
	})
}

func TestJudgeVersion(t *testing.T) {
	for _, row := range []struct {
		version, floor, newest int64
		want                   error
	}{
		{0, 0, 1, store.ErrMigrate}, {2, 1, 3, store.ErrMigrate}, {3, 3, 3, nil}, {5, 3, 3, nil}, {5, 4, 3, store.ErrNewer}, {3, 1, 3, nil},
	} {
		if err := store.JudgeVersion(row.version, row.floor, row.newest); !errors.Is(err, row.want) {
			t.Errorf("version %d, floor %d, program %d: wanted %v, got %v", row.version, row.floor, row.newest, row.want, err)
		}
	}
}

func TestMigrateSaysWhatItDid(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "odd name?#%41&.db") },
		"postgres": storetest.EmptyPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{URL: url(t)}
			for _, want := range []store.Migration{{From: 0, To: store.NewestVersion}, {From: store.NewestVersion, To: store.NewestVersion}} {
				if did, err := store.Migrate(t.Context(), o); err != nil || did != want {
					t.Fatalf("wanted %+v, got %+v, %v", want, did, err)
				}
			}
			if path, isFile := strings.CutPrefix(o.URL, "sqlite:"); isFile {
				if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("wanted the file under its own name for its owner alone, got %v", err)
				}
			}
			if err := open(t, o.URL); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenRefusesAddresses(t *testing.T) {
	for _, url := range []string{"", "sqlite:", "sqlite::memory:", "mysql://db/dilys", "/var/lib/dilys.db", "postgres://app:canary-password@[/dilys"} {
		err := open(t, url)
		if err == nil {
			t.Errorf("%q: wanted a refusal", url)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: the password stands in the error", url)
		}
	}
}

// deadPort is an address that nothing listens on.
func deadPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestDatabaseAwayIsUnavailable(t *testing.T) {
	err := open(t, "postgres://app:canary-password@"+deadPort(t)+"/dilys?sslmode=disable")
	if !errors.Is(err, identity.ErrUnavailable) || errors.Is(err, store.ErrMigrate) {
		t.Errorf("nobody listens: wanted %v, got %v", identity.ErrUnavailable, err)
	}
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Error("nobody listens: the password stands in the error")
	}
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), nil)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for name, ask := range map[string]func() error{
			"ping":  func() error { return db.Ping(t.Context()) },
			"read":  func() error { _, err := db.Sessions().ByHandle(t.Context(), "any"); return err },
			"write": func() error { return db.Audit().Append(t.Context(), audit.Event{ID: "any"}) },
			"act":   func() error { return db.Audit().Within(t.Context(), func(context.Context) error { return nil }) },
			"spend": func() error {
				_, err := db.Grants().Spend(t.Context(), identity.NewToken().Digest(), began)
				return err
			},
		} {
			if err := ask(); !errors.Is(err, identity.ErrUnavailable) || errors.Is(err, identity.ErrNotFound) {
				t.Errorf("%s: wanted %v, got %v", name, identity.ErrUnavailable, err)
			}
		}
		h := db.Health(t.Context())
		if h.Read == nil || h.Write == nil {
			t.Errorf("wanted an unhealthy database, got %+v", h)
		}
	})
}

func TestHealth(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), nil)
		h := db.Health(t.Context())
		if h.Read != nil || h.Write != nil || h.Version != store.NewestVersion || !strings.HasPrefix(url, h.Engine) {
			t.Errorf("wanted a healthy database, got %+v", h)
		}
	})
}

// A table that can't be written is a fault of the act alone: access is not given
// and access is taken away, by the real ledger over the real database.
func TestBrokenEventsTable(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), nil)
		a, b := patient("one"), patient("two")
		if err := db.Accounts().Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		refuseWrites(t, url, "events")
		journal := filepath.Join(t.TempDir(), "journal")
		ledger := audit.NewLedger(db.Audit(), store.NewJournal(journal), time.Now)
		err := ledger.Act(t.Context(), &audit.Event{Kind: audit.AccountCreated}, func(ctx context.Context) error { return db.Accounts().Create(ctx, b) })
		if !errors.Is(err, audit.ErrNotRecorded) {
			t.Errorf("act: wanted %v, got %v", audit.ErrNotRecorded, err)
		}
		if _, err := db.Accounts().Account(t.Context(), b.ID); !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("act: wanted nothing kept, got %v", err)
		}
		// An act may even ignore it: nothing is kept all the same.
		err = db.Audit().Within(t.Context(), func(ctx context.Context) error {
			_ = db.Accounts().Create(ctx, b)
			_ = db.Audit().Append(ctx, audit.Event{ID: "any"})
			return nil
		})
		if err == nil {
			t.Error("wanted a broken act to fail")
		}
		if _, err := db.Accounts().Account(t.Context(), b.ID); !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("wanted nothing kept, got %v", err)
		}
		event := &audit.Event{Kind: audit.AccountSignedOut, Account: a.ID}
		if err := ledger.TakeAway(t.Context(), event, func(ctx context.Context) error { return db.Accounts().RaiseEpoch(ctx, a.ID) }); err != nil {
			t.Fatal(err)
		}
		if after, err := db.Accounts().Account(t.Context(), a.ID); err != nil || after.Epoch != a.Epoch+1 {
			t.Errorf("wanted the access taken away, got epoch %d, %v", after.Epoch, err)
		}
		mend(t, url)
		for _, want := range []int{1, 0} {
			if n, err := db.ImportJournal(t.Context(), journal); err != nil || n != want {
				t.Errorf("wanted %d imported, got %d, %v", want, n, err)
			}
		}
		events, err := db.Audit().EventsOf(t.Context(), a.ID, 10)
		if err != nil || len(events) != 1 || events[0].ID != event.ID {
			t.Errorf("wanted the journalled event, got %d, %v", len(events), err)
		}
	})
}

// mend takes refuseWrites back.
func mend(t *testing.T, url string) {
	t.Helper()
	if strings.HasPrefix(url, "sqlite:") {
		do(t, raw(t, url), `DROP TRIGGER broken`)
		return
	}
	do(t, raw(t, url), `DROP TRIGGER broken ON events`)
}

// A reader never waits for a writer, and sees what was committed last.
func TestReadsGoOnDuringAnAct(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), nil)
		a := patient("one")
		if err := db.Accounts().Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		err := db.Audit().Within(t.Context(), func(ctx context.Context) error {
			if err := db.Accounts().RaiseEpoch(ctx, a.ID); err != nil {
				return err
			}
			for range 50 {
				got, err := db.Accounts().Account(t.Context(), a.ID) // outside of the act
				if err != nil || got.Epoch != a.Epoch {
					t.Fatalf("wanted the committed epoch, got %d, %v", got.Epoch, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhatWasCommittedIsThereAfterReopening(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		keys := storetest.Keys(t)
		first := storetest.Open(t, url, keys, nil)
		state, browser := identity.NewToken().Digest(), identity.NewToken().Digest()
		if err := first.Attempts().Create(t.Context(), state, attempt.Attempt{ID: "one", Browser: browser, Started: began}); err != nil {
			t.Fatal(err)
		}
		claim := attempt.Claim{Browser: browser, At: began}
		if _, err := first.Attempts().Spend(t.Context(), state, claim, began); err != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := storetest.Open(t, url, keys, nil).Attempts().Spend(t.Context(), state, claim, began); !errors.Is(err, identity.ErrSpent) {
			t.Errorf("wanted %v, got %v", identity.ErrSpent, err)
		}
	})
}

var placeholder = regexp.MustCompile(`\$(\d+)`)

// SQLite numbers named placeholders as they come, so $1 must come first.
func TestPlaceholdersComeInOrder(t *testing.T) {
	for _, text := range store.QueryTexts() {
		next := 1
		for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
			n, err := strconv.Atoi(match[1])
			if err != nil {
				t.Fatal(err)
			}
			if n > next {
				t.Errorf("wanted $%d before $%d in %s", next, n, text)
			}
			next = max(next, n+1)
		}
		if strings.ContainsAny(text, "?;") {
			t.Errorf("wanted one statement with numbered placeholders, got %s", text)
		}
	}
}

// Every statement is understood by both databases, and on none does it read a
// whole table that grows.
func TestEveryStatementHasItsIndex(t *testing.T) {
	small := []string{"schema_floor", "index_keys", "signing_keys", "batches", "register_generations"}
	onEach(t, func(t *testing.T, url string) {
		db := raw(t, url)
		scan := regexp.MustCompile(`(?:SCAN|Seq Scan on) (\w+)(?: \w+)*`)
		for _, text := range store.QueryTexts() {
			if strings.Contains(text, "substr(") || strings.Contains(text, "SELECT DISTINCT index_key") {
				continue // of the rotation of keys, which goes over everything
			}
			for _, line := range plan(t, db, url, text) {
				match := scan.FindStringSubmatch(line)
				if match == nil || slices.Contains(small, match[1]) || strings.Contains(line, "USING") || strings.Contains(line, "VALUES CLAUSE") {
					continue
				}
				t.Errorf("%s\n%s", line, text)
			}
		}
	})
}

// Replicas that start together may all bring the database forward.
func TestMigrateRace(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "dilys.db") },
		"postgres": storetest.EmptyPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{URL: url(t)}
			errs := make(chan error)
			const replicas = 4
			for range replicas {
				go func() {
					_, err := store.Migrate(context.Background(), o)
					errs <- err
				}()
			}
			for range replicas {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if err := open(t, o.URL); err != nil {
				t.Error(err)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for name, address := range databases {
		b.Run(name, func(b *testing.B) {
			url, keys := address(b), storetest.Keys(b)
			for b.Loop() {
				db, err := store.Open(b.Context(), store.Options{URL: url, Keys: keys, Now: time.Now})
				if err == nil {
					err = db.Close()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
