package rp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/rp/page"
)

// The one border from error to status, page and log line: what lies behind is for
// the log, never for the page.
func TestFail(t *testing.T) {
	const behind = "pq: password of 192.0.2.7 is hunter2"
	for name, row := range map[string]struct {
		err      error
		status   int
		cause    string
		recorded bool
		retry    string
	}{
		"a refusal":                         {refuse(http.StatusForbidden, page.Disabled, "account-disabled"), http.StatusForbidden, "account-disabled", true, ""},
		"a refusal inside another error":    {fmt.Errorf("%s: %w", behind, refuse(http.StatusBadRequest, page.TooLate, "callback-late")), http.StatusBadRequest, "callback-late", true, ""},
		"a refusal that was recorded":       {&refusal{status: http.StatusForbidden, page: page.Refusal{Kind: page.UnderAge}, cause: "under-age", recorded: true}, http.StatusForbidden, "under-age", false, ""},
		"a refusal with what lies behind":   {&refusal{status: http.StatusBadGateway, page: page.Refusal{Kind: page.ProviderOther}, cause: "provider-other", err: errors.New(behind)}, http.StatusBadGateway, "provider-other", true, ""},
		"a stray path is no refusal":        {refuse(http.StatusNotFound, page.NotFound, "no-such-page"), http.StatusNotFound, "no-such-page", false, ""},
		"a stray method is no refusal":      {refuse(http.StatusMethodNotAllowed, page.MethodNotAllowed, "method"), http.StatusMethodNotAllowed, "method", false, ""},
		"a provider that is down":           {refuse(http.StatusServiceUnavailable, page.ProviderDown, "provider-down"), http.StatusServiceUnavailable, "provider-down", true, "10"},
		"the store is away":                 {fmt.Errorf("%s: %w", behind, identity.ErrUnavailable), http.StatusServiceUnavailable, "store-unavailable", false, "10"},
		"an event could not be kept":        {fmt.Errorf("%s: %w", behind, audit.ErrNotRecorded), http.StatusServiceUnavailable, "store-unavailable", false, "10"},
		"the patient left":                  {fmt.Errorf("%s: %w", behind, context.Canceled), http.StatusServiceUnavailable, "patient-left", false, "10"},
		"what nobody expected":              {errors.New(behind), http.StatusInternalServerError, "unexpected", true, ""},
		"a conflict that nobody handled":    {fmt.Errorf("%s: %w", behind, identity.ErrConflict), http.StatusInternalServerError, "unexpected", true, ""},
		"too long for a store that answers": {fmt.Errorf("%s: %w", behind, context.DeadlineExceeded), http.StatusInternalServerError, "unexpected", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			r, n := withNote(get("/help"))
			w := h.run(r, func(*visit) error { return row.err })
			if w.Code != row.status || n.cause != row.cause {
				t.Errorf("wanted %d %s, got %d %s", row.status, row.cause, w.Code, n.cause)
			}
			if got := w.Header().Get("Retry-After"); got != row.retry {
				t.Errorf("Retry-After is %q", got)
			}
			body := w.Body.String()
			if strings.Contains(body, "192.0.2.7") || strings.Contains(body, "hunter2") {
				t.Error("the page tells what lies behind")
			}
			if n.reference == "" || !strings.Contains(body, n.reference) && row.status != http.StatusNotFound && row.status != http.StatusMethodNotAllowed {
				t.Errorf("the page does not show its reference %q", n.reference)
			}
			for _, always := range []string{"111", "999"} {
				if row.status != http.StatusNotFound && row.status != http.StatusMethodNotAllowed && !strings.Contains(body, always) {
					t.Errorf("the page does not tell of %s", always)
				}
			}
			recorded := len(h.events) == 1
			if recorded != row.recorded {
				t.Fatalf("wanted it in the audit: %v, got %d events", row.recorded, len(h.events))
			}
			if !recorded {
				return
			}
			e := h.events[0]
			if e.Kind != audit.AccessRefused || e.Result != audit.Refused || e.Reference != n.reference || e.Cause != row.cause {
				t.Errorf("the audit says %+v", e)
			}
		})
	}
}

