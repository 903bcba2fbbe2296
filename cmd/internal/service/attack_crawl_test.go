package service_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp"
	rppage "github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/portal"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// strictURL is what a world's front door is called behind https.
const strictURL = "https://login.example.org"

// strictFront is the front door over a world's rooms as it stands behind https.
type strictFront struct {
	*rp.Server
	w *world
}

// strictFront builds it: cookies with prefix and Secure, HSTS, and all else that
// plain http on loopback does without.
func (w *world) strictFront() strictFront {
	w.t.Helper()
	public, err := url.Parse(strictURL)
	must(w.t, err)
	name := map[string]string{"en": "Example Health Board", "cy": "Bwrdd Iechyd Enghreifftiol"}
	nhsLogin := rppage.Provider{ID: "nhs-login", Kind: rppage.KindNHSLogin, Name: rppage.Words{"en": "NHS login", "cy": "NHS login"}}
	pages, err := rppage.New(rppage.Options{
		Languages: []string{"en", "cy"}, ServiceHost: public.Host, Organisation: rppage.Organisation{Name: name}, Providers: []rppage.Provider{nhsLogin},
	})
	must(w.t, err)
	high := []identity.Trust{{P: identity.P9, C: identity.Cp | identity.Cd}}
	portals, err := portal.New(portal.Options{
		Issuer: strictURL, Languages: []string{"en", "cy"}, Reachable: high, MinimumAge: 16,
		Portals: []portal.Portal{{
			ID: portalID, Name: name, RedirectURIs: []string{callbackURL}, PostLogoutRedirectURIs: []string{portalURL + "/"},
			Secret: identity.Secret(portalSecret), Scopes: []string{"openid", "profile", "email", "phone", "nhs_number"}, Trust: high, Audience: strictURL,
		}},
		Grants: w.DB.Grants(), Sessions: w.Sessions, Accounts: w.Accounts, Ledger: w.Ledger, Ring: w.Ring, Now: w.clock.Now, Note: rp.Note,
	})
	must(w.t, err)
	limits := session.Limits{Idle: 30 * time.Minute, Absolute: 12 * time.Hour}
	return strictFront{w: w, Server: rp.New(rp.Options{
		PublicURL: public, Languages: []string{"en", "cy"}, SecurityContact: "mailto:security@example.org",
		OwnDoor: attempt.Door{MinimumAge: 16}, Notice: func() rppage.Words { return nil }, Pages: pages, Portals: portals,
		Providers: []rp.Provider{{Provider: w.Providers[0], Words: nhsLogin, Prompt: rp.PromptAuto}},
		Attempts: attempt.New(attempt.Options{
			Store: w.DB.Attempts(), Journeys: w.DB.Attempts(), Accounts: w.Accounts, Sessions: w.Sessions, Ledger: w.Ledger, Limits: limits, Now: w.clock.Now,
		}),
		Sessions: w.Sessions, Accounts: w.Accounts, Ledger: w.Ledger, Events: w.DB.Audit(), Factors: w.Factors, Now: w.clock.Now,
		Log: slog.New(slog.NewJSONHandler(w.log, nil)), Observe: func(string, int, time.Duration) {},
	})}
}

// visitor is a browser at a strict front. It looks at every answer's headers and
// cookies.
type visitor struct {
	strictFront
	t       *testing.T
	cookies map[string]string
	header  http.Header
}

func (f strictFront) visitor(t *testing.T) *visitor {
	return &visitor{strictFront: f, t: t, cookies: map[string]string{}, header: http.Header{}}
}

// do sends a request; a form is sent as a page of ours would.
func (v *visitor) do(method, target string, form url.Values) answered {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), method, strictURL+target, strings.NewReader(form.Encode()))
	r.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", strictURL)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	maps.Copy(r.Header, v.header)
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	v.ServeHTTP(w, r)
	out := answered{w.Result(), w.Body.String()}
	for _, c := range out.Cookies() {
		mustBeStrict(v.t, c)
		if v.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	mustBeGuarded(v.t, method+" "+target, out.Header)
	return out
}

// answered is an answer with its body read.
type answered struct {
	*http.Response
	body string
}

// mustBeStrict judges a cookie that is set behind https (RFC 6265bis §4.1.3.2).
func mustBeStrict(t testing.TB, c *http.Cookie) {
	t.Helper()
	if !strings.HasPrefix(c.Name, "__Host-dilys") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %s: wanted __Host-, Secure, HttpOnly, SameSite=Lax, Path=/ and no Domain, got %s", c.Name, strings.Replace(c.String(), c.Value, "…", 1))
	}
}

// always is what every answer carries, errors included.
var always = map[string]string{
	"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
	"Referrer-Policy": "same-origin",
}

// mustBeGuarded judges the headers of an answer behind https.
func mustBeGuarded(t testing.TB, what string, h http.Header) {
	t.Helper()
	for name, value := range always {
		if got := h.Values(name); len(got) != 1 || got[0] != value {
			t.Errorf("%s: %s: wanted %q once, got %q", what, name, value, got)
		}
	}
	if h.Get("Permissions-Policy") == "" || len(h.Values("Cache-Control")) != 1 {
		t.Errorf("%s: wanted Permissions-Policy and one Cache-Control, got %q", what, h.Values("Cache-Control"))
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") || name == "Server" || name == "X-Powered-By" {
			t.Errorf("%s: wanted no %s", what, name)
		}
	}
	mustForbidInline(t, what, h)
}

// mustForbidInline judges the policy of a page: nothing of its own text runs, and
// nothing comes from elsewhere.
func mustForbidInline(t testing.TB, what string, h http.Header) {
	t.Helper()
	policies := h.Values("Content-Security-Policy")
	if len(policies) != 1 {
		t.Errorf("%s: wanted one Content-Security-Policy, got %d", what, len(policies))
		return
	}
	directives := map[string]string{}
	for _, d := range strings.Split(policies[0], ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), " ")
		directives[name] = value
	}
	for name, wanted := range map[string]string{
		"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'", "object-src": "'none'",
	} {
		if directives[name] != wanted {
			t.Errorf("%s: %s: wanted %s, got %q", what, name, wanted, directives[name])
		}
	}
	for _, source := range strings.Fields(directives["form-action"]) {
		if source != "'self'" && !strings.HasPrefix(source, "http://127.0.0.1:") {
			t.Errorf("%s: form-action: wanted ourselves, a provider and a waiting portal, got %s", what, source)
		}
	}
	if strings.Contains(policies[0], "unsafe") || strings.Contains(policies[0], "*") || strings.Contains(policies[0], "data:") || directives["form-action"] == "" {
		t.Errorf("%s: wanted a policy without a hole, got %q", what, policies[0])
	}
}

// knownLinks are the outside addresses in our own texts.
var knownLinks = []string{"https://111.nhs.uk", "https://ico.org.uk", "https://www.equalityadvisoryservice.com", rppage.Elsewhere}

// mustBeOurs reads a page and fails if there is anything in it that the templates
// do not have: a script of its own, a handler, a frame, a link elsewhere. more are
// prefixes of addresses that may be linked to as well.
func mustBeOurs(t testing.TB, p interface{ text() string }, more ...string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(p.text()))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	inScript := false
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the page can't be read: %v", err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			inScript = e.Name.Local == "script"
			mustBeOurElement(t, e, append(knownLinks, more...))
		case xml.EndElement:
			inScript = false
		case xml.CharData:
			if inScript && len(bytes.TrimSpace(e)) > 0 {
				t.Errorf("a script of its own: %.80q", e)
			}
		}
	}
}

func mustBeOurElement(t testing.TB, e xml.StartElement, links []string) {
	t.Helper()
	switch e.Name.Local {
	case "iframe", "frame", "object", "embed", "base", "style", "svg", "math", "marquee", "portal", "applet":
		t.Errorf("an element <%s>", e.Name.Local)
	}
	leavesAtOnce := slices.Contains(e.Attr, xml.Attr{Name: xml.Name{Local: "content"}, Value: "0; url=" + rppage.Elsewhere})
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		switch {
		case name == "http-equiv" && leavesAtOnce: // "Exit this page"
		case strings.HasPrefix(name, "on"), name == "style", name == "srcdoc", name == "http-equiv":
			t.Errorf("an attribute %s of <%s>", name, e.Name.Local)
		case name == "href", name == "src", name == "action", name == "formaction", name == "data", name == "poster":
			if !leadsWithin(a.Value, links) {
				t.Errorf("<%s %s> leads to %q", e.Name.Local, name, a.Value)
			}
		}
	}
}

// leadsWithin reports whether a browser that follows the address stays with us, or
// goes where it may.
func leadsWithin(address string, allowed []string) bool {
	for _, prefix := range append([]string{"#", "tel:", "mailto:"}, allowed...) {
		if strings.HasPrefix(address, prefix) {
			return true
		}
	}
	return isOwnPath(address)
}

