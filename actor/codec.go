package actor

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/ugorji/go/codec"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Codec turns messages into bytes and back. It is the seam for other encodings;
// package codectest holds its conformance suite. A Codec may be called
// concurrently, and must not keep what it is given.
type Codec interface {
	// ContentType names the encoding on the wire, such as "application/msgpack".
	ContentType() string
	// Append appends the encoding of message to dst and returns the extended slice.
	Append(dst []byte, message any) ([]byte, error)
	// Decode fills what target points to. Input that does not decode is an
	// error, never a panic, and may leave target half filled.
	Decode(data []byte, target any) error
}

// MsgPack encodes plain Go values as MessagePack (https://msgpack.org). It is the
// default for messages that are not protobuf messages. Exported fields travel
// under their names, or the name in a `codec:"name"` or `json:"name"` tag; fields
// that the receiver does not know are ignored. A type with MarshalBinary and
// UnmarshalBinary is encoded by them; one that has nothing to show is refused.
type MsgPack struct {
	handle *codec.MsgpackHandle
	// Both cost much more to make than to use.
	encoders sync.Pool // of *encoder
	decoders sync.Pool // of *codec.Decoder
	checked  sync.Map  // what checkEncodable said, by type
}

// encoder is a codec.Encoder and what it writes to.
type encoder struct {
	*codec.Encoder
	out []byte
}

// maxDepth bounds the nesting of a payload: a deeper one would exhaust the stack.
const maxDepth = 128

// NewMsgPack returns a ready codec.
func NewMsgPack() *MsgPack {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.MaxDepth = maxDepth
	h.CheckCircularRef = true // else such a value would exhaust the stack
	h.Canonical = true
	h.RawToString = true
	h.MapType = reflect.TypeFor[map[string]any]()
	h.ErrorIfNoArrayExpand = true
	return &MsgPack{handle: h}
}

// ContentType returns "application/msgpack".
func (*MsgPack) ContentType() string { return "application/msgpack" }

// Append implements [Codec].
func (m *MsgPack) Append(dst []byte, message any) ([]byte, error) {
	if err := m.check(reflect.TypeOf(message)); err != nil {
		return dst, fmt.Errorf("msgpack: %T: %w", message, err)
	}
	e, ok := m.encoders.Get().(*encoder)
	if !ok {
		e = new(encoder)
		e.Encoder = codec.NewEncoderBytes(&e.out, m.handle)
	}
	e.out = dst[len(dst):] // what dst has room for is written in place
	e.ResetBytes(&e.out)
	if err := e.Encode(message); err != nil {
		return dst, fmt.Errorf("msgpack: %T does not encode: %w", message, err)
	}
	dst = append(dst, e.out...)
	e.out = nil
	e.ResetBytes(&e.out)
	m.encoders.Put(e) // one that failed is not used again
	return dst, nil
}

func (m *MsgPack) check(t reflect.Type) error {
	if t == nil {
		return nil
	}
	known, ok := m.checked.Load(t)
	if !ok {
		known, _ = m.checked.LoadOrStore(t, checkEncodable(t, map[reflect.Type]bool{}))
	}
	err, _ := known.(error)
	return err
}

// Decode implements [Codec].
func (m *MsgPack) Decode(data []byte, target any) error {
	if err := checkMsgPack(data); err != nil {
		return fmt.Errorf("msgpack: payload of %d bytes: %w", len(data), err)
	}
	d, ok := m.decoders.Get().(*codec.Decoder)
	if !ok {
		d = codec.NewDecoderBytes(nil, m.handle)
	}
	d.ResetBytes(data)
	if err := d.Decode(target); err != nil {
		return fmt.Errorf("msgpack: payload of %d bytes is not a %T: %w", len(data), target, err)
	}
	d.ResetBytes(nil)
	m.decoders.Put(d) // one that failed is not used again
	return nil
}

// Protobuf encodes protobuf messages, and nothing else.
type Protobuf struct{}

// ContentType returns "application/protobuf".
func (Protobuf) ContentType() string { return "application/protobuf" }

// Append implements [Codec].
func (Protobuf) Append(dst []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return dst, fmt.Errorf("protobuf: %T is not a protobuf message", message)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
}

// Decode implements [Codec].
func (Protobuf) Decode(data []byte, target any) error {
	m, ok := target.(proto.Message)
	if !ok {
		return fmt.Errorf("protobuf: %T is not a protobuf message", target)
	}
	return proto.UnmarshalOptions{RecursionLimit: maxDepth}.Unmarshal(data, m)
}

// JSON encodes any message as JSON: protobuf messages by the protobuf mapping,
// others by encoding/json.
type JSON struct{}

// ContentType returns "application/json".
func (JSON) ContentType() string { return "application/json" }

// Append implements [Codec].
func (JSON) Append(dst []byte, message any) ([]byte, error) {
	if m, ok := message.(proto.Message); ok {
		return protojson.MarshalOptions{}.MarshalAppend(dst, m)
	}
	out, err := json.Marshal(message)
	if err != nil {
		return dst, err
	}
	return append(dst, out...), nil
}

// Decode implements [Codec].
func (JSON) Decode(data []byte, target any) error {
	if m, ok := target.(proto.Message); ok {
		return protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}.Unmarshal(data, m)
	}
	return json.Unmarshal(data, target)
}

// codecs are those of one system.
type codecs struct {
	plain    Codec // for values that are not protobuf messages
	proto    Codec // for protobuf messages
	byType   map[string]Codec
	supports string
}

func newCodecs(preferred Codec) *codecs {
	c := &codecs{plain: NewMsgPack(), proto: Protobuf{}, byType: map[string]Codec{}}
	for _, known := range []Codec{c.plain, c.proto, JSON{}} {
		c.byType[known.ContentType()] = known
	}
	if preferred != nil {
		c.byType[preferred.ContentType()] = preferred
		c.plain = preferred
		if _, isJSON := preferred.(JSON); isJSON {
			c.proto = preferred
		}
	}
	c.supports = strings.Join(slices.Sorted(maps.Keys(c.byType)), ", ")
	return c
}

func (c *codecs) forMessage(message any) Codec {
	if _, ok := message.(proto.Message); ok {
		return c.proto
	}
	return c.plain
}

func (c *codecs) named(contentType string) (Codec, error) {
	if known, ok := c.byType[contentType]; ok {
		return known, nil
	}
	return nil, fmt.Errorf("content type %q is not known here; known are %s", contentType, c.supports)
}

// guard turns a panic of user code that encodes or decodes into an error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s panicked: %v", what, v)
		}
	}()
	return f()
}
