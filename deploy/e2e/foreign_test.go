package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestForeignClient has a certified library of another language log in through
// Dilys and judge what it gets.
func TestForeignClient(t *testing.T) {
	node := program(t, "node")
	module(t, "openid-client/package.json")
	const redirectURI = "http://127.0.0.1:9/callback" // nobody answers there: the client reads the address and stops
	w := startWorld(t, "--portal", redirectURI)
	cmd := exec.Command(node, "openid-client.mjs", w.printed(t, "issuer"), w.printed(t, "client_id"), w.printed(t, "redirect_uri"), "mair-prawf", w.printed(t, "client_key"))
	cmd.Stdin = strings.NewReader(w.printed(t, "client_secret"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := []string{
		"ok discovery",
		"ok chooser",
		"ok provider",
		"ok ID token",
		"ok at_hash",
		"ok no personal details in tokens",
		"ok userinfo",
		"ok code used twice: invalid_grant",
		"ok token of a code used twice: invalid_token",
		"ok single sign-on",
		"ok pushed request, proved by a key",
		"ok pairwise subject",
		"ok introspection",
		"ok introspection by another client",
		"ok refresh",
		"ok refresh again at once",
		"ok revocation",
		"ok refresh token that was revoked: invalid_grant",
		"ok secret in the form",
		"ok end session",
		"ok logged out: login_required",
		"ok token of an ended session: invalid_token",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
