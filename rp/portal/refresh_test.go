package portal

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
)

// offline gives my-health tokens with a refresh token among them.
func (w *world) offline(s *session.Session) map[string]any {
	w.t.Helper()
	code := said(w.t, w.authorize(asks(map[string]string{"scope": "openid email offline_access"}), s)).Get("code")
	return w.redeemed(code)
}

// refreshForm refreshes by that token, changed as asks does.
func refreshForm(refresh any, change map[string]string) string {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.(string)}}
	for name, v := range change {
		form.Set(name, v)
	}
	return form.Encode()
}

// refresh refreshes by that token, which must be good.
func (w *world) refresh(refresh any) map[string]any {
	w.t.Helper()
	r, err := post(w.Token, refreshForm(refresh, nil), basic(health, secret))
	if err != nil || r.Code != http.StatusOK {
		w.t.Fatalf("got %d %s, %v", r.Code, r.Body, err)
	}
	return body(w.t, r)
}

// refreshFails tries by that token, in vain, and returns the error's code.
func (w *world) refreshFails(refresh any, change map[string]string, with func(*http.Request)) string {
	w.t.Helper()
	r, err := post(w.Token, refreshForm(refresh, change), with)
	if err != nil {
		w.t.Fatal(err)
	}
	got, _ := body(w.t, r)["error"].(string)
	return got
}

func TestRefreshGivesTheNext(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	if w.redeemed(w.code(s))["refresh_token"] != nil {
		t.Error("a refresh token that nobody asked for")
	}
	first := w.offline(s)
	w.pass(2 * time.Minute)
	next := w.refresh(first["refresh_token"])
	if next["refresh_token"] == first["refresh_token"] || next["scope"] != "openid email offline_access" {
		t.Errorf("got %v", next)
	}
	before, after := payload(t, first["id_token"].(string)), payload(t, next["id_token"].(string))
	for _, claim := range []string{"iss", "sub", "aud", "sid", "auth_time", "acr"} {
		if before[claim] != after[claim] {
			t.Errorf("%s: wanted %v, got %v", claim, before[claim], after[claim])
		}
	}
	if after["nonce"] != nil || after["iat"] == before["iat"] {
		t.Errorf("nonce %v, iat %v", after["nonce"], after["iat"])
	}
	if r := w.askUserinfo(next["access_token"].(string)); r.Code != http.StatusOK {
		t.Errorf("the new access token: got %d", r.Code)
	}
	narrow, err := post(w.Token, refreshForm(next["refresh_token"], map[string]string{"scope": "openid"}), basic(health, secret))
	if err != nil || body(t, narrow)["scope"] != "openid" {
		t.Errorf("fewer scopes: got %s", narrow.Body)
	}
}

func TestC5RefreshIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		before func(w *world, s *session.Session)
		change map[string]string
		with   func(*http.Request)
		want   string
	}{
		"a wider scope":            {change: map[string]string{"scope": "openid email phone"}, want: "invalid_scope"},
		"another portal":           {with: basic(open, secret+"2"), want: "invalid_grant"},
		"a portal that proves not": {with: none, change: map[string]string{"client_id": health}, want: "invalid_client"},
		"an account that is off":   {before: func(w *world, s *session.Session) { w.disable(s.Account) }, want: "invalid_grant"},
		"a session that was ended": {before: func(w *world, s *session.Session) { w.end(s) }, want: "invalid_grant"},
		"past the idle limit":      {before: func(w *world, _ *session.Session) { w.pass(30 * time.Minute) }, want: "invalid_grant"},
		"past the overall limit": {before: func(w *world, s *session.Session) {
			w.change(s.Handle, func(s *session.Session) { s.Created = s.Created.Add(-12 * time.Hour) })
		}, want: "invalid_grant"},
		"a session that proves less": {before: func(w *world, s *session.Session) {
			w.change(s.Handle, func(s *session.Session) { s.Trust.P = identity.P5 })
		}, want: "invalid_grant"},
		"an account that grew young": {before: func(w *world, s *session.Session) { w.born(s.Account, "2015-01-01") }, want: "invalid_grant"},
		"a code in its place":        {change: map[string]string{"refresh_token": "x"}, want: "invalid_grant"},
		"an unknown one":             {change: map[string]string{"refresh_token": identity.NewToken().Reveal()}, want: "invalid_grant"},
		"none":                       {change: map[string]string{"refresh_token": ""}, want: "invalid_request"},
		"a grant that was revoked": {before: func(w *world, _ *session.Session) {
			for _, c := range w.mem.codes {
				w.mem.revoked[c.Grant] = true
			}
		}, want: "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.patient("mair", "1980-02-29")
			_, s := w.login("mair", "P9.Cp.Cd")
			token := w.offline(s)["refresh_token"]
			if row.before != nil {
				row.before(w, s)
			}
			with := row.with
			if with == nil {
				with = basic(health, secret)
			}
			if got := w.refreshFails(token, row.change, with); got != row.want {
				t.Errorf("wanted %s, got %s", row.want, got)
			}
			if row.before == nil && w.refresh(token) == nil {
				t.Error("a refused try used the token up")
			}
		})
	}
}

