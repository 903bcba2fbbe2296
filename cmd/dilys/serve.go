package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
)

// load reads the configuration; its faults go one a line to standard error.
func (c *cli) load(con console) (*service.Config, error) {
	if c.Config == "" {
		return nil, fmt.Errorf("%w: --config FILE is needed", errUsage)
	}
	config, err := service.Load(c.Config, time.Now())
	if err != nil {
		_, _ = fmt.Fprintln(con.say, err)
		return nil, errSaid
	}
	return config, nil
}

type serveCommand struct{}

// Run runs the service until it is told to stop (SIGTERM, interrupt), and lets
// what is under way finish.
func (serveCommand) Run(ctx context.Context, con console, c *cli) error {
	config, err := c.load(con)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	log := slog.New(slog.NewJSONHandler(con.say, nil))
	s, err := service.New(ctx, config, service.Options{Now: time.Now, Log: log, Version: version()})
	if err != nil {
		return err
	}
	listeners, err := s.Listen()
	if err != nil {
		return err
	}
	log.Info("dilys is ready", "version", version(), "public_url", config.PublicURL,
		"listen", listeners.Public.Addr().String(), "operations", listeners.Operations.Addr().String())
	go onHangup(ctx, func() { c.reload(ctx, s, log) })
	return s.Run(ctx, listeners)
}

// onHangup calls fn at each SIGHUP, which would else end the process.
func onHangup(ctx context.Context, fn func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			fn()
		}
	}
}

// reload takes the file up anew, or says why what runs keeps the one before.
func (c *cli) reload(ctx context.Context, s *service.Service, log *slog.Logger) {
	config, err := service.Load(c.Config, time.Now())
	if err != nil {
		s.NotReloaded(errors.New("the file has faults; dilys config check names them"))
		log.Error("the configuration has faults, and was not taken up", "faults", err.Error(), "runbook", "R15")
		return
	}
	if err := s.Reload(ctx, config); err != nil {
		log.Error("the configuration was not taken up", "error", err.Error(), "runbook", "R15")
		return
	}
	log.Info("the configuration was taken up")
}

// collectAt is when garbage is collected, in percent over what lives. Little lives,
// a few MiB: at Go's own 100 the service under load would collect many times a
// second, to save memory that nobody misses.
const collectAt = 200

type statusCommand struct{}

// Run asks the running service how it is, and shows it on one screen.
func (statusCommand) Run(ctx context.Context, con console, c *cli) error {
	config, err := c.load(con)
	if err != nil {
		return err
	}
	status, err := service.FetchStatus(ctx, config.OperationsListen)
	if err != nil {
		_, _ = fmt.Fprintf(con.out, "down  service\n      fault:    %v\n      patients: nothing of Dilys\n      runbook:  R1\n", err)
		return errSaid
	}
	if err := status.Write(con.out); err != nil {
		return err
	}
	if !status.Healthy() {
		_, _ = fmt.Fprintln(con.say, "the runbook is deploy/README.md")
		return errSaid
	}
	return nil
}

type versionCommand struct{}

// Run shows what this program was built from.
func (versionCommand) Run(con console) error {
	_, err := fmt.Fprintf(con.out, "dilys %s, %s\n", version(), runtime.Version())
	return err
}

// version returns the module's version and commit as the build recorded them.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, commit, dirty := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " (changed)"
		}
	}
	if v == "" {
		v = "(devel)"
	}
	return v + commit + dirty
}
