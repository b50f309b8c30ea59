package consensus

import (
	"context"
	"slices"
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// Status says who keeps a core. It is zero if there is none yet.
type Status struct {
	// Quorum is whether a leader has proven, after Status was called, that a majority
	// of the voters follows it, and Leader is that node; else it is empty.
	Quorum bool
	Leader string
	// Voters and Standbys are the nodes that have replicas with a vote and without, in
	// the order of their names: as the leader says, or was last heard without one.
	Voters, Standbys []string
	// Revision is the latest that the leader has applied; without one, that of the
	// replica of this node, 0 if it has none.
	Revision persistence.Revision
}

// Status asks the leader who keeps the core. Without one it waits for [Timing.Patience],
// and then returns what is known here, which is no error. It founds no core.
func (c *Core) Status(ctx context.Context) (Status, error) {
	if err := c.check(ctx); err != nil {
		return Status{}, err
	}
	core, err := c.current()
	if err != nil || core == "" {
		return Status{}, err
	}
	until := c.patience()
	for attempt := 0; ; attempt++ {
		l, err := c.leader(ctx, until)
		if ended := c.check(ctx); ended != nil {
			return Status{}, ended
		}
		if err != nil {
			return c.statusHere(), nil
		}
		limited, cancel := context.WithDeadline(ctx, until)
		reply, err := c.request(limited, l.node, &pb.Request{Core: core, Kind: &pb.Request_Who{Who: &pb.Who{}}})
		cancel()
		if who := reply.GetWho(); err == nil && who.GetLeads() {
			s := Status{Quorum: true, Leader: l.node, Revision: persistence.Revision(who.GetRevision())}
			s.add(who.GetServers())
			return s, nil
		}
		c.search.forget(l)
		if !time.Now().Before(until) {
			return c.statusHere(), nil
		}
		if err := c.pause(ctx, attempt); err != nil {
			return Status{}, err
		}
	}
}

// statusHere is what this node knows by itself.
func (c *Core) statusHere() (s Status) {
	servers := c.search.heard()
	if r := c.local(); r != nil {
		s.Revision = r.Store().Latest()
		servers = serversOf(r)
	}
	s.add(servers)
	return s
}

func (s *Status) add(servers []*pb.Server) {
	for _, server := range servers {
		if server.GetVoter() {
			s.Voters = append(s.Voters, server.GetNode())
		} else {
			s.Standbys = append(s.Standbys, server.GetNode())
		}
	}
	slices.Sort(s.Voters)
	slices.Sort(s.Standbys)
}
