package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/password"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// canaries are what must not be readable in a stolen database. They stand in the
// values that fill puts in.
var canaries = []string{
	"canary", "9990000018", "07700900123", "1984-02-29", "Eluned", "ZZ101AA",
}

// fill puts one of everything in, with a canary in each field that is personal or
// secret.
func fill(t *testing.T, db *store.DB) {
	t.Helper()
	a, ctx := patient("canary-subject"), t.Context()
	changed := a.Links[0]
	changed.Details.Phone = must(identity.ParsePhone("07700900123"))
	for _, err := range []error{
		db.Accounts().Create(ctx, a),
		db.Accounts().UpdateLink(ctx, a.ID, changed),
		db.Accounts().KeepFormer(ctx, a.ID, must(identity.ParseNHSNumber("9990000018")), began),
		db.Accounts().PutChange(ctx, account.Change{
			ID: "change", Account: a.ID, Channel: identity.ByEmail, New: identity.Details{Email: must(identity.ParseEmail("canary-next@example.com"))}, Asked: began, Opens: began,
		}, identity.Secret("canary-cancel").Digest()),
		db.Sessions().Create(ctx, identity.Secret("canary-session-secret").Digest(), session.Session{
			Handle: "handle", Account: a.ID, Created: began, Browser: identity.Secret("canary-browser").Digest(),
		}),
		db.Grants().CreateRequest(ctx, grant.Request{ID: "request", State: "canary-state", Nonce: "canary-nonce", Created: began}),
		db.Grants().CreateCode(ctx, identity.Secret("canary-code").Digest(), grant.Code{Grant: "grant", Nonce: "canary-nonce", Created: began}),
		db.Attempts().Create(ctx, identity.Secret("canary-attempt-state").Digest(), attempt.Attempt{
			ID: "attempt", Challenge: []byte("canary-challenge"), Started: began,
		}),
		db.SigningKeys().AddSigningKey(ctx, token.Key{ID: "key", Alg: token.ES256, Seq: 1, PKCS8: "canary-private-key", Published: began}),
		db.Outbox().Put(ctx, message("canary-code"), func() {}),
		db.Factors().AddHanded(ctx, factor.HandedDigest{Digest: []byte("digest")}, factor.Handed{ID: "handed", NHSNumber: must(identity.ParseNHSNumber("9990000018")), Issued: began}),
		db.Approvals().Ask(ctx, approval.Request{ID: "approval", Args: map[string]identity.Secret{"canary-name": "canary-value"}, Asked: began}),
		db.Factors().PutPhone(ctx, factor.Phone{ID: "phone", Account: a.ID, Number: changed.Details.Phone, Bound: began}),
		db.Factors().PutTOTP(ctx, factor.TOTP{ID: "totp", Account: a.ID, Seed: "CANARYSEED", Bound: began}),
		db.Factors().AddPasskey(ctx, factor.Passkey{ID: "passkey", Account: a.ID, Credential: []byte("canary-credential"), Handle: "canary-handle", Record: []byte(`{"canary": "key"}`), Name: "canary-name", Bound: began}),
		db.Grants().Push(ctx, identity.Secret("canary-uri").Digest(), grant.Pushed{Request: "pushed", Portal: "my-health", Params: "state=canary-pushed", Created: began}),
		db.Grants().CreateRefresh(ctx, identity.Secret("canary-refresh").Digest(), "grant", "P9.Cm", began),
		errOf(db.Grants().Rotate(ctx, identity.Secret("canary-refresh").Digest(), "canary-successor", "P9.Cm", began)),
		errOf(db.Secret(ctx, "subjects")),
		db.Passwords().SetPassword(ctx, a.ID, password.Record{PHC: "$canary-hash", Set: began}),
		db.Attempts().BeginJourney(ctx, attempt.Journey{
			ID: "journey", Kind: attempt.SigningUp, Browser: identity.Secret("canary-browser").Digest(), Version: 1, Started: began, Seen: began, Body: []byte("canary-typed"),
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d := a.Links[0].Details
	load(t, db, store.RegisterRow{Entry: identity.Entry{
		NHSNumber: d.NHSNumber, FamilyName: d.FamilyName, FormerFamilyName: d.GivenName, GivenName: d.GivenName, BirthDate: d.BirthDate,
		Mobile: d.Phone, Landline: d.Phone, Email: d.Email, Postcode: must(identity.ParsePostcode("ZZ10 1AA")), Practice: "canary-practice",
		GPAccountID: "canary-account", GPLinkageKey: "canary-key",
	}})
}

func errOf[T any](_ T, err error) error { return err }

// message is one to a made-up patient.
func message(code identity.Secret) outbox.Message {
	return outbox.Message{
		ID: identity.NewID(), To: must(identity.ParseEmail("canary@example.com")).Contact(), Kind: outbox.CodeRecover,
		Params: map[string]identity.Secret{"code": code}, Due: began, Expires: began.Add(10 * time.Minute),
	}
}

func TestStolenDatabaseTellsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		fill(t, storetest.Open(t, url, storetest.Keys(t), nil))
		for _, table := range tables(t, url) {
			content := strings.ToLower(dump(t, url, table))
			for _, canary := range canaries {
				if strings.Contains(content, strings.ToLower(canary)) {
					t.Errorf("%s holds %q in plain", table, canary)
				}
			}
		}
		path, isFile := strings.CutPrefix(url, "sqlite:")
		if !isFile {
			return
		}
		files, _ := filepath.Glob(path + "*")
		if len(files) < 2 {
			t.Fatalf("wanted the database and its log, got %v", files)
		}
		for _, file := range files { // what was overwritten stands in the log
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, canary := range canaries {
				if bytes.Contains(bytes.ToLower(content), []byte(strings.ToLower(canary))) {
					t.Errorf("%s holds %q in plain", filepath.Base(file), canary)
				}
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: wanted it for its owner alone, got %v, %v", filepath.Base(file), info.Mode(), err)
			}
		}
	})
}

