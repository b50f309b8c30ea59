package badger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/troupe-go/troupe/persistence"
)

// Restore reads a backup from r into the store: a full one into an empty store, and
// then incremental ones, in their order. Records get back their revisions; the store
// goes on from that of the backup. The history begins there: [persistence.Store.Watch]
// from an earlier revision gives [persistence.ErrHistoryGone].
//
// The stream is read whole before anything is changed, so that one that is cut short or
// damaged gives an error that is [persistence.ErrCorrupt] and leaves the store as it
// was; if r is no [io.Seeker], it is copied into a temporary file for that. One that
// does not fit the store gives [persistence.ErrInvalid]. If writing fails then, or ctx
// ends, the store is unusable: remove it and start again.
func (s *Store) Restore(ctx context.Context, r io.Reader) error { return s.restore(ctx, r, nil) }

// restore also takes the snapshot of a replica, if there is someone to take its place.
func (s *Store) restore(ctx context.Context, r io.Reader, place *replicaPlace) error {
	again, err := replayable(ctx, r)
	if err != nil {
		return err
	}
	defer again.done()
	var header backupHeader
	read := func(visit backupVisitor) error { return again.visit(ctx, visit) }
	err = read(backupVisitor{ // to its end, before anything is changed
		header:   func(h backupHeader) error { header = h; return nil },
		record:   func(r persistence.Record) error { _, err := s.costOf(&r, s.limits); return err },
		deletion: func(string) error { return nil },
		replica: func(kind byte, content []byte) error {
			if place == nil {
				return fmt.Errorf("badger: %w: this is the snapshot of a replicated store; restore it there", persistence.ErrInvalid)
			}
			return place.add(kind, content)
		},
	})
	if err != nil {
		return err
	}
	_, err = s.submit(ctx, true, func(b *batch) (persistence.Revision, error) {
		if err := b.flush(); err != nil {
			return 0, err
		}
		if header.since != b.last {
			return 0, fmt.Errorf("badger: %w: the backup is to be added to a store at revision %d, and this is at %d", persistence.ErrInvalid, header.since, b.last)
		}
		if header.revision == b.last {
			return b.last, nil
		}
		if err := b.restore(header, read); err != nil && b.failure == nil {
			b.failure = fmt.Errorf("restoring: %w", err)
		}
		return header.revision, b.failure
	})
	return err
}

// costOf returns what a record costs that is by itself in a transaction, and refuses one
// that does not fit the limits.
func (s *Store) costOf(r *persistence.Record, most limits) (int, error) {
	return s.check(&persistence.Transaction{Then: []persistence.Change{{Key: r.Key, Value: r.Value, Metadata: r.Metadata}}}, most)
}

// restore writes everything under the revision of the backup, which nobody reads
// before the end.
func (b *batch) restore(h backupHeader, read func(backupVisitor) error) error {
	present := b.last
	b.last = h.revision
	b.set(restoringKey(), nil)
	if err := b.flush(); err != nil {
		return err
	}
	room := func(cost int) error { // for what costs that
		if b.size+cost > b.s.limits.transaction {
			if err := b.flush(); err != nil {
				return err
			}
		}
		b.size += cost
		return b.failure
	}
	err := read(backupVisitor{
		header:  func(backupHeader) error { return nil },
		replica: func(byte, []byte) error { return nil },
		record: func(r persistence.Record) error {
			cost, err := b.s.costOf(&r, b.s.limits)
			if err != nil {
				return err
			}
			if err := b.s.space.admit(b.now, true, cost+len(r.Value)); err != nil {
				return err
			}
			old, _, err := b.present(r.Key)
			if err != nil {
				return err
			}
			if err := room(cost + pieceCost*old.pieces); err != nil {
				return err
			}
			_, p := preparePut(make([]byte, 0, cost), &r, b.s.limits.piece)
			b.put(r.Key, r.Revision, &p, old.pieces)
			return b.failure
		},
		deletion: func(key string) error {
			old, there, err := b.present(key)
			if err != nil {
				return err
			}
			if !there {
				return nil
			}
			if err := room(changeCost + len(key) + pieceCost*old.pieces); err != nil {
				return err
			}
			b.remove(&old)
			return b.failure
		},
	})
	if err != nil {
		return err
	}
	for _, k := range b.s.logKeys(b.committed(), present) {
		if err := room(changeCost); err != nil {
			return err
		}
		b.delete(k)
	}
	if err := b.flush(); err != nil {
		return err
	}
	b.set(logKey(h.revision, h.revision), encodeBase())
	b.delete(restoringKey())
	if err := b.flush(); err != nil {
		return err
	}
	b.base = h.revision
	return nil
}

// replay can be read from its beginning more than once.
type replay struct {
	from  io.ReadSeeker
	start int64
	done  func()
}

func replayable(ctx context.Context, r io.Reader) (*replay, error) {
	if seeker, ok := r.(io.ReadSeeker); ok {
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			return &replay{from: seeker, start: start, done: func() {}}, nil
		}
	}
	f, err := os.CreateTemp("", "troupe-restore-*")
	if err != nil {
		return nil, fmt.Errorf("badger: copying the backup: %w", err)
	}
	done := func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }
	if _, err := io.Copy(f, contextReader{ctx, r}); err != nil {
		done()
		return nil, fmt.Errorf("badger: copying the backup: %w", err)
	}
	return &replay{from: f, done: done}, nil
}

func (r *replay) open() (io.Reader, error) {
	if _, err := r.from.Seek(r.start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("badger: reading the backup again: %w", err)
	}
	return r.from, nil
}

// visit reads the backup from its beginning.
func (r *replay) visit(ctx context.Context, v backupVisitor) error {
	in, err := r.open()
	if err != nil {
		return err
	}
	return readBackup(ctx, in, v)
}

// contextReader ends a copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
