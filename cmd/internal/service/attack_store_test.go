package service_test

import (
	"database/sql"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/hashing"
	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store/storetest"
)

func TestMain(m *testing.M) {
	if hashing.IsWorker() {
		os.Exit(hashing.RunWorker())
	}
	storetest.Main(m)
}

// behind opens the world's SQLite file beside the service, as whoever has the
// machine can.
func (w *world) behind() *sql.DB {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(w.Config.Database, "sqlite:")+"?_pragma=busy_timeout(5000)")
	must(w.t, err)
	w.t.Cleanup(func() { _ = db.Close() })
	return db
}

// broken makes the database refuse one verb on one table until the returned func
// is called.
func (w *world) broken(verb, table string) (mend func()) {
	w.t.Helper()
	db := w.behind()
	_, err := db.ExecContext(w.t.Context(), "CREATE TRIGGER broken BEFORE "+verb+" ON "+table+" BEGIN SELECT RAISE(ABORT, 'broken'); END")
	must(w.t, err)
	return func() {
		w.t.Helper()
		_, err := db.ExecContext(w.t.Context(), "DROP TRIGGER broken")
		must(w.t, err)
	}
}

// sealed seals what there is and returns the head.
func sealed(t testing.TB, w *world) audit.Batch {
	t.Helper()
	head, _, err := w.Chain.Seal(t.Context())
	must(t, err)
	return head
}

// unavailable fails unless the answer says "try again" and gives nothing.
func unavailable(t testing.TB, where string, p page) {
	t.Helper()
	if p.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s: wanted 503, got %d", where, p.StatusCode)
	}
	if p.Header.Get("Location") != "" || strings.Contains(p.body, "token\":") || strings.Contains(p.body, "Prawf") {
		t.Errorf("%s: something was given", where)
	}
	for _, c := range p.Cookies() {
		if c.Name == "dilys" {
			t.Errorf("%s: the session cookie was touched", where)
		}
	}
	if strings.Contains(p.body, "database") || strings.Contains(p.body, "sql") {
		t.Errorf("%s: the answer tells what broke", where)
	}
}

func TestL4StoreAwayGivesNothing(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		w.rebuild(forOurselves)
		b := w.browser()
		b.login("mair-prawf")
		h := b.hold()
		pending := b.answer(b.toProvider("nhs-login", nil), "mair-prawf")
		must(t, w.DB.Close())

		for _, path := range []string{"/account", "/account/provider-settings", "/logout", "/login", "/logged-out", authorization(), authorization("prompt", "none"), "/end-session"} {
			p := b.get(path)
			unavailable(t, path, p)
			if p.Header.Get("Retry-After") == "" || !strings.Contains(p.body, "DIL-") || !strings.Contains(p.body, "111") {
				t.Errorf("%.30s: wanted Retry-After, a reference and 111", path)
			}
		}
		unavailable(t, "callback", b.get(pending.RequestURI()))
		unavailable(t, "login", b.post("/login/nhs-login", nil))
		unavailable(t, "activity", b.post("/session/active", nil))
		unavailable(t, "login of somebody new", w.browser().post("/login/nhs-login", nil))
		unavailable(t, "token endpoint", b.exchange(h.code))
		unavailable(t, "userinfo", w.bearer(t, http.MethodGet, "/userinfo", h.access))
		unavailable(t, "activity by Bearer", w.bearer(t, http.MethodPost, "/session/active", h.access))
		for name, p := range map[string]page{"check by cookie": b.get("/check"), "check by Bearer": w.bearer(t, http.MethodGet, "/check", h.access)} {
			unavailable(t, name, p)
			for _, header := range []string{"Dilys-Subject", "Dilys-Trust", "Dilys-Session", "Dilys-Session-Ends", "Dilys-Session-Idle-Ends"} {
				if got := p.Header.Values(header); len(got) != 1 || got[0] != "" {
					t.Errorf("%s: wanted %s there and empty, got %q", name, header, got)
				}
			}
		}
		// Whoever presses "log out" leaves nothing in the browser, though the session can't be ended now.
		secret := b.cookie("dilys")
		if p := b.post("/logout", nil); p.StatusCode != http.StatusServiceUnavailable || b.cookie("dilys") != "" {
			t.Errorf("log-out: wanted 503 and no cookie, got %d", p.StatusCode)
		}
		b.plant("dilys", secret)
		// What needs no database goes on.
		for _, path := range []string{"/help", "/privacy", "/login", "/jwks.json", "/.well-known/openid-configuration"} {
			if got := w.browser().get(path).StatusCode; got != http.StatusOK {
				t.Errorf("%s for somebody new: wanted 200, got %d", path, got)
			}
		}

		w.rebuild(func(*service.Config) {})
		if !b.loggedIn() || b.exchange(h.code).StatusCode != http.StatusOK {
			t.Error("what was there before is gone after")
		}
	})
}

