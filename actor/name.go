package actor

import (
	"reflect"
	"strings"
)

// typeName is how a message or protocol is called on the wire: the full name of
// a protobuf message, else package and type, such as "greet.Hello". A receiver
// looks it up among the handlers of one actor only, so that it need not be
// unique in the world, and a module may move without breaking its peers.
func typeName(t reflect.Type) string {
	if m := protoType(t); m != nil {
		return string(m.Descriptor().FullName())
	}
	return strings.TrimPrefix(t.String(), "*")
}

const maxPath = 512

// validateName checks one element of an actor's path.
func validateName(name string) error {
	if name == "" || len(name) > 128 || name == "." || name == ".." {
		return Errorf(InvalidArgument, "actor name %q: use 1 to 128 characters", name)
	}
	for _, r := range name {
		if !validNameRune(r) {
			return Errorf(InvalidArgument, "actor name %q: %q is not allowed; use letters, digits and -_.~@:+=,", name, r)
		}
	}
	return nil
}

func validNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.~@:+=,", r)
}

func joinPath(parent, name string) (string, error) {
	if parent == "" {
		return name, nil
	}
	path := parent + "/" + name
	if len(path) > maxPath {
		return "", Errorf(InvalidArgument, "actor path %.40s… is longer than %d characters", path, maxPath)
	}
	return path, nil
}

// decodeTarget returns what a codec fills to set *p: p itself, or for a pointer
// type a new value that *p is made to point to.
func decodeTarget[T any](p *T) any {
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Pointer {
		v := reflect.New(t.Elem()).Interface()
		*p = v.(T)
		return v
	}
	return p
}
