package service_test

import (
	"crypto/rand"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"testing"

	"github.com/dilys-id/dilys/rp/passkey/softkey"
)

// authenticator is a device of a test's.
type authenticator struct {
	softkey.Authenticator
	t testing.TB
}

func newAuthenticator(t testing.TB) *authenticator { return &authenticator{t: t} }

// make makes a passkey as the options ask, and returns what the script posts.
func (a *authenticator) make(asked, origin string, lies ...softkey.Lie) string {
	a.t.Helper()
	made, err := a.Make(asked, origin, lies...)
	must(a.t, err)
	return made
}

// give answers with the newest passkey that the options allow, and returns what the
// script posts.
func (a *authenticator) give(asked, origin string, lies ...softkey.Lie) string {
	a.t.Helper()
	given, err := a.Give(asked, origin, lies...)
	must(a.t, err)
	return given
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// passkeyAsk is what a page asks a device with.
var passkeyAsk = regexp.MustCompile(`data-passkey="(?:get|make|auto)" data-options="([^"]*)" data-action="([^"]*)" data-along="([^"]*)"`)

// asking returns the options of that page, and the form that the script posts beside the
// answer.
func (b *browser) asking(path string) (asked string, form url.Values) {
	b.t.Helper()
	return b.asked(b.get(path))
}

func (b *browser) asked(p page) (string, url.Values) {
	b.t.Helper()
	m := passkeyAsk.FindStringSubmatch(p.body)
	if m == nil {
		b.t.Fatalf("the page asks for no passkey: %d %.300s", p.StatusCode, p.body)
	}
	var along map[string]string
	must(b.t, json.Unmarshal([]byte(html.UnescapeString(m[3])), &along))
	form := url.Values{}
	for name, value := range along {
		form.Set(name, value)
	}
	return html.UnescapeString(m[1]), form
}

// makesPasskey makes one on the account's page.
func (b *browser) makesPasskey(a *authenticator, lies ...softkey.Lie) page {
	b.t.Helper()
	asked, form := b.asking("/account/passkeys")
	form.Set("credential", a.make(asked, b.w.url, lies...))
	return b.post("/account/passkeys", form)
}

// givesPasskey logs in by one, from the chooser.
func (b *browser) givesPasskey(a *authenticator, lies ...softkey.Lie) page {
	b.t.Helper()
	asked, form := b.asking("/login")
	form.Set("credential", a.give(asked, b.w.url, lies...))
	return b.post("/login/passkey", form)
}
