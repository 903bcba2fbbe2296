package workbench

import (
	"slices"
	"sync"
)

// maxWarnings bounds what is kept; each text is kept once.
const maxWarnings = 100

// Warnings keeps the last things that were noticed, for the page. The zero value
// is empty and ready. It is safe for concurrent use.
type Warnings struct {
	mu    sync.Mutex
	texts []string // oldest first
}

// Add keeps a text. One that is known already becomes the newest.
func (w *Warnings) Add(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = slices.DeleteFunc(w.texts, func(have string) bool { return have == text })
	w.texts = append(w.texts, text)
	w.texts = w.texts[max(0, len(w.texts)-maxWarnings):]
}

// List returns the texts, the newest first.
func (w *Warnings) List() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.texts)
	slices.Reverse(out)
	return out
}
