package simulator

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const callback = "https://portal.example.org/callback"

// start is the instant at which every test begins.
var start = time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC)

// testKey signs for every simulator of the tests that does not rotate.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	_, key := TestClient("the provider's own key", callback)
	return key
})

// rig is a simulator on a listener, with a clock, one client and one browser.
type rig struct {
	*testing.T
	sim      *Simulator
	url      string
	client   Client
	key      *rsa.PrivateKey
	browser  *http.Client
	mu       sync.Mutex
	at       time.Time
	warnings []string
	log      bytes.Buffer
}

func (r *rig) now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.at }
func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func (r *rig) warned(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(strings.Join(r.warnings, "\n"), part)
}

// newRig starts a simulator; change may alter its options and its client.
func newRig(t *testing.T, change ...func(*Options, *Client)) *rig {
	t.Helper()
	r := &rig{T: t, at: start}
	r.client, r.key = TestClient("portal", callback)
	r.client.Refresh = true
	opt := Options{
		Now: r.now, Key: testKey(), Log: slog.New(slog.NewTextHandler(&r.log, nil)),
		Warn: func(s string) { r.mu.Lock(); defer r.mu.Unlock(); r.warnings = append(r.warnings, s) },
	}
	for _, c := range change {
		c(&opt, &r.client)
	}
	other, _ := TestClient("another-client", "https://another.example.org/callback")
	opt.Clients = append(opt.Clients, r.client, other)
	sim, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim)
	t.Cleanup(srv.Close)
	if opt.Issuer == "" {
		if err := sim.SetIssuer(srv.URL); err != nil {
			t.Fatal(err)
		}
	}
	r.sim, r.url = sim, srv.URL
	r.browser = r.newBrowser()
	return r
}

// newBrowser keeps cookies and follows no redirect.
func (r *rig) newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// params are a good authorization request, changed by name and value; an empty
// value leaves the parameter out.
func (r *rig) params(change ...string) url.Values {
	q := url.Values{
		"client_id": {r.client.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid profile email phone"},
		"state": {"the-state"}, "nonce": {"the-nonce"}, "login_hint": {"mair-prawf"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		if q.Set(change[i], change[i+1]); change[i+1] == "" {
			q.Del(change[i])
		}
	}
	return q
}

// authorize asks and returns what the browser brings to the client, or the page.
func (r *rig) authorize(change ...string) (back url.Values, status int, body string) {
	r.Helper()
	return r.visit(r.browser, r.url+"/authorize?"+r.params(change...).Encode())
}

func (r *rig) visit(browser *http.Client, address string) (back url.Values, status int, body string) {
	r.Helper()
	resp, err := browser.Get(address)
	if err != nil {
		r.Fatal(err)
	}
	return r.read(resp)
}

func (r *rig) read(resp *http.Response) (back url.Values, status int, body string) {
	r.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	if to := resp.Header.Get("Location"); to != "" {
		u, err := url.Parse(to)
		if err != nil {
			r.Fatal(err)
		}
		return u.Query(), resp.StatusCode, string(b)
	}
	return nil, resp.StatusCode, string(b)
}

// code logs in and returns the code.
func (r *rig) code(change ...string) string {
	r.Helper()
	back, status, _ := r.authorize(change...)
	if back.Get("code") == "" {
		r.Fatalf("authorize: wanted a code, got status %d and %v", status, back)
	}
	return back.Get("code")
}

// assertion is a good client assertion, changed by edit.
func (r *rig) assertion(edit ...func(header, claims map[string]any)) string {
	r.Helper()
	return r.assertionBy(r.key, edit...)
}

func (r *rig) assertionBy(key *rsa.PrivateKey, edit ...func(header, claims map[string]any)) string {
	r.Helper()
	header := map[string]any{"alg": "RS512"}
	claims := map[string]any{
		"iss": r.client.ID, "sub": r.client.ID, "aud": r.sim.base() + "/token",
		"exp": r.now().Add(5 * time.Minute).Unix(), "jti": newName(),
	}
	for _, e := range edit {
		e(header, claims)
	}
	raw, err := compact(header, claims, nil, func(in []byte) ([]byte, error) { return signature("RS512", key, in) })
	if err != nil {
		r.Fatal(err)
	}
	return raw
}

// post sends a token request and returns the JSON answer.
func (r *rig) post(form url.Values) (map[string]any, int) {
	r.Helper()
	resp, err := r.browser.PostForm(r.url+"/token", form)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		r.Errorf("token answer: wanted no-store, got %q", got)
	}
	var doc map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		r.Fatal(err)
	}
	return doc, resp.StatusCode
}

// exchangeForm is a good token request for a code.
func (r *rig) exchangeForm(code string) url.Values {
	r.Helper()
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback},
		"client_assertion_type": {assertionType}, "client_assertion": {r.assertion()},
	}
}

// tokens logs in to the end.
func (r *rig) tokens(change ...string) map[string]any {
	r.Helper()
	doc, status := r.post(r.exchangeForm(r.code(change...)))
	if status != http.StatusOK {
		r.Fatalf("token: wanted 200, got %d %v", status, doc)
	}
	return doc
}

// claims verifies a token by the published keys and returns its claims.
func (r *rig) claims(raw any) map[string]any {
	r.Helper()
	token, err := jwt.ParseSigned(raw.(string), []jose.SignatureAlgorithm{jose.RS512})
	if err != nil {
		r.Fatal(err)
	}
	var set jose.JSONWebKeySet
	r.getJSON("/.well-known/jwks.json", &set)
	keys := set.Key(token.Headers[0].KeyID)
	if len(keys) != 1 {
		r.Fatalf("key set: wanted one key of the token's kid, got %d", len(keys))
	}
	var out map[string]any
	if err := token.Claims(keys[0].Key, &out); err != nil {
		r.Fatal(err)
	}
	return out
}

func (r *rig) getJSON(path string, dst any) {
	r.Helper()
	resp, err := r.browser.Get(r.url + path)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(dst); err != nil {
		r.Fatal(err)
	}
}

// userinfo calls the endpoint with a token.
func (r *rig) userinfo(token any) (map[string]any, *http.Response) {
	r.Helper()
	req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/userinfo", nil)
	req.Header.Set("Authorization", fmt.Sprintf("Bearer %v", token))
	resp, err := r.browser.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	var doc map[string]any
	_ = json.NewDecoder(resp.Body).Decode(&doc)
	return doc, resp
}

func keysOf(m map[string]any) map[string]bool {
	out := map[string]bool{}
	for k := range m {
		out[k] = true
	}
	return out
}
