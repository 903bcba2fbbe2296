package register

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/rp/outside"
)

// The codes of PDS that say something about a patient (Spine-ErrorOrWarningCode).
const (
	codeUnknown     = "RESOURCE_NOT_FOUND"
	codeNoNumber    = "INVALID_RESOURCE_ID"
	codeInvalidated = "INVALIDATED_RESOURCE"
	codeTooMany     = "TOO_MANY_MATCHES"
)

// tellable are the codes that may stand in an error of ours. Any other is a text
// from outside.
var tellable = []string{
	codeUnknown, codeNoNumber, codeInvalidated, codeTooMany, "ACCESS_DENIED", "UNABLE_TO_CALL_SERVICE", "SERVICE_UNAVAILABLE",
	"TOO_MANY_REQUESTS", "UNSUPPORTED_SERVICE", "MISSING_VALUE", "INVALID_VALUE", "INVALID_SEARCH_DATA", "ADDITIONAL_PROPERTIES",
}

// saying is what PDS said: a document, or a code that stands in its place.
type saying struct {
	doc  node
	code string
}

// reply is one HTTP answer, read whole.
type reply struct {
	status int
	again  time.Duration // its Retry-After; 0: it has none
	kind   string        // media type
	body   []byte
	took   time.Duration
}

// ask sends a GET and reads the answer. Whatever goes wrong is
// [identity.ErrUnavailable], in words of ours.
func (p *PDS) ask(ctx context.Context, target string) (saying, error) {
	if !p.pulse.admit(p.now()) {
		return saying{}, p.unavailable(fault("down: " + p.pulse.health().Fault))
	}
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	r, err := p.insist(ctx, target)
	if err != nil {
		return saying{}, p.unavailable(err)
	}
	said, well, err := r.read()
	if well {
		p.told(p.pulse.answered(r.took, p.now()))
	} else {
		p.told(p.pulse.failed(err.Error(), p.now()))
	}
	if err != nil {
		return saying{}, p.unavailable(err)
	}
	return said, nil
}

// insist sends a request until its answer needs no other try. All tries carry one
// X-Request-ID, by which PDS knows them for one question.
func (p *PDS) insist(ctx context.Context, target string) (reply, error) {
	id := newRequestID()
	var past tries
	var later *reply // the answer that said so
	for patience := maxQueue; ; patience = p.within {
		a, err := p.access(ctx)
		if err != nil {
			return reply{}, err
		}
		switch err := p.turn(ctx, patience); {
		case err != nil && later != nil:
			return *later, nil
		case err != nil:
			return reply{}, err
		}
		r, err := p.send(ctx, target, id, a)
		if err != nil {
			return reply{}, p.silent(ctx, err)
		}
		switch past.judge(r.status) {
		case renew:
			p.held.CompareAndSwap(a, nil)
		case again:
			later = &r
			p.pace.hold(p.now(), r.pause())
		case enough:
			return r, nil
		}
	}
}

// silent notes that PDS gave no answer, unless the caller went away before it could.
func (p *PDS) silent(ctx context.Context, err error) error {
	if !errors.Is(ctx.Err(), context.Canceled) {
		p.told(p.pulse.failed(err.Error(), p.now()))
	}
	return err
}

// turn waits until a request may be sent, or says at once that the caller can't
// wait for so long.
func (p *PDS) turn(ctx context.Context, patience time.Duration) error {
	if deadline, set := ctx.Deadline(); set {
		patience = min(patience, time.Until(deadline)) // a context's deadline is of the machine's clock
	}
	wait, ok := p.pace.take(p.now(), patience)
	if !ok {
		return fault("wanted a turn within " + patience.Round(100*time.Millisecond).String() + ", got none: more is asked than PDS grants")
	}
	if wait == 0 {
		return nil
	}
	if err := p.sleep(ctx, wait); err != nil {
		return outside.InOurWords(err)
	}
	return nil
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends the request once.
func (p *PDS) send(ctx context.Context, target, id string, a *access) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return reply{}, fault("wanted a URL, got something else") // err quotes it
	}
	r.Header.Set("Accept", "application/fhir+json")
	r.Header.Set("Authorization", "Bearer "+a.secret.Reveal())
	r.Header.Set("X-Request-ID", id)
	if p.opt.Organisation != "" {
		r.Header.Set("NHSD-End-User-Organisation-ODS", p.opt.Organisation)
	}
	got, echo, err := p.exchange(r)
	if err == nil && echo != "" && !strings.EqualFold(echo, id) {
		return reply{}, fault("X-Request-ID: wanted the answer to our question, got another's") // PDS mirrors it: this may be another patient
	}
	return got, err
}

