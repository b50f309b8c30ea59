package badger

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// batch applies transactions one after the other, and hands them to Badger together:
// those that touch different keys share one Badger transaction. Its version is the
// revision of the last of them; each record holds its own revision. Only the leader of
// a commit group uses it.
type batch struct {
	s     *Store
	last  persistence.Revision
	txn   *badger.Txn
	view  *badger.Txn // what is committed, also what is not published yet
	size  int         // of txn
	keys  *keySet     // that it changes
	wrote bool

	logged   []logEntry           // of this group
	inLog    int                  // how many of them have been handed to Badger
	arena    []loggedChange       // theirs
	base     persistence.Revision // where the history begins anew; 0 if it does not
	expiries int64                // the earliest new one, in ns since 1970; 0 is none
	now      time.Time
	synced   bool // somebody waits for the disk
	flushes  int
	large    bool // values went to the value log
	failure  error
	place    func() []byte // of a replica: what to note with the changes

	transactions, changes uint64
	bytes                 int64 // that were written
}

// begin makes b ready for a group of that size. It reuses what nobody else holds.
func (b *batch) begin(s *Store, size int) {
	if b.keys == nil {
		b.keys = &keySet{seed: maphash.MakeSeed()}
	}
	b.keys.clear()
	*b = batch{
		s:      s,
		last:   persistence.Revision(s.visible.Load()),
		now:    time.Now(),
		keys:   b.keys,
		logged: b.logged[:0],
		arena:  make([]loggedChange, 0, size),
	}
}

// prepared is a transaction of which everything is encoded but the revision, which the
// leader gives it.
type prepared struct {
	persistence.Transaction
	cost  int
	large int // the bytes of values in the value log
	at    time.Time
	puts  []preparedPut // in the order of Then, without deletions
	one   [1]preparedPut
	buf   []byte // what they are in
}

type preparedPut struct {
	key, prepared []byte // the record without its revision
	header        int
	expires       time.Time
	pieces        [][]byte // of a value that is not in prepared
}

func prepare(t *persistence.Transaction, at time.Time, cost, piece int) *prepared {
	p := new(prepared)
	p.encode(t, at, cost, piece)
	return p
}

// encode makes p what prepare returns, in the memory that p has.
func (p *prepared) encode(t *persistence.Transaction, at time.Time, cost, piece int) {
	buf := slices.Grow(p.buf[:0], cost-len(t.Then)*changeCost*3/4)
	*p = prepared{Transaction: *t, cost: cost, at: at}
	p.puts = p.one[:0]
	if len(t.Then) > 1 {
		p.puts = make([]preparedPut, 0, len(t.Then))
	}
	for _, c := range t.Then {
		if c.Delete {
			continue
		}
		r := persistence.Record{Key: c.Key, Value: c.Value, Metadata: c.Metadata}
		if c.TTL > 0 {
			r.Expires = p.at.Add(c.TTL)
		}
		var put preparedPut
		buf, put = preparePut(buf, &r, piece)
		p.puts = append(p.puts, put)
		if piece == 0 && len(put.prepared) >= valueThreshold {
			p.large += len(put.prepared)
		}
	}
	p.buf = buf
}

func preparePut(buf []byte, r *persistence.Record, piece int) ([]byte, preparedPut) {
	p := preparedPut{expires: r.Expires}
	if piece > 0 && len(r.Value) > piece {
		p.pieces = slices.Collect(slices.Chunk(bytes.Clone(r.Value), piece))
	}
	start := len(buf)
	buf = append(append(buf, spaceRecord), r.Key...)
	middle := len(buf)
	buf, p.header = prepareRecord(buf, r, len(p.pieces))
	p.key, p.prepared = buf[start:middle:middle], buf[middle:len(buf):len(buf)]
	return buf, p
}

