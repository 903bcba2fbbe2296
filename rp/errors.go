package rp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/rp/page"
)

// refusal is an error that has words for the patient and a way forward.
type refusal struct {
	status   int
	page     page.Refusal // Kind, and what its words need
	cause    string       // the rule that said no, for log and audit
	account  string       // id, where known; empty: that of who is logged in
	classes  []string     // of fields that failed
	recorded bool         // its event is in the audit already
	err      error        // what lies behind it, for operators
}

func (e *refusal) Error() string {
	if e.err != nil {
		return fmt.Sprintf("%s: %v", e.cause, e.err)
	}
	return e.cause
}

func (e *refusal) Unwrap() error { return e.err }

func refuse(status int, kind page.Kind, cause string) *refusal {
	return &refusal{status: status, page: page.Refusal{Kind: kind}, cause: cause}
}

// again says where "Start again" leads.
func (e *refusal) again(url string) *refusal {
	e.page.StartAgain = url
	return e
}

// fail is the one border from error to status, page and log line. What it does not
// know is a plain 500 that says nothing of its cause.
func (v *visit) fail(err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = unexpected(err)
	}
	v.noted(r)
	if v.exits() && v.away() == nil {
		return
	}
	if r.status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "10")
		if v.leaves() {
			v.clearBrowser()
		}
	}
	// Nothing is renewed here: the store may be what is broken.
	if err := v.write(r.status, r.page, nil); err != nil {
		v.note.err = errors.Join(v.note.err, err)
		http.Error(v.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

// noted records a refusal under the reference that its page shows, and returns that.
func (v *visit) noted(r *refusal) string {
	v.note.reference, v.note.cause, v.note.err = v.reference, r.cause, r.err
	if !r.recorded {
		v.recordRefusal(r)
	}
	return v.reference
}

func panicked(err error) *refusal {
	r := refuse(http.StatusInternalServerError, page.Internal, "panic")
	r.err = err
	return r
}

func unexpected(err error) *refusal {
	if errors.Is(err, identity.ErrUnavailable) || errors.Is(err, audit.ErrNotRecorded) {
		r := refuse(http.StatusServiceUnavailable, page.Unavailable, "store-unavailable")
		r.err, r.recorded = err, true // there is nowhere to record it
		return r
	}
	r := refuse(http.StatusInternalServerError, page.Internal, "unexpected")
	if errors.Is(err, context.Canceled) { // nobody is there to read the page
		r = refuse(http.StatusServiceUnavailable, page.Unavailable, "patient-left")
		r.recorded = true
	}
	r.err = err
	return r
}

// recordRefusal makes the reference findable. A stray path or method is no refusal
// of access, and what comes beyond the budget is told by its log line alone:
// refusals cost their sender nothing, rows cost us.
func (v *visit) recordRefusal(r *refusal) {
	if r.page.Kind == page.NotFound || r.page.Kind == page.MethodNotAllowed || !v.refusals.take(v.now()) {
		return
	}
	account := r.account
	if account == "" && v.session != nil {
		account = v.session.Account
	}
	err := v.ledger.Record(v.r.Context(), audit.Event{
		Kind: audit.AccessRefused, Result: audit.Refused, Actor: audit.Patient, Reference: v.reference,
		Account: account, Provider: v.note.provider, Portal: v.note.portal, Cause: r.cause, Fields: audit.AtStep(v.step(), r.classes...),
	})
	if err != nil {
		v.note.err = errors.Join(v.note.err, err)
	}
}

// step names where the patient was: method and route, and of a sign-up the page too.
// What else a path carries is nobody's business.
func (v *visit) step() string {
	route := v.note.route
	if route == "" {
		return ""
	}
	if p := attempt.Page(mux.Vars(v.r)["page"]); p.Known() {
		route = strings.Replace(route, "{page}", string(p), 1)
	}
	return methodWord(v.r.Method) + " " + route
}

// budget lets so many through at once, and then so many a second.
type budget struct {
	burst, perSecond float64

	mu   sync.Mutex
	left float64
	last time.Time
}

func newBudget(burst, perSecond float64) *budget {
	return &budget{burst: burst, perSecond: perSecond, left: burst}
}

// take reports whether there was one left at that instant.
func (b *budget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.last).Seconds(); passed > 0 {
		b.left = min(b.burst, b.left+passed*b.perSecond)
		b.last = now
	}
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
