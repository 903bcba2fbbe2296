package audit_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

const chainKey = key("the key of the chain")

// event is an event with every field filled.
func event(id string) audit.Event {
	return audit.Event{
		ID: id, At: kept, Kind: audit.DetailsRefreshed, Result: audit.OK, Actor: audit.Patient, Reference: "DIL-7F3K-Q2",
		Account: "account", Session: "handle", Provider: "nhs-login", Portal: "my-health", Cause: "cause", Fields: []string{"email", "birthdate"},
		Reason: "asked on the telephone",
	}
}

// chained is a store with three batches of two, three and two events.
func chained(t *testing.T) *memory {
	t.Helper()
	m := &memory{}
	for number, count := range []int{2, 3, 2} {
		for i := range count {
			m.events = append(m.events, event(fmt.Sprintf("%d.%d", number+1, i)))
		}
		seal(t, m)
	}
	return m
}

func seal(t *testing.T, m *memory) audit.Batch {
	t.Helper()
	head, sealed, err := audit.NewChain(m, chainKey, still).Seal(t.Context())
	if err != nil || !sealed {
		t.Fatalf("wanted a batch, got %v, %v", sealed, err)
	}
	return head
}

func TestSeal(t *testing.T) {
	m := &memory{}
	chain := audit.NewChain(m, chainKey, still)
	if head, sealed, err := chain.Seal(t.Context()); err != nil || sealed || head.Number != 0 {
		t.Fatalf("nothing to seal: got %+v, %v, %v", head, sealed, err)
	}
	for i := range 1001 {
		m.events = append(m.events, event(fmt.Sprint(i)))
	}
	for number, count := range []int{1000, 1} {
		head := seal(t, m)
		if head.Number != int64(number+1) || head.Count != count || !head.SealedAt.Equal(kept) || len(head.Tag) == 0 {
			t.Fatalf("wanted batch %d of %d events, got %+v", number+1, count, head)
		}
	}
	head, sealed, err := chain.Seal(t.Context())
	if err != nil || sealed || head.Number != 2 {
		t.Fatalf("all is sealed: got %+v, %v, %v", head, sealed, err)
	}
	verified, err := chain.Verify(t.Context(), head)
	if diff := cmp.Diff(head, verified); err != nil || diff != "" {
		t.Fatalf("%v (-wanted +got)\n%s", err, diff)
	}
}

func TestSealFails(t *testing.T) {
	for name, row := range map[string]struct {
		away string
		key  key
		want error
	}{
		"the head can't be read":  {away: "Head", key: chainKey, want: errStore},
		"the events can't be":     {away: "Unsealed", key: chainKey, want: errStore},
		"the batch can't be kept": {away: "Seal", key: chainKey, want: errStore},
		"there is no key":         {},
	} {
		m := &memory{faults: faults{away: row.away}, events: []audit.Event{event("a")}}
		_, sealed, err := audit.NewChain(m, row.key, still).Seal(t.Context())
		if err == nil || sealed || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, %v", name, sealed, err)
		}
		if len(m.batches) != 0 {
			t.Errorf("%s: a batch was kept", name)
		}
	}
}

// first lets another replica seal between the look at the head and the seal.
type first struct {
	*memory
	other func()
}

func (f first) Seal(ctx context.Context, b audit.Batch, events []audit.Event) error {
	f.other()
	return f.memory.Seal(ctx, b, events)
}

func TestLosingTheRaceToAnotherSealerIsNoError(t *testing.T) {
	m := &memory{events: []audit.Event{event("a")}}
	late := audit.NewChain(first{m, func() { seal(t, m) }}, chainKey, still)
	if head, sealed, err := late.Seal(t.Context()); err != nil || sealed || head.Number != 0 {
		t.Errorf("got %+v, %v, %v", head, sealed, err)
	}
	if head, err := late.Verify(t.Context(), audit.Batch{}); err != nil || head.Number != 1 {
		t.Errorf("wanted the other's batch alone, got %+v, %v", head, err)
	}
}

