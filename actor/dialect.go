package actor

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ugorji/go/codec"
)

// msgPackDialect is what [MsgPack] makes of types.
func msgPackDialect() dialect {
	return dialect{
		name:     "MarshalBinary and UnmarshalBinary, or MarshalText and UnmarshalText",
		own:      msgPackOwn,
		methods:  msgPackMethods,
		key:      func(t reflect.Type) error { return checkKey(t, true) },
		tag:      func(tag reflect.StructTag) (string, bool) { return nameIn(tag, "codec", "json") },
		quoted:   func(reflect.StructTag) bool { return false },
		omit:     `codec:"-"`,
		protobuf: true,
		text:     true,
	}
}

func msgPackOwn(t reflect.Type) (form, bool, error) {
	if has[codec.Selfer](t) || hasKeysOfNumbers(t) {
		return formOwn, true, nil
	}
	if t == reflect.TypeFor[time.Time]() {
		return formTime, true, nil
	}
	is, err := pairOf[encoding.BinaryMarshaler, encoding.BinaryUnmarshaler](t)
	switch {
	case !is || err != nil:
		return 0, false, err
	case isMisread(t):
		return formExt, true, nil
	}
	return formBytes, true, nil
}

func msgPackMethods(t reflect.Type) []string {
	switch {
	case has[codec.Selfer](t):
		return []string{"CodecEncodeSelf", "CodecDecodeSelf"}
	case has[binaryCoder](t):
		return []string{"MarshalBinary", "UnmarshalBinary"}
	}
	return []string{"MarshalText", "UnmarshalText"}
}

// isMisread reports whether the encoder would hand other memory than that of the value to
// MarshalBinary: that of a struct or an array that is one pointer.
func isMisread(t reflect.Type) bool {
	return (t.Kind() == reflect.Struct || t.Kind() == reflect.Array) && isPointer(t)
}

// isPointer reports whether values of type t are one pointer in memory.
func isPointer(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Array:
		return t.Len() == 1 && isPointer(t.Elem())
	case reflect.Struct:
		pointers := 0
		for f := range t.Fields() {
			switch {
			case f.Type.Size() == 0:
			case !isPointer(f.Type):
				return false
			default:
				pointers++
			}
		}
		return pointers == 1
	}
	return false
}

// structOptions is the field whose tag says how the encoder takes its struct.
const structOptions = "_struct"

func optionsOf(t reflect.Type) []string {
	if t.Kind() != reflect.Struct {
		return nil
	}
	f, ok := t.FieldByName(structOptions)
	if !ok {
		return nil
	}
	return strings.Split(cmp.Or(f.Tag.Get("codec"), f.Tag.Get("json")), ",")
}

// isList reports whether the fields of a struct travel as a list, by its options.
func isList(t reflect.Type) bool { return slices.Contains(optionsOf(t), "toarray") }

// hasKeysOfNumbers reports whether the names of the fields of a struct travel as numbers,
// by its options.
func hasKeysOfNumbers(t reflect.Type) bool {
	return slices.ContainsFunc(optionsOf(t), func(o string) bool { return o == "int" || o == "uint" || o == "float" })
}

// jsonDialect is what encoding/json makes of types.
func jsonDialect() dialect {
	own := func(t reflect.Type) (form, bool, error) {
		is, err := pairOf[json.Marshaler, json.Unmarshaler](t)
		if is || err != nil {
			return formOwn, is, err
		}
		is, err = pairOf[encoding.TextMarshaler, encoding.TextUnmarshaler](t)
		return formOwn, is, err
	}
	return dialect{
		name: "MarshalJSON and UnmarshalJSON, or MarshalText and UnmarshalText",
		own:  own,
		methods: func(t reflect.Type) []string {
			if has[json.Marshaler](t) {
				return []string{"MarshalJSON", "UnmarshalJSON"}
			}
			return []string{"MarshalText", "UnmarshalText"}
		},
		key: func(t reflect.Type) error {
			switch t.Kind() {
			case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
				reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
				return nil
			}
			if is, err := pairOf[encoding.TextMarshaler, encoding.TextUnmarshaler](t); is || err != nil {
				return err
			}
			return fmt.Errorf("a %s as a key is no text in JSON; use a string, a whole number or a type with MarshalText", t)
		},
		tag: func(tag reflect.StructTag) (string, bool) { return nameIn(tag, "json") },
		quoted: func(tag reflect.StructTag) bool {
			return slices.Contains(strings.Split(tag.Get("json"), ",")[1:], "string")
		},
		omit:    `json:"-"`,
		endless: true,
	}
}

