package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
)

// errDeparted says that a server has gone since somebody decided about it.
var errDeparted = errors.New("consensus: the server has left meanwhile")

// reconfigure changes one server of the core. change gets the latest configuration and its
// index, for raft to refuse what was decided about an older one; it returns nil when
// there is nothing left to do. It is for the leader.
func (r *replica) reconfigure(ctx context.Context, change func(c raft.Configuration, index uint64) raft.IndexFuture) error {
	_, err := await(ctx, r, func() (struct{}, error) {
		latest := r.raft.GetConfiguration()
		if future := change(latest.Configuration(), latest.Index()); future != nil {
			return struct{}{}, future.Error()
		}
		return struct{}{}, nil
	})
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		return r.notLeader()
	}
	return err
}

// promote gives a server its vote.
func (r *replica) promote(ctx context.Context, id raft.ServerID) error {
	return r.reconfigure(ctx, func(c raft.Configuration, index uint64) raft.IndexFuture {
		return r.addVoter(c, index, id, 0)
	})
}

// addVoter refuses a server that is no longer part of the core, or has left: it would vote
// without being there.
func (r *replica) addVoter(c raft.Configuration, index uint64, id raft.ServerID, timeout time.Duration) raft.IndexFuture {
	if _, listed := suffrage(c, id); !listed || r.hasDeparted(string(id)) {
		return refusedChange{fmt.Errorf("%w: %s", errDeparted, id)}
	}
	return r.raft.AddVoter(id, raft.ServerAddress(id), index, timeout)
}

// remove takes a server out of the core.
func (r *replica) remove(ctx context.Context, id raft.ServerID) error {
	return r.reconfigure(ctx, func(c raft.Configuration, index uint64) raft.IndexFuture {
		if _, listed := suffrage(c, id); !listed {
			return nil
		}
		return r.raft.RemoveServer(id, index, 0)
	})
}

// refusedChange is the future of a change that was not made.
type refusedChange struct{ err error }

func (f refusedChange) Error() error { return f.err }
func (refusedChange) Index() uint64  { return 0 }

// pilotedRaft is raft as autopilot gets it. What autopilot decides rests on a list that is
// a while old: a server may have left since.
type pilotedRaft struct {
	*raft.Raft
	replica *replica
}

// AddVoter implements [autopilot.Raft].
func (p pilotedRaft) AddVoter(id raft.ServerID, _ raft.ServerAddress, _ uint64, timeout time.Duration) raft.IndexFuture {
	latest := p.GetConfiguration()
	return p.replica.addVoter(latest.Configuration(), latest.Index(), id, timeout)
}

// DemoteVoter implements [autopilot.Raft].
func (p pilotedRaft) DemoteVoter(id raft.ServerID, _ uint64, timeout time.Duration) raft.IndexFuture {
	latest := p.GetConfiguration()
	if s, _ := suffrage(latest.Configuration(), id); s != raft.Voter {
		return refusedChange{fmt.Errorf("%w: %s", errDeparted, id)}
	}
	return p.Raft.DemoteVoter(id, latest.Index(), timeout)
}

// departed are the servers whose nodes have said that they leave.
type departed struct {
	mu      sync.Mutex
	servers map[string]departure
}

// departure is that of one process: the next one of its node is back.
type departure struct {
	incarnation uint64
	replace     bool // another member is needed in its place at once
}

func (d *departed) add(server string, incarnation uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.servers == nil {
		d.servers = map[string]departure{}
	}
	d.servers[server] = departure{incarnation: incarnation, replace: d.servers[server].replace}
}

// replace has the places of those that have gone taken without waiting for their return.
func (d *departed) replace(but string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for server, gone := range d.servers {
		gone.replace = server != but
		d.servers[server] = gone
	}
}

// of returns the departure of a server, unless its node is back.
func (d *departed) of(server string, members []Member) (departure, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone, ok := d.servers[server]
	if !ok {
		return departure{}, false
	}
	for _, m := range members {
		if m.Name == link.NodeOf(server) && m.Incarnation != gone.incarnation {
			delete(d.servers, server)
			return departure{}, false
		}
	}
	return gone, true
}

// hasDeparted reports whether the node of a server has said that it leaves, and is not
// back.
func (r *replica) hasDeparted(server string) bool {
	_, gone := r.departed.of(server, r.config.Members())
	return gone
}
