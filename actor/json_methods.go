package actor

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
)

// place is a type where encoding/json has the address of its values, or has not.
type place struct {
	t         reflect.Type
	addressed bool
}

// checkMethods returns an error if a t holds something whose encoding methods are those of
// its pointer, where encoding/json has no address to call them with, as in a map: it would
// go by its fields.
func checkMethods(t reflect.Type, addressed bool, seen map[place]bool) error {
	if seen[place{t, addressed}] {
		return nil
	}
	seen[place{t, addressed}] = true
	for _, encoder := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		switch {
		case !reflect.PointerTo(t).Implements(encoder):
		case addressed || t.Implements(encoder):
			return nil
		default:
			return fmt.Errorf("%s of *%s is not called for what is in a map: use a map of pointers", encoder.Method(0).Name, t)
		}
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return checkMethods(t.Elem(), true, seen)
	case reflect.Array:
		return checkMethods(t.Elem(), addressed, seen)
	case reflect.Map:
		key, text := t.Key(), reflect.TypeFor[encoding.TextMarshaler]()
		if key.Kind() != reflect.String && reflect.PointerTo(key).Implements(text) && !key.Implements(text) {
			return fmt.Errorf("MarshalText of *%s is not called for the keys of a map: make it a method of %s", key, key)
		}
		return checkMethods(t.Elem(), false, seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if _, encoded := nameIn(f.Tag, "json"); !encoded || !f.IsExported() && !f.Anonymous {
				continue
			}
			if err := checkMethods(f.Type, addressed, seen); err != nil {
				return fmt.Errorf("%s of %s: %w", f.Name, t, err)
			}
		}
	}
	return nil
}
