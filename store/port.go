package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dilys-id/dilys/identity"
)

// query is one SQL text, for both databases: placeholders $1, $2… numbered in the
// order of their first appearance, times as microseconds since 1970 in UTC with 0
// for none.
type query struct {
	text   string
	writes bool
}

// queries is every statement of the store, so that they can be prepared once and
// tested each.
var queries []*query

// statement declares one. Statements are package variables only.
func statement(text string) *query {
	q := &query{text: text, writes: !strings.HasPrefix(strings.TrimSpace(text), "SELECT")}
	queries = append(queries, q)
	return q
}

// port is a handle on the database.
type port struct {
	db    *sql.DB
	ready map[*query]*sql.Stmt // nil where the driver keeps prepared statements itself
}

// prepare compiles every statement once, the writing ones too if the port may
// write. It must run before the first transaction: a port with one connection
// can't prepare while that is taken.
func (p port) prepare(ctx context.Context, writes bool) error {
	if p.ready == nil {
		return nil
	}
	for _, q := range queries {
		if q.writes && !writes {
			continue
		}
		stmt, err := p.db.PrepareContext(ctx, q.text)
		if err != nil {
			return fmt.Errorf("prepare %.60q: %w", q.text, refine(err))
		}
		p.ready[q] = stmt
	}
	return nil
}

// line is where one statement runs: a port, and the transaction if there is one.
type line struct {
	port
	tx *sql.Tx
}

func (l line) rows(ctx context.Context, q *query, args []any) (*sql.Rows, error) {
	stmt := l.ready[q]
	switch {
	case stmt != nil && l.tx != nil:
		return l.tx.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	case stmt != nil:
		return stmt.QueryContext(ctx, args...)
	case l.tx != nil:
		return l.tx.QueryContext(ctx, q.text, args...)
	}
	return l.db.QueryContext(ctx, q.text, args...)
}

func (l line) exec(ctx context.Context, q *query, args []any) (sql.Result, error) {
	stmt := l.ready[q]
	switch {
	case stmt != nil && l.tx != nil:
		return l.tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	case stmt != nil:
		return stmt.ExecContext(ctx, args...)
	case l.tx != nil:
		return l.tx.ExecContext(ctx, q.text, args...)
	}
	return l.db.ExecContext(ctx, q.text, args...)
}

// run gives fn the line that the statement belongs on: the act of ctx, the
// reading port, or the writing port with another try when the database asks.
func (db *DB) run(ctx context.Context, q *query, fn func(line) error) error {
	if a := db.act(ctx); a != nil {
		return a.run(func() error { return fn(line{db.write, a.tx}) })
	}
	if !q.writes {
		return fn(line{port: db.read})
	}
	return db.again(ctx, func() error { return fn(line{port: db.write}) })
}

// row is what a scan function reads.
type row interface{ Scan(dest ...any) error }

// one returns the single row that the query gives, or [identity.ErrNotFound].
func one[T any](ctx context.Context, db *DB, q *query, scan func(row) (T, error), args ...any) (T, error) {
	var out T
	if !storable(args) {
		return out, identity.ErrNotFound // no row can hold such a text
	}
	err := db.run(ctx, q, func(l line) error {
		found := false
		err := each(ctx, l, q, args, func(r row) (err error) {
			found = true
			out, err = scan(r)
			return err
		})
		if err == nil && !found {
			return identity.ErrNotFound
		}
		return err
	})
	return out, err
}

// list returns every row that the query gives.
func list[T any](ctx context.Context, db *DB, q *query, scan func(row) (T, error), args ...any) ([]T, error) {
	if !storable(args) {
		return nil, nil
	}
	var out []T
	err := db.run(ctx, q, func(l line) error {
		out = nil
		return each(ctx, l, q, args, func(r row) error {
			v, err := scan(r)
			out = append(out, v)
			return err
		})
	})
	return out, err
}

// each reads to the last row: a statement that writes and returns commits there.
func each(ctx context.Context, l line, q *query, args []any, fn func(row) error) error {
	rows, err := l.rows(ctx, q, args)
	if err != nil {
		return refine(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return refine(errors.Join(rows.Err(), rows.Close()))
}

// exec runs the statement and returns how many rows it touched.
func (db *DB) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	if !storable(args) {
		return 0, errNotText
	}
	var n int64
	err := db.run(ctx, q, func(l line) error {
		result, err := l.exec(ctx, q, args)
		if err != nil {
			return refine(err)
		}
		n, err = result.RowsAffected()
		return refine(err)
	})
	return n, err
}

// must runs the statement and returns the fault given when it touched no row.
func (db *DB) must(ctx context.Context, fault error, q *query, args ...any) error {
	n, err := db.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return fault
	}
	return err
}

var errNotText = errors.New("store: wanted text in UTF-8 without NUL, got other bytes")

// storable reports whether every text can be kept. PostgreSQL refuses NUL and
// broken UTF-8 and SQLite does not; both refuse here, alike.
func storable(args []any) bool {
	for _, a := range args {
		s, isText := a.(string)
		if isText && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
			return false
		}
	}
	return true
}
