package consensus

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
)

// inviteTimeout is how long a node may take to start a replica.
const inviteTimeout = 5 * time.Second

// recruit adds a server if there are fewer than there should be voters.
func (p *pilot) recruit() {
	present := map[string]bool{} // nodes that have a server which is not gone
	for _, s := range p.KnownServers() {
		if s.NodeStatus == autopilot.NodeAlive {
			present[s.Name] = true
		}
	}
	if len(present) < p.replica.config.Voters {
		p.replica.recruit(p.ctx, present)
	}
}

// recruit adds a server on a node that can have one and is not present yet. It reports
// whether there is such a node. It is for the leader.
func (r *replica) recruit(ctx context.Context, present map[string]bool) bool {
	for _, m := range r.candidates(present) {
		// Also one that has a replica already: gossip may hear of a node that this one
		// cannot reach.
		inviting, cancel := context.WithTimeout(ctx, inviteTimeout)
		server, err := r.config.Invite(inviting, m.Name, r.config.Core, r.serverOn(m.Name))
		cancel()
		if err != nil {
			r.config.Logger.Debug("consensus: a node does not want a replica, or cannot be reached", "node", m.Name, "error", err)
			continue
		}
		id := raft.ServerID(server)
		if _, listed := suffrage(r.raft.GetConfiguration().Configuration(), id); listed || link.NodeOf(server) != m.Name {
			continue
		}
		err = r.reconfigure(ctx, func(_ raft.Configuration, index uint64) raft.IndexFuture {
			return r.raft.AddNonvoter(id, raft.ServerAddress(id), index, 0)
		})
		if err != nil {
			r.config.Logger.Warn("consensus: adding a server", "server", server, "error", err)
		} else {
			r.config.Logger.Info("consensus: added a server", "server", server)
		}
		return true // the next one after a while
	}
	return false
}

// candidates returns the nodes that can be asked, who started first comes first: those
// that know of no core, or of this one and have a replica that is not part of it.
func (r *replica) candidates(present map[string]bool) []Member {
	var free []Member
	for _, m := range r.config.Members() {
		if r.mayServe(m) && !present[m.Name] {
			free = append(free, m)
		}
	}
	slices.SortFunc(free, func(a, b Member) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Name, b.Name))
	})
	return free
}

// mayServe reports whether a member can have a server of this core: it knows of no core, or
// of this one, and has not said that it leaves.
func (r *replica) mayServe(m Member) bool {
	free := m.Core.Core == "" && m.Core.Server == ""
	return (free || m.Core.Core == r.config.Core) && !r.hasDeparted(m.Core.Server)
}

// serverOn returns the server that a node has or had in the core, "" if none is known.
func (r *replica) serverOn(node string) string {
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if link.NodeOf(string(s.ID)) == node {
			return string(s.ID)
		}
	}
	return ""
}