// exchange sends a request and reads the answer whole. echo is its X-Request-ID.
func (p *PDS) exchange(r *http.Request) (got reply, echo string, err error) {
	began := p.now()
	answer, err := p.client.Do(r)
	if err != nil {
		return reply{}, "", outside.InOurWords(err) // err quotes the address
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return reply{}, "", outside.InOurWords(err)
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")) // empty if it can't be read
	return reply{
		status: answer.StatusCode, again: retryAfter(answer.Header.Get("Retry-After"), p.now()), kind: kind, body: body, took: p.now().Sub(began),
	}, answer.Header.Get("X-Request-ID"), nil
}

// next is what to do after an answer.
type next int

const (
	enough next = iota // nothing: this is the answer
	renew              // get another access token and ask again
	again              // ask again, after a pause
)

// tries is what was tried: one new access token, and one retry.
type tries struct{ renewed, repeated bool }

func (t *tries) judge(status int) next {
	switch {
	case status == http.StatusUnauthorized && !t.renewed:
		t.renewed = true
		return renew
	case retriable(status) && !t.repeated:
		t.repeated = true
		return again
	}
	return enough
}

// retriable reports whether the status says that the same question may be answered
// a little later.
func retriable(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= http.StatusInternalServerError
}

// pause is how long to wait before the same question: what PDS says, or a second
// where it has had enough of us.
func (r reply) pause() time.Duration {
	if r.again == 0 && r.status == http.StatusTooManyRequests {
		return time.Second
	}
	return r.again
}

// retryAfter reads a Retry-After (RFC 9110 §10.2.3): seconds or a date. What is
// neither is none.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// read says what an answer means. well is false where PDS did not do its part; an
// answer that only this question got is no reason to ask no others.
func (r reply) read() (said saying, well bool, err error) {
	doc, err := r.document()
	if r.status == http.StatusOK {
		if err != nil {
			return saying{}, false, err
		}
		if doc["resourceType"] != "OperationOutcome" {
			return saying{doc: doc}, true, nil
		}
	}
	code := codeOf(doc)
	switch {
	case r.status == http.StatusNotFound && (code == codeUnknown || code == codeInvalidated),
		r.status == http.StatusBadRequest && code == codeNoNumber,
		r.status == http.StatusOK && code == codeTooMany:
		return saying{code: code}, true, nil
	}
	// A 404 without such a code is not about a patient: the address is wrong.
	return saying{}, r.status == http.StatusBadRequest && code != "", statusFault(r.status, code)
}

func statusFault(status int, code string) error {
	if code == "" {
		return fault(fmt.Sprintf("wanted a patient, got status %d", status))
	}
	return fault(fmt.Sprintf("wanted a patient, got status %d %s", status, code))
}

// document reads the body as one JSON object.
func (r reply) document() (node, error) {
	if r.kind != "application/fhir+json" && r.kind != "application/json" {
		return nil, fault("wanted FHIR in JSON, got another type")
	}
	return parseDocument(r.body)
}

// codeOf returns the first code of an OperationOutcome that is one of PDS's, or
// nothing.
func codeOf(doc node) string {
	var r reading
	if r.text(doc, "resourceType") != "OperationOutcome" {
		return ""
	}
	for _, issue := range r.list(doc, "issue") {
		for _, coding := range r.list(r.object(issue, "details"), "coding") {
			if code := r.text(coding, "code"); slices.Contains(tellable, code) {
				return code
			}
		}
	}
	return ""
}

// newRequestID returns a random UUID (RFC 9562 §5.4).
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
