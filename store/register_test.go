package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/madeup"
	"github.com/dilys-id/dilys/store/storetest"
)

// load imports those rows.
func load(tb testing.TB, db *store.DB, rows ...store.RegisterRow) {
	tb.Helper()
	loadAll(tb, db, func(yield func(store.RegisterRow) error) error {
		for _, r := range rows {
			if err := yield(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// loadMadeUp imports that many made-up patients.
func loadMadeUp(tb testing.TB, db *store.DB, count int) {
	tb.Helper()
	loadAll(tb, db, yieldMadeUp(count))
}

func loadAll(tb testing.TB, db *store.DB, read func(func(store.RegisterRow) error) error) {
	tb.Helper()
	loaded, err := db.Register().Load(tb.Context(), read)
	if err == nil {
		err = db.Register().Switch(tb.Context(), loaded)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func yieldMadeUp(count int) func(func(store.RegisterRow) error) error {
	return func(yield func(store.RegisterRow) error) error {
		for e := range madeup.Patients(count) {
			if err := yield(store.RegisterRow{Entry: e}); err != nil {
				return err
			}
		}
		return nil
	}
}

// registerTables hold the register; count returns how many rows each has.
var registerTables = []string{"register_generations", "register_entries", "register_pages", "register_runs"}

func count(t *testing.T, url string) (rows [4]int) {
	t.Helper()
	for i, table := range registerTables {
		if err := raw(t, url).QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// What a load left that was refused, or whose process was killed, and a generation
// that another replaced, go with the next load; a replaced one ten minutes after.
func TestRegisterLeavesNoGarbage(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), func() time.Time { return began })
		const patients = 10_000
		loadMadeUp(t, db, patients)
		one := count(t, url)
		if one[0] != 1 || one[1] != patients || one[2] == 0 || one[3] != 0 {
			t.Fatalf("wanted one generation in pages, got %v", one)
		}
		_, err := db.Register().Load(t.Context(), func(yield func(store.RegisterRow) error) error {
			return errors.Join(yieldMadeUp(4*patients)(yield), errors.New("killed")) // more than wait to be written
		})
		if err == nil {
			t.Fatal("wanted the load to fail")
		}
		if got := count(t, url); got[0] != 2 || got[1] <= patients || got[3] == 0 {
			t.Fatalf("wanted the garbage of a load that was killed, got %v", got)
		}
		loadMadeUp(t, db, patients)
		if got := count(t, url); got[0] != 2 || got[1] != 2*patients || got[3] != 0 {
			t.Fatalf("wanted the one that answers and the one before, got %v", got)
		}
		for _, row := range []struct {
			after time.Duration
			want  int
		}{{10*time.Minute - time.Second, 2}, {10*time.Minute + time.Second, 1}} {
			if err := db.Sweep(t.Context(), began.Add(row.after)); err != nil || count(t, url)[0] != row.want {
				t.Fatalf("after %s: wanted %d generations, got %v, %v", row.after, row.want, count(t, url), err)
			}
		}
		if got := count(t, url); got != one {
			t.Fatalf("wanted one generation as at first, %v, got %v", one, got)
		}
	})
}

// A load takes its turn: who writes beside it is never refused, in this process or
// in another.
func TestRegisterLoadsBesideOtherWriters(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		keys := storetest.Keys(t)
		db, service := storetest.Open(t, url, keys, nil), storetest.Open(t, url, keys, nil)
		a := patient("beside the import")
		if err := service.Accounts().Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		written, ended := 0, make(chan error)
		go func() {
			pace := time.NewTicker(2 * time.Millisecond) // a busy hour's
			defer pace.Stop()
			for ctx.Err() == nil {
				<-pace.C
				if err := service.Accounts().RaiseEpoch(context.Background(), a.ID); err != nil {
					ended <- err
					return
				}
				written++
			}
			ended <- nil
		}()
		const patients = 20_000
		loadMadeUp(t, db, patients)
		stop()
		if err := <-ended; err != nil || written == 0 {
			t.Errorf("wanted every write beside the import done, got %d, %v", written, err)
		}
		i := 0
		for e := range madeup.Patients(patients) {
			if i++; i%101 != 0 {
				continue
			}
			if got, err := service.Register().Entry(t.Context(), e.NHSNumber); err != nil || got != e {
				t.Fatalf("patient %d: wanted them as loaded, got %v", i, err)
			}
			n, known, err := service.Register().Holders(t.Context(), e.Email.Contact(), began)
			if err != nil || !known || !e.Email.IsZero() && e.LivingAdult(began) && n != 1 {
				t.Fatalf("patient %d: wanted one holder, got %d, %v", i, n, err)
			}
		}
		status, err := service.Register().Status(t.Context())
		if err != nil || status.Entries != patients {
			t.Errorf("wanted %d entries, got %+v, %v", patients, status, err)
		}
	})
}

// One who can write to the database can't give a number another patient's entry,
// nor bring back what an earlier import said.
func TestMovedEntryDoesNotOpen(t *testing.T) {
	for name, move := range map[string]string{
		"another place's":     `UPDATE register_entries SET entry = (SELECT entry FROM register_entries WHERE place = 1 AND generation = 2) WHERE place = 0 AND generation = 2`,
		"an earlier import's": `UPDATE register_entries SET entry = (SELECT entry FROM register_entries WHERE place = 0 AND generation = 1) WHERE place = 0 AND generation = 2`,
		"an earlier secret":   `UPDATE register_generations SET secret = (SELECT secret FROM register_generations WHERE number = 1) WHERE number = 2`,
		"nothing":             `UPDATE register_entries SET entry = entry`,
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, url string) {
				db := storetest.Open(t, url, storetest.Keys(t), nil)
				loadMadeUp(t, db, 2)
				loadMadeUp(t, db, 2)
				do(t, raw(t, url), move)
				for e := range madeup.Patients(1) {
					_, err := db.Register().Entry(t.Context(), e.NHSNumber)
					if (err == nil) != (name == "nothing") || errors.Is(err, identity.ErrNotFound) {
						t.Fatalf("wanted a moved entry refused, and no other, got %v", err)
					}
				}
			})
		})
	}
}

