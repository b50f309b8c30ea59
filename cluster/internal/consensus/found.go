package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// founding is one attempt that all who need a core wait for.
type founding struct {
	done chan struct{}
	err  error
	last error // why it has not succeeded so far; under the lock of the Core
}

// ensure returns the core of the cluster, which may have to be founded first.
func (c *Core) ensure(ctx context.Context) (core string, err error) {
	for {
		if core, err = c.current(); core != "" || err != nil {
			return core, err
		}
		if err := c.found(ctx); err != nil {
			return "", err
		}
	}
}

// current returns the core that this node takes part in, or that others have told of;
// "" if there is none.
func (c *Core) current() (string, error) {
	c.mu.Lock()
	id, r := c.id, c.replica
	c.mu.Unlock()
	if r != nil && id.Founded {
		return id.Core, nil
	}
	mine := id.Core
	if !id.Founded {
		mine = ""
	}
	core, err := c.members.look(c).core(c.config.Node, mine)
	if core != "" && (id.Core == "" || id.Server == "" && succeeds(core, id.Core)) {
		c.remember(core)
	}
	return core, err
}

// remember makes core the one that this node takes part in. If something else is
// deciding about that, it is left for later.
func (c *Core) remember(core string) {
	if !c.joining.try() {
		return
	}
	defer c.joining.done()
	if id := c.identity(); id.Core != "" && (id.Server != "" || !succeeds(core, id.Core)) {
		return
	}
	if err := c.become(identity{Node: c.config.Node, Core: core, Founded: true}); err != nil {
		c.log.Warn("consensus: the core of this node is not remembered", "error", err)
		return
	}
	c.announce()
}

// found waits for an attempt to found a core, or begins one.
func (c *Core) found(ctx context.Context) error {
	c.mu.Lock()
	f := c.founding
	if f == nil {
		f = &founding{done: make(chan struct{})}
		c.founding = f
		c.mu.Unlock()
		c.start(func(ctx context.Context) {
			f.err = c.tryFound(ctx, f)
			c.mu.Lock()
			c.founding = nil
			c.mu.Unlock()
			close(f.done)
		})
	} else {
		c.mu.Unlock()
	}
	c.want()
	defer c.unwant()
	select {
	case <-f.done:
		if c.ctx.Err() != nil {
			return errClosed()
		}
		if f.err == nil {
			c.wants.satisfied()
		}
		return f.err
	case <-ctx.Done():
		return c.late(ctx)
	case <-c.ctx.Done():
		return errClosed()
	}
}

