package persistence

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
	"strconv"

	"github.com/dgraph-io/badger/v4"
)

// Badger's logs, of memtables and of large values, have the same form: a header, with
// the id of a key and 12 random bytes for encryption, and entries:
//
//	meta, user meta, uvarint key length, uvarint value length, uvarint expires,
//	key with the version in its last 8 bytes, value, CRC-32C of all that, encrypted
//
// Files are allocated ahead: zeros follow.
const (
	logHeaderSize = 20
	maxBadgerKey  = 1 << 16

	metaDelete    = 1 << 0
	metaTxn       = 1 << 6 // part of a transaction
	metaEndOfTxn  = 1 << 7
	versionLength = 8
)

type fileEntry struct {
	meta       byte
	key, value []byte // decrypted
}

// logEnd says where the readable part of a log ends, and what is behind it.
type logEnd struct {
	offset int64
	// torn says that the rest is not empty: an entry that was not written to its
	// end, or that is damaged. more says that the rest is longer than that entry.
	torn, more bool
}

// readLogFile visits the entries of one of Badger's logs, as far as it can be read.
func (v *verifier) readLogFile(ctx context.Context, path string, visit func(fileEntry) error) (logEnd, error) {
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
	var header [logHeaderSize]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return logEnd{}, err
	}
	keyID := binary.BigEndian.Uint64(header[:])
	key, err := v.dataKey(keyID)
	if err != nil {
		return logEnd{}, damaged(path, "%w", err)
	}
	var buf []byte
	for offset := int64(logHeaderSize); ; {
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
		if err := visit(e); err != nil {
			return logEnd{}, err
		}
		offset += size
	}
}

// readEntry returns the next entry, in buf, and its size; 0 if it cannot be read. Then
// buf has the length that the entry would have, if that can be told.
func readEntry(in *bufio.Reader, buf []byte, left int64) (e fileEntry, _ []byte, size int64) {
	head, err := in.Peek(2 + 3*binary.MaxVarintLen64)
	if err != nil && !errors.Is(err, io.EOF) || len(head) < 5 {
		return e, nil, 0
	}
	d := decoder{rest: head[2:]}
	klen, vlen := d.uvarint(), d.uvarint()
	d.uvarint()
	n := len(head) - len(d.rest)
	if d.failed || klen < versionLength || klen > maxBadgerKey || vlen > uint64(left) {
		return e, nil, 0
	}
	whole := n + int(klen) + int(vlen)
	if int64(whole)+crc32.Size > left {
		return e, nil, 0
	}
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
	body := buf[n:]
	return fileEntry{meta: buf[0], key: body[:klen], value: body[klen:]}, buf, int64(whole) + crc32.Size
}

// logTail looks at what is behind the last good entry. claimed is the length of the
// entry that begins there, without its checksum, or 0.
func (v *verifier) logTail(f *os.File, offset, size, claimed int64) (logEnd, error) {
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
			used := int64(len(bytes.TrimRight(block[:n], "\x00")))
			end.more = at+used > offset+claimed
		}
		at += int64(n)
	}
	return end, nil
}

// valuelogs reads the logs of large values. Only the newest may have a torn entry,
// which was then not acknowledged; a value that is missing fails when it is read.
func (v *verifier) valuelogs(ctx context.Context) error {
	paths, err := logsIn(v.dir, valuelogSuffix)
	if err != nil {
		return err
	}
	if v.live && len(paths) > 0 {
		paths = paths[:len(paths)-1]
	}
	for i, path := range paths {
		end, err := v.readLogFile(ctx, path, func(fileEntry) error { return nil })
		if err != nil {
			return err
		}
		if end.torn && (end.more || i < len(paths)-1) {
			return damaged(path, "entry at offset %d has a wrong checksum", end.offset)
		}
	}
	return nil
}

// memtables reads the logs of what is not in tables yet; tables reach up to last. Each
// revision has an entry, so that a missing one shows. The first that is missing may
// have been lost by a crash if it was not synced; then all after it has to go, too.
func (v *verifier) memtables(ctx context.Context, last Revision) error {
	paths, err := logsIn(v.dir, memtableSuffix)
	if err != nil {
		return err
	}
	suspect := filepath.Join(v.dir, badger.ManifestFilename) // where what is missing should have been
	durable := v.mark.durable()
	for i, path := range paths {
		end, first, reached, err := v.memtable(ctx, path)
		if err != nil {
			return err
		}
		if first > last+1 {
			if last < durable {
				return damaged(suspect, "revisions %d to %d are missing", last+1, first-1)
			}
			return removeAll(paths[i:])
		}
		last = max(last, reached)
		if end.torn || reached > 0 {
			suspect = path
		}
	}
	if last < durable {
		return damaged(suspect, "revisions %d to %d are missing", last+1, durable)
	}
	return nil
}

// memtable returns the first and the last revision in a log; 0 if there is none.
func (v *verifier) memtable(ctx context.Context, path string) (end logEnd, first, last Revision, err error) {
	type span struct {
		first, last Revision
		base        bool
	}
	var pending []span // of the Badger transaction that is being read
	var version uint64
	broken := errors.New("broken transaction")
	end, err = v.readLogFile(ctx, path, func(e fileEntry) error {
		k := e.key[:len(e.key)-versionLength]
		switch {
		case e.meta&metaEndOfTxn != 0:
			if n, err := strconv.ParseUint(string(e.value), 10, 64); err != nil || n != version {
				return broken
			}
			for _, s := range pending {
				switch {
				case s.base:
					first = 1 // nothing before it counts
				case first == 0:
					first = s.first
				case s.first != last+1:
					return damaged(path, "revisions %d to %d are missing", last+1, s.first-1)
				}
				last = s.last
			}
			pending, version = pending[:0], 0
		case e.meta&metaTxn != 0:
			found := ^binary.BigEndian.Uint64(e.key[len(k):])
			if version != 0 && version != found {
				return broken
			}
			version = found
			if first, last, ok := parseLogKey(k); ok && e.meta&metaDelete == 0 {
				base := bytes.Equal(e.value, encodeBase())
				pending = append(pending, span{first, last, base})
			}
		case version != 0:
			return broken // Badger stops there, too
		}
		return nil
	})
	if errors.Is(err, broken) {
		return logEnd{torn: true}, first, last, nil
	}
	return end, first, last, err
}

func removeAll(paths []string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(paths[0]))
}
