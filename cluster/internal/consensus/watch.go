package consensus

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// longPoll is how long a replica waits for changes before it answers that there are none.
const longPoll = 20 * time.Second

// Watch yields changes of what users keep; see [persistence.Store]. It waits while no
// replica can be reached. It also ends with [ErrTwoCores].
func (c *Core) Watch(ctx context.Context, prefix string, after persistence.Revision) iter.Seq2[persistence.Changes, error] {
	return c.user.Watch(ctx, prefix, after)
}

// Watch implements [persistence.Store]: with the replica of this node if it has one, and
// else by asking another again and again.
func (s store) Watch(ctx context.Context, prefix string, after persistence.Revision) iter.Seq2[persistence.Changes, error] {
	return func(yield func(persistence.Changes, error) bool) {
		c := s.core
		ctx, cancel := c.within(ctx)
		defer cancel()
		w := watcher{c: c, prefix: prefix, after: after, yield: yield}
		for {
			err := c.check(ctx)
			if c.ctx.Err() != nil {
				err = errClosed()
			}
			if err == nil {
				_, err = c.ensure(ctx)
			}
			if err == nil {
				if r := c.local(); r != nil {
					err = w.local(ctx, r)
				} else {
					err = w.remote(ctx)
				}
			}
			switch {
			case w.left:
				return
			case c.ctx.Err() != nil:
				yield(persistence.Changes{}, errClosed())
				return
			case ctx.Err() != nil:
				yield(persistence.Changes{}, ctx.Err())
				return
			case err != nil && definite(err):
				yield(persistence.Changes{}, err)
				return
			case err != nil:
				_ = c.pause(ctx, 1)
			}
		}
	}
}

// watcher is one who watches.
type watcher struct {
	c      *Core
	prefix string
	after  persistence.Revision
	yield  func(persistence.Changes, error) bool
	left   bool // the loop
}

func (w *watcher) give(changes persistence.Changes) {
	w.left = !w.yield(changes, nil)
	w.after = changes.Revision
}

// local yields what the replica of this node has applied, for as long as there is one.
func (w *watcher) local(ctx context.Context, r *replica) error {
	for changes, err := range r.Store().Watch(ctx, w.prefix, w.after) {
		switch {
		case err == nil:
			if w.give(changes); w.left {
				return nil
			}
		case errors.Is(err, persistence.ErrHistoryGone):
			return w.poll(ctx, "") // another may know more
		case errors.Is(err, persistence.ErrClosed):
			return notYet("the replica has ended")
		default:
			return err
		}
	}
	return nil
}

// remote yields what another node's replica has, for as long as that answers.
func (w *watcher) remote(ctx context.Context) error {
	core, err := w.c.current()
	if err != nil {
		return err
	}
	nodes := w.c.search.nodes(w.c.members.look(w.c).replicas[core], w.c.config.Node)
	nodes = slices.DeleteFunc(nodes, func(node string) bool { return node == w.c.config.Node })
	if len(nodes) == 0 {
		return notYet("no node with a replica of core %s is there", core)
	}
	node := nodes[rand.IntN(len(nodes))]
	for err == nil && !w.left && w.c.local() == nil {
		err = w.poll(ctx, node)
	}
	return err
}

// poll yields what that node's replica has after what was seen, which it waits for. No
// node is the leader.
func (w *watcher) poll(ctx context.Context, node string) error {
	core, err := w.c.current()
	if err != nil {
		return err
	}
	q := &pb.Request{Core: core, Kind: &pb.Request_Poll{Poll: &pb.Poll{Prefix: []byte(w.prefix), After: uint64(w.after)}}}
	var reply *pb.Response
	if node == "" {
		reply, err = w.c.atLeader(ctx, q)
	} else {
		there, cancel := w.c.whileThere(ctx, core, node)
		reply, err = w.c.request(there, node, q)
		cancel()
		if errors.Is(err, persistence.ErrHistoryGone) {
			return w.poll(ctx, "")
		}
	}
	if err != nil {
		return err
	}
	for _, m := range reply.GetPoll().GetChanges() {
		changes := persistence.Changes{Revision: persistence.Revision(m.GetRevision())}
		for _, change := range m.GetChanges() {
			changes.Changes = append(changes.Changes, decodeChange(change))
		}
		if w.give(changes); w.left {
			return nil
		}
	}
	w.after = max(w.after, persistence.Revision(reply.GetPoll().GetReached()))
	return nil
}

