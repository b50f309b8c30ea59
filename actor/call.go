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

// waiter parks one asker. It is pooled: a channel is dear.
type waiter struct{ done chan struct{} }

func newWaiterPool() *sync.Pool {
	return &sync.Pool{New: func() any { return &waiter{done: make(chan struct{}, 1)} }}
}

// request is a *call of any types.
type request interface {
	// For those who carry it.
	askContext() context.Context
	payload() any
	replyTarget() any
	bindReply(s *System)
	// For the asker beside the actor.
	begin(w *waiter)
	wait(pool *sync.Pool) error
	// For the actor that handles it.
	fail(err error)
}

func (k *call[Q, R]) askContext() context.Context { return k.Context.base }
func (k *call[Q, R]) payload() any                { return k.message }

func (k *call[Q, R]) replyTarget() any { return decodeTarget(&k.reply) }

func (k *call[Q, R]) bindReply(s *System) { s.bind(reflect.TypeFor[R](), &k.reply) }

// begin makes the call ready for an attempt of a local asker.
func (k *call[Q, R]) begin(w *waiter) {
	k.waiter, k.err = w, nil
	k.state.Store(callPending)
}

// finish completes the call, once. The asker may have gone by then.
func (k *call[Q, R]) finish(reply R, err error) {
	k.Context.release()
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

// contextError describes why ctx ended, for a message that may have been handled.
func contextError(ctx context.Context) error {
	err := context.Cause(ctx)
	if CodeOf(ctx.Err()) == DeadlineExceeded {
		return &Error{Code: DeadlineExceeded, Message: "no reply within the caller's deadline", cause: err}
	}
	return &Error{Code: Canceled, Message: "the caller gave up waiting: " + err.Error(), cause: err}
}
