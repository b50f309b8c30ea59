package topic

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/actor"
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

// ask lets the owner of a partition answer a request, within the time of ctx. It is asked
// again where it was surely not done, and also where it may have been if again.
func ask[R any, Q actor.Request[peer, R]](ctx context.Context, s *stream, partition int, again bool, q Q) (R, error) {
	ctx, cancel := patiently(ctx)
	defer cancel()
	var none R
	var last error
	maybe := false // it may have been done
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		changed := s.change()
		if o := s.assignment.Load().owners[partition]; o.known() {
			r, err := attempt[R](ctx, s.extension, o.Node, q)
			if err == nil || !isPassing(err) || !again && !actor.AsError(err).NotRun {
				return r, err
			}
			last, maybe = err, maybe || !actor.AsError(err).NotRun
		}
		timer.Reset(pause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			return none, unanswered(ctx, s, partition, last, maybe)
		case <-s.extension.ctx.Done():
			return none, errLeft(s.extension.node)
		}
	}
}

func attempt[R any, Q actor.Request[peer, R]](ctx context.Context, x *extension, node string, q Q) (R, error) {
	var none R
	to, err := x.peerOn(node)
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return actor.Ask(ctx, to, q)
}

// isPassing reports whether an error may be over soon.
func isPassing(err error) bool {
	e := actor.AsError(err)
	switch e.Code {
	case actor.Unavailable, actor.Aborted, actor.DeadlineExceeded, actor.Canceled:
		return true // the last two are those of an attempt, or of the owner
	case actor.NotFound:
		return e.NotRun && e.Reason == "" // the node has not started its actor, or not any more
	}
	return false
}

// unanswered is the error for a request whose time is over.
func unanswered(ctx context.Context, s *stream, partition int, last error, maybe bool) error {
	why := "it has no owner now: a majority of the nodes that keep the replicated store is needed"
	if last != nil {
		why = "the last attempt: " + last.Error()
	}
	err := refusal(actor.CodeOf(ctx.Err()), "the owner of partition %d of %q did not answer in time; %s", partition, s.name, why)
	if err.NotRun = !maybe; maybe {
		err.Message += "; whether it was done is not known"
	}
	return err
}

// overdue is the error for what waited for the replicated store.
func overdue(ctx context.Context, last error) error {
	return refusal(actor.CodeOf(ctx.Err()), "the replicated store could not be reached in time; the last attempt: %v", last)
}
