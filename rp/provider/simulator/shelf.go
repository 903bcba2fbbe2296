package simulator

import (
	"crypto/rand"
	"sync"
	"time"
)

// shelfFloor is the number of rows below which a shelf never sweeps.
const shelfFloor = 1024

// shelf keeps values under unguessable names until an instant. Expiry is judged
// against the now that each call is given; sweeping only returns memory.
type shelf[V any] struct {
	mu   sync.Mutex
	rows map[string]shelved[V]
	due  int // size at which the next put sweeps first
}

type shelved[V any] struct {
	value V
	until time.Time
}

// put keeps v under name until the given instant, in place of what was there.
func (s *shelf[V]) put(name string, v V, until, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(name, v, until, now)
}

// get returns what stands under name and is alive.
func (s *shelf[V]) get(name string, now time.Time) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.rows[name]
	if !ok || !now.Before(row.until) {
		var none V
		return none, false
	}
	return row.value, true
}

// first keeps v under name and reports true, unless the name is alive already:
// of any number of parallel callers exactly one is told true.
func (s *shelf[V]) first(name string, v V, until, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row, ok := s.rows[name]; ok && now.Before(row.until) {
		return false
	}
	s.set(name, v, until, now)
	return true
}

// drop forgets a name.
func (s *shelf[V]) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, name)
}

// set writes a row, sweeping when the shelf has doubled since the last sweep.
func (s *shelf[V]) set(name string, v V, until, now time.Time) {
	if s.rows == nil {
		s.rows, s.due = map[string]shelved[V]{}, shelfFloor
	}
	if len(s.rows) >= s.due {
		for n, row := range s.rows {
			if !now.Before(row.until) {
				delete(s.rows, n)
			}
		}
		s.due = max(shelfFloor, 2*len(s.rows))
	}
	s.rows[name] = shelved[V]{v, until}
}

// newName returns an unguessable name of at least 128 bits.
func newName() string { return rand.Text() }
