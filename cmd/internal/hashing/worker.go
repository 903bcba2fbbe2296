// Package hashing owns the workers that hash passwords: child processes of the same
// program at the lowest priority, so that a hash is felt by nobody but who waits for
// it. It is a [password.Hasher].
//
// A worker is given an HMAC of a password, never a password. It has no environment
// and no file but its two pipes, can open no other, and ends with its parent. This
// package counts no guesses and knows no patient.
package hashing

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

// workerName is the whole command line of a worker. Nothing that a person types
// begins a program so.
const workerName = "dilys-hashing-worker"

// IsWorker reports whether this process was started as a worker. Every program with a
// pool, a test's too, asks at the very top of its main, and leaves the rest to
// [RunWorker].
func IsWorker() bool { return len(os.Args) == 1 && os.Args[0] == workerName }

// RunWorker answers the jobs that come in on standard input until it ends, and returns
// the exit code.
func RunWorker() int {
	if err := confine(); err != nil {
		return 1
	}
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1) // work says when
	if err := work(os.Stdin, os.Stdout); err != nil {
		return 1
	}
	return 0
}

// lowest is the priority that yields to everything else.
const lowest = 19

// confine gives up what a worker has no use for.
func confine() error {
	// In Linux each thread has a priority of its own, and the runtime has started some
	// already: the group, which start made, is all of them.
	if unix.Getpgrp() != os.Getpid() {
		return errors.New("worker: wanted a group of its own")
	}
	_, _ = rand.Read(make([]byte, 1)) // the first one opens the runtime's poller
	none := unix.Rlimit{}
	return errors.Join(
		syscall.Setpriority(syscall.PRIO_PGRP, 0, lowest),
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0), // no debugger of the same user, no core file
		unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
		unix.Setrlimit(unix.RLIMIT_NOFILE, &none), // no file, no socket
	)
}

// work answers jobs one after the other until the input ends.
func work(in io.Reader, out io.Writer) error {
	in = bufio.NewReader(in)
	for {
		j, err := readJob(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("worker: %w", err)
		}
		if err := j.do().write(out); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
		// The next hash takes the place of this one: no page is given back and asked for
		// again, which costs more than collecting the little else there is.
		runtime.GC()
	}
}
