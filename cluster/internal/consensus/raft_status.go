package consensus

import (
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
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
		one := raftServer{Node: link.NodeOf(string(server.ID)), Server: string(server.ID)}
		if server.Suffrage == raft.Voter {
			s.Voters = append(s.Voters, one)
		} else {
			s.Others = append(s.Others, one)
		}
	}
	return s
}

// lastEntry returns the index and the term of the last entry in the log.
func (r *replica) lastEntry() (index, term uint64) {
	index = r.raft.LastIndex()
	var e raft.Log
	if err := r.log.GetLog(index, &e); err == nil {
		return index, e.Term
	}
	if p, err := r.machine.snapshots.List(); err == nil && len(p) > 0 && p[0].Index == index {
		return index, p[0].Term
	}
	return index, 0
}

// isCurrent reports whether a server has all that is committed, as the leader of that term
// has heard lately.
func (r *replica) isCurrent(server string, term uint64) bool {
	if server == r.config.Server {
		return true
	}
	a, ok := r.answers.of(raft.ServerID(server), term)
	return ok && r.follows(term, raft.ServerID(server)) && a.last >= r.raft.CommitIndex()
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
