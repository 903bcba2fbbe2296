package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// State is how a dependency is.
type State string

// The states.
const (
	OK   State = "ok"
	Slow State = "slow"
	Down State = "down"
)

// Dependency is one thing that the service stands on.
type Dependency struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	Since    time.Time `json:"since,omitzero"`    // since when it is so; zero: since the start
	Note     string    `json:"note,omitempty"`    // what else is worth knowing
	Fault    string    `json:"fault,omitempty"`   // for operators; never a person's value
	Patients string    `json:"patients"`          // what patients see now
	Runbook  string    `json:"runbook,omitempty"` // the line of deploy/README.md that mends it
}

// Status is the whole screen.
type Status struct {
	Version      string       `json:"version"`
	Started      time.Time    `json:"started"`
	Ready        bool         `json:"ready"` // sessions can be checked and pages shown
	Dependencies []Dependency `json:"dependencies"`

	// FrozenRecords is how many accounts speak for no record until people have looked.
	FrozenRecords int64 `json:"frozen_records"`
}

// Healthy reports whether nothing needs an operator.
func (s Status) Healthy() bool {
	for _, d := range s.Dependencies {
		if d.State != OK {
			return false
		}
	}
	return s.Ready
}

// Write puts the status on one screen.
func (s Status) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "dilys %s, running since %s\n\n", s.Version, s.Started.Format(time.DateTime+" MST"))
	for _, d := range s.Dependencies {
		fmt.Fprintf(&b, "%-4s  %s", d.State, d.Name)
		if d.State != OK && !d.Since.IsZero() {
			fmt.Fprintf(&b, ", since %s", d.Since.Format(time.DateTime+" MST"))
		}
		if d.Note != "" {
			fmt.Fprintf(&b, " (%s)", d.Note)
		}
		b.WriteByte('\n')
		for _, line := range []struct{ label, text string }{
			{"fault", d.Fault}, {"patients", d.Patients}, {"runbook", d.Runbook},
		} {
			if line.text != "" {
				fmt.Fprintf(&b, "      %-9s %s\n", line.label+":", line.text)
			}
		}
	}
	if s.FrozenRecords > 0 {
		fmt.Fprintf(&b, "\nfrozen records: %d, which wait for people to look (runbook: R13)\n", s.FrozenRecords)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// statusTimeout bounds asking a running service how it is.
const statusTimeout = 5 * time.Second

// FetchStatus asks the service that runs by that configuration how it is, over
// its operations listener.
func FetchStatus(ctx context.Context, operations string) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+operations+"/status", nil)
	if err != nil {
		return Status{}, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return Status{}, fmt.Errorf("the service does not answer on %s: %w", operations, errors.Unwrap(err))
	}
	defer func() { _ = answer.Body.Close() }()
	var s Status
	const enough = 1 << 20
	if err := json.NewDecoder(io.LimitReader(answer.Body, enough)).Decode(&s); err != nil {
		return Status{}, fmt.Errorf("something else than dilys answers on %s: %w", operations, err)
	}
	return s, nil
}
