package topic

import (
	"context"
	"sync"

	"github.com/troupe-go/troupe/actor"
)

// sealed is an event that waits for the only subscription of this node that gets it. It is
// decoded in that one's turn, since the goroutine that takes what another node sends is
// the first to be short of time.
type sealed struct{ encoded }

// sealedPool spares them and their bytes. Those that nobody handles are left to the
// collector.
type sealedPool struct{ pool sync.Pool }

// largestSealed is the capacity above which bytes are not used again: a small event that
// waits would keep them.
const largestSealed = 1 << 10

// get returns e with a copy of its bytes.
func (pool *sealedPool) get(e *encoded) *sealed {
	s, ok := pool.pool.Get().(*sealed)
	if !ok {
		s = new(sealed)
	}
	payload := append(s.payload[:0], e.payload...)
	s.encoded = *e
	s.payload = payload
	return s
}

func (pool *sealedPool) put(s *sealed) {
	kept := s.payload
	if cap(kept) > largestSealed {
		kept = nil
	}
	s.encoded = encoded{payload: kept}
	pool.pool.Put(s)
}

// handler returns handle for what waits in the queue of a subscription, one after another.
func handler[T any](x *extension, handle func(context.Context, Event[T]) error) func(context.Context, any) error {
	value := new(T) // for all of them: the codec makes it escape
	return func(ctx context.Context, event any) error {
		e, ok := event.(*sealed)
		if !ok {
			return handle(ctx, *event.(*Event[T]))
		}
		var none T
		*value = none // also after a codec that has ended its goroutine
		err := decode(x.node.System(), &e.encoded, value)
		opened := Event[T]{Topic: e.topic, Node: e.node, Value: *value}
		*value = none
		x.sealed.put(e)
		if err != nil {
			return &undecodable{err}
		}
		return handle(ctx, opened)
	}
}

// decode fills in the value of an event that has come from another node.
func decode[T any](s *actor.System, e *encoded, value *T) error {
	if err := s.Decode(e.contentType, e.payload, target(value)); err != nil {
		return refusal(actor.InvalidArgument, "an event published to %q cannot be decoded: %v", e.topic, actor.AsError(err).Message)
	}
	return nil
}
