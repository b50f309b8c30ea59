package topic

import (
	"context"

	"github.com/troupe-go/troupe/actor"
)

// Message is an event as an actor of protocol P gets it. It is a request, so that the
// actor is given the next event when it has answered this one:
//
//	func (b *billing) placed(ctx *actor.Context, m topic.Message[Billing, OrderPlaced]) (topic.Ack, error)
//
// bound to it by actor.OnCall.
type Message[P, T any] struct {
	actor.Call[P, Ack]
	Event[T]
}

// Ack is an actor's answer to a [Message]: it has handled the event.
type Ack struct{}

// actorKey tells the subscriptions of actors apart.
type actorKey struct {
	address  actor.Address
	kind     string
	interest interest
	durable  bool
}

// SubscribeActor lets an actor subscribe as itself: events arrive in its mailbox, one at
// a time, as a [Message] that it handles. Those that it is not ready for wait outside, as
// in [Topic.Subscribe]. to may also refer to a service, a virtual actor or an actor of
// another node.
//
// The subscription ends with the actor; one that restarts keeps it. If the actor has
// subscribed to the topic in this group already, that subscription is returned, so that
// an actor may subscribe whenever it starts:
//
//	func (b *billing) Started(ctx *actor.Context) error {
//		_, err := topic.SubscribeActor(ctx, b.orders, actor.Self[Billing](ctx))
//		return err
//	}
//
// Beside the errors of Subscribe there are those of watching the actor.
func SubscribeActor[P, T any](ctx context.Context, t *Topic[T], to actor.Ref[P], options ...SubscribeOption) (*Subscription, error) {
	if to.IsZero() {
		return nil, refusal(actor.InvalidArgument, "the Ref that should subscribe to %q is zero", t.name)
	}
	s, err := t.newSubscription(ctx, func(ctx context.Context, e Event[T]) error {
		_, err := actor.Ask(ctx, to, Message[P, T]{Event: e})
		return err
	}, options)
	if err != nil {
		return nil, err
	}
	s.actor = actorKey{to.Address(), t.kind.name, s.interest, t.source.durable}
	known, err := t.extension.admitActor(s)
	if err != nil || known != s {
		return known, err
	}
	if err := s.watch(to.Address()); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// admitActor is admit, unless the actor has such a subscription, which is returned.
func (x *extension) admitActor(s *Subscription) (*Subscription, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.actors[s.actor]; known != nil {
		return known, nil
	}
	if err := x.admitLocked(s); err != nil {
		return nil, err
	}
	x.actors[s.actor] = s
	return s, nil
}

// watch ends the subscription when the actor ends, if it can.
func (s *Subscription) watch(address actor.Address) error {
	unwatch, err := address.Recipient().Watch(func(error) {
		s.mu.Lock()
		s.unwatch = nil // it is over
		s.mu.Unlock()
		s.quit(actor.Errorf(actor.NotFound, "topic: the actor %s, which subscribed to %s, has ended", address, s))
		s.abort()
	})
	switch actor.CodeOf(err) {
	case actor.OK:
	case actor.Unimplemented: // a service, or another that has no end
		return nil
	default:
		s.quit(err)
		s.abort()
		return err
	}
	s.mu.Lock()
	stopped := s.stopping.Load()
	if !stopped {
		s.unwatch = unwatch
	}
	s.mu.Unlock()
	if stopped {
		unwatch()
	}
	return nil
}
