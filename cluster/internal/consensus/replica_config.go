package consensus

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/persistence/version"
)

// raftServer is a member of a core, by the node it runs on and its own ID.
type raftServer struct{ Node, Server string }

// replicaConfig says what one replica is part of, and how it reaches the others. All
// functions may be called concurrently.
type replicaConfig struct {
	// Core is the ID of the core, Server that of this member: "<node>/<8 hex digits>",
	// made once per data folder. A node that has lost its disk is a new server.
	Core, Server string

	// Node is the name of this node. Dir is the folder of the replica; empty keeps log
	// and store in memory.
	Node, Dir string

	Logger *slog.Logger
	Timing Timing

	// Voters is how many voters the leader tries to have.
	Voters int

	// Bootstrap founds the core with these voters, itself included. It is not used if
	// the folder holds a replica of before.
	Bootstrap []raftServer

	// Dial returns an authenticated connection to the raft listener of that node,
	// Listener gives such connections of others. The replica closes Listener.
	Dial     func(ctx context.Context, node string) (net.Conn, error)
	Listener net.Listener

	// Peer returns the authenticated node at the other end of such a connection.
	Peer func(net.Conn) (node string, err error)

	// Members are the nodes that are alive, as far as this node knows, itself included.
	Members func() []Member

	// version is what this server speaks, that of all nodes if zero; for tests.
	version version.Version

	// snapshotThreshold is after how many entries the log is cut, and how many it keeps;
	// 0 is raft's default.
	snapshotThreshold uint64

	// Invite asks that node to start an empty replica of this core, and returns the ID
	// that its server has. It is asked again if the answer was lost. The core has had
	// the server before on that node, unless it is "".
	Invite func(ctx context.Context, node, core, before string) (server string, err error)
}

// wire returns the version that this server speaks.
func (c *replicaConfig) wire() version.Version {
	if c.version != (version.Version{}) {
		return c.version
	}
	return version.Wire()
}

// link returns what the connections of r need to know.
func (r *replica) link() link.Config {
	c := &r.config
	return link.Config{
		Core: c.Core, Server: c.Server, Logger: c.Logger, Dial: c.Dial, Listener: c.Listener, Peer: c.Peer,
		Version: c.wire(), Leaving: r.leaving, Pausing: r.pausing, Backup: r.newestBackup,
	}
}

// errNotLeader says that the replica does not lead: what was asked for has surely not
// happened. Errors that are it may be a [notLeaderError].
var errNotLeader = errors.New("consensus: this replica does not lead")

// notLeaderError is errNotLeader with the node that leads instead.
type notLeaderError struct{ Leader string }

func (e notLeaderError) Error() string { return errNotLeader.Error() + "; " + e.Leader + " does" }
func (e notLeaderError) Unwrap() error { return errNotLeader }
