package consensus

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// leadership is that of a node in one term.
type leadership struct {
	node string
	term uint64
}

// search knows which node leads, or looks for it, while somebody waits for that.
type search struct {
	mu       sync.Mutex
	known    leadership // proven once; zero while it is looked for
	looking  *looking
	servers  []*pb.Server         // of the core, as the replica that is furthest has told
	furthest position             // of that replica
	told     map[string]bool      // nodes that should have a replica, as others have told
	answered map[string]time.Time // when a replica on that node has answered last
}

// looking is one search.
type looking struct {
	waiting int
	stop    context.CancelFunc
	found   chan struct{} // closed when result is set
	result  leadership
}

// leader returns who leads, and waits until the given time for one that can prove it.
func (c *Core) leader(ctx context.Context, until time.Time) (leadership, error) {
	s := &c.search
	s.mu.Lock()
	if s.known.node != "" {
		defer s.mu.Unlock()
		return s.known, nil
	}
	l := s.looking
	if l == nil {
		ctx, stop := context.WithCancel(c.ctx)
		l = &looking{stop: stop, found: make(chan struct{})}
		s.looking = l
		c.start(func(context.Context) { c.look(ctx, l) })
	}
	l.waiting++
	s.mu.Unlock()
	c.want()
	defer c.unwant()
	defer s.leave(l)
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-l.found:
		c.wants.satisfied()
		return l.result, nil
	case <-timer.C:
		return leadership{}, c.noLeader()
	case <-ctx.Done():
		return leadership{}, c.late(ctx)
	case <-c.ctx.Done():
		return leadership{}, errClosed()
	}
}

// awaitLeader is leader for an operation that waits until the given time where only a
// minority of the voters can be reached, and longer where an election is under way.
func (c *Core) awaitLeader(ctx context.Context, until time.Time) (leadership, error) {
	for next := until; ; {
		l, err := c.leader(ctx, next)
		if err == nil || c.ended(ctx) != nil || !time.Now().Before(c.extended(until)) {
			return l, err
		}
		next = time.Now().Add(c.config.Timing.Patience / 8)
	}
}

// extended is until when something waits: longer than until if there can be a leader soon.
func (c *Core) extended(until time.Time) time.Time {
	if c.electing() {
		return until.Add(c.config.Timing.startup())
	}
	return until
}

// electing reports whether a majority of the voters has answered lately.
func (c *Core) electing() bool {
	answered := c.search.answeredSince(time.Now().Add(-c.config.Timing.lately()))
	voters, there := 0, 0
	for _, s := range c.search.heard() {
		if s.GetVoter() {
			voters++
			if answered[s.GetNode()] {
				there++
			}
		}
	}
	return there > voters/2
}

func (s *search) leave(l *looking) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.waiting--; l.waiting == 0 {
		l.stop()
		if s.looking == l {
			s.looking = nil
		}
	}
}

// forget begins a new search if l is what is known.
func (s *search) forget(l leadership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == l {
		s.known = leadership{}
	}
}

// Leader returns the node that leads the core, as far as this one knows without asking;
// empty if it knows none.
func (c *Core) Leader() string {
	if r := c.local(); r != nil {
		node, _ := r.Leader()
		return node
	}
	c.search.mu.Lock()
	defer c.search.mu.Unlock()
	return c.search.known.node
}

// heard returns the servers of the core, as a replica has told.
func (s *search) heard() []*pb.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers
}

// reset forgets everything, for another core.
func (s *search) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.servers, s.furthest, s.told, s.answered = leadership{}, nil, position{}, nil, nil
}

// position is how far the replica reaches that heard is from.
func (s *search) position() position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.furthest
}

// answeredSince returns the nodes whose replicas have answered lately.
func (s *search) answeredSince(recent time.Time) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := map[string]bool{}
	for node, at := range s.answered {
		if at.After(recent) {
			nodes[node] = true
		}
	}
	return nodes
}

// learn remembers a node that should have a replica.
func (s *search) learn(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		s.told = map[string]bool{}
	}
	s.told[node] = true
}

// note takes the answer of a replica, and reports whether the search is over.
func (s *search) note(l *looking, node string, reply *pb.WhoReply) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answered == nil {
		s.answered = map[string]time.Time{}
	}
	s.answered[node] = time.Now()
	if p := positionOf(reply); len(reply.Servers) > 0 && !p.before(s.furthest) {
		s.servers, s.furthest = reply.Servers, p
	}
	if !reply.Leads || s.looking != l {
		return s.looking != l
	}
	s.known = leadership{node, reply.Term}
	s.told = nil // the servers are now known
	l.result = s.known
	s.looking = nil
	close(l.found)
	return true
}

// look asks all replicas again and again, until one has proven that it leads.
func (c *Core) look(ctx context.Context, l *looking) {
	defer l.stop()
	asked := map[string]bool{}
	for {
		v := c.members.look(c)
		if core, err := c.current(); err == nil && core != "" {
			for _, node := range c.search.nodes(v.replicas[core], c.config.Node) {
				if !asked[node] {
					asked[node] = true
					c.start(func(context.Context) { c.askWhoLeads(ctx, l, node, core) })
				}
			}
		}
		select {
		case <-time.After(c.config.Timing.Patience / 8):
		case <-v.changed:
		case <-l.found:
			return
		case <-ctx.Done():
			return
		}
	}
}

// askWhoLeads asks one node until the search is over.
func (c *Core) askWhoLeads(ctx context.Context, l *looking, node, core string) {
	q := &pb.Request{Core: core, Kind: &pb.Request_Who{Who: &pb.Who{}}}
	for {
		var changed <-chan struct{}
		if r := c.local(); r != nil && node == c.config.Node {
			changed = r.LeaderChanged()
		}
		limited, cancel := context.WithTimeout(ctx, c.config.Timing.inquiry())
		reply, err := c.request(limited, node, q)
		cancel()
		if who := reply.GetWho(); err == nil && who != nil {
			if who.Leads {
				c.settled()
			}
			if c.search.note(l, node, who) {
				return
			}
		}
		select {
		case <-time.After(c.config.Timing.Patience / 16):
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// nodes are those that may have a replica.
func (s *search) nodes(announced []string, self string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := maps.Clone(s.told)
	if all == nil {
		all = map[string]bool{}
	}
	all[self] = true
	for _, node := range announced {
		all[node] = true
	}
	for _, server := range s.servers {
		all[server.GetNode()] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// serveWho tells whether this node leads, which a majority has confirmed since it was
// asked.
func serveWho(ctx context.Context, node string, r *replica) *pb.WhoReply {
	reply := &pb.WhoReply{}
	if leader, _ := r.Leader(); leader == node && r.ReadBarrier(ctx) == nil {
		_, reply.Term, reply.Leads = r.Leads()
	}
	reply.Revision, reply.Server, reply.Servers = uint64(r.Store().Latest()), r.config.Server, serversOf(r)
	reply.LogIndex, reply.LogTerm = r.lastEntry()
	if reply.Leads {
		for _, s := range reply.Servers {
			s.Current = r.isCurrent(s.GetId(), reply.Term)
		}
	}
	return reply
}

// serversOf returns those of the core, as a replica knows them.
func serversOf(r *replica) (servers []*pb.Server) {
	status := r.Status()
	for _, s := range status.Voters {
		servers = append(servers, &pb.Server{Node: s.Node, Id: s.Server, Voter: true})
	}
	for _, s := range status.Others {
		servers = append(servers, &pb.Server{Node: s.Node, Id: s.Server})
	}
	return servers
}
