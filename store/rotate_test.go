package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

var began = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// must unwraps a value that a test's own constant can't make wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// patient is a made-up one, linked by that subject.
func patient(subject string) account.Account {
	return account.Account{
		ID: identity.NewID(), State: account.Active, Epoch: 1, Created: began,
		Links: []account.Link{{
			Provider: "nhs-login", Issuer: "https://auth.example.org", Subject: subject, Level: identity.P9, First: began, Last: began,
			Details: identity.Details{
				NHSNumber: must(identity.ParseNHSNumber("9990000018")), GivenName: must(identity.ParseName("Canary-Eluned")),
				FamilyName: must(identity.ParseName("Canary-Test")), BirthDate: must(identity.ParseBirthDate("1984-02-29")),
				Email: must(identity.ParseEmail("Canary@example.com")), Phone: must(identity.ParsePhone("07700900123")),
			},
		}},
	}
}

// site is a database whose keys rotate, with a clock to turn.
type site struct {
	*testing.T
	url, dir string
	now      time.Time
}

func newSite(t *testing.T, url string) *site {
	return &site{t, url, storetest.KeysFolder(t), began}
}

// replica opens the database with the keys as they are now.
func (s *site) replica() *store.DB {
	s.Helper()
	return storetest.Open(s.T, s.url, storetest.LoadKeys(s.T, s.dir), func() time.Time { return s.now })
}

func (s *site) rotate() {
	s.Helper()
	if err := store.RotateKeys(s.dir); err != nil {
		s.Fatal(err)
	}
}

func (s *site) reindex(db *store.DB) {
	s.Helper()
	if err := db.Reindex(s.Context()); err != nil {
		s.Fatal(err)
	}
}

func (s *site) create(db *store.DB, subject string) account.Account {
	s.Helper()
	a := patient(subject)
	if err := db.Accounts().Create(s.Context(), a); err != nil {
		s.Fatal(err)
	}
	return a
}

// finds fails the test unless the account is found by its subject, its number
// and its address.
func (s *site) finds(db *store.DB, a account.Account) {
	s.Helper()
	l := a.Links[0]
	if got, err := db.Accounts().ByLink(s.Context(), l.Issuer, l.Subject); err != nil || got.ID != a.ID {
		s.Fatalf("by subject %q: wanted its account, got %v", l.Subject, err)
	}
	is := func(b account.Account) bool { return b.ID == a.ID }
	if got, err := db.Accounts().ByNHSNumber(s.Context(), l.Details.NHSNumber); err != nil || !slices.ContainsFunc(got, is) {
		s.Fatalf("by number: wanted the account of %q, got %d others, %v", l.Subject, len(got), err)
	}
	if got, err := db.Accounts().ByContact(s.Context(), l.Details.Email.Contact()); err != nil || !slices.ContainsFunc(got, is) {
		s.Fatalf("by e-mail: wanted the account of %q, got %d others, %v", l.Subject, len(got), err)
	}
}

func (s *site) indexKeys() (keys int) {
	s.Helper()
	if err := raw(s.T, s.url).QueryRow(`SELECT count(DISTINCT index_key) FROM blind_indexes`).Scan(&keys); err != nil {
		s.Fatal(err)
	}
	return keys
}

