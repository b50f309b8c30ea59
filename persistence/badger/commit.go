package badger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"

	"github.com/troupe-go/troupe/persistence"
)

// Commit implements [persistence.Store]. Transactions that are committed at the same
// time share one sync of the disk. If it returns the error of ctx, nothing has been
// changed: a transaction whose turn has come is waited for.
//
// A transaction that is too large, see [Config.MemTableSize], is refused with
// [persistence.ErrInvalid].
func (s *Store) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	cost, err := s.check(&t, s.limits)
	if err != nil {
		return 0, err
	}
	if len(t.Then) > 0 {
		if err := s.pace.wait(ctx, s.closing, s.log); err != nil {
			return 0, err
		}
	}
	q := &s.commits
	p, _ := q.used.Get().(*prepared)
	if p == nil {
		p = new(prepared)
	}
	p.encode(&t, time.Now(), cost, s.limits.piece)
	revision, err := s.enqueue(ctx, work{transaction: p, synced: !t.Unsynced})
	if err == nil && cap(p.buf) <= mostReused { // Badger has copied it
		*p = prepared{buf: p.buf}
		q.used.Put(p)
	}
	return revision, err
}

// mostReused is how many bytes of a transaction are kept for another one.
const mostReused = 4 << 10

// changeCost is more than what a change takes beside its key and value, and such that
// a transaction within the limits has no more entries than Badger takes in one.
const changeCost = 256

// pieceCost is that of a piece of a value that goes.
const pieceCost = 128

// check refuses what makes no sense, and returns what the transaction costs.
func (s *Store) check(t *persistence.Transaction, most limits) (cost int, err error) {
	for _, c := range t.If {
		if len(c.Key) > persistence.MaxKeySize {
			return 0, keyTooLong(c.Key)
		}
	}
	var seen map[string]struct{}
	if len(t.Then) > 1 {
		seen = make(map[string]struct{}, len(t.Then))
	}
	for _, c := range t.Then {
		if len(c.Key) > persistence.MaxKeySize {
			return 0, keyTooLong(c.Key)
		}
		if _, twice := seen[c.Key]; twice {
			return 0, fmt.Errorf("badger: %w: two changes of %s in one transaction; leave out the first", persistence.ErrInvalid, quote(c.Key))
		}
		if seen != nil {
			seen[c.Key] = struct{}{}
		}
		if c.TTL < 0 || c.TTL > persistence.MaxTTL {
			return 0, fmt.Errorf("badger: %w: TTL of %s is %v; it may be 0, for ever, or up to 100 years", persistence.ErrInvalid, quote(c.Key), c.TTL)
		}
		value := len(c.Value)
		if value >= most.large {
			value /= 8 // a memtable has only its place, but the room for large values ends, too
		}
		cost += changeCost + 3*len(c.Key) + value // the key is in the log and the expiry index, too
		metadata := 0
		for name, value := range c.Metadata {
			metadata += len(name) + len(value) + 8
		}
		if metadata > persistence.MaxMetadataSize {
			return 0, fmt.Errorf("badger: %w: metadata of %s has %d bytes; at most %d are allowed: put more into the value", persistence.ErrInvalid, quote(c.Key), metadata, persistence.MaxMetadataSize)
		}
		cost += metadata
	}
	if cost > most.transaction {
		return 0, tooLarge(cost, most)
	}
	return cost, nil
}

func tooLarge(cost int, most limits) error {
	advice := "split it"
	if !most.fixed {
		advice += ", or raise MemTableSize of badger.Config"
	}
	return fmt.Errorf("badger: %w: transaction of about %d bytes; at most %d go into one: %s", persistence.ErrInvalid, cost, most.transaction, advice)
}

func keyTooLong(key string) error {
	return fmt.Errorf("badger: %w: key of %d bytes %s; at most %d are allowed", persistence.ErrInvalid, len(key), quote(key), persistence.MaxKeySize)
}

// work waits for its turn in the queue of commits.
type work struct {
	transaction *prepared
	other       func(*batch) (persistence.Revision, error) // instead of a transaction
	synced      bool
	turn        chan struct{} // one signal: done, or leads
	leads       bool
	revision    persistence.Revision
	err         error
}

