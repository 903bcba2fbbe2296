// Package dossier owns everything that is kept of one patient, put together for that
// patient: what UK GDPR art. 15 gives them a right to.
//
// It never reads a store (its callers hand in what they read) and never shows a
// secret, somebody else's name, or a number that the patient had before.
package dossier

import (
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/session"
)

// Held is what was read of one account.
type Held struct {
	Account  account.Account
	Phone    factor.Phone     // zero: none
	App      factor.TOTP      // zero: none
	Card     factor.CardState // zero: none
	Passkeys []factor.Passkey
	Browsers []factor.Browser
	Sessions []session.Session
	Changes  []account.Change // that wait
	Events   []audit.Event    // newest first
}

// Dossier is what the patient gets. Its names are those of the claims that portals
// get, where there are any. An absent field is one that nothing is kept of.
type Dossier struct {
	Made     time.Time `json:"made"`
	Subject  string    `json:"sub"`
	State    string    `json:"state"`
	Created  time.Time `json:"created"`
	Language string    `json:"locale,omitempty"`
	Quiet    bool      `json:"quiet,omitempty"` // no messages that were not asked for
	Closes   time.Time `json:"closes,omitzero"`
	Sources  []Source  `json:"details"`
	Factors  []Factor  `json:"factors"`
	Browsers []Browser `json:"browsers"`
	Sessions []Session `json:"sessions"`
	Changes  []Change  `json:"changes"`
	Events   []Event   `json:"events"`
}

// Source is what one source said of the patient.
type Source struct {
	Source        string    `json:"source"` // the provider's id, or dilys
	Level         string    `json:"identity_proofing_level"`
	Basis         string    `json:"basis,omitempty"`
	Frozen        string    `json:"frozen,omitempty"`
	Register      string    `json:"register,omitempty"` // what the register said of the number, where that is not the usual
	GivenName     string    `json:"given_name,omitempty"`
	FamilyName    string    `json:"family_name,omitempty"`
	BirthDate     string    `json:"birthdate,omitempty"`
	NHSNumber     string    `json:"nhs_number,omitempty"`
	Email         string    `json:"email,omitempty"`
	EmailVerified bool      `json:"email_verified,omitempty"`
	Phone         string    `json:"phone_number,omitempty"`
	PhoneVerified bool      `json:"phone_number_verified,omitempty"`
	First         time.Time `json:"first_login"`
	Last          time.Time `json:"last_login"`
}

// Factor is a way in beside the password.
type Factor struct {
	Kind  string    `json:"kind"`
	Level string    `json:"level"`
	Bound time.Time `json:"bound"`
	Left  int       `json:"codes_left,omitempty"` // of a card
	Name  string    `json:"name,omitempty"`       // of a passkey
	Model string    `json:"aaguid,omitempty"`
	Used  time.Time `json:"last_used,omitzero"`
	Off   bool      `json:"off,omitempty"`
}

// Browser is one that logged in here before.
type Browser struct {
	Device     string    `json:"device,omitempty"`
	Seen       time.Time `json:"last_login"`
	Remembered time.Time `json:"remembered_until,omitzero"`
}

// Session is a place where the patient is logged in.
type Session struct {
	Device  string    `json:"device,omitempty"`
	Trust   string    `json:"acr"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"last_seen"`
}

// Change is a new address that waits.
type Change struct {
	Channel string    `json:"channel"`
	Address string    `json:"address"`
	Opens   time.Time `json:"takes_place"`
}

// Event is something that happened. Who of staff did it is not the patient's to know.
type Event struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Result   string    `json:"result"`
	By       string    `json:"by"` // patient, portal, system or staff
	Provider string    `json:"provider,omitempty"`
	Portal   string    `json:"portal,omitempty"`
	Cause    string    `json:"cause,omitempty"`
	Fields   []string  `json:"fields,omitempty"`
}

// Of puts the dossier together at that instant. It is pure.
func Of(h Held, at time.Time) Dossier {
	a := h.Account
	d := Dossier{
		Made: at, Subject: a.ID, State: string(a.State), Created: a.Created, Language: a.Language, Quiet: a.Quiet, Closes: a.Closes,
		Sources: []Source{}, Factors: []Factor{}, Browsers: []Browser{}, Sessions: []Session{}, Changes: []Change{}, Events: []Event{},
	}
	for _, l := range a.Links {
		d.Sources = append(d.Sources, sourceOf(l))
	}
	d.Factors = factorsOf(h, d.Factors)
	for _, b := range h.Browsers {
		d.Browsers = append(d.Browsers, Browser{b.Device, b.Seen, b.Remembered})
	}
	for _, s := range h.Sessions {
		d.Sessions = append(d.Sessions, Session{s.Device, s.Trust.String(), s.Created, s.Seen})
	}
	for _, c := range h.Changes {
		d.Changes = append(d.Changes, Change{string(c.Channel), c.Contact().Reveal(), c.Opens})
	}
	for _, e := range h.Events {
		d.Events = append(d.Events, eventOf(e))
	}
	return d
}

// sourceOf leaves out a number below P9, as every page does: a provider's is only
// claimed there, and one that the register was asked for may be somebody else's.
func sourceOf(l account.Link) Source {
	r := l.Details.Reveal()
	if l.Level < identity.P9 {
		r.NHSNumber = ""
	}
	return Source{
		Source: l.Provider, Level: l.Level.String(), Basis: string(l.Basis), Frozen: string(l.Frozen), Register: string(l.Standing),
		GivenName: r.GivenName, FamilyName: r.FamilyName, BirthDate: r.BirthDate, NHSNumber: r.NHSNumber,
		Email: r.Email, EmailVerified: r.EmailVerified, Phone: r.Phone, PhoneVerified: r.PhoneVerified, First: l.First, Last: l.Last,
	}
}

func factorsOf(h Held, all []Factor) []Factor {
	if h.Phone.ID != "" {
		all = append(all, Factor{Kind: string(factor.KindPhone), Level: h.Phone.Level.String(), Bound: h.Phone.Bound, Off: h.Phone.Off})
	}
	if h.App.ID != "" {
		all = append(all, Factor{Kind: string(factor.KindTOTP), Level: h.App.Level.String(), Bound: h.App.Bound, Off: h.App.Off})
	}
	if h.Card.ID != "" {
		all = append(all, Factor{Kind: string(factor.KindCard), Level: h.Card.Level.String(), Bound: h.Card.Made, Left: h.Card.Left})
	}
	for _, k := range h.Passkeys {
		all = append(all, Factor{Kind: string(factor.KindPasskey), Level: k.Level.String(), Bound: k.Bound, Off: k.Off, Name: k.Name, Model: k.AAGUID, Used: k.Used})
	}
	return all
}

func eventOf(e audit.Event) Event {
	by := e.Actor
	if strings.HasPrefix(by, "operator:") {
		by = "staff"
	}
	return Event{e.At, string(e.Kind), string(e.Result), by, e.Provider, e.Portal, e.Cause, e.Fields}
}
