package badger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// maxReplicated is the size of the largest transaction of a replica. It is the same
// for all of them, whatever their configuration.
const maxReplicated = 1<<20 + 256<<10

// replicaMemTable makes sure that there is room for it.
const replicaMemTable = 16 << 20

func replicaLimits() limits {
	return limits{transaction: maxReplicated, large: math.MaxInt, fixed: true}
}

// idleProposer is how long a proposer is remembered.
const idleProposer = time.Hour

// Replica is a store that changes by the entries of a log which other replicas have
// too, in the same order: the state machine of a replicated store (Schneider,
// "Implementing Fault-Tolerant Services Using the State Machine Approach", 1990).
// Equal entries make equal replicas, revisions included; they must all run the same
// version of this package. Reads and watches are those of a [Store]. All methods may
// be called concurrently, but Apply, Sync and Install only one at a time.
type Replica struct {
	config Config
	lock   *disk // of the folder around that of the store; nil in memory

	mu     sync.RWMutex // for store, which Install replaces, and closed
	store  *Store
	closed bool

	closeOnce sync.Once
	marked    chan struct{} // closed when closed is set

	state sync.Mutex // held while entries are applied, for what follows
	place place
	known map[string]*proposal
}

// Entry is what a place in the log says.
type Entry struct {
	// Index is the place. It grows. An entry that is not beyond [Replica.Applied] is
	// skipped, so that a log can be replayed from anywhere before that.
	Index uint64
	// At is the time by the clock of whoever ordered the entry. Conditions and TTLs
	// are judged by it. One before that of an earlier entry counts as the latter.
	At time.Time
	// From names who proposed the entry, and Sequence numbers what it proposes. An
	// entry with the Sequence of the last one From there is not applied again but has
	// the same outcomes, for an hour; one with a lower Sequence has none. An empty
	// From proposes everything once.
	From     string
	Sequence uint64
	// Expire removes what has expired by At, or some of it, before the transactions.
	Expire bool
	// Transactions are applied one after the other. Unsynced is not used.
	Transactions []persistence.Transaction
}

// Outcome is what became of a transaction: a revision, or an error that is
// [persistence.ErrConflict] or [persistence.ErrInvalid].
type Outcome struct {
	Revision persistence.Revision
	Err      error
}

// OpenReplica opens the replica that config describes, or makes one. Errors are those
// of [Open]. Nothing expires by itself: see [Replica.NextExpiry].
func OpenReplica(ctx context.Context, config Config) (*Replica, error) {
	config.MemTableSize = max(config.MemTableSize, replicaMemTable)
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	r := &Replica{config: config, marked: make(chan struct{})}
	if config.Dir != "" {
		var err error
		if r.lock, err = lockDir(config.Dir); err != nil {
			return nil, err
		}
	}
	err := r.settleInstall()
	var s *Store
	if err == nil {
		s, err = r.openData(ctx)
	}
	if err == nil {
		if err = r.adopt(s); err != nil {
			err = errors.Join(err, s.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.unlock())
	}
	return r, nil
}

// adopt makes s the store: it begins with what is there, or with an empty revision 1. The caller holds state and mu, or nobody else has the replica
// yet.
func (r *Replica) adopt(s *Store) error {
	r.place, r.known = place{}, map[string]*proposal{}
	if s.visible.Load() == 0 {
		_, err := s.submit(context.Background(), true, func(b *batch) (persistence.Revision, error) {
			b.last = 1
			b.set(logKey(1, 1), encodeLog([]logEntry{{revision: 1, at: b.now}}))
			b.set(placeKey(), r.place.encode())
			return 1, b.flush()
		})
		if err != nil {
			return err
		}
	}
	err := s.snapshot(func(txn *badger.Txn) error {
		item, err := find(txn, placeKey())
		if err == nil && item == nil {
			err = errors.New("it is a store, but no replica")
		}
		if err == nil {
			err = item.Value(func(data []byte) error { return r.place.decode(data) })
		}
		if err != nil {
			return err
		}
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceProposer}})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			p := new(proposal)
			if err := it.Item().Value(p.decode); err != nil {
				return err
			}
			r.known[string(it.Item().Key()[1:])] = p
		}
		return nil
	})
	if err != nil {
		return s.corrupt(err)
	}
	s.latest.Store(r.place.at)
	r.store = s
	return nil
}

