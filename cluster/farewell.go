package cluster

import (
	"context"
	"log/slog"
	"sync"
)

// farewells are what users of the node want to do before it leaves.
type farewells struct {
	mu      sync.Mutex
	next    int
	pending map[int]func(context.Context)
}

// OnLeave lets f be called when the node begins to leave, while its actors, and
// everything else, still work. Leave waits for f until its context ends, which is some
// time before that of Leave. Several are called at the same time; one that panics is
// logged, and hurts nobody else. cancel takes f back; it does not wait for an f that
// runs.
func (n *Node) OnLeave(f func(ctx context.Context)) (cancel func()) {
	w := &n.farewells
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending == nil {
		w.pending = make(map[int]func(context.Context))
	}
	id := w.next
	w.next++
	w.pending[id] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.pending, id)
	}
}

// run calls them all, and returns when they have, or ctx ends.
func (w *farewells) run(ctx context.Context, log *slog.Logger) {
	w.mu.Lock()
	pending := w.pending
	w.pending = nil
	w.mu.Unlock()
	var running sync.WaitGroup
	for _, f := range pending {
		running.Add(1)
		go func() {
			defer running.Done()
			defer func() {
				if p := recover(); p != nil {
					log.Error("a function given to OnLeave panicked", "panic", p)
				}
			}()
			f(ctx)
		}()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		running.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		log.Warn("a function given to OnLeave has not returned in time; the node leaves without it")
	}
}
