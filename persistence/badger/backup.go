package badger

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// Backup writes what the store has to w, as of one revision, and returns that. With
// since 0 that is everything; else it is what has changed after that revision, which is
// that of the backup to add to. It returns [persistence.ErrHistoryGone] if changes
// since then are no longer kept: then make a full one.
//
// Reads and writes go on meanwhile. The stream has checksums, and is complete only if
// Backup returns no error. It is not encrypted, whatever the store is.
func (s *Store) Backup(ctx context.Context, w io.Writer, since persistence.Revision) (persistence.Revision, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	s.pins.RLock()
	defer s.pins.RUnlock()
	floor, last := s.history.bounds()
	switch {
	case since > last:
		return 0, fmt.Errorf("badger: %w: a backup since revision %d of a store at revision %d", persistence.ErrInvalid, since, last)
	case since > 0 && since < floor:
		return 0, s.history.gone(since)
	}
	buffered := bufio.NewWriterSize(w, 256<<10)
	out := newBackupWriter(buffered)
	out.header(backupHeader{since: since, revision: last, at: time.Now()})
	err := s.attempt(func() error {
		txn := s.db.NewTransactionAt(uint64(last), false)
		defer txn.Discard()
		if since == 0 {
			return s.backupAll(ctx, txn, out)
		}
		return s.backupSince(ctx, txn, out, since, last)
	})
	if s.discarded.Load() > uint64(last) {
		err = fmt.Errorf("badger: %w: the store went on faster than the backup; make it again", persistence.ErrHistoryGone)
	}
	if err == nil {
		out.end()
		err = out.err
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("badger: backup of %s: %w", s.where(), err)
	}
	return last, nil
}

func (s *Store) backupAll(ctx context.Context, txn *badger.Txn, out *backupWriter) error {
	return scan(txn, persistence.Query{}, func(item *badger.Item, key string) (bool, error) {
		if err := s.interrupted(ctx); err != nil {
			return false, err
		}
		r, err := s.decode(txn, item, key)
		if err == nil {
			out.record(&r)
			err = out.err
		}
		return err == nil, err
	})
}

func (s *Store) backupSince(ctx context.Context, txn *badger.Txn, out *backupWriter, since, last persistence.Revision) error {
	const most = 1000
	there := map[string]bool{} // the keys that have changed
	for at := since; at < last; {
		if err := s.interrupted(ctx); err != nil {
			return err
		}
		entries, err := s.readLog(at, last, most)
		if err != nil {
			return err
		}
		for _, e := range entries {
			for _, c := range e.changes {
				there[c.key] = c.kind == changePut
			}
			at = e.revision
		}
	}
	for _, key := range slices.Sorted(maps.Keys(there)) {
		if err := s.interrupted(ctx); err != nil {
			return err
		}
		if !there[key] {
			out.deletion(key)
		} else if r, err := s.lookup(txn, key, true); err == nil {
			out.record(&r)
		} else {
			return err
		}
		if out.err != nil {
			return out.err
		}
	}
	return nil
}
