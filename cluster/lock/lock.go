package lock

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// Lock is a lock that was acquired. All methods may be called concurrently.
type Lock struct {
	host       host
	session    session
	queue      queue
	request    *request
	place      place
	generation generation
	delay      *delay

	// held ends when the lock is lost or released, and its cause says why.
	held   context.Context
	lose   context.CancelCauseFunc
	guards sync.WaitGroup // see that it ends

	presence presence
	last     bool        // its release may begin the next generation
	given    atomic.Bool // the record is gone
	handed   atomic.Bool // an actor withdraws it
}

// Acquire waits for the lock with that name, any text of up to 1 KiB, and returns it
// when nobody else holds it, or only those who share it. Release it when it is no longer
// needed: it is held, and costs a watch, until then.
//
// When ctx ends first the place in the queue is given up, which may take a second, and
// the error has the code of ctx. If the session of the node ends meanwhile, the place is
// lost, and Acquire queues anew at the end, in a new session. It returns InvalidArgument
// for a name or options that make no sense, and whatever the replicated store says:
// Unavailable where it cannot be reached, which who waits already is told when the
// session has run out, and cluster.ErrLeft on a node that leaves.
func Acquire(ctx context.Context, n *cluster.Node, name string, options ...Option) (*Lock, error) {
	return acquire(ctx, node{n}, name, options, false)
}

// TryAcquire is Acquire, but does not wait: it returns [ErrHeld] if others hold the lock,
// or wait for it.
func TryAcquire(ctx context.Context, n *cluster.Node, name string, options ...Option) (*Lock, error) {
	return acquire(ctx, node{n}, name, options, true)
}

func acquire(ctx context.Context, h host, name string, options []Option, try bool) (*Lock, error) {
	q, err := newQueue("lock", lockQueues, name)
	if err != nil {
		return nil, err
	}
	r, err := newRequest(options)
	if err != nil {
		return nil, err
	}
	return q.acquire(ctx, h, r, try)
}

func (q queue) acquire(ctx context.Context, h host, r *request, try bool) (*Lock, error) {
	for attempt := 1; ; attempt++ {
		s, err := h.Session(ctx)
		if err != nil {
			return nil, q.failure(ctx, err, err)
		}
		l := newLock(h, s, q, r)
		if err = l.acquire(ctx, try); err == nil {
			return l, nil
		}
		// With another session, or what was not known taken back, it begins anew.
		again := s.Err() != nil || l.given.Load() && passes(err) && attempt < maxAttempts
		if !again || ctx.Err() != nil {
			waited := err
			if l.delay.begun() {
				waited = l.delay
			}
			return nil, q.failure(ctx, err, waited)
		}
	}
}

// maxAttempts is how often Acquire enters the queue where the store does not say whether
// it has.
const maxAttempts = 3

// passes reports whether an error of the store says nothing of what it is asked for.
func passes(err error) bool {
	switch actor.CodeOf(err) {
	case actor.Unavailable, actor.Unknown:
		return true
	}
	return false
}

// failure explains why nothing was acquired, and what was waited for.
func (q queue) failure(ctx context.Context, err, waited error) error {
	switch {
	case ctx.Err() != nil:
		return actor.Errorf(actor.CodeOf(ctx.Err()), "lock: %s was not free in time: %v: %w", q, waited, context.Cause(ctx))
	case errors.Is(err, persistence.ErrClosed):
		return actor.Errorf(actor.Unavailable, "lock: acquiring %s: %w: what it holds is given up with its session", q, cluster.ErrLeft)
	}
	return actor.Errorf(actor.CodeOf(err), "lock: acquiring %s: %w", q, err)
}

func newLock(h host, s session, q queue, r *request) *Lock {
	l := &Lock{host: h, session: s, queue: q, request: r, place: newPlace(r.demand), delay: &delay{store: s.Store()}}
	l.held, l.lose = context.WithCancelCause(context.Background())
	return l
}

// acquire returns when the lock is held in its session, or leaves nothing behind.
func (l *Lock) acquire(ctx context.Context, try bool) (err error) {
	l.guards.Go(l.endWithSession)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.held, func() { cancel(context.Cause(l.held)) })()
	defer func() {
		if err != nil {
			l.abandon(ctx)
		}
	}()
	l.generation, err = l.queue.generation(ctx, l.session.Store(), persistence.Stale)
	if err != nil {
		return err
	}
	if try { // costs nobody a write if it is held
		switch now, err := l.queue.line(ctx, l.session.Store(), l.generation.previous); {
		case err != nil:
			return err
		case append(now, l.place).holders() <= len(now):
			return ErrHeld
		}
	}
	if err := l.enqueue(ctx); err != nil {
		return err
	}
	if err := l.wait(ctx, try); err != nil {
		return err
	}
	if err := l.Err(); err != nil { // the session may have ended in the meantime
		return err
	}
	l.guards.Go(l.endWithRecord)
	return nil
}

// Name returns the name given to [Acquire].
func (l *Lock) Name() string { return l.queue.name }

// Token returns the fencing token: higher than that of everybody who has held the lock
// before, also when the whole cluster was restarted in between. It is at least 1. Those
// who share the lock have different ones, in the order of their asking.
func (l *Lock) Token() uint64 { return uint64(l.place.revision) }

// Lost returns a channel that is closed when the lock is no longer held: before anybody
// else can hold it, if the session of the node ends or Release is called; soon after,
// if somebody has deleted the record of the holder by hand.
func (l *Lock) Lost() <-chan struct{} { return l.held.Done() }

// Err returns nil as long as the lock is surely held, judged by the clock at the call.
// Else it returns an error that is [ErrLost] or [ErrReleased].
func (l *Lock) Err() error {
	if err := l.session.Err(); err != nil {
		l.lose(l.lost(err)) // Lost and Err agree
	}
	return context.Cause(l.held)
}

// lost returns the error for a lock whose session has ended.
func (l *Lock) lost(err error) error {
	return actor.Errorf(actor.Aborted, "lock: %s: %w: stop what it was for, and acquire it again (%w)", l.queue, ErrLost, err)
}

// Release gives the lock up. [Lock.Lost] is closed at once. When Release returns nil the
// next one has it. Else the others may not know yet; then that is tried again in the
// background, until it is known or the session has ended, so that Release need not be
// called again. That is so also if ctx has ended already. It is idempotent, and does
// nothing for a lock that was lost.
func (l *Lock) Release(ctx context.Context) error {
	l.lose(actor.Errorf(actor.FailedPrecondition, "lock: %s: %w: acquire it again", l.queue, ErrReleased))
	defer l.guards.Wait()
	if err := l.withdraw(ctx); err != nil {
		l.withdrawLater()
		code := actor.CodeOf(err)
		if errors.Is(err, persistence.ErrClosed) {
			code = actor.Unknown // the node leaves; with its session, all is given up
		}
		return actor.Errorf(code, "lock: %s is given up, but the others do not know yet; that is tried again until they do: %w", l.queue, err)
	}
	return nil
}