// checkKey refuses keys that would be others once they are decoded.
func checkKey(t reflect.Type, top bool) error {
	switch t.Kind() {
	case reflect.Pointer:
		return fmt.Errorf("its keys hold a pointer, a %s, which another process cannot have; use what it points to", t)
	case reflect.Interface:
		if !top {
			return fmt.Errorf("its keys hold a %s, of which the decoder would not know the type; use a concrete one", t)
		}
	case reflect.Array:
		return checkKey(t.Elem(), false)
	case reflect.Struct:
		if has[encoding.BinaryMarshaler](t) {
			return nil
		}
		for f := range t.Fields() {
			if err := checkKey(f.Type, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxWalk bounds the walk through a value, so that one that holds itself ends it. It is
// more than what can be decoded.
const maxWalk = 4 * maxDepth

// checkValue looks through a value for what only its content tells: whether it is too deep,
// and what its interfaces hold. In one of those, untyped, maps come back with keys of text.
func (m *MsgPack) checkValue(v reflect.Value, untyped bool, depth int) error {
	if depth > maxWalk {
		return fmt.Errorf("%w, or it holds itself", errTooDeep)
	}
	if !v.IsValid() || !untyped && !m.plan(v.Type()).open {
		return nil
	}
	switch of := m.plan(v.Type()).shape; {
	case of == nil:
	case of.form == formTime:
		return nil
	case of.hasMethods() || protoType(v.Type()) != nil && v.Kind() == reflect.Struct:
		if untyped {
			return fmt.Errorf("an interface holds a %s, of which the decoder would not know the type; use a field of that type", v.Type())
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Interface:
		return m.checkHeld(v.Elem(), depth)
	case reflect.Pointer:
		return m.checkValue(v.Elem(), untyped, depth+1)
	case reflect.Slice, reflect.Array:
		if m.plan(v.Type().Elem()).isPlain() {
			return nil
		}
		for i := range v.Len() {
			if err := m.checkValue(v.Index(i), untyped, depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		return m.checkMap(v, untyped, depth)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if _, encoded := msgPackDialect().tag(f.Tag); !encoded || !f.IsExported() && !f.Anonymous {
				continue
			}
			if err := m.checkValue(v.Field(i), untyped, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkHeld is checkValue for what an interface holds.
func (m *MsgPack) checkHeld(v reflect.Value, depth int) error {
	if !v.IsValid() {
		return nil
	}
	if err := m.plan(v.Type()).err; err != nil {
		return fmt.Errorf("an interface holds a %s: %w", v.Type(), err)
	}
	return m.checkValue(v, true, depth+1)
}

func (m *MsgPack) checkMap(v reflect.Value, untyped bool, depth int) error {
	if untyped && v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("an interface holds a %s, which could not be decoded: there, the keys of a map are strings", v.Type())
	}
	for key, value := range v.Seq2() {
		if key.Kind() == reflect.Interface {
			switch key.Interface().(type) {
			case string, bool, int64, float64:
			default:
				return errors.New("a key in an interface would come back as another one: use a string, bool, int64 or float64")
			}
		}
		if err := m.checkValue(value, untyped, depth+1); err != nil {
			return err
		}
	}
	return nil
}
