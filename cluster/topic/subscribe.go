package topic

import (
	"context"

	"github.com/troupe-go/troupe/actor"
)

// Subscribe calls handle with the events published to the topic from now on: at once
// with those of this node, and with those of others as soon as gossip has told them. It
// calls it for one event after another, on any goroutine, until [Subscription.Stop] is
// called or the node leaves. handle may block: events wait meanwhile, up to the bound of
// [Buffer], and nobody else is held up.
//
// An error that handle returns, and a panic, is logged and counted, and the next event
// follows. The context that handle gets ends when the subscription is cut short.
//
// ctx is for the call alone, and the subscription outlives it. Errors are
// InvalidArgument, cluster.ErrLeft, ResourceExhausted if the node subscribes to so many
// topics that gossip cannot tell the others, and ctx's if that has ended.
func (t *Topic[T]) Subscribe(ctx context.Context, handle func(ctx context.Context, event Event[T]) error, options ...SubscribeOption) (*Subscription, error) {
	if handle == nil {
		return nil, refusal(actor.InvalidArgument, "the subscription to %q needs a function that handles events", t.name)
	}
	s, err := t.newSubscription(ctx, handle, options)
	if err != nil {
		return nil, err
	}
	if err := t.extension.admit(s); err != nil {
		return nil, err
	}
	return s, nil
}

func (t *Topic[T]) newSubscription(ctx context.Context, handle func(context.Context, Event[T]) error, options []SubscribeOption) (*Subscription, error) {
	c, err := newSubscribing(options)
	switch {
	case t.invalid != nil:
		return nil, t.invalid
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, ended(ctx, "nothing subscribed to %q", t.name)
	}
	return newSubscription(t.extension, t.kind, interest{t.name, c.group}, c.buffer, func(ctx context.Context, event any) error {
		return handle(ctx, *event.(*Event[T]))
	}), nil
}
