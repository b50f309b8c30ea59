package badger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// Badger removes a file of its value log when half of it is not needed. It knows that only
// of versions that a merge of tables has left out, so that nothing can be collected of
// what is in memtables, or in tables that nothing is merged into. The store therefore
// looks for versions that are not needed any more, has the tables merged that have them,
// and then has files collected.

// collectFiles is how many files of the value log are collected before the store is synced
// and they are removed.
const collectFiles = 8

// tidy collects what is not needed any more, if that is too much.
func (s *Store) tidy(ctx context.Context) error {
	select {
	case s.compact <- struct{}{}:
		defer func() { <-s.compact }()
	default:
		return nil // it is being done
	}
	return s.measured(ctx, func(c *census) error {
		// Most of it is in the newest tables. All are merged only if that does not do.
		for _, reclaim := range []func() error{
			func() error { return s.reclaimNewest(ctx) },
			func() error { return s.reclaimAll(ctx, c.dead) },
		} {
			files, err := sizeOf(s.config.Dir)
			if err != nil || !s.pace.wasteful(files, c.sizes.total()) {
				return err
			}
			if err := reclaim(); err != nil {
				return err
			}
		}
		return nil
	})
}

// measured finds out what is needed, collects, and has the pace begin anew, whatever has
// become of that. The caller has the turn of compact.
func (s *Store) measured(ctx context.Context, collect func(*census) error) error {
	c, err := s.survey(ctx)
	if err == nil {
		err = collect(c)
	}
	if s.pace == nil {
		return err
	}
	files, failure := sizeOf(s.config.Dir)
	if err = errors.Join(err, failure); err != nil {
		s.pace.gaveUp()
		return err
	}
	s.pace.collected(files, c.sizes)
	return nil
}

// reclaimNewest merges what was written last, and collects the value log.
func (s *Store) reclaimNewest(ctx context.Context) error {
	if err := s.flushMemtables(ctx); err != nil {
		return err
	}
	return s.collectAll(ctx)
}

// reclaimAll has all tables merged, also those with the keys in dead that nothing else
// would be merged into, and collects the value log.
func (s *Store) reclaimAll(ctx context.Context, dead [][]byte) error {
	if err := s.touch(ctx, dead); err != nil {
		return err
	}
	if err := s.flushMemtables(ctx); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	err := s.attempt(func() error { return s.db.Flatten(1) })
	s.leave()
	if err != nil {
		return fmt.Errorf("badger: compacting: %w", err)
	}
	return s.collectAll(ctx)
}

