package actor

import "context"

// Ask sends q to the actor behind to and returns its reply. It waits until the
// reply is there, the call has failed, or ctx has ended; without a deadline in
// ctx it waits as long as the actor works. A failure is an [*Error]: Internal if
// the actor crashed on q, NotFound if it is gone, Unavailable if its node is lost,
// ResourceExhausted if its mailbox is full, Unimplemented if it has no handler
// for q, DeadlineExceeded or Canceled if ctx ended, or what the handler returned.
//
// Within one process q and the reply are handed over as they are: whoever sends a
// pointer, slice or map must not change it afterwards.
func Ask[P, R any, Q Request[P, R]](ctx context.Context, to Ref[P], q Q) (R, error) {
	var none R
	if ctx.Err() != nil {
		err := AsError(contextError(ctx))
		err.NotRun = true
		return none, err
	}
	k := &call[Q, R]{message: q}
	k.Context.base = ctx
	if err := to.Address().target().Ask(Envelope{message: k}); err != nil {
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
	return to.Address().target().Tell(Envelope{message: m})
}

// TellContext is Tell with a sender's context: where the mailbox blocks when full,
// it waits for room until ctx ends. The handler sees ctx's values and, if ctx
// comes from a handler, its actor as the [Context.Caller]; it does not see ctx end.
func TellContext[P any, M Message[P]](ctx context.Context, to Ref[P], m M) error {
	if ctx.Err() != nil {
		err := AsError(contextError(ctx))
		err.NotRun = true
		return err
	}
	return to.Address().target().Tell(Envelope{message: m, context: ctx})
}
