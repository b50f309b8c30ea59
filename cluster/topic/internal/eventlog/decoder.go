package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/version"
)

var errMalformed = errors.New("malformed")

// decoder reads a record. After the first error all it returns is zero.
type decoder struct {
	data  []byte
	err   error
	later bool // it has a higher minor: what follows what is known is skipped
}

func (d *decoder) fail() {
	d.data = nil
	if d.err == nil {
		d.err = errMalformed
	}
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

// bytes returns n of them, which are part of the record.
func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.data)) {
		d.fail()
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes(d.uvarint())) }

// version reads the first byte, which says how the rest is encoded: the low half is the
// major, the high one the minor. known is of minor 0.
func (d *decoder) version(known byte) {
	b := d.bytes(1)
	if d.err != nil {
		return
	}
	written := version.Version{Major: uint32(b[0] & 0x0f), Minor: uint32(b[0] >> 4)}
	if written.Major == 0 || len(d.data) == 0 { // no version has nothing behind it
		d.fail()
		return
	}
	if err := (version.Version{Major: uint32(known)}).Reads(written, "the partition"); err != nil {
		d.data, d.err = nil, fmt.Errorf("%w: %w", persistence.ErrVersion, err)
	}
	d.later = written.Minor > 0
}

// count reads the number of what follows, each of which takes so many bytes or more.
func (d *decoder) count(size uint64) int {
	n := d.uvarint()
	if n > uint64(len(d.data))/size {
		d.fail()
		return 0
	}
	return int(n)
}

// end returns the error, also if something is left.
func (d *decoder) end() error {
	if len(d.data) > 0 && !d.later {
		d.fail()
	}
	return d.err
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
