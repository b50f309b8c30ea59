package badger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// closeWait is how long Close waits for a disk that does not answer.
const closeWait = 30 * time.Second

// Close waits for what is being done, writes to disk what is not there yet, and ends
// the goroutines of the store. Reads, writes and watches fail with
// [persistence.ErrClosed] from then on. It is idempotent; all calls return the same: also why
// the store has taken no more writes, if that is so. It returns after 30 seconds at the
// latest, as [Store.CloseContext] does when its context ends.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	return s.CloseContext(ctx)
}

// CloseContext is [Store.Close] with a limit: if ctx ends first, its error says what the
// store still waits for. That goes on for as long as the disk does not answer, and the
// folder stays locked; a later call waits for it again.
func (s *Store) CloseContext(ctx context.Context) error {
	s.ending.Store(true)
	s.closeOnce.Do(func() {
		s.waitsFor.Store("")
		go func() {
			defer close(s.ended)
			s.closeErr = s.close()
		}()
	})
	const patience = 2 * time.Second
	late := time.NewTicker(patience)
	defer late.Stop()
	for start := time.Now(); ; {
		select {
		case <-s.ended:
			return s.closeErr
		default:
		}
		select {
		case <-s.ended:
		case <-ctx.Done():
			return fmt.Errorf("badger: closing %s: %v did not end within %v: %w; the disk may not answer; what was acknowledged as synced is safe, and closing again waits on", s.where(), s.waitsFor.Load(), time.Since(start).Round(time.Millisecond), ctx.Err())
		case <-late.C:
			s.log.Warn("badger: the store is being closed", "dir", s.config.Dir, "waits for", s.waitsFor.Load(), "for", time.Since(start).Round(time.Second))
		}
	}
}

func (s *Store) close() error {
	s.waitsFor.Store("writing to disk, or collecting, in the background")
	s.stop()
	s.running.Wait()
	s.waitsFor.Store("a read or a write that is under way")
	s.ops.Lock()
	s.closed = true
	s.ops.Unlock()
	close(s.closing)
	s.waitsFor.Store("writing to disk what is in memory")
	s.lastFlush.closing.Store(true)
	err := s.attempt(s.db.Close)
	if s.disk == nil {
		return err
	}
	if failed := s.lastFlush.err.Load(); failed != nil {
		// It is in the logs of the memtables, which are still there, if the folder is.
		err = errors.Join(fmt.Errorf("badger: closing %s: what is in memory could not be made a table, and is read from its log when the store is opened again: %w", s.where(), *failed), s.disk.logs.Sync(), err)
	}
	err = errors.Join(err, s.failure.get())
	if err == nil {
		s.disk.mark.advance(persistence.Revision(s.visible.Load()))
	}
	return errors.Join(err, s.disk.close())
}
