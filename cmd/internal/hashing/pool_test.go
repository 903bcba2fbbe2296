package hashing

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

// TestMain is also the workers that do not do what they should, by the name they are
// started under.
func TestMain(m *testing.M) {
	if IsWorker() {
		os.Exit(RunWorker())
	}
	if role, played := roles[os.Args[0]]; played {
		role()
		os.Exit(0)
	}
	if !strings.Contains(os.Args[0], "/") { // a role that nobody plays must not run the tests, which would start it again
		os.Exit(2)
	}
	os.Exit(m.Run())
}

var roles map[string]func()

func init() {
	say := func(text string) func() {
		return func() {
			_, _ = readJob(os.Stdin)
			_, _ = os.Stdout.WriteString(text)
		}
	}
	answerWith := func(change func(*answer)) func() {
		return func() {
			j, _ := readJob(os.Stdin)
			a := j.do()
			change(&a)
			_ = a.write(os.Stdout)
			_, _ = readJob(os.Stdin) // stays, so that its answer is all that is judged
		}
	}
	roles = map[string]func(){
		"parent":                parent,
		"deaf":                  deaf,
		"confined":              confined,
		"dead at once":          func() {},
		"dead under the job":    say(""),
		"a frame too long":      say("\xff\xff"),
		"a frame cut":           say("\x00\x05\x00\x00"),
		"a frame too short":     say("\x00\x01\x00"),
		"a scream":              say(strings.Repeat("scream", 100_000)),
		"another job's answer":  answerWith(func(a *answer) { a.number-- }),
		"no verdict":            answerWith(func(a *answer) { a.verdict = 0 }),
		"an unknown verdict":    answerWith(func(a *answer) { a.verdict = foreign + 1 }),
		"a check for a hash":    answerWith(func(a *answer) { a.verdict, a.phc = right, "" }),
		"no hash where asked":   answerWith(func(a *answer) { a.phc = "" }),
		"no hash of ours":       answerWith(func(a *answer) { a.phc = "$2a$10$abc" }),
		"a hash beside a check": answerWith(func(a *answer) { a.verdict, a.phc = right, "$argon2id" }),
		"silent for ever":       func() { _, _ = readJob(os.Stdin); _, _ = readJob(os.Stdin) },
	}
}

// pool is a pool of one worker, that is hired under those names one after the other
// and then as an honest one. It counts those hired.
func pool(t testing.TB, names ...string) (*Pool, *atomic.Int32) {
	t.Helper()
	p, hired := unstaffed(Options{Workers: 1}.filled()), new(atomic.Int32)
	p.hire = func(ctx context.Context) (*child, error) {
		if n := int(hired.Add(1)); n <= len(names) {
			return start(ctx, names[n-1])
		}
		return start(ctx, workerName)
	}
	p.staff(1)
	t.Cleanup(p.Close)
	return p, hired
}

var secret = password.Peppered{1}

func hashed(t testing.TB, p *Pool) password.PHC {
	t.Helper()
	hash, err := p.Hash(t.Context(), secret, password.Anyone)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// children lists the processes that this one started.
func children(t testing.TB) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread that ended meanwhile has none
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pid)
		}
	}
	return all
}

// onlyChild is the one worker there is.
func onlyChild(t testing.TB) int {
	t.Helper()
	pids := children(t)
	if len(pids) != 1 {
		t.Fatalf("wanted one worker, got %d", len(pids))
	}
	return pids[0]
}

func TestPoolHashesAndVerifies(t *testing.T) {
	p, hired := pool(t)
	hash := hashed(t, p)
	if again := hashed(t, p); again == hash {
		t.Error("wanted a salt of its own for each, got the same hash twice")
	}
	for peppered, want := range map[password.Peppered]bool{secret: true, {2}: false} {
		if ok, err := p.Verify(t.Context(), hash, peppered, password.Known); ok != want || err != nil {
			t.Errorf("wanted %v, got %v, %v", want, ok, err)
		}
	}
	for name, bad := range map[string]password.PHC{"none": "", "not ours": "$2a$10$abc", "too long": password.PHC(strings.Repeat("x", 1000))} {
		if ok, err := p.Verify(t.Context(), bad, secret, password.Anyone); ok || err == nil {
			t.Errorf("%s: wanted an error, got %v", name, ok)
		}
	}
	if n := hired.Load(); n != 1 {
		t.Errorf("wanted one worker for all, got %d", n)
	}
}

