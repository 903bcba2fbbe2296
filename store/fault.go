package store

import (
	"context"
	"errors"

	"github.com/dilys-id/dilys/identity"
)

// fault is an error of the database, judged.
type fault struct {
	verdict verdict
	err     error
}

// verdict says what a fault of the database means for who asked.
type verdict uint8

const (
	wrong  verdict = iota // the statement is refused: a fault of ours
	away                  // the database can't be asked now
	passes                // the same act may succeed at once: begin it again
)

func (f *fault) Error() string { return "database: " + f.err.Error() }

func (f *fault) Unwrap() error { return f.err }

// Is makes a database that is away [identity.ErrUnavailable], also when an act
// collided with others more often than it was tried.
func (f *fault) Is(target error) bool {
	return target == identity.ErrUnavailable && f.verdict != wrong
}

// refine wraps an error of a driver with what it means. Nothing decided is nil.
func refine(err error) error {
	if err == nil {
		return nil
	}
	return &fault{judge(err), err}
}

// passing reports whether the act that met this may succeed if begun again.
func passing(err error) bool {
	f := (*fault)(nil)
	return errors.As(err, &f) && f.verdict == passes
}

// judge asks each driver about its own errors. What neither knows is a
// connection that broke, and a caller that went away is nobody's fault.
func judge(err error) verdict {
	if errors.Is(err, context.Canceled) {
		return wrong
	}
	if v, known := judgeSQLite(err); known {
		return v
	}
	if v, known := judgePostgres(err); known {
		return v
	}
	return away
}