func TestSealersRace(t *testing.T) {
	const sealers, events = 4, 200
	m := &memory{}
	ledger := audit.NewLedger(m, &journal{}, still)
	var writing, sealing sync.WaitGroup
	done := make(chan struct{})
	writing.Go(func() {
		for range events {
			if err := ledger.Record(t.Context(), audit.Event{Kind: audit.CodeIssued}); err != nil {
				t.Error(err)
			}
		}
	})
	for range sealers {
		sealing.Go(func() {
			chain := audit.NewChain(m, chainKey, still)
			for over := false; ; {
				_, sealed, err := chain.Seal(t.Context())
				if err != nil {
					t.Error(err)
				}
				if over && !sealed {
					return
				}
				select {
				case <-done:
					over = true
				default:
				}
			}
		})
	}
	writing.Wait()
	close(done)
	sealing.Wait()
	if _, err := audit.NewChain(m, chainKey, still).Verify(t.Context(), audit.Batch{}); err != nil {
		t.Error(err)
	}
	seen := map[string]int{}
	for _, b := range m.batches {
		for _, e := range b.events {
			seen[e.ID]++
		}
	}
	if len(seen) != events {
		t.Errorf("wanted each of %d events in a batch, got %d", events, len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s stands in %d batches", id, n)
		}
	}
}

func TestVerifySeesWhatWasDone(t *testing.T) {
	branch := &memory{events: []audit.Event{event("another beginning")}}
	seal(t, branch)
	branch.events = append(branch.events, event("and how it went on"))
	seal(t, branch)
	swap := func(events []audit.Event) { events[0], events[1] = events[1], events[0] }
	for name, row := range map[string]struct {
		tamper func(m *memory)
		at     int64 // the batch that the error names
	}{
		"two events in another order":                {func(m *memory) { swap(m.batches[1].events) }, 2},
		"an event taken out":                         {func(m *memory) { m.batches[1].events = m.batches[1].events[1:] }, 2},
		"an event taken out and the count set":       {func(m *memory) { m.batches[1].events = m.batches[1].events[1:]; m.batches[1].Count-- }, 2},
		"an event put in":                            {func(m *memory) { m.batches[1].events = append(m.batches[1].events, event("new")) }, 2},
		"an event put in and the count set":          {func(m *memory) { m.batches[1].events = append(m.batches[1].events, event("new")); m.batches[1].Count++ }, 2},
		"the count alone":                            {func(m *memory) { m.batches[1].Count++ }, 2},
		"a batch of another chain with the same key": {func(m *memory) { m.batches[1] = branch.batches[1] }, 2},
		"an event put in the place of another":       {func(m *memory) { m.batches[0].events[0] = event("new") }, 1},
		"an event twice, another gone":               {func(m *memory) { m.batches[1].events[0] = m.batches[1].events[1] }, 2},
		"events of two batches exchanged": {func(m *memory) {
			m.batches[0].events[0], m.batches[1].events[0] = m.batches[1].events[0], m.batches[0].events[0]
		}, 1},
		"a batch taken out of the middle":        {func(m *memory) { m.batches = slices.Delete(m.batches, 1, 2) }, 2},
		"the first batch taken out":              {func(m *memory) { m.batches = m.batches[1:] }, 1},
		"the first taken out, the rest counted":  {func(m *memory) { m.batches = m.batches[1:]; m.batches[0].Number, m.batches[1].Number = 1, 2 }, 1},
		"two batches exchanged":                  {func(m *memory) { b := m.batches; b[0], b[1] = b[1], b[0]; b[0].Number, b[1].Number = 1, 2 }, 1},
		"a batch sealed with another key":        {func(m *memory) { reseal(m, "a stolen key's neighbour") }, 3},
		"the tag cut":                            {func(m *memory) { m.batches[2].Tag = m.batches[2].Tag[:16] }, 3},
		"the tag of the batch before":            {func(m *memory) { m.batches[1].Tag = m.batches[0].Tag }, 2},
		"no tag":                                 {func(m *memory) { m.batches[0].Tag = nil }, 1},
		"the time of sealing":                    {func(m *memory) { m.batches[1].SealedAt = m.batches[1].SealedAt.Add(time.Microsecond) }, 2},
		"the time of an event, by a microsecond": {func(m *memory) { e := m.batches[1].events; e[2].At = e[2].At.Add(time.Microsecond) }, 2},
		"letters moved from a field to the next": {func(m *memory) { e := &m.batches[1].events[0]; e.Account, e.Session = e.Account+"h", e.Session[1:] }, 2},
		"a field moved to its neighbour":         {func(m *memory) { e := &m.batches[1].events[0]; e.Provider, e.Portal = "", e.Provider+e.Portal }, 2},
		"two fields' names exchanged":            {func(m *memory) { e := &m.batches[1].events[0]; e.Fields = []string{e.Fields[1], e.Fields[0]} }, 2},
		"a field's name taken out":               {func(m *memory) { e := &m.batches[1].events[0]; e.Fields = e.Fields[:1] }, 2},
	} {
		m := chained(t)
		row.tamper(m)
		_, err := audit.NewChain(m, chainKey, still).Verify(t.Context(), audit.Batch{})
		if want := fmt.Sprintf("batch %d:", row.at); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: wanted %q, got %v", name, want, err)
		}
	}
}

