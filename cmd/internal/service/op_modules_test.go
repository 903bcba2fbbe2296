package service_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity/token"
)

// op is a certification module's patient and portal: a browser in which Mair is logged in
// already, at a portal that may have refresh tokens and that doesn't insist on PKCE, as
// the Basic plan sends none.
type op struct {
	*browser
	t *testing.T
}

// redeem trades where the portal was answered for tokens.
func (o op) redeem(to *url.URL, change ...string) page {
	o.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {callbackURL}, "code_verifier": {verifier}}
	for i := 0; i+1 < len(change); i += 2 {
		if form.Set(change[i], change[i+1]); change[i+1] == "" {
			form.Del(change[i])
		}
	}
	return o.token(form, portalID, portalSecret)
}

// claims asks for a code by those parameters, in the window, and returns the ID token's.
func (o op) claims(more ...string) map[string]any {
	o.t.Helper()
	return claimsIn(o.t, o.redeem(o.code("mair-prawf", more...)).tokens(o.t).IDToken)
}

// person is userinfo by the scopes asked for.
func (o op) person(scope string) map[string]any {
	o.t.Helper()
	raw := o.redeem(o.code("mair-prawf", "scope", scope)).tokens(o.t).AccessToken
	return jsonOf(o.t, o.w.bearer(o.t, http.MethodGet, "/userinfo", raw))
}

// has fails the module unless those names, and sub, are all that is there.
func (o op) has(got map[string]any, names ...string) {
	o.t.Helper()
	if want := slices.Sorted(slices.Values(append(names, "sub"))); !slices.Equal(want, slices.Sorted(maps.Keys(got))) {
		o.t.Errorf("wanted %v, got %v", want, slices.Sorted(maps.Keys(got)))
	}
}

// answered fails the module unless the portal got a code.
func (o op) answered(to *url.URL) {
	o.t.Helper()
	if to.Query().Get("code") == "" || to.Query().Get("state") != "state-of-the-portal" || to.Query().Get("iss") != o.w.url {
		o.t.Errorf("wanted a code with state and iss, got %s", to)
	}
}

// error fails the module unless the portal got that error.
func (o op) error(to *url.URL, code string) {
	o.t.Helper()
	mustBeAnsweredWith(o.t, to, code)
}

// asks sends an authorization request in the window and returns where it leads.
func (o op) asks(more ...string) *url.URL {
	o.t.Helper()
	return o.get(authorization(more...)).location(o.t)
}

// refreshed uses a refresh token.
func (o op) refreshed(raw, id, secret string, more ...string) page {
	o.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {raw}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return o.token(form, id, secret)
}

func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	must(t, json.Unmarshal([]byte(text), &v))
	return v
}

func jsonOf(t testing.TB, p page) map[string]any {
	t.Helper()
	return decode[map[string]any](t, p.body)
}

// profileClaims are what userinfo says for the scope profile.
var profileClaims = []string{"name", "given_name", "family_name", "birthdate", "locale"}

