package actor

import (
	"context"
	"log/slog"
	"time"
)

// Context is what a handler gets beside its message. It is a context.Context, so
// that it goes straight into a database or network call: for a request it has
// the caller's deadline, end and values, and it ends early when the actor is told
// to stop. It also ends once the request has been answered.
//
// The methods of context.Context may be called by any goroutine, at any time.
// All others belong to the handler: call them from the actor only.
type Context struct {
	base   context.Context // of the message; nil for a plain cast
	cell   *cell
	merged *mergedContext // guarded by cell.mu; made when somebody looks
}

// mergedContext ends with the message's context or the actor, whichever is first.
type mergedContext struct {
	context.Context
	cancel context.CancelCauseFunc
	detach func() bool
}

// contextKey finds the *Context that a context was derived from.
type contextKey struct{}

var (
	_ context.Context = (*Context)(nil)
	_ Spawner         = (*Context)(nil)
)

// Deadline returns the caller's deadline.
func (c *Context) Deadline() (time.Time, bool) {
	if c.base == nil {
		return time.Time{}, false
	}
	return c.base.Deadline()
}

// Done is closed when the caller has gone, the request has been answered, or the
// actor has been told to stop.
func (c *Context) Done() <-chan struct{} { return c.live().Done() }

// Err says why Done is closed, as package context defines it.
func (c *Context) Err() error { return c.live().Err() }

// Value returns the value of the sender's context.
func (c *Context) Value(key any) any {
	if key == (contextKey{}) {
		return c
	}
	if c.base == nil {
		return c.cell.lifetime().Value(key)
	}
	c.cell.mu.Lock()
	merged := c.merged
	c.cell.mu.Unlock()
	if merged != nil {
		// The standard library looks for its own cancellation here; it must
		// find the one whose Done we returned.
		return merged.Value(key)
	}
	return c.base.Value(key)
}

func (c *Context) live() context.Context {
	lifetime := c.cell.lifetime()
	if c.base == nil {
		return lifetime
	}
	c.cell.mu.Lock()
	defer c.cell.mu.Unlock()
	if c.merged == nil {
		ctx, cancel := context.WithCancelCause(c.base)
		c.merged = &mergedContext{Context: ctx, cancel: cancel}
		c.merged.detach = context.AfterFunc(lifetime, func() { cancel(context.Cause(lifetime)) })
	}
	return c.merged
}

// release ends the context of a request that has been answered.
func (c *Context) release() {
	if c.cell == nil {
		return // never reached a handler
	}
	c.cell.mu.Lock()
	merged := c.merged
	c.cell.mu.Unlock()
	if merged != nil {
		merged.detach()
		merged.cancel(context.Canceled)
	}
}

// Self returns the actor's own address. [Self] returns it as a Ref.
func (c *Context) Self() Address { return Address{c.cell} }

// Self returns the Ref of the actor itself. P must be its protocol; the Ref of
// another protocol is zero.
func Self[P any](c *Context) Ref[P] {
	if !c.cell.speaks(protocolOf[P]()) {
		return Ref[P]{}
	}
	return Ref[P]{c.cell}
}

// Parent returns the actor that spawned this one; zero at the top.
func (c *Context) Parent() Address {
	if c.cell.parent == nil {
		return Address{}
	}
	return Address{c.cell.parent}
}

// System returns the system that the actor lives in.
func (c *Context) System() *System { return c.cell.system }

// Log returns the system's logger with the actor's path.
func (c *Context) Log() *slog.Logger {
	return c.cell.system.log.With("actor", c.cell.path)
}

// Caller says who sent the message.
type Caller struct {
	// Node is the proven name of the sender's node; empty if it is this one.
	Node string
	// Address is the actor that sent the message; zero if it was none.
	Address Address
}

type callerKey struct{}

// WithCaller returns a context whose messages come from caller. It is for those
// who bring messages in from outside.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// Caller returns who sent the message, as far as the sender's context tells:
// Tell gives none.
func (c *Context) Caller() Caller {
	if c.base == nil {
		return Caller{}
	}
	return CallerOf(c.base)
}

// CallerOf returns who sends with ctx: the actor whose handler it comes from.
func CallerOf(ctx context.Context) Caller {
	// Whichever is nearer: an actor's context ends the search for an outer caller.
	if from := handlerOf(ctx); from != nil {
		return Caller{Address: from.Self()}
	}
	caller, _ := ctx.Value(callerKey{}).(Caller)
	return caller
}

// handlerOf returns the Context that ctx was derived from; nil outside of actors.
func handlerOf(ctx context.Context) *Context {
	if c, ok := ctx.(*Context); ok {
		return c
	}
	c, _ := ctx.Value(contextKey{}).(*Context)
	return c
}

// Stop ends the actor after this message; those that wait are not handled.
func (c *Context) Stop() { c.cell.stop() }

// StopChild ends a child of this actor after the message it is handling, or
// returns NotFound if it is not a child.
func (c *Context) StopChild(child Addressable) error {
	target, ok := child.Address().recipient.(*cell)
	if !ok || target.parent != c.cell {
		return Errorf(NotFound, "%s is not a child of %s", child.Address(), c.cell)
	}
	target.stop()
	return nil
}

// Children returns the running children, in no order.
func (c *Context) Children() []Address {
	children := make([]Address, 0, len(c.cell.children))
	for _, child := range c.cell.children {
		children = append(children, Address{child})
	}
	return children
}

// Become replaces the handlers, until the next Become or a restart. It returns
// InvalidArgument if b is not made for this actor's protocol and type.
func (c *Context) Become(b *Behavior) error {
	d := c.cell.def
	switch {
	case b == nil:
		return Errorf(InvalidArgument, "Become needs a Behavior")
	case b.err != nil:
		return b.err
	case b.protocol != d.protocol || b.instance != d.instance:
		return Errorf(InvalidArgument, "a Behavior of protocol %s for %s does not fit actor %s", b.protocol, b.instance, c.cell)
	}
	c.cell.use(b.table)
	return nil
}

// Unbecome goes back to the handlers of the definition.
func (c *Context) Unbecome() { c.cell.use(c.cell.def.table) }