// tryFound returns when there is a core. The node that started first founds it; the
// others ask it to.
func (c *Core) tryFound(ctx context.Context, f *founding) error {
	settled := time.NewTimer(time.Until(c.born.Add(c.config.Settle)))
	defer settled.Stop()
	for waiting := true; waiting; {
		v := c.members.look(c)
		if len(v.known) > 0 {
			return nil
		}
		select {
		case <-settled.C:
			waiting = false
		case <-v.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	patience := time.NewTimer(c.config.Timing.Patience)
	defer patience.Stop()
	for {
		v := c.members.look(c)
		if core, err := c.current(); core != "" || err != nil {
			return err
		}
		var err error
		founder := c.config.Node
		if len(v.members) > 0 {
			founder = v.members[0].Name
		}
		if founder == c.config.Node {
			if err = c.establish(ctx, v); err == nil || actor.CodeOf(err) != actor.Unavailable {
				return err
			}
		} else {
			if err = c.askToFound(ctx, founder); err == nil {
				return nil
			}
			err = fmt.Errorf("node %s, which started first, has not founded one: %w", founder, err)
		}
		c.mu.Lock()
		f.last = err
		c.mu.Unlock()
		select {
		case <-time.After(c.config.Timing.Patience / 8):
		case <-v.changed:
		case <-patience.C:
			return notYet("there is no core yet: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// notYet is Unavailable for what has surely not happened.
func notYet(format string, args ...any) error {
	e := actor.AsError(actor.Errorf(actor.Unavailable, "consensus: "+format, args...))
	e.NotRun = true
	return e
}

// establish founds a core with as many other nodes as are expected. All of them vote
// from the beginning: so a core needs a majority of them, and there cannot be two. It
// returns when the core has a leader.
func (c *Core) establish(ctx context.Context, v *view) error {
	if len(v.members) < c.config.Expect {
		return notYet("%s", c.expecting(v))
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timing.startup())
	defer cancel()
	if err := c.bootstrap(ctx, v); err != nil {
		return err
	}
	for {
		r := c.local()
		if r == nil {
			return notYet("the core of this node has been given up")
		}
		changed := r.LeaderChanged()
		if leader, _ := r.Leader(); leader != "" {
			c.confirm(ctx, r)
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return notYet("the %d founders have not elected a leader", c.config.Expect)
		}
	}
}

// bootstrap invites the other founders, and starts the replica of this node if they take
// part. The servers that have been invited wait for twice as long as this may take, and
// give up then.
func (c *Core) bootstrap(ctx context.Context, v *view) error {
	if !c.joining.try() {
		return notYet("this node is about to join another core")
	}
	defer c.joining.done()
	if c.identity().Core != "" {
		return nil // it has, or is being founded
	}
	if c.candidate == "" {
		c.candidate = newCore()
	}
	id := identity{Node: c.config.Node, Core: c.candidate, Server: newServer(c.config.Node)}
	founders := []raftServer{{Node: id.Node, Server: id.Server}}
	var refusals []error
	for _, m := range v.members {
		if len(founders) == c.config.Expect {
			break
		}
		if m.Name == id.Node {
			continue
		}
		server, err := c.invite(ctx, m.Name, id.Core, "")
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		founders = append(founders, raftServer{Node: m.Name, Server: server})
	}
	if len(founders) < c.config.Expect {
		return notYet("%d of %d nodes take part: %w", len(founders), c.config.Expect, errors.Join(refusals...))
	}
	if ctx.Err() != nil {
		return notYet("the founders have not answered in time")
	}
	c.candidate = ""
	return c.open(ctx, id, founders)
}

// askToFound has another node found a core.
func (c *Core) askToFound(ctx context.Context, founder string) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timing.startup())
	defer cancel()
	reply, err := c.send(ctx, founder, &pb.Request{Kind: &pb.Request_Found{Found: &pb.Found{}}})
	if err != nil {
		return err
	}
	core := reply.GetFound().GetCore()
	if core == "" {
		return malformed(founder)
	}
	c.search.learn(founder)
	c.remember(core)
	return nil
}

// serveFound is asked by a node that believes this one started first.
func (c *Core) serveFound(ctx context.Context) (*pb.FoundReply, error) {
	core, err := c.current()
	if core == "" && err == nil {
		if v := c.members.look(c); len(v.members) > 0 && v.members[0].Name != c.config.Node {
			return nil, notYet("not node %s, but %s started first", c.config.Node, v.members[0].Name)
		}
		core, err = c.ensure(ctx)
	}
	return &pb.FoundReply{Core: core}, err
}

// invite asks a node to start an empty replica, where the core has had that server before.
func (c *Core) invite(ctx context.Context, node, core, before string) (server string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timing.startup()/4)
	defer cancel()
	reply, err := c.send(ctx, node, &pb.Request{Core: core, Kind: &pb.Request_Invite{Invite: &pb.Invite{Before: before}}})
	if err != nil {
		return "", fmt.Errorf("consensus: inviting node %s: %w", node, err)
	}
	if server = reply.GetInvite().GetServer(); server == "" {
		return "", malformed(node)
	}
	return server, nil
}

// serveInvite starts a replica of core, unless the node takes part in another.
func (c *Core) serveInvite(ctx context.Context, core, before string) (*pb.InviteReply, error) {
	if core == "" {
		return nil, actor.Errorf(actor.InvalidArgument, "consensus: an invitation without a core")
	}
	if !c.joining.try() {
		return nil, notYet("node %s is about to join a core", c.config.Node)
	}
	defer c.joining.done()
	id := c.identity()
	switch {
	case id.Core != "" && id.Core != core:
		return nil, actor.Errorf(actor.FailedPrecondition, "consensus: %w: node %s is invited to core %s, but takes part in core %s", ErrTwoCores, c.config.Node, core, id.Core)
	case c.local() != nil:
		return &pb.InviteReply{Server: id.Server}, nil
	case id.Server != "":
		return nil, actor.Errorf(actor.FailedPrecondition, "consensus: node %s has a replica that cannot be used; see its log, and remove %s if other nodes have the data", c.config.Node, c.config.Dir)
	}
	if before != "" {
		c.log.Warn("consensus: this node has come up without the copy of the replicated store that it had: its disk is another one, or empty; it gets a new copy from the others",
			"core", core, "server", before, "dir", c.config.Dir)
	}
	id.Node, id.Core, id.Server = c.config.Node, core, newServer(c.config.Node)
	if err := c.open(ctx, id, nil); err != nil {
		return nil, err
	}
	return &pb.InviteReply{Server: id.Server}, nil
}
