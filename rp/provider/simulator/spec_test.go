package simulator

import (
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/google/go-cmp/cmp"
)

func TestDiscoverySaysOnlyWhatNHSLoginHas(t *testing.T) {
	r := newRig(t)
	var doc map[string]any
	r.getJSON("/.well-known/openid-configuration", &doc)
	want := map[string]any{
		"issuer": r.url, "authorization_endpoint": r.url + "/authorize", "token_endpoint": r.url + "/token",
		"userinfo_endpoint": r.url + "/userinfo", "jwks_uri": r.url + "/.well-known/jwks.json",
		"response_types_supported":                         []any{"code"},
		"id_token_signing_alg_values_supported":            []any{"RS512"},
		"token_endpoint_auth_methods_supported":            []any{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []any{"RS512"},
	}
	for name, v := range want {
		if diff := cmp.Diff(v, doc[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, name := range []string{
		"end_session_endpoint", "ui_locales_supported", "code_challenge_methods_supported",
		"authorization_response_iss_parameter_supported", "registration_endpoint", "acr_values_supported",
	} {
		if _, there := doc[name]; there {
			t.Errorf("%s: wanted it absent", name)
		}
	}
}

func TestDiscoveryTellsWhatOptionsAdd(t *testing.T) {
	r := newRig(t, func(o *Options, c *Client) {
		o.PKCE, o.IssParameter = true, true
		c.Secret = "a-secret-for-a-test-and-nothing-else"
	})
	var doc map[string]any
	r.getJSON("/.well-known/openid-configuration", &doc)
	if diff := cmp.Diff([]any{"S256"}, doc["code_challenge_methods_supported"]); diff != "" {
		t.Error(diff)
	}
	if doc["authorization_response_iss_parameter_supported"] != true {
		t.Error("iss parameter: wanted it advertised")
	}
	back, _, _ := r.authorize()
	if back.Get("iss") != r.url {
		t.Errorf("iss: wanted the issuer, got %q", back.Get("iss"))
	}
	form := r.exchangeForm(back.Get("code"))
	form.Del("client_assertion")
	form.Del("client_assertion_type")
	form.Set("client_id", r.client.ID)
	form.Set("client_secret", "another-secret")
	if doc, _ := r.post(form); doc["error"] != "invalid_client" {
		t.Errorf("wrong secret: wanted invalid_client, got %v", doc["error"])
	}
	form.Set("client_secret", r.client.Secret)
	if doc, status := r.post(form); status != http.StatusOK {
		t.Errorf("secret: wanted 200, got %d %v", status, doc)
	}
}

func TestIssuerPaths(t *testing.T) {
	for name, issuer := range map[string]string{
		"plain": "", "slash at the end": "/", "path": "/nhs", "path and slash": "/nhs/",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			root := r.url
			if err := r.sim.SetIssuer(root + issuer); err != nil {
				t.Fatal(err)
			}
			r.url = strings.TrimRight(root+issuer, "/")
			if got := r.claims(r.tokens()["id_token"])["iss"]; got != root+issuer {
				t.Errorf("iss: wanted %q, got %q", root+issuer, got)
			}
			if _, status, _ := r.visit(r.browser, r.url+"/"); status != http.StatusOK {
				t.Errorf("home: wanted 200, got %d", status)
			}
		})
	}
}

// TestAuthorize is table 1 of the specification: what comes back for a request.
func TestAuthorize(t *testing.T) {
	page := "page"
	for name, row := range map[string]struct {
		change []string
		strict bool
		want   string // error code, "code", or page
		warned string
	}{
		"plain":                         {want: "code"},
		"no state":                      {change: []string{"state", ""}, want: "code", warned: "no state"},
		"no nonce":                      {change: []string{"nonce", ""}, want: "code", warned: "no nonce"},
		"strict, no state":              {change: []string{"state", ""}, strict: true, want: "invalid_request"},
		"strict, no nonce":              {change: []string{"nonce", ""}, strict: true, want: "invalid_request"},
		"unknown client":                {change: []string{"client_id", "nobody"}, want: page},
		"no client":                     {change: []string{"client_id", ""}, want: page},
		"no redirect URI":               {change: []string{"redirect_uri", ""}, want: page},
		"redirect URI with a slash":     {change: []string{"redirect_uri", callback + "/"}, want: page},
		"redirect URI with a query":     {change: []string{"redirect_uri", callback + "?a=b"}, want: page},
		"redirect URI in capitals":      {change: []string{"redirect_uri", "https://PORTAL.example.org/callback"}, want: page},
		"another's redirect URI":        {change: []string{"redirect_uri", "https://another.example.org/callback"}, want: page},
		"token in the front":            {change: []string{"response_type", "id_token"}, want: "unsupported_response_type"},
		"no response type":              {change: []string{"response_type", ""}, want: "unsupported_response_type"},
		"no openid":                     {change: []string{"scope", "profile"}, want: "invalid_scope"},
		"no scope":                      {change: []string{"scope", ""}, want: "invalid_scope"},
		"unknown scope":                 {change: []string{"scope", "openid shoe_size"}, want: "invalid_scope", warned: "shoe_size"},
		"offline_access is no scope":    {change: []string{"scope", "openid offline_access"}, want: "invalid_scope"},
		"two exclusive scopes":          {change: []string{"scope", "openid profile basic_demographics"}, want: "invalid_scope"},
		"vtr":                           {change: []string{"vtr", `["P9.Cp.Cd","P9.Cm"]`}, want: "code"},
		"vtr in curly quotes":           {change: []string{"vtr", `[“P9.Cp.Cd”]`}, want: "invalid_request"},
		"vtr not a list":                {change: []string{"vtr", `"P9.Cp.Cd"`}, want: "invalid_request"},
		"vtr empty list":                {change: []string{"vtr", `[]`}, want: "invalid_request"},
		"vtr in unknown letters":        {change: []string{"vtr", `["P2.Cl.Cm"]`}, want: "invalid_request"},
		"vtr in an unknown combination": {change: []string{"vtr", `["P9.Cd.Ck"]`}, want: "invalid_request"},
		"unknown prompt":                {change: []string{"prompt", "consent"}, want: "invalid_request"},
		"prompt login":                  {change: []string{"prompt", "login"}, want: "code"},
		"prompt none, nobody there":     {change: []string{"prompt", "none"}, want: "login_required"},
		"plain challenge":               {change: []string{"code_challenge", "abc", "code_challenge_method", "plain"}, want: "invalid_request"},
		"max_age is passed over":        {change: []string{"max_age", "60"}, want: "code", warned: "max_age"},
		"ui_locales is passed over":     {change: []string{"ui_locales", "cy"}, want: "code", warned: "ui_locales"},
		"id_token_hint is passed over":  {change: []string{"id_token_hint", "x"}, want: "code", warned: "id_token_hint"},
		"form_post is passed over":      {change: []string{"response_mode", "form_post"}, want: "code", warned: "response_mode"},
		"unknown parameter":             {change: []string{"shoe_size", "43"}, want: "code"},
		"login_hint is ours alone":      {want: "code", warned: "login_hint"},
		"unknown login_hint":            {change: []string{"login_hint", "nobody"}, want: page, warned: "names no patient"},
		"no login_hint":                 {change: []string{"login_hint", ""}, want: page},
		"hinted vector not asked for":   {change: []string{"login_hint", "mair-prawf/P5.Cm"}, want: page},
		"P5 patient asked for P9":       {change: []string{"login_hint", "dai-canolig"}, want: "access_denied"},
		"patient who refuses":           {change: []string{"login_hint", "huw-gwrthod"}, want: "access_denied"},
		"forged asserted identity":      {change: []string{"asserted_login_identity", "x.y.z", "prompt", "none"}, want: "sso_login_required"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *Options, _ *Client) { o.Strict = row.strict })
			back, status, _ := r.authorize(row.change...)
			got := page
			if back != nil {
				if got = back.Get("error"); got == "" && back.Has("code") {
					got = "code"
				}
				if status != http.StatusSeeOther {
					t.Errorf("status: wanted 303, got %d", status)
				}
				if state := r.params(row.change...).Get("state"); back.Get("state") != state {
					t.Errorf("state: wanted %q, got %q", state, back.Get("state"))
				}
			}
			if got != row.want {
				t.Errorf("wanted %s, got %s (%v)", row.want, got, back)
			}
			if row.warned != "" && !r.warned(row.warned) {
				t.Errorf("warnings: wanted one of %q, got %q", row.warned, r.warnings)
			}
		})
	}
}

