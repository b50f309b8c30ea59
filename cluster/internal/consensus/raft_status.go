package consensus

import (
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// replicaStatus is how a replica sees its core.
type replicaStatus struct {
	Leader  string // the node; "" if none is known
	Term    uint64
	Voters  []raftServer
	Others  []raftServer // on the way to become voters, or no longer voters
	Log     uint64       // index of the last entry in the log
	Commit  uint64       // index of the last entry that is known to be committed
	Healthy []string     // servers that follow closely, as the leader sees it; nil on others
}

// Status says how the replica sees its core.
func (r *replica) Status() replicaStatus {
	s := replicaStatus{Log: r.raft.LastIndex(), Commit: r.raft.CommitIndex(), Healthy: r.healthy.get()}
	s.Leader, s.Term = r.Leader()
	for _, server := range r.raft.GetConfiguration().Configuration().Servers {
		one := raftServer{Node: nodeOf(string(server.ID)), Server: string(server.ID)}
		if server.Suffrage == raft.Voter {
			s.Voters = append(s.Voters, one)
		} else {
			s.Others = append(s.Others, one)
		}
	}
	return s
}

// healthyServers are those of the present tenure.
type healthyServers struct {
	mu      sync.Mutex
	servers []string
}

func (h *healthyServers) set(servers []string) {
	slices.Sort(servers)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.servers = servers
}

func (h *healthyServers) get() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.servers
}
