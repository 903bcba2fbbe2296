package portal

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
)

// introspects asks of a token and returns the whole answer.
func (w *world) introspects(raw any, with func(*http.Request)) map[string]any {
	w.t.Helper()
	r, err := post(w.Introspect, url.Values{"token": {raw.(string)}}.Encode(), with)
	if err != nil || r.Code != http.StatusOK {
		w.t.Fatalf("got %d %s, %v", r.Code, r.Body, err)
	}
	return body(w.t, r)
}

func TestIntrospectTellsOfALivingToken(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	answer := w.offline(s)
	want := payload(t, answer["access_token"].(string))
	want["active"], want["token_type"] = true, "Bearer"
	if diff := cmp.Diff(want, w.introspects(answer["access_token"], basic(health, secret))); diff != "" {
		t.Errorf("an access token (-wanted +got): %s", diff)
	}
	if got := w.introspects(answer["refresh_token"], basic(health, secret)); got["active"] != true || got["scope"] != "openid email offline_access" || got["sub"] != "mair" || got["acr"] != nil {
		t.Errorf("a refresh token: got %v", got)
	}
	if got := w.introspects(answer["access_token"], basic(api, secret+"3")); got["active"] != true || got["client_id"] != health {
		t.Errorf("the one it is meant for: got %v", got)
	}
	w.change(s.Handle, func(s *session.Session) { s.Trust = vectors("P9.Cm")[0] })
	if got := w.introspects(answer["access_token"], basic(health, secret)); got["acr"] != "P9.Cm" {
		t.Errorf("a session that was raised: got %v", got["acr"])
	}
}

