package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestNewcomer runs the one command of the README in a bare clone, where nothing
// was installed. It fetches the page assets from the package registry, which a
// laptop on a train can't.
func TestNewcomer(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("fetches from the package registry; set CI=true to run it")
	}
	clone := filepath.Join(t.TempDir(), "dilys")
	if out, err := exec.Command("git", "clone", "--quiet", "--depth=1", "file://"+root(t), clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	port, err := freeBlock(0, 1, 2, 4, 10)
	if err != nil {
		t.Fatal(err)
	}
	p, err := startCommand(exec.Command(filepath.Join(clone, "deploy", "dev"), "--port", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{process: p, port: port}
	const building = 10 * time.Minute
	if err := w.awaitReadyFor(building, w.operations()+"/readyz"); err != nil {
		t.Fatal(errors.Join(err, w.stop()))
	}
	if shown := w.printed(t, "Dilys"); shown != w.dilys() {
		t.Errorf("wanted the address %s, got %s", w.dilys(), shown)
	}
	if page, err := newVisitor().logIn(w.dilys(), "mair-prawf"); err != nil || page.heading() != english.account {
		t.Errorf("login: got %q %v", page.heading(), err)
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{".dev/data/dilys.db", "rp/page/dist/nhsuk.css"} {
		if _, err := os.Stat(filepath.Join(clone, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	status := exec.Command("git", "status", "--porcelain")
	status.Dir = clone
	if out, err := status.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("wanted a clean checkout afterwards, got %v\n%s", err, out)
	}
}

// root returns the folder of the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
