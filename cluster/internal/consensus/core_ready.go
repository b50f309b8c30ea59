package consensus

import (
	"context"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// Ready returns nil if this node does its part in the core and can use it, and else why
// not: it is being opened, is behind, has lost its copy, has met another core, or there is
// no leader. Before the first use it is nil as soon as the nodes are there that a core
// needs. It asks the leader, for at most [Timing.Patience].
func (c *Core) Ready(ctx context.Context) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	core, err := c.current()
	if err != nil {
		return err
	}
	v := c.members.look(c)
	if core == "" {
		if len(v.members) < c.config.Expect {
			return notYet("%s", c.expecting(v))
		}
		if time.Since(c.born) < c.config.Settle { // those that have one may not have said so yet
			return notYet("this node has just started, and looks for nodes that have the replicated store")
		}
		return nil
	}
	if others := v.foreign(core); len(others) > 0 {
		return actor.Errorf(actor.FailedPrecondition, "consensus: %w: core %s has met core %s on %s; stop the nodes of one, and remove their state folders", ErrTwoCores, core, others[0].ID, strings.Join(others[0].Nodes, ", "))
	}
	c.mu.Lock()
	opening, failed, id := c.opening, c.failed, c.id
	c.mu.Unlock()
	switch {
	case !opening.IsZero():
		return notYet("the replica in %s is being opened, for %v so far", c.config.Dir, time.Since(opening).Round(time.Millisecond))
	case failed != nil:
		return actor.Errorf(actor.FailedPrecondition, "consensus: the replica of this node cannot be used; see its log: %w", failed)
	}
	_, who, err := c.prove(ctx, core, time.Now().Add(c.config.Timing.Patience))
	if err != nil {
		return err
	}
	return c.holds(who.GetServers(), id.Server)
}

// holds returns why the replica of this node does not do its part yet.
func (c *Core) holds(servers []*pb.Server, mine string) error {
	voters, before := 0, ""
	var own *pb.Server
	for _, s := range servers {
		if s.GetVoter() {
			voters++
		}
		switch {
		case s.GetId() == mine:
			own = s
		case s.GetNode() == c.config.Node:
			before = s.GetId()
		}
	}
	wanted := min(c.config.Voters, len(servers))
	wanted -= 1 - wanted%2
	switch {
	case before != "":
		return notYet("this node has come up without the copy of the replicated store that it had (%s), and gets a new one", before)
	case own == nil: // it is not needed
	case !own.GetCurrent():
		return notYet("the copy of the replicated store on this node is behind")
	case !own.GetVoter() && voters < wanted:
		return notYet("the copy of the replicated store on this node does not vote yet")
	}
	return nil
}
