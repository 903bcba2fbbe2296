package store

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dilys-id/dilys/identity"
)

// sealed is a column whose values are sealed, each bound to its table, column and
// row: one that is moved to another place no longer opens.
type sealed struct {
	table, column, row string // row is the column that names the row
	stale              *query
	swap               *query
}

// sealedColumn declares one.
func sealedColumn(table, column, row string) *sealed {
	s := &sealed{table: table, column: column, row: row}
	s.stale = statement(fmt.Sprintf(
		`SELECT %[3]s, %[2]s FROM %[1]s WHERE %[3]s > $1 AND substr(%[2]s, 1, 5) <> $2 ORDER BY %[3]s LIMIT %[4]d`, table, column, row, resealBatch))
	s.swap = statement(fmt.Sprintf(`UPDATE %[1]s SET %[2]s = $1 WHERE %[3]s = $2 AND %[2]s = $3`, table, column, row))
	sealedColumns = append(sealedColumns, s)
	return s
}

// sealedColumns is all of them, for re-sealing.
var sealedColumns []*sealed

// resealBatch bounds the rows that a re-sealing reads at once.
const resealBatch = 200

var (
	linkSubject      = sealedColumn("links", "subject", "id")
	linkDetails      = sealedColumn("links", "details", "id")
	requestState     = sealedColumn("requests", "state", "id")
	requestNonce     = sealedColumn("requests", "nonce", "id")
	codeNonce        = sealedColumn("codes", "nonce", "grant_id")
	pushedParams     = sealedColumn("pushed", "params", "request")
	refreshSuccessor = sealedColumn("refreshes", "successor", "id")
	secretValue      = sealedColumn("secrets", "value", "name")
	attemptChallenge = sealedColumn("attempts", "challenge", "id")
	signingPKCS8     = sealedColumn("signing_keys", "pkcs8", "id")
)

// place is the associated data of a value in that row.
func (s *sealed) place(row string) []byte {
	return []byte(strings.Join([]string{s.table, s.column, row}, "\x00"))
}

// seal closes a value for that row.
func (k *Keys) seal(s *sealed, row string, value []byte) ([]byte, error) {
	out, err := k.sealing.Encrypt(value, s.place(row))
	if err != nil {
		return nil, fmt.Errorf("seal %s.%s: %w", s.table, s.column, err)
	}
	return out, nil
}

// open returns a value that was sealed for that row. Its error never tells more
// than where.
func (k *Keys) open(s *sealed, row string, value []byte) ([]byte, error) {
	out, err := k.sealing.Decrypt(value, s.place(row))
	if err != nil {
		return nil, fmt.Errorf("open %s.%s: wanted a value sealed for its row by our keys, got another", s.table, s.column)
	}
	return out, nil
}

// Reseal seals every row anew that an earlier key sealed, a few at a time, and
// returns how many. It may run beside everything else, be stopped, and be run
// again; the earlier key is needed until it returned without an error.
func (db *DB) Reseal(ctx context.Context) (int, error) {
	total := 0
	for _, s := range sealedColumns {
		n, err := db.resealColumn(ctx, s)
		total += n
		if err != nil {
			return total, fmt.Errorf("re-seal %s.%s: %w", s.table, s.column, err)
		}
	}
	return total, nil
}

// sealedValue is a sealed value and the name of its row.
type sealedValue struct {
	row   string
	value []byte
}

func (db *DB) resealColumn(ctx context.Context, s *sealed) (int, error) {
	total, last := 0, ""
	for {
		stale, err := list(ctx, db, s.stale, func(r row) (v sealedValue, err error) { return v, r.Scan(&v.row, &v.value) }, last, db.keys.prefix)
		if err != nil || len(stale) == 0 {
			return total, err
		}
		for _, v := range stale {
			if err := db.resealValue(ctx, s, v); err != nil {
				return total, err
			}
			total, last = total+1, v.row
		}
	}
}

// resealValue puts the value back only where it is still the one that was read:
// a patient's login meanwhile wins.
func (db *DB) resealValue(ctx context.Context, s *sealed, v sealedValue) error {
	plain, err := db.keys.open(s, v.row, v.value)
	if err != nil {
		return err
	}
	fresh, err := db.keys.seal(s, v.row, plain)
	if err != nil {
		return err
	}
	_, err = db.exec(ctx, s.swap, fresh, v.row, v.value)
	return err
}

var (
	keyCheck    = statement(`SELECT value FROM key_checks WHERE keyset = $1`)
	setKeyCheck = statement(`INSERT INTO key_checks (keyset, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`)
)

// keyCheckText is what the checks are made of. Nothing else is ever sealed for
// that place.
const keyCheckText = "dilys key check"

// checkKeys refuses a database that was sealed by other keys, before a row of it
// is read or written. The first to open a new database leaves its mark.
func (db *DB) checkKeys(ctx context.Context) error {
	place := []byte("key_checks\x00value\x00sealing")
	err := db.checkKeyset(ctx, "sealing",
		func() ([]byte, error) { return db.keys.sealing.Encrypt([]byte(keyCheckText), place) },
		func(mark []byte) bool {
			plain, err := db.keys.sealing.Decrypt(mark, place)
			return err == nil && bytes.Equal(plain, []byte(keyCheckText))
		})
	if err != nil {
		return err
	}
	err = db.checkKeyset(ctx, "audit",
		func() ([]byte, error) { return db.keys.chain.ComputeMAC([]byte(keyCheckText)) },
		func(mark []byte) bool { return db.keys.chain.VerifyMAC(mark, []byte(keyCheckText)) == nil })
	if err != nil {
		return err
	}
	pepper := func(id uint32) ([]byte, error) { return db.keys.Pepper(id, "check", []byte(keyCheckText)) }
	return db.checkKeyset(ctx, "pepper",
		func() ([]byte, error) { return pepper(db.keys.PepperInUse()) },
		func(mark []byte) bool {
			return slices.ContainsFunc(db.keys.Peppers(), func(id uint32) bool {
				made, err := pepper(id)
				return err == nil && subtle.ConstantTimeCompare(made, mark) == 1
			})
		})
}

func (db *DB) checkKeyset(ctx context.Context, name string, leave func() ([]byte, error), known func([]byte) bool) error {
	mark, err := one(ctx, db, keyCheck, blob, name)
	if errors.Is(err, identity.ErrNotFound) {
		fresh, err := leave()
		if err != nil {
			return fmt.Errorf("keys: check %s: %w", name, err)
		}
		if _, err := db.exec(ctx, setKeyCheck, name, fresh); err != nil {
			return err
		}
		if mark, err = one(ctx, db, keyCheck, blob, name); err != nil { // another replica may have been first
			return err
		}
	} else if err != nil {
		return err
	}
	if !known(mark) {
		return fmt.Errorf("%w: wanted the %s keyset that first opened it, got another", ErrKeys, name)
	}
	return nil
}

// blob scans a row of one binary value.
func blob(r row) (b []byte, err error) { return b, r.Scan(&b) }
