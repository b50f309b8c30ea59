package consensus

import (
	"errors"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
)

// reachPause is how long a leader waits before it tries again to reach a server.
const reachPause = 100 * time.Millisecond

// reach runs f until it fails for another reason than that the server cannot be reached,
// for as long as this replica leads in that term and the server is part of the core. Raft
// itself would pause after failures, up to ten seconds: for so long a server that is back
// would get no entries, and a majority that needs it would not go on.
func (t *transport) reach(id raft.ServerID, term uint64, f func() error) error {
	for {
		err := f()
		if _, ok := errors.AsType[link.Unreachable](err); !ok || !t.leads(term, id) {
			return err
		}
		select {
		case <-time.After(reachPause):
		case <-t.closing:
			return err
		}
	}
}

// InstallSnapshot implements [raft.Transport]. Nothing of data is read before the server
// is reached.
func (t *transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, request *raft.InstallSnapshotRequest, response *raft.InstallSnapshotResponse, data io.Reader) error {
	return t.reach(id, request.Term, func() error {
		return t.NetworkTransport.InstallSnapshot(id, target, request, response, data)
	})
}

// leadsTo reports whether this replica leads in that term, and whether the server is part
// of the core.
func (r *replica) leadsTo(term uint64, id raft.ServerID) bool {
	select {
	case <-r.started:
	default:
		return false
	}
	if r.raft.State() != raft.Leader || r.raft.CurrentTerm() != term {
		return false
	}
	_, listed := suffrage(r.raft.GetConfiguration().Configuration(), id)
	return listed
}

// suffrage returns that of a server, and whether it is part of the configuration.
func suffrage(c raft.Configuration, id raft.ServerID) (raft.ServerSuffrage, bool) {
	for _, s := range c.Servers {
		if s.ID == id {
			return s.Suffrage, true
		}
	}
	return raft.Nonvoter, false
}
