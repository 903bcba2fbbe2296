package hashing

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// patience is how long a worker may take over a job. At the lowest priority a hash
// takes as long as everything else leaves it; a worker that needs longer than this is
// stopped, or lost.
const patience = time.Minute

// child is a worker as its parent sees it.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.Reader
	last uint32 // the number of the job before
}

// self is this very program, also after an upgrade has put another in its place.
const self = "/proc/self/exe"

// start starts this program under that name; it ends with ctx at the latest. A group
// of its own keeps a Ctrl-C in the terminal from it, while the service that it works
// for still answers.
func start(ctx context.Context, name string) (*child, error) {
	if err := keepDescriptors(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Args, cmd.Env, cmd.Dir = []string{name}, []string{}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return &child{cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// keepDescriptors keeps from workers what this process was itself started with: a
// shell's or a supervisor's sockets and files. All that Go opens is kept anyway.
func keepDescriptors() error {
	open, err := os.ReadDir("/proc/self/fd")
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return err
}

// do returns the worker's answer. After an error the worker must go: what it would
// say next might be about this job.
func (c *child) do(j job) (answer, error) {
	c.last++
	j.number = c.last
	if err := j.write(c.in); err != nil {
		return answer{}, fmt.Errorf("give a worker a job: %w", err)
	}
	a, err := readAnswer(c.out)
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("hear a worker: %w", err)
	case !a.answers(j):
		return answer{}, fmt.Errorf("hear a worker: wanted an answer to its job, got another")
	}
	return a, nil
}

// kill ends the worker; whoever waits for its answer gets an error.
func (c *child) kill() { _ = c.cmd.Process.Kill() }

// dismiss ends the worker and waits for it, so that none is left over.
func (c *child) dismiss() {
	if c == nil {
		return
	}
	c.kill()
	_ = c.in.Close()
	_ = c.cmd.Wait()
}
