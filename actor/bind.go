package actor

import (
	"reflect"
	"sync"
)

// A reference inside a message arrives as a path, and must learn which system it
// is used from. Codecs cannot tell it; so the types of messages are looked through
// once, and a decoded message is walked only if its type can hold references.

// bindable is a *Ref of any protocol, or an *Address.
type bindable interface{ bindTo(s *System) }

func (r *Ref[P]) bindTo(s *System) { r.recipient = s.bound(r.recipient) }

func (a *Address) bindTo(s *System) { a.recipient = s.bound(a.recipient) }

// MarshalText writes the path; see [Ref.MarshalText].
func (a Address) MarshalText() ([]byte, error) {
	if a.LocalOnly() {
		return nil, Errorf(InvalidArgument, "%s is defined as actor.LocalOnly(): its Ref must not leave its node", a)
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads a path; see [Ref.UnmarshalText].
func (a *Address) UnmarshalText(text []byte) error {
	return (*Ref[struct{}])(a).UnmarshalText(text)
}

// MarshalBinary writes the path; see [Ref.MarshalBinary].
func (a Address) MarshalBinary() ([]byte, error) { return a.MarshalText() }

// UnmarshalBinary reads a path; see [Ref.UnmarshalText].
func (a *Address) UnmarshalBinary(data []byte) error { return a.UnmarshalText(data) }

func (s *System) bound(r Recipient) Recipient {
	path, ok := r.(unbound)
	if !ok {
		return r
	}
	if resolved, err := s.resolve(string(path)); err == nil {
		return resolved
	}
	return path // its use will say what is wrong
}

// isRef reports whether t is a Ref or Address itself: a struct that embeds one has
// its methods too.
func isRef(t reflect.Type) bool {
	return hasRefMethods(t) && t.PkgPath() == reflect.TypeFor[Address]().PkgPath()
}

func hasRefMethods(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[bindable]())
}

// binder binds the references inside the value.
type binder func(s *System, v reflect.Value)

// binders caches the binder of each type; nil for a type without references.
type binders struct{ byType sync.Map }

// bind binds the references in what p, a pointer to a t, points to.
func (s *System) bind(t reflect.Type, p any) {
	if b := s.binders.of(t); b != nil {
		b(s, reflect.ValueOf(p).Elem())
	}
}

func (b *binders) of(t reflect.Type) binder {
	if known, ok := b.byType.Load(t); ok {
		return known.(binder)
	}
	if !holdsRefs(t, map[reflect.Type]bool{}) {
		b.byType.Store(t, binder(nil))
		return nil
	}
	made := b.build(t)
	b.byType.Store(t, made)
	return made
}

// holdsRefs reports whether a value of type t can hold references that a codec
// can reach. Interfaces are not looked into.
func holdsRefs(t reflect.Type, seen map[reflect.Type]bool) bool {
	if isRef(t) {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsRefs(t.Elem(), seen) || t.Kind() == reflect.Map && holdsRefs(t.Key(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if (f.IsExported() || f.Anonymous) && holdsRefs(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

func (b *binders) build(t reflect.Type) binder {
	if isRef(t) {
		return func(s *System, v reflect.Value) { v.Addr().Interface().(bindable).bindTo(s) }
	}
	// Element types are looked up when used: a type may contain itself.
	switch t.Kind() {
	case reflect.Pointer:
		return func(s *System, v reflect.Value) {
			if !v.IsNil() {
				b.inside(s, v.Elem())
			}
		}
	case reflect.Slice, reflect.Array:
		return func(s *System, v reflect.Value) {
			for i := range v.Len() {
				b.inside(s, v.Index(i))
			}
		}
	case reflect.Map:
		return b.inMap
	default:
		embedsRef := hasRefMethods(t)
		return func(s *System, v reflect.Value) {
			if embedsRef && v.CanInterface() {
				v.Addr().Interface().(bindable).bindTo(s)
			}
			for i := range v.NumField() {
				// The exported fields of an unexported embedded struct can be set.
				if f := v.Field(i); f.CanSet() || t.Field(i).Anonymous && !isRef(f.Type()) {
					b.inside(s, f)
				}
			}
		}
	}
}

func (b *binders) inside(s *System, v reflect.Value) {
	if bind := b.of(v.Type()); bind != nil {
		bind(s, v)
	}
}

// inMap binds copies of keys and values, since those of a map cannot be changed.
func (b *binders) inMap(s *System, v reflect.Value) {
	if v.IsNil() {
		return
	}
	bound := reflect.MakeMapWithSize(v.Type(), v.Len())
	for key, value := range v.Seq2() {
		k, e := reflect.New(key.Type()).Elem(), reflect.New(value.Type()).Elem()
		k.Set(key)
		e.Set(value)
		b.inside(s, k)
		b.inside(s, e)
		bound.SetMapIndex(k, e)
	}
	v.Set(bound)
}
