package service_test

import (
	"encoding/json"
	"io"
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
	"github.com/dilys-id/dilys/identity/audit"
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
		said := r.PostFormValue("logout_token")
		if r.Header.Get("Content-Type") == "application/secevent+jwt" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			said = string(body)
		} else if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("wanted a form, got %s %s", r.Method, r.Header.Get("Content-Type"))
		}
		if l.status < http.StatusMultipleChoices {
			l.told = append(l.told, said)
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
	must(w.t, w.Portals.Tell(w.t.Context()))
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

// signedAs returns the claims of a token that our published keys signed to be that kind.
func (w *world) signedAs(t *testing.T, raw, kind string) map[string]any {
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
	if len(keys) != 1 || header.ExtraHeaders[jose.HeaderType] != kind {
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
	return got
}

// isLogoutToken judges a logout token as a portal does (OpenID Connect Back-Channel
// Logout 1.0 §2.6).
func (w *world) isLogoutToken(t *testing.T, raw string, id map[string]any) {
	t.Helper()
	got := w.signedAs(t, raw, "logout+jwt")
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

func TestPortalsAreToldWhatHappensToAnAccount(t *testing.T) {
	w, l := newWorld(t), newListener(t)
	w.rebuild(func(c *service.Config) { c.Portals[0].EventsURI = l.URL })
	_, given := w.opensPortal(t)
	id := claimsOf(t, given.IDToken)
	sub := id["sub"].(string)
	stranger := w.browser()
	stranger.login("nia-dwbl") // an account that the portal does not know
	w.tick()
	w.notice() // begins to read here
	const risc, caep = "https://schemas.openid.net/secevent/risc/event-type/", "https://schemas.openid.net/secevent/caep/event-type/"
	told := 0
	for _, row := range []struct {
		event audit.Event
		want  string
	}{
		{audit.Event{Kind: audit.AccountDisabled, Account: sub}, risc + "account-disabled"},
		{audit.Event{Kind: audit.AccountEnabled, Account: sub}, risc + "account-enabled"},
		{audit.Event{Kind: audit.LevelRaised, Account: sub, Cause: "activation"}, caep + "assurance-level-change"},
		{audit.Event{Kind: audit.RecordFrozen, Account: sub, Cause: "not-my-number"}, caep + "assurance-level-change"},
		{audit.Event{Kind: audit.DetailsRefreshed, Account: sub, Fields: []string{"nhs_number"}}, w.url + "/events/nhs-number-changed"},
		{audit.Event{Kind: audit.DetailsRefreshed, Account: sub, Fields: []string{"email"}}, ""},
		{audit.Event{Kind: audit.AccountLookedUp, Account: sub}, ""},
		{audit.Event{Kind: audit.AccountDisabled, Account: sub, Result: audit.Refused}, ""},
		{audit.Event{Kind: audit.AccountDisabled, Account: w.subjectOf(stranger)}, ""},
		{audit.Event{Kind: audit.AccountClosed, Account: sub}, risc + "account-purged"},
	} {
		row.event.Actor = audit.System
		must(t, w.Ledger.Record(t.Context(), row.event))
		w.tick()
		w.notice()
		w.notice()
		heard := l.heard()
		if row.want == "" {
			if len(heard) != told {
				t.Errorf("%s: the portal was told", row.event.Kind)
			}
			continue
		}
		if told++; len(heard) != told {
			t.Fatalf("%s: wanted one notice more, got %d", row.event.Kind, len(heard)-told+1)
		}
		got := w.signedAs(t, heard[told-1], "secevent+jwt")
		events, _ := got["events"].(map[string]any)
		subject, _ := got["sub_id"].(map[string]any)
		if events[row.want] == nil || len(events) != 1 || got["aud"] != portalID || got["iss"] != id["iss"] || got["jti"] == "" || got["exp"] != nil || got["sub"] != nil ||
			subject["format"] != "iss_sub" || subject["sub"] != sub || subject["iss"] != id["iss"] {
			t.Errorf("%s: got %v", row.event.Kind, got)
		}
	}
}

// subjectOf is the account of who is logged in.
func (w *world) subjectOf(b *browser) string { return b.get("/check").Header.Get("Dilys-Subject") }

// A deletion stays open until the portal has taken it.
func TestADeletionWaitsForItsPortal(t *testing.T) {
	w, l := newWorld(t), newListener(t)
	w.rebuild(func(c *service.Config) { c.Portals[0].EventsURI = l.URL })
	_, given := w.opensPortal(t)
	w.tick()
	w.notice()
	l.answers(http.StatusInternalServerError)
	must(t, w.Ledger.Record(t.Context(), audit.Event{Kind: audit.AccountClosed, Actor: audit.System, Account: claimsOf(t, given.IDToken)["sub"].(string)}))
	w.tick()
	w.notice()
	for range 30 {
		w.clock.advance(24 * time.Hour)
		w.notice()
	}
	l.answers(http.StatusAccepted)
	w.clock.advance(24 * time.Hour)
	w.notice()
	if heard := l.heard(); len(heard) != 1 {
		t.Errorf("wanted it told a month later, got %d", len(heard))
	}
}
