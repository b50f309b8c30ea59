package persistence

import (
	"errors"
	"fmt"

	"github.com/troupe-go/troupe/actor"
)

// State keeps the state of one actor as one value of type T, which is written as a
// whole. It belongs to one incarnation of the actor; make it in the function given
// to actor.Define, and call Load in Started. Its methods are called by the actor
// only.
//
// An actor has at most one writer: of two actors with one identity, on whatever
// nodes, the one that saves later fails with [ErrConflict], and loads what the
// other has saved.
type State[T any] struct {
	durable
	schema   *schema
	invalid  error
	value    T
	revision Revision // of what is kept; 0 if nothing is
}

// StateOption changes a State. An [Upcaster] is one.
type StateOption interface{ applyState(*stateConfig) }

type stateConfig struct {
	durable   durable
	upcasters []Upcaster
}

func (u Upcaster) applyState(c *stateConfig) { c.upcasters = append(c.upcasters, u) }

// NewState returns the state of an actor. A mistake in the options is reported by
// Load.
func NewState[T any](store Store, options ...StateOption) *State[T] {
	config := stateConfig{durable: durable{store: store, remember: defaultRemember}}
	for _, o := range options {
		o.applyState(&config)
	}
	s := &State[T]{durable: config.durable}
	s.schema, s.invalid = newSchema[T]("", config.upcasters)
	return s
}

// Load reads what was saved last. It belongs into the actor's Started method, which
// returns its error: [ErrUnknownType] for a version that the program does not know,
// DataLoss for a record that does not decode, InvalidArgument for a mistake in the
// options or a T that would not come back (see [actor.Codecs.For]), and else that of the
// store.
func (s *State[T]) Load(ctx *actor.Context) error {
	if s.invalid != nil {
		return s.invalid
	}
	if err := s.schema.check(ctx.System()); err != nil {
		return err
	}
	if err := s.identify(ctx); err != nil {
		return err
	}
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("the state of %s: %w", s.id, err)
	}
	s.ready = true
	return nil
}

func (s *State[T]) load(ctx *actor.Context) error {
	r, err := s.store.Get(ctx, s.key())
	if errors.Is(err, ErrNotFound) {
		s.forget()
		return nil
	}
	if err != nil {
		return err
	}
	value, err := s.schema.decode(ctx.System(), &r)
	if err != nil {
		return err
	}
	s.value, s.revision = value.(T), r.Revision
	return nil
}

func (s *State[T]) forget() {
	var none T
	s.value, s.revision = none, 0
}

// Value returns what was loaded or saved last; the zero T if nothing was, or it was
// deleted. Maps and slices in it are not copied: who changes them must save them.
func (s *State[T]) Value() T { return s.value }

// Revision returns that of what is kept, 0 if nothing is.
func (s *State[T]) Revision() Revision { return s.revision }

// Save writes value: when it returns, value is durable. When it is not, Save does
// not return: the actor fails, with the error of the store, and loads again; see
// [actor.Context.Fail]. The caller's deadline does not end Save.
func (s *State[T]) Save(ctx *actor.Context, value T) {
	if err := s.save(ctx, value, nil, nil); err != nil {
		ctx.Fail(err)
	}
}

// SaveOnce is Save for a message that its sender may send again. change gets the
// present value, and returns the reply and the new value, or an error, which is
// returned. The reply is kept under key in the same transaction as the value; when a
// message with that key comes again, change is not called, and the same reply is
// returned. What change refused is not kept, and is decided anew. Keys are the
// actor's own, and are kept as long as [Remember] says.
func SaveOnce[T, R any](ctx *actor.Context, s *State[T], key string, change func(now T) (R, T, error)) (R, error) {
	var none R
	reply, before, err := replied[R](ctx, &s.durable, key)
	if before || err != nil {
		return reply, err
	}
	reply, value, err := change(s.value)
	if err != nil {
		return none, err
	}
	write, condition, err := s.remembered(ctx, key, reply)
	if err != nil {
		return none, err
	}
	if err := s.save(ctx, value, []Change{write}, []Condition{condition}); err != nil {
		ctx.Fail(err)
	}
	return reply, nil
}

// Delete removes what is kept. Like Save, it returns when that is durable, or does
// not return. The keys of [SaveOnce] stay for their time.
func (s *State[T]) Delete(ctx *actor.Context) {
	if _, err := s.write(ctx, Change{Delete: true}, nil, nil); err != nil {
		ctx.Fail(err)
	}
	s.forget()
}

func (s *State[T]) save(ctx *actor.Context, value T, then []Change, conditions []Condition) error {
	if s.schema == nil {
		return s.invalid
	}
	change, err := s.schema.encode(ctx.System(), value)
	if err != nil {
		return err
	}
	revision, err := s.write(ctx, change, then, conditions)
	if err == nil {
		s.value, s.revision = value, revision
	}
	return err
}

func (s *State[T]) write(ctx *actor.Context, change Change, then []Change, conditions []Condition) (Revision, error) {
	if !s.ready {
		return 0, errNotReady("Load")
	}
	change.Key = s.key()
	return s.commit(ctx, Transaction{
		If:   append(conditions, Condition{Key: s.key(), Revision: s.revision}),
		Then: append(then, change),
	})
}

func (s *State[T]) key() string { return s.id + "#state" }
