package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dilys-id/dilys/cmd/dilys-dev/internal/exampleportal"
	"github.com/dilys-id/dilys/cmd/dilys-dev/internal/workbench"
	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/provider/simulator"
	"github.com/dilys-id/dilys/store"
)

// develop runs everything until ctx is done.
func develop(ctx context.Context, f flags, out, say io.Writer) error {
	g := ground{dir: f.Data, at: addresses{f.Port}}
	if err := g.prepare(f); err != nil {
		return err
	}
	clock := new(workbench.Clock)
	config, err := g.config(ctx, f, clock)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if f.Verbose {
		log = slog.New(slog.NewTextHandler(say, nil))
	}
	rooms, err := g.rooms(f, clock, log)
	if err != nil {
		return err
	}
	s, err := service.New(ctx, config, service.Options{Now: clock.Now, Log: log, Version: "dev"})
	if err != nil {
		return err
	}
	if err := fillRegister(ctx, s); err != nil {
		return errors.Join(fmt.Errorf("register: %w", err), s.Close())
	}
	listeners, err := s.Listen()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return serveAll(ctx, rooms, func(ctx context.Context) error {
		g.announce(f, out)
		return s.Run(ctx, listeners)
	})
}

// config reads the configuration, and makes keys and database where they are
// missing.
func (g ground) config(ctx context.Context, f flags, clock *workbench.Clock) (*service.Config, error) {
	file := g.file(configFile)
	if f.Config != "" {
		file = f.Config
	}
	config, err := service.Load(file, clock.Now())
	if err != nil {
		return nil, err
	}
	if !config.InsecureLoopback {
		return nil, errors.New("insecure_loopback: wanted true: dilys-dev is for loopback only")
	}
	if _, err := os.Stat(config.Keys); errors.Is(err, os.ErrNotExist) {
		if err := store.InitKeys(config.Keys); err != nil {
			return nil, err
		}
	}
	_, err = service.Migrate(ctx, config, clock.Now)
	return config, err
}

// room is one address beside Dilys.
type room struct {
	address string
	handler http.Handler
}

// rooms builds simulator, workbench and example portal.
func (g ground) rooms(f flags, clock *workbench.Clock, log *slog.Logger) ([]room, error) {
	clients, err := g.simulatorClients(f)
	if err != nil {
		return nil, err
	}
	warnings := new(workbench.Warnings)
	sim, err := simulator.New(simulator.Options{
		Issuer: g.issuer(f), Now: clock.Now, Clients: clients, Warn: warnings.Add, AppTarget: g.at.dilys() + "/login/nhs-login",
	})
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	secret, err := os.ReadFile(g.file(exampleSecretFile))
	if err != nil {
		return nil, err
	}
	example, err := exampleportal.New(exampleportal.Options{
		Issuer: g.at.dilys(), ClientID: "example-portal", Secret: identity.Secret(trimmed(secret)),
		BaseURL: g.at.examplePortal(), Now: clock.Now, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("example portal: %w", err)
	}
	notify, err := newNotify(g.file(notifyKeyFile), clock.Now)
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	bench, err := workbench.New(workbench.Options{
		Clock: clock, Simulator: g.at.simulator(), Warnings: warnings.List, Outbox: func() []workbench.Message { return messages(notify) }, Addresses: []workbench.Address{
			{Name: "Dilys", URL: g.at.dilys(), About: "the service, as patients see it"},
			{Name: "Example portal", URL: g.at.examplePortal(), About: "an ordinary OpenID Connect client: start here"},
			{Name: "NHS login simulator", URL: g.at.simulator(), About: "made-up patients, and every lie that a provider can tell"},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("workbench: %w", err)
	}
	return []room{
		{fmt.Sprintf("127.0.0.1:%d", f.Port+1), bench},
		{fmt.Sprintf("127.0.0.1:%d", f.Port+2), sim},
		{fmt.Sprintf("127.0.0.1:%d", f.Port+4), example},
		{fmt.Sprintf("127.0.0.1:%d", f.Port+5), notify},
	}, nil
}

func (g ground) simulatorClients(f flags) ([]simulator.Client, error) {
	clients, err := simulator.ReadClients(g.file(clientsFile))
	if err != nil || f.SimulatorClients == "" {
		return clients, err
	}
	more, err := simulator.ReadClients(f.SimulatorClients)
	return append(clients, more...), err
}

func trimmed(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return string(b)
}

// serveAll serves the rooms while run runs.
func serveAll(ctx context.Context, rooms []room, run func(context.Context) error) error {
	var servers []*http.Server
	defer func() {
		for _, s := range servers {
			_ = s.Close()
		}
	}()
	for _, r := range rooms {
		listener, err := net.Listen("tcp", r.address)
		if err != nil {
			return err
		}
		const headerTime = 5 * time.Second
		server := &http.Server{Handler: r.handler, ReadHeaderTimeout: headerTime}
		servers = append(servers, server)
		go func() { _ = server.Serve(listener) }()
	}
	return run(ctx)
}

// announce prints the addresses, and what a portal of one's own needs.
func (g ground) announce(f flags, out io.Writer) {
	_, _ = fmt.Fprintf(out, `Dilys            %s
workbench        %s   outbox (e-mails and texts), clock, faults
NHS login        %s   simulator, with made-up patients
example portal   %s   start here
configuration    %s
`, g.at.dilys(), g.at.workbench(), g.at.simulator(), g.at.examplePortal(), g.file(configFile))
	if f.Portal == "" {
		return
	}
	secret, err := os.ReadFile(g.file(portalSecretFile))
	if err != nil {
		_, _ = fmt.Fprintf(out, "your portal: %v\n", err)
		return
	}
	_, _ = fmt.Fprintf(out, `
your portal
  issuer         %s
  client_id      my-portal
  client_secret  %s
  redirect_uri   %s
  after log-out  %s
  try it         curl -s %s/.well-known/openid-configuration
with a key       instead of the secret (private_key_jwt), and pairwise subjects
  client_id      my-service
  client_key     %s
`, g.at.dilys(), trimmed(secret), f.Portal, homeOf(f.Portal), g.at.dilys(), g.file(serviceKeyFile))
}
