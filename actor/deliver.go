package actor

import (
	"context"
	"reflect"
	"strings"

	"github.com/troupe-go/troupe/actor/contain"
)

// Delivery is a message that has come from another node, still encoded.
type Delivery struct {
	Path        string // of the actor
	UID         uint64 // its incarnation; 0 for whichever is there
	Message     string // name of the message's type
	ContentType string
	Payload     []byte // as it is until Deliver returns
	Chain       []Hop  // of a call; see [Envelope.Chain]
	// Reply gets the answer, once, on any goroutine; nil for a cast. It must not
	// block.
	Reply func(reply any, err error)
	// Held, if not nil, has the message wait for room where its mailbox is full and lets
	// senders wait, as those on this node do: a request until ctx ends, another one for as
	// long as the actor lives. It is called when the wait begins, with this Delivery, and
	// what it returns, if not nil, when the wait is over. Neither must block.
	Held func(Delivery) (settled func())
	// Gone, if not nil, takes what was held, has no Reply, and finds that its actor has
	// ended, with its sender's context. It may keep the payload, and must not block. Its
	// error makes the message a [DeadLetter].
	Gone func(context.Context, Delivery) error
}

// Deliver decodes a message and queues it. ctx is what the handler sees; see
// [WithCaller]. It never blocks, not even for a mailbox that does when full: such a
// message is refused, or held, see [Delivery]. An error means that the message was not
// handled and Reply will not be called: NotFound, Unimplemented, InvalidArgument for a
// payload that does not decode, FailedPrecondition for a call that the actor waits for
// itself or a message from another node to an actor that is [LocalOnly], or
// ResourceExhausted. What is held and then refused is told Reply, or becomes a [DeadLetter].
func (s *System) Deliver(ctx context.Context, d Delivery) error {
	address, err := s.Lookup(d.Path, d.UID)
	if err != nil {
		return err
	}
	c := address.recipient.(*cell)
	if c.def.localOnly && CallerOf(ctx).Node != "" {
		return notRun(FailedPrecondition, "%s is defined as actor.LocalOnly(): it takes no messages from other nodes", c)
	}
	entry := c.handlerNamed(d.Message)
	if entry == nil {
		return c.unhandled(d.Message)
	}
	if d.Reply != nil && !entry.call {
		return notRun(Unimplemented, "%s is told, not asked: it has no reply", d.Message)
	}
	if d.Reply != nil && len(d.Chain) > 0 {
		if len(d.Chain) > maxHops {
			return notRun(InvalidArgument, "a call from another node has come through %d actors, and %d is the most", len(d.Chain), maxHops)
		}
		arrived := &chained{ctx, d.Chain}
		if err := c.awaits(&Context{base: arrived}); err != nil {
			return err
		}
		ctx = arrived
	}
	codec, err := s.codecs.decoder(d.ContentType, entry.travels[0])
	if err != nil {
		return notRun(InvalidArgument, "%s", AsError(err).Message)
	}
	e, err := entry.decode(s, ctx, codec, d.Payload, d.Reply)
	if err != nil {
		return err
	}
	return c.deliver(e, &d)
}

// Encode appends the encoding of message to dst, in the content type it returns. A nil
// pointer, which only a reply can be, is the nil of MessagePack, whatever it points to: other
// encodings have none. Its error is InvalidArgument.
func (s *System) Encode(dst []byte, message any) (data []byte, contentType string, err error) {
	of := reflect.ValueOf(message)
	codec, err := s.codecs.For(reflect.TypeOf(message))
	switch {
	case err != nil:
		return dst, "", notRun(InvalidArgument, "%s", AsError(err).Message)
	case of.Kind() == reflect.Pointer && of.IsNil():
		return append(dst, msgPackNil), (*MsgPack)(nil).ContentType(), nil
	}
	err = contain.Panic("encoding", func() error {
		data, err = codec.Append(dst, message)
		return err
	})
	if err != nil {
		return dst, "", notRun(InvalidArgument, "%v", err)
	}
	return data, codec.ContentType(), nil
}

// IsNil reports whether Encode made data of a nil pointer.
func (s *System) IsNil(contentType string, data []byte) bool {
	return len(data) == 1 && data[0] == msgPackNil && contentType == (*MsgPack)(nil).ContentType()
}

// DecodeReply fills the reply of a request that another node has answered. Its
// error is InvalidArgument; the request has been handled by then.
func (s *System) DecodeReply(e Envelope, contentType string, payload []byte) error {
	k, ok := e.message.(request)
	if !ok {
		return Errorf(InvalidArgument, "%s has no reply", s.MessageName(e))
	}
	if s.IsNil(contentType, payload) && k.clearReply() {
		return nil
	}
	target := k.replyTarget()
	codec, err := s.codecs.decoder(contentType, reflect.TypeOf(target).Elem())
	if err != nil {
		return Errorf(InvalidArgument, "the reply: %w", err)
	}
	err = contain.Panic("decoding", func() error {
		if err := codec.Decode(payload, target); err != nil {
			return err
		}
		k.bindReply(s)
		return nil
	})
	if err != nil {
		return Errorf(InvalidArgument, "the reply: %w", err)
	}
	return nil
}

// MessageName returns what the message of e is called on the wire.
func (s *System) MessageName(e Envelope) string { return s.names.of(e.Message()) }

// resolve turns a path into what stands behind it.
func (s *System) resolve(path string) (Recipient, error) {
	if rest, ok := strings.CutPrefix(path, "actor://"+s.node+"/"); ok {
		actorPath, uid, err := ParsePath(rest)
		if err != nil {
			return nil, err
		}
		if a, err := s.Lookup(actorPath, uid); err == nil {
			return a.recipient, nil
		}
		return gone{s.node, actorPath, uid}, nil
	}
	if s.resolver == nil {
		return nil, Errorf(InvalidArgument, "the path %.200q is not of this system", path)
	}
	return s.resolver(path)
}