// whileThere returns a context that ends when that node no longer has a replica, as far
// as is known, or should have answered a poll long ago.
func (c *Core) whileThere(ctx context.Context, core, node string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, longPoll+c.config.Timing.Patience)
	c.start(func(context.Context) {
		for {
			v := c.members.look(c)
			if !v.has(core, node) {
				cancel()
				return
			}
			select {
			case <-v.changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return ctx, cancel
}

// servePoll waits for changes, for some time.
func (c *Core) servePoll(ctx context.Context, r *replica, q *pb.Poll) (*pb.PollReply, error) {
	prefix, after := string(q.GetPrefix()), persistence.Revision(q.GetAfter())
	waiting, cancel := context.WithTimeout(ctx, longPoll)
	defer cancel()
	c.start(func(context.Context) {
		c.untilAlone(waiting, r)
		cancel()
	})
	reply := &pb.PollReply{Reached: q.GetAfter()}
	err := gather(waiting, r, reply, prefix, after, func(reached persistence.Revision) bool {
		if reached < r.Store().Latest() && len(reply.Changes) == 1 {
			time.AfterFunc(gathering, cancel) // it is not known whether more is there for prefix
		}
		return reached >= r.Store().Latest()
	})
	if err != nil && waiting.Err() == nil {
		return nil, ended(err)
	}
	if leader, _ := r.Leader(); leader == "" && len(reply.Changes) == 0 {
		return nil, notYet("node %s knows no leader", c.config.Node)
	}
	if len(reply.Changes) > 0 || ctx.Err() != nil {
		return reply, nil
	}
	// Nothing of interest has come. The revisions of what else has come need not be
	// looked at again, when they may no longer be kept.
	if latest := min(r.Store().Latest(), after+idleAdvance); latest > after {
		err = gather(ctx, r, reply, "", after, func(reached persistence.Revision) bool { return reached >= latest })
		if err != nil {
			return nil, ended(err)
		}
		reply.Changes = filter(reply.Changes, prefix)
	}
	return reply, nil
}

// gathering is how long a poll that has found a change waits for more.
const gathering = 2 * time.Millisecond

// idleAdvance bounds how many revisions of no interest are looked at in one poll.
const idleAdvance = 4096

// gather adds changes to reply: until enough, or when it is full.
func gather(ctx context.Context, r *replica, reply *pb.PollReply, prefix string, after persistence.Revision, enough func(persistence.Revision) bool) error {
	size := 0
	for changes, err := range r.Store().Watch(ctx, prefix, after) {
		if err != nil {
			return err
		}
		m := &pb.Changes{Revision: uint64(changes.Revision)}
		for i := range changes.Changes {
			change := encodeChange(&changes.Changes[i])
			size += len(change.Key) + len(change.Value) + 64
			m.Changes = append(m.Changes, change)
		}
		if size > maxReply && len(reply.Changes) > 0 {
			return nil
		}
		reply.Changes = append(reply.Changes, m)
		reply.Reached = m.Revision
		if enough(changes.Revision) {
			return nil
		}
	}
	return nil
}

// filter leaves the changes of keys with prefix.
func filter(all []*pb.Changes, prefix string) []*pb.Changes {
	for _, m := range all {
		m.Changes = slices.DeleteFunc(m.Changes, func(c *pb.Change) bool { return !bytes.HasPrefix(c.Key, []byte(prefix)) })
	}
	return slices.DeleteFunc(all, func(m *pb.Changes) bool { return len(m.Changes) == 0 })
}

// untilAlone returns when ctx ends, or when the replica has not known a leader for some
// time, so that it would not get to know of changes.
func (c *Core) untilAlone(ctx context.Context, r *replica) {
	for {
		changed := r.LeaderChanged()
		var alone <-chan time.Time
		if leader, _ := r.Leader(); leader == "" {
			alone = time.After(c.config.Timing.Patience)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-alone:
			return
		}
	}
}
