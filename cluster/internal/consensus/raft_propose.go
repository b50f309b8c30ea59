package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// maxProposal is how many bytes the transactions of a proposal have together, encoded:
// more than the largest one alone, and less than the log takes at once.
const maxProposal = 3 << 19

// errStale says that a later proposal of the same proposer was first.
var errStale = errors.New("consensus: a later proposal of the same proposer has been applied")

// Propose has ts applied by all replicas, as one entry, and returns what came of each.
// Only the leader can: with an error that is errNotLeader, or ErrInvalid for a proposal
// that is too large, nothing has happened. After any other error that is not
// known: send it again with the same from and sequence.
func (r *replica) Propose(ctx context.Context, from string, sequence uint64, ts []persistence.Transaction) ([]badger.Outcome, error) {
	if _, err := r.reigning(ctx); err != nil {
		return nil, err
	}
	a, _, err := r.append(ctx, &badger.Entry{At: time.Now(), From: from, Sequence: sequence, Transactions: ts})
	switch {
	case err != nil:
		return nil, err
	case a.outcomes == nil && len(ts) > 0:
		return nil, errStale
	}
	return a.outcomes, nil
}

// append has raft append an entry to the log, and returns what the machine made of it.
func (r *replica) append(ctx context.Context, e *badger.Entry) (a *applied, index uint64, err error) {
	return r.appendAll(ctx, e, nil)
}

// appendAll is append for an entry that may be a restoration.
func (r *replica) appendAll(ctx context.Context, e *badger.Entry, restoration *consensuspb.Restoration) (a *applied, index uint64, err error) {
	data, err := encodeEntry(e, restoration)
	if err != nil {
		return nil, 0, fmt.Errorf("consensus: %w: encoding a proposal: %w", persistence.ErrInvalid, err)
	}
	if len(data) > maxProposal {
		return nil, 0, fmt.Errorf("consensus: %w: a proposal of %d bytes; at most %d go into one: split it", persistence.ErrInvalid, len(data), maxProposal)
	}
	future, err := await(ctx, r, func() (raft.ApplyFuture, error) {
		f := r.raft.Apply(data, 0)
		return f, f.Error()
	})
	if err == nil {
		a, index = future.Response().(*applied), future.Index()
		err = a.err
	}
	switch {
	case err == nil:
		return a, index, nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return nil, 0, r.notLeader()
	}
	return nil, 0, fmt.Errorf("consensus: proposing: %w", err)
}

// await runs f, which waits for raft, and returns what it does, or the error of ctx if it
// ends before. Raft answers everything as long as it runs: halt waits for that.
func await[T any](ctx context.Context, r *replica, f func() (T, error)) (value T, err error) {
	if err := ctx.Err(); err != nil {
		return value, err
	}
	if !r.enter() {
		return value, r.gone()
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer r.using.Done()
		var got result
		got.value, got.err = f()
		done <- got
	}()
	select {
	case got := <-done:
		return got.value, got.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}
