package actor

import "context"

// Caller says who sent a message.
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
	if ctx == context.Background() {
		return &detached{ctx, caller} // serves as it is for what is told
	}
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerOf returns who sends with ctx: the actor whose handler it comes from, or
// what [WithCaller] says, whichever is nearer.
func CallerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	return caller
}

// Caller returns who sent the message, as far as the sender's context tells:
// Tell gives none.
func (c *Context) Caller() Caller {
	if c.base == nil {
		return Caller{}
	}
	return CallerOf(c.base)
}

// handlerOf returns the Context that ctx was derived from; nil outside of actors.
func handlerOf(ctx context.Context) *Context {
	if c, ok := ctx.(*Context); ok {
		return c
	}
	c, _ := ctx.Value(contextKey{}).(*Context)
	return c
}

// detached is the base of a message that is told: who has sent it, and nothing else of
// the sender's context.
type detached struct {
	context.Context
	caller Caller
}

func detach(ctx context.Context) *detached {
	return &detached{context.Background(), CallerOf(ctx)}
}

func (d *detached) Value(key any) any {
	if key == (callerKey{}) {
		return d.caller
	}
	return nil
}
