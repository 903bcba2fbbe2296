package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/hashing"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp"
	"github.com/dilys-id/dilys/rp/outside"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/passkey"
	"github.com/dilys-id/dilys/rp/portal"
	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/register"
	"github.com/dilys-id/dilys/store"
)

// Records is the lower half of the house: the database and the rooms over it.
// Operators' commands need no more.
type Records struct {
	Config    *Config
	DB        *store.DB
	Ledger    *audit.Ledger
	Chain     *audit.Chain
	Accounts  *account.Accounts
	Sessions  *session.Sessions
	Factors   *factor.Factors
	Approvals *approval.Approvals
	Limits    *limit.Limits
	keys      *store.Keys
	journal   string
	outbox    *outbox.Outbox // what is put into it, the running service sends
}

// OpenRecords opens the database that the configuration names, with its keys.
func OpenRecords(ctx context.Context, c *Config, now func() time.Time) (*Records, error) {
	keys, err := store.LoadKeys(c.Keys)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, c.storeOptions(keys, now))
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	r := &Records{Config: c, DB: db, keys: keys, journal: filepath.Join(c.Keys, journalFile)}
	r.Ledger = audit.NewLedger(db.Audit(), store.NewJournal(r.journal), now)
	r.Chain = audit.NewChain(db.Audit(), keys.AuditMAC(), now)
	r.Accounts = account.New(db.Accounts(), r.Ledger, now)
	r.Sessions = session.New(db.Sessions(), r.Ledger, now)
	r.Factors = factor.New(db.Factors(), keys, r.Ledger, now)
	r.Approvals = approval.New(db.Approvals(), r.Ledger, now)
	r.Limits = limit.New(db.Limits(), c.Limits.rates(), now)
	r.outbox = outbox.New(db.Outbox(), outbox.Options{Now: now})
	return r, nil
}

// journalFile takes events while the database refuses them. It stands beside the
// keys, the one folder that every deployment has.
const journalFile = "audit-journal.jsonl"

// Options is what the service is told from outside.
type Options struct {
	Now     func() time.Time
	Log     *slog.Logger
	Version string
}

// Service is the whole house, ready to run.
type Service struct {
	*Records
	Providers []*provider.Provider
	Ring      *token.Ring
	Outbox    *outbox.Outbox
	Portals   *portal.Portals
	Attempts  *attempt.Attempts
	Front     *rp.Server

	pds     *register.PDS // nil where another register is asked, or none
	hashers *hashing.Pool
	options Options
	meters  *meters
	health  *health
	line    *line
}