// isOwnPath reports whether every browser reads the address as a path of the host
// that it came from: WHATWG URL takes a backslash for a slash, and drops tabs and
// line ends.
func isOwnPath(address string) bool {
	u, err := url.Parse(address)
	return err == nil && strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.HasPrefix(address, `/\`) &&
		u.Host == "" && u.Scheme == "" && strings.IndexFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) < 0
}

func (p page) text() string { return p.body }

func (a answered) text() string { return a.body }

// sent is one request of the crawl, and the status that it wants.
type sent struct {
	method, target string
	form           url.Values
	loggedIn       bool
	status         int
	kept           string // Cache-Control; empty: no-store
}

// crawl has every route at least once. "" is what no route takes.
var crawl = map[string][]sent{
	"/": {{http.MethodGet, "/", nil, false, 303, ""}},
	"/login": {
		{http.MethodGet, "/login", nil, false, 200, ""},
		{http.MethodGet, "/login?lang=cy&device=shared&return=/account", nil, false, 200, ""},
		{http.MethodGet, "/login?request=gone", nil, false, 400, ""},
		{http.MethodGet, "/login", nil, true, 303, ""},
		{http.MethodGet, "/login?again=1", nil, true, 200, ""},
		{http.MethodGet, "/login?x=" + strings.Repeat("x", 33<<10), nil, false, 414, ""},
	},
	"/login/{provider}": {
		{http.MethodGet, "/login/nhs-login", nil, false, 303, ""},
		{http.MethodPost, "/login/nhs-login", url.Values{}, false, 303, ""},
		{http.MethodGet, "/login/nowhere", nil, false, 404, ""},
		{http.MethodPost, "/login/nowhere", url.Values{}, false, 404, ""},
	},
	"/login/{provider}/callback": {
		{http.MethodGet, "/login/nhs-login/callback", nil, false, 400, ""},
		{http.MethodGet, "/login/nhs-login/callback?error=access_denied", nil, true, 400, ""},
		{http.MethodGet, "/login/nowhere/callback", nil, false, 404, ""},
	},
	"/step-up": {
		{http.MethodGet, "/step-up", nil, false, 303, ""},
		{http.MethodGet, "/step-up", nil, true, 303, ""},
		{http.MethodGet, "/step-up?request=gone", nil, true, 400, ""},
		{http.MethodGet, "/step-up?return=/account/second-way&way=card", nil, true, 303, ""},
		{http.MethodPost, "/step-up", url.Values{"way": {"phone"}, "code": {"123456"}}, false, 303, ""},
		{http.MethodPost, "/step-up", url.Values{"way": {"phone"}, "send": {"yes"}}, true, 303, ""},
	},
	"/account":                   {{http.MethodGet, "/account", nil, false, 303, ""}, {http.MethodGet, "/account", nil, true, 200, ""}},
	"/account/provider-settings": {{http.MethodGet, "/account/provider-settings", nil, false, 303, ""}, {http.MethodGet, "/account/provider-settings", nil, true, 303, ""}},
	// Nobody can sign up in this world: what an open door does, the journeys of its own show.
	"/login/email":            {{http.MethodGet, "/login/email", nil, false, 404, ""}, {http.MethodPost, "/login/email", url.Values{"email": {"a@example.com"}}, false, 404, ""}},
	"/login/email/code":       {{http.MethodGet, "/login/email/code", nil, false, 400, ""}, {http.MethodPost, "/login/email/code", url.Values{"code": {"123456"}}, false, 400, ""}},
	"/login/email/card":       {{http.MethodGet, "/login/email/card", nil, false, 400, ""}, {http.MethodPost, "/login/email/card", url.Values{"card_code": {"x"}}, false, 400, ""}},
	"/login/email/app":        {{http.MethodGet, "/login/email/app", nil, false, 400, ""}, {http.MethodPost, "/login/email/app", url.Values{"code": {"123456"}}, false, 400, ""}},
	"/login/email/lost-phone": {{http.MethodGet, "/login/email/lost-phone", nil, false, 200, ""}},
	"/sign-up":                {{http.MethodGet, "/sign-up", nil, false, 404, ""}, {http.MethodPost, "/sign-up", url.Values{"old_enough": {"yes"}}, false, 404, ""}},
	"/sign-up/too-young":      {{http.MethodGet, "/sign-up/too-young", nil, false, 200, ""}, {http.MethodPost, "/sign-up/too-young", url.Values{}, false, 422, ""}},
	"/sign-up/{page}":         {{http.MethodGet, "/sign-up/email", nil, false, 400, ""}, {http.MethodPost, "/sign-up/check", url.Values{}, false, 400, ""}},
	"/recover":                {{http.MethodGet, "/recover", nil, false, 404, ""}, {http.MethodPost, "/recover", url.Values{"email": {"a@example.com"}}, false, 404, ""}},
	"/recover/sent":           {{http.MethodGet, "/recover/sent", nil, false, 200, ""}},
	"/recover/link":           {{http.MethodGet, "/recover/link", nil, false, 400, ""}, {http.MethodPost, "/recover/link", url.Values{}, false, 400, ""}},
	"/recover/{token}":        {{http.MethodGet, "/recover/nothing", nil, false, 400, ""}},
	"/recover/factor":         {{http.MethodGet, "/recover/factor", nil, false, 400, ""}, {http.MethodPost, "/recover/factor", url.Values{"code": {"123456"}}, false, 400, ""}},
	"/recover/password":       {{http.MethodGet, "/recover/password", nil, false, 400, ""}, {http.MethodPost, "/recover/password", url.Values{"password": {"x"}}, false, 400, ""}},
	"/courier/receipts":       {{http.MethodPost, "/courier/receipts", url.Values{}, false, 404, ""}},
	"/recover/done":           {{http.MethodGet, "/recover/done", nil, false, 200, ""}},
	"/recover/help":           {{http.MethodGet, "/recover/help", nil, false, 200, ""}},
	"/recover/email":          {{http.MethodGet, "/recover/email", nil, false, 404, ""}, {http.MethodPost, "/recover/email", url.Values{"phone": {"07700900123"}}, false, 404, ""}},
	"/account/email": {
		{http.MethodGet, "/account/email", nil, false, 303, ""},
		{http.MethodGet, "/account/email", nil, true, 404, ""},
		{http.MethodPost, "/account/email", url.Values{"email": {"x@example.com"}}, false, 303, ""},
		{http.MethodPost, "/account/email", url.Values{"email": {"x@example.com"}}, true, 404, ""},
	},
	"/account/email-code": {
		{http.MethodGet, "/account/email-code", nil, true, 404, ""},
		{http.MethodPost, "/account/email-code", url.Values{"code": {"123456"}}, false, 303, ""},
		{http.MethodPost, "/account/email-code", url.Values{"code": {"123456"}}, true, 404, ""},
	},
	"/account/email-held": {{http.MethodGet, "/account/email-held", nil, false, 303, ""}, {http.MethodPost, "/account/email-held", url.Values{}, true, 404, ""}},
	"/account/phone": {
		{http.MethodGet, "/account/phone", nil, false, 303, ""},
		{http.MethodGet, "/account/phone", nil, true, 404, ""},
		{http.MethodPost, "/account/phone", url.Values{"phone": {"07700900123"}}, false, 303, ""},
		{http.MethodPost, "/account/phone", url.Values{"phone": {"07700900123"}}, true, 404, ""},
	},
	"/account/phone-code": {
		{http.MethodGet, "/account/phone-code", nil, true, 404, ""},
		{http.MethodPost, "/account/phone-code", url.Values{"code": {"123456"}}, false, 303, ""},
		{http.MethodPost, "/account/phone-code", url.Values{"code": {"123456"}}, true, 404, ""},
	},
	"/account/phone-held": {{http.MethodGet, "/account/phone-held", nil, false, 303, ""}, {http.MethodPost, "/account/phone-held", url.Values{}, true, 404, ""}},
	"/stop-change":        {{http.MethodGet, "/stop-change", nil, false, 410, ""}, {http.MethodPost, "/stop-change", url.Values{}, true, 410, ""}},
	"/stop/{token}":       {{http.MethodGet, "/stop/nothing", nil, false, 410, ""}},
	"/account/providers":  {{http.MethodGet, "/account/providers", nil, false, 303, ""}, {http.MethodGet, "/account/providers", nil, true, 200, ""}},
	"/account/providers/{provider}": {
		{http.MethodPost, "/account/providers/nhs-login", url.Values{}, false, 303, ""},
		{http.MethodPost, "/account/providers/nobody", url.Values{}, true, 404, ""},
	},
	"/account/providers/{provider}/remove": {
		{http.MethodGet, "/account/providers/nhs-login/remove", nil, false, 303, ""},
		{http.MethodGet, "/account/providers/nhs-login/remove", nil, true, 200, ""},
		{http.MethodPost, "/account/providers/nhs-login/remove", url.Values{}, true, 303, ""},
		{http.MethodGet, "/account/providers/nobody/remove", nil, true, 404, ""},
	},
	"/recover/nhs-login":             {{http.MethodGet, "/recover/nhs-login", nil, false, 200, ""}, {http.MethodGet, "/recover/nhs-login?lang=cy", nil, true, 200, ""}},
	"/login/passkey":                 {{http.MethodPost, "/login/passkey", url.Values{"credential": {"{}"}}, false, 404, ""}},
	"/step-up/passkey":               {{http.MethodPost, "/step-up/passkey", url.Values{"credential": {"{}"}}, false, 303, ""}},
	"/account/passkeys":              {{http.MethodGet, "/account/passkeys", nil, false, 303, ""}, {http.MethodGet, "/account/passkeys", nil, true, 404, ""}, {http.MethodPost, "/account/passkeys", url.Values{}, true, 404, ""}},
	"/account/passkeys/offer":        {{http.MethodGet, "/account/passkeys/offer", nil, false, 303, ""}, {http.MethodGet, "/account/passkeys/offer", nil, true, 303, ""}},
	"/account/passkeys/{key}":        {{http.MethodPost, "/account/passkeys/x", url.Values{"name": {"x"}}, false, 303, ""}, {http.MethodPost, "/account/passkeys/x", url.Values{"name": {"x"}}, true, 404, ""}},
	"/account/passkeys/{key}/remove": {{http.MethodGet, "/account/passkeys/x/remove", nil, false, 303, ""}, {http.MethodGet, "/account/passkeys/x/remove", nil, true, 303, ""}, {http.MethodPost, "/account/passkeys/x/remove", url.Values{}, true, 303, ""}},
	"/.well-known/passkey-endpoints": {{http.MethodGet, "/.well-known/passkey-endpoints", nil, false, 404, ""}},
	"/account/quiet":                 {{http.MethodGet, "/account/quiet", nil, false, 303, ""}, {http.MethodGet, "/account/quiet", nil, true, 200, ""}, {http.MethodPost, "/account/quiet", url.Values{"quiet": {"no"}}, false, 303, ""}},
	"/exit":                          {{http.MethodPost, "/exit", url.Values{}, false, 200, ""}, {http.MethodPost, "/exit", url.Values{}, true, 200, ""}, {http.MethodGet, "/exit", nil, true, 405, ""}},
	"/account/two-step": {
		{http.MethodGet, "/account/two-step", nil, false, 303, ""},
		{http.MethodGet, "/account/two-step", nil, true, 404, ""},
		{http.MethodPost, "/account/two-step", url.Values{"way": {"totp"}}, false, 303, ""},
		{http.MethodPost, "/account/two-step", url.Values{"way": {"totp"}}, true, 404, ""},
	},
	"/account/authenticator": {
		{http.MethodGet, "/account/authenticator", nil, false, 303, ""},
		{http.MethodGet, "/account/authenticator", nil, true, 404, ""},
		{http.MethodPost, "/account/authenticator", url.Values{}, false, 303, ""},
		{http.MethodPost, "/account/authenticator", url.Values{}, true, 404, ""},
	},
	"/account/authenticator/code": {
		{http.MethodGet, "/account/authenticator/code", nil, false, 303, ""},
		{http.MethodPost, "/account/authenticator/code", url.Values{"code": {"123456"}}, false, 303, ""},
		{http.MethodPost, "/account/authenticator/code", url.Values{"code": {"123456"}}, true, 404, ""},
	},
	"/account/authenticator/remove": {
		{http.MethodGet, "/account/authenticator/remove", nil, false, 303, ""},
		{http.MethodPost, "/account/authenticator/remove", url.Values{}, false, 303, ""},
		{http.MethodPost, "/account/authenticator/remove", url.Values{}, true, 404, ""},
	},
	"/account/second-way":      {{http.MethodGet, "/account/second-way", nil, false, 303, ""}, {http.MethodGet, "/account/second-way", nil, true, 404, ""}, {http.MethodPost, "/account/second-way", url.Values{}, false, 303, ""}},
	"/account/second-way/done": {{http.MethodPost, "/account/second-way/done", url.Values{}, false, 303, ""}},
	"/account/activation":      {{http.MethodGet, "/account/activation", nil, false, 303, ""}, {http.MethodPost, "/account/activation", url.Values{}, true, 404, ""}},
	"/account/not-my-number":   {{http.MethodGet, "/account/not-my-number", nil, false, 303, ""}, {http.MethodGet, "/account/not-my-number", nil, true, 200, ""}, {http.MethodPost, "/account/not-my-number", url.Values{}, true, 200, ""}},
	"/account/not-my-record":   {{http.MethodGet, "/account/not-my-record", nil, true, 200, ""}, {http.MethodPost, "/account/not-my-record", url.Values{}, false, 303, ""}},
	"/login/email/let-in":      {{http.MethodGet, "/login/email/let-in", nil, false, 400, ""}, {http.MethodPost, "/login/email/let-in", url.Values{"recovery_code": {"x"}}, false, 400, ""}},
	"/recover/let-in":          {{http.MethodGet, "/recover/let-in", nil, false, 400, ""}, {http.MethodPost, "/recover/let-in", url.Values{"recovery_code": {"x"}}, false, 400, ""}},
	"/account/regained":        {{http.MethodGet, "/account/regained", nil, false, 303, ""}, {http.MethodGet, "/account/regained", nil, true, 303, ""}},
	"/account/delete":          {{http.MethodGet, "/account/delete", nil, false, 303, ""}, {http.MethodGet, "/account/delete", nil, true, 200, ""}, {http.MethodPost, "/account/delete", url.Values{}, true, 422, ""}},
	"/account/keep":            {{http.MethodPost, "/account/keep", url.Values{}, false, 303, ""}, {http.MethodPost, "/account/keep", url.Values{}, true, 303, ""}},
	"/account/export":          {{http.MethodGet, "/account/export", nil, false, 303, ""}, {http.MethodGet, "/account/export", nil, true, 200, ""}},
	"/account/export/file":     {{http.MethodGet, "/account/export/file", nil, false, 303, ""}, {http.MethodGet, "/account/export/file", nil, true, 200, ""}},
	"/account/linkage":         {{http.MethodGet, "/account/linkage", nil, false, 303, ""}, {http.MethodGet, "/account/linkage", nil, true, 404, ""}, {http.MethodPost, "/account/linkage", url.Values{}, true, 404, ""}},
	"/account/sessions":        {{http.MethodPost, "/account/sessions", url.Values{"others": {"yes"}}, false, 303, ""}, {http.MethodPost, "/account/sessions", url.Values{"session": {"x"}}, true, 303, ""}},
	"/account/activity":        {{http.MethodGet, "/account/activity", nil, false, 303, ""}, {http.MethodGet, "/account/activity", nil, true, 200, ""}},
	"/account/activity/not-me": {{http.MethodGet, "/account/activity/not-me", nil, false, 303, ""}, {http.MethodGet, "/account/activity/not-me?event=x", nil, true, 404, ""}, {http.MethodPost, "/account/activity/not-me", url.Values{"event": {"x"}}, true, 404, ""}},
	"/account/browsers":        {{http.MethodPost, "/account/browsers", url.Values{}, false, 303, ""}},
	"/logout": {
		{http.MethodGet, "/logout", nil, false, 303, ""},
		{http.MethodGet, "/logout", nil, true, 200, ""},
		{http.MethodPost, "/logout", url.Values{"%": {strings.Repeat("x", 65<<10)}}, true, 400, ""},
		{http.MethodPost, "/logout", url.Values{}, false, 303, ""},
		{http.MethodPost, "/logout", url.Values{}, true, 303, ""},
	},
	"/logged-out":                  {{http.MethodGet, "/logged-out", nil, false, 200, ""}, {http.MethodGet, "/logged-out?provider=nhs-login", nil, false, 200, ""}},
	"/help":                        {{http.MethodGet, "/help", nil, false, 200, ""}, {http.MethodGet, "/help?lang=cy", nil, true, 200, ""}},
	"/privacy":                     {{http.MethodGet, "/privacy", nil, false, 200, ""}},
	"/cookies":                     {{http.MethodGet, "/cookies", nil, false, 200, ""}},
	"/accessibility":               {{http.MethodGet, "/accessibility", nil, false, 200, ""}},
	"/.well-known/change-password": {{http.MethodGet, "/.well-known/change-password", nil, false, 303, ""}},
	"/authorize": {
		{http.MethodGet, "/authorize", nil, false, 400, ""},
		{http.MethodGet, authorization(), nil, false, 303, ""},
		{http.MethodGet, authorization("redirect_uri", "https://attacker.example"), nil, true, 400, ""},
		{http.MethodPost, "/authorize", authorizationValues(), false, 303, ""},
	},
	"/end-session": {
		{http.MethodGet, "/end-session", nil, false, 200, ""},
		{http.MethodGet, "/end-session?client_id=my-health&post_logout_redirect_uri=http://127.0.0.1:9/", nil, true, 200, ""},
		{http.MethodGet, "/end-session?state=1&state=2", nil, false, 400, ""},
		{http.MethodPost, "/end-session", url.Values{}, true, 200, ""},
	},
	"/.well-known/openid-configuration": {{http.MethodGet, "/.well-known/openid-configuration", nil, false, 200, "public, max-age=900"}},
	"/jwks.json":                        {{http.MethodGet, "/jwks.json", nil, false, 200, "public, max-age=900"}},
	"/token":                            {{http.MethodPost, "/token", url.Values{}, false, 401, ""}, {http.MethodGet, "/token", nil, false, 405, ""}},
	"/gate": {
		{http.MethodGet, "/gate", nil, false, 400, ""},
		{http.MethodGet, "/gate?host=attacker.example&start=x&to=//attacker.example", nil, true, 400, ""},
		{http.MethodGet, "/gate?failed=loop", nil, false, 403, ""},
		{http.MethodGet, "/gate?failed=away", nil, false, 503, ""},
	},
	"/.dilys/start": {{http.MethodGet, "/.dilys/start?to=/", nil, true, 404, ""}},
	"/.dilys/enter": {{http.MethodGet, "/.dilys/enter?code=x&to=/", nil, true, 404, ""}},
	"/login/{provider}/logged-out": {
		{http.MethodPost, "/login/nhs-login/logged-out", url.Values{"logout_token": {"x"}}, true, 400, ""},
		{http.MethodPost, "/login/nobody/logged-out", url.Values{"logout_token": {"x"}}, true, 404, ""},
	},
	"/introspect": {{http.MethodPost, "/introspect", url.Values{"token": {"x"}}, true, 401, ""}, {http.MethodGet, "/introspect", nil, false, 405, ""}},
	"/revoke":     {{http.MethodPost, "/revoke", url.Values{"token": {"x"}}, true, 401, ""}, {http.MethodGet, "/revoke", nil, false, 405, ""}},
	"/par":        {{http.MethodPost, "/par", authorizationValues(), true, 401, ""}, {http.MethodGet, "/par", nil, false, 405, ""}},
	"/userinfo":   {{http.MethodGet, "/userinfo", nil, false, 401, ""}, {http.MethodPost, "/userinfo", url.Values{}, true, 401, ""}},
	"/session/active": {
		{http.MethodPost, "/session/active", url.Values{}, false, 401, ""},
		{http.MethodPost, "/session/active", url.Values{}, true, 303, ""},
		{http.MethodGet, "/session/active", nil, true, 405, ""},
	},
	"/.well-known/security.txt": {{http.MethodGet, "/.well-known/security.txt", nil, false, 200, ""}},
	token.TrustmarkPath:         {{http.MethodGet, token.TrustmarkPath, nil, false, 200, ""}},
	"/assets/":                  {{http.MethodGet, "/assets/none.css", nil, false, 404, ""}, {http.MethodGet, "/assets/", nil, false, 404, ""}},
	"/check": {
		{http.MethodGet, "/check", nil, false, 401, ""},
		{http.MethodGet, "/check?redirect", nil, false, 303, ""},
		{http.MethodGet, "/check", nil, true, 200, ""},
		{http.MethodDelete, "/check", nil, false, 401, ""},
	},
	"": {
		{http.MethodGet, "/nowhere", nil, false, 404, ""},
		{http.MethodGet, "/account/", nil, true, 404, ""},
		{http.MethodGet, "//account", nil, true, 404, ""},
		{http.MethodGet, "/account/../account", nil, true, 404, ""},
		{http.MethodGet, "/%61ccount", nil, true, 404, ""},
		{http.MethodGet, "/ACCOUNT", nil, true, 404, ""},
		{http.MethodPost, "/nowhere", url.Values{}, true, 404, ""},
		{http.MethodPost, "/help", url.Values{}, false, 405, ""},
		{http.MethodPut, "/account", nil, true, 405, ""},
		{http.MethodDelete, "/logout", nil, true, 405, ""},
		{http.MethodPatch, "/login", nil, false, 405, ""},
		{http.MethodOptions, "/token", nil, false, 405, ""},
		{http.MethodTrace, "/login", nil, false, 405, ""},
		{"BREW", "/", nil, false, 405, ""},
		{http.MethodGet, "/metrics", nil, false, 404, ""},
		{http.MethodGet, "/healthz", nil, false, 404, ""},
		{http.MethodGet, "/debug/pprof/", nil, false, 404, ""},
	},
}

// routes reads from the source which paths the router takes.
func routes(t testing.TB) []string {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "../../../rp/routes.go", nil, 0)
	must(t, err)
	found := []string{"/check"} // stands before the router
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if path, err := strconv.Unquote(n.Value); err == nil && n.Kind == gotoken.STRING && strings.HasPrefix(path, "/") {
				found = append(found, path)
			}
		case *ast.CallExpr:
			if f, is := n.Fun.(*ast.SelectorExpr); is && (f.Sel.Name == "Handle" || f.Sel.Name == "HandleFunc") && len(n.Args) > 0 {
				found = append(found, routeNamed(t, n.Args[0])...)
			}
		}
		return true
	})
	slices.Sort(found)
	return slices.Compact(found)
}

// routeNamed returns the path that is given by a name instead of a text.
func routeNamed(t testing.TB, arg ast.Expr) []string {
	t.Helper()
	named, is := arg.(*ast.SelectorExpr)
	switch {
	case !is, named.Sel.Name == "path": // a text, or a row of the table: those are found as texts
		return nil
	case named.Sel.Name == "TrustmarkPath":
		return []string{token.TrustmarkPath}
	}
	t.Errorf("routes.go: wanted a route that this crawl knows, got %s", named.Sel.Name)
	return nil
}

func TestI4EveryRouteIsGuarded(t *testing.T) {
	w := newWorld(t)
	front := w.strictFront()
	found := routes(t)
	if len(found) < 20 {
		t.Fatalf("wanted every route of the router, got %v", found)
	}
	for _, path := range found {
		if len(crawl[path]) == 0 {
			t.Errorf("the crawl has no row for the route %s", path)
		}
	}
	for path, rows := range crawl {
		if path != "" && !slices.Contains(found, path) {
			t.Errorf("the crawl has rows for %s, which is no route", path)
		}
		for _, row := range rows {
			t.Run(fmt.Sprintf("%s %.60s logged in %t", row.method, row.target, row.loggedIn), func(t *testing.T) {
				v := front.visitor(t)
				if row.loggedIn {
					v.login()
				}
				row.judge(t, v.do(row.method, row.target, row.form))
				if row.method == http.MethodGet && row.status != http.StatusMethodNotAllowed {
					if head := v.do(http.MethodHead, row.target, nil); head.StatusCode != row.status {
						t.Errorf("HEAD: wanted %d, got %d", row.status, head.StatusCode)
					}
				}
			})
		}
	}
	t.Run("an asset", func(t *testing.T) {
		v := front.visitor(t)
		_, rest, _ := strings.Cut(v.do(http.MethodGet, "/help", nil).body, `href="/assets/`)
		path, _, _ := strings.Cut(rest, `"`)
		got := v.do(http.MethodGet, "/assets/"+path, nil)
		if got.StatusCode != http.StatusOK || !strings.Contains(got.Header.Get("Cache-Control"), "immutable") || got.Header.Get("Content-Type") == "" {
			t.Errorf("wanted 200 and immutable, got %d %v", got.StatusCode, got.Header)
		}
	})
	t.Run("a form of another site", func(t *testing.T) {
		v := front.visitor(t)
		v.login()
		v.header = http.Header{"Origin": {"https://attacker.example"}, "Sec-Fetch-Site": {"cross-site"}}
		if got := v.do(http.MethodPost, "/logout", url.Values{}); got.StatusCode != http.StatusForbidden {
			t.Errorf("wanted 403, got %d", got.StatusCode)
		}
	})
	t.Run("the database is away", func(t *testing.T) {
		v := front.visitor(t)
		v.login()
		must(t, w.DB.Close())
		for _, target := range []string{"/account", "/login", "/help", "/nowhere", "/check", authorization()} {
			if got := v.do(http.MethodGet, target, nil); got.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%.20s: wanted 503, got %d", target, got.StatusCode)
			}
		}
	})
}

