package actor

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Codec turns messages into bytes and back. It is the seam for other encodings;
// package codectest holds its conformance suite. A Codec may be called
// concurrently, and must not keep what it is given.
//
// A Codec that knows which types it cannot bring back has one more method,
//
//	CheckType(t reflect.Type) error
//
// whose error names the part of t that would be lost or could not be read, and what
// to do. It is asked once for each type, before a value of it is encoded; see [Codecs].
type Codec interface {
	// ContentType names the encoding on the wire, such as "application/msgpack": two
	// words with a slash between, without spaces, and always the same.
	ContentType() string
	// Append appends the encoding of message, which may be a pointer, to dst and returns the
	// extended slice. It leaves what is in dst, and what it has returned before, as it is.
	// What cannot be encoded, such as a channel or a function, is an error, and so is what
	// Decode would not take, such as what is nested too deep.
	Append(dst []byte, message any) ([]byte, error)
	// Decode fills what target points to, so that it equals the message that was encoded.
	// It keeps nothing of data. Input that does not decode, such as one that was cut or
	// damaged, is an error, never a panic, and may leave target half filled.
	Decode(data []byte, target any) error
}

// maxDepth bounds the nesting of a payload: a deeper one would exhaust the stack.
const maxDepth = 128

// Protobuf encodes protobuf messages, and nothing else.
type Protobuf struct{}

// ContentType returns "application/protobuf".
func (Protobuf) ContentType() string { return "application/protobuf" }

// CheckType refuses what is not a protobuf message.
func (Protobuf) CheckType(t reflect.Type) error {
	if protoType(t) == nil {
		return fmt.Errorf("protobuf: %v is not a protobuf message", t)
	}
	return nil
}

// Append implements [Codec].
func (Protobuf) Append(dst []byte, message any) ([]byte, error) {
	m := protoMessage(message)
	if m == nil {
		return dst, fmt.Errorf("protobuf: %T is not a protobuf message", message)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
}

// Decode implements [Codec].
func (Protobuf) Decode(data []byte, target any) error {
	m := protoMessage(target)
	if m == nil {
		return fmt.Errorf("protobuf: %T is not a protobuf message", target)
	}
	return proto.UnmarshalOptions{RecursionLimit: maxDepth}.Unmarshal(data, m)
}

// JSON encodes any message as JSON: protobuf messages by the protobuf mapping,
// others by encoding/json. What encoding/json would change without a word is an error: lists
// that do not have the length of an array, names of fields in other letter case, null for
// what cannot be nil, integers that a float would round, texts that are not UTF-8. JSON has
// fewer kinds of values than Go: bytes, for one, are texts. See docs/encoding.md.
type JSON struct {
	shapes *sync.Map // of *jsonShape, by type; nil where they are not kept
}

// jsonShape is what a JSON finds out about a type.
type jsonShape struct {
	*shape
	err error
}

// ContentType returns "application/json".
func (JSON) ContentType() string { return "application/json" }

// CheckType refuses what encoding/json leaves out without a word, or cannot decode:
// see [MsgPack.CheckType].
func (j JSON) CheckType(t reflect.Type) error {
	if protoType(t) != nil {
		return nil
	}
	return j.shapeOf(t).err
}

func (j JSON) shapeOf(t reflect.Type) *jsonShape {
	if j.shapes != nil {
		if known, ok := j.shapes.Load(t); ok {
			return known.(*jsonShape)
		}
	}
	found := new(jsonShape)
	var err error
	if found.shape, err = newSurvey(jsonDialect()).look(t); err == nil {
		err = checkMethods(t, true, make(map[place]bool))
	}
	if err != nil {
		found.err = fmt.Errorf("json: %w", err)
	}
	if j.shapes != nil {
		j.shapes.Store(t, found)
	}
	return found
}

// Append implements [Codec].
func (JSON) Append(dst []byte, message any) ([]byte, error) {
	if m := protoMessage(message); m != nil {
		return protojson.MarshalOptions{}.MarshalAppend(dst, m)
	}
	if message != nil {
		message = addressed(message) // so that methods of its pointer are called
	}
	out, err := json.Marshal(message)
	if err == nil {
		err = checkText(out, message)
	}
	if err != nil {
		return dst, err
	}
	return append(dst, out...), nil
}

// Decode implements [Codec].
func (j JSON) Decode(data []byte, target any) error {
	if m := protoMessage(target); m != nil {
		return protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}.Unmarshal(data, m)
	}
	if !utf8.Valid(data) {
		return fmt.Errorf("json: %w", errNotText)
	}
	if err := json.Unmarshal(data, target); err != nil {
		return err
	}
	of := j.shapeOf(reflect.TypeOf(target).Elem())
	if of.err != nil {
		return of.err
	}
	if err := of.checkJSON(data); err != nil {
		return fmt.Errorf("json: it is not a %T: %w", target, err)
	}
	return nil
}
