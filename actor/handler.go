package actor

import (
	"context"
	"fmt"
	"reflect"

	"github.com/troupe-go/troupe/actor/contain"
)

// Handler binds one message type of protocol P to a method of the actor type A.
// OnCall and OnCast make them.
type Handler[P, A any] struct{ entry *entry }

// entry is a Handler without its types.
type entry struct {
	name string // on the wire
	call bool
	// keys are the dynamic types of an envelope's message that this entry takes as they
	// are; see table.find for others.
	keys    []reflect.Type
	travels []reflect.Type // the message, and the reply
	invoke  func(c *cell, message any) error
	decode  func(s *System, ctx context.Context, c Codec, payload []byte, sink func(any, error)) (Envelope, error)
	invalid error
}

// OnCall lets f handle the request Q, and reply with its result. An error that f
// returns goes to the caller with its code; a panic fails the call with Internal
// and the actor by its supervision.
//
// A message and a pointer to it are one message: f gets what its sender gave in the form
// that f takes, a pointer never nil. A pointer made from a value is f's own.
func OnCall[A, P, R any, Q Request[P, R]](f func(A, *Context, Q) (R, error)) Handler[P, A] {
	t := reflect.TypeFor[Q]()
	e := &entry{
		name: typeName(t),
		call: true,
		keys: []reflect.Type{reflect.TypeFor[*call[Q, R]](), t, reflect.TypeFor[*told[Q]]()},

		travels: []reflect.Type{t, reflect.TypeFor[R]()},
	}
	e.invoke = func(c *cell, message any) error {
		in := c.now.Load()
		var k requestFor[R]
		var q Q
		switch m := message.(type) {
		case *call[Q, R]:
			k, q = m, m.message
		case requestFor[R]:
			k, q = m, formOf[Q](m.payload())
		default: // told, not asked: the reply goes nowhere
			ctx, q := opened[Q](in, message)
			_, err := f(in.instance.(A), ctx, q)
			return err
		}
		ctx, waited := k.enter(in)
		if !waited {
			return nil
		}
		reply, err := f(in.instance.(A), ctx, q)
		switch {
		case err == nil || !isDeferral(err):
			k.answer(reply, err)
		case c.stashed:
			ctx.release(false)
		}
		return nil
	}
	e.decode = func(s *System, ctx context.Context, c Codec, payload []byte, sink func(any, error)) (Envelope, error) {
		if sink == nil {
			return decodeCast[Q](s, ctx, c, payload)
		}
		var none Q
		k := newCall[Q, R](ctx, none)
		k.sink = sink
		if err := decodeMessage(s, c, payload, &k.message); err != nil {
			return Envelope{}, err
		}
		return Envelope{message: k}, nil
	}
	e.invalid = invalidHandler(t, f == nil)
	return Handler[P, A]{e}
}

// OnCast lets f handle the message M, to which nobody waits for an answer. An
// error that f returns is logged; a panic fails the actor by its supervision. See [OnCall]
// on the form in which f gets the message.
func OnCast[A, P any, M Message[P]](f func(A, *Context, M) error) Handler[P, A] {
	t := reflect.TypeFor[M]()
	e := &entry{name: typeName(t), keys: []reflect.Type{t, reflect.TypeFor[*told[M]]()}, travels: []reflect.Type{t}}
	e.invoke = func(c *cell, message any) error {
		in := c.now.Load()
		ctx, m := opened[M](in, message)
		return f(in.instance.(A), ctx, m)
	}
	e.decode = func(s *System, ctx context.Context, c Codec, payload []byte, _ func(any, error)) (Envelope, error) {
		return decodeCast[M](s, ctx, c, payload)
	}
	e.invalid = invalidHandler(t, f == nil)
	return Handler[P, A]{e}
}

func invalidHandler(t reflect.Type, missing bool) error {
	switch {
	case missing:
		return fmt.Errorf("the function for %s is nil", t)
	case t.Kind() == reflect.Interface:
		return fmt.Errorf("%s is an interface; a message has a concrete type", t)
	}
	return nil
}

// opened returns what the handler of a message that was told gets.
func opened[M any](in *incarnation, message any) (*Context, M) {
	switch m := message.(type) {
	case *told[M]:
		return in.contextOf(m.from), m.message
	case M:
		return &in.plain, m
	case carrier:
		return in.contextOf(m.context()), formOf[M](m.payload())
	}
	return &in.plain, formOf[M](message)
}

// formOf returns message, which is an M, a pointer to one, or what an M points to, as an
// M. None is nil.
func formOf[M any](message any) M {
	switch m := message.(type) {
	case M:
		return m
	case *M:
		return *m
	}
	made := reflect.New(reflect.TypeFor[M]().Elem())
	made.Elem().Set(reflect.ValueOf(message))
	return made.Interface().(M)
}

func decodeCast[M any](s *System, ctx context.Context, c Codec, payload []byte) (Envelope, error) {
	t := &told[M]{from: ctx}
	err := decodeMessage(s, c, payload, &t.message)
	return Envelope{message: t}, err
}

func decodeMessage[M any](s *System, c Codec, payload []byte, m *M) error {
	err := contain.Panic("decoding", func() error {
		if err := c.Decode(payload, decodeTarget(m)); err != nil {
			return err
		}
		s.bind(reflect.TypeFor[M](), m)
		return nil
	})
	if err != nil {
		return notRun(InvalidArgument, "%v", err)
	}
	return nil
}

// table is the set of handlers in force.
type table struct {
	byType map[reflect.Type]*entry
	byName map[string]*entry
}

// find returns the entry that takes m, nil if there is none; fixed reports whether it
// takes all of m's dynamic type.
func (t *table) find(m any) (e *entry, fixed bool) {
	of := reflect.TypeOf(m)
	if e := t.byType[of]; e != nil {
		return e, true
	}
	k, carried := m.(carrier)
	if fixed = true; carried {
		of = k.messageType()
		if of.Kind() == reflect.Interface { // told as one: its dynamic type counts
			of, fixed = reflect.TypeOf(k.payload()), false
		}
	}
	if e = t.byType[of]; e == nil {
		e = t.byType[otherForm(of)]
	}
	if _, asked := m.(request); asked && e != nil && !e.call {
		return nil, true
	}
	return e, fixed
}

// otherForm returns the pointer to t, or what t points to: one message for handlers.
func otherForm(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return reflect.PointerTo(t)
}

func newTable(entries []*entry) (*table, error) {
	t := &table{byType: make(map[reflect.Type]*entry, 2*len(entries)), byName: make(map[string]*entry, len(entries))}
	for _, e := range entries {
		if e == nil {
			return nil, Errorf(InvalidArgument, "a zero Handler; use OnCall or OnCast")
		}
		if e.invalid != nil {
			return nil, Errorf(InvalidArgument, "handler: %w", e.invalid)
		}
		if t.byName[e.name] != nil {
			return nil, Errorf(InvalidArgument, "two handlers for messages called %s", e.name)
		}
		t.byName[e.name] = e
		for _, key := range e.keys {
			t.byType[key] = e
		}
	}
	return t, nil
}
