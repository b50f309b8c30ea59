package cluster

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Leave lets the node go: its services are withdrawn, its actors handle what they
// have, the others are told, and everything is closed. When ctx ends before the
// actors are done, they are cut short: handlers find their contexts cancelled, and
// the error names those that went on. It returns once the node's goroutines have
// ended, but for such handlers. It may be called again; the first ctx counts, and
// all calls return the same.
func (n *Node) Leave(ctx context.Context) error {
	n.leaving.Do(func() { go n.leave(ctx) })
	<-n.left
	return n.end
}

func (n *Node) leave(ctx context.Context) {
	defer close(n.left)
	var errs []error
	n.unfollow()
	n.farewells.run(ctx)
	if n.finder != nil {
		n.finder.stop(ctx)
	}
	if n.gossip != nil {
		n.directory.remove(func(served) bool { return true })
	}
	if n.system != nil {
		errs = append(errs, n.system.Stop(ctx))
	}
	given := ctx
	// Also when the actors took all the time there was, the others are told.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTimeout)
	defer cancel()
	if n.store != nil {
		n.endSession(ctx)
		errs = append(errs, n.store.core.Leave(ctx))
	}
	if n.transport != nil {
		errs = append(errs, n.transport.Flush(ctx))
	}
	if n.gossip != nil {
		errs = append(errs, n.gossip.Leave(given)) // each is told once, even if no time is left
	}
	if n.transport != nil {
		errs = append(errs, n.transport.Close(ctx))
	}
	if n.gossip != nil {
		errs = append(errs, n.gossip.Close())
	}
	if n.port != nil {
		errs = append(errs, n.port.Close())
	}
	n.running.Wait()
	if n.slot != nil {
		errs = append(errs, n.slot.Release())
	}
	if n.end = errors.Join(errs...); n.end == nil {
		n.log.Info("left")
	}
}

const farewellTimeout = 10 * time.Second

// farewells are what users of the node want to do before it leaves.
type farewells struct {
	mu      sync.Mutex
	next    int
	pending map[int]func(context.Context)
}

// OnLeave lets f be called when the node begins to leave, while its actors, and
// everything else, still work. Leave waits for f, which should return when its context
// ends. Several are called at the same time. cancel takes f back; it does not wait for
// an f that runs.
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

func (w *farewells) run(ctx context.Context) {
	w.mu.Lock()
	var running sync.WaitGroup
	for _, f := range w.pending {
		running.Go(func() { f(ctx) })
	}
	w.pending = nil
	w.mu.Unlock()
	running.Wait()
}

// endSession gives back what the node owns. Where that fails, its session runs out.
func (n *Node) endSession(ctx context.Context) {
	n.sessions.mu.Lock()
	s := n.sessions.current
	n.sessions.mu.Unlock()
	if s != nil {
		if err := s.session.Close(ctx); err != nil {
			n.log.Debug("the session was left to run out", "error", err)
		}
	}
}
