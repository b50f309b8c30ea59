package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// request has a node, which may be this one, answer q.
func (c *Core) request(ctx context.Context, node string, q *pb.Request) (*pb.Response, error) {
	if node != c.config.Node {
		return c.send(ctx, node, q)
	}
	reply := c.serve(ctx, node, q)
	return reply, errorOf(reply.Failure)
}

// atLeader has the leader answer q, and sends it again, to a new leader too, until it
// has. For a commit or a restoration, an error that is not [ErrOutcomeUnknown] says that
// nothing has happened.
func (c *Core) atLeader(ctx context.Context, q *pb.Request) (*pb.Response, error) {
	until := c.patience()
	changes := q.GetCommit() != nil || q.GetRestore() != nil
	sent := false // and it may have been done
	for attempt := 0; ; attempt++ {
		l, err := c.awaitLeader(ctx, until)
		if err != nil && sent {
			return nil, outcomeUnknown(err)
		} else if err != nil {
			return nil, err
		}
		if commit := q.GetCommit(); commit != nil {
			commit.Again = sent
		}
		reply, err := c.attempt(ctx, l, q, &until)
		if err == nil {
			return reply, nil
		}
		final := definite(err)
		if !final {
			c.search.forget(l)
			sent = sent || changes && !notRun(err)
			final = time.Now().After(c.extended(until))
		}
		switch {
		case final && sent:
			return nil, outcomeUnknown(err)
		case final && !definite(err):
			return nil, notYet("node %s leads, but does not answer: %w", l.node, err)
		case final:
			return nil, err
		}
		if ended := c.pause(ctx, attempt); ended != nil && sent {
			return nil, outcomeUnknown(ended)
		} else if ended != nil {
			return nil, fmt.Errorf("consensus: node %s leads, but does not answer: %v: %w", l.node, err, ended)
		}
	}
}

// unsent is the error for a write that nobody has got until ctx ended.
func (c *Core) unsent(ctx context.Context) error {
	if leader := c.Leader(); leader != "" {
		return fmt.Errorf("consensus: node %s leads, and has not finished the writes before this one: %w", leader, ctx.Err())
	}
	return c.late(ctx)
}

// outcomeUnknown is for a change that was sent, and whose answer has not come. The end of
// the caller's context stays visible in it; other causes, which may say that nothing has
// happened at one of several attempts, do not.
func outcomeUnknown(cause error) error {
	const text = "consensus: %w: it was sent to the leader, which has not answered: "
	if ended := errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded); ended && !notRun(cause) {
		return actor.Errorf(actor.Unknown, text+"%w", ErrOutcomeUnknown, cause)
	}
	return actor.Errorf(actor.Unknown, text+"%v", ErrOutcomeUnknown, cause)
}

// pause keeps those from spinning whom a leader sends away again and again.
func (c *Core) pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return c.ended(ctx)
	}
	select {
	case <-time.After(c.config.Timing.Patience / 32):
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return c.ended(ctx)
}

// ended returns why what has begun with ctx cannot go on.
func (c *Core) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.ctx.Err() != nil {
		return errClosed()
	}
	return nil
}

// settled says that the core has a leader: from now on nobody waits for the first one.
func (c *Core) settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patient = time.Time{}
}

// patience is until when a request that begins now waits for a leader.
func (c *Core) patience() time.Time {
	until := time.Now().Add(c.config.Timing.Patience)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.patient.After(until) {
		return c.patient
	}
	return until
}

// attempt sends q to l. When that takes long, it asks whether l still leads, and gives
// up if not; if so, until moves on.
func (c *Core) attempt(ctx context.Context, l leadership, q *pb.Request, until *time.Time) (*pb.Response, error) {
	attempt, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	limit := *until
	var watchdog *time.Timer
	watchdog = time.AfterFunc(c.config.Timing.suspicion(), func() {
		c.start(func(context.Context) {
			if attempt.Err() != nil {
				return
			}
			mu.Lock()
			until := limit
			mu.Unlock()
			c.search.forget(l)
			if now, err := c.leader(attempt, until); err != nil || now != l {
				cancel()
				return
			}
			mu.Lock()
			limit = time.Now().Add(c.config.Timing.Patience)
			mu.Unlock()
			watchdog.Reset(c.config.Timing.suspicion())
		})
	})
	defer watchdog.Stop()
	reply, err := c.request(attempt, l.node, q)
	mu.Lock()
	*until = limit
	mu.Unlock()
	if err != nil && attempt.Err() != nil && ctx.Err() == nil && !definite(err) && !notRun(err) {
		err = fmt.Errorf("consensus: node %s no longer leads: %w", l.node, err)
	}
	return reply, err
}

// notRun reports whether err says that what was asked for has surely not happened.
func notRun(err error) bool {
	e, ok := errors.AsType[*actor.Error](err)
	return errors.Is(err, errNotLeader) || ok && e.NotRun
}

// definite reports whether err is the answer of the leader, so that no other one has to
// be asked.
func definite(err error) bool {
	if _, ok := errors.AsType[callError](err); ok || notRun(err) {
		return false
	}
	if errors.Is(err, ErrOutcomeUnknown) {
		return true
	}
	switch actor.CodeOf(err) {
	case actor.InvalidArgument, actor.NotFound, actor.AlreadyExists, actor.PermissionDenied, actor.ResourceExhausted,
		actor.FailedPrecondition, actor.Aborted, actor.OutOfRange, actor.Unimplemented, actor.DataLoss, actor.Unauthenticated:
		return true
	}
	return false
}