func TestRotationOfTheIndexKey(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		old := s.replica()
		before := s.create(old, "before the rotation")
		s.rotate()

		fresh := s.replica()
		s.finds(fresh, before)
		// A replica that was not restarted goes on, and each finds what the other made.
		byOld, byFresh := s.create(old, "by the old replica"), s.create(fresh, "by the fresh replica")
		for _, db := range []*store.DB{old, fresh} {
			for _, a := range []account.Account{before, byOld, byFresh} {
				s.finds(db, a)
				if err := db.Accounts().Create(t.Context(), patient(a.Links[0].Subject)); !errors.Is(err, identity.ErrConflict) {
					t.Fatalf("a second account of %q: wanted a conflict, got %v", a.Links[0].Subject, err)
				}
			}
		}

		s.reindex(fresh)
		if got := s.indexKeys(); got != 2 {
			t.Fatalf("wanted both indexes for a day, got %d", got)
		}
		s.now = s.now.Add(23 * time.Hour)
		s.reindex(fresh)
		if got := s.indexKeys(); got != 2 {
			t.Fatalf("wanted both indexes for a day, got %d", got)
		}
		late := s.create(old, "by the old replica, late")
		s.now = s.now.Add(2 * time.Hour)
		s.reindex(fresh)
		if got := s.indexKeys(); got != 1 {
			t.Fatalf("wanted the new index alone after a day, got %d", got)
		}
		for _, db := range []*store.DB{fresh, s.replica()} {
			for _, a := range []account.Account{before, byOld, byFresh, late} {
				s.finds(db, a)
			}
		}
		// The old replica no longer finds them by its own index, but can't make a second account.
		for _, a := range []account.Account{before, late} {
			if err := old.Accounts().Create(t.Context(), patient(a.Links[0].Subject)); !errors.Is(err, identity.ErrConflict) {
				t.Fatalf("a second account of %q: wanted a conflict, got %v", a.Links[0].Subject, err)
			}
			s.finds(old, a)
		}
	})
}

func TestRotationRefusesWhoLacksTheKey(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		stale := s.replica()
		a := s.create(stale, "one")
		for range 2 { // two rotations on, the stale replica knows neither key in use
			s.rotate()
			db := s.replica()
			s.reindex(db)
			s.now = s.now.Add(25 * time.Hour)
			s.reindex(db)
			s.reindex(db)
			s.finds(db, a)
		}
		if err := stale.Accounts().Create(t.Context(), patient("one")); !errors.Is(err, identity.ErrUnavailable) {
			t.Errorf("wanted %v, got %v", identity.ErrUnavailable, err)
		}
		if err := stale.Accounts().UpdateLink(t.Context(), a.ID, a.Links[0]); !errors.Is(err, identity.ErrUnavailable) {
			t.Errorf("wanted %v, got %v", identity.ErrUnavailable, err)
		}
	})
}

// The earlier index stays while one link has it alone.
func TestRotationDropsNoIndexThatIsNeeded(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		a := s.create(s.replica(), "one")
		s.rotate()
		fresh := s.replica()
		if err := fresh.DropFirstIndex(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.finds(fresh, a)
		s.finds(s.replica(), a)
	})
}

func TestRotationFollowsChangedContacts(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		old := s.replica()
		a := s.create(old, "one")
		s.rotate()
		fresh := s.replica()
		s.reindex(fresh)
		previous := a.Links[0].Details
		a.Links[0].Details.NHSNumber = must(identity.ParseNHSNumber("9990000026"))
		a.Links[0].Details.Email = must(identity.ParseEmail("changed@example.com"))
		if err := old.Accounts().UpdateLink(t.Context(), a.ID, a.Links[0]); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(25 * time.Hour)
		s.reindex(fresh)
		s.finds(fresh, a)
		if found, err := fresh.Accounts().ByNHSNumber(t.Context(), previous.NHSNumber); err != nil || len(found) > 0 {
			t.Errorf("by the former number: wanted nobody, got %d, %v", len(found), err)
		}
		if got := s.indexKeys(); got != 1 {
			t.Errorf("wanted the new index alone, got %d", got)
		}
	})
}

// A link that an earlier replica moved is found by its new subject alone, under every
// key, and its old subject is anybody's.
func TestRotationFollowsMovedLinks(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		old := s.replica()
		a := s.create(old, "one")
		s.rotate()
		fresh := s.replica()
		s.reindex(fresh)
		for i, db := range []*store.DB{old, fresh} {
			last := a.Links[0].Subject
			a.Links[0].Subject = fmt.Sprint("moved ", i)
			if err := db.Accounts().MoveLink(t.Context(), a.ID, last, a.Links[0]); err != nil {
				t.Fatal(err)
			}
			for _, db := range []*store.DB{old, fresh} {
				s.finds(db, a)
				if _, err := db.Accounts().ByLink(t.Context(), a.Links[0].Issuer, last); !errors.Is(err, identity.ErrNotFound) {
					t.Errorf("by the former subject: wanted nobody, got %v", err)
				}
				if err := db.Accounts().Create(t.Context(), patient(a.Links[0].Subject)); !errors.Is(err, identity.ErrConflict) {
					t.Errorf("a second account of the new subject: wanted a conflict, got %v", err)
				}
			}
			s.reindex(fresh)
			s.now = s.now.Add(13 * time.Hour)
		}
		s.reindex(fresh)
		if got := s.indexKeys(); got != 1 {
			t.Errorf("wanted the new index alone after a day, got %d", got)
		}
		s.finds(fresh, a)
		s.create(fresh, "one")
		if err := fresh.Accounts().Create(t.Context(), patient("moved 1")); !errors.Is(err, identity.ErrConflict) {
			t.Errorf("under the new key alone: wanted a conflict, got %v", err)
		}
	})
}

