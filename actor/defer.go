package actor

import (
	"context"
	"runtime/debug"
)

// deferral is what a handler returns when it does not answer now.
type deferral string

func (d deferral) Error() string { return string(d) }

const (
	stashedNow deferral = "the message is stashed"
	repliedNot deferral = "the reply comes later"
)

func isDeferral(err error) bool {
	_, ok := err.(deferral)
	return ok
}

const defaultStashLimit = 10_000

// StashLimit sets how many messages an actor may stash. Default 10,000.
func StashLimit(n int) DefineOption {
	return defineOption(func(d *definition) { d.stashLimit = n })
}

// Stash keeps the message that is being handled for later. The handler must
// return the error that Stash returns:
//
//	return greet.Greeting{}, ctx.Stash()
//
// A full stash is ResourceExhausted, which so becomes the answer.
func (c *Context) Stash() error {
	cell := c.cell
	switch {
	case cell.current.message == nil:
		return Errorf(FailedPrecondition, "there is no message to stash")
	case cell.stashed:
		return stashedNow
	case len(cell.stash) >= cell.def.stashLimit:
		return notRun(ResourceExhausted, "the stash of %s is full", cell)
	}
	cell.stash = append(cell.stash, cell.current)
	cell.stashed = true
	return stashedNow
}

// Unstash puts the stashed messages back, in the order they came, before all that
// wait in the mailbox.
func (c *Context) Unstash() {
	c.cell.process.Unget(c.cell.stash)
	c.cell.stash = nil
}

// Reply is the answer to a request that its handler owes; see [ReplyLater].
type Reply[R any] struct{ finish func(R, error) }

// ReplyLater lets the handler return before it has the answer, from whoever calls
// Send later. The handler must return the error that ReplyLater returns:
//
//	reply, later := actor.ReplyLater[greet.Greeting](ctx)
//	go func() { reply.Send(slowly()) }()
//	return greet.Greeting{}, later
//
// If nobody calls Send, the caller waits until its deadline. The error is
// FailedPrecondition if the message is not a request that is answered by an R.
func ReplyLater[R any](ctx *Context) (*Reply[R], error) {
	k, ok := ctx.cell.current.message.(interface{ finish(R, error) })
	if !ok {
		return nil, Errorf(FailedPrecondition, "the message is not a request with such a reply")
	}
	return &Reply[R]{k.finish}, repliedNot
}

// Send answers the request. The first answer counts. It may be called from any
// goroutine.
func (r *Reply[R]) Send(reply R, err error) { r.finish(reply, err) }

// Pipe runs work in a goroutine and lets the actor get the message it returns. The
// context of work ends with the actor, and with a restart; the system waits for
// work when it stops. A panic in work is a failure of the actor.
func Pipe[P any, M Message[P]](ctx *Context, work func(context.Context) M) {
	c, lifetime := ctx.cell, ctx.cell.lifetime()
	c.system.work.Go(func() {
		e, returned := Envelope{}, false
		defer func() {
			if !returned {
				value := recover()
				if value == nil {
					value = "runtime.Goexit was called"
				}
				stack := string(debug.Stack())
				c.process.Interrupt(func() { panic(pipeError{value, stack}) })
				return
			}
			if lifetime.Err() != nil {
				c.system.undelivered(e, c, notRun(Unavailable, "%s has stopped or restarted", c))
			} else if err := c.process.TryPost(e); err != nil {
				c.system.undelivered(e, c, c.refused(err))
			}
		}()
		e.message = work(lifetime)
		returned = true
	})
}

// pipeError carries a panic of Pipe's work into the actor.
type pipeError struct {
	value any
	stack string
}

func (e pipeError) Error() string { return describe(e.value) + " in Pipe\n" + e.stack }
