package simulator

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// differs says, for each preset, in what a whole login under it differs from an
// honest one, and in nothing else. Each line was read against the preset's words.
var differs = map[string]string{
	"invalid-iss":                      "id_token.claims.iss",
	"iss-slash":                        "id_token.claims.iss",
	"missing-iss":                      "id_token.claims.iss",
	"invalid-aud":                      "id_token.claims.aud",
	"aud-others":                       "id_token.claims.aud",
	"missing-aud":                      "id_token.claims.aud",
	"azp-wrong":                        "id_token.claims.azp",
	"missing-sub":                      "id_token.claims.sub",
	"empty-sub":                        "id_token.claims.sub userinfo.sub",
	"sub-number":                       "id_token.claims.sub userinfo.sub",
	"huge-sub":                         "id_token.claims.sub userinfo.sub",
	"long-sub":                         "id_token.claims.sub userinfo.sub",
	"duplicate-sub":                    "id_token.claims.sub id_token.claims.twice",
	"nonce-invalid":                    "id_token.claims.nonce",
	"missing-nonce":                    "id_token.claims.nonce",
	"at_hash-wrong":                    "id_token.claims.at_hash",
	"exp-missing":                      "id_token.claims.exp",
	"exp-past":                         "id_token.claims.exp",
	"exp-far-future":                   "id_token.claims.exp",
	"iat-missing":                      "id_token.claims.iat",
	"iat-future":                       "id_token.claims.iat",
	"iat-past":                         "id_token.claims.iat",
	"nbf-future":                       "id_token.claims.nbf",
	"auth_time-missing":                "id_token.claims.auth_time",
	"auth_time-old":                    "id_token.claims.auth_time",
	"auth_time-future":                 "id_token.claims.auth_time",
	"act":                              "id_token.claims.act userinfo.act",
	"delegations":                      "id_token.claims.delegations userinfo.delegations",
	"act-in-id-token":                  "id_token.claims.act",
	"act-in-userinfo":                  "userinfo.act",
	"vot-lower":                        "id_token.claims.vot",
	"vot-other-order":                  "id_token.claims.vot",
	"vot-absent":                       "id_token.claims.vot",
	"vot-unknown":                      "id_token.claims.vot",
	"vot-list":                         "id_token.claims.vot",
	"vot-above-proofing":               "id_token.claims.identity_proofing_level userinfo.identity_proofing_level",
	"proofing-unknown":                 "id_token.claims.identity_proofing_level userinfo.identity_proofing_level",
	"proofing-absent":                  "id_token.claims.identity_proofing_level userinfo.identity_proofing_level",
	"invalid-sig":                      "id_token.signature",
	"empty-sig":                        "id_token.signature",
	"alg-none":                         "id_token.header.alg id_token.signature",
	"hs256-with-public-key":            "id_token.header.alg id_token.signature",
	"other-key":                        "id_token.signature",
	"unlisted-alg":                     "id_token.header.alg id_token.header.kid id_token.signature jwks.count jwks.kinds",
	"jku-header":                       "id_token.header.jku id_token.header.kid id_token.signature",
	"x5u-header":                       "id_token.header.kid id_token.header.x5u id_token.signature",
	"jwk-header":                       "id_token.header.jwk id_token.header.kid id_token.signature",
	"unknown-crit":                     "id_token.header.crit id_token.header.made-up",
	"typ-access-token":                 "id_token.header.typ",
	"kid-absent":                       "id_token.header.kid",
	"kid-absent-multiple-keys":         "id_token.header.kid jwks.count",
	"kid-unknown":                      "id_token.header.kid",
	"kid-hostile":                      "id_token.header.kid",
	"garbage":                          "id_token.header",
	"many-dots":                        "id_token",
	"key-rotation":                     "jwks.count",
	"key-rotation-just-before-signing": "jwks.count",
	"key-withdrawn":                    "jwks.ours",
	"jwks-500":                         "jwks.status",
	"jwks-html":                        "jwks.body",
	"jwks-10mb":                        "jwks.size",
	"jwks-slow":                        "jwks.slow",
	"jwks-10000-keys":                  "jwks.count",
	"jwks-empty":                       "jwks.count jwks.kinds jwks.ours",
	"jwks-wrong-use":                   "jwks.kinds",
	"jwks-duplicate-kid":               "jwks.count jwks.ours",
	"jwks-oct":                         "id_token.header.alg id_token.signature jwks.kinds jwks.ours",
	"issuer-mismatch":                  "discovery.issuer",
	"issuer-slash":                     "discovery.issuer",
	"discovery-500":                    "discovery.status",
	"discovery-html":                   "discovery.body",
	"discovery-10mb":                   "discovery.size",
	"discovery-slow":                   "discovery.slow",
	"discovery-no-jwks":                "discovery.jwks_uri",
	"discovery-token-elsewhere":        "discovery.token_endpoint",
	"discovery-jwks-file":              "discovery.jwks_uri",
	"discovery-alg-none":               "discovery.id_token_signing_alg_values_supported",
	"discovery-redirect":               "discovery.location discovery.status",
	"jwks-redirect":                    "jwks.location jwks.status",
	"token-500":                        "token.status",
	"token-html":                       "id_token token.body",
	"token-slow":                       "token.slow",
	"token-drip":                       "token.drip",
	"token-10mb":                       "token.size",
	"token-invalid-grant":              "id_token token.error token.status",
	"token-invalid-client":             "id_token token.error token.status",
	"token-no-id-token":                "id_token token.id_token",
	"token-no-access-token":            "token.access_token",
	"token-no-expires_in":              "token.expires_in",
	"token-expires_in-string":          "token.expires_in",
	"token-type-lowercase":             "token.token_type",
	"token-type-other":                 "token.token_type",
	"token-redirect":                   "token.location token.status",
	"userinfo-other-sub":               "userinfo.sub",
	"userinfo-missing-sub":             "userinfo.sub",
	"userinfo-sub-case":                "id_token.claims.sub userinfo.sub",
	"userinfo-sub-space":               "id_token.claims.sub userinfo.sub",
	"email-verified-string":            "userinfo.email_verified",
	"email-verified-number":            "userinfo.email_verified",
	"email-verified-absent":            "userinfo.email_verified",
	"userinfo-null":                    "userinfo.email userinfo.phone_number",
	"userinfo-bad-nhs-number":          "userinfo.nhs_number",
	"userinfo-bad-birthdate":           "userinfo.birthdate",
	"userinfo-picture":                 "userinfo.picture",
	"userinfo-markup":                  "userinfo.family_name userinfo.given_name",
	"userinfo-500":                     "userinfo.status",
	"userinfo-401":                     "userinfo.error userinfo.status",
	"userinfo-html":                    "userinfo.body",
	"userinfo-jwt":                     "userinfo.type",
	"userinfo-slow":                    "userinfo.slow",
	"userinfo-10mb":                    "userinfo.size",
	"userinfo-bomb":                    "userinfo.size userinfo.zipped",
	"userinfo-redirect":                "userinfo.location userinfo.status",
	"iss-parameter-wrong":              "callback.iss",
	"iss-parameter-missing":            "discovery.authorization_response_iss_parameter_supported",
	"state-wrong":                      "callback.state",
	"state-missing":                    "callback.state",
	"code-wrong":                       "callback.code",
	"code-missing":                     "callback.code",
	"consent-not-given":                "callback.code callback.error callback.error_description",
	"access-denied":                    "callback.code callback.error callback.error_description",
	"login-required":                   "callback.code callback.error callback.error_description",
	"sso-login-required":               "callback.code callback.error callback.error_description",
	"temporarily-unavailable":          "callback.code callback.error callback.error_description",
	"server-error":                     "callback.code callback.error callback.error_description",
	"invalid-scope":                    "callback.code callback.error callback.error_description",
	"invalid-request":                  "callback.code callback.error callback.error_description",
	"unauthorized-client":              "callback.code callback.error callback.error_description",
	"error-markup":                     "callback.code callback.error callback.error_description",
}

