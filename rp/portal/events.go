package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/token"
)

// What portals are told of an account that they know, by the events of RISC and CAEP.
const (
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	caep = "https://schemas.openid.net/secevent/caep/event-type/"

	accountPurged    = risc + "account-purged"
	accountDisabled  = risc + "account-disabled"
	accountEnabled   = risc + "account-enabled"
	assuranceChanged = caep + "assurance-level-change"
)

// numberChanged, behind our own address, says that the account has another NHS number: it
// is at userinfo. The standards' identifier-changed speaks of addresses alone.
const numberChanged = "/events/nhs-number-changed"

// eventLife is how long a portal is told again that does not answer. That an account is
// gone stays open for as long as a portal might be away.
const (
	eventLife    = 72 * time.Hour
	deletionLife = 90 * 24 * time.Hour
)

// tellings says which event of the audit is told, and as what.
func (p *Portals) telling(e audit.Event) string {
	switch {
	case e.Result != audit.OK || e.Account == "":
		return ""
	case e.Kind == audit.AccountClosed:
		return accountPurged
	case e.Kind == audit.AccountDisabled:
		return accountDisabled
	case e.Kind == audit.AccountEnabled:
		return accountEnabled
	case e.Kind == audit.DetailsRefreshed && slices.Contains(e.Fields, "nhs_number"):
		return p.issuer + numberChanged
	case e.Kind == audit.LevelRaised, e.Kind == audit.RecordFrozen:
		return assuranceChanged
	}
	return ""
}

// feedReader is the name by which the audit knows how far we have read.
const feedReader = "portals"

// Tell writes a security event token's notice (RFC 8417) for every portal that knows an
// account to which something happened. It follows the sealed events, so that nothing which
// happens to an account can forget it. Calling it each second is meant.
func (p *Portals) Tell(ctx context.Context) error {
	for ctx.Err() == nil {
		more, err := p.feed.Next(ctx, feedReader, p.tellAll)
		if err != nil {
			return fmt.Errorf("tell portals of events: %w", err)
		}
		if !more {
			return nil
		}
	}
	return ctx.Err()
}

func (p *Portals) tellAll(ctx context.Context, events []audit.Event) error {
	for _, e := range events {
		if event := p.telling(e); event != "" {
			if err := p.tellOf(ctx, e, event); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellOf writes the notice for each portal that was told who the account is.
func (p *Portals) tellOf(ctx context.Context, e audit.Event, event string) error {
	known, err := p.accounts.Services(ctx, e.Account)
	if err != nil {
		return fmt.Errorf("portals that know the account: %w", err)
	}
	for id, subject := range known {
		portal := p.portals[id]
		if portal == nil || portal.EventsURI == "" {
			continue
		}
		life := eventLife
		if event == accountPurged {
			life = deletionLife
		}
		const idLength = 22
		err := p.outbox.Put(ctx, outbox.Message{
			ID: identity.Secret(e.ID + "\x00" + id).Digest().Text()[:idLength], To: identity.PortalContact(id), Kind: outbox.SecurityEvent,
			Expires: instant(p.now().Add(life)),
			Params: map[string]identity.Secret{
				"event": identity.Secret(event), "sub": identity.Secret(p.subjectOf(portal, subject)), "at": identity.Secret(strconv.FormatInt(e.At.Unix(), 10)),
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// event signs the token of a notice, anew at each try: its jti stays.
func (h *Herald) event(portal *Portal, m outbox.Message) (string, error) {
	at, err := strconv.ParseInt(m.Params["at"].Reveal(), 10, 64)
	if err != nil {
		return "", errors.New("security event: wanted its time, got something else")
	}
	event := m.Params["event"].Reveal()
	var details map[string]any
	if event == assuranceChanged {
		details = map[string]any{"namespace": h.portals.tokens.Trustmark()}
	}
	return h.portals.tokens.SecurityEvent(portal.Alg, m.ID, token.SecurityEvent{
		Subject: m.Params["sub"].Reveal(), Audience: portal.ID, Event: event, At: time.Unix(at, 0), Details: details,
	})
}
