package consensus

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// inviteTimeout is how long a node may take to start a replica.
const inviteTimeout = 5 * time.Second

// recruit adds a server if there are fewer than there should be voters, and a node
// that can have one.
func (p *pilot) recruit() {
	r := p.replica
	present := map[string]bool{} // nodes that have a server which is not gone
	known := p.KnownServers()
	for _, s := range known {
		if s.NodeStatus == autopilot.NodeAlive {
			present[s.Name] = true
		}
	}
	if len(present) >= r.config.Voters {
		return
	}
	for _, m := range p.candidates(present) {
		// Also one that has a replica already: gossip may hear of a node that this one
		// cannot reach.
		ctx, cancel := context.WithTimeout(p.ctx, inviteTimeout)
		server, err := r.config.Invite(ctx, m.Name, r.config.Core)
		cancel()
		if err != nil {
			r.config.Logger.Debug("consensus: a node does not want a replica, or cannot be reached", "node", m.Name, "error", err)
			continue
		}
		id := raft.ServerID(server)
		if known[id] != nil || nodeOf(server) != m.Name {
			continue
		}
		err = r.reconfigure(p.ctx, func() raft.IndexFuture { return r.raft.AddNonvoter(id, raft.ServerAddress(id), 0, 0) })
		if err != nil {
			r.config.Logger.Warn("consensus: adding a server", "server", server, "error", err)
		} else {
			r.config.Logger.Info("consensus: added a server", "server", server)
		}
		return // the next one after a while
	}
}

// candidates returns the nodes that can be asked, who started first comes first: those
// that know of no core, or of this one and have a replica that is not part of it.
func (p *pilot) candidates(present map[string]bool) []Member {
	var free []Member
	for _, m := range p.replica.config.Members() {
		mine := m.Core.Core == "" && m.Core.Server == "" || m.Core.Core == p.replica.config.Core
		if mine && !present[m.Name] && !p.replica.departed.has(m.Core.Server) {
			free = append(free, m)
		}
	}
	slices.SortFunc(free, func(a, b Member) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Name, b.Name))
	})
	return free
}

// departed are the servers that have asked to be taken out.
type departed struct {
	mu      sync.Mutex
	servers map[string]struct{}
}

func (d *departed) add(server string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.servers == nil {
		d.servers = map[string]struct{}{}
	}
	d.servers[server] = struct{}{}
}

func (d *departed) has(server string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.servers[server]
	return ok
}