// TestEachLieTellsExactlyThatLie runs a whole login under each preset and compares
// everything a client can see with an honest login.
func TestEachLieTellsExactlyThatLie(t *testing.T) {
	honest := newRig(t).observe(Faults{})
	names := map[string]bool{}
	for _, p := range newRig(t).sim.Presets() {
		if names[p.Name] || p.About == "" || p.Faults.Honest() {
			t.Errorf("%s: wanted a name of its own, words and a lie", p.Name)
		}
		names[p.Name] = true
		want, known := differs[p.Name]
		if !known {
			want = "(no line in the table)"
		}
		t.Run(p.Name, func(t *testing.T) {
			r := newRig(t)
			f, _ := r.sim.Preset(p.Name)
			got := r.observe(f)
			if diff := differences(honest, got); diff != want {
				t.Errorf("differs: wanted %q, got %q", want, diff)
			}
			if again := differences(honest, r.observe(Faults{})); again != "" && p.Faults.Rotate == "" {
				t.Errorf("afterwards: wanted an honest provider, got another %s", again)
			}
		})
	}
	for name := range differs {
		if !names[name] {
			t.Errorf("%s: in the table, but no preset", name)
		}
	}
}

// differences names what differs, leaving out what could not be there any more: the
// members of an answer that is none, and what would have come after it.
func differences(honest, got map[string]string) string {
	var diff []string
	for name := range merged(honest, got) {
		if honest[name] != got[name] && !follows(got, name) {
			diff = append(diff, name)
		}
	}
	slices.Sort(diff)
	return strings.Join(diff, " ")
}

