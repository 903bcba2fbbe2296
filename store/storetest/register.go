package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/madeup"
)

// registered is a row of the register, every field filled but a successor.
func registered() store.RegisterRow {
	d := details()
	return store.RegisterRow{Entry: identity.Entry{
		NHSNumber: d.NHSNumber, FamilyName: d.FamilyName, FormerFamilyName: must(identity.ParseName("Cynt")), GivenName: d.GivenName,
		BirthDate: d.BirthDate, Mobile: d.Phone, Landline: must(identity.ParsePhone("01632 960123")), Email: d.Email,
		Postcode: must(identity.ParsePostcode("ZZ10 1AA")), Practice: "W00001", Protected: true,
		GPAccountID: "1234567", GPLinkageKey: "linkage key",
	}}
}

// others are numbers that registered does not have.
var others = func() (all []identity.NHSNumber) {
	for e := range madeup.Patients(300) {
		if e.NHSNumber != registered().NHSNumber {
			all = append(all, e.NHSNumber)
		}
	}
	return all
}()

// like returns registered without protection, changed and under another number.
func like(i int, change func(*store.RegisterRow)) store.RegisterRow {
	r := registered()
	r.NHSNumber, r.Protected = others[i], false
	if change != nil {
		change(&r)
	}
	return r
}

// asked is what registered would say of themselves when they do not know their
// number.
func asked() (identity.Details, identity.Postcode) {
	d := details()
	d.NHSNumber = identity.NHSNumber{}
	return d, registered().Postcode
}

// load loads the rows, which answer nobody yet.
func (k *kit) load(rows ...store.RegisterRow) (store.Loaded, error) {
	return k.Register.Load(k.ctx, yieldAll(rows))
}

func yieldAll(rows []store.RegisterRow) func(func(store.RegisterRow) error) error {
	return func(yield func(store.RegisterRow) error) error {
		for _, r := range rows {
			if err := yield(r); err != nil {
				return err
			}
		}
		return nil
	}
}

// imports loads the rows and lets them answer.
func (k *kit) imports(rows ...store.RegisterRow) {
	k.Helper()
	loaded, err := k.load(rows...)
	k.ok(err)
	k.ok(k.Register.Switch(k.ctx, loaded))
}

// has fails the row unless the number finds that row.
func (k *kit) has(n identity.NHSNumber, want store.RegisterRow) {
	k.Helper()
	got, err := k.Register.Entry(k.ctx, n)
	k.ok(err)
	k.same(got, want.Entry)
}

// lacks fails the row unless the number finds nothing.
func (k *kit) lacks(n identity.NHSNumber) {
	k.Helper()
	_, err := k.Register.Entry(k.ctx, n)
	k.is(err, identity.ErrNotFound)
}

// holders fails the row unless the contact stands on so many living adults'
// entries.
func (k *kit) holders(name string, c identity.Contact, want int) {
	k.Helper()
	got, known, err := k.Register.Holders(k.ctx, c, epoch)
	k.ok(err)
	if got != want || !known {
		k.Fatalf("%s: wanted %d holders, got %d, known %v", name, want, got, known)
	}
}

// tooMany is more than fit in a few batches of a load.
const tooMany = 10_000

// crowded yields rows of made-up patients.
func crowded(count int) (rows []store.RegisterRow) {
	for e := range madeup.Patients(count) {
		rows = append(rows, store.RegisterRow{Entry: e})
	}
	return rows
}