// login logs the visitor in at the simulator, cookies and all.
func (v *visitor) login() {
	v.t.Helper()
	at := v.do(http.MethodPost, "/login/nhs-login", url.Values{}).Header.Get("Location")
	to, err := url.Parse(at)
	must(v.t, err)
	callback := v.w.browser().at(v.t).answer(to, "mair-prawf")
	if got := v.do(http.MethodGet, callback.RequestURI(), nil); got.StatusCode != http.StatusSeeOther || v.cookies["__Host-dilys"] == "" {
		v.t.Fatalf("login: wanted 303 and a session, got %d", got.StatusCode)
	}
}

// judge looks at what the headers do not tell by themselves.
func (s sent) judge(t *testing.T, got answered) {
	t.Helper()
	if got.StatusCode != s.status {
		t.Errorf("wanted %d, got %d", s.status, got.StatusCode)
	}
	kept := s.kept
	if kept == "" {
		kept = "no-store"
	}
	if got.Header.Get("Cache-Control") != kept {
		t.Errorf("Cache-Control: wanted %q, got %q", kept, got.Header.Get("Cache-Control"))
	}
	if s.status == http.StatusMethodNotAllowed && got.Header.Get("Allow") == "" {
		t.Error("wanted Allow with 405 (RFC 9110 §15.5.6), got none")
	}
	if got.body == "" {
		return
	}
	if got.Header.Get("Content-Type") == "" {
		t.Error("wanted a Content-Type with the body, got none")
	}
	if strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
		mustBeOurs(t, got, portalURL)
		// A field that can't be taken is told at the field.
		if s.status >= 400 && s.status != http.StatusUnprocessableEntity && !strings.Contains(got.body, "DIL-") {
			t.Error("wanted a reference on the page")
		}
	}
}

