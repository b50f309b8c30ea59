package actor

import (
	"context"
	"fmt"
	"reflect"
)

// Handler binds one message type of protocol P to a method of the actor type A.
// OnCall and OnCast make them.
type Handler[P, A any] struct{ entry *entry }

// entry is a Handler without its types.
type entry struct {
	name string // on the wire
	call bool
	// keys are the dynamic types of an envelope's message that this entry takes.
	keys    []reflect.Type
	travels []reflect.Type // the message, and the reply
	invoke  func(c *cell, message any) error
	carry   func(from context.Context, message any) any
	decode  func(s *System, ctx context.Context, c Codec, payload []byte, sink func(any, error)) (Envelope, error)
	invalid error
}

// OnCall lets f handle the request Q, and reply with its result. An error that f
// returns goes to the caller with its code; a panic fails the call with Internal
// and the actor by its supervision.
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
		k, ok := message.(*call[Q, R])
		if !ok { // told, not asked: the reply goes nowhere
			ctx, q := opened[Q](in, message)
			_, err := f(in.instance.(A), ctx, q)
			return err
		}
		ctx, waited := k.enter(in)
		if !waited {
			return nil
		}
		reply, err := f(in.instance.(A), ctx, k.message)
		switch {
		case err == nil || !isDeferral(err):
			k.answer(reply, err)
		case c.stashed:
			ctx.release()
		}
		return nil
	}
	e.carry = carry[Q]
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
// error that f returns is logged; a panic fails the actor by its supervision.
func OnCast[A, P any, M Message[P]](f func(A, *Context, M) error) Handler[P, A] {
	t := reflect.TypeFor[M]()
	e := &entry{name: typeName(t), keys: []reflect.Type{t, reflect.TypeFor[*told[M]]()}, travels: []reflect.Type{t}}
	e.invoke = func(c *cell, message any) error {
		in := c.now.Load()
		ctx, m := opened[M](in, message)
		return f(in.instance.(A), ctx, m)
	}
	e.carry = carry[M]
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
	if t, ok := message.(*told[M]); ok {
		return in.contextOf(t.from), t.message
	}
	return &in.plain, message.(M)
}

func carry[M any](from context.Context, message any) any { return &told[M]{from, message.(M)} }

func decodeCast[M any](s *System, ctx context.Context, c Codec, payload []byte) (Envelope, error) {
	t := &told[M]{from: ctx}
	err := decodeMessage(s, c, payload, &t.message)
	return Envelope{message: t}, err
}

func decodeMessage[M any](s *System, c Codec, payload []byte, m *M) error {
	err := guard("decoding", func() error {
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
