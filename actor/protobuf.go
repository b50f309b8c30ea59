package actor

import (
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupe-go/troupe/actor/contain"
)

// protoType returns the protobuf message that t, or a pointer to t, is; nil if it is
// none. A struct that embeds a message has its methods, but is not one.
func protoType(t reflect.Type) protoreflect.MessageType {
	own, _ := protoMethods(t)
	return own
}

// protoMethods is protoType, and also reports whether t merely has the methods of a
// message, which it must have got from another one.
func protoMethods(t reflect.Type) (own protoreflect.MessageType, borrowed bool) {
	if t == nil {
		return nil, false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !reflect.PointerTo(t).Implements(reflect.TypeFor[proto.Message]()) {
		return nil, false
	}
	// What is embedded may be nil, and a message without a descriptor panics as well.
	err := contain.Panic("ProtoReflect", func() error {
		m := reflect.New(t).Interface().(proto.Message).ProtoReflect()
		if reflect.TypeOf(m.Interface()) == reflect.PointerTo(t) && m.Descriptor() != nil {
			own = m.Type()
		}
		return nil
	})
	return own, err != nil || own == nil
}

// protoMessage returns v as a protobuf message, also where v is not a pointer; nil if it
// is none.
func protoMessage(v any) proto.Message {
	if m, ok := v.(proto.Message); ok {
		return m
	}
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Struct || !reflect.PointerTo(t).Implements(reflect.TypeFor[proto.Message]()) {
		return nil
	}
	p := reflect.New(t)
	p.Elem().Set(reflect.ValueOf(v))
	return p.Interface().(proto.Message)
}

// isRecursive reports whether a message may hold others of its kind, at any depth.
func isRecursive(d protoreflect.MessageDescriptor) bool {
	return holdsAncestor(d, map[protoreflect.FullName]bool{}, map[protoreflect.FullName]bool{})
}

func holdsAncestor(d protoreflect.MessageDescriptor, above, done map[protoreflect.FullName]bool) bool {
	name := d.FullName()
	if above[name] || done[name] {
		return above[name]
	}
	above[name] = true
	defer delete(above, name)
	done[name] = true
	for i := range d.Fields().Len() {
		if m := d.Fields().Get(i).Message(); m != nil && holdsAncestor(m, above, done) {
			return true
		}
	}
	return false
}

// isOpaque reports whether the Go type t of a message does not show all of it in exported
// fields of concrete types: it has a oneof, extensions, or the opaque API.
func isOpaque(t reflect.Type, d protoreflect.MessageDescriptor) bool {
	exported := 0
	for f := range t.Fields() {
		if f.IsExported() {
			exported++
		}
	}
	for i := range d.Oneofs().Len() {
		if !d.Oneofs().Get(i).IsSynthetic() {
			return true
		}
	}
	return t.Kind() != reflect.Struct || exported != d.Fields().Len() || d.ExtensionRanges().Len() > 0
}
