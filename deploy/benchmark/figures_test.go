package benchmark

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// How often each thing is measured. Odd, so that a median is a measurement.
const (
	tokenRounds = 101
	tokenTimes  = 300
	checkRounds = 7
	checkWarm   = 5_000
	checkTimes  = 30_000
	loginRounds = 7
	loginWarm   = 40
	loginTimes  = 240
	startRounds = 9
	devRounds   = 5
	idleFor     = 10 * time.Second
)

const mib = 1 << 20

// figures measures everything in turn and prints the table. Each figure has a
// world of its own, so that none stands on what another left in the database.
func figures(ctx context.Context) error {
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var rows []row
	for _, f := range []struct {
		name    string
		measure func(*world, context.Context) ([]row, error)
	}{
		{"tokens", (*world).tokens},
		{"check", (*world).check},
		{"introspect", (*world).introspect},
		{"login", (*world).login},
		{"own", (*world).own},
		{"passkey", (*world).passkey},
		{"crowd", (*world).crowd},
		{"start", (*world).start},
		{"dev", (*world).startDev},
		{"memory", (*world).memory},
		{"binary", (*world).binary},
	} {
		if !wanted.MatchString(f.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", f.name)
		more, err := inWorld(ctx, f.measure)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		rows = append(rows, more...)
	}
	return writeTable(os.Stdout, rows)
}

// inWorld measures in a new world, and leaves nothing of it.
func inWorld(ctx context.Context, measure func(*world, context.Context) ([]row, error)) ([]row, error) {
	dir, err := os.MkdirTemp("", "dilys-bench")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w, err := newWorld(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.server.Close() }()
	return measure(w, ctx)
}

// contender is a process under a load.
type contender struct {
	*process
	load func(times int) error
}

// duel puts both under the load in turn and returns the processor time a time, in
// microseconds.
func duel(ours, bare contender, rounds, warm, times int) ([][2]float64, error) {
	both := [2]contender{ours, bare}
	for _, c := range both {
		if _, err := c.cost(func() error { return c.load(warm) }); err != nil {
			return nil, err
		}
	}
	pairs := make([][2]float64, rounds)
	for i := range pairs {
		for j, c := range both {
			took, err := c.cost(func() error { return c.load(times) })
			if err != nil {
				return nil, err
			}
			pairs[i][j] = float64(took.Microseconds()) / float64(times)
		}
	}
	return pairs, nil
}

func (w *world) check(ctx context.Context) ([]row, error) {
	ours, _, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	cookie, err := login(ctx, w.dilysURL())
	if err != nil {
		return nil, err
	}
	bare, err := w.serveBare(ctx, "bare-check", w.file("dilys.db"))
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	asking := func(port int) func(int) error {
		return func(times int) error { return ask(ctx, loopback(port), question(loopback(port), cookie), times) }
	}
	pairs, err := duel(contender{ours, asking(w.dilys)}, contender{bare, asking(w.bare)}, checkRounds, checkWarm, checkTimes)
	return []row{besides("/check, CPU, beside a handler with one read", "µs", pairs, 1.5)}, err
}

func (w *world) login(ctx context.Context) ([]row, error) {
	ours, _, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	bare, err := w.serveBare(ctx, "bare-login", w.file("bare.db"))
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	walking := func(base string) func(int) error {
		return func(times int) error {
			return atOnce(ctx, times, func(ctx context.Context) error {
				_, err := login(ctx, base)
				return err
			})
		}
	}
	pairs, err := duel(contender{ours, walking(w.dilysURL())}, contender{bare, walking(w.bareURL())}, loginRounds, loginWarm, loginTimes)
	return []row{besides("a whole login, CPU, beside the least code", "µs", pairs, 1.8)}, err
}

// start measures from the start of the process to its first page.
func (w *world) start(ctx context.Context) ([]row, error) {
	var all []float64
	for range startRounds {
		p, took, err := w.serve(ctx)
		if err != nil {
			return nil, err
		}
		p.stop()
		all = append(all, milliseconds(took))
	}
	return []row{alone("start to first page, migrated", "ms", median(all), 60)}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// startDev measures dilys-dev on an empty folder: keys, database and all.
func (w *world) startDev(ctx context.Context) ([]row, error) {
	var all []float64
	for i := range devRounds {
		port, err := freePort(1, 2, 4, 10)
		if err != nil {
			return nil, err
		}
		p, err := start(ctx, w.dir, *dilysDev, "--port", strconv.Itoa(port), "--data", w.file(fmt.Sprintf("dev-%d", i)))
		if err != nil {
			return nil, err
		}
		took, err := p.ready(ctx, "http://"+loopback(port)+loginPath)
		p.stop()
		if err != nil {
			return nil, err
		}
		all = append(all, milliseconds(took))
	}
	return []row{alone("dilys-dev, empty folder to first page", "ms", median(all), 400)}, nil
}

// memory looks at the service after one of each page and a rest.
func (w *world) memory(ctx context.Context) ([]row, error) {
	p, _, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	b, err := newBrowser(w.dilysURL())
	if err != nil {
		return nil, err
	}
	if _, err := b.login(ctx); err != nil {
		return nil, err
	}
	for _, path := range strings.Fields("/login?again=1 /account /help /privacy /cookies /accessibility /jwks.json /.well-known/openid-configuration /check /logout?lang=cy") {
		if _, err := b.ask(ctx, http.MethodGet, w.dilysURL()+path, http.StatusOK); err != nil {
			return nil, err
		}
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(idleFor):
	}
	used, err := p.resident()
	return []row{alone("memory, idle", "MiB", used, 40)}, err
}

func (w *world) binary(context.Context) ([]row, error) {
	info, err := os.Stat(*dilys)
	if err != nil {
		return nil, err
	}
	return []row{alone("binary, "+filepath.Base(*dilys), "MiB", float64(info.Size())/mib, 40)}, nil
}
