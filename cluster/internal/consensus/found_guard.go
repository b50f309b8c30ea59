package consensus

import (
	"context"
	"errors"
	"slices"
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// begun reports whether a core has come to be, as its replica knows: there is more in
// the log than who founds it.
func begun(r *replica) bool { return r.Status().Log > 1 }

// confirm remembers that the core of a replica has come to be, and tells the others.
func (c *Core) confirm(ctx context.Context, r *replica) {
	if id := c.identity(); id.Founded && id.LeftAt == "" {
		return
	}
	if c.joining.take(ctx) != nil {
		return
	}
	defer c.joining.done()
	if c.local() != r {
		return
	}
	id := c.identity()
	id.Founded, id.LeftAt, id.LeftTo = true, "", ""
	if err := c.become(id); err != nil {
		c.log.Warn("consensus: the core of this node is not remembered", "error", err)
		return
	}
	c.announce()
}

// guard watches over the replica of this node: it reports other cores, and ends a
// replica that has failed, or that is not part of a core.
func (c *Core) guard(ctx context.Context, r *replica) {
	timing := c.config.Timing
	reported := map[string]bool{c.identity().Core: true}
	alone := time.NewTimer(2 * timing.startup())
	defer alone.Stop()
	for {
		changed := r.LeaderChanged()
		if leader, _ := r.Leader(); leader != "" {
			c.confirm(ctx, r)
			alone.Reset(timing.Replace)
		}
		v := c.members.look(c)
		c.presence.note(v.members)
		if successor := v.successor(c.identity().Core); successor != "" {
			c.giveWay(r, successor)
			return
		}
		for core, nodes := range v.replicas {
			if !reported[core] && !succeeds(c.identity().Core, core) {
				reported[core] = true
				c.log.Error("consensus: another core is in this cluster; stop its nodes and remove their state folders, or restart them if they keep nothing on disk",
					"core", c.identity().Core, "other", core, "nodes", nodes)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-v.changed:
		case <-r.Failed():
			c.drop(r)
			return
		case <-alone.C:
			alone.Reset(timing.Replace)
			if leader, _ := r.Leader(); leader != "" {
				continue
			}
			if (!begun(r) || c.isRemoved(ctx)) && c.retire(ctx, r) {
				return
			}
		}
	}
}

// isRemoved reports whether the leader of the core says twice, with time between to
// take it back, that this node's replica is none of its servers.
func (c *Core) isRemoved(ctx context.Context) bool {
	for range 2 {
		if member, err := c.isServer(ctx); err != nil || member {
			return false
		}
		if !pause(ctx, c.config.Timing.Stabilize) {
			return false
		}
	}
	return true
}

// isServer asks the leader whether this node's replica is one of its core's.
func (c *Core) isServer(ctx context.Context) (bool, error) {
	id := c.identity()
	l, err := c.leader(ctx, time.Now().Add(c.config.Timing.Patience))
	if err != nil {
		return false, err
	}
	who, err := c.askLeader(ctx, id.Core, l, time.Now().Add(c.config.Timing.Patience))
	if err != nil {
		return false, err
	}
	listed := func(s *pb.Server) bool { return s.GetId() == id.Server }
	return slices.ContainsFunc(who.GetServers(), listed), nil
}

// retire ends a replica that its core does not need, or whose core has never come to be.
// It reports whether that was done.
func (c *Core) retire(ctx context.Context, r *replica) bool {
	if c.joining.take(ctx) != nil {
		return true
	}
	defer c.joining.done()
	if c.local() != r {
		return true
	}
	if leader, _ := r.Leader(); leader != "" {
		return false
	}
	c.log.Info("consensus: this node is not needed as a replica, or its core has not come to be", "core", c.identity().Core)
	if err := c.discard(r); err != nil {
		c.log.Warn("consensus: ending a replica that is not needed", "error", err)
	}
	return true
}

// giveWay ends a replica whose core was succeeded by another one.
func (c *Core) giveWay(r *replica, successor string) {
	if c.joining.take(c.ctx) != nil {
		return
	}
	defer c.joining.done()
	if c.local() != r {
		return
	}
	if err := c.follow(successor); err != nil {
		c.log.Error("consensus: this node goes on without a replica: that of before cannot be put aside", "core", successor, "error", err)
	}
}

// drop closes a replica that has failed, and keeps its files. One that was only stuck is
// opened again when that is over.
func (c *Core) drop(r *replica) {
	if c.joining.take(c.ctx) != nil {
		return
	}
	defer c.joining.done()
	if c.local() != r {
		return
	}
	stalled := errors.Is(r.Err(), errStalled)
	if !stalled {
		c.log.Error("consensus: this node goes on without its replica", "error", r.Err())
	}
	err := c.withdraw(r)
	if err != nil {
		c.log.Warn("consensus: closing the failed replica", "error", err)
	}
	if stalled && err == nil {
		c.openAgain(c.ctx)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = r.Err()
}
