package token

import "sync"

// seenAtMost bounds a generation of tokens that are remembered.
const seenAtMost = 10_000

// seen remembers access tokens that were verified, so that the next request with one
// costs a look-up. What is remembered is as good as the keys that it was verified by:
// when those change, everything is forgotten. Expiry and audience are not in it, and are
// judged each time.
type seen struct {
	mu         sync.RWMutex
	by         any                      // the state of the keys
	now, older map[string]*AccessClaims // two generations: a full one becomes the older
}

// get returns what the token says, if it was verified by those keys.
func (s *seen) get(by any, raw string) *AccessClaims {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.by != by {
		return nil
	}
	if c := s.now[raw]; c != nil {
		return c
	}
	return s.older[raw]
}

func (s *seen) put(by any, raw string, c *AccessClaims) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by != by {
		s.by, s.now, s.older = by, nil, nil
	}
	if s.now == nil || len(s.now) >= seenAtMost {
		s.now, s.older = make(map[string]*AccessClaims), s.now
	}
	s.now[raw] = c
}
