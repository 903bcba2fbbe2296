package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	onetime "github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/password"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/store"
)

// Stores is a store of every room over one database.
type Stores struct {
	Audit interface {
		audit.Store
		audit.ChainStore
		audit.FeedStore
		FindByReference(ctx context.Context, reference string) ([]audit.Event, error)
		EventsOf(ctx context.Context, accountID string, limit int) ([]audit.Event, error)
	}
	Accounts     account.Store
	Sessions     session.Store
	Grants       grant.Store
	Attempts     attempt.Store
	Journeys     attempt.JourneyStore
	Passwords    password.Store
	OneTimeCodes onetime.Store
	Limits       limit.Store
	Outbox       outbox.Store
	Register     *store.Register
	Factors      factor.Store
	Approvals    approval.Store
	SigningKeys  token.KeyStore
	Sweep        func(ctx context.Context, now time.Time) error
}

// Of returns the stores of an open database.
func Of(db *store.DB) Stores {
	return Stores{
		Audit: db.Audit(), Accounts: db.Accounts(), Sessions: db.Sessions(), Grants: db.Grants(), Attempts: db.Attempts(), Journeys: db.Attempts(),
		Passwords: db.Passwords(), OneTimeCodes: db.OneTimeCodes(), Limits: db.Limits(), Outbox: db.Outbox(), Register: db.Register(), Factors: db.Factors(), Approvals: db.Approvals(), SigningKeys: db.SigningKeys(), Sweep: db.Sweep,
	}
}

// rule is one row of the contract.
type rule struct {
	name string
	test func(k *kit)
}

// Run holds the stores that open gives, empty ones at each call, to the contract.
func Run(t *testing.T, open func(t *testing.T) Stores) {
	for _, room := range []struct {
		name  string
		rules []rule
	}{
		{"acts", actRules},
		{"audit", auditRules},
		{"accounts", accountRules},
		{"changes", changeRules},
		{"links", linkRules},
		{"merging", mergeRules},
		{"passkeys", passkeyRules},
		{"sessions", sessionRules},
		{"grants", grantRules},
		{"attempts", attemptRules},
		{"journeys", journeyRules},
		{"passwords", passwordRules},
		{"one-time codes", oneTimeRules},
		{"limits", limitRules},
		{"outbox", outboxRules},
		{"register", registerRules},
		{"factors", factorRules},
		{"approvals", approvalRules},
		{"signing keys", signingRules},
		{"hostile", hostileRules},
	} {
		t.Run(room.name, func(t *testing.T) {
			for _, r := range room.rules {
				t.Run(r.name, func(t *testing.T) {
					r.test(&kit{T: t, Stores: open(t), ctx: t.Context()})
				})
			}
		})
	}
}

// parallel is how many race in a race row.
const parallel = 50

// kit is a test with its stores and what rows of all rooms need.
type kit struct {
	*testing.T
	Stores
	ctx context.Context
}

// epoch is when the rows' stories begin.
var epoch = time.Date(2026, 11, 21, 9, 30, 0, 123456000, time.UTC)

// ok fails the row on an error.
func (k *kit) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// is fails the row unless the error is the wanted one.
func (k *kit) is(got, want error) {
	k.Helper()
	if !errors.Is(got, want) {
		k.Fatalf("wanted error %q, got %v", want, got)
	}
}

// same fails the row unless both are equal.
func (k *kit) same(got, want any) {
	k.Helper()
	if diff := cmp.Diff(want, got, comparePersonal); diff != "" {
		k.Fatalf("(-wanted +got)\n%s", diff)
	}
}

// comparePersonal compares personal values without printing them.
var comparePersonal = cmp.Options{
	cmp.Comparer(func(a, b identity.NHSNumber) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Name) bool { return a == b }),
	cmp.Comparer(func(a, b identity.BirthDate) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Email) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Phone) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Postcode) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Secret) bool { return a == b }),
	cmp.Comparer(func(a, b identity.Contact) bool { return a == b }),
}

// race runs fn many times at once and returns what each gave.
func race(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// oneWon fails the row unless one alone had no error and all others that one.
func (k *kit) oneWon(errs []error, others error) {
	k.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, others) {
			k.Fatalf("wanted error %q, got %v", others, err)
		}
	}
	if won != 1 {
		k.Fatalf("wanted one of %d to win, got %d", len(errs), won)
	}
}

// must unwraps a value that a test's own constant can't make wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// details is a made-up patient, every field filled.
func details() identity.Details {
	return identity.Details{
		NHSNumber: must(identity.ParseNHSNumber("999 000 0018")),
		GivenName: must(identity.ParseName("Siân-Mair Eluned")), FamilyName: must(identity.ParseName("Test-Ó Flaithbheartaigh")),
		BirthDate: must(identity.ParseBirthDate("1984-02-29")),
		Email:     must(identity.ParseEmail("Sian.Test@example.com")), EmailVerified: true,
		Phone: must(identity.ParsePhone("+447700900123")), PhoneVerified: true,
	}
}

// link is a link of a made-up patient.
func link(subject string) account.Link {
	return account.Link{
		Provider: "nhs-login", Issuer: "https://auth.example.org", Subject: subject, Level: identity.P9, Details: details(),
		First: epoch, Last: epoch,
	}
}

// patient is an account with those links.
func patient(links ...account.Link) account.Account {
	return account.Account{ID: identity.NewID(), State: account.Active, Epoch: 1, Language: "cy", Created: epoch, Links: links}
}

// someone adds an account without links, for rows that need one to belong to.
func (k *kit) someone() account.Account {
	k.Helper()
	a := patient()
	k.ok(k.Accounts.Create(k.ctx, a))
	return a
}

// event is a fresh event.
func event(kind audit.Kind) audit.Event {
	return audit.Event{ID: identity.NewID(), At: epoch, Kind: kind, Result: audit.OK, Actor: audit.Patient}
}

// hasEvent reports whether the event was kept.
func (k *kit) hasEvent(id string) bool {
	k.Helper()
	events, err := k.Audit.Unsealed(k.ctx, 1000)
	k.ok(err)
	return slices.ContainsFunc(events, func(e audit.Event) bool { return e.ID == id })
}

// clock stands still.
func clock() time.Time { return epoch }
