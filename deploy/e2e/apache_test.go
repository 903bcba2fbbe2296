package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const apacheModules = "/usr/lib/apache2/modules"

// TestApache has Debian's Apache with mod_auth_openidc, a certified client in C, log a
// patient in by the file that is shipped for it, and end its session when Dilys says so.
func TestApache(t *testing.T) {
	apache := program(t, "apache2")
	if _, err := os.Stat(filepath.Join(apacheModules, "mod_auth_openidc.so")); err != nil {
		missing(t, "libapache2-mod-auth-openidc is not installed; deploy/test does it")
	}
	port, err := freeBlock(0)
	if err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	w, app := startWorld(t, "--portal", "http://"+listen+"/oidc", "--portal-logout", "http://"+listen+"/oidc?logout=backchannel"), newApplication(t)
	dir, err := os.MkdirTemp(binaries, "apache")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := stand{dir, listen, "", app.Listener.Addr().String()}
	shipped := s.shipped(t, "apache/dilys.conf",
		"https://login.example.nhs.uk", w.dilys(), "https://letters.example.nhs.uk", "http://"+listen, "OIDCClientID letters", "OIDCClientID my-portal",
		`"exec:/bin/cat /run/secrets/letters"`, w.printed(t, "client_secret"), `"exec:/bin/cat /run/secrets/letters-sessions"`, "a-passphrase-for-this-test")
	var load strings.Builder
	for _, name := range []string{"mpm_event", "authz_core", "authn_core", "authz_user", "proxy", "proxy_http", "auth_openidc"} {
		fmt.Fprintf(&load, "LoadModule %s_module %s/mod_%s.so\n", name, apacheModules, name)
	}
	user := ""
	if os.Getuid() == 0 {
		user = "User www-data\nGroup www-data\n"
	}
	config := s.write(t, "apache.conf", fmt.Sprintf("ServerRoot %[1]s\nPidFile %[1]s/pid\nDefaultRuntimeDir %[1]s\nErrorLog /dev/stderr\nServerName %[2]s\nListen %[2]s\n%[3]s%[4]sInclude %[5]s\n",
		dir, listen, load.String(), user, shipped))
	cmd := exec.Command(apache, "-X", "-f", config)
	cmd.WaitDelay = time.Second
	p, err := startCommand(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.stop() })
	g := &gate{t, w, app, "http://" + listen, listen}
	if err := p.awaitReady(g.url + "/leaflets/"); err != nil {
		t.Fatal(err)
	}
	app.takes()

	b := newWindow(t)
	in, body := g.logsIn(b, "/inbox?id=1")
	got := app.takes()
	if in.StatusCode != http.StatusOK || len(got) != 1 || got[0].Target != "/inbox?id=1" {
		t.Fatalf("got %d at %s, %v\n%s\n%s", in.StatusCode, in.Request.URL, got, body, p.out.String())
	}
	if acr := strings.Join(got[0].Dilys["Oidc_claim_acr"], ""); acr != "P9.Cp.Cd" {
		t.Errorf("the application got %+v", got[0])
	}
	if again, _ := b.opens(g.url+"/inbox", nil); again.StatusCode != http.StatusOK {
		t.Errorf("its own session: got %d", again.StatusCode)
	}
	g.logsOut(t, b)
	// Told by the back channel, it forgets the session; nobody asks it to.
	if !await(func() bool {
		page, _ := b.opens(g.url+"/inbox", nil)
		return page.Request.URL.Path == "/login"
	}) {
		t.Errorf("after the log-out its session lives\n%s", p.out.String())
	}
}