// collectAll removes all files of the value log of which half is not needed.
func (s *Store) collectAll(ctx context.Context) error {
	for s.disk != nil && ctx.Err() == nil {
		if more, err := s.collect(collectFiles); err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

// survey reads all keys. It returns what is live or history, and enough of the keys that
// have versions which are neither.
func (s *Store) survey(ctx context.Context) (*census, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	c := &census{floor: s.discarded.Load()}
	err := s.attempt(func() error {
		txn := s.db.NewTransactionAt(^uint64(0), false)
		defer txn.Discard()
		it := txn.NewIterator(badger.IteratorOptions{AllVersions: true})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if err := s.interrupted(ctx); err != nil {
				return err
			}
			item := it.Item()
			c.add(item.Key(), item.Version(), item.EstimatedSize(), item.IsDeletedOrExpired())
		}
		c.next(nil)
		return nil
	})
	return c, err
}

// census counts the versions of keys, which come newest first. Of those up to floor only
// the newest is needed.
type census struct {
	floor uint64
	sizes sizes // of what is needed
	dead  [][]byte

	key     []byte
	settled bool  // the newest up to floor has been seen
	size    int64 // of the others
	left    int64 // of dead versions, since a key was added to dead
}

// A table that has so many bytes of dead versions is merged.
const (
	deadOfKey   = 16 << 10
	deadOfTable = 64 << 10
)

func (c *census) add(key []byte, version uint64, size int64, deleted bool) {
	if c.key == nil || string(key) != string(c.key) {
		c.next(key)
	}
	switch {
	case version > c.floor:
		c.sizes.add(size)
	case c.settled || deleted:
		c.settled = true
		c.size += size
	default:
		c.settled = true
		c.sizes.add(size)
	}
}

// next ends the key and begins another.
func (c *census) next(key []byte) {
	c.left += c.size
	if c.size >= deadOfKey || c.left >= deadOfTable {
		c.dead = append(c.dead, append([]byte(nil), c.key...))
		c.left = 0
	}
	c.key, c.settled, c.size = append(c.key[:0], key...), false, 0
}

// touch writes what brings about that tables with those keys are merged, and changes
// nothing: a deletion before every version that is needed.
func (s *Store) touch(ctx context.Context, keys [][]byte) error {
	for len(keys) > 0 {
		n, size := 0, 0
		for n < len(keys) && (n == 0 || size+changeCost+len(keys[n]) <= s.limits.transaction) {
			size += changeCost + len(keys[n])
			n++
		}
		_, err := s.submit(ctx, false, func(b *batch) (persistence.Revision, error) {
			if err := b.flush(); err != nil {
				return 0, err
			}
			txn := s.db.NewTransactionAt(uint64(b.last), true)
			defer txn.Discard()
			for _, k := range keys[:n] {
				if err := txn.Delete(k); err != nil {
					return 0, err
				}
			}
			b.wrote = true
			if err := s.commitAt(txn, 1); err != nil {
				b.failure = fmt.Errorf("badger: marking what can be collected: %w", err)
			}
			return 0, b.failure
		})
		if err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// flushMemtables gets what is in memtables into tables, and those merged. Badger does so
// when a prefix is dropped that has data.
func (s *Store) flushMemtables(ctx context.Context) error {
	s.collects.Lock() // Badger fails to move a value meanwhile
	defer s.collects.Unlock()
	_, err := s.submit(ctx, false, func(b *batch) (persistence.Revision, error) {
		if b.last == 0 {
			return 0, nil
		}
		b.set([]byte{spaceScratch}, nil)
		if err := b.flush(); err != nil {
			return 0, err
		}
		if err := s.db.DropPrefix([]byte{spaceScratch}); err != nil {
			b.failure = fmt.Errorf("flushing memtables: %w", err)
		}
		return 0, b.failure
	})
	return err
}

// collect removes up to most files of the value log of which half is not needed, and
// reports whether there may be more.
func (s *Store) collect(most int) (more bool, err error) {
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	s.collects.Lock()
	defer s.collects.Unlock()
	s.disk.busy.Add(1)
	defer s.disk.busy.Add(-1)
	collected := 0
	err = s.attempt(func() error {
		// Badger moves what is needed without a sync and removes the file, but not as
		// long as there is an iterator.
		txn := s.db.NewTransactionAt(s.visible.Load(), false)
		defer txn.Discard()
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceMeta}})
		defer it.Close()
		var err error
		moved := false
		for collected < most && err == nil && !s.ending.Load() && s.failure.get() == nil {
			s.moved.Store(movedUnknown)
			if err = s.collectFile(); err == nil {
				collected++
				moved = moved || s.moved.Load() != 0
			}
		}
		if collected > 0 && moved {
			if syncing := s.disk.logs.Sync(); syncing != nil {
				return syncing
			}
		}
		return err
	})
	s.stats.collections.Add(uint64(collected))
	switch {
	case err == nil:
		return collected == most, nil
	case errors.Is(err, badger.ErrNoRewrite), errors.Is(err, badger.ErrRejected), isMarked(err):
		return false, nil
	}
	return false, s.failure.set(fmt.Errorf("collecting the value log: %w", err))
}

// collectFile removes one file of the value log of which half is not needed.
func (s *Store) collectFile() error {
	s.memtable.Lock()
	defer s.memtable.Unlock()
	return s.db.RunValueLogGC(0.5)
}

// isMarked says that a file has been collected and is not removed yet, since something is
// being read. Badger has no value for that error.
func isMarked(err error) bool { return strings.Contains(err.Error(), "already marked for deletion") }
