package actor

import (
	"context"
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actor/internal/engine"
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
	cell := c.in.cell
	switch {
	case cell.current.message == nil:
		return Errorf(FailedPrecondition, "there is no message to stash")
	case cell.stashed:
		return stashedNow
	case len(cell.stash) >= cell.def.stashLimit:
		return notRun(ResourceExhausted, "the stash of %s is full", cell)
	}
	e := cell.current
	if cell.timer != nil { // it decides, when it is handled, whether its message still counts
		e = Envelope{message: cell.timer}
		cell.timer.stashed()
	}
	cell.stash = append(cell.stash, e)
	cell.stashed = true
	return stashedNow
}

// Unstash puts the stashed messages back, in the order they came, before all that
// wait in the mailbox. One that the same handler has just stashed stays.
func (c *Context) Unstash() {
	cell := c.in.cell
	kept := len(cell.stash)
	if cell.stashed {
		kept--
	}
	stash := cell.stash
	cell.stash = slices.Clone(stash[kept:])
	cell.process.Unget(stash[:kept:kept])
}

// Reply is the answer to a request that its handler owes; see [ReplyLater].
type Reply[R any] struct{ answer func(R, error) }

// ReplyLater lets the handler return before it has the answer, from whoever calls
// Send later. The handler must return the error that ReplyLater returns:
//
//	reply, later := actor.ReplyLater[greet.Greeting](ctx)
//	go func() { reply.Send(slowly()) }()
//	return greet.Greeting{}, later
//
// If nobody calls Send, the caller waits until its deadline. The error is
// FailedPrecondition if the message is a request that is not answered by an R,
// or no request at all. The Reply is never nil.
func ReplyLater[R any](ctx *Context) (*Reply[R], error) {
	e := ctx.in.cell.current
	if k, ok := e.message.(interface{ answer(R, error) }); ok {
		return &Reply[R]{k.answer}, repliedNot
	}
	if _, ok := e.Message().(interface{ ActorReply(R) }); ok {
		return &Reply[R]{}, repliedNot // it was told: nobody waits for the answer
	}
	return &Reply[R]{}, Errorf(FailedPrecondition, "the message is not a request that is answered by a %s", reflect.TypeFor[R]())
}

// Send answers the request. The first answer counts. It may be called from any
// goroutine.
func (r *Reply[R]) Send(reply R, err error) {
	if r.answer != nil {
		r.answer(reply, err)
	}
}

// Pipe runs work in a goroutine and lets the actor get the message it returns. The
// context of work ends with the actor, and with a restart; the system waits for
// work when it stops. A panic in work is a failure of the actor.
func Pipe[P any, M Message[P]](ctx *Context, work func(context.Context) M) {
	in := ctx.in
	lifetime := in.lifetime()
	pipes := &in.cell.system.pipes
	t := &task{actor: in.cell.known(), what: "has had work in a Pipe for " + typeName(reflect.TypeFor[M]()), began: time.Now()}
	pipes.add(t)
	in.cell.system.work.Go(func() {
		returned := false
		defer pipes.remove(t)
		defer func() {
			if !returned {
				in.pipeFailed(recover(), debug.Stack())
			}
		}()
		m := work(lifetime)
		returned = true
		in.piped(lifetime, m)
	})
}

// piped queues the result of a Pipe. Unlike a sender, it may wait for room.
func (in *incarnation) piped(lifetime context.Context, message any) {
	c, e := in.cell, Envelope{message: message}
	switch {
	case isNil(message):
		c.system.undelivered(e, c, notRun(InvalidArgument, "the work of a Pipe returned nil"))
	case lifetime.Err() != nil:
		c.system.undelivered(e, c, notRun(Unavailable, "%s has stopped or restarted", c))
	default:
		if err := c.post(lifetime, e); err != nil {
			c.system.undelivered(e, c, c.refused(lifetime, err))
		}
	}
}

func (in *incarnation) pipeFailed(value any, stack []byte) {
	if value == nil {
		value = engine.ErrGoexit
	}
	in.cell.process.Interrupt(func() {
		if !in.ended() {
			panic(pipeError{value, string(stack)})
		}
		in.cell.system.log.Error("the work of a Pipe failed after its actor", "actor", in.cell.path, "failure", describe(value))
	})
}

// pipeError carries a panic of Pipe's work into the actor.
type pipeError struct {
	value any
	stack string
}

func (e pipeError) Error() string { return describe(e.value) + " in Pipe\n" + e.stack }
