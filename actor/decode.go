package actor

import (
	"reflect"

	"github.com/troupe-go/troupe/actor/contain"
)

// Decode fills what target, a pointer that is not nil, points to, and binds the
// references in it to the system: the inverse of [System.Encode]. Its error is
// InvalidArgument.
func (s *System) Decode(contentType string, data []byte, target any) error {
	t := reflect.TypeOf(target)
	if t == nil || t.Kind() != reflect.Pointer {
		return Errorf(InvalidArgument, "a %T is not a pointer to decode into", target)
	}
	codec, err := s.codecs.decoder(contentType, t.Elem())
	if err != nil {
		return Errorf(InvalidArgument, "%w", err)
	}
	err = contain.Panic("decoding", func() error {
		if err := codec.Decode(data, target); err != nil {
			return err
		}
		s.bind(t.Elem(), target)
		return nil
	})
	if err != nil {
		return Errorf(InvalidArgument, "%w", err)
	}
	return nil
}