// Every column that is sealed is in the list that re-sealing goes over, so a
// value that is none of its table's names what is missing.
func TestSealedColumnsAreSealed(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		fill(t, storetest.Open(t, url, storetest.Keys(t), nil))
		for _, c := range store.SealedColumns() {
			var value []byte
			if err := raw(t, url).QueryRow(`SELECT ` + c[1] + ` FROM ` + c[0]).Scan(&value); err != nil {
				t.Fatal(err)
			}
			if len(value) < 5 || value[0] != 1 {
				t.Errorf("%s.%s: wanted a value that Tink sealed, got %d bytes of another kind", c[0], c[1], len(value))
			}
		}
	})
}

// A sealed value opens in its own table, column and row only: someone who can
// write to the database can't give one patient another's details.
func TestMovedValueDoesNotOpen(t *testing.T) {
	for name, move := range map[string]string{
		"another row's":    `UPDATE requests SET nonce = (SELECT nonce FROM requests WHERE id = 'two') WHERE id = 'one'`,
		"another column's": `UPDATE requests SET nonce = state WHERE id = 'one'`,
		"another table's":  `UPDATE requests SET nonce = (SELECT nonce FROM codes WHERE grant_id = 'one') WHERE id = 'one'`,
		"nothing":          `UPDATE requests SET nonce = NULL WHERE id = 'nobody'`,
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, url string) {
				db := storetest.Open(t, url, storetest.Keys(t), nil)
				for _, err := range []error{
					db.Grants().CreateRequest(t.Context(), grant.Request{ID: "one", State: "same", Nonce: "same"}),
					db.Grants().CreateRequest(t.Context(), grant.Request{ID: "two", State: "same", Nonce: "same"}),
					db.Grants().CreateCode(t.Context(), identity.NewToken().Digest(), grant.Code{Grant: "one", Nonce: "same"}),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				do(t, raw(t, url), move)
				if _, err := db.Grants().Request(t.Context(), "one"); (err == nil) != (name == "nothing") {
					t.Fatalf("wanted a moved value refused, and no other, got %v", err)
				}
			})
		})
	}
}

// Someone who can write to the database can't log in to another's account with the
// app of their own: neither the seed nor its whole row works there.
func TestMovedSeedDoesNotOpen(t *testing.T) {
	for name, move := range map[string]string{
		"another row's seed": `UPDATE totps SET seed = (SELECT seed FROM totps WHERE account = $2) WHERE account = $1`,
		"another row":        `UPDATE totps SET id = 'moved', seed = (SELECT seed FROM totps WHERE account = $2) WHERE account = $1`,
		"the row itself":     `UPDATE totps SET account = $1 WHERE account = $2`,
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, url string) {
				db := storetest.Open(t, url, storetest.Keys(t), nil)
				a, b := patient("one"), patient("two")
				for _, v := range []account.Account{a, b} {
					if err := errors.Join(db.Accounts().Create(t.Context(), v), db.Factors().PutTOTP(t.Context(), factor.TOTP{
						ID: identity.NewID(), Account: v.ID, Seed: factor.NewSeed(), Bound: began,
					})); err != nil {
						t.Fatal(err)
					}
				}
				if name == "the row itself" { // an account has one app: theirs makes room
					if err := db.Factors().DropTOTP(t.Context(), a.ID); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := raw(t, url).Exec(move, a.ID, b.ID); err != nil {
					t.Fatal(err)
				}
				if _, err := db.Factors().TOTP(t.Context(), a.ID); err == nil || errors.Is(err, identity.ErrNotFound) {
					t.Fatalf("wanted a fault that an operator sees, got %v", err)
				}
			})
		})
	}
}

// The same of what is a patient's.
func TestMovedDetailsDoNotOpen(t *testing.T) {
	for name, move := range map[string]string{
		"another row's details": `UPDATE links SET details = (SELECT details FROM links WHERE account = $2) WHERE account = $1`,
		"another row's subject": `UPDATE links SET subject = (SELECT subject FROM links WHERE account = $2) WHERE account = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, url string) {
				db := storetest.Open(t, url, storetest.Keys(t), nil)
				a, b := patient("one"), patient("two")
				for _, v := range []account.Account{a, b} {
					if err := db.Accounts().Create(t.Context(), v); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := raw(t, url).Exec(move, a.ID, b.ID); err != nil {
					t.Fatal(err)
				}
				if _, err := db.Accounts().Account(t.Context(), a.ID); err == nil {
					t.Fatal("wanted the moved value refused")
				}
			})
		})
	}
}
