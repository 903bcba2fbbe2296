package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Register is the register of patients as an index: what the last import said,
// asked by number, by contact or by name, birth date and postcode. Every answer is
// of one import, also while the next one is loaded and takes its place.
type Register struct{ db *DB }

// Register returns the index of patients.
func (db *DB) Register() *Register { return &Register{db} }

// RegisterRow is one patient of an import.
type RegisterRow struct {
	identity.Entry
	Successor identity.NHSNumber // the number that a superseded one was merged into
}

// RegisterStatus is what the register is. The zero value is none.
type RegisterStatus struct {
	Generation int64     // counts the imports, those that failed too
	Entries    int64     // of the generation that answers
	Imported   time.Time // since when it does
}

var registerSecret = sealedColumn("register_generations", "secret", "id")

const generationColumns = `id, number, secret, entries, page_bits, answers`

var (
	generationNow  = statement(`SELECT ` + generationColumns + ` FROM register_generations WHERE answers > 0 AND over = 0 ORDER BY number DESC LIMIT 1`)
	generationsOut = statement(`SELECT number FROM register_generations WHERE over > 0 AND (answers = 0 OR over < $1) ORDER BY number`)
	pageOf         = statement(`SELECT digests FROM register_pages WHERE generation = $1 AND field = $2 AND page = $3`)
	entryAt        = statement(`SELECT entry FROM register_entries WHERE generation = $1 AND place = $2`)

	dropEntries    = statement(`DELETE FROM register_entries WHERE generation = $1 AND place IN (SELECT place FROM register_entries WHERE generation = $1 ORDER BY place LIMIT 4000)`)
	dropPages      = statement(`DELETE FROM register_pages WHERE generation = $1 AND field = $2 AND page IN (SELECT page FROM register_pages WHERE generation = $1 AND field = $2 ORDER BY page LIMIT 2000)`)
	dropRuns       = statement(`DELETE FROM register_runs WHERE generation = $1 AND field = $2 AND part = (SELECT MIN(part) FROM register_runs WHERE generation = $1 AND field = $2)`)
	dropGeneration = statement(`DELETE FROM register_generations WHERE number = $1`)
)

// errNoRegister says that nothing was imported yet.
var errNoRegister = fmt.Errorf("register: wanted an import, got none yet: %w", identity.ErrUnavailable)

// now returns the generation that answers.
func (s *Register) now(ctx context.Context) (*generation, error) {
	g, err := one(ctx, s.db, generationNow, s.scan)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, errNoRegister
	}
	return g, err
}

func (s *Register) scan(r row) (*generation, error) {
	g := &generation{}
	var sealed []byte
	var answers int64
	if err := r.Scan(&g.id, &g.number, &sealed, &g.entries, &g.pageBits, &answers); err != nil {
		return nil, err
	}
	g.answers = instant(answers)
	secret, err := s.db.keys.open(registerSecret, g.id, sealed)
	if err != nil {
		return nil, err
	}
	return g, g.derive(secret)
}

// Status tells which import answers, or the zero value where there was none.
func (s *Register) Status(ctx context.Context) (RegisterStatus, error) {
	g, err := s.now(ctx)
	switch {
	case errors.Is(err, errNoRegister):
		return RegisterStatus{}, nil
	case err != nil:
		return RegisterStatus{}, err
	}
	return RegisterStatus{g.number, g.entries, g.answers}, nil
}

// mostMerges bounds how often one number was merged into another.
const mostMerges = 5

// Entry returns the entry of that number, whatever its standing, or of the number
// that took its place where it was superseded and the register has that one. It
// returns [identity.ErrNotFound] for a number that the register does not have and
// [identity.ErrUnavailable] before the first import.
func (s *Register) Entry(ctx context.Context, n identity.NHSNumber) (identity.Entry, error) {
	g, err := s.now(ctx)
	if err != nil {
		return identity.Entry{}, err
	}
	found, err := s.byNumber(ctx, g, n)
	for range mostMerges {
		if err != nil || found.Standing != identity.Superseded {
			break
		}
		next, missing := s.byNumber(ctx, g, found.Successor)
		if errors.Is(missing, identity.ErrNotFound) {
			break
		}
		found, err = next, missing
	}
	return found.Entry, err
}

func (s *Register) byNumber(ctx context.Context, g *generation, n identity.NHSNumber) (RegisterRow, error) {
	if n.IsZero() {
		return RegisterRow{}, identity.ErrNotFound
	}
	rows, _, err := s.candidates(ctx, g, registerNumber, n.Reveal())
	if err != nil {
		return RegisterRow{}, err
	}
	i := slices.IndexFunc(rows, func(r RegisterRow) bool { return r.NHSNumber == n })
	if i < 0 {
		return RegisterRow{}, identity.ErrNotFound
	}
	return rows[i], nil
}

