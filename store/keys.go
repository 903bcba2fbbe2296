package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/dilys-id/dilys/identity/audit"
)

// Keys is the sealing keyset: what makes a stolen database worthless, and a lost
// folder a lost database. It is four Tink keysets in files, each with one key in
// use, the next one waiting, and the earlier ones kept for what they sealed.
//
// The next key stands in the file before it is used, so that a replica that was
// not restarted since a rotation reads what the others seal.
type Keys struct {
	sealing tink.AEAD       // sealing.json: AES-256-GCM over personal fields
	prefix  []byte          // how everything sealed by the primary begins
	index   *prf.Set        // index.json: HMAC-SHA256 for blind indexes
	chain   tink.MAC        // audit.json: HMAC-SHA256 over the chain of events
	pepper  *prf.Set        // pepper.json: HMAC-SHA256 over passwords and short codes
	infos   []KeyInfo       // of all four
	names   map[uint32]bool // ids of the index keys
}

// KeyInfo speaks of a key without its value.
type KeyInfo struct {
	Keyset  string // "sealing", "index", "audit" or "pepper"
	ID      string
	Primary bool // in use
	Next    bool // waits for the next rotation
}

// keysets says which files there are and what keys they hold.
var keysets = []struct {
	name     string
	template func() *tinkpb.KeyTemplate
}{
	{"sealing", aead.AES256GCMKeyTemplate},
	{"index", prf.HMACSHA256PRFKeyTemplate},
	{"audit", mac.HMACSHA256Tag256KeyTemplate},
	{"pepper", prf.HMACSHA256PRFKeyTemplate},
}

// Modes of what only the service's own user may read.
const (
	keysFolderMode = 0o700
	keysFileMode   = 0o600
	anyoneElse     = 0o077
)

// InitKeys makes the folder and its keysets. It never overwrites a key: where one
// of the files is, it refuses. A folder that lacks the pepper alone is that of an
// earlier version, and is completed.
func InitKeys(dir string) error {
	if err := os.MkdirAll(dir, keysFolderMode); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if err := checkMode(dir); err != nil {
		return err
	}
	missing := missingKeysets(dir)
	if len(missing) < len(keysets) && !slices.Equal(missing, []string{"pepper"}) {
		return fmt.Errorf("keys: wanted no keyset in %s yet, got one: it is never overwritten", dir)
	}
	for _, k := range keysets {
		if !slices.Contains(missing, k.name) {
			continue
		}
		handle, err := rotated(nil, k.template())
		if err != nil {
			return fmt.Errorf("keys: make %s: %w", k.name, err)
		}
		if err := writeKeyset(dir, k.name, handle); err != nil {
			return err
		}
	}
	return nil
}

// missingKeysets names the keysets that the folder lacks.
func missingKeysets(dir string) []string {
	var names []string
	for _, k := range keysets {
		if _, err := os.Lstat(keysetPath(dir, k.name)); errors.Is(err, os.ErrNotExist) {
			names = append(names, k.name)
		}
	}
	return names
}

// RotateKeys puts the waiting key of each keyset in use and makes the next one.
// Each file is replaced whole or not at all. Programs take the new keys up when
// they load them again; [DB.Reseal] and [DB.Reindex] then bring the rows over.
// The waiting key lies beside the one in use: after a theft of the folder, rotate
// twice.
func RotateKeys(dir string) error {
	for _, k := range keysets {
		old, err := readKeyset(dir, k.name)
		if err != nil {
			return err
		}
		handle, err := rotated(old, k.template())
		if err != nil {
			return fmt.Errorf("keys: rotate %s: %w", k.name, err)
		}
		if err := writeKeyset(dir, k.name, handle); err != nil {
			return err
		}
	}
	return nil
}

// rotated returns the keyset with its last key in use and another waiting behind
// it. From nothing it makes both.
func rotated(old *keyset.Handle, template *tinkpb.KeyTemplate) (*keyset.Handle, error) {
	manager := keyset.NewManager()
	var waiting uint32
	if old != nil {
		manager = keyset.NewManagerFromHandle(old)
		last, err := old.Entry(old.Len() - 1)
		if err != nil {
			return nil, err
		}
		if !last.IsPrimary() {
			waiting = last.KeyID()
		}
	}
	if waiting == 0 {
		id, err := manager.Add(template)
		if err != nil {
			return nil, err
		}
		waiting = id
	}
	if err := manager.SetPrimary(waiting); err != nil {
		return nil, err
	}
	if _, err := manager.Add(template); err != nil {
		return nil, err
	}
	return manager.Handle()
}

