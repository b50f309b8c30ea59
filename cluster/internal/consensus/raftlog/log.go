package raftlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/stopwatch"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// The records of a log: entries by index, what raft has to remember beside them, and
// the marker of the latest snapshot.
const (
	entryPrefix  = "e"
	stablePrefix = "s"
	markerKey    = "m"
)

// minFree is less than a replica needs to admit a transaction, so that a full disk
// stops writers before it stops the log.
const minFree = 128 << 20

// memTable is such that the log takes any proposal: an eighth of it, at most 2 MiB, in
// one transaction.
const memTable = 16 << 20

// maxStored and maxDeleted bound what the log does in one transaction of its store.
const (
	maxStored  = 1800 << 10
	maxDeleted = 2048
	entryCost  = 512 // more than an entry takes beside its data
)

// GrownBytes is how much is appended from one notice of [Log.Grown] to the next.
const GrownBytes = 32 << 20

// Log keeps the raft log of a server: the entries without a gap from first to last, raft's
// votes and terms, and where the latest snapshot ends. It implements [raft.LogStore],
// [raft.MonotonicLogStore] and [raft.StableStore]. Its methods may be called concurrently,
// those that write by one goroutine at a time, as raft does.
type Log struct {
	store  *badger.Store
	failed func(error)
	grown  chan uint64

	writing stopwatch.Stopwatch
	hang    atomic.Pointer[func()]

	mu          sync.Mutex
	bytes       int    // since grown got something
	entries     uint64 // likewise
	first, last uint64 // both 0 if there are none
	stable      map[string][]byte
}

// Open opens the log in config.Dir; without one it is in memory.
//
// Raft panics when it cannot read an entry or remember its term. So that it need not,
// failed is told of such an error. It must stop raft, and raft's connections before that,
// and return.
func Open(ctx context.Context, config badger.Config, failed func(error)) (*Log, error) {
	config.HistoryCount = 1
	config.MemTableSize, config.MinFree = memTable, minFree
	store, err := badger.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	l := &Log{store: store, failed: failed, grown: make(chan uint64, 1), stable: map[string][]byte{}}
	if err := l.load(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return l, nil
}

func (l *Log) load(ctx context.Context) error {
	for _, backwards := range []bool{false, true} {
		records, err := l.store.List(ctx, persistence.Query{Prefix: entryPrefix, KeysOnly: true, Limit: 1, Descending: backwards})
		if err != nil {
			return err
		}
		if len(records) == 0 {
			continue
		}
		index, err := parseEntryKey(records[0].Key)
		if err != nil {
			return err
		}
		if l.last = index; !backwards {
			l.first = index
		}
	}
	records, err := l.store.List(ctx, persistence.Query{Prefix: stablePrefix})
	for _, r := range records {
		l.stable[r.Key] = r.Value
	}
	return err
}

func entryKey(index uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte(entryPrefix), index))
}

func parseEntryKey(key string) (uint64, error) {
	if len(key) != len(entryPrefix)+8 {
		return 0, fmt.Errorf("consensus: %w: the log has a key %q", persistence.ErrCorrupt, key)
	}
	return binary.BigEndian.Uint64([]byte(key[len(entryPrefix):])), nil
}

// IsMonotonic says that the log has no gaps: raft then empties it when a snapshot takes
// its place.
func (l *Log) IsMonotonic() bool { return true }

// FirstIndex implements [raft.LogStore].
func (l *Log) FirstIndex() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first, nil
}

// LastIndex implements [raft.LogStore].
func (l *Log) LastIndex() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, nil
}

// GetLog implements [raft.LogStore].
func (l *Log) GetLog(index uint64, entry *raft.Log) error {
	r, err := l.store.Get(context.Background(), entryKey(index))
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return raft.ErrLogNotFound
	case errors.Is(err, persistence.ErrClosed):
		return err // nobody who would panic asks then
	case err == nil:
		*entry, err = decodeRecord(index, r.Value)
	}
	if err != nil {
		l.failed(fmt.Errorf("consensus: reading entry %d of the log: %w", index, err))
		*entry = raft.Log{Index: index, Type: raft.LogNoop} // nobody acts on it any more
	}
	return nil
}

