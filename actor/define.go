package actor

import (
	"reflect"

	"github.com/troupe-go/troupe/actor/contain"
	"github.com/troupe-go/troupe/mailbox"
)

// Definition says what an actor of protocol P is: its name, how its value is
// made, what it handles, and how it is supervised. It is immutable and may be
// used by many systems, concurrently.
type Definition[P any] struct{ d *definition }

// Spawnable is a Definition of any protocol.
type Spawnable interface {
	// Name returns the name given to Define.
	Name() string
	definition() (*definition, error)
}

type definition struct {
	name        string
	protocol    reflect.Type
	instance    reflect.Type
	create      func() any
	table       *table
	supervision Supervision
	queue       func(dropped func(Envelope)) (mailbox.Queue[Envelope], error)
	stashLimit  int
	guard       func() error
	localOnly   bool
	known       string // to users by these words, instead of its path
	invalid     error
}

// Define describes an actor: name is what it is called unless [WithName] says
// otherwise, create makes its value (again after each restart), and the handlers
// say what it does with each message. A mistake, such as two handlers for one
// message, or a message that could not travel (see [LocalOnly]), is reported when the
// actor is spawned.
func Define[P, A any](name string, create func() A, handlers ...Handler[P, A]) Definition[P] {
	d := &definition{
		name:        name,
		protocol:    reflect.TypeFor[P](),
		instance:    reflect.TypeFor[A](),
		supervision: Supervision{}.withDefaults(),
		queue:       unboundedQueue,
		stashLimit:  defaultStashLimit,
	}
	if create == nil {
		d.invalid = Errorf(InvalidArgument, "actor %q: Define needs a function that makes it", name)
	} else {
		d.create = func() any { return create() }
	}
	t, err := newTable(entriesOf(handlers))
	if err != nil && d.invalid == nil {
		d.invalid = Errorf(InvalidArgument, "actor %q: %w", name, err)
	}
	d.table = t
	if err := validateName(name); err != nil && d.invalid == nil {
		d.invalid = err
	}
	return Definition[P]{d}
}

func entriesOf[P, A any](handlers []Handler[P, A]) []*entry {
	entries := make([]*entry, len(handlers))
	for i, h := range handlers {
		entries[i] = h.entry
	}
	return entries
}

// With returns a copy of the definition with options applied.
func (d Definition[P]) With(options ...DefineOption) Definition[P] {
	if d.d == nil {
		return d
	}
	copied := *d.d
	for _, o := range options {
		o.applyDefine(&copied)
	}
	return Definition[P]{&copied}
}

// Name returns the name given to Define.
func (d Definition[P]) Name() string {
	if d.d == nil {
		return ""
	}
	return d.d.name
}

func (d Definition[P]) definition() (*definition, error) {
	if d.d == nil {
		return nil, Errorf(InvalidArgument, "a zero Definition; use Define")
	}
	return d.d, d.d.invalid
}

// DefineOption changes a Definition; see [Definition.With].
type DefineOption interface{ applyDefine(*definition) }

type defineOption func(*definition)

func (f defineOption) applyDefine(d *definition) { f(d) }

// BoundedMailbox lets at most capacity messages wait, and says what happens to
// one more. The default is a mailbox without a bound.
func BoundedMailbox(capacity int, overflow mailbox.Overflow) DefineOption {
	return defineOption(func(d *definition) {
		d.queue = func(dropped func(Envelope)) (mailbox.Queue[Envelope], error) {
			return mailbox.NewBounded(capacity, overflow, dropped), nil
		}
	})
}

// Mailbox lets create make the queue of each actor. The queue must call dropped
// for every message that it accepted and then gave up; it becomes a dead letter. If create
// returns nil or panics, Spawn fails. A message in whose push the queue panics is refused.
func Mailbox(create func(dropped func(Envelope)) mailbox.Queue[Envelope]) DefineOption {
	return defineOption(func(d *definition) {
		d.queue = func(dropped func(Envelope)) (queue mailbox.Queue[Envelope], err error) {
			err = contain.Call("the function given to Mailbox", func() error { queue = create(dropped); return nil })
			switch {
			case err != nil:
				return nil, Errorf(Internal, "actor %q: %w", d.name, err)
			case queue == nil:
				return nil, Errorf(InvalidArgument, "actor %q: the function given to Mailbox returned nil", d.name)
			}
			return guardedQueue{queue}, nil
		}
		if create == nil && d.invalid == nil {
			d.invalid = Errorf(InvalidArgument, "actor %q: Mailbox needs a function that makes the queue", d.name)
		}
	})
}

func unboundedQueue(func(Envelope)) (mailbox.Queue[Envelope], error) {
	return mailbox.NewUnbounded[Envelope](), nil
}

// KnownAs sets what errors about stopping call the actor: what users know it by, as
// "the durable topics of this node", where its name means nothing to them. The default is
// its path.
func KnownAs(words string) DefineOption {
	return defineOption(func(d *definition) { d.known = words })
}

// Supervised sets the supervision. The default is the zero [Supervision].
func Supervised(s Supervision) DefineOption {
	return defineOption(func(d *definition) { d.supervision = s.withDefaults() })
}

// Behavior is a set of handlers that an actor can switch to while it runs; see
// [Context.Become]. It may be shared by many actors.
type Behavior struct {
	protocol, instance reflect.Type
	table              *table
	err                error
}

// NewBehavior returns a Behavior of these handlers. Messages that it does not
// name are answered with Unimplemented while it is in force.
func NewBehavior[P, A any](handlers ...Handler[P, A]) *Behavior {
	t, err := newTable(entriesOf(handlers))
	return &Behavior{protocol: reflect.TypeFor[P](), instance: reflect.TypeFor[A](), table: t, err: err}
}
