package actor

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/troupe-go/troupe/actor/contain"
)

// Codecs chooses the codec for each type, and refuses the types that would not come
// back. Actors, journals, states, views and topics all ask it, so that a type is encoded
// in one way everywhere. All methods may be called concurrently.
type Codecs struct {
	plain    Codec // for values that are not protobuf messages
	proto    Codec // for protobuf messages
	byType   map[string]Codec
	supports string
	chosen   sync.Map // of choice, by reflect.Type
}

type choice struct {
	codec   Codec
	foreign bool // see isForeign
	err     error
}

// NewCodecs returns the choice that [WithCodec] describes. preferred may be nil.
func NewCodecs(preferred Codec) *Codecs {
	c := &Codecs{plain: NewMsgPack(), proto: Protobuf{}, byType: map[string]Codec{}}
	inJSON := JSON{shapes: new(sync.Map)}
	for _, known := range []Codec{c.plain, c.proto, inJSON} {
		c.byType[known.ContentType()] = known
	}
	if _, isJSON := preferred.(JSON); isJSON {
		c.plain, c.proto = inJSON, inJSON
	} else if preferred != nil {
		c.byType[preferred.ContentType()] = preferred
		c.plain = preferred
	}
	c.supports = strings.Join(slices.Sorted(maps.Keys(c.byType)), ", ")
	return c
}

// For returns the codec that encodes values of type t. A pointer and what it points to
// have the same one. The error is InvalidArgument for a type that could be encoded but
// not decoded, or would lose a part of itself: it names the part and says what to do.
func (c *Codecs) For(t reflect.Type) (Codec, error) {
	if t == nil {
		return c.plain, nil // an untyped nil
	}
	chosen := c.choiceFor(t)
	return chosen.codec, chosen.err
}

func (c *Codecs) choiceFor(t reflect.Type) choice {
	known, ok := c.chosen.Load(t)
	if !ok {
		known, _ = c.chosen.LoadOrStore(t, c.choose(t))
	}
	return known.(choice)
}

// decoder returns the codec for a value of type t that came with that content type.
func (c *Codecs) decoder(contentType string, t reflect.Type) (Codec, error) {
	named, err := c.Named(contentType)
	if err != nil || isBuiltIn(named) && !c.choiceFor(t).foreign {
		return named, err
	}
	return isolated{named}, nil
}

func (c *Codecs) choose(t reflect.Type) choice {
	chosen := choice{codec: c.plain, foreign: isForeign(t, make(map[reflect.Type]bool))}
	m := protoType(t)
	if m != nil {
		chosen.codec = c.proto
	}
	err := CheckType(chosen.codec, t)
	if err != nil {
		return choice{foreign: chosen.foreign, err: Errorf(InvalidArgument, "values of type %s cannot be kept or sent: %w", t, err)}
	}
	if m != nil && isRecursive(m.Descriptor()) {
		chosen.codec = verified{chosen.codec}
	}
	if chosen.foreign || !isBuiltIn(chosen.codec) {
		chosen.codec = isolated{chosen.codec}
	}
	return chosen
}

// Named returns the codec with that content type. The error is InvalidArgument if none
// is known.
func (c *Codecs) Named(contentType string) (Codec, error) {
	if known, ok := c.byType[contentType]; ok {
		return known, nil
	}
	return nil, Errorf(InvalidArgument, "content type %q is not known here; known are %s", contentType, c.supports)
}

// CheckType returns the error of codec's own CheckType for t, if it has that method, and
// nil for any other codec.
func CheckType(codec Codec, t reflect.Type) error {
	k, ok := codec.(interface{ CheckType(reflect.Type) error })
	if !ok {
		return nil
	}
	return contain.Call("CheckType", func() error { return k.CheckType(t) })
}

// verified is a codec that encodes only what it can decode. It is for messages that may
// nest without end, of which a decoder takes a bounded depth.
type verified struct{ Codec }

func (v verified) Append(dst []byte, message any) ([]byte, error) {
	data, err := v.Codec.Append(dst, message)
	if err != nil || len(data)-len(dst) <= 2*maxDepth { // each level takes two bytes at least
		return data, err
	}
	t := reflect.TypeOf(message)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if err := v.Decode(data[len(dst):], reflect.New(t).Interface()); err != nil {
		return dst, fmt.Errorf("%T would not decode again: %w", message, err)
	}
	return data, nil
}
