package actor

import "reflect"

// Message is a message of protocol P. A type becomes one by embedding [Call] or
// [Cast], or by having the method itself, as a protobuf message does.
type Message[P any] interface{ ActorProtocol(P) }

// Request is a message of protocol P that is answered by an R.
type Request[P, R any] interface {
	ActorProtocol(P)
	ActorReply(R)
}

// Call, embedded in a struct, makes it a request of protocol P that is answered
// by an R. It takes no space on the wire.
type Call[P, R any] struct{}

// ActorProtocol marks the message; it is never called.
func (Call[P, R]) ActorProtocol(P) {}

// ActorReply marks the type of the reply; it is never called.
func (Call[P, R]) ActorReply(R) {}

// Cast, embedded in a struct, makes it a message of protocol P that nobody
// answers.
type Cast[P any] struct{}

// ActorProtocol marks the message; it is never called.
func (Cast[P]) ActorProtocol(P) {}

// Idempotent, embedded in a message beside [Call], says that handling it twice
// does no harm. It is then sent again when its node fails while it is in flight.
type Idempotent struct{}

// ActorIdempotent marks the message; it is never called.
func (Idempotent) ActorIdempotent() {}

type idempotent interface{ ActorIdempotent() }

// IsIdempotent reports whether message, or a pointer to it, carries the mark of
// [Idempotent].
func IsIdempotent(message any) bool {
	if _, ok := message.(idempotent); ok {
		return true
	}
	t := reflect.TypeOf(message)
	return t != nil && t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(reflect.TypeFor[idempotent]())
}
