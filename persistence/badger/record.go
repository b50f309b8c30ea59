package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// A stored record is a header, two checksums and the value:
//
//	format, revision (8 bytes), uvarint expires (ns since 1970, 0 is never),
//	uvarint pairs, pairs of (uvarint length, text), uvarint pieces,
//	CRC-32C of the value, CRC-32C of the key and all of the above, value
//
// A value in pieces is not here but under keys of their own. The header has a checksum
// of its own, so that it can be trusted without reading a long value from the value
// log. The checksums are not Badger's: Badger returns no value and no error for a value
// that it cannot read.
const (
	recordFormat = 1
	maxPieces    = 1 << 12
)

var errMalformed = errors.New("malformed")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func encodeRecord(dst []byte, r *persistence.Record) []byte {
	start := len(dst)
	var header int
	dst, header = prepareRecord(dst, r, 0)
	sealRecord(r.Key, r.Revision, dst[start:], header)
	return dst
}

// prepareRecord appends a record that has no revision yet, and returns the length of
// its header. One in pieces goes without the value.
func prepareRecord(dst []byte, r *persistence.Record, pieces int) ([]byte, int) {
	start := len(dst)
	dst = append(dst, recordFormat)
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	var expires uint64
	if !r.Expires.IsZero() {
		expires = uint64(r.Expires.UnixNano())
	}
	dst = binary.AppendUvarint(dst, expires)
	dst = binary.AppendUvarint(dst, uint64(len(r.Metadata)))
	if len(r.Metadata) > 0 {
		for _, name := range slices.Sorted(maps.Keys(r.Metadata)) {
			dst = appendText(appendText(dst, name), r.Metadata[name])
		}
	}
	dst = binary.AppendUvarint(dst, uint64(pieces))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(r.Value, castagnoli()))
	header := len(dst) - start
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	if pieces == 0 {
		dst = append(dst, r.Value...)
	}
	return dst, header
}

// sealRecord gives a prepared record its revision.
func sealRecord(key string, revision persistence.Revision, stored []byte, header int) {
	binary.LittleEndian.PutUint64(stored[1:], uint64(revision))
	binary.LittleEndian.PutUint32(stored[header:], headerSum(key, stored[:header]))
}

// headerSum covers the key too: a header under another key is not this record's.
func headerSum(key string, header []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli()), castagnoli(), header)
}

// storedRecord is a record whose value has not been read yet.
type storedRecord struct {
	persistence.Record
	sum    uint32
	pieces int    // how many there are of the value; 0 if it is in one
	inline []byte // that one
}

func decodeHeader(key string, data []byte) (r storedRecord, err error) {
	d := decoder{rest: data}
	if d.byte() != recordFormat {
		return storedRecord{}, fmt.Errorf("%w record header", errMalformed)
	}
	r.Key = key
	r.Revision = persistence.Revision(d.uint64())
	expires := d.uvarint()
	if n := d.count(2); n > 0 {
		r.Metadata = make(map[string]string, n)
		for range n {
			name := d.text()
			r.Metadata[name] = d.text()
		}
	}
	pieces := d.uvarint()
	r.sum = d.uint32()
	header := data[:len(data)-len(d.rest)]
	want := d.uint32()
	if d.failed || int64(expires) < 0 || pieces > maxPieces {
		return storedRecord{}, fmt.Errorf("%w record header", errMalformed)
	}
	if headerSum(key, header) != want {
		return storedRecord{}, errors.New("record header has a wrong checksum")
	}
	if expires > 0 {
		r.Expires = time.Unix(0, int64(expires))
	}
	r.pieces, r.inline = int(pieces), d.rest
	return r, nil
}

// record returns the record with its value, of which data is all.
func (r *storedRecord) record(data []byte) (persistence.Record, error) {
	if crc32.Checksum(data, castagnoli()) != r.sum {
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

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
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
