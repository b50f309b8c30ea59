package actor

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Context is what a handler gets beside its message. It is a context.Context, so
// that it goes straight into a database or network call: for a request it has
// the caller's deadline and end, and it ends early when the actor is told to stop.
// It also ends once the request has been answered or stashed. For a message that is
// told it ends with the actor or a restart. Values of the sender's context do not
// reach it, wherever the sender is: what a handler needs belongs in the message.
//
// An [Ask] with it belongs to the call that is being handled: where it comes back to an
// actor that waits for that call, it fails instead of waiting for ever.
//
// The methods of context.Context may be called by any goroutine, at any time.
// All others belong to the handler: call them from the actor only.
type Context struct {
	base   context.Context // of the message; nil for a plain cast
	in     *incarnation
	asked  bool                          // base's end counts, and so does the answer
	depth  uint8                         // of the chain of handlers that ask; see chain.go
	ask    uint32                        // the number of from's ask, if its turn waits for it; else 0
	from   *Context                      // of the handler that asks; nil if none of this node does
	merged atomic.Pointer[mergedContext] // made when somebody looks
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

// Value returns nil for every key of the user's: values of the sender's context stay with
// the sender.
func (c *Context) Value(key any) any {
	switch key {
	case contextKey{}:
		return c
	case callerKey{}:
		return Caller{Address: c.Self()}
	}
	// The standard library looks for its own cancellation here; it must find the
	// one whose Done we return.
	return c.live().Value(key)
}

// mergedContext ends with the message's context or the actor, whichever is first.
type mergedContext struct {
	context.Context
	cancel context.CancelCauseFunc
	detach func() bool
	over   atomic.Bool // the request has been answered
}

// newEnded returns what stands in for the mergedContext of all requests of a system that
// were stashed, or answered, and so are over, before anybody looked.
func newEnded(over bool) *mergedContext {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m := &mergedContext{Context: ctx, cancel: func(error) {}, detach: func() bool { return false }}
	m.over.Store(over)
	return m
}

func (c *Context) live() context.Context {
	if !c.asked {
		return c.in.lifetime()
	}
	if m := c.merged.Load(); m != nil {
		return m
	}
	m := merge(c.base, c.in.lifetime())
	if !c.merged.CompareAndSwap(nil, m) {
		m.end()
		m = c.merged.Load()
	}
	return m
}

func merge(message, lifetime context.Context) *mergedContext {
	ctx, cancel := context.WithCancelCause(bounds{message})
	end := func() { cancel(context.Cause(lifetime)) }
	if lifetime.Err() != nil {
		end()
	}
	return &mergedContext{Context: ctx, cancel: cancel, detach: context.AfterFunc(lifetime, end)}
}

// bounds is what a handler sees of the sender's context: its deadline and its end. Values,
// one of which is the cause of the end, would not come from another node.
type bounds struct{ context.Context }

func (bounds) Value(any) any { return nil }

// AfterFunc spares the standard library a goroutine.
func (b bounds) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(b.Context, f) }

func (m *mergedContext) end() {
	m.detach()
	m.cancel(context.Canceled)
}

// release ends the context of a request that has been stashed, or answered, and so is over.
func (c *Context) release(over bool) {
	if c.in == nil { // never handled
		return
	}
	system := c.in.cell.system
	ended := system.stashed
	if over {
		ended = system.answered
	}
	if c.merged.CompareAndSwap(nil, ended) || over && c.merged.CompareAndSwap(system.stashed, ended) {
		return
	}
	m := c.merged.Load()
	if over {
		m.over.Store(true)
	}
	m.end()
}

// answerFor returns what the asker gets for an error of the handler. A handler that gave
// up because its actor was told to stop has not been canceled by its asker.
func (c *Context) answerFor(err error) *Error {
	e := handlerError(err)
	if e.Code != Canceled || e.Reason != "" || c.base.Err() != nil || c.in == nil || c.in.lifetime().Err() == nil {
		return e
	}
	return &Error{
		Code: Unavailable, cause: context.Cause(c.in.lifetime()),
		Message: fmt.Sprintf("%s was told to stop while it handled the message, which may have had effects: %s", c.in.cell, e.Message),
	}
}

// Self returns the actor's own address. [Self] returns it as a Ref.
func (c *Context) Self() Address { return Address{c.in.cell} }

// Self returns the Ref of the actor itself. P must be its protocol; the Ref of
// another protocol is zero.
func Self[P any](c *Context) Ref[P] {
	if !c.in.cell.speaks(protocolOf[P]()) {
		return Ref[P]{}
	}
	return Ref[P]{c.in.cell}
}

// Parent returns the actor that spawned this one; zero at the top.
func (c *Context) Parent() Address {
	if c.in.cell.parent == nil {
		return Address{}
	}
	return Address{c.in.cell.parent.cell}
}

// System returns the system that the actor lives in.
func (c *Context) System() *System { return c.in.cell.system }

// Log returns the system's logger with the actor's path.
func (c *Context) Log() *slog.Logger {
	return c.in.cell.system.log.With("actor", c.in.cell.path)
}

// Stop ends the actor after this message; those that wait are not handled. The
// context stays alive until the handler returns.
func (c *Context) Stop() { c.in.cell.process.Stop() }

// StopChild ends a child of this actor after the message it is handling, or
// returns NotFound if it is not a child.
func (c *Context) StopChild(child Addressable) error {
	target, ok := child.Address().recipient.(*cell)
	if !ok || target.parent == nil || target.parent.cell != c.in.cell {
		return Errorf(NotFound, "%s is not a child of %s", child.Address(), c.in.cell)
	}
	target.stop()
	return nil
}

// Children returns the running children, in no order.
func (c *Context) Children() []Address {
	children := make([]Address, 0, len(c.in.cell.children))
	for _, child := range c.in.cell.children {
		children = append(children, Address{child})
	}
	return children
}

// Become replaces the handlers, until the next Become or a restart. It returns
// InvalidArgument if b is not made for this actor's protocol and type, or has a message
// that could not travel and the actor is not [LocalOnly].
func (c *Context) Become(b *Behavior) error {
	d := c.in.cell.def
	switch {
	case b == nil:
		return Errorf(InvalidArgument, "Become needs a Behavior")
	case b.err != nil:
		return b.err
	case b.protocol != d.protocol || b.instance != d.instance:
		return Errorf(InvalidArgument, "a Behavior of protocol %s for %s does not fit actor %s", b.protocol, b.instance, c.in.cell)
	}
	if !d.localOnly {
		if err := c.in.cell.system.checkTable(d.name, b.table); err != nil {
			return err
		}
	}
	c.in.cell.use(b.table)
	return nil
}

// Unbecome goes back to the handlers of the definition.
func (c *Context) Unbecome() { c.in.cell.use(c.in.cell.def.table) }
