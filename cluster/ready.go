package cluster

import (
	"context"
	"fmt"
)

// Ready returns nil when the node does its part in the cluster, and else the reason why
// not, for a probe of whoever starts and stops nodes:
//
//   - it has left, or [Node.Leave] was called;
//   - it has just joined, and may not know yet whether others have the replicated store;
//   - the replicated store has no leader that it can reach, or fewer nodes are there than
//     [WithExpect] says, and none has a copy;
//   - its own copy is being opened, is behind, cannot be used, or was lost with the disk and
//     is not replaced yet;
//   - it has met another store in its cluster (see [StoreStatus.Foreign]).
//
// Stop the next node of a cluster only when all are ready. Ready asks the leader, and takes
// a second at most with LAN timing.
func (n *Node) Ready() error {
	if err := n.present(); err != nil {
		return err
	}
	if n.departs.Load() {
		return n.errLeaving()
	}
	if err := n.store.core.Ready(context.Background()); err != nil {
		return fmt.Errorf("cluster: node %q is not ready: %w", n.name, err)
	}
	return nil
}
