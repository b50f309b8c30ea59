package actor

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
)

// call is one request on its way, its reply, and the context its handler sees:
// all that an Ask allocates.
type call[Q, R any] struct {
	Context
	again   atomic.Pointer[Context] // of a later handling; see enter
	message Q
	reply   R
	err     error
	state   atomic.Int32
	waiter  *waiter                    // of a local Ask
	sink    func(reply any, err error) // of a request from another node
}

const (
	callPending int32 = iota
	callDone
	callAbandoned // the asker has gone; nobody reads the reply
)

func newCall[Q, R any](ctx context.Context, message Q) *call[Q, R] {
	k := &call[Q, R]{message: message}
	k.Context.base, k.Context.asked = ctx, true
	return k
}

// waiter parks one asker. It is pooled: a channel is dear.
type waiter struct{ done chan struct{} }

func newWaiterPool() *sync.Pool {
	return &sync.Pool{New: func() any { return &waiter{done: make(chan struct{}, 1)} }}
}

// request is a *call of any types.
type request interface {
	carrier
	// For those who bring the reply.
	replyTarget() any
	clearReply() bool // sets it to nil, if it can be
	bindReply(s *System)
	// For the asker beside the actor.
	sender() *Context
	begin(w *waiter) request
	wait(pool *sync.Pool) error
	adopt(attempt request)
	// For the actor that handles it.
	fail(err error)
}

// requestFor is a request that is answered by an R, in whatever form its message is.
type requestFor[R any] interface {
	request
	enter(in *incarnation) (ctx *Context, waited bool)
	answer(reply R, err error)
}

func (k *call[Q, R]) context() context.Context { return k.Context.base }
func (k *call[Q, R]) sender() *Context         { return &k.Context }
func (k *call[Q, R]) payload() any             { return k.message }
func (*call[Q, R]) messageType() reflect.Type  { return reflect.TypeFor[Q]() }

func (k *call[Q, R]) replyTarget() any { return decodeTarget(&k.reply) }

func (k *call[Q, R]) clearReply() bool {
	var none R
	k.reply = none
	return reflect.TypeFor[R]().Kind() == reflect.Pointer
}

func (k *call[Q, R]) bindReply(s *System) { s.bind(reflect.TypeFor[R](), &k.reply) }

// begin returns the call to put in a mailbox: k itself, but a copy when it is
// sent again, because the actor that had it before may still use it.
func (k *call[Q, R]) begin(w *waiter) request {
	if k.waiter != nil {
		again := newCall[Q, R](k.Context.base, k.message)
		again.Context.follow(&k.Context)
		k = again
	}
	k.waiter = w
	return k
}

// adopt takes over the reply of a copy.
func (k *call[Q, R]) adopt(attempt request) { k.reply = attempt.(*call[Q, R]).reply }

// enter returns the context for handling k, and false if nobody waits for the
// answer any more. After a stash it is another one, because the first may still
// be in use and may belong to an earlier incarnation.
func (k *call[Q, R]) enter(in *incarnation) (*Context, bool) {
	if k.state.Load() == callAbandoned {
		return nil, false
	}
	if k.sink != nil && k.Context.base.Err() != nil {
		err := contextError(k.Context.base)
		err.NotRun = true
		k.fail(err)
		return nil, false
	}
	if k.Context.in == nil {
		k.Context.in = in
		return &k.Context, true
	}
	again := &Context{base: k.Context.base, in: in, asked: true}
	again.follow(&k.Context)
	k.again.Store(again)
	return again, true
}

// finish completes the call, once. The asker may have gone by then.
func (k *call[Q, R]) finish(reply R, err error) {
	k.Context.release(true)
	if again := k.again.Load(); again != nil {
		again.release(true)
	}
	if !k.state.CompareAndSwap(callPending, callDone) {
		return
	}
	k.reply, k.err = reply, err
	switch {
	case k.waiter != nil:
		k.waiter.done <- struct{}{}
	case k.sink != nil:
		k.sink(k.reply, k.err)
	}
}

func (k *call[Q, R]) fail(err error) {
	var none R
	k.finish(none, err)
}

// answer completes the call with what its handler returned or sent.
func (k *call[Q, R]) answer(reply R, err error) {
	if err != nil {
		k.fail(k.Context.answerFor(err))
		return
	}
	k.finish(reply, nil)
}

// overdue returns err, or, if the asker has stopped waiting, what then is the same wherever
// the actor is, and whether or not its handler has given up as well.
func (k *Context) overdue(to Recipient, err error) error {
	if err == nil || k.base.Err() == nil {
		return err
	}
	if e := AsError(err); e.Code != CodeOf(k.base.Err()) || e.NotRun || e.Reason != "" {
		return err
	}
	e := contextError(k.base)
	e.Message = to.String() + ": " + e.Message
	return e
}

// wait returns when the call is complete or its context has ended.
func (k *call[Q, R]) wait(pool *sync.Pool) error {
	w := k.waiter
	if done := k.Context.base.Done(); done == nil {
		<-w.done
	} else {
		select {
		case <-w.done:
		case <-done:
			if k.state.CompareAndSwap(callPending, callAbandoned) {
				pool.Put(w)
				return contextError(k.Context.base)
			}
			<-w.done
		}
	}
	pool.Put(w)
	return k.err
}
