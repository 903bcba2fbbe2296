package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/madeup"
	"github.com/dilys-id/dilys/store/storetest"
)

var (
	registerToday  = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	registerHeader = strings.Join(registerColumns, ",") + "\n"
)

// registerLine is a good row of a register's file.
const registerLine = "999 000 0018,Prawf,Cynt,Siân,1984-02-29,07700 900123,01632 960123,sian@example.com,ZZ10 1AA,W00001,,no,,\n"

// valueOf unwraps a value that a test's own constant can't make wrong.
func valueOf[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// readRegister reads a file of that text.
func readRegister(text string) (rows []store.RegisterRow, err error) {
	err = ReadRegisterFile(strings.NewReader(text), "file.csv", registerToday, func(r store.RegisterRow) error {
		rows = append(rows, r)
		return nil
	})
	return rows, err
}

// with is registerLine with another value in that column.
func with(column, value string) string {
	cells := strings.Split(strings.TrimSuffix(registerLine, "\n"), ",")
	for i, name := range registerColumns {
		if name == column {
			cells[i] = value
		}
	}
	return strings.Join(cells, ",") + "\n"
}

func TestRegisterFileFaults(t *testing.T) {
	second := strings.Replace(registerLine, "999 000 0018", "9990000026", 1)
	for name, row := range map[string]struct{ text, want string }{
		"nothing":                     {"", "file.csv:1: header: wanted nhs_number,"},
		"a header alone":              {registerHeader, "file.csv:1: rows: wanted one at least"},
		"no header":                   {registerLine, "file.csv:1: header: "},
		"columns in another order":    {strings.Replace(registerHeader, "mobile,landline", "landline,mobile", 1) + registerLine, "file.csv:1: header: "},
		"a column more":               {strings.TrimSuffix(registerHeader, "\n") + ",sex\n", "file.csv:1: header: "},
		"UTF-16":                      {"\xff\xfen\x00h\x00s\x00", "file.csv:1: header: "},
		"semicolons":                  {strings.ReplaceAll(registerHeader, ",", ";"), "file.csv:1: header: "},
		"a row of one column":         {registerHeader + registerLine + "one\n", "file.csv:3: row: wanted 14 columns, got 1"},
		"a row of one column more":    {registerHeader + strings.TrimSuffix(registerLine, "\n") + ",x\n", "file.csv:2: row: wanted 14 columns, got 15"},
		"a stray quotation mark":      {registerHeader + with("family_name", `Pra"wf`), "file.csv:2: row: wanted values with a comma"},
		"a quotation mark left open":  {registerHeader + with("family_name", `"Prawf`), "file.csv:2: row: wanted values with a comma"},
		"an open one before much":     {registerHeader + with("family_name", `"Prawf`) + strings.Repeat(registerLine, 30_000), "file.csv:2: row: wanted one of less than 1048576 bytes"},
		"Latin-1":                     {registerHeader + with("given_name", "Si\xe2n"), "file.csv:2: given_name: wanted text in UTF-8"},
		"no number":                   {registerHeader + with("nhs_number", ""), "file.csv:2: nhs_number: wanted a value, got none"},
		"a wrong check digit":         {registerHeader + with("nhs_number", "9990000019"), "file.csv:2: nhs_number: wanted a matching check digit"},
		"a short number":              {registerHeader + with("nhs_number", "999000001"), "file.csv:2: nhs_number: wanted 10 digits"},
		"a number twice":              {registerHeader + registerLine + second + registerLine + registerLine, "file.csv:4: nhs_number: wanted each number once, got that of line 2\nfile.csv:5: nhs_number: wanted each number once, got that of line 2"},
		"written in two ways":         {registerHeader + registerLine + with("nhs_number", "999-000-0018"), "file.csv:3: nhs_number: wanted each number once"},
		"no family name":              {registerHeader + with("family_name", " "), "file.csv:2: family_name: wanted a value, got none"},
		"a name with a line end":      {registerHeader + with("family_name", "\"Pr\nawf\""), "file.csv:2: family_name: wanted 1 to 512 bytes of text"},
		"no birth date":               {registerHeader + with("birth_date", ""), "file.csv:2: birth_date: wanted a value, got none"},
		"a British date":              {registerHeader + with("birth_date", "29/02/1984"), "file.csv:2: birth_date: wanted a date such as 2007-03-27"},
		"29 February of no leap year": {registerHeader + with("birth_date", "1983-02-29"), "file.csv:2: birth_date: wanted a date such as"},
		"born tomorrow":               {registerHeader + with("birth_date", "2026-11-26"), "file.csv:2: birth_date: wanted a day that has come"},
		"two mobiles":                 {registerHeader + with("mobile", "07700 900123 / 07700 900124"), "file.csv:2: mobile: wanted digits with an optional leading +"},
		"a landline's note":           {registerHeader + with("landline", "neighbour"), "file.csv:2: landline: wanted digits"},
		"no address":                  {registerHeader + with("email", "none"), "file.csv:2: email: wanted an address such as"},
		"no postcode":                 {registerHeader + with("postcode", "Cardiff"), "file.csv:2: postcode: wanted one such as CF10 1AA"},
		"no code of a practice":       {registerHeader + with("practice", "Dr Prawf"), "file.csv:2: practice: wanted an ODS code"},
		"a status of another kind":    {registerHeader + with("status", "Dead"), "file.csv:2: status: wanted living, died, moved,"},
		"superseded by nothing":       {registerHeader + with("status", "superseded"), "file.csv:2: status: wanted living,"},
		"superseded by a bad number":  {registerHeader + with("status", "superseded:999"), "file.csv:2: status: wanted superseded: and an NHS number"},
		"superseded by itself":        {registerHeader + with("status", "superseded:9990000018"), "file.csv:2: status: wanted another number"},
		"died of something":           {registerHeader + with("status", "died:9990000026"), "file.csv:2: status: wanted living,"},
		"perhaps protected":           {registerHeader + with("protected", "Y?"), "file.csv:2: protected: wanted yes, no or nothing"},
		"half of the linkage details": {registerHeader + with("gp_account_id", "12345"), "file.csv:2: gp_linkage_key: wanted it together with gp_account_id"},
		"endless linkage details":     {registerHeader + with("gp_account_id", strings.Repeat("x", 101)), "file.csv:2: gp_account_id: wanted at most 100 bytes"},
		"several of one row": {
			registerHeader + strings.Replace(with("mobile", "none"), "1984-02-29", "never", 1),
			"file.csv:2: birth_date: wanted a date such as 2007-03-27\nfile.csv:2: mobile: wanted digits",
		},
		"a line after a name of two lines": {registerHeader + with("email", "\"a@b\n\"") + with("mobile", "none"), "file.csv:4: mobile: wanted digits"},
	} {
		rows, err := readRegister(row.text)
		faults := (*RegisterFaults)(nil)
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: wanted %q, got %v", name, row.want, err)
			continue
		}
		for _, value := range []string{"9990000018", "999 000", "Prawf", "Siân", "1984", "07700", "sian@", "ZZ10", "Dead", "12345"} {
			if strings.Contains(err.Error(), value) {
				t.Errorf("%s: a value of the file stands in the fault", name)
			}
		}
		if len(rows) > 4 {
			t.Errorf("%s: rows were yielded after the fault", name)
		}
	}
}

