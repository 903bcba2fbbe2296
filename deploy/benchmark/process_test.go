package benchmark

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience bounds each wait for something that should happen.
const patience = time.Minute

// process is a program that runs, until stop or the end of its context.
type process struct {
	cmd     *exec.Cmd
	started time.Time
	log     string // the file that it writes its words to
}

// start runs a program. Its words go to a file, as an operator's would.
func start(ctx context.Context, dir, name string, args ...string) (*process, error) {
	out, err := os.CreateTemp(dir, filepath.Base(name)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	p := &process{cmd: exec.CommandContext(ctx, name, args...), log: out.Name()}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.started = time.Now()
	return p, p.cmd.Start()
}

// stop asks the process to end and waits until it has.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// said returns what the process printed.
func (p *process) said() string {
	b, _ := os.ReadFile(p.log)
	return string(b)
}

// ready waits until the address answers 200 and returns how long after the start
// of the process that was.
func (p *process) ready(ctx context.Context, url string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	const between = time.Millisecond
	for {
		if answers(ctx, url) {
			return time.Since(p.started), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s: not ready: %w\n%s", url, ctx.Err(), p.said())
		case <-time.After(between):
		}
	}
}

func answers(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// cost returns the processor time that the process used while do ran, its own and
// the kernel's for it.
func (p *process) cost(do func() error) (time.Duration, error) {
	before, err := p.processorTime()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%.2000s", filepath.Base(p.cmd.Path), err, p.said())
	}
	after, err := p.processorTime()
	return after - before, err
}

// crowd is how many ask at once: a service that sleeps and wakes for each request
// alone spends more on that than on the request.
const crowd = 4

// atOnce does it that often, as many at once as are in a crowd.
func atOnce(ctx context.Context, times int, do func(context.Context) error) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(crowd)
	for range times {
		all.Go(func() error { return do(ctx) })
	}
	return all.Wait()
}

// ticks is USER_HZ, which is 100 on every architecture that Go runs on (proc(5)).
const ticks = 100

func (p *process) processorTime() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return processorTime(string(b), ticks)
}

// processorTime reads utime and stime, the 14th and 15th field of /proc/PID/stat.
// The second field is a name in brackets and may hold anything.
func processorTime(stat string, hz int64) (time.Duration, error) {
	const utime = 14 - 3 // after the name come the fields from the third on
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < utime+2 {
		return 0, errors.New("/proc/PID/stat: wanted 15 fields, got fewer")
	}
	var sum int64
	for _, f := range fields[utime : utime+2] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/stat: wanted a number of ticks, got %.20q", f)
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / time.Duration(hz), nil
}

// resident returns the memory of the process in MiB, the pages of its own file
// that are in use included.
func (p *process) resident() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return resident(string(b))
}

func resident(status string) (float64, error) {
	for line := range strings.Lines(status) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("/proc/PID/status: wanted VmRSS, got none")
}

// command runs a program to its end and returns what it printed.
func command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%.2000s", filepath.Base(name), strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

// freePort returns a port for which it and each offset from it were free a moment
// ago.
func freePort(offsets ...int) (int, error) {
	const tries = 50
	for range tries {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if allFree(port, offsets) {
			return port, nil
		}
	}
	return 0, errors.New("ports: wanted a free block on loopback, got none")
}

func allFree(port int, offsets []int) bool {
	for _, o := range offsets {
		l, err := net.Listen("tcp", loopback(port+o))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
