package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger/internal/badgerfile"
	"github.com/troupe-go/troupe/persistence/version"
)

// mark is a small file beside Badger's: that this is a store, whether it is encrypted,
// and the revision up to which everything has been synced. With it, Open can tell a
// log that a crash has cut short from one that has lost what was acknowledged; Badger
// takes both for the former.
//
// The revision is in two places in turn, so that a torn write spoils the one that was
// not the latest. It is not synced each time: the system writes it in its own time,
// and an older one only says less. It is written through a memory map: a write to the
// file would dirty its inode, and make the sync of the log that follows dearer.
type mark struct {
	mu       sync.Mutex
	file     *os.File
	content  []byte // a map of the file
	writes   int64
	revision persistence.Revision
}

const (
	markName     = "STORE"
	markSize     = 1536
	markSlot     = 512 // the first; the second follows at twice that
	markHeader   = 12
	markSlotSize = 12
)

// storeVersion is that of all that is in the directory of a store. Records, logs and places
// have a byte for their form, too; another one there is damage.
func storeVersion() version.Version { return version.One() }

// markHead is the header of the file, which every version has: markMagic, the major,
// flags, the minor twice, and the major less 1, so that damage does not look like another
// version.
type markHead struct {
	version   version.Version
	encrypted bool
}

const markMagic = "troupe\x00"

func (h markHead) encode() []byte {
	major, minor := byte(h.version.Major), byte(h.version.Minor)
	flags := byte(0)
	if h.encrypted {
		flags = 1
	}
	return append([]byte(markMagic), major, flags, minor, minor, major-1)
}

// decodeMarkHead returns what b begins with, if that is a header.
func decodeMarkHead(b []byte) (h markHead, ok bool) {
	if len(b) < markHeader {
		return markHead{}, false
	}
	m := len(markMagic)
	h.version = version.Version{Major: uint32(b[m]), Minor: uint32(b[m+2])}
	h.encrypted = b[m+1]&1 != 0
	known := h.version.Major != storeVersion().Major || b[m+1] <= 1 // flags are those of a major
	return h, known && h.version.Major > 0 && bytes.Equal(b[:m], []byte(markMagic)) && b[m+3] == b[m+2] && b[m+4] == b[m]-1
}

// checkVersion returns an error that is ErrVersion if the store in dir, if there is one, is
// of another major. It changes nothing.
func checkVersion(dir string) error {
	f, err := os.Open(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	content := make([]byte, markHeader)
	n, err := f.ReadAt(content, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if h, ok := decodeMarkHead(content[:n]); ok {
		return readable(h.version, dir)
	}
	return nil
}

// readable returns an error that is ErrVersion if something is of another major.
func readable(written version.Version, what string) error {
	if err := storeVersion().Reads(written, what); err != nil {
		return fmt.Errorf("badger: %w: %w", persistence.ErrVersion, err)
	}
	return nil
}

// createMark makes the file durable: it is there before anything of Badger's is.
func createMark(dir string, encrypted bool) (*mark, error) {
	f, err := os.OpenFile(filepath.Join(dir, markName), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	content := make([]byte, markSize)
	copy(content, markHead{storeVersion(), encrypted}.encode())
	copy(content[markSlot:], encodeMark(0))
	copy(content[2*markSlot:], encodeMark(0))
	if _, err = f.WriteAt(content, 0); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = badgerfile.SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return mapMark(f)
}

// openMark returns an error that is fs.ErrNotExist if there is no such file.
func openMark(dir string, encrypted bool) (*mark, error) {
	path := filepath.Join(dir, markName)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	var m mark
	if err := m.read(f, path, encrypted); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	mapped, err := mapMark(f)
	if err == nil {
		mapped.writes, mapped.revision = m.writes, m.revision
	}
	return mapped, err
}

// mapMark returns the mark in f, and closes f if that fails.
func mapMark(f *os.File) (*mark, error) {
	content, err := z.Mmap(f, true, markSize)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("badger: mapping %s: %w", f.Name(), err), f.Close())
	}
	return &mark{file: f, content: content}, nil
}

func (m *mark) read(f *os.File, path string, encrypted bool) error {
	content := make([]byte, markSize)
	n, err := f.ReadAt(content, 0)
	head, ok := decodeMarkHead(content[:n])
	if ok {
		if err := readable(head.version, filepath.Dir(path)); err != nil {
			return err
		}
	}
	switch {
	case n < markSize:
		return fmt.Errorf("badger: %w: %s has %d bytes, not %d (%v); restore the store from a backup", persistence.ErrCorrupt, path, n, markSize, err)
	case !ok:
		return fmt.Errorf("badger: %w: %s does not begin as such a file does; restore the store from a backup", persistence.ErrCorrupt, path)
	case encrypted && !head.encrypted:
		return fmt.Errorf("badger: %w: %s is not encrypted; open it without EncryptionKey, or back it up and restore it into a new directory", persistence.ErrInvalid, filepath.Dir(path))
	case !encrypted && head.encrypted:
		return fmt.Errorf("badger: %w: %s is encrypted; set EncryptionKey", persistence.ErrInvalid, filepath.Dir(path))
	}
	first, ok1 := decodeMark(content[markSlot:])
	second, ok2 := decodeMark(content[2*markSlot:])
	if !ok1 && !ok2 {
		return fmt.Errorf("badger: %w: %s has no revision with a right checksum; restore the store from a backup", persistence.ErrCorrupt, path)
	}
	m.revision = max(first, second)
	if ok1 && first == m.revision {
		m.writes = 1 // the next goes to the second place
	}
	return nil
}

func encodeMark(r persistence.Revision) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(r))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

func decodeMark(b []byte) (persistence.Revision, bool) {
	if crc32.Checksum(b[:8], castagnoli()) != binary.LittleEndian.Uint32(b[8:markSlotSize]) {
		return 0, false
	}
	return persistence.Revision(binary.LittleEndian.Uint64(b)), true
}

// advance notes that everything up to r is on disk.
func (m *mark) advance(r persistence.Revision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r <= m.revision {
		return
	}
	copy(m.content[markSlot*(1+m.writes%2):], encodeMark(r))
	m.writes++
	m.revision = r
}

func (m *mark) durable() persistence.Revision {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.revision
}

func (m *mark) close() error {
	return errors.Join(z.Msync(m.content), z.Munmap(m.content), m.file.Close())
}