// opModules are the modules of the OpenID Foundation's suite for a provider that apply
// here, by their names: those of the Basic and Config plans, of RP-initiated logout, and
// of FAPI 2 what needs no sender-constrained token.
var opModules = map[string]func(o op){
	"oidcc-server": func(o op) {
		c := o.claims()
		if c["iss"] != o.w.url || c["aud"] != portalID || c["nonce"] != "nonce-of-the-portal" {
			o.t.Errorf("got %v", c)
		}
	},
	"oidcc-response-type-missing": func(o op) { o.error(o.asks("response_type", ""), "invalid_request") },
	"oidcc-idtoken-signature": func(o op) {
		o.w.signedAs(o.t, o.redeem(o.code("mair-prawf")).tokens(o.t).IDToken, "JWT")
	},
	"oidcc-idtoken-unsigned": func(o op) {
		algs := jsonOf(o.t, o.get("/.well-known/openid-configuration"))["id_token_signing_alg_values_supported"].([]any)
		if slices.Contains(algs, any("none")) {
			o.t.Error("unsigned ID tokens are offered")
		}
	},
	"oidcc-userinfo-get": func(o op) { o.has(o.person("openid")) },
	"oidcc-userinfo-post-header": func(o op) {
		raw := o.redeem(o.code("mair-prawf", "scope", "openid")).tokens(o.t).AccessToken
		o.has(jsonOf(o.t, o.w.bearer(o.t, http.MethodPost, "/userinfo", raw)))
	},
	"oidcc-userinfo-post-body": func(o op) {
		raw := o.redeem(o.code("mair-prawf", "scope", "openid")).tokens(o.t).AccessToken
		o.has(jsonOf(o.t, o.w.browser().at(o.t).send(http.MethodPost, "/userinfo", url.Values{"access_token": {raw}}, nil)))
	},
	"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": func(o op) {
		if c := o.claims("nonce", ""); c["nonce"] != nil {
			o.t.Errorf("a nonce that nobody sent: %v", c["nonce"])
		}
	},
	"oidcc-scope-profile": func(o op) { o.has(o.person("openid profile"), profileClaims...) },
	"oidcc-scope-email":   func(o op) { o.has(o.person("openid email"), "email", "email_verified") },
	"oidcc-scope-address": func(o op) { o.has(o.person("openid address")) }, // none is kept, and none is told
	"oidcc-scope-phone":   func(o op) { o.has(o.person("openid phone"), "phone_number", "phone_number_verified") },
	"oidcc-scope-all": func(o op) {
		o.has(o.person("openid profile email address phone"), append([]string{"email", "email_verified", "phone_number", "phone_number_verified"}, profileClaims...)...)
	},
	"oidcc-alternate-happy-flow": func(o op) { // parameters in another order, and scopes
		o.answered(o.get("/authorize?" + strings.Join([]string{
			"state=state-of-the-portal", "scope=email+openid", "response_type=code", "code_challenge_method=S256", "code_challenge=" + challengeOf(verifier),
			"redirect_uri=" + url.QueryEscape(callbackURL), "client_id=" + portalID,
		}, "&")).location(o.t))
	},
	"oidcc-display-page":  func(o op) { o.answered(o.asks("display", "page")) },
	"oidcc-display-popup": func(o op) { o.answered(o.asks("display", "popup")) },
	"oidcc-prompt-login": func(o op) {
		before := o.claims()
		o.w.clock.advance(2 * time.Second)
		if to := o.asks("prompt", "login"); to.Path == "/callback" {
			o.t.Fatal("wanted a login, got an answer")
		}
		if after := o.claims("prompt", "login"); after["auth_time"].(float64) <= before["auth_time"].(float64) || after["sub"] != before["sub"] {
			o.t.Errorf("wanted a later auth_time of the same patient, got %v after %v", after, before)
		}
	},
	"oidcc-prompt-none-not-logged-in": func(o op) { o.error(o.w.browser().at(o.t).silently(), "login_required") },
	"oidcc-prompt-none-logged-in":     func(o op) { o.answered(o.silently()) },
	"oidcc-max-age-1": func(o op) {
		o.w.clock.advance(2 * time.Second)
		if to := o.asks("max_age", "1"); to.Path == "/callback" {
			o.t.Fatal("wanted a login, got an answer")
		}
		if c := o.claims("max_age", "1"); c["auth_time"] == nil {
			o.t.Error("no auth_time")
		}
	},
	"oidcc-max-age-10000": func(o op) {
		to := o.asks("max_age", "10000")
		o.answered(to)
		if c := claimsIn(o.t, o.redeem(to).tokens(o.t).IDToken); c["auth_time"] == nil {
			o.t.Error("no auth_time")
		}
	},
	"oidcc-ensure-request-with-unknown-parameter-succeeds": func(o op) { o.answered(o.asks("extra", "foobar")) },
	"oidcc-id-token-hint": func(o op) {
		hint := o.redeem(o.asks()).tokens(o.t).IDToken
		o.answered(o.silently("id_token_hint", hint))
	},
	"oidcc-login-hint":     func(o op) { o.answered(o.asks("login_hint", "somebody@example.com")) },
	"oidcc-ui-locales":     func(o op) { o.answered(o.asks("ui_locales", "cy en")) },
	"oidcc-claims-locales": func(o op) { o.answered(o.asks("claims_locales", "cy")) },
	"oidcc-ensure-request-with-acr-values-succeeds": func(o op) {
		if c := o.claims("acr_values", "P9.Cp.Cd urn:mace:incommon:iap:silver"); c["acr"] != "P9.Cp.Cd" {
			o.t.Errorf("got %v", c["acr"])
		}
	},
	"oidcc-codereuse": func(o op) {
		to := o.asks()
		first := o.redeem(to).tokens(o.t)
		mustRefuseGrant(o.t, o.redeem(to), "invalid_grant")
		if p := o.w.bearer(o.t, http.MethodGet, "/userinfo", first.AccessToken); p.StatusCode != http.StatusUnauthorized {
			o.t.Errorf("the first use's token: wanted 401, got %d", p.StatusCode)
		}
	},
	"oidcc-codereuse-30seconds": func(o op) {
		to := o.asks()
		first := o.redeem(to).tokens(o.t)
		o.w.clock.advance(30 * time.Second)
		mustRefuseGrant(o.t, o.redeem(to), "invalid_grant")
		if p := o.w.bearer(o.t, http.MethodGet, "/userinfo", first.AccessToken); p.StatusCode != http.StatusUnauthorized {
			o.t.Errorf("the first use's token: wanted 401, got %d", p.StatusCode)
		}
	},
	"oidcc-ensure-registered-redirect-uri": func(o op) {
		if p := o.get(authorization("redirect_uri", callbackURL+"/other")); p.StatusCode != http.StatusBadRequest || p.Header.Get("Location") != "" {
			o.t.Errorf("wanted a page, got %d to %q", p.StatusCode, p.Header.Get("Location"))
		}
	},
	"oidcc-ensure-post-request-succeeds": func(o op) {
		_, query, _ := strings.Cut(authorization(), "?")
		form, err := url.ParseQuery(query)
		must(o.t, err)
		p := o.send(http.MethodPost, "/authorize", form, http.Header{"Origin": {portalURL}, "Sec-Fetch-Site": {"cross-site"}})
		o.answered(o.get(p.location(o.t).String()).location(o.t))
	},
	"oidcc-server-client-secret-post": func(o op) {
		form := url.Values{
			"grant_type": {"authorization_code"}, "code": {o.asks().Query().Get("code")}, "redirect_uri": {callbackURL}, "code_verifier": {verifier},
			"client_id": {portalID}, "client_secret": {portalSecret},
		}
		if p := o.w.browser().at(o.t).send(http.MethodPost, "/token", form, nil); p.StatusCode != http.StatusOK {
			o.t.Errorf("wanted 200, got %d %s", p.StatusCode, p.body)
		}
	},
	"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": func(o op) {
		o.error(o.asks("request_uri", "https://portal.example/request.jwt"), "request_uri_not_supported")
	},
	"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": func(o op) {
		o.error(o.asks("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported")
	},
	"oidcc-ensure-request-object-with-redirect-uri": func(o op) {
		o.error(o.asks("request", "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwifQ."), "request_not_supported")
	},
	"oidcc-claims-essential": func(o op) { o.answered(o.asks("claims", `{"userinfo":{"name":{"essential":true}}}`)) },
	"oidcc-refresh-token": func(o op) {
		first := jsonOf(o.t, o.redeem(o.asks("scope", "openid offline_access")))
		next := o.refreshed(first["refresh_token"].(string), portalID, portalSecret)
		if next.StatusCode != http.StatusOK || claimsIn(o.t, next.tokens(o.t).IDToken)["sub"] != claimsIn(o.t, first["id_token"].(string))["sub"] {
			o.t.Errorf("got %d %s", next.StatusCode, next.body)
		}
		raw, _ := jsonOf(o.t, next)["refresh_token"].(string)
		mustRefuseGrant(o.t, o.refreshed(raw, otherID, otherSecret), "invalid_grant")
	},
	"oidcc-ensure-request-with-valid-pkce-succeeds": func(o op) { o.answered(o.asks()) },
	"oidcc-discovery-endpoint-verification": func(o op) {
		d := jsonOf(o.t, o.get("/.well-known/openid-configuration"))
		for name, v := range d {
			if address, is := v.(string); is && strings.HasSuffix(name, "_endpoint") && !strings.HasPrefix(address, o.w.url+"/") {
				o.t.Errorf("%s: %s", name, address)
			}
		}
		if d["issuer"] != o.w.url || d["backchannel_logout_supported"] != true || d["backchannel_logout_session_supported"] != true {
			o.t.Errorf("got %v", d)
		}
	},
	"oidcc-server-rotate-keys": func(o op) {
		before := o.get("/jwks.json").body
		raw := o.redeem(o.asks()).tokens(o.t).IDToken
		o.w.clock.advance(token.KeyLife)
		must(o.t, o.w.Ring.Refresh(o.t.Context()))
		set := decode[jose.JSONWebKeySet](o.t, o.get("/jwks.json").body)
		kept := decode[jose.JSONWebKeySet](o.t, before).Keys[0].KeyID
		if len(set.Keys) < 2 || len(set.Key(kept)) == 0 {
			o.t.Errorf("wanted a new key beside the old one, got %d", len(set.Keys))
		}
		o.w.signedAs(o.t, raw, "JWT")
	},

	"oidcc-rp-initiated-logout": func(o op) {
		hint := o.redeem(o.asks()).tokens(o.t).IDToken
		to := o.endsBy("id_token_hint", hint, "post_logout_redirect_uri", portalURL+"/", "state", "s").location(o.t)
		if to.Query().Get("state") != "s" || !strings.HasPrefix(to.String(), portalURL+"/") {
			o.t.Errorf("led to %s", to)
		}
		o.error(o.silently(), "login_required")
	},
	"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri":            func(o op) { o.staysBy("post_logout_redirect_uri", "https://evil.example/") },
	"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": func(o op) { o.staysBy("post_logout_redirect_uri", portalURL+"/?a=b") },
	"oidcc-rp-initiated-logout-bad-id-token-hint": func(o op) {
		o.staysBy("id_token_hint", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "post_logout_redirect_uri", portalURL+"/")
	},
	"oidcc-rp-initiated-logout-modified-id-token-hint": func(o op) {
		parts := strings.Split(o.redeem(o.asks()).tokens(o.t).IDToken, ".")
		o.staysBy("id_token_hint", "eyJhbGciOiJub25lIn0."+parts[1]+".", "post_logout_redirect_uri", portalURL+"/")
	},
	"oidcc-rp-initiated-logout-no-id-token-hint": func(o op) { o.staysBy("post_logout_redirect_uri", portalURL+"/") },
	"oidcc-rp-initiated-logout-no-params":        func(o op) { o.staysBy() },
	"oidcc-rp-initiated-logout-only-state":       func(o op) { o.staysBy("state", "s") },
	"oidcc-rp-initiated-logout-no-post-logout-redirect-uri": func(o op) {
		hint := o.redeem(o.asks()).tokens(o.t).IDToken
		if p := o.endsBy("id_token_hint", hint); p.StatusCode != http.StatusOK {
			o.t.Errorf("wanted a page, got %d", p.StatusCode)
		}
		o.error(o.silently(), "login_required")
	},
	"oidcc-rp-initiated-logout-no-state": func(o op) {
		hint := o.redeem(o.asks()).tokens(o.t).IDToken
		if to := o.endsBy("id_token_hint", hint, "post_logout_redirect_uri", portalURL+"/").location(o.t); to.Query().Has("state") {
			o.t.Errorf("led to %s", to)
		}
	},

	"fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second": func(o op) {
		to := o.asks()
		o.redeem(to)
		o.w.clock.advance(time.Second)
		mustRefuseGrant(o.t, o.redeem(to), "invalid_grant")
	},
	"fapi2-security-profile-final-check-authorization-code-expires-within-60-seconds": func(o op) {
		to := o.asks()
		o.w.clock.advance(61 * time.Second)
		mustRefuseGrant(o.t, o.redeem(to), "invalid_grant")
	},
	"fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client": func(o op) {
		form := url.Values{"grant_type": {"authorization_code"}, "code": {o.asks().Query().Get("code")}, "redirect_uri": {callbackURL}, "code_verifier": {verifier}}
		mustRefuseGrant(o.t, o.token(form, otherID, otherSecret), "invalid_grant")
	},
	"fapi2-security-profile-final-par-plain-pkce-rejected":   func(o op) { o.pushRefused("code_challenge_method", "plain") },
	"fapi2-security-profile-final-par-without-pkce-rejected": func(o op) { o.pushRefused("code_challenge", "", "code_challenge_method", "") },
	"fapi2-security-profile-final-incorrect-pkce-code-verifier-rejected": func(o op) {
		mustRefuseGrant(o.t, o.redeem(o.asks(), "code_verifier", strings.Repeat("x", 43)), "invalid_grant")
	},
	"fapi2-security-profile-final-ensure-request-object-without-code-verifier-fails": func(o op) {
		mustRefuseGrant(o.t, o.redeem(o.asks(), "code_verifier", ""), "invalid_grant")
	},
	"fapi2-security-profile-final-par-attempt-reuse-request-uri": func(o op) {
		uri := o.pushes()
		o.answered(o.get(pushedRequest(uri)).location(o.t))
		if p := o.get(pushedRequest(uri)); p.StatusCode != http.StatusBadRequest {
			o.t.Errorf("wanted it refused, got %d", p.StatusCode)
		}
	},
	"fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": func(o op) {
		stranger, uri := o.w.browser().at(o.t), o.pushes()
		for range 2 {
			if to := stranger.get(pushedRequest(uri)).location(o.t); to.Path != "/login" {
				o.t.Errorf("wanted the login, got %s", to)
			}
		}
	},
	"fapi2-security-profile-final-par-attempt-to-use-expired-request-uri": func(o op) {
		uri := o.pushes()
		o.w.clock.advance(61 * time.Second)
		if p := o.get(pushedRequest(uri)); p.StatusCode != http.StatusBadRequest {
			o.t.Errorf("wanted it refused, got %d", p.StatusCode)
		}
	},
	"fapi2-security-profile-final-par-attempt-to-use-request-uri-for-different-client": func(o op) {
		uri := o.pushes()
		if p := o.get("/authorize?" + url.Values{"client_id": {otherID}, "request_uri": {uri}}.Encode()); p.StatusCode != http.StatusBadRequest {
			o.t.Errorf("wanted it refused, got %d", p.StatusCode)
		}
	},
	"fapi2-security-profile-final-par-authorization-request-containing-request-uri": func(o op) {
		if p := o.push("request_uri", "urn:ietf:params:oauth:request_uri:x"); p.StatusCode != http.StatusBadRequest {
			o.t.Errorf("wanted it refused, got %d", p.StatusCode)
		}
	},
	"fapi2-security-profile-final-par-endpoint-with-invalid-http-method": func(o op) {
		if p := o.get("/par"); p.StatusCode != http.StatusMethodNotAllowed {
			o.t.Errorf("wanted 405, got %d", p.StatusCode)
		}
	},
	"fapi2-security-profile-final-ensure-authorization-request-with-long-nonce": func(o op) {
		long := strings.Repeat("n", 64)
		if c := o.claims("nonce", long); c["nonce"] != long {
			o.t.Errorf("got %v", c["nonce"])
		}
	},
	"fapi2-security-profile-final-ensure-authorization-request-with-long-state": func(o op) {
		long := strings.Repeat("s", 384)
		if to := o.asks("state", long); to.Query().Get("state") != long {
			o.t.Errorf("got %s", to)
		}
	},
	"fapi2-security-profile-final-user-rejects-authentication": func(o op) {
		stranger := o.w.browser().at(o.t)
		request := stranger.get(authorization()).location(o.t).Query().Get("request")
		o.error(stranger.get("/authorize?request="+request+"&decline=1").location(o.t), "access_denied")
	},
}

// endsBy asks for the end of the session, in the window.
func (o op) endsBy(more ...string) page {
	o.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return o.send(http.MethodGet, "/end-session?"+values.Encode(), nil, http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}})
}