// follows reports whether a difference is only what follows from a greater one.
func follows(got map[string]string, name string) bool {
	part, member, _ := strings.Cut(name, ".")
	if got["callback.code"] != "CODE" && part != "callback" && part != "discovery" {
		return true
	}
	if got["token.location"] != "" && (part == "userinfo" || part == "id_token") {
		return true
	}
	if part == "id_token" {
		return (got["id_token"] == "none" || got["id_token.header"] != "") && member != "" && member != "header"
	}
	gone := got[part+".location"] != "" || got[part+".body"] != "" || got[part+".error"] != ""
	return gone && !slices.Contains([]string{"status", "location", "body", "error", "error_description", "code"}, member)
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// observe makes one login under the faults and returns everything that can be
// seen, with what is random by nature replaced by a word.
func (r *rig) observe(f Faults) map[string]string {
	r.Helper()
	seen := map[string]string{}
	patient(&f, seen)
	if err := r.sim.SetFaults(f); err != nil {
		r.Fatal(err)
	}
	r.see(seen, "discovery", r.get("/.well-known/openid-configuration", ""))
	back, _, _ := r.authorize("scope", "openid profile profile_extended email phone")
	code := back.Get("code")
	if _, known := r.sim.codes.get(code, r.now()); known {
		back.Set("code", "CODE")
	}
	for name := range back {
		seen["callback."+name] = strings.ReplaceAll(back.Get(name), r.url, "ISSUER")
	}
	if back.Get("code") != "CODE" {
		seen["callback.code"] = "not a code: " + back.Get("code")
		return seen
	}
	resp, err := r.browser.PostForm(r.url+"/token", r.exchangeForm(code))
	if err != nil {
		r.Fatal(err)
	}
	doc := r.see(seen, "token", resp)
	r.seeIDToken(seen, doc)
	r.seeKeys(seen)
	r.see(seen, "userinfo", r.get("/userinfo", r.anyAccessToken()))
	return seen
}

// patient notes the waits of a lie and takes them out: the test does not wait.
func patient(f *Faults, seen map[string]string) {
	note := func(name string, r *Reply) {
		if r.Delay > Duration(8*time.Second) {
			seen[name+".slow"] = "yes"
		}
		if r.Drip > 0 {
			seen[name+".drip"] = "yes"
		}
		r.Delay, r.Drip = 0, 0
	}
	for name, d := range map[string]**DocumentFault{"discovery": &f.Discovery, "token": &f.Token, "userinfo": &f.UserInfo} {
		if *d != nil {
			c := **d
			note(name, &c.Reply)
			*d = &c
		}
	}
	if f.JWKS != nil {
		c := *f.JWKS
		note("jwks", &c.Reply)
		f.JWKS = &c
	}
}

func (r *rig) get(path, token string) *http.Response {
	r.Helper()
	req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+path, nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := r.browser.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	return resp
}

// anyAccessToken returns the token issued last, seen by the client or not.
func (r *rig) anyAccessToken() string {
	for name := range r.sim.access.rows {
		return name
	}
	return ""
}

// see notes an answer: status, type, size, and its members when it is an object.
func (r *rig) see(seen map[string]string, name string, resp *http.Response) map[string]any {
	r.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	seen[name+".status"] = fmt.Sprint(resp.StatusCode)
	if to := resp.Header.Get("Location"); to != "" {
		seen[name+".location"] = to
		return nil
	}
	seen[name+".type"] = resp.Header.Get("Content-Type")
	seen[name+".zipped"] = fmt.Sprint(resp.Uncompressed)
	if len(body) > 10<<20 {
		seen[name+".size"] = "over ten megabytes"
	}
	var doc map[string]any
	if json.Unmarshal(body, &doc) != nil {
		seen[name+".body"] = "no JSON object"
		return nil
	}
	for k, v := range doc {
		seen[name+"."+k] = r.plain(k, v)
	}
	return doc
}

// plain writes a value without what is random or of this listener.
func (r *rig) plain(name string, v any) string {
	text, _ := json.Marshal(v)
	s, _ := v.(string)
	if _, known := r.sim.access.get(s, r.now()); known {
		return "ACCESS"
	}
	if _, known := r.sim.refresh.get(s, r.now()); known {
		return "REFRESH"
	}
	if _, known := r.sim.tokens.get(s, r.now()); known {
		return "JTI"
	}
	if name == "id_token" && v != nil {
		return "ID TOKEN"
	}
	u, _ := url.Parse(r.url)
	return strings.ReplaceAll(strings.ReplaceAll(string(text), r.url, "ISSUER"), u.Host, "HOST")
}

// seeIDToken notes header, claims and signature of the ID token.
func (r *rig) seeIDToken(seen map[string]string, doc map[string]any) {
	r.Helper()
	raw, _ := doc["id_token"].(string)
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		seen["id_token"] = "none"
		return
	}
	published, _ := r.sim.keys.published()
	for i, name := range []string{"header", "claims"} {
		b, _ := base64.RawURLEncoding.DecodeString(parts[i])
		var m map[string]any
		if json.Unmarshal(b, &m) != nil {
			seen["id_token."+name] = "no JSON"
			continue
		}
		for k, v := range m {
			if k == "kid" && v == published[0].kid {
				v = "KID"
			}
			if k == "jwk" {
				v = "a key"
			}
			seen["id_token."+name+"."+k] = r.plain(k, v)
		}
		if once, _ := json.Marshal(m); len(once) != len(b) {
			seen["id_token."+name+".twice"] = "a member"
		}
	}
	sig, _ := base64.RawURLEncoding.DecodeString(parts[2])
	seen["id_token.signature"] = rightly(published[0], parts[0]+"."+parts[1], sig)
}

