package service

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/store"
)

// registerColumns is the header of a register's file, in this order alone: a
// column that moved unseen would put one patient's values under another's name.
var registerColumns = []string{
	"nhs_number", "family_name", "former_family_name", "given_name", "birth_date", "mobile", "landline", "email", "postcode",
	"practice", "status", "protected", "gp_account_id", "gp_linkage_key",
}

// mostRegisterFaults is how many faults are told; a file with more has one cause.
const mostRegisterFaults = 100

// RegisterFaults is what is wrong with a register's file: at most a hundred faults
// and how many more there are. It never holds a value of the file.
type RegisterFaults struct {
	lines []string
	more  int
}

// Error writes the faults, one a line, FILE:LINE: column: wanted ….
func (f *RegisterFaults) Error() string {
	lines := f.lines
	if f.more > 0 {
		lines = append(slices.Clip(lines), fmt.Sprintf("and %d more", f.more))
	}
	return strings.Join(lines, "\n")
}

func (f *RegisterFaults) any() bool { return len(f.lines) > 0 }

func (f *RegisterFaults) add(text string) {
	if len(f.lines) == mostRegisterFaults {
		f.more++
		return
	}
	f.lines = append(f.lines, text)
}

// OpenRegisterFile opens a register's file for reading. It refuses one that anyone
// but its owner may read, and one inside the folder of the database or of the keys:
// it holds every patient in plain text, and would lie in every backup of what is
// sealed.
func (c *Config) OpenRegisterFile(path string) (*os.File, error) {
	for _, folder := range c.dataFolders() {
		inside, err := isInside(path, folder)
		if err != nil {
			return nil, fmt.Errorf("register: %w", err)
		}
		if inside {
			return nil, fmt.Errorf("register: wanted a file outside of %s, where the service keeps what is sealed, got %s", folder, path)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	info, err := f.Stat()
	const anyoneElse = 0o077
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("wanted a file, got %s of another kind", path)
	case info.Mode().Perm()&anyoneElse != 0:
		err = fmt.Errorf("wanted %s for its owner alone, got mode %04o: run chmod go= %s", path, info.Mode().Perm(), path)
	default:
		return f, nil
	}
	return nil, fmt.Errorf("register: %w", errors.Join(err, f.Close()))
}

// dataFolders are where the service keeps what is sealed, and the keys.
func (c *Config) dataFolders() []string {
	folders := []string{c.Keys}
	if path, isFile := strings.CutPrefix(c.Database, "sqlite:"); isFile {
		folders = append(folders, filepath.Dir(path))
	}
	return folders
}

// isInside reports whether the file lies in the folder or below it, under whatever
// name either goes.
func isInside(path, folder string) (bool, error) {
	target, err := os.Stat(folder)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return false, err
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return false, err
		}
		if os.SameFile(info, target) {
			return true, nil
		}
		if dir == filepath.Dir(dir) {
			return false, nil
		}
	}
}

