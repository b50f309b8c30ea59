package badgerfile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// Badger's logs, of memtables and of large values, have the same form: a header, with
// the id of a key and 12 random bytes for encryption, and entries:
//
//	meta, user meta, uvarint key length, uvarint value length, uvarint expires,
//	key with the version in its last 8 bytes, value, CRC-32C of all that, encrypted
//
// Files are allocated ahead: zeros follow.
const (
	LogHeaderSize = 20
	maxBadgerKey  = 1 << 16

	metaDelete    = 1 << 0
	metaPointer   = 1 << 1 // the value is where a large one is
	metaTxn       = 1 << 6 // part of a transaction
	metaEndOfTxn  = 1 << 7
	versionLength = 8
)

type fileEntry struct {
	offset     int64
	meta       byte
	key, value []byte // decrypted
}

// logEnd says where the readable part of a log ends, and what is behind it.
type logEnd struct {
	offset int64
	// torn says that the rest is not empty: an entry that was not written to its
	// end, or that is damaged. more says that the rest is longer than that entry.
	torn, more bool
	used       int64 // where the last byte is that is not zero, if torn
}

// readLogFile visits the entries of one of Badger's logs, as far as it can be read.
func (v *Verifier) readLogFile(ctx context.Context, path string, visit func(fileEntry) error) (logEnd, error) {
	f, err := os.Open(path)
	if err != nil {
		return logEnd{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return logEnd{}, err
	}
	in := bufio.NewReaderSize(f, 256<<10)
	var header [LogHeaderSize]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return logEnd{}, err
	}
	keyID := binary.BigEndian.Uint64(header[:])
	key, err := v.dataKey(keyID)
	if err != nil {
		return logEnd{}, Damaged(path, "%w", err)
	}
	var buf []byte
	for offset := int64(LogHeaderSize); ; {
		if err := ctx.Err(); err != nil {
			return logEnd{}, err
		}
		var e fileEntry
		var size int64
		e, buf, size = readEntry(in, buf, info.Size()-offset)
		if size == 0 {
			return v.logTail(f, offset, info.Size(), int64(len(buf)))
		}
		if key != nil {
			plain, err := decrypt(buf[len(buf)-len(e.key)-len(e.value):], key, header[8:], offset)
			if err != nil {
				return logEnd{}, err
			}
			e.key, e.value = plain[:len(e.key)], plain[len(e.key):]
		}
		e.offset = offset
		if err := visit(e); err != nil {
			return logEnd{}, err
		}
		offset += size
	}
}

// entryHeader is what an entry says of its lengths.
type entryHeader struct{ size, klen, vlen int }

// whole returns the length of the entry without its checksum.
func (h entryHeader) whole() int { return h.size + h.klen + h.vlen }

// parseEntryHeader reports whether head begins with a header that may be one, of an
// entry that fits into what is left of the log.
func parseEntryHeader(head []byte, left int64) (entryHeader, bool) {
	if len(head) < 5 {
		return entryHeader{}, false
	}
	klen, vlen, size := entryLengths(head[2:])
	if size == 0 || klen < versionLength || klen > maxBadgerKey || vlen > uint64(left) {
		return entryHeader{}, false
	}
	h := entryHeader{size: 2 + size, klen: int(klen), vlen: int(vlen)}
	return h, int64(h.whole())+crc32.Size <= left
}

// entryLengths returns the lengths of key and value, and how many bytes these and the time
// to live take, 0 if they are not whole.
func entryLengths(b []byte) (klen, vlen uint64, size int) {
	var numbers [3]uint64
	for i := range numbers {
		v, n := binary.Uvarint(b[size:])
		if n <= 0 {
			return 0, 0, 0
		}
		numbers[i] = v
		size += n
	}
	return numbers[0], numbers[1], size
}

const maxEntryHeader = 2 + 3*binary.MaxVarintLen64

