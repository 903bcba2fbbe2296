// Package session owns a patient's time with us: the secret in the browser, its
// limits, the evidence it was opened with, and its end.
//
// It never knows who the patient is beyond the account's id, and never judges
// evidence itself (identity.Assess).
package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// Limits is how long a session may last.
type Limits struct {
	Idle     time.Duration // without an act of the patient
	Absolute time.Duration // in all
}

// Tighter returns the lower of each limit.
func (l Limits) Tighter(other Limits) Limits {
	return Limits{min(l.Idle, other.Idle), min(l.Absolute, other.Absolute)}
}

// The limits that hold whatever the configuration says: on a device that is not
// the patient's own, and in the NHS App's web view (its inactivity rule).
var (
	SharedDevice = Limits{Idle: 10 * time.Minute, Absolute: 12 * time.Hour}
	NHSApp       = Limits{Idle: 10 * time.Minute, Absolute: 12 * time.Hour}
)

// touchEvery bounds the writes of a busy session. What is stored lags by less than
// this, so a session may end that much early, never late.
const touchEvery = time.Minute

// Session is one login on one browser. It is found by the digest of its secret,
// and spoken of by its handle.
type Session struct {
	Handle   string // `sid`: random, stable from login to logout
	Account  string
	Epoch    int64           // of the account when the session was made
	Browser  identity.Digest // of the browser cookie it was opened in
	Created  time.Time
	Seen     time.Time // last act of the patient, to the minute
	Limits   Limits
	Shared   bool // the patient said the device is not theirs
	Quiet    bool // somebody else may see the screen: each page can be left at once
	InApp    bool // in the NHS App's web view
	Age      int  // whole years at login, or [identity.AgeUnknown]
	Language string
	Device   string // browser and system in general words, for the account page
	Evidence identity.Evidence
	identity.Assessment
	Ended time.Time // zero while it was not ended by an act

	// Subjects is under which subject a service knows the account, of those that know
	// it by another than its id. It is true for the life of the session: a merge of
	// accounts ends it.
	Subjects map[string]string
}

// SubjectFor is under which subject that service (a portal's id, or a host behind the
// gateway) knows the patient.
func (s Session) SubjectFor(service string) string {
	if subject, other := s.Subjects[service]; other {
		return subject
	}
	return s.Account
}

// State is what a store knows of a session at a reading: the session, and what
// stands of its account at the same instant.
type State struct {
	Session
	Admitted     bool // the account is neither disabled nor deleted
	AccountEpoch int64
}

// IdleEnds is when the session ends if nothing more is done in it.
func (s Session) IdleEnds() time.Time { return earlier(s.Seen.Add(s.Limits.Idle), s.Ends()) }

