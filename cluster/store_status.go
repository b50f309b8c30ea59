package cluster

import (
	"context"

	"github.com/troupe-go/troupe/persistence"
)

// StoreStatus says who keeps the replicated store. It is zero before the first use.
type StoreStatus struct {
	// Quorum is whether reads and writes are possible: a node leads, and has proven,
	// after it was asked, that a majority of the voters follows it. Leader is its name,
	// and empty without a quorum.
	Quorum bool
	Leader string
	// Voters are the nodes that keep copies of which a majority is needed, Standbys
	// those that keep one besides, in the order of their names: as the leader says, or
	// without a quorum as this node knows. The caller owns the slices.
	Voters, Standbys []string
	// Revision is the latest that the leader has applied; without a quorum, the latest
	// that this node's copy has, 0 if it has none.
	Revision persistence.Revision
	// Replicas are what Voters and Standbys have, in the order of their names.
	Replicas []StoreReplica
	// MayLose is how many voters may be lost now, disks included, while the rest has
	// everything and goes on. Wait until it is at least 1 before you stop or wipe a node.
	MayLose int
	// Foreign are other stores in this cluster, which nodes have founded that did not see
	// each other: they do not merge. Set [WithExpect] so that there are none.
	Foreign []ForeignStore
	// Waiting says why there is no quorum, who is missing and since when, and what to do.
	// It is empty with a quorum.
	Waiting string
}

// StoreReplica is a node's copy of the replicated store.
type StoreReplica struct {
	Node  string
	Voter bool
	// Current is whether the leader has heard from it lately, and it has all that was
	// acknowledged.
	Current bool
	// Lost is whether its node has come up without it, as with an empty disk: it gets a
	// new copy.
	Lost bool
	// Revision is up to where it has everything; 0 if its node does not answer, or has
	// lost it.
	Revision persistence.Revision
}

// ForeignStore is another store in the same cluster.
type ForeignStore struct {
	ID    string
	Nodes []string // that keep it, in the order of their names
}

// Status returns who keeps the store, for those who look after a cluster. It asks the
// leader; where none can prove that it leads, it returns what this node knows after a
// second at most, which is no error. It does not start the store. Errors are that of ctx,
// [persistence.ErrClosed] after the node has left, and FailedPrecondition if the
// nodes of the cluster keep two stores.
func (s *Store) Status(ctx context.Context) (StoreStatus, error) {
	known, err := s.core.Status(ctx)
	status := StoreStatus{
		Quorum: known.Quorum, Leader: known.Leader, Voters: known.Voters, Standbys: known.Standbys,
		Revision: known.Revision, MayLose: known.MayLose, Waiting: known.Waiting,
	}
	for _, r := range known.Replicas {
		status.Replicas = append(status.Replicas, StoreReplica(r))
	}
	for _, f := range known.Foreign {
		status.Foreign = append(status.Foreign, ForeignStore(f))
	}
	return status, err
}

// Forget takes nodes that will not be back out of the store, so that others can take their
// places. They must have stopped; the one to keep is the one that this is called on.
//
// While a majority of the voters is there, nothing is lost. Without one, the copy of this
// node becomes the store, if no node that can be reached has a newer one, and all voters
// that are missing are named: what was acknowledged and is on none but the forgotten nodes
// is lost then. A forgotten node that is back after all puts its copy aside, and takes
// part as a new one.
//
// Errors are FailedPrecondition, which says what is in the way, Unavailable, and that of
// ctx.
func (s *Store) Forget(ctx context.Context, nodes ...string) error {
	return s.core.Forget(ctx, nodes...)
}

// Leader returns the name of the node that leads the store, as far as this one knows
// without asking; empty if it knows none, as before the first use. Requests find the
// leader by themselves.
func (s *Store) Leader() string { return s.core.Leader() }
