package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/version"
)

// ErrMalformed is for a record that cannot have been written by Troupe.
var ErrMalformed = errors.New("malformed")

// Decoder reads a record. After the first error all it returns is zero.
type Decoder struct {
	data  []byte
	err   error
	later bool // it has a higher minor: what follows what is known is skipped
}

// NewDecoder returns one of a record, which it does not change.
func NewDecoder(data []byte) *Decoder { return &Decoder{data: data} }

// Err returns the first error, nil if there was none.
func (d *Decoder) Err() error { return d.err }

// Fail makes the record malformed, unless there is an error.
func (d *Decoder) Fail() {
	d.data = nil
	if d.err == nil {
		d.err = ErrMalformed
	}
}

// Uvarint reads a number.
func (d *Decoder) Uvarint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

// Bytes returns n of them, which are part of the record.
func (d *Decoder) Bytes(n uint64) []byte {
	if n > uint64(len(d.data)) {
		d.Fail()
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

// String reads what [AppendString] has written.
func (d *Decoder) String() string { return string(d.Bytes(d.Uvarint())) }

// Version reads the first byte, which says how the rest is encoded: the low half is the
// major, the high one the minor. known is of minor 0.
func (d *Decoder) Version(known byte) {
	b := d.Bytes(1)
	if d.err != nil {
		return
	}
	written := version.Version{Major: uint32(b[0] & 0x0f), Minor: uint32(b[0] >> 4)}
	if written.Major == 0 || len(d.data) == 0 { // no version has nothing behind it
		d.Fail()
		return
	}
	if err := (version.Version{Major: uint32(known)}).Reads(written, "the partition"); err != nil {
		d.data, d.err = nil, fmt.Errorf("%w: %w", persistence.ErrVersion, err)
	}
	d.later = written.Minor > 0
}

// Count reads the number of what follows, each of which takes so many bytes or more.
func (d *Decoder) Count(size uint64) int {
	n := d.Uvarint()
	if n > uint64(len(d.data))/size {
		d.Fail()
		return 0
	}
	return int(n)
}

// End returns the error, also if something is left.
func (d *Decoder) End() error {
	if len(d.data) > 0 && !d.later {
		d.Fail()
	}
	return d.err
}

// AppendString appends s as [Decoder.String] reads it.
func AppendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
