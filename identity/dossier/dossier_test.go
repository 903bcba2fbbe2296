package dossier_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/dossier"
	"github.com/dilys-id/dilys/identity/factor"
)

var at = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

func details(t *testing.T) identity.Details {
	t.Helper()
	d, err := identity.Revealed{NHSNumber: "9990000018", GivenName: "Prawf", FamilyName: "Enghraifft", BirthDate: "1984-03-15", Email: "prawf@example.com", Phone: "07700900123"}.Details()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func written(t *testing.T, h dossier.Held) string {
	t.Helper()
	out, err := json.Marshal(dossier.Of(h, at))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestADossierHasWhatIsKeptAndNoSecret(t *testing.T) {
	h := dossier.Held{
		Account: account.Account{ID: "example-id", State: account.Active, Created: at, Links: []account.Link{
			{Provider: account.Own, Issuer: account.Own, Subject: "prawf@example.com", Level: identity.P9, Basis: identity.BasisDocuments, Details: details(t)},
		}},
		Passkeys: []factor.Passkey{{ID: "key", Credential: []byte("CREDENTIAL"), Handle: "HANDLE", Record: []byte("RECORD"), Name: "Fy ffôn", Level: identity.P5, Bound: at}},
		App:      factor.TOTP{ID: "app", Seed: "GEZDGNBVGY3TQOJQ", Level: identity.P5, Bound: at},
		Card:     factor.CardState{ID: "card", Left: 7, Made: at},
		Events: []audit.Event{
			{At: at, Kind: audit.AccountLookedUp, Result: audit.OK, Actor: "operator:gwenno", Reason: "rang about a letter"},
			{At: at, Kind: audit.CodeIssued, Result: audit.OK, Actor: audit.Patient, Portal: "my-health", Cause: "P5.Cp.Cd", Session: "a-handle"},
		},
	}
	got := written(t, h)
	for _, wanted := range []string{"9990000018", "Enghraifft", "1984-03-15", "prawf@example.com", "my-health", "P5.Cp.Cd", `"by":"staff"`, `"codes_left":7`, "totp"} {
		if !strings.Contains(got, wanted) {
			t.Errorf("%s is not in it", wanted)
		}
	}
	for _, secret := range []string{"GEZDGNBVGY3TQOJQ", "gwenno", "rang about", "a-handle", "REDACTED"} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is in it", secret)
		}
	}
}

// Below P9 a number may be somebody else's, whoever said it.
func TestADossierShowsNoClaimedNumber(t *testing.T) {
	for name, row := range map[string]struct {
		link  account.Link
		shown bool
	}{
		"a provider's at P0":   {account.Link{Provider: "nhs-login", Issuer: "https://example.org", Level: identity.P0}, false},
		"a provider's at P5":   {account.Link{Provider: "nhs-login", Issuer: "https://example.org", Level: identity.P5}, false},
		"a provider's at P9":   {account.Link{Provider: "nhs-login", Issuer: "https://example.org", Level: identity.P9}, true},
		"the register's at P5": {account.Link{Provider: account.Own, Issuer: account.Own, Level: identity.P5}, false},
		"documents at P9":      {account.Link{Provider: account.Own, Issuer: account.Own, Level: identity.P9}, true},
		"P9 that is frozen":    {account.Link{Provider: account.Own, Issuer: account.Own, Before: identity.P9, Frozen: identity.FrozenNotMyNumber}, false},
	} {
		row.link.Details = details(t)
		h := dossier.Held{Account: account.Account{Links: []account.Link{row.link}}}
		if got := strings.Contains(written(t, h), "9990000018"); got != row.shown {
			t.Errorf("%s: shown: %v", name, got)
		}
	}
}