func (w *work) apply(b *batch) (persistence.Revision, error) {
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
	used     sync.Pool     // of what was prepared for them
	expected int           // how many seem to commit again and again
	synced   time.Duration // how long the sync of the last group took; 0 without one
	full     chan struct{} // closed when so many are there; nil if nobody waits for that
	batch    batch         // the leader's
}

// submit has f applied in its turn. It returns when f's changes can be read and, if
// synced, are on disk.
func (s *Store) submit(ctx context.Context, synced bool, f func(*batch) (persistence.Revision, error)) (persistence.Revision, error) {
	return s.enqueue(ctx, work{other: f, synced: synced})
}

func (s *Store) enqueue(ctx context.Context, what work) (persistence.Revision, error) {
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
	if q.full != nil && len(q.queue) >= q.expected {
		close(q.full)
		q.full = nil
	}
	first := !q.busy
	w.leads = first
	q.busy = true
	q.mu.Unlock()
	if first {
		s.lead()
		return w.revision, w.err
	}
	if ended := ctx.Done(); ended == nil { // a select costs more
		<-w.turn
	} else {
		select {
		case <-w.turn:
		case <-ended:
			if q.withdraw(w) {
				return 0, ctx.Err()
			}
			<-w.turn
		}
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
func (s *Store) lead() {
	q := &s.commits
	q.mu.Lock()
	q.gather()
	n := min(len(q.queue), maxGroup)
	group := q.queue[:n:n]
	q.queue = q.queue[n:]
	q.mu.Unlock()

	q.synced = 0
	s.write(group)
	for _, w := range group[1:] {
		w.turn <- struct{}{}
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	q.expected = min(n+len(q.queue), maxGroup)
	if len(q.queue) == 0 {
		q.queue, q.busy = nil, false
		return
	}
	q.queue[0].leads = true
	q.queue[0].turn <- struct{}{}
}

// gather waits for those who were woken when the last group was done, and are back in
// a moment. It waits for up to half of what a sync takes, as PostgreSQL's manual advises
// for its commit_delay. It is called and returns with the lock.
func (q *commits) gather() {
	if len(q.queue) >= q.expected || q.synced == 0 {
		return
	}
	full := make(chan struct{})
	q.full = full
	q.mu.Unlock()
	late := time.NewTimer(q.synced / 2)
	select {
	case <-full:
	case <-late.C:
	}
	late.Stop()
	q.mu.Lock()
	q.full = nil
}

// write applies a group, makes it durable and then visible. When Badger or the disk
// fails, it is not known what has been written: from then on the store only reads.
func (s *Store) write(group []*work) {
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
				w.err = nil // fail says more
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
		s.log.Error("badger: the store takes no more writes", "dir", s.config.Dir, "error", err)
		fail(err)
		return
	}
	if b.wrote {
		s.visible.Store(uint64(b.last))
		if b.base > 0 {
			s.history.reset(b.base, b.base)
			s.pace.restart()
		}
		s.pace.wrote(b.bytes)
		if s.history.publish(b.logged, b.last, b.bytes, int64(b.changes)) > int64(s.config.HistorySize)*9/8 {
			s.pace.signal()
		}
		s.expirySet(b.expiries)
	}
}

// harden syncs what b has written, if anybody waits for that.
func (s *Store) harden(b *batch) error {
	if !b.wrote || s.disk == nil {
		return nil
	}
	if !b.synced {
		s.disk.dirty.Store(true)
		return nil
	}
	s.stats.syncs.Add(1)
	start := time.Now()
	err := s.disk.sync(s.db, b.last, b.large || b.flushes > 1)
	s.commits.synced = time.Since(start)
	return err
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
		f.err = actor.Errorf(persistence.ErrFailed.Code, "badger: %w: it only reads until it is opened again: %v", persistence.ErrFailed, cause)
		if outOfSpace(cause) {
			f.err = fmt.Errorf("badger: %w: the disk has no room; it only reads until it is opened again: %v", persistence.ErrFull, cause)
		}
	}
	return f.err
}
