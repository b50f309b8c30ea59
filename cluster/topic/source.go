package topic

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// source is what a [Topic] reads from and writes to if it is durable.
type source struct {
	extension *extension
	name      string
	durable   bool
	dead      bool // it is the dead letters
	settings  settings
	invalid   error
}

// open returns the stream, which this node then uses.
func (f source) open(ctx context.Context) (*stream, error) {
	switch {
	case f.invalid != nil:
		return nil, f.invalid
	case !f.durable:
		return nil, refusal(actor.InvalidArgument, "%q is a live topic, of which nothing is kept: add Durable()", f.name)
	case ctx.Err() != nil:
		return nil, ended(ctx, "nothing was done with %q", f.name)
	}
	if err := f.extension.present(); err != nil {
		return nil, err
	}
	return f.extension.stream(ctx, f.name, f.settings)
}

func (f source) String() string {
	if f.dead {
		return fmt.Sprintf("the dead letters of %q", f.name)
	}
	return fmt.Sprintf("%q", f.name)
}

// DeadLetter is an event that a group of a durable topic has given up.
type DeadLetter struct {
	Topic     string
	Partition int
	Offset    uint64 // of the event
	Group     string
	Attempts  int    // how often it was delivered to the group
	Error     string // of the last attempt, up to 1 KiB

	// What was published. The slice must not be changed.
	ID, Key, Type, ContentType string
	Payload                    []byte
}

// DeadLetters returns the events that the groups of a durable topic have given up, as a
// topic to subscribe to, with groups of its own. Nothing can be published there, and what
// its groups give up is gone for them. It keeps 64 MiB in each partition, and the oldest
// go when there are more.
func (t *Topic[T]) DeadLetters() *Topic[DeadLetter] {
	d := &Topic[DeadLetter]{extension: t.extension, name: t.name, kind: kindOf[DeadLetter](), invalid: t.invalid, source: t.source}
	d.source.dead = true
	d.kind.read = readDeadLetter
	return d
}

// Decode returns the event of a dead letter, such as to publish it again. The error is
// InvalidArgument if it is no T.
func (t *Topic[T]) Decode(d DeadLetter) (T, error) {
	e, err := t.kind.read(t.extension.node.System(), t.name, d.Partition, &stored{Type: d.Type, ContentType: d.ContentType, Payload: d.Payload})
	if err != nil {
		var none T
		return none, err
	}
	return e.(*Event[T]).Value, nil
}

// read returns the *Event[T] that is kept.
func read[T any](s *actor.System, topic string, partition int, e *stored) (any, error) {
	if name := typeName[T](); e.Type != name {
		return nil, refusal(actor.InvalidArgument, "an event kept in %q is a %.200s, and not a %s", topic, e.Type, name)
	}
	event := newEvent[T](topic, partition, e)
	if err := s.Decode(e.ContentType, e.Payload, target(&event.Value)); err != nil {
		return nil, refusal(actor.InvalidArgument, "an event kept in %q cannot be decoded: %v", topic, actor.AsError(err).Message)
	}
	return event, nil
}

func readDeadLetter(_ *actor.System, topic string, partition int, e *stored) (any, error) {
	event := newEvent[DeadLetter](topic, partition, e)
	event.Value = DeadLetter{
		Topic: topic, Partition: partition,
		ID: e.ID, Key: e.Key, Type: e.Type, ContentType: e.ContentType, Payload: e.Payload,
	}
	if d := e.Dead; d != nil {
		event.Value.Offset, event.Value.Group = uint64(d.Offset), d.Group
		event.Value.Attempts, event.Value.Error = d.Attempts, d.Error
	}
	return event, nil
}

func newEvent[T any](topic string, partition int, e *stored) *Event[T] {
	return &Event[T]{
		Topic: topic, Partition: partition, Offset: e.Offset, ID: e.ID, Key: e.Key,
		Time: time.Unix(0, e.Time), Attempt: e.Attempt,
	}
}
