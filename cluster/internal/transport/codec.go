package transport

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// received is a frame as it came, in one piece of memory, which belongs to whoever gets
// it: envelopes point into it.
type received struct{ data []byte }

// lent is a frame in memory that is used again after free.
type lent struct {
	buffers *buffers
	data    *[]byte
}

func (f *lent) free() {
	f.buffers.Put(f.data)
	f.data = nil
}

// codec passes frames through as bytes and leaves every other message to gRPC's
// protobuf codec, so that other services can share the server. It is forced per
// call and per server, never registered for the whole process.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(*batch); ok {
		b.buf.Ref()
		return mem.BufferSlice{b.buf}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch f := v.(type) {
	case *received:
		f.data = data.Materialize()
	case *lent:
		f.data = f.buffers.Get(data.Len())
		*f.data = (*f.data)[:data.Len()]
		data.CopyTo(*f.data)
	default:
		return c.CodecV2.Unmarshal(data, v)
	}
	return nil
}
