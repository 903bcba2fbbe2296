package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// raw opens the database beside the store, as someone with its files or its
// password would.
func raw(t testing.TB, url string) *sql.DB {
	t.Helper()
	driver, name := "pgx", url
	if path, isFile := strings.CutPrefix(url, "sqlite:"); isFile {
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// do runs statements that must succeed.
func do(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// refuseWrites makes the database refuse every insertion into the table.
func refuseWrites(t testing.TB, url, table string) {
	t.Helper()
	if strings.HasPrefix(url, "sqlite:") {
		do(t, raw(t, url), fmt.Sprintf(`CREATE TRIGGER broken BEFORE INSERT ON %s BEGIN SELECT RAISE(ABORT, 'broken'); END`, table))
		return
	}
	do(t, raw(t, url),
		`CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$`,
		fmt.Sprintf(`CREATE TRIGGER broken BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION broken()`, table))
}

// tables names every table of the database.
func tables(t testing.TB, url string) []string {
	t.Helper()
	query := `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	if strings.HasPrefix(url, "sqlite:") {
		query = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	}
	rows, err := raw(t, url).Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// dump returns every value of every row of the table, as text.
func dump(t testing.TB, url, table string) string {
	t.Helper()
	rows, err := raw(t, url).Query(`SELECT * FROM ` + table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for rows.Next() {
		values := make([]sql.RawBytes, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			fmt.Fprintf(&out, "%s.%s=%s\n", table, columns[i], v)
		}
	}
	return out.String()
}

// plan returns how the database would run the statement, a line a step.
func plan(t testing.TB, db *sql.DB, url, text string) (lines []string) {
	t.Helper()
	if strings.HasPrefix(url, "sqlite:") {
		rows, err := db.Query(`EXPLAIN QUERY PLAN `+text, make([]any, strings.Count(text, "$"))...)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, detail)
		}
		return lines
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, s := range []string{`SET enable_seqscan = off`, `SET plan_cache_mode = force_generic_plan`, `PREPARE one AS ` + text} {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	defer func() { _, _ = conn.ExecContext(t.Context(), `DEALLOCATE one`) }()
	arguments := ""
	if n := placeholders(text); n > 0 {
		arguments = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	rows, err := conn.QueryContext(t.Context(), `EXPLAIN EXECUTE one`+arguments)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// placeholders returns the highest number of one in the text.
func placeholders(text string) (highest int) {
	for n := 1; strings.Contains(text, fmt.Sprintf("$%d", n)); n++ {
		highest = n
	}
	return highest
}
