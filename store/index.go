package store

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

// A blind index answers whether two sealed values are equal and nothing else: an
// HMAC of the value's canonical form, for its field, under a key of its own.
//
// While a key is being replaced, the table index_keys names both. The oldest one
// there has an index of everything, so that it alone makes a subject unique; a
// writer must know it, and writes under every one it knows. Whoever was not
// restarted since the rotation goes on, and whoever lacks the oldest is refused.

// Fields that have a blind index.
const (
	bySubject   = "subject"       // unique
	byProved    = "proved_number" // unique: an NHS number that its patient proved to ourselves
	byNHSNumber = "nhs_number"
	byEmail     = "email"
	byPhone     = "phone"
)

// blindBytes is the length of an index value: all of SHA-256.
const blindBytes = 32

// blind returns the index of a value.
func (k *Keys) blind(key uint32, field, canonical string) ([]byte, error) {
	code, known := k.index.PRFs[key]
	if !known {
		return nil, fmt.Errorf("blind index: wanted key %d, got none", key)
	}
	return code.ComputePRF([]byte("dilys blind index\x00"+field+"\x00"+canonical), blindBytes)
}

// subjectForm is what a subject's equality is asked of: a subject is unique at
// its issuer only (OpenID Connect Core §2).
func subjectForm(issuer, subject string) string { return issuer + "\x00" + subject }

// forms returns the canonical form of every field of the link that has an index.
func forms(l account.Link) map[string]string {
	out := map[string]string{bySubject: subjectForm(l.Issuer, l.Subject)}
	if !l.Details.NHSNumber.IsZero() {
		out[byNHSNumber] = l.Details.NHSNumber.Reveal()
	}
	if l.Issuer == account.Own && l.Level >= identity.P5 && !l.Details.NHSNumber.IsZero() {
		out[byProved] = l.Details.NHSNumber.Reveal()
	}
	if !l.Details.Email.IsZero() {
		out[byEmail] = l.Details.Email.Canonical()
	}
	if !l.Details.Phone.IsZero() {
		out[byPhone] = l.Details.Phone.Canonical()
	}
	return out
}

// indexKey is a key that writes go under.
type indexKey struct {
	seq       int64
	id        uint32
	value     []byte // what only this key makes
	completed int64
}

var (
	indexKeys    = statement(`SELECT seq, id, value, completed FROM index_keys ORDER BY seq`)
	addIndexKey  = statement(`INSERT INTO index_keys (seq, id, value, completed) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING`)
	markComplete = statement(`UPDATE index_keys SET completed = $1 WHERE id = $2 AND completed = 0`)
	dropIndexKey = statement(`DELETE FROM index_keys WHERE seq < $1`)

	indexesOfLink   = statement(`SELECT field, index_key, value FROM blind_indexes WHERE link = $1`)
	addIndex        = statement(`INSERT INTO blind_indexes (link, field, index_key, value) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`)
	dropContact     = statement(`DELETE FROM blind_indexes WHERE link = $1 AND field <> 'subject'`)
	dropIndexes     = statement(`DELETE FROM blind_indexes WHERE link = $1`)
	uncoveredLinks  = statement(`SELECT DISTINCT o.link FROM blind_indexes o WHERE o.index_key = $1 AND o.link > $2 AND NOT EXISTS (SELECT 1 FROM blind_indexes n WHERE n.link = o.link AND n.field = o.field AND n.index_key = $3) ORDER BY o.link LIMIT 100`)
	dropStale       = statement(`DELETE FROM blind_indexes WHERE link IN (SELECT link FROM blind_indexes WHERE index_key = $1 ORDER BY link LIMIT 100) AND index_key = $1`)
	indexKeysInUse  = statement(`SELECT DISTINCT index_key FROM blind_indexes`)
	linkForIndexing = statement(`SELECT issuer, level, subject, details FROM links WHERE id = $1`)
)

func scanIndexKey(r row) (k indexKey, err error) {
	var id int64
	err = r.Scan(&k.seq, &id, &k.value, &k.completed)
	k.id = uint32(id)
	return k, err
}

func (db *DB) registered(ctx context.Context) ([]indexKey, error) {
	return list(ctx, db, indexKeys, scanIndexKey)
}

