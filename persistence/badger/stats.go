package badger

import (
	"sync/atomic"

	"github.com/troupe-go/troupe/persistence"
)

// Stats is what a store has done since it was opened, and what it has. The numbers of
// events only grow, as counters of Prometheus and OpenTelemetry do; those under
// "present" are gauges.
type Stats struct {
	// Transactions were committed, with Changes to keys. Conflicts failed with
	// [persistence.ErrConflict].
	Transactions, Changes, Conflicts uint64
	// Syncs of the disk; the transactions committed per sync show how well they
	// are grouped.
	Syncs uint64
	// Reads are calls of Get, Lists those of List.
	Reads, Lists uint64
	// Expired is the number of records that went because their time was over.
	Expired uint64
	// Collections of the value log have each removed a file.
	Collections uint64
	// Compactions are those that were asked for, or needed because the store was full.
	Compactions uint64

	// Present: the latest revision, and the one after which [Store.Watch] can begin.
	Revision, History persistence.Revision
	// Present: how many are watching.
	Watchers uint64
	// Present: the bytes that the store takes, and that are free on its disk, as far
	// as they have been measured; a store in memory counts tables only.
	Size, Free int64
}

type statistics struct {
	transactions, changes, conflicts, syncs, reads, lists atomic.Uint64
	expired, collections, compactions, watchers           atomic.Uint64
}

// Stats returns the counters. It costs next to nothing, also on a closed store.
func (s *Store) Stats() Stats {
	floor, last := s.history.bounds()
	s.space.mu.Lock()
	size, free := s.space.used+s.space.written, s.space.free
	s.space.mu.Unlock()
	return Stats{
		Transactions: s.stats.transactions.Load(),
		Changes:      s.stats.changes.Load(),
		Conflicts:    s.stats.conflicts.Load(),
		Syncs:        s.stats.syncs.Load(),
		Reads:        s.stats.reads.Load(),
		Lists:        s.stats.lists.Load(),
		Expired:      s.stats.expired.Load(),
		Collections:  s.stats.collections.Load(),
		Compactions:  s.stats.compactions.Load(),
		Revision:     last,
		History:      floor,
		Watchers:     s.stats.watchers.Load(),
		Size:         size,
		Free:         free,
	}
}
