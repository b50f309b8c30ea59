package badgerfile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"

	"github.com/troupe-go/troupe/persistence"
)

// Verifier reads the files of a store before Badger does. Badger ends the process on
// some damaged files, ignores others, and cuts a log off at the first entry that it
// cannot read: here all of that becomes an error that names the file.
type Verifier struct {
	Dir     string
	Options badger.Options

	// Durable is the revision up to which everything has been synced, and must be there.
	Durable persistence.Revision

	// Skip does not read tables and value logs whole.
	Skip bool

	// Live says that the store is open, and writes to the newest logs.
	Live bool

	// Progress is told what is done from now on; nil if nobody waits.
	Progress func(string)

	// Log returns what an entry of a transaction says of revisions: from the first to the
	// last; all is whether nothing before them counts. Other entries are not ok.
	Log func(key, value []byte) (first, last persistence.Revision, all, ok bool)

	// Torn is, afterwards, the newest value log if its last entry cannot be read.
	Torn string

	empty []string          // logs to be removed
	ends  map[uint32]int64  // of value logs, by number: how far they can be read
	keys  map[uint64][]byte // of the data, by id; empty if the store is not encrypted
}

func (v *Verifier) progress(what string) {
	if v.Progress != nil {
		v.Progress(what)
	}
}

// Run verifies a store that is closed. It removes logs that a crash has left without a
// beginning, and what follows the last transaction that is whole.
func (v *Verifier) Run(ctx context.Context) error {
	if err := v.readKeys(); err != nil {
		return err
	}
	tables, err := v.manifest()
	if err != nil {
		return err
	}
	v.progress(fmt.Sprintf("reading %d tables", len(tables)))
	last, err := v.tables(ctx, tables)
	if err != nil {
		return err
	}
	v.progress("reading the value log")
	if err := v.valuelogs(ctx); err != nil {
		return err
	}
	v.progress("reading what was in memory")
	if err := v.memtables(ctx, last); err != nil {
		return err
	}
	return removeAll(v.empty)
}

// Locate looks for damage in a store that is open. What Badger may be writing is left out.
func (v *Verifier) Locate(ctx context.Context) error {
	if err := v.readKeys(); err != nil {
		return err
	}
	tables, err := v.manifest()
	if err == nil {
		_, err = v.tables(ctx, tables)
	}
	if err == nil {
		err = v.valuelogs(ctx)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a table that is no longer needed
	}
	return err
}

// Damaged returns an error that is [persistence.ErrCorrupt], names the file, and wraps what
// format says.
func Damaged(path string, format string, args ...any) error {
	return fmt.Errorf("badger: %w: %s: %w; restore the store from a backup", persistence.ErrCorrupt, path, fmt.Errorf(format, args...))
}

// logs returns the logs with that suffix, oldest first, but for those without even a
// header: a crash leaves them between their creation and their first byte, or between
// their truncation and their removal. Badger does not open a store with such a file.
func (v *Verifier) logs(suffix string) (paths []string, err error) {
	all, err := LogsIn(v.Dir, suffix)
	if err != nil {
		return nil, err
	}
	for _, path := range all {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.Size() < LogHeaderSize {
			v.empty = append(v.empty, path)
			continue
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// readKeys reads the keys of the data. Badger trusts the lengths in the file.
func (v *Verifier) readKeys() error {
	path := filepath.Join(v.Dir, badger.KeyRegistryFileName)
	err := CheckRegistry(path)
	if errors.Is(err, fs.ErrNotExist) && v.Durable == 0 {
		return nil
	} else if err != nil {
		return err
	}
	registry, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: v.Dir, ReadOnly: true, EncryptionKey: v.Options.EncryptionKey})
	switch {
	case errors.Is(err, badger.ErrEncryptionKeyMismatch) && len(v.Options.EncryptionKey) > 0:
		return fmt.Errorf("badger: %w: EncryptionKey does not fit %s; it is the wrong key, or the file is damaged", persistence.ErrInvalid, path)
	case err != nil:
		return Damaged(path, "%w", err)
	}
	v.keys = map[uint64][]byte{}
	for id := uint64(1); ; id++ {
		key, err := registry.DataKey(id)
		if err != nil { // keys are numbered from 1
			return nil
		}
		v.keys[id] = key.Data
	}
}

// dataKey returns the key with that id; nil is for what is not encrypted.
func (v *Verifier) dataKey(id uint64) ([]byte, error) {
	if id == 0 {
		return nil, nil
	}
	key, ok := v.keys[id]
	if !ok {
		return nil, fmt.Errorf("it needs key %d, which %s does not have", id, badger.KeyRegistryFileName)
	}
	return key, nil
}

// manifest returns the tables that the store consists of.
func (v *Verifier) manifest() (map[uint64]badger.TableManifest, error) {
	path := filepath.Join(v.Dir, badger.ManifestFilename)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if leftover, err := v.anyOf(".sst", MemtableSuffix, ValueLogSuffix); err != nil || leftover != "" || v.Durable > 0 {
			return nil, errors.Join(err, Damaged(path, "file is missing"))
		}
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	// What follows the header is there from the beginning, even if it lists nothing.
	const header, frame = 8, 8
	var start [header + frame]byte
	if _, err := io.ReadFull(f, start[:]); err != nil {
		return nil, Damaged(path, "file has been cut short")
	}
	if _, err := f.Seek(int64(binary.BigEndian.Uint32(start[header:])), io.SeekCurrent); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if size := int64(header+frame) + int64(binary.BigEndian.Uint32(start[header:])); info.Size() < size {
		return nil, Damaged(path, "file of %d bytes has been cut short: it begins with %d", info.Size(), size)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	m, _, err := badger.ReplayManifestFile(f, v.Options.ExternalMagicVersion, v.Options)
	if err != nil {
		return nil, Damaged(path, "%w", err)
	}
	return m.Tables, nil
}

// anyOf returns a file with one of the suffixes.
func (v *Verifier) anyOf(suffixes ...string) (string, error) {
	names, err := os.ReadDir(v.Dir)
	if err != nil {
		return "", err
	}
	for _, n := range names {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(n.Name(), s) }) {
			return n.Name(), nil
		}
	}
	return "", nil
}

// dataKeyOf is how Badger's tables want a key.
func dataKeyOf(id uint64, key []byte) *pb.DataKey {
	if key == nil {
		return nil
	}
	return &pb.DataKey{KeyId: id, Data: key}
}
