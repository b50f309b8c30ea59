package topic

import (
	"context"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// Topic is what a node publishes to and subscribes to, under a name. It is made by
// [Of]. All methods may be called concurrently. Keep it as long as it is used: it
// remembers who wants its events.
type Topic[T any] struct {
	extension *extension
	name      string
	kind      *kind
	wild      bool
	invalid   error
	plan      atomic.Pointer[plan]
	source    source
}

// Event is what a subscriber gets. Those of one node share what Value refers to, with
// each other and with a publisher there: nobody may change it.
type Event[T any] struct {
	Topic string // that it was published to, which has no wildcards
	Node  string // name of the node that published it; empty for a durable topic
	Value T

	// What follows is of durable topics only.

	// Partition and Offset say which event it is. Offsets of a partition begin at 1 and
	// have no gaps.
	Partition int
	Offset    uint64
	ID, Key   string    // see the options of the same names
	Time      time.Time // when it was published, by the clock of the partition's owner
	// Attempt numbers the deliveries to the group, from 1: what is more may have been
	// handled before.
	Attempt int
}

// Of returns the topic with that name, for events of the type T, which is a concrete
// one. T travels under its name, with its package's: publishers and subscribers agree on
// it. Nothing happens on the network. The topic is a live one, unless [Durable] is among
// the options; those who use a durable topic must all give the same ones, else they get
// FailedPrecondition.
//
// A name is one or more tokens with dots in between. A token has letters, digits and
// -_~:+= only, and a name up to 256 characters. The token * stands for any token, and >,
// at the end, for one or more: such a name can be subscribed to only, and is no durable
// topic. Mistakes, such as a T that could not be decoded where it arrives, are reported by
// all methods, as InvalidArgument.
func Of[T any](node *cluster.Node, name string, options ...Option) *Topic[T] {
	t := &Topic[T]{extension: extensionOf(node), name: name, kind: kindOf[T]()}
	c, err := newTopicOptions(options)
	t.wild, t.invalid = checkName(name)
	_, unfit := node.System().Codecs().For(t.kind.goType)
	switch {
	case t.invalid != nil:
	case t.kind.invalid != nil:
		t.invalid = t.kind.invalid
	case unfit != nil:
		t.invalid = refusal(actor.InvalidArgument, "the events of %q: %v", name, actor.AsError(unfit).Message)
	case err != nil:
		t.invalid = err
	case c.durable && t.wild:
		t.invalid = refusal(actor.InvalidArgument, "%q has wildcards, which a durable topic cannot have", name)
	}
	t.source = source{extension: t.extension, name: name, durable: c.durable, settings: c.settings, invalid: t.invalid}
	return t
}

// Name returns the name given to [Of].
func (t *Topic[T]) Name() string { return t.name }

// Interested returns the names of the nodes that would get an event published now, as
// far as this one knows, sorted; of a group all nodes that have members. There are none
// for a name with wildcards and for a durable topic. cluster.Node.Await waits for a change:
//
//	err := node.Await(ctx, func() bool { return len(orders.Interested()) > 0 })
func (t *Topic[T]) Interested() []string {
	if t.invalid != nil || t.wild || t.source.durable {
		return nil
	}
	return t.extension.current().route(t.name).interested(t.extension.node.Name())
}

// kind is a type of events.
type kind struct {
	goType  reflect.Type
	name    string // on the wire
	pointer bool
	invalid error
	// decode returns the *Event[T] for bytes from another node.
	decode func(s *actor.System, e *encoded) (any, error)
	// read returns the *Event[T] for one that was kept.
	read func(s *actor.System, topic string, partition int, e *stored) (any, error)
}

func kindOf[T any]() *kind {
	k := &kind{goType: reflect.TypeFor[T](), name: typeName[T](), decode: decodeEvent[T], read: read[T]}
	k.pointer = k.goType.Kind() == reflect.Pointer
	if k.goType.Kind() == reflect.Interface {
		k.invalid = refusal(actor.InvalidArgument, "events are of a concrete type, and %s is an interface", k.goType)
	}
	return k
}

// typeName is what events are called on the wire.
func typeName[T any]() string { return strings.TrimPrefix(reflect.TypeFor[T]().String(), "*") }

func decodeEvent[T any](s *actor.System, e *encoded) (any, error) {
	event := &Event[T]{Topic: e.topic, Node: e.node}
	return event, decode(s, e, &event.Value)
}

// target returns what is decoded into, so that value is what was.
func target[T any](value *T) any {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Pointer {
		return value
	}
	made := reflect.New(t.Elem()).Interface()
	*value = made.(T)
	return made
}

// refuse returns why nothing can be published with ctx.
func (t *Topic[T]) refuse(ctx context.Context) error {
	switch {
	case t.invalid != nil:
		return t.invalid
	case t.wild:
		return refusal(actor.InvalidArgument, "nothing can be published to %q: it has wildcards", t.name)
	case ctx.Err() != nil:
		return ended(ctx, "nothing was published to %q", t.name)
	}
	return t.extension.present()
}
