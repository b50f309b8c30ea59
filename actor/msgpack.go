package actor

import (
	"bytes"
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"sync"

	"github.com/ugorji/go/codec"
)

// MsgPack encodes plain Go values as MessagePack (https://msgpack.org). It is the
// default for messages that are not protobuf messages. Exported fields travel
// under their names, or the name in a `codec:"name"` or `json:"name"` tag; fields
// that the receiver does not know are ignored. A type with MarshalBinary and
// UnmarshalBinary is encoded by them; one that would not come back by itself, but has
// MarshalText and UnmarshalText, is an extension of type 2 that holds its text. A protobuf
// message inside another value with a oneof, extensions or hidden fields is an extension of
// type 1 that holds its protobuf bytes. Types that would not come back are refused; see
// [MsgPack.CheckType].
//
// What was encoded as one type decodes as another one only where that has the same value,
// as a small number in a larger integer; else it is an error. Package codectest has the
// relation, docs/encoding.md the table.
type MsgPack struct {
	handle *msgPackHandle
	plans  sync.Map // of *msgPackPlan, by type
}

// msgPackHandle has encoders and decoders, which cost much more to make than to use.
type msgPackHandle struct {
	shared   *codec.MsgpackHandle // of all, unless there are extensions
	opaque   []reflect.Type       // protobuf messages that are extensions
	own      []reflect.Type       // types that are extensions which their methods write
	encoders sync.Pool            // of *encoder
	decoders sync.Pool            // of *decoder
}

// msgPackPlan is how values of one type are encoded.
type msgPackPlan struct {
	handle *msgPackHandle
	shape  *shape // nil if there is none
	open   bool   // it can hold values of any type, or others of its own
	err    error  // why it is not encoded
}

// isPlain reports whether all values of the type can be encoded, wherever they are: numbers,
// texts and bools.
func (p *msgPackPlan) isPlain() bool {
	return p.shape != nil && p.shape.form >= formBool && p.shape.form <= formText
}

// encoder is a codec.Encoder and what it writes to.
type encoder struct {
	*codec.Encoder
	out    []byte
	failed error // of an extension
}

// decoder is a codec.Decoder.
type decoder struct {
	*codec.Decoder
	failed error // of an extension
}

// NewMsgPack returns a ready codec.
func NewMsgPack() *MsgPack {
	return &MsgPack{handle: &msgPackHandle{shared: newMsgPackHandle()}}
}

func newMsgPackHandle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.MaxDepth = maxDepth
	h.CheckCircularRef = true // else such a value would exhaust the stack
	h.Canonical = true
	h.MapType = reflect.TypeFor[map[string]any]()
	h.ErrorIfNoArrayExpand = true
	return h
}

// with returns a handle whose extensions report their errors to failed.
func (h *msgPackHandle) with(failed *error) *codec.MsgpackHandle {
	if h.shared != nil {
		return h.shared
	}
	extended := newMsgPackHandle()
	for _, t := range h.opaque {
		if err := extended.SetBytesExt(t, protoExtension, protoExt{failed}); err != nil {
			*failed = err // never for a struct with a name
		}
	}
	for _, t := range h.own {
		if err := extended.SetBytesExt(t, ownExtension, ownExt{failed}); err != nil {
			*failed = err // never for a type with a name
		}
	}
	return extended
}

// ContentType returns "application/msgpack".
func (*MsgPack) ContentType() string { return "application/msgpack" }

// CheckType refuses a type of which a part would be lost without a word, or could not be
// decoded: a chan, func or complex number, an interface with methods, an unexported field,
// fields of one name, an embedded pointer to an unexported struct, MarshalBinary without
// UnmarshalBinary, a map whose keys are pointers, a struct that embeds a protobuf message,
// or, beside other fields, a type whose methods would encode it alone. Fields with the tag
// `codec:"-"`, or called _, stay behind.
func (m *MsgPack) CheckType(t reflect.Type) error {
	if err := m.plan(t).err; err != nil {
		return fmt.Errorf("msgpack: %w", err)
	}
	return nil
}

// Append implements [Codec].
func (m *MsgPack) Append(dst []byte, message any) ([]byte, error) {
	plan := m.plan(reflect.TypeOf(message))
	if plan.err != nil {
		return dst, fmt.Errorf("msgpack: %T: %w", message, plan.err)
	}
	if plan.open {
		if err := m.checkValue(reflect.ValueOf(message), false, 0); err != nil {
			return dst, fmt.Errorf("msgpack: %T: %w", message, err)
		}
	}
	data, err := plan.handle.append(dst, message)
	if err != nil {
		return dst, fmt.Errorf("msgpack: %T does not encode: %w", message, err)
	}
	if plan.open { // it may be deeper than what is decoded
		if err := checkMsgPack(data[len(dst):]); err != nil {
			return dst, fmt.Errorf("msgpack: %T: %w", message, err)
		}
	}
	return data, nil
}

