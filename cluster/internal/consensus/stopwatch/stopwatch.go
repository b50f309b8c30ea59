package stopwatch

import (
	"sync"
	"time"
)

// Stopwatch tells how long the oldest of the things under way has taken. The
// zero value is ready. Its methods may be called concurrently.
type Stopwatch struct {
	mu      sync.Mutex
	last    uint64
	running map[uint64]time.Time
}

// Start begins one. The caller calls stop at its end.
func (w *Stopwatch) Start() (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == nil {
		w.running = map[uint64]time.Time{}
	}
	w.last++
	n := w.last
	w.running[n] = time.Now()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.running, n)
	}
}

// Longest returns for how long the oldest has been under way, 0 if there is none.
func (w *Stopwatch) Longest() (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, began := range w.running {
		longest = max(longest, time.Since(began))
	}
	return longest
}
