package consensus

import (
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
			var core string
			err := c.check(ctx)
			if c.ctx.Err() != nil {
				err = errClosed()
			}
			if err == nil {
				core, err = c.ensure(ctx)
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
				if core != "" && c.local() == nil {
					_, _, _ = c.prove(ctx, core, c.patience()) // where there is no leader, the log says so
				}
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
	waited bool // for a leader of the replica of this node
}

func (w *watcher) give(all []persistence.Changes) {
	for _, changes := range all {
		if w.left = !w.yield(changes, nil); w.left {
			return
		}
		w.after = changes.Revision
	}
}

// local yields what the replica of this node has applied, for as long as there is one and
// it is in touch with a leader. One that is not, such as that of a node which came back
// after others had taken its place, would not get to know of changes: the leader is asked.
func (w *watcher) local(ctx context.Context, r *replica) error {
	if leader, _ := r.Leader(); leader == "" && w.waited {
		return w.poll(ctx, "")
	}
	touching, cancel := context.WithCancel(ctx)
	defer cancel()
	w.c.start(func(context.Context) {
		w.c.untilAlone(touching, r)
		cancel()
	})
	for {
		changes, reached, err := r.Store().Changes(touching, w.prefix, w.after)
		if w.give(changes); w.left {
			return nil
		}
		w.after = max(w.after, reached)
		switch {
		case touching.Err() != nil && ctx.Err() == nil:
			w.waited = true
			return nil
		case errors.Is(err, persistence.ErrHistoryGone):
			return w.poll(ctx, "") // another may know more
		case errors.Is(err, persistence.ErrClosed):
			return notYet("the replica has ended")
		case err != nil:
			return err
		}
	}
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
	var all []persistence.Changes
	for _, m := range reply.GetPoll().GetChanges() {
		changes := persistence.Changes{Revision: persistence.Revision(m.GetRevision())}
		for _, change := range m.GetChanges() {
			changes.Changes = append(changes.Changes, decodeChange(change))
		}
		all = append(all, changes)
	}
	w.give(all)
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

// servePoll waits for changes, for some time. Its answer tells how far it has looked, too,
// so that nobody asks for what is no longer kept although it was of no interest.
func (c *Core) servePoll(ctx context.Context, r *replica, q *pb.Poll) (*pb.PollReply, error) {
	waiting, cancel := context.WithTimeout(ctx, longPoll)
	defer cancel()
	c.start(func(context.Context) {
		c.untilAlone(waiting, r)
		cancel()
	})
	prefix, reply := string(q.GetPrefix()), &pollReply{reached: persistence.Revision(q.GetAfter())}
	var enough persistence.Revision // where to stop, once something was found
	for {
		found, reached, err := r.Store().Changes(waiting, prefix, reply.reached)
		whole := reply.add(found, reached)
		if err != nil && waiting.Err() == nil && reply.empty() {
			return nil, ended(err)
		}
		if enough == 0 && !reply.empty() {
			enough = r.Store().Latest()
		}
		if err != nil || !whole || enough > 0 && reached >= enough {
			break
		}
	}
	if leader, _ := r.Leader(); leader == "" && reply.empty() {
		return nil, notYet("node %s knows no leader", c.config.Node)
	}
	return reply.encode(), nil
}

// pollReply gathers changes, and how far they have been looked for.
type pollReply struct {
	changes []*pb.Changes
	size    int // of changes, in bytes
	reached persistence.Revision
}

func (p *pollReply) empty() bool { return len(p.changes) == 0 }

func (p *pollReply) encode() *pb.PollReply {
	return &pb.PollReply{Changes: p.changes, Reached: uint64(p.reached)}
}

// add takes what was found up to a revision, and reports whether there was room for all.
func (p *pollReply) add(found []persistence.Changes, reached persistence.Revision) (whole bool) {
	for _, changes := range found {
		m := &pb.Changes{Revision: uint64(changes.Revision)}
		for i := range changes.Changes {
			change := encodeChange(&changes.Changes[i])
			p.size += len(change.Key) + len(change.Value) + 64
			m.Changes = append(m.Changes, change)
		}
		if p.size > maxReply && !p.empty() {
			return false
		}
		p.changes, p.reached = append(p.changes, m), changes.Revision
	}
	p.reached = reached
	return true
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