func TestI5NoFrameAndNoOtherOrigin(t *testing.T) {
	w := newWorld(t)
	front := w.strictFront()
	for path, rows := range crawl {
		for _, row := range rows {
			t.Run(fmt.Sprintf("%s %.60s %t", path, row.method+" "+row.target, row.loggedIn), func(t *testing.T) {
				v := front.visitor(t)
				if row.loggedIn {
					v.login()
				}
				for _, origin := range []string{"https://attacker.example", "null", "http://login.example.org", "https://login.example.org.attacker.example"} {
					v.header = http.Header{
						"Origin": {origin}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"},
						"Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization"},
					}
					// mustBeGuarded refuses every Access-Control header and a page that may be framed.
					v.do(row.method, row.target, row.form)
					v.do(http.MethodOptions, row.target, nil)
				}
			})
		}
	}
}

func TestI1CrossSiteRequestsChangeNothing(t *testing.T) {
	w := newWorld(t)
	patient := w.browser()
	patient.login("mair-prawf")
	front := w.strictFront()
	plain := strings.Replace(w.url, "http:", "https:", 1)
	for name, header := range map[string]http.Header{
		"a form of another site":                  {"Origin": {"https://attacker.example"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}},
		"a form of a sibling site":                {"Origin": {"https://sibling.example.org"}, "Sec-Fetch-Site": {"same-site"}},
		"a null origin":                           {"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}},
		"a null origin, an old browser":           {"Origin": {"null"}},
		"another site, an old browser":            {"Origin": {"https://attacker.example"}},
		"another port, an old browser":            {"Origin": {"http://127.0.0.1:1"}},
		"another scheme, an old browser":          {"Origin": {plain}},
		"our name as a subdomain, an old browser": {"Origin": {w.url + ".attacker.example"}},
		"our own origin, but the browser says no": {"Origin": {w.url}, "Sec-Fetch-Site": {"cross-site"}},
		"an unknown word of the browser":          {"Origin": {w.url}, "Sec-Fetch-Site": {"perhaps"}},
		"two words of the browser":                {"Origin": {"https://attacker.example"}, "Sec-Fetch-Site": {"cross-site, same-origin"}},
	} {
		for _, path := range []string{"/logout", "/login/nhs-login", "/session/active"} {
			t.Run(name+" to "+path, func(t *testing.T) {
				p := patient.at(t).send(http.MethodPost, path, url.Values{"to": {"/account"}}, header)
				if p.StatusCode != http.StatusForbidden || len(p.Cookies()) > 0 || p.Header.Get("Location") != "" {
					t.Errorf("wanted 403 and nothing done, got %d, %d cookies, %q", p.StatusCode, len(p.Cookies()), p.Header.Get("Location"))
				}
			})
		}
		for _, path := range []string{"/authorize", "/end-session"} {
			t.Run(name+" to "+path, func(t *testing.T) {
				p := patient.at(t).send(http.MethodPost, path, url.Values{"state": {"kept"}}, header)
				if p.StatusCode != http.StatusSeeOther || p.Header.Get("Location") != path+"?state=kept" || len(p.Cookies()) > 0 {
					t.Errorf("wanted 303 to itself and nothing done, got %d %q", p.StatusCode, p.Header.Get("Location"))
				}
			})
		}
	}
	t.Run("http instead of https", func(t *testing.T) {
		v := front.visitor(t)
		v.login()
		v.header = http.Header{"Origin": {"http://login.example.org"}, "Sec-Fetch-Site": nil}
		if got := v.do(http.MethodPost, "/logout", url.Values{}); got.StatusCode != http.StatusForbidden {
			t.Errorf("wanted 403, got %d", got.StatusCode)
		}
	})
	for name, row := range map[string]struct {
		method, target string
		header         http.Header
	}{
		"GET":                          {http.MethodGet, "/logout", nil},
		"HEAD":                         {http.MethodHead, "/logout", nil},
		"GET, overridden by header":    {http.MethodGet, "/logout", http.Header{"X-Http-Method-Override": {"POST"}, "X-Http-Method": {"POST"}, "X-Method-Override": {"POST"}}},
		"GET, overridden by the query": {http.MethodGet, "/logout?_method=POST&method=post", nil},
		"PUT":                          {http.MethodPut, "/logout", nil},
		"DELETE":                       {http.MethodDelete, "/logout", nil},
		"an image":                     {http.MethodGet, "/logout", http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}}},
		"HEAD of the end":              {http.MethodHead, "/end-session?client_id=my-health", nil},
		"HEAD of an activity":          {http.MethodHead, "/session/active", nil},
	} {
		t.Run("no log-out by "+name, func(t *testing.T) {
			p := patient.at(t).send(row.method, row.target, nil, row.header)
			if p.StatusCode == http.StatusSeeOther || p.Header.Get("Clear-Site-Data") != "" || !patient.at(t).loggedIn() {
				t.Errorf("wanted nothing ended, got %d", p.StatusCode)
			}
		})
	}
	if !patient.loggedIn() {
		t.Error("the session was ended")
	}
}

