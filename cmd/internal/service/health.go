package service

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dilys-id/dilys/rp/provider"
	"github.com/dilys-id/dilys/rp/register"
	"github.com/dilys-id/dilys/store"
)

// health remembers how the service's own parts are, and since when.
type health struct {
	started time.Time

	mu    sync.Mutex
	parts map[string]part

	frozen atomic.Int64                         // records, as last counted
	index  atomic.Pointer[store.RegisterStatus] // of the register, as last read; nil: not yet, or there is none
}

type part struct {
	fault string // empty: ok
	since time.Time
}

func newHealth(now time.Time) *health { return &health{started: now, parts: map[string]part{}} }

// set tells how a part is; what has not changed keeps its time.
func (h *health) set(name string, err error, now time.Time) {
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, known := h.parts[name]; !known || (before.fault == "") != (fault == "") {
		h.parts[name] = part{fault, now}
		return
	}
	h.parts[name] = part{fault, h.parts[name].since}
}

func (h *health) dependency(name, patients, runbook string) Dependency {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.parts[name]
	if p.fault == "" {
		return Dependency{Name: name, State: OK, Since: p.since}
	}
	return Dependency{Name: name, State: Down, Since: p.since, Fault: p.fault, Patients: patients, Runbook: runbook}
}

// Status tells how everything is.
func (s *Service) Status() Status {
	database := s.health.dependency("database", "a page that says: try again, nothing was lost; checks answer 503", "R2")
	status := Status{
		Version: s.options.Version, Started: s.health.started, Ready: database.State == OK, FrozenRecords: s.health.frozen.Load(),
		Dependencies: []Dependency{
			database,
			s.health.dependency("database writes", "pages and checks go on; logging in and out says: try again, nothing was lost", "R6"),
			s.health.dependency("signing keys", "nothing yet; tokens fail when the present key ends", "R8"),
			s.health.dependency("audit", "nothing; events wait to be sealed", "R7"),
			s.health.dependency("journal", "nothing; events wait outside the database", "R7"),
			s.health.dependency(configurationPart, "nothing; the one before is in force", "R15"),
		},
	}
	for i, p := range s.Providers {
		status.Dependencies = append(status.Dependencies, providerDependency(s.Config.Providers[i].ID, p.Health()))
	}
	status.Dependencies = append(status.Dependencies, s.ownDependencies()...)
	return status
}

// ownDependencies tell of what patients need whom no provider serves.
func (s *Service) ownDependencies() []Dependency {
	var all []Dependency
	if s.Config.Courier.Email != nil {
		all = append(all, s.health.dependency("courier email", "sign-up and recovery say that no e-mails can be sent", "R11"))
	}
	if s.Config.Courier.SMS != nil {
		all = append(all, s.health.dependency("courier sms", "pages say that no texts can be sent, and show the printed card", "R11"))
	}
	if index := s.health.index.Load(); index != nil {
		all = append(all, indexDependency(*index, s.options.Now()))
	}
	if s.pds != nil {
		h := s.pds.Health()
		d := Dependency{Name: "register", State: OK, Since: h.Since, Fault: h.Fault}
		switch h.State {
		case register.Slow:
			d.State, d.Patients, d.Runbook = Slow, "a sign-up takes longer", "R12"
		case register.Down:
			d.State, d.Patients, d.Runbook = Down, "sign-ups are confirmed later: they end at P0", "R12"
		}
		all = append(all, d)
	}
	return all
}

// indexDependency tells how old the index of patients is: nobody else will.
func indexDependency(i store.RegisterStatus, now time.Time) Dependency {
	d := Dependency{Name: "register", State: OK, Since: i.Imported}
	if i.Entries == 0 {
		d.State, d.Fault, d.Patients, d.Runbook = Slow, "no index was imported yet", "sign-ups end at P0, whatever the details", "R14"
		return d
	}
	const day = 24 * time.Hour
	d.Note = fmt.Sprintf("index of %d entries, imported %d days ago", i.Entries, int(now.Sub(i.Imported)/day))
	return d
}

func providerDependency(id string, h provider.Health) Dependency {
	d := Dependency{Name: "provider " + id, State: OK, Since: h.Since, Fault: h.Fault}
	switch h.State {
	case provider.Unknown:
		d.State, d.Fault = Slow, "not asked yet"
	case provider.Slow:
		d.State, d.Patients, d.Runbook = Slow, "a login there takes longer", "R3"
	case provider.Down:
		d.State, d.Runbook = Down, "R3"
		if strings.Contains(h.Fault, "issuer") || strings.Contains(h.Fault, "key set") {
			d.Runbook = "R4"
		}
		d.Patients = fmt.Sprintf("the button of %s says that it is not working; who is logged in stays so", id)
	}
	return d
}
