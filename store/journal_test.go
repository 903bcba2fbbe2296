package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// missed is an event that the database refused, every field filled.
func missed() audit.Event {
	return audit.Event{
		ID: identity.NewID(), At: began.Add(time.Microsecond), Kind: audit.SessionEnded, Result: audit.OK, Actor: audit.Patient, Reference: identity.NewReference(),
		Account: "account", Session: "session", Provider: "nhs-login", Portal: "my-health", Cause: "logged-out", Fields: []string{"email"}, Reason: "line\nend",
	}
}

func TestJournalIsImportedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), func() time.Time { return began })
		path := filepath.Join(t.TempDir(), "journal")
		journal := store.NewJournal(path)
		if n, err := db.ImportJournal(t.Context(), path); n != 0 || err != nil {
			t.Fatalf("no journal: wanted nothing to do, got %d, %v", n, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Error("wanted no journal made by importing")
		}
		events := []audit.Event{missed(), missed(), missed()}
		if err := db.Audit().Append(t.Context(), events[1]); err != nil { // its commit was in doubt
			t.Fatal(err)
		}
		for _, e := range events {
			if err := journal.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("wanted the journal for its owner alone, got %v", err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{2, 0, 0} {
			if i == 2 { // a crash after the commit and before the emptying
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := db.ImportJournal(t.Context(), path); n != want || err != nil {
				t.Fatalf("wanted %d imported, got %d, %v", want, n, err)
			}
		}
		if left, err := os.ReadFile(path); err != nil || len(left) > 0 {
			t.Errorf("wanted an empty journal, got %d bytes, %v", len(left), err)
		}
		for _, want := range events {
			got, err := db.Audit().FindByReference(t.Context(), want.Reference)
			if diff := cmp.Diff([]audit.Event{want}, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		}
		all, err := db.Audit().Unsealed(t.Context(), 10)
		if err != nil || len(all) != 4 || all[0].Kind != audit.EventsMissed || all[0].Cause != "2-from-journal" {
			t.Errorf("wanted the three events and one that tells of them, got %d, %v", len(all), err)
		}
	})
}

func TestJournalSurvivesATornLine(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), func() time.Time { return began })
	path := filepath.Join(t.TempDir(), "journal")
	journal := store.NewJournal(path)
	before, after := missed(), missed()
	if err := journal.Write(before); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id":"torn","at":"20`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := journal.Write(after); err != nil {
		t.Fatal(err)
	}
	if n, err := db.ImportJournal(t.Context(), path); n != 2 || err != nil {
		t.Fatalf("wanted both whole events, got %d, %v", n, err)
	}
	if unread, err := os.ReadFile(path + ".unread"); err != nil || !strings.Contains(string(unread), "torn") {
		t.Errorf("wanted the torn line kept aside, got %q, %v", unread, err)
	}
}

func TestJournalStaysWhileTheDatabaseIsAway(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), nil)
	path := filepath.Join(t.TempDir(), "journal")
	if err := store.NewJournal(path).Write(missed()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ImportJournal(t.Context(), path); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("wanted %v, got %v", identity.ErrUnavailable, err)
	}
	if content, _ := os.ReadFile(path); len(content) == 0 {
		t.Error("wanted the journal kept")
	}
}

func TestJournalRaceLosesNothing(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), nil)
	path := filepath.Join(t.TempDir(), "journal")
	const writers, each = 4, 10
	var all sync.WaitGroup
	faults := make(chan error, writers*each+writers)
	for range writers {
		all.Go(func() {
			journal := store.NewJournal(path)
			for range each {
				faults <- journal.Write(missed())
			}
		})
		all.Go(func() {
			_, err := db.ImportJournal(context.Background(), path)
			faults <- err
		})
	}
	all.Wait()
	close(faults)
	for err := range faults {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ImportJournal(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	events, err := db.Audit().EventsOf(t.Context(), "account", 100)
	if err != nil || len(events) != writers*each {
		t.Errorf("wanted %d events, got %d, %v", writers*each, len(events), err)
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte(`{"id":"a","at":"2026-11-21T09:30:00Z","kind":"session.ended"}` + "\n"))
	f.Add([]byte("\n\n{}\nnull\n[]\n\"text\"\n{\"id\":1}"))
	f.Add([]byte(`{"id":"a","at":"0001-01-01T00:00:00Z"}`))
	f.Add([]byte("{\"id\":\"\x00\",\"at\":\"2026-11-21T09:30:00Z\",\"fields\":[null,\"\xff\"]}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		events, unread := store.ReadJournal(content)
		for _, e := range events {
			if e.ID == "" || e.At.IsZero() {
				t.Fatal("wanted no event without a name or a time")
			}
		}
		if len(unread) > len(content) {
			t.Fatal("wanted no more set aside than there was")
		}
	})
}
