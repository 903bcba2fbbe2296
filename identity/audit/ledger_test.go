package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity/audit"
)

// told is what an act left behind, in words.
type told struct {
	Acts, Events, Journal []string
}

func tell(m *memory, j *journal) told {
	t := told{Acts: m.acts}
	for _, e := range m.events {
		t.Events = append(t.Events, string(e.Kind))
	}
	for _, e := range j.events {
		t.Journal = append(t.Journal, string(e.Kind))
	}
	return t
}

func failing(context.Context) error { return errAct }

func TestAct(t *testing.T) {
	both := told{Acts: []string{"opened"}, Events: []string{"login.succeeded"}}
	for name, row := range map[string]struct {
		store faults
		fn    func(*memory) func(context.Context) error
		want  told
		errs  []error
	}{
		"both happen": {want: both},
		"an act that fails leaves no event": {
			fn:   func(*memory) func(context.Context) error { return failing },
			errs: []error{errAct},
		},
		"an act that fails half-way leaves nothing": {
			fn: func(m *memory) func(context.Context) error {
				return func(ctx context.Context) error { _ = m.do("half")(ctx); return errAct }
			},
			errs: []error{errAct},
		},
		"access is not given without its event": {
			store: faults{refuse: []error{errRefused}},
			errs:  []error{audit.ErrNotRecorded, errRefused},
		},
		"a commit that fails leaves neither": {
			store: faults{commit: errCommit},
			errs:  []error{errCommit},
		},
		"begun anew by the database, both happen once": {
			store: faults{again: 2},
			want:  both,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, j := &memory{faults: row.store}, &journal{}
			fn := m.do("opened")
			if row.fn != nil {
				fn = row.fn(m)
			}
			err := audit.NewLedger(m, j, ticking()).Act(t.Context(), &audit.Event{Kind: audit.LoginSucceeded}, fn)
			wantErrors(t, err, row.errs)
			wantTold(t, tell(m, j), row.want)
		})
	}
}

func TestTakeAway(t *testing.T) {
	done := []string{"ended"}
	for name, row := range map[string]struct {
		store   faults
		journal error
		fn      func(context.Context) error
		want    told
		errs    []error
	}{
		"both happen": {want: told{Acts: done, Events: []string{"session.ended"}}},
		"the act's own error comes back as it is":    {fn: failing, errs: []error{errAct}},
		"the act's own error, though no event fits":  {store: faults{refuse: []error{errRefused}}, fn: failing, errs: []error{errAct}},
		"its event is refused: journalled, and done": {store: faults{refuse: []error{errRefused}}, want: told{Acts: done, Journal: []string{"session.ended"}}},
		"neither database nor journal takes the event: not done": {
			store: faults{refuse: []error{errRefused}}, journal: errJournal, errs: []error{errRefused, errJournal, audit.ErrNotRecorded},
		},
		"begun anew, and the event taken then: nothing is journalled": {
			store: faults{again: 1, refuse: []error{errRefused, nil}}, want: told{Acts: done, Events: []string{"session.ended"}},
		},
		"begun anew, and the event refused then: journalled once": {
			store: faults{again: 1, refuse: []error{nil, errRefused}}, want: told{Acts: done, Journal: []string{"session.ended"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &memory{faults: row.store}
			j := &journal{store: m, refuse: row.journal}
			if row.fn == nil {
				row.fn = m.do("ended")
			}
			err := audit.NewLedger(m, j, ticking()).TakeAway(t.Context(), &audit.Event{Kind: audit.SessionEnded}, row.fn)
			wantErrors(t, err, row.errs)
			wantTold(t, tell(m, j), row.want)
			for _, acts := range j.done {
				if acts != 0 {
					t.Error("the act was done before the journal had its event")
				}
			}
		})
	}
}

// The caller learns that an act could not be done after all, whether the database
// asked for the second try or the journal did.
func TestTakeAwayTellsWhenTheSecondTryFails(t *testing.T) {
	for name, row := range map[string]struct {
		again      int
		journalled int
	}{
		"begun anew by the database":       {again: 1},
		"alone, with its event journalled": {journalled: 1},
	} {
		m := &memory{faults: faults{refuse: []error{errRefused}, again: row.again}}
		j, runs := &journal{store: m}, 0
		err := audit.NewLedger(m, j, still).TakeAway(t.Context(), &audit.Event{}, func(context.Context) error {
			if runs++; runs > 1 {
				return errAct
			}
			return nil
		})
		if err != errAct || len(j.events) != row.journalled {
			t.Errorf("%s: wanted the act's own error and %d events, got %v and %d", name, row.journalled, err, len(j.events))
		}
	}
}

func TestStamp(t *testing.T) {
	stamped := audit.Event{Kind: audit.LoginRefused, At: kept, Result: audit.OK}
	for name, row := range map[string]struct {
		store faults
		event audit.Event
		want  audit.Event
	}{
		"once, in UTC and whole microseconds": {event: audit.Event{Kind: audit.LoginRefused}, want: stamped},
		"kept when the act runs again":        {store: faults{again: 3}, event: audit.Event{Kind: audit.LoginRefused}, want: stamped},
		"a result that was given stays": {
			event: audit.Event{Kind: audit.LoginRefused, Result: audit.Refused},
			want:  audit.Event{Kind: audit.LoginRefused, At: kept, Result: audit.Refused},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, e := &memory{faults: row.store}, row.event
			err := audit.NewLedger(m, &journal{}, ticking()).Act(t.Context(), &e, m.do("x"))
			if err != nil || len(m.events) != 1 {
				t.Fatalf("wanted one event, got %d, %v", len(m.events), err)
			}
			got := m.events[0]
			if got.ID == "" || got.ID != e.ID {
				t.Errorf("wanted the event's identity told to the caller, got %q and %q", got.ID, e.ID)
			}
			got.ID = ""
			if got.At.Location() != time.UTC {
				t.Errorf("wanted UTC, got %s", got.At.Location())
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-wanted +got)\n%s", diff)
			}
		})
	}
}