// LoadKeys reads the keysets. It refuses a folder or a file that anyone but its
// owner may read or write.
func LoadKeys(dir string) (*Keys, error) {
	if err := checkMode(dir); err != nil {
		return nil, err
	}
	handles := map[string]*keyset.Handle{}
	k := &Keys{names: map[uint32]bool{}}
	for _, set := range keysets {
		handle, err := readKeyset(dir, set.name)
		if err != nil {
			return nil, err
		}
		handles[set.name] = handle
		infos, err := describe(set.name, handle)
		if err != nil {
			return nil, err
		}
		k.infos = append(k.infos, infos...)
	}
	var faults [4]error
	k.sealing, faults[0] = aead.New(handles["sealing"])
	k.index, faults[1] = prf.NewPRFSet(handles["index"])
	k.chain, faults[2] = mac.New(handles["audit"])
	k.pepper, faults[3] = prf.NewPRFSet(handles["pepper"])
	if err := errors.Join(faults[:]...); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	for id := range k.index.PRFs {
		k.names[id] = true
	}
	k.prefix = tinkPrefix(handles["sealing"].KeysetInfo().GetPrimaryKeyId())
	return k, nil
}

// List tells of every key, in the order of the files, oldest first in each.
func (k *Keys) List() []KeyInfo { return append([]KeyInfo(nil), k.infos...) }

// AuditMAC returns the code that chains audit events.
func (k *Keys) AuditMAC() audit.MAC { return k.chain }

// PepperInUse names the pepper that new digests are made under.
func (k *Keys) PepperInUse() uint32 { return k.pepper.PrimaryID }

// Peppers names every pepper, the one in use first: a digest that was made before
// a rotation is found under an earlier one.
func (k *Keys) Peppers() []uint32 {
	all := []uint32{k.pepper.PrimaryID}
	for id := range k.pepper.PRFs {
		if id != k.pepper.PrimaryID {
			all = append(all, id)
		}
	}
	return all
}

// Pepper returns the HMAC-SHA256 of a low-entropy secret (a password, a short
// code) under that pepper, for that purpose: what a stolen database can't be
// guessed against. It fails for a pepper that the folder lacks.
func (k *Keys) Pepper(id uint32, purpose string, secret []byte) ([]byte, error) {
	code, known := k.pepper.PRFs[id]
	if !known {
		return nil, fmt.Errorf("keys: wanted pepper %d, got none", id)
	}
	return code.ComputePRF(append([]byte("dilys pepper\x00"+purpose+"\x00"), secret...), sha256.Size)
}

// Blind returns the keyed digests under which what belongs to that form may stand,
// the one for new rows first: a row that was written before a rotation is found
// under an earlier key. Values of one purpose tell nothing of another's.
func (k *Keys) Blind(purpose, form string) ([][]byte, error) {
	ids := []uint32{k.index.PrimaryID}
	for id := range k.index.PRFs {
		if id != k.index.PrimaryID {
			ids = append(ids, id)
		}
	}
	all := make([][]byte, 0, len(ids))
	for _, id := range ids {
		value, err := k.blind(id, purpose, form)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

func describe(name string, handle *keyset.Handle) ([]KeyInfo, error) {
	var infos []KeyInfo
	for i := range handle.Len() {
		entry, err := handle.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("keys: %s: %w", name, err)
		}
		infos = append(infos, KeyInfo{
			Keyset: name, ID: strconv.FormatUint(uint64(entry.KeyID()), 10),
			Primary: entry.IsPrimary(), Next: i == handle.Len()-1 && !entry.IsPrimary(),
		})
	}
	return infos, nil
}

// tinkPrefix is how Tink begins what a key made: a version byte and the key's id.
func tinkPrefix(id uint32) []byte {
	return []byte{1, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
}

func keysetPath(dir, name string) string { return filepath.Join(dir, name+".json") }

func checkMode(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("keys: wanted %s, got nothing there: run dilys keys init, or bring the keys back from their backup", path)
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&anyoneElse != 0 {
		return fmt.Errorf("keys: wanted %s for its owner alone, got mode %04o: run chmod go= on it", path, mode)
	}
	return nil
}

func readKeyset(dir, name string) (*keyset.Handle, error) {
	path := keysetPath(dir, name)
	if err := checkMode(path); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(content)))
	if err != nil || handle.Len() == 0 {
		return nil, fmt.Errorf("keys: wanted a keyset in %s, got something else", path) // the cause may quote it
	}
	return handle, nil
}

// writeKeyset replaces the file in one step, on disk before it returns.
func writeKeyset(dir, name string, handle *keyset.Handle) error {
	var content bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&content)); err != nil {
		return fmt.Errorf("keys: write %s: %w", name, err)
	}
	content.WriteByte('\n')
	path := keysetPath(dir, name)
	if err := writeSynced(path+".new", content.Bytes()); err != nil {
		return fmt.Errorf("keys: write %s: %w", name, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keys: write %s: %w", name, err)
	}
	if err := syncFolder(dir); err != nil {
		return fmt.Errorf("keys: write %s: %w", name, err)
	}
	return nil
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, keysFileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFolder makes a rename or a new file in the folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
