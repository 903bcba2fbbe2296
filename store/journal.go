package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// Journal is [audit.Journal] in a file: one line of JSON an event. Several
// processes may write to one file.
type Journal struct{ path string }

// NewJournal returns the journal at that path. The file is made when first
// needed.
func NewJournal(path string) audit.Journal { return &Journal{path} }

// entry is an event as a line of the journal.
type entry struct {
	ID        string       `json:"id"`
	At        time.Time    `json:"at"`
	Kind      audit.Kind   `json:"kind"`
	Result    audit.Result `json:"result"`
	Actor     string       `json:"actor,omitempty"`
	Reference string       `json:"reference,omitempty"`
	Account   string       `json:"account,omitempty"`
	Session   string       `json:"session,omitempty"`
	Provider  string       `json:"provider,omitempty"`
	Portal    string       `json:"portal,omitempty"`
	Cause     string       `json:"cause,omitempty"`
	Fields    []string     `json:"fields,omitempty"`
	Reason    string       `json:"reason,omitempty"`
}

// Write is of [audit.Journal].
func (j *Journal) Write(e audit.Event) error {
	line, err := json.Marshal(entry(e))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return withJournal(j.path, os.O_CREATE, func(f *os.File) error {
		torn, err := endsTorn(f)
		if err != nil {
			return err
		}
		if torn { // by a crash: what follows must not share its line
			line = append([]byte{'\n'}, line...)
		}
		if _, err := f.Write(append(line, '\n')); err != nil {
			return err
		}
		return errors.Join(f.Sync(), syncFolder(filepath.Dir(j.path)))
	})
}

// withJournal gives fn the file, locked against every other process, at its end.
func withJournal(path string, create int, fn func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|create, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX) // falls with the file's closing
	if err == nil {
		err = fn(f)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// endsTorn reports whether the last line was not finished.
func endsTorn(f *os.File) (bool, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return last[0] != '\n', err
}

// ImportJournal puts the journal's events into the database, each exactly once
// however often it is called, with one event that says so, and empties the file.
// It returns how many were new. A line that a crash cut short was never promised
// to anybody: it is moved to PATH.unread. No file is no error.
func (db *DB) ImportJournal(ctx context.Context, path string) (int, error) {
	imported := 0
	err := withJournal(path, 0, func(f *os.File) error {
		content, err := io.ReadAll(f)
		if err != nil || len(content) == 0 {
			return err
		}
		events, unread := readJournal(content)
		if imported, err = db.importEvents(ctx, events); err != nil {
			return err
		}
		if len(unread) > 0 {
			if err := appendSynced(path+".unread", unread); err != nil {
				return err
			}
		}
		return errors.Join(f.Truncate(0), f.Sync())
	})
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return imported, err
}

// readJournal returns the events of the lines that can be read, and the others.
func readJournal(content []byte) (events []audit.Event, unread []byte) {
	for line := range bytes.Lines(content) {
		var e entry
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case json.Unmarshal(line, &e) != nil, e.ID == "", e.At.IsZero():
			unread = append(unread, line...)
		default:
			events = append(events, audit.Event(e))
		}
	}
	return events, unread
}

func (db *DB) importEvents(ctx context.Context, events []audit.Event) (imported int, err error) {
	err = db.within(ctx, func(ctx context.Context) error {
		imported = 0
		for _, e := range events {
			n, err := db.exec(ctx, addEvent, eventValues(e)...)
			if err != nil {
				return err
			}
			imported += int(n)
		}
		if imported == 0 {
			return nil
		}
		return db.Audit().Append(ctx, audit.Event{
			ID: identity.NewID(), At: db.now().UTC(), Kind: audit.EventsMissed, Result: audit.OK, Actor: audit.System,
			Cause: fmt.Sprintf("%d-from-journal", imported),
		})
	})
	return imported, err
}

func appendSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}
