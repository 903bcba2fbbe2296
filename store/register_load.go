package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dilys-id/dilys/identity"
)

// A load writes a new generation beside the one that answers, in short
// transactions, so that whoever else writes finds the database free; look-ups go
// to the other one until [Register.Switch]. What is in memory is a few batches,
// however many rows there are.

// batchRows is how many entries are written in one transaction.
const batchRows = 4096

// generationGrace is how long a generation is kept after another took its place,
// for look-ups that began before.
const generationGrace = 10 * time.Minute

// Loaded is a generation that is whole and answers nobody yet.
type Loaded struct {
	Generation int64
	Entries    int64
}

// rowsInOne is how many rows one statement of a load inserts.
const rowsInOne = 16

// insertion is an INSERT of one row and one of several.
type insertion struct {
	one, several *query
	columns      int
}

func insertionInto(table string, columns ...string) insertion {
	rows := func(n int) string {
		var all []string
		for i := range n {
			marks := make([]string, len(columns))
			for j := range marks {
				marks[j] = fmt.Sprintf("$%d", i*len(columns)+j+1)
			}
			all = append(all, "("+strings.Join(marks, ", ")+")")
		}
		return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " + strings.Join(all, ", ")
	}
	return insertion{statement(rows(1)), statement(rows(rowsInOne)), len(columns)}
}

var (
	addGeneration = statement(`INSERT INTO register_generations (id, number, secret, entries, page_bits, answers, over)
		SELECT $1, coalesce(MAX(number), 0) + 1, $2, 0, 0, 0, 0 FROM register_generations WHERE TRUE ON CONFLICT DO NOTHING RETURNING number`)
	stopLoads         = statement(`UPDATE register_generations SET over = $1 WHERE number < $2 AND answers = 0 AND over = 0`)
	stillLoading      = statement(`UPDATE register_generations SET entries = $1, page_bits = $2 WHERE number = $3 AND answers = 0 AND over = 0`)
	endGeneration     = statement(`UPDATE register_generations SET over = $1 WHERE answers > 0 AND over = 0`)
	switchGeneration  = statement(`UPDATE register_generations SET answers = $1 WHERE number = $2 AND entries = $3 AND page_bits > 0 AND answers = 0 AND over = 0`)
	runsOf            = statement(`SELECT digests FROM register_runs WHERE generation = $1 AND field = $2 AND part = $3`)
	dropParts         = statement(`DELETE FROM register_runs WHERE generation = $1 AND field = $2 AND part < $3`)
	addRegisterRows   = insertionInto("register_entries", "generation", "place", "entry")
	addRegisterPages  = insertionInto("register_pages", "generation", "field", "page", "digests")
	addRegisterRuns   = insertionInto("register_runs", "generation", "field", "part", "batch", "digests")
	errOtherLoad      = fmt.Errorf("register: another import began meanwhile: %w", identity.ErrConflict)
	errNumberTwice    = fmt.Errorf("register: wanted each NHS number once, got one twice: %w", identity.ErrConflict)
	errNoNumber       = fmt.Errorf("register: wanted an NHS number in every row, got none")
	errTooManyEntries = fmt.Errorf("register: wanted fewer than 2^32 rows")
)

