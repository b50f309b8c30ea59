package consensus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// Restore replaces everything that the core holds by a backup, on all replicas, as one
// step in the order of all changes. Records get back their revisions, but revisions
// do not go back: later ones are larger than any that was there before or is in the
// backup, by more than 4 billion. So fencing tokens go on growing, also if the core
// that the backup is of has gone on after it. Watches end with
// [persistence.ErrHistoryGone].
//
// Sessions are not restored, nor what they owned when the backup was made. Those there
// are end, as they do when their nodes are cut off, and no other can be opened until their
// owners know.
//
// Reads and writes go on until a replica begins to write the backup down, and wait
// meanwhile. The disk of each needs room for the backup twice, beside what is there.
//
// Restore reads to the end of the backup, and maybe further. With one that is damaged or
// cut short it fails with [persistence.ErrCorrupt], with one of another store with
// [persistence.ErrInvalid]. What is there stays as it is then, and with every error but
// [ErrOutcomeUnknown]: that comes when ctx ends, or the node leaves, after the leader was
// told to restore, and then the backup is restored as a whole or not at all.
func (c *Core) Restore(ctx context.Context, backup io.Reader) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	s := &staging{core: c, ctx: ctx}
	defer s.close()
	err := badger.VerifySnapshot(ctx, io.TeeReader(backup, s))
	if err == nil {
		err = s.flush()
	}
	if err = cmp.Or(s.err, err); err == nil {
		err = s.restore()
	}
	switch {
	case err == nil:
		return nil
	case c.ctx.Err() != nil && !definite(err):
		return errClosed()
	}
	return fmt.Errorf("consensus: restoring a backup: %w", err)
}

// staging brings a backup into the store, in parts that a session owns. It is an
// [io.Writer] that keeps its first error.
type staging struct {
	core    *Core
	ctx     context.Context
	session *Session // opened when there is something to own
	part    []byte
	parts   uint64
	err     error
}

// Write takes a piece of the backup.
func (s *staging) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(len(p), partSize-len(s.part))
		s.part = append(s.part, p[:n]...)
		p = p[n:]
		written += n
		if len(s.part) == partSize {
			if err := s.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// flush stores what has gathered.
func (s *staging) flush() error {
	if s.err == nil && s.session == nil {
		s.session, s.err = s.core.OpenSession(s.ctx)
	}
	if s.err == nil {
		s.err = s.put()
	}
	return s.err
}

// put writes the next part: again and again, since it does not matter how often.
func (s *staging) put() error {
	key := partKey(s.session.ID(), s.parts)
	t := persistence.Transaction{Then: []persistence.Change{{Key: key, Value: s.part}}}
	t = s.session.Own(t, key)
	for {
		_, err := s.core.system.Commit(s.ctx, t)
		switch {
		case err == nil:
			s.part = s.part[:0]
			s.parts++
			return nil
		case errors.Is(err, persistence.ErrConflict):
			return fmt.Errorf("%w: it was not renewed in time, or another backup has been restored", ErrSessionEnded)
		case errors.Is(err, ErrOutcomeUnknown), actor.CodeOf(err) == actor.Unavailable:
			if ended := errors.Join(s.session.Err(), s.core.pause(s.ctx, 1)); ended != nil {
				return fmt.Errorf("%w: %w", ended, err)
			}
		default:
			return err
		}
	}
}

// restore has the leader restore what the session has.
func (s *staging) restore() error {
	core, err := s.core.current()
	if err != nil {
		return err
	}
	sent := false
	for {
		q := &pb.Request{Core: core, Kind: &pb.Request_Restore{Restore: &pb.Restore{Session: s.session.ID(), Parts: s.parts}}}
		_, err := s.core.atLeader(s.ctx, q)
		ended := s.ctx.Err() != nil
		sent = sent || errors.Is(err, ErrOutcomeUnknown) || ended && !notRun(err)
		switch {
		case err == nil:
			return nil
		case sent && ended:
			return outcomeUnknown(err)
		case !sent, definite(err) && !errors.Is(err, ErrOutcomeUnknown):
			return err
		}
		_ = s.core.pause(s.ctx, 1)
	}
}

// close has the parts deleted, as far as they are still there.
func (s *staging) close() {
	if s.session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), s.core.config.Timing.Patience)
	defer cancel()
	if err := s.session.Close(ctx); err != nil {
		s.core.log.Debug("consensus: the parts of a backup go when their session expires", "error", err)
	}
}
