package portal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity/token"
)

func get(t testing.TB, face func(http.ResponseWriter, *http.Request) error) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRecorder()
	if err := face(r, httptest.NewRequest(http.MethodGet, "/x", nil)); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDiscoverySaysWhatIsDone(t *testing.T) {
	r := get(t, newWorld(t).Discovery)
	if r.Header().Get("Cache-Control") != "public, max-age=900" || r.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers: %v", r.Header())
	}
	got := body(t, r)
	text := func(all ...string) (out []any) {
		for _, s := range all {
			out = append(out, s)
		}
		return out
	}
	for name, want := range map[string]any{
		"issuer":                                           issuer,
		"authorization_endpoint":                           issuer + "/authorize",
		"token_endpoint":                                   issuer + "/token",
		"userinfo_endpoint":                                issuer + "/userinfo",
		"end_session_endpoint":                             issuer + "/end-session",
		"jwks_uri":                                         issuer + "/jwks.json",
		"response_types_supported":                         text("code"),
		"response_modes_supported":                         text("query"),
		"grant_types_supported":                            text("authorization_code", "refresh_token"),
		"subject_types_supported":                          text("public", "pairwise"),
		"id_token_signing_alg_values_supported":            text("ES256", "RS256"),
		"token_endpoint_auth_methods_supported":            text("client_secret_basic", "client_secret_post", "private_key_jwt", "none"),
		"backchannel_logout_supported":                     true,
		"backchannel_logout_session_supported":             true,
		"introspection_endpoint":                           issuer + "/introspect",
		"introspection_endpoint_auth_methods_supported":    text("client_secret_basic", "client_secret_post", "private_key_jwt"),
		"revocation_endpoint":                              issuer + "/revoke",
		"revocation_endpoint_auth_methods_supported":       text("client_secret_basic", "client_secret_post", "private_key_jwt", "none"),
		"pushed_authorization_request_endpoint":            issuer + "/par",
		"token_endpoint_auth_signing_alg_values_supported": text("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
		"code_challenge_methods_supported":                 text("S256"),
		"acr_values_supported":                             text("P9.Cp.Cd", "P9.Cp.Ck", "P9.Cm", "P5.Cp.Cd", "P0.Cp"),
		"ui_locales_supported":                             text("en", "cy"),
		"authorization_response_iss_parameter_supported":   true,
		"request_parameter_supported":                      false,
		"request_uri_parameter_supported":                  false,
		"claims_parameter_supported":                       false,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, absent := range []string{
		"frontchannel_logout_supported", "registration_endpoint", "device_authorization_endpoint",
	} {
		if _, there := got[absent]; there {
			t.Errorf("%s is promised", absent)
		}
	}
}

// Every claim that a token or userinfo can carry is named, and no other.
func TestDiscoveryNamesEveryClaim(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	answer := w.redeemed(w.code(s))
	named := map[string]bool{}
	for _, c := range body(t, get(t, w.Discovery))["claims_supported"].([]any) {
		named[c.(string)] = true
	}
	told := payload(t, answer["id_token"].(string))
	for name := range body(t, w.askUserinfo(answer["access_token"].(string))) {
		told[name] = true
	}
	for name := range told {
		if !named[name] {
			t.Errorf("%s is told and not named", name)
		}
		delete(named, name)
	}
	if len(named) > 0 {
		t.Errorf("named and never told: %v", reflect.ValueOf(named).MapKeys())
	}
}

func part(t testing.TB, raw string, i int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func payload(t testing.TB, raw string) map[string]any { t.Helper(); return part(t, raw, 1) }

// Row C12: a portal that keeps our key set for as long as we let it never meets a
// key that is not in it, while the keys rotate.
func TestC12KeysRotateUnderAPortalThatCaches(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	first := part(t, w.tokenNow(), 0)["kid"]
	w.pass(token.KeyLife - time.Hour)
	cached, fetched := map[string]bool{}, time.Time{}
	kids := map[string]bool{}
	for range 120 {
		if err := w.ring.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if now := w.now(); now.Sub(fetched) >= 15*time.Minute {
			cached, fetched = published(t, get(t, w.JWKS)), now
		}
		kid, _ := part(t, w.tokenNow(), 0)["kid"].(string)
		if !cached[kid] {
			t.Fatalf("the portal meets an unknown key")
		}
		kids[kid] = true
		w.pass(time.Minute)
	}
	if len(kids) != 2 || !kids[first.(string)] {
		t.Errorf("%d keys signed", len(kids))
	}
}

// tokenNow logs in and returns an access token.
func (w *world) tokenNow() string {
	_, s := w.login("mair", "P9.Cm")
	return w.redeemed(w.code(s))["access_token"].(string)
}

func published(t testing.TB, r *httptest.ResponseRecorder) map[string]bool {
	t.Helper()
	if r.Header().Get("Cache-Control") != "public, max-age=900" {
		t.Fatalf("headers: %v", r.Header())
	}
	kids := map[string]bool{}
	for _, k := range body(t, r)["keys"].([]any) {
		key := k.(map[string]any)
		if _, private := key["d"]; private {
			t.Fatal("a private key is published")
		}
		kids[key["kid"].(string)] = true
	}
	return kids
}

// The seeds of the fuzz targets are given in code, so that they can't be lost with
// a folder; this holds the targets to having some.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	for file, target := range map[string]string{"path_test.go": "FuzzCheckPath", "authorize_test.go": "FuzzAuthorize"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, after, found := strings.Cut(string(source), "func "+target+"(")
		if !found || strings.Count(after, "f.Add(") == 0 {
			t.Errorf("%s: wanted %s with seeds", file, target)
		}
	}
}
