package badger

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// tick is how often the store looks after itself.
const tick = time.Second

// maintain does what the store needs beside reading and writing, until ctx ends.
func (s *Store) maintain(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	idle := backoff{least: 10 * time.Second, most: 10 * time.Minute}
	reclaim := backoff{least: 10 * time.Second, most: 10 * time.Minute}
	report := func(what string, err error) {
		closing := errors.Is(err, persistence.ErrClosed) // before ctx ends, perhaps
		if err != nil && !closing && ctx.Err() == nil && s.failure.get() == nil {
			s.log.Warn("badger: maintenance", "dir", s.config.Dir, "of", what, "error", err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			report("unsynced transactions", s.catchUp())
		case <-s.pace.waking():
		}
		report("history", s.trim(ctx, false))
		if s.pace != nil && (s.pace.due() || s.pace.changed() && idle.due()) {
			before := s.stats.collections.Load()
			report("overwritten and deleted values", s.tidy(ctx))
			idle.done(s.stats.collections.Load() > before)
		}
		if reclaim.due() && s.space.wasRefused() {
			err := s.trim(ctx, true)
			if err == nil {
				err = s.Compact(ctx)
			}
			s.space.again()
			reclaim.done(err == nil)
			report("space", err)
		}
	}
}

// backoff spaces attempts: the least after a useful one, twice as long after each
// that was not.
type backoff struct {
	least, most, wait time.Duration
	next              time.Time
}

func (b *backoff) due() bool { return !time.Now().Before(b.next) }

func (b *backoff) done(useful bool) {
	b.wait = min(2*b.wait, b.most)
	if useful || b.wait == 0 {
		b.wait = b.least
	}
	b.next = time.Now().Add(b.wait)
}

// catchUp syncs unsynced transactions. Others commit meanwhile.
func (s *Store) catchUp() error {
	if s.disk == nil || s.failure.get() != nil {
		return nil
	}
	err := s.disk.catchUp(persistence.Revision(s.visible.Load()))
	if err != nil {
		err = s.failure.set(err)
	}
	return err
}

// trim forgets history beyond what is configured, or all of it, but for the latest
// transaction: that says how far revisions have come.
func (s *Store) trim(ctx context.Context, all bool) error {
	if !s.pins.TryLock() {
		return nil
	}
	defer s.pins.Unlock()
	floor, last := s.history.bounds()
	target, err := s.forgettable(floor, last)
	if err != nil {
		return err
	}
	if all && last > 0 {
		target = last - 1
	}
	if target <= floor {
		return nil
	}
	keys, err := s.forgotten(target)
	if err != nil || len(keys) == 0 {
		return err
	}
	_, target, _ = parseLogKey(keys[len(keys)-1])
	changes := s.history.forget(target)
	for chunk := range slices.Chunk(keys, s.limits.transaction/changeCost) {
		_, err := s.submit(ctx, false, func(b *batch) (persistence.Revision, error) {
			if err := b.flush(); err != nil {
				return 0, err
			}
			for _, k := range chunk {
				b.delete(k)
			}
			return 0, b.flush()
		})
		if err != nil {
			return err
		}
	}
	// A read of an older revision that is going on finds out by discarded.
	s.discarded.Store(uint64(target))
	s.db.SetDiscardTs(uint64(target))
	if s.pace != nil {
		s.pace.forgot(changes)
	}
	return nil
}

// forgotten returns the keys of the log that end at target or before.
func (s *Store) forgotten(target persistence.Revision) (keys [][]byte, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	err = s.snapshot(func(txn *badger.Txn) error {
		keys = s.logKeys(txn, target)
		return nil
	})
	return keys, err
}

// forgettable returns the last revision that may be forgotten.
func (s *Store) forgettable(floor, last persistence.Revision) (persistence.Revision, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	target := floor
	if kept := persistence.Revision(s.config.HistoryCount); last > floor+kept+kept/16 {
		target = last - kept
	}
	target = max(target, s.history.beyond(int64(s.config.HistorySize)))
	old := time.Now().Add(-s.config.HistoryAge)
	for most := 1; target+1 < last; most = 1000 {
		entries, err := s.readLog(target, last, most)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			if e.at.After(old) || e.revision == last {
				return target, nil
			}
			target = e.revision
		}
	}
	return target, nil
}

// Compact gives back the room of what has been deleted, overwritten or has expired,
// and is not part of the history any more. The store does that by itself, over time,
// and at once when it is full. It takes as long as rewriting the store takes; reads
// and writes go on, but for some moments. It waits for one that is under way.
func (s *Store) Compact(ctx context.Context) error {
	select {
	case s.compact <- struct{}{}:
		defer func() { <-s.compact }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.measured(ctx, func(c *census) error {
		err := s.reclaimAll(ctx, c.dead)
		if err == nil {
			s.stats.compactions.Add(1)
		}
		return err
	})
}