// reseal puts a last batch with the same events but another key in the place of
// the last.
func reseal(m *memory, k key) {
	m.batches = m.batches[:2]
	_, _, _ = audit.NewChain(m, k, still).Seal(context.Background())
}

// Every field of an event stands under the tag, those too that are added later.
func TestVerifySeesEveryFieldOfAnEvent(t *testing.T) {
	for i := range reflect.TypeFor[audit.Event]().NumField() {
		m := chained(t)
		e := &m.batches[1].events[1]
		name := reflect.TypeFor[audit.Event]().Field(i).Name
		switch f := reflect.ValueOf(e).Elem().Field(i); f.Interface().(type) {
		case time.Time:
			e.At = e.At.Add(-time.Hour)
		case []string:
			e.Fields = []string{"phone_number"}
		default:
			f.SetString(f.String() + "x")
		}
		if _, err := audit.NewChain(m, chainKey, still).Verify(t.Context(), audit.Batch{}); err == nil {
			t.Errorf("%s was changed, and the chain verifies", name)
		}
		m = chained(t)
		e = &m.batches[1].events[1]
		reflect.ValueOf(e).Elem().Field(i).SetZero()
		if _, err := audit.NewChain(m, chainKey, still).Verify(t.Context(), audit.Batch{}); err == nil {
			t.Errorf("%s was emptied, and the chain verifies", name)
		}
	}
}

func TestVerifyAgainstTheKnownHead(t *testing.T) {
	whole := chained(t)
	third, second := whole.batches[2].Batch, whole.batches[1].Batch
	forged := third
	forged.Tag = slices.Clone(third.Tag)
	forged.Tag[0] ^= 1
	cut := func(m *memory) { m.batches = m.batches[:2] }
	for name, row := range map[string]struct {
		tamper func(*memory)
		known  audit.Batch
		fault  bool
	}{
		"whole, and no head is known":               {nil, audit.Batch{}, false},
		"whole, the last head is known":             {nil, third, false},
		"whole, an earlier head is known":           {nil, second, false},
		"cut at its end, and no head is known":      {cut, audit.Batch{}, false},
		"cut at its end, an earlier head is known":  {cut, second, false},
		"cut at its end, the last head is known":    {cut, third, true},
		"cut to nothing, a head is known":           {func(m *memory) { m.batches = nil }, second, true},
		"cut and sealed anew, the head is known":    {func(m *memory) { cut(m); m.events = m.events[:6]; reseal(m, chainKey) }, third, true},
		"whole, but the known head was another one": {nil, forged, true},
	} {
		m := chained(t)
		if row.tamper != nil {
			row.tamper(m)
		}
		if _, err := audit.NewChain(m, chainKey, still).Verify(t.Context(), row.known); (err != nil) != row.fault {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestVerifyFailsWhenTheStoreDoes(t *testing.T) {
	for _, method := range []string{"Head", "Batch"} {
		m := chained(t)
		m.away = method
		if _, err := audit.NewChain(m, chainKey, still).Verify(t.Context(), audit.Batch{}); !errors.Is(err, errStore) {
			t.Errorf("%s: got %v", method, err)
		}
	}
}

// A chain that is whole up to a fault is vouched for that far and no further.
func TestVerifyReturnsTheLastGoodBatch(t *testing.T) {
	m := chained(t)
	m.batches[1].events[0].Account = "another"
	head, err := audit.NewChain(m, chainKey, still).Verify(t.Context(), audit.Batch{})
	if err == nil || head.Number != 1 {
		t.Errorf("wanted batch 1 and an error, got %d, %v", head.Number, err)
	}
	m = chained(t)
	m.batches = slices.Delete(m.batches, 0, 1)
	if _, err := audit.NewChain(m, chainKey, still).Verify(t.Context(), audit.Batch{}); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("wanted the missing batch told, got %v", err)
	}
}