func TestL2OneTableRefuses(t *testing.T) {
	w := newWorld(t)
	kept := []string{"accounts", "links", "blind_indexes", "sessions", "codes"}
	patients := []string{"mair-prawf", "emrys-difon", "rhys-newid", "nia-dwbl", "sian-cymraeg", "wil-diogel"}
	for i, at := range []string{"INSERT accounts", "INSERT links", "INSERT blind_indexes", "INSERT sessions", "UPDATE attempts", "INSERT events"} {
		t.Run("login, "+at, func(t *testing.T) {
			verb, table, _ := strings.Cut(at, " ")
			b, before := w.browser().at(t), w.rows(t, kept)
			callback := b.answer(b.toProvider("nhs-login", nil), patients[i])
			mend := w.broken(verb, table)
			p := b.get(callback.String())
			mend()
			if p.StatusCode < 500 {
				t.Errorf("wanted 5xx, got %d", p.StatusCode)
			}
			b.mustNotLogIn(p)
			if after := w.rows(t, kept); !maps.Equal(before, after) {
				t.Errorf("wanted nothing half-done, got %v after %v", after, before)
			}
			if b.login(patients[i]); !b.loggedIn() {
				t.Error("the next login does not work")
			}
		})
	}
	for _, at := range []string{"INSERT codes", "INSERT events", "UPDATE sessions"} {
		t.Run("code, "+at, func(t *testing.T) {
			b := w.browser().at(t)
			b.login("mair-prawf")
			w.clock.advance(2 * time.Minute) // so that the session is renewed by the act
			verb, table, _ := strings.Cut(at, " ")
			before := w.rows(t, kept)
			mend := w.broken(verb, table)
			p := b.get(authorization())
			mend()
			if after := w.rows(t, kept); p.StatusCode < 500 || p.Header.Get("Location") != "" || !maps.Equal(before, after) {
				t.Errorf("wanted 5xx and no code, got %d and %v after %v", p.StatusCode, after, before)
			}
			if b.get(authorization()).location(t).Query().Get("code") == "" {
				t.Error("the next request gets no code")
			}
		})
	}
}

// rows counts the rows of each table.
func (w *world) rows(t testing.TB, tables []string) map[string]int {
	t.Helper()
	counted := map[string]int{}
	for _, table := range tables {
		n := 0
		must(t, w.behind().QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
		counted[table] = n
	}
	return counted
}

func TestAuditRefusesAndAccessIsNotGiven(t *testing.T) {
	w := newWorld(t)
	w.rebuild(forOurselves)
	b, other := w.browser(), w.browser()
	b.login("mair-prawf")
	other.login("emrys-difon")
	h, others := b.hold(), other.hold()
	subject := other.get("/check").Header.Get("Dilys-Subject")
	fresh := w.browser()
	callback := fresh.answer(fresh.toProvider("nhs-login", nil), "rhys-newid")
	journal := filepath.Join(w.Config.Keys, "audit-journal.jsonl")
	mend := w.broken("INSERT", "events")

	p := fresh.get(callback.String())
	unavailable(t, "login", p)
	fresh.mustNotLogIn(p)
	unavailable(t, "authorization", b.get(authorization()))
	unavailable(t, "token endpoint", b.exchange(h.code))
	if err := w.Accounts.Enable(t.Context(), subject, "operator:test", "a row"); err == nil {
		t.Error("enable: wanted an error")
	}
	if _, err := os.Stat(journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("wanted no journal of what was not done, got %v", err)
	}

	// What takes access away is done, and told to the journal first.
	before := b.cookie("dilys")
	if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther || w.checks(t, before).StatusCode != http.StatusUnauthorized {
		t.Errorf("log-out: wanted it done, got %d", p.StatusCode)
	}
	must(t, w.Accounts.Disable(t.Context(), subject, "operator:test", "a row"))
	other.mustBe(false, others, "disabled")
	content, err := os.ReadFile(journal)
	must(t, err)
	for _, kind := range []audit.Kind{audit.SessionEnded, audit.AccountDisabled} {
		if strings.Count(string(content), `"`+string(kind)+`"`) != 1 {
			t.Errorf("the journal: wanted %s once, got %q", kind, content)
		}
	}
	if info, err := os.Stat(journal); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the journal: wanted it readable by its owner alone, got %v %v", info.Mode(), err)
	}

	mend()
	n, err := w.DB.ImportJournal(t.Context(), journal)
	if err != nil || n != 2 {
		t.Errorf("the journal comes in: wanted 2 events, got %d %v", n, err)
	}
	events, err := w.DB.Audit().EventsOf(t.Context(), subject, 100)
	must(t, err)
	if !slices.ContainsFunc(events, func(e audit.Event) bool { return e.Kind == audit.AccountDisabled && e.Reason == "a row" }) {
		t.Error("the audit does not tell of the disabled account")
	}
	if _, err := w.Chain.Verify(t.Context(), sealed(t, w)); err != nil {
		t.Error(err)
	}
}