// New builds the rooms in floor order. A provider that is down does not stop it.
func New(ctx context.Context, c *Config, o Options) (*Service, error) {
	records, err := OpenRecords(ctx, c, o.Now)
	if err != nil {
		return nil, err
	}
	s := &Service{Records: records, options: o, meters: newMeters(), health: newHealth(o.Now())}
	s.line = newLine(s)
	s.health.set(configurationPart, nil, o.Now())
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close lets go of everything that the service holds.
func (s *Service) Close() error {
	s.current().letGo()
	if s.hashers != nil {
		s.hashers.Close()
	}
	return s.DB.Close()
}

func (s *Service) build(ctx context.Context) error {
	var err error
	if s.Ring, err = token.NewRing(s.DB.SigningKeys(), s.options.Now, s.Config.tokenAlgs()...); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	if err := s.Ring.Refresh(ctx); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	pages, err := s.Config.pages()
	if err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	if !page.RealAssets() {
		s.options.Log.Warn("page assets are missing: a small built-in style is served", "runbook", "R9")
	}
	doors, err := s.providers()
	if err != nil {
		return err
	}
	portals, err := s.portals(ctx)
	if err != nil {
		return err
	}
	public, err := url.Parse(s.Config.PublicURL)
	if err != nil {
		return fmt.Errorf("public_url: %w", err)
	}
	own, err := s.own()
	if err != nil {
		return err
	}
	s.Attempts = attempt.New(attempt.Options{
		Store: s.DB.Attempts(), Journeys: s.DB.Attempts(), Accounts: s.Accounts, Sessions: s.Sessions, Ledger: s.Ledger,
		Limits: s.Config.limits(), Now: s.options.Now, Providers: s.Config.rules(), Own: own,
	})
	passkeys, err := s.passkeys(public)
	if err != nil {
		return err
	}
	s.Front = rp.New(rp.Options{
		PublicURL: public, PlainHTTP: s.Config.InsecureLoopback, TrustedProxies: s.Config.TrustedProxies,
		Languages: s.Config.Languages, SecurityContact: s.Config.securityContact(), OwnDoor: s.Config.ownDoor(),
		Notice: func() page.Words { return s.Config.notice(s.options.Now()) },
		SignUp: s.signUp(), Limits: s.networks(), Receipts: s.receipts(), ChannelOff: s.channelOff,
		Pages: pages, Providers: doors, Portals: portals, Attempts: s.Attempts, Sessions: s.Sessions, Accounts: s.Accounts,
		Ledger: s.Ledger, Events: s.DB.Audit(), Factors: s.Factors, Passkeys: passkeys, Now: s.options.Now, Log: s.options.Log, Observe: s.meters.observe,
	})
	return nil
}

// passkeys are none on a host without a name: a passkey is made for a name.
func (s *Service) passkeys(public *url.URL) (*passkey.Ceremonies, error) {
	if net.ParseIP(public.Hostname()) != nil {
		return nil, nil
	}
	return passkey.New(passkey.Options{PublicURL: public, Name: s.Config.Organisation.Name[s.Config.Languages[0]]})
}

// providers builds the provider side and what the front door says of each.
func (s *Service) providers() ([]rp.Provider, error) {
	var doors []rp.Provider
	for i := range s.Config.Providers {
		c := s.Config.Providers[i]
		p, err := provider.New(s.Config.provider(c), provider.Options{Now: s.options.Now, Log: s.options.Log})
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", c.ID, err)
		}
		s.Providers = append(s.Providers, p)
		doors = append(doors, rp.Provider{Provider: p, Words: c.words(), Prompt: rp.Prompt(c.Prompt), Reach: c.reachable(), Passkeys: c.Passkeys})
	}
	return doors, nil
}

func (s *Service) portalOptions(ctx context.Context) (portal.Options, error) {
	subjects, err := s.DB.Secret(ctx, "pairwise subjects")
	if err != nil {
		return portal.Options{}, fmt.Errorf("key of pairwise subjects: %w", err)
	}
	client := outside.NewClient(token.MaxKeySetBytes, s.Config.InsecureLoopback)
	o := portal.Options{
		Issuer: s.Config.PublicURL, Languages: s.Config.Languages, MinimumAge: defaultMinimumAge, Gateway: s.Config.gateway(),
		Grants: s.DB.Grants(), Sessions: s.Sessions, Accounts: s.Accounts, Ledger: s.Ledger, Ring: s.Ring, Now: s.options.Now,
		Note: rp.Note, SubjectKey: subjects, Outbox: s.Outbox, Feed: audit.NewFeed(s.DB.Audit(), s.Ledger),
	}
	for _, p := range s.Config.Portals {
		one := p.portal()
		one.Keys = p.keys(client, s.options.Now)
		o.Portals = append(o.Portals, one)
	}
	for _, p := range s.Config.Providers {
		o.Providers = append(o.Providers, p.ID)
		o.Reachable = append(o.Reachable, p.reachable()...)
	}
	o.Reachable = append(o.Reachable, slices.Concat(s.Config.ownVectors(), s.Config.passkeyVectors())...)
	return o, nil
}

// RotateSigningKeys makes new signing keys the only ones, at once. It is for a
// leaked key: portals that hold the old set refuse tokens until they fetch anew.
func (r *Records) RotateSigningKeys(ctx context.Context, actor string, now func() time.Time) error {
	ring, err := token.NewRing(r.DB.SigningKeys(), now, r.Config.tokenAlgs()...)
	if err != nil {
		return err
	}
	if err := ring.RotateNow(ctx); err != nil {
		return err
	}
	return r.Ledger.Record(ctx, audit.Event{Kind: audit.KeyRotated, Actor: actor, Cause: "signing"})
}

// defaultMinimumAge is asked where no setting says otherwise.
const defaultMinimumAge = 16
