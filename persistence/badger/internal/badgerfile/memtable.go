package badgerfile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// memtables reads the logs of what is not in tables yet; tables reach up to last. Each
// revision has an entry, so that a missing one shows. The first that is missing may
// have been lost by a crash if it was not synced; then all after it has to go, too.
func (v *Verifier) memtables(ctx context.Context, last persistence.Revision) error {
	empty := len(v.empty)
	paths, err := v.logs(MemtableSuffix)
	if err != nil {
		return err
	}
	suspect := filepath.Join(v.Dir, badger.ManifestFilename) // where what is missing should have been
	if len(v.empty) > empty {
		suspect = v.empty[empty]
	}
	durable := v.Durable
	lost := func(until persistence.Revision) error {
		return Damaged(suspect, "revisions %d to %d are missing", last+1, until)
	}
	for i, path := range paths {
		m, err := v.memtable(ctx, path)
		if err != nil {
			return err
		}
		if m.first > last+1 {
			if last < durable {
				return lost(m.first - 1)
			}
			return removeAll(paths[i:])
		}
		last = max(last, m.last)
		if m.torn || m.last > 0 {
			suspect = path
		}
		if m.dangling != "" {
			suspect = m.dangling
			if last < durable {
				return lost(durable)
			}
			return errors.Join(os.Truncate(path, m.end), SyncFile(path), removeAll(paths[i+1:]))
		}
	}
	if last < durable {
		return lost(durable)
	}
	return nil
}

// memtableLog is what the log of a memtable has.
type memtableLog struct {
	first, last persistence.Revision // 0 if there is none
	torn        bool                 // not all of it can be read
	end         int64                // of the last whole transaction
	// dangling is the value log in which a value should be that follows there.
	dangling string
}

func (v *Verifier) memtable(ctx context.Context, path string) (m memtableLog, err error) {
	r := memtableReader{log: v.Log}
	m.end = LogHeaderSize
	end, err := v.readLogFile(ctx, path, func(e fileEntry) error {
		if r.version == 0 {
			m.end = e.offset
		}
		if e.meta&metaPointer != 0 && !v.reaches(e.value) {
			m.dangling = v.valuelogOf(e.value)
			return errStop
		}
		return r.read(path, e)
	})
	if errors.Is(err, errStop) {
		end.torn, err = true, nil
	}
	m.first, m.last, m.torn = r.first, r.last, end.torn
	return m, err
}

// errStop says that the rest of a log is of no use. Badger stops there, too.
var errStop = errors.New("the rest is of no use")

// memtableReader follows the transactions in a log: entries of one version, with one at
// the end that says so. Entries by themselves are values that Badger has moved.
type memtableReader struct {
	log         func(key, value []byte) (first, last persistence.Revision, all, ok bool)
	first, last persistence.Revision
	version     uint64 // of the transaction that is being read; 0 if there is none
	pending     []span // in it
}

// span is the transactions, of ours, that are together in the log.
type span struct {
	first, last persistence.Revision
	base        bool
}

func (r *memtableReader) read(path string, e fileEntry) error {
	k := e.key[:len(e.key)-versionLength]
	switch {
	case e.meta&metaEndOfTxn != 0:
		if n, err := strconv.ParseUint(string(e.value), 10, 64); err != nil || n != r.version {
			return errStop
		}
		return r.complete(path)
	case e.meta&metaTxn != 0:
		version := ^binary.BigEndian.Uint64(e.key[len(k):])
		if r.version != 0 && r.version != version {
			return errStop
		}
		r.version = version
		if first, last, all, ok := r.log(k, e.value); ok && e.meta&metaDelete == 0 {
			r.pending = append(r.pending, span{first, last, all})
		}
	case r.version != 0:
		return errStop
	}
	return nil
}

func (r *memtableReader) complete(path string) error {
	for _, s := range r.pending {
		switch {
		case s.base:
			r.first = 1 // nothing before it counts
		case r.first == 0:
			r.first = s.first
		case s.first != r.last+1:
			return Damaged(path, "revisions %d to %d are missing", r.last+1, s.first-1)
		}
		r.last = s.last
	}
	r.pending, r.version = r.pending[:0], 0
	return nil
}

// reaches reports whether the value log has what an entry points to. One that is not
// there has been collected: what it had is elsewhere, or not needed.
func (v *Verifier) reaches(pointer []byte) bool {
	file, length, offset := pointerOf(pointer)
	end, there := v.ends[file]
	return !there || int64(offset)+int64(length) <= end
}

func (v *Verifier) valuelogOf(pointer []byte) string {
	file, _, _ := pointerOf(pointer)
	return filepath.Join(v.Dir, fmt.Sprintf("%06d%s", file, ValueLogSuffix))
}

// pointerOf reads where Badger has a large value; it writes that as it is in memory.
func pointerOf(p []byte) (file, length, offset uint32) {
	if len(p) != 12 {
		return 0, 0, 0
	}
	return binary.NativeEndian.Uint32(p), binary.NativeEndian.Uint32(p[4:]), binary.NativeEndian.Uint32(p[8:])
}

func removeAll(paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	for _, p := range paths {
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	return SyncDir(filepath.Dir(paths[0]))
}
