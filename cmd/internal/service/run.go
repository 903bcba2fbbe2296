package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/outbox"
)

// How often the service looks after itself.
const (
	sealEvery    = time.Second
	partEvery    = time.Second
	refreshEvery = time.Minute
	sweepEvery   = 10 * time.Minute
	fadeEvery    = time.Minute
	changeEvery  = 10 * time.Second // a patient who was told a time looks at the clock
	watchEvery   = 5 * time.Second
	rekeyEvery   = time.Hour
	outboxEvery  = 5 * time.Second // a commit of this replica wakes it at once; this is for what others left
	drainFor     = 30 * time.Second
)

// Listeners are where the service answers.
type Listeners struct {
	Public     net.Listener
	Operations net.Listener // may be nil
}

// Listen opens the listeners that the configuration names.
func (s *Service) Listen() (Listeners, error) {
	public, err := net.Listen("tcp", s.Config.Listen)
	if err != nil {
		return Listeners{}, fmt.Errorf("listen: %w", err)
	}
	operations, err := net.Listen("tcp", s.Config.OperationsListen)
	if err != nil {
		_ = public.Close()
		return Listeners{}, fmt.Errorf("operations_listen: %w", err)
	}
	return Listeners{public, operations}, nil
}

// Run answers on the listeners until ctx is done, then lets what is under way
// finish, and closes the database.
func (s *Service) Run(ctx context.Context, l Listeners) error {
	front := s.Front.HTTPServer()
	front.Handler = s.line
	servers := []struct {
		server   *http.Server
		listener net.Listener
	}{{front, l.Public}, {s.operationsServer(), l.Operations}}
	failed := make(chan error, len(servers))
	for _, one := range servers {
		if one.listener == nil {
			continue
		}
		go func() {
			if err := one.server.Serve(one.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	chores, stop := context.WithCancel(ctx)
	var busy sync.WaitGroup
	s.chores(chores, &busy)
	busy.Go(func() { s.deliver(chores) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	for _, one := range servers {
		err = errors.Join(err, one.server.Shutdown(drain))
	}
	stop()
	busy.Wait()
	return errors.Join(err, s.Close())
}

// chores starts what the service does by itself.
func (s *Service) chores(ctx context.Context, busy *sync.WaitGroup) {
	for _, c := range []struct {
		every time.Duration
		do    func(*Service, context.Context)
	}{
		{sealEvery, (*Service).seal},
		{refreshEvery, (*Service).refreshKeys},
		{sweepEvery, (*Service).sweep},
		{fadeEvery, (*Service).fade},
		{changeEvery, (*Service).changeContacts},
		{rekeyEvery, (*Service).rekey},
		{watchEvery, (*Service).watch},
		{fadeEvery, (*Service).countFrozen},
		{fadeEvery, (*Service).readIndex},
		{fadeEvery, (*Service).closeDue},
		{watchEvery, (*Service).refreshProviders},
		{partEvery, (*Service).part},
	} {
		busy.Go(func() {
			tick := time.NewTicker(c.every)
			defer tick.Stop()
			for {
				c.do(s.current(), ctx)
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
}

// seal links new events into the chain and logs the head, so that a log kept
// elsewhere tells how long the chain was.
func (s *Service) seal(ctx context.Context) {
	head, sealed, err := s.Chain.Seal(ctx)
	s.health.set("audit", err, s.options.Now())
	if sealed {
		s.options.Log.Info("audit head", "head", head.Head(), "events", head.Count)
	}
}

func (s *Service) refreshKeys(ctx context.Context) {
	err := s.Ring.Refresh(ctx)
	s.health.set("signing keys", err, s.options.Now())
	if err != nil && ctx.Err() == nil {
		s.options.Log.Error("signing keys", "error", err.Error(), "runbook", "R8")
	}
}

func (s *Service) refreshProviders(ctx context.Context) {
	var all sync.WaitGroup
	for _, p := range s.Providers {
		all.Go(func() { p.Refresh(ctx) })
	}
	if s.pds != nil {
		all.Go(func() { s.pds.Refresh(ctx) })
	}
	all.Wait()
}

// sweep forgets what is long over, and brings in what the journal holds.
func (s *Service) sweep(ctx context.Context) {
	_, err := s.DB.ImportJournal(ctx, s.journal)
	err = errors.Join(err, s.DB.Sweep(ctx, s.options.Now()))
	s.health.set("journal", err, s.options.Now())
	if err != nil && ctx.Err() == nil {
		s.options.Log.Error("sweep", "error", err.Error(), "runbook", "R7")
	}
}

// fade wipes what was typed on devices of somebody else.
func (s *Service) fade(ctx context.Context) {
	if err := s.Attempts.Fade(ctx); err != nil && ctx.Err() == nil {
		s.options.Log.Error("fade", "error", err.Error(), "runbook", "R2")
	}
}

// changeContacts lets new addresses take the place of old ones whose time is over.
func (s *Service) changeContacts(ctx context.Context) {
	if err := s.Attempts.ApplyChanges(ctx); err != nil && ctx.Err() == nil {
		s.options.Log.Error("change of address", "error", err.Error(), "runbook", "R2")
	}
}

// rekey brings what earlier sealing keys wrote under those in use, after a rotation.
func (s *Service) rekey(ctx context.Context) {
	err := s.DB.Reindex(ctx)
	resealed, resealErr := s.DB.Reseal(ctx)
	if resealed > 0 {
		s.options.Log.Info("sealed anew", "rows", resealed)
	}
	if err = errors.Join(err, resealErr); err != nil && ctx.Err() == nil {
		s.options.Log.Error("rekey", "error", err.Error(), "runbook", "R2")
	}
}

// CloseDue is [account.Accounts.CloseDue], with the last word to each patient.
func (r *Records) CloseDue(ctx context.Context) (closed []string, err error) {
	return r.Accounts.CloseDue(ctx, func(ctx context.Context, a account.Account) error { return r.Tell(ctx, a, outbox.Closed) })
}

// closeDue closes the accounts whose patients left two weeks ago.
func (s *Service) closeDue(ctx context.Context) {
	closed, err := s.CloseDue(ctx)
	for _, id := range closed { // who puts a back-up back must know
		s.options.Log.Info("account closed", "account", id)
	}
	if err != nil && ctx.Err() == nil {
		s.options.Log.Error("close accounts", "error", err.Error(), "runbook", "R2")
	}
}

// part has portals told of sessions that ended, and of what happened to accounts.
func (s *Service) part(ctx context.Context) {
	if err := errors.Join(s.Portals.Part(ctx), s.Portals.Tell(ctx)); err != nil && ctx.Err() == nil {
		s.options.Log.Error("notices to portals", "error", err.Error(), "runbook", "R2")
	}
}

// readIndex keeps how the index of patients is, where there is one.
func (s *Service) readIndex(ctx context.Context) {
	if c := s.Config.Register; c == nil || c.Kind != kindIndex {
		return
	}
	if status, err := s.DB.Register().Status(ctx); err == nil { // the watch of the database tells what is wrong with it
		s.health.index.Store(&status)
	}
}

// countFrozen tells the operators' screen how many records wait for people. Each one
// has its event, whose reference the patient was shown.
func (s *Service) countFrozen(ctx context.Context) {
	n, err := s.DB.Accounts().Frozen(ctx)
	if err != nil {
		return // the watch of the database tells it
	}
	if before := s.health.frozen.Swap(n); n > before {
		s.options.Log.Warn("records frozen", "count", n, "runbook", "R13")
	}
}

func (s *Service) watch(ctx context.Context) {
	h := s.DB.Health(ctx)
	s.health.set("database", h.Read, s.options.Now())
	s.health.set("database writes", h.Write, s.options.Now())
}

// operationsServer answers operators and their monitoring: never on the public
// listener.
func (s *Service) operationsServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status := s.current().Status()
		if !status.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		writeJSON(w, status)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.current().Status()) })
	mux.Handle("GET /metrics", s.meters.handler(func() Status { return s.current().Status() }))
	const headerTime = 5 * time.Second
	return &http.Server{Handler: mux, ReadHeaderTimeout: headerTime}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