func TestRegisterFileTellsAHundredFaults(t *testing.T) {
	_, err := readRegister(registerHeader + strings.Repeat(with("mobile", "none"), 250))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 101 || lines[99] != "file.csv:101: mobile: wanted digits with an optional leading +" || lines[100] != "and 399 more" {
		t.Errorf("wanted a hundred faults and how many more, got %d, %q", len(lines), lines[len(lines)-1])
	}
}

func TestRegisterFile(t *testing.T) {
	number := func(s string) identity.NHSNumber { return valueOf(identity.ParseNHSNumber(s)) }
	whole, err := readRegister(registerHeader + registerLine)
	if err != nil || len(whole) != 1 {
		t.Fatalf("wanted a row, got %d, %v", len(whole), err)
	}
	want := store.RegisterRow{Entry: identity.Entry{
		NHSNumber: number("9990000018"), FamilyName: valueOf(identity.ParseName("Prawf")), FormerFamilyName: valueOf(identity.ParseName("Cynt")),
		GivenName: valueOf(identity.ParseName("Siân")), BirthDate: valueOf(identity.ParseBirthDate("1984-02-29")),
		Mobile: valueOf(identity.ParsePhone("07700900123")), Landline: valueOf(identity.ParsePhone("01632960123")),
		Email: valueOf(identity.ParseEmail("sian@example.com")), Postcode: valueOf(identity.ParsePostcode("ZZ101AA")), Practice: "W00001",
	}}
	if whole[0] != want {
		t.Error("the row is not as it stands in the file")
	}
	for name, row := range map[string]struct {
		text string
		want func(r *store.RegisterRow)
	}{
		"a byte order mark":    {"\uFEFF" + registerHeader + registerLine, func(*store.RegisterRow) {}},
		"line ends of Windows": {strings.ReplaceAll(registerHeader+registerLine, "\n", "\r\n"), func(*store.RegisterRow) {}},
		"no line end":          {registerHeader + strings.TrimSuffix(registerLine, "\n"), func(*store.RegisterRow) {}},
		"gaps around":          {registerHeader + with("family_name", "  Prawf "), func(*store.RegisterRow) {}},
		"a comma in quotes":    {registerHeader + with("family_name", `"Prawf, ""Jr"""`), func(r *store.RegisterRow) { r.FamilyName = valueOf(identity.ParseName(`Prawf, "Jr"`)) }},
		"living":               {registerHeader + with("status", "living"), func(*store.RegisterRow) {}},
		"died":                 {registerHeader + with("status", "died"), func(r *store.RegisterRow) { r.Standing = identity.Died }},
		"moved":                {registerHeader + with("status", "moved"), func(r *store.RegisterRow) { r.Standing = identity.Moved }},
		"protected":            {registerHeader + with("protected", "YES"), func(r *store.RegisterRow) { r.Protected = true }},
		"no given name":        {registerHeader + with("given_name", ""), func(r *store.RegisterRow) { r.GivenName = identity.Name{} }},
		"merged":               {registerHeader + with("status", "superseded:999 000 0026"), func(r *store.RegisterRow) { r.Standing, r.Successor = identity.Superseded, number("9990000026") }},
		"merged, number alone": {registerHeader + "9990000018,,,,,,,,,,superseded:9990000026,,,\n", func(r *store.RegisterRow) {
			*r = store.RegisterRow{Entry: identity.Entry{NHSNumber: r.NHSNumber, Standing: identity.Superseded}, Successor: number("9990000026")}
		}},
		"invalidated": {registerHeader + "9990000018,,,,,,,,,,invalidated,,,\n", func(r *store.RegisterRow) {
			*r = store.RegisterRow{Entry: identity.Entry{NHSNumber: r.NHSNumber, Standing: identity.Invalidated}}
		}},
		"linkage details": {registerHeader + strings.Replace(registerLine, "no,,", "no,acc,key", 1), func(r *store.RegisterRow) { r.GPAccountID, r.GPLinkageKey = "acc", "key" }},
		"right to left":   {registerHeader + with("family_name", "כהן"), func(r *store.RegisterRow) { r.FamilyName = valueOf(identity.ParseName("כהן")) }},
	} {
		rows, err := readRegister(row.text)
		expected := want
		row.want(&expected)
		if err != nil || len(rows) != 1 || rows[0] != expected {
			t.Errorf("%s: wanted the row, got %d, %v", name, len(rows), err)
		}
	}
	stop := errors.New("stop")
	if err := ReadRegisterFile(strings.NewReader(registerHeader+registerLine), "", registerToday, func(store.RegisterRow) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("wanted what the taker said, got %v", err)
	}
}

