package wire

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed says that bytes are no frame: the peer is broken, hostile, or no
// Troupe node, and its stream should be closed.
var ErrMalformed = errors.New("wire: malformed frame: the peer does not speak this protocol; close its stream")

// Frame walks over the envelopes of one received frame. It is a value on the
// stack, for one goroutine. Fields with unknown numbers are passed over, as
// protobuf asks of a reader.
type Frame struct {
	rest  []byte
	acked uint64
	err   error
}

// Parse returns a Frame over b, which must not be changed while it and its Views are used.
func Parse(b []byte) Frame { return Frame{rest: b} }

// Next fills v with the next envelope and reports whether there was one. After
// false, look at [Frame.Err].
func (f *Frame) Next(v *View) bool {
	for len(f.rest) > 0 && f.err == nil {
		field, typ, n := consumeTag(f.rest)
		if n < 0 {
			return f.fail()
		}
		b := f.rest[n:]
		switch {
		case field == frameEnvelopes && typ == protowire.BytesType:
			body, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return f.fail()
			}
			f.rest = b[n:]
			if n := v.parse(body); n < 0 {
				return f.fail()
			}
			return true
		case field == frameAcked && typ == protowire.VarintType:
			f.acked, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(field, typ, b)
		}
		if n < 0 {
			return f.fail()
		}
		f.rest = b[n:]
	}
	return false
}

// Acked returns the frame's running total of envelopes taken by the receiver, 0
// when it has none. It is known once Next has returned false.
func (f *Frame) Acked() uint64 { return f.acked }

// Len returns how many bytes of the frame are still to be parsed.
func (f *Frame) Len() int { return len(f.rest) }

// Err returns nil after a whole frame, or [ErrMalformed].
func (f *Frame) Err() error { return f.err }

func (f *Frame) fail() bool {
	f.err = ErrMalformed
	return false
}

// consumeTag refuses, as proto.Unmarshal does, the field numbers that
// protowire.ConsumeTag takes though protobuf does not have them.
func consumeTag(b []byte) (protowire.Number, protowire.Type, int) {
	field, typ, n := protowire.ConsumeTag(b)
	if field > protowire.MaxValidNumber {
		return 0, 0, -1
	}
	return field, typ, n
}

// parse fills v from the body of an envelope. It returns a negative number when
// the body is malformed.
func (v *View) parse(b []byte) int {
	*v = View{}
	for len(b) > 0 {
		field, typ, n := consumeTag(b)
		if n < 0 {
			return n
		}
		b = b[n:]
		switch {
		case typ == protowire.BytesType && v.bytesField(field) != nil:
			*v.bytesField(field), n = protowire.ConsumeBytes(b)
		case typ == protowire.VarintType:
			var x uint64
			if x, n = protowire.ConsumeVarint(b); n >= 0 {
				v.setVarint(field, x)
			}
		case typ == protowire.Fixed64Type && field == fieldUID:
			v.UID, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(field, typ, b)
		}
		if n < 0 {
			return n
		}
		b = b[n:]
	}
	return 0
}

func (v *View) bytesField(field protowire.Number) *[]byte {
	switch field {
	case fieldTo:
		return &v.To
	case fieldFrom:
		return &v.From
	case fieldMessage:
		return &v.Message
	case fieldContentType:
		return &v.ContentType
	case fieldPayload:
		return &v.Payload
	case fieldReason:
		return &v.Reason
	case fieldText:
		return &v.Text
	case fieldChain:
		return &v.Chain
	}
	return nil
}

func (v *View) setVarint(field protowire.Number, x uint64) {
	switch field {
	case fieldKind:
		v.Kind = Kind(x)
	case fieldID:
		v.ID = x
	case fieldTimeout:
		v.Timeout = x
	case fieldCode:
		v.Code = uint32(x)
	case fieldNotRun:
		v.NotRun = protowire.DecodeBool(x)
	case fieldTotal:
		v.Total = x
	}
}
