package e2e

import (
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// update rewrites the golden files instead of comparing with them.
var update = flag.Bool("update", false, "rewrite the golden accessibility trees")

// patience bounds each wait for something that should happen. It is no measure of
// speed: a loaded machine may need most of it.
const patience = 90 * time.Second

// binaries is the folder that dilys and dilys-dev were built into.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dilys-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binaries = dir
	defer closeShared()
	return m.Run()
}

// build makes the programs as they ship: without cgo, and without the race
// detector that the tests themselves may run under.
func build(dir string) error {
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./cmd/dilys", "./cmd/dilys-dev")
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// missing skips the test for want of what deploy/test installs, and fails it where
// that has run: a missing install must not hide.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// program returns the path of a program of the machine.
func program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "%s is not installed; deploy/test does it", names[0])
	return ""
}

// module returns the path of a file that npm ci brought here.
func module(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("node_modules", filepath.FromSlash(name)))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		missing(t, "%s is not here: run npm ci in deploy/e2e", name)
	}
	return path
}

// world is one dilys-dev with its own ports and folder.
type world struct {
	*process
	port int
	dir  string
}

func (w *world) dilys() string         { return fmt.Sprintf("http://localhost:%d", w.port) }
func (w *world) workbench() string     { return fmt.Sprintf("http://127.0.0.1:%d", w.port+1) }
func (w *world) simulator() string     { return fmt.Sprintf("http://127.0.0.1:%d", w.port+2) }
func (w *world) examplePortal() string { return fmt.Sprintf("http://127.0.0.1:%d", w.port+4) }
func (w *world) operations() string    { return fmt.Sprintf("http://127.0.0.1:%d", w.port+10) }

// startWorld starts dilys-dev and waits until it is ready. Another program may
// take a port between our look and its own: it then starts again elsewhere.
func startWorld(t *testing.T, args ...string) *world {
	t.Helper()
	w, err := newWorld(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func newWorld(args ...string) (*world, error) {
	const tries = 5
	var err error
	for range tries {
		var w *world
		if w, err = tryWorld(args); err == nil {
			return w, nil
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return nil, err
}

func tryWorld(args []string) (*world, error) {
	port, err := freeBlock(0, 1, 2, 4, 5, 10)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(binaries, "world")
	if err != nil {
		return nil, err
	}
	w := &world{port: port, dir: dir}
	args = append([]string{"--port", strconv.Itoa(port), "--data", dir, "--verbose"}, args...)
	if w.process, err = start("dilys-dev", args...); err != nil {
		return nil, err
	}
	if err := w.awaitReady(w.operations() + "/readyz"); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

func (w *world) close() error {
	return errors.Join(w.stop(), os.RemoveAll(w.dir))
}

// shared is the world of tests that leave clock and faults alone.
var shared struct {
	once  sync.Once
	world *world
	err   error
}

func sharedWorld(t *testing.T) *world {
	t.Helper()
	shared.once.Do(func() { shared.world, shared.err = newWorld() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.world
}

func closeShared() {
	if shared.world != nil {
		_ = shared.world.close()
	}
}

// freeBlock returns a port for which it and each offset from it were free a moment
// ago. It stays below the range that systems give to outgoing connections.
func freeBlock(offsets ...int) (int, error) {
	const lowest, choices, tries = 20000, 12000, 100
	for range tries {
		n, err := rand.Int(rand.Reader, big.NewInt(choices))
		if err != nil {
			return 0, err
		}
		if port := lowest + int(n.Int64()); allFree(port, offsets) {
			return port, nil
		}
	}
	return 0, errors.New("ports: wanted a free block on loopback, got none")
}

func allFree(port int, offsets []int) bool {
	for _, o := range offsets {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+o))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// process is a program of ours that runs.
type process struct {
	cmd  *exec.Cmd
	out  output // what it printed
	done chan struct{}
	err  error // how it ended; read it once done is closed
}

// start runs one of the built programs until stop.
func start(name string, args ...string) (*process, error) {
	return startCommand(exec.Command(filepath.Join(binaries, name), args...))
}

// startCommand runs a command until stop. The kernel ends it with the thread that
// started it, so that a test that is killed leaves nothing behind: the thread must
// therefore live as long.
func startCommand(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// awaitReady waits until the address answers 200, or the process has ended.
func (p *process) awaitReady(url string) error { return p.awaitReadyFor(patience, url) }

func (p *process) awaitReadyFor(limit time.Duration, url string) error {
	ready := awaitFor(limit, func() bool {
		select {
		case <-p.done:
			return true
		default:
			return answersOK(url)
		}
	})
	select {
	case <-p.done:
		return fmt.Errorf("%s: ended before it was ready: %w\n%s", filepath.Base(p.cmd.Path), p.err, p.out.String())
	default:
	}
	if !ready {
		return fmt.Errorf("%s: not ready\n%s", url, p.out.String())
	}
	return nil
}

// stop asks the process to end, as an operator's system does, and returns what is
// wrong with how it did.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s: did not end on SIGTERM\n%s", filepath.Base(p.cmd.Path), p.out.String())
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(p.cmd.Path), p.err, p.out.String())
	}
	return nil
}

func answersOK(url string) bool {
	answer, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// await looks again and again until the condition holds, and reports whether it
// did before patience ran out.
func await(holds func() bool) bool { return awaitFor(patience, holds) }

func awaitFor(limit time.Duration, holds func() bool) bool {
	const between = 20 * time.Millisecond
	for end := time.Now().Add(limit); ; time.Sleep(between) {
		if holds() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// output is a buffer that a process writes while a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write takes what the process prints.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns all that was printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// printed returns the value that stands after a label on a line that a process
// printed.
func (p *process) printed(t *testing.T, label string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(label) + `\s+(\S+)`).FindStringSubmatch(p.out.String())
	if found == nil {
		t.Fatalf("wanted a line %q, got\n%s", label, p.out.String())
	}
	return found[1]
}
