package factor

import (
	"context"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// How long a browser counts after a login in it.
const (
	KnownFor      = 90 * 24 * time.Hour // it has a lane of its own
	RememberedFor = 30 * 24 * time.Hour // it stands in for a code, if the patient said so
)

// Browser is one browser in which a login to an account was finished. Being known
// opens nothing: it says that guesses from there are not a stranger's. Being
// remembered stands in for a code (Cd), beside the password.
type Browser struct {
	ID         string // of this binding, for the patient's list; remembered anew, it has another
	Account    string
	Browser    identity.Digest // of the browser cookie
	Device     string          // browser and system in general words
	Seen       time.Time       // last login
	Remembered time.Time       // until; zero: not
	Bound      time.Time       // when it was last remembered anew
	Level      identity.Proofing
	Epoch      int64 // of the account at the last login
}

// Factor returns the browser as what opens the account.
func (b Browser) Factor() Factor {
	return Factor{Kind: KindBrowser, ID: b.ID, Account: b.Account, Level: b.Level, Bound: b.Bound}
}

// Standing is a browser, and what stands of its account at the same reading.
type Standing struct {
	Browser
	AccountEpoch int64
}

// known judges whether a login was finished there lately, in the account's present
// epoch. A login from the future is none.
func (s Standing) known(now time.Time) bool {
	age := now.Sub(s.Seen)
	return s.Epoch == s.AccountEpoch && age < KnownFor && age >= -identity.Skew
}

// remembers judges whether the browser may stand in for a code. Its own end counts
// and so does how long ago it was bound: whatever end is kept, it is no later.
func (s Standing) remembers(now time.Time) bool {
	return s.known(now) && now.Before(s.Remembered) && now.Sub(s.Bound) < RememberedFor
}

// BrowserStore is the part of [Store] that keeps browsers.
type BrowserStore interface {
	// SawBrowser adds the browser, or refreshes the row of its account and digest:
	// device, last login and epoch. ID, Remembered, Bound and Level are replaced
	// where b is remembered, or the row is of another epoch; else they stay.
	SawBrowser(ctx context.Context, b Browser) error
	// RebindBrowsers gives the rows of the browser its next digest.
	RebindBrowsers(ctx context.Context, last, next identity.Digest) error
	// Browser returns the account's row of that digest with the account's epoch,
	// or [identity.ErrNotFound]. The digest of nothing is nobody's.
	Browser(ctx context.Context, account string, browser identity.Digest) (Standing, error)
	// Browsers returns the account's rows, the last seen first.
	Browsers(ctx context.Context, account string) ([]Standing, error)
	// LoggedIn reports whether any account that is neither disabled nor deleted has
	// a row of that digest that was seen since.
	LoggedIn(ctx context.Context, browser identity.Digest, since time.Time) (bool, error)
	// ForgetBrowser deletes one row, or returns [identity.ErrNotFound] where the
	// account has none of that id.
	ForgetBrowser(ctx context.Context, account, id string) error
	// ForgetBrowsers deletes all rows of the account.
	ForgetBrowsers(ctx context.Context, account string) error
}

// Saw keeps that a login to b.Account was finished in b.Browser, by b.Device in
// b.Epoch, now. It makes the browser known for 90 days. With b.Remembered, the
// patient asked that it be remembered until then (never longer than 30 days), and
// the browser carries b.Level: set it only in a login that proved a code. Without
// it, what was remembered before goes on as it was; a login never lengthens it.
// Id and times are given here. It joins the act of ctx.
func (r *Factors) Saw(ctx context.Context, b Browser) error {
	if b.Browser.IsZero() {
		return fmt.Errorf("browser: %w", errMissing)
	}
	b.ID, b.Seen, b.Bound = identity.NewID(), r.moment(), time.Time{}
	if b.Remembered.IsZero() {
		b.Level = identity.P0
		return r.store.SawBrowser(ctx, b)
	}
	b.Bound = b.Seen
	if longest := b.Seen.Add(RememberedFor); b.Remembered.After(longest) {
		b.Remembered = longest
	}
	if err := r.store.SawBrowser(ctx, b); err != nil {
		return err
	}
	return r.ledger.Record(ctx, audit.Event{Kind: audit.BrowserRemembered, Actor: audit.Patient, Account: b.Account})
}

// Rebind tells that the browser got a new cookie value: what is known of it, for
// every account, follows. It joins the act of ctx.
func (r *Factors) Rebind(ctx context.Context, last, next identity.Digest) error {
	if last.IsZero() || last == next {
		return nil
	}
	if next.IsZero() {
		return fmt.Errorf("browser: %w", errMissing)
	}
	return r.store.RebindBrowsers(ctx, last, next)
}

// Known returns the browser if a login to that account was finished in it within
// 90 days, in the account's present epoch; else [identity.ErrNotFound]. It reads,
// in the act of ctx if there is one.
func (r *Factors) Known(ctx context.Context, account string, browser identity.Digest) (Browser, error) {
	return r.browser(ctx, account, browser, Standing.known)
}

// Remembers returns the browser if it may stand in for a code at that account: the
// patient said so within 30 days, in the account's present epoch; else
// [identity.ErrNotFound]. It never answers a step-up, max_age, prompt=login or a
// change of the account: don't ask it there. It reads, in the act of ctx if there
// is one.
func (r *Factors) Remembers(ctx context.Context, account string, browser identity.Digest) (Browser, error) {
	return r.browser(ctx, account, browser, Standing.remembers)
}

func (r *Factors) browser(ctx context.Context, account string, browser identity.Digest, good func(Standing, time.Time) bool) (Browser, error) {
	s, err := r.store.Browser(ctx, account, browser)
	if err == nil && !good(s, r.now()) {
		err = identity.ErrNotFound
	}
	if err != nil {
		return Browser{}, fmt.Errorf("browser: %w", err)
	}
	return s.Browser, nil
}

// KnownAnywhere reports whether any account that is open was logged in to from
// this browser within 90 days, whatever ended since: such a browser is never
// refused by its address, and waits for a hash in the kept third of the queue. It
// opens nothing. It reads, in the act of ctx if there is one.
func (r *Factors) KnownAnywhere(ctx context.Context, browser identity.Digest) (bool, error) {
	return r.store.LoggedIn(ctx, browser, r.moment().Add(-KnownFor))
}

// List returns the browsers that are known to the account, the last seen first.
// Remembered is zero in those that no longer stand in for a code. It reads, in the
// act of ctx if there is one.
func (r *Factors) List(ctx context.Context, account string) ([]Browser, error) {
	all, err := r.store.Browsers(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list the browsers: %w", err)
	}
	var known []Browser
	for _, s := range all {
		if !s.known(r.now()) {
			continue
		}
		if !s.remembers(r.now()) {
			s.Remembered = time.Time{}
		}
		known = append(known, s.Browser)
	}
	return known, nil
}

// Forget ends one browser of the account: it is neither known nor remembered from
// now on. One that the account does not have is [identity.ErrNotFound]. It joins
// the act of ctx, or is one of its own.
func (r *Factors) Forget(ctx context.Context, account, id string) error {
	return r.forget(ctx, account, func(ctx context.Context) error { return r.store.ForgetBrowser(ctx, account, id) })
}

// ForgetAll ends every browser of the account. It joins the act of ctx, or is one
// of its own.
func (r *Factors) ForgetAll(ctx context.Context, account string) error {
	return r.forget(ctx, account, func(ctx context.Context) error { return r.store.ForgetBrowsers(ctx, account) })
}

func (r *Factors) forget(ctx context.Context, account string, fn func(context.Context) error) error {
	e := &audit.Event{Kind: audit.BrowserForgotten, Actor: audit.Patient, Account: account}
	return r.ledger.TakeAway(ctx, e, fn)
}
