package actor

import (
	"context"
	"sync"
)

// incarnation is the life of an actor between two restarts, with all that ends
// with it.
type incarnation struct {
	cell     *cell
	instance any
	plain    Context  // of casts without a context
	told     *Context // of the latest cast from another node; the turn's own
	timers   map[*Timer]struct{}
	watching map[Address]*watch

	mu     sync.Mutex
	ctx    context.Context // made when somebody looks
	cancel context.CancelCauseFunc
	cause  error // why it has ended; nil before
}

func newIncarnation(c *cell) *incarnation {
	in := &incarnation{cell: c}
	in.plain.in = in
	return in
}

// lifetime returns the context that ends with the incarnation, or with that of
// the parent it belongs to.
func (in *incarnation) lifetime() context.Context {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ctx == nil {
		in.ctx, in.cancel = context.WithCancelCause(in.above())
		if in.cause != nil {
			in.cancel(in.cause)
		}
	}
	return in.ctx
}

func (in *incarnation) above() context.Context {
	if parent := in.cell.parent; parent != nil {
		return parent.lifetime()
	}
	return in.cell.system.base
}

// contextOf returns the context for a message that was told with from.
func (in *incarnation) contextOf(from context.Context) *Context {
	d, ready := from.(*detached)
	if !ready {
		return &Context{base: detach(from), in: in}
	}
	// From another node: its senders keep their contexts, and send again.
	if in.told == nil || in.told.base != d {
		in.told = &Context{base: d, in: in}
	}
	return in.told
}

// end ends the lifetime. It may be called concurrently; the first cause counts.
func (in *incarnation) end(cause error) {
	in.mu.Lock()
	if in.cause == nil {
		in.cause = cause
	}
	cancel := in.cancel
	in.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

func (in *incarnation) ended() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.cause != nil
}

// release ends the incarnation, calls the Stopped method of the actor, and lets
// go of all that the actor has begun.
func (in *incarnation) release(cause error) {
	in.end(cause)
	if s, ok := in.instance.(Stopper); ok {
		in.cell.call("its Stopped method", func() {
			in.cell.contain("Stopped", func() { s.Stopped(&in.plain) })
		})
	}
	for t := range in.timers {
		t.timer.Stop()
	}
	in.timers = nil
	for _, w := range in.watching {
		w.cancel()
	}
	in.watching = nil
	in.instance = nil
}