func TestC8IntrospectTellsNothingElse(t *testing.T) {
	for name, row := range map[string]struct {
		token  func(answer map[string]any) any
		before func(w *world, s *session.Session)
		with   func(*http.Request)
	}{
		"another portal's access token":                         {with: basic(open, secret+"2")},
		"another portal's refresh token":                        {token: refreshOf, with: basic(open, secret+"2")},
		"a refresh token, to the one its access tokens are for": {token: refreshOf, with: basic(api, secret+"3")},
		"an ID token":                {token: func(a map[string]any) any { return a["id_token"] }},
		"garbage":                    {token: func(map[string]any) any { return "x" }},
		"one character less":         {token: func(a map[string]any) any { s := a["access_token"].(string); return s[:len(s)-1] }},
		"a refresh token, cut":       {token: func(a map[string]any) any { return a["refresh_token"].(string)[1:] }},
		"an unknown refresh token":   {token: func(map[string]any) any { return identity.NewToken().Reveal() }},
		"expired":                    {before: func(w *world, _ *session.Session) { w.pass(4 * time.Minute) }},
		"a session that was ended":   {before: func(w *world, s *session.Session) { w.end(s) }},
		"a session past idle":        {token: refreshOf, before: func(w *world, _ *session.Session) { w.pass(31 * time.Minute) }},
		"an account that is off":     {before: func(w *world, s *session.Session) { w.disable(s.Account) }},
		"a patient who is too young": {before: func(w *world, s *session.Session) { w.change(s.Handle, func(s *session.Session) { s.Age = 15 }) }},
		"a session that proves less": {before: func(w *world, s *session.Session) {
			w.change(s.Handle, func(s *session.Session) { s.Trust.P = identity.P0 })
		}},
		"a revoked grant": {before: func(w *world, _ *session.Session) {
			for id := range w.mem.revoked {
				w.mem.revoked[id] = true
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.patient("mair", "1980-02-29")
			_, s := w.login("mair", "P9.Cp.Cd")
			answer := w.offline(s)
			raw, with := answer["access_token"], row.with
			if row.token != nil {
				raw = row.token(answer)
			}
			if row.before != nil {
				row.before(w, s)
			}
			if with == nil {
				with = basic(health, secret)
			}
			if diff := cmp.Diff(map[string]any{"active": false}, w.introspects(raw, with)); diff != "" {
				t.Errorf("(-wanted +got): %s", diff)
			}
		})
	}
}

func refreshOf(answer map[string]any) any { return answer["refresh_token"] }

func TestC8WhoMayAsk(t *testing.T) {
	w := newWorld(t)
	for name, row := range map[string]struct {
		form string
		with func(*http.Request)
		want int
	}{
		"nobody":             {"token=x", none, 401},
		"a wrong secret":     {"token=x", basic(health, "wrong"), 401},
		"a public client":    {"token=x&client_id=" + app, none, 401},
		"no token":           {"", basic(health, secret), 400},
		"a token twice":      {"token=x&token=y", basic(health, secret), 400},
		"a hint that is odd": {"token=x&token_type_hint=pony", basic(health, secret), 200},
	} {
		if r, err := post(w.Introspect, row.form, row.with); err != nil || r.Code != row.want {
			t.Errorf("%s: wanted %d, got %d %s, %v", name, row.want, r.Code, r.Body, err)
		}
	}
}

func TestC8RevokeEndsTheGrant(t *testing.T) {
	for name, token := range map[string]func(map[string]any) any{
		"by its access token":  func(a map[string]any) any { return a["access_token"] },
		"by its refresh token": refreshOf,
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		_, s := w.login("mair", "P9.Cp.Cd")
		answer, other := w.offline(s), w.offline(s)
		r, err := post(w.Revoke, url.Values{"token": {token(answer).(string)}}.Encode(), basic(health, secret))
		if err != nil || r.Code != http.StatusOK || r.Body.Len() != 0 {
			t.Fatalf("%s: got %d %s, %v", name, r.Code, r.Body, err)
		}
		if got := w.introspects(answer["access_token"], basic(health, secret))["active"]; got != false {
			t.Errorf("%s: the access token is good", name)
		}
		if got := w.refreshFails(answer["refresh_token"], nil, basic(health, secret)); got != "invalid_grant" {
			t.Errorf("%s: the refresh token gave %q", name, got)
		}
		if w.refresh(other["refresh_token"]) == nil {
			t.Errorf("%s: another grant of the session ended too", name)
		}
	}
}

func TestC8RevokeOfWhatIsNotOnesOwn(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	answer := w.offline(s)
	for _, raw := range []any{answer["access_token"], answer["refresh_token"], answer["id_token"], "x", identity.NewToken().Reveal()} {
		for _, with := range []func(*http.Request){basic(open, secret+"2"), basic(api, secret+"3")} {
			r, err := post(w.Revoke, url.Values{"token": {raw.(string)}}.Encode(), with)
			if err != nil || r.Code != http.StatusOK {
				t.Errorf("wanted 200, got %d, %v", r.Code, err)
			}
		}
	}
	if w.introspects(answer["access_token"], basic(health, secret))["active"] != true {
		t.Error("another portal revoked the token")
	}
	// A token of a session that is over is revoked all the same: it may come to life by a raise.
	w.change(s.Handle, func(s *session.Session) { s.Trust.P = identity.P0 })
	if _, err := post(w.Revoke, url.Values{"token": {answer["access_token"].(string)}}.Encode(), basic(health, secret)); err != nil {
		t.Fatal(err)
	}
	w.change(s.Handle, func(s *session.Session) { s.Trust.P = identity.P9 })
	if w.introspects(answer["access_token"], basic(health, secret))["active"] != false {
		t.Error("a token that was revoked came to life")
	}
}

func TestC8WithoutAStoreNothingIsSaid(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	answer := w.offline(s)
	w.mem.down.Store(true)
	for name, face := range map[string]func(http.ResponseWriter, *http.Request) error{"introspect": w.Introspect, "revoke": w.Revoke} {
		for _, raw := range []any{answer["access_token"], answer["refresh_token"]} {
			r, err := post(face, url.Values{"token": {raw.(string)}}.Encode(), basic(health, secret))
			if err == nil || r.Code != http.StatusServiceUnavailable {
				t.Errorf("%s: wanted 503, got %d %s", name, r.Code, r.Body)
			}
		}
	}
	if r, err := post(w.Token, refreshForm(answer["refresh_token"], nil), basic(health, secret)); err == nil || r.Code != http.StatusServiceUnavailable {
		t.Errorf("refresh: wanted 503, got %d", r.Code)
	}
	w.mem.down.Store(false)
	if w.refresh(answer["refresh_token"]) == nil {
		t.Error("the refresh token was lost with the store")
	}
}
