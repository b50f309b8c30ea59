package consensus

import (
	"cmp"
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
	// Replicas are what Voters and Standbys have, in the order of their names.
	Replicas []Replica
	// MayLose is how many voters may be lost now, with their disks, so that the others
	// have everything, and go on.
	MayLose int
	// Foreign are the other cores that this node sees, in the order of their IDs.
	Foreign []Foreign
	// Waiting says why there is no leader, and what to do; empty with one.
	Waiting string
}

// Replica is a node's copy of a core.
type Replica struct {
	Node  string
	Voter bool
	// Current is whether it has answered, and has all that was committed, as the leader
	// says.
	Current bool
	// Lost is whether its node has come up without it.
	Lost bool
	// Revision is up to where it has everything; 0 if its node does not answer, or has
	// lost it.
	Revision persistence.Revision
}

// Foreign is another core in the same cluster.
type Foreign struct {
	ID    string
	Nodes []string // with a replica of it, in the order of their names
}

// Status asks the leader who keeps the core, and the others what they have. Without a
// leader it waits for [Timing.Patience], and then returns what is known here, which is no
// error. It founds no core.
func (c *Core) Status(ctx context.Context) (Status, error) {
	if err := c.check(ctx); err != nil {
		return Status{}, err
	}
	core, err := c.current()
	if err != nil || core == "" {
		return Status{}, err
	}
	l, who, err := c.prove(ctx, core, c.patience())
	if ended := c.check(ctx); ended != nil {
		return Status{}, ended
	}
	if err != nil {
		return c.statusHere(ctx, core), nil
	}
	s := Status{Quorum: true, Leader: l.node, Revision: persistence.Revision(who.GetRevision())}
	c.fill(ctx, &s, core, who.GetServers())
	return s, nil
}

// prove returns who has proven that it leads after this was asked, and what it knows. One
// that does not answer does not keep this from finding another one until then.
func (c *Core) prove(ctx context.Context, core string, until time.Time) (leadership, *pb.WhoReply, error) {
	for attempt := 0; ; attempt++ {
		l, err := c.leader(ctx, until)
		if err != nil {
			return leadership{}, nil, err
		}
		limit := time.Now().Add(c.config.Timing.inquiry())
		if until.Before(limit) {
			limit = until
		}
		who, err := c.askLeader(ctx, core, l, limit)
		if err == nil {
			return l, who, nil
		}
		if !time.Now().Before(until) {
			return leadership{}, nil, c.noLeader()
		}
		if err := c.pause(ctx, attempt); err != nil {
			return leadership{}, nil, err
		}
	}
}

// askLeader has l prove that it leads, and say what it knows. If it does not, it is
// forgotten.
func (c *Core) askLeader(ctx context.Context, core string, l leadership, until time.Time) (*pb.WhoReply, error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	reply, err := c.request(ctx, l.node, &pb.Request{Core: core, Kind: &pb.Request_Who{Who: &pb.Who{}}})
	if err == nil && !reply.GetWho().GetLeads() {
		err = errNotLeader
	}
	if err != nil {
		c.search.forget(l)
		return nil, err
	}
	return reply.GetWho(), nil
}

// statusHere is what is known without a leader.
func (c *Core) statusHere(ctx context.Context, core string) (s Status) {
	s.Waiting = c.waitingFor(core)
	servers := c.search.heard()
	if r := c.local(); r != nil {
		s.Revision = r.Store().Latest()
		servers = serversOf(r)
	}
	c.fill(ctx, &s, core, servers)
	return s
}

// fill adds what servers have.
func (c *Core) fill(ctx context.Context, s *Status, core string, servers []*pb.Server) {
	v := c.members.look(c)
	replies := c.askAll(ctx, core)
	voters, current := 0, 0
	for _, server := range servers {
		node := server.GetNode()
		r := Replica{Node: node, Voter: server.GetVoter(), Lost: v.announcesOther(core, server)}
		if reply := replies[node]; reply.GetServer() == server.GetId() { // the leader may not have noticed yet that it is gone
			r.Revision, r.Current = persistence.Revision(reply.GetRevision()), s.Quorum && server.GetCurrent()
		}
		s.Replicas = append(s.Replicas, r)
		if !r.Voter {
			s.Standbys = append(s.Standbys, node)
			continue
		}
		s.Voters = append(s.Voters, node)
		if voters++; r.Current {
			current++
		}
	}
	if s.Quorum {
		s.MayLose = max(0, current-(voters/2+1))
	}
	s.Foreign = v.foreign(core)
	slices.Sort(s.Voters)
	slices.Sort(s.Standbys)
	slices.SortFunc(s.Replicas, func(a, b Replica) int { return cmp.Compare(a.Node, b.Node) })
}

// announcesOther reports whether the node of a server is part of the core without it.
func (v *view) announcesOther(core string, s *pb.Server) bool {
	for _, m := range v.members {
		if m.Name == s.GetNode() {
			return m.Core.Core == core && m.Core.Server != s.GetId()
		}
	}
	return false
}

// foreign returns the cores beside that one which nodes have replicas of, and which do not
// belong to its line.
func (v *view) foreign(core string) (others []Foreign) {
	for other, nodes := range v.replicas {
		if other != core && !succeeds(core, other) && !succeeds(other, core) {
			others = append(others, Foreign{ID: other, Nodes: slices.Sorted(slices.Values(nodes))})
		}
	}
	slices.SortFunc(others, func(a, b Foreign) int { return cmp.Compare(a.ID, b.ID) })
	return others
}