// Apply applies entries, and returns the outcomes of each; none for one that was
// skipped. What it has applied can be read, and is on disk after [Replica.Sync] or a
// while; after a crash the replica continues where [Replica.Applied] says. An error
// says that the replica has failed and must not go on.
func (r *Replica) Apply(entries []Entry) ([][]Outcome, error) {
	r.state.Lock()
	defer r.state.Unlock()
	outcomes := make([][]Outcome, len(entries))
	s := r.current()
	if err := s.pace.wait(context.Background(), s.closing, s.log); err != nil {
		return nil, err
	}
	_, err := s.submit(context.Background(), false, func(b *batch) (persistence.Revision, error) {
		b.place = r.place.encode
		if err := s.space.last(time.Now()); err != nil {
			b.failure = err
			return 0, err
		}
		for i := range entries {
			var err error
			if outcomes[i], err = r.apply(b, &entries[i]); err != nil {
				b.failure = errors.Join(err, b.failure)
				return 0, b.failure
			}
		}
		return b.last, nil
	})
	if err != nil {
		return nil, err
	}
	s.latest.Store(r.place.at)
	return outcomes, nil
}

func (r *Replica) apply(b *batch, e *Entry) ([]Outcome, error) {
	if e.Index <= r.place.index {
		return nil, nil
	}
	r.place.begin(e)
	b.now = time.Unix(0, r.place.at)
	if p := r.known[e.From]; e.From != "" && p != nil && e.Sequence <= p.sequence {
		r.place.end()
		if e.Sequence < p.sequence {
			return nil, nil
		}
		return p.outcomes, nil
	}
	if e.Expire {
		if err := b.expire(); err != nil {
			return nil, err
		}
		r.forget(b)
	}
	for i := len(r.place.done); i < len(e.Transactions); i++ {
		o, err := b.outcome(&e.Transactions[i])
		if err != nil {
			return nil, err
		}
		r.place.done = append(r.place.done, o)
	}
	outcomes := r.place.end()
	if e.From != "" {
		p := &proposal{sequence: e.Sequence, at: r.place.at, outcomes: outcomes}
		r.known[e.From] = p
		b.set(proposerKey(e.From), p.encode())
		b.size += changeCost + len(e.From) + 10*len(outcomes)
	}
	return outcomes, b.failure
}

// outcome applies a transaction; an error is not about the transaction.
func (b *batch) outcome(t *persistence.Transaction) (Outcome, error) {
	cost, err := b.s.check(t, replicaLimits())
	if err != nil {
		return Outcome{Err: err}, nil
	}
	revision, err := b.transact(prepare(t, b.now, cost, b.s.limits.piece))
	switch {
	case err == nil:
		return Outcome{Revision: revision}, b.failure
	case errors.Is(err, persistence.ErrConflict):
		return Outcome{Err: err}, b.failure
	}
	return Outcome{}, err
}

// forget drops the proposers that have been idle for long.
func (r *Replica) forget(b *batch) {
	for name, p := range r.known {
		if r.place.at-p.at > int64(idleProposer) {
			delete(r.known, name)
			b.delete(proposerKey(name))
		}
	}
}

// Admit returns the error that a transaction would meet for what it is, or for want of
// room: [persistence.ErrInvalid] or [persistence.ErrFull]. It is asked before an entry is put into the log,
// since then all replicas have to apply it.
func (r *Replica) Admit(t *persistence.Transaction) error {
	s := r.current()
	cost, err := s.check(t, replicaLimits())
	if err != nil {
		return err
	}
	if err := s.failure.get(); err != nil {
		return err
	}
	adds := false
	for _, c := range t.Then {
		adds = adds || !c.Delete
	}
	return s.space.admit(time.Now(), adds, cost)
}

// Applied returns the index of the last entry that was applied.
func (r *Replica) Applied() uint64 {
	r.state.Lock()
	defer r.state.Unlock()
	return r.place.index
}

// NextExpiry returns when the next record expires. Whoever leads then puts an entry with Expire
// into the log, and asks again.
func (r *Replica) NextExpiry() (at time.Time, ok bool) {
	next, err := r.current().nextExpiry()
	if err != nil || next == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, next), true
}