// transact does what [persistence.Store.Commit] promises.
func (b *batch) transact(t *prepared) (persistence.Revision, error) {
	if b.overlaps(&t.Transaction) || b.size+t.cost > b.s.limits.transaction {
		if err := b.flush(); err != nil {
			return 0, err
		}
	}
	for _, c := range t.If {
		switch present, err := b.revision(c.Key); {
		case err != nil:
			return 0, err
		case present != c.Revision:
			b.s.stats.conflicts.Add(1)
			return 0, fmt.Errorf("badger: %w: %s is at revision %d, not %d", persistence.ErrConflict, quote(c.Key), present, c.Revision)
		}
	}
	if len(t.Then) == 0 {
		return b.last, nil
	}
	old, err := b.replaced(t)
	if err != nil {
		return 0, err
	}
	for _, r := range old {
		t.cost += pieceCost * r.pieces
	}
	for _, p := range t.puts {
		t.cost -= pieceCost * min(len(p.pieces), old[string(p.key[1:])].pieces)
	}
	if t.cost > b.s.limits.transaction {
		return 0, tooLarge(t.cost, b.s.limits)
	}
	if b.size+t.cost > b.s.limits.transaction {
		if err := b.flush(); err != nil {
			return 0, err
		}
	}
	if b.place == nil { // a replica has been asked before
		if err := b.s.space.admit(b.now, len(t.puts) > 0, t.cost+t.large); err != nil {
			return 0, err
		}
	}
	revision := b.last + 1
	logged := len(b.arena)
	puts := t.puts
	for _, c := range t.Then {
		present, there := old[c.Key]
		switch {
		case !c.Delete:
			b.put(c.Key, revision, &puts[0], present.pieces)
			puts = puts[1:]
			b.arena = append(b.arena, loggedChange{changePut, c.Key})
		case there && !expired(&present.Record, b.now):
			b.remove(&present)
			b.arena = append(b.arena, loggedChange{changeDelete, c.Key})
		}
	}
	b.size += t.cost
	b.bytes += int64(t.cost + t.large)
	b.log(t.at, logged)
	return b.last, b.failure
}

func (b *batch) overlaps(t *persistence.Transaction) bool {
	for _, c := range t.If {
		if b.keys.mayHave(c.Key) {
			return true
		}
	}
	for _, c := range t.Then {
		if b.keys.mayHave(c.Key) {
			return true
		}
	}
	return false
}

// committed returns a view of all that has been flushed.
func (b *batch) committed() *badger.Txn {
	if b.view == nil {
		b.view = b.s.db.NewTransactionAt(math.MaxUint64, false)
	}
	return b.view
}

// replaced returns the records that t deletes and, if they can have pieces, overwrites.
func (b *batch) replaced(t *prepared) (old map[string]storedRecord, err error) {
	for _, c := range t.Then {
		if !c.Delete && b.s.limits.piece == 0 {
			continue
		}
		r, there, err := b.present(c.Key)
		if err != nil && c.Delete {
			return nil, err
		}
		if there { // a damaged record can be overwritten
			if old == nil {
				old = map[string]storedRecord{}
			}
			old[c.Key] = r
		}
	}
	return old, nil
}

// present returns the header of a record, also of one that has expired.
func (b *batch) present(key string) (r storedRecord, there bool, err error) {
	item, err := find(b.committed(), recordKey(key))
	if err != nil || item == nil {
		return storedRecord{}, false, err
	}
	r, err = b.s.header(item, key)
	return r, err == nil, err
}

// revision returns that of the record of key, 0 if there is none.
func (b *batch) revision(key string) (persistence.Revision, error) {
	r, there, err := b.present(key)
	if err != nil || !there || expired(&r.Record, b.now) {
		return 0, err
	}
	return r.Revision, nil
}

// put writes a record in the place of one that had so many pieces.
func (b *batch) put(key string, revision persistence.Revision, p *preparedPut, pieces int) {
	stored := sealRecord(key, revision, p.prepared, p.header)
	b.large = b.large || len(stored) >= valueThreshold
	b.set(p.key, stored)
	for n, piece := range p.pieces {
		b.set(pieceKey(n, key), piece)
	}
	for n := len(p.pieces); n < pieces; n++ {
		b.delete(pieceKey(n, key))
	}
	if p.expires.IsZero() {
		return
	}
	at := p.expires.UnixNano()
	b.set(expiryKey(at, key), nil)
	if b.expiries == 0 || at < b.expiries {
		b.expiries = at
	}
}

