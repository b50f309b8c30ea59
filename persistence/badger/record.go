package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// A stored record is a header, a checksum and the value:
//
//	flags, revision (in as few bytes as it takes),
//	recordExpires: uvarint ns since 1970,
//	recordPairs: uvarint pairs, pairs of (uvarint length, text),
//	recordLong: uvarint pieces, CRC-32C of the value,
//	CRC-32C of the key and all of the above, and of the value if it is not long; value
//
// A value in pieces is not here but under keys of their own. The header of a long value
// has a checksum of its own, so that it can be trusted without reading the value from the
// value log. The checksums are not Badger's: Badger returns no value and no error for a
// value that it cannot read.
const (
	recordFormat  = 0x40 // beside the flags; the lowest 3 bits are the bytes of the revision, less 1
	recordExpires = 0x08
	recordPairs   = 0x10
	recordLong    = 0x20
	formatMask    = 0xc0

	longValue = 512 // bytes, or in pieces
	maxPieces = 1 << 12
)

var errMalformed = errors.New("malformed")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func encodeRecord(dst []byte, r *persistence.Record) []byte {
	start := len(dst)
	dst, header := prepareRecord(dst, r, 0)
	stored := sealRecord(r.Key, r.Revision, dst[start:], header)
	return append(dst[:start], stored...)
}

// revisionRoom is what a prepared record keeps free for the flags and the revision.
const revisionRoom = 1 + 8

// prepareRecord appends a record that has no revision yet, and returns the length of
// its header. One in pieces goes without the value.
func prepareRecord(dst []byte, r *persistence.Record, pieces int) ([]byte, int) {
	start := len(dst)
	flags := byte(recordFormat)
	dst = append(dst, make([]byte, revisionRoom)...)
	if !r.Expires.IsZero() {
		flags |= recordExpires
		dst = binary.AppendUvarint(dst, uint64(r.Expires.UnixNano()))
	}
	if len(r.Metadata) > 0 {
		flags |= recordPairs
		dst = binary.AppendUvarint(dst, uint64(len(r.Metadata)))
		for _, name := range slices.Sorted(maps.Keys(r.Metadata)) {
			dst = appendText(appendText(dst, name), r.Metadata[name])
		}
	}
	if pieces > 0 || len(r.Value) >= longValue {
		flags |= recordLong
		dst = binary.AppendUvarint(dst, uint64(pieces))
		dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(r.Value, castagnoli()))
	}
	dst[start] = flags
	header := len(dst) - start
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	if pieces == 0 {
		dst = append(dst, r.Value...)
	}
	return dst, header
}

// sealRecord gives a prepared record its revision. What it returns is a part of prepared.
func sealRecord(key string, revision persistence.Revision, prepared []byte, header int) []byte {
	flags := prepared[0]
	binary.BigEndian.PutUint64(prepared[1:], uint64(revision))
	unused := min(bits.LeadingZeros64(uint64(revision))/8, 7)
	stored, header := prepared[unused:], header-unused
	stored[0] = flags | byte(7-unused)
	binary.LittleEndian.PutUint32(stored[header:], recordSum(key, flags, stored[:header], stored[header+4:]))
	return stored
}

// recordSum covers the key too: a record under another key is not this one.
func recordSum(key string, flags byte, header, value []byte) uint32 {
	sum := crc32.Update(crc32.Checksum([]byte(key), castagnoli()), castagnoli(), header)
	if flags&recordLong == 0 {
		sum = crc32.Update(sum, castagnoli(), value)
	}
	return sum
}

// storedRecord is a record whose value may not have been read yet.
type storedRecord struct {
	persistence.Record
	long   bool
	sum    uint32 // of a long value
	pieces int    // how many there are of the value; 0 if it is in one
	inline []byte // that one
}

func decodeHeader(key string, data []byte) (r storedRecord, err error) {
	d := decoder{rest: data}
	flags := d.byte()
	if flags&formatMask != recordFormat {
		return storedRecord{}, fmt.Errorf("%w record header", errMalformed)
	}
	r.Key = key
	for _, b := range d.take(int(flags&7) + 1) {
		r.Revision = r.Revision<<8 | persistence.Revision(b)
	}
	var expires, pieces uint64
	if flags&recordExpires != 0 {
		expires = d.uvarint()
	}
	if flags&recordPairs != 0 {
		n := d.count(2)
		r.Metadata = make(map[string]string, n)
		for range n {
			name := d.text()
			r.Metadata[name] = d.text()
		}
	}
	if flags&recordLong != 0 {
		pieces = d.uvarint()
		r.long, r.sum = true, d.uint32()
	}
	header := data[:len(data)-len(d.rest)]
	want := d.uint32()
	if d.failed || int64(expires) < 0 || pieces > maxPieces {
		return storedRecord{}, fmt.Errorf("%w record header", errMalformed)
	}
	if recordSum(key, flags, header, d.rest) != want {
		return storedRecord{}, errors.New("record has a wrong checksum")
	}
	if expires > 0 {
		r.Expires = time.Unix(0, int64(expires))
	}
	r.pieces, r.inline = int(pieces), d.rest
	return r, nil
}

// record returns the record with its value, of which data is all.
func (r *storedRecord) record(data []byte) (persistence.Record, error) {
	if r.long && crc32.Checksum(data, castagnoli()) != r.sum {
		return persistence.Record{}, errors.New("value has a wrong checksum")
	}
	r.Value = data
	return r.Record, nil
}

// decodeRecord copies what it returns: data may be a view of a file.
func decodeRecord(key string, data []byte) (persistence.Record, error) {
	r, err := decodeHeader(key, data)
	if err == nil && r.pieces > 0 {
		err = fmt.Errorf("%w record: its value is in pieces", errMalformed)
	}
	if err != nil {
		return persistence.Record{}, err
	}
	return r.record(bytes.Clone(r.inline))
}

func expired(r *persistence.Record, now time.Time) bool {
	return !r.Expires.IsZero() && !now.Before(r.Expires)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decoder reads what was appended; it fails once and for all.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if d.failed || n > len(d.rest) {
		d.failed = true
		return nil
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.take(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.take(n)
	return v
}

// count reads a number of things that have at least size bytes each, so that a
// damaged number does not make anyone allocate for it.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/size) {
		d.failed = true
		return 0
	}
	return int(n)
}

func (d *decoder) text() string { return string(d.take(d.count(1))) }
