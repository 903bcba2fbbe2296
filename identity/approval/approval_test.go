package approval_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// epoch is when the stories begin.
var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

var errOfAct = errors.New("the act changed its mind")

// rig is the room over a real database, with a clock that a test moves.
type rig struct {
	*testing.T
	*approval.Approvals
	db  *store.DB
	now time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, now: epoch}
	clock := func() time.Time { return r.now }
	r.db = storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), clock)
	r.Approvals = approval.New(r.db.Approvals(), audit.NewLedger(r.db.Audit(), nil, clock), clock)
	return r
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) is(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("wanted %v, got %v", want, err)
	}
}

func (r *rig) same(got, want any) {
	r.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b identity.Secret) bool { return a == b })); diff != "" {
		r.Fatalf("(-wanted +got)\n%s", diff)
	}
}

// ask asks for what one operator wants done.
func (r *rig) ask() approval.Request {
	r.Helper()
	q, err := r.Ask(r.Context(), wish())
	r.ok(err)
	return q
}

func wish() approval.Request {
	return approval.Request{
		Verb: "proof-record", Account: "patient", Args: map[string]identity.Secret{"nhs_number": "9990000018"},
		AskedBy: "operator:one", Reason: "came to the surgery",
	}
}

// kinds are the events told under that reference, in their order.
func (r *rig) kinds(reference string) (kinds []audit.Kind) {
	r.Helper()
	events, err := r.db.Audit().FindByReference(r.Context(), reference)
	r.ok(err)
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// nothing is an act that does nothing.
func nothing(context.Context, approval.Request) error { return nil }

func TestASecondPersonConfirms(t *testing.T) {
	r := newRig(t)
	asked := r.ask()
	if id, ok := identity.ParseReference(asked.ID); !ok || id != asked.ID {
		t.Errorf("wanted an id that can be said, got %q", asked.ID)
	}
	waiting, err := r.Pending(t.Context())
	r.ok(err)
	r.same(waiting, []approval.Request{asked})

	r.now = epoch.Add(time.Minute)
	var got approval.Request
	r.ok(r.Confirm(t.Context(), asked.ID, "operator:two", "saw them too", func(_ context.Context, q approval.Request) error {
		got = q
		return nil
	}))
	want := asked
	want.DecidedBy, want.Decided, want.Outcome = "operator:two", r.now, approval.Confirmed
	r.same(got, want)
	waiting, err = r.Pending(t.Context())
	r.ok(err)
	r.same(len(waiting), 0)
	r.same(r.kinds(asked.ID), []audit.Kind{audit.ApprovalAsked, audit.ApprovalConfirmed})
	events, err := r.db.Audit().FindByReference(t.Context(), asked.ID)
	r.ok(err)
	r.same([]string{events[0].Actor, events[1].Actor, events[1].Account, events[1].Cause, events[1].Reason},
		[]string{"operator:one", "operator:two", "patient", "proof-record", "saw them too"})
	if shown := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(shown, "9990000018") {
		t.Error("a printed request shows what it is done with")
	}
}

func TestWhoMayConfirmAndWhen(t *testing.T) {
	const tick = time.Microsecond
	decided := func(o approval.Outcome) func(*approval.Request) {
		return func(q *approval.Request) { q.Outcome = o }
	}
	for name, row := range map[string]struct {
		change func(*approval.Request)
		actor  string
		after  time.Duration
		want   error
	}{
		"another person, at once":      {nil, "operator:two", 0, nil},
		"the last of the hour":         {nil, "operator:two", time.Hour - tick, nil},
		"after the hour":               {nil, "operator:two", time.Hour, identity.ErrExpired},
		"before it was asked":          {nil, "operator:two", -identity.Skew - tick, identity.ErrExpired},
		"the same person":              {nil, "operator:one", 0, approval.ErrSamePerson},
		"the same person, late":        {nil, "operator:one", time.Hour, identity.ErrExpired},
		"nobody":                       {nil, "", 0, approval.ErrSamePerson},
		"confirmed before":             {decided(approval.Confirmed), "operator:two", 0, identity.ErrSpent},
		"refused before":               {decided(approval.Refused), "operator:two", 0, identity.ErrSpent},
		"an outcome we don't know of":  {decided("other"), "operator:two", 0, identity.ErrSpent},
		"asked by nobody, of nobody":   {func(q *approval.Request) { q.AskedBy = "" }, "", 0, approval.ErrSamePerson},
		"decided, by the same, and on": {decided(approval.Confirmed), "operator:one", 2 * time.Hour, identity.ErrSpent},
	} {
		q := wish()
		q.Asked = epoch
		if row.change != nil {
			row.change(&q)
		}
		if err := q.Judge(row.actor, epoch.Add(row.after)); !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
			t.Errorf("%s: wanted %v, got %v", name, row.want, err)
		}
	}
}

