package store

import (
	"context"

	"github.com/dilys-id/dilys/identity/session"
)

// What the tests of package store_test see of the inside.

func QueryTexts() (texts []string) {
	for _, q := range queries {
		texts = append(texts, q.text)
	}
	return texts
}

func PackSession(s session.Session) string { return string(packSession(s)) }

var (
	UnpackSession = unpackSession
	JudgeVersion  = judgeVersion
	NewestVersion = newest
	KeysetPath    = keysetPath
	ReadJournal   = readJournal

	UnpackRegisterRow = unpackRegisterRow
	PackRegisterRow   = packRegisterRow
)

// SealedColumns names every column that is sealed.
func SealedColumns() (names [][2]string) {
	for _, s := range sealedColumns {
		names = append(names, [2]string{s.table, s.column})
	}
	return names
}

// BareSession is the unavoidable work of [Sessions.BySecret]: the text of its
// statement, to be run without everything else.
func BareSession() string { return sessionBySecret.text }

// DropFirstIndex drops the earlier index key without covering its links before.
func (db *DB) DropFirstIndex(ctx context.Context) error {
	keys, err := db.registered(ctx)
	if err != nil {
		return err
	}
	return db.dropBefore(ctx, keys[0], keys[len(keys)-1])
}
