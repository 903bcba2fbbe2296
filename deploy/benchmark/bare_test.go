package benchmark

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"net/http"
	"time"

	_ "modernc.org/sqlite" // the driver that the service uses
)

// bareCheck is the least that could answer a gateway: the cookie, its digest, the
// one read that the service does, on the service's own file, and the patient in a
// header. It judges nothing.
func bareCheck(ctx context.Context) error {
	db, err := openToRead()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	read, err := db.PrepareContext(ctx, `SELECT s.body, s.seen, s.ended, a.state, a.epoch, a.id
		FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.secret = $1`)
	if err != nil {
		return err
	}
	return answer(ctx, func(w http.ResponseWriter, r *http.Request) error {
		cookie, err := r.Cookie(sessionCookie)
		if err != nil {
			return err
		}
		digest := sha256.Sum256([]byte(cookie.Value))
		var body []byte
		var state, account string
		var seen, ended, epoch int64
		if err := read.QueryRowContext(r.Context(), digest[:]).Scan(&body, &seen, &ended, &state, &epoch, &account); err != nil {
			return err
		}
		w.Header().Set("Dilys-Subject", account)
		return nil
	}, "/check")
}

// openToRead opens the service's own file, to read.
func openToRead() (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+*database+"?mode=rw&_pragma=busy_timeout(1000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	const readers = 4
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return db, nil
}

// answer serves one handler at the paths given until ctx is done.
func answer(ctx context.Context, h func(http.ResponseWriter, *http.Request) error, paths ...string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	for _, p := range paths {
		mux.HandleFunc(p, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	const headerTime = 5 * time.Second
	server := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: headerTime}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// openBare makes a database as the service opens its own, with one connection that
// writes, and prepares statements on it.
func openBare(ctx context.Context, schema string, statements map[**sql.Stmt]string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+*database+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(1000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	for stmt, text := range statements {
		if *stmt, err = db.PrepareContext(ctx, text); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}
