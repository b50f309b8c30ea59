package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/gofrs/flock"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// disk is what a store on disk has beside Badger: the lock of its directory, the mark
// of what is durable, and the knowledge of which files have to be synced.
type disk struct {
	dir  string
	lock *flock.Flock
	mark *mark
	torn string // the newest value log when it was opened, if its last entry was torn

	// dirty says that more than one transaction of Badger's may not be synced: they may
	// be in more files than the newest logs. That is so after opening and after unsynced
	// transactions.
	dirty atomic.Bool
	// busy counts those who write to the logs, or sync them, beside the committer.
	busy atomic.Int32

	mu       sync.Mutex
	synced   map[string]int // per suffix, the oldest log that may not be synced
	memtable *os.File       // that of the memtables; nil if it has not been needed
}

const lockName = "STORE.LOCK"

// ErrLocked says that the store is open elsewhere.
var ErrLocked = actor.NewError(actor.FailedPrecondition, "store is in use")

// The suffixes of Badger's logs: of the memtables and of large values.
const (
	memtableSuffix = ".mem"
	valuelogSuffix = ".vlog"
)

// lockDir makes the directory, if need be, and keeps others out.
func lockDir(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("badger: making the directory of the store: %w", err)
	}
	l := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	locked, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("badger: locking %s: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("badger: %w: %s is open elsewhere, in this process or another; end that, or choose another directory", ErrLocked, dir)
	}
	d := &disk{dir: dir, lock: l, synced: map[string]int{}}
	d.dirty.Store(true)
	return d, nil
}

func (d *disk) close() error {
	var err error
	if d.mark != nil {
		err = d.mark.close()
	}
	return errors.Join(err, d.forget(), d.lock.Close())
}

// sync makes everything durable that has been committed to Badger, and notes that this
// reaches up to r. It is in one of Badger's transactions, without values in the value
// log, unless scattered.
func (d *disk) sync(db *badger.DB, r persistence.Revision, scattered bool) error {
	dirty := d.dirty.Swap(false) // before looking at busy, which is set before this is reset
	if dirty || d.busy.Load() > 0 || scattered {
		if err := d.syncLogs(); err != nil {
			return err
		}
	}
	if err := d.syncMemtable(db); err != nil {
		return fmt.Errorf("syncing: %w", err)
	}
	d.mark.advance(r)
	return nil
}

// catchUp syncs what unsynced transactions have left, if anything, up to r. It may be
// called while others commit.
func (d *disk) catchUp(r persistence.Revision) error {
	d.busy.Add(1)
	defer d.busy.Add(-1)
	if !d.dirty.Swap(false) {
		return nil
	}
	if err := d.syncLogs(); err != nil {
		return err
	}
	d.mark.advance(r)
	return nil
}

// syncLogs syncs all logs since the ones that were the newest the last time. A log
// that goes in the meantime is in a table, which Badger has synced.
func (d *disk) syncLogs() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncListed()
}

// syncListed does what syncLogs does; the caller has the lock.
func (d *disk) syncListed() error {
	names, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, suffix := range []string{valuelogSuffix, memtableSuffix} {
		newest := d.synced[suffix]
		for _, n := range names {
			id, ok := logID(n.Name(), suffix)
			if !ok || id < d.synced[suffix] {
				continue
			}
			if err := syncFile(filepath.Join(d.dir, n.Name())); err != nil {
				return err
			}
			newest = max(newest, id)
		}
		if suffix == memtableSuffix && newest != d.synced[suffix] {
			if err := d.forget(); err != nil {
				return err
			}
		}
		d.synced[suffix] = newest
	}
	return nil
}

// forget closes the log of a memtable that is no longer the newest, or of a store that is
// closed.
func (d *disk) forget() error {
	if d.memtable == nil {
		return nil
	}
	f := d.memtable
	d.memtable = nil
	return f.Close()
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// logID returns the number in the name of one of Badger's files.
func logID(name, suffix string) (int, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	id, err := strconv.Atoi(digits)
	return id, err == nil
}

// logsIn returns the paths of the files in dir with that suffix, oldest first.
func logsIn(dir, suffix string) ([]string, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	ids := map[string]int{}
	var out []string
	for _, n := range names {
		if id, ok := logID(n.Name(), suffix); ok {
			path := filepath.Join(dir, n.Name())
			ids[path] = id
			out = append(out, path)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return ids[a] - ids[b] })
	return out, nil
}
