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
// topics, or serves so much, that gossip cannot tell the others, and ctx's if that has ended.
//
// # Durable topics
//
// The [Group] gets every event of the topic, from the position at which it begins: see
// [From]. Nil acknowledges an event. After an error or a panic it is delivered again, to
// any member of the group: after a pause that doubles from 100 ms to a minute, or what
// [RetryAfter] says. After [MaxAttempts], at once after [Reject], and if it cannot be
// decoded, it becomes a dead letter; see [Topic.DeadLetters]. Until one of that has
// happened, the group gets no other event with the same [Key]. The context that handle
// gets ends with the [AckDeadline], and when the event is for other members: because its
// partition has moved, which waits a second for a handler, or this node is cut off.
//
// An event may be delivered more than once: [Event.Attempt] is then more than 1, but after
// [Topic.Seek]. Where each must take effect once, keep its Partition and Offset for each
// key with what it changes, in one transaction, and skip what is not later.
//
// Subscribe returns when the group is there, and durable, in all partitions. It waits for
// that until ctx ends, or for 30 seconds if ctx has no deadline. The topic having other
// settings is FailedPrecondition.
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
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (t *Topic[T]) newSubscription(ctx context.Context, handle func(context.Context, Event[T]) error, options []SubscribeOption) (*Subscription, error) {
	c, err := newSubscribing(t.source.durable, options)
	switch {
	case t.invalid != nil:
		return nil, t.invalid
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, ended(ctx, "nothing subscribed to %q", t.name)
	}
	s := newSubscription(t.extension, t.kind, interest{t.name, c.group}, c.buffer, handler(t.extension, handle))
	if !t.source.durable {
		return s, nil
	}
	stream, err := t.source.open(ctx)
	if err != nil {
		return nil, err
	}
	s.consumer = newConsumer(stream, t.source, c, t.kind)
	s.consumer.sub, s.limit = s, int64(c.window*stream.settings.Partitions)
	return s, nil
}

// start lets a subscription have events. If that fails, it ends.
func (s *Subscription) start(ctx context.Context) error {
	var err error
	if s.consumer == nil {
		err = s.announced.await(ctx, s.interest.pattern)
	} else {
		err = s.consumer.start(ctx)
	}
	if err != nil {
		s.quit(err)
		s.abort()
		<-s.done
	}
	return err
}