// insert adds rows, whose values stand one behind the other.
func (db *DB) insert(ctx context.Context, in insertion, values []any) error {
	for len(values) > 0 {
		q, n := in.one, in.columns
		if len(values) >= rowsInOne*in.columns {
			q, n = in.several, rowsInOne*in.columns
		}
		if _, err := db.exec(ctx, q, values[:n]...); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// Load writes the rows that read yields as a new generation, which answers nobody
// before [Register.Switch]. It stops, and nothing has changed, when read returns an
// error or ctx ends; yield returns an error when the load can't go on, and read
// must then return. The next load sweeps what such a one leaves, or one that was
// killed. A load that begins while another runs takes over: the earlier one gets
// [identity.ErrConflict], as does a load that has a number twice. It must not be
// called inside an act.
func (s *Register) Load(ctx context.Context, read func(yield func(RegisterRow) error) error) (Loaded, error) {
	if err := s.db.alone(ctx); err != nil {
		return Loaded{}, err
	}
	g, err := s.begin(ctx)
	if err != nil {
		return Loaded{}, err
	}
	if err := s.Sweep(ctx, s.db.now().Add(-generationGrace)); err != nil {
		return Loaded{}, err
	}
	if err := s.writeRows(ctx, g, read); err != nil {
		return Loaded{}, err
	}
	g.pageBits = pageBitsFor(g.entries)
	for _, field := range registerFields {
		if err := s.writeField(ctx, g, field); err != nil {
			return Loaded{}, err
		}
	}
	return Loaded{g.number, g.entries}, nil
}

// Switch lets a generation answer in place of the earlier one, in the transaction
// of ctx or in one of its own. It returns [identity.ErrConflict] for a generation
// that did so already, or that another load took over from.
func (s *Register) Switch(ctx context.Context, l Loaded) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		at := past(s.db.now())
		if _, err := s.db.exec(ctx, endGeneration, at); err != nil {
			return err
		}
		return s.db.must(ctx, errOtherLoad, switchGeneration, at, l.Generation, l.Entries)
	})
}

// begin makes a generation and stops every earlier load that is not whole. These
// are two steps, each of one statement: an act around both would collide with the
// batches of the load that it stops, again and again.
func (s *Register) begin(ctx context.Context) (*generation, error) {
	g := &generation{id: identity.NewID()}
	secret, err := g.newSecret()
	if err != nil {
		return nil, err
	}
	sealed, err := s.db.keys.seal(registerSecret, g.id, secret)
	if err != nil {
		return nil, err
	}
	for g.number == 0 {
		g.number, err = one(ctx, s.db, addGeneration, number, g.id, sealed)
		if err != nil && !errors.Is(err, identity.ErrNotFound) { // another took the number: the next one is free
			return nil, err
		}
	}
	_, err = s.db.exec(ctx, stopLoads, past(s.db.now()), g.number)
	return g, err
}

// batch is some rows of a load; sealed, what is written of them.
type batch struct {
	number int64
	first  uint32 // the place of its first row
	rows   []RegisterRow

	entries []any
	runs    []any
}

// writeRows writes every row, and its digests as they come: one goroutine reads,
// as many as there are processors seal, one writes.
func (s *Register) writeRows(ctx context.Context, g *generation, read func(yield func(RegisterRow) error) error) error {
	work, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	plain, sealed := make(chan batch), make(chan batch, workers)
	work.Go(func() error {
		defer close(plain)
		return gather(ctx, read, plain)
	})
	var sealing sync.WaitGroup
	for range workers {
		sealing.Add(1)
		work.Go(func() error {
			defer sealing.Done()
			return sealAll(ctx, g, plain, sealed)
		})
	}
	work.Go(func() error {
		sealing.Wait()
		close(sealed)
		return nil
	})
	work.Go(func() error {
		for b := range sealed {
			if err := s.inTurn(ctx, func() error { return s.writeBatch(ctx, g, b) }); err != nil {
				return err
			}
		}
		return nil
	})
	return work.Wait()
}

