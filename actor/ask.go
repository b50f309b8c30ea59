package actor

import (
	"context"
	"reflect"
)

// Ask sends q to the actor behind to and returns its reply. It waits until the
// reply is there, the call has failed, or ctx has ended; without a deadline in
// ctx it waits as long as the actor works. A failure is an [*Error]: Internal if
// the actor crashed on q, NotFound if it is gone, Unavailable if its node is lost or
// it was told to stop, ResourceExhausted if its mailbox is full, Unimplemented if it
// has no handler for q, DeadlineExceeded or Canceled if ctx ended, or what the handler
// returned.
//
// A handler passes its [Context] on, or one derived from it. It is FailedPrecondition if
// the call then comes back to an actor whose handler waits for it, which would never end,
// or has come through more than 64 actors; the error names them all.
//
// Within one process q and the reply are handed over as they are: whoever sends a
// pointer, slice or map must not change it afterwards.
func Ask[P, R any, Q Request[P, R]](ctx context.Context, to Ref[P], q Q) (R, error) {
	var none R
	if err := ready(ctx); err != nil {
		return none, err
	}
	switch t := reflect.TypeFor[Q](); t.Kind() {
	case reflect.Pointer:
		if isNil(q) {
			return none, nilMessage(q)
		}
	case reflect.Interface:
		return none, notRun(InvalidArgument, "a request is asked by its concrete type, not as a %s", t)
	}
	k := newCall[Q, R](ctx, q)
	if err := k.Context.send(to.Address().target(), Envelope{message: k}); err != nil {
		return none, err
	}
	return k.reply, nil
}

// Tell sends m to the actor behind to and does not wait for it. It never blocks:
// where m cannot be queued, it returns an [*Error] that says why, such as
// ResourceExhausted for a full mailbox or NotFound for an actor that is gone.
// What is lost later becomes a [DeadLetter].
//
// Messages that one goroutine tells to one actor arrive in that order, each at
// most once. See [Ask] on what m may share with its sender.
func Tell[P any, M Message[P]](to Ref[P], m M) error {
	if isNil(m) {
		return nilMessage(m)
	}
	return to.Address().target().Tell(Envelope{message: m})
}

// TellContext is Tell with a sender's context: it waits for room until ctx ends, in a
// mailbox that blocks when full, here or on another node, and in the link to that node. If
// ctx comes from a handler, the receiver sees its actor as the [Context.Caller]; it does not
// see ctx end, nor its values.
func TellContext[P any, M Message[P]](ctx context.Context, to Ref[P], m M) error {
	if err := ready(ctx); err != nil {
		return err
	}
	if isNil(m) {
		return nilMessage(m)
	}
	return to.Address().target().Tell(Envelope{message: &told[M]{ctx, m}})
}

// ready returns an error if ctx has ended before anything was sent.
func ready(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	err := contextError(ctx)
	err.NotRun = true
	return err
}

// isNil reports whether m is nil or a nil pointer: handlers need not expect one,
// and it would arrive as something else on another node.
func isNil(m any) bool {
	v := reflect.ValueOf(m)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

func nilMessage(m any) *Error { return notRun(InvalidArgument, "a nil %T is not a message", m) }