// mark is a value that only this index key makes: two keysets whose ids happen to
// be equal are told apart by it.
func (k *Keys) mark(key uint32) ([]byte, error) { return k.blind(key, "check", keyCheckText) }

// refreshIndexKeys checks the keys that the database names and adds the one in
// use to them.
func (db *DB) refreshIndexKeys(ctx context.Context) error {
	return db.within(ctx, func(ctx context.Context) error {
		keys, err := db.registered(ctx)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := db.checkIndexKey(k); err != nil {
				return err
			}
		}
		primary := db.keys.index.PrimaryID
		if !slices.ContainsFunc(keys, func(k indexKey) bool { return k.id == primary }) {
			if keys, err = db.register(ctx, keys, primary); err != nil {
				return err
			}
		}
		db.look(keys)
		return nil
	})
}

func (db *DB) checkIndexKey(k indexKey) error {
	if !db.keys.names[k.id] {
		return fmt.Errorf("%w: wanted index key %d in the index keyset, got none", ErrKeys, k.id)
	}
	mark, err := db.keys.mark(k.id)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(mark, k.value) != 1 {
		return fmt.Errorf("%w: wanted the index key %d that first wrote to it, got another", ErrKeys, k.id)
	}
	return nil
}

func (db *DB) register(ctx context.Context, keys []indexKey, id uint32) ([]indexKey, error) {
	next := indexKey{seq: 1, id: id}
	if len(keys) > 0 {
		next.seq = keys[len(keys)-1].seq + 1
	}
	var err error
	if next.value, err = db.keys.mark(id); err != nil {
		return nil, err
	}
	err = db.must(ctx, fmt.Errorf("register index key %d: %w", id, identity.ErrConflict), addIndexKey, next.seq, int64(id), next.value)
	return append(keys, next), err
}

// look remembers which keys look-ups ask: all that the database names, the one
// with everything first.
func (db *DB) look(keys []indexKey) {
	ids := db.known(keys)
	db.looks.Store(&ids)
}

