package badger

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// expiry is an entry of the index of what ends when.
type expiry struct {
	at  int64 // ns since 1970
	key string
}

// alarm rings when the earliest record is to expire.
type alarm struct {
	mu   sync.Mutex
	next int64         // ns since 1970; 0 is never
	from int64         // the index has nothing before it but what has been deleted
	set  chan struct{} // signalled when next gets earlier
}

func (a *alarm) init() { a.set = make(chan struct{}, 1) }

// expirySet tells the sweeper that a record was written that expires at a time.
func (s *Store) expirySet(at int64) {
	if at == 0 {
		return
	}
	a := &s.alarm
	a.mu.Lock()
	defer a.mu.Unlock()
	a.from = min(a.from, at)
	if a.next != 0 && a.next <= at {
		return
	}
	a.next = at
	select {
	case a.set <- struct{}{}:
	default:
	}
}

// sweep deletes what has expired, as soon as it has. Readers do not see it from that
// moment on; the transaction is for watchers, and for room.
func (s *Store) sweep(ctx context.Context) {
	const retry = 10 * time.Second
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.alarm.set:
		}
		next, err := s.nextExpiry()
		now := time.Now()
		if err == nil && next != 0 && next <= now.UnixNano() {
			_, err = s.submit(ctx, false, func(b *batch) (persistence.Revision, error) { return 0, b.expire() })
			if err == nil {
				timer.Reset(0)
				continue
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("badger: expired records are not deleted", "dir", s.config.Dir, "retry", retry, "error", err)
			timer.Reset(retry)
		case next != 0:
			timer.Reset(time.Unix(0, next).Sub(now))
		}
	}
}

// nextExpiry returns when the next record expires, and sets the alarm to it.
func (s *Store) nextExpiry() (at int64, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	s.alarm.mu.Lock()
	defer s.alarm.mu.Unlock()
	err = s.snapshot(func(txn *badger.Txn) error {
		at = 0
		dueBy(txn, s.alarm.from, math.MaxInt64, func(first expiry) bool {
			at = first.at
			return false
		})
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.alarm.next, s.alarm.from = at, at
	if at == 0 {
		s.alarm.from = math.MaxInt64
	}
	return at, nil
}

// due visits what has expired by a time, the earliest first, until visit returns false.
func (s *Store) due(txn *badger.Txn, now time.Time, visit func(expiry) bool) {
	s.alarm.mu.Lock()
	from := s.alarm.from
	s.alarm.mu.Unlock()
	dueBy(txn, from, now.UnixNano(), visit)
}

func dueBy(txn *badger.Txn, from, by int64, visit func(expiry) bool) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceExpiry}})
	defer it.Close()
	for it.Seek(expiryKey(from, "")); it.Valid(); it.Next() {
		at, key, ok := parseExpiryKey(it.Item().Key())
		if ok && (at > by || !visit(expiry{at, key})) {
			return
		}
	}
}