func (h *msgPackHandle) append(dst []byte, message any) ([]byte, error) {
	e, ok := h.encoders.Get().(*encoder)
	if !ok {
		e = new(encoder)
		e.Encoder = codec.NewEncoderBytes(&e.out, h.with(&e.failed))
	}
	e.out = dst[len(dst):] // what dst has room for is written in place
	e.ResetBytes(&e.out)
	if err := e.Encode(message); err != nil || e.failed != nil {
		return dst, cmp.Or(e.failed, err)
	}
	dst = append(dst, e.out...)
	e.out = nil
	e.ResetBytes(&e.out)
	h.encoders.Put(e) // one that failed is not used again
	return dst, nil
}

// Decode implements [Codec].
func (m *MsgPack) Decode(data []byte, target any) error {
	t := reflect.TypeOf(target)
	if t == nil || t.Kind() != reflect.Pointer {
		return fmt.Errorf("msgpack: a %T is not a pointer to decode into", target)
	}
	plan := m.plan(t.Elem())
	if plan.err != nil {
		return fmt.Errorf("msgpack: %w", plan.err)
	}
	if err := plan.shape.check(data); err != nil {
		return fmt.Errorf("msgpack: payload of %d bytes is not a %T: %w", len(data), target, err)
	}
	h := plan.handle
	err := h.decode(data, target)
	if err != nil && h != m.handle {
		// Before protobuf messages were extensions, they were maps, too, which could be
		// read if no oneof was set.
		reflect.ValueOf(target).Elem().SetZero()
		if m.handle.decode(data, target) == nil {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("msgpack: payload of %d bytes is not a %T: %w", len(data), target, err)
	}
	return nil
}

func (h *msgPackHandle) decode(data []byte, target any) error {
	d, ok := h.decoders.Get().(*decoder)
	if !ok {
		d = new(decoder)
		d.Decoder = codec.NewDecoderBytes(nil, h.with(&d.failed))
	}
	d.ResetBytes(data)
	if err := d.Decode(target); err != nil || d.failed != nil {
		return cmp.Or(d.failed, err)
	}
	d.ResetBytes(nil)
	h.decoders.Put(d) // one that failed is not used again
	return nil
}

func (m *MsgPack) plan(t reflect.Type) *msgPackPlan {
	known, ok := m.plans.Load(t)
	if !ok {
		known, _ = m.plans.LoadOrStore(t, m.newPlan(t))
	}
	return known.(*msgPackPlan)
}

func (m *MsgPack) newPlan(t reflect.Type) *msgPackPlan {
	plan := &msgPackPlan{handle: m.handle}
	if t == nil {
		return plan
	}
	s := newSurvey(msgPackDialect())
	if plan.shape, plan.err = s.look(t); plan.err != nil {
		return plan
	}
	plan.open = s.open || s.recursive
	if len(s.opaque)+len(s.own) > 0 {
		plan.handle = &msgPackHandle{opaque: s.opaque, own: s.own}
	}
	return plan
}

// The types of our MessagePack extensions.
const (
	protoExtension = 1 // holds a protobuf message
	ownExtension   = 2 // holds what the type's MarshalBinary, or MarshalText, wrote
)

// protoExt makes a protobuf message inside another value an extension. Its methods cannot
// return an error.
type protoExt struct{ failed *error }

func (x protoExt) WriteExt(v any) []byte {
	data, err := verified{Protobuf{}}.Append([]byte{}, v)
	if err != nil {
		*x.failed = err
	}
	return data
}

func (x protoExt) ReadExt(target any, data []byte) {
	if err := (Protobuf{}).Decode(data, target); err != nil {
		*x.failed = err
	}
}

// binaryCoder has both methods: one alone does not count.
type binaryCoder interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// ownExt makes a value an extension that its methods write.
type ownExt struct{ failed *error }

func (x ownExt) WriteExt(v any) (data []byte) {
	var err error
	switch m := addressed(v).(type) {
	case binaryCoder:
		data, err = m.MarshalBinary()
	case encoding.TextMarshaler:
		data, err = m.MarshalText()
	}
	if err != nil {
		*x.failed = err
	}
	return append([]byte{}, data...) // never nil
}

func (x ownExt) ReadExt(target any, data []byte) {
	data = bytes.Clone(data)
	var err error
	switch m := target.(type) {
	case binaryCoder:
		err = m.UnmarshalBinary(data)
	case encoding.TextUnmarshaler:
		err = m.UnmarshalText(data)
	}
	if err != nil {
		*x.failed = err
	}
}

// addressed returns v if it is a pointer, and a pointer to a copy if not: the methods of a
// type may be those of its pointer alone.
func addressed(v any) any {
	of := reflect.ValueOf(v)
	if of.Kind() == reflect.Pointer {
		return v
	}
	p := reflect.New(of.Type())
	p.Elem().Set(of)
	return p.Interface()
}
