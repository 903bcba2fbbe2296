package hashing

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

// Options is how many there are.
type Options struct {
	Workers int // 0: one less than there are cores, and one at least
	Queue   int // jobs that wait or are worked on; 0: 60 a worker, some three seconds
}

// queued is how many jobs a worker has before it at the most: a patient whose turn
// would come later is better told to try again.
const queued = 60

func (o Options) filled() Options {
	if o.Workers <= 0 {
		o.Workers = max(1, runtime.NumCPU()-1)
	}
	if o.Queue <= 0 {
		o.Queue = queued * o.Workers
	}
	return o
}

// Pool is the workers and those who wait for them.
type Pool struct {
	anyone, known chan *waiting
	room          chan struct{} // one for each job that is there
	open          chan struct{} // one for each of them that came by anyone's lane
	life          context.Context
	end           context.CancelFunc
	workers       sync.WaitGroup

	hire  func(context.Context) (*child, error)
	alarm func(ring func()) (stop func() bool) // rings when a worker's time is over
}

var _ password.Hasher = (*Pool)(nil)

// New returns a pool that starts each worker with its first job. [Pool.Close] ends
// them.
func New(o Options) *Pool {
	o = o.filled()
	p := unstaffed(o)
	p.staff(o.Workers)
	return p
}

// unstaffed returns a pool in which jobs wait.
func unstaffed(o Options) *Pool {
	p := &Pool{
		anyone: make(chan *waiting, o.Queue), known: make(chan *waiting, o.Queue),
		room: make(chan struct{}, o.Queue), open: make(chan struct{}, o.Queue-o.Queue/3),
		hire:  func(ctx context.Context) (*child, error) { return start(ctx, workerName) },
		alarm: func(ring func()) func() bool { return time.AfterFunc(patience, ring).Stop },
	}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

func (p *Pool) staff(workers int) {
	for range workers {
		p.workers.Go(p.employ)
	}
}

// Close ends the workers, whatever they are at. Who still waits, or asks later, is
// told that nothing was judged.
func (p *Pool) Close() {
	p.end()
	p.workers.Wait()
}

// Hash is of [password.Hasher].
func (p *Pool) Hash(ctx context.Context, peppered password.Peppered, lane password.Lane) (password.PHC, error) {
	a, err := p.ask(ctx, job{peppered: peppered}, lane)
	return a.phc, err
}

// Verify is of [password.Hasher]. A hash that is none of ours is an error.
func (p *Pool) Verify(ctx context.Context, hash password.PHC, peppered password.Peppered, lane password.Lane) (bool, error) {
	if hash == "" || len(hash) > longestPHC {
		return false, fmt.Errorf("hashing: wanted a hash of 1 to %d bytes to check against, got %d", longestPHC, len(hash))
	}
	a, err := p.ask(ctx, job{peppered: peppered, phc: hash}, lane)
	if err == nil && a.verdict == foreign {
		err = errors.New("hashing: wanted a hash of ours, got another")
	}
	return err == nil && a.verdict == right, err
}

// waiting is a job and where its answer goes.
type waiting struct {
	job
	ctx   context.Context
	leave func() // gives its room back
	done  chan outcome
}

type outcome struct {
	answer
	err error
}

// ask waits for the answer to a job, or returns [password.ErrBusy] at once where
// there is no room for it. A job that nobody waits for any more keeps its room until
// a worker comes by: who hangs up and asks again gains nothing.
func (p *Pool) ask(ctx context.Context, j job, lane password.Lane) (answer, error) {
	if p.life.Err() != nil {
		return answer{}, errClosed
	}
	leave, entered := p.enter(lane)
	if !entered {
		return answer{}, password.ErrBusy
	}
	w := &waiting{job: j, ctx: ctx, leave: leave, done: make(chan outcome, 1)}
	queue := p.anyone
	if lane == password.Known {
		queue = p.known
	}
	queue <- w // never waits: a lane is as long as there is room
	select {
	case out := <-w.done:
		return out.answer, out.err
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-p.life.Done():
		return answer{}, errClosed
	}
}

var errClosed = fmt.Errorf("hashing: the service is going down: %w", identity.ErrUnavailable)

// enter takes room for one job: of all of it for a known browser, of two thirds for
// anyone.
func (p *Pool) enter(lane password.Lane) (leave func(), ok bool) {
	if lane == password.Known {
		return func() { <-p.room }, take(p.room)
	}
	if !take(p.open) {
		return nil, false
	}
	if !take(p.room) {
		<-p.open
		return nil, false
	}
	return func() { <-p.room; <-p.open }, true
}

// take takes one place, if there is one.
func take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

// employ keeps one worker at work. The thread stays: the parent-death signal comes
// when the thread that started a process ends (prctl(2), PR_SET_PDEATHSIG).
func (p *Pool) employ() {
	runtime.LockOSThread()
	var c *child
	defer func() { c.dismiss() }()
	for turn := 0; ; turn++ {
		w := p.next(turn)
		if w == nil {
			return
		}
		out := outcome{err: w.ctx.Err()}
		if out.err == nil {
			c, out = p.do(w, c)
		}
		w.leave()
		w.done <- out
	}
}

// strangersTurn is every how many jobs anyone's lane goes first, so that neither lane
// can starve the other.
const strangersTurn = 4

// next returns the job to do at that turn, known browsers' before strangers' mostly;
// nil when the pool is closed.
func (p *Pool) next(turn int) *waiting {
	if p.life.Err() != nil {
		return nil
	}
	first := p.known
	if turn%strangersTurn == strangersTurn-1 {
		first = p.anyone
	}
	select {
	case w := <-first:
		return w
	default:
	}
	select {
	case w := <-p.known:
		return w
	case w := <-p.anyone:
		return w
	case <-p.life.Done():
		return nil
	}
}

// tries is how often a job is given to a worker. One that died under it may have been
// killed; a second one was killed by the job.
const tries = 2

// do gives the job to the worker, or to a new one where there is none, and returns
// who works on.
func (p *Pool) do(w *waiting, c *child) (*child, outcome) {
	var err error
	for try := 0; try < tries && (try == 0 || w.ctx.Err() == nil); try++ {
		if c == nil {
			if c, err = p.hire(p.life); err != nil {
				continue
			}
		}
		stop := p.alarm(c.kill)
		var a answer
		a, err = c.do(w.job)
		stop()
		if err == nil {
			return c, outcome{answer: a}
		}
		c.dismiss()
		c = nil
	}
	return nil, outcome{err: fmt.Errorf("hashing: %w: %w", identity.ErrUnavailable, err)}
}
