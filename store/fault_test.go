package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dilys-id/dilys/identity"
)

func TestJudge(t *testing.T) {
	for name, row := range map[string]struct {
		err                  error
		unavailable, passing bool
	}{
		"serialization failure":    {&pgconn.PgError{Code: "40001"}, true, true},
		"deadlock":                 {&pgconn.PgError{Code: "40P01"}, true, true},
		"wrapped by a room":        {fmt.Errorf("room: %w", &pgconn.PgError{Code: "40001"}), true, true},
		"unique violation":         {&pgconn.PgError{Code: "23505"}, false, false},
		"missing table":            {&pgconn.PgError{Code: "42P01"}, false, false},
		"raised by a trigger":      {&pgconn.PgError{Code: "P0001"}, false, false},
		"shut down by an operator": {&pgconn.PgError{Code: "57P01"}, true, false},
		"too many connections":     {&pgconn.PgError{Code: "53300"}, true, false},
		"disk full":                {&pgconn.PgError{Code: "53100"}, true, false},
		"a standby":                {&pgconn.PgError{Code: "25006"}, true, false},
		"lock not had in time":     {&pgconn.PgError{Code: "55P03"}, true, false},
		"refused password":         {&pgconn.PgError{Code: "28P01"}, true, false},
		"broken connection":        {io.ErrUnexpectedEOF, true, false},
		"bad connection":           {driver.ErrBadConn, true, false},
		"time out":                 {context.DeadlineExceeded, true, false},
		"the caller went away":     {context.Canceled, false, false},
	} {
		err := refine(row.err)
		if errors.Is(err, identity.ErrUnavailable) != row.unavailable || passing(err) != row.passing || !errors.Is(err, row.err) {
			t.Errorf("%s: got unavailable %v, passing %v", name, errors.Is(err, identity.ErrUnavailable), passing(err))
		}
	}
	if refine(nil) != nil {
		t.Error("wanted nothing to stay nothing")
	}
}

func TestAgainIsBounded(t *testing.T) {
	for name, row := range map[string]struct {
		faults []error
		calls  int
		fails  bool
	}{
		"at once":          {nil, 1, false},
		"after two":        {[]error{refine(&pgconn.PgError{Code: "40001"}), refine(&pgconn.PgError{Code: "40P01"})}, 3, false},
		"never for others": {[]error{refine(&pgconn.PgError{Code: "23505"})}, 1, true},
		"a room's error":   {[]error{identity.ErrConflict}, 1, true},
	} {
		calls := 0
		err := (&DB{engine: postgres{}}).again(t.Context(), func() error {
			calls++
			if calls <= len(row.faults) {
				return row.faults[calls-1]
			}
			return nil
		})
		if calls != row.calls || (err != nil) != row.fails {
			t.Errorf("%s: wanted %d calls, got %d, %v", name, row.calls, calls, err)
		}
	}
	calls := 0
	err := (&DB{engine: sqlite{}}).again(t.Context(), func() error {
		calls++
		return refine(&pgconn.PgError{Code: "40001"})
	})
	if calls != (sqlite{}).tries() || !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("endless: wanted %d calls and %v, got %d, %v", (sqlite{}).tries(), identity.ErrUnavailable, calls, err)
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for try := range 100 {
		if err := pause(ctx, try); err != nil {
			return
		}
	}
	t.Error("wanted a pause to end with its context")
}

func TestInstants(t *testing.T) {
	for _, at := range []time.Time{{}, time.Date(2026, 11, 21, 9, 30, 0, 1000, time.UTC), time.Date(1955, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := instant(micros(at)); !got.Equal(at) || got.Location() != time.UTC && !got.IsZero() {
			t.Errorf("wanted %v, got %v", at, got)
		}
	}
	if past(time.Time{}) == 0 {
		t.Error("wanted what happened at no time to have happened")
	}
}