func rightly(key signingKey, input string, sig []byte) string {
	h := crypto.SHA512.New()
	h.Write([]byte(input))
	err := rsa.VerifyPKCS1v15(key.private.Public().(*rsa.PublicKey), crypto.SHA512, h.Sum(nil), sig)
	switch {
	case err == nil:
		return "right"
	case len(sig) == 0:
		return "none"
	}
	return "wrong"
}

// seeKeys notes the key set: which kinds of keys, and whether ours stands as it should.
func (r *rig) seeKeys(seen map[string]string) {
	r.Helper()
	doc := r.see(seen, "jwks", r.get("/.well-known/jwks.json", ""))
	if doc == nil {
		return
	}
	delete(seen, "jwks.keys")
	current, _ := r.sim.keys.current()
	keys, _ := doc["keys"].([]any)
	seen["jwks.count"] = fmt.Sprint(len(keys))
	kinds := map[string]bool{}
	for _, k := range keys {
		m := k.(map[string]any)
		kinds[fmt.Sprint(m["kty"], m["use"], m["alg"])] = true
		if m["kid"] == current.kid {
			pub := current.private.Public().(*rsa.PublicKey)
			seen["jwks.ours"] += fmt.Sprintf("[%v]", m["n"] == b64(pub.N.Bytes()))
		}
	}
	seen["jwks.kinds"] = fmt.Sprint(slices.Sorted(maps.Keys(kinds)))
}

func TestDelayEndsWithTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(ctx, slow); !errors.Is(err, context.Canceled) {
		t.Errorf("wanted the caller's end, got %v", err)
	}
	w := httptest.NewRecorder()
	write(ctx, w, []byte("body"), slow)
	if w.Body.String() != "b" {
		t.Errorf("drip: wanted one byte and no more, got %q", w.Body)
	}
}

func TestWhoIsLiedTo(t *testing.T) {
	r := newRig(t)
	lied := func() bool {
		t.Helper()
		return r.claims(r.tokens()["id_token"])["azp"] != nil
	}
	f, _ := r.sim.Preset("azp-wrong")
	_ = r.sim.SetNextFaults(f)
	if first, second := lied(), lied(); !first || second {
		t.Error("next: wanted one login lied to")
	}
	_ = r.sim.SetClientFaults("another-client", f)
	if lied() {
		t.Error("another client: wanted the truth for this one")
	}
	_ = r.sim.SetClientFaults("portal", f)
	if first, second := lied(), lied(); !first || !second {
		t.Error("client: wanted lies")
	}
	_ = r.sim.SetClientFaults("portal", Faults{})
	if lied() {
		t.Error("client cleared: wanted the truth")
	}
	_ = r.sim.SetFaults(f)
	code := r.code()
	_ = r.sim.SetFaults(Faults{})
	if doc, _ := r.post(r.exchangeForm(code)); r.claims(doc["id_token"])["azp"] != nil {
		t.Error("standing: wanted them to hold only while they stand")
	}
	wide, _ := r.sim.Preset("jwks-500")
	_ = r.sim.SetNextFaults(wide)
	jwks := func() int {
		resp := r.get("/.well-known/jwks.json", "")
		defer resp.Body.Close()
		return resp.StatusCode
	}
	before := jwks()
	r.code()
	during := jwks()
	r.code()
	if after := jwks(); before != 200 || during != 500 || after != 200 {
		t.Errorf("key set of the next login: wanted 200 500 200, got %d %d %d", before, during, after)
	}
}