// One subject logs in for the first time on two replicas at once, one restarted
// since the rotation and one not, while the indexes are brought over.
func TestRotationRace(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		old := s.replica()
		s.rotate()
		fresh := s.replica()
		const subjects = 12
		made := make([][2]error, subjects)
		var all sync.WaitGroup
		for i := range subjects {
			for j, db := range []*store.DB{old, fresh} {
				all.Go(func() { made[i][j] = db.Accounts().Create(context.Background(), patient(fmt.Sprint("subject ", i))) })
			}
		}
		var reindexed error
		all.Go(func() { reindexed = fresh.Reindex(context.Background()) })
		all.Wait()
		if reindexed != nil {
			t.Fatal(reindexed)
		}
		for i, errs := range made {
			won, lost := 0, 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if errors.Is(err, identity.ErrConflict) {
					lost++
				}
			}
			if won != 1 || lost != 1 {
				t.Fatalf("subject %d: wanted one account and one conflict, got %v", i, errs)
			}
		}
		found, err := fresh.Accounts().ByNHSNumber(t.Context(), patient("").Links[0].Details.NHSNumber)
		if err != nil || len(found) != subjects {
			t.Fatalf("wanted %d accounts, got %d, %v", subjects, len(found), err)
		}
	})
}

func TestReseal(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := newSite(t, url)
		old, ctx := s.replica(), t.Context()
		a := s.create(old, "one")
		state, digest := identity.NewToken().Digest(), identity.NewToken().Digest()
		browser := identity.NewToken().Digest()
		for _, err := range []error{
			old.Grants().CreateRequest(ctx, grant.Request{ID: "request", State: "state", Nonce: "nonce", Created: began}),
			old.Grants().CreateCode(ctx, digest, grant.Code{Grant: "grant", Nonce: "nonce", Created: began}),
			old.Attempts().Create(ctx, state, attempt.Attempt{ID: "attempt", Browser: browser, Started: began, Challenge: []byte("challenge")}),
			old.SigningKeys().AddSigningKey(ctx, token.Key{ID: "key", Alg: token.ES256, Seq: 1, PKCS8: "private"}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		s.rotate()
		fresh := s.replica()
		const sealedValues = 7 // subject, details, two of a request, a code's, an attempt's, a key's
		for _, want := range []int{sealedValues, 0} {
			if n, err := fresh.Reseal(ctx); err != nil || n != want {
				t.Fatalf("wanted %d values re-sealed, got %d, %v", want, n, err)
			}
		}
		// The replica that was not restarted knew the key before it was used.
		for _, db := range []*store.DB{fresh, old} {
			s.finds(db, a)
			if r, err := db.Grants().Request(ctx, "request"); err != nil || r.State != "state" || r.Nonce != "nonce" {
				t.Errorf("request: %v", err)
			}
			if keys, err := db.SigningKeys().SigningKeys(ctx); err != nil || keys[0].PKCS8 != "private" {
				t.Errorf("signing key: %v", err)
			}
		}
		if c, err := fresh.Grants().Spend(ctx, digest, began); err != nil || c.Nonce != "nonce" {
			t.Errorf("code: %v", err)
		}
		got, err := fresh.Attempts().Spend(ctx, state, attempt.Claim{Browser: browser, At: began}, began)
		if err != nil || string(got.Challenge) != "challenge" {
			t.Errorf("attempt: %v", err)
		}
	})
}
