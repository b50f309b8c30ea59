package persistence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Restore reads a backup from r into the store: a full one into an empty store, and
// then incremental ones, in their order. Records get back their revisions; the store
// goes on from that of the backup. The history begins there: [Store.Watch] from an
// earlier revision gives [ErrHistoryGone].
//
// The stream is read whole before anything is changed, so that one that is cut short
// or damaged gives an error that is [ErrCorrupt] and leaves the store as it was; if r
// is no [io.Seeker], it is copied into a temporary file for that. One that does not fit
// the store gives [ErrInvalid]. If writing fails then, or ctx ends, the store is
// unusable: remove it and start again.
func (s *Badger) Restore(ctx context.Context, r io.Reader) error {
	again, err := replayable(ctx, r)
	if err != nil {
		return err
	}
	defer again.done()
	var header backupHeader
	read := func(visit backupVisitor) error {
		in, err := again.open()
		if err != nil {
			return err
		}
		return readBackup(ctx, in, visit)
	}
	err = read(backupVisitor{ // to its end, before anything is changed
		header:   func(h backupHeader) error { header = h; return nil },
		record:   func(Record) error { return nil },
		deletion: func(string) error { return nil },
	})
	if err != nil {
		return err
	}
	_, err = s.submit(ctx, true, func(b *batch) (Revision, error) {
		if err := b.flush(); err != nil {
			return 0, err
		}
		if header.since != b.last {
			return 0, fmt.Errorf("persistence: %w: the backup is to be added to a store at revision %d, and this is at %d", ErrInvalid, header.since, b.last)
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

// restore writes everything under the revision of the backup, which nobody reads
// before the end.
func (b *batch) restore(h backupHeader, read func(backupVisitor) error) error {
	present := b.last
	b.last = h.revision
	b.set(restoringKey(), nil)
	if err := b.flush(); err != nil {
		return err
	}
	room := func(cost int) error {
		if b.size += cost; b.size < b.s.limits.transaction {
			return b.failure
		}
		return b.flush()
	}
	err := read(backupVisitor{
		header: func(backupHeader) error { return nil },
		record: func(r Record) error {
			cost := changeCost + 3*len(r.Key) + len(r.Value)
			if err := b.s.space.admit(b.now, true, cost); err != nil {
				return err
			}
			old, _, err := b.present(r.Key)
			if err != nil {
				return err
			}
			_, p := preparePut(make([]byte, 0, cost), &r, b.s.limits.piece)
			b.put(r.Key, r.Revision, &p, old.pieces)
			return room(cost)
		},
		deletion: func(key string) error {
			old, there, err := b.present(key)
			if err != nil {
				return err
			}
			if there {
				b.remove(&old)
			}
			return room(changeCost + len(key))
		},
	})
	if err != nil {
		return err
	}
	for _, k := range b.s.logKeys(b.committed(), present) {
		b.delete(k)
		if err := room(changeCost); err != nil {
			return err
		}
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
		return nil, fmt.Errorf("persistence: copying the backup: %w", err)
	}
	done := func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }
	if _, err := io.Copy(f, contextReader{ctx, r}); err != nil {
		done()
		return nil, fmt.Errorf("persistence: copying the backup: %w", err)
	}
	return &replay{from: f, done: done}, nil
}

func (r *replay) open() (io.Reader, error) {
	if _, err := r.from.Seek(r.start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("persistence: reading the backup again: %w", err)
	}
	return r.from, nil
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