func (db *DB) known(keys []indexKey) []uint32 {
	var ids []uint32
	for _, k := range keys {
		if db.keys.names[k.id] {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// indexKeysForWriting returns the keys that an index is written under, read in
// the transaction that writes.
func (db *DB) indexKeysForWriting(ctx context.Context) ([]uint32, error) {
	keys, err := db.registered(ctx)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 || !db.keys.names[keys[0].id] {
		return nil, fmt.Errorf("blind index: wanted the keys of the last rotation, got earlier ones: restart with the present keys: %w", identity.ErrUnavailable)
	}
	db.look(keys)
	return db.known(keys), nil
}

// indexEntry names one index of a link.
type indexEntry struct {
	field string
	key   uint32
}

// indexesFor returns the indexes that the link has under those keys.
func (k *Keys) indexesFor(l account.Link, keys []uint32) (map[indexEntry]string, error) {
	out := map[indexEntry]string{}
	for field, form := range forms(l) {
		for _, key := range keys {
			value, err := k.blind(key, field, form)
			if err != nil {
				return nil, err
			}
			out[indexEntry{field, key}] = string(value)
		}
	}
	return out, nil
}

func (db *DB) indexesKept(ctx context.Context, link string) (map[indexEntry]string, error) {
	type kept struct {
		indexEntry
		value []byte
	}
	rows, err := list(ctx, db, indexesOfLink, func(r row) (k kept, err error) {
		var key int64
		err = r.Scan(&k.field, &key, &k.value)
		k.key = uint32(key)
		return k, err
	}, link)
	out := map[indexEntry]string{}
	for _, k := range rows {
		out[k.indexEntry] = string(k.value)
	}
	return out, err
}

// addIndexes writes those indexes of the link. A subject that another link has is
// [identity.ErrConflict].
func (db *DB) addIndexes(ctx context.Context, link string, entries map[indexEntry]string) error {
	for e, value := range entries {
		err := db.must(ctx, fmt.Errorf("link: wanted an (issuer, subject), and a number proved to us, that nobody has: %w", identity.ErrConflict),
			addIndex, link, e.field, int64(e.key), []byte(value))
		if err != nil {
			return err
		}
	}
	return nil
}

// replicaGrace is how long both indexes are written after the newer one is whole,
// for replicas that were not restarted yet.
const replicaGrace = 24 * time.Hour

// Reindex brings every link under the index key in use, and drops the key before
// it a day after that. Until then uniqueness stands on the earlier key and
// look-ups ask both. It may run beside everything else, be stopped, and be run
// again: at start and then each hour is right.
func (db *DB) Reindex(ctx context.Context) error {
	if err := db.refreshIndexKeys(ctx); err != nil {
		return err
	}
	keys, err := db.registered(ctx)
	if err != nil {
		return err
	}
	if len(keys) > 1 {
		if err := db.advance(ctx, keys); err != nil {
			return err
		}
	}
	return db.sweepIndexes(ctx)
}

func (db *DB) advance(ctx context.Context, keys []indexKey) error {
	oldest, newer := keys[0], keys[len(keys)-1]
	if err := db.cover(ctx, oldest.id, newer.id); err != nil {
		return fmt.Errorf("write the second index: %w", err)
	}
	if newer.completed == 0 {
		_, err := db.exec(ctx, markComplete, micros(db.now()), int64(newer.id))
		return err
	}
	if db.now().Sub(instant(newer.completed)) < replicaGrace {
		return nil
	}
	return db.dropBefore(ctx, oldest, newer)
}

// dropBefore lets the newer key stand alone, unless a replica that lacks it wrote
// since the links were covered: then the next run covers those.
func (db *DB) dropBefore(ctx context.Context, oldest, newer indexKey) error {
	return db.within(ctx, func(ctx context.Context) error {
		late, err := list(ctx, db, uncoveredLinks, text, int64(oldest.id), "", int64(newer.id))
		if err != nil || len(late) > 0 {
			return err
		}
		if _, err := db.exec(ctx, dropIndexKey, newer.seq); err != nil {
			return err
		}
		db.look([]indexKey{newer})
		return nil
	})
}

// cover writes the newer index of every link that has the older one alone.
func (db *DB) cover(ctx context.Context, oldest, newer uint32) error {
	last := ""
	for {
		links, err := list(ctx, db, uncoveredLinks, text, int64(oldest), last, int64(newer))
		if err != nil || len(links) == 0 {
			return err
		}
		for _, link := range links {
			if err := db.coverLink(ctx, link, newer); err != nil {
				return err
			}
			last = link
		}
	}
}

func (db *DB) coverLink(ctx context.Context, link string, newer uint32) error {
	return db.within(ctx, func(ctx context.Context) error {
		l, err := one(ctx, db, linkForIndexing, func(r row) (account.Link, error) { return db.scanForIndexing(r, link) }, link)
		if err != nil {
			return err
		}
		want, err := db.keys.indexesFor(l, []uint32{newer})
		if err != nil {
			return err
		}
		kept, err := db.indexesKept(ctx, link)
		if err != nil {
			return err
		}
		for e := range kept {
			delete(want, e)
		}
		return db.addIndexes(ctx, link, want)
	})
}

func (db *DB) scanForIndexing(r row, link string) (l account.Link, err error) {
	var subject, details []byte
	if err := r.Scan(&l.Issuer, &l.Level, &subject, &details); err != nil {
		return l, err
	}
	return l, db.keys.openLink(&l, link, subject, details)
}

// sweepIndexes deletes, a few at a time, the indexes under keys that are no
// longer written.
func (db *DB) sweepIndexes(ctx context.Context) error {
	keys, err := db.registered(ctx)
	if err != nil {
		return err
	}
	inUse, err := list(ctx, db, indexKeysInUse, number)
	if err != nil {
		return err
	}
	for _, id := range inUse {
		if slices.ContainsFunc(keys, func(k indexKey) bool { return int64(k.id) == id }) {
			continue
		}
		if err := db.drain(ctx, dropStale, id); err != nil {
			return fmt.Errorf("drop the first index: %w", err)
		}
	}
	return nil
}

// drain runs a bounded deletion until nothing is left for it, so that no single
// transaction holds up the others.
func (db *DB) drain(ctx context.Context, q *query, args ...any) error {
	for {
		n, err := db.exec(ctx, q, args...)
		if err != nil || n == 0 {
			return err
		}
	}
}
