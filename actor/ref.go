package actor

import (
	"context"
	"reflect"
)

// Ref is a reference to whatever takes messages of protocol P: an actor here or
// on another node, or a service with many instances. It is a small value, may be
// copied, compared with ==, used as a map key and sent inside messages, and all
// its uses may be concurrent. The zero Ref refers to nobody: what is sent to it
// fails with InvalidArgument.
//
// Its text is a path, such as actor://node-0/greeter/session-7#1f3a9c or
// service:///greeter.
type Ref[P any] struct{ recipient Recipient }

// NewRef returns a Ref to r. It is for those who implement a [Recipient].
func NewRef[P any](r Recipient) Ref[P] { return Ref[P]{recipient: r} }

// Address returns the reference without its protocol.
func (r Ref[P]) Address() Address { return Address(r) }

// IsZero reports whether r refers to nobody.
func (r Ref[P]) IsZero() bool { return r.recipient == nil }

// String returns the path, or "" for the zero Ref.
func (r Ref[P]) String() string { return r.Address().String() }

// MarshalText writes the path. The error is InvalidArgument for an actor that is
// [LocalOnly].
func (r Ref[P]) MarshalText() ([]byte, error) { return r.Address().MarshalText() }

// UnmarshalText reads a path. A Ref that arrives inside a message is bound to
// the receiving system by itself; any other use [Resolve].
func (r *Ref[P]) UnmarshalText(text []byte) error {
	r.recipient = nil
	if len(text) > 0 {
		r.recipient = unbound(text)
	}
	return nil
}

// MarshalBinary writes the path, too: binary codecs such as MessagePack ask for it.
func (r Ref[P]) MarshalBinary() ([]byte, error) { return r.MarshalText() }

// UnmarshalBinary reads a path; see [Ref.UnmarshalText].
func (r *Ref[P]) UnmarshalBinary(data []byte) error { return r.UnmarshalText(data) }

// Address is a Ref that has forgotten its protocol: enough to watch, compare and
// print. The zero Address refers to nobody.
type Address struct{ recipient Recipient }

// Addressable is a Ref of any protocol, or an Address.
type Addressable interface{ Address() Address }

// Address returns a.
func (a Address) Address() Address { return a }

// Recipient returns what stands behind the reference, nil for the zero Address.
func (a Address) Recipient() Recipient { return a.recipient }

// String returns the path, or "" for the zero Address.
func (a Address) String() string {
	if a.recipient == nil {
		return ""
	}
	return a.recipient.String()
}

// Resolve returns the Ref that a path describes, as [Ref.String] wrote it. It
// returns an InvalidArgument error for a path that system cannot follow. Whether
// somebody answers there shows when a message is sent.
func Resolve[P any](system *System, path string) (Ref[P], error) {
	r, err := system.resolve(path)
	return Ref[P]{recipient: r}, err
}

// unbound is a reference just read, not yet bound to a system.
type unbound string

func (u unbound) Tell(Envelope) error { return u.err() }
func (u unbound) Ask(Envelope) error  { return u.err() }
func (u unbound) Watch(func(error)) (func(), error) {
	return nil, u.err()
}
func (u unbound) String() string { return string(u) }
func (u unbound) err() error {
	if u == "" {
		return notRun(InvalidArgument, "the Ref is zero: it refers to nobody")
	}
	return notRun(InvalidArgument, "the reference %.80q is not bound to a system: use actor.Resolve", string(u))
}

// target returns the recipient to send to; that of the zero Address refuses.
func (a Address) target() Recipient {
	if a.recipient == nil {
		return unbound("")
	}
	return a.recipient
}

// Recipient is what stands behind a Ref. The cluster implements it for remote
// actors and services; most users never see one. Its dynamic type must be
// comparable, and its methods may be called concurrently.
type Recipient interface {
	// Tell queues a cast and does not wait for it, nor for room unless the
	// envelope has a context. An error means that it surely was not queued.
	Tell(e Envelope) error
	// Ask delivers a call and waits until the reply is in the envelope, the
	// call has failed, or the envelope's context has ended.
	Ask(e Envelope) error
	// Watch calls ended once, when the recipient has ended or its node is
	// lost; reason is nil if it stopped by itself. ended must not block; if it
	// panics, that is logged. cancel takes the watch back.
	Watch(ended func(reason error)) (cancel func(), err error)
	// String returns the path.
	String() string
}

// Envelope is a message on its way to a [Recipient].
type Envelope struct {
	message any // a plain cast, or a carrier
}

// carrier is a message with its sender's context: a *call or a *told of any types.
type carrier interface {
	context() context.Context
	payload() any
	messageType() reflect.Type // as its sender named it, perhaps an interface
}

// told is a cast with its sender's context.
type told[M any] struct {
	from    context.Context
	message M
}

func (t *told[M]) context() context.Context { return t.from }

func (t *told[M]) impatient() any {
	ctx, cancel := context.WithCancel(t.from)
	cancel()
	return &told[M]{ctx, t.message}
}

func (t *told[M]) payload() any            { return t.message }
func (*told[M]) messageType() reflect.Type { return reflect.TypeFor[M]() }

// Context returns the sender's context; nil if it gave none.
func (e Envelope) Context() context.Context {
	if c, ok := e.message.(carrier); ok {
		return c.context()
	}
	return nil
}

// Impatient returns e as told by a sender that does not wait for room: where it would, Tell
// fails with Canceled. It is for those who keep what they were told and send it later.
func (e Envelope) Impatient() Envelope {
	if t, ok := e.message.(interface{ impatient() any }); ok {
		return Envelope{message: t.impatient()}
	}
	return e
}

// Message returns the message as the sender gave it.
func (e Envelope) Message() any {
	if c, ok := e.message.(carrier); ok {
		return c.payload()
	}
	return e.message
}

// Reply returns a pointer to fill with the reply; nil for a cast.
func (e Envelope) Reply() any {
	if r, ok := e.message.(request); ok {
		return r.replyTarget()
	}
	return nil
}