var registerRules = []rule{
	{"before the first import nothing can be said", func(k *kit) {
		_, err := k.Register.Entry(k.ctx, registered().NHSNumber)
		k.is(err, identity.ErrUnavailable)
		d, postcode := asked()
		_, err = k.Register.Search(k.ctx, d, postcode)
		k.is(err, identity.ErrUnavailable)
		_, known, err := k.Register.Holders(k.ctx, d.Email.Contact(), epoch)
		k.is(err, identity.ErrUnavailable)
		k.same(known, false)
		status, err := k.Register.Status(k.ctx)
		k.ok(err)
		k.same(status, store.RegisterStatus{})
	}},
	{"an entry is kept whole, and one with nothing but its number", func(k *kit) {
		bare := store.RegisterRow{Entry: identity.Entry{NHSNumber: others[0]}}
		k.imports(registered(), bare)
		k.has(registered().NHSNumber, registered())
		k.has(bare.NHSNumber, bare)
		k.lacks(others[1])
		k.lacks(identity.NHSNumber{})
		status, err := k.Register.Status(k.ctx)
		k.ok(err)
		if status.Entries != 2 || status.Generation != 1 || status.Imported.IsZero() {
			k.Fatalf("wanted the first import of two, got %+v", status)
		}
	}},
	{"what was loaded answers nobody before the switch, and alone after it", func(k *kit) {
		k.imports(like(0, nil), like(1, nil))
		loaded, err := k.load(like(1, func(r *store.RegisterRow) { r.Practice = "W00002" }), like(2, nil))
		k.ok(err)
		k.has(others[0], like(0, nil))
		k.has(others[1], like(1, nil))
		k.lacks(others[2])
		k.ok(k.Register.Switch(k.ctx, loaded))
		k.lacks(others[0])
		k.has(others[1], like(1, func(r *store.RegisterRow) { r.Practice = "W00002" }))
		k.has(others[2], like(2, nil))
		k.is(k.Register.Switch(k.ctx, loaded), identity.ErrConflict)
		k.has(others[2], like(2, nil))
	}},
	{"an empty import has nobody", func(k *kit) {
		k.imports(registered())
		k.imports()
		k.lacks(registered().NHSNumber)
	}},
	{"every standing comes back, and a superseded number gives the one in its place", func(k *kit) {
		standing := func(s identity.Standing, successor identity.NHSNumber) func(*store.RegisterRow) {
			return func(r *store.RegisterRow) { r.Standing, r.Successor = s, successor }
		}
		k.imports(
			like(0, standing(identity.Died, identity.NHSNumber{})), like(1, standing(identity.Moved, identity.NHSNumber{})),
			like(2, standing(identity.Invalidated, identity.NHSNumber{})), like(3, standing(identity.Superseded, others[4])),
			like(4, standing(identity.Superseded, others[5])), like(5, nil),
			like(6, standing(identity.Superseded, others[9])), like(7, standing(identity.Superseded, others[8])),
			like(8, standing(identity.Superseded, others[7])),
		)
		for i, want := range []identity.Standing{identity.Died, identity.Moved, identity.Invalidated} {
			got, err := k.Register.Entry(k.ctx, others[i])
			k.ok(err)
			k.same(got.Standing, want)
		}
		k.has(others[3], like(5, nil)) // merged twice
		k.has(others[4], like(5, nil))
		for _, i := range []int{6, 7} { // into a number that is not there, and round in a circle
			got, err := k.Register.Entry(k.ctx, others[i])
			k.ok(err)
			k.same(got.Standing, identity.Superseded)
		}
	}},
	{"a search finds the one who lives there, however they spell it", func(k *kit) {
		k.imports(like(0, nil), like(1, func(r *store.RegisterRow) { r.Postcode = must(identity.ParsePostcode("ZZ10 1AB")) }))
		name := func(s string) identity.Name { return must(identity.ParseName(s)) }
		for spelling, change := range map[string]func(*identity.Details){
			"as kept":               func(*identity.Details) {},
			"without accents":       func(d *identity.Details) { d.FamilyName = name("TEST-O'FLAITHBHEARTAIGH") },
			"double name turned":    func(d *identity.Details) { d.FamilyName = name("O Flaithbheartaigh Test") },
			"the former name":       func(d *identity.Details) { d.FamilyName = name("cynt") },
			"a short given name":    func(d *identity.Details) { d.GivenName = name("Sian") },
			"names changed places":  func(d *identity.Details) { d.FamilyName, d.GivenName = d.GivenName, d.FamilyName },
			"someone else's number": func(d *identity.Details) { d.NHSNumber = others[1] },
		} {
			d, postcode := asked()
			change(&d)
			got, err := k.Register.Search(k.ctx, d, postcode)
			if err != nil {
				k.Fatalf("%s: %v", spelling, err)
			}
			k.same(got, like(0, nil).Entry)
		}
	}},
	{"a search finds nobody by less than all of it", func(k *kit) {
		k.imports(like(0, nil), store.RegisterRow{Entry: identity.Entry{NHSNumber: others[1]}})
		for what, change := range map[string]func(*identity.Details, *identity.Postcode){
			"another postcode": func(_ *identity.Details, p *identity.Postcode) { *p = must(identity.ParsePostcode("ZZ10 1AC")) },
			"no postcode":      func(_ *identity.Details, p *identity.Postcode) { *p = identity.Postcode{} },
			"another day": func(d *identity.Details, _ *identity.Postcode) {
				d.BirthDate = must(identity.ParseBirthDate("1984-02-28"))
			},
			"no birth date":       func(d *identity.Details, _ *identity.Postcode) { d.BirthDate = identity.BirthDate{} },
			"another given name":  func(d *identity.Details, _ *identity.Postcode) { d.GivenName = must(identity.ParseName("Mair")) },
			"no given name":       func(d *identity.Details, _ *identity.Postcode) { d.GivenName = identity.Name{} },
			"another family name": func(d *identity.Details, _ *identity.Postcode) { d.FamilyName = must(identity.ParseName("Arall")) },
			"no family name":      func(d *identity.Details, _ *identity.Postcode) { d.FamilyName = identity.Name{} },
			"nothing":             func(d *identity.Details, p *identity.Postcode) { *d, *p = identity.Details{}, identity.Postcode{} },
			"a wildcard":          func(d *identity.Details, _ *identity.Postcode) { d.FamilyName = must(identity.ParseName("%*_?")) },
		} {
			d, postcode := asked()
			change(&d, &postcode)
			if _, err := k.Register.Search(k.ctx, d, postcode); !errors.Is(err, identity.ErrNotFound) {
				k.Fatalf("%s: wanted %v, got %v", what, identity.ErrNotFound, err)
			}
		}
	}},
	{"a search tells two that match, a protected one and one of another standing from nobody in nothing", func(k *kit) {
		standing := func(s identity.Standing) func(*store.RegisterRow) {
			return func(r *store.RegisterRow) { r.Standing = s }
		}
		protected := func(r *store.RegisterRow) { r.Protected = true }
		twin := func(r *store.RegisterRow) { r.GivenName = must(identity.ParseName("Siani")) }
		for what, row := range map[string]struct {
			rows  []store.RegisterRow
			found bool
		}{
			"twins of like names":                   {[]store.RegisterRow{like(0, nil), like(1, twin)}, false},
			"a protected patient":                   {[]store.RegisterRow{like(0, protected)}, false},
			"a protected patient beside another":    {[]store.RegisterRow{like(0, protected), like(1, twin)}, false},
			"one who died":                          {[]store.RegisterRow{like(0, standing(identity.Died))}, false},
			"one who died beside a living one":      {[]store.RegisterRow{like(0, standing(identity.Died)), like(1, twin)}, false},
			"one who moved":                         {[]store.RegisterRow{like(0, standing(identity.Moved))}, false},
			"an invalidated number":                 {[]store.RegisterRow{like(0, standing(identity.Invalidated))}, false},
			"a superseded number alone":             {[]store.RegisterRow{like(0, standing(identity.Superseded))}, false},
			"superseded, with the one in its place": {[]store.RegisterRow{like(0, standing(identity.Superseded)), like(1, nil)}, true},
		} {
			k.imports(row.rows...)
			d, postcode := asked()
			got, err := k.Register.Search(k.ctx, d, postcode)
			switch {
			case row.found && (err != nil || got.NHSNumber != others[1]):
				k.Fatalf("%s: wanted the living one, got %v", what, err)
			case !row.found && !errors.Is(err, identity.ErrNotFound):
				k.Fatalf("%s: wanted %v, got %v", what, identity.ErrNotFound, err)
			}
		}
	}},
	{"a contact's holders are the living adults on whose entries it stands", func(k *kit) {
		mobile, landline := must(identity.ParsePhone("07700 900001")), must(identity.ParsePhone("01632 960001"))
		email := must(identity.ParseEmail("Family@Example.com"))
		family := func(born string, change func(*store.RegisterRow)) func(*store.RegisterRow) {
			return func(r *store.RegisterRow) {
				r.BirthDate, r.Mobile, r.Landline, r.Email = must(identity.ParseBirthDate(born)), mobile, identity.Phone{}, identity.Email{}
				if change != nil {
					change(r)
				}
			}
		}
		k.imports(
			like(0, family("1984-02-29", func(r *store.RegisterRow) { r.Email, r.Landline = email, mobile })), // twice on one entry
			like(1, family("2012-01-01", func(r *store.RegisterRow) { r.Email = email })),                     // a child
			like(2, family("1950-01-01", func(r *store.RegisterRow) { r.Standing = identity.Died })),
			like(3, family("1950-01-01", func(r *store.RegisterRow) { r.Mobile, r.Landline = landline, mobile })),
			like(4, family("1950-01-01", func(r *store.RegisterRow) { r.Protected, r.Mobile, r.Landline = true, identity.Phone{}, landline })),
			like(5, family(epoch.AddDate(-16, 0, 0).Format(time.DateOnly), func(r *store.RegisterRow) {
				r.Mobile, r.Email = identity.Phone{}, must(identity.ParseEmail("young@example.com"))
			})),
			like(6, family("1950-01-01", func(r *store.RegisterRow) {
				r.BirthDate = identity.BirthDate{}
				r.Email = must(identity.ParseEmail("ageless@example.com"))
			})),
		)
		k.holders("a mobile, also as landline", mobile.Contact(), 2)
		k.holders("written otherwise", must(identity.ParsePhone("+44 (0)7700 900 001")).Contact(), 2)
		k.holders("a landline, also as mobile", landline.Contact(), 2)
		k.holders("a family's address, in another case", must(identity.ParseEmail("family@EXAMPLE.com")).Contact(), 1)
		k.holders("of one who is sixteen today", must(identity.ParseEmail("young@example.com")).Contact(), 1)
		k.holders("of one without a birth date", must(identity.ParseEmail("ageless@example.com")).Contact(), 0)
		k.holders("nobody's", must(identity.ParsePhone("07700 900002")).Contact(), 0)
		k.holders("no contact", identity.Contact{}, 0)
		got, _, err := k.Register.Holders(k.ctx, must(identity.ParseEmail("young@example.com")).Contact(), epoch.AddDate(0, 0, -1))
		k.ok(err)
		k.same(got, 0)
	}},
	{"a contact that stands on a hundred entries has a hundred holders, whoever they are", func(k *kit) {
		var rows []store.RegisterRow
		for i := range 250 {
			rows = append(rows, like(i, nil))
		}
		for _, count := range []int{99, 100, 250} {
			k.imports(rows[:count]...)
			k.holders("a practice's own", rows[0].Email.Contact(), min(count, 100))
			d, postcode := asked()
			_, err := k.Register.Search(k.ctx, d, postcode)
			k.is(err, identity.ErrNotFound)
			k.has(rows[count-1].NHSNumber, rows[count-1])
		}
	}},
	{"an import of several batches has everybody", func(k *kit) {
		rows := crowded(tooMany)
		k.imports(rows...)
		for i := 0; i < tooMany; i += 97 {
			k.has(rows[i].NHSNumber, rows[i])
		}
		k.has(rows[tooMany-1].NHSNumber, rows[tooMany-1])
		k.lacks(crowded(tooMany + 1)[tooMany].NHSNumber)
	}},
	{"an import that breaks off changes nothing, and the next one goes through", func(k *kit) {
		rows := crowded(tooMany)
		k.imports(like(0, nil))
		for _, after := range []int{0, 1, tooMany - 1, tooMany} {
			_, err := k.Register.Load(k.ctx, func(yield func(store.RegisterRow) error) error {
				return errors.Join(yieldAll(rows[:after])(yield), errOfAct)
			})
			k.is(err, errOfAct)
			k.has(others[0], like(0, nil))
		}
		killed, kill := context.WithCancel(k.ctx)
		_, err := k.Register.Load(killed, func(yield func(store.RegisterRow) error) error {
			for i, r := range rows {
				if i == tooMany-1 {
					kill()
				}
				if err := yield(r); err != nil {
					return err
				}
			}
			return nil
		})
		k.is(err, context.Canceled)
		k.has(others[0], like(0, nil))
		k.imports(rows...)
		k.has(rows[1].NHSNumber, rows[1])
	}},
	{"a load that meets a number twice is refused", func(k *kit) {
		k.imports(like(0, nil))
		_, err := k.load(append(crowded(tooMany), crowded(1)...)...)
		k.is(err, identity.ErrConflict)
		k.has(others[0], like(0, nil))
		if _, err := k.load(store.RegisterRow{}); err == nil {
			k.Fatal("wanted a row without a number refused")
		}
	}},
	{"a load that begins takes over from the one that runs", func(k *kit) {
		var later store.Loaded
		_, err := k.Register.Load(k.ctx, func(yield func(store.RegisterRow) error) error {
			var err error
			later, err = k.load(like(1, nil))
			return errors.Join(err, yieldAll(crowded(tooMany))(yield))
		})
		k.is(err, identity.ErrConflict)
		earlier := later
		later, err = k.load(like(2, nil))
		k.ok(err)
		k.is(k.Register.Switch(k.ctx, earlier), identity.ErrConflict)
		k.ok(k.Register.Switch(k.ctx, later))
		k.has(others[2], like(2, nil))
	}},
	{"a load is refused inside an act, and a switch belongs to its act", func(k *kit) {
		k.imports(like(0, nil))
		loaded, err := k.load(like(1, nil))
		k.ok(err)
		err = k.Audit.Within(k.ctx, func(ctx context.Context) error {
			if _, err := k.Register.Load(ctx, yieldAll(nil)); err == nil {
				k.Fatal("wanted a load inside an act refused")
			}
			k.ok(k.Register.Switch(ctx, loaded))
			return errOfAct
		})
		k.is(err, errOfAct)
		k.has(others[0], like(0, nil))
		k.ok(k.Register.Switch(k.ctx, loaded))
		k.has(others[1], like(1, nil))
	}},
	{"race: of many switches to one generation one is made", func(k *kit) {
		loaded, err := k.load(like(0, nil))
		k.ok(err)
		k.oneWon(race(parallel, func(int) error { return k.Register.Switch(k.ctx, loaded) }), identity.ErrConflict)
		k.has(others[0], like(0, nil))
	}},
	{"race: of many imports those that lose change nothing", func(k *kit) {
		const imports = 8
		var won atomic.Int64
		for _, err := range race(imports, func(i int) error {
			loaded, err := k.load(like(i, nil), like(imports, nil))
			if err == nil {
				err = k.Register.Switch(k.ctx, loaded)
			}
			if err == nil {
				won.Add(1)
			}
			return err
		}) {
			if err != nil {
				k.is(err, identity.ErrConflict)
			}
		}
		status, err := k.Register.Status(k.ctx)
		k.ok(err)
		if won.Load() == 0 || status.Entries != 2 {
			k.Fatalf("wanted one import to answer, got %+v of %d that won", status, won.Load())
		}
		k.has(others[imports], like(imports, nil))
	}},
	{"race: whoever reads during a switch has an answer", func(k *kit) {
		k.imports(like(0, nil))
		done := make(chan struct{})
		for _, err := range race(1+8, func(i int) error {
			if i == 0 {
				defer close(done)
				for range 5 {
					loaded, err := k.load(like(0, nil))
					if err == nil {
						err = errors.Join(k.Register.Switch(k.ctx, loaded), k.Sweep(k.ctx, epoch))
					}
					if err != nil {
						return err
					}
				}
				return nil
			}
			for {
				if e, err := k.Register.Entry(k.ctx, others[0]); err != nil || e != like(0, nil).Entry {
					return errors.Join(errOfAct, err)
				}
				select {
				case <-done:
					return nil
				default:
				}
			}
		}) {
			k.ok(err)
		}
	}},
	{"a sweep forgets a generation some time after another took its place, never the one that answers", func(k *kit) {
		k.imports(like(0, nil))
		k.imports(like(1, nil))
		k.ok(k.Sweep(k.ctx, time.Now().Add(100*365*24*time.Hour)))
		k.has(others[1], like(1, nil))
	}},
}
