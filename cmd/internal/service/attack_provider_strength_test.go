package service_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// claimsOf reads a token as a portal would after verifying it.
func claimsOf(t *testing.T, raw string) map[string]any {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("wanted a token, got %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var claims map[string]any
	must(t, json.Unmarshal(payload, &claims))
	return claims
}

const unmet = "unmet_authentication_requirements"

// TestB9_Freshness: a login whose time is old, unknown or in the future does not
// answer a portal's max_age or prompt=login, and the portal is told so.
func TestB9_Freshness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, ask := range [][2]string{{"max_age", "300"}, {"max_age", "0"}, {"prompt", "login"}} {
		for _, lie := range []string{"auth_time-old", "auth_time-missing", "auth_time-future"} {
			t.Run(ask[0]+"="+ask[1]+", "+lie, func(t *testing.T) {
				must(t, w.sim.SetNextFaults(w.nhsLogin().preset(t, lie)))
				got := w.visitor(t).code("mair-prawf", ask[0], ask[1]).Query()
				if got.Get("error") != unmet || got.Has("code") || got.Get("state") != "state-of-the-portal" {
					t.Errorf("the portal: wanted %s, got %v", unmet, got)
				}
			})
		}
		t.Run(ask[0]+"="+ask[1]+", honest", func(t *testing.T) {
			if got := w.visitor(t).code("mair-prawf", ask[0], ask[1]).Query(); got.Get("code") == "" {
				t.Errorf("the portal: wanted a code, got %v", got)
			}
		})
	}
	t.Run("the portal sees how old it is, where it did not ask", func(t *testing.T) {
		must(t, w.sim.SetNextFaults(w.nhsLogin().preset(t, "auth_time-old")))
		b := w.visitor(t)
		claims := claimsOf(t, b.exchange(b.code("mair-prawf").Query().Get("code")).tokens(t).IDToken)
		if got, want := claims["auth_time"], float64(w.clock.Now().Add(-24*time.Hour).Unix()); got != want {
			t.Errorf("auth_time: wanted %.0f, got %v", want, got)
		}
	})
	t.Run("a session of the provider's own, where a fresh login was asked", func(t *testing.T) {
		b := w.visitor(t)
		b.code("mair-prawf")
		w.clock.advance(10 * time.Minute)
		at := b.get(authorization("prompt", "login")).location(t)
		if q := b.toProvider("nhs-login", at.Query()).Query(); q.Get("prompt") != "login" {
			t.Errorf("wanted the provider to be asked with prompt=login, got %q", q.Get("prompt"))
		}
	})
}

// TestB9_AcrIsWhatWasReached: tokens say what this login reached, which is nothing
// that was not asked of the provider, and a portal's floor holds whoever it is.
func TestB9_AcrIsWhatWasReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	vot := func(v string) simulator.Faults {
		return simulator.Faults{IDToken: &simulator.TokenFault{Set: map[string]any{"vot": v}}}
	}
	for name, row := range map[string]struct {
		patient string
		asked   string // acr_values
		faults  simulator.Faults
		acr     string
		cause   string // of the refusal, where there is no acr
	}{
		"password and code":                      {patient: "mair-prawf/P9.Cp.Cd", acr: "P9.Cp.Cd"},
		"password and app":                       {patient: "mair-prawf/P9.Cp.Ck", acr: "P9.Cp.Ck"},
		"passkey":                                {patient: "ianto-passkey/P9.Cm", acr: "P9.Cm"},
		"more is asked, and reached":             {patient: "ianto-passkey/P9.Cm", asked: "P9.Cm", acr: "P9.Cm"},
		"below the floor":                        {patient: "dai-canolig", cause: "access-denied"}, // gives up when asked for photo ID
		"below the floor, which was asked lower": {patient: "dai-canolig", asked: "P5.Cp.Cd", cause: "access-denied"},
		"a lower level answers":                  {patient: "mair-prawf", faults: vot("P5.Cp.Cd"), cause: "vot-not-asked"},
		"a weaker login answers":                 {patient: "ianto-passkey/P9.Cm", asked: "P9.Cm", faults: vot("P9.Cp.Cd"), cause: "vot-not-asked"},
		"more answers than is held":              {patient: "mair-prawf", faults: claiming(map[string]any{"identity_proofing_level": "P5"}), cause: "vot-above-level"},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, w.sim.SetNextFaults(row.faults))
			b := w.visitor(t)
			f := b.flow(row.patient, "acr_values", row.asked)
			p := b.get(f.callback.String())
			if row.acr == "" {
				b.mustBeRefused(p, "nhs-login", row.cause)
				return
			}
			code := b.get(p.location(t).String()).location(t).Query().Get("code")
			claims := claimsOf(t, b.exchange(code).tokens(t).IDToken)
			if claims["acr"] != row.acr || claims["vot"] != row.acr || b.get("/check").Header.Get("Dilys-Trust") != row.acr {
				t.Errorf("wanted %s, got acr %v, vot %v", row.acr, claims["acr"], claims["vot"])
			}
		})
	}
	t.Run("a session below the floor, asked without a page", func(t *testing.T) {
		b := w.visitor(t)
		b.mustBeIn(b.login("dai-canolig"))
		if got := b.get("/check").Header.Get("Dilys-Trust"); got != "P5.Cp.Cd" {
			t.Errorf("wanted P5.Cp.Cd, got %s", got)
		}
		if got := b.get(authorization("prompt", "none")).location(t).Query(); got.Get("error") != unmet || got.Has("code") {
			t.Errorf("the portal: wanted %s, got %v", unmet, got)
		}
	})
}

