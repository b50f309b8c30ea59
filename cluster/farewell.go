package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// farewells are what users of the node want to do before it leaves.
type farewells struct {
	mu      sync.Mutex
	next    int
	pending map[int]farewell
	running map[int]string // who has given those that have not returned
}

// farewell is a function given to OnLeave.
type farewell struct {
	f    func(context.Context)
	from string // who has given it
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
		w.pending = make(map[int]farewell)
	}
	id := w.next
	w.next++
	w.pending[id] = farewell{f, callerOfCaller()}
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
	w.pending, w.running = nil, make(map[int]string, len(pending))
	for id, p := range pending {
		w.running[id] = p.from
	}
	w.mu.Unlock()
	var running sync.WaitGroup
	for id, p := range pending {
		running.Add(1)
		go func() {
			defer running.Done()
			defer w.returned(id)
			defer func() {
				if p := recover(); p != nil {
					log.Error("a function given to OnLeave panicked", "panic", p)
				}
			}()
			p.f(ctx)
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
		log.Warn("a function given to OnLeave has not returned in time; the node leaves without it", "given by", w.unreturned())
	}
}

func (w *farewells) returned(id int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, id)
}

// unreturned says who has given the functions that have not returned.
func (w *farewells) unreturned() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Values(w.running)), ", ")
}

// unfinished says what the node waits for while it calls them.
func (w *farewells) unfinished() string { return "functions given to OnLeave by " + w.unreturned() }

// callerOfCaller returns the function that has called the caller of this one.
func callerOfCaller() string {
	pc, file, line, ok := runtime.Caller(2)
	if !ok {
		return "somebody"
	}
	return fmt.Sprintf("%s (%s:%d)", path.Base(runtime.FuncForPC(pc).Name()), path.Base(file), line)
}