func TestAWorkerHasNothingButItsPipes(t *testing.T) {
	t.Setenv("A_SECRET", "of the parent")
	var inherited [2]int // as from a careless shell: without O_CLOEXEC
	if err := syscall.Pipe(inherited[:]); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(syscall.Close(inherited[0]), syscall.Close(inherited[1])) }()
	p, _ := pool(t)
	hashed(t, p)
	dir := fmt.Sprintf("/proc/%d", onlyChild(t))
	for _, stat := range must(filepath.Glob(dir + "/task/*/stat")) {
		text := string(must(os.ReadFile(stat)))
		// proc(5): nice is the 19th field, the 17th behind the name in brackets.
		if nice := strings.Fields(text[strings.LastIndex(text, ")")+1:])[16]; nice != "19" {
			t.Errorf("wanted the lowest priority for every thread, got %s", nice)
		}
	}
	if limits := string(must(os.ReadFile(dir + "/limits"))); !strings.Contains(strings.Join(strings.Fields(limits), " "), "Max open files 0 0") {
		t.Error("the worker may open files")
	}
	if status := string(must(os.ReadFile(dir + "/status"))); !strings.Contains(status, "NoNewPrivs:\t1") {
		t.Error("the worker may gain privileges")
	}
	if os.Getuid() != 0 {
		return // what can't be dumped shows the rest to root alone
	}
	if environ := must(os.ReadFile(dir + "/environ")); len(environ) != 0 {
		t.Errorf("wanted no environment, got %d bytes", len(environ))
	}
	for _, fd := range must(os.ReadDir(dir + "/fd")) {
		to := must(os.Readlink(filepath.Join(dir, "fd", fd.Name())))
		standard := fd.Name() == "0" || fd.Name() == "1" || fd.Name() == "2"
		// The runtime's own poller, and the processor quota it watches, are no way out.
		runtimes := strings.HasPrefix(to, "anon_inode:") || strings.HasPrefix(to, "/sys/fs/cgroup/")
		if !runtimes && (!standard || !strings.HasPrefix(to, "pipe:") && to != "/dev/null") {
			t.Errorf("descriptor %s leads to %s", fd.Name(), to)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAKilledWorkerIsReplaced(t *testing.T) {
	p, hired := pool(t)
	hash := hashed(t, p)
	for want := range int32(3) {
		if ok, err := p.Verify(t.Context(), hash, secret, password.Anyone); !ok || err != nil || hired.Load() != want+1 {
			t.Fatalf("wanted a match by worker %d, got %v, %v by %d", want+1, ok, err, hired.Load())
		}
		if err := syscall.Kill(onlyChild(t), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAWorkerThatFailsIsReplaced gives a job to one that fails, and then to an honest
// one; and then to two that fail.
func TestAWorkerThatFailsIsReplaced(t *testing.T) {
	honest, _ := pool(t)
	hash := hashed(t, honest)
	honest.Close()
	for name := range roles {
		if slices.Contains([]string{"parent", "deaf", "confined", "silent for ever"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p, hired := pool(t, name, name)
			if _, err := p.Hash(t.Context(), secret, password.Anyone); !errors.Is(err, identity.ErrUnavailable) {
				t.Errorf("wanted unavailable after two of them, got %v", err)
			}
			if n := hired.Load(); n != 2 {
				t.Errorf("wanted the job tried twice, got %d times", n)
			}
			if got := hashed(t, p); got.Outdated() || hired.Load() != 3 {
				t.Errorf("wanted a hash by the third, got one by worker %d", hired.Load())
			}
			onlyChild(t)
		})
	}
	for name, row := range map[string]struct {
		peppered password.Peppered
		want     bool
	}{
		"another job's answer": {secret, true}, "a hash beside a check": {password.Peppered{2}, false}, "no verdict": {secret, true},
	} {
		p, _ := pool(t, name)
		if ok, err := p.Verify(t.Context(), hash, row.peppered, password.Anyone); err != nil || ok != row.want {
			t.Errorf("%s: wanted %v by an honest worker, got %v, %v", name, row.want, ok, err)
		}
		p.Close()
	}
}

// TestASilentWorkerIsReplaced lets its time be over at once, and that of the next one
// never.
func TestASilentWorkerIsReplaced(t *testing.T) {
	p, hired := pool(t, "silent for ever")
	p.alarm = func(ring func()) func() bool {
		if hired.Load() == 1 {
			ring()
		}
		return func() bool { return true }
	}
	hashed(t, p)
	if n := hired.Load(); n != 2 {
		t.Errorf("wanted the second one to do it, got %d", n)
	}
}

func TestAPatientWhoLeavesMixesNothingUp(t *testing.T) {
	p, _ := pool(t)
	hash := hashed(t, p)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%2 == 0 {
				go cancel()
			}
			right := i%4 < 2
			ok, err := p.Verify(ctx, hash, password.Peppered{byte(1 + i%4/2)}, password.Anyone)
			if err == nil && ok != right {
				t.Errorf("%d: wanted %v, got another's answer", i, right)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// fill takes all the room that a lane may take, and returns how much that was.
func fill(p *Pool, lane password.Lane) (n int) {
	for {
		if _, ok := p.enter(lane); !ok {
			return n
		}
		n++
	}
}

func TestACrowdLeavesRoomForKnownBrowsers(t *testing.T) {
	const queue = 30
	p := unstaffed(Options{Workers: 1, Queue: queue})
	t.Cleanup(p.Close)
	if got := fill(p, password.Anyone); got != queue*2/3 {
		t.Errorf("wanted anyone to take %d, got %d", queue*2/3, got)
	}
	p.staff(1)
	if _, err := p.Hash(t.Context(), secret, password.Anyone); !errors.Is(err, password.ErrBusy) {
		t.Errorf("wanted strangers told that it is busy, got %v", err)
	}
	if _, err := p.Hash(t.Context(), secret, password.Known); err != nil {
		t.Errorf("wanted a known browser served, got %v", err)
	}
	if got := fill(p, password.Known); got != queue/3 {
		t.Errorf("wanted %d kept for known browsers, got %d", queue/3, got)
	}
	if _, err := p.Hash(t.Context(), secret, password.Known); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("wanted it busy for all, got %v", err)
	}
}

func TestWhoHangsUpGainsNoRoom(t *testing.T) {
	p := unstaffed(Options{Workers: 1, Queue: 9})
	t.Cleanup(p.Close)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 20 {
		want := context.Canceled
		if i >= 6 {
			want = password.ErrBusy
		}
		if _, err := p.Hash(gone, secret, password.Anyone); !errors.Is(err, want) {
			t.Fatalf("%d: wanted %v, got %v", i, want, err)
		}
	}
	p.staff(1) // which passes over the six
	if _, err := p.Hash(t.Context(), secret, password.Known); err != nil {
		t.Error(err)
	}
}

func TestNeitherLaneStarvesTheOther(t *testing.T) {
	p := unstaffed(Options{Workers: 1, Queue: 100})
	t.Cleanup(p.Close)
	for range 20 {
		p.known <- &waiting{job: job{number: 1}}
		p.anyone <- &waiting{job: job{number: 2}}
	}
	strangers := 0
	for turn := range 20 {
		if p.next(turn).number == 2 {
			strangers++
		}
	}
	if strangers != 20/strangersTurn {
		t.Errorf("wanted %d of 20 turns for strangers, got %d", 20/strangersTurn, strangers)
	}
}

func TestTheCrowdIsToldAtOnce(t *testing.T) {
	p := New(Options{Workers: 1, Queue: 6})
	t.Cleanup(p.Close)
	var all sync.WaitGroup
	var busy, done atomic.Int32
	for range 200 {
		all.Go(func() {
			_, err := p.Hash(t.Context(), secret, password.Anyone)
			switch {
			case errors.Is(err, password.ErrBusy):
				busy.Add(1)
			case err == nil:
				done.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if busy.Load() == 0 || done.Load() == 0 {
		t.Errorf("wanted some of each, got %d busy and %d done", busy.Load(), done.Load())
	}
	onlyChild(t)
	if len(p.room) != 0 || len(p.open) != 0 {
		t.Errorf("wanted all room given back, got %d and %d taken", len(p.room), len(p.open))
	}
}

func TestAClosedPoolKeepsNobodyWaiting(t *testing.T) {
	p := New(Options{Workers: 1, Queue: 90})
	var all sync.WaitGroup
	hashed(t, p)
	for range 20 {
		all.Go(func() {
			if _, err := p.Hash(t.Context(), secret, password.Known); err != nil && !errors.Is(err, identity.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	p.Close()
	all.Wait()
	p.Close()
	if _, err := p.Hash(t.Context(), secret, password.Known); !errors.Is(err, identity.ErrUnavailable) || errors.Is(err, password.ErrBusy) {
		t.Errorf("wanted unavailable, got %v", err)
	}
	if n := len(children(t)); n != 0 {
		t.Errorf("wanted no worker left, got %d", n)
	}
}

// TestClosingWaitsForNoWorker closes while the worker is at a job that never ends.
func TestClosingWaitsForNoWorker(t *testing.T) {
	p, _ := pool(t, "silent for ever", "silent for ever")
	atWork := make(chan struct{})
	p.alarm = func(func()) func() bool { close(atWork); return func() bool { return true } }
	told := make(chan error)
	go func() { _, err := p.Hash(t.Context(), secret, password.Anyone); told <- err }()
	<-atWork
	p.Close()
	if err := <-told; !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("wanted unavailable, got %v", err)
	}
}

// confined tells what it can still do.
func confined() {
	fault := confine()
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	_, openErr := os.Open("/dev/null")
	_, _ = fmt.Printf("%v, dumpable %d %v, opens: %v\n", fault, dumpable, err, !errors.Is(openErr, syscall.EMFILE))
}

func TestConfined(t *testing.T) {
	c := must(start(t.Context(), "confined"))
	defer c.dismiss()
	line := must(bufio.NewReader(c.out).ReadString('\n'))
	if want := "<nil>, dumpable 0 <nil>, opens: false\n"; line != want {
		t.Errorf("wanted %q, got %q", want, line)
	}
}

// deaf does not hear that its input has ended.
func deaf() {
	for {
		_ = unix.Pause()
	}
}

// parent is a service that tells of its worker and does nothing more.
func parent() {
	runtime.LockOSThread()
	c := must(start(context.Background(), "deaf"))
	_, _ = fmt.Println(c.cmd.Process.Pid)
	for {
		_ = unix.Pause()
	}
}

// TestAWorkerGoesWithItsParent has a worker that can't go by the end of its input.
func TestAWorkerGoesWithItsParent(t *testing.T) {
	cmd := exec.Command(self)
	cmd.Args = []string{"parent"}
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("wanted the number of a worker, got %q", line)
	}
	worker := must(unix.PidfdOpen(pid, 0))
	defer func() { _ = unix.Close(worker) }()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	const longest = 60_000 // milliseconds; it takes none
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(worker), Events: unix.POLLIN}}, longest)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(worker), Events: unix.POLLIN}}, longest)
	}
	if n != 1 || err != nil {
		t.Errorf("the worker outlived its parent: %v", err)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}