// ReadRegisterFile reads a register's file (RFC 4180, in UTF-8) and yields its
// rows. It reads to the end whatever is wrong, so that every fault is told at
// once, as [*RegisterFaults] with the file under that name, but yields nothing
// after the first one. A number that stands there twice is a fault, and so is a
// file without a row. today is the day after which nobody was born yet.
func ReadRegisterFile(r io.Reader, name string, today time.Time, yield func(store.RegisterRow) error) error {
	guard := &guarded{from: r}
	in := bufio.NewReader(guard)
	skipMark(in)
	rows := csv.NewReader(in)
	rows.ReuseRecord, rows.FieldsPerRecord = true, -1
	f := registerFile{name: name, rows: rows, today: today}
	if !f.header() {
		return &f.faults
	}
	for !f.ended {
		guard.read = 0
		row, ok := f.next()
		if !ok || f.faults.any() {
			continue
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	f.judgeNumbers()
	if f.faults.any() {
		return &f.faults
	}
	return nil
}

// skipMark skips the byte order mark that some programs put in front.
func skipMark(in *bufio.Reader) {
	mark := []byte("\uFEFF")
	if begin, _ := in.Peek(len(mark)); bytes.Equal(begin, mark) {
		_, _ = in.Discard(len(mark))
	}
}

// guarded stops a row that does not end: a quote that nobody closed would take
// what is left of the file into memory.
type guarded struct {
	from io.Reader
	read int // since the row began
}

const mostOfARow = 1 << 20 // bytes

var errRowTooLong = errors.New("row too long")

func (g *guarded) Read(p []byte) (int, error) {
	if g.read > mostOfARow {
		return 0, errRowTooLong
	}
	n, err := g.from.Read(p)
	g.read += n
	return n, err
}

// registerFile is a file while it is read.
type registerFile struct {
	name    string
	rows    *csv.Reader
	today   time.Time
	faults  RegisterFaults
	numbers []uint64 // each with its line, to find one that stands twice
	line    int      // of the last row
	ended   bool
}

func (f *registerFile) fault(line int, column, wanted string) {
	f.faults.add(fmt.Sprintf("%s:%d: %s: %s", f.name, line, column, wanted))
}

// header reads the first row and reports whether it is as it must be.
func (f *registerFile) header() bool {
	row, err := f.rows.Read()
	f.line = 1
	if err != nil || !slices.Equal(row, registerColumns) {
		f.fault(1, "header", "wanted "+strings.Join(registerColumns, ",")+", in UTF-8")
		return false
	}
	return true
}

// next reads a row. It is not ok at the end and where the row has a fault.
func (f *registerFile) next() (store.RegisterRow, bool) {
	record, err := f.rows.Read()
	if err != nil {
		f.ended = true
		f.judgeEnd(err)
		return store.RegisterRow{}, false
	}
	f.line, _ = f.rows.FieldPos(0)
	if len(record) != len(registerColumns) {
		f.fault(f.line, "row", fmt.Sprintf("wanted %d columns, got %d", len(registerColumns), len(record)))
		return store.RegisterRow{}, false
	}
	c := cells{record: record, today: f.today, tell: func(column, wanted string) { f.fault(f.line, column, wanted) }}
	row := c.row()
	if !row.NHSNumber.IsZero() {
		f.numbers = append(f.numbers, numberOnLine(row.NHSNumber, f.line))
	}
	return row, !c.faulty
}

// judgeEnd tells why there is no further row, unless the file is over.
func (f *registerFile) judgeEnd(err error) {
	broken := (*csv.ParseError)(nil)
	switch {
	case errors.Is(err, io.EOF):
		if len(f.numbers) == 0 && !f.faults.any() {
			f.fault(1, "rows", "wanted one at least: an empty register has no patient")
		}
	case errors.Is(err, errRowTooLong):
		f.fault(f.line+1, "row", fmt.Sprintf("wanted one of less than %d bytes: is a quotation mark open? the rest was not read", mostOfARow))
	case errors.As(err, &broken):
		f.fault(broken.StartLine, "row", "wanted values with a comma or a quotation mark in quotation marks, and each of those twice (RFC 4180); the rest was not read")
	default:
		f.fault(f.line+1, "file", "wanted to read it to the end: "+err.Error())
	}
}

// A number and its line in one word: ten digits take 34 bits.
const lineBits = 30

func numberOnLine(n identity.NHSNumber, line int) uint64 {
	digits, _ := strconv.ParseUint(n.Reveal(), 10, 64) // ten digits, as parsed
	return digits<<lineBits | uint64(line)&(1<<lineBits-1)
}

// judgeNumbers tells every number that stood there before.
func (f *registerFile) judgeNumbers() {
	const lineMask = 1<<lineBits - 1
	slices.Sort(f.numbers)
	var again [][2]uint64 // line, and line of the first
	first := 0
	for i := 1; i < len(f.numbers); i++ {
		if f.numbers[i]>>lineBits != f.numbers[first]>>lineBits {
			first = i
			continue
		}
		again = append(again, [2]uint64{f.numbers[i] & lineMask, f.numbers[first] & lineMask})
	}
	slices.SortFunc(again, func(a, b [2]uint64) int { return int(a[0]) - int(b[0]) })
	for _, lines := range again {
		f.fault(int(lines[0]), "nhs_number", fmt.Sprintf("wanted each number once, got that of line %d", lines[1]))
	}
}

// cells are the values of a row.
type cells struct {
	record []string
	today  time.Time
	tell   func(column, wanted string)
	faulty bool
}

func (c *cells) fault(column, wanted string) {
	c.faulty = true
	c.tell(column, wanted)
}

// cell returns the value of that column without the gaps around it.
func (c *cells) cell(column string) string {
	return strings.TrimSpace(c.record[slices.Index(registerColumns, column)])
}

// row reads all of them and tells each fault.
func (c *cells) row() store.RegisterRow {
	var r store.RegisterRow
	for i, cell := range c.record {
		if !utf8.ValidString(cell) {
			c.fault(registerColumns[i], "wanted text in UTF-8")
			return r
		}
	}
	r.Standing, r.Successor = c.status()
	if c.needed("nhs_number") {
		r.NHSNumber = parsed(c, "nhs_number", identity.ParseNHSNumber)
	}
	if r.Standing != identity.Superseded && r.Standing != identity.Invalidated { // those are nobody's any more
		_, _ = c.needed("family_name"), c.needed("birth_date")
	}
	r.FamilyName = parsed(c, "family_name", identity.ParseName)
	r.FormerFamilyName = parsed(c, "former_family_name", identity.ParseName)
	r.GivenName = parsed(c, "given_name", identity.ParseName)
	r.BirthDate = c.birthDate()
	r.Mobile = parsed(c, "mobile", identity.ParsePhone)
	r.Landline = parsed(c, "landline", identity.ParsePhone)
	r.Email = parsed(c, "email", identity.ParseEmail)
	r.Postcode = parsed(c, "postcode", identity.ParsePostcode)
	r.Practice = c.practice()
	r.Protected = c.yes("protected")
	r.GPAccountID, r.GPLinkageKey = c.linkage()
	if !r.NHSNumber.IsZero() && r.NHSNumber == r.Successor {
		c.fault("status", "wanted another number than that of the row")
	}
	return r
}

// needed tells a fault where the cell is empty.
func (c *cells) needed(column string) bool {
	if c.cell(column) == "" {
		c.fault(column, "wanted a value, got none")
		return false
	}
	return true
}

// parsed reads a cell that may be empty.
func parsed[T any](c *cells, column string, parse func(string) (T, error)) (v T) {
	text := c.cell(column)
	if text == "" {
		return v
	}
	v, err := parse(text)
	if err != nil {
		_, wanted, _ := strings.Cut(err.Error(), ": ") // what stands before it names the kind of value
		c.fault(column, wanted)
	}
	return v
}

func (c *cells) birthDate() identity.BirthDate {
	b := parsed(c, "birth_date", identity.ParseBirthDate)
	if b.Day().After(c.today) {
		c.fault("birth_date", "wanted a day that has come")
	}
	return b
}

// status reads what the register says of the entry as a whole.
func (c *cells) status() (identity.Standing, identity.NHSNumber) {
	word, successor, merged := strings.Cut(c.cell("status"), ":")
	if standing := identity.Standing(word); merged && standing == identity.Superseded {
		n, err := identity.ParseNHSNumber(successor)
		if err != nil {
			c.fault("status", "wanted superseded: and an NHS number with a matching check digit")
		}
		return standing, n
	}
	switch standing := identity.Standing(word); {
	case merged:
	case word == "living":
		return identity.Living, identity.NHSNumber{}
	case standing == identity.Living, standing == identity.Died, standing == identity.Moved, standing == identity.Invalidated:
		return standing, identity.NHSNumber{}
	}
	c.fault("status", "wanted living, died, moved, superseded:NHSNUMBER, invalidated or nothing")
	return "", identity.NHSNumber{}
}

func (c *cells) yes(column string) bool {
	switch strings.ToLower(c.cell(column)) {
	case "yes", "true":
		return true
	case "", "no", "false":
		return false
	}
	c.fault(column, "wanted yes, no or nothing")
	return false
}

// practice reads the ODS code of a GP practice, such as W00005.
func (c *cells) practice() string {
	const longest = 10
	code := strings.ToUpper(c.cell("practice"))
	if len(code) > longest || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		c.fault("practice", "wanted an ODS code such as W00005")
	}
	return code
}

// linkage reads the GP linkage details: one without the other proves nothing.
func (c *cells) linkage() (account, key identity.Secret) {
	const longest = 100
	for _, column := range []string{"gp_account_id", "gp_linkage_key"} {
		if len(c.cell(column)) > longest {
			c.fault(column, fmt.Sprintf("wanted at most %d bytes", longest))
		}
	}
	account, key = identity.Secret(c.cell("gp_account_id")), identity.Secret(c.cell("gp_linkage_key"))
	if (account == "") != (key == "") {
		c.fault("gp_linkage_key", "wanted it together with gp_account_id, or neither")
	}
	return account, key
}
