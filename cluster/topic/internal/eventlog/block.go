package eventlog

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog/internal/record"
)

const blockVersion = 1

// Events go into blocks of about blockSize, which Badger keeps beside their keys; those
// of a call that is larger than a transaction usually is into larger ones, which it
// keeps apart and counts less.
const (
	blockSize      = 24 << 10
	largeBlockSize = 256 << 10
)

// block is a record of events that follow each other. What its key says is enough to
// find it, and to decide when it goes.
type block struct {
	first Offset
	count int
	size  int   // of the record's value
	time  int64 // when it was appended, in ns since 1970
}

// end is the offset after the last one.
func (b block) end() Offset { return b.first + Offset(b.count) }

// key is a name in the order of offsets.
func (b block) key() string {
	return fmt.Sprintf("%016x%08x%08x%016x", uint64(b.first), b.count, b.size, uint64(b.time))
}

// beforeBlock is a key before that of the block with that first offset and after all
// those before it.
func beforeBlock(first Offset) string { return fmt.Sprintf("%016x", uint64(first)) }

func parseBlockKey(key string) (block, error) {
	var parts [4]uint64
	rest := key
	for i, n := range [4]int{16, 8, 8, 16} {
		if len(rest) < n {
			return block{}, record.ErrMalformed
		}
		v, err := strconv.ParseUint(rest[:n], 16, 64)
		if err != nil || strings.ToLower(rest[:n]) != rest[:n] {
			return block{}, record.ErrMalformed
		}
		parts[i], rest = v, rest[n:]
	}
	b := block{first: Offset(parts[0]), count: int(parts[1]), size: int(parts[2]), time: int64(parts[3])}
	if rest != "" || b.count == 0 || b.first == 0 || b.end() < b.first {
		return block{}, record.ErrMalformed
	}
	return b, nil
}

// appendEvent encodes what Append was given, for a block.
func appendEvent(b []byte, e *Event) []byte {
	b = record.AppendString(b, e.ID)
	b = record.AppendString(b, e.Key)
	b = record.AppendString(b, e.Type)
	b = record.AppendString(b, e.ContentType)
	b = binary.AppendUvarint(b, uint64(len(e.Header)))
	for name, value := range e.Header {
		b = record.AppendString(record.AppendString(b, name), value)
	}
	if d := e.Dead; d != nil {
		b = append(b, 1)
		b = record.AppendString(b, d.Group)
		b = binary.AppendUvarint(b, uint64(d.Offset))
		b = binary.AppendUvarint(b, uint64(d.Attempts))
		b = record.AppendString(b, d.Error)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Payload)))
	return append(b, e.Payload...)
}

// encodeBlock returns the record of events that were encoded by appendEvent.
func encodeBlock(first Offset, at int64, encoded [][]byte) []byte {
	size := 0
	for _, e := range encoded {
		size += len(e)
	}
	b := make([]byte, 0, size+1+3*binary.MaxVarintLen64)
	b = append(b, blockVersion)
	b = binary.AppendUvarint(b, uint64(first))
	b = binary.AppendUvarint(b, uint64(at))
	b = binary.AppendUvarint(b, uint64(len(encoded)))
	for _, e := range encoded {
		b = append(b, e...)
	}
	return b
}

// decodeBlock returns the events of a record, whose payloads are part of it.
func decodeBlock(data []byte) ([]Event, error) {
	const least = 7 // bytes of an event
	d := record.NewDecoder(data)
	d.Version(blockVersion)
	first := Offset(d.Uvarint())
	at := time.Unix(0, int64(d.Uvarint()))
	n := d.Count(least)
	if first == 0 || n == 0 || first+Offset(n) < first {
		return nil, record.ErrMalformed
	}
	events := make([]Event, n)
	for i := range events {
		decodeEvent(d, &events[i])
		events[i].Offset, events[i].Time = first+Offset(i), at
	}
	return events, d.End()
}

func decodeEvent(d *record.Decoder, e *Event) {
	e.ID = d.String()
	e.Key = d.String()
	e.Type = d.String()
	e.ContentType = d.String()
	if n := d.Count(2); n > 0 {
		e.Header = make(map[string]string, n)
		for range n {
			name := d.String()
			e.Header[name] = d.String()
		}
	}
	switch dead := d.Bytes(1); {
	case d.Err() != nil:
	case dead[0] == 1:
		e.Dead = &DeadLetter{Group: d.String(), Offset: Offset(d.Uvarint()), Attempts: int(d.Uvarint()), Error: d.String()}
	case dead[0] != 0:
		d.Fail()
	}
	if payload := d.Bytes(d.Uvarint()); len(payload) > 0 {
		e.Payload = payload
	}
}