// remove deletes a record and its pieces.
func (b *batch) remove(r *storedRecord) {
	b.delete(recordKey(r.Key))
	for n := range r.pieces {
		b.delete(pieceKey(n, r.Key))
	}
}

// expire deletes what has expired, as much as fits into one transaction, and what the
// index says of records that have changed since. The latter does not count: replicas
// that hold the same records need not have the same index.
func (b *batch) expire() error {
	if err := b.flush(); err != nil {
		return err
	}
	if b.place == nil {
		if err := b.s.space.admit(b.now, false, 0); err != nil {
			return err
		}
	}
	const most = 512
	logged := len(b.arena)
	gone := map[string]bool{}
	var size, idle int
	var failure error
	b.s.due(b.committed(), b.now, func(due expiry) bool {
		r, there, err := b.present(due.key)
		switch {
		case err != nil:
			failure = err
			return false
		case !there || r.Expires.UnixNano() != due.at || gone[due.key]:
			if idle < most {
				b.delete(expiryKey(due.at, due.key))
				idle++
			}
			return true
		}
		size += changeCost + 3*len(due.key)
		gone[due.key] = true
		b.delete(expiryKey(due.at, due.key))
		b.remove(&r)
		b.arena = append(b.arena, loggedChange{changeExpire, due.key})
		b.s.stats.expired.Add(1)
		return len(gone) < most && size < maxReplicated/2
	})
	if failure != nil {
		return failure
	}
	b.log(b.now, logged)
	return b.failure
}

// log makes a transaction of the changes in the arena from there on, if there are any.
func (b *batch) log(at time.Time, from int) {
	changes := b.arena[from:len(b.arena):len(b.arena)]
	if len(changes) == 0 {
		return
	}
	b.last++
	for _, c := range changes {
		b.keys.add(c.key)
	}
	b.logged = append(b.logged, logEntry{revision: b.last, at: at, changes: changes})
	b.transactions++
	b.changes += uint64(len(changes))
}

func (b *batch) set(key, value []byte) { b.stage(badger.NewEntry(key, value), nil) }

func (b *batch) delete(key []byte) { b.stage(nil, key) }

func (b *batch) stage(set *badger.Entry, del []byte) {
	if b.txn == nil {
		b.txn = b.s.db.NewTransactionAt(uint64(b.last), true)
	}
	var err error
	if set != nil {
		err = b.txn.SetEntry(set)
	} else {
		err = b.txn.Delete(del)
	}
	if err != nil && b.failure == nil {
		// A part of a transaction is staged: nothing more may be written.
		b.failure = fmt.Errorf("badger: staging a change: %w", err)
	}
}

// flush commits to Badger what has been staged.
func (b *batch) flush() error {
	if b.failure != nil || b.txn == nil {
		return b.failure
	}
	fresh := b.logged[b.inLog:]
	for i := range fresh {
		fresh[i].version = uint64(b.last)
	}
	if len(fresh) > 0 {
		b.set(logKey(fresh[0].revision, b.last), encodeLog(fresh))
		b.inLog = len(b.logged)
	}
	if b.place != nil {
		b.set(placeKey(), b.place())
	}
	if err := b.s.commitAt(b.txn, b.last); err != nil {
		b.failure = fmt.Errorf("badger: writing revision %d: %w", b.last, err)
		return b.failure
	}
	b.txn, b.size, b.wrote = nil, 0, true
	b.flushes++
	b.keys.clear()
	return nil
}

// commitAt has Badger write a transaction. It waits for a file that is being collected.
func (s *Store) commitAt(txn *badger.Txn, version persistence.Revision) error {
	s.memtable.Lock()
	defer s.memtable.Unlock()
	return txn.CommitAt(uint64(version), nil)
}

func (b *batch) end() {
	b.s.stats.transactions.Add(b.transactions)
	b.s.stats.changes.Add(b.changes)
	if b.view != nil {
		b.view.Discard()
	}
	if b.txn != nil {
		b.txn.Discard()
	}
}
