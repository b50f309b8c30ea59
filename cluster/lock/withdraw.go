package lock

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

const (
	withdrawTimeout = time.Second
	// lateWrites is when a transaction whose outcome was unknown has surely happened
	// or never will.
	lateWrites = time.Hour
)

// withdraw deletes the record, if it is there. If that is not known, it also leaves
// one behind that keeps it from coming later.
func (l *Lock) withdraw(ctx context.Context) error {
	if l.presence == absent || l.given.Load() || l.session.Err() != nil {
		return nil
	}
	t := persistence.Transaction{Then: []persistence.Change{{Key: l.place.key, Delete: true}}}
	if l.presence == uncertain {
		t.Then = append(t.Then, persistence.Change{Key: l.place.withdrawal(), TTL: lateWrites})
	}
	t = l.session.Disown(t, l.place.key)
	var err error = persistence.ErrConflict
	if l.last {
		_, err = l.session.Store().Commit(ctx, l.queue.next(t, l.generation))
	}
	if errors.Is(err, persistence.ErrConflict) { // or another generation has begun
		_, err = l.session.Store().Commit(ctx, t)
	}
	// A conflict says that the session has ended. If it has, the record goes with it.
	if err != nil && !errors.Is(err, persistence.ErrConflict) && l.session.Err() == nil {
		return err
	}
	l.given.Store(true)
	return nil
}

// abandon leaves the queue. It waits for that, so that who tries again does not meet
// itself there, but not for long.
func (l *Lock) abandon(ctx context.Context) {
	l.lose(nil)
	defer l.guards.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	if err := l.withdraw(ctx); err != nil {
		l.withdrawLater()
	}
}

// withdrawLater lets an actor withdraw the record. It belongs to the node, which waits
// for it when it leaves.
func (l *Lock) withdrawLater() {
	if l.handed.Swap(true) {
		return
	}
	definition := actor.Define("lock-withdrawal", func() *withdrawer { return &withdrawer{lock: l} },
		actor.OnCast((*withdrawer).attempt)).With(actor.KnownAs("giving back lock " + strconv.Quote(l.Name())))
	// It fails if the node is leaving. Then the record goes with the session.
	_, _ = actor.Spawn(l.host.System(), definition, actor.WithUniqueName())
}

// withdrawal is the protocol of a withdrawer, and attempt what it tells itself.
type (
	withdrawal struct{}
	attempt    struct{ actor.Cast[withdrawal] }
)

// withdrawer withdraws one record, and ends.
type withdrawer struct{ lock *Lock }

// Started makes the first attempt.
func (w *withdrawer) Started(ctx *actor.Context) error { return w.attempt(ctx, attempt{}) }

func (w *withdrawer) attempt(ctx *actor.Context, again attempt) error {
	limited, cancel := context.WithTimeout(ctx, withdrawTimeout)
	defer cancel()
	if err := w.lock.withdraw(limited); err != nil {
		actor.After(ctx, withdrawTimeout, again)
		return nil
	}
	ctx.Stop()
	return nil
}