// ExpiryChanged returns a channel that gets a signal when [Replica.NextExpiry] may be
// earlier than it was. Only one can listen; Install replaces the channel.
func (r *Replica) ExpiryChanged() <-chan struct{} { return r.current().alarm.set }

// Sync makes durable what was applied before it was called.
func (r *Replica) Sync() error { return r.current().catchUp() }

// Latest returns the revision of the last change.
func (r *Replica) Latest() persistence.Revision {
	return persistence.Revision(r.current().visible.Load())
}

// Stats returns the counters.
func (r *Replica) Stats() Stats { return r.current().Stats() }

// Get is that of [persistence.Store].
func (r *Replica) Get(ctx context.Context, key string, options ...persistence.ReadOption) (record persistence.Record, err error) {
	err = r.retry(func(s *Store) error {
		record, err = s.Get(ctx, key, options...)
		return err
	})
	return record, err
}

// List is that of [persistence.Store].
func (r *Replica) List(ctx context.Context, q persistence.Query, options ...persistence.ReadOption) (records []persistence.Record, err error) {
	err = r.retry(func(s *Store) error {
		records, err = s.List(ctx, q, options...)
		return err
	})
	return records, err
}

// Page is a part of a list.
type Page struct {
	Records []persistence.Record
	// Revision and At are when the list is from: those of the first page, for the
	// next one. More says that there is one, after the last of Records.
	Revision persistence.Revision
	At       time.Time
	More     bool
}

// ListPage is List in pages of about size bytes, that come from one revision: present
// has no Revision for the first page, and is the page before for the others. It returns
// [persistence.ErrHistoryGone] if that revision is no longer kept.
func (r *Replica) ListPage(ctx context.Context, q persistence.Query, size int, present Page) (page Page, err error) {
	err = r.retry(func(s *Store) error {
		page, err = s.listPage(ctx, q, size, present)
		return err
	})
	return page, err
}

func (s *Store) listPage(ctx context.Context, q persistence.Query, size int, page Page) (_ Page, err error) {
	if err := errors.Join(ctx.Err(), checkQuery(q)); err != nil {
		return Page{}, err
	}
	if err := s.enter(); err != nil {
		return Page{}, err
	}
	defer s.leave()
	s.stats.lists.Add(1)
	if page.Revision == 0 {
		page.Revision, page.At = persistence.Revision(s.visible.Load()), s.now()
	}
	if last := persistence.Revision(s.visible.Load()); page.Revision > last {
		return Page{}, fmt.Errorf("badger: %w: a page of revision %d of a store at revision %d", persistence.ErrInvalid, page.Revision, last)
	}
	err = s.attempt(func() error {
		txn := s.db.NewTransactionAt(uint64(page.Revision), false)
		defer txn.Discard()
		page.Records, page.More, err = s.list(ctx, txn, q, page.At, size)
		return err
	})
	if s.discarded.Load() > uint64(page.Revision) {
		err = s.history.gone(page.Revision)
	}
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

func (r *Replica) current() *Store {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.store
}

// retry reads again if the store was replaced meanwhile.
func (r *Replica) retry(read func(*Store) error) error {
	for {
		s := r.current()
		err := read(s)
		if !errors.Is(err, persistence.ErrClosed) || r.current() == s {
			return err
		}
	}
}

// Close is that of [Store.Close].
func (r *Replica) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	return r.CloseContext(ctx)
}

// CloseContext is that of [Store.CloseContext].
func (r *Replica) CloseContext(ctx context.Context) error {
	r.closeOnce.Do(func() {
		go func() {
			defer close(r.marked)
			r.mu.Lock() // Install has it while it replaces the store
			defer r.mu.Unlock()
			r.closed = true
		}()
	})
	select {
	case <-r.marked:
	case <-ctx.Done():
		return fmt.Errorf("badger: closing %s: a snapshot is being installed, which did not end: %w; the disk may not answer, and closing again waits on", r.config.Dir, ctx.Err())
	}
	s := r.current()
	err := s.CloseContext(ctx)
	select {
	case <-s.ended:
		return errors.Join(err, r.unlock())
	default:
		return err // the folder stays locked
	}
}

func (r *Replica) unlock() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lock == nil {
		return nil
	}
	lock := r.lock
	r.lock = nil
	return lock.close()
}

// errClosed is for what cannot be done any more.
func errClosed() error { return fmt.Errorf("badger: %w", persistence.ErrClosed) }
