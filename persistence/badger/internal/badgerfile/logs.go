package badgerfile

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Logs syncs the logs of a store that is open. Its methods may be called concurrently.
type Logs struct {
	dir string

	mu       sync.Mutex
	synced   map[string]int // per suffix, the oldest log that may not be synced
	memtable *os.File       // that of the memtables; nil if it has not been needed
}

// NewLogs returns those of the store in dir.
func NewLogs(dir string) *Logs { return &Logs{dir: dir, synced: map[string]int{}} }

// Close closes what is open. Who syncs after that begins with the oldest logs again.
func (l *Logs) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.synced)
	return l.forget()
}

// Sync syncs all logs since the ones that were the newest the last time. A log
// that goes in the meantime is in a table, which Badger has synced.
func (l *Logs) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.syncListed()
}

// syncListed is Sync. The caller has the lock.
func (l *Logs) syncListed() error {
	names, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, suffix := range []string{ValueLogSuffix, MemtableSuffix} {
		newest := l.synced[suffix]
		for _, n := range names {
			id, ok := LogID(n.Name(), suffix)
			if !ok || id < l.synced[suffix] {
				continue
			}
			if err := SyncFile(filepath.Join(l.dir, n.Name())); err != nil {
				return err
			}
			newest = max(newest, id)
		}
		if suffix == MemtableSuffix && newest != l.synced[suffix] {
			if err := l.forget(); err != nil {
				return err
			}
		}
		l.synced[suffix] = newest
	}
	return nil
}

// forget closes the log of a memtable that is no longer the newest, or of a store that is
// closed.
func (l *Logs) forget() error {
	if l.memtable == nil {
		return nil
	}
	f := l.memtable
	l.memtable = nil
	return f.Close()
}

func (l *Logs) memtablePath(id int) string {
	return filepath.Join(l.dir, fmt.Sprintf("%05d%s", id, MemtableSuffix))
}

// Synced returns the path of the newest memtable's log that was synced.
func (l *Logs) Synced() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.memtable != nil {
		return l.memtable.Name()
	}
	return l.memtablePath(l.synced[MemtableSuffix])
}
