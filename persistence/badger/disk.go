package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/gofrs/flock"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger/internal/badgerfile"
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

	logs *badgerfile.Logs
}

const lockName = "STORE.LOCK"

// ErrLocked says that the store is open elsewhere.
var ErrLocked = actor.NewError(actor.FailedPrecondition, "store is in use")

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
	d := &disk{dir: dir, lock: l, logs: badgerfile.NewLogs(dir)}
	d.dirty.Store(true)
	return d, nil
}

func (d *disk) close() error {
	var err error
	if d.mark != nil {
		err = d.mark.close()
	}
	return errors.Join(err, d.logs.Close(), d.lock.Close())
}

// sync makes everything durable that has been committed to Badger, and notes that this
// reaches up to r. It is in one of Badger's transactions, without values in the value
// log, unless scattered.
func (d *disk) sync(db *badger.DB, r persistence.Revision, scattered bool) error {
	dirty := d.dirty.Swap(false) // before looking at busy, which is set before this is reset
	if dirty || d.busy.Load() > 0 || scattered {
		if err := d.logs.Sync(); err != nil {
			return err
		}
	}
	if err := d.logs.SyncMemtable(db); err != nil {
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
	if err := d.logs.Sync(); err != nil {
		return err
	}
	d.mark.advance(r)
	return nil
}
