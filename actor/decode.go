package actor

import "reflect"

// Decode fills what target, a pointer that is not nil, points to, and binds the
// references in it to the system: the inverse of [System.Encode]. Its error is
// InvalidArgument.
func (s *System) Decode(contentType string, data []byte, target any) error {
	codec, err := s.codecs.Named(contentType)
	if err != nil {
		return Errorf(InvalidArgument, "%w", err)
	}
	err = guard("decoding", func() error {
		if err := codec.Decode(data, target); err != nil {
			return err
		}
		s.bind(reflect.TypeOf(target).Elem(), target)
		return nil
	})
	if err != nil {
		return Errorf(InvalidArgument, "%w", err)
	}
	return nil
}
