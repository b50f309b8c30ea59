package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/troupe-go/troupe/persistence"
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

func markMagic(encrypted bool) []byte {
	m := []byte("troupe\x00\x01\x00\x00\x00\x00")
	if encrypted {
		m[8] = 1
	}
	return m
}

// createMark makes the file durable: it is there before anything of Badger's is.
func createMark(dir string, encrypted bool) (*mark, error) {
	f, err := os.OpenFile(filepath.Join(dir, markName), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	content := make([]byte, markSize)
	copy(content, markMagic(encrypted))
	copy(content[markSlot:], encodeMark(0))
	copy(content[2*markSlot:], encodeMark(0))
	if _, err = f.WriteAt(content, 0); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(dir)
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
	switch {
	case n < markSize:
		return fmt.Errorf("badger: %w: %s has %d bytes, not %d (%v); restore the store from a backup", persistence.ErrCorrupt, path, n, markSize, err)
	case bytes.Equal(content[:markHeader], markMagic(!encrypted)) && encrypted:
		return fmt.Errorf("badger: %w: %s is not encrypted; open it without EncryptionKey, or back it up and restore it into a new directory", persistence.ErrInvalid, filepath.Dir(path))
	case bytes.Equal(content[:markHeader], markMagic(!encrypted)):
		return fmt.Errorf("badger: %w: %s is encrypted; set EncryptionKey", persistence.ErrInvalid, filepath.Dir(path))
	case !bytes.Equal(content[:markHeader], markMagic(encrypted)):
		return fmt.Errorf("badger: %w: %s does not begin as such a file does; restore the store from a backup", persistence.ErrCorrupt, path)
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

// syncDir makes new names in dir durable, where the system has that.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// Windows cannot sync a directory.
	if err := d.Sync(); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return errors.Join(err, d.Close())
	}
	return d.Close()
}
