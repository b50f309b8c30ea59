package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// leavePause is how long Remove waits before it tries again.
const leavePause = 50 * time.Millisecond

var errNoSuccessor = errors.New("consensus: no other replica is up to date")

// Remove takes this replica out of the core for good, if others can go on without it,
// after handing over leadership. Close it afterwards. The only replica has another node
// take its place; if none can, it does nothing, and returns nil: the data stays here.
func (r *replica) Remove(ctx context.Context) error {
	for {
		changed := r.LeaderChanged()
		done, err := r.tryRemove(ctx)
		if done {
			return err
		}
		select {
		case <-time.After(leavePause):
		case <-changed:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-r.ctx.Done():
			return r.gone()
		}
	}
}

func (r *replica) tryRemove(ctx context.Context) (done bool, err error) {
	servers := r.raft.GetConfiguration().Configuration().Servers
	if len(servers) == 0 {
		return true, nil
	}
	if len(servers) == 1 && servers[0].ID == raft.ServerID(r.config.Server) {
		if !r.recruit(ctx, map[string]bool{nodeOf(r.config.Server): true}) {
			return true, nil
		}
		return false, errNoSuccessor
	}
	_, leader := r.raft.LeaderWithID()
	switch {
	case leader == "":
		return false, errors.New("consensus: there is no leader to be taken out by")
	case leader != raft.ServerID(r.config.Server):
		err := r.streams.leave(ctx, string(leader))
		return err == nil, err
	}
	t, err := r.reigning(ctx)
	if err != nil {
		return false, err
	}
	if _, ok := r.successor(t, raft.Voter); !ok {
		standby, ok := r.successor(t, raft.Nonvoter)
		if !ok {
			return false, errNoSuccessor
		}
		if err := r.reconfigure(ctx, func() raft.IndexFuture { return r.raft.AddVoter(standby.ID, standby.Address, 0, 0) }); err != nil {
			return false, err
		}
	}
	return false, r.StepDown(ctx)
}

// leaving takes another server out of the core, which has asked for it. If it votes, a
// standby takes its place, and the others must be enough to go on.
func (r *replica) leaving(ctx context.Context, server string) error {
	t, err := r.reigning(ctx)
	if err != nil {
		return err
	}
	r.departed.add(server)
	voters, following, votes, listed := 0, 0, false, false
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if s.ID == raft.ServerID(server) {
			listed, votes = true, s.Suffrage == raft.Voter
			continue
		}
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		a, ok := r.answers.of(s.ID, t.term)
		if s.ID == raft.ServerID(r.config.Server) || ok && time.Since(a.at) < r.config.Timing.Heartbeat {
			following++
		}
	}
	if !listed {
		return nil
	}
	if votes {
		if standby, ok := r.successor(t, raft.Nonvoter); ok {
			if err := r.reconfigure(ctx, func() raft.IndexFuture { return r.raft.AddVoter(standby.ID, standby.Address, 0, 0) }); err != nil {
				return err
			}
			voters, following = voters+1, following+1
		}
		if following <= voters/2 {
			return fmt.Errorf("consensus: of the other %d voters, %d can be reached: they could not go on", voters, following)
		}
	}
	return r.reconfigure(ctx, func() raft.IndexFuture { return r.raft.RemoveServer(raft.ServerID(server), 0, 0) })
}

func (r *replica) reconfigure(ctx context.Context, change func() raft.IndexFuture) error {
	_, err := await(ctx, r, func() (struct{}, error) { return struct{}{}, change().Error() })
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		return r.notLeader()
	}
	return err
}