// A page can't be rendered: there is still an answer, and the log says why.
func TestFailWithoutAPage(t *testing.T) {
	h := newHouse(t)
	r, n := withNote(get("/help"))
	w := h.run(r, func(*visit) error { return refuse(http.StatusForbidden, page.Kind("no such kind"), "cause") })
	if w.Code != http.StatusInternalServerError || n.err == nil {
		t.Errorf("got %d, %v", w.Code, n.err)
	}
	if strings.Contains(w.Body.String(), "no such kind") {
		t.Error("the answer tells what lies behind")
	}
}

// A refusal is told though the audit is broken: it gives nothing away.
func TestFailThoughNoEventIsKept(t *testing.T) {
	h := newHouse(t)
	h.deaf = errDown
	r, n := withNote(get("/help"))
	w := h.run(r, func(*visit) error { return refuse(http.StatusForbidden, page.Disabled, "account-disabled") })
	if w.Code != http.StatusForbidden || !errors.Is(n.err, audit.ErrNotRecorded) {
		t.Errorf("got %d, %v", w.Code, n.err)
	}
}

// A flood of refusals costs its sender nothing; it must not cost us rows.
func TestFloodOfRefusals(t *testing.T) {
	h := newHouse(t)
	const flood = 3 * refusalBurst
	for range flood {
		if w := h.ask(post("/logout", "", "Sec-Fetch-Site", "cross-site")); w.Code != http.StatusForbidden {
			t.Fatalf("got %d", w.Code)
		}
	}
	if len(h.events) != refusalBurst {
		t.Errorf("wanted %d events, got %d", refusalBurst, len(h.events))
	}
	if lines := strings.Count(h.log.String(), "\n"); lines != flood {
		t.Errorf("wanted %d lines in the log, got %d", flood, lines)
	}
	h.now = h.now.Add(time.Second)
	for range flood {
		h.ask(post("/logout", "", "Sec-Fetch-Site", "cross-site"))
	}
	if got := len(h.events) - refusalBurst; got != refusalPerSecond {
		t.Errorf("wanted %d events a second later, got %d", refusalPerSecond, got)
	}
}

func TestBudget(t *testing.T) {
	const burst, perSecond = 3, 2
	type look struct {
		at    time.Duration
		tries int
		taken int
	}
	for name, looks := range map[string][]look{
		"all at once":                        {{0, 10, 3}, {0, 10, 0}},
		"half a second gives one":            {{0, 10, 3}, {500 * time.Millisecond, 10, 1}},
		"a microsecond short of one":         {{0, 10, 3}, {500*time.Millisecond - time.Microsecond, 10, 0}, {500 * time.Millisecond, 10, 1}},
		"parts add up":                       {{0, 10, 3}, {250 * time.Millisecond, 10, 0}, {499 * time.Millisecond, 10, 0}, {500 * time.Millisecond, 10, 1}},
		"never more than the burst":          {{0, 10, 3}, {time.Hour, 10, 3}, {time.Hour, 10, 0}},
		"not used for long":                  {{365 * 24 * time.Hour, 10, 3}},
		"a clock that steps back takes none": {{time.Hour, 1, 1}, {0, 10, 2}},
		"a clock that steps back gives none": {{time.Hour, 10, 3}, {0, 10, 0}, {30 * time.Minute, 10, 0}, {time.Hour, 10, 0}, {time.Hour + time.Second, 10, 2}},
	} {
		b := newBudget(burst, perSecond)
		for i, l := range looks {
			taken := 0
			for range l.tries {
				if b.take(epoch.Add(l.at)) {
					taken++
				}
			}
			if taken != l.taken {
				t.Errorf("%s, look %d: wanted %d, got %d", name, i, l.taken, taken)
			}
		}
	}
}

func TestRefusalError(t *testing.T) {
	behind := errors.New("what lies behind")
	r := refuse(http.StatusForbidden, page.Disabled, "account-disabled").again("/login")
	if r.Error() != "account-disabled" || r.page.StartAgain != "/login" {
		t.Errorf("got %q, %q", r.Error(), r.page.StartAgain)
	}
	r.err = behind
	if r.Error() != "account-disabled: what lies behind" || !errors.Is(r, behind) {
		t.Errorf("got %q", r.Error())
	}
}
