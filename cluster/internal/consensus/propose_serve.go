package consensus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// serveCommit proposes a batch of another node, or this one.
func serveCommit(ctx context.Context, r *replica, node string, q *pb.Commit) (*pb.CommitReply, error) {
	if _, _, ok := r.Leads(); !ok {
		return nil, errNotLeader
	}
	reply := &pb.CommitReply{Outcomes: make([]*pb.Outcome, len(q.Transactions))}
	var accepted []persistence.Transaction
	var places []int
	for i, encoded := range q.Transactions {
		t := decodeTransaction(encoded)
		err := r.Store().Admit(&t)
		switch {
		case errors.Is(err, persistence.ErrInvalid):
			// It is so for every leader: the batch without it is the same again.
			reply.Outcomes[i] = &pb.Outcome{Failure: failureOf(err)}
			continue
		case errors.Is(err, persistence.ErrFull) && q.Again:
			// What was applied before has an outcome. The replica decides.
		case err != nil:
			reply.Outcomes[i] = &pb.Outcome{Failure: failureOf(err)}
			reply.Refused = true
		}
		accepted, places = append(accepted, t), append(places, i)
	}
	if len(accepted) == 0 {
		return reply, nil
	}
	if reply.Refused {
		for i, o := range reply.Outcomes {
			if o == nil {
				reply.Outcomes[i] = &pb.Outcome{}
			}
		}
		return reply, nil
	}
	outcomes, err := r.Propose(ctx, node+"/"+q.From, q.Sequence, accepted)
	if err != nil {
		return nil, err
	}
	if len(outcomes) != len(accepted) {
		return nil, fmt.Errorf("consensus: %w: a later batch of %s was first", ErrOutcomeUnknown, strconv.Quote(q.From))
	}
	for i, o := range outcomes {
		out := &pb.Outcome{Revision: uint64(o.Revision)}
		if o.Err != nil {
			out.Failure = failureOf(o.Err)
		}
		reply.Outcomes[places[i]] = out
	}
	return reply, nil
}
