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

// of returns e with a copy of its bytes.
func (pool *sealedPool) of(e *encoded) *sealed {
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
	if cap(s.payload) <= largestPooled {
		s.encoded = encoded{payload: s.payload}
		pool.pool.Put(s)
	}
}

// handler returns handle for what waits in the queue of a subscription, one after another.
func handler[T any](x *extension, handle func(context.Context, Event[T]) error) func(context.Context, any) error {
	value := new(T) // would escape each time
	return func(ctx context.Context, event any) error {
		e, ok := event.(*sealed)
		if !ok {
			return handle(ctx, *event.(*Event[T]))
		}
		err := decode(x.node.System(), &e.encoded, value)
		known := Event[T]{Topic: e.topic, Node: e.node, Value: *value}
		x.waiting.put(e)
		var none T
		*value = none
		if err != nil {
			return &undecodable{err}
		}
		return handle(ctx, known)
	}
}

// decode fills in the value of an event that has come from another node.
func decode[T any](s *actor.System, e *encoded, value *T) error {
	if err := s.Decode(e.contentType, e.payload, target(value)); err != nil {
		return refusal(actor.InvalidArgument, "an event published to %q cannot be decoded: %v", e.topic, actor.AsError(err).Message)
	}
	return nil
}
