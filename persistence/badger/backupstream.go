package badger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/version"
)

// A backup is a line with backupMagic and its version, and frames:
//
//	kind, uvarint length, content, CRC-32C of the stream up to here
//
// The first frame is the header, the last one the number of those between. A version
// without a minor has minor 0. Frames of a kind that is not known are skipped if the backup
// has a higher minor.
const (
	backupMagic   = "troupe backup "
	backupVersion = "1"
	maxBackupLine = 64

	frameHeader   = 'h' // uvarint since, revision, ns since 1970
	frameRecord   = 'r' // length and text of the key, stored record
	frameDeletion = 'd' // key
	framePlace    = 'p' // of a replica in its log
	frameProposal = 'q' // length and text of the proposer, what a replica remembers of it
	frameEnd      = 'e' // uvarint number of frames
)

type backupHeader struct {
	since, revision persistence.Revision
	at              time.Time
}

// backupWriter keeps the first error.
type backupWriter struct {
	out     io.Writer
	sum     uint32
	frames  uint64
	scratch []byte
	err     error
}

func newBackupWriter(out io.Writer) *backupWriter {
	w := &backupWriter{out: out}
	w.write([]byte(backupMagic + backupVersion + "\n"))
	return w
}

func (w *backupWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	w.sum = crc32.Update(w.sum, castagnoli(), b)
	_, w.err = w.out.Write(b)
}

func (w *backupWriter) frame(kind byte, content []byte) {
	w.write(binary.AppendUvarint([]byte{kind}, uint64(len(content))))
	w.write(content)
	w.write(binary.LittleEndian.AppendUint32(nil, w.sum))
	w.frames++
}

func (w *backupWriter) header(h backupHeader) {
	b := binary.AppendUvarint(nil, uint64(h.since))
	b = binary.AppendUvarint(b, uint64(h.revision))
	w.frame(frameHeader, binary.AppendUvarint(b, uint64(h.at.UnixNano())))
}

func (w *backupWriter) record(r *persistence.Record) {
	w.scratch = encodeRecord(appendText(w.scratch[:0], r.Key), r)
	w.frame(frameRecord, w.scratch)
}

func (w *backupWriter) deletion(key string) { w.frame(frameDeletion, []byte(key)) }

func (w *backupWriter) end() { w.frame(frameEnd, binary.AppendUvarint(nil, w.frames-1)) }

// backupVisitor gets what a stream contains, in its order.
type backupVisitor struct {
	header   func(backupHeader) error
	record   func(persistence.Record) error
	deletion func(key string) error
	replica  func(kind byte, content []byte) error
}

// readBackup reads a stream to its end. An error that is ErrCorrupt says that it is not
// what was written, or not all of it.
func readBackup(ctx context.Context, in io.Reader, visit backupVisitor) error {
	r := backupReader{in: bufio.NewReaderSize(in, 256<<10)}
	written, err := r.version()
	if err != nil {
		return err
	}
	for n := uint64(0); ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		kind, content, err := r.frame()
		if err != nil {
			return err
		}
		switch {
		case (n == 0) != (kind == frameHeader):
			err = errMalformed
		case kind == frameHeader:
			d := decoder{rest: content}
			h := backupHeader{since: persistence.Revision(d.uvarint()), revision: persistence.Revision(d.uvarint()), at: time.Unix(0, int64(d.uvarint()))}
			if d.failed || h.since > h.revision {
				err = errMalformed
			} else {
				err = visit.header(h)
			}
		case kind == frameRecord:
			d := decoder{rest: content}
			key := d.text()
			var record persistence.Record
			if record, err = decodeRecord(key, d.rest); err == nil && d.failed {
				err = errMalformed
			}
			if err != nil || len(key) > persistence.MaxKeySize {
				err = r.corrupt(errors.Join(err, errMalformed))
			} else {
				err = visit.record(record)
			}
		case kind == frameDeletion && len(content) <= persistence.MaxKeySize:
			err = visit.deletion(string(content))
		case kind == framePlace, kind == frameProposal:
			err = visit.replica(kind, content)
		case kind == frameEnd:
			d := decoder{rest: content}
			if d.uvarint() != n-1 || d.failed {
				return r.corrupt(errors.New("a part is missing"))
			}
			return nil
		case written.Minor > storeVersion().Minor: // of what is not known, nothing is needed
		default:
			err = errMalformed
		}
		if errors.Is(err, errMalformed) {
			return r.corrupt(fmt.Errorf("frame %d is malformed", n))
		} else if err != nil {
			return err
		}
	}
}

type backupReader struct {
	in     *bufio.Reader
	sum    uint32
	offset int64
	buf    bytes.Buffer
}

func (r *backupReader) corrupt(cause error) error {
	return fmt.Errorf("badger: %w: the backup cannot be read beyond byte %d: %w; use another one", persistence.ErrCorrupt, r.offset, cause)
}

func (r *backupReader) add(b []byte) {
	r.sum = crc32.Update(r.sum, castagnoli(), b)
	r.offset += int64(len(b))
}

func (r *backupReader) full(b []byte) error {
	_, err := io.ReadFull(r.in, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.corrupt(errors.New("it has been cut short"))
	} else if err != nil {
		return fmt.Errorf("badger: reading the backup: %w", err)
	}
	r.add(b)
	return nil
}

// version reads the first line, and refuses a backup of another major.
func (r *backupReader) version() (version.Version, error) {
	line := make([]byte, 0, maxBackupLine)
	for len(line) < maxBackupLine && !bytes.HasSuffix(line, []byte("\n")) {
		line = line[:len(line)+1]
		if err := r.full(line[len(line)-1:]); err != nil {
			return version.Version{}, err
		}
		if n := min(len(line), len(backupMagic)); string(line[:n]) != backupMagic[:n] {
			break
		}
	}
	text, ok := strings.CutSuffix(strings.TrimPrefix(string(line), backupMagic), "\n")
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	v, err := version.Parse(text)
	if !ok || err != nil {
		return version.Version{}, fmt.Errorf("badger: %w: this is no backup of a store", persistence.ErrCorrupt)
	}
	return v, readable(v, "the backup")
}

// frame returns the next frame; its content is valid until the next call. A damaged
// length makes nobody allocate more than the stream has.
func (r *backupReader) frame() (kind byte, content []byte, err error) {
	var b [1]byte
	if err := r.full(b[:]); err != nil {
		return 0, nil, err
	}
	kind = b[0]
	var length uint64
	for shift := 0; ; shift += 7 {
		if err := r.full(b[:]); err != nil {
			return 0, nil, err
		}
		if shift > 28 {
			return 0, nil, r.corrupt(fmt.Errorf("%w length", errMalformed))
		}
		length |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			break
		}
	}
	r.buf.Reset()
	n, err := io.CopyN(&r.buf, r.in, int64(length))
	if errors.Is(err, io.EOF) || err == nil && n < int64(length) {
		return 0, nil, r.corrupt(errors.New("it has been cut short"))
	} else if err != nil {
		return 0, nil, fmt.Errorf("badger: reading the backup: %w", err)
	}
	r.add(r.buf.Bytes())
	want := r.sum
	var sum [4]byte
	if err := r.full(sum[:]); err != nil {
		return 0, nil, err
	}
	if binary.LittleEndian.Uint32(sum[:]) != want {
		return 0, nil, r.corrupt(errors.New("wrong checksum"))
	}
	return kind, r.buf.Bytes(), nil
}