// Ends is when the session ends whatever is done in it.
func (s Session) Ends() time.Time { return s.Created.Add(s.Limits.Absolute) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Live judges the session at that instant: nil, [identity.ErrExpired] past a
// limit, [identity.ErrSpent] when it was ended or its account's epoch has moved
// on, or [identity.ErrDisabled]. A clock that steps back revives nothing that was
// ended, and a session from the future is not live.
func (s State) Live(now time.Time) error {
	switch {
	case !s.Admitted:
		return identity.ErrDisabled
	case !s.Ended.IsZero(), s.Epoch != s.AccountEpoch:
		return identity.ErrSpent
	case !now.Before(s.IdleEnds()), s.Created.Sub(now) > identity.Skew:
		return identity.ErrExpired
	}
	return nil
}

// Store remembers sessions by the digest of their secret. Methods join the
// transaction that ctx carries.
type Store interface {
	// Create adds the session under the digest of its secret.
	Create(ctx context.Context, secret identity.Digest, s Session) error
	// BySecret returns the session of that secret, ended or not, with its
	// account's state and epoch, in one read; or [identity.ErrNotFound].
	BySecret(ctx context.Context, secret identity.Digest) (State, error)
	// ByHandle is BySecret for the public handle.
	ByHandle(ctx context.Context, handle string) (State, error)
	// ByGrant is BySecret for the grant of a token, and reports whether that was ended.
	ByGrant(ctx context.Context, grant string) (s State, revoked bool, err error)
	// ByGate is BySecret for the id by which that host behind the gateway knows the
	// session, and no other.
	ByGate(ctx context.Context, id identity.Digest, host string) (State, error)
	// ByAccount returns the account's sessions of its present epoch that were
	// not ended, newest first.
	ByAccount(ctx context.Context, accountID string) ([]State, error)
	// LatestInBrowser returns the session opened last in that browser, ended or
	// not; or [identity.ErrNotFound].
	LatestInBrowser(ctx context.Context, browser identity.Digest) (State, error)
	// Touch sets when the patient was last seen, if that is later than what is
	// kept and the session was not ended.
	Touch(ctx context.Context, handle string, seen time.Time) error
	// Raise puts s in the place of the session with that handle and gives it the
	// secret next in place of last, which is dead from then on. It returns
	// [identity.ErrConflict] unless last is its secret and it was not ended.
	Raise(ctx context.Context, last, next identity.Digest, s Session) error
	// End marks the session ended at that time, if it was not ended before; or
	// [identity.ErrNotFound].
	End(ctx context.Context, handle string, at time.Time) error
	// Sweep forgets sessions whose overall limit was over before that time.
	Sweep(ctx context.Context, before time.Time) error
}

// Sessions does the acts on sessions.
type Sessions struct {
	store  Store
	ledger *audit.Ledger
	now    func() time.Time
}

// New returns the room over its store.
func New(store Store, ledger *audit.Ledger, now func() time.Time) *Sessions {
	return &Sessions{store, ledger, now}
}

// Open creates a session and returns its secret. It must be called in the
// transaction of the login that gives it. s carries who, where and the evidence;
// handle, times and judgement are given here.
func (r *Sessions) Open(ctx context.Context, s Session) (identity.Secret, Session, error) {
	now := r.now().UTC().Truncate(time.Microsecond)
	s.Handle, s.Created, s.Seen, s.Ended = identity.NewID(), now, now, time.Time{}
	s.Assessment = identity.Assess(s.Evidence, now)
	secret := identity.NewToken()
	if err := r.store.Create(ctx, secret.Digest(), s); err != nil {
		return "", Session{}, fmt.Errorf("create the session: %w", err)
	}
	return secret, s, nil
}

// Raise gives a living session better evidence, judges it anew and returns its
// new secret; last, the secret until now, is dead. It must be called in the
// transaction of the act that raises. Limits count on from the first login.
func (r *Sessions) Raise(ctx context.Context, s Session, last identity.Secret, e identity.Evidence) (identity.Secret, Session, error) {
	now := r.now().UTC().Truncate(time.Microsecond)
	s.Evidence, s.Assessment, s.Seen = e, identity.Assess(e, now), now
	next := identity.NewToken()
	if err := r.store.Raise(ctx, last.Digest(), next.Digest(), s); err != nil {
		return "", Session{}, fmt.Errorf("raise the session: %w", err)
	}
	return next, s, nil
}

// Read returns the live session of that secret. It returns
// [identity.ErrNotFound] for no or an unknown secret, and what [State.Live] says
// of one that is over, together with the session.
func (r *Sessions) Read(ctx context.Context, secret identity.Secret) (Session, error) {
	if secret == "" {
		return Session{}, identity.ErrNotFound
	}
	s, err := r.store.BySecret(ctx, secret.Digest())
	return r.judge(s, err)
}

// AtGate is Read for the id in the cookie of that host behind the gateway, which opens
// nothing elsewhere.
func (r *Sessions) AtGate(ctx context.Context, id identity.Secret, host string) (Session, error) {
	if id == "" {
		return Session{}, identity.ErrNotFound
	}
	s, err := r.store.ByGate(ctx, id.Digest(), host)
	return r.judge(s, err)
}

// OfGrant is Read for the grant that a token came of: one that was ended is
// [identity.ErrSpent].
func (r *Sessions) OfGrant(ctx context.Context, grant string) (Session, error) {
	s, revoked, err := r.store.ByGrant(ctx, grant)
	if err == nil && revoked {
		err = identity.ErrSpent
	}
	return r.judge(s, err)
}

// ByHandle is Read for the public handle that tokens carry as `sid`.
func (r *Sessions) ByHandle(ctx context.Context, handle string) (Session, error) {
	s, err := r.store.ByHandle(ctx, handle)
	return r.judge(s, err)
}

func (r *Sessions) judge(s State, err error) (Session, error) {
	if err != nil {
		return Session{}, err
	}
	now := r.now()
	return s.Session.asOf(now), s.Live(now)
}

// asOf returns the session as its evidence is judged at that instant: a judgement
// holds until the instant that it names itself.
func (s Session) asOf(now time.Time) Session {
	if !s.Until.IsZero() && !now.Before(s.Until) {
		s.Assessment = identity.Assess(s.Evidence, now)
	}
	return s
}

// Renew tells that the patient did something in the session, and returns it with
// its idle limit pushed out. It writes at most once a minute.
func (r *Sessions) Renew(ctx context.Context, s Session) (Session, error) {
	now := r.now().UTC().Truncate(time.Microsecond)
	if now.Sub(s.Seen) < touchEvery {
		return s, nil
	}
	if err := r.store.Touch(ctx, s.Handle, now); err != nil {
		return s, fmt.Errorf("renew the session: %w", err)
	}
	s.Seen = now
	return s, nil
}

// List returns the account's live sessions, newest first.
func (r *Sessions) List(ctx context.Context, accountID string) ([]Session, error) {
	all, err := r.store.ByAccount(ctx, accountID)
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	var live []Session
	now := r.now()
	for _, s := range all {
		if s.Live(now) == nil {
			live = append(live, s.asOf(now))
		}
	}
	return live, nil
}

// AskAgain reports whether the provider should be told to ask the patient for
// everything again: someone was logged in in this browser and is so no longer.
// NHS login has no logout, so its own session may still be the last patient's.
func (r *Sessions) AskAgain(ctx context.Context, browser identity.Secret) (bool, error) {
	if browser == "" {
		return false, nil
	}
	s, err := r.store.LatestInBrowser(ctx, browser.Digest())
	if errors.Is(err, identity.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for an earlier session: %w", err)
	}
	return s.Live(r.now()) != nil, nil
}

// End ends the session everywhere. Ending one that is over already is no error.
func (r *Sessions) End(ctx context.Context, s Session, cause string) error {
	e := &audit.Event{Kind: audit.SessionEnded, Actor: audit.Patient, Account: s.Account, Session: s.Handle, Cause: cause}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error {
		return r.store.End(ctx, s.Handle, r.now().UTC().Truncate(time.Microsecond))
	})
}