// TestB9_UnlistedProviderIsP0: a provider without a trust map proves nothing but a
// login there, whatever it writes into its tokens.
func TestB9_UnlistedProviderIsP0(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, claims := range map[string]map[string]any{
		"honest":               {},
		"acr as a vector":      {"acr": "P9.Cm"},
		"vot and level":        {"vot": "P9.Cp.Cd", "identity_proofing_level": "P9", "acr": "P9.Cp.Cd"},
		"methods":              {"amr": []string{"mfa", "hwk"}, "acr": "urn:mace:incommon:iap:gold"},
		"NHS number and level": {"nhs_number": "9990000379", "identity_proofing_level": "P9"},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, w.second.SetNextFaults(claiming(claims)))
			b := w.visitor(t)
			b.mustBeIn(b.get(b.answer(b.toProvider("second", nil), "mair-prawf").String()))
			if got := b.get("/check").Header.Get("Dilys-Trust"); got != "P0.Cp" {
				t.Errorf("wanted P0.Cp, got %s", got)
			}
			if a := b.account(); a.Links[0].Level != identity.P0 || !a.Details().NHSNumber.IsZero() {
				t.Errorf("wanted nothing of a register kept, got level %s", a.Links[0].Level)
			}
			if at := b.get(authorization("prompt", "none")).location(t); at.Query().Get("error") == "" {
				t.Errorf("the portal: wanted a refusal, got %v", at.Query())
			}
		})
	}
}

// TestB9_TwoPeople: a token that speaks of two people has its own page, by lie and
// by patient, and gives nothing.
func TestB9_TwoPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const title = "You cannot use this service for someone else yet"
	claim := func(name string, value any) simulator.Faults { return claiming(map[string]any{name: value}) }
	for name, row := range map[string]struct {
		patient string
		faults  simulator.Faults
	}{
		"a carer at the keyboard":    {"gofalwr-act", simulator.Faults{}},
		"who may act for another":    {"dirprwy-delegations", simulator.Faults{}},
		"an empty act":               {"mair-prawf", claim("act", map[string]any{})},
		"act without a value":        {"mair-prawf", claim("act", nil)},
		"act as text":                {"mair-prawf", claim("act", "")},
		"an empty list to act for":   {"mair-prawf", claim("delegations", []any{})},
		"delegations without values": {"mair-prawf", claim("delegations", nil)},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, w.sim.SetNextFaults(row.faults))
			b := w.visitor(t)
			p := b.login(row.patient)
			b.mustBeRefused(p, "nhs-login", "acting-for-another")
			if p.StatusCode != http.StatusForbidden || !strings.HasPrefix(heading(p), title) {
				t.Errorf("wanted 403 %s, got %d %s", title, p.StatusCode, heading(p))
			}
		})
	}
}
