package persistence

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/contain"
	"github.com/troupe-go/troupe/persistence/version"
)

// ErrUnknownType says that what is kept is of a type or version that the program
// does not know, or no longer. Register it with [EventType] or [Upcast], or run the
// program that wrote it.
var ErrUnknownType = actor.NewError(actor.FailedPrecondition, "unknown type or version")

// Upcaster reads one old version of a type, and converts it to the next one; see
// [Upcast].
type Upcaster struct {
	from    int
	in, out reflect.Type
	convert func(any) (any, error)
}

// Upcast lets what was kept in version from, then an Old, be read as a New, which
// is version from+1. Versions count from 1. A type that is in its third version has
// two of them, of which the second returns the type itself:
//
//	persistence.EventType[Deposited]("deposited",
//		persistence.Upcast(1, func(old DepositedV1) (DepositedV2, error) { … }),
//		persistence.Upcast(2, func(old DepositedV2) (Deposited, error) { … }))
//
// The first ones may be removed when nothing of their version is kept any more.
// Nothing is rewritten: records are converted whenever they are read.
func Upcast[Old, New any](from int, convert func(Old) (New, error)) Upcaster {
	u := Upcaster{from: from, in: reflect.TypeFor[Old](), out: reflect.TypeFor[New]()}
	if convert != nil {
		u.convert = func(old any) (any, error) { return convert(old.(Old)) }
	}
	return u
}

// call converts a value. A panic becomes an error, so that the record can be named.
func (u *Upcaster) call(old any) (value any, err error) {
	err = contain.Call("the upcaster", func() (err error) {
		value, err = u.convert(old)
		return err
	})
	return value, err
}

// The metadata of a record that holds a value of a schema, beside contentTypeKey.
const (
	typeKey    = "type"
	versionKey = "version"
	// formatKey is the version of what this library makes of a record: its key, metadata
	// and value. It is 1.0, and not there, in all that this program writes.
	formatKey = "format"
)

// checkFormat refuses a record that was written in another major version.
func checkFormat(r *Record) error {
	text, ok := r.Metadata[formatKey]
	if !ok {
		return nil
	}
	written, err := version.Parse(text)
	if err != nil {
		return actor.Errorf(actor.DataLoss, "the record %q says nothing of how it is kept: %w", r.Key, err)
	}
	if err := version.One().Reads(written, "the record "+strconv.Quote(r.Key)); err != nil {
		return fmt.Errorf("%w: %w", ErrVersion, err)
	}
	return nil
}

// schema is how the values of one Go type are kept. It is immutable.
type schema struct {
	name      string // empty where only one type is kept
	typ       reflect.Type
	upcasters []Upcaster
	version   int
}

func newSchema[T any](name string, upcasters []Upcaster) (*schema, error) {
	s := &schema{name: name, typ: reflect.TypeFor[T](), upcasters: upcasters, version: 1}
	if s.typ.Kind() == reflect.Interface {
		return nil, actor.Errorf(actor.InvalidArgument, "%s is an interface: what is kept has a concrete type", s.typ)
	}
	for i, u := range upcasters {
		next := s.typ
		if i+1 < len(upcasters) {
			next = upcasters[i+1].in
		}
		switch {
		case u.convert == nil || u.from < 1 || u.in.Kind() == reflect.Interface:
			return nil, actor.Errorf(actor.InvalidArgument, "the upcaster from version %d of %s needs a version from 1 on, a concrete type and a function", u.from, s)
		case i > 0 && u.from != upcasters[i-1].from+1:
			return nil, actor.Errorf(actor.InvalidArgument, "the upcasters of %s skip from version %d to %d", s, upcasters[i-1].from, u.from)
		case u.out != next:
			return nil, actor.Errorf(actor.InvalidArgument, "the upcaster from version %d of %s returns a %s, but the next version is a %s", u.from, s, u.out, next)
		}
		s.version = u.from + 1
	}
	return s, nil
}

// check returns why values of the schema's type would not come back.
func (s *schema) check(system *actor.System) error {
	if _, err := system.Codecs().For(s.typ); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

func (s *schema) String() string {
	if s.name == "" {
		return s.typ.String()
	}
	return strconv.Quote(s.name)
}

// encode returns the record of a value of the schema's type, without a key.
func (s *schema) encode(system *actor.System, value any) (Change, error) {
	data, contentType, err := system.Encode(nil, value)
	if err != nil {
		return Change{}, err
	}
	metadata := map[string]string{versionKey: strconv.Itoa(s.version), contentTypeKey: contentType}
	if s.name != "" {
		metadata[typeKey] = s.name
	}
	return Change{Value: data, Metadata: metadata}, nil
}

// decode returns the value in a record that encode made, now or long ago.
func (s *schema) decode(system *actor.System, r *Record) (any, error) {
	if err := checkFormat(r); err != nil {
		return nil, err
	}
	version, err := strconv.Atoi(r.Metadata[versionKey])
	if err != nil {
		return nil, actor.Errorf(actor.DataLoss, "the record %q says nothing of a version: it was not written by this library", r.Key)
	}
	if version == s.version {
		return decodeAs(system, s.typ, r)
	}
	behind := s.version - version
	if behind < 0 || behind > len(s.upcasters) {
		return nil, fmt.Errorf("the record %q holds version %d of %s, this program knows %d to %d: %w",
			r.Key, version, s, s.version-len(s.upcasters), s.version, ErrUnknownType)
	}
	steps := s.upcasters[len(s.upcasters)-behind:]
	value, err := decodeAs(system, steps[0].in, r)
	for _, u := range steps {
		if err != nil {
			return nil, err
		}
		if value, err = u.call(value); err != nil {
			err = fmt.Errorf("the record %q does not convert from version %d of %s: %w", r.Key, u.from, s, err)
		}
	}
	return value, err
}

// decodeAs returns the value of type t in r.
func decodeAs(system *actor.System, t reflect.Type, r *Record) (any, error) {
	pointer := t.Kind() == reflect.Pointer
	if pointer && system.IsNil(r.Metadata[contentTypeKey], r.Value) {
		return reflect.Zero(t).Interface(), nil
	}
	if pointer {
		t = t.Elem()
	}
	v := reflect.New(t)
	if err := system.Decode(r.Metadata[contentTypeKey], r.Value, v.Interface()); err != nil {
		return nil, fmt.Errorf("%w: %q is not a %s: %w", ErrMismatch, r.Key, t, err)
	}
	if pointer {
		return v.Interface(), nil
	}
	return v.Elem().Interface(), nil
}
