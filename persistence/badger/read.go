package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// Get implements [persistence.Store].
func (s *Store) Get(ctx context.Context, key string, _ ...persistence.ReadOption) (r persistence.Record, err error) {
	if err := ctx.Err(); err != nil {
		return persistence.Record{}, err
	}
	if err := s.enter(); err != nil {
		return persistence.Record{}, err
	}
	defer s.leave()
	s.stats.reads.Add(1)
	err = s.snapshot(func(txn *badger.Txn) error {
		r, err = s.lookup(txn, key, true)
		return err
	})
	if err == nil && expired(&r, s.now()) {
		err = errNotFound(key)
	}
	if err != nil {
		return persistence.Record{}, err
	}
	return r, nil
}

// now is the present, and never before what has been applied to a replica.
func (s *Store) now() time.Time {
	now := time.Now()
	if latest := s.latest.Load(); now.UnixNano() < latest {
		return time.Unix(0, latest)
	}
	return now
}

func errNotFound(key string) error {
	return fmt.Errorf("badger: %w: %s", persistence.ErrNotFound, quote(key))
}

// snapshot calls f with a view of the latest revision. It does so again if, in the
// meantime, Badger has been allowed to drop what that revision needs.
func (s *Store) snapshot(f func(*badger.Txn) error) error {
	for {
		at := s.visible.Load()
		err := s.attempt(func() error {
			txn := s.db.NewTransactionAt(at, false)
			defer txn.Discard()
			return f(txn)
		})
		if s.discarded.Load() <= at {
			return err
		}
	}
}

// attempt turns a panic of Badger, which a damaged file can cause, into an error.
func (s *Store) attempt(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.corrupt(fmt.Errorf("badger panicked: %v", v))
		}
	}()
	return f()
}

// lookup reads a record, also one that has expired; without its value unless asked.
func (s *Store) lookup(txn *badger.Txn, key string, withValue bool) (persistence.Record, error) {
	item, err := find(txn, recordKey(key))
	switch {
	case err != nil:
		return persistence.Record{}, fmt.Errorf("badger: reading %s: %w", quote(key), err)
	case item == nil:
		return persistence.Record{}, errNotFound(key)
	case withValue:
		return s.decode(txn, item, key)
	}
	r, err := s.header(item, key)
	return r.Record, err
}

// find returns nil if there is no such key.
func find(txn *badger.Txn, key []byte) (*badger.Item, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	return item, err
}

// header returns a record without its value.
func (s *Store) header(item *badger.Item, key string) (r storedRecord, err error) {
	err = item.Value(func(stored []byte) error {
		r, err = decodeHeader(key, stored)
		r.inline = nil
		return err
	})
	if err != nil {
		return storedRecord{}, s.corrupt(fmt.Errorf("record %s: %w", quote(key), err))
	}
	return r, nil
}

// decode returns a record with its value.
func (s *Store) decode(txn *badger.Txn, item *badger.Item, key string) (r persistence.Record, err error) {
	var header storedRecord
	err = item.Value(func(stored []byte) error {
		header, err = decodeHeader(key, stored)
		if err == nil && header.pieces == 0 {
			r, err = header.record(bytes.Clone(header.inline))
		}
		return err
	})
	if err == nil && header.pieces > 0 {
		r, err = assemble(txn, &header)
	}
	if err != nil {
		return persistence.Record{}, s.corrupt(fmt.Errorf("record %s: %w", quote(key), err))
	}
	return r, nil
}

// assemble puts together a value that is in pieces.
func assemble(txn *badger.Txn, header *storedRecord) (persistence.Record, error) {
	value := []byte{}
	for n := range header.pieces {
		item, err := find(txn, pieceKey(n, header.Key))
		if err == nil && item == nil {
			err = errors.New("a piece of the value is missing")
		}
		if err == nil {
			err = item.Value(func(piece []byte) error {
				value = append(value, piece...)
				return nil
			})
		}
		if err != nil {
			return persistence.Record{}, err
		}
	}
	return header.record(value)
}

// List implements [persistence.Store].
func (s *Store) List(ctx context.Context, q persistence.Query, _ ...persistence.ReadOption) (records []persistence.Record, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkQuery(q); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.stats.lists.Add(1)
	err = s.snapshot(func(txn *badger.Txn) error {
		records, _, err = s.list(ctx, txn, q, s.now(), math.MaxInt)
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

func checkQuery(q persistence.Query) error {
	if q.Offset < 0 || q.Limit < 0 {
		return fmt.Errorf("badger: %w: query with offset %d and limit %d; neither may be negative", persistence.ErrInvalid, q.Offset, q.Limit)
	}
	return nil
}

// list returns records of about size bytes, and whether there are more for want of room.
func (s *Store) list(ctx context.Context, txn *badger.Txn, q persistence.Query, now time.Time, size int) (records []persistence.Record, more bool, _ error) {
	skip := q.Offset
	seen := 0
	err := scan(txn, q, func(item *badger.Item, key string) (bool, error) {
		if seen++; seen%256 == 0 {
			if err := s.interrupted(ctx); err != nil {
				return false, err
			}
		}
		if !strings.HasSuffix(key, q.Suffix) {
			return true, nil
		}
		var r persistence.Record
		var err error
		if q.KeysOnly || skip > 0 {
			var header storedRecord
			header, err = s.header(item, key)
			r = header.Record
		} else {
			r, err = s.decode(txn, item, key)
		}
		switch {
		case err != nil:
			return false, err
		case expired(&r, now):
			return true, nil
		case skip > 0:
			skip--
			return true, nil
		}
		if more = size <= 0; more {
			return false, nil
		}
		size -= changeCost + len(r.Key) + len(r.Value)
		records = append(records, r)
		return q.Limit == 0 || len(records) < q.Limit, nil
	})
	return records, more, err
}

// scan visits the records with the prefix of q, in its order and after its cursor,
// until visit returns false.
func scan(txn *badger.Txn, q persistence.Query, visit func(*badger.Item, string) (bool, error)) error {
	prefix := recordKey(q.Prefix)
	o := badger.IteratorOptions{Prefix: prefix}
	start := prefix
	if q.After > q.Prefix {
		start = recordKey(q.After)
	}
	if q.Descending {
		// Badger's iterator goes backwards from any key, but ends at the first one
		// without the prefix: so it gets a wider one.
		o.Reverse, o.Prefix = true, []byte{spaceRecord}
		start, _ = after(prefix)
		if cursor := recordKey(q.After); q.After != "" && string(cursor) < string(start) {
			start = cursor
		}
	}
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Seek(start); it.Valid(); it.Next() {
		item := it.Item()
		key := string(item.Key()[1:])
		switch {
		case !strings.HasPrefix(key, q.Prefix):
			if q.Descending && key > q.Prefix {
				continue
			}
			return nil
		case q.After != "" && !q.Descending && key <= q.After,
			q.After != "" && q.Descending && key >= q.After:
			continue
		}
		if more, err := visit(item, key); err != nil || !more {
			return err
		}
	}
	return nil
}