func TestI1LoginCSRF(t *testing.T) {
	w := newWorld(t)
	for name, row := range map[string]struct {
		before func(*browser)
		status int
	}{
		"a browser without cookies":  {func(*browser) {}, http.StatusBadRequest},
		"a browser that was here":    {func(b *browser) { b.toProvider("nhs-login", nil) }, http.StatusBadRequest},
		"a patient who is logged in": {func(b *browser) { b.login("mair-prawf") }, http.StatusBadRequest},
		"a patient who has just logged out": {func(b *browser) {
			b.login("mair-prawf")
			b.post("/logout", nil)
		}, http.StatusBadRequest},
	} {
		t.Run("the attacker's code and state, "+name, func(t *testing.T) {
			attacker, victim := w.browser().at(t), w.browser().at(t)
			callback := attacker.answer(attacker.toProvider("nhs-login", nil), "emrys-difon")
			row.before(victim)
			before := victim.get("/check").Header.Get("Dilys-Session")
			w.sim.ResetCalls()
			p := victim.get(callback.String())
			if p.StatusCode != row.status || w.sim.CallsTo(simulator.EndpointToken) > 0 {
				t.Errorf("wanted %d and no exchange, got %d and %d calls", row.status, p.StatusCode, w.sim.CallsTo(simulator.EndpointToken))
			}
			if got := victim.get("/check").Header.Get("Dilys-Session"); got != before {
				t.Errorf("the victim's session is another: %q", got)
			}
			if head := victim.send(http.MethodHead, callback.String(), nil, nil); head.StatusCode != row.status {
				t.Errorf("HEAD: wanted %d, got %d", row.status, head.StatusCode)
			}
		})
	}
	t.Run("the attacker's code in the victim's own attempt", func(t *testing.T) {
		attacker, victim := w.browser().at(t), w.browser().at(t)
		theirs := attacker.answer(attacker.toProvider("nhs-login", nil), "emrys-difon").Query()
		mine := victim.answer(victim.toProvider("nhs-login", nil), "mair-prawf")
		q := mine.Query()
		q.Set("code", theirs.Get("code"))
		mine.RawQuery = q.Encode()
		victim.mustNotLogIn(victim.get(mine.String()))
	})
	t.Run("the attacker's asserted identity, to a patient who is logged in", func(t *testing.T) {
		victim := w.browser().at(t)
		victim.login("mair-prawf")
		before := victim.get("/check").Header.Get("Dilys-Subject")
		asserted, err := w.sim.AssertLogin("emrys-difon", false)
		must(t, err)
		at := victim.get("/login/nhs-login?" + url.Values{"assertedLoginIdentity": {asserted}}.Encode()).location(t)
		p := victim.get(victim.get(at.String()).location(t).String())
		if p.StatusCode != http.StatusForbidden || victim.get("/check").Header.Get("Dilys-Subject") != before {
			t.Errorf("wanted 403 and the patient as before, got %d", p.StatusCode)
		}
	})
}

// returns are what attackers put where an address to return to is taken. True ones
// are honest.
var returns = map[string]bool{
	"/account?lang=cy":                     true,
	"/help":                                true,
	"/a/b?c=d&e=%2Ff":                      true,
	"/login?return=%2F%2Fattacker.example": true, // ours, and judged again when it is followed
	"":                                     false,
	"https://attacker.example":             false,
	"http://attacker.example":              false,
	"HTTPS://attacker.example":             false,
	"https:attacker.example":               false,
	"https:/attacker.example":              false,
	"https:///attacker.example":            false,
	"//attacker.example":                   false,
	"///attacker.example":                  false,
	"////attacker.example":                 false,
	`/\\attacker.example`:                  false,
	`/\attacker.example`:                   false,
	`\\attacker.example`:                   false,
	`\/attacker.example`:                   false,
	"/\t/attacker.example":                 false,
	"/\n/attacker.example":                 false,
	"/\r\n/attacker.example":               false,
	"\t//attacker.example":                 false,
	" //attacker.example":                  false,
	" https://attacker.example":            false,
	"/\x00/attacker.example":               false,
	"/%0d%0aSet-Cookie:%20a=b":             false,
	"/ok\r\nSet-Cookie: a=b":               false,
	"javascript:alert(1)":                  false,
	"JaVaScRiPt:alert(1)":                  false,
	"data:text/html,<script>":              false,
	"vbscript:x":                           false,
	"attacker.example":                     false,
	"@attacker.example":                    false,
	"?attacker":                            false,
	"#attacker":                            false,
	".attacker.example":                    false,
	"./attacker":                           false,
	"../attacker":                          false,
	"/..//attacker.example":                true, // a path of ours: the dots don't take a browser off the host
	"/%2f/attacker.example":                false,
	"/%5cattacker.example":                 false,
	"/ａttacker":                            false,
	"/" + strings.Repeat("a", 3000):        false,
}

func TestI2ReturnStaysAtHome(t *testing.T) {
	w := newWorld(t)
	patient := w.browser()
	patient.login("mair-prawf")
	home := func(t *testing.T, to string, value string, honest bool) {
		t.Helper()
		if !isOwnPath(to) || strings.Contains(strings.ToLower(to), "%0d%0a") {
			t.Errorf("wanted an address of our own, got %q", to)
		}
		if honest && to != value {
			t.Errorf("wanted it kept, got %q", to)
		}
	}
	for value, honest := range returns {
		t.Run(fmt.Sprintf("%.40q", value), func(t *testing.T) {
			q := url.Values{"return": {value}}
			b := patient.at(t)
			home(t, b.get("/login?"+q.Encode()).Header.Get("Location"), value, honest)
			home(t, b.post("/session/active", url.Values{"to": {value}}).Header.Get("Location"), value, honest)

			fresh := w.browser().at(t)
			mustBeOurs(t, fresh.get("/login?"+q.Encode()))
			late := fresh.get("/login/nhs-login/callback?state=none&" + q.Encode())
			mustBeOurs(t, late)
			must(t, w.sim.SetNextFaults(simulator.Faults{Authz: &simulator.AuthzFault{Error: "access_denied"}}))
			refused := fresh.get(fresh.answer(fresh.toProvider("nhs-login", q), "mair-prawf").String())
			if refused.StatusCode != http.StatusForbidden {
				t.Errorf("wanted the provider's refusal, got %d", refused.StatusCode)
			}
			mustBeOurs(t, refused)
			home(t, fresh.get(fresh.answer(fresh.toProvider("nhs-login", q), "mair-prawf").String()).Header.Get("Location"), value, honest)
			mustBeOurs(t, fresh.get("/logged-out?"+url.Values{"provider": {value}, "return": {value}}.Encode()))
		})
	}
	t.Run("twice", func(t *testing.T) {
		to := patient.at(t).get("/login?return=/help&return=//attacker.example").Header.Get("Location")
		if to != "/account" {
			t.Errorf("wanted the account page, got %q", to)
		}
	})
}

