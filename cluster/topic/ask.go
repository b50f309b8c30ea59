package topic

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// Requests to the owner of a partition are tried again while it moves: after a pause that
// grows, and whenever the assignment changes. One attempt may take attemptTimeout, so that
// an owner that has stopped answering is given up when another takes over. A caller that
// has no deadline waits for patience.
const (
	minPause       = 2 * time.Millisecond
	maxPause       = 500 * time.Millisecond
	attemptTimeout = 5 * time.Second
	patience       = 30 * time.Second
)

// patiently gives ctx a deadline if it has none.
func patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, patience)
}

// wait waits for d; false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// asking is how far a request to the owner of a partition is.
type asking struct {
	mu    sync.Mutex
	asked string // the node that is being asked, or empty
	since time.Time
	maybe bool  // an attempt before may have done it
	last  error // of an attempt
}

func (a *asking) begin(node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.since = node, time.Now()
}

func (a *asking) failed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.last = "", err
	a.maybe = a.maybe || !isUndone(err)
}

// answered returns err, which says nothing of attempts before.
func (a *asking) answered(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked = ""; err == nil || !a.maybe {
		return err
	}
	e := *actor.AsError(err)
	e.NotRun = false
	return &e
}

// ask lets the owner of a partition answer a request, within the time of ctx. It is asked
// again while that is of use, also if it may have been done: all requests are idempotent.
func ask[R any, Q actor.Request[peer, R]](ctx context.Context, a *asking, s *stream, partition int, q Q) (R, error) {
	var none R
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	waiting := s.waiting(partition)
	defer waiting.Done()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		changed := s.change()
		if o := s.assignment.Load().owners[partition]; o.known() {
			a.begin(o.Node)
			waiting.Because(a)
			r, err := attemptAt[R](ctx, s, partition, o, q)
			if err == nil || !isPassing(err) {
				return r, a.answered(err)
			}
			a.failed(err)
		}
		waiting.Because(a)
		timer.Reset(pause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			return none, a.unanswered(ctx, s, partition)
		case <-s.extension.ctx.Done():
			return none, a.unanswered(ctx, s, partition)
		}
	}
}

// attemptAt asks the owner of a partition once, for as long as it is the owner.
func attemptAt[R any, Q actor.Request[peer, R]](ctx context.Context, s *stream, partition int, o owner, q Q) (R, error) {
	var r R
	err := s.whileOwned(ctx, partition, o, func(ctx context.Context) (err error) {
		r, err = attempt[R](ctx, s.extension, o.Node, q)
		return err
	})
	return r, err
}

// whileOwned calls do, whose context ends when o does not own the partition any more: one
// that hangs would be waited for in vain.
func (s *stream) whileOwned(ctx context.Context, partition int, o owner, do func(ctx context.Context) error) error {
	owned, end := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer end()
		for {
			changed := s.change()
			if !s.isOwned(partition, o) {
				return
			}
			select {
			case <-changed:
			case <-owned.Done():
				return
			}
		}
	})
	err := do(owned)
	if err != nil && owned.Err() != nil && ctx.Err() == nil {
		err = &actor.Error{Code: actor.Unavailable, NotRun: actor.AsError(err).NotRun,
			Message: "topic: node " + o.Node + " has not answered while it owned the partition"}
	}
	end()
	watching.Wait()
	return err
}

// attempt asks a node once. What is over at the node, or for the attempt, is not over for the
// caller: only the end of ctx is Canceled or DeadlineExceeded.
func attempt[R any, Q actor.Request[peer, R]](ctx context.Context, x *extension, node string, q Q) (R, error) {
	var none R
	to, err := x.peerOn(node)
	if err != nil {
		return none, err
	}
	limited, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r, err := actor.Ask(limited, to, q)
	if err == nil || ctx.Err() != nil {
		return r, err
	}
	switch e := actor.AsError(err); e.Code {
	case actor.Canceled:
		err = &actor.Error{Code: actor.Unavailable, NotRun: e.NotRun, Message: "topic: node " + node + " has stopped meanwhile"}
	case actor.DeadlineExceeded:
		err = &actor.Error{Code: actor.Unavailable, NotRun: e.NotRun, Message: "topic: node " + node + " has not answered for " + attemptTimeout.String()}
	}
	return none, err
}

// isPassing reports whether an error may be over soon.
func isPassing(err error) bool {
	e := actor.AsError(err)
	switch e.Code {
	case actor.Unavailable, actor.Aborted, actor.DeadlineExceeded, actor.Canceled:
		return true // the last two are those of the owner
	case actor.NotFound:
		return e.NotRun && e.Reason == "" // the node has not started its actor, or not any more
	}
	return false
}

// undoneReason is that of an error of an owner that has surely not done what it was asked to.
// It is told like this since NotRun is only of what has reached nobody.
const undoneReason = "nothing was done"

// undone returns err as the owner of a partition answers it.
func undone(err error) error {
	if e := actor.AsError(err); err != nil && e.NotRun && isPassing(err) {
		return &actor.Error{Code: e.Code, Reason: undoneReason, Message: e.Message}
	}
	return err
}

// isUndone reports whether an attempt that has failed has surely done nothing.
func isUndone(err error) bool {
	e := actor.AsError(err)
	return e.NotRun || e.Reason == undoneReason
}

// why says what is waited for. The caller holds the lock.
func (a *asking) why() string {
	switch {
	case a.asked != "":
		return fmt.Sprintf("node %s owns it, and has not answered for %v", a.asked, time.Since(a.since).Round(time.Millisecond))
	case a.last != nil:
		return "the last attempt: " + whileOwner(a.last).Error()
	}
	return unowned
}

// Error tells it.
func (a *asking) Error() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.why()
}

// unowned is why nobody can be asked.
const unowned = "it has no owner now: a node takes it when a majority of the nodes that keep the replicated store can be reached"

// whileOwner adds to what is wrong with an owner when another node takes over.
func whileOwner(err error) error {
	if actor.CodeOf(err) != actor.Unavailable {
		return err
	}
	return fmt.Errorf("%w; another node takes it when the session of this owner has ended, for which a majority of the nodes that keep the replicated store is needed", err)
}

// waiting is for what waits for the owner of a partition.
func (s *stream) waiting(partition int) *cluster.Wait {
	return s.extension.node.Waiting(slog.LevelWarn, s.outboxes[partition].awaited)
}

// unanswered is the error for a request whose time is over, or that of this node.
func (a *asking) unanswered(ctx context.Context, s *stream, partition int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	maybe := a.maybe || a.asked != ""
	why := a.why()
	var err *actor.Error
	if s.extension.ctx.Err() != nil {
		err = errLeft(s.extension.node)
	} else {
		err = refusal(actor.CodeOf(ctx.Err()), "the owner of partition %d of %q did not answer in time; %s", partition, s.name, why)
	}
	if err.NotRun = !maybe; maybe {
		err.Message += "; whether it was done is not known"
	}
	return err
}

// overdue is the error for what waited for the replicated store.
func overdue(ctx context.Context, last error) error {
	return refusal(actor.CodeOf(ctx.Err()), "the replicated store could not be reached in time; the last attempt: %v", last)
}
