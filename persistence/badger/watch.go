package badger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// Watch implements [persistence.Store]. There is no goroutine behind it: changes are
// read when the loop asks for them, from memory or from the log, so that a slow watcher
// costs the others nothing. It waits if the store has not reached the revision yet.
func (s *Store) Watch(ctx context.Context, prefix string, after persistence.Revision) iter.Seq2[persistence.Changes, error] {
	return func(yield func(persistence.Changes, error) bool) {
		s.stats.watchers.Add(1)
		defer s.stats.watchers.Add(^uint64(0))
		follow(ctx, prefix, after, s.await, yield)
	}
}

// awaited are changes that have been waited for, and up to which revision they are all.
type awaited func(ctx context.Context, prefix string, after persistence.Revision) (_ []persistence.Changes, reached persistence.Revision, _ error)

// follow yields what next returns, again and again.
func follow(ctx context.Context, prefix string, after persistence.Revision, next awaited, yield func(persistence.Changes, error) bool) {
	for {
		changes, reached, err := next(ctx, prefix, after)
		for _, c := range changes {
			if !yield(c, nil) {
				return
			}
		}
		if err != nil {
			yield(persistence.Changes{}, err)
			return
		}
		after = reached
	}
}

// await is changes, once there is something to look at.
func (s *Store) await(ctx context.Context, prefix string, after persistence.Revision) ([]persistence.Changes, persistence.Revision, error) {
	for {
		changes, reached, grown, err := s.changes(ctx, prefix, after)
		if grown == nil || err != nil {
			return changes, reached, err
		}
		select {
		case <-grown:
		case <-ctx.Done():
		case <-s.closing:
		}
	}
}

// changes returns some of what has happened to the keys with prefix, and up to which
// revision that is all. If there was nothing to look at, it returns a channel to wait
// on.
func (s *Store) changes(ctx context.Context, prefix string, after persistence.Revision) (_ []persistence.Changes, reached persistence.Revision, grown <-chan struct{}, err error) {
	const most = 256 // between two looks at whether the watcher or the store has ended
	if err := ctx.Err(); err != nil {
		return nil, after, nil, err
	}
	if err := s.enter(); err != nil {
		return nil, after, nil, err
	}
	defer s.leave()
	entries, last, grown, err := s.history.next(after, most)
	if err != nil || grown != nil {
		return nil, after, grown, err
	}
	if entries == nil {
		if entries, err = s.readLog(after, last, most); err != nil {
			return nil, after, nil, err
		}
	}
	var changes []persistence.Changes
	reached = after
	for _, e := range entries {
		c, err := s.recall(&e, prefix)
		if err != nil {
			return changes, reached, nil, err
		}
		reached = e.revision
		if len(c.Changes) > 0 {
			changes = append(changes, c)
		}
	}
	return changes, reached, nil, nil
}

// readLog returns the entries after a revision, without a gap, and more than most only
// if they are together in the log.
func (s *Store) readLog(after, last persistence.Revision, most int) (entries []logEntry, err error) {
	err = s.attempt(func() error {
		txn := s.db.NewTransactionAt(uint64(last), false)
		defer txn.Discard()
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceLog}})
		defer it.Close()
		next := after + 1
		for it.Seek(logSeek(next)); it.Valid() && len(entries) < most; it.Next() {
			together, _, err := s.decodeLogItem(it.Item())
			if err != nil {
				return err
			}
			if len(together) == 0 || together[0].revision > next {
				break
			}
			entries = append(entries, together[next-together[0].revision:]...)
			next = entries[len(entries)-1].revision + 1
		}
		return nil
	})
	if err != nil || len(entries) > 0 {
		return entries, err
	}
	if floor, _ := s.history.bounds(); after < floor {
		return nil, s.history.gone(after) // forgotten in the meantime
	}
	return nil, s.corrupt(fmt.Errorf("revision %d is missing", after+1))
}

func (s *Store) decodeLogItem(item *badger.Item) (entries []logEntry, base bool, err error) {
	first, last, ok := parseLogKey(item.Key())
	if !ok {
		return nil, false, s.corrupt(fmt.Errorf("log key %q", item.Key()))
	}
	err = item.Value(func(stored []byte) error {
		entries, base, err = decodeLog(first, last, item.Version(), stored)
		return err
	})
	if err != nil {
		return nil, false, s.corrupt(fmt.Errorf("revision %d: %w", last, err))
	}
	return entries, base, nil
}

// logKeys returns the keys of the log that end at last or before.
func (s *Store) logKeys(txn *badger.Txn, last persistence.Revision) (keys [][]byte) {
	floor, _ := s.history.bounds()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceLog}})
	defer it.Close()
	for it.Seek(logSeek(floor)); it.Valid(); it.Next() {
		k := it.Item().KeyCopy(nil)
		if _, end, ok := parseLogKey(k); !ok || end > last {
			break
		}
		keys = append(keys, k)
	}
	return keys
}

// recall returns what the transaction of an entry did to the keys with prefix.
func (s *Store) recall(e *logEntry, prefix string) (persistence.Changes, error) {
	out := persistence.Changes{Revision: e.revision}
	err := s.attempt(func() error {
		txn := s.db.NewTransactionAt(e.version, false)
		defer txn.Discard()
		for _, c := range e.changes {
			if !strings.HasPrefix(c.key, prefix) {
				continue
			}
			change := persistence.Change{Key: c.key, Delete: c.kind != changePut, Expired: c.kind == changeExpire}
			if c.kind == changePut {
				r, err := s.lookup(txn, c.key, true)
				if err == nil && r.Revision != e.revision {
					err = persistence.ErrNotFound
				}
				if err != nil {
					return err
				}
				change.Value, change.Metadata = r.Value, r.Metadata
				if !r.Expires.IsZero() {
					change.TTL = r.Expires.Sub(e.at)
				}
			}
			out.Changes = append(out.Changes, change)
		}
		return nil
	})
	// Old values go when the floor has passed them, so what was found counts only if
	// it has not.
	if floor, _ := s.history.bounds(); e.revision <= floor && (err != nil || len(out.Changes) > 0) {
		return persistence.Changes{}, s.history.gone(e.revision - 1)
	}
	if errors.Is(err, persistence.ErrNotFound) {
		err = s.corrupt(fmt.Errorf("a value of revision %d is missing", e.revision))
	}
	if err != nil {
		return persistence.Changes{}, err
	}
	return out, nil
}
