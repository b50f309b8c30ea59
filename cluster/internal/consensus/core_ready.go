package consensus

import (
	"context"
	"slices"
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
		if n := c.config.Expect; len(v.members) < n {
			return notYet("%d of the %d nodes are there that found the replicated store", len(v.members), n)
		}
		return nil
	}
	if others := v.foreign(core); len(others) > 0 {
		return actor.Errorf(actor.FailedPrecondition, "consensus: %w: core %s has met core %s on %s; stop the nodes of one, and remove their state folders", ErrTwoCores, core, others[0].ID, strings.Join(others[0].Nodes, ", "))
	}
	c.mu.Lock()
	opening, failed, lost, id := c.opening, c.failed, c.lost, c.id
	c.mu.Unlock()
	switch {
	case !opening.IsZero():
		return notYet("the replica in %s is being opened, for %v so far", c.config.Dir, time.Since(opening).Round(time.Millisecond))
	case failed != nil:
		return actor.Errorf(actor.FailedPrecondition, "consensus: the replica of this node cannot be used; see its log: %w", failed)
	}
	l, err := c.leader(ctx, time.Now().Add(c.config.Timing.Patience/2))
	if err != nil {
		return err
	}
	who, err := c.askLeader(ctx, core, l, time.Now().Add(c.config.Timing.Patience/2))
	if err != nil {
		return notYet("node %s leads, but does not answer: %v", l.node, err)
	}
	return c.holds(who.GetServers(), id.Server, lost)
}

// holds returns why the replica of this node does not do its part yet.
func (c *Core) holds(servers []*pb.Server, mine, lost string) error {
	voters := 0
	for _, s := range servers {
		if s.GetVoter() {
			voters++
		}
	}
	wanted := min(c.config.Voters, len(servers))
	wanted -= 1 - wanted%2
	i := slices.IndexFunc(servers, func(s *pb.Server) bool { return s.GetId() == mine })
	why := ""
	switch {
	case i < 0 && (lost == "" || voters >= c.config.Voters): // it is not needed
	case i < 0:
		why = "is not part of the core yet"
	case !servers[i].GetCurrent():
		why = "is behind"
	case !servers[i].GetVoter() && (voters < wanted || lost != ""):
		why = "does not vote yet"
	}
	switch {
	case why == "":
		c.mu.Lock()
		c.lost = ""
		c.mu.Unlock()
		return nil
	case lost != "":
		return notYet("this node has lost its copy of the replicated store (%s), and the new one %s", lost, why)
	}
	return notYet("the copy of the replicated store on this node %s", why)
}