func TestAuthorizeTwiceTheParameter(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string]string{"state": "invalid_request", "scope": "invalid_request", "client_id": "", "redirect_uri": ""} {
		q := r.params()
		q.Add(name, "another")
		back, _, _ := r.visit(r.browser, r.url+"/authorize?"+q.Encode())
		if got := back.Get("error"); got != want || back.Has("code") {
			t.Errorf("%s twice: wanted %q, got %v", name, want, back)
		}
	}
}

func TestAuthorizeByPost(t *testing.T) {
	r := newRig(t)
	resp, err := r.browser.PostForm(r.url+"/authorize", r.params())
	if err != nil {
		t.Fatal(err)
	}
	if back, _, _ := r.read(resp); !back.Has("code") {
		t.Errorf("wanted a code, got %v", back)
	}
}

func TestRegisteredVectorsAndScopesBind(t *testing.T) {
	r := newRig(t, func(_ *Options, c *Client) {
		c.VTR, c.Scopes = []string{"P5.Cp.Cd", "P5.Cm"}, []string{"openid", "profile"}
	})
	for name, row := range map[string]struct {
		change []string
		want   string
	}{
		"within both":          {[]string{"vtr", `["P5.Cm"]`, "scope", "openid profile"}, ""},
		"more than registered": {[]string{"vtr", `["P9.Cm"]`, "scope", "openid profile"}, "invalid_request"},
		"no vtr asks for P9":   {[]string{"scope", "openid profile"}, "invalid_request"},
		"scope not registered": {[]string{"vtr", `["P5.Cm"]`, "scope", "openid email"}, "invalid_scope"},
	} {
		if back, _, _ := r.authorize(row.change...); back.Get("error") != row.want {
			t.Errorf("%s: wanted %q, got %v", name, row.want, back)
		}
	}
}