// born gives the patient another birth date.
func (w *world) born(id, date string) {
	a := w.mem.accounts[id]
	d, err := identity.ParseBirthDate(date)
	if err != nil {
		w.t.Fatal(err)
	}
	a.Links = slices.Clone(a.Links)
	a.Links[0].Details.BirthDate = d
	w.mem.accounts[id] = a
}

// end ends the session.
func (w *world) end(s *session.Session) {
	w.change(s.Handle, func(s *session.Session) { s.Ended = w.now() })
}

func TestC5AReusedRefreshTokenEndsItsFamily(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	first := w.offline(s)
	second := w.refresh(first["refresh_token"])
	w.pass(grant.RefreshGrace)
	if again := w.refresh(first["refresh_token"]); again["refresh_token"] != second["refresh_token"] {
		t.Error("within the grace: wanted the same successor")
	}
	third := w.refresh(second["refresh_token"])
	if got := w.refreshFails(first["refresh_token"], nil, basic(health, secret)); got != "invalid_grant" {
		t.Errorf("used again when its successor was used: wanted invalid_grant, got %s", got)
	}
	for what, raw := range map[string]any{"the newest": third["refresh_token"], "the one before": second["refresh_token"]} {
		if got := w.refreshFails(raw, nil, basic(health, secret)); got != "invalid_grant" {
			t.Errorf("%s: wanted invalid_grant, got %s", what, got)
		}
	}
	if r := w.askUserinfo(third["access_token"].(string)); r.Code != http.StatusUnauthorized {
		t.Errorf("its access token: wanted 401, got %d", r.Code)
	}
	if !slices.Contains(w.mem.kinds(), audit.RefreshReused) {
		t.Errorf("wanted it recorded, got %v", w.mem.kinds())
	}
}

func TestC5ParallelRefreshesAreOneFamily(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	first := w.offline(s)["refresh_token"]
	next := make([]any, 20)
	var all sync.WaitGroup
	for i := range next {
		all.Go(func() { next[i] = w.refresh(first)["refresh_token"] })
	}
	all.Wait()
	for _, n := range next {
		if n != next[0] {
			t.Fatal("wanted one successor, got two")
		}
	}
}

func TestWhatARefreshTellsAnewIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	token := w.offline(s)["refresh_token"]
	token = w.refresh(token)["refresh_token"]
	if slices.Contains(w.mem.kinds(), audit.LevelShown) {
		t.Error("nothing new was told, and it was recorded")
	}
	w.change(s.Handle, func(s *session.Session) { s.Trust = vectors("P9.Cm")[0] })
	answer := w.refresh(token)
	if got := payload(t, answer["id_token"].(string))["acr"]; got != "P9.Cm" {
		t.Errorf("wanted the vector as it is now, got %v", got)
	}
	w.refresh(answer["refresh_token"])
	shown := 0
	for _, e := range w.mem.events {
		if e.Kind == audit.LevelShown && e.Cause == "P9.Cm" {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("wanted it recorded once, got %d", shown)
	}
}

func TestAPortalThatMayRefreshNoMore(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	token := w.offline(s)["refresh_token"]
	w.portals[health].Scopes = []string{"openid", "offline_access"}
	if got := w.refresh(token)["scope"]; got != "openid offline_access" {
		t.Errorf("wanted what the portal may still have, got %v", got)
	}
	w.portals[health].Scopes = []string{"openid"}
	if got := w.refreshFails(token, nil, basic(health, secret)); got != "invalid_grant" {
		t.Errorf("wanted invalid_grant, got %s", got)
	}
}
