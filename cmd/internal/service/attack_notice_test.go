package service_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/token"
)

// listener is a portal's back channel: it keeps what it was told and answers as it is
// set to.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	told   []string
}

func newListener(t *testing.T) *listener {
	l := &listener{status: http.StatusOK}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("wanted a form, got %s %s", r.Method, r.Header.Get("Content-Type"))
		}
		if l.status == http.StatusOK {
			l.told = append(l.told, r.PostFormValue("logout_token"))
		}
		w.WriteHeader(l.status)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) answers(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = status
}

func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.told)
}

// notice does what the running service does by itself each second.
func (w *world) notice() {
	w.t.Helper()
	must(w.t, w.Portals.Part(w.t.Context()))
	if _, err := w.Outbox.Deliver(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// withListener is a world whose first portal listens.
func withListener(t *testing.T) (*world, *listener) {
	t.Helper()
	w, l := newWorld(t), newListener(t)
	w.rebuild(func(c *service.Config) { c.Portals[0].BackchannelLogoutURI = l.URL })
	return w, l
}

// opensPortal logs a patient in and lets the portal have its tokens, which it returns.
func (w *world) opensPortal(t *testing.T) (*browser, tokens) {
	t.Helper()
	b := w.browser().at(t)
	return b, b.exchange(b.code("mair-prawf").Query().Get("code")).tokens(t)
}

func TestPortalsAreToldOfEveryEnd(t *testing.T) {
	for name, end := range map[string]func(w *world, b *browser, sub string){
		"log-out":           func(_ *world, b *browser, _ string) { b.post("/logout", nil) },
		"the idle limit":    func(w *world, _ *browser, _ string) { w.clock.advance(31 * time.Minute) },
		"the overall limit": func(w *world, _ *browser, _ string) { w.clock.advance(13 * time.Hour) },
		"the account disabled": func(w *world, _ *browser, sub string) {
			must(w.t, w.DB.Accounts().SetState(w.t.Context(), sub, account.Disabled))
		},
		"the account deleted": func(w *world, _ *browser, sub string) {
			must(w.t, w.DB.Accounts().SetState(w.t.Context(), sub, account.Deleted))
		},
		"an epoch raised": func(w *world, _ *browser, sub string) { must(w.t, w.DB.Accounts().RaiseEpoch(w.t.Context(), sub)) },
	} {
		t.Run(name, func(t *testing.T) {
			w, l := withListener(t)
			b, given := w.opensPortal(t)
			w.notice()
			if len(l.heard()) > 0 {
				t.Fatal("told while the session lives")
			}
			id := claimsOf(t, given.IDToken)
			end(w, b, id["sub"].(string))
			w.notice()
			w.notice()
			told := l.heard()
			if len(told) != 1 {
				t.Fatalf("wanted one notice, got %d", len(told))
			}
			w.isLogoutToken(t, told[0], id)
		})
	}
}

// isLogoutToken judges a logout token as a portal does (OpenID Connect Back-Channel
// Logout 1.0 §2.6).
func (w *world) isLogoutToken(t *testing.T, raw string, id map[string]any) {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(w.browser().get("/jwks.json").body), &set); err != nil {
		t.Fatal(err)
	}
	header := parsed.Signatures[0].Header
	keys := set.Key(header.KeyID)
	if len(keys) != 1 || header.ExtraHeaders[jose.HeaderType] != "logout+jwt" {
		t.Fatalf("kid or typ: got %v", header)
	}
	payload, err := parsed.Verify(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	now := float64(w.clock.Now().Unix())
	for _, claim := range []string{"iss", "sub", "aud", "sid"} {
		if got[claim] != id[claim] || got[claim] == nil {
			t.Errorf("%s: wanted that of the ID token, got %v", claim, got[claim])
		}
	}
	events, _ := got["events"].(map[string]any)
	if _, there := events[token.LogoutEvent]; !there || len(events) != 1 {
		t.Errorf("events: got %v", got["events"])
	}
	if _, there := got["nonce"]; there {
		t.Error("a logout token has no nonce")
	}
	if got["jti"] == "" || got["iat"] != now || got["exp"] != now+120 {
		t.Errorf("jti, iat, exp: got %v, %v, %v", got["jti"], got["iat"], got["exp"])
	}
}

func TestAPortalThatDoesNotAnswerIsToldAgain(t *testing.T) {
	w, l := withListener(t)
	b, _ := w.opensPortal(t)
	l.answers(http.StatusServiceUnavailable)
	out := b.post("/logout", nil).location(t)
	w.notice()
	page := b.get(out.String())
	if !strings.Contains(page.body, "My Health: we are still trying to log you out") {
		t.Errorf("wanted it told, got %s", page.body)
	}
	l.answers(http.StatusOK)
	w.clock.advance(2 * time.Minute)
	w.notice()
	if len(l.heard()) != 1 {
		t.Errorf("wanted it told once it answered, got %d", len(l.heard()))
	}
	if page := b.get(out.String()); !strings.Contains(page.body, "You are also logged out of:") || strings.Contains(page.body, "still trying") {
		t.Errorf("wanted it told, got %s", page.body)
	}
	if page := w.browser().get(out.String()); strings.Contains(page.body, "My Health") {
		t.Error("another browser is told what was open")
	}
	w.clock.advance(time.Hour)
	if page := b.get(out.String()); strings.Contains(page.body, "My Health") {
		t.Error("who sits there an hour later is told what was open")
	}
}

func TestAPortalWithoutABackChannelIsNamed(t *testing.T) {
	w := newWorld(t)
	b, _ := w.opensPortal(t)
	out := b.post("/logout", nil).location(t)
	w.notice()
	page := b.get(out.String())
	if !strings.Contains(page.body, "You may still be logged in elsewhere") || !strings.Contains(page.body, "<li>My Health</li>") {
		t.Errorf("wanted it named, got %s", page.body)
	}
}