func TestI2GatewayCannotNameAnotherHost(t *testing.T) {
	w := newWorld(t, withMore("trusted_proxies: [127.0.0.1/32]\n"))
	patient := w.browser()
	patient.login("mair-prawf")
	own := strings.TrimPrefix(w.url, "http://")
	for value := range returns {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) || strings.HasPrefix(value, " ") {
			continue // no header can carry it
		}
		for _, header := range []http.Header{
			{"X-Forwarded-Host": {own}, "X-Forwarded-Uri": {value}},
			{"X-Forwarded-Host": {"attacker.example"}, "X-Forwarded-Uri": {value}},
			{"X-Original-Url": {w.url + value}},
			{"X-Original-Url": {"https://attacker.example" + value}},
		} {
			to := w.browser().at(t).send(http.MethodGet, "/check?redirect", nil, header).location(t)
			if to.Scheme+"://"+to.Host != w.url || to.Path != "/login" {
				t.Fatalf("%v: wanted our login, got %v", header, to)
			}
			if landed := patient.get(to.String()).Header.Get("Location"); !isOwnPath(landed) {
				t.Errorf("%v: wanted an address of our own, got %q", header, landed)
			}
		}
	}
}

// scripts are texts that would run, if a page took them for markup.
var scripts = []string{
	`"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, `<svg onload=alert(1)>`, `</title><script>alert(1)</script>`,
	`javascript:alert(1)`, `" onmouseover="alert(1)`, `{{.Secret}}`, `<base href=https://attacker.example>`, `--><script>alert(1)</script>`,
	`<iframe srcdoc="<script>alert(1)</script>">`, `</script><script>alert(1)</script>`, "`${alert(1)}`", `&lt;script&gt;`, "<\x00script>alert(1)</script>",
}

func TestI3MarkupIsNeverTaken(t *testing.T) {
	w := newWorld(t)
	raw := func(t *testing.T, p page, script string) {
		t.Helper()
		mustBeOurs(t, p, portalURL)
		mustForbidInline(t, p.Request.URL.Path, p.Header)
		if strings.ContainsAny(script, "<>\"") && strings.Contains(p.body, script) {
			t.Errorf("%s: the page has it as it came", p.Request.URL.Path)
		}
	}
	for _, script := range scripts {
		t.Run(fmt.Sprintf("%.30q", script), func(t *testing.T) {
			defer w.sim.ClearFaults()
			said := map[string]any{
				"family_name": "F" + script, "given_name": "G" + script, "email": strings.ReplaceAll(script, " ", "/") + "@example.com", "phone_number": script,
			}
			must(t, w.sim.SetFaults(simulator.Faults{
				IDToken: &simulator.TokenFault{Set: map[string]any{"family_name": said["family_name"]}}, UserInfo: &simulator.DocumentFault{Set: said},
			}))
			b := w.browser().at(t)
			b.header.Set("User-Agent", script)
			if strings.ContainsFunc(script, func(r rune) bool { return r < ' ' }) {
				b.header.Del("User-Agent")
			}
			if p := b.login("mair-prawf"); p.StatusCode != http.StatusSeeOther {
				t.Fatalf("login: wanted 303, got %d", p.StatusCode)
			}
			raw(t, b.get("/account"), script)
			got := b.exchange(b.silently().Query().Get("code")).tokens(t)
			info := w.bearer(t, http.MethodGet, "/userinfo", got.AccessToken)
			if info.Header.Get("Content-Type") != "application/json" || strings.Contains(info.body, "<") {
				t.Errorf("userinfo: wanted JSON without a <, got %s", info.Header.Get("Content-Type"))
			}
			end := url.Values{"id_token_hint": {got.IDToken}, "post_logout_redirect_uri": {portalURL + "/"}, "state": {script}, "ui_locales": {script}}
			raw(t, b.send(http.MethodGet, "/end-session?"+end.Encode(), nil, hiddenFrame), script)

			everything := url.Values{}
			for _, name := range []string{
				"lang", "return", "request", "device", "provider", "to", "error", "error_description", "error_uri", "state", "iss", "code", "client_id",
				"redirect_uri", "scope", "prompt", "acr_values", "ui_locales", "login_hint", "id_token_hint", "post_logout_redirect_uri", "logout_hint",
				"assertedLoginIdentity", script,
			} {
				everything.Set(name, script)
			}
			for _, who := range []*browser{b, w.browser().at(t)} {
				for _, path := range []string{
					"/login", "/login/nhs-login/callback", "/login/" + url.PathEscape(script), "/account", "/logout", "/logged-out", "/help", "/authorize",
					"/end-session", "/" + url.PathEscape(script), "/check", "/userinfo", "/token", "/session/active", "/assets/" + url.PathEscape(script),
				} {
					p := who.get(path + "?" + everything.Encode())
					if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
						raw(t, p, script)
					}
					if p.StatusCode >= 500 {
						t.Errorf("%s: got %d", path, p.StatusCode)
					}
				}
			}
		})
	}
}

// hostileTokens are texts that cost a careless reader time or memory.
func hostileTokens() map[string]string {
	part := func(text string) string { return rawURL([]byte(text)) }
	five := func(head string) string { return part(head) + ".AAAA.AAAA.AAAA.AAAA" }
	return map[string]string{
		"10,000 dots":             strings.Repeat(".", 10_000),
		"10,000 parts":            strings.Repeat("a.", 10_000) + "a",
		"a JWE":                   five(`{"alg":"RSA-OAEP-256","enc":"A256GCM"}`),
		"a JWE with a password":   five(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"AAAAAAAAAAAAAAAAAAAAAA","p2c":2147483647}`),
		"a JWS with a password":   part(`{"alg":"PBES2-HS512+A256KW","p2s":"AAAAAAAAAAAAAAAAAAAAAA","p2c":2147483647,"typ":"at+jwt"}`) + ".e30.AAAA",
		"a squeezed JWE":          five(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`),
		"a squeezed JWS":          part(`{"alg":"ES256","zip":"DEF","typ":"at+jwt"}`) + ".e30.AAAA",
		"a deep header":           part(strings.Repeat(`{"a":`, 2000)) + ".e30.AAAA",
		"a deep list in a header": part(`{"alg":"ES256","x":`+strings.Repeat("[", 8000)) + ".e30.AAAA",
		"deep claims":             part(`{"alg":"ES256","typ":"at+jwt","kid":"k"}`) + "." + part(`{"a":`+strings.Repeat("[", 8000)) + ".AAAA",
		"a huge number":           part(`{"alg":"ES256","typ":"at+jwt","kid":"k"}`) + "." + part(`{"exp":1e999999999}`) + ".AAAA",
		"a critical extension":    part(`{"alg":"ES256","crit":["b64"],"b64":false,"typ":"at+jwt"}`) + ".e30.AAAA",
		"a kid of 10 kB":          part(`{"alg":"ES256","typ":"at+jwt","kid":"`+strings.Repeat("k", 10<<10)+`"}`) + ".e30.AAAA",
		"a key address":           part(`{"alg":"ES256","typ":"at+jwt","jku":"http://127.0.0.1:9/keys"}`) + ".e30.AAAA",
		"17 kB":                   part(`{"alg":"ES256","typ":"at+jwt"}`) + "." + strings.Repeat("A", 17<<10) + ".AAAA",
		"not base64":              "!!!.???.***",
		"controls":                "a\x01.b\x02.c\x03",
	}
}

// flat runs a request and fails if it made the process allocate more than that.
func flat(t *testing.T, most uint64, request func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	request()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("wanted at most %d kB allocated by both ends, got %d", most>>10, got>>10)
	}
}

// realListener serves the world with the bounds of a public listener.
func (w *world) realListener() string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	server := w.Front.HTTPServer()
	go func() { _ = server.Serve(l) }()
	w.t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

func TestJ2HostileTokens(t *testing.T) {
	w := newWorld(t)
	patient := w.browser()
	patient.login("mair-prawf")
	const most = 4 << 20
	for name, hostile := range hostileTokens() {
		t.Run(name, func(t *testing.T) {
			b := patient.at(t)
			refused := func(where string, wanted int, ask func() page) {
				flat(t, most, func() {
					if p := ask(); p.StatusCode != wanted {
						t.Errorf("%s: wanted %d, got %d", where, wanted, p.StatusCode)
					}
				})
			}
			if !strings.Contains(name, "controls") { // no header carries them
				refused("userinfo", 401, func() page { return w.bearer(t, http.MethodGet, "/userinfo", hostile) })
				refused("check", 401, func() page { return w.bearer(t, http.MethodGet, "/check", hostile) })
				refused("activity", 401, func() page { return w.bearer(t, http.MethodPost, "/session/active", hostile) })
				refused("Basic", 401, func() page {
					header := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(hostile+":"+hostile))}}
					return w.browser().at(t).send(http.MethodPost, "/token", url.Values{"grant_type": {"authorization_code"}}, header)
				})
			}
			refused("userinfo by form", 401, func() page {
				return w.browser().at(t).send(http.MethodPost, "/userinfo", url.Values{"access_token": {hostile}}, nil)
			})
			refused("code", 400, func() page { return b.exchange(hostile) })
			refused("callback", 400, func() page {
				return w.browser().at(t).get("/login/nhs-login/callback?" + url.Values{"state": {hostile}}.Encode())
			})
			refused("end-session", 200, func() page { return b.get("/end-session?" + url.Values{"id_token_hint": {hostile}}.Encode()) })
			refused("end-session by form", 303, func() page {
				return b.send(http.MethodPost, "/end-session", url.Values{"id_token_hint": {hostile}}, http.Header{"Origin": {"https://portal.example"}})
			})
			flat(t, most, func() { mustBeAnsweredWith(t, b.silently("id_token_hint", hostile), "invalid_request") })
			if !b.loggedIn() {
				t.Error("the session was ended")
			}
		})
	}
}

