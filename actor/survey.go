package actor

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
)

// survey looks through a type for what a codec would lose or could not decode, and finds
// its shape. The walk is over types alone; see MsgPack.checkValue for the values in
// interfaces.
type survey struct {
	dialect   dialect
	path      []reflect.Type // being looked through
	shapes    map[reflect.Type]*shape
	open      bool           // there is an interface without methods
	recursive bool           // a type holds itself
	opaque    []reflect.Type // protobuf messages that do not travel field by field
	own       []reflect.Type // types that travel as an extension that their methods write
}

// dialect is in what codecs differ.
type dialect struct {
	name string
	// own returns the form of a t that has methods that encode and decode it; the error is
	// for one that lacks the other.
	own func(t reflect.Type) (f form, is bool, err error)
	// methods returns what these methods of a t are called.
	methods func(t reflect.Type) []string
	// key says why t cannot be the key of a map.
	key func(t reflect.Type) error
	// tag returns the name that a field has, empty for that in Go, and whether it is
	// encoded at all.
	tag func(tag reflect.StructTag) (name string, encoded bool)
	// quoted reports whether a field has its value as a text, by its tag.
	quoted func(tag reflect.StructTag) bool
	// omit is the tag of a field that is not encoded.
	omit string
	// protobuf reports whether messages inside other values may be extensions.
	protobuf bool
	// text reports whether a type that would not come back by itself, but has MarshalText
	// and UnmarshalText, may be an extension.
	text bool
	// endless reports whether a type may hold nothing but itself.
	endless bool
}

// errEndless is for a type that a codec cannot even look through.
var errEndless = errors.New("holds nothing but itself; put it into a struct")

func newSurvey(d dialect) *survey { return &survey{dialect: d, shapes: make(map[reflect.Type]*shape)} }

// look looks through t, and what it holds. The shape is complete once all looks have ended.
func (s *survey) look(t reflect.Type) (*shape, error) {
	if i := slices.Index(s.path, t); i >= 0 {
		s.recursive = true
		if !s.dialect.endless && !slices.ContainsFunc(s.path[i:], func(t reflect.Type) bool { return t.Kind() == reflect.Struct }) {
			return nil, fmt.Errorf("a %s %w", t, errEndless)
		}
		return s.shapes[t], nil
	}
	if known := s.shapes[t]; known != nil {
		return known, nil
	}
	here := &shape{goType: t}
	s.shapes[t] = here
	s.path = append(s.path, t)
	err := s.inside(t, here)
	s.path = s.path[:len(s.path)-1]
	if err != nil {
		delete(s.shapes, t)
		return nil, err
	}
	return here, nil
}

func (s *survey) inside(t reflect.Type, here *shape) error {
	form, own, err := s.dialect.own(t)
	if !own {
		if err == nil {
			err = s.byKind(t, here)
		}
		if err == nil || !s.dialect.text || protoType(t) != nil {
			return err
		}
		if text, _ := pairOf[encoding.TextMarshaler, encoding.TextUnmarshaler](t); !text {
			return err
		}
		form = formExt
	}
	*here = shape{goType: t, form: form, bytes: own}
	if form == formExt {
		if t.Name() == "" {
			return fmt.Errorf("%s has its methods from what it embeds: give it a name", t)
		}
		s.own = append(s.own, t)
	}
	return s.promoted(t)
}

func (s *survey) byKind(t reflect.Type, here *shape) (err error) {
	switch t.Kind() {
	case reflect.Bool:
		here.form = formBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		here.form, here.bits = formInt, t.Bits()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		here.form, here.bits = formUint, t.Bits()
	case reflect.Float32, reflect.Float64:
		here.form, here.bits = formFloat, t.Bits()
	case reflect.String:
		here.form = formText
	case reflect.Map:
		here.form = formMap
		if here.key, err = s.look(t.Key()); err != nil {
			return err
		}
		if err := s.dialect.key(t.Key()); err != nil {
			return fmt.Errorf("a %s: %w", t, err)
		}
		here.elem, err = s.look(t.Elem())
	case reflect.Pointer:
		here.form = formPointer
		here.elem, err = s.look(t.Elem())
	case reflect.Slice:
		here.form = formList
		here.elem, err = s.look(t.Elem())
	case reflect.Array:
		here.form, here.length = formArray, t.Len()
		here.elem, err = s.look(t.Elem())
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("%s is an interface, which could not be decoded: use a concrete type", t)
		}
		here.form, s.open = formOpen, true
		here.key, here.elem = &shape{form: formText, goType: reflect.TypeFor[string]()}, here
	case reflect.Struct:
		return s.structure(t, here)
	default:
		return fmt.Errorf("a %s cannot be sent", t)
	}
	return err
}