// gather sends what read yields on, a batch at a time.
func gather(ctx context.Context, read func(yield func(RegisterRow) error) error, to chan<- batch) error {
	b := batch{}
	flush := func() error {
		select {
		case to <- b:
		case <-ctx.Done():
			return refine(ctx.Err())
		}
		b = batch{number: b.number + 1, first: b.first + uint32(len(b.rows))}
		return nil
	}
	err := read(func(r RegisterRow) error {
		switch {
		case r.NHSNumber.IsZero():
			return errNoNumber
		case b.first+uint32(len(b.rows))+1 == 0:
			return errTooManyEntries
		}
		if b.rows == nil {
			b.rows = make([]RegisterRow, 0, batchRows)
		}
		b.rows = append(b.rows, r)
		if len(b.rows) < batchRows {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// sealAll seals batches until there are no more.
func sealAll(ctx context.Context, g *generation, from <-chan batch, to chan<- batch) error {
	d := g.digester()
	for b := range from {
		g.sealBatch(&b, d)
		select {
		case to <- b:
		case <-ctx.Done():
			return refine(ctx.Err())
		}
	}
	return nil
}

// sealBatch makes what is written of the batch.
func (g *generation) sealBatch(b *batch, d *digester) {
	runs := map[string]*[parts][]byte{}
	for _, field := range registerFields {
		runs[field] = &[parts][]byte{}
	}
	b.entries = make([]any, 0, 3*len(b.rows))
	for i, r := range b.rows {
		place := b.first + uint32(i)
		b.entries = append(b.entries, g.number, int64(place), g.seal(place, r))
		for field, forms := range registerForms(r) {
			for _, form := range forms {
				digest := d.digest(field, form)
				run := &runs[field][partOf(digest)]
				*run = appendSpot(*run, spot{digest, place})
			}
		}
	}
	for _, field := range registerFields {
		for part, run := range runs[field] {
			if len(run) > 0 {
				b.runs = append(b.runs, g.number, field, int64(part), b.number, run)
			}
		}
	}
}

// writeBatch commits a batch, unless another load took over.
func (s *Register) writeBatch(ctx context.Context, g *generation, b batch) error {
	entries := g.entries + int64(len(b.rows))
	err := s.db.within(ctx, func(ctx context.Context) error {
		if err := s.db.must(ctx, errOtherLoad, stillLoading, entries, g.pageBits, g.number); err != nil {
			return err
		}
		if err := s.db.insert(ctx, addRegisterRows, b.entries); err != nil {
			return err
		}
		return s.db.insert(ctx, addRegisterRuns, b.runs)
	})
	if err == nil {
		g.entries = entries
	}
	return err
}

// pagesAtOnce is how many pages are written in one transaction, and a part's more.
const pagesAtOnce = 1000

// writeField sorts the runs of a field, a part at a time, and writes its pages.
func (s *Register) writeField(ctx context.Context, g *generation, field string) error {
	var pages []registerPage
	for part := range int64(parts) {
		spots, err := s.sortPart(ctx, g, field, part)
		if err != nil {
			return err
		}
		pages = append(pages, g.cut(spots)...)
		if len(pages) < pagesAtOnce && part < parts-1 {
			continue
		}
		if err := s.inTurn(ctx, func() error { return s.writePages(ctx, g, field, part, pages) }); err != nil {
			return err
		}
		pages = nil
	}
	return nil
}

// sortPart returns the spots of one part in order.
func (s *Register) sortPart(ctx context.Context, g *generation, field string, part int64) ([]spot, error) {
	runs, err := list(ctx, s.db, runsOf, blob, g.number, field, part)
	if err != nil {
		return nil, err
	}
	var spots []spot
	for _, run := range runs {
		spots = readSpots(spots, run)
	}
	spots = sortSpots(spots)
	if field == registerNumber {
		err = s.eachOnce(ctx, g, spots)
	}
	return spots, err
}

// writePages commits pages in place of the runs up to that part, unless another
// load took over.
func (s *Register) writePages(ctx context.Context, g *generation, field string, part int64, pages []registerPage) error {
	values := make([]any, 0, 4*len(pages))
	for _, p := range pages {
		values = append(values, g.number, field, p.page, p.digests)
	}
	return s.db.within(ctx, func(ctx context.Context) error {
		if err := s.db.must(ctx, errOtherLoad, stillLoading, g.entries, g.pageBits, g.number); err != nil {
			return err
		}
		if err := s.db.insert(ctx, addRegisterPages, values); err != nil {
			return err
		}
		_, err := s.db.exec(ctx, dropParts, g.number, field, part+1)
		return err
	})
}

// eachOnce refuses a number that two rows have. Digests of two numbers may be the
// same, so the rows themselves decide.
func (s *Register) eachOnce(ctx context.Context, g *generation, sorted []spot) error {
	for i := 1; i < len(sorted); i++ {
		if sorted[i].digest != sorted[i-1].digest {
			continue
		}
		one, err := s.at(ctx, g, sorted[i-1].place)
		if err != nil {
			return err
		}
		other, err := s.at(ctx, g, sorted[i].place)
		if err != nil {
			return err
		}
		if one.NHSNumber == other.NHSNumber {
			return errNumberTwice
		}
	}
	return nil
}