// staysBy fails the module unless the patient is asked first, and is led nowhere.
func (o op) staysBy(more ...string) {
	o.t.Helper()
	if p := o.endsBy(more...); p.StatusCode != http.StatusOK || p.Header.Get("Location") != "" {
		o.t.Errorf("wanted a page that asks, got %d to %q", p.StatusCode, p.Header.Get("Location"))
	}
	o.answered(o.silently())
}

// push pushes a request of the portal's.
func (o op) push(more ...string) page {
	o.t.Helper()
	_, query, _ := strings.Cut(authorization(more...), "?")
	form, err := url.ParseQuery(query)
	must(o.t, err)
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(portalID, portalSecret)
	return o.w.browser().at(o.t).send(http.MethodPost, "/par", form, r.Header)
}

// pushRefused wants a pushed request refused at once (RFC 9126 §2.3).
func (o op) pushRefused(more ...string) {
	o.t.Helper()
	if p := o.push(more...); p.StatusCode != http.StatusBadRequest || jsonOf(o.t, p)["error"] != "invalid_request" {
		o.t.Errorf("wanted invalid_request, got %d: %s", p.StatusCode, p.body)
	}
}

func (o op) pushes() string {
	o.t.Helper()
	uri, _ := jsonOf(o.t, o.push())["request_uri"].(string)
	return uri
}

func pushedRequest(uri string) string {
	return "/authorize?" + url.Values{"client_id": {portalID}, "request_uri": {uri}}.Encode()
}

// TestOPModules runs every module on one service, each in a browser of its own.
func TestOPModules(t *testing.T) {
	w := newWorld(t, withOtherPortals(t))
	w.rebuild(func(c *service.Config) {
		c.Portals[0].Scopes = append(slices.Clone(c.Portals[0].Scopes), "offline_access")
	})
	for _, name := range slices.Sorted(maps.Keys(opModules)) {
		t.Run(name, func(t *testing.T) {
			b := w.browser().at(t)
			b.login("mair-prawf")
			opModules[name](op{b, t})
		})
	}
}
