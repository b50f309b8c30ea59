package consensus

import (
	"sync"
	"time"
)

// stopwatch tells how long the oldest of the things under way has taken.
type stopwatch struct {
	mu      sync.Mutex
	last    uint64
	running map[uint64]time.Time
}

// start begins one; the caller calls stop at its end.
func (w *stopwatch) start() (stop func()) {
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

// longest is 0 if nothing is under way.
func (w *stopwatch) longest() (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, began := range w.running {
		longest = max(longest, time.Since(began))
	}
	return longest
}