// readEntry returns the next entry, in buf, and its size; 0 if it cannot be read. Then
// buf has the length that the entry would have, if that can be told.
func readEntry(in *bufio.Reader, buf []byte, left int64) (e fileEntry, _ []byte, size int64) {
	head, err := in.Peek(maxEntryHeader)
	if err != nil && !errors.Is(err, io.EOF) {
		return e, nil, 0
	}
	h, ok := parseEntryHeader(head, left)
	if !ok {
		return e, nil, 0
	}
	whole := h.whole()
	if cap(buf) < whole {
		buf = make([]byte, whole)
	}
	buf = buf[:whole]
	var sum [crc32.Size]byte
	if _, err := io.ReadFull(in, buf); err != nil {
		return e, nil, 0
	}
	if _, err := io.ReadFull(in, sum[:]); err != nil || crc32.Checksum(buf, castagnoli()) != binary.BigEndian.Uint32(sum[:]) {
		return e, buf, 0
	}
	body := buf[h.size:]
	return fileEntry{meta: buf[0], key: body[:h.klen], value: body[h.klen:]}, buf, int64(whole) + crc32.Size
}

// Go's copy to memory stores the first bytes last: up to so many. The end of a process can
// so leave an entry that begins with zeros, where the lengths would be.
const MayBeLast = 32

// headless reports whether the unreadable end of a log of large values is the rest of one
// such entry. No other entry is behind that; it is damage that may look the same in the
// last entry of a log only, where a torn one does, too.
func headless(ctx context.Context, path string, end logEnd) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	beginning := make([]byte, MayBeLast+1)
	if _, err := f.ReadAt(beginning, end.offset); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if zeros := len(beginning) - len(bytes.TrimLeft(beginning, "\x00")); zeros < 3 || zeros > MayBeLast {
		return false, nil
	}
	rest := make([]byte, end.used-end.offset+crc32.Size) // a checksum may end with zeros
	if _, err := f.ReadAt(rest, end.offset); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	for i := range len(rest) - maxEntryHeader {
		if rest[i]|rest[i+1] != 0 { // large values have no meta data, and others no beginning
			continue
		}
		h, ok := parseEntryHeader(rest[i:i+maxEntryHeader], int64(len(rest)-i))
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		whole := i + h.whole()
		if crc32.Checksum(rest[i:whole], castagnoli()) == binary.BigEndian.Uint32(rest[whole:]) {
			return false, nil
		}
	}
	return true, nil
}

// logTail looks at what is behind the last good entry. claimed is the length of the
// entry that begins there, without its checksum, or 0.
func (v *Verifier) logTail(f *os.File, offset, size, claimed int64) (logEnd, error) {
	end := logEnd{offset: offset}
	if claimed > 0 {
		claimed += crc32.Size
	}
	at := offset
	block, zeros := make([]byte, 256<<10), make([]byte, 256<<10)
	for at < size {
		n, err := f.ReadAt(block, at)
		if n == 0 && err != nil && !errors.Is(err, io.EOF) {
			return logEnd{}, err
		}
		if n == 0 {
			break
		}
		if !bytes.Equal(block[:n], zeros[:n]) {
			end.torn = true
			end.used = at + int64(len(bytes.TrimRight(block[:n], "\x00")))
			end.more = end.used > offset+claimed
		}
		at += int64(n)
	}
	return end, nil
}

// valuelogs reads the logs of large values. Only the newest may have a torn entry,
// which was then not acknowledged; a value that is missing fails when it is read.
func (v *Verifier) valuelogs(ctx context.Context) error {
	paths, err := v.logs(ValueLogSuffix)
	if err != nil || v.Skip {
		return err
	}
	newest := len(paths) - 1
	if v.Live && len(paths) > 0 {
		paths = paths[:newest]
	}
	v.ends = map[uint32]int64{}
	for i, path := range paths {
		end, err := v.readLogFile(ctx, path, func(fileEntry) error { return nil })
		if err != nil {
			return err
		}
		number, _ := LogID(filepath.Base(path), ValueLogSuffix)
		v.ends[uint32(number)] = end.offset
		if !end.torn {
			continue
		}
		oneEntry := !end.more
		if i == newest && end.more {
			if oneEntry, err = headless(ctx, path, end); err != nil {
				return err
			}
		}
		if i < newest || !oneEntry {
			return Damaged(path, "entry at offset %d has a wrong checksum", end.offset)
		}
		v.Torn = path
	}
	return nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