// StoreLog implements [raft.LogStore].
func (l *Log) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs implements [raft.LogStore]. Entries are on disk when it returns.
func (l *Log) StoreLogs(entries []*raft.Log) error {
	var t persistence.Transaction
	size, next := 0, 0
	commit := func(to int) error {
		t.Unsynced = to < len(entries) // the last sync is for all
		if err := l.commit(t); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.last = entries[to-1].Index
		if l.first == 0 {
			l.first = entries[0].Index
		}
		l.grow(size, uint64(to-next))
		t, size, next = persistence.Transaction{}, 0, to
		return nil
	}
	for i, e := range entries {
		data, err := encodeRecord(e)
		if err != nil {
			return err
		}
		if cost := len(data) + entryCost; size+cost > maxStored && i > next {
			if err := commit(i); err != nil {
				return err
			}
		}
		size += len(data) + entryCost
		t.Then = append(t.Then, persistence.Change{Key: entryKey(e.Index), Value: data})
	}
	return commit(len(entries))
}

// commit writes to the disk, and can be seen to.
func (l *Log) commit(t persistence.Transaction) error {
	defer l.writing.Start()()
	if hang := l.hang.Load(); hang != nil {
		(*hang)()
	}
	_, err := l.store.Commit(context.Background(), t)
	return err
}

// grow counts what is appended. The caller holds mu.
func (l *Log) grow(bytes int, entries uint64) {
	l.bytes, l.entries = l.bytes+bytes, l.entries+entries
	if l.bytes < GrownBytes {
		return
	}
	select {
	case l.grown <- l.entries:
	default: // the log is being cut
	}
	l.bytes, l.entries = 0, 0
}

// DeleteRange implements [raft.LogStore]. The range is at one end of the log. What is
// left has no gap at any time.
func (l *Log) DeleteRange(low, high uint64) error {
	l.mu.Lock()
	first, last := l.first, l.last
	l.mu.Unlock()
	low, high = max(low, first), min(high, last)
	if first == 0 || low > high {
		return nil
	}
	for low <= high {
		n := min(high-low+1, maxDeleted)
		from := low
		if low > first {
			from = high - n + 1 // a suffix goes from its end
		}
		t := persistence.Transaction{Unsynced: n <= high-low}
		for i := from; i < from+n; i++ {
			t.Then = append(t.Then, persistence.Change{Key: entryKey(i), Delete: true})
		}
		if err := l.commit(t); err != nil {
			return err
		}
		if from == low && low <= first {
			low += n
			first = low
		} else {
			high -= n
			last = high
		}
		l.mu.Lock()
		if l.first, l.last = first, last; first > last {
			l.first, l.last = 0, 0
		}
		l.mu.Unlock()
	}
	return nil
}

// Forget removes what a snapshot up to index has left behind, if the entries after it do
// not follow: a crash came before raft could.
func (l *Log) Forget(index uint64) error {
	first, last := l.first, l.last
	if first <= index+1 && last >= index {
		return nil
	}
	return l.DeleteRange(first, last)
}

// Empty reports whether there are no entries, as in a log that nobody has used.
func (l *Log) Empty() bool { return l.last == 0 }

// Grown gets how many entries have made up the latest [GrownBytes], each time there are so
// many, unless the last notice was not taken yet.
func (l *Log) Grown() <-chan uint64 { return l.grown }

// Writing tells how long a write to the disk has taken that has not returned.
func (l *Log) Writing() *stopwatch.Stopwatch { return &l.writing }

// Hang has hold called before each write from now on: it is for tests of disks that hang.
func (l *Log) Hang(hold func()) { l.hang.Store(&hold) }

// Close closes the log. Whoever reads or writes then gets [persistence.ErrClosed].
func (l *Log) Close() error { return l.store.Close() }
