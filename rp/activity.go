package rp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/rp/page"
)

// Events is what was recorded.
type Events interface {
	// EventsOf returns the account's last events, newest first, at most limit.
	EventsOf(ctx context.Context, account string, limit int) ([]audit.Event, error)
}

// lastEvents is how many events of an account are read for its page.
const lastEvents = 200

// needSession reports whether somebody is logged in; if not, it has led to the login.
func (v *visit) needSession() (bool, error) {
	if v.session != nil {
		return true, nil
	}
	to := v.r.URL.Path
	if v.r.Method == http.MethodPost { // a form can't be asked for again
		to = "/account"
	}
	return false, v.redirect(query("/login", "return", to))
}

// activity shows what happened on the account (GET /account/activity).
func (s *Server) activity(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	all, err := s.events.EventsOf(v.r.Context(), v.session.Account, lastEvents)
	if err != nil {
		return err
	}
	content := page.Activity{More: len(all) == lastEvents}
	for _, e := range all {
		if page.Tells(e.Kind) && e.Cause != audit.IntoAnother {
			content.Events = append(content.Events, v.told(e))
		}
	}
	return v.show(http.StatusOK, content)
}

// told is the event as its patient is told it.
func (v *visit) told(e audit.Event) page.Event {
	told := page.Event{
		ID: e.ID, Kind: e.Kind, At: e.At, Provider: v.providerWords(e.Provider).Name, Staff: strings.HasPrefix(e.Actor, "operator:"),
		Doubt: e.Kind != audit.AccountAlarmed && e.Kind != audit.AccountLookedUp, Phone: slices.Contains(e.Fields, "phone_number"),
	}
	switch e.Kind {
	case audit.CodeIssued, audit.LevelShown:
		told.Portal = v.portals.NameOf(e.Portal)
	case audit.HostShown:
		told.Portal = page.Words{"en": e.Portal, "cy": e.Portal}
	default:
		return told
	}
	if shown, err := identity.ParseTrust(e.Cause); err == nil {
		told.Level = shown.P.String()
	}
	return told
}

// notMe asks before it ends all that is open (GET /account/activity/not-me).
func (s *Server) notMe(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	e, err := v.ownEvent(v.param("event"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, page.NotMe{Event: v.told(e)})
}

// ownEvent returns that event of the account that is logged in.
func (v *visit) ownEvent(id string) (audit.Event, error) {
	all, err := v.events.EventsOf(v.r.Context(), v.session.Account, lastEvents)
	if err != nil {
		return audit.Event{}, err
	}
	i := slices.IndexFunc(all, func(e audit.Event) bool { return e.ID == id && page.Tells(e.Kind) })
	if i < 0 {
		return audit.Event{}, refuse(http.StatusNotFound, page.NotFound, "event-unknown").again("/account/activity")
	}
	return all[i], nil
}

// giveNotMe ends all that is open of the account, this session too: whoever is at the
// keyboard logs in anew (POST /account/activity/not-me).
func (s *Server) giveNotMe(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	v.path = "/account/activity"
	e, err := v.ownEvent(v.field("event"))
	if err != nil {
		return err
	}
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	if err := v.attempts.Alarm(v.r.Context(), acc.ID, v.session.Handle, v.reference, e, v.providerIDs()); err != nil {
		return err
	}
	v.note.cause, v.session = "patient-alarm", nil
	v.clearBrowser()
	_, own := acc.Link(account.Own)
	return v.write(http.StatusOK, page.NotMe{Done: true, Reference: v.reference, Own: own}, nil)
}

// endSessions ends one other session of the patient, or all others
// (POST /account/sessions).
func (s *Server) endSessions(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	all, err := v.sessions.List(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	for _, other := range all {
		chosen := v.field("others") != "" || other.Handle == v.field("session")
		if !chosen || other.Handle == v.session.Handle {
			continue
		}
		if err := v.sessions.End(v.r.Context(), other, "ended-elsewhere"); err != nil && !errors.Is(err, identity.ErrNotFound) {
			return err
		}
	}
	return v.redirect("/account")
}