// What the made-up write, we read: the same patients.
func TestRegisterFileOfTheMadeUp(t *testing.T) {
	var file bytes.Buffer
	if err := madeup.WriteCSV(&file, madeup.Patients(500)); err != nil {
		t.Fatal(err)
	}
	rows, err := readRegister(file.String())
	if err != nil || len(rows) != 500 {
		t.Fatalf("wanted 500 rows, got %d, %v", len(rows), err)
	}
	i := 0
	for e := range madeup.Patients(500) {
		if rows[i].Entry != e {
			t.Fatalf("patient %d is another", i)
		}
		i++
	}
}

// Whatever the bytes, there are rows or faults, and no fault tells a value.
func FuzzRegisterFile(f *testing.F) {
	for _, seed := range []string{
		registerLine, with("status", "superseded:9990000026"), with("family_name", `"Pra""wf"`), with("family_name", `"open`), "\xff\xfe", "\n\n\"\n", ",,,,,,,,,,,,,\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := readRegister(registerHeader + text)
		if err == nil && len(rows) == 0 {
			t.Error("neither rows nor faults")
		}
		faults := (*RegisterFaults)(nil)
		if err != nil && !errors.As(err, &faults) {
			t.Errorf("wanted faults, got %v", err)
		}
		for _, r := range rows {
			if r.NHSNumber.IsZero() {
				t.Error("a row without a number")
			}
		}
	})
}

