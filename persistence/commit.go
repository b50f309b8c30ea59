package persistence

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Commit implements [Store]. Transactions that are committed at the same time share
// one sync of the disk. If it returns the error of ctx, nothing has been changed: a
// transaction whose turn has come is waited for.
//
// A transaction whose parts together exceed an eighth of [Config.MemTableSize] is
// refused with [ErrInvalid].
func (s *Badger) Commit(ctx context.Context, t Transaction) (Revision, error) {
	cost, err := s.check(&t)
	if err != nil {
		return 0, err
	}
	p := prepare(&t, cost, s.limits.piece)
	return s.enqueue(ctx, work{transaction: p, synced: !t.Unsynced})
}

// changeCost is more than what a change takes beside its key and value, and such that
// a transaction within the limits has no more entries than Badger takes in one.
const changeCost = 256

// pieceCost is that of a piece of a value that goes.
const pieceCost = 128

// check refuses what makes no sense, and returns what the transaction costs.
func (s *Badger) check(t *Transaction) (cost int, err error) {
	const longestTTL = 100 * 365 * 24 * time.Hour
	for _, c := range t.If {
		if len(c.Key) > MaxKeySize {
			return 0, keyTooLong(c.Key)
		}
	}
	var seen map[string]struct{}
	if len(t.Then) > 1 {
		seen = make(map[string]struct{}, len(t.Then))
	}
	for _, c := range t.Then {
		if len(c.Key) > MaxKeySize {
			return 0, keyTooLong(c.Key)
		}
		if _, twice := seen[c.Key]; twice {
			return 0, fmt.Errorf("persistence: %w: two changes of %s in one transaction; leave out the first", ErrInvalid, quote(c.Key))
		}
		if seen != nil {
			seen[c.Key] = struct{}{}
		}
		if c.TTL < 0 || c.TTL > longestTTL {
			return 0, fmt.Errorf("persistence: %w: TTL of %s is %v; it may be 0, for ever, or up to 100 years", ErrInvalid, quote(c.Key), c.TTL)
		}
		cost += changeCost + 3*len(c.Key) + len(c.Value) // the key is in the log and the expiry index, too
		metadata := 0
		for name, value := range c.Metadata {
			metadata += len(name) + len(value) + 8
		}
		if metadata > MaxMetadataSize {
			return 0, fmt.Errorf("persistence: %w: metadata of %s has %d bytes; at most %d are allowed: put more into the value", ErrInvalid, quote(c.Key), metadata, MaxMetadataSize)
		}
		cost += metadata
	}
	if cost > s.limits.transaction {
		return 0, s.tooLarge(cost)
	}
	return cost, nil
}

func (s *Badger) tooLarge(cost int) error {
	return fmt.Errorf("persistence: %w: transaction of about %d bytes; at most %d go into one: split it, or raise MemTableSize", ErrInvalid, cost, s.limits.transaction)
}

func keyTooLong(key string) error {
	return fmt.Errorf("persistence: %w: key of %d bytes %s; at most %d are allowed", ErrInvalid, len(key), quote(key), MaxKeySize)
}

// work waits for its turn in the queue of commits.
type work struct {
	transaction *prepared
	other       func(*batch) (Revision, error) // instead of a transaction
	synced      bool
	turn        chan struct{} // one signal: done, or leads
	leads       bool
	revision    Revision
	err         error
}

func (w *work) apply(b *batch) (Revision, error) {
	if w.transaction != nil {
		return b.transact(w.transaction)
	}
	return w.other(b)
}

// maxGroup bounds how much waits for one sync.
const maxGroup = 1024

// commits is the queue of what is to be written. Whoever comes when nobody writes
// becomes the leader: it writes what has gathered, syncs once, and passes the lead on
// (as LevelDB's and RocksDB's writers do). A lone writer so pays for no switch of
// goroutines, and there is no goroutine to stop.
type commits struct {
	mu       sync.Mutex
	queue    []*work
	busy     bool
	spare    sync.Pool     // of works that nobody waits for
	previous int           // the size of the last group
	took     time.Duration // how long it took
	batch    batch         // the leader's
}

