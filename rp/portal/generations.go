package portal

import "sync"

// generations is a map that forgets: a full generation becomes the older one, and the
// older one goes. Its zero value needs most alone, the bound of a generation.
type generations[K comparable, V any] struct {
	most       int
	mu         sync.RWMutex
	now, older map[K]V
}

func (g *generations[K, V]) get(k K) (v V, found bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if v, found = g.now[k]; !found {
		v, found = g.older[k]
	}
	return v, found
}

func (g *generations[K, V]) put(k K, v V) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == nil || len(g.now) >= g.most {
		g.now, g.older = map[K]V{}, g.now
	}
	g.now[k] = v
}