// What the journal takes is the very event that the database had refused.
func TestJournalledEventKeepsItsStamp(t *testing.T) {
	m := &memory{faults: faults{refuse: []error{errRefused}}}
	j, e := &journal{store: m}, audit.Event{Kind: audit.AccountDisabled, Actor: "operator:test"}
	if err := audit.NewLedger(m, j, ticking()).TakeAway(t.Context(), &e, m.do("x")); err != nil {
		t.Fatal(err)
	}
	want := audit.Event{ID: e.ID, At: kept, Kind: audit.AccountDisabled, Result: audit.OK, Actor: "operator:test"}
	if diff := cmp.Diff([]audit.Event{want}, j.events); diff != "" {
		t.Errorf("(-wanted +got)\n%s", diff)
	}
}

// fn knows what its event must say only when it has looked.
func TestActFillsTheEventIn(t *testing.T) {
	m, e := &memory{}, audit.Event{Kind: audit.LoginSucceeded}
	err := audit.NewLedger(m, &journal{}, still).Act(t.Context(), &e, func(context.Context) error {
		e.Kind, e.Account, e.Session = audit.SessionRaised, "account", "handle"
		return nil
	})
	if err != nil || len(m.events) != 1 {
		t.Fatalf("wanted one event, got %d, %v", len(m.events), err)
	}
	if got := m.events[0]; got.Kind != audit.SessionRaised || got.Account != "account" || got.Session != "handle" {
		t.Errorf("wanted what fn filled in, got %+v", got)
	}
}

func TestRecord(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		m := &memory{}
		if err := audit.NewLedger(m, &journal{}, still).Record(t.Context(), audit.Event{Kind: audit.AccessRefused}); err != nil || len(m.events) != 1 {
			t.Errorf("wanted one event, got %d, %v", len(m.events), err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		m := &memory{faults: faults{refuse: []error{errRefused}}}
		err := audit.NewLedger(m, &journal{}, still).Record(t.Context(), audit.Event{})
		wantErrors(t, err, []error{audit.ErrNotRecorded, errRefused})
	})
	t.Run("with the act whose fact it is, or not at all", func(t *testing.T) {
		for _, end := range []error{nil, errAct} {
			m := &memory{}
			l := audit.NewLedger(m, &journal{}, still)
			err := l.Act(t.Context(), &audit.Event{Kind: audit.LoginSucceeded}, func(ctx context.Context) error {
				return errors.Join(l.Record(ctx, audit.Event{Kind: audit.AccountCreated}), end)
			})
			want := 2
			if end != nil {
				want = 0
			}
			if !errors.Is(err, end) || len(m.events) != want {
				t.Errorf("%v: wanted %d events, got %d, %v", end, want, len(m.events), err)
			}
		}
	})
}

func wantErrors(t *testing.T, err error, want []error) {
	t.Helper()
	if (err == nil) != (len(want) == 0) {
		t.Fatalf("wanted %v, got %v", want, err)
	}
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("wanted %q in it, got %v", w, err)
		}
	}
}

func wantTold(t *testing.T, got, want told) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-wanted +got)\n%s", diff)
	}
}
