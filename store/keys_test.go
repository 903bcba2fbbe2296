package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

func TestInitKeysIsForTheOwnerAlone(t *testing.T) {
	dir := storetest.KeysFolder(t)
	for path, want := range map[string]os.FileMode{
		dir: 0o700, store.KeysetPath(dir, "sealing"): 0o600, store.KeysetPath(dir, "index"): 0o600, store.KeysetPath(dir, "audit"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: wanted mode %o, got %o", path, want, got)
		}
	}
}

func TestInitKeysOverwritesNothing(t *testing.T) {
	for _, name := range []string{"sealing", "index", "audit", "pepper"} {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := store.KeysetPath(dir, name)
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.InitKeys(dir); err == nil {
			t.Errorf("%s: wanted a refusal", name)
		}
		if content, _ := os.ReadFile(path); string(content) != "precious" {
			t.Errorf("%s was overwritten", name)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s: wanted nothing half-made, got %d files", name, len(entries))
		}
	}
}

func TestInitKeysCompletesAnEarlierFolder(t *testing.T) {
	dir := storetest.KeysFolder(t)
	before, err := os.ReadFile(store.KeysetPath(dir, "sealing"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(store.KeysetPath(dir, "pepper")); err != nil {
		t.Fatal(err)
	}
	if err := store.InitKeys(dir); err != nil {
		t.Fatal(err)
	}
	storetest.LoadKeys(t, dir)
	if after, _ := os.ReadFile(store.KeysetPath(dir, "sealing")); string(after) != string(before) {
		t.Error("a key that was there was replaced")
	}
}

func TestLoadKeysRefuses(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"a folder that others may enter": func(dir string) error { return os.Chmod(dir, 0o750) },
		"a file that others may read":    func(dir string) error { return os.Chmod(store.KeysetPath(dir, "index"), 0o604) },
		"a file that a group may write":  func(dir string) error { return os.Chmod(store.KeysetPath(dir, "audit"), 0o620) },
		"a missing keyset":               func(dir string) error { return os.Remove(store.KeysetPath(dir, "sealing")) },
		"a missing folder":               os.RemoveAll,
		"a keyset that is none":          func(dir string) error { return os.WriteFile(store.KeysetPath(dir, "index"), []byte("{}"), 0o600) },
		"a keyset cut short": func(dir string) error {
			return os.Truncate(store.KeysetPath(dir, "sealing"), 100)
		},
		"the keyset of another use": func(dir string) error {
			content, err := os.ReadFile(store.KeysetPath(dir, "audit"))
			return errors.Join(err, os.WriteFile(store.KeysetPath(dir, "sealing"), content, 0o600))
		},
	} {
		dir := storetest.KeysFolder(t)
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := store.LoadKeys(dir)
		if err == nil {
			t.Errorf("%s: wanted a refusal", name)
		} else if strings.Contains(err.Error(), "value") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: wanted one line without the file's content, got %v", name, err)
		}
	}
}

func TestRotateKeysPutsTheWaitingKeyInUse(t *testing.T) {
	dir := storetest.KeysFolder(t)
	before := storetest.LoadKeys(t, dir).List()
	if err := store.RotateKeys(dir); err != nil {
		t.Fatal(err)
	}
	after := storetest.LoadKeys(t, dir).List()
	if len(before) != 8 || len(after) != 12 {
		t.Fatalf("wanted 2 keys in each of 4 keysets and then 3, got %d and %d in all", len(before), len(after))
	}
	for i := range 4 {
		first, waiting := before[2*i], before[2*i+1]
		got := after[3*i : 3*i+3]
		want := []store.KeyInfo{
			{Keyset: first.Keyset, ID: first.ID},
			{Keyset: first.Keyset, ID: waiting.ID, Primary: true},
			{Keyset: first.Keyset, ID: got[2].ID, Next: true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if !first.Primary || first.Next || waiting.Primary || !waiting.Next {
			t.Errorf("wanted the first key in use and the second waiting, got %+v %+v", first, waiting)
		}
	}
	leftovers, _ := filepath.Glob(filepath.Join(dir, "*.new"))
	if len(leftovers) > 0 {
		t.Errorf("wanted nothing left over, got %v", leftovers)
	}
}

func TestAuditMACVerifiesAcrossRotations(t *testing.T) {
	dir := storetest.KeysFolder(t)
	old := storetest.LoadKeys(t, dir)
	tag, err := old.AuditMAC().ComputeMAC([]byte("events"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := store.RotateKeys(dir); err != nil {
			t.Fatal(err)
		}
	}
	now := storetest.LoadKeys(t, dir).AuditMAC()
	if err := now.VerifyMAC(tag, []byte("events")); err != nil {
		t.Error(err)
	}
	if now.VerifyMAC(tag, []byte("other events")) == nil {
		t.Error("wanted another message refused")
	}
	fresh, err := now.ComputeMAC([]byte("events"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(fresh, tag) {
		t.Error("wanted a tag of the new key, got the old one's")
	}
}

func TestOpenRefusesOtherKeys(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		dir := storetest.KeysFolder(t)
		storetest.Open(t, url, storetest.LoadKeys(t, dir), nil)
		for _, name := range []string{"all", "sealing", "index", "audit", "pepper"} {
			other := storetest.KeysFolder(t)
			if name != "all" {
				swapped := other
				other = filepath.Join(t.TempDir(), "keys")
				if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				content, err := os.ReadFile(store.KeysetPath(swapped, name))
				if err := errors.Join(err, os.Chmod(other, 0o700), os.WriteFile(store.KeysetPath(other, name), content, 0o600)); err != nil {
					t.Fatal(err)
				}
				for _, each := range []string{"sealing", "index", "audit", "pepper"} {
					if err := os.Chmod(store.KeysetPath(other, each), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, err := store.Open(context.Background(), store.Options{URL: url, Keys: storetest.LoadKeys(t, other), Now: time.Now})
			if !errors.Is(err, store.ErrKeys) {
				t.Errorf("%s replaced: wanted %v, got %v", name, store.ErrKeys, err)
			}
		}
		storetest.Open(t, url, storetest.LoadKeys(t, dir), nil)
	})
}

// Two keys may have one id by chance: what they make tells them apart.
func TestOpenRefusesAnotherIndexKeyOfTheSameID(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		dir, other := storetest.KeysFolder(t), storetest.KeysFolder(t)
		storetest.Open(t, url, storetest.LoadKeys(t, dir), nil)
		type keyset struct {
			PrimaryKeyID json.RawMessage              `json:"primaryKeyId"`
			Key          []map[string]json.RawMessage `json:"key"`
		}
		var ours, theirs keyset
		for path, into := range map[string]*keyset{dir: &ours, other: &theirs} {
			content, err := os.ReadFile(store.KeysetPath(path, "index"))
			if err := errors.Join(err, json.Unmarshal(content, into)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range ours.Key {
			ours.Key[i]["keyData"] = theirs.Key[i]["keyData"]
		}
		content, err := json.Marshal(ours)
		if err := errors.Join(err, os.WriteFile(store.KeysetPath(dir, "index"), content, 0o600)); err != nil {
			t.Fatal(err)
		}
		_, err = store.Open(t.Context(), store.Options{URL: url, Keys: storetest.LoadKeys(t, dir), Now: time.Now})
		if !errors.Is(err, store.ErrKeys) {
			t.Errorf("wanted %v, got %v", store.ErrKeys, err)
		}
	})
}
