package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with the configuration. It never holds a
// secret, nor the name under which a secret was looked for.
type Fault struct {
	File      string
	Line, Col int    // counted from 1
	Key       string // such as providers[0].issuer
	Wanted    string
	Got       string
}

// String writes FILE:LINE:COL: key: wanted …, got ….
func (f Fault) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: wanted %s, got %s", f.File, f.Line, f.Col, f.Key, f.Wanted, f.Got)
}

// Faults is every fault of a configuration, in the order of the file.
type Faults []Fault

// Error writes the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the faults in the order of the file, those of one place in the
// order in which they were found.
func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return f
}
