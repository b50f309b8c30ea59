package actor

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// survey looks through a type for what a codec would lose or could not decode. The walk
// is over types alone; see MsgPack.checkValue for the values in interfaces.
type survey struct {
	dialect   dialect
	path      []reflect.Type // being looked through
	done      map[reflect.Type]bool
	open      bool           // there is an interface without methods
	recursive bool           // a type holds itself
	opaque    []reflect.Type // protobuf messages that do not travel field by field
}

// dialect is in what codecs differ.
type dialect struct {
	name string
	// own reports whether t has methods that encode and decode it; the error is for one
	// that lacks the other.
	own func(t reflect.Type) (bool, error)
	// key says why t cannot be the key of a map.
	key func(t reflect.Type) error
	// tag returns the name that a field has, empty for that in Go, and whether it is
	// encoded at all.
	tag func(tag reflect.StructTag) (name string, encoded bool)
	// protobuf reports whether messages inside other values are taken as such.
	protobuf bool
	// endless reports whether a type may hold nothing but itself.
	endless bool
}

// errEndless is for a type that a codec cannot even look through.
var errEndless = errors.New("holds nothing but itself; put it into a struct")

func newSurvey(d dialect) *survey { return &survey{dialect: d, done: make(map[reflect.Type]bool)} }

// look looks through t, and what it holds.
func (s *survey) look(t reflect.Type) error {
	if s.done[t] {
		return nil
	}
	if i := slices.Index(s.path, t); i >= 0 {
		s.recursive = true
		if !s.dialect.endless && !slices.ContainsFunc(s.path[i:], func(t reflect.Type) bool { return t.Kind() == reflect.Struct }) {
			return fmt.Errorf("a %s %w", t, errEndless)
		}
		return nil
	}
	s.path = append(s.path, t)
	err := s.inside(t)
	s.path = s.path[:len(s.path)-1]
	s.done[t] = true
	return err
}

func (s *survey) inside(t reflect.Type) error {
	own, err := s.dialect.own(t)
	if own || err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Map:
		if err := s.look(t.Key()); err != nil {
			return err
		}
		if err := s.dialect.key(t.Key()); err != nil {
			return fmt.Errorf("a %s: %w", t, err)
		}
		return s.look(t.Elem())
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return s.look(t.Elem())
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("a %s cannot be sent", t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("%s is an interface, which could not be decoded: use a concrete type", t)
		}
		s.open = true
	case reflect.Struct:
		return s.structure(t)
	}
	return nil
}

func (s *survey) structure(t reflect.Type) error {
	m, borrowed := protoMethods(t)
	if borrowed {
		return fmt.Errorf("%s embeds a protobuf message, which would travel in its place: give that field a name", t)
	}
	if m != nil && s.dialect.protobuf && isOpaque(t, m.Descriptor()) {
		s.opaque = append(s.opaque, t)
		return nil
	}
	return s.fields(t, make(map[string]string), nil)
}

// fields looks through those of t, and of the structs embedded in it, which travel as its
// own. names are known ones, with where they are.
func (s *survey) fields(t reflect.Type, names map[string]string, embedding []reflect.Type) error {
	hidden := t.NumField() > 0
	for f := range t.Fields() {
		embedded := embeddedStruct(f)
		if !f.IsExported() && embedded == nil {
			continue
		}
		hidden = false
		name, encoded := s.dialect.tag(f.Tag)
		switch {
		case !encoded:
			continue
		case embedded != nil && name == "":
			if err := s.embedded(t, f, embedded, names, embedding); err != nil {
				return err
			}
			continue
		case !f.IsExported():
			continue
		}
		if name == "" {
			name = f.Name
		}
		here := fmt.Sprintf("%s of %s", f.Name, t)
		if other, taken := names[name]; taken {
			return fmt.Errorf("%s and %s are both called %q, so that one would be lost: rename one, or give it a tag", other, here, name)
		}
		names[name] = here
		if err := s.look(f.Type); err != nil {
			return fmt.Errorf("%s: %w", here, err)
		}
	}
	if hidden {
		return fmt.Errorf("all fields of %s are unexported, and it has no %s", t, s.dialect.name)
	}
	return nil
}

// embeddedStruct returns the struct that f embeds, itself or by a pointer; nil if none.
func embeddedStruct(f reflect.StructField) reflect.Type {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !f.Anonymous || t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

func (s *survey) embedded(in reflect.Type, f reflect.StructField, t reflect.Type, names map[string]string, embedding []reflect.Type) error {
	switch {
	case f.Type.Kind() == reflect.Pointer && !f.IsExported():
		return fmt.Errorf("%s of %s is embedded by a pointer and unexported, so that it could not be decoded: give it an exported name, or the tag \"-\"", f.Name, in)
	case t == in || slices.Contains(embedding, t):
		s.recursive = true
		return nil
	}
	if own, err := s.dialect.own(t); own || err != nil {
		return err // its methods are hidden by those of another embedded type
	}
	return s.fields(t, names, append(embedding, in))
}

// has reports whether t or a pointer to it has the methods of the interface I.
func has[I any](t reflect.Type) bool { return reflect.PointerTo(t).Implements(reflect.TypeFor[I]()) }

// pairOf reports whether t has both methods, E to encode and D to decode.
func pairOf[E, D any](t reflect.Type) (bool, error) {
	encodes, decodes := has[E](t), has[D](t)
	if encodes && !decodes {
		return false, fmt.Errorf("%s has %s, but not %s, so that it could not be decoded", t,
			reflect.TypeFor[E]().Method(0).Name, reflect.TypeFor[D]().Method(0).Name)
	}
	return encodes && decodes, nil
}

// nameIn returns the name in the first of the tags that is there.
func nameIn(tag reflect.StructTag, keys ...string) (name string, encoded bool) {
	for _, key := range keys {
		if text := tag.Get(key); text != "" {
			name, _, _ := strings.Cut(text, ",")
			return name, text != "-"
		}
	}
	return "", true
}
