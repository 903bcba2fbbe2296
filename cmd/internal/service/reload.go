package service

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/identity/limit"
)

// line is the services that follow one another in one process, over one database: each
// is built whole from a configuration and never changes. What runs asks for the one of
// now, once for each request and each turn of a chore.
type line struct {
	now   atomic.Pointer[Service]
	mu    sync.Mutex    // one reload at a time
	moved chan struct{} // holds one: another service took over
}

func newLine(first *Service) *line {
	l := &line{moved: make(chan struct{}, 1)}
	l.now.Store(first)
	return l
}

// current is the service of now.
func (s *Service) current() *Service { return s.line.now.Load() }

// ServeHTTP answers a request as the present configuration has it.
func (l *line) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.now.Load().Front.ServeHTTP(w, r)
}

// Reload puts a configuration in the place of the present one, all of it at once:
// providers, portals, rules, notices, couriers, limits, and the keys and secrets that its
// files hold. Requests under way end as they began. On an error everything stays as it
// is. What a process can't change while it runs (its listeners, database, sealing keys
// and public_url) is such an error.
func (s *Service) Reload(ctx context.Context, c *Config) error {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	err := s.current().succeed(ctx, c)
	s.meters.reloaded(err)
	s.health.set(configurationPart, err, s.options.Now())
	return err
}

// NotReloaded keeps that a configuration had faults and was not taken up.
func (s *Service) NotReloaded(fault error) {
	s.meters.reloaded(fault)
	s.health.set(configurationPart, fault, s.options.Now())
}

// configurationPart is the configuration among the parts of the status.
const configurationPart = "configuration"

func (s *Service) succeed(ctx context.Context, c *Config) error {
	if fixed := s.Config.fixedBeside(c); len(fixed) > 0 {
		return fmt.Errorf("wanted the same %s as before, got another: a restart takes it up", strings.Join(fixed, ", "))
	}
	records := *s.Records
	records.Config, records.Limits = c, limit.New(s.DB.Limits(), c.Limits.rates(), s.options.Now)
	next := &Service{Records: &records, options: s.options, meters: s.meters, health: s.health, hashers: s.hashers, line: s.line}
	if err := next.build(ctx); err != nil {
		next.letGo()
		return err
	}
	s.line.now.Store(next)
	select {
	case s.line.moved <- struct{}{}:
	default:
	}
	time.AfterFunc(drainFor, s.letGo) // what is under way may still need them
	return nil
}

// letGo closes what this service holds alone.
func (s *Service) letGo() {
	for _, p := range s.Providers {
		p.Close()
	}
	if s.pds != nil {
		s.pds.Close()
	}
}

// fixedBeside names what differs and can't change while a process runs.
func (c *Config) fixedBeside(other *Config) (keys []string) {
	for name, same := range map[string]bool{
		"public_url":             c.PublicURL == other.PublicURL,
		"listen":                 c.Listen == other.Listen,
		"operations_listen":      c.OperationsListen == other.OperationsListen,
		"insecure_loopback":      c.InsecureLoopback == other.InsecureLoopback,
		"database":               c.Database == other.Database,
		"database_password_file": c.DatabasePassword.Reveal() == other.DatabasePassword.Reveal(),
		"keys":                   c.Keys == other.Keys,
	} {
		if !same {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return keys
}

// deliver sends messages, by the outbox of now: each reload has one of its own.
func (s *Service) deliver(ctx context.Context) {
	for ctx.Err() == nil {
		turn, stop := context.WithCancel(ctx)
		var busy sync.WaitGroup
		busy.Go(func() { s.current().Outbox.Run(turn, outboxEvery) })
		select {
		case <-ctx.Done():
		case <-s.line.moved:
		}
		stop()
		busy.Wait()
	}
}
