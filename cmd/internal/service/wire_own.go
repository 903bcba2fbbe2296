package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/dilys-id/dilys/cmd/internal/hashing"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/password"
	"github.com/dilys-id/dilys/rp"
	"github.com/dilys-id/dilys/rp/courier"
	"github.com/dilys-id/dilys/rp/outside"
	"github.com/dilys-id/dilys/rp/portal"
	"github.com/dilys-id/dilys/rp/register"
)

// own builds what serves patients whom no provider serves. It is built where nobody
// can sign up too: a patient who did before still has an account.
func (s *Service) own() (attempt.Own, error) {
	if s.hashers == nil { // a reload goes on with those it finds
		s.hashers = hashing.New(hashing.Options{})
	}
	keys := s.keys
	own := attempt.Own{
		Passwords: password.New(s.DB.Passwords(), s.hashers, keys, s.options.Now),
		Codes:     code.New(s.DB.OneTimeCodes(), keys, s.Config.Limits.CodeGuesses, s.options.Now),
		Sending:   s.Limits,
		Outbox:    s.Outbox,
		Factors:   s.Factors,
		Rules: attempt.Rules{
			MinimumAge: s.Config.SignUp.MinimumAge, Practices: s.Config.SignUp.Practices, TestNumbers: s.Config.SignUp.TestNHSNumbers, EmailCodes: s.Config.SignUp.EmailCodes,
			Organisation: organisationWords(s.Config.Organisation.Name),
		},
	}
	register, err := s.register()
	own.Register = register
	if s.Config.Register != nil {
		own.Rules.ContactProof, own.Rules.Linkage = s.Config.Register.ContactProof, s.Config.Register.Kind == kindIndex
	}
	return own, err
}

// couriers carries messages to patients and notices to portals.
type couriers struct {
	patients *courier.Courier
	portals  *portal.Herald
}

var _ outbox.Courier = (*couriers)(nil)

func (c *couriers) of(m outbox.Message) outbox.Courier {
	if _, portal := m.To.Channel.Portal(); portal {
		return c.portals
	}
	return c.patients
}

// Send is of [outbox.Courier].
func (c *couriers) Send(ctx context.Context, m outbox.Message) error { return c.of(m).Send(ctx, m) }

// Sent is of [outbox.Courier].
func (c *couriers) Sent(ctx context.Context, m outbox.Message) (bool, error) {
	return c.of(m).Sent(ctx, m)
}

// portals builds the portal side, and the outbox that it and the patients' side put
// messages into: what carries its notices is the portal side itself.
func (s *Service) portals(ctx context.Context) (*portal.Portals, error) {
	patients, err := s.courier()
	if err != nil {
		return nil, err
	}
	carry := &couriers{patients: patients}
	s.Outbox = outbox.New(s.DB.Outbox(), outbox.Options{Courier: carry, Portals: s.Config.noticed(), Now: s.options.Now, Told: s.told})
	options, err := s.portalOptions(ctx)
	if err != nil {
		return nil, err
	}
	if s.Portals, err = portal.New(options); err != nil {
		return nil, fmt.Errorf("portals: %w", err)
	}
	const largest = 64 << 10
	carry.portals = portal.NewHerald(s.Portals, outside.NewClient(largest, s.Config.InsecureLoopback))
	return s.Portals, nil
}

// told counts what became of messages, and keeps how the channels are.
func (s *Service) told(h outbox.Happening) {
	s.meters.told(h)
	switch h.What {
	case outbox.ChannelOff:
		s.health.set("courier "+string(h.By), errors.New(h.Cause), s.options.Now())
	case outbox.ChannelOn:
		s.health.set("courier "+string(h.By), nil, s.options.Now())
	case outbox.Faulty:
		s.options.Log.Error("outbox", "channel", string(h.By), "error", h.Err.Error(), "runbook", "R11")
	}
}

func organisationWords(name Text) []string {
	var words []string
	for _, n := range name {
		words = append(words, n)
	}
	return words
}

// register is who the health service says a patient is; nil where none is asked.
func (s *Service) register() (attempt.Register, error) {
	c := s.Config.Register
	switch {
	case c == nil:
		return nil, nil
	case c.Kind == kindIndex:
		return s.DB.Register(), nil
	}
	pds, err := register.New(register.Options{
		ID: kindPDS, URL: c.URL, TokenURL: c.TokenURL, Key: c.ClientKey, APIKey: c.APIKey, Now: s.options.Now, Log: s.options.Log,
		LoopbackHTTP: s.Config.InsecureLoopback,
	})
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	s.pds = pds
	return pds, nil
}

