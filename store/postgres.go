package store

import (
	"database/sql"
	"errors"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the database server, for several replicas.
type postgres struct{}

func (postgres) name() string { return "postgres" }

// tries covers a burst of acts on the same rows: of those that collide, one at
// least succeeds.
func (postgres) tries() int { return 20 }

// counting acts see what was committed when they got the lock.
func (postgres) counting() sql.IsolationLevel { return sql.LevelReadCommitted }

func (postgres) alone() bool { return false }

// Connections a replica takes at most, of each kind.
const postgresConns = 8

// connect opens two pools. Acts are serializable (their isolation is asked for as
// they begin); a single statement outside of one is atomic at the server's
// default level, where waiting for a row and looking again makes one of many
// spenders the first without a collision. pgx keeps prepared statements itself.
func (postgres) connect(o Options, _ bool) (write, read port, err error) {
	// Serializable acts lock what their plan reads: a scan of a small table would
	// lock all of it and make strangers collide. Every statement has its index.
	writer, err := openPostgres(o, map[string]string{"enable_seqscan": "off"})
	if err != nil {
		return port{}, port{}, err
	}
	reader, err := openPostgres(o, map[string]string{"default_transaction_read_only": "on"})
	if err != nil {
		return port{}, port{}, errors.Join(err, writer.Close())
	}
	return port{db: writer}, port{db: reader}, nil
}

func openPostgres(o Options, own map[string]string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return nil, errors.New("database: wanted a postgres:// address, got one that can't be read") // the cause may hold a password
	}
	if o.Password != "" {
		config.Password = o.Password.Reveal()
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	// An act that hangs must not hold its locks against every other replica.
	params := map[string]string{
		"application_name": "dilys", "statement_timeout": "10s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s",
		"default_transaction_isolation": "read committed",
	}
	maps.Copy(params, config.RuntimeParams) // the operator's address goes first
	maps.Copy(params, own)
	config.RuntimeParams = params
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

// judgePostgres knows the server's errors by their class (PostgreSQL, Appendix A).
func judgePostgres(err error) (verdict, bool) {
	e := (*pgconn.PgError)(nil)
	if !errors.As(err, &e) || len(e.Code) != len("40001") {
		return wrong, false
	}
	if e.Code == "40001" || e.Code == "40P01" { // serialization failure, deadlock
		return passes, true
	}
	switch e.Code[:2] {
	case "0A", "21", "22", "23", "42", "P0": // unsupported, cardinality, data, integrity, syntax or missing, raised
		return wrong, true
	}
	return away, true
}
