package service_test

import (
	"encoding/base64"
	"net/http"
	"testing"
)

func rawURL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func TestPatientLogsInAndPortalLearnsWho(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	answer := b.code("mair-prawf")
	if got := answer.Query(); got.Get("state") != "state-of-the-portal" || got.Get("code") == "" || got.Get("iss") != w.url {
		t.Fatalf("the portal was answered with %v", answer)
	}
	got := b.exchange(answer.Query().Get("code")).tokens(t)
	if got.IDToken == "" || got.AccessToken == "" {
		t.Fatalf("no tokens: %+v", got)
	}
	info := w.browser().send(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + got.AccessToken}})
	t.Log(info.body)
	if info.StatusCode != http.StatusOK {
		t.Fatalf("userinfo: %d %s", info.StatusCode, info.body)
	}
	check := b.get("/check")
	if check.StatusCode != http.StatusOK || check.Header.Get("Dilys-Trust") != "P9.Cp.Cd" {
		t.Errorf("check: %d %v", check.StatusCode, check.Header)
	}
	account := b.get("/account")
	if account.StatusCode != http.StatusOK {
		t.Errorf("account: %d", account.StatusCode)
	}
	out := b.post("/logout", nil)
	if out.StatusCode != http.StatusSeeOther || b.loggedIn() {
		t.Errorf("logout: %d", out.StatusCode)
	}
}