func TestRestartLosesNothing(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		asks, logged := w.browser(), w.browser()
		request := asks.get(authorization()).location(t).Query().Get("request")
		callback := asks.answer(asks.toProvider("nhs-login", url.Values{"request": {request}}), "mair-prawf")
		logged.login("emrys-difon")
		h := logged.hold()
		sid := logged.get("/check").Header.Get("Dilys-Session")

		w.rebuild(func(*service.Config) {})
		answer := asks.get(asks.get(callback.String()).location(t).String()).location(t)
		if got := asks.exchange(answer.Query().Get("code")); got.StatusCode != http.StatusOK {
			t.Errorf("a login that was at the provider: wanted tokens, got %d %s", got.StatusCode, got.body)
		}
		if got := logged.get("/check").Header.Get("Dilys-Session"); got != sid {
			t.Errorf("a session: wanted it to live on, got %q", got)
		}
		if got := w.bearer(t, http.MethodGet, "/userinfo", h.access).StatusCode; got != http.StatusOK {
			t.Errorf("an access token: wanted 200, got %d", got)
		}
		if got := logged.exchange(h.code).StatusCode; got != http.StatusOK {
			t.Errorf("a code: wanted 200, got %d", got)
		}

		w.rebuild(func(*service.Config) {})
		mustRefuseGrant(t, logged.exchange(h.code), "invalid_grant")
		if p := asks.get(callback.String()); p.StatusCode == http.StatusOK {
			t.Error("a callback was taken twice")
		}
	})
}

func TestAuditShowsWhatWasAltered(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.login("mair-prawf")
	b.exchange(b.silently().Query().Get("code"))
	sealed(t, w)
	w.clock.advance(time.Second)
	b.post("/logout", nil)
	head := sealed(t, w)
	if head.Number != 2 {
		t.Fatalf("wanted two batches, got %d", head.Number)
	}
	db := w.behind()
	do := func(statements string) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), statements)
		must(t, err)
	}
	do("CREATE TABLE events_then AS SELECT * FROM events; CREATE TABLE batches_then AS SELECT * FROM batches")
	for name, change := range map[string]string{
		"nothing":             "SELECT 1",
		"another cause":       "UPDATE events SET cause = 'altered' WHERE kind = 'login.succeeded'",
		"another account":     "UPDATE events SET account = '" + identity.NewID() + "' WHERE kind = 'login.succeeded'",
		"another time":        "UPDATE events SET at = at + 1 WHERE kind = 'session.ended'",
		"another actor":       "UPDATE events SET actor = 'system' WHERE kind = 'login.succeeded'",
		"another result":      "UPDATE events SET result = 'refused' WHERE kind = 'login.succeeded'",
		"an event taken out":  "DELETE FROM events WHERE kind = 'session.ended'",
		"a batch taken out":   "DELETE FROM batches WHERE number = 1",
		"another order":       "UPDATE events SET place = CASE place WHEN 0 THEN 1 WHEN 1 THEN 0 ELSE place END WHERE batch = 1",
		"an event put in":     "INSERT INTO events SELECT 'new', at, kind, result, actor, reference, account, session, provider, portal, cause, fields, reason, batch, 99 FROM events WHERE kind = 'login.succeeded' LIMIT 1",
		"the end cut off":     "DELETE FROM batches WHERE number = 2; DELETE FROM events WHERE batch = 2",
		"an event moved over": "UPDATE events SET batch = 2, place = 99 WHERE kind = 'login.succeeded'",
		"all of it gone":      "DELETE FROM batches; DELETE FROM events",
	} {
		t.Run(name, func(t *testing.T) {
			do(change)
			if _, err := w.Chain.Verify(t.Context(), head); (err == nil) != (name == "nothing") {
				t.Errorf("wanted whole %t, got %v", name == "nothing", err)
			}
			do("DELETE FROM events; INSERT INTO events SELECT * FROM events_then; DELETE FROM batches; INSERT INTO batches SELECT * FROM batches_then")
		})
	}
}
