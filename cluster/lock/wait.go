package lock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// presence says whether the record of a lock is in the queue.
type presence int

const (
	absent    presence = iota
	uncertain          // the store could not say
	present
)

// enqueue puts the record at the end of the queue.
func (l *Lock) enqueue(ctx context.Context) error {
	value, err := record{
		Node:    l.host.Name(),
		Session: l.session.ID(),
		Since:   time.Now(),
		Value:   []byte(l.request.value),
	}.encode()
	if err != nil {
		return err
	}
	for {
		l.place = l.place.in(l.queue, l.generation.current)
		t := persistence.Transaction{
			If:   []persistence.Condition{{Key: l.queue.generationKey(), Revision: l.generation.current}, {Key: l.place.withdrawal()}},
			Then: []persistence.Change{{Key: l.place.key, Value: value}},
		}
		l.place.revision, err = l.session.Store().Commit(ctx, l.session.Own(t, l.place.key))
		switch {
		case err == nil:
			l.presence = present
			return nil
		case refused(err):
			l.presence = absent // nothing has to be taken back
			return err
		case !errors.Is(err, persistence.ErrConflict):
			l.presence = uncertain
			return err
		}
		before := l.generation
		l.generation, err = l.queue.generation(ctx, l.session.Store())
		switch {
		case err != nil:
			return err
		case l.generation == before:
			// The session has been ended. That is about to be known here, too.
			<-ctx.Done()
			return context.Cause(ctx)
		}
	}
}

// refused reports whether a transaction with that error surely did not happen.
func refused(err error) bool {
	switch actor.CodeOf(err) {
	case actor.InvalidArgument, actor.ResourceExhausted:
		return true
	}
	return actor.AsError(err).NotRun
}

// electionPause is how long a waiter whose session holds waits where the store cannot be
// asked, before it asks again.
const electionPause = 100 * time.Millisecond

// wait returns when the lock is held; with try, ErrHeld if it is not.
func (l *Lock) wait(ctx context.Context, try bool) error {
	store := l.session.Store()
	after := l.place.revision
	waiting := l.host.Waiting(slog.LevelInfo, fmt.Sprintf("lock: %s is waited for", l.queue))
	defer waiting.Done()
	for {
		now, err := l.queue.line(ctx, store, l.generation.previous)
		if err != nil && !try && actor.CodeOf(err) == actor.Unavailable {
			l.delay.failed(err)
			waiting.Because(inLog{l.delay})
			if pause(ctx, electionPause) {
				continue
			}
		}
		if err != nil {
			return err
		}
		i := now.index(l.place.key)
		if i < 0 {
			return fmt.Errorf("%w: somebody has deleted the record of this waiter", ErrLost)
		}
		l.delay.is(now, i)
		obstacle := now.obstacle(i, l.queue.prefix)
		switch {
		case obstacle == "":
			l.last = now.mayEnd(i)
			return nil
		case try:
			return ErrHeld
		}
		waiting.Because(inLog{l.delay})
		after, err = l.await(ctx, now, obstacle, after)
		if errors.Is(err, persistence.ErrHistoryGone) { // it was a long wait
			var latest persistence.Revision
			if latest, err = persistence.Latest(ctx, store); err == nil {
				after = latest
			}
		}
		if actor.CodeOf(err) == actor.Unavailable && pause(ctx, electionPause) {
			continue
		}
		if err != nil {
			return err
		}
	}
}

// await returns when something else than obstacle is in the way, as far as it can see,
// and the revision at which that was so.
func (l *Lock) await(ctx context.Context, now line, obstacle string, after persistence.Revision) (persistence.Revision, error) {
	for changes, err := range l.session.Store().Watch(ctx, obstacle, after) {
		if err != nil {
			return after, err
		}
		after = changes.Revision
		for _, c := range changes.Changes {
			if c.Delete {
				now = now.without(c.Key)
			}
		}
		if i := now.index(l.place.key); i < 0 || now.obstacle(i, l.queue.prefix) != obstacle {
			break
		}
	}
	return after, nil
}
