package actor

import (
	"cmp"
	"reflect"
	"slices"
)

// shape says what the encoding of one type looks like. A decoder takes more than that: the
// largest uint64 for an int64, or a map for a list. What is decoded is compared with the
// shape first, so that no value becomes another one.
type shape struct {
	form   form
	goType reflect.Type // for errors
	bits   int          // of a number
	bytes  bool         // an extension may be bytes, too: once it was
	length int          // of an array
	key    *shape       // of a map
	elem   *shape       // of a pointer, list, array or map
	fields []shapeField // of a struct, by name
	tuple  []*shape     // of a struct that may be a list of its fields, in their order
}

// form is the kind of a shape.
type form uint8

const (
	formOwn     form = iota // whatever the methods of the type write
	formBytes               // what MarshalBinary writes
	formExt                 // an extension that the methods of the type write
	formProto               // an extension that is a protobuf message
	formOpen                // any value: an interface
	formPointer             // nothing, or an elem
	formBool
	formInt
	formUint
	formFloat
	formText
	formTime
	formList
	formArray
	formMap
	formStruct
)

type shapeField struct {
	name  string
	shape *shape
}

// hasMethods reports whether methods of the type write it, of which its form tells nothing.
func (s *shape) hasMethods() bool {
	switch s.form {
	case formOwn, formExt, formBytes:
		return true
	}
	return false
}

// sortFields puts the fields in order, as an encoder writes them.
func (s *shape) sortFields() {
	slices.SortFunc(s.fields, func(a, b shapeField) int { return cmp.Compare(a.name, b.name) })
}

// field returns the index of the field with that name, -1 if there is none. next is where
// it is looked for first.
func (s *shape) field(name []byte, next int) int {
	if next < len(s.fields) && s.fields[next].name == string(name) {
		return next
	}
	low, high := 0, len(s.fields)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if s.fields[middle].name < string(name) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(s.fields) && s.fields[low].name == string(name) {
		return low
	}
	return -1
}