func TestWhatIsNotConfirmedIsNotDone(t *testing.T) {
	for name, row := range map[string]struct {
		actor  string
		before func(*rig, approval.Request) error
		want   error
	}{
		"the same person":   {"operator:one", nil, approval.ErrSamePerson},
		"nobody":            {"", nil, approval.ErrSamePerson},
		"an hour later":     {"operator:two", func(r *rig, _ approval.Request) error { r.now = epoch.Add(time.Hour); return nil }, identity.ErrExpired},
		"refused meanwhile": {"operator:two", func(r *rig, q approval.Request) error { return r.Refuse(r.Context(), q.ID, "operator:three", "no") }, identity.ErrSpent},
		"withdrawn":         {"operator:two", func(r *rig, q approval.Request) error { return r.Refuse(r.Context(), q.ID, "operator:one", "mistake") }, identity.ErrSpent},
		"done already": {"operator:three", func(r *rig, q approval.Request) error {
			return r.Confirm(r.Context(), q.ID, "operator:two", "", nothing)
		}, identity.ErrSpent},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			q := r.ask()
			if row.before != nil {
				r.ok(row.before(r, q))
			}
			r.is(r.Confirm(t.Context(), q.ID, row.actor, "", func(context.Context, approval.Request) error {
				t.Error("it was done")
				return nil
			}), row.want)
		})
	}
	r := newRig(t)
	for _, id := range []string{"", "DIL-XXXX-XX"} {
		r.is(r.Confirm(t.Context(), id, "operator:two", "", nothing), identity.ErrNotFound)
		r.is(r.Refuse(t.Context(), id, "operator:two", ""), identity.ErrNotFound)
	}
}

func TestAnActThatFailsLeavesTheRequest(t *testing.T) {
	r := newRig(t)
	q := r.ask()
	r.is(r.Confirm(t.Context(), q.ID, "operator:two", "", func(context.Context, approval.Request) error { return errOfAct }), errOfAct)
	r.same(r.kinds(q.ID), []audit.Kind{audit.ApprovalAsked})
	r.ok(r.Confirm(t.Context(), q.ID, "operator:two", "", nothing))
}

func TestRefuse(t *testing.T) {
	r := newRig(t)
	q := r.ask()
	r.now = epoch.Add(time.Minute)
	r.ok(r.Refuse(t.Context(), q.ID, "operator:two", "not that person"))
	r.is(r.Refuse(t.Context(), q.ID, "operator:two", "again"), identity.ErrSpent)
	r.same(r.kinds(q.ID), []audit.Kind{audit.ApprovalAsked, audit.ApprovalRefused})
	late := r.ask()
	r.now = r.now.Add(time.Hour)
	r.is(r.Refuse(t.Context(), late.ID, "operator:two", "late"), identity.ErrExpired)
	waiting, err := r.Pending(t.Context())
	r.ok(err)
	r.same(len(waiting), 0)
}

func TestAskNamesWhoAndWhat(t *testing.T) {
	r := newRig(t)
	for name, change := range map[string]func(*approval.Request){
		"no verb": func(q *approval.Request) { q.Verb = "" },
		"nobody":  func(q *approval.Request) { q.AskedBy = "" },
	} {
		q := wish()
		change(&q)
		if _, err := r.Ask(t.Context(), q); err == nil {
			t.Errorf("%s: wanted it refused", name)
		}
	}
	q := wish()
	q.ID, q.Outcome, q.DecidedBy, q.Decided, q.Asked = "mine", approval.Confirmed, "operator:two", epoch, epoch.Add(-time.Hour)
	got, err := r.Ask(t.Context(), q)
	r.ok(err)
	want := wish()
	want.ID, want.Asked = got.ID, epoch
	r.same(got, want)
	if got.ID == "mine" {
		t.Error("wanted an id of its own")
	}
}