func TestFaultsByHTTP(t *testing.T) {
	post := func(r *rig, contentType, body string) (int, string) {
		t.Helper()
		resp, err := r.browser.Post(r.url+"/faults", contentType, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	for name, row := range map[string]struct {
		body   string
		status int
		lied   bool
	}{
		"own":                  {`{"id_token":{"set":{"azp":"x"}}}`, 200, true},
		"instant":              {`{"id_token":{"at":{"azp":"-1h"}}}`, 200, true},
		"preset":               {`{"preset":"azp-wrong"}`, 200, true},
		"preset, next":         {`{"preset":"azp-wrong","next":true}`, 200, true},
		"preset, client":       {`{"preset":"azp-wrong","client":"portal"}`, 200, true},
		"other client":         {`{"preset":"azp-wrong","client":"another-client"}`, 200, false},
		"none":                 {`{}`, 200, false},
		"unknown preset":       {`{"preset":"made-up"}`, 400, false},
		"preset and more":      {`{"preset":"azp-wrong","rotate":"signing"}`, 400, false},
		"next and client":      {`{"preset":"azp-wrong","client":"portal","next":true}`, 400, false},
		"unknown field":        {`{"idtoken":{}}`, 400, false},
		"unknown way to sign":  {`{"id_token":{"sign_with":"made-up"}}`, 400, false},
		"unknown endpoint":     {`{"redirect":{"made-up":"https://example.org"}}`, 400, false},
		"unknown moment":       {`{"rotate":"never"}`, 400, false},
		"unknown status":       {`{"token":{"status":42}}`, 400, false},
		"a duration that isnt": {`{"token":{"delay":"soon"}}`, 400, false},
		"too many decoys":      {`{"jwks":{"decoys":1000000000}}`, 400, false},
		"too much padding":     {`{"userinfo":{"pad":1000000000000}}`, 400, false},
		"two objects":          {`{}{"preset":"azp-wrong"}`, 400, false},
		"no JSON":              {`azp-wrong`, 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if status, body := post(r, "application/json", row.body); status != row.status {
				t.Fatalf("wanted %d, got %d %s", row.status, status, body)
			}
			if lied := r.claims(r.tokens()["id_token"])["azp"] != nil; lied != row.lied {
				t.Errorf("lied: wanted %v, got %v", row.lied, lied)
			}
		})
	}
	r := newRig(t)
	if status, _ := post(r, "text/plain", `{"preset":"azp-wrong"}`); status != http.StatusUnsupportedMediaType {
		t.Errorf("a foreign page's form: wanted 415, got %d", status)
	}
	_, _ = post(r, "application/json", `{"preset":"azp-wrong"}`)
	_, _ = post(r, "application/json", `{"preset":"act","client":"portal"}`)
	_, _ = post(r, "application/json", `{}`)
	if f := r.sim.faultsFor("portal", Faults{}); !f.Honest() {
		t.Errorf("{}: wanted an honest provider, got %+v", f)
	}
	var shown struct {
		Presets []struct{ Name, About string }
	}
	r.getJSON("/faults", &shown)
	if len(shown.Presets) != len(r.sim.Presets()) || shown.Presets[0].Name == "" {
		t.Errorf("GET /faults: wanted every preset, got %d", len(shown.Presets))
	}
}

func TestRotationKeepsTheOldKeyOnce(t *testing.T) {
	r := newRig(t)
	old := r.tokens()["id_token"]
	if err := r.sim.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	r.claims(old) // verifies
	fresh := r.tokens()["id_token"]
	if err := r.sim.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	r.claims(fresh)
	keys, _ := r.sim.keys.published()
	if len(keys) != 2 {
		t.Errorf("key set: wanted two keys, got %d", len(keys))
	}
}

func TestCallLog(t *testing.T) {
	r := newRig(t)
	r.userinfo(r.tokens()["access_token"])
	want := []Call{
		{EndpointAuthorize, "portal", start}, {EndpointToken, "portal", start}, {EndpointUserInfo, "portal", start},
	}
	if diff := cmp.Diff(want, r.sim.Calls()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	r.sim.ResetCalls()
	r.get("/collector", "").Body.Close()
	if n := r.sim.CallsTo(EndpointCollector); n != 1 || len(r.sim.Calls()) != 1 {
		t.Errorf("collector: wanted one call, got %d", n)
	}
	for range maxCalls + 1 {
		r.sim.record(EndpointJWKS, "")
	}
	if n := len(r.sim.Calls()); n > maxCalls {
		t.Errorf("log: wanted at most %d, got %d", maxCalls, n)
	}
}

func FuzzFaults(f *testing.F) {
	f.Add(`{"id_token":{"set":{"sub":"x"},"at":{"exp":"-1h"},"sign_with":"none"}}`)
	f.Add(`{"preset":"huge-sub","next":true}`)
	f.Add(`{"jwks":{"keys":[],"pad":-1,"status":99},"redirect":{"token":"file:///"}}`)
	f.Add(`{}{}`)
	f.Fuzz(func(t *testing.T, body string) {
		req, err := readFaults(strings.NewReader(body))
		if err != nil {
			return
		}
		if req.check() == nil {
			for _, reply := range req.replies() {
				if reply.Pad < 0 || reply.Pad > maxPad {
					t.Errorf("pad: got %d", reply.Pad)
				}
			}
		}
	})
}
