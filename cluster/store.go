package cluster

import (
	"context"
	"iter"

	"github.com/troupe-go/troupe/cluster/internal/consensus"
	"github.com/troupe-go/troupe/persistence"
)

// Store is the store that all nodes of the cluster have in common: what was
// acknowledged survives the loss of a minority of those who keep it, and all nodes
// agree on its order, also when the network splits. It is replicated with raft
// (Ongaro and Ousterhout, 2014) among up to [WithVoters] nodes, which the cluster
// chooses and replaces by itself. All methods may be called concurrently, on any node.
//
// It is started by its first use. Where no majority of those who keep it can be
// reached, everything but stale reads fails with Unavailable within a second; what was
// being written then may or may not have happened, and the message says so.
type Store struct{ core *consensus.Core }

var _ persistence.Store = (*Store)(nil)

// Store returns the replicated store. It belongs to the node, which ends it.
func (n *Node) Store() *Store { return n.store }

// Get implements [persistence.Store].
func (s *Store) Get(ctx context.Context, key string, options ...persistence.ReadOption) (persistence.Record, error) {
	return s.core.Get(ctx, key, options...)
}

// List implements [persistence.Store].
func (s *Store) List(ctx context.Context, q persistence.Query, options ...persistence.ReadOption) ([]persistence.Record, error) {
	return s.core.List(ctx, q, options...)
}

// Commit implements [persistence.Store]. A transaction may have 1 MiB. It is always on
// the disks of a majority when Commit returns, also if it is Unsynced.
func (s *Store) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	return s.core.Commit(ctx, t)
}

// Watch implements [persistence.Store].
func (s *Store) Watch(ctx context.Context, prefix string, after persistence.Revision) iter.Seq2[persistence.Changes, error] {
	return s.core.Watch(ctx, prefix, after)
}

// Close does nothing: the store ends with its node.
func (s *Store) Close() error { return nil }
