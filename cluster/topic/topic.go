package topic

import (
	"context"
	"reflect"
	"strings"
	"sync/atomic"

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
}

// Event is what a subscriber gets. Those of one node share what Value refers to, with
// each other and with a publisher there: nobody may change it.
type Event[T any] struct {
	Topic string // that it was published to, which has no wildcards
	Node  string // name of the node that published it
	Value T
}

// Of returns the topic with that name, for events of the type T, which is a concrete
// one. T travels under its name, with its package's: publishers and subscribers agree on
// it. Nothing happens on the network.
//
// A name is one or more tokens with dots in between. A token has letters, digits and
// -_~:+= only, and a name up to 256 characters. The token * stands for any token, and >,
// at the end, for one or more: such a name can be subscribed to only. Mistakes are
// reported by all methods, as InvalidArgument.
func Of[T any](node *cluster.Node, name string) *Topic[T] {
	t := &Topic[T]{extension: extensionOf(node), name: name, kind: kindOf[T]()}
	if t.wild, t.invalid = checkName(name); t.invalid == nil {
		t.invalid = t.kind.invalid
	}
	return t
}

// Name returns the name given to [Of].
func (t *Topic[T]) Name() string { return t.name }

// Interested returns the names of the nodes that would get an event published now, as
// far as this one knows, sorted; of a group all nodes that have members. There are none
// for a name with wildcards. cluster.Node.Await waits for a change:
//
//	err := node.Await(ctx, func() bool { return len(orders.Interested()) > 0 })
func (t *Topic[T]) Interested() []string {
	if t.invalid != nil || t.wild {
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
	decode func(s *actor.System, p *parcel) (any, error)
}

func kindOf[T any]() *kind {
	k := &kind{goType: reflect.TypeFor[T](), decode: decode[T]}
	k.pointer = k.goType.Kind() == reflect.Pointer
	k.name = strings.TrimPrefix(k.goType.String(), "*")
	if k.goType.Kind() == reflect.Interface {
		k.invalid = refusal(actor.InvalidArgument, "events are of a concrete type, and %s is an interface", k.goType)
	}
	return k
}

func decode[T any](s *actor.System, p *parcel) (any, error) {
	e := &Event[T]{Topic: p.topic, Node: p.node}
	target := any(&e.Value)
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Pointer {
		target = reflect.New(t.Elem()).Interface()
		e.Value = target.(T)
	}
	return e, s.Decode(p.contentType, p.payload, target)
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
