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
}

// Status returns who keeps the store, for those who look after a cluster. It asks the
// leader; where none can prove that it leads, it returns what this node knows after a
// second at most, which is no error. It does not start the store. Errors are that of ctx,
// [persistence.ErrClosed] after the node has left, and FailedPrecondition if the
// nodes of the cluster keep two stores.
func (s *Store) Status(ctx context.Context) (StoreStatus, error) {
	status, err := s.core.Status(ctx)
	return StoreStatus(status), err
}

// Leader returns the name of the node that leads the store, as far as this one knows
// without asking; empty if it knows none, as before the first use. Requests find the
// leader by themselves.
func (s *Store) Leader() string { return s.core.Leader() }