// courier carries messages on the channels that are configured.
func (s *Service) courier() (*courier.Courier, error) {
	public, err := url.Parse(s.Config.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	o := courier.Options{
		Organisation: s.Config.Organisation.Name, Languages: s.Config.Languages, PublicURL: s.Config.PublicURL, Help: s.Config.Organisation.Help.Phone,
	}
	if o.Email, err = s.sender(s.Config.Courier.Email, public.Hostname()); err != nil {
		return nil, fmt.Errorf("courier.email: %w", err)
	}
	if o.SMS, err = s.sender(s.Config.Courier.SMS, public.Hostname()); err != nil {
		return nil, fmt.Errorf("courier.sms: %w", err)
	}
	return courier.New(o)
}

func (s *Service) sender(c *Channel, host string) (courier.Sender, error) {
	switch {
	case c == nil:
		return nil, nil
	case c.SMTP != nil:
		return courier.NewSMTP(courier.SMTPOptions{
			Address: c.SMTP.Address, From: c.SMTP.From, Username: c.SMTP.Username, Password: c.SMTP.Password, Host: host, Now: s.options.Now,
			LoopbackPlain: s.Config.InsecureLoopback,
		})
	}
	return courier.NewNotify(courier.NotifyOptions{
		URL: c.Notify.URL, Key: c.Notify.APIKey, Template: c.Notify.Template, Now: s.options.Now, Loopback: s.Config.InsecureLoopback,
	})
}

// rates puts the limits of the configuration into the words of their room.
func (l Limits) rates() limit.Rates {
	r := limit.Defaults
	r.Cooldown, r.Flow, r.Reserve = l.SendCooldown, l.SendPerFlow, l.SendReserve
	r.Address, r.Service, r.Network = rules("address", l.SendPerAddress), rules("service", l.SendPerService), rules("network", l.SendPerNetwork)
	r.Block, r.Lookups = rules("block", []Rate{l.SendPerBlock})[0], rules("lookups", []Rate{l.RegisterLookups})[0]
	r.Code.Day, r.Code.Ever = l.CodeGuessesDay, l.CodeGuessesEver
	r.Password.Tries, r.Password.Within = l.PasswordGuesses.N, l.PasswordGuesses.Per
	r.Password.Lock, r.Password.LockMost = l.PasswordLock, l.PasswordLockMost
	return r
}

func rules(name string, rates []Rate) []limit.Rule {
	all := make([]limit.Rule, 0, len(rates))
	for _, r := range rates {
		all = append(all, limit.Rule{Name: name + "-" + brief(r.Per), N: r.N, Per: r.Per})
	}
	return all
}

// receipts takes what GOV.UK Notify says of a message later, from whoever has the
// token; nil where none is configured.
func (s *Service) receipts() http.Handler {
	for _, c := range []*Channel{s.Config.Courier.SMS, s.Config.Courier.Email} {
		if c != nil && c.Notify != nil && c.Notify.ReceiptsToken != "" {
			return courier.Receipts(c.Notify.ReceiptsToken, s.Outbox.Receive)
		}
	}
	return nil
}

// channelOff reports whether messages can't be sent there now. What can't be told is
// taken to work: the page then says that a message may take a while.
func (s *Service) channelOff(ctx context.Context, by identity.Channel) bool {
	c := s.Config.Courier.Email
	if by == identity.BySMS {
		c = s.Config.Courier.SMS
	}
	if c == nil {
		return true
	}
	state, err := s.Outbox.State(ctx, by)
	return err == nil && state.Off
}

func (s *Service) signUp() rp.SignUp {
	return rp.SignUp{Open: s.Config.SignUp.Enabled, MinimumAge: s.Config.SignUp.MinimumAge, Texts: s.Config.Courier.SMS != nil, EmailCodes: s.Config.SignUp.EmailCodes}
}

func (s *Service) networks() rp.Networks {
	return rp.Networks{Limits: s.Limits, Shared: append([]netip.Prefix(nil), s.Config.Limits.Networks...)}
}

// ownVectors are what a login without a provider can reach: P9 by documents that
// staff saw.
func (c *Config) ownVectors() []identity.Trust {
	if !c.SignUp.Enabled {
		return nil
	}
	var all []identity.Trust
	for _, p := range []identity.Proofing{identity.P9, identity.P5, identity.P0} {
		for _, c := range []identity.Credential{identity.Cp | identity.Ck, identity.Cp | identity.Cd, identity.Cp} {
			all = append(all, identity.Trust{P: p, C: c})
		}
	}
	return all
}