// One who can write to the database can lead a digest to another patient's entry,
// and finds that nobody takes it for theirs.
func TestForgedPageFindsNobody(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), nil)
		person := func(number, postcode, email string) store.RegisterRow {
			d := patient("").Links[0].Details
			return store.RegisterRow{Entry: identity.Entry{
				NHSNumber: must(identity.ParseNHSNumber(number)), Postcode: must(identity.ParsePostcode(postcode)), Email: must(identity.ParseEmail(email)),
				FamilyName: d.FamilyName, GivenName: d.GivenName, BirthDate: d.BirthDate,
			}}
		}
		a, b := person("9990000018", "ZZ10 1AA", "a@example.com"), person("9990000026", "ZZ10 1AB", "b@example.com")
		load(t, db, a, b)
		found := func() (found [3]bool) {
			_, err := db.Register().Entry(t.Context(), a.NHSNumber)
			found[0] = err == nil
			holders, _, err := db.Register().Holders(t.Context(), a.Email.Contact(), began)
			found[1] = err == nil && holders == 1
			_, err = db.Register().Search(t.Context(), identity.Details{FamilyName: a.FamilyName, GivenName: a.GivenName, BirthDate: a.BirthDate}, a.Postcode)
			found[2] = err == nil
			return found
		}
		if got := found(); got != [3]bool{true, true, true} {
			t.Fatalf("wanted the patient found in each way, got %v", got)
		}
		swapPlaces(t, url)
		if got := found(); got != [3]bool{} {
			t.Fatalf("wanted the patient found in no way, got %v", got)
		}
	})
}

// swapPlaces leads every digest of a register of two to the other entry.
func swapPlaces(t *testing.T, url string) {
	t.Helper()
	db := raw(t, url)
	rows, err := db.Query(`SELECT field, page, digests FROM register_pages`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	type page struct {
		field   string
		number  int64
		digests []byte
	}
	var all []page
	for rows.Next() {
		var p page
		if err := rows.Scan(&p.field, &p.number, &p.digests); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	for _, p := range all {
		const spot = 12 // bytes, of which the last is 0 or 1
		for i := spot - 1; i < len(p.digests); i += spot {
			p.digests[i] ^= 1
		}
		if _, err := db.Exec(`UPDATE register_pages SET digests = $1 WHERE field = $2 AND page = $3`, p.digests, p.field, p.number); err != nil {
			t.Fatal(err)
		}
	}
}

// A number that a practice wrote on every entry does not make one page as large as
// the register.
func TestCrowdIsCut(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), nil)
		var rows []store.RegisterRow
		for e := range madeup.Patients(300) {
			rows = append(rows, store.RegisterRow{Entry: identity.Entry{NHSNumber: e.NHSNumber, Mobile: must(identity.ParsePhone("07700 900000"))}})
		}
		load(t, db, rows...)
		var longest int
		if err := raw(t, url).QueryRow(`SELECT MAX(length(digests)) FROM register_pages WHERE field = 'contact'`).Scan(&longest); err != nil || longest != 100*12 {
			t.Errorf("wanted a hundred places kept, got %d bytes, %v", longest, err)
		}
	})
}