func TestJ2HostileRequests(t *testing.T) {
	w := newWorld(t)
	patient := w.browser()
	patient.login("mair-prawf")
	base, secret := w.realListener(), patient.cookie("dilys")
	many := url.Values{}
	for i := range 10_000 {
		many.Set("p"+strconv.Itoa(i), "x")
	}
	short := strings.Repeat("a&", 1500) + manyNames(300)
	deep := strings.Repeat("[", 100_000)
	own := http.Header{"Origin": {w.url}, "Sec-Fetch-Site": {"same-origin"}}
	for name, row := range map[string]struct {
		method, path, body string
		header             http.Header
		wanted             []int
	}{
		"10,000 parameters to the token endpoint": {http.MethodPost, "/token", many.Encode(), nil, []int{400}},
		"10,000 parameters to userinfo":           {http.MethodPost, "/userinfo", many.Encode(), nil, []int{400}},
		"10,000 parameters to the login":          {http.MethodPost, "/login/nhs-login", many.Encode(), own, []int{400}},
		"10,000 parameters to the log-out":        {http.MethodPost, "/logout", many.Encode(), own, []int{400}},
		"10,000 parameters to authorization":      {http.MethodPost, "/authorize", many.Encode(), own, []int{400}},
		"10,000 parameters to the end":            {http.MethodPost, "/end-session", many.Encode(), own, []int{400}},
		"10,000 parameters from another site":     {http.MethodPost, "/end-session", many.Encode(), nil, []int{400}},
		"10,000 parameters in the query":          {http.MethodGet, "/authorize?" + many.Encode(), "", nil, []int{431}},
		"300 parameters in the query":             {http.MethodGet, authorization() + "&" + short, "", nil, []int{400}},
		"a query of 35 kB":                        {http.MethodGet, "/login?x=" + strings.Repeat("x", 35<<10), "", nil, []int{414, 431}},
		"a path of 35 kB":                         {http.MethodGet, "/" + strings.Repeat("x", 35<<10), "", nil, []int{404, 414, 431}},
		"a form index of 10^9":                    {http.MethodPost, "/token", "a[1000000000]=x&code[1000000000]=y&client_id[]=z", nil, []int{400, 401}},
		"a form index of 10^9 to the login":       {http.MethodPost, "/login/nhs-login", "return[1000000000]=/help", own, []int{303}},
		"a body of 1 MB to the token endpoint":    {http.MethodPost, "/token", "code=" + strings.Repeat("x", 1<<20), nil, []int{400}},
		"a body of 1 MB to the log-out":           {http.MethodPost, "/logout", "x=" + strings.Repeat("x", 1<<20), own, []int{400}},
		"a body of 1 MB to authorization":         {http.MethodPost, "/authorize", "x=" + strings.Repeat("x", 1<<20), nil, []int{400}},
		"a broken percent sign":                   {http.MethodPost, "/token", "code=%zz", nil, []int{400}},
		"a broken percent sign in the query":      {http.MethodGet, "/authorize?client_id=%zz", "", nil, []int{400}},
		"a semicolon":                             {http.MethodPost, "/token", "a=b;c=d", nil, []int{400}},
		"JSON of depth 10^5":                      {http.MethodPost, "/token", deep, http.Header{"Content-Type": {"application/json"}}, []int{400, 401}},
		"JSON of depth 10^5 to the log-out":       {http.MethodPost, "/session/active", deep, http.Header{"Content-Type": {"application/json"}, "Origin": {w.url}, "Sec-Fetch-Site": {"same-origin"}}, []int{303, 400}},
		"a multipart without an end":              {http.MethodPost, "/token", "--x\r\nContent-Disposition: form-data; name=code\r\n\r\n", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, []int{400, 401}},
		"a content type of nonsense":              {http.MethodPost, "/token", "code=x", http.Header{"Content-Type": {"; ; ;=;"}}, []int{400, 401}},
		"Accept-Language of 100 kB":               {http.MethodGet, "/login", "", http.Header{"Accept-Language": {strings.Repeat("cy-GB;q=0.5,", 8_500)}}, []int{431}},
		"Accept-Language of 20 kB":                {http.MethodGet, "/help", "", http.Header{"Accept-Language": {strings.Repeat("x-", 10<<10)}}, []int{200}},
		"10,000 languages":                        {http.MethodGet, "/help", "", http.Header{"Accept-Language": {strings.Repeat("x,", 10_000)}}, []int{200}},
		"User-Agent of 20 kB":                     {http.MethodGet, "/login", "", http.Header{"User-Agent": {strings.Repeat("Chrome/", 3_000)}}, []int{200, 303}},
		"a language of 10 kB":                     {http.MethodGet, "/help?lang=" + strings.Repeat("cy", 5<<10), "", nil, []int{200}},
		"a scope of 20 kB":                        {http.MethodGet, authorization("scope", strings.Repeat("openid ", 3_000)), "", nil, []int{303}},
		"acr_values of 20 kB":                     {http.MethodGet, authorization("acr_values", strings.Repeat("P9.Cm ", 3_000)), "", nil, []int{303}},
		"ui_locales of 20 kB":                     {http.MethodGet, authorization("ui_locales", strings.Repeat("cy ", 6_000)), "", nil, []int{303}},
		"a state of 20 kB":                        {http.MethodGet, authorization("state", strings.Repeat("s", 20<<10)), "", nil, []int{303}},
		"a max_age of 1,000 digits":               {http.MethodGet, authorization("max_age", strings.Repeat("9", 1000)), "", nil, []int{303}},
		"a request id of 10 kB":                   {http.MethodGet, "/authorize?request=" + strings.Repeat("r", 10<<10), "", nil, []int{400}},
		"a reset of the range":                    {http.MethodGet, "/assets/none", "", http.Header{"Range": {"bytes=" + strings.Repeat("0-,", 5_000)}}, []int{404}},
		"a squeezed form":                         {http.MethodPost, "/token", "\x1f\x8b\x08", http.Header{"Content-Encoding": {"gzip"}}, []int{400, 401}},
	} {
		t.Run(name, func(t *testing.T) {
			flat(t, 12<<20, func() {
				if got := patient.at(t).rough(row.method, base+row.path, row.body, row.header); !slices.Contains(row.wanted, got) {
					t.Errorf("wanted one of %v, got %d", row.wanted, got)
				}
			})
			if w.checks(t, secret).StatusCode != http.StatusOK {
				t.Error("the session was ended")
			}
			patient.plant("dilys", secret) // a log-out that can't be read takes the cookie all the same
		})
	}
}

// rough sends a body as it is, and returns the status.
func (b *browser) rough(method, address, body string, header http.Header) int {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
	must(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	maps.Copy(r.Header, header)
	answer, err := b.client.Do(r)
	must(b.t, err)
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

func manyNames(n int) string {
	var names strings.Builder
	for i := range n {
		names.WriteString("n" + strconv.Itoa(i) + "=&")
	}
	return names.String()
}

// Canaries are values that no line of a log, no metric and no row may show.
const (
	canaryGiven   = "Kanariwen"
	canaryFamily  = "Llinos-Felen"
	canaryNumber  = "9990007039"
	canaryEmail   = "llinos.kanariwen@example.org"
	canaryPhone   = "+447700900777"
	canaryBirth   = "1961-04-03"
	canaryState   = "canary-state-of-a-portal"
	canaryNonce   = "canary-nonce-of-a-portal"
	canaryOutside = "canary-from-outside"
)

func TestK1NothingPersonalIsToldOrKept(t *testing.T) {
	if _, err := identity.ParseNHSNumber(canaryNumber); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, withOtherPortals(t))
	requests := w.countRequests()
	operations := w.operations()
	said := map[string]any{
		"given_name": canaryGiven, "family_name": canaryFamily, "nhs_number": canaryNumber, "email": canaryEmail, "email_verified": true,
		"phone_number": canaryPhone, "phone_number_verified": true, "birthdate": canaryBirth,
	}
	must(t, w.sim.SetFaults(simulator.Faults{
		IDToken:  &simulator.TokenFault{Set: map[string]any{"family_name": canaryFamily, "nhs_number": canaryNumber, "birthdate": canaryBirth}},
		UserInfo: &simulator.DocumentFault{Set: said},
	}))
	secrets := w.journeys(t)
	told := w.log.String()
	for _, path := range []string{"/metrics", "/status", "/readyz", "/healthz"} {
		p := w.browser().get(operations + path)
		if p.StatusCode != http.StatusOK {
			t.Errorf("%s: wanted 200, got %d", path, p.StatusCode)
		}
		told += p.body
	}
	if !strings.Contains(told, `"msg":"request"`) || !strings.Contains(told, "dilys_request_seconds_count") {
		t.Fatal("wanted a log and metrics to look through")
	}
	stored := w.everythingStored(t)
	for name, secret := range secrets {
		for where, text := range map[string]string{"the log and metrics": told, "the database": stored} {
			if secret == "" || len(secret) < 8 {
				t.Fatalf("%s: wanted a value to look for, got %q", name, secret)
			}
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s shows the %s", where, name)
			}
		}
	}
	mustBeOneLineEach(t, w.log.String(), requests)
	if _, err := w.Chain.Verify(t.Context(), sealed(t, w)); err != nil {
		t.Errorf("the chain after all journeys: %v", err)
	}
}

