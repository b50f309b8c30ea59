package actor

import (
	"encoding"
	"encoding/json"
	"reflect"

	"github.com/ugorji/go/codec"

	"github.com/troupe-go/troupe/actor/contain"
)

// isolated is a codec that runs code of the user, such as MarshalText: neither a panic
// nor runtime.Goexit leaves it.
type isolated struct{ Codec }

func (i isolated) Append(dst []byte, message any) (data []byte, err error) {
	err = contain.Call("encoding", func() (err error) {
		data, err = i.Codec.Append(dst, message)
		return err
	})
	return data, err
}

func (i isolated) Decode(data []byte, target any) error {
	return contain.Call("decoding", func() error { return i.Codec.Decode(data, target) })
}

// isBuiltIn reports whether c is a codec of this package.
func isBuiltIn(c Codec) bool {
	switch c.(type) {
	case *MsgPack, Protobuf, JSON, verified:
		return true
	}
	return false
}

// hasCodingMethods reports whether t, or a pointer to it, has a method that a built-in codec
// calls.
func hasCodingMethods(t reflect.Type) bool {
	return has[codec.Selfer](t) || has[json.Marshaler](t) || has[json.Unmarshaler](t) ||
		has[encoding.BinaryMarshaler](t) || has[encoding.BinaryUnmarshaler](t) ||
		has[encoding.TextMarshaler](t) || has[encoding.TextUnmarshaler](t)
}

// isForeign reports whether a built-in codec may run code of the user for a t: its methods,
// or those of what it holds, which an interface does not tell.
func isForeign(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || isRef(t) || t.PkgPath() == "time" || protoType(t) != nil {
		return false
	}
	seen[t] = true
	if hasCodingMethods(t) {
		return true
	}
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return isForeign(t.Elem(), seen) || t.Kind() == reflect.Map && isForeign(t.Key(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if (f.IsExported() || f.Anonymous) && isForeign(f.Type, seen) {
				return true
			}
		}
	}
	return false
}
