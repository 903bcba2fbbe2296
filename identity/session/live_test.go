package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
)

// epoch is when the stories begin.
var epoch = time.Date(2026, 11, 21, 9, 30, 0, 123456000, time.UTC)

const tick = time.Microsecond // the finest time that is kept

func TestLive(t *testing.T) {
	type change func(*session.State)
	ended := func(s *session.State) { s.Ended = epoch }
	seen := func(d time.Duration) change { return func(s *session.State) { s.Seen = epoch.Add(d) } }
	for name, row := range map[string]struct {
		change change
		at     time.Duration // after the session was created
		want   error
	}{
		"as it begins":                                  {nil, 0, nil},
		"the last instant of the idle limit":            {nil, 30*time.Minute - tick, nil},
		"the idle limit":                                {nil, 30 * time.Minute, identity.ErrExpired},
		"the idle limit counts from the last act":       {seen(time.Hour), 90*time.Minute - tick, nil},
		"the idle limit after the last act":             {seen(time.Hour), 90 * time.Minute, identity.ErrExpired},
		"the last instant of the overall limit":         {seen(12*time.Hour - tick), 12*time.Hour - tick, nil},
		"the overall limit, however busy":               {seen(12*time.Hour - tick), 12 * time.Hour, identity.ErrExpired},
		"an act after the overall limit pushes nothing": {seen(13 * time.Hour), 12 * time.Hour, identity.ErrExpired},
		"the clock stepped back as far as clocks do":    {nil, -identity.Skew, nil},
		"from the future":                               {nil, -identity.Skew - tick, identity.ErrExpired},
		"from a far future, with acts there":            {seen(time.Hour), -24 * time.Hour, identity.ErrExpired},
		"ended":                                         {ended, 0, identity.ErrSpent},
		"ended, and the clock stepped back before it":   {ended, -time.Second, identity.ErrSpent},
		"ended in the future":                           {func(s *session.State) { s.Ended = epoch.Add(time.Hour) }, 0, identity.ErrSpent},
		"the account's epoch moved on":                  {func(s *session.State) { s.AccountEpoch++ }, 0, identity.ErrSpent},
		"of an epoch that the account never had":        {func(s *session.State) { s.Epoch++ }, 0, identity.ErrSpent},
		"the account is disabled":                       {func(s *session.State) { s.Admitted = false }, 0, identity.ErrDisabled},
		"disabled, ended and over":                      {func(s *session.State) { s.Admitted = false; ended(s) }, 24 * time.Hour, identity.ErrDisabled},
		"ended and over":                                {ended, 24 * time.Hour, identity.ErrSpent},
		"no limits were set":                            {func(s *session.State) { s.Limits = session.Limits{} }, 0, identity.ErrExpired},
		"nothing is known of it":                        {func(s *session.State) { *s = session.State{} }, 0, identity.ErrDisabled},
	} {
		s := session.State{
			Session: session.Session{
				Epoch: 3, Created: epoch, Seen: epoch, Limits: session.Limits{Idle: 30 * time.Minute, Absolute: 12 * time.Hour},
			},
			Admitted: true, AccountEpoch: 3,
		}
		if row.change != nil {
			row.change(&s)
		}
		if err := s.Live(epoch.Add(row.at)); !errors.Is(err, row.want) {
			t.Errorf("%s: wanted %v, got %v", name, row.want, err)
		}
	}
}

func TestEnds(t *testing.T) {
	limits := session.Limits{Idle: 30 * time.Minute, Absolute: 12 * time.Hour}
	for name, row := range map[string]struct {
		seen, idle time.Duration
	}{
		"as it begins":                           {0, 30 * time.Minute},
		"after an act":                           {time.Hour, 90 * time.Minute},
		"the overall limit is the nearer":        {12*time.Hour - time.Minute, 12 * time.Hour},
		"both fall together":                     {12*time.Hour - 30*time.Minute, 12 * time.Hour},
		"an act that was kept later than it may": {13 * time.Hour, 12 * time.Hour},
	} {
		s := session.Session{Created: epoch, Seen: epoch.Add(row.seen), Limits: limits}
		if got := s.IdleEnds().Sub(epoch); got != row.idle {
			t.Errorf("%s: idle ends after %s", name, got)
		}
		if got := s.Ends().Sub(epoch); got != 12*time.Hour {
			t.Errorf("%s: ends after %s", name, got)
		}
	}
}

func TestTighter(t *testing.T) {
	own := session.Limits{Idle: 30 * time.Minute, Absolute: 8 * time.Hour}
	for name, row := range map[string]struct{ other, want session.Limits }{
		"each limit by itself":        {session.SharedDevice, session.Limits{Idle: 10 * time.Minute, Absolute: 8 * time.Hour}},
		"the same":                    {own, own},
		"wider ones change nothing":   {session.Limits{Idle: time.Hour, Absolute: 24 * time.Hour}, own},
		"none at all is the tightest": {session.Limits{}, session.Limits{}},
	} {
		if got := own.Tighter(row.other); got != row.want {
			t.Errorf("%s: got %+v", name, got)
		}
		if got := row.other.Tighter(own); got != row.want {
			t.Errorf("%s, the other way: got %+v", name, got)
		}
	}
}

// The NHS App and the contract fix these; a configuration can't widen them.
func TestFixedLimits(t *testing.T) {
	want := session.Limits{Idle: 10 * time.Minute, Absolute: 12 * time.Hour}
	if session.SharedDevice != want || session.NHSApp != want {
		t.Errorf("wanted %+v, got %+v and %+v", want, session.SharedDevice, session.NHSApp)
	}
}