// counted is what came to the front door.
type counted struct{ all, checked atomic.Int64 }

// countRequests counts from now on, beside what the handler does.
func (w *world) countRequests() *counted {
	c := new(counted)
	front := *w.handler.Load()
	var h http.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen := httptest.NewRecorder()
		front.ServeHTTP(seen, r)
		maps.Copy(rw.Header(), seen.Header())
		rw.WriteHeader(seen.Code)
		_, _ = rw.Write(seen.Body.Bytes())
		c.all.Add(1)
		if r.URL.Path == "/check" && seen.Code == http.StatusOK {
			c.checked.Add(1)
		}
	})
	w.handler.Store(&h)
	return c
}

// operations runs the service's own listener for operators, and its chores.
func (w *world) operations() string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	ctx, stop := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, service.Listeners{Operations: l}) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			w.t.Errorf("the service: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

// journeys does all that patients, portals and attackers do, and returns every
// value on the way that is somebody's secret or somebody's own.
func (w *world) journeys(t *testing.T) map[string]string {
	t.Helper()
	secrets := map[string]string{
		"given name": canaryGiven, "family name": canaryFamily, "NHS number": canaryNumber, "NHS number, spaced": "999 000 7039", "e-mail": canaryEmail,
		"phone": canaryPhone, "phone, at home": "07700900777", "birth date": canaryBirth, "portal's state": canaryState, "portal's nonce": canaryNonce,
		"portal's secret": portalSecret, "code verifier": verifier, "text from outside": canaryOutside,
	}
	b := w.browser()
	b.header = http.Header{
		"User-Agent": {canaryOutside}, "Referer": {"https://portal.example/" + canaryOutside}, "X-Forwarded-For": {canaryOutside},
		"Accept-Language": {canaryOutside}, "X-Request-Id": {canaryOutside}, "Forwarded": {"for=" + canaryOutside},
	}
	secrets["browser cookie before"] = ""
	to := b.get(authorization("state", canaryState, "nonce", canaryNonce)).location(t)
	at := b.toProvider("nhs-login", url.Values{"request": {to.Query().Get("request")}})
	secrets["browser cookie before"] = b.cookie("dilys-browser")
	secrets["state at the provider"], secrets["nonce at the provider"] = at.Query().Get("state"), at.Query().Get("nonce")
	callback := b.answer(at, "mair-prawf")
	secrets["provider's code"] = callback.Query().Get("code")
	answer := b.get(b.get(callback.String()).location(t).String()).location(t)
	secrets["browser cookie"], secrets["session cookie"], secrets["code"] = b.cookie("dilys-browser"), b.cookie("dilys"), answer.Query().Get("code")
	b.get(callback.String()) // again, and once more where it belongs to nobody
	w.browser().get(callback.String())
	got := b.exchange(secrets["code"]).tokens(t)
	secrets["ID token"], secrets["access token"] = got.IDToken, got.AccessToken
	w.bearer(t, http.MethodGet, "/userinfo", got.AccessToken)
	w.bearer(t, http.MethodPost, "/session/active", got.AccessToken)
	w.bearer(t, http.MethodGet, "/userinfo", got.IDToken)
	w.bearer(t, http.MethodGet, "/check", got.AccessToken)
	b.loggedIn()
	for _, path := range []string{"/account", "/account/provider-settings", "/login", "/logout", "/help?lang=cy"} {
		b.get(path)
	}
	b.exchange(secrets["code"]) // a replay
	w.journeysOfAttackers(b, got)

	b.post("/login/nhs-login", nil)
	raised := b.login("mair-prawf")
	secrets["session cookie after a raise"] = b.cookie("dilys")
	if raised.StatusCode != http.StatusSeeOther {
		t.Errorf("a raise: got %d", raised.StatusCode)
	}
	found, err := w.Accounts.Find(t.Context(), canaryNumber, "operator:test", "a row")
	if err != nil || len(found) != 1 {
		t.Fatalf("find: wanted one account, got %d %v", len(found), err)
	}
	_, err = w.Accounts.Find(t.Context(), canaryEmail, "operator:test", "a row")
	must(t, err)
	b.post("/logout", nil)
	b.login("mair-prawf")
	must(t, w.Accounts.Disable(t.Context(), found[0].ID, "operator:test", "a row"))
	b.get("/account")
	b.login("mair-prawf")
	return secrets
}

// journeysOfAttackers puts the canary from outside wherever a request has room.
func (w *world) journeysOfAttackers(b *browser, got tokens) {
	everything := url.Values{}
	for _, name := range []string{
		"return", "request", "device", "provider", "to", "error", "error_description", "state", "iss", "code", "client_id", "redirect_uri", "scope",
		"prompt", "nonce", "id_token_hint", "post_logout_redirect_uri", "logout_hint", "assertedLoginIdentity", "grant_type", "code_verifier", "lang",
		canaryOutside,
	} {
		everything.Set(name, canaryOutside+"\r\nlevel=ERROR msg="+canaryOutside)
	}
	for path := range crawl {
		for _, address := range []string{path, path + "?" + everything.Encode(), strings.ReplaceAll(path, "{provider}", canaryOutside) + "/" + canaryOutside} {
			if strings.HasPrefix(address, "/") && path != "/logout" {
				b.get(address)
				b.post(strings.ReplaceAll(address, "{provider}", "nhs-login"), everything)
			}
		}
	}
	for _, fault := range []simulator.Faults{
		{Authz: &simulator.AuthzFault{Error: canaryOutside, ErrorDescription: canaryOutside}},
		{Authz: &simulator.AuthzFault{Code: canaryOutside}},
		{IDToken: &simulator.TokenFault{Set: map[string]any{"iss": canaryOutside, "aud": canaryOutside, "vot": canaryOutside}}},
		{IDToken: &simulator.TokenFault{Set: map[string]any{"vot": canaryOutside}}},
		{IDToken: &simulator.TokenFault{Raw: canaryOutside}},
		{Token: &simulator.DocumentFault{Reply: simulator.Reply{Status: 400, Body: canaryOutside}}},
		{UserInfo: &simulator.DocumentFault{Reply: simulator.Reply{Status: 500, Body: canaryOutside, ContentType: "text/" + canaryOutside}}},
		{UserInfo: &simulator.DocumentFault{Set: map[string]any{"sub": canaryOutside, "email": canaryOutside, "birthdate": canaryOutside, "nhs_number": canaryOutside}}},
		{UserInfo: &simulator.DocumentFault{Set: map[string]any{"email": canaryOutside, "birthdate": canaryOutside, "nhs_number": canaryOutside}}},
	} {
		must(w.t, w.sim.SetNextFaults(fault))
		fresh := w.browser()
		fresh.login("sal-newydd")
	}
	b.token(url.Values{"grant_type": {canaryOutside}, "code": {canaryOutside}}, canaryOutside, canaryOutside)
	b.token(url.Values{"grant_type": {"authorization_code"}, "code": {canaryOutside}}, portalID, canaryOutside)
	b.get("/end-session?" + url.Values{"id_token_hint": {got.IDToken + "x"}, "state": {canaryState}}.Encode())
	b.send("CANARY-"+strings.ToUpper(canaryOutside), "/login", nil, nil)
	for _, line := range []string{
		"X: a\r\n level=ERROR msg=" + canaryOutside, "User-Agent: " + canaryOutside + "\rlevel=ERROR", "Cookie: dilys=" + canaryOutside + "; " + canaryOutside + "=x",
		"Authorization: Bearer " + canaryOutside, "Host: " + canaryOutside,
	} {
		w.raw(w.t, "/login?"+canaryOutside+"=%0d%0a"+canaryOutside, line)
	}
}

// everythingStored is every byte that the database has on disk, and the journal.
func (w *world) everythingStored(t testing.TB) string {
	t.Helper()
	file := strings.TrimPrefix(w.Config.Database, "sqlite:")
	var all strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(file + suffix)
		must(t, err)
		all.Write(content)
	}
	if !strings.Contains(all.String(), "login.succeeded") {
		t.Fatal("wanted the database's own words in its file")
	}
	return all.String()
}

// mustBeOneLineEach fails unless the log is whole lines of JSON, one for each
// request.
func mustBeOneLineEach(t *testing.T, log string, requests *counted) {
	t.Helper()
	lines := int64(0)
	for line := range strings.Lines(log) {
		var entry struct {
			Msg    string `json:"msg"`
			Route  string `json:"route"`
			Status int    `json:"status"`
			Method string `json:"method"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("wanted a line of JSON, got %.80q", line)
		}
		if entry.Msg != "request" {
			continue
		}
		lines++
		if entry.Route == "" || entry.Status < 200 || entry.Method == "" {
			t.Errorf("wanted route, status and method, got %.200q", line)
		}
	}
	// A check that is let through is counted, and has no line.
	if wanted := requests.all.Load() - requests.checked.Load(); lines != wanted {
		t.Errorf("wanted %d lines, one a request, got %d", wanted, lines)
	}
}