func TestOpenRegisterFile(t *testing.T) {
	dir := t.TempDir()
	data, keys, own := filepath.Join(dir, "data"), filepath.Join(dir, "keys"), filepath.Join(dir, "own")
	for _, folder := range []string{filepath.Join(data, "deep"), keys, own} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put := func(mode os.FileMode, path ...string) string {
		file := filepath.Join(path...)
		if err := os.WriteFile(file, []byte(registerHeader), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	link := func(to string, path ...string) string {
		name := filepath.Join(path...)
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	c := &Config{Database: "sqlite:" + filepath.Join(data, "dilys.db"), Keys: keys}
	good := put(0o600, own, "good.csv")
	for name, row := range map[string]struct{ file, want string }{
		"its owner's":                    {good, ""},
		"for reading only":               {put(0o400, own, "read.csv"), ""},
		"missing":                        {filepath.Join(own, "missing.csv"), "no such file"},
		"its group's":                    {put(0o640, own, "group.csv"), "run chmod go= "},
		"everybody's":                    {put(0o604, own, "all.csv"), "run chmod go= "},
		"beside the database":            {put(0o600, data, "in.csv"), "wanted a file outside of " + data},
		"below the database":             {put(0o600, data, "deep", "in.csv"), "wanted a file outside of " + data},
		"beside the keys":                {put(0o600, keys, "in.csv"), "wanted a file outside of " + keys},
		"a link into the data":           {link(filepath.Join(data, "in.csv"), own, "link.csv"), "wanted a file outside of " + data},
		"through a linked folder":        {filepath.Join(link(data, own, "linked"), "in.csv"), "wanted a file outside of " + data},
		"a way round":                    {filepath.Join(own, "..", "data", "in.csv"), "wanted a file outside of " + data},
		"a folder":                       {own, "wanted a file, got"},
		"a link out of the data is fine": {link(good, data, "out.csv"), ""},
	} {
		f, err := c.OpenRegisterFile(row.file)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: wanted %q, got %v", name, row.want, err)
		}
		if f != nil {
			_ = f.Close()
		}
	}
	if f, err := (&Config{Database: "postgres://db/dilys", Keys: filepath.Join(dir, "none yet")}).OpenRegisterFile(good); err != nil {
		t.Error(err)
	} else {
		_ = f.Close()
	}
}

// importing is Records over an empty database, and a way to import made-up
// patients.
func importing(t *testing.T) (*Records, func(text string, shrink bool) (int64, error)) {
	t.Helper()
	db := storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), nil)
	r := &Records{DB: db, Ledger: audit.NewLedger(db.Audit(), store.NewJournal(filepath.Join(t.TempDir(), "journal")), time.Now)}
	return r, func(text string, shrink bool) (int64, error) {
		return r.ImportRegister(context.Background(), RegisterImport{
			File: strings.NewReader(text), Name: "file.csv", Actor: "operator:prawf", Shrink: shrink,
			Progress: func(int64) {}, Now: func() time.Time { return registerToday },
		})
	}
}

func madeUpFile(t *testing.T, patients int) string {
	t.Helper()
	var file bytes.Buffer
	if err := madeup.WriteCSV(&file, madeup.Patients(patients)); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

func TestImportRegister(t *testing.T) {
	r, load := importing(t)
	stands := func(patients int64, imports int) {
		t.Helper()
		status, err := r.DB.Register().Status(t.Context())
		if err != nil || status.Entries != patients {
			t.Errorf("wanted %d entries, got %+v, %v", patients, status, err)
		}
		events, err := r.DB.Audit().Unsealed(t.Context(), 100)
		if err != nil || len(events) != imports {
			t.Fatalf("wanted %d events, got %d, %v", imports, len(events), err)
		}
		if last := events[len(events)-1]; last.Kind != audit.RegisterImported || last.Actor != "operator:prawf" || last.Reason != fmt.Sprint(patients, " entries") || last.Result != audit.OK {
			t.Errorf("wanted who imported how many, got %+v", last)
		}
	}
	if n, err := load(madeUpFile(t, 100), false); err != nil || n != 100 {
		t.Fatalf("wanted 100 imported, got %d, %v", n, err)
	}
	stands(100, 1)
	faults := (*RegisterFaults)(nil)
	if _, err := load(madeUpFile(t, 200)+"broken\n", false); !errors.As(err, &faults) {
		t.Errorf("a fault in the last line: wanted it told, got %v", err)
	}
	stands(100, 1)
	if _, err := load(madeUpFile(t, 89), false); err == nil || !strings.Contains(err.Error(), "--shrink") {
		t.Errorf("a file that was cut off: wanted it refused, got %v", err)
	}
	stands(100, 1)
	if _, err := load(madeUpFile(t, 90), false); err != nil {
		t.Error(err)
	}
	stands(90, 2)
	if _, err := load(madeUpFile(t, 10), true); err != nil {
		t.Error(err)
	}
	stands(10, 3)
}

// BenchmarkReadRegisterFile is the reading of a file alone, a row an operation.
func BenchmarkReadRegisterFile(b *testing.B) {
	var file bytes.Buffer
	if err := madeup.WriteCSV(&file, madeup.Patients(10_000)); err != nil {
		b.Fatal(err)
	}
	rows := 0
	for b.Loop() {
		err := ReadRegisterFile(bytes.NewReader(file.Bytes()), "", registerToday, func(store.RegisterRow) error { rows++; return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
}