func TestIDTokenIsOfTable16(t *testing.T) {
	r := newRig(t)
	got := r.claims(r.tokens()["id_token"])
	if got["jti"] == "" {
		t.Error("jti: wanted one")
	}
	delete(got, "jti")
	host, _ := url.Parse(r.url)
	want := map[string]any{
		"iss": r.url, "sub": "6513270e-269e-4d37-b2a7-4de452e6b438", "aud": "portal", "nonce": "the-nonce",
		"iat": float64(start.Unix()), "exp": float64(start.Add(time.Hour).Unix()), "auth_time": float64(start.Unix()),
		"vot": "P9.Cp.Cd", "vtm": r.url + "/trustmark/" + host.Host, "identity_proofing_level": "P9",
		"family_name": "Prawf", "birthdate": "1984-03-27", "nhs_number": "9990000379",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, there := r.claims(r.tokens("nonce", "")["id_token"])["nonce"]; there {
		t.Error("nonce: wanted none, as none came")
	}
}

func TestAccessTokenIsOfTable17(t *testing.T) {
	r := newRig(t)
	doc := r.tokens()
	if doc["token_type"] != "Bearer" || doc["expires_in"] != 300.0 || doc["scope"] != "openid profile email phone" {
		t.Errorf("token answer: got %v %v %v", doc["token_type"], doc["expires_in"], doc["scope"])
	}
	got := r.claims(doc["access_token"])
	delete(got, "jti")
	delete(got, "vtm")
	want := map[string]any{
		"iss": r.url, "sub": "6513270e-269e-4d37-b2a7-4de452e6b438", "aud": "portal", "scope": "openid profile email phone",
		"iat": float64(start.Unix()), "exp": float64(start.Add(5 * time.Minute).Unix()), "vot": "P9.Cp.Cd",
		"nhs_number": "9990000379", "requesting_patient": "9990000379", "reason_for_request": "patientaccess",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestUserinfoByScopeAndLevel is the table of claims by scope and level reached.
func TestUserinfoByScopeAndLevel(t *testing.T) {
	all := "openid profile profile_extended email phone landline gp_registration_details gp_integration_credentials client_metadata"
	profile := []string{"nhs_number", "family_name", "birthdate", "identity_proofing_level"}
	email := []string{"email", "email_verified"}
	phone := []string{"phone_number", "phone_number_verified", "phone_number_pds_matched"}
	for name, row := range map[string]struct {
		hint, vtr, scope string
		want             [][]string
	}{
		"openid alone":          {"mair-prawf", "", "openid", nil},
		"P9, all":               {"mair-prawf", "", all, [][]string{profile, {"given_name"}, email, phone, {"gp_registration_details", "gp_integration_credentials", "client_user_metadata"}}},
		"P5, all":               {"dai-canolig", `["P5.Cp.Cd"]`, all, [][]string{profile, {"given_name"}, email, phone, {"gp_registration_details", "client_user_metadata"}}},
		"P0, all":               {"sal-newydd", `["P0.Cp.Cd"]`, all, [][]string{email, phone, {"client_user_metadata"}}},
		"P9 held, P0 reached":   {"mair-prawf", `["P0.Cp.Cd"]`, "openid profile email", [][]string{email}},
		"basic demographics":    {"mair-prawf", "", "openid basic_demographics", [][]string{profile[1:]}},
		"no phone":              {"emrys-difon", "", "openid phone landline", [][]string{{"landline_number", "landline_number_verified"}}},
		"protected person":      {"wil-diogel", "", "openid profile phone gp_registration_details", [][]string{profile}},
		"act stands unasked":    {"gofalwr-act", "", "openid", [][]string{{"act"}}},
		"delegations unasked":   {"dirprwy-delegations", "", "openid", [][]string{{"delegations"}}},
		"unverified is told so": {"beca-heb-ebost", "", "openid email", [][]string{email}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			got, resp := r.userinfo(r.tokens("login_hint", row.hint, "vtr", row.vtr, "scope", row.scope)["access_token"])
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("wanted 200, got %d", resp.StatusCode)
			}
			want := map[string]bool{"iss": true, "aud": true, "sub": true}
			for _, name := range slices.Concat(row.want...) {
				want[name] = true
			}
			if diff := cmp.Diff(want, keysOf(got)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if got["iss"] != r.url || got["aud"] != "portal" {
				t.Errorf("iss, aud: got %v %v", got["iss"], got["aud"])
			}
		})
	}
}

func TestUserinfoErrors(t *testing.T) {
	r := newRig(t)
	doc := r.tokens()
	access := doc["access_token"]
	if _, resp := r.userinfo(""); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("no token: got %d %q", resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
	}
	wrong := func(name string, token any, status int, code string) {
		t.Helper()
		body, resp := r.userinfo(token)
		if resp.StatusCode != status || body["error"] != code || !strings.Contains(resp.Header.Get("WWW-Authenticate"), `error="`+code+`"`) {
			t.Errorf("%s: wanted %d %s, got %d %v", name, status, code, resp.StatusCode, body)
		}
	}
	wrong("ID token", doc["id_token"], 401, "invalid_token")
	wrong("a bit changed", access.(string)+"A", 401, "invalid_token")
	narrow, _ := r.post(r.refreshForm(doc, "profile"))
	wrong("no openid", narrow["access_token"], 403, "insufficient_scope")
	r.advance(accessLife)
	wrong("after five minutes", access, 401, "invalid_token")

	access = r.tokens()["access_token"]
	resp, err := r.browser.PostForm(r.url+"/userinfo", url.Values{"access_token": {access.(string)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, status, _ := r.read(resp); status != http.StatusOK {
		t.Errorf("POST: wanted 200, got %d", status)
	}
}

func (r *rig) refreshForm(doc map[string]any, scope string) url.Values {
	r.Helper()
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {doc["refresh_token"].(string)},
		"client_assertion_type": {assertionType}, "client_assertion": {r.assertion()},
	}
	if scope != "" {
		form.Set("scope", scope)
	}
	return form
}

func TestRefreshIsReusableAndGivesNoIDToken(t *testing.T) {
	r := newRig(t)
	doc := r.tokens()
	for range 2 {
		again, status := r.post(r.refreshForm(doc, ""))
		if status != http.StatusOK || again["id_token"] != nil || again["access_token"] == doc["access_token"] {
			t.Fatalf("refresh: got %d %v", status, keysOf(again))
		}
		if info, resp := r.userinfo(again["access_token"]); resp.StatusCode != 200 || info["sub"] == nil {
			t.Errorf("userinfo: got %d", resp.StatusCode)
		}
	}
	if wide, _ := r.post(r.refreshForm(doc, "openid landline")); wide["error"] != "invalid_scope" {
		t.Errorf("wider scope: wanted invalid_scope, got %v", wide["error"])
	}
	r.advance(refreshLife)
	if late, _ := r.post(r.refreshForm(doc, "")); late["error"] != "invalid_grant" {
		t.Errorf("after thirty days: wanted invalid_grant, got %v", late["error"])
	}
}

func TestNoRefreshTokenUnlessRegistered(t *testing.T) {
	r := newRig(t, func(_ *Options, c *Client) { c.Refresh = false })
	if doc := r.tokens(); doc["refresh_token"] != nil {
		t.Error("wanted no refresh token")
	}
}

func TestCodeExchangeRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		change func(url.Values)
		wait   time.Duration
		want   string
	}{
		"another redirect URI": {func(f url.Values) { f.Set("redirect_uri", callback+"2") }, 0, "invalid_grant"},
		"no redirect URI":      {func(f url.Values) { f.Del("redirect_uri") }, 0, "invalid_grant"},
		"made-up code":         {func(f url.Values) { f.Set("code", "made-up") }, 0, "invalid_grant"},
		"no code":              {func(f url.Values) { f.Del("code") }, 0, "invalid_grant"},
		"no grant type":        {func(f url.Values) { f.Del("grant_type") }, 0, "invalid_request"},
		"password grant":       {func(f url.Values) { f.Set("grant_type", "password") }, 0, "unsupported_grant_type"},
		"code twice in form":   {func(f url.Values) { f.Add("code", "another") }, 0, "invalid_request"},
		"another client_id":    {func(f url.Values) { f.Set("client_id", "another-client") }, 0, "invalid_client"},
		"no assertion":         {func(f url.Values) { f.Del("client_assertion") }, 0, "invalid_client"},
		"no assertion type":    {func(f url.Values) { f.Del("client_assertion_type") }, 0, "invalid_client"},
		"a secret beside":      {func(f url.Values) { f.Set("client_secret", "x") }, 0, "invalid_client"},
		"after ten minutes":    {func(url.Values) {}, codeLife, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			code := r.code()
			r.advance(row.wait)
			form := r.exchangeForm(code)
			row.change(form)
			if doc, status := r.post(form); status != http.StatusBadRequest || doc["error"] != row.want {
				t.Errorf("wanted 400 %s, got %d %v", row.want, status, doc)
			}
		})
	}
}

func TestClientIDInFormMayStandOrNot(t *testing.T) {
	r := newRig(t)
	form := r.exchangeForm(r.code())
	form.Set("client_id", r.client.ID)
	if doc, status := r.post(form); status != http.StatusOK {
		t.Errorf("wanted 200, got %d %v", status, doc)
	}
}

func TestBasicIsNoWayIn(t *testing.T) {
	r := newRig(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/token",
		strings.NewReader(url.Values{"grant_type": {"authorization_code"}, "code": {r.code()}, "redirect_uri": {callback}}.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(r.client.ID, "")
	resp, err := r.browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, status, body := r.read(resp); status != http.StatusBadRequest || !strings.Contains(body, "invalid_client") {
		t.Errorf("wanted 400 invalid_client, got %d %s", status, body)
	}
}

func TestCodeOnceAndASecondUseRevokes(t *testing.T) {
	r := newRig(t)
	code := r.code()
	doc, _ := r.post(r.exchangeForm(code))
	if again, _ := r.post(r.exchangeForm(code)); again["error"] != "invalid_grant" {
		t.Errorf("second use: wanted invalid_grant, got %v", keysOf(again))
	}
	if _, resp := r.userinfo(doc["access_token"]); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("access token: wanted 401, got %d", resp.StatusCode)
	}
	if again, _ := r.post(r.refreshForm(doc, "")); again["error"] != "invalid_grant" {
		t.Errorf("refresh token: wanted invalid_grant, got %v", keysOf(again))
	}
}

func TestCodeOnceInParallel(t *testing.T) {
	r := newRig(t)
	code := r.code()
	var forms []url.Values
	for range 20 {
		forms = append(forms, r.exchangeForm(code))
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for _, f := range forms {
		wg.Go(func() {
			if _, status := r.post(f); status == http.StatusOK {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("wanted one exchange, got %d", won.Load())
	}
}

func TestCodeOfAnotherClientIsSpent(t *testing.T) {
	r := newRig(t)
	_, key := TestClient("another-client")
	form := r.exchangeForm(r.code())
	form.Set("client_assertion", r.assertionBy(key, func(_, c map[string]any) { c["iss"], c["sub"] = "another-client", "another-client" }))
	if doc, _ := r.post(form); doc["error"] != "invalid_grant" {
		t.Errorf("another client: wanted invalid_grant, got %v", doc)
	}
	form.Set("client_assertion", r.assertion())
	if doc, _ := r.post(form); doc["error"] != "invalid_grant" {
		t.Errorf("its own client afterwards: wanted invalid_grant, got %v", keysOf(doc))
	}
}

func TestPKCEOnlyWhenSent(t *testing.T) {
	sum := sha256.Sum256([]byte("the-verifier"))
	challenge := []string{"code_challenge", b64(sum[:]), "code_challenge_method", "S256"}
	for name, row := range map[string]struct {
		change   []string
		verifier string
		want     any
	}{
		"right":                      {challenge, "the-verifier", nil},
		"wrong":                      {challenge, "another", "invalid_grant"},
		"missing":                    {challenge, "", "invalid_grant"},
		"verifier without challenge": {nil, "the-verifier", nil},
	} {
		r := newRig(t)
		form := r.exchangeForm(r.code(row.change...))
		if row.verifier != "" {
			form.Set("code_verifier", row.verifier)
		}
		if doc, _ := r.post(form); doc["error"] != row.want {
			t.Errorf("%s: wanted %v, got %v", name, row.want, doc["error"])
		}
	}
	r := newRig(t, func(_ *Options, c *Client) { c.PKCE = true })
	if back, _, _ := r.authorize(); back.Get("error") != "invalid_request" {
		t.Errorf("required and missing: wanted invalid_request, got %v", back)
	}
}

func TestClientAssertion(t *testing.T) {
	set := func(name string, v any) func(h, c map[string]any) {
		return func(_, c map[string]any) { c[name] = v }
	}
	drop := func(name string) func(h, c map[string]any) { return func(_, c map[string]any) { delete(c, name) } }
	head := func(name string, v any) func(h, c map[string]any) {
		return func(h, _ map[string]any) { h[name] = v }
	}
	in := func(name string, d time.Duration) func(h, c map[string]any) { return set(name, start.Add(d).Unix()) }
	for name, row := range map[string]struct {
		edit   func(h, c map[string]any)
		lax    any // error when lax
		strict any // error when strict
		warned string
	}{
		"plain":                {edit: head("alg", "RS512")},
		"typ":                  {edit: head("typ", "JWT")},
		"a kid":                {edit: head("kid", "a-kid-never-registered")},
		"aud as a list":        {edit: func(_, c map[string]any) { c["aud"] = []any{"https://other.example.org", c["aud"]} }},
		"iat":                  {edit: in("iat", 0)},
		"aud elsewhere":        {edit: set("aud", "https://other.example.org/token"), lax: "invalid_client", strict: "invalid_client"},
		"no aud":               {edit: drop("aud"), lax: "invalid_client", strict: "invalid_client"},
		"aud is the issuer":    {edit: func(_, c map[string]any) { c["aud"] = strings.TrimSuffix(c["aud"].(string), "/token") }, strict: "invalid_client", warned: "aud is the issuer"},
		"iss is another":       {edit: set("iss", "another-client"), lax: "invalid_client", strict: "invalid_client"},
		"sub is another":       {edit: set("sub", "another-client"), lax: "invalid_client", strict: "invalid_client"},
		"nobody":               {edit: func(_, c map[string]any) { c["iss"], c["sub"] = "nobody", "nobody" }, lax: "invalid_client", strict: "invalid_client"},
		"no exp":               {edit: drop("exp"), lax: "invalid_client", strict: "invalid_client"},
		"expired":              {edit: in("exp", -2*time.Minute), lax: "invalid_client", strict: "invalid_client"},
		"an hour":              {edit: in("exp", time.Hour), strict: "invalid_client", warned: "longer than 5m"},
		"a year":               {edit: in("exp", 365*24*time.Hour), strict: "invalid_client", warned: "longer than 1h"},
		"no jti":               {edit: drop("jti"), lax: "invalid_client", strict: "invalid_client"},
		"nbf to come":          {edit: in("nbf", 2*time.Minute), lax: "invalid_client", strict: "invalid_client"},
		"iat to come":          {edit: in("iat", 2*time.Minute), lax: "invalid_client", strict: "invalid_client"},
		"alg none":             {edit: head("alg", "none"), lax: "invalid_client", strict: "invalid_client"},
		"alg HS256":            {edit: head("alg", "HS256"), lax: "invalid_client", strict: "invalid_client"},
		"alg RS256":            {edit: head("alg", "RS256"), lax: "invalid_client", strict: "invalid_client"},
		"the NHS App's name":   {edit: func(_, c map[string]any) { c["iss"], c["sub"] = AppClientID, AppClientID }, lax: "invalid_client", strict: "invalid_client"},
		"the header is hacked": {edit: head("crit", []string{"made-up"}), lax: "invalid_client", strict: "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, strict := range []bool{false, true} {
				r := newRig(t, func(o *Options, _ *Client) { o.Strict = strict })
				form := r.exchangeForm(r.code())
				form.Set("client_assertion", r.assertion(row.edit))
				want := row.lax
				if strict {
					want = row.strict
				}
				if doc, _ := r.post(form); doc["error"] != want {
					t.Errorf("strict %v: wanted %v, got %v %v", strict, want, doc["error"], doc["error_description"])
				}
				if !strict && row.warned != "" && !r.warned(row.warned) {
					t.Errorf("warnings: wanted %q, got %q", row.warned, r.warnings)
				}
			}
		})
	}
}

func TestClientAssertionByAnotherKey(t *testing.T) {
	r := newRig(t)
	_, key := TestClient("another-client")
	form := r.exchangeForm(r.code())
	form.Set("client_assertion", r.assertionBy(key))
	if doc, _ := r.post(form); doc["error"] != "invalid_client" {
		t.Errorf("wanted invalid_client, got %v", keysOf(doc))
	}
}

func TestClientAssertionOnce(t *testing.T) {
	r := newRig(t)
	form := r.exchangeForm(r.code())
	if _, status := r.post(form); status != http.StatusOK {
		t.Fatalf("first use: wanted 200, got %d", status)
	}
	second := r.exchangeForm(r.code())
	second.Set("client_assertion", form.Get("client_assertion"))
	if doc, _ := r.post(second); doc["error"] != "invalid_client" {
		t.Errorf("second use: wanted invalid_client, got %v", keysOf(doc))
	}
	r.advance(5*time.Minute + skew)
	second = r.exchangeForm(r.code())
	second.Set("client_assertion", form.Get("client_assertion"))
	if doc, _ := r.post(second); doc["error"] != "invalid_client" {
		t.Errorf("second use after its end: wanted invalid_client, got %v", keysOf(doc))
	}
}

// identityBy is an asserted_login_identity, changed by edit.
func (r *rig) identityBy(key *rsa.PrivateKey, iss, code string, edit ...func(map[string]any)) string {
	r.Helper()
	claims := map[string]any{
		"iss": iss, "code": code, "jti": newName(), "iat": r.now().Unix(), "exp": r.now().Add(time.Minute).Unix(),
	}
	for _, e := range edit {
		e(claims)
	}
	raw, err := compact(map[string]any{"alg": "RS512"}, claims, nil, func(in []byte) ([]byte, error) { return signature("RS512", key, in) })
	if err != nil {
		r.Fatal(err)
	}
	return raw
}

func TestAssertedIdentityOfAnotherClient(t *testing.T) {
	another, anotherKey := TestClient("rp-one", "https://one.example.org/callback")
	r := newRig(t, func(o *Options, _ *Client) { o.Clients = []Client{another} })
	// rp-one's own login, in a browser that the portal never sees.
	own := r.newBrowser()
	back, _, _ := r.visit(own, r.url+"/authorize?"+r.params(
		"client_id", "rp-one", "redirect_uri", another.RedirectURIs[0], "login_hint", "ianto-passkey").Encode())
	form := r.exchangeForm(back.Get("code"))
	form.Set("redirect_uri", another.RedirectURIs[0])
	form.Set("client_assertion", r.assertionBy(anotherKey, func(_, c map[string]any) { c["iss"], c["sub"] = "rp-one", "rp-one" }))
	doc, status := r.post(form)
	if status != http.StatusOK {
		t.Fatalf("rp-one: wanted 200, got %d %v", status, doc)
	}
	jti := r.claims(doc["id_token"])["jti"].(string)
	r.advance(3 * time.Minute)

	ask := func(raw string) url.Values {
		t.Helper()
		back, _, _ := r.visit(r.newBrowser(), r.url+"/authorize?"+r.params("login_hint", "", "prompt", "none", "asserted_login_identity", raw).Encode())
		return back
	}
	for name, raw := range map[string]string{
		"the portal's key":    r.identityBy(r.key, "rp-one", jti),
		"the portal's name":   r.identityBy(r.key, "portal", jti),
		"another jti":         r.identityBy(anotherKey, "rp-one", "made-up"),
		"no jti":              r.identityBy(anotherKey, "rp-one", jti, func(c map[string]any) { delete(c, "jti") }),
		"no iat":              r.identityBy(anotherKey, "rp-one", jti, func(c map[string]any) { delete(c, "iat") }),
		"no exp":              r.identityBy(anotherKey, "rp-one", jti, func(c map[string]any) { delete(c, "exp") }),
		"longer than 60 s":    r.identityBy(anotherKey, "rp-one", jti, func(c map[string]any) { c["exp"] = r.now().Add(61 * time.Second).Unix() }),
		"expired":             r.identityBy(anotherKey, "rp-one", jti, func(c map[string]any) { c["iat"], c["exp"] = start.Unix(), start.Add(time.Minute).Unix() }),
		"issued in an hour":   r.identityBy(anotherKey, "rp-one", jti, func(c map[string]any) { c["iat"], c["exp"] = start.Add(time.Hour).Unix(), start.Add(time.Hour).Unix() }),
		"a client assertion":  r.assertion(),
		"the ID token itself": doc["id_token"].(string),
	} {
		if back := ask(raw); back.Get("error") != "sso_login_required" {
			t.Errorf("%s: wanted sso_login_required, got %v", name, back)
		}
	}

	good := r.identityBy(anotherKey, "rp-one", jti)
	back = ask(good)
	doc, status = r.post(r.exchangeForm(back.Get("code")))
	if status != http.StatusOK {
		t.Fatalf("wanted 200, got %d %v", status, doc)
	}
	got := r.claims(doc["id_token"])
	if got["sub"] != "d23f0824-128b-4f33-8c5c-7fd0a6a3a450" || got["vot"] != "P9.Cm" || got["auth_time"] != float64(start.Unix()) {
		t.Errorf("wanted the login of rp-one, got %v %v %v", got["sub"], got["vot"], got["auth_time"])
	}
	if back := ask(good); back.Get("error") != "sso_login_required" {
		t.Errorf("second use: wanted sso_login_required, got %v", back)
	}
}

func TestSettingsTakeAnAssertionOnce(t *testing.T) {
	r := newRig(t)
	jti := r.claims(r.tokens()["id_token"])["jti"].(string)
	raw := r.identityBy(r.key, "portal", jti)
	address := r.url + "/settings?asserted_login_identity=" + raw
	if _, status, body := r.visit(r.browser, address); status != http.StatusOK || !strings.Contains(body, "Mair Prawf") {
		t.Errorf("wanted the settings, got %d", status)
	}
	if _, status, _ := r.visit(r.browser, address); status != http.StatusBadRequest {
		t.Errorf("second use: wanted 400, got %d", status)
	}
	if _, status, _ := r.visit(r.browser, r.url+"/settings"); status != http.StatusBadRequest {
		t.Errorf("none: wanted 400, got %d", status)
	}
}

func TestSingleSignOn(t *testing.T) {
	r := newRig(t)
	first := r.claims(r.tokens("login_hint", "mair-prawf")["id_token"])
	r.advance(20 * time.Minute)

	second := r.claims(r.tokens("login_hint", "", "prompt", "none")["id_token"])
	if second["sub"] != first["sub"] || second["auth_time"] != first["auth_time"] {
		t.Errorf("prompt=none: wanted the first login, got %v %v", second["sub"], second["auth_time"])
	}
	if back, status, _ := r.authorize("login_hint", "", "prompt", "login"); back != nil || status != http.StatusOK {
		t.Errorf("prompt=login: wanted a page, got %v", back)
	}
	if back, _, _ := r.authorize("login_hint", "", "vtr", `["P9.Cm"]`, "prompt", "none"); back.Get("error") != "login_required" {
		t.Errorf("stronger than the session: wanted login_required, got %v", back)
	}
	r.advance(20 * time.Minute)
	if back, _, _ := r.authorize("login_hint", ""); !back.Has("code") {
		t.Errorf("used within half an hour: wanted a code, got %v", back)
	}
	r.advance(ssoLife)
	if back, _, _ := r.authorize("login_hint", "", "prompt", "none"); back.Get("error") != "login_required" {
		t.Errorf("unused for half an hour: wanted login_required, got %v", back)
	}
	r.tokens()
	resp, err := r.browser.PostForm(r.url+"/log-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if back, _, _ := r.authorize("login_hint", "", "prompt", "none"); back.Get("error") != "login_required" {
		t.Errorf("logged out: wanted login_required, got %v", back)
	}
}

func TestChangedNumberFromTheSecondLogin(t *testing.T) {
	r := newRig(t)
	for i, want := range []string{"9990002967", "9990003335", "9990003335"} {
		doc := r.tokens("login_hint", "rhys-newid", "prompt", "login")
		info, _ := r.userinfo(doc["access_token"])
		if got := r.claims(doc["id_token"]); got["nhs_number"] != want || info["nhs_number"] != want {
			t.Errorf("login %d: wanted %s, got %v and %v", i+1, want, got["nhs_number"], info["nhs_number"])
		}
	}
}

func TestVector(t *testing.T) {
	for name, row := range map[string]struct {
		asked   string
		held    identity.Proofing
		prefers identity.Credential
		want    string
	}{
		"usual":                     {"P9.Cp.Cd P9.Cp.Ck P9.Cm", identity.P9, 0, "P9.Cp.Cd"},
		"usual, listed last":        {"P9.Cm P9.Cp.Ck P9.Cp.Cd", identity.P9, 0, "P9.Cp.Cd"},
		"prefers a passkey":         {"P9.Cp.Cd P9.Cp.Ck P9.Cm", identity.P9, identity.Cm, "P9.Cm"},
		"passkey not asked for":     {"P9.Cp.Cd", identity.P9, identity.Cm, "P9.Cp.Cd"},
		"highest of several levels": {"P5.Cp.Cd P9.Cp.Cd", identity.P9, 0, "P9.Cp.Cd"},
		"level held":                {"P5.Cp.Cd P9.Cp.Cd", identity.P5, 0, "P5.Cp.Cd"},
		"nothing held is enough":    {"P9.Cp.Cd", identity.P5, 0, ""},
	} {
		asked, err := parseVTR(strings.Fields(row.asked))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := picked(asked, row.held, row.prefers)
		if ok != (row.want != "") || ok && got.String() != row.want {
			t.Errorf("%s: wanted %q, got %s", name, row.want, got)
		}
	}
}

func TestMadeUpPatients(t *testing.T) {
	patients := MadeUpPatients(start)
	if len(patients) < 14 {
		t.Errorf("wanted 14 or more, got %d", len(patients))
	}
	if err := checkPatients(patients); err != nil {
		t.Error(err)
	}
	for _, p := range patients {
		for _, n := range []string{p.NHSNumber, p.NextNHSNumber} {
			if _, err := identity.ParseNHSNumber(n); n != "" && (err != nil || !strings.HasPrefix(n, "999")) {
				t.Errorf("%s: wanted a valid number of the 999 range, got %q (%v)", p.Key, n, err)
			}
		}
		if _, err := time.Parse(time.DateOnly, p.Birthdate); err != nil {
			t.Errorf("%s: %v", p.Key, err)
		}
		if p.Email != "" && !strings.HasSuffix(p.Email, "@example.com") {
			t.Errorf("%s: wanted an example address, got %q", p.Key, p.Email)
		}
		if p.Phone != "" && !strings.HasPrefix(p.Phone, "+447700900") {
			t.Errorf("%s: wanted a phone of the fictional range, got %q", p.Key, p.Phone)
		}
		if p.Special == "" {
			t.Errorf("%s: wanted a word on what is special", p.Key)
		}
	}
}

func TestLogHoldsNothingPersonal(t *testing.T) {
	r := newRig(t)
	doc := r.tokens()
	r.userinfo(doc["access_token"])
	for name, secret := range map[string]any{
		"NHS number": "9990000379", "name": "Prawf", "e-mail": "example.com", "phone": "07700", "subject": "6513270e",
		"ID token": doc["id_token"], "access token": doc["access_token"], "refresh token": doc["refresh_token"], "state": "the-state",
	} {
		if strings.Contains(r.log.String(), secret.(string)) || r.warned(secret.(string)) {
			t.Errorf("%s: wanted it in no log line", name)
		}
	}
}
