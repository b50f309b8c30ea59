package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// syncMemtable makes the log of Badger's newest memtable durable. It does what Badger's
// Sync does, but not to the value log, which has got nothing: even a sync of a file that
// has not changed can flush the cache of the disk.
//
// Badger numbers these logs one after the other, and removes the oldest first. So the
// newest is the one that is there and has no next.
func (d *disk) syncMemtable(*badger.DB) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		id := d.synced[memtableSuffix]
		if d.memtable == nil {
			f, err := os.Open(d.memtablePath(id))
			if errors.Is(err, os.ErrNotExist) {
				return d.syncListed()
			} else if err != nil {
				return err
			}
			d.memtable = f
		}
		if err := fdatasync(d.memtable); err != nil {
			return fmt.Errorf("%s: %w", d.memtable.Name(), err)
		}
		next, err := exists(d.memtablePath(id + 1))
		if err != nil {
			return err
		}
		if !next {
			if newest, err := exists(d.memtablePath(id)); newest || err != nil {
				return err
			}
			return d.syncListed()
		}
		if err := d.forget(); err != nil {
			return err
		}
		d.synced[memtableSuffix] = id + 1
	}
}

func (d *disk) memtablePath(id int) string {
	return filepath.Join(d.dir, fmt.Sprintf("%05d%s", id, memtableSuffix))
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