// Search returns the one entry of a living patient whose names and birth date
// match ([identity.Match]) and who lives at that postcode. Two that match are
// none, and so is a protected patient. It returns [identity.ErrNotFound] for none
// and [identity.ErrUnavailable] before the first import. The number that d may
// have is not looked at.
func (s *Register) Search(ctx context.Context, d identity.Details, postcode identity.Postcode) (identity.Entry, error) {
	g, err := s.now(ctx)
	if err != nil {
		return identity.Entry{}, err
	}
	rows, crowded, err := s.candidates(ctx, g, registerPerson, searchForms(d, postcode)...)
	if err != nil {
		return identity.Entry{}, err
	}
	var found []identity.Entry
	for _, r := range rows {
		d.NHSNumber = r.NHSNumber // not claimed
		if r.Postcode == postcode && countsInSearch(r.Standing) && len(identity.Match(d, r.Entry)) == 0 {
			found = append(found, r.Entry)
		}
	}
	if crowded || len(found) != 1 || found[0].Protected || found[0].Standing != identity.Living {
		return identity.Entry{}, identity.ErrNotFound
	}
	return found[0], nil
}

// countsInSearch reports whether an entry is that of a person of its own: one
// that was merged is there under its other number too.
func countsInSearch(s identity.Standing) bool {
	return s != identity.Superseded && s != identity.Invalidated
}

// Holders tells on how many living adults' entries a contact stands at that
// instant, a phone as mobile or as landline; known is always true, for the index
// can be asked. From a hundred on it no longer looks whose they are: the contact
// is a practice's, or made up. It returns [identity.ErrUnavailable] before the
// first import.
func (s *Register) Holders(ctx context.Context, c identity.Contact, at time.Time) (count int, known bool, err error) {
	g, err := s.now(ctx)
	if err != nil || c.IsZero() {
		return 0, err == nil, err
	}
	rows, crowded, err := s.candidates(ctx, g, registerContact, c.Canonical())
	if err != nil {
		return 0, false, err
	}
	if crowded {
		return crowd, true, nil
	}
	for _, r := range rows {
		if r.Holds(c) && r.LivingAdult(at) {
			count++
		}
	}
	return count, true, nil
}

// candidates returns the entries under the digests of those forms, each once. A
// digest is short, so they may be of another form: who asks compares again. It
// says crowded, and returns no entry, where one digest has too many.
func (s *Register) candidates(ctx context.Context, g *generation, field string, forms ...string) (rows []RegisterRow, crowded bool, err error) {
	digester := g.digester()
	var places []uint32
	for _, form := range forms {
		digest := digester.digest(field, form)
		page, err := one(ctx, s.db, pageOf, blob, g.number, field, g.page(digest))
		if errors.Is(err, identity.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		found := placesOf(page, digest)
		if len(found) >= crowd {
			return nil, true, nil
		}
		places = append(places, found...)
	}
	slices.Sort(places)
	for _, place := range slices.Compact(places) {
		r, err := s.at(ctx, g, place)
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, r)
	}
	return rows, false, nil
}

// at returns the entry at that place.
func (s *Register) at(ctx context.Context, g *generation, place uint32) (RegisterRow, error) {
	return one(ctx, s.db, entryAt, func(r row) (RegisterRow, error) {
		sealed, err := blob(r)
		if err != nil {
			return RegisterRow{}, err
		}
		return g.open(place, sealed)
	}, g.number, int64(place))
}

// Sweep forgets the generations that ended before that instant, and those that
// never answered anybody, a little at a time.
func (s *Register) Sweep(ctx context.Context, before time.Time) error {
	numbers, err := list(ctx, s.db, generationsOut, number, micros(before))
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if err := s.drop(ctx, n); err != nil {
			return fmt.Errorf("register: sweep generation %d: %w", n, err)
		}
	}
	return nil
}

// drop deletes a generation, its name last: what a crash leaves is found again.
func (s *Register) drop(ctx context.Context, generation int64) error {
	if err := s.drain(ctx, dropEntries, generation); err != nil {
		return err
	}
	for _, field := range registerFields {
		for _, q := range []*query{dropPages, dropRuns} {
			if err := s.drain(ctx, q, generation, field); err != nil {
				return err
			}
		}
	}
	_, err := s.db.exec(ctx, dropGeneration, generation)
	return err
}

// drain is [DB.drain] that lets others write between two steps.
func (s *Register) drain(ctx context.Context, q *query, args ...any) error {
	for n := int64(1); n > 0; {
		err := s.inTurn(ctx, func() (err error) {
			n, err = s.db.exec(ctx, q, args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	longestTurn  = time.Second // bounds how long others are given
	stepAttempts = 12          // of a step, each of which waits for others as long as any write does
)

// inTurn runs one step of a long work that writes, and then leaves the database to
// others for half as long. On SQLite a writer waits by asking again and again: one
// who takes the lock back at once would let nobody in. It is more patient than a
// patient's own write, for it has no one waiting and much to lose.
func (s *Register) inTurn(ctx context.Context, step func() error) error {
	began := s.db.now()
	err := step()
	for try := 1; passing(err) && try < stepAttempts; try++ {
		began = s.db.now()
		err = step()
	}
	if err != nil {
		return err
	}
	timer := time.NewTimer(min(s.db.now().Sub(began)/2, longestTurn))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return refine(ctx.Err())
	}
}
