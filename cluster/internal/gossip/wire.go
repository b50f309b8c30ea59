package gossip

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

var errMalformed = errors.New("gossip: malformed message")

// wireFormat is the first byte of everything this package sends: the major of its
// version. The fields after it are encoded as in protobuf: fields may be added, with a
// higher minor, and unknown ones are skipped. Members of another major are refused when
// their metadata is seen.
const wireFormat = 1

func appendBytes[T string | []byte](b []byte, num protowire.Number, v T) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(v)))
	return append(b, v...)
}

func appendFixed(b []byte, num protowire.Number, v uint64) []byte {
	b = protowire.AppendTag(b, num, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, v)
}

// decodeFields calls field for each field of b, with its value as a number or
// as a part of b.
func decodeFields(b []byte, field func(num protowire.Number, number uint64, bytes []byte)) error {
	if len(b) == 0 || b[0] != wireFormat {
		return fmt.Errorf("%w: unknown format", errMalformed)
	}
	return eachField(b[1:], field)
}

func eachField(b []byte, field func(num protowire.Number, number uint64, bytes []byte)) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		var number uint64
		var bytes []byte
		switch typ {
		case protowire.Fixed64Type:
			number, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		field(num, number, bytes)
	}
	return nil
}