// submit has f applied in its turn. It returns when f's changes can be read and, if
// synced, are on disk.
func (s *Badger) submit(ctx context.Context, synced bool, f func(*batch) (Revision, error)) (Revision, error) {
	return s.enqueue(ctx, work{other: f, synced: synced})
}

func (s *Badger) enqueue(ctx context.Context, what work) (Revision, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	q := &s.commits
	w, _ := q.spare.Get().(*work)
	if w == nil {
		w = &work{turn: make(chan struct{}, 1)}
	}
	defer func() {
		*w = work{turn: w.turn}
		q.spare.Put(w)
	}()
	what.turn = w.turn
	*w = what
	q.mu.Lock()
	q.queue = append(q.queue, w)
	first := !q.busy
	w.leads = first
	q.busy = true
	q.mu.Unlock()
	if first {
		s.lead()
		return w.revision, w.err
	}
	select {
	case <-w.turn:
	case <-ctx.Done():
		if q.withdraw(w) {
			return 0, ctx.Err()
		}
		<-w.turn
	}
	if w.leads {
		s.lead()
	}
	return w.revision, w.err
}

// withdraw takes w out of the queue, unless it is being done or leads.
func (q *commits) withdraw(w *work) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.queue {
		if other == w && !w.leads {
			q.queue = append(q.queue[:i], q.queue[i+1:]...)
			return true
		}
	}
	return false
}

// lead writes one group, the leader's own work first, and passes the lead on.
func (s *Badger) lead() {
	q := &s.commits
	q.mu.Lock()
	// Those who were woken when the last group was done are back in a moment: it pays
	// to wait for them, for a small part of what the last group took.
	start := time.Now()
	for len(q.queue) < q.previous && time.Since(start) < q.took/8 {
		q.mu.Unlock()
		runtime.Gosched()
		q.mu.Lock()
	}
	n := min(len(q.queue), maxGroup)
	group := q.queue[:n:n]
	q.previous = n
	q.queue = q.queue[n:]
	q.mu.Unlock()

	start = time.Now()
	s.write(group)
	q.took = time.Since(start)
	for _, w := range group[1:] {
		w.turn <- struct{}{}
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		q.queue, q.busy = nil, false
		return
	}
	q.queue[0].leads = true
	q.queue[0].turn <- struct{}{}
}

// write applies a group, makes it durable and then visible. When Badger or the disk
// fails, it is not known what has been written: from then on the store only reads.
func (s *Badger) write(group []*work) {
	fail := func(err error) {
		for _, w := range group {
			if w.err == nil {
				w.revision, w.err = 0, err
			}
		}
	}
	if err := s.failure.get(); err != nil {
		fail(err)
		return
	}
	b := &s.commits.batch
	b.begin(s, len(group))
	defer b.end()
	err := s.attempt(func() error {
		for _, w := range group {
			b.synced = b.synced || w.synced
			w.revision, w.err = w.apply(b)
			if b.failure != nil {
				return b.failure
			}
		}
		if err := b.flush(); err != nil {
			return err
		}
		return s.harden(b)
	})
	if err != nil {
		err = s.failure.set(err)
		s.log.Error("persistence: the store takes no more writes", "dir", s.config.Dir, "error", err)
		fail(err)
		return
	}
	if b.wrote {
		s.visible.Store(uint64(b.last))
		if b.base > 0 {
			s.history.reset(b.base, b.base)
		}
		s.history.publish(b.logged, b.last)
		s.expirySet(b.expiries)
	}
}

// harden syncs what b has written, if anybody waits for that.
func (s *Badger) harden(b *batch) error {
	if !b.wrote || s.disk == nil {
		return nil
	}
	if !b.synced {
		s.disk.dirty.Store(true)
		return nil
	}
	s.stats.syncs.Add(1)
	return s.disk.sync(s.db, b.last, b.large)
}

// failure keeps the first reason why a store takes no more writes.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *failure) set(cause error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = actor.Errorf(ErrFailed.Code, "persistence: %w: it only reads until it is opened again: %v", ErrFailed, cause)
		if outOfSpace(cause) {
			f.err = fmt.Errorf("persistence: %w: the disk has no room; it only reads until it is opened again: %v", ErrFull, cause)
		}
	}
	return f.err
}