func (s *survey) structure(t reflect.Type, here *shape) error {
	m, borrowed := protoMethods(t)
	if borrowed {
		return fmt.Errorf("%s embeds a protobuf message, which would travel in its place: give that field a name", t)
	}
	if m != nil && isOpaque(t, m.Descriptor()) {
		if !s.dialect.protobuf {
			return fmt.Errorf("%s is a protobuf message with a oneof, extensions or hidden fields, which has no such form inside another value: send it by itself, or use MessagePack", t)
		}
		here.form = formProto
		s.opaque = append(s.opaque, t)
		return nil
	}
	here.form = formStruct
	w := structWalk{survey: s, shape: here, names: make(map[string]string), message: m != nil}
	if err := w.fields(t, nil); err != nil {
		return err
	}
	here.sortFields()
	if !isList(t) {
		here.tuple = nil
	}
	return nil
}

// structWalk goes through the fields of a struct, and of the structs embedded in it, which
// travel as its own.
type structWalk struct {
	*survey
	shape   *shape
	names   map[string]string // known ones, with where they are
	message bool              // it is a protobuf message, which has fields of its runtime
	absent  bool              // these fields are nil where what holds them is
}

func (w *structWalk) fields(t reflect.Type, embedding []reflect.Type) error {
	for f := range t.Fields() {
		name, encoded := w.dialect.tag(f.Tag)
		embedded := embeddedStruct(f)
		switch {
		case !encoded || f.Name == "_" || f.Name == structOptions:
			continue
		case embedded != nil && name == "":
			if err := w.embedded(t, f, embedded, embedding); err != nil {
				return err
			}
			continue
		case !f.IsExported() && w.message:
			continue
		case !f.IsExported():
			return fmt.Errorf("%s of %s is unexported, so that it would be lost: export it, give %s %s, or, if it may stay behind, give the field the tag %s",
				f.Name, t, t, w.dialect.name, w.dialect.omit)
		}
		if name == "" {
			name = f.Name
		}
		here := fmt.Sprintf("%s of %s", f.Name, t)
		if other, taken := w.names[name]; taken {
			return fmt.Errorf("%s and %s are both called %q, so that one would be lost: rename one, or give it a tag", other, here, name)
		}
		w.names[name] = here
		of, err := w.look(f.Type)
		if err != nil {
			return fmt.Errorf("%s: %w", here, err)
		}
		switch {
		case w.dialect.quoted(f.Tag):
			of = &shape{goType: f.Type}
		case w.absent:
			of = &shape{form: formPointer, goType: f.Type, elem: of}
		}
		w.shape.fields = append(w.shape.fields, shapeField{name, of})
		w.shape.tuple = append(w.shape.tuple, of)
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

func (w *structWalk) embedded(in reflect.Type, f reflect.StructField, t reflect.Type, embedding []reflect.Type) error {
	switch {
	case f.Type.Kind() == reflect.Pointer && !f.IsExported():
		return fmt.Errorf("%s of %s is embedded by a pointer and unexported, so that it could not be decoded: give it an exported name, or the tag %s",
			f.Name, in, w.dialect.omit)
	case t == in || slices.Contains(embedding, t):
		w.recursive = true
		return nil
	}
	if _, own, err := w.dialect.own(t); err != nil {
		return fmt.Errorf("%s of %s: %w", f.Name, in, err)
	} else if own { // its methods are hidden by those of another embedded type
		return fmt.Errorf("%s of %s is embedded, and would travel without its methods: give that field a name", f.Name, in)
	}
	absent := w.absent
	w.absent = absent || f.Type.Kind() == reflect.Pointer
	err := w.fields(t, append(embedding, in))
	w.absent = absent
	if err != nil {
		return fmt.Errorf("%s of %s: %w", f.Name, in, err)
	}
	return nil
}

// promoted returns an error if t is a struct that has its methods from a type that it
// embeds, which would travel in its place, beside other fields, which would be lost.
func (s *survey) promoted(t reflect.Type) error {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var from, beside string
	for f := range t.Fields() {
		_, encoded := s.dialect.tag(f.Tag)
		switch {
		case !encoded:
		case from == "" && f.Anonymous && s.lends(f.Type, t):
			from = f.Name
		case f.Type.Size() > 0:
			beside = f.Name
		}
	}
	if from == "" || beside == "" {
		return nil
	}
	return fmt.Errorf("%s of %s is embedded, and would travel in its place, without %s: give %s a name", from, t, beside, from)
}

// lends reports whether t has its encoding methods because it embeds an e.
func (s *survey) lends(e, t reflect.Type) bool {
	if e.Kind() != reflect.Pointer && e.Kind() != reflect.Interface {
		e = reflect.PointerTo(e)
	}
	return slices.ContainsFunc(s.dialect.methods(t), func(name string) bool {
		_, has := e.MethodByName(name)
		return has && isPromoted(t, name)
	})
}

// isPromoted reports whether t has the method because of what it embeds.
func isPromoted(t reflect.Type, method string) bool {
	m, ok := t.MethodByName(method)
	if !ok {
		if m, ok = reflect.PointerTo(t).MethodByName(method); !ok {
			return false
		}
	}
	file, _ := runtime.FuncForPC(m.Func.Pointer()).FileLine(m.Func.Pointer())
	return file == "<autogenerated>" // nobody has written it
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
