package badgerfile

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// SyncMemtable makes the log of Badger's newest memtable durable. It does what Badger's
// Sync does, but not to the value log, which has got nothing: even a sync of a file that
// has not changed can flush the cache of the disk.
//
// Badger numbers these logs one after the other, and removes the oldest first. So the
// newest is the one that is there and has no next.
func (l *Logs) SyncMemtable(*badger.DB) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		id := l.synced[MemtableSuffix]
		if l.memtable == nil {
			f, err := os.Open(l.memtablePath(id))
			if errors.Is(err, os.ErrNotExist) {
				return l.syncListed()
			} else if err != nil {
				return err
			}
			l.memtable = f
		}
		if err := fdatasync(l.memtable); err != nil {
			return fmt.Errorf("%s: %w", l.memtable.Name(), err)
		}
		next, err := exists(l.memtablePath(id + 1))
		if err != nil {
			return err
		}
		if !next {
			if newest, err := exists(l.memtablePath(id)); newest || err != nil {
				return err
			}
			return l.syncListed()
		}
		if err := l.forget(); err != nil {
			return err
		}
		l.synced[MemtableSuffix] = id + 1
	}
}

func exists(path string) (bool, error) {
	var s syscall.Stat_t // os.Lstat makes an error for each that is not there
	switch err := syscall.Lstat(path, &s); err {
	case nil:
		return true, nil
	case syscall.ENOENT:
		return false, nil
	default:
		return false, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
}

func fdatasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
