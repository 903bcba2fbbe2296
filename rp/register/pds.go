package register

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/outside"
)

// fault is a text of ours about what went wrong on the way.
type fault = outside.Fault

// The bounds of a conversation.
const (
	answerWithin = 8 * time.Second // all of Entry or Search, waiting and retry included
	maxDocument  = 256 << 10       // a Patient with a long history is some 20 KiB
	maxQueue     = 2 * time.Second // that a patient waits for a turn
	perSecond    = 5               // requests that PDS grants an application by default
)

// Options is what a PDS stands on.
type Options struct {
	ID  string // names it in logs and errors
	URL string // of the FHIR API, such as https://api.service.nhs.uk/personal-demographics/FHIR/R4

	// TokenURL is where access tokens are granted, and the audience of our
	// assertions; empty: /oauth2/token on the host of URL.
	TokenURL string
	Key      *token.AssertionKey // RS512 with a kid, as registered with the API platform
	APIKey   identity.Secret     // iss and sub of our assertions

	// Organisation is the ODS code of the organisation asked for, sent where an
	// application serves several; empty: not sent.
	Organisation string

	// PerSecond is how many requests this process may send in a second; 0: 5.
	// PDS counts per application: replicas share what it grants.
	PerSecond int

	Now func() time.Time // required
	Log *slog.Logger     // told when the health changes; nil: nobody

	// LoopbackHTTP allows plain http and addresses of this machine, for
	// development. http elsewhere stays refused.
	LoopbackHTTP bool
}

// PDS is the register of England. It is safe for concurrent use.
type PDS struct {
	opt    Options
	now    func() time.Time
	log    *slog.Logger
	client *http.Client
	within time.Duration
	sleep  func(ctx context.Context, d time.Duration) error

	held   atomic.Pointer[access] // nil: no access token
	flight singleflight.Group
	pace   *pace
	pulse  *pulse
}

// New returns the register, or every fault of its options at once. It reaches no
// network: a register that is down at the start stops nobody.
func New(o Options) (*PDS, error) {
	o.URL = strings.TrimSuffix(o.URL, "/")
	if o.TokenURL == "" {
		o.TokenURL = tokenBeside(o.URL)
	}
	if o.PerSecond == 0 {
		o.PerSecond = perSecond
	}
	if err := errors.Join(o.check()...); err != nil {
		return nil, fmt.Errorf("register %s: %w", o.ID, err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &PDS{
		opt: o, now: o.Now, log: o.Log, client: outside.NewClient(maxDocument, o.LoopbackHTTP), within: answerWithin, sleep: sleep,
		pace: newPace(o.PerSecond), pulse: &pulse{since: o.Now()},
	}, nil
}

// tokenBeside returns where the API platform that serves base grants tokens.
func tokenBeside(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/oauth2/token"
}

// check returns what is wrong with the options.
func (o Options) check() []error {
	var faults []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for name, at := range map[string]string{"url": o.URL, "token url": o.TokenURL} {
		if err := outside.CheckEndpoint(at, o.LoopbackHTTP); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	want(!strings.Contains(o.URL, "?"), "url: wanted none with a query")
	want(o.Key != nil && o.Key.Alg() == token.RS512, "client key: wanted one that signs by RS512")
	want(o.Key != nil && o.Key.KeyID() != "", "client key: wanted the kid that it is registered under, got none")
	want(o.APIKey != "", "api key: wanted one, got none")
	want(strings.Trim(o.Organisation, capitals+digits) == "", "organisation: wanted an ODS code")
	want(o.PerSecond > 0, "requests per second: wanted 1 or more, got %d", o.PerSecond)
	want(o.Now != nil, "wanted a clock, got none")
	return faults
}

// ID is the register's name in logs.
func (p *PDS) ID() string { return p.opt.ID }

// Close lets go of the connections that are kept open.
func (p *PDS) Close() { p.client.CloseIdleConnections() }

// Entry returns what PDS says of the patient with that number. Where the number was
// superseded, the entry is the one that took its place, and has another NHSNumber:
// the caller moves to it. A number that was invalidated and is nobody's now comes
// back with that standing alone. A protected patient's entry lacks contacts,
// postcode and practice, and perhaps the names: what is absent is no mismatch.
//
// The error is [identity.ErrNotFound] where PDS does not know the number, and
// [identity.ErrUnavailable] where it could not be asked or its answer not be
// believed.
func (p *PDS) Entry(ctx context.Context, n identity.NHSNumber) (identity.Entry, error) {
	if n.IsZero() {
		return identity.Entry{}, p.notFound()
	}
	said, err := p.ask(ctx, p.opt.URL+"/Patient/"+url.PathEscape(n.Reveal()))
	switch {
	case err != nil:
		return identity.Entry{}, err
	case said.code == codeInvalidated:
		return identity.Entry{NHSNumber: n, Standing: identity.Invalidated}, nil
	case said.code != "":
		return identity.Entry{}, p.notFound()
	}
	e, err := entryOf(said.doc, p.now())
	if err != nil {
		return identity.Entry{}, p.unavailable(err)
	}
	return e, nil
}

// Search returns the one entry that has the family name, the birth date, the first
// letters of the given name and the part of the country that the postcode names. It
// is tried once more with the whole postcode where too many match.
//
// The error is [identity.ErrNotFound] where none matches, or several do, or the one
// that does is protected, or where a detail is missing: with fewer, a stranger
// could be found.
func (p *PDS) Search(ctx context.Context, d identity.Details, postcode identity.Postcode) (identity.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	for _, q := range questions(d, postcode) {
		said, err := p.ask(ctx, p.opt.URL+"/Patient?"+q.Encode())
		switch {
		case err != nil:
			return identity.Entry{}, err
		case said.code == codeTooMany:
			continue
		case said.code != "":
			return identity.Entry{}, p.notFound()
		}
		return p.match(said.doc, d)
	}
	return identity.Entry{}, p.notFound()
}

// match reads the answer of a search for d.
func (p *PDS) match(doc node, d identity.Details) (identity.Entry, error) {
	e, found, err := matchOf(doc, p.now())
	switch {
	case err != nil:
		return identity.Entry{}, p.unavailable(err)
	case !found || e.Protected:
		return identity.Entry{}, p.notFound()
	case e.BirthDate != d.BirthDate: // it was asked for by this one
		return identity.Entry{}, p.unavailable(fault("search: wanted a patient born on the day that was asked for, got another"))
	}
	return e, nil
}

// Holders returns how many living adults' entries hold that contact; known is false
// where the register can't be asked that. PDS can't: it finds nobody without a name
// and a birth date.
func (p *PDS) Holders(context.Context, identity.Contact, time.Time) (count int, known bool, err error) {
	return 0, false, nil
}

func (p *PDS) notFound() error { return fmt.Errorf("register %s: %w", p.opt.ID, identity.ErrNotFound) }

// unavailable says that nothing was decided. The cause is a text of ours.
func (p *PDS) unavailable(cause error) error {
	return fmt.Errorf("register %s: %w: %w", p.opt.ID, identity.ErrUnavailable, cause)
}
