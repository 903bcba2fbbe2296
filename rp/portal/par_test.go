package portal

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/grant"
)

// pushes pushes a request of my-health and returns its request_uri.
func (w *world) pushes(change map[string]string) string {
	w.t.Helper()
	form := asks(change)
	form.Del("client_id")
	r, err := post(w.Push, form.Encode(), basic(health, secret))
	if err != nil || r.Code != http.StatusCreated {
		w.t.Fatalf("got %d %s, %v", r.Code, r.Body, err)
	}
	answer := body(w.t, r)
	uri, _ := answer["request_uri"].(string)
	if !strings.HasPrefix(uri, requestURN) || len(uri) < len(requestURN)+40 || answer["expires_in"] != 60.0 {
		w.t.Fatalf("got %v", answer)
	}
	return uri
}

func pushed(uri string) url.Values { return url.Values{"client_id": {health}, "request_uri": {uri}} }

func TestAPushedRequestIsAnswered(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	uri := w.pushes(nil)
	first := w.authorize(pushed(uri), nil)
	again := w.authorize(pushed(uri), nil) // the patient loads the page again
	if first.Kind != Login || again.Kind != Login || first.Request != again.Request {
		t.Fatalf("wanted one login, got %+v and %+v", first, again)
	}
	w.pass(2 * time.Minute) // a login takes longer than a pushed request lives
	_, s := w.login("mair", "P9.Cp.Cd")
	answer := said(t, w.resume(first.Request, s))
	if answer.Get("code") == "" || answer.Get("state") != "st" {
		t.Fatalf("got %v", answer)
	}
	if got := payload(t, w.redeemed(answer.Get("code"))["id_token"].(string)); got["nonce"] != "n" {
		t.Errorf("got %v", got)
	}
}

func TestC7PushedRequestsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	used := w.pushes(nil)
	if said(t, w.authorize(pushed(used), s)).Get("code") == "" {
		t.Fatal("wanted a code")
	}
	old := w.pushes(nil)
	w.pass(grant.PushedLife + time.Second)
	fresh := w.pushes(nil)
	for name, row := range map[string]struct {
		params  url.Values
		refusal Refusal
	}{
		"used":              {pushed(used), TooLate},
		"expired":           {pushed(old), TooLate},
		"unknown":           {pushed(requestURN + "x"), TooLate},
		"of another":        {url.Values{"client_id": {open}, "request_uri": {fresh}}, BadClient},
		"of nobody":         {url.Values{"request_uri": {fresh}}, BadClient},
		"named twice":       {url.Values{"client_id": {health, health}, "request_uri": {fresh}}, BadClient},
		"twice in one":      {url.Values{"client_id": {health}, "request_uri": {fresh, fresh}}, BadRedirect},
		"somebody's server": {url.Values{"client_id": {health}, "request_uri": {"https://evil.example.org/request"}}, BadRedirect},
	} {
		d := w.authorize(row.params, s)
		if d.Kind != Refuse || d.Refusal != row.refusal {
			t.Errorf("%s: wanted %s, got %+v", name, row.refusal, d)
		}
	}
	// What the browser brings beside it is not read (RFC 9126 §4).
	params := pushed(fresh)
	params.Set("scope", "openid")
	params.Set("redirect_uri", "https://evil.example.org/")
	params.Set("prompt", "login")
	if d := w.authorize(params, s); d.Kind != Redirect || !strings.HasPrefix(d.URL, healthCB+"?") || said(t, d).Get("code") == "" {
		t.Errorf("parameters beside it were read: %+v", d)
	}
}

func TestC7WhatCanBePushed(t *testing.T) {
	w := newWorld(t)
	for name, row := range map[string]struct {
		change map[string]string
		with   func(*http.Request)
		want   string
	}{
		"without proof":              {nil, none, "invalid_client"},
		"nested":                     {map[string]string{"request_uri": requestURN + "x"}, basic(health, secret), "invalid_request"},
		"a request object":           {map[string]string{"request": "e30.e30."}, basic(health, secret), "request_not_supported"},
		"another's address":          {map[string]string{"redirect_uri": openCB}, basic(health, secret), "invalid_request"},
		"no address":                 {map[string]string{"redirect_uri": ""}, basic(health, secret), "invalid_request"},
		"a token":                    {map[string]string{"response_type": "token"}, basic(health, secret), "unsupported_response_type"},
		"C4: no challenge":           {map[string]string{"code_challenge": "", "code_challenge_method": ""}, basic(health, secret), "invalid_request"},
		"C4: a plain challenge":      {map[string]string{"code_challenge_method": "plain"}, basic(health, secret), "invalid_request"},
		"another portal's name":      {map[string]string{"client_id": open}, basic(health, secret), "invalid_request"},
		"a scope that is not for it": {map[string]string{"client_id": open, "redirect_uri": openCB, "scope": "openid phone"}, basic(open, secret+"2"), "invalid_scope"},
	} {
		r, err := post(w.Push, asks(row.change).Encode(), row.with)
		if err != nil || body(t, r)["error"] != row.want {
			t.Errorf("%s: wanted %s, got %d %s, %v", name, row.want, r.Code, r.Body, err)
		}
	}
}

func TestAPublicClientMayPush(t *testing.T) {
	w := newWorld(t)
	form := asks(map[string]string{"client_id": app, "redirect_uri": appCB, "scope": "openid"})
	r, err := post(w.Push, form.Encode(), none)
	if err != nil || r.Code != http.StatusCreated {
		t.Fatalf("got %d %s, %v", r.Code, r.Body, err)
	}
	uri := body(t, r)["request_uri"].(string)
	if d := w.authorize(url.Values{"client_id": {app}, "request_uri": {uri}}, nil); d.Kind != Login {
		t.Errorf("got %+v", d)
	}
}

func TestVTRAsksInVectors(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cp.Cd")
	for name, row := range map[string]struct {
		change map[string]string
		want   string
	}{
		"held":                {map[string]string{"vtr": `["P9.Cp.Cd"]`}, "code"},
		"one of two":          {map[string]string{"vtr": `["P9.Cm", "P9.Cp.Cd"]`}, "code"},
		"stronger":            {map[string]string{"vtr": `["P9.Cm"]`}, "login"},
		"weaker than is held": {map[string]string{"vtr": `["P0.Cp"]`}, "code"},
		"no JSON":             {map[string]string{"vtr": "P9.Cm"}, "invalid_request"},
		"no vector":           {map[string]string{"vtr": `["urn:gold"]`}, "invalid_request"},
		"an empty list":       {map[string]string{"vtr": "[]"}, "invalid_request"},
		"beside acr_values":   {map[string]string{"vtr": `["P9.Cp.Cd"]`, "acr_values": "P9.Cp.Cd"}, "invalid_request"},
	} {
		if got := outcome(t, w.authorize(asks(row.change), s)); got != row.want {
			t.Errorf("%s: wanted %s, got %s", name, row.want, got)
		}
	}
}
