package lock

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// endWithSession ends the lock when its session ends.
func (l *Lock) endWithSession() {
	select {
	case <-l.session.Done():
		l.lose(l.lost(l.session.Err()))
	case <-l.held.Done():
	}
}

// lookAgain is when to look after a watch was interrupted.
const lookAgain = time.Second

// endWithRecord ends the lock when somebody deletes its record.
func (l *Lock) endWithRecord() {
	after := l.place.revision
	for {
		err := l.watchRecord(after)
		for err != nil && !errors.Is(err, persistence.ErrNotFound) {
			if !pause(l.held, lookAgain) {
				return
			}
			after, err = l.look()
		}
		if err != nil {
			l.lose(actor.Errorf(actor.Aborted, "lock: %s: %w: somebody has deleted the record of this holder; find out who, and acquire it again", l.queue, ErrLost))
			return
		}
	}
}

// watchRecord returns ErrNotFound when the record is deleted, or why it cannot tell.
func (l *Lock) watchRecord(after persistence.Revision) error {
	for changes, err := range l.session.Store().Watch(l.held, l.place.key, after) {
		if err != nil {
			return err
		}
		for _, c := range changes.Changes {
			if c.Delete {
				return persistence.ErrNotFound
			}
		}
	}
	return nil
}

// look returns a revision at which the record was there, or later.
func (l *Lock) look() (persistence.Revision, error) {
	latest, err := persistence.Latest(l.held, l.session.Store())
	if err == nil {
		_, err = l.session.Store().Get(l.held, l.place.key)
	}
	return latest, err
}

// pause waits. It returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