// A rotation of the sealing keys re-seals the register in one step, and a replica
// that was not restarted reads it before and after.
func TestRegisterAfterARotation(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		old := s.replica()
		loadMadeUp(t, old, 20)
		s.rotate()
		fresh := s.replica()
		finds := func() {
			t.Helper()
			for _, db := range []*store.DB{old, fresh} {
				for e := range madeup.Patients(20) {
					if got, err := db.Register().Entry(t.Context(), e.NHSNumber); err != nil || got != e {
						t.Fatalf("wanted the entry as loaded, got %v", err)
					}
				}
			}
		}
		finds()
		for _, want := range []int{1, 0} {
			if n, err := fresh.Reseal(t.Context()); err != nil || n != want {
				t.Fatalf("wanted %d values re-sealed, got %d, %v", want, n, err)
			}
		}
		finds()
		loadMadeUp(t, fresh, 20)
		finds()
	})
}

// Two imports of the same patients have nothing in common that a thief could lay
// side by side.
func TestGenerationsShareNoDigest(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, storetest.Keys(t), nil)
		loadMadeUp(t, db, 1)
		loadMadeUp(t, db, 1)
		for _, query := range []string{
			`SELECT COUNT(*) FROM register_pages a JOIN register_pages b ON a.generation < b.generation AND a.field = b.field AND substr(a.digests, 1, 8) = substr(b.digests, 1, 8)`,
			`SELECT COUNT(*) FROM register_entries a JOIN register_entries b ON a.generation < b.generation AND a.entry = b.entry`,
		} {
			var same int
			if err := raw(t, url).QueryRow(query).Scan(&same); err != nil || same != 0 {
				t.Errorf("wanted nothing in common, got %d, %v", same, err)
			}
		}
	})
}

func TestRegisterRowIsPackedWhole(t *testing.T) {
	for e := range madeup.Patients(300) {
		r := store.RegisterRow{Entry: e, Successor: e.NHSNumber}
		r.Standing, r.GPAccountID, r.GPLinkageKey = identity.Superseded, "account", "key"
		if got, err := store.UnpackRegisterRow(string(store.PackRegisterRow(r))); err != nil || got != r {
			t.Fatalf("wanted the same row, got %v", err)
		}
	}
}

func FuzzUnpackRegisterRow(f *testing.F) {
	for e := range madeup.Patients(3) {
		f.Add(string(store.PackRegisterRow(store.RegisterRow{Entry: e})))
	}
	f.Add("")
	f.Add("\x02\xff")
	f.Fuzz(func(t *testing.T, body string) {
		r, err := store.UnpackRegisterRow(body)
		if err != nil && r != (store.RegisterRow{}) {
			t.Error("half a row beside an error")
		}
		if again, err2 := store.UnpackRegisterRow(string(store.PackRegisterRow(r))); err == nil && (err2 != nil || again != r) {
			t.Errorf("what was unpacked does not stay the same: %v", err2)
		}
	})
}

// The numbers of the made-up are of the range that nobody is given, each once, and
// there are enough for a whole country.
func TestMadeUpNumbers(t *testing.T) {
	seen := map[identity.NHSNumber]bool{}
	for e := range madeup.Patients(1_000_000) {
		if e.NHSNumber.Range() != identity.TestNumbers || seen[e.NHSNumber] {
			t.Fatalf("patient %d: wanted a new number of the test range", len(seen))
		}
		seen[e.NHSNumber] = true
	}
	if len(seen) != 1_000_000 {
		t.Errorf("wanted a million, got %d", len(seen))
	}
}
